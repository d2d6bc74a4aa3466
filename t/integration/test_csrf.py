# SPDX-License-Identifier: Apache-2.0
"""auth_oidc_csrf: a session counts only for what a page of ours has the browser send."""

import pytest

from harness.cases import case, rows
from harness.outcome import passes, unauthorized
from harness.site import Site

HOST = "app.test"
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
LOCATIONS = """
location /free/ { auth_oidc_csrf off; proxy_pass http://@BACKEND@; }
location /free/not/ { auth_oidc_csrf on; proxy_pass http://@BACKEND@; }
location /named/ { auth_oidc_csrf origins https://portal.example https://a.example:8443; proxy_pass http://@BACKEND@; }
location /maybe/ { auth_oidc_mode verify; proxy_pass http://@BACKEND@; }
location /maybe/not/ { auth_oidc_mode verify; auth_oidc_require $oidc_user; proxy_pass http://@BACKEND@; }
location /asked/ { auth_oidc off; auth_request /ask; proxy_pass http://@BACKEND@; }
location = /ask { internal; auth_oidc idp; proxy_method GET; proxy_pass_request_body off;
                  proxy_set_header Content-Length ""; proxy_pass http://@BACKEND@/public/ok; }
location /page/ { error_page 403 = @page; proxy_pass http://@BACKEND@; }
location @page { return 200 "the operator's page"; auth_oidc off; }
location /onward/ { auth_oidc_mode verify; try_files /nope @open; }
location /refused/ { error_page 403 = @open; proxy_pass http://@BACKEND@; }
location @open { auth_oidc off; proxy_set_header X-Who $oidc_user; proxy_pass http://@BACKEND@; }
location /needs/ { auth_oidc off; auth_request /needed; proxy_pass http://@BACKEND@; }
location = /needed { internal; auth_oidc idp; auth_oidc_mode verify; auth_oidc_require $oidc_user; proxy_method GET;
                     proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://@BACKEND@/public/ok; }
location /ws { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
               proxy_pass http://@BACKEND@; }
"""


@pytest.fixture(scope="module", params=["tls", "plain"])
def site(lab, request):
    with Site(lab, tls=request.param == "tls", locations=LOCATIONS, own_paths=("/oidc_callback", "/logout"),
              directives={"logout_uri": "/logout"}, public=("/public/", "/asked/", "/ask", "/needs/", "/needed")) as site:
        yield site


@pytest.fixture
def browser(site):
    with site.signed_in() as browser:
        yield browser


def origin(site):
    port = site.port
    return f"{'https' if site.tls else 'http'}://{HOST}:{port}"


def send(browser, site_value, origin_value, method="POST", path="/x", **kw):
    """As a browser does; None: it sends no such header."""
    headers = {k: v for k, v in (("Sec-Fetch-Site", site_value), ("Origin", origin_value)) if v is not None}
    return browser.request(method, path, kind="none", headers={**headers, **kw.pop("headers", {})},
                           body=None if method in ("GET", "HEAD", "OPTIONS") else b"a=1", **kw)


OWN = {
    "our page": ("same-origin", "@"),
    "our page, no Origin": ("same-origin", None),
    "the address bar": ("none", None),
    "an old browser": (None, "@"),
    "an old browser, in capitals": (None, "@UPPER@"),
    "no browser": (None, None),
}
FOREIGN = {
    "a sibling": ("same-site", "https://evil.app.test"),
    "another site": ("cross-site", "https://evil.example"),
    "a sandboxed frame": ("cross-site", "null"),
    "without Origin": ("cross-site", None),
    "a sibling without Origin": ("same-site", None),
    "a value that nobody knows": ("same-origin, same-origin", None),
    "an old browser elsewhere": (None, "https://evil.example"),
    "an old browser in a sandbox": (None, "null"),
    "an old browser at another port": (None, "@/port"),
    "a name that begins as ours": (None, "@.evil.example"),
    "a name behind an @": (None, "@@evil.example"),
    "another scheme": (None, "@/scheme"),
    "a scheme that is none": (None, "//app.test"),
}


def refused(answer):
    assert answer.status == 403 and not answer.from_backend, answer
    assert not answer.set_cookies(), answer
    assert answer.json()["error"] == "cross_origin_request", answer


def value(site, text):
    own = origin(site)
    forms = {"@": own, "@UPPER@": own.upper(), "@/port": own.rpartition(":")[0] + ":1",
             "@/scheme": "ftp" + own[own.index(":"):]}
    return forms.get(text, text.replace("@", own, 1) if text and text.startswith("@") else text)


@pytest.mark.parametrize("who", rows("C-30", {k: k for k in OWN}))
def test_what_is_ours(site, browser, who):
    fetch, sender = OWN[who]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        passes(site, send(browser, fetch, value(site, sender), method), Remote_User="jdoe")


@pytest.mark.parametrize("who", rows("C-31", {k: k for k in FOREIGN}))
def test_what_another_site_sends(site, browser, who):
    fetch, sender = FOREIGN[who]
    sender = value(site, sender)
    for method in ("POST", "PUT", "DELETE", "PROPFIND", "X-ANY"):
        refused(send(browser, fetch, sender, method))
    line = site.log_since_mark()
    assert "cross_origin_request" in line and "check auth_oidc_csrf" in line, line
    # Nobody is signed out by it, and what only reads goes on.
    for method in ("GET", "HEAD", "OPTIONS"):
        assert send(browser, fetch, sender, method).status == 200
    # Where the guard is off, and where it is on again.
    passes(site, send(browser, fetch, sender, path="/free/x"), Remote_User="jdoe")
    refused(send(browser, fetch, sender, path="/free/not/x"))
    # Without the session it is what it always was.
    unauthorized(send(browser, fetch, sender, cookies=False))
    passes(site, send(browser, fetch, sender, path="/public/x"), Remote_User=None)


@case("C-32")
def test_origins_that_are_named(site, browser):
    for fetch in ("same-site", "cross-site", None):
        for name in ("https://portal.example", "https://a.example:8443", "https://PORTAL.example"):
            passes(site, send(browser, fetch, name, path="/named/x"), Remote_User="jdoe")
            refused(send(browser, fetch, name))
        for name in ("http://portal.example", "https://a.example", "https://portal.example.evil", "null"):
            refused(send(browser, fetch, name, path="/named/x"))


@case("C-33")
def test_verify_has_no_identity_for_it(site, browser):
    site.state.check_hits = False  # whether a session is named there depends on who sends
    passes(site, send(browser, "same-origin", None, path="/maybe/x"), Remote_User="jdoe")
    passes(site, send(browser, "cross-site", "https://evil.example", path="/maybe/x"), Remote_User=None)
    passes(site, send(browser, "same-origin", None, path="/maybe/not/x"), Remote_User="jdoe")
    answer = send(browser, "cross-site", "https://evil.example", path="/maybe/not/x")
    assert answer.status == 403 and answer.json()["error"] == "not_permitted", answer


@case("C-33")
def test_a_subrequest_speaks_for_its_main_request(site, browser):
    passes(site, send(browser, "same-origin", None, path="/asked/x"))
    answer = send(browser, "cross-site", "https://evil.example", path="/asked/x")
    assert answer.status == 403 and not answer.from_backend, answer
    assert "check auth_oidc_csrf" in site.log_since_mark()


@case("C-33")
def test_nothing_is_shown_where_it_goes_on(site, browser):
    """Neither by an internal redirect to where nobody is asked to sign in, nor in a subrequest."""
    site.state.check_hits = False
    for path in ("/onward/x", "/refused/x"):
        hit = passes(site, send(browser, "cross-site", "https://evil.example", path=path))
        assert hit.method == "POST" and hit.headers.all("X-Who") == [], path
    assert passes(site, send(browser, "same-origin", None, path="/onward/x")).headers.all("X-Who") == ["jdoe"]
    passes(site, send(browser, "same-origin", None, path="/needs/x"))
    answer = send(browser, "cross-site", "https://evil.example", path="/needs/x")
    assert answer.status == 403 and not answer.from_backend, answer


@case("C-34")
def test_a_socket_of_another_site(site, browser):
    for fetch, sender in (("cross-site", "https://evil.example"), ("same-site", "https://evil.app.test"),
                          (None, "https://evil.example"), (None, "null")):
        refused(send(browser, fetch, sender, "GET", "/ws", headers=UPGRADE))
    answer = send(browser, "same-origin", value(site, "@"), "GET", "/ws", headers=UPGRADE)
    assert answer.status == 101, answer
    browser.close()


@case("C-31")
def test_a_page_for_a_person(site, browser):
    answer = browser.request("POST", "/x", kind="navigate", fetch_site="same-site", body=b"a=1",
                             headers={"Origin": "https://evil.app.test",
                                      "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 403 and "Another site has sent this request" in answer.text, answer
    assert browser.request("POST", "/page/x", kind="navigate", fetch_site="same-site", body=b"a=1",
                           headers={"Origin": "https://evil.app.test"}).text == "the operator's page"


@case("C-31")
def test_our_endpoints_have_their_own_rules(site, browser):
    # Logout has its own guard, and says its own reason.
    answer = send(browser, "cross-site", "https://evil.example", path="/logout")
    assert answer.status == 403 and answer.json()["error"] == "logout_cross_site", answer
