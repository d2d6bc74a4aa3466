# SPDX-License-Identifier: Apache-2.0
"""Group Q, first half: where browsers are sent, and what of a request reaches our answers."""

import concurrent.futures
import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.outcome import asked_on_a_page, challenge, notoken, page, passes, sane, unauthorized
from harness.site import Site, query_of
from harness.whatwg import hostile_targets, origin_of


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, server="large_client_header_buffers 8 64k; merge_slashes off;",
              directives={"logout_uri": "/logout"}, own_paths=("/oidc_callback", "/logout")) as site:
        yield site


def lands_on(site, target, browser=None):
    """Where the browser ends after a login that began at `target`; None when nginx refused it."""
    browser = browser or site.browser()
    try:
        first = browser.get(target)
        if first.status in (400, 404, 414, 500):
            return None
        assert first.status == 302 and first.location.startswith(site.idp.url("authorize")), first
        answer = browser.callback(browser.callback_url(first))
        assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
        return answer.location
    finally:
        browser.close()


@pytest.mark.parametrize("target", rows("Q-01", {
    "query": "/a/b.php?x=1&y=2", "escaped-slash": "/a%2Fb", "escaped-hash": "/a%23b?c=%23",
    "plus": "/a+b?c=d+e", "utf8": "/caf%C3%A9?n=%E6%BC%A2", "semicolon": "/a;b=c?d;e",
    "empty-query": "/a?", "repeated": "/a?x=1&x=2&x=1", "question-marks": "/a?b?c=?",
    "encoded-query": "/a?next=https%3A%2F%2Fexample.org%2F", "brackets": "/a?x[]=1&y[b]=2",
    "tilde": "/~u/!$&'()*,:@", "root": "/", "entry": "/?entryPoint=download&id=0a",
    "lower-escapes": "/%c3%a9", "percent": "/100%25", "spaces": "/a%20b?c=%20",
}))
def test_original_url_is_kept_byte_for_byte(site, target):
    assert site.path_of(lands_on(site, target)) == target


@case("Q-03")
def test_hostile_paths(site):
    """Each of them as the page asked for before the login; INV-6 looks at every Location too."""
    targets = hostile_targets()
    assert len(targets) > 500
    site.state.check_hits = False

    def one(target):
        try:
            target.encode("latin-1")
        except UnicodeEncodeError:
            return None
        location = lands_on(site, target)
        if location is not None:
            assert origin_of(location, site.origin_text) == site.origin_text, (target, location)
            assert "\r" not in location and "\n" not in location
        return location
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        landed = list(pool.map(one, targets))
    assert sum(1 for where in landed if where is not None) > 200
    assert site.hits() == []


@pytest.mark.parametrize("target", rows("Q-03", {
    "tab": "/\tevil", "space": "/ /evil.example", "raw-backslash": "/\\evil.example/%2e%2e",
    "high": "/\xa0//evil.example", "two-slashes": "//evil.example/..;/", "dots": "/..//evil.example",
}))
def test_hostile_raw_targets(site, target):
    location = lands_on(site, target)
    assert location is None or origin_of(location, site.origin_text) == site.origin_text


@pytest.mark.parametrize("line, host", rows("Q-04", {
    "evil-line": ("http://evil.example/", "app.test"),
    "evil-line-https": ("https://evil.example:8443/x", "app.test"),
    "evil-host": ("https://app.test/", "evil.example"),
    "userinfo": ("https://app.test@evil.example/", "app.test"),
}))
def test_absolute_form(site, line, host):
    browser = site.browser()
    answer = browser.get(line, headers={"Host": host})
    if answer.status in (400, 421):
        return
    query = challenge(site, answer)
    assert query["redirect_uri"] == site.origin_text + "/oidc_callback"
    done = browser.callback(browser.callback_url(answer))
    assert origin_of(done.location, site.origin_text) == site.origin_text


HOSTS = {"evil": "evil.example", "evil-port": "evil.example:80", "userinfo": "app.test@evil.example",
         "bad-port": "app.test:abc", "ipv6": "[::1]", "dot": "app.test.", "upper": "APP.TEST",
         "empty": "", "suffix": "app.test.evil.example", "prefix": "xapp.test",
         "blank": "app.test evil.example", "underscore": "app_test", "slash": "app.test/evil"}


@pytest.mark.parametrize("host", rows("Q-05", HOSTS))
def test_host_header_with_a_base_url(site, host):
    browser = site.browser()
    answer = browser.get("/x", headers={"Host": host})
    if answer.status in (400, 421):
        return
    assert challenge(site, answer)["redirect_uri"] == site.origin_text + "/oidc_callback"


@pytest.fixture(scope="module")
def nobase(lab):
    """The public origin comes from server_name; the listening port is not the default one."""
    with Site(lab, base_url=False, control=False, names="app.test alt.test *.app.test") as site:
        yield site


@pytest.mark.parametrize("host", rows("Q-05", HOSTS))
def test_host_header_without_a_base_url(nobase, host):
    answer = nobase.browser().get("/x", headers={"Host": host})
    if answer.status in (400, 421):
        return
    redirect_uri = query_of(answer.location)["redirect_uri"]
    parsed = urllib.parse.urlsplit(redirect_uri)
    assert parsed.scheme == "https" and parsed.hostname == "app.test", redirect_uri
    assert "evil" not in answer.location


@pytest.mark.parametrize("host", rows("Q-05", {"first": "app.test", "second": "alt.test"}))
def test_host_that_is_a_server_name(nobase, host):
    browser = nobase.browser(host)
    first = browser.start("/x?y=1")
    assert query_of(first.location)["redirect_uri"] == nobase.origin(host) + "/oidc_callback"
    answer = browser.callback(browser.callback_url(first))
    assert origin_of(answer.location, nobase.origin(host)) == nobase.origin(host)
    assert answer.location.endswith("/x?y=1")
    assert browser.get("/x?y=1").from_backend


@case("Q-05")
def test_two_hosts_in_one_request(site):
    answer = site.browser().get("/x", extra=[("Host", "evil.example")])
    assert answer.status == 400


@pytest.mark.parametrize("length", rows("Q-09", {"2000": 2000, "7900": 7900, "32k": 32000}))
def test_long_urls(site, length):
    target = "/long?q=" + "a" * length
    browser = site.browser()
    location = lands_on(site, target, browser)
    assert location is not None
    assert site.path_of(location) in (target, "/")
    if length == 2000:
        assert site.path_of(location) == target
    assert len(browser.jar.header("https", site.host, "/")) < 8000
    assert browser.get("/short").from_backend


@pytest.mark.parametrize("target", rows("Q-10", {
    "callback": "/oidc_callback", "callback-query": "/oidc_callback?x=1",
    "logout": "/logout"}))
def test_own_endpoints_are_no_return_targets(site, target):
    browser = site.browser()
    first = browser.get(target)
    if first.status == 302 and first.location.startswith(site.idp.url("authorize")):
        answer = browser.callback(browser.callback_url(first))
        assert site.path_of(answer.location) == "/"
    else:
        assert first.status in (200, 302, 303, 400), first


@pytest.mark.parametrize("method, kind", rows("Q-11", {
    "PUT": ("PUT", "xhr"), "DELETE": ("DELETE", "xhr"),
    "POST-xhr": ("POST", "xhr"), "GET-xhr": ("GET", "xhr"), "PATCH": ("PATCH", "plain"),
}))
def test_requests_that_cannot_follow_a_login(site, method, kind):
    browser = site.browser()
    body = b"secret=form&data=1" * 4000 if method != "GET" else None
    answer = browser.request(method, "/api/v1/Account", body=body, kind=kind)
    answer_body = unauthorized(answer)
    assert urllib.parse.urlsplit(answer_body["login_url"]).netloc in ("", f"{site.host}:{site.port}")
    # The body has not become the next request.
    assert browser.get("/x").status == 302
    assert browser.pending() and site.hits() == []


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
XHR = {"X-Requested-With": "XMLHttpRequest"}


@pytest.mark.parametrize("method, kind, headers, framed", rows("Q-11", {
    "form": ("POST", "navigate", FORM, False), "multipart": ("POST", "navigate", {
        "Content-Type": "multipart/form-data; boundary=x"}, False),
    "form-of-an-old-browser": ("POST", "old", FORM, False),
    "form-in-a-frame": ("POST", "iframe", FORM, True), "frame": ("GET", "iframe", {}, True),
    "form-of-another-site": ("POST", "navigate", {**FORM, "Sec-Fetch-Site": "cross-site"}, False)}))
def test_who_cannot_follow_a_login_and_is_a_person(site, method, kind, headers, framed):
    """A page, which leads back to where the form is; no login begins before it is asked for."""
    body = b"secret=form" if method == "POST" else None
    for referer, link in ((None, "/"), ("@/form?id=1", "/form?id=1"), ("@/oidc_callback?code=x", "/"),
                          ("https://evil.example/x", "/"), ("@/%5c%5cevil.example", "/"),
                          ("@//evil.example", "/")):
        browser = site.browser()
        more = {"Referer": referer.replace("@", site.origin())} if referer else {}
        answer = browser.request(method, "/save", kind=kind, body=body, headers={**headers, **more})
        asked_on_a_page(answer, link, framed)
        assert "secret" not in answer.text and browser.pending() == []
        challenge(site, browser.get(link))
    assert site.hits() == []


@pytest.mark.parametrize("method, kind, headers", rows("Q-11", {
    "fetch-of-a-form": ("POST", "xhr", FORM), "jquery": ("POST", "old", {**FORM, **XHR}),
    "json-of-an-old-browser": ("POST", "old", JSON), "curl": ("POST", "plain", FORM),
    "frame-of-another-site": ("GET", "iframe", {"Sec-Fetch-Site": "cross-site"}),
    "prefetch": ("GET", "prefetch", {}), "image": ("GET", "image", {})}))
def test_scripts_keep_their_json(site, method, kind, headers):
    answer = site.browser().request(method, "/save", kind=kind, headers=headers,
                                    body=b"{}" if method == "POST" else None)
    unauthorized(answer)


@case("Q-11")
def test_event_streams_get_401(site):
    unauthorized(site.browser().get("/events", kind="xhr", headers={"Accept": "text/event-stream"}))


@pytest.mark.parametrize("place", rows("Q-13", {p: p for p in (
    "path", "query", "state", "error", "error_description", "iss")}))
def test_no_response_splitting(site, place):
    evil = "%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a<html>%00%0a"
    targets = {"path": f"/x{evil.replace('%00', '')}", "query": f"/x?a={evil}",
               "state": f"/oidc_callback?code=a&state={evil}",
               "error": f"/oidc_callback?error={evil}&state=ngxoidc1.a",
               "error_description": f"/oidc_callback?error=a&error_description={evil}&state=b",
               "iss": f"/oidc_callback?code=a&state=ngxoidc1.b&iss={evil}"}
    browser = site.browser()
    answer = browser.get(targets[place])
    assert not any("evil" in c.name for c in answer.set_cookies())
    assert "<html>%" not in answer.text or place in ("path", "query")
    if answer.status == 302 and place in ("path", "query"):
        done = browser.callback(browser.callback_url(answer))
        assert not any("evil" in c.name for c in done.set_cookies())
        assert "\n" not in done.location
    notoken(site, 1 if place in ("path", "query") and answer.status == 302 else 0)


@case("Q-13")
def test_raw_control_bytes(site):
    for byte in (b"\r", b"\n", b"\0", b"\x1b", b"\x7f"):
        for data in (b"GET /x" + byte + b"y HTTP/1.1\r\nHost: app.test\r\n\r\n",
                     b"GET /x?" + byte + b"y HTTP/1.1\r\nHost: app.test\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: app" + byte + b".test\r\n\r\n"):
            answer = site.raw(data)
            assert answer is None or answer.status in (302, 400, 401), answer
            if answer is not None and answer.location:
                assert "\n" not in answer.location
    sane(site)


SCRIPT = "<script>alert(document.domain)</script>'\"{{7*7}}"


@pytest.mark.parametrize("target", rows("Q-24", {
    "error": "/oidc_callback?error=@&state=ngxoidc1.x", "description":
    "/oidc_callback?error=x&error_description=@&state=y", "state": "/oidc_callback?code=x&state=@",
    "iss": "/oidc_callback?code=x&state=ngxoidc1.x&iss=@", "code":
    "/oidc_callback?code=@&state=ngxoidc1.x", "path": "/@", "query": "/x?@=@",
}))
def test_reflected_input(site, target):
    for text in (urllib.parse.quote(SCRIPT), SCRIPT.replace(" ", "")):
        browser = site.browser()
        answer = browser.get(target.replace("@", text))
        assert "<script" not in answer.text, answer
        assert "alert(document" not in answer.text and "{{7*7}}" not in answer.text
        if answer.status == 400 and not answer.by_nginx:
            page(answer)
        xhr = browser.get(target.replace("@", text), kind="xhr")
        assert "<script" not in xhr.text, xhr
        browser.close()


@case("Q-24")
def test_reflected_host(site):
    answer = site.browser().get("/oidc_callback?code=x&state=y", headers={"Host": "<b>evil</b>"})
    assert "<b>evil" not in answer.text


@case("Q-26")
def test_cross_site_requests(site):
    """The session cookie is Lax: a cross-site POST or sub-resource comes without it."""
    with site.signed_in() as browser:
        for method, kind in (("POST", "navigate"), ("GET", "image"), ("GET", "iframe"),
                             ("POST", "xhr")):
            answer = browser.request(method, "/api/delete", kind=kind, cross_site=True,
                                     body=b"x=1" if method == "POST" else None,
                                     headers={"Origin": "null"})
            if kind == "navigate":
                asked_on_a_page(answer)
            else:
                unauthorized(answer)
        assert [h.path for h in site.hits()] == ["/"]
        assert browser.get("/link", cross_site=True).from_backend


@pytest.mark.parametrize("text", rows("Q-27", {
    "nginx": "$host$oidc_user", "printf": "%n%s%x%99999d", "jndi": "${jndi:ldap://x}",
    "escape": "\\x24\\n", "ssi": "<!--#include virtual=\"/x\" -->", "sub": "$1$2${request_uri}",
}))
def test_values_are_never_evaluated(site, text):
    with site.signed_in(preferred_username=text, name=text, groups=[text]) as browser:
        groups = text.replace("%", "%25").replace(",", "%2C")
        passes(site, browser.get("/x"), remote_user=text, remote_name=text, remote_groups=groups)


@pytest.mark.parametrize("text", rows("Q-25", {
    "ansi": "\u001b[31mred", "newline": "a\nb [alert] fake", "cr": "a\rb", "c1": "a\u0085\u009bb",
    "long": "z" * 12000, "backslash": "a\\x0ab",
}))
def test_log_lines_are_escaped_and_bounded(site, text):
    site.allow_log(r"a\\x0Ab \[alert\] fake")
    browser = site.browser()
    first = browser.start("/x")
    site.idp.authorize_response = lambda pairs: [("error", text), ("error_description", text),
                                                 *pairs[1:]]
    browser.callback(browser.callback_url(first))
    browser.close()
    browser = site.browser()
    site.idp.authorize_response = None
    site.idp.claims = lambda c: {**c, "aud": [text], "iss": text}
    browser.try_login("/x")
    log = site.log_since_mark()
    assert "\x1b" not in log and "\r" not in log and "\x9b" not in log
    ours = [line for line in log.splitlines() if "oidc:" in line]
    assert ours and all(len(re.sub(r'(request|referrer): ".*', "", li)) < 3000 for li in ours)
    assert not re.search(r"^b \[alert\]", log, re.M)
    assert len(site.refusals()) == 2
