# SPDX-License-Identifier: Apache-2.0
"""WebSockets of a session are closed when it ends."""

import contextlib
import re
import secrets
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.nginx import SLOW
from harness.outcome import challenge, passes, sane
from harness.redis_server import Proxy, RedisServer, find
from harness.site import Site
from harness.stores import STORE

OWN = ("/oidc_callback", "/logout", "/oidc/backchannel")
DIRECTIVES = {"logout_uri": "/logout", "backchannel_logout_uri": "/oidc/backchannel",
              "id_token_signed_response_alg": "RS256"}
UPGRADE = """\
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 60s;
"""
LOCATIONS = f"""\
        location /ws {{ proxy_pass http://@BACKEND@; {UPGRADE} }}
        location /public/ws {{ auth_oidc off; proxy_pass http://@BACKEND@; {UPGRADE} }}
        location /verify/ws {{ auth_oidc_mode verify; proxy_pass http://@BACKEND@; {UPGRADE} }}
"""


@pytest.fixture(scope="module", params=["tls", "plain"])
def site(lab, request):
    with Site(lab, directives=DIRECTIVES, locations=LOCATIONS, own_paths=OWN,
              tls=request.param == "tls") as site:
        yield site


@contextlib.contextmanager
def web_socket(site, browser, path="/ws"):
    """A connection that was switched, and echoes."""
    browser.close()
    answer = {}
    exchange = browser._exchange

    def keep(data, method, target):
        browser.connection = site.connect(browser.host)
        browser.connection.send(data)
        answer["connection"] = browser.connection
        browser.connection = None
        return answer["connection"].read_response(method, target)
    browser._exchange = keep
    try:
        response = browser.get(path, kind="plain", headers={
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    finally:
        browser._exchange = exchange
    with answer["connection"] as connection:
        assert response.status == 101, f"{response}\n{site.log_since_mark()}"
        assert echoes(connection)
        yield connection


def echoes(connection, text=b"ping"):
    connection.send(text)
    return connection.reader.exactly(len(text)) == text


def closed_within(connection, seconds):
    """True when nginx closes it; nothing may be left of it."""
    connection.sock.settimeout(seconds * SLOW)
    try:
        return connection.sock.recv(100) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def stays_open(connection, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert echoes(connection)
        time.sleep(0.2)


def reasons(site):
    return [re.search(r"its session has (\w+)", li)[1]
            for li in site.log_since_mark().splitlines() if "oidc: the upgraded connection" in li]


@case("L-30")
def test_logout_closes_every_web_socket_of_the_session(site):
    """In this worker at once, in the others within a few seconds."""
    with site.signed_in() as browser, site.signed_in(sub="other") as other:
        with contextlib.ExitStack() as stack:
            mine = [stack.enter_context(web_socket(site, browser)) for _ in range(8)]
            theirs = [stack.enter_context(web_socket(site, other)) for _ in range(3)]
            assert browser.get("/logout").status in (302, 303)
            for connection in mine:
                assert closed_within(connection, 4), site.log_since_mark()
            for connection in theirs:
                assert echoes(connection)
        assert reasons(site) == ["ended"] * 8
        assert '"jdoe"' in site.log_since_mark()
        passes(site, other.get("/x"))
        sane(site)


@case("L-09")
def test_logout_by_the_provider(site):
    with site.signed_in(sid="w-1") as browser, web_socket(site, browser) as connection:
        body = urllib.parse.urlencode({"logout_token": site.idp.logout_token(sid="w-1")}).encode()
        answer = site.browser().request(
            "POST", "/oidc/backchannel", kind="none", cookies=False, body=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 200, answer
        assert closed_within(connection, 4)
        assert reasons(site) == ["ended"]


@case("C-28")
def test_a_session_that_is_replaced(site):
    """Another login in the same browser: the former session ends, and its sockets with it."""
    with site.signed_in() as browser, web_socket(site, browser) as connection:
        answer = browser.get("/x")
        assert answer.from_backend
        other = site.browser()
        start = other.start("/x")
        other.jar.set(site.session_cookie_name, browser.session_cookie, secure=site.tls)
        assert other.callback(other.callback_url(start)).status == 303
        assert closed_within(connection, 4)


@case("L-30")
def test_sockets_without_a_session_are_nobodys(site):
    browser = site.browser()
    with web_socket(site, browser, "/public/ws") as public, \
            web_socket(site, browser, "/verify/ws") as verify, site.signed_in() as user, \
            web_socket(site, user, "/public/ws") as known, \
            web_socket(site, user, "/verify/ws") as forwarded:
        user.get("/logout")
        # The one that carries the user's identity closes.
        assert closed_within(forwarded, 4)
        for connection in (public, verify, known):
            stays_open(connection, 0.3)
        assert reasons(site) == ["ended"]


@case("L-30")
def test_sockets_that_close_by_themselves(site):
    """Whoever closes first: nothing is left, and nothing is asked about it later."""
    with site.signed_in() as browser:
        for _ in range(5):
            with web_socket(site, browser):
                pass
            with web_socket(site, browser) as connection:
                connection.rst()
        with web_socket(site, browser) as connection:
            stays_open(connection, 2.5)
        browser.get("/logout")
        time.sleep(0.3)
        assert reasons(site) == []
        sane(site)


@case("E-10")
def test_many(site):
    """More than one turn looks at."""
    with site.signed_in() as browser, site.signed_in(sub="other") as other, \
            contextlib.ExitStack() as stack:
        count = 60 if SLOW > 1 else 230
        mine = [stack.enter_context(web_socket(site, browser)) for _ in range(count)]
        theirs = [stack.enter_context(web_socket(site, other)) for _ in range(20)]
        browser.get("/logout")
        for connection in mine:
            assert closed_within(connection, 6)
        assert all(echoes(c) for c in theirs)
        assert reasons(site) == ["ended"] * count


@pytest.mark.parametrize("directives, reason", rows("C-12", {
    "absolute": ({"session_timeout": "3s"}, "expired"),
    "idle": ({"session_idle_timeout": "2s", "session_timeout": "1h"}, "ended")}))
def test_expiry(make_site, directives, reason):
    """Traffic on the socket is no use of the session."""
    if reason == "ended" and STORE == "cookie":
        pytest.skip("when a session in a cookie was used last, only its browser knows")
    site = make_site(directives=directives, locations=LOCATIONS, control=False)
    browser = site.browser()
    browser.login("/x")
    with web_socket(site, browser) as connection:
        end = time.monotonic() + 15 * SLOW
        with contextlib.suppress(OSError, EOFError):
            while time.monotonic() < end:
                echoes(connection)
                time.sleep(0.1)
        assert time.monotonic() < end, "it is still open"
        assert reasons(site) == [reason]


@case("N-05")
def test_reload(make_site):
    """Sockets of workers that are leaving are watched as well."""
    site = make_site(directives=DIRECTIVES, locations=LOCATIONS, own_paths=OWN, control=False,
                     shutdown_timeout="30s")
    browser = site.browser()
    browser.login("/x")
    with web_socket(site, browser) as first, web_socket(site, browser) as second:
        before = set(site.state.pids)
        site.nginx.reload(wait=False)
        site.wait(lambda: len(site.nginx.worker_pids()) == 2
                  and not set(site.nginx.worker_pids()) & before, "new workers")
        site.state.pids = site.nginx.worker_pids()
        stays_open(first, 2.5)
        assert browser.get("/logout").status in (302, 303)
        for connection in (first, second):
            assert closed_within(connection, 6)
        assert reasons(site) == ["ended"] * 2


@case("N-05")
def test_the_end_of_a_worker(make_site):
    """A worker that has to go closes what is open, and no memory is used after that."""
    site = make_site(directives=DIRECTIVES, locations=LOCATIONS, own_paths=OWN, control=False,
                     shutdown_timeout="1s")
    browser = site.browser()
    browser.login("/x")
    with web_socket(site, browser) as connection:
        site.reload()
        assert closed_within(connection, 5)
    assert reasons(site) == []
    passes(site, browser.get("/x"))


@case("E-16")
@pytest.mark.skipif(find() is None, reason="redis-server is not installed")
def test_a_store_that_cannot_say(lab, make_site):
    """Nothing closes while the store is away or slow; what ends meanwhile closes later."""
    ring = lab.folder / "ring-of-sockets"
    ring.write_text(secrets.token_hex(32) + "\n")
    ring.chmod(0o600)
    with RedisServer(lab.folder) as redis, Proxy(redis.socket) as proxy:
        site = make_site(directives={**DIRECTIVES, "session_store": "shared"}, locations=LOCATIONS,
                         own_paths=OWN, control=False, http=(
                             f"oidc_session_store shared {{ type redis; server 127.0.0.1:{proxy.port};"
                             f" key_file {ring}; local_copy 1s; timeout 1s; }}\n"))
        browser = site.browser()
        browser.login("/x")
        with web_socket(site, browser) as connection:
            proxy.refuse()
            stays_open(connection, 4)
            proxy.listen()
            stays_open(connection, 2)
            # Sockets that go while the store is being asked about them.
            proxy.stalled = True
            for _ in range(3):
                with contextlib.suppress(AssertionError, EOFError, OSError), \
                        web_socket(site, browser):
                    time.sleep(0.5)
            stays_open(connection, 4)
            proxy.stalled = False
            stays_open(connection, 3)
            assert reasons(site) == []
            redis.do("FLUSHALL")
            assert closed_within(connection, 8)
            assert reasons(site) == ["ended"]
        challenge(site, browser.get("/x"))
