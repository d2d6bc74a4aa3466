# SPDX-License-Identifier: Apache-2.0
"""The debug log: what becomes of a request can be followed, and no secret is in it."""

import re
import subprocess
import time
import urllib.parse

import pytest

from harness.invariants import own_lines
from harness.nginx import BINARY
from harness.outcome import reject
from harness.site import Site, query_of

VERSION = subprocess.run([BINARY, "-V"], capture_output=True, text=True, timeout=60, check=True).stderr
pytestmark = pytest.mark.skipif("--with-debug" not in VERSION, reason="this nginx has no --with-debug")

DIRECTIVES = {"session_refresh": "on before=60s", "logout_uri": "/logout", "post_logout_uri": "/public/bye",
              "backchannel_logout_uri": "/oidc/backchannel"}
LOCATIONS = """
location /staff/ { auth_oidc_require $oidc_claim_staff; proxy_pass http://@BACKEND@; }
"""
DUE = 6  # seconds until a token of ten seconds is refreshed
COOKIE = 'cookie "__Host-NGX_OIDC_SESSION"'
NOBODY = f'oidc decision: provider "idp", mode require, {COOKIE}: nobody, no such cookie came'
SIGNED_IN = f'oidc decision: provider "idp", mode require, {COOKIE}: signed in'


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, locations=LOCATIONS, level="debug",
              own_paths=("/oidc_callback", "/oidc/backchannel", "/logout")) as site:
        site.state.only_our_lines = True
        yield site


class Followed:
    """The debug lines of ours from now on."""

    def __init__(self, site):
        self.site = site
        self.start = site.nginx.log_size()

    def lines(self):
        found = own_lines(self.site.nginx.log(self.start))
        return [re.sub(r"^.*?\d+#\d+: (\*\d+ )?", "", line) for line in found if "[debug]" in line]

    def expect(self, *patterns):
        """Lines that match these stand there, in this order; others may be between them."""
        lines = self.lines()
        rest = iter(lines)
        for pattern in patterns:
            assert any(re.fullmatch(pattern, line) for line in rest), f"{pattern} in:\n" + "\n".join(lines)


def url(site, endpoint):
    return re.escape(site.idp.url(endpoint))


def test_a_login(site):
    browser = site.browser()
    log = Followed(site)
    begun = browser.start("/x")
    log.expect(NOBODY, "oidc decision: a login begins", 'oidc flow: login at provider "idp": NeedProvider',
               'oidc flow: login at provider "idp": StartLogin')
    state = query_of(begun.location)["state"]
    site.idp.canary(state, "state")
    log = Followed(site)
    target = browser.callback_url(begun)
    answer = browser.callback(target)
    assert answer.status == 303 and browser.session_cookie, answer
    flow = 'oidc flow: callback at provider "idp": '
    log.expect(re.escape(NOBODY), flow + "NeedProvider", flow + "Fetch",
               rf"oidc call: POST {url(site, 'token')}: 200 in \d+ ms", flow + "StoreSession",
               'oidc store: ".*": session inserted', flow + "LoggedIn")
    text = "\n".join(log.lines())
    for secret in (state, query_of(target)["code"], browser.session_cookie, site.idp.user["sub"],
                   site.idp.user["preferred_username"]):
        assert secret not in text, text


def test_the_documents_of_the_provider_are_fetched(site):
    """The first login of the site, before any test."""
    text = site.nginx.log()
    for path in ("/.well-known/openid-configuration", "/jwks"):
        assert re.search(rf"oidc call: GET {re.escape(site.idp.base + path)}: 200 in \d+ ms", text), path


def test_an_authenticated_request(site):
    with site.signed_in() as browser:
        log = Followed(site)
        assert browser.get("/x").from_backend
        assert browser.get("/x").from_backend
        lines = log.lines()
        assert lines.count(SIGNED_IN) == 2, lines
        log = Followed(site)
        assert browser.get("/public/x").from_backend
        log.expect("oidc decision: auth_oidc is off here")


def test_a_cookie_of_no_session(site):
    browser = site.browser()
    log = Followed(site)
    answer = browser.get("/x", kind="xhr", headers={"Cookie": f"{site.session_cookie_name}={'A' * 43}"})
    assert answer.status == 401, answer
    log.expect(re.escape(NOBODY.replace("no such cookie came", "the cookie names no live session")),
               "oidc decision: 401, the request is not sent to the provider")


def test_a_requirement(site):
    with site.signed_in() as browser:
        log = Followed(site)
        assert browser.get("/staff/").status == 403
        log.expect(SIGNED_IN, "oidc decision: auth_oidc_require is not met")
    with site.signed_in(staff="yes") as browser:
        log = Followed(site)
        assert browser.get("/staff/").from_backend
        log.expect(SIGNED_IN, "oidc decision: auth_oidc_require is met")


def test_a_refresh(site):
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = site.browser()
    browser.login("/x")
    time.sleep(DUE)
    log = Followed(site)
    assert browser.get("/x").from_backend
    session = 'oidc refresh: session at provider "idp": '
    site.wait(lambda: any("its record" in line for line in log.lines()), "the end of the refresh")
    flow = 'oidc flow: refresh at provider "idp": '
    log.expect(SIGNED_IN, session + "due, the lease is (granted|asked for at the store)", flow + "Fetch",
               rf"oidc call: POST {url(site, 'token')}: 200 in \d+ ms", flow + "Refreshed",
               session + "its record is replaced")


def test_a_refresh_that_the_provider_refuses(site):
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = site.browser()
    browser.login("/x")
    time.sleep(DUE)
    site.idp.refresh.clear()
    log = Followed(site)
    assert browser.get("/x").from_backend
    session = 'oidc refresh: session at provider "idp": '
    site.wait(lambda: any("it is erased" in line for line in log.lines()), "the end of the session")
    log.expect(rf"oidc call: POST {url(site, 'token')}: 400 in \d+ ms",
               'oidc flow: refresh at provider "idp": RefreshEnded: refresh_denied', session + "it is erased")


def test_a_logout(site):
    with site.signed_in() as browser:
        log = Followed(site)
        assert browser.get("/logout", fetch_site="same-origin").status == 302
        log.expect('oidc logout: provider "idp": 1 session cookies came to be ended',
                   'oidc store: ".*": sessions erased', 'oidc logout: provider "idp": over here, on to the provider')


def test_a_logout_of_the_provider(site):
    with site.signed_in(sub="u-of-the-back-channel") as browser:
        log = Followed(site)
        token = site.idp.logout_token(sub="u-of-the-back-channel")
        body = urllib.parse.urlencode({"logout_token": token}).encode()
        answer = browser.post("/oidc/backchannel", body, kind="none", cookies=False,
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 200, answer
        log.expect('oidc flow: logout at provider "idp": EndSessions', 'oidc store: ".*": yes',
                   'oidc store: ".*": sessions of an owner ended',
                   'oidc logout: provider "idp": back channel ended (1 sessions|what sessions there were)')
        assert "u-of-the-back-channel" not in "\n".join(log.lines())


def test_a_refused_callback(site):
    site.idp.on["token"] = lambda exchange: exchange.rst()
    browser = site.browser()
    target = browser.callback_url(browser.start("/x"))
    # On a new connection: one that was kept would begin the login anew.
    site.idp.drop_connections()
    time.sleep(0.05)
    log = Followed(site)
    reject(site, browser.callback(target), "idp_http")
    log.expect(rf"oidc call: POST {url(site, 'token')}: idp_http in \d+ ms",
               'oidc flow: callback at provider "idp": Refuse: idp_http')


def test_no_line_has_a_query(site):
    """Codes and tokens travel in queries: whatever is told of a URL ends before them."""
    lines = [line for line in own_lines(site.nginx.log()) if "[debug]" in line]
    assert len(lines) > 20
    assert not [line for line in lines if "?" in line]
