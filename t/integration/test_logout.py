# SPDX-License-Identifier: Apache-2.0
"""Group L as far as RP-initiated logout goes, and clear_cookies."""

import html
import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import button_of, challenge, page, passes
from harness.site import Site, query_of
from harness.stores import server_side
from harness.whatwg import hostile_targets, origin_of

LOGOUT = {"logout_uri": "/logout", "logout_token_hint": "on", "post_logout_uri": "/public/bye",
          "clear_cookies": "auth-token auth-token-secret"}
OWN = ("/oidc_callback", "/logout")


@pytest.fixture(scope="module")
def site(lab):
    def attrs(cookie):
        full = {"path": "/", "httponly": "", "secure": "", "samesite": "Lax"}
        return full
    with Site(lab, directives=LOGOUT, own_paths=OWN, cookie_attrs=attrs) as site:
        yield site


@case("L-01")
def test_logout(site):
    with site.signed_in() as browser:
        value = browser.session_cookie
        token = next(reversed(list(site.idp.codes.values())))
        answer = browser.get("/logout", fetch_site="same-origin")
        assert answer.status in (302, 303), answer
        assert answer.location.startswith(site.idp.url("logout") + "?")
        query = query_of(answer.location)
        assert query["client_id"] == site.idp.client_id
        assert query["post_logout_redirect_uri"] == site.origin_text + "/public/bye"
        assert query["id_token_hint"].count(".") == 2
        assert token["claims"]["sub"] == "u-1001"
        site.idp.forget(query["id_token_hint"])
        assert browser.session_cookie is None
        for _ in range(4):
            again = site.browser()
            challenge(site, again.get("/x", headers={
                "Cookie": f"{site.session_cookie_name}={value}"}))
        assert value not in answer.location


@case("L-01")
def test_logout_clears_the_applications_cookies(site):
    with site.signed_in() as browser:
        browser.jar.set("auth-token", "abc")
        browser.jar.set("auth-token-secret", "def")
        browser.jar.set("other", "stays")
        answer = browser.get("/logout")
        cleared = {c.name: c for c in answer.set_cookies()}
        assert {"auth-token", "auth-token-secret", site.session_cookie_name} <= set(cleared)
        assert "other" not in cleared
        for name in ("auth-token", "auth-token-secret"):
            assert cleared[name].deletes and cleared[name].attrs.get("path") == "/"
        assert browser.jar.get("auth-token") is None and browser.jar.get("other") == "stays"
        for hint in query_of(answer.location).values():
            site.idp.forget(hint)


@case("C-28")
def test_cookies_of_the_former_user(site):
    """Another user signs in: what the application kept for the former one is cleared."""
    def sign_in(browser, name):
        site.idp.user = {**site.idp.user, "sub": name, "preferred_username": name}
        return browser.try_login("/x")
    browser = site.browser()
    sign_in(browser, "ann")
    first = browser.jar.cookies[:]
    browser.jar.set("auth-token", "of-ann")
    # The session ends on the server side only; the browser still shows both cookies.
    kept = browser.session_cookie
    other = site.browser()
    other.jar.set("auth-token", "of-ann")
    start = other.start("/x")
    other.jar.set(site.session_cookie_name, kept)
    site.idp.user = {**site.idp.user, "sub": "bob", "preferred_username": "bob"}
    answer = other.callback(other.callback_url(start))
    assert answer.status in (302, 303)
    cleared = [c.name for c in answer.set_cookies() if c.deletes]
    assert "auth-token" in cleared, answer
    assert first


FOREIGN = {"img": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors",
                           "Sec-Fetch-Dest": "image"}),
           "link": ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
           "same-site": ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}),
           "form": ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}),
           "origin-null": ("POST", {"Sec-Fetch-Site": None, "Origin": "null"}),
           "referer": ("GET", {"Sec-Fetch-Site": None, "Referer": "https://evil.example/x"}),
           "referer-prefix": ("GET", {"Sec-Fetch-Site": None,
                                      "Referer": "https://app.test.evil.example/"}),
           "origin": ("GET", {"Sec-Fetch-Site": None, "Origin": "https://evil.example"})}


@pytest.mark.parametrize("method, headers", rows("L-02", FOREIGN))
def test_cross_site_logout(site, method, headers):
    with site.signed_in() as browser:
        answer = browser.request(method, "/logout", headers=headers,
                                 body=b"" if method == "POST" else None)
        assert answer.status in (303, 302, 400, 403, 405), answer
        assert not any(c.name == site.session_cookie_name for c in answer.set_cookies())
        passes(site, browser.get("/x"), remote_user="jdoe")


@pytest.mark.parametrize("headers", rows("L-02", {
    "same-origin": ({"Sec-Fetch-Site": "same-origin"},), "address-bar": ({"Sec-Fetch-Site": "none"},),
    "old-browser": ({"Sec-Fetch-Site": None, "Sec-Fetch-Mode": None},),
    "own-referer": ({"Sec-Fetch-Site": None, "Referer": "ORIGIN/page"},),
}))
def test_own_logout(site, headers):
    with site.signed_in() as browser:
        sent = {k: v.replace("ORIGIN", site.origin_text) if v else v for k, v in headers.items()}
        answer = browser.get("/logout", headers=sent)
        assert answer.status in (302, 303) and browser.session_cookie is None, answer
        for hint in query_of(answer.location).values():
            site.idp.forget(hint)


@case("L-03")
def test_landing_after_logout(site):
    """The landing page is the application's own; whatever arrives there does nothing."""
    with site.signed_in() as browser:
        for query in ("", "?state=x", "?state=a&state=b", "?x=1&error=y"):
            assert browser.get("/public/bye" + query).from_backend
        passes(site, browser.get("/x"), remote_user="jdoe")


@pytest.mark.parametrize("cookie", rows("L-04", {"none": (None,), "expired": "A" * 43, "junk": "x"}))
def test_logout_without_a_session(site, cookie):
    browser = site.browser()
    if cookie:
        browser.jar.set(site.session_cookie_name, cookie)
    for _ in range(2):
        answer = browser.get("/logout")
        # There is no hint to show, and the provider may refuse: the user sees first what has been done.
        query = query_of(button_of(site, answer))
        assert "id_token_hint" not in query and query["client_id"] == site.idp.client_id
        assert query["post_logout_redirect_uri"] == site.origin_text + "/public/bye"


@case("L-05")
def test_return_parameters_are_ignored(site):
    for name in ("post_logout_redirect_uri", "redirect", "return_to", "rd", "next", "state"):
        for target in ("https://evil.example/", "//evil.example", hostile_targets()[7]):
            browser = site.browser()
            answer = browser.get(f"/logout?{name}={urllib.parse.quote(target)}")
            assert answer.status in (200, 302, 303)
            if answer.location and not answer.location.startswith(site.idp.base):
                assert origin_of(answer.location, site.origin_text) == site.origin_text
            assert "evil" not in (answer.location or "")
            browser.close()


@case("L-07")
def test_provider_without_end_session_endpoint(lab, make_site):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "end_session_endpoint": None}
    site = make_site(idp=idp, directives={"logout_uri": "/logout"}, own_paths=OWN)
    browser = site.browser()
    browser.login("/x")
    answer = browser.get("/logout")
    assert answer.status == 200 and browser.session_cookie is None, answer
    page(answer)
    challenge(site, browser.get("/x"))
    external = make_site(idp=idp, directives={"logout_uri": "/logout", "post_logout_uri":
                                              "https://www.example.org/bye"}, own_paths=OWN)
    idp.metadata = lambda d: {**d, "end_session_endpoint": None}
    browser = external.browser()
    browser.login("/x")
    answer = browser.get("/logout")
    assert answer.location == "https://www.example.org/bye", answer


@server_side  # such an ID token fits into no cookie
@case("L-08")
def test_huge_hint(make_site):
    site = make_site(directives={"logout_uri": "/logout", "logout_token_hint": "on"}, own_paths=OWN)
    site.idp.claims = lambda c: {**c, "pad": "p" * 9000}
    browser = site.browser()
    browser.login("/x")
    answer = browser.get("/logout")
    assert answer.status == 200 and "no-store" in answer.headers.get("cache-control"), answer
    assert browser.session_cookie is None
    form, = re.findall(r'<form method="post" action="([^"]*)">', answer.text)
    assert html.unescape(form) == site.idp.url("logout")
    fields = {html.unescape(k): html.unescape(v) for k, v in
              re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', answer.text)}
    assert fields["client_id"] == site.idp.client_id and len(fields["id_token_hint"]) > 9000
    assert fields["state"]
    site.idp.forget(fields["id_token_hint"])


@case("L-34")
def test_the_providers_own_arguments(lab, make_site):
    """As Cognito's address is usually written."""
    idp = Idp(lab.keys)
    site = make_site(idp=idp, directives={
        "logout_uri": "/logout", "post_logout_param": "logout_uri",
        "post_logout_uri": "/public/bye",
        "end_session_endpoint": f'"{idp.url("logout")}?client_id=theirs&x=1"'}, own_paths=OWN)
    browser = site.browser()
    browser.login("/x")
    answer = browser.get("/logout")
    assert answer.location.count("client_id=") == 1, answer
    query = query_of(answer.location)
    assert query["client_id"] == "theirs" and query["x"] == "1"
    assert query["logout_uri"] == site.origin_text + "/public/bye"
    assert "post_logout_redirect_uri" not in query


PORTAL = "https://portal.app.test"
SIBLINGS = {
    "link": ({"Referer": PORTAL + "/"}, True),
    "form": ({"Origin": PORTAL}, True),
    "second": ({"Referer": "http://127.0.0.1:8080/menu"}, True),
    "no-referrer": ({}, False),
    "null-origin": ({"Origin": "null", "Referer": PORTAL + "/"}, False),
    "another": ({"Origin": "https://portal.app.test.evil.example"}, False),
    "another-port": ({"Referer": PORTAL + ":8443/"}, False),
    "prefetch": ({"Referer": PORTAL + "/", "Sec-Purpose": "prefetch"}, False),
}


@pytest.mark.parametrize("headers, ends", rows("L-35", SIBLINGS))
def test_logout_from_a_sibling(make_site, headers, ends):
    site = make_site(directives={"logout_uri": "/logout", "insecure_http": "on",
                                 "logout_origins": f"{PORTAL} http://127.0.0.1:8080"},
                     own_paths=OWN, control=False)
    browser = site.browser()
    browser.login("/x")
    method = "POST" if "Origin" in headers else "GET"
    answer = browser.request(method, "/logout",
                             headers={"Sec-Fetch-Site": "same-site", **headers})
    assert (answer.status in (302, 303)) == ends, answer
    if ends:
        assert browser.session_cookie is None
    else:
        assert answer.status == 403
        assert (">Sign out</a>" in answer.text) == ("Sec-Purpose" not in headers), answer
        passes(site, browser.get("/x"))


@case("L-01")
def test_no_hint_unless_asked_for(make_site):
    site = make_site(directives={"logout_uri": "/logout"}, own_paths=OWN)
    browser = site.browser()
    browser.login("/x")
    assert "id_token_hint" not in query_of(browser.get("/logout").location)


@case("L-01")
def test_logout_while_the_provider_is_down(make_site):
    """The local session ends all the same."""
    site = make_site(directives={"logout_uri": "/logout"}, own_paths=OWN)
    browser = site.browser()
    browser.login("/x")
    value = browser.session_cookie
    site.idp.refuse()
    answer = browser.get("/logout")
    assert answer.status in (200, 302, 303), answer
    challenge(site, site.browser().get("/x", headers={
        "Cookie": f"{site.session_cookie_name}={value}"}))
