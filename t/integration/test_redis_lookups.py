# SPDX-License-Identifier: Apache-2.0
"""Looking sessions up in Redis: every request is answered, nothing is asked for without end, and
who leaves takes nothing along (G-13, N-08)."""

import concurrent.futures
import contextlib
import random
import time

import pytest

from harness.backend import Reply
from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge
from harness.redis_server import EmptyRedis, Proxy, find
from harness.site import Site
from test_redis import COOKIE, DIRECTIVES, OWN, ask, kept, redis, store, works  # noqa: F401

pytestmark = pytest.mark.skipif(find() is None, reason="redis-server is not installed")

MAX_COOKIES = 16  # of a request
MAX_LOOKUPS = 4  # kMaxLooks of decide.cpp
ROUNDS = 60
PAGES = {"mirror": "mirror /one/x; mirror /two/x;",
         "addition": "add_before_body /one/x; add_after_body /two/x; addition_types *;",
         "ssi": "ssi on; ssi_types *;"}


def session_ids(count, seed):
    """Values that look like session ids and name nothing."""
    dice = random.Random(seed)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return ["".join(dice.choices(letters, k=42)) + "A" for _ in range(count)]


@contextlib.contextmanager
def two_stores(lab, one, two, **arguments):
    """A site with two providers, each with a Redis store of its own, and public pages with
    subrequests to a location of each."""
    http = (store(lab, one, name="first", prefix="first:")
            + store(lab, two, name="second", prefix="second:")
            + "    map $uri $chosen { default two; }\n")
    locations = "".join(
        f"        location /{name}/ {{ auth_oidc off; {text} proxy_pass http://@BACKEND@; }}\n"
        for name, text in PAGES.items()) + """\
        location /one/ { auth_oidc one; proxy_pass http://@BACKEND@; }
        location /two/ { auth_oidc two; proxy_pass http://@BACKEND@; }
        location /cb1 { auth_oidc $chosen; proxy_pass http://@BACKEND@; }
"""
    with contextlib.ExitStack() as stack:
        first, second = Idp(lab.keys), Idp(lab.keys)
        stack.callback(first.stop)
        stack.callback(second.stop)
        providers = {"one": (first, {"session_store": "first", "redirect_uri": "/cb1",
                                     "callback": "forward"}),
                     "two": (second, {"session_store": "second", "redirect_uri": "/cb2"})}
        site = stack.enter_context(Site(
            lab, providers=providers, http=http, auth="auth_oidc two;", locations=locations,
            public=("/public/", *(f"/{name}/" for name in PAGES)), control=False,
            own_paths=("/cb1", "/cb2"), **arguments))
        site.backend.answers["/ssi/x"] = Reply(
            '<!--#include virtual="/one/x" --><!--#include virtual="/two/x" -->',
            ctype="text/html")
        yield site


def request(site, target, cookies):
    pairs = "; ".join(f"{COOKIE}={value}" for value in cookies)
    return (f"GET {target} HTTP/1.1\r\nHost: {site.authority()}\r\nX-Test-Id: raw\r\n"
            f"Accept: text/html\r\nCookie: {pairs}\r\n\r\n")


@case("N-08")
@pytest.mark.parametrize("page", rows("N-08-two-stores", {name: name for name in PAGES}))
@pytest.mark.parametrize("delay", rows("G-13", {"fast": 0, "slow": 0.03}))
def test_subrequests_in_two_stores(lab, redis, page, delay):  # noqa: F811
    """Half of the clients hang up while the stores are asked. The worker that served them lives."""
    dice = random.Random(f"{page} {delay}")
    with Proxy(redis.socket) as proxy, \
            two_stores(lab, f"127.0.0.1:{proxy.port}", f"127.0.0.1:{proxy.port}",
                       workers=1) as site:
        proxy.delay = delay
        site.state.check_hits = False  # raw requests are not known to the checks
        for number, value in enumerate(session_ids(ROUNDS, page)):
            connection = site.connect()
            connection.send(request(site, f"/{page}/x", [value]))
            if number % 2:
                time.sleep(dice.uniform(0, 2 * delay + 0.005))
                connection.rst()
            else:
                assert connection.read_response().status in (200, 403)
                connection.close()
        time.sleep(0.2)
        assert {hit.path for hit in site.hits()} <= {f"/{page}/x"}


@case("G-13")
def test_many_cookies_and_a_slow_redis(make_site, lab):
    """An answer after the look-ups that the request may cost, also when Redis takes longer for all
    of them than what it says is good for."""
    with EmptyRedis() as server:
        site = make_site(http=store(lab, server.address, timeout="3s"), directives=DIRECTIVES,
                         own_paths=OWN, control=False, workers=1)
        site.state.check_hits = False
        server.delay = 0.7
        connection = site.connect()
        connection.send(request(site, "/x", session_ids(MAX_COOKIES, "slow")))
        answer = connection.read_response()
        connection.close()
        assert answer.status == 302 and "authorize" in answer.location, answer
        assert server.counts["GETEX"] == MAX_LOOKUPS, server.counts


@case("G-13")
def test_endpoint_and_location_in_two_stores(lab):
    """A callback that is judged by two providers asks each store a bounded number of times."""
    with EmptyRedis() as one, EmptyRedis() as two, \
            two_stores(lab, one.address, two.address, workers=1) as site:
        site.state.check_hits = False
        one.delay = two.delay = 0.05
        for cookies in (1, 3):
            before = one.counts["GETEX"] + two.counts["GETEX"]
            connection = site.connect()
            connection.send(request(site, "/cb1", session_ids(cookies, cookies)))
            answer = connection.read_response()
            connection.close()
            assert answer.status < 500 and not answer.from_backend, answer
            asked = one.counts["GETEX"] + two.counts["GETEX"] - before
            assert 1 <= asked <= 2 * cookies, (one.counts, two.counts)


@case("G-13")
def test_one_question_for_all_who_ask_at_once(make_site, lab, redis):  # noqa: F811
    """Requests of one session that come together share the question, and who leaves takes the
    answer from nobody."""
    with Proxy(redis.socket) as proxy:
        site = make_site(http=store(lab, f"127.0.0.1:{proxy.port}", prefix="share:",
                                    local_copy="1s"),
                         directives=DIRECTIVES, own_paths=OWN, control=False, workers=1)
        site.state.check_hits = False
        cookie = works(site).session_cookie
        time.sleep(1.1)  # no local copy is left
        before = redis.commands("getex")
        proxy.stalled = True
        connections = [site.connect() for _ in range(12)]
        for connection in connections:
            connection.send(request(site, "/x", [cookie]))
        time.sleep(0.3)
        for connection in connections[::2]:
            connection.rst()
        time.sleep(0.1)
        proxy.stalled = False
        for connection in connections[1::2]:
            assert connection.read_response().status == 200
            connection.close()
        assert redis.commands("getex") - before == 1


@case("G-13")
def test_all_stores_that_a_page_needs_are_down(lab):
    """Two stores without an answer: the page is answered in time, and neither store is taken for
    one that has no session."""
    with EmptyRedis() as one, EmptyRedis() as two, \
            two_stores(lab, one.address, two.address, workers=1) as site:
        site.state.check_hits = False
        one.delay = two.delay = 5
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            begin = time.monotonic()
            waiting = [pool.submit(ask, site, "A" * 43, target)
                       for target in ("/one/x", "/two/x", "/one/y", "/two/y")]
            for answer in waiting:
                kept(answer.result())
            assert time.monotonic() - begin < 4 * SLOW
        one.delay = two.delay = 0
        site.wait(lambda: ask(site, "A" * 43, "/one/x").status != 503, "the store is back")
        challenge(site, ask(site, "A" * 43, "/one/x"))
        site.wait(lambda: ask(site, "A" * 43, "/two/x").status != 503, "the store is back")
        challenge(site, ask(site, "A" * 43, "/two/x"))
