# SPDX-License-Identifier: Apache-2.0
"""docs/debugging.md shows what a run shows: each of its failures is brought about, and the module's lines are
those of the transcript, step by step and call by call."""

import re
import time

import pytest

from harness import docs
from harness.forge import Key
from harness.idp import Idp
from harness.invariants import OWN_LINE
from harness.stores import memory_only
from test_debug_log import pytestmark as with_debug

pytestmark = [with_debug, memory_only]

PAGE = docs.Tree.read().doc("debugging")
FAILURES = docs.section(PAGE, "## 4. Ten failures")
CODES = re.findall(r"^### `(\w+)`$", FAILURES, re.M)


def normal(line):
    """Without what differs from run to run: connections, ports, times, references."""
    line = re.sub(r"^.*?\d+#\d+: ", "", line)
    line = re.sub(r"^\*\d+ ", "*N ", line)
    line = re.sub(r", client: .*", "", line)
    line = re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:N", line)
    line = re.sub(r"reference \w+", "reference N", docs.as_quoted(line))
    return re.sub(r"\b\d+ (ms|seconds)\b", r"N \1", line)


@pytest.fixture(name="quiet_site")
def site_that_tells_all(make_site):
    """One worker, so that what it fetches stands in one order, and nobody has signed in before."""
    def make(**arguments):
        site = make_site(level="debug", workers=1, control=False, **arguments)
        site.state.only_our_lines = True
        site.state.check_hits = False
        return site
    return make


def state_unknown(make, _):
    site = make()
    browser = site.browser()
    target = browser.callback_url(browser.start("/x"))
    return site, browser.request("GET", target, cookies=False)


def state_expired(make, _):
    site = make(directives={"pre_auth_timeout": "3s"})
    browser = site.browser()
    first = browser.start("/x")
    cookie = browser.jar.header("https", site.host, "/oidc_callback")  # a browser whose clock is behind
    target = browser.callback_url(first)
    time.sleep(4.1)
    return site, browser.request("GET", target, cookies=False, headers={"Cookie": cookie})


def idp_tls(make, lab):
    site = make(idp=Idp(lab.keys, leaf=lab.pki.idp), directives={"ssl_trusted_certificate": None})
    return site, site.browser().get("/x")


def metadata_issuer(make, _):
    site = make()
    site.idp.metadata = lambda d: {**d, "issuer": d["issuer"] + "/"}
    return site, site.browser().get("/x")


def token_client_auth(make, _):
    site = make(directives={"client_secret": "another"})
    return site, site.browser().try_login("/x")


def jwt_key_unknown(make, _):
    site = make()
    stranger = Key.ec("new")
    site.idp.jwks_keys = [stranger.jwk()]
    return site, site.browser().try_login("/x")


def id_token_iss(make, _):
    site = make()
    site.idp.claims = lambda c: {**c, "iss": c["iss"] + "/"}
    return site, site.browser().try_login("/x")


def username_missing(make, _):
    site = make(directives={"username_claim": "upn"})
    return site, site.browser().try_login("/x")


def not_permitted(make, _):
    site = make(locations="location /staff/ { auth_oidc_require $oidc_claim_staff; proxy_pass http://@BACKEND@; }\n")
    browser = site.browser()
    browser.login("/x")
    return site, browser.get("/staff/")


def store_unavailable(make, lab):
    key = lab.folder / "key-of-debugging"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    site = make(http=f"oidc_session_store redis {{ type redis; server 127.0.0.1:1; key_file {key}; }}\n",
                directives={"session_store": "redis"})
    return site, site.browser().get("/x", headers={"Cookie": f"{site.session_cookie_name}={'A' * 43}"})


def lines(site):
    return [normal(line) for line in site.nginx.log().splitlines() if OWN_LINE.search(line)]


@pytest.mark.parametrize("code", CODES)
def test_a_failure_goes_as_the_page_says(quiet_site, lab, code):
    """A transcript may begin late, and ends with the refusal."""
    page = docs.section(FAILURES, f"### `{code}`")
    site, answer = globals()[code](quiet_site, lab)
    assert answer.status == int(re.search(r"Page, (\d+):", page)[1]), answer
    told, shown = lines(site), [normal(line) for line in docs.transcript(page)]
    assert told[-1].startswith(f'*N oidc: login at provider "idp" refused: {code}: '), told[-1]
    assert told[-len(shown):] == shown, "\n".join(["the run:", *told])


def test_a_good_sign_in_goes_as_the_page_says(quiet_site):
    site = quiet_site()
    site.browser().login("/x")
    told = lines(site)
    shown = [normal(line) for line in docs.transcript(docs.section(PAGE, "## 3. A good sign-in"))]
    assert told[-len(shown):] == shown, "\n".join(["the run:", *told])
