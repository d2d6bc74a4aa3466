# SPDX-License-Identifier: Apache-2.0
"""A response of the provider in the URL of a callback: in no log, whoever ends the request, and when."""

import secrets
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.redis_server import Proxy, RedisServer, find
from harness.site import Site

CODE = "CODE-that-nobody-may-read"
STATE = "ngxoidc1.STATE-that-nobody-may-read"
CALLBACK = "/oidc_callback"
ASKED = f"{CALLBACK}?code={CODE}&keep=this&state={STATE}"

HTTP = """
    limit_req_zone $server_name zone=rate:1m rate=1r/m;
    limit_conn_zone $server_name zone=open:1m;
    log_format wide '$request|$request_uri|$args|$query_string|$is_args|$arg_code|$arg_state|$uri';
    access_log logs/wide.log wide;
"""
LOCATIONS = """
    location = /one/oidc_callback { limit_req zone=rate; }
    location = /many/oidc_callback { limit_conn open 1; }
    location /hold/ { auth_oidc off; limit_conn open 1; proxy_pass http://@BACKEND@; }
    location = /denied/oidc_callback { deny all; }
    location = /basic/oidc_callback { auth_basic x; auth_basic_user_file @FOLDER@/none; }
    location = /except/oidc_callback { limit_except POST { deny all; } }
    location = /if/oidc_callback { if ($http_x_test_id) { return 403; } }
    location = /small/oidc_callback { client_max_body_size 1; proxy_pass http://@BACKEND@; }
"""
PLACES = ("one", "many", "denied", "basic", "except", "if", "small")


def written(site):
    """Everything that nginx has logged."""
    return "".join(p.read_text("utf-8", "replace") for p in (site.folder / "logs").glob("*.log"))


def unseen(site, *hidden):
    text = written(site)
    for secret in hidden or (CODE, STATE):
        assert secret not in text, [li for li in text.splitlines() if secret in li]
    return text


@pytest.fixture(scope="module")
def site(lab):
    providers = {"idp": (Idp(lab.keys), {})}
    idp = providers["idp"][0]
    for name in PLACES:
        providers[name] = (idp, {"redirect_uri": f"/{name}/oidc_callback"})
    providers["forward"] = (idp, {"redirect_uri": "/app/callback", "callback": "forward"})
    names = "".join(f"location /{n}/ {{ auth_oidc {n}; proxy_pass http://@BACKEND@; }}\n"
                    for n in PLACES)
    forward = "location /app/ { auth_oidc forward; proxy_pass http://@BACKEND@; }\n"
    try:
        with Site(lab, providers=providers, http=HTTP, control=False,
                  locations=names + forward + LOCATIONS, public=("/public/", "/hold/"),
                  own_paths=(CALLBACK, "/app/callback", *(f"/{n}{CALLBACK}" for n in PLACES))) as site:
            yield site
    finally:
        idp.stop()


def at(name):
    return f"/{name}{ASKED}"


def twice(site, browser):
    browser.get(at("one"))
    return browser.get(at("one"))


def crowded(site, browser):
    with site.connect() as busy:
        busy.send(f"POST /hold/x HTTP/1.1\r\nHost: {site.authority()}\r\nContent-Length: 9\r\n\r\n")
        return site.wait(lambda: (a := browser.get(at("many"))).status == 503 and a, "the limit")


ENDS = {
    "limit-req": (503, twice), "limit-conn": (503, crowded),
    "deny": (403, lambda s, b: b.get(at("denied"))),
    "password": (401, lambda s, b: b.get(at("basic"))),
    "limit-except": (403, lambda s, b: b.get(at("except"))),
    "return": (403, lambda s, b: b.get(at("if"))),
    "body": (413, lambda s, b: b.request("POST", at("small"), headers={"Content-Length": "99"}, body=b"")),
    "unknown": (400, lambda s, b: b.get(ASKED)),
    "put": (405, lambda s, b: b.request("PUT", ASKED)),
    "twice": (400, lambda s, b: b.get(f"{ASKED}&code={CODE}2")),
    "bad-escape": (400, lambda s, b: b.get(f"{CALLBACK}?code={CODE}%zz&state={STATE}")),
    "encoded-name": (400, lambda s, b: b.get(f"{CALLBACK}?c%6fde={CODE}&st%61te={STATE}")),
    "no-state": (400, lambda s, b: b.get(f"{CALLBACK}?code={CODE}")),
    "foreign-state": (400, lambda s, b: b.get(f"{CALLBACK}?code={CODE}&state=theirs")),
    "encoded-path": (400, lambda s, b: b.get(f"/oidc%5fcallback?code={CODE}&state={STATE}")),
    "dotted-path": (400, lambda s, b: b.get(f"/x/..{ASKED}")),
    "forward": (400, lambda s, b: b.get(f"/app/callback?code={CODE}&state={STATE}")),
    "forward-twice": (400, lambda s, b: b.get(f"/app/callback?code={CODE}&code=2&state={STATE}")),
    "xhr": (400, lambda s, b: b.get(ASKED, kind="xhr")),
}


@pytest.mark.parametrize("name", rows("S-06", {k: k for k in ENDS}))
def test_whoever_ends_the_request(site, name):
    status, ask = ENDS[name]
    answer = ask(site, site.browser())
    assert answer.status == status and not answer.from_backend, answer
    assert unseen(site)
    if name == "deny":
        site.wait(lambda: "access forbidden by rule" in site.log_since_mark(), "nginx's own line")


@case("S-06")
def test_what_is_not_ours_stays(site):
    """Other arguments, other paths, and the response that another application has asked for."""
    site.state.check_hits = False  # that one goes on without identity
    browser = site.browser()
    browser.get(ASKED)
    assert f"{CALLBACK}?keep=this HTTP/1.1|" in written(site)
    browser.login("/app/x")
    hit = browser.get("/app/callback?code=theirs&state=theirs")
    assert hit.from_backend and site.backend.last.target == "/app/callback?code=theirs&state=theirs"
    assert browser.get("/app/other?code=mine&state=mine").from_backend
    assert site.backend.last.target == "/app/other?code=mine&state=mine"


@case("S-06")
@pytest.mark.skipif(find() is None, reason="redis-server is not installed")
def test_while_the_store_is_waited_for_and_when_it_is_down(lab):
    with RedisServer(lab.folder) as redis, Proxy(redis.socket) as proxy:
        key = lab.folder / "key-of-code-in-logs"
        key.write_text(secrets.token_hex(32) + "\n")
        key.chmod(0o600)
        store = (f"    oidc_session_store shared {{ type redis; server 127.0.0.1:{proxy.port}; key_file {key}; "
                 "timeout 5s; local_copy 0; prefix codes:; }\n")
        with Site(lab, http=store, directives={"session_store": "shared"}, control=False,
                  workers=1) as site:
            browser = site.browser()
            browser.login("/x")
            cookie = f"{site.session_cookie_name}={browser.session_cookie}"
            proxy.stalled = True
            with site.connect() as gone:
                gone.send(f"GET {ASKED} HTTP/1.1\r\nHost: {site.authority()}\r\nX-Test-Id: gone\r\n"
                          f"Cookie: {cookie}\r\n\r\n")
                time.sleep(0.2 * SLOW)
                gone.rst()
            site.wait(lambda: '" 499 ' in site.nginx.access(), "who has gone")
            proxy.stalled = False
            unseen(site)
            proxy.refuse()
            # A login that the provider has finished, in a browser with a session.
            answer = browser.get(ASKED)
            assert answer.status == 503, answer
            text = unseen(site)
            assert "store_unavailable" in text and f"GET {CALLBACK}?keep=this HTTP/1.1" in text
            proxy.listen()


@case("S-06")
def test_a_login_that_ends_well(site):
    browser = site.browser()
    url = browser.callback_url(browser.start("/x"))
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    assert browser.callback(url).status == 303
    unseen(site, query["code"][0], query["state"][0])
