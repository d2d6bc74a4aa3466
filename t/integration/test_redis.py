# SPDX-License-Identifier: Apache-2.0
"""type redis of oidc_session_store: life of sessions, several nodes, outages (C-11, C-22, C-23,
T-22, L-25, G-13)."""

import concurrent.futures
import os
import pathlib
import re
import signal
import time

import pytest

from harness import forge
from harness.cases import case
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, reject
from harness.redis_server import FakeRedis, Proxy, RedisServer, find
from harness.site import Site

pytestmark = pytest.mark.skipif(find() is None, reason="redis-server is not installed")

COOKIE = "__Host-NGX_OIDC_SESSION"
OPERATIONS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
OWN = ("/oidc_callback", "/oidc/backchannel", "/logout")
DIRECTIVES = {"session_store": "shared", "logout_uri": "/logout",
              "backchannel_logout_uri": "/oidc/backchannel"}
# Passes of the log in outages.
DOWN = r'redis server "[^"]+" is unavailable: '


def key_file(lab, *names):
    """A file with the keys of these names, the first one seals."""
    path = lab.folder / ("ring-" + "-".join(names))
    path.write_text("".join(name.encode().hex().ljust(62, "0") + "1f\n" for name in names))
    path.chmod(0o600)
    return path


def store(lab, server, *lines, keys=("one",), name="shared", **values):
    """The oidc_session_store block."""
    values = {"key_file": key_file(lab, *keys), "local_copy": "1s", **values}
    if isinstance(server, RedisServer):
        server = f"127.0.0.1:{server.port}"
    body = [f"{k} {v};" for k, v in values.items() if v is not None] + list(lines)
    return (f"    oidc_session_store {name} {{ type redis; server {server}; "
            + " ".join(body) + " }\n")


@pytest.fixture(scope="module")
def redis(lab):
    with RedisServer(lab.folder) as server:
        yield server


@pytest.fixture(scope="module")
def site(lab, redis):
    with Site(lab, http=store(lab, redis), directives=DIRECTIVES, own_paths=OWN) as site:
        yield site


@pytest.fixture
def node(lab):
    """Sites that share one provider (and so the client)."""
    made = []

    def make(http, directives=None, **arguments):
        if not made:
            make.idp = Idp(lab.keys)
        # Without an origin of its own (with its port) a node binds sessions to its server_name.
        arguments = {"base_url": None, "control": False, **arguments}
        site = Site(lab, idp=make.idp, http=http, directives=None, own_paths=OWN,
                    **{**arguments, "providers": {"idp": (make.idp, {**DIRECTIVES,
                                                                    **(directives or {})})}})
        if made:
            site.state.sessions = made[0].state.sessions
        made.append(site)
        return site
    yield make
    problems = []
    for made_site in reversed(made):
        try:
            made_site.stop()
        except AssertionError as e:
            problems.append(str(e))
    if made:
        make.idp.stop()
    assert not problems, "\n".join(problems)


def ask(site, cookie, target="/x"):
    """A request of a session on a connection of its own."""
    browser = site.browser()
    try:
        return browser.get(target, headers={"Cookie": f"{COOKIE}={cookie}"})
    finally:
        browser.close()


def everywhere(site, cookie, times=6):
    """The statuses of requests over several connections, and so over all workers."""
    return {ask(site, cookie).status for _ in range(times)}


# ---- life ------------------------------------------------------------------------------------

@case("C-11", "C-12")
def test_login_and_logout(site, redis):
    browser = site.browser()
    passes(site, browser.login("/x"), remote_user="jdoe")
    cookie = browser.session_cookie
    assert everywhere(site, cookie) == {200}
    before = redis.keys("oidc:s:*")
    browser.get("/logout")
    assert len(redis.keys("oidc:s:*")) == len(before) - 1
    # On the same node at once.
    for _ in range(6):
        challenge(site, ask(site, cookie))


@case("C-11")
def test_nothing_recognisable_in_redis(site, redis):
    user = {"sub": "u-canary-sub", "preferred_username": "canary-user",
            "email": "canary@example.org", "name": "Canary Person", "groups": ["canary-group"]}
    with site.signed_in(**user) as browser:
        cookie = browser.session_cookie
        assert len(cookie) == 43
        dump = redis.dump()
        text = b"\n".join(
            key + b" " + (value if isinstance(value, bytes) else b" ".join(value))
            for key, value in dump.items())
        for word in (cookie, "canary", "jdoe", site.idp.client_secret, site.idp.issuer, "idp",
                     forge.b64u_decode(cookie)):
            assert (word if isinstance(word, bytes) else word.encode()) not in text, word
        for key in dump:
            assert re.fullmatch(rb"oidc:(s|u|l):[A-Za-z0-9_-]{43}|oidc:o:(sid|sub):[0-9a-f]{16}",
                                key), key
            assert redis.do("PTTL", key) > 0, key


@case("C-13")
def test_idle_timeout(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="idle:"), own_paths=OWN, control=False,
                     directives={**DIRECTIVES, "session_idle_timeout": "4s"})
    browser = site.browser()
    browser.login("/x")
    (key,) = redis.keys("idle:s:*")
    writes = redis.commands("pexpire")
    end = time.monotonic() + 8
    while time.monotonic() < end:
        passes(site, browser.get("/x"), remote_user="jdoe")
        time.sleep(0.1)
    # Bounded: at most one in local_copy on this node, whatever the number of requests.
    assert 3 <= redis.commands("pexpire") - writes <= 12
    assert 0 < redis.do("PTTL", key) <= 4000
    time.sleep(5.2)
    challenge(site, ask(site, browser.session_cookie))
    assert redis.keys("idle:s:*") == []


@case("C-14")
def test_absolute_end(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="abs:"), own_paths=OWN, control=False,
                     directives={**DIRECTIVES, "session_timeout": "4s"})
    browser = site.browser()
    browser.login("/x")
    (key,) = redis.keys("abs:s:*")
    assert 0 < redis.do("PTTL", key) <= 4000
    time.sleep(2)
    passes(site, browser.get("/x"), remote_user="jdoe")
    # Whatever Redis believes, the record knows its end.
    redis.do("PERSIST", key)
    time.sleep(3)
    challenge(site, ask(site, browser.session_cookie))


@case("C-12")
def test_local_copy_zero_asks_every_time(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="zero:", local_copy="0"), own_paths=OWN,
                     directives=DIRECTIVES, control=False)
    browser = site.browser()
    browser.login("/x")
    before = redis.commands("getex")
    for _ in range(5):
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert redis.commands("getex") - before == 5
    (key,) = redis.keys("zero:s:*")
    redis.do("DEL", key)
    challenge(site, browser.get("/x"))


def test_the_hot_path_rarely_asks(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="hot:", local_copy="2s"), own_paths=OWN,
                     directives=DIRECTIVES, control=False)
    browser = site.browser()
    browser.login("/x")
    before = redis.commands("getex")
    end = time.monotonic() + 3
    count = 0
    while time.monotonic() < end:
        passes(site, browser.get("/x"), remote_user="jdoe")
        count += 1
    assert count > 50 and redis.commands("getex") - before <= 3


# ---- several nodes ---------------------------------------------------------------------------

@case("E-17")
def test_forged_cookies_never_reach_redis(site, redis):
    """What cannot be a session id is not looked up."""
    before = redis.commands("getex")
    for value in ("", "A", "A" * 42, "A" * 44, "A" * 4000, "../../x", "%00", "*" * 42):
        for _ in range(5):
            challenge(site, site.browser().get("/x", headers={"Cookie": f"{COOKIE}={value}"}))
    assert redis.commands("getex") == before


@case("C-22")
def test_two_nodes(node, lab, redis):
    text = store(lab, redis, prefix="two:")
    one, two = node(text), node(text)
    browser = one.browser()
    browser.try_login("/x")
    cookie = browser.session_cookie
    assert cookie
    assert everywhere(two, cookie) == {200} and everywhere(one, cookie) == {200}
    browser.get("/logout")
    assert 200 not in everywhere(one, cookie)
    # The delay that local_copy documents.
    time.sleep(1.1)
    assert 200 not in everywhere(two, cookie)


@case("T-22")
def test_one_refresh_over_two_nodes(node, lab, redis):
    text = store(lab, redis, prefix="refresh:")
    directives = {"session_refresh": "on before=60s"}
    one, two = node(text, directives), node(text, directives)
    idp = one.idp
    idp.refresh_tokens, idp.rotate = True, True
    idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = one.browser()
    browser.try_login("/x")
    cookie = browser.session_cookie
    assert cookie and idp.refreshes == []
    time.sleep(6)
    idp.token_body = lambda body: {**body, "expires_in": 3600}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: ask((one, two)[i % 2], cookie).status, range(50)))
    assert set(answers) == {200}
    one.wait(lambda: idp.refreshes, "a refresh")
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert ask(one, cookie).status == 200 and ask(two, cookie).status == 200
        time.sleep(0.05)
    assert len(idp.refreshes) == 1, idp.refreshes


@case("L-25")
def test_back_channel_logout_over_two_nodes(node, lab, redis):
    text = store(lab, redis, prefix="bcl:")
    one, two = node(text), node(text)
    idp = one.idp
    idp.claims = lambda claims: {**claims, "sid": "sid-" + claims["sub"]}
    cookies = {}
    for site, sub in ((one, "u-a"), (two, "u-a"), (one, "u-b")):
        idp.user = {**idp.user, "sub": sub}
        browser = site.browser()
        browser.try_login("/x")
        cookies.setdefault(sub, []).append(browser.session_cookie)
    assert all(everywhere(two, c, 2) == {200} for list_ in cookies.values() for c in list_)
    token = logout_token(idp, sub="u-a")
    assert send_logout(one, token).status == 200
    time.sleep(1.1)
    for site in (one, two):
        assert all(200 not in everywhere(site, c, 4) for c in cookies["u-a"])
        assert all(everywhere(site, c, 2) == {200} for c in cookies["u-b"])
    # The same token again, at the other node.
    answer = send_logout(two, token)
    assert answer.status == 400
    assert "logout_token_replayed" in two.log_since_mark()


def logout_token(idp, **claims):
    now = int(time.time())
    return forge.logout_token(
        {"alg": "RS256", "kid": idp.keys.rsa.kid, "typ": "logout+jwt"},
        {"iss": idp.issuer, "aud": idp.client_id, "iat": now, "exp": now + 120, **claims},
        idp.keys.rsa)


def send_logout(site, token):
    browser = site.browser()
    try:
        return browser.request(
            "POST", "/oidc/backchannel", kind="none", cookies=False,
            body=f"logout_token={token}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"})
    finally:
        browser.close()


@case("C-22")
def test_session_limit_over_two_nodes(node, lab, redis):
    text = store(lab, redis, prefix="limit:")
    one, two = node(text, {"session_limit": "2"}), node(text, {"session_limit": "2"})
    cookies = []
    for site in (one, two, one, two):
        browser = site.browser()
        browser.try_login("/x")
        cookies.append(browser.session_cookie)
        time.sleep(1.1)  # creation counts in seconds
    alive = [everywhere(one, c, 3) == {200} and everywhere(two, c, 3) == {200} for c in cookies]
    assert alive == [False, False, True, True]
    assert len(redis.keys("limit:s:*")) == 2
    (index,) = redis.keys("limit:o:sub:*")
    assert redis.do("ZCARD", index) == 2


@case("L-33")
def test_a_login_below_the_limit_is_one_transaction(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="few:"), directives=DIRECTIVES, own_paths=OWN,
                     control=False)
    for _ in range(2):  # the second session of the user as well
        redis.do("CONFIG", "RESETSTAT")
        browser = site.browser()
        browser.login("/x")
        stats = redis.do("INFO", "commandstats").decode()
        assert "cmdstat_multi:calls=1," in stats and "cmdstat_set:calls=1," in stats, stats
        assert "cmdstat_exists" not in stats and "cmdstat_del" not in stats, stats


# ---- what is in Redis is not trusted ---------------------------------------------------------

def flip(value, at):
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]


@pytest.mark.parametrize("local_copy", ["1s", "0"])
@case("A-54", "C-23")
def test_a_group_asks_once(make_site, lab, redis, local_copy):
    """All its providers look for the session, and one question answers them."""
    prefix = f"group{local_copy}:"
    idps = {name: Idp(lab.keys, client_id=f"client-{name}") for name in ("one", "two", "three")}
    site = make_site(providers={name: (idp, {"session_store": "shared", "redirect_uri": f"/cb-{name}"})
                                for name, idp in idps.items()},
                     http=store(lab, redis, prefix=prefix, local_copy=local_copy)
                     + "oidc_provider_group all { provider one; provider two; provider three; default two; }\n",
                     auth="auth_oidc all;", own_paths=[f"/cb-{name}" for name in idps], control=False)
    site.state.check_hits = False  # there is a header more than elsewhere
    browser = site.browser()
    browser.login("/x", idp=idps["two"])
    time.sleep(1.1)  # no copy is left
    before = redis.commands("getex")
    passes(site, browser.get("/x"), remote_provider="two")
    assert redis.commands("getex") - before == 1
    (key,) = redis.keys(f"{prefix}s:*")
    redis.do("SET", key, flip(redis.do("GET", key), 45), "EX", "600")
    time.sleep(1.1)
    assert not browser.get("/x", kind="xhr").from_backend
    assert redis.commands("getex") - before == 2
    assert site.log_since_mark().count("does not open") == 1
    for idp in idps.values():
        idp.stop()


@case("C-23")
def test_changed_values(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="tamper:", local_copy="0"), own_paths=OWN,
                     directives=DIRECTIVES, control=False)
    browsers = {}
    for sub in ("u-a", "u-b"):
        site.idp.user = {**site.idp.user, "sub": sub, "preferred_username": sub}
        known = set(redis.keys("tamper:s:*"))
        browser = site.browser()
        browser.login("/x")
        (key,) = set(redis.keys("tamper:s:*")) - known
        browsers[sub] = (browser, key, redis.do("GET", key))
    browser, key, value = browsers["u-a"]
    other = browsers["u-b"][2]

    def put(data):
        redis.do("SET", key, data, "EX", "600")
    bad = [flip(value, at) for at in (0, 1, 20, 33, 34, 45, 46, len(value) // 2, len(value) - 1)]
    bad += [value[:n] for n in (0, 1, 32, 33, 34, 61, 62, len(value) - 1)]
    bad += [value + b"\0", other, value[:33] + other[33:], b"\r\n$1\r\n", b"%s%n", b"\0" * 300,
            b"x" * 300_000]
    for data in bad:
        put(data)
        challenge(site, browser.get("/x"))
    for kind in (("LPUSH", key, "x"), ("HSET", key, "a", "b")):
        redis.do("DEL", key)
        redis.do(*kind)
        answer = browser.get("/x")  # Redis itself refuses: not to be told from an outage
        assert answer.status == 503, answer
    redis.do("DEL", key)
    put(value)
    passes(site, browser.get("/x"), remote_user="u-a")
    passes(site, browsers["u-b"][0].get("/x"), remote_user="u-b")
    assert "does not open" in site.log_since_mark()


@case("C-23")
def test_index_with_foreign_members(make_site, lab, redis):
    """What somebody writes into an owner's index hurts nobody."""
    site = make_site(http=store(lab, redis, prefix="index:"), own_paths=OWN, control=False,
                     directives={**DIRECTIVES, "session_limit": "2"})
    browser = site.browser()
    browser.login("/x")
    (index,) = redis.keys("index:o:sub:*")
    far = str(int(time.time()) + 9999)
    for member in (b"", b"x", b"A" * 43 + b"." + b"A" * 43 + b".", b"." * 120, b"\xff" * 200,
                   b"%s\r\n", b"A" * 43 + b"." + b"A" * 43 + b".12"):
        redis.do("ZADD", index, far, member)
    for _ in range(2):
        again = site.browser()
        again.login("/x")
    assert send_logout(site, logout_token(site.idp, sub=site.idp.user["sub"])).status == 200
    assert redis.keys("index:*") == [k for k in redis.keys("index:*") if b":u:" in k]


@case("C-06")
def test_key_rotation(node, lab, redis):
    def with_keys(*names):
        return store(lab, redis, prefix="ring:", local_copy="0", keys=names)
    site = node(with_keys("one"))
    browser = site.browser()
    browser.try_login("/x")
    cookie = browser.session_cookie
    site.reload(http=with_keys("two", "one"))
    assert everywhere(site, cookie) == {200}
    fresh = site.browser()
    fresh.try_login("/x")
    site.reload(http=with_keys("two"))
    assert 200 not in everywhere(site, cookie)
    assert everywhere(site, fresh.session_cookie) == {200}


HOSTILE = {
    "not-the-protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "huge-array": b"*2147483647\r\n", "many-elements": b"*1000000\r\n",
    "huge-string": b"$999999999\r\n" + b"x" * 65536, "negative": b"$-5\r\n" * 2,
    "deep": b"*1\r\n" * 20, "unasked": b"$-1\r\n:-2\r\n" * 100, "closed": None,
    "array-for-string": b"*1\r\n$1\r\nx\r\n*0\r\n", "nested-error": b"*1\r\n-ERR x\r\n" * 2,
    "no-number": b"$abc\r\n", "empty-error": b"-\r\n" * 2, "binary": bytes(range(256)) * 40,
}


@case("C-23", "F-13")
def test_hostile_server(make_site, lab):
    """Whatever speaks instead of Redis: nobody gets in, and no worker dies."""
    with FakeRedis() as fake:
        site = make_site(http=store(lab, fake.address, local_copy="0"), directives=DIRECTIVES,
                         own_paths=OWN, control=False)
        site.wait(lambda: site.browser().get("/x", headers={"Cookie": f"{COOKIE}={'A' * 43}"})
                  is not None, "an answer")
        for name, answer in HOSTILE.items():
            fake.answer = answer
            for _ in range(3):
                reply = ask(site, "A" * 43)
                assert not reply.from_backend, name
                assert reply.status in (302, 503), (name, reply)
                reply = site.browser().try_login("/x")
                assert not reply.from_backend and reply.status >= 400, (name, reply)
        assert site.hits() == []


# ---- ways to Redis ---------------------------------------------------------------------------

def works(site):
    browser = site.browser()
    passes(site, browser.login("/x"), remote_user="jdoe")
    assert everywhere(site, browser.session_cookie) == {200}
    return browser


def test_unix_socket_and_database(make_site, lab):
    with RedisServer(lab.folder) as redis:
        site = make_site(http=store(lab, f"unix:{redis.socket}", database="3"),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        works(site)
        with redis.client() as client:
            assert client.do("DBSIZE") == 0
            client.do("SELECT", "3")
            assert client.do("DBSIZE") > 0
        assert b"nginx-oidc" in redis.do("CLIENT", "LIST")


def secret(lab, name, text):
    path = lab.folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def test_tls_and_acl_user(make_site, lab):
    """The rights that docs/operations.md names are enough."""
    rights = re.search(r"`(~oidc:\* -@all [^`]+)`", OPERATIONS.read_text()).group(1)
    acl = f"user oidc on >pass-w0rd-of-oidc resetchannels {rights}"
    with RedisServer(lab.folder, leaf=lab.pki.idp,
                     options=[acl, "requirepass of-the-default-user"]) as redis:
        text = store(lab, f"localhost:{redis.port}", ssl="on", username="oidc",
                     password_file=secret(lab, "redis-pass", "pass-w0rd-of-oidc"),
                     ssl_trusted_certificate=lab.pki.ca.file, local_copy="0")
        site = make_site(http=text, directives={**DIRECTIVES, "session_limit": "3"},
                         own_paths=OWN, control=False)
        browser = works(site)
        browser.get("/logout")
        assert send_logout(site, logout_token(site.idp, sub="u-1001")).status == 200
        assert "refused" not in site.log_since_mark()
        assert "pass-w0rd" not in site.nginx.log()


@pytest.mark.parametrize("leaf, server, problem", [
    pytest.param("unknown-ca", "localhost", "is not trusted", id="unknown-ca"),
    pytest.param("expired", "localhost", "is not trusted", id="expired"),
    pytest.param("other-host", "localhost", "for another host", id="other-host"),
    pytest.param("other-ip", "127.0.0.1", "for another host", id="other-ip"),
])
def test_bad_certificates(make_site, lab, leaf, server, problem):
    with RedisServer(lab.folder, leaf=lab.pki.bad[leaf]) as redis:
        site = make_site(http=store(lab, f"{server}:{redis.port}", ssl="on",
                                    ssl_trusted_certificate=lab.pki.ca.file),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        refused_login(site)
        assert problem in site.nginx.log()
        assert redis.keys() == []


def test_address_in_the_certificate(make_site, lab):
    with RedisServer(lab.folder, leaf=lab.pki.idp) as redis:
        works(make_site(http=store(lab, redis, ssl="on", ssl_trusted_certificate=lab.pki.ca.file),
                        directives=DIRECTIVES, own_paths=OWN, control=False))


def test_tls_over_a_unix_socket_needs_a_name(make_site, lab):
    site = make_site(http=store(lab, "unix:/nowhere/redis.sock", ssl="on"), directives=DIRECTIVES,
                     own_paths=OWN, control=False, start=False)
    code, output = site.nginx.test()
    assert code != 0 and '"ssl" with "unix:/nowhere/redis.sock" needs an "ssl_name"' in output


def refused_login(site):
    """A login that ends with a 503 page, without a session."""
    site.again()
    browser = site.browser()
    reject(site, browser.try_login("/x"), "store_unavailable", 503)
    assert browser.session_cookie is None


def test_wrong_password(make_site, lab):
    with RedisServer(lab.folder, options=["requirepass right-one"]) as redis:
        site = make_site(http=store(lab, redis,
                                    password_file=secret(lab, "wrong", "wr0ng-passw0rd")),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        refused_login(site)
        log = site.nginx.log()
        assert re.search(DOWN + "AUTH was refused: WRONGPASS, check username and password_file",
                         log), log
        assert "wr0ng-passw0rd" not in log


def test_missing_password(make_site, lab):
    with RedisServer(lab.folder, options=["requirepass right-one"]) as redis:
        site = make_site(http=store(lab, redis), directives=DIRECTIVES, own_paths=OWN,
                         control=False)
        refused_login(site)
        assert re.search(DOWN + "[A-Z]+ was refused: NOAUTH", site.nginx.log()), site.nginx.log()


def test_no_memory(make_site, lab):
    """A full Redis refuses the login and ends no session of anybody."""
    with RedisServer(lab.folder, options=["maxmemory-policy noeviction"]) as redis:
        site = make_site(http=store(lab, redis), directives=DIRECTIVES, own_paths=OWN,
                         control=False)
        browser = site.browser()
        tabs = [browser.callback_url(browser.start(target)) for target in ("/a", "/b")]
        browser.callback(tabs[0])
        assert browser.session_cookie
        redis.do("CONFIG", "SET", "maxmemory", "1")
        keys = redis.keys("oidc:s:*")
        answer = browser.callback(tabs[1])  # would take the place of the first
        assert answer.status != 200 and not answer.from_backend, answer
        assert [code for _, code, _ in site.refusals()] == ["store_full"]
        redis.do("CONFIG", "SET", "maxmemory", "0")
        assert redis.keys("oidc:s:*") == keys
        time.sleep(1.1)
        passes(site, browser.get("/x"), remote_user="jdoe")


# ---- outages ---------------------------------------------------------------------------------

def kept(answer):
    """A 503 that keeps the cookie and sends nobody anywhere."""
    assert answer.status == 503 and answer.location is None, answer
    assert answer.set_cookies() == [], answer
    assert not answer.from_backend


def recovers(site, cookie, within=2.0):
    begin = time.monotonic()
    while True:
        answers = [ask(site, cookie) for _ in range(4)]
        if all(a.status == 200 for a in answers):
            took = time.monotonic() - begin
            assert took <= within * SLOW, f"recovery took {took:.2f} s"
            return
        for answer in answers:
            assert answer.status == 200 or answer.status == 503, answer
        assert time.monotonic() - begin < 10 * SLOW, answers
        time.sleep(0.02)


@case("G-13")
def test_unreachable_at_start(make_site, lab):
    redis = RedisServer(lab.folder, start=False)
    site = make_site(http=store(lab, redis), directives=DIRECTIVES, own_paths=OWN, control=False)
    refused_login(site)
    site.wait(lambda: re.search(DOWN + r"connect\(\) failed", site.nginx.log()), "a log line")
    kept(ask(site, "A" * 43))
    # Without a session cookie nothing is asked.
    challenge(site, site.browser().get("/x"))
    with redis.start():
        recovers_login(site)


def recovers_login(site, within=2.0):
    begin = time.monotonic()
    while True:
        browser = site.browser()
        answer = browser.try_login("/x")
        if answer.status != 503:
            break
        assert time.monotonic() - begin < within * SLOW + 1, answer
        time.sleep(0.05)
    assert browser.session_cookie
    assert everywhere(site, browser.session_cookie) == {200}


@case("G-13")
def test_stopped_and_started(make_site, lab):
    redis = RedisServer(lab.folder)
    try:
        site = make_site(http=store(lab, redis, prefix="o:"), directives=DIRECTIVES,
                         own_paths=OWN, control=False)
        browser = works(site)
        cookie = browser.session_cookie
        dump = redis.dump()
        redis.stop()
        time.sleep(1.1)  # the local copies go
        for _ in range(20):
            kept(ask(site, cookie))
        begin = time.monotonic()
        kept(ask(site, cookie))
        assert time.monotonic() - begin < 0.2 * SLOW
        refused_login(site)
        leave = browser.get("/logout")
        assert leave.status == 503 and leave.set_cookies() == [], leave
        assert send_logout(site, logout_token(site.idp, sub="u-1001")).status == 503
        time.sleep(2)
        redis.start()
        with redis.client() as client:
            for key, value in dump.items():
                if isinstance(value, bytes):
                    client.do("SET", key, value, "EX", "600")
        recovers(site, cookie)
        log = site.log_since_mark()
        assert re.search(DOWN, log) and "is available again" in log
        # An outage is told once for each worker, not once for each request.
        assert len(re.findall(r"\[error\].*" + DOWN, log)) <= 2 * site.nginx.workers + 2
    finally:
        redis.stop()


@case("G-13")
def test_killed_connections(make_site, lab, redis):
    """A connection that Redis has closed costs no request."""
    site = make_site(http=store(lab, redis, prefix="kill:", local_copy="0"),
                     directives=DIRECTIVES, own_paths=OWN, control=False)
    browser = works(site)
    for _ in range(20):
        redis.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert ask(site, browser.session_cookie).status == 200


@case("G-13", "F-14")
def test_slow_redis(make_site, lab, redis):
    """Who waits for Redis gets a 503 in time; nobody else waits."""
    with Proxy(redis.socket) as proxy:
        site = make_site(http=store(lab, f"127.0.0.1:{proxy.port}", prefix="slow:",
                                    timeout="500ms", local_copy="0"),
                         directives=DIRECTIVES, own_paths=OWN, control=False, workers=1)
        browser = works(site)
        cookie = browser.session_cookie
        proxy.delay = 0.1
        assert ask(site, cookie).status == 200
        proxy.stalled = True
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            begin = time.monotonic()
            waiting = [pool.submit(ask, site, cookie) for _ in range(8)]
            for _ in range(10):
                one = time.monotonic()
                assert site.browser().get("/public/x").from_backend
                assert time.monotonic() - one < 0.3 * SLOW
            for answer in waiting:
                kept(answer.result())
            assert time.monotonic() - begin < 1.5 * SLOW
        proxy.delay, proxy.stalled = 0, False
        recovers(site, cookie)
        assert "no answer in time" in site.log_since_mark()


@case("L-56")
def test_an_event_while_redis_fails(make_site, lab, redis, tmp_path):
    """Redis goes away between the look at the token and the end of the sessions: the next attempt ends them."""
    bearer = tmp_path / "bearer"
    bearer.write_text("push-7yGkFz0oXsB3qWc1\n")
    bearer.chmod(0o600)
    path = "/oidc/signals"
    with Proxy(redis.socket) as proxy:
        site = make_site(http=store(lab, f"127.0.0.1:{proxy.port}", prefix="signals:", timeout="500ms", local_copy="0"),
                         directives={**DIRECTIVES, "shared_signals_uri": path, "shared_signals_token_file": str(bearer)},
                         own_paths=(*OWN, path), control=False, workers=1)
        cookie = works(site).session_cookie
        looked, cut = [], []

        def ends(said):
            if b"signals:u:" in said:
                looked.append(said)
            elif looked and not cut and b"signals:" in said:
                cut.append(said)
                return True
            return False
        proxy.ends = ends
        token = site.idp.security_event("caep/event-type/session-revoked")

        def deliver():
            return site.browser().request("POST", path, kind="none", cookies=False, body=token.encode(), headers={
                "Content-Type": "application/secevent+jwt", "Authorization": f"Bearer {bearer.read_text().strip()}"})
        # A question that may be asked twice is asked again on another connection: cut until it is given up.
        proxy.ends = lambda said: ends(said) or bool(cut)
        answer = deliver()
        assert answer.status == 503 and cut, answer
        proxy.ends = None
        recovers(site, cookie)
        assert deliver().status == 202
        challenge(site, ask(site, cookie))


@case("G-13")
def test_clients_that_leave_while_waiting(make_site, lab, redis):
    with Proxy(redis.socket) as proxy:
        site = make_site(http=store(lab, f"127.0.0.1:{proxy.port}", prefix="leave:",
                                    timeout="5s", local_copy="1s"),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        browser = works(site)
        cookie = browser.session_cookie
        time.sleep(1.1)
        proxy.stalled = True
        request = (f"GET /x HTTP/1.1\r\nHost: {site.authority()}\r\nX-Test-Id: gone\r\n"
                   f"Cookie: {COOKIE}={cookie}\r\n\r\n")
        for _ in range(40):
            connection = site.connect()
            connection.send(request)
            time.sleep(0.005)
            connection.rst()
        waiting = site.connect()
        waiting.send(request)
        time.sleep(0.1)
        proxy.stalled = False
        assert waiting.read_response().status == 200
        waiting.close()
        site.state.check_hits = False  # the raw request is not known to the checks
        recovers(site, cookie)


@case("F-01", "G-13")
def test_reload_while_requests_wait(make_site, lab, redis):
    """A worker that leaves answers first."""
    with Proxy(redis.socket) as proxy:
        site = make_site(http=store(lab, f"127.0.0.1:{proxy.port}", prefix="reload:",
                                    timeout="1500ms", local_copy="0"),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        site.state.check_workers = False
        browser = works(site)
        cookie = browser.session_cookie
        proxy.stalled = True
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(ask, site, cookie) for _ in range(4)]
            time.sleep(0.3)
            site.reload()
            for answer in waiting:
                kept(answer.result())
        proxy.stalled = False
        recovers(site, cookie)


@case("C-17")
def test_large_sessions_over_tls(make_site, lab):
    """Records of many TLS records, several at once over few connections."""
    with RedisServer(lab.folder, leaf=lab.pki.idp) as redis:
        site = make_site(http=store(lab, redis, ssl="on", size="64m", local_copy="0",
                                    timeout="10s", ssl_trusted_certificate=lab.pki.ca.file),
                         directives=DIRECTIVES, own_paths=OWN, control=False, workers=1)
        site.idp.user = {**site.idp.user, "bulk": "b" * 30_000}

        def run(_):
            browser = site.browser()
            answer = browser.try_login("/x")
            assert answer.status in (302, 303), answer
            return browser.session_cookie
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            cookies = list(pool.map(run, range(16)))
            statuses = list(pool.map(lambda c: ask(site, c).status, cookies * 3))
        assert set(statuses) == {200}
        assert min(len(redis.do("GET", k)) for k in redis.keys("oidc:s:*")) > 30_000


@case("G-13", "F-12")
def test_failover(make_site, lab):
    with RedisServer(lab.folder) as first, RedisServer(lab.folder) as second:
        second.do("REPLICAOF", "127.0.0.1", str(first.port))
        wait_for_replica(second)
        site = make_site(http=store(lab, f"127.0.0.1:{first.port} 127.0.0.1:{second.port}"),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        browser = works(site)
        wait_for_offset(first, second)
        first.stop()
        second.do("REPLICAOF", "NO", "ONE")
        time.sleep(1.1)
        recovers(site, browser.session_cookie)
        works(site)


@case("G-13", "F-12")
def test_replica_first(make_site, lab):
    """A server that may not write sends its writers to the next one."""
    with RedisServer(lab.folder) as master, RedisServer(lab.folder) as replica:
        replica.do("REPLICAOF", "127.0.0.1", str(master.port))
        wait_for_replica(replica)
        site = make_site(http=store(lab, f"127.0.0.1:{replica.port} 127.0.0.1:{master.port}"),
                         directives=DIRECTIVES, own_paths=OWN, control=False)
        works(site)
        assert "READONLY" in site.log_since_mark() or "READONLY" in site.nginx.log()
        assert master.keys("oidc:s:*")


def wait_for_replica(replica):
    end = time.monotonic() + 20 * SLOW
    while b"master_link_status:up" not in replica.do("INFO", "replication"):
        assert time.monotonic() < end, "the replica does not follow"
        time.sleep(0.05)


def wait_for_offset(master, replica):
    def offset(server, name):
        return re.search(rb"%s:(\d+)" % name, server.do("INFO", "replication")).group(1)
    end = time.monotonic() + 10 * SLOW
    while offset(master, b"master_repl_offset") != offset(replica, b"slave_repl_offset"):
        assert time.monotonic() < end, "the replica does not catch up"
        time.sleep(0.05)


# ---- processes -------------------------------------------------------------------------------

@case("F-01")
@pytest.mark.kills_workers
def test_sessions_survive_reload_and_killed_workers(make_site, lab, redis):
    site = make_site(http=store(lab, redis, prefix="life:"), directives=DIRECTIVES, own_paths=OWN,
                     control=False)
    site.state.check_workers = False
    site.allow_log(r"exited on signal 9")
    browser = works(site)
    cookie = browser.session_cookie
    browser.close()
    site.reload()
    assert everywhere(site, cookie) == {200}
    before = site.nginx.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    site.wait(lambda: len(site.nginx.worker_pids()) == 2
              and not set(site.nginx.worker_pids()) & set(before), "new workers")
    assert everywhere(site, cookie) == {200}


@case("F-04")
def test_quit_is_prompt(lab, redis):
    """Connections to Redis hold no worker, and none is left open."""
    with Site(lab, http=store(lab, redis, prefix="quit:"), directives=DIRECTIVES, own_paths=OWN,
              control=False) as site:
        works(site)
        assert redis.do("CLIENT", "LIST").count(b"nginx-oidc") >= site.nginx.workers
        site.close_browsers()
        begin = time.monotonic()
    assert time.monotonic() - begin < 2 * SLOW


@case("C-22")
def test_valkey(make_site, lab):
    binary = find("valkey-server")
    if binary is None:
        pytest.skip("valkey-server is not installed")
    with RedisServer(lab.folder, binary=binary) as server:
        works(make_site(http=store(lab, server), directives={**DIRECTIVES, "session_limit": "3"},
                        own_paths=OWN, control=False))
