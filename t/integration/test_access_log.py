# SPDX-License-Identifier: Apache-2.0
"""ops/observability/log_format.conf: every line is JSON, with all of the module that may be logged and nothing else."""

import json
import re
import secrets

import pytest

from harness import docs
from harness.cases import case
from harness.nginx import ROOT
from harness.site import query_of

FILE = ROOT / "ops" / "observability" / "log_format.conf"
PAGE = ROOT / "docs" / "observability.md"
TREE = docs.Tree.read()
LOCATIONS = """
    location /staff/ { auth_oidc_require $oidc_claim_staff; proxy_pass http://@BACKEND@; }
    location /token/ { proxy_set_header X-Token $oidc_access_token; proxy_set_header X-Id $oidc_id_token;
                       proxy_pass http://@BACKEND@; }
"""


def known():
    """Those of the sources; `oidc_claim_` stands for all claims."""
    names = set(re.findall(r'^\s*\{"(oidc_\w+)", get_', TREE.source("ngx_module"), re.M))
    assert len(names) > 8 and 'kClaimPrefix = "oidc_claim_"' in TREE.source("ngx_module")
    return names | {"oidc_claim_"}


def code():
    """The file without its comments."""
    return re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M)


def logged():
    return set(re.findall(r"\$(oidc_\w+)", code()))


def left_out(text):
    names = re.findall(r"\$(oidc_\w+?)(?:NAME|<name>|(?=\W))", text)
    return set(names)


def table():
    """Of the page: {variable: why it is left out}."""
    rows = re.findall(r"^\| (`\$oidc.*?) \| (.+) \|$", PAGE.read_text().partition("| left out |")[2], re.M)
    return {name: why for cell, why in rows for name in left_out(cell)}


@case("S-07")
def test_each_variable_is_logged_or_left_out_with_a_reason():
    out = left_out("".join(re.findall(r"^#.*\n", FILE.read_text(), re.M)))
    assert logged() | out == known() and not logged() & out
    assert set(table()) == out and all(len(why.split()) > 2 for why in table().values())


@case("S-07")
def test_no_secret_can_be_logged():
    assert not logged() & {"oidc_id_token", "oidc_access_token", "oidc_assertion", "oidc_userinfo"}
    assert not re.search(r"\$(cookie_|http_cookie|http_authorization|args|arg_|request\b|request_uri|request_body|query)",
                         code())


def as_documented():
    """The two lines of the page, with the paths of this machine."""
    lines = re.search(r"```nginx\n(include .*\n.*\n)```", PAGE.read_text())[1]
    assert all(re.sub(r" +", " ", line) in re.sub(r"^# +| +(?= )", "", FILE.read_text(), flags=re.M)
               for line in lines.splitlines()), "the file says it in another way"
    return lines.replace("/etc/nginx/oidc", str(FILE.parent)).replace("/var/log/nginx/", "logs/")


@pytest.fixture
def site(make_site):
    return make_site(http=as_documented(), locations=LOCATIONS,
                     directives={"logout_uri": "/logout", "userinfo": "on"}, own_paths=("/oidc_callback", "/logout"),
                     control=False)


def lines(site, count):
    path = site.folder / "logs" / "access.json"
    site.wait(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} lines")
    return [json.loads(line) for line in path.read_text("utf-8", "replace").splitlines()]


@case("S-07")
def test_what_is_logged(site):
    fields = re.findall(r'"(\w+)":', code())
    assert len(fields) == len(set(fields)) > 15
    browser = site.browser()
    start = browser.start("/x?secret=1", headers={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    site.idp.canary(query_of(start.location)["state"], "state")
    assert browser.callback(browser.callback_url(start)).status == 303
    quoted = 'a "quoted" \\ agent\t<' + secrets.token_hex(4) + ">"
    assert browser.get("/x/%22%5C%0A%ff?secret=1", headers={"User-Agent": quoted}).from_backend
    assert browser.get("/token/x").from_backend
    assert browser.get("/staff/x").status == 403
    assert site.browser().get("/oidc_callback?code=x&state=y").status == 400
    assert site.browser().get("/x", kind="xhr").status == 401
    bad = site.raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert bad.status == 400
    assert browser.get("/logout").status in (302, 303)

    found = lines(site, 9)
    assert all(list(line) == fields for line in found)
    assert all(re.fullmatch(r"\d{3}", line["status"]) and isinstance(line["request_time"], float)
               and isinstance(line["body_bytes_sent"], int) for line in found)
    login, _, page, token, staff, callback, script, broken, logout = found
    assert login["traceparent"].startswith("00-1") and login["oidc_authenticated"] == "0" and login["status"] == "302"
    assert page["oidc_user"] == "jdoe" and page["oidc_provider"] == "idp" and page["oidc_authenticated"] == "1"
    assert page["uri"].startswith('/x/"\\\n') and page["user_agent"] == quoted and page["upstream_status"] == "200"
    assert re.fullmatch("[0-9a-f]{16}", page["oidc_session_id"]) and int(page["oidc_session_expires"]) > 1e9
    assert token["oidc_session_id"] == page["oidc_session_id"]
    assert staff["oidc_error"] == "not_permitted" and staff["oidc_session_id"] == page["oidc_session_id"]
    assert callback["oidc_error"].startswith(("state_", "callback_")) and callback["oidc_user"] == ""
    assert script["oidc_error"] == "login_required" and broken["status"] == "400" and broken["oidc_error"] == ""
    assert logout["uri"] == "/logout"

    text = (site.folder / "logs" / "access.json").read_text("utf-8", "replace")
    assert "secret" not in text and browser.session_cookie is None
    for secret, what in {**site.idp.canaries, **site.state.canaries}.items():
        assert secret not in text, what
