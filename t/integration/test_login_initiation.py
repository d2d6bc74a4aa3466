# SPDX-License-Identifier: Apache-2.0
"""initiate_login_uri: a provider's portal, or a link of somebody else, begins the login (A-40, A-41)."""

import urllib.parse

import pytest

from harness.cases import case, rows
from harness.client import Connection
from harness.outcome import challenge, notoken, passes, reject
from harness.site import Site, query_of

PATH = "/oidc/login"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DIRECTIVES = {"initiate_login_uri": PATH, "logout_uri": "/logout", "login_hint": "configured"}


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, control=False) as site:
        yield site


def link(site, iss=None, **arguments):
    arguments = {"iss": site.idp.issuer if iss is None else iss, **arguments}
    return f"{PATH}?{urllib.parse.urlencode({k: v for k, v in arguments.items() if v is not None})}"


def ends_at(site, browser, first):
    """Signs in with the redirect of a link; where the browser is then."""
    done = browser.callback(browser.callback_url(first))
    assert browser.session_cookie, f"{done}\n{site.log_since_mark()}"
    return browser.onward(done)


@case("A-40")
def test_a_link_begins_a_login(site):
    browser = site.browser()
    first = browser.get(link(site, login_hint="müller@example.org", target_link_uri="/x?y=1#z"), cross_site=True)
    assert challenge(site, first)["login_hint"] == "müller@example.org"
    assert first.status == 303
    assert ends_at(site, browser, first) == "/x?y=1#z"
    passes(site, browser.get("/x?y=1"), remote_user="jdoe")


@case("A-40")
def test_a_link_that_says_who_only(site):
    browser = site.browser()
    first = browser.get(link(site), cross_site=True)
    assert challenge(site, first)["login_hint"] == "configured"
    assert ends_at(site, browser, first) == "/"


@case("A-40")
def test_a_form_begins_a_login(site):
    """A page of another site posts it: nothing of ours that is SameSite comes with it, and nothing is needed."""
    browser = site.browser()
    body = link(site, target_link_uri=site.origin_text + "/x").partition("?")[2]
    first = browser.post(PATH, body.encode(), headers=FORM, cross_site=True)
    assert first.status == 303 and challenge(site, first)
    assert ends_at(site, browser, first) == "/x"
    # In pieces, of unknown length.
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:9].encode(), body[9:].encode())) + b"0\r\n\r\n"
    second = site.browser().request("POST", PATH, body=chunked, cross_site=True,
                                    headers={**FORM, "Transfer-Encoding": "chunked"})
    challenge(site, second)


@case("A-40")
def test_who_is_signed_in_is_asked_again(site):
    """The link may mean another account. The old session is the new one's, not a second one."""
    with site.signed_in() as browser:
        old = browser.session_cookie
        first = browser.get(link(site, target_link_uri="/x"), cross_site=True)
        challenge(site, first)
        assert browser.get("/x").from_backend, "until the new one is there, the session goes on"
        assert ends_at(site, browser, first) == "/x"
        assert browser.session_cookie != old
    other = site.browser()
    other.jar.set(site.session_cookie_name, old)
    challenge(site, other.get("/x"))


TARGETS = {
    "elsewhere": "https://evil.example/", "scheme-less": "//evil.example/", "backslash": "/\\evil.example",
    "user": "https://app.test@evil.example/", "script": "javascript:alert(1)", "dot": "/.//evil.example",
    "header": "/x y", "callback": "/oidc_callback?code=a&state=b", "logout": "/logout", "itself": PATH,
    "own-logout": "@ORIGIN@/logout", "own-doubled": "@ORIGIN@//evil.example", "prefix": "@ORIGIN@.evil.example/",
    "relative": "x", "origin": "@ORIGIN@", "escaped-logout": "/%6cogout", "dots-logout": "/x/../logout",
    "dot-logout": "/./logout", "escaped-dots-logout": "/x/%2e%2e/logout", "slashes-logout": "/x/..//logout?a=b",
    "escaped-itself": "/oidc/%6Cogin", "fragment-logout": "/logout#x",
}


@pytest.mark.parametrize("target", rows("A-41", TARGETS))
def test_targets_that_are_no_page_of_ours(site, target):
    browser = site.browser()
    text = TARGETS.get(target, target).replace("@ORIGIN@", site.origin_text)
    first = browser.get(link(site, target_link_uri=text), cross_site=True)
    challenge(site, first)
    assert ends_at(site, browser, first) == "/"


REFUSED = {
    "no-iss": (lambda s: PATH, "initiation_malformed"),
    "other-iss": (lambda s: link(s, "https://other.example"), "initiation_issuer"),
    "slash": (lambda s: link(s, s.idp.issuer + "/"), "initiation_issuer"),
    "twice": (lambda s: link(s) + "&iss=x", "initiation_malformed"),
    "hint-twice": (lambda s: link(s, login_hint="a") + "&login_hint=b", "initiation_malformed"),
    "escape": (lambda s: link(s) + "&login_hint=%zz", "initiation_malformed"),
    "control": (lambda s: link(s, login_hint="a\r\nSet-Cookie: x=y"), "initiation_malformed"),
    "long": (lambda s: link(s, login_hint="x" * 1025), "initiation_malformed"),
}


@pytest.mark.parametrize("name", rows("A-41", {n: n for n in REFUSED}))
def test_links_that_are_refused(site, name):
    make, code = REFUSED[name]
    answer = site.browser().get(make(site), cross_site=True)
    reject(site, answer, code, 400, consumed=False)
    assert answer.set_cookies() == [] and 'href="/"' in answer.text
    notoken(site)


FORMS = {
    "json": (b'{"iss":"x"}', "application/json"),
    "multipart": (b"--x\r\n", "multipart/form-data; boundary=x"),
    "no-type": (b"iss=x", None),
    "large": (b"iss=x&y=" + b"y" * 9000, FORM["Content-Type"]),
    "junk": (b"\x00\xff&&&==%zz", FORM["Content-Type"]),
}


@pytest.mark.parametrize("name", rows("A-41", {n: n for n in FORMS}))
def test_forms_that_are_refused(site, name):
    body, ctype = FORMS[name]
    answer = site.browser().post(PATH, body, headers={"Content-Type": ctype}, cross_site=True)
    reject(site, answer, "initiation_malformed", 400, consumed=False)


UNSEEN = {"image": "image", "script": "script", "frame": "iframe", "prefetch": "prefetch", "fetch": "xhr"}


@pytest.mark.parametrize("kind", rows("A-41", UNSEEN))
def test_what_nobody_sees_begins_no_login(site, kind):
    answer = site.browser().get(link(site), kind=kind, cross_site=True)
    assert answer.status == 400 and answer.set_cookies() == [], answer
    assert site.refusals()[-1][1] == "initiation_malformed"


@pytest.mark.parametrize("method", rows("A-40", {m: m for m in ("GET", "POST")}))
def test_a_strict_cookie_comes_along(make_site, method):
    """A link of another site brings no cookie that is SameSite=Strict: our own page asks once more, with it."""
    site = make_site(directives={**DIRECTIVES, "cookie_samesite": "Strict"}, control=False, cookie_attrs=lambda c: {
        "path": "/", "secure": "", "httponly": "", "samesite": "Strict" if "SESSION" in c.name else "Lax"})
    with site.signed_in() as browser:
        old = browser.session_cookie
        url = link(site, login_hint="anna", target_link_uri="/x")
        path, _, body = url.partition("?")
        first = (browser.get(url, cross_site=True) if method == "GET"
                 else browser.post(path, body.encode(), headers=FORM, cross_site=True))
        assert first.status == 200 and not [c for c in first.set_cookies() if not c.deletes], first
        again = browser.get(browser.onward(first), fetch_site="same-origin")
        assert challenge(site, again)["login_hint"] == "anna"
        assert ends_at(site, browser, again) == "/x"
        assert browser.session_cookie != old
        other = site.browser()
        other.jar.set(site.session_cookie_name, old)
        assert not other.get("/x").from_backend, "the session from before has been replaced"


@case("A-41")
def test_other_methods(site):
    answer = site.browser().request("PUT", link(site))
    reject(site, answer, "callback_method", 405, consumed=False)
    assert answer.headers.get("allow") == "GET, HEAD, POST"
    assert site.browser().request("HEAD", link(site)).status == 303


@case("A-41")
def test_hints_are_in_no_log(site):
    browser = site.browser()
    browser.get(link(site, login_hint="anna-hint@example.org", target_link_uri="https://evil.example/x"))
    browser.get(link(site) + "&login_hint=anna-hint%40example.org%00")
    reference = "initiation_malformed"
    log = site.log_since_mark()
    assert reference in log and "anna-hint" not in "".join(
        line for line in log.splitlines() if "oidc:" in line and "request:" not in line), log


@case("A-40")
def test_a_fragment_of_the_link_is_not_kept(make_site):
    """preserve_fragment answers a page that needs a script; there is nothing to keep here."""
    site = make_site(directives={**DIRECTIVES, "preserve_fragment": "on"}, control=False)
    browser = site.browser()
    first = browser.get(link(site, target_link_uri="/x#there"), cross_site=True)
    challenge(site, first)
    assert ends_at(site, browser, first) == "/x#there"


@case("A-40")
def test_over_plain_http(make_site):
    """A site that listens with and without TLS: the login begins over https, with what the form said."""
    site = make_site(directives=DIRECTIVES, control=False, base_url=False,
                     listen="listen 127.0.0.1:@PORT@ ssl; listen 127.0.0.1:@PORT2@;")
    body = link(site, login_hint="a b", target_link_uri="/x").partition("?")[2]
    with Connection("127.0.0.1", site.port2) as plain:
        plain.send((f"POST {PATH} HTTP/1.1\r\nHost: {site.host}:{site.port2}\r\nConnection: close\r\n"
                    f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        answer = plain.read_response("POST", PATH)
    assert answer.status == 303 and answer.set_cookies() == [], answer
    url = urllib.parse.urlsplit(answer.location)
    assert url.scheme == "https" and url.path == PATH
    assert query_of(answer.location) == {"iss": site.idp.issuer, "login_hint": "a b", "target_link_uri": "/x"}
