# SPDX-License-Identifier: Apache-2.0
"""The driver of the OpenID Foundation's conformance suite (t/conformance), at a suite that is made up: it
believes neither the suite alone nor its own eyes alone."""

import datetime
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

import pytest

from harness.idp import Idp
from harness.nginx import ROOT
from harness.wire import Reply

sys.path.append(str(ROOT / "t/conformance"))
try:
    import drive
    import party
    import plans
    import report
    import suite
finally:
    sys.path.remove(str(ROOT / "t/conformance"))

PLAN = plans.OPENID[0]
TEST, BAD_ISSUER = "oidcc-client-test", "oidcc-client-test-invalid-iss"


class FakeSuite(Idp):
    """A provider with the suite's interface. `verdict`: what it says in the end; `spoil` makes the provider of
    the module."""

    def __init__(self, lab):
        super().__init__(lab.keys, lab.pki.bad["self-signed"], client_id=plans.CLIENT, client_secret=plans.SECRET)
        self.modules, self.verdict, self.spoil, self.log = [TEST], "PASSED", None, []
        self.plans, self.before = [], 0

    def default_authorize(self, request):
        return Reply(status=302, headers=[("Location", self.authorize(request.query))])

    def default_unknown(self, request):
        _, _, kind, *rest = request.path.split("/")
        query = dict(urllib.parse.parse_qsl(request.query))
        if kind == "plan":
            self.plans.append((query["planName"], request.json()))
            return Reply({"id": "p", "modules": [{"testModule": name, "variant": {}} for name in self.modules]},
                         status=201)
        if kind == "runner" and request.method == "POST":
            self.reset()
            self.user["sub"] = drive.SUBJECT
            if self.spoil:
                self.spoil(self)
            self.before = self.count("token")
            return Reply({"id": query["test"]}, status=201)
        state = "FINISHED" if self.count("token") > self.before else "WAITING"
        if kind == "info":
            return Reply({"status": state, "result": self.verdict})
        if "wait-state" in rest:
            time.sleep(0.1)
            return Reply({"state": state} if state in query["states"] else {"timeout": True})
        return Reply({"server": {"version": "0"}, "log": self.log}.get(kind, {"exposed": {"issuer": self.issuer}}))


@pytest.fixture
def fake(lab):
    fake = FakeSuite(lab)
    yield fake
    fake.stop()


def verdicts(fake, folder, plan=PLAN):
    # Nothing asks for client certificates at the next port.
    driven = suite.Suite(fake.origin, fake.origin)
    return list(drive.Drive(driven, party.Place(folder, driven), plan).modules())


def other_issuer(fake):
    fake.claims = lambda claims: {**claims, "iss": "https://elsewhere.example"}


@pytest.mark.parametrize("module, spoil, word, result, said", [
    (TEST, None, "PASSED", "PASSED", "signed in"),
    (BAD_ISSUER, other_issuer, "PASSED", "PASSED", "refused: id_token_iss"),
    ("oidcc-client-test-idtoken-sig-none", lambda fake: setattr(fake, "header", lambda h: {**h, "alg": "none"}),
     "SKIPPED", "SKIPPED", "refused: jwt_alg"),
    # Nobody gets in, or somebody does who must not, and the suite has not noticed.
    (TEST, other_issuer, "PASSED", "FAILED", "id_token_iss in place of signed in"),
    (BAD_ISSUER, None, "PASSED", "FAILED", "signed in in place of id_token_iss"),
    (TEST, lambda fake: fake.user.update(sub="somebody"), "PASSED", "FAILED", "was told ['somebody']"),
    # All is well here, but for the suite.
    (TEST, None, "FAILED", "FAILED", "EnsureSomething: it is not so"),
    (TEST, None, "WARNING", "WARNING", "EnsureSomething: it is not so"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_verdicts(fake, tmp_path, module, spoil, word, result, said):
    fake.modules, fake.spoil, fake.verdict = [module], spoil, word
    fake.log = [{"result": "SUCCESS", "msg": "fine"},
                {"result": "FAILURE", "src": "EnsureSomething", "msg": "it is not so"}]
    (verdict,) = verdicts(fake, tmp_path)
    assert verdict.result == result, verdict
    assert said in f"{verdict.seen} {verdict.why}", verdict


def test_registration(fake, tmp_path):
    """The plan is made for the client that nginx is."""
    verdicts(fake, tmp_path)
    ((name, configuration),) = fake.plans
    assert name == PLAN.name and configuration["client"]["client_id"] == plans.CLIENT
    assert configuration["client"]["redirect_uri"].startswith("https://127.0.0.1:")


def test_page(tmp_path):
    """Tables of plans that were not run stay, others are written anew, and the text around them stays."""
    page = pathlib.Path(tmp_path / "page.md")
    page.write_text(f"before\n\n{report.BEGIN}\n\n{report.END}\n\nafter\n")
    first, second = plans.PLANS[0], plans.PLANS[1]
    day = datetime.date(2026, 1, 2)
    good, bad = drive.Verdict("m", "PASSED", "signed in"), drive.Verdict("m", "FAILED", "", "a | b")
    report.write(page, "5", plans.PLANS, {second.key: [good]}, day)
    report.write(page, "6", plans.PLANS, {first.key: [good, bad]}, day)
    once = page.read_text()
    assert "| `m` | FAILED | a \\| b |" in once and "1 FAILED, 1 PASSED. Suite 6, 2026-01-02." in once
    assert once.index(f"### {first.title}") < once.index(f"### {second.title}") and "Suite 5" in once
    assert once.startswith("before\n") and once.endswith("\nafter\n")
    report.write(page, "6", plans.PLANS, {first.key: [good, bad]}, day)
    assert page.read_text() == once


@pytest.mark.parametrize("words, url, said", [
    ((), None, "SUITE_URL is not set"), (("everything",), "https://localhost:1", "no such plan: everything"),
    ((), "https://localhost:1", "nothing answers at https://localhost:1")])
def test_what_is_missing(words, url, said):
    env = {k: v for k, v in os.environ.items() if k != "SUITE_URL"} | ({"SUITE_URL": url} if url else {})
    done = subprocess.run([sys.executable, ROOT / "t/conformance/run", *words], env=env, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 2 and said in done.stderr, done


def test_every_module_has_its_outcome():
    """The names of modules are the suite's; the longest end counts."""
    prefix = "fapi2-security-profile-final-client-test"
    assert plans.by_end(plans.WANTED, f"{prefix}-invalid-iss", plans.IN) == "id_token_iss"
    assert plans.by_end(plans.WANTED, f"{prefix}-ensure-jarm-with-invalid-iss-fails", plans.IN) == "issuer_mix_up"
    assert plans.by_end(plans.WANTED, f"{prefix}-happy-path", plans.IN) == plans.IN
    assert plans.by_end(plans.WANTED, "oidcc-client-test-discovery-issuer-mismatch", None) == "metadata_issuer"
