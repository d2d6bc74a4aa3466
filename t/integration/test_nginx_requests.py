# SPDX-License-Identifier: Apache-2.0
"""Group N: odd requests on the wire."""

import base64
import os
import re
import subprocess
import time

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, notoken, passes, sane, unauthorized
from harness.site import Site
from harness.wire import Reply

VARIABLES = ("oidc_authenticated", "oidc_user", "oidc_claim_email", "oidc_claim_nothing",
             "oidc_id_token", "oidc_access_token", "oidc_userinfo", "oidc_provider",
             "oidc_session_id", "oidc_session_expires", "oidc_error", "oidc_assertion")


@pytest.fixture(scope="module")
def site(lab):
    http = """
    limit_req_zone $binary_remote_addr$arg_zone zone=slow:1m rate=1r/m;
    proxy_cache_path @FOLDER@/cache keys_zone=cache:1m;
    map $oidc_user $mapped { default "other-$oidc_user"; "" nobody; ~^(?<first>j)(.*)$ "re-$first-$2"; }
    """
    headers = "".join(f"add_header V-{v.replace('_', '-')} $oidc_{v} always;\n" for v in (
        "authenticated", "user", "provider", "error"))
    locations = f"""
        location /vars/ {{ {headers} proxy_pass http://@BACKEND@; }}
        location /vars-public/ {{ auth_oidc_mode verify; {headers} proxy_pass http://@BACKEND@; }}
        location /vars-set/ {{
            proxy_set_header X-Map $mapped; proxy_set_header X-Twice "$oidc_user-$oidc_user";
            proxy_set_header X-Session $oidc_session_id; proxy_set_header X-Expires $oidc_session_expires;
            proxy_set_header X-Provider $oidc_provider; proxy_set_header X-Auth $oidc_authenticated;
            proxy_set_header X-None "[$oidc_claim_nothing]"; proxy_set_header X-Mail $oidc_claim_email;
            # The rewrite phase comes before the decision: an identity is not known there yet.
            if ($arg_re ~ "^(.)(.*)$") {{ set $cap "$1-$oidc_claim_name-$2"; }}
            proxy_set_header X-Cap $cap; proxy_set_header X-Name $oidc_claim_name;
            proxy_pass http://@BACKEND@; }}
        location /cached/ {{ proxy_cache cache; proxy_cache_valid any 10m; proxy_cache_key $uri;
            proxy_pass http://@BACKEND@; }}
        location /cached-user/ {{ proxy_cache cache; proxy_cache_valid any 10m;
            proxy_cache_key $oidc_user$uri; proxy_pass http://@BACKEND@; }}
        location /slow/ {{ limit_req zone=slow; limit_req_status 429; proxy_pass http://@BACKEND@; }}
        location /ws/ {{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade"; proxy_pass http://@BACKEND@; }}
        location /keep/ {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://@BACKEND@; }}
    """
    with Site(lab, http=http, locations=locations, verify=("/verify/", "/vars-public/"),
              server="large_client_header_buffers 8 64k; client_max_body_size 20m;",
              directives={"logout_uri": "/logout"}, own_paths=("/oidc_callback", "/logout")) as site:
        yield site


def cookie_of(site, browser):
    return f"{site.session_cookie_name}={browser.session_cookie}"


MALFORMED = {
    "percent": b"GET /%zz HTTP/1.1\r\nHost: app.test\r\n\r\n", "bad-host":
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "garbage": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "no-version": b"GET /x\r\n\r\n", "http-2-line": b"GET / HTTP/2.0\r\nHost: app.test\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n", "two-hosts":
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "trace":
    b"TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n", "connect":
    b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test\r\n\r\n", "huge-line":
    b"GET /" + b"a" * 600000 + b" HTTP/1.1\r\nHost: app.test\r\n\r\n", "huge-header":
    b"GET / HTTP/1.1\r\nHost: app.test\r\nX: " + b"a" * 600000 + b"\r\n\r\n", "many-headers":
    b"GET / HTTP/1.1\r\nHost: app.test\r\n" + b"".join(
        b"X-%d: %s\r\n" % (i, b"b" * 2000) for i in range(400)) + b"\r\n",
    "empty-header": b"GET / HTTP/1.1\r\nHost: app.test\r\n: x\r\n\r\n",
    "parent": b"GET /../../etc/passwd HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "cookie-only": b"GET / HTTP/1.1\r\nHost: app.test\r\nCookie\r\n\r\n", "bad-length":
    b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: x\r\n\r\n", "large-body":
    b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 99999999999\r\n\r\n",
}


@pytest.fixture(scope="module")
def errors(lab):
    """Every error nginx can make itself leads to a protected location."""
    with Site(lab, server="error_page 400 401 403 404 405 413 414 416 431 494 495 500 502 /private;"
              "listen 127.0.0.1:@PORT2@ default_server;", control=False) as site:
        yield site


@pytest.mark.parametrize("data", rows("N-06", MALFORMED))
def test_half_parsed_requests(errors, data):
    from harness.client import Connection
    for tls in (True, False):
        with Connection("127.0.0.1", errors.port if tls else errors.port2,
                        errors.context if tls else None, errors.host) as connection:
            try:
                connection.send(data)
                answer = connection.read_response()
            except (EOFError, OSError):
                continue
            assert not answer.from_backend and answer.status >= 300, answer
    assert errors.hits() == []
    assert errors.browser().get("/x").status == 302


@case("N-12")
def test_http_1_0(site):
    answer = site.raw(b"GET /x HTTP/1.0\r\nAccept: text/html\r\n\r\n")
    assert challenge(site, answer)["redirect_uri"].startswith(site.origin_text)
    with site.connect() as connection:
        for _ in range(2):
            connection.send(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\nAccept: text/html\r\n\r\n")
            assert challenge(site, connection.read_response())
    with site.signed_in() as browser:
        site.state.check_hits = False
        answer = site.raw(f"GET /x HTTP/1.0\r\nCookie: {cookie_of(site, browser)}\r\n\r\n")
        assert answer.status == 200 and site.backend.last.headers.all("Remote-User") == ["jdoe"]


@case("N-13")
def test_http_0_9(site):
    with site.connect() as connection:
        connection.send(b"GET /x\r\n")
        data = connection.reader.rest()
    assert b"X-Backend" not in data and site.hits() == []
    sane(site)


@case("N-13")
def test_pipelining(site):
    """A hundred requests in one write, with and without the cookie: each is judged alone."""
    with site.signed_in() as browser:
        site.state.check_hits = False
        cookie = cookie_of(site, browser)
        with site.connect() as connection:
            data = ""
            for i in range(100):
                data += f"GET /p{i} HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\n"
                if i % 3 == 0:
                    data += f"Cookie: {cookie}\r\n"
                data += "\r\n"
            connection.send(data)
            for i in range(100):
                answer = connection.read_response()
                assert answer.from_backend == (i % 3 == 0), (i, answer)
                assert answer.status == (200 if i % 3 == 0 else 302)
    assert {h.path for h in site.hits()} - {"/"} == {f"/p{i}" for i in range(0, 100, 3)}


@pytest.mark.parametrize("line", rows("N-13", {
    "authorization-no-space": "Authorization: Basic", "authorization-empty": "Authorization:",
    "cookie-empty": "Cookie:", "cookie-blank": "Cookie:    ", "accept-empty": "Accept:",
    "fetch-empty": "Sec-Fetch-Mode:", "no-value": "X-Thing:", "upgrade-empty": "Upgrade:",
}))
def test_headers_without_value(site, line):
    answer = site.raw(f"GET /x HTTP/1.1\r\nHost: app.test\r\n{line}\r\n\r\n")
    assert answer.status in (302, 400, 401), answer
    sane(site)


def curl(site, *args, timeout=30):
    return subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", str(site.lab.pki.ca.file), "--resolve",
         f"{site.host}:{site.port}:127.0.0.1", *args], capture_output=True, timeout=timeout,
        check=False)


@case("N-15")
def test_http2_clients_that_go_away(site):
    """Streams reset while the provider is asked, and while a body is read."""
    for _ in range(4):
        browser = site.browser()
        first = browser.start("/x")
        target = browser.callback_url(first)
        cookie = browser.jar.header("https", site.host, "/oidc_callback")
        browser.close()
        site.idp.on["token"] = lambda x: (time.sleep(0.5), x.default())[1]
        done = curl(site, "-m", "0.2", "-H", f"Cookie: {cookie}", site.origin_text + target)
        assert done.returncode == 28
    site.idp.on.clear()
    done = curl(site, "-m", "0.3", "-T", "/dev/zero", "--limit-rate", "2k",
                "-H", "Accept: text/html", site.origin_text + "/upload")
    sane(site)
    time.sleep(0.5)  # the provider's late answers find nobody waiting
    sane(site)


@case("N-16")
def test_early_data(make_site):
    """0-RTT data can be replayed: whatever is done with it, one code is used once."""
    site = make_site(server="ssl_early_data on; ssl_session_cache shared:s:1m; ssl_protocols TLSv1.3;"
                            "listen 127.0.0.1:@PORT2@ ssl;")
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    cookie = browser.jar.header("https", site.host, "/oidc_callback")
    session, early = site.folder / "tls-session", site.folder / "early"
    openssl = ["openssl", "s_client", "-connect", f"127.0.0.1:{site.port2}", "-servername", site.host,
               "-CAfile", str(site.lab.pki.ca.file), "-tls1_3"]
    subprocess.run([*openssl, "-sess_out", str(session), "-ign_eof"], input=b"GET /public/ HTTP/1.0\r\n\r\n",
                   capture_output=True, timeout=20, check=False)
    if not session.exists():
        pytest.skip("openssl s_client got no session ticket")
    early.write_text(f"GET {target} HTTP/1.1\r\nHost: {site.authority()}\r\nCookie: {cookie}\r\n"
                     "Accept: text/html\r\nConnection: close\r\n\r\n")
    site.state.check_hits = False
    for _ in range(2):
        subprocess.run([*openssl, "-sess_in", str(session), "-early_data", str(early), "-ign_eof"],
                       input=b"", capture_output=True, timeout=20, check=False)
    assert site.delta("token") <= 1
    sane(site)


def handshake(cookie=None):
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = ["GET /ws/chat HTTP/1.1", "Host: app.test", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Origin: https://app.test",
             "Sec-Fetch-Mode: websocket", "Sec-Fetch-Dest: websocket"]
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join(lines) + "\r\n\r\n"


@case("N-17")
def test_websocket(site):
    answer = site.raw(handshake())
    unauthorized(answer)
    assert site.hits() == []
    with site.signed_in() as browser:
        site.state.check_hits = False
        with site.connect() as connection:
            connection.send(handshake(cookie_of(site, browser)))
            answer = connection.read_response()
            assert answer.status == 101
            connection.send(b"ping over the tunnel")
            assert connection.reader.exactly(20) == b"ping over the tunnel"
            assert site.backend.last.headers.all("Remote-User") == ["jdoe"]
            # The tunnel does not outlive its session (test_upgraded.py has more of it).
            browser.get("/logout")
            with pytest.raises((EOFError, ConnectionError)):
                connection.reader.exactly(1)
        unauthorized(site.raw(handshake(f"{site.session_cookie_name}=" + "A" * 43)))


@case("N-18")
def test_expect_100_continue(site):
    with site.connect() as connection:
        connection.send(b"POST /upload HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\n"
                        b"Content-Length: 10485760\r\n\r\n")
        head = connection.reader.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401"), head
    assert site.hits() == []


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\nX: y"


@pytest.mark.parametrize("head, body", rows("N-20", {
    "cl-te": (b"Content-Length: 60\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "te-cl": (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + SMUGGLED),
    "te-te": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
              b"0\r\n\r\n" + SMUGGLED),
    "te-odd": (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "cl-cl": (b"Content-Length: 0\r\nContent-Length: 60\r\n", SMUGGLED),
    "bare-lf": (b"Transfer-Encoding: chunked\r\n", b"3\nabc\n0\n\n" + SMUGGLED),
    "chunk-extension": (b"Transfer-Encoding: chunked\r\n", b"3;a=\n\r\nabc\r\n0\r\n\r\n"),
    "te-1.0": (b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", b"0\r\n\r\n" + SMUGGLED),
    "space": (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
}))
def test_smuggling(site, request, head, body):
    version = b"1.0" if "1.0" in request.node.name else b"1.1"
    with site.signed_in() as browser:
        site.state.check_hits = False
        for cookie in (None, cookie_of(site, browser).encode()):
            with site.connect(timeout=5) as connection:
                line = b"POST /keep/x HTTP/" + version + b"\r\nHost: app.test\r\n"
                if cookie:
                    line += b"Cookie: " + cookie + b"\r\n"
                connection.send(line + head + b"\r\n" + body)
                connection.sock.settimeout(0.5)
                try:
                    answer = connection.read_response("POST")
                    assert answer.status in (200, 400, 401, 405, 411, 500, 501, 505), answer
                except (OSError, EOFError):
                    pass
        assert not any(h.path == "/smuggled" and h.headers.all("Remote-User") for h in site.hits())


@pytest.mark.parametrize("path", rows("N-23", {"protected": "/x", "logout": "/logout"}))
def test_head(site, path):
    browser = site.browser()
    answer = browser.request("HEAD", path)
    assert answer.status in (302, 303, 401, 405), answer
    assert not answer.from_backend
    assert answer.body == b""
    if path == "/x":
        assert answer.status == browser.get("/x").status, "the same decision as for GET"
        with site.signed_in() as signed:
            passes(site, signed.request("HEAD", "/x"), remote_user="jdoe")
    # The connection is in step: the next answer is complete.
    assert browser.get("/x").status == 302


@case("N-24")
def test_preflight(site):
    answer = site.browser().request("OPTIONS", "/api", kind="xhr", cookies=False, headers={
        "Origin": "https://other.example", "Access-Control-Request-Method": "POST"})
    unauthorized(answer)
    passes(site, site.browser().request("OPTIONS", "/verify/api", headers={"Remote-User": "x"}),
           remote_user=None)


@pytest.mark.parametrize("method", rows("N-25", {m: m for m in (
    "TRACE", "CONNECT", "PROPFIND", "FOO", "get", "G" * 5000, "DEBUG", "PATCH", "SEARCH")}))
def test_methods(site, method):
    answer = site.raw(f"{method} /x HTTP/1.1\r\nHost: app.test\r\n\r\n")
    assert answer is None or answer.status in (400, 401, 405, 414), answer
    assert site.hits() == []
    sane(site)


@case("N-26")
def test_cache_between_users(site):
    site.backend.answers["/cached/x"] = Reply(b"cached for all", headers=[
        ("Cache-Control", "public, max-age=600")])
    with site.signed_in() as browser:
        assert browser.get("/cached/x").body == b"cached for all"
        assert browser.get("/cached/x").body == b"cached for all"
    assert site.backend.count("/cached/x") == 1
    # From the cache or not: our decision comes first.
    challenge(site, site.browser().get("/cached/x"))
    unauthorized(site.browser().get("/cached/x", kind="xhr"))
    # A key with the user keeps users apart.
    site.backend.answers["/cached-user/x"] = lambda hit: Reply(hit.header("Remote-User"))
    for user in ("ann", "bob", "ann"):
        with site.signed_in(preferred_username=user) as browser:
            assert browser.get("/cached-user/x").body == user.encode()


@case("N-26")
def test_challenges_are_never_cached(site):
    for _ in range(2):
        challenge(site, site.browser().get("/cached/new"))
    with site.signed_in() as browser:
        assert browser.get("/cached/new").from_backend


@case("N-27")
def test_cache_headers_of_our_answers(site):
    browser = site.browser()
    answers = [browser.get("/x"), browser.get("/x", kind="xhr"), browser.get("/oidc_callback?code=x"),
               browser.get("/logout"), browser.post("/oidc_callback?code=x&state=ngxoidc1.a", b"")]
    for answer in answers:
        assert "no-store" in (answer.headers.get("cache-control") or ""), answer
        assert answer.headers.get("etag") is None and answer.headers.get("last-modified") is None


@case("N-28")
def test_cookies_of_ours_on_cacheable_content(make_site):
    site = make_site(directives={"callback": "forward"}, own_paths=())
    site.backend.answers["/oidc_callback"] = Reply(b"page", headers=[
        ("Cache-Control", "public, max-age=3600"), ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")])
    site.control.close()
    browser = site.browser()
    answer = browser.try_login("/x")
    assert answer.body == b"page" and browser.session_cookie
    values = [v.lower() for v in answer.headers.all("cache-control")]
    assert any("no-store" in v for v in values) and not any("public" in v for v in values), answer
    # Other answers stay as the application made them.
    site.backend.answers["/y"] = Reply(b"page", headers=[("Cache-Control", "public, max-age=9")])
    assert browser.get("/y").headers.all("cache-control") == ["public, max-age=9"]


@case("N-31")
def test_variables_everywhere(site):
    browser = site.browser()
    anonymous = browser.get("/vars/x")
    assert anonymous.status == 302
    assert anonymous.headers.get("v-authenticated") in (None, "0", "")
    verify = browser.get("/vars-public/x")
    assert verify.from_backend and verify.headers.get("v-authenticated") == "0"
    assert verify.headers.get("v-user") in (None, "")
    browser.login("/vars/x")
    answer = browser.get("/vars/x")
    assert answer.headers.get("v-authenticated") == "1"
    assert answer.headers.get("v-user") == "jdoe" and answer.headers.get("v-provider") == "idp"
    site.raw(b"GET /%zz HTTP/1.1\r\nHost: app.test\r\n\r\n")
    log = site.wait(lambda: "user=jdoe" in site.nginx.access() and site.nginx.access())
    assert re.search(r'"GET /vars/x HTTP/1.1" 302 .* auth=0 user=- err=', log)
    assert re.search(r'"GET /vars/x HTTP/1.1" 200 .* auth=1 user=jdoe err=- ', log)


@case("N-31")
def test_error_variable(site):
    browser = site.browser()
    browser.get("/oidc_callback?code=x&state=ngxoidc1.zz")
    site.wait(lambda: "err=state_unknown" in site.nginx.access())
    site.idp.claims = lambda c: {**c, "aud": "x"}
    browser.try_login("/x")
    site.wait(lambda: "err=id_token_aud" in site.nginx.access())


@case("N-32")
def test_variables_in_complex_values(site):
    for user, name, mapped in (("jdoe", "Zo\u00eb \u6f22", "re-j-doe"), ("ann", "x" * 3000, "other-ann")):
        with site.signed_in(preferred_username=user, name=name) as browser:
            before = time.time()
            answer = browser.get("/vars-set/x?re=abc")
            hit = passes(site, answer, x_map=mapped, x_twice=f"{user}-{user}", x_provider="idp",
                         x_auth="1", x_none="[]", x_mail="jdoe@example.org", x_name=name)
            assert hit.header("X-Cap").encode("latin-1").decode() in (f"a-{name}-bc", "a--bc")
            expires = int(hit.header("X-Expires"))
            assert before + 8 * 3600 - 60 < expires < before + 8 * 3600 + 60
            session = hit.header("X-Session")
            assert len(session) >= 16 and session not in browser.session_cookie
            assert browser.session_cookie not in session


@case("N-36")
def test_limit_req_comes_first(site):
    browser = site.browser()
    codes = [browser.get("/slow/x?zone=a").status for _ in range(4)]
    assert codes[0] == 302 and set(codes[1:]) == {429}
    assert len(browser.pending()) == 1


@pytest.mark.parametrize("absolute, port", rows("N-37", {
    "default": ("", ""), "relative": ("absolute_redirect off;", ""),
    "no-port": ("", "port_in_redirect off;"), "server-name": ("server_name_in_redirect on;", "")}))
def test_tls_in_front(make_site, absolute, port):
    """nginx speaks http on an inner port; the public origin is https without a port."""
    site = make_site(tls=False, base_url="oidc_base_url https://crm.example.org;",
                     server=absolute + port, names="crm.example.org", control=False,
                     session_cookie="__Host-NGX_OIDC_SESSION",
                     cookie_attrs={"path": "/", "httponly": "", "samesite": "Lax", "secure": ""})
    site.origin = lambda host=None: "https://crm.example.org"
    site.authority = lambda host=None: "crm.example.org"
    browser = site.browser()
    first = browser.get("/x?y=1", headers={"X-Forwarded-Proto": "https"})
    query = challenge(site, first)
    assert query["redirect_uri"] == "https://crm.example.org/oidc_callback"
    pending = next(c for c in first.set_cookies() if "LOGIN" in c.name)
    target = browser.callback_url(first)
    answer = browser.get(target, headers={"Cookie": f"{pending.name}={pending.value}"})
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    assert answer.location in ("https://crm.example.org/x?y=1", "/x?y=1")
    session = next(c for c in answer.set_cookies() if c.name == "__Host-NGX_OIDC_SESSION")
    page = browser.get("/x?y=1", headers={"Cookie": f"{session.name}={session.value}"})
    passes(site, page, remote_user="jdoe")


@case("N-38")
def test_no_url_reaches_our_inside(site):
    before = site.delta("token"), site.delta("discovery"), site.delta("jwks")
    for path in ("/_oidc", "/oidc", "/.oidc/token", "/oidc_callback/token", "/_jwks_uri", "/auth_oidc",
                 "/oidc_fetch", "/.well-known/openid-configuration"):
        challenge(site, site.browser().get(path))
    assert (site.delta("token"), site.delta("discovery"), site.delta("jwks")) == before


@case("N-39")
def test_a_thousand_headers(site):
    with site.signed_in() as browser:
        extra = [(f"X-{i}", f"v{i}") for i in range(900)] + [("Remote-User", "admin")] * 50
        hit = passes(site, browser.get("/x", extra=extra), remote_user="jdoe")
        assert hit.headers.all("X-899") == ["v899"]
        assert sum(1 for n, _ in hit.headers if n.startswith("X-")) >= 900
        long = browser.get("/x", extra=[("X-Edge", "e" * 65500)])
        assert long.status in (200, 400)


@case("N-20")
def test_bodies_do_not_become_requests(site):
    """A refused POST leaves the connection in step or closes it."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n" * 50
    for target in ("/x", "/oidc_callback?code=a&state=ngxoidc1.b", "/logout"):
        with site.connect() as connection:
            connection.send(b"POST " + target.encode() + b" HTTP/1.1\r\nHost: app.test\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(body) + body)
            first = connection.read_response("POST")
            assert first.status in (400, 401, 403, 405, 302, 303), first
            connection.send(b"GET /after HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\n\r\n")
            try:
                second = connection.read_response()
                assert second.status == 302 and "after" not in second.location
            except (EOFError, OSError):
                pass
    notoken(site)


@case("N-15")
def test_clients_that_vanish(site):
    """RST at every stage of a login; X-27 looks at the provider's side."""
    for delay in (0, 0.02, 0.1):
        browser = site.browser()
        first = browser.start("/x")
        target = browser.callback_url(first)
        cookie = browser.jar.header("https", site.host, "/oidc_callback")
        browser.close()
        site.idp.on["token"] = lambda x: (time.sleep(0.1), x.default())[1]
        connection = site.connect()
        connection.send(f"GET {target} HTTP/1.1\r\nHost: app.test\r\nCookie: {cookie}\r\n\r\n")
        time.sleep(delay)
        connection.rst()
    sane(site)


def test_descriptors_return_to_baseline(site):
    """INV-11: many logins leave no descriptor behind in the workers."""
    def descriptors():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in site.nginx.worker_pids())
    with site.signed_in():
        pass
    before = descriptors()
    for _ in range(30):
        with site.signed_in():
            pass
    site.wait(lambda: descriptors() <= before + 8, "descriptors")
