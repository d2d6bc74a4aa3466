# SPDX-License-Identifier: Apache-2.0
"""logout_hook: the application hears of a logout while its user is still signed in here."""

import subprocess
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.nginx import SLOW
from harness.outcome import challenge, passes, sane
from harness.site import FCGI, Site, query_of
from harness.wire import Reply

HOOK = "/app/sign-out"
DIRECTIVES = {"logout_uri": "/logout", "frontchannel_logout_uri": "/oidc/frontchannel",
              "logout_hook": HOOK, "clear_cookies": "app-legacy"}
OWN = ("/oidc_callback", "/logout", "/oidc/frontchannel")
LOCATIONS = """\
        location = /app/sign-out {
            internal;
            proxy_read_timeout 500ms;
            proxy_pass http://@BACKEND@;
        }
"""


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, locations=LOCATIONS, own_paths=OWN) as site:
        yield site


def hook_hits(site):
    return [h for h in site.hits() if h.path == HOOK]


def signed_out(site, browser, answer, cookie):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    assert answer.location.startswith(site.idp.url("logout")), answer
    assert browser.session_cookie is None
    for _ in range(4):
        other = site.browser()
        challenge(site, other.get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={cookie}"}))
        other.close()


@case("L-01")
def test_the_application_ends_its_own_session(site):
    with site.signed_in() as browser:
        cookie = browser.session_cookie
        browser.jar.set("app-token", "abc")
        state = {}

        def answer(hit):
            # The session here goes on until the application has answered.
            other = site.browser()
            response = other.get("/x", headers={"Cookie": f"{site.session_cookie_name}={cookie}"})
            state["alive"] = response.from_backend
            other.close()
            return Reply(b"a body that nobody reads" * 1000, headers=[
                ("Set-Cookie", "app-token=; Path=/; Max-Age=0; HttpOnly"),
                ("Set-Cookie", "app-farewell=1; Path=/; Secure"),
                ("Set-Cookie", f"{site.session_cookie_name}=evil; Path=/; Secure"),
                # what browsers send back as if it were the session's
                ("Set-Cookie", "=NGX_OIDC_SESSION=evil; Path=/"),
                ("Set-Cookie", f"={site.session_cookie_name}; evil=1"),
                ("Location", "https://evil.example/"), ("X-App", "no")])
        site.backend.answers[HOOK] = answer
        response = browser.get("/logout?x=1", fetch_site="same-origin")
        signed_out(site, browser, response, cookie)
        assert state == {"alive": True}
        hit, = hook_hits(site)
        assert hit.method == "GET" and hit.target == HOOK and hit.body == b""
        assert hit.headers.get("cookie") == "app-token=abc"
        assert hit.headers.all("remote-user") == ["jdoe"]
        assert hit.headers.get("content-length") is None
        lines = response.headers.all("set-cookie")
        assert "app-token=; Path=/; Max-Age=0; HttpOnly" in lines
        assert "app-farewell=1; Path=/; Secure" in lines
        assert not [li for li in lines if "evil" in li]
        assert [li for li in lines if li.startswith("app-legacy=;")]
        assert response.headers.get("x-app") is None
        assert "logout_hook" not in site.log_since_mark()


def http2(site, path, *options):
    """(head, body) of a request by curl."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "--http2", "--cacert", str(site.lab.pki.ca.file), "--resolve",
         f"{site.host}:{site.port}:127.0.0.1", *options, site.origin_text + path],
        capture_output=True, text=True, timeout=30 * SLOW, check=True)
    assert done.stdout.startswith("HTTP/2 "), done.stdout
    return done.stdout.partition("\n\n")[::2]


@case("L-01")
def test_http2(site):
    with site.signed_in() as browser:
        site.state.check_hits = False  # curl is no model of a browser
        site.backend.answers[HOOK] = lambda hit: Reply({}, headers=[("Set-Cookie", "app=; Max-Age=0")])
        cookie = f"{site.session_cookie_name}={browser.session_cookie}"
        for options, code in ((("-d", "x" * 70_000), "303"), ((), "302")):
            head, _ = http2(site, "/logout", "-H", f"Cookie: {cookie}; app=1", *options)
            assert head.startswith(f"HTTP/2 {code}"), head
            assert ("app=; Max-Age=0" in head) == bool(options), head
        # The second one had no session any more.
        hit, = hook_hits(site)
        assert hit.headers.get("cookie") == "app=1" and hit.headers.all("remote-user") == ["jdoe"]
        challenge(site, site.browser().get("/x", headers={"Cookie": cookie}))
        sane(site)


@case("L-02")
def test_a_form_with_a_body(site):
    """The hook has no body, and does not wait for the one of the logout."""
    for size in (10, 200_000):
        with site.signed_in() as browser:
            cookie = browser.session_cookie
            answer = browser.post("/logout", b"a" * size, headers={
                "Content-Type": "application/x-www-form-urlencoded", "Origin": site.origin_text},
                fetch_site="same-origin")
            signed_out(site, browser, answer, cookie)
            assert hook_hits(site)[-1].body == b""
            assert hook_hits(site)[-1].method == "GET"
    assert len(hook_hits(site)) == 2


@case("L-02")
def test_a_cross_site_logout_asks_nobody(site):
    with site.signed_in() as browser:
        answer = browser.get("/logout", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 403 and not hook_hits(site)
        passes(site, browser.get("/x"))


@pytest.mark.parametrize("cookie", rows("L-04", {"none": (None,), "expired": "A" * 43, "junk": "x"}))
def test_without_a_session_nobody_is_asked(site, cookie):
    browser = site.browser()
    if cookie:
        browser.jar.set(site.session_cookie_name, cookie)
    assert browser.get("/logout").status in (302, 303)
    assert not hook_hits(site)


def stall(hit):
    time.sleep(2 * SLOW)
    return Reply({})


FAILURES = {
    "403": (lambda hit: Reply({}, status=403), "status 403"),
    "404": (lambda hit: Reply({}, status=404), "status 404"),
    "500": (lambda hit: Reply({}, status=500), "status 500"),
    "garbage": (lambda hit: b"\0\0garbage\r\n\r\n", "gave no answer"),
    "nothing": (lambda hit: b"", "status 502"),
    "half-a-head": (lambda hit: b"HTTP/1.1 200 OK\r\nX-A", "status 502"),
    "half-a-body": (lambda hit: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", None),
    "timeout": (stall, "status 504"),
    "redirect": (lambda hit: Reply({}, status=302, headers=[("Location", "/elsewhere")]), None),
}


@pytest.mark.parametrize("reply, logged", rows("L-01", FAILURES))
def test_a_hook_that_fails_stops_nothing(site, reply, logged):
    with site.signed_in() as browser:
        cookie = browser.session_cookie
        site.backend.answers[HOOK] = reply
        answer = browser.get("/logout")
        signed_out(site, browser, answer, cookie)
        log = [li for li in site.log_since_mark().splitlines() if "oidc: logout_hook" in li]
        assert len(log) == (0 if logged is None else 1), log
        if logged:
            assert "[warn]" in log[0] and logged in log[0] and "the logout goes on" in log[0], log
        assert len(hook_hits(site)) == 1
        sane(site)


@case("L-30")
def test_a_browser_that_leaves(site):
    """It has asked for the logout: the session ends although nobody waits for the answer."""
    with site.signed_in() as browser:
        cookie = browser.session_cookie
        header = browser.jar.header(site.scheme, browser.host, "/logout")
        reached = []

        def answer(hit):
            reached.append(hit)
            time.sleep(0.3)
            return Reply({})
        site.backend.answers[HOOK] = answer
        site.state.check_hits = False  # a request without the model of a browser
        with site.connect() as connection:
            connection.send(f"GET /logout HTTP/1.1\r\nHost: {site.authority()}\r\n"
                            f"Cookie: {header}\r\n\r\n")
            site.wait(lambda: reached, "the hook")
        site.wait(lambda: site.browser().get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={cookie}"}).status == 302, "the end")
        sane(site)


@case("L-27")
def test_frontchannel(site):
    with site.signed_in(sid="s-1") as browser:
        cookie = browser.session_cookie
        query = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": "s-1"})
        site.backend.answers[HOOK] = lambda hit: Reply({}, headers=[("Set-Cookie", "app=; Max-Age=0")])
        answer = browser.get("/oidc/frontchannel?" + query, kind="iframe")
        assert answer.status == 200 and browser.session_cookie is None, answer
        assert "app=; Max-Age=0" in answer.headers.all("set-cookie")
        hit, = hook_hits(site)
        assert hit.headers.all("remote-user") == ["jdoe"]
        challenge(site, site.browser().get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={cookie}"}))


@case("L-28")
def test_frontchannel_that_ends_nothing(site):
    with site.signed_in(sid="s-1") as browser:
        query = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": "s-2"})
        browser.get("/oidc/frontchannel?" + query, kind="iframe")
        # Without a cookie there is nobody whose application could be asked.
        named = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": "s-3"})
        site.browser().get("/oidc/frontchannel?" + named, kind="iframe")
        assert not hook_hits(site)
        passes(site, browser.get("/x"))


IDENTITY = {
    "off": ("auth_oidc off;", {}),
    "headers-off": ("auth_oidc_headers off;", {}),
    "own": ('auth_oidc_header X-User-Sub $oidc_claim_sub;', {"x-user-sub": ["u-1001"]}),
    "verify": ("auth_oidc_mode verify;", {"remote-user": ["jdoe"]}),
}


@pytest.mark.parametrize("text, expected", rows("N-11", IDENTITY))
def test_the_location_says_whose_logout_it_is(make_site, text, expected):
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False, identity=lambda p, c: None,
                     locations=f"location = {HOOK} {{ internal; {text} proxy_pass http://@BACKEND@; }}\n")
    browser = site.browser()
    browser.login("/x")
    assert browser.get("/logout", headers={"Remote-User": "evil"}).status in (302, 303)
    hit, = hook_hits(site)
    for name in ("remote-user", "x-user-sub"):
        assert hit.headers.all(name) == expected.get(name, []), hit.raw


@case("N-08")
def test_error_pages_and_rewrites_of_the_hook(make_site):
    """Its identity is that of the location which answers, once."""
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False, locations=f"""
        location = {HOOK} {{ internal; try_files /none /second; }}
        location = /second {{ internal; auth_oidc_header X-User $oidc_user; proxy_pass http://@BACKEND@; }}
""", identity=lambda p, c: None)
    browser = site.browser()
    browser.login("/x")
    assert browser.get("/logout").status in (302, 303)
    hit = next(h for h in site.hits() if h.path == "/second")
    assert hit.headers.all("x-user") == ["jdoe"] and not hit.headers.all("remote-user")


@case("L-01")
def test_fastcgi(make_site):
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False, locations=f"""
        location = {HOOK} {{ internal; fastcgi_pass @FCGI@;
@FCGI_PARAMS@            fastcgi_param REQUEST_METHOD GET;
        }}
""".replace("@FCGI_PARAMS@", FCGI.replace("            fastcgi_param REQUEST_METHOD $request_method;\n", "")))
    browser = site.browser()
    browser.login("/x")
    answer = browser.post("/logout", b"x=1", headers={"Content-Type": "text/plain"},
                          fetch_site="same-origin")
    assert answer.status == 303, answer
    hit = site.hits()[-1]
    assert hit.kind == "fastcgi" and hit.method == "GET"
    assert not hit.header("CONTENT_LENGTH") and hit.header("HTTP_REMOTE_USER") == "jdoe"


@case("L-07")
def test_a_hook_without_a_location(make_site):
    """It was warned about; the logout works."""
    site = make_site(directives={"logout_uri": "/logout", "logout_hook": "/none"}, own_paths=OWN,
                     control=False, default_locations=False,
                     locations="location = /x { proxy_pass http://@BACKEND@; }\n"
                               "location /oidc_callback { proxy_pass http://@BACKEND@; }\n")
    status, out = site.nginx.test()
    assert status == 0 and 'no location of this server takes the "logout_hook" "/none"' in out
    browser = site.browser()
    browser.login("/x")
    answer = browser.get("/logout")
    assert answer.status in (302, 303) and browser.session_cookie is None, answer
    assert query_of(answer.location)["client_id"] == site.idp.client_id
    assert "status 404" in site.log_since_mark()


BAD = {"relative": "sign-out", "url": "https://x.example/", "query": "/a?b", "fragment": "/a#b",
       "double": "//a", "dots": "/a/../b", "variable": "/a/$uri", "empty": '""',
       "callback": "/oidc_callback", "logout": "/logout"}


@pytest.mark.parametrize("value", rows("L-01", BAD))
def test_what_the_configuration_refuses(make_site, value):
    site = make_site(directives={"logout_uri": "/logout", "logout_hook": value}, start=False,
                     control=False)
    status, out = site.nginx.test()
    assert status != 0 and '"logout_hook"' in out and "nginx.conf:" in out, out


@case("N-05")
def test_reload_while_the_hook_is_asked(site):
    """The old worker finishes what it has begun."""
    with site.signed_in() as browser:
        cookie = browser.session_cookie

        def answer(hit):
            site.nginx.reload(wait=False)
            time.sleep(0.3)
            return Reply({})
        site.backend.answers[HOOK] = answer
        signed_out(site, browser, browser.get("/logout"), cookie)
        site.wait(lambda: len(site.nginx.worker_pids()) == 2
                  and not set(site.nginx.worker_pids()) & set(site.state.pids), "new workers")
        site.state.pids = site.nginx.worker_pids()
