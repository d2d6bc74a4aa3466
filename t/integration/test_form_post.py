# SPDX-License-Identifier: Apache-2.0
"""response_mode form_post: the provider's page has the browser post the response (A-16 to A-19, N-40)."""

import urllib.parse

import pytest

from harness.cases import case, rows
from harness.outcome import no_session, notoken, passes, reject
from harness.site import Site, query_of

CALLBACK = "/oidc_callback"
FORM = "application/x-www-form-urlencoded"
MODE = {"response_mode": "form_post"}


def started(site, target="/x?y=1"):
    browser = site.browser()
    first = browser.start(target)
    assert query_of(first.location)["response_mode"] == "form_post"
    path, _, body = browser.callback_url(first).partition("?")
    return browser, path, body


def post(browser, path, body, ctype=FORM, **kw):
    return browser.post(path, body.encode(), headers={"Content-Type": ctype}, cross_site=True, **kw)


def sealed(site, answer, *secrets):
    """The redirect that a posted response gets: where it leads, without what was posted."""
    assert answer.status == 303, f"{answer}\n{site.log_since_mark()}"
    target = site.path_of(answer.location)
    path, _, query = target.partition("?")
    assert query.startswith("oidc_response=") and "&" not in query, answer
    for secret in secrets:
        assert secret not in target, answer
    assert answer.set_cookies() == [] and answer.headers.get("referrer-policy") == "no-referrer"
    return target


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=MODE, control=False) as site:
        yield site


@pytest.fixture(scope="module")
def small(lab):
    """nginx writes every body into a file."""
    with Site(lab, directives=MODE, control=False, server="client_body_buffer_size 256;") as site:
        yield site


@pytest.mark.parametrize("same_site", rows("A-17", {s: s for s in ("Lax", "Strict", "None")}))
def test_sign_in(make_site, same_site):
    """Nothing that is SameSite comes with the post of another site; the sign-in succeeds all the same."""
    site = make_site(control=False, directives={**MODE, "cookie_samesite": same_site}, cookie_attrs=lambda c: {
        "path": "/", "secure": "", "httponly": "", "samesite": same_site if "SESSION" in c.name else "Lax"})
    browser, path, body = started(site)
    code = dict(urllib.parse.parse_qsl(body))["code"]
    answer = post(browser, path, body)
    assert "NGX_OIDC_LOGIN" not in answer.fields.get("Cookie", "")
    target = sealed(site, answer, code)
    notoken(site)
    done = browser.callback(target)
    assert "NGX_OIDC_LOGIN" in done.fields["Cookie"], "a navigation by GET carries what is Lax"
    assert browser.onward(done) == "/x?y=1"
    passes(site, browser.get("/x?y=1"), remote_user="jdoe")
    logs = "".join(p.read_text("utf-8", "replace") for p in (site.folder / "logs").glob("*.log"))
    assert code not in logs and target.partition("=")[2] not in logs
    assert site.refusals() == []


@case("A-17")
def test_the_login_under_way_binds_the_browser(site):
    """What is in the address is of no use to another browser, nor twice."""
    browser, path, body = started(site)
    target = sealed(site, post(browser, path, body))
    stranger = site.browser()
    reject(site, stranger.callback(target), "state_unknown", 400, consumed=False)
    notoken(site)
    assert browser.callback(target).status == 303
    browser.jar.cookies = [c for c in browser.jar.cookies if "NGX_OIDC_LOGIN" not in c.name
                           and c.name != site.session_cookie_name]
    reject(site, browser.callback(target), "state_unknown", 400, refusals=2, consumed=False)
    notoken(site, 1)


@case("A-08")
def test_errors_are_posted_as_well(site):
    browser, path, _ = started(site)
    state = query_of(browser.start("/z").location)["state"]
    body = urllib.parse.urlencode({"error": "access_denied", "state": state, "iss": site.idp.issuer})
    reject(site, browser.callback(sealed(site, post(browser, path, body))), "access_denied", 403)


@case("A-16")
def test_a_response_in_the_query(site):
    browser, path, body = started(site)
    answer = browser.callback(f"{path}?{body}")
    reject(site, answer, "callback_method", 405, consumed=False)
    assert "GET, POST" == answer.headers.get("allow")
    assert "response_mode" in site.refusals()[-1][2]
    answer = post(browser, f"{path}?{body}", "")
    assert answer.status == 400, answer
    notoken(site)
    assert browser.callback(sealed(site, post(browser, path, body))).status == 303


BODIES = {
    "plus": (lambda b: b.replace("state=", "more=a+b%20c&state="), FORM, 303, None),
    "more": (lambda b: b + "&user=" + urllib.parse.quote('{"name":"Jane"}') + "&id_token=a.b.c", FORM, 303, None),
    "charset": (lambda b: b, FORM + "; charset=UTF-8", 303, None),
    "case": (lambda b: b, "Application/X-WWW-Form-Urlencoded", 303, None),
    "no-type": (lambda b: b, None, 400, "callback_malformed"),
    "json": (lambda b: b, "application/json", 400, "callback_malformed"),
    "text": (lambda b: b, "text/plain", 400, "callback_malformed"),
    "multipart": (lambda b: "--x\r\nContent-Disposition: form-data; name=code\r\n\r\nc\r\n--x--",
                  "multipart/form-data; boundary=x", 400, "callback_malformed"),
    "empty": (lambda b: "", FORM, 400, "callback_malformed"),
    "junk": (lambda b: "\x00\xff&&&==%zz", FORM, 400, "callback_malformed"),
    "twice": (lambda b: b + "&code=x", FORM, 400, "callback_malformed"),
    "no-state": (lambda b: "code=x", FORM, 400, "state_missing"),
    "foreign-state": (lambda b: "code=x&state=y", FORM, 400, "state_unknown"),
    "sealed-inside": (lambda b: "oidc_response=x", FORM, 400, "callback_malformed"),
    "long-code": (lambda b: "state=ngxoidc1.x&code=" + "c" * 8000, FORM, 413, "callback_too_large"),
    "longer-code": (lambda b: "state=ngxoidc1.x&code=" + "c" * 9000, FORM, 400, "callback_malformed"),
    "64k": (lambda b: b + "&x=" + "x" * (64 * 1024 - len(b) - 3), FORM, 303, None),
    "more-than-64k": (lambda b: b + "&x=" + "x" * (64 * 1024 - len(b) - 2), FORM, 413, "callback_too_large"),
    "1m": (lambda b: "x" * 1024 * 1024, FORM, 413, "callback_too_large"),
}


@pytest.mark.parametrize("change, ctype, status, code", rows("A-18", BODIES))
@pytest.mark.parametrize("where", ["site", "small"])
def test_bodies(request, where, change, ctype, status, code):
    site = request.getfixturevalue(where)
    browser, path, body = started(site)
    answer = post(browser, path, change(body), ctype)
    assert answer.status == status, f"{answer}\n{site.log_since_mark()}"
    no_session(site, answer)
    notoken(site)
    if code is None:
        assert browser.callback(sealed(site, answer)).status == 303
        assert site.refusals() == []
    else:
        reject(site, answer, code, status, consumed=False)


@pytest.mark.parametrize("how", rows("A-18", {"chunked": "chunked", "bytes": "bytes"}))
def test_a_body_in_pieces(site, how):
    browser, path, body = started(site)
    head = (f"POST {path} HTTP/1.1\r\nHost: {site.authority()}\r\nContent-Type: {FORM}\r\n"
            f"X-Test-Id: pieces\r\n")
    with site.connect() as connection:
        if how == "chunked":
            pieces = "".join(f"{len(c):x}\r\n{c}\r\n" for c in (body[i:i + 7] for i in range(0, len(body), 7)))
            connection.send(head + "Transfer-Encoding: chunked\r\n\r\n" + pieces + "0\r\n\r\n")
        else:
            connection.send(head + f"Content-Length: {len(body)}\r\n\r\n")
            for byte in body:
                connection.send(byte)
        answer = connection.read_response("POST", path)
    assert browser.callback(sealed(site, answer)).status == 303


@case("A-18")
def test_a_body_that_never_ends(site):
    """Whoever goes away in the middle leaves nothing behind."""
    browser, path, body = started(site)
    head = f"POST {path} HTTP/1.1\r\nHost: {site.authority()}\r\nContent-Type: {FORM}\r\n"
    with site.connect() as connection:
        connection.send(head + f"Content-Length: {len(body) + 10}\r\n\r\n{body}")
        connection.rst()
    assert browser.callback(sealed(site, post(browser, path, body))).status == 303


@case("A-18")
def test_what_was_sealed_is_not_changed(site):
    browser, path, body = started(site)
    target = sealed(site, post(browser, path, body))
    text = target.partition("=")[2]
    bad = [text[:-2], text + "AA", text[:30] + ("A" if text[30] != "A" else "B") + text[31:], "x", "x" * 8000,
           text + "&oidc_response=" + text]
    for value in bad:
        answer = browser.callback(f"{path}?oidc_response={value}")
        assert answer.status in (400, 414) and not answer.from_backend, answer
    # Arguments beside it count for nothing.
    answer = browser.callback(f"{target}&code=x&state=ngxoidc1.x&error=access_denied")
    assert answer.status == 303 and browser.session_cookie
    notoken(site, 1)


@case("A-15")
def test_sealed_texts_are_not_taken_for_one_another(site):
    browser, path, body = started(site)
    target = sealed(site, post(browser, path, body))
    state = query_of(browser.start("/other").location)["state"]
    answer = browser.callback(f"{path}?oidc_response={state.removeprefix('ngxoidc1.')}")
    reject(site, answer, "state_unknown", 400, consumed=False)
    answer = post(browser, path, f"code=x&state=ngxoidc1.{target.partition('=')[2]}")
    reject(site, browser.callback(sealed(site, answer)), "state_unknown", 400, refusals=2, consumed=False)
    notoken(site)


@case("A-19")
def test_forwarded_as_a_redirect_is(make_site):
    """The application sees a GET without arguments, whatever came by POST."""
    site = make_site(control=False, own_paths=("/oauth-callback.php",), directives={
        **MODE, "callback": "forward", "redirect_uri": "/oauth-callback.php"})
    browser, path, body = started(site)
    assert path == "/oauth-callback.php"
    answer = browser.callback(sealed(site, post(browser, path, body)))
    hit = passes(site, answer, remote_user="jdoe")
    assert (hit.method, hit.target) == ("GET", path) and hit.header("X-Oidc-Return-To") == "/x?y=1"
    # What another application's provider has posted is the backend's, and what is no response.
    answer = post(browser, path, "code=c&state=other", jar=browser.jar)
    assert answer.status == 401, "of another site: no session comes with it"
    answer = browser.post(path, b"code=c&state=other&x=1", headers={"Content-Type": FORM})
    hit = passes(site, answer, remote_user=None)
    assert (hit.method, hit.target, hit.body) == ("POST", path, b"code=c&state=other&x=1")
    site.state.check_hits = False  # asserted here: foreign callbacks carry no identity
    hit = passes(site, browser.post(path, b"a=b", headers={"Content-Type": FORM}), remote_user="jdoe")
    assert hit.body == b"a=b"
    # With the session's cookie, from another name of the domain.
    answer = browser.post(path, b"a=b", headers={"Content-Type": FORM, "Sec-Fetch-Site": "same-site",
                                                 "Origin": "https://other.app.test"})
    assert answer.status == 403 and not answer.from_backend and "cross_origin_request" in site.log_since_mark()
    hit = passes(site, browser.post(path, b"{}", headers={"Content-Type": "application/json"}), remote_user="jdoe")
    assert hit.body == b"{}"


@case("A-17")
def test_with_satisfy_all(make_site):
    site = make_site(control=False, directives=MODE, server="satisfy all; allow all;")
    browser, path, body = started(site)
    assert browser.callback(sealed(site, post(browser, path, body))).status == 303
