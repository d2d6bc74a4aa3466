# SPDX-License-Identifier: Apache-2.0
"""Group L: logouts that the provider begins (back-channel, front-channel), what a logout gives back
to the provider, and how many sessions a user may have."""

import concurrent.futures
import json
import re
import shutil
import subprocess
import time
import urllib.parse

import pytest

import op_process
from harness import forge
from harness.cases import case, rows
from harness.nginx import SLOW
from harness.outcome import challenge, passes, sane
from harness.site import Site
from harness.stores import STORE, server_side
from harness.wire import Reply
from login_drivers import sign_out
from real_provider import NpmProvider

DIRECTIVES = {"id_token_signed_response_alg": "RS256",
              "backchannel_logout_uri": "/oidc/backchannel",
              "frontchannel_logout_uri": "/oidc/frontchannel",
              "logout_uri": "/logout"}
OWN = ("/oidc_callback", "/oidc/backchannel", "/oidc/frontchannel", "/logout")
FORM = "application/x-www-form-urlencoded"
EVENT = forge.LOGOUT_EVENT
# The cookie store does not know how many there were.
ENDED_ONE = "ended the sessions" if STORE == "cookie" else "ended 1 sessions"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, own_paths=OWN) as site:
        yield site


def send(site, body, content_type=FORM, method="POST", headers=None):
    """A request of the provider to the back-channel path: no cookie, nothing of a browser."""
    browser = site.browser()
    answer = browser.request(method, "/oidc/backchannel", kind="none", cookies=False, body=body,
                             headers={"Content-Type": content_type, **(headers or {})})
    browser.close()
    return answer


def deliver(site, token):
    return send(site, urllib.parse.urlencode({"logout_token": token}).encode())


def accepted(answer):
    assert answer.status == 200, answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert answer.body == b"" and not answer.set_cookies(), answer


def refused(site, answer, status=400, code=None):
    assert answer.status == status, f"{answer}\n{site.log_since_mark()}"
    assert "no-store" in answer.headers.get("cache-control"), answer
    body = answer.json()
    assert body["error"] == "invalid_request" and body["error_description"], answer
    if code:
        assert f"refused: {code}" in site.log_since_mark(), site.log_since_mark()


def alive(site, browser):
    passes(site, browser.get("/x"))


def dead(site, browser):
    """On a few connections of its own, so that every worker says so."""
    cookie = browser.session_cookie
    assert cookie
    for _ in range(6):
        other = site.browser()
        challenge(site, other.get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={cookie}"}))
        other.close()


# ---- back-channel ----------------------------------------------------------------------------

@case("L-09")
def test_backchannel_logout(site):
    with site.signed_in(sid="s-1") as browser, site.signed_in(sub="other", sid="s-2") as other:
        accepted(deliver(site, site.idp.logout_token(sub="u-1001", sid="s-1")))
        dead(site, browser)
        alive(site, other)
        assert ENDED_ONE in site.log_since_mark()
        sane(site)


@case("L-09")
def test_sub_alone_ends_every_session_of_the_user(site):
    with site.signed_in(sub="many", sid="m-1") as one, site.signed_in(sub="many") as two, \
            site.signed_in(sub="many", sid="m-3") as three, \
            site.signed_in(sub="man", sid="m-1x") as other:
        accepted(deliver(site, site.idp.logout_token(sub="many")))
        for browser in (one, two, three):
            dead(site, browser)
        alive(site, other)


@case("L-23")
def test_sid_alone_ends_one_session(site):
    with site.signed_in(sid="t-1") as one, site.signed_in(sid="t-2") as two, \
            site.signed_in(sid="t-3") as three:
        accepted(deliver(site, site.idp.logout_token(sid="t-2")))
        dead(site, two)
        alive(site, one)
        alive(site, three)


@case("L-09")
def test_another_sub_with_the_sid_of_a_session(site):
    """sub and sid belong together; a token that contradicts the session must not pass unnoticed."""
    with site.signed_in(sid="w-1") as browser:
        answer = deliver(site, site.idp.logout_token(sub="nobody", sid="w-1"))
        accepted(answer)
        # Documented: sid ends that session.
        dead(site, browser)


@case("L-09")
def test_sessions_of_another_client_stay(site, make_site, lab):
    """The same provider, another client: its sessions are its own."""
    with site.signed_in(sub="both", sid="c-1") as browser:
        second = make_site(directives=DIRECTIVES, own_paths=OWN)
        with second.signed_in(sub="both", sid="c-1") as there:
            accepted(deliver(second, second.idp.logout_token(sub="both", sid="c-1")))
            dead(second, there)
            alive(site, browser)


BAD_HEADER = {
    "L-10-none": ({"alg": "none"}, {"alg": "none"}, "logout_token_alg"),
    "L-10-hs256": ({}, {"alg": "HS256"}, "logout_token_alg"),
    "L-11-es256": ({}, {"alg": "ES256", "key": "p256"}, "logout_token_alg"),
    "L-11-ps256": ({}, {"alg": "PS256"}, "logout_token_alg"),
    "L-11-other-key": ({"kid": "rsa-1"}, {"key": "rsa2"}, "logout_token_signature"),
    "L-20-at-jwt": ({"typ": "at+jwt"}, {}, "logout_token_typ"),
    "L-20-number": ({"typ": 1}, {}, None),
    "L-10-crit": ({"crit": ["x"], "x": 1}, {}, "logout_token_malformed"),
}


@pytest.mark.parametrize("header, options, code", [
    pytest.param(*v, id=k) for k, v in BAD_HEADER.items()])
def test_token_by_its_header(site, header, options, code):
    with site.signed_in(sid="h-1") as browser:
        options = {**options}
        if "key" in options:
            options["key"] = getattr(site.lab.keys, options["key"])
        refused(site, deliver(site, site.idp.logout_token(header, sub="u-1001", sid="h-1",
                                                          **options)), code=code)
        alive(site, browser)
        sane(site)


BAD_CLAIMS = {
    "L-12-other": ({"aud": "client-2"}, "logout_token_aud"),
    "L-12-array": ({"aud": ["client-2", "client-3"]}, "logout_token_aud"),
    "L-12-missing": ({"aud": None}, "logout_token_aud"),
    "L-12-empty": ({"aud": []}, "logout_token_aud"),
    "L-13-other": ({"iss": "https://evil.example"}, "logout_token_iss"),
    "L-13-slash": ({"iss": "ISSUER/"}, "logout_token_iss"),
    "L-13-missing": ({"iss": None}, "logout_token_iss"),
    "L-13-number": ({"iss": 1}, None),
    "L-14-missing": ({"events": None}, "logout_token_events"),
    "L-15-other": ({"events": {"http://schemas.openid.net/event/other": {}}},
                   "logout_token_events"),
    "L-15-string": ({"events": EVENT}, "logout_token_events"),
    "L-15-array": ({"events": [EVENT]}, "logout_token_events"),
    "L-15-member-string": ({"events": {EVENT: "x"}}, "logout_token_events"),
    "L-15-member-null": ({"events": {EVENT: None}}, "logout_token_events"),
    "L-15-member-true": ({"events": {EVENT: True}}, "logout_token_events"),
    "L-15-empty": ({"events": {}}, "logout_token_events"),
    "L-16-text": ({"nonce": "n"}, "logout_token_nonce"),
    "L-16-empty": ({"nonce": ""}, "logout_token_nonce"),
    "L-17-neither": ({"sub": None, "sid": None}, "logout_token_sub"),
    "L-17-empty": ({"sub": "", "sid": None}, "logout_token_sub"),
    "L-17-empty-sid": ({"sid": ""}, "logout_token_sub"),
    "L-17-number": ({"sid": 7}, "logout_token_sub"),
    "L-18-no-iat": ({"iat": None}, "logout_token_iat"),
    "L-18-future": ({"iat": 3600, "exp": 7200}, "logout_token_iat"),
    "L-18-day-old": ({"iat": -86400, "exp": None}, "logout_token_iat"),
    "L-18-day-old-exp": ({"iat": -86400}, "logout_token_iat"),
    "L-18-expired": ({"iat": -500, "exp": -300}, "logout_token_exp"),
    "L-18-exp-text": ({"exp": "soon"}, "logout_token_exp"),
    "L-19-no-jti": ({"jti": None}, "logout_token_jti"),
    "L-19-empty-jti": ({"jti": ""}, "logout_token_jti"),
    "L-19-number-jti": ({"jti": 7}, "logout_token_jti"),
}


@pytest.mark.parametrize("claims, code", [pytest.param(*v, id=k) for k, v in BAD_CLAIMS.items()])
def test_token_by_its_claims(site, claims, code):
    with site.signed_in(sid="b-1") as browser:
        now = int(time.time())
        wanted = {"sub": "u-1001", "sid": "b-1"}
        for name, value in claims.items():
            if name in ("iat", "exp") and isinstance(value, int):
                value += now
            elif value == "ISSUER/":
                value = site.idp.issuer + "/"
            wanted[name] = value
        refused(site, deliver(site, site.idp.logout_token(**wanted)), code=code)
        alive(site, browser)
        sane(site)


@pytest.mark.parametrize("typ", rows("L-20", {
    "logout": "logout+jwt", "absent": (None,), "jwt": "JWT", "media-type": "application/logout+jwt",
    "upper": "LOGOUT+JWT"}))
def test_accepted_typ(site, typ):
    with site.signed_in(sid="y-1") as browser:
        accepted(deliver(site, site.idp.logout_token({"typ": typ}, sid="y-1")))
        dead(site, browser)


@case("L-19")
def test_replay(site):
    token = site.idp.logout_token(sub="replay", sid="r-1")
    with site.signed_in(sub="replay", sid="r-1") as browser:
        accepted(deliver(site, token))
        dead(site, browser)
    with site.signed_in(sub="replay", sid="r-1") as again:
        for _ in range(4):
            refused(site, deliver(site, token), code="logout_token_replayed")
        alive(site, again)


@case("L-19")
def test_an_id_token_is_no_logout_token(site):
    seen = []
    site.idp.make_token = lambda h, c: seen.append(
        forge.signed(h, c, site.idp.key)) or seen[-1]
    with site.signed_in(sid="i-1") as browser:
        refused(site, deliver(site, seen[-1]))
        alive(site, browser)


TOKEN = "TOKEN"
BAD_REQUESTS = {
    "no-body": (b"", FORM, 400), "other-parameter": (b"token=TOKEN", FORM, 400),
    "duplicate": (b"logout_token=TOKEN&logout_token=TOKEN", FORM, 400),
    "empty": (b"logout_token=", FORM, 400),
    "json": (b'{"logout_token":"TOKEN"}', "application/json", 400),
    "json-as-form": (b'{"logout_token":"TOKEN"}', FORM, 400),
    "text": (b"logout_token=TOKEN", "text/plain", 400),
    "no-type": (b"logout_token=TOKEN", None, 400),
    "multipart": (b"--x\r\nContent-Disposition: form-data; name=logout_token\r\n\r\nTOKEN\r\n--x--",
                  "multipart/form-data; boundary=x", 400),
    "nul": (b"logout_token=TOKEN%00", FORM, 400), "raw-nul": (b"logout_token=TOKEN\0", FORM, 400),
    "bad-escape": (b"logout_token=TOKEN%zz", FORM, 400),
    "two-dots": (b"logout_token=..", FORM, 400),
    "five-parts": (b"logout_token=a.b.c.d.e", FORM, 400),
    "large": (b"pad=" + b"x" * 300_000 + b"&logout_token=TOKEN", FORM, 413),
    "megabyte": (b"logout_token=" + b"x" * 1_000_000, FORM, 413),
}


@pytest.mark.parametrize("body, content_type, status", rows("L-22", BAD_REQUESTS))
def test_bad_request(site, body, content_type, status):
    with site.signed_in(sid="q-1") as browser:
        token = site.idp.logout_token(sid="q-1").encode()
        answer = send(site, body.replace(b"TOKEN", token), content_type)
        if body.startswith(b'{') and content_type == FORM:
            assert answer.status == 400
        refused(site, answer, status)
        alive(site, browser)
        sane(site)


@pytest.mark.parametrize("method", rows("L-22", {
    "get": "GET", "head": "HEAD", "put": "PUT", "delete": "DELETE", "options": "OPTIONS"}))
def test_other_methods(site, method):
    with site.signed_in(sid="g-1") as browser:
        token = site.idp.logout_token(sid="g-1")
        target = "/oidc/backchannel?" + urllib.parse.urlencode({"logout_token": token})
        answer = site.browser().request(method, target, kind="none", cookies=False)
        assert answer.status == 405 and answer.headers.get("allow") == "POST", answer
        site.idp.forget(token)
        alive(site, browser)


def chunked(data, size):
    out = b""
    for start in range(0, len(data), size):
        part = data[start:start + size]
        out += f"{len(part):x}\r\n".encode() + part + b"\r\n"
    return out + b"0\r\n\r\n"


@pytest.mark.parametrize("size", rows("L-22", {"chunk-100": 100, "chunk-1": 1}))
def test_chunked_body(site, size):
    with site.signed_in(sid="k-1") as browser:
        body = b"logout_token=" + site.idp.logout_token(sid="k-1").encode()
        answer = send(site, chunked(body, size), headers={
            "Transfer-Encoding": "chunked"})
        accepted(answer)
        dead(site, browser)


@case("L-22")
def test_large_chunked_body(site):
    body = chunked(b"logout_token=" + b"x" * 200_000, 16_000)
    refused(site, send(site, body, headers={"Transfer-Encoding": "chunked"}), 413)
    sane(site)


@case("L-22")
def test_slow_body_and_abort(site):
    """The body comes byte by byte, or never: other requests go on."""
    body = b"logout_token=" + site.idp.logout_token(sid="slow-1").encode()
    head = (f"POST /oidc/backchannel HTTP/1.1\r\nHost: {site.authority()}\r\n"
            f"Content-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    with site.signed_in(sid="slow-1") as browser:
        with site.connect() as broken:
            broken.send(head + body[:40])
        with site.connect() as slow:
            slow.send(head)
            for start in range(0, len(body), 100):
                slow.send(body[start:start + 100])
                time.sleep(0.01)
                if start == 300:
                    alive(site, browser)
            assert slow.read_response("POST").status == 200
        dead(site, browser)
        sane(site)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("option", rows("L-22", {
    "http2": ("--http2",), "http1": ("--http1.1",), "expect": ("-HExpect: 100-continue",)}))
def test_several_requests_on_a_connection(site, option):
    """Bodies are read over HTTP/2 too, and the connection goes on afterwards."""
    with site.signed_in(sid="v2-1") as one, site.signed_in(sid="v2-2") as two, \
            site.signed_in(sid="v2-3") as stays:
        url = f"https://app.test:{site.port}/oidc/backchannel"
        command = ["curl", "-s", option, "--cacert", str(site.lab.pki.ca.file),
                   "--resolve", f"app.test:{site.port}:127.0.0.1", "-w", "%{http_code} "]
        bodies = [site.idp.logout_token(sid="v2-1"), "bad", site.idp.logout_token(sid="v2-2")]
        each = [["--data", f"logout_token={body}", url] for body in bodies]
        done = subprocess.run([*command, *each[0], "--next", *command[1:], *each[1], "--next",
                               *command[1:], *each[2]], capture_output=True, text=True,
                              timeout=30 * SLOW, check=True)
        assert re.findall(r"\b(\d{3}) ", done.stdout) == ["200", "400", "200"], done.stdout
        dead(site, one)
        dead(site, two)
        alive(site, stays)


@case("L-22")
def test_body_in_a_small_buffer(make_site):
    """nginx would put it into a file; it must be read all the same."""
    site = make_site(directives=DIRECTIVES, own_paths=OWN,
                     server="client_body_buffer_size 1k; client_body_in_file_only off;")
    with site.signed_in(sid="f-1") as browser:
        body = (b"pad=" + b"x" * 3000 + b"&logout_token="
                + site.idp.logout_token(sid="f-1").encode())
        accepted(send(site, body))
        dead(site, browser)


@case("L-25")
def test_unknown_session(site):
    accepted(deliver(site, site.idp.logout_token(sid="never-seen")))
    accepted(deliver(site, site.idp.logout_token(sub="never-seen")))
    with site.signed_in(sid="gone-1") as browser:
        accepted(deliver(site, site.idp.logout_token(sid="gone-1")))
        accepted(deliver(site, site.idp.logout_token(sid="gone-1")))
        dead(site, browser)


@case("E-09")
def test_bad_tokens_cause_no_storm(site):
    """Neither bad signatures nor unknown keys ask the provider for its keys again and again."""
    site.wait(lambda: site.idp.count("jwks"))
    stranger = forge.Key("rsa-1", site.lab.keys.rsa2.private)
    unknown = forge.Key("unknown", site.lab.keys.rsa2.private)
    with site.signed_in(sid="e-1") as browser:
        before = site.idp.count("jwks"), site.idp.count("discovery")
        for i in range(60):
            token = site.idp.logout_token(key=unknown if i % 2 else stranger, sid="e-1")
            assert deliver(site, token).status in (400, 503)
        assert site.idp.count("jwks") - before[0] <= 2
        assert site.idp.count("discovery") - before[1] <= 2
        alive(site, browser)
        accepted(deliver(site, site.idp.logout_token(sid="e-1")))
        dead(site, browser)


@case("E-09")
def test_cheap_checks_come_first(site):
    """What is no token at all asks the provider for nothing."""
    before = len(site.idp.requests)
    for _ in range(50):
        assert send(site, b"logout_token=x").status == 400
    assert len(site.idp.requests) == before


@case("L-09")
def test_no_token_in_the_log(make_site):
    site = make_site(directives=DIRECTIVES, own_paths=OWN, level="debug")
    with site.signed_in(sid="d-1") as browser:
        token = site.idp.logout_token(sid="d-1", iss="https://evil.example")
        refused(site, deliver(site, token))
        assert token.split(".")[2] not in "\n".join(
            line for line in site.log_since_mark().splitlines() if "oidc" in line)
        alive(site, browser)
        # nginx's own debug lines show what it reads from a socket.
        site.idp.canaries.clear()
        site.state.canaries.clear()


@case("L-30")
def test_logout_while_a_request_is_in_flight(site):
    """The request that has passed already ends as it began; the next one does not pass."""
    with site.signed_in(sid="fl-1") as browser:
        body = b"x" * 1000
        with site.connect() as connection:
            cookie = f"{site.session_cookie_name}={browser.session_cookie}"
            connection.send(f"POST /x HTTP/1.1\r\nHost: {site.authority()}\r\nCookie: {cookie}\r\n"
                            f"X-Test-Id: in-flight\r\nContent-Length: {len(body)}\r\n\r\n")
            connection.send(body[:10])
            time.sleep(0.2)
            accepted(deliver(site, site.idp.logout_token(sid="fl-1")))
            connection.send(body[10:])
            assert connection.read_response("POST").status == 200
        dead(site, browser)
        site.state.exchanges["in-flight"] = ([("Cookie", cookie)], _NoCookies())
        sane(site)


class _NoCookies:
    def set_cookies(self):
        return []


@case("L-09")
def test_the_providers_keys_are_not_known_yet(make_site):
    """A logout token is the first thing that comes after a start."""
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False)
    accepted(deliver(site, site.idp.logout_token(sid="first")))


@case("L-09")
def test_the_provider_is_down(make_site):
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False, start=False)
    site.idp.refuse()
    site.start()
    answer = deliver(site, site.idp.logout_token(sid="first"))
    assert answer.status in (502, 503), answer
    assert answer.json()["error"] == "server_error"
    site.idp.listen()


@case("L-09")
def test_many_at_once(site):
    """Twenty sessions, twenty logouts, all in parallel."""
    browsers = []
    for i in range(20):
        site.idp.user = {**site.idp.user, "sub": f"p-{i}", "sid": f"ps-{i}"}
        browsers.append(site.browser())
        browsers[-1].login("/x")
    tokens = [site.idp.logout_token(sid=f"ps-{i}") for i in range(0, 20, 2)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for answer in pool.map(lambda t: deliver(site, t), tokens):
            accepted(answer)
    for i, browser in enumerate(browsers):
        if i % 2:
            alive(site, browser)
        else:
            dead(site, browser)


# ---- a real provider -------------------------------------------------------------------------

class OneBrowser(NpmProvider):
    """The user keeps the same cookies at the provider, which posts logout tokens to the site."""

    one = None

    def client(self):
        self.one = self.one or super().client()
        return self.one

    def _start(self, folder, client):
        port = urllib.parse.urlsplit(client["redirect_uris"][0]).port
        return super()._start(folder, {
            **client, "backchannel_logout_session_required": True,
            "backchannel_logout_uri": f"https://127.0.0.1:{port}/oidc/backchannel"})


@pytest.mark.skipif(not op_process.installed(), reason="npm ci has not been run in op")
@pytest.mark.parametrize("persona", rows("L-09", {"plain": "plain", "authentik": "authentik"}))
def test_logout_at_a_real_provider(lab, persona):
    """Another application of the user signs out at the provider: the session here ends too."""
    provider = OneBrowser(lab, persona)
    directives = {"scope": "openid profile email", "userinfo": "on",
                  "backchannel_logout_uri": "/oidc/backchannel"}
    # The provider would keep its own connection to us for seconds after the test.
    with provider.site(directives=directives, server="keepalive_timeout 1s;",
                       control=False) as site:
        browser = site.browser()
        browser.login("/page")
        passes(site, browser.get("/page"), remote_user="jane")
        sign_out(provider.client(), provider.url("logout"))
        site.wait(lambda: "back-channel logout at provider" in site.log_since_mark(),
                  "logout token")
        assert ENDED_ONE in site.log_since_mark()
        dead(site, browser)


# ---- front-channel ---------------------------------------------------------------------------

def frame(site, browser, query="", cookies=True, method="GET"):
    """The provider's page loads our path in an iframe."""
    target = "/oidc/frontchannel" + ("?" + query if query else "")
    return browser.request(method, target, headers={
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        cookies=cookies)


def same_page(answer):
    assert answer.status == 200 and not answer.from_backend, answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert answer.headers.get("x-frame-options") is None, answer
    assert "frame-ancestors" not in answer.headers.get("content-security-policy"), answer


def named(**values):
    return urllib.parse.urlencode(values)


@pytest.mark.parametrize("with_names", rows("L-27", {"iss-sid": True, "neither": False}))
def test_frontchannel_logout(site, with_names):
    with site.signed_in(sid="fc-1") as browser, site.signed_in(sid="fc-2") as other:
        query = named(iss=site.idp.issuer, sid="fc-1") if with_names else ""
        before = browser.session_cookie
        answer = frame(site, browser, query)
        same_page(answer)
        assert browser.session_cookie is None, answer
        browser.jar.set(site.session_cookie_name, before)
        dead(site, browser)
        alive(site, other)


@case("L-27")
@pytest.mark.parametrize("with_iss", [True, False], ids=["iss-sid", "sid"])
def test_frontchannel_without_a_cookie(site, with_iss):
    """SameSite=Lax keeps our cookie out of a foreign frame: sid names the session. Entra sends it
    alone. Where the sessions are in the browsers, nothing can be ended there."""
    with site.signed_in(sid="fn-1") as browser, site.signed_in(sid="fn-2") as other:
        iss = {"iss": site.idp.issuer} if with_iss else {}
        same_page(frame(site, site.browser(), named(**iss, sid="fn-1"), cookies=False))
        if STORE == "cookie":
            alive(site, browser)
        else:
            dead(site, browser)
        alive(site, other)


@case("L-27")
def test_frontchannel_by_sid_alone(site):
    with site.signed_in(sid="so-1") as browser, site.signed_in(sid="so-2") as other:
        before = browser.session_cookie
        same_page(frame(site, browser, "sid=so-1"))
        assert browser.session_cookie is None
        browser.jar.set(site.session_cookie_name, before)
        dead(site, browser)
        alive(site, other)


ELSEWHERE = {
    "link": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"},
    "window-of-a-sibling": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "document"},
    "image": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
    "script": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"},
    "fetch": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "empty"},
}


@pytest.mark.parametrize("headers", rows("L-32", ELSEWHERE))
def test_frontchannel_without_names_takes_a_frame(site, headers):
    """What another site's page can do without knowing a sid ends nothing."""
    with site.signed_in(sid="el-1") as browser:
        answer = browser.request("GET", "/oidc/frontchannel", headers={
            "Sec-Fetch-Mode": "navigate", **headers})
        same_page(answer)
        assert not answer.set_cookies(), answer
        alive(site, browser)
        # With its names it is the provider that speaks.
        same_page(browser.request("GET", "/oidc/frontchannel?sid=el-1", headers=headers))
        assert browser.session_cookie is None


OWN_WAYS = {
    "typed": {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"},
    "own-link": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"},
    "frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "frame"},
    "older-browser": {},
}


@pytest.mark.parametrize("headers", rows("L-32", {f"ends-{k}": v for k, v in OWN_WAYS.items()}))
def test_frontchannel_without_names_by_the_user(site, headers):
    with site.signed_in(sid="ow-1") as browser:
        same_page(browser.request("GET", "/oidc/frontchannel", kind="none", headers=headers))
        assert browser.session_cookie is None


FRONTCHANNEL = {
    "iss-only": "iss=ISS", "wrong-sid-only": "sid=n-2", "empty-sid-only": "sid=",
    "two-sid-only": "sid=n-1&sid=n-1",
    "wrong-iss": "iss=https%3A%2F%2Fevil.example&sid=n-1",
    "iss-slash": "iss=ISS%2F&sid=n-1", "wrong-sid": "iss=ISS&sid=n-2", "empty-sid": "iss=ISS&sid=",
    "empty-both": "iss=&sid=", "two-iss": "iss=ISS&iss=ISS&sid=n-1",
    "two-sid": "iss=ISS&sid=n-1&sid=n-1", "nul": "iss=ISS&sid=n-1%00",
    "bad-escape": "iss=ISS&sid=n-1%zz", "case": "iss=ISS&sid=N-1", "prefix": "iss=ISS&sid=n-",
    "blank": "iss=ISS&sid=n-1%20",
}


@pytest.mark.parametrize("cookies", [True, False], ids=["cookie", "no-cookie"])
@pytest.mark.parametrize("query", rows("L-28", FRONTCHANNEL))
def test_frontchannel_ends_nothing(site, query, cookies):
    with site.signed_in(sid="n-1") as browser:
        query = query.replace("ISS", urllib.parse.quote(site.idp.issuer, safe=""))
        answer = frame(site, browser if cookies else site.browser(), query, cookies)
        same_page(answer)
        assert not answer.set_cookies(), answer
        alive(site, browser)


@case("L-28")
def test_frontchannel_with_neither_cookie_nor_names(site):
    with site.signed_in(sid="n-1") as browser:
        same_page(frame(site, site.browser(), cookies=False))
        alive(site, browser)
        # A session without a sid is not ended by an empty one.
    with site.signed_in() as plain:
        same_page(frame(site, site.browser(), named(iss=site.idp.issuer, sid=""), cookies=False))
        alive(site, plain)


@case("L-28")
def test_frontchannel_methods(site):
    with site.signed_in(sid="n-1") as browser:
        for method in ("POST", "PUT", "DELETE"):
            answer = frame(site, browser, named(iss=site.idp.issuer, sid="n-1"), method=method)
            assert answer.status == 405 and answer.headers.get("allow") == "GET, HEAD", answer
        alive(site, browser)


@case("L-29")
def test_frontchannel_guesses_call_nobody(site):
    with site.signed_in(sid="n-1") as browser:
        before = len(site.idp.requests)
        guesser = site.browser()
        for i in range(200):
            same_page(frame(site, guesser, named(iss=site.idp.issuer, sid=f"guess-{i}"),
                            cookies=False))
        assert len(site.idp.requests) == before
        alive(site, browser)
        sane(site)


@case("L-29")
def test_the_answer_does_not_tell(site):
    """The page is the same whether a session ended or not."""
    with site.signed_in(sid="tell-1") as browser:
        pages = [frame(site, site.browser(), named(iss=site.idp.issuer, sid=sid), cookies=False)
                 for sid in ("tell-1", "tell-1", "other")]
        assert len({(p.status, p.body, p.headers.get("cache-control")) for p in pages}) == 1
        if STORE != "cookie":
            dead(site, browser)


# ---- revoke_on_logout ------------------------------------------------------------------------

REVOKE = {"logout_uri": "/logout", "revoke_on_logout": "on"}


@pytest.fixture(scope="module")
def revoking(lab):
    with Site(lab, directives=REVOKE, own_paths=OWN) as site:
        yield site


@case("L-30")
def test_revocation_of_the_access_token(revoking):
    site = revoking
    with site.signed_in() as browser:
        tokens = list(site.idp.access)
        assert browser.get("/logout").status in (302, 303)
        site.wait(lambda: site.idp.revoked, "revocation")
        assert site.idp.revoked == [(tokens[-1], "access_token")]
        assert site.idp.complaints == []
        request = site.idp.last("revoke")
        assert request.method == "POST" and request.headers.get("content-type") == FORM


@case("L-30")
def test_revocation_of_the_refresh_token(make_site):
    site = make_site(directives={**REVOKE, "session_refresh": "on"}, own_paths=OWN)
    site.idp.refresh_tokens = True
    with site.signed_in() as browser:
        tokens = list(site.idp.refresh)
        assert browser.get("/logout").status in (302, 303)
        site.wait(lambda: site.idp.revoked, "revocation")
        assert site.idp.revoked == [(tokens[-1], "refresh_token")]
        assert site.idp.complaints == []


@case("L-30")
def test_nobody_waits_for_the_revocation(make_site):
    site = make_site(directives={**REVOKE, "read_timeout": "1s"}, own_paths=OWN)
    site.idp.on["revoke"] = lambda x: x.stall(10)
    with site.signed_in() as browser:
        begin = time.monotonic()
        answer = browser.get("/logout")
        assert answer.status in (302, 303) and time.monotonic() - begin < 0.7 * SLOW, answer
        assert browser.session_cookie is None
        site.wait(lambda: "are not revoked" in site.log_since_mark(), "log line", 8)


@pytest.mark.parametrize("status", rows("L-30", {"500": 500, "400": 400, "302": 302, "503": 503}))
def test_failed_revocation_is_logged(revoking, status):
    site = revoking
    site.idp.on["revoke"] = lambda x: Reply(
        {"error": "unsupported_token_type", "echo": x.request.body.decode()}, status=status,
        headers=[("Location", site.lab.trap.url)] if status == 302 else [])
    with site.signed_in() as browser:
        assert browser.get("/logout").status in (302, 303)
        site.wait(lambda: "are not revoked" in site.log_since_mark(), "log line")
        line = next(li for li in site.log_since_mark().splitlines() if "not revoked" in li)
        for token in site.idp.access:
            assert token not in line


@case("L-30")
def test_revocation_without_the_provider(make_site):
    site = make_site(directives=REVOKE, own_paths=OWN)
    with site.signed_in() as browser:
        site.idp.refuse()
        answer = browser.get("/logout")
        assert answer.status in (200, 302, 303) and browser.session_cookie is None, answer
        site.wait(lambda: "are not revoked" in site.log_since_mark(), "log line")


@case("L-07")
def test_provider_without_a_revocation_endpoint(make_site):
    site = make_site(directives=REVOKE, own_paths=OWN, start=False)
    site.idp.metadata = lambda d: {**d, "revocation_endpoint": None}
    site.start()
    with site.signed_in() as browser:
        assert browser.get("/logout").status in (302, 303)
        assert browser.session_cookie is None


@case("L-04")
def test_no_session_nothing_to_revoke(revoking):
    site = revoking
    before = site.idp.count("revoke")
    for _ in range(3):
        browser = site.browser()
        browser.jar.set(site.session_cookie_name, "A" * 43)
        assert browser.get("/logout").status in (200, 302, 303)
        browser.close()
    time.sleep(0.2)
    assert site.idp.count("revoke") == before


# ---- session_limit ---------------------------------------------------------------------------

@server_side
@case("L-09")
def test_session_limit(make_site):
    site = make_site(directives={"session_limit": "2"})
    browsers = []
    for _ in range(3):
        browsers.append(site.browser())
        site.idp.user = {**site.idp.user, "sub": "limited"}
        browsers[-1].login("/x")
    dead(site, browsers[0])
    alive(site, browsers[1])
    alive(site, browsers[2])
    assert "session_limit" in site.log_since_mark()
    # Somebody else is not counted, nor is the control session.
    with site.signed_in(sub="another") as other:
        alive(site, other)
        alive(site, browsers[1])
    # The first one comes back: now the second is the oldest.
    site.idp.user = {**site.idp.user, "sub": "limited"}
    again = site.browser()
    again.login("/x")
    dead(site, browsers[1])
    alive(site, browsers[2])
    alive(site, again)
    assert json.dumps(site.idp.complaints) == "[]"


@case("L-33")
@server_side
def test_session_limit_without_the_directive(make_site):
    """One account cannot fill the store: of fifty-three sessions the fifty newest are left."""
    site = make_site(control=False)
    cookies = []
    for _ in range(53):
        browser = site.browser()
        site.idp.user = {**site.idp.user, "sub": "scripted"}
        browser.login("/x")
        cookies.append(browser.session_cookie)
        browser.close()
    site.idp.user = {**site.idp.user, "sub": "somebody"}
    somebody = site.browser()
    somebody.login("/x")
    living = 0
    for cookie in cookies:
        answer = somebody.request("GET", "/x", cookies=False, headers={
            "Cookie": f"{site.session_cookie_name}={cookie}"})
        living += answer.from_backend
    assert living == 50
    alive(site, somebody)


@case("L-33")
@server_side
def test_session_limit_off(make_site):
    site = make_site(directives={"session_limit": "off"}, control=False)
    first = site.browser()
    first.login("/x")
    for _ in range(50):
        browser = site.browser()
        browser.login("/x")
        browser.close()
    alive(site, first)
