# SPDX-License-Identifier: Apache-2.0
"""Group C (memory store), and what sessions survive (F-01, F-04, F-15, E-01, E-02)."""

import base64
import concurrent.futures
import ctypes
import random
import re
import time

import pytest

from harness.cases import case, rows
from harness.client import SetCookie
from harness.nginx import SLOW
from harness.outcome import challenge, no_session, passes, reject, sane
from harness.site import Site
from harness.stores import STORE, own_clock, server_side

CONTROL_COOKIE = "__Host-NGX_OIDC_SESSION"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, server="large_client_header_buffers 8 160k;",
              directives={"logout_uri": "/logout"}, own_paths=("/oidc_callback", "/logout"),
              locations="location /old/ { auth_oidc_unauthorized redirect; proxy_pass http://@BACKEND@; }"
              ) as site:
        yield site


def with_cookie(site, cookie, target="/x", **kw):
    browser = site.browser()
    answer = browser.get(target, headers={"Cookie": cookie} if cookie is not None else {}, **kw)
    browser.close()
    return answer


@case("C-01")
def test_every_cookie_has_all_attributes(site):
    """INV-7 compares the whole set; here are the lives, and that deletion names the same cookie."""
    browser = site.browser()
    first = browser.start("/x")
    (pending,) = first.set_cookies()
    assert re.fullmatch(r"__Host-NGX_OIDC_LOGIN_[0-9a-t]", pending.name)
    assert int(pending.attrs["max-age"]) == 600
    answer = browser.callback(browser.callback_url(first))
    by_name = {c.name: c for c in answer.set_cookies()}
    assert set(by_name) == {pending.name, CONTROL_COOKIE}
    assert by_name[pending.name].attrs["max-age"] == "0" and by_name[pending.name].value == ""
    assert int(by_name[CONTROL_COOKIE].attrs["max-age"]) in range(28000, 28801)
    length = "{43}" if STORE != "cookie" else "{300,4000}"
    assert re.fullmatch(rf"[A-Za-z0-9_-]{length}", by_name[CONTROL_COOKIE].value)
    left = browser.get("/logout")
    (gone,) = [c for c in left.set_cookies() if c.name == CONTROL_COOKIE]
    assert gone.deletes and gone.attrs["max-age"] == "0"
    assert browser.session_cookie is None
    # Answers that are no business of ours set nothing.
    with site.signed_in() as signed:
        assert signed.get("/x").set_cookies() == []


@case("C-01")
def test_cookies_over_plain_http(make_site):
    site = make_site(tls=False)
    browser = site.browser()
    page = browser.login("/x")
    assert page.from_backend and browser.session_cookie
    assert "Secure" not in str([c.text for c in page.set_cookies()])


@pytest.mark.parametrize("directives, name, attrs", rows("C-01", {
    "name": ({"cookie_name": "CRM"}, "__Host-CRM", {}),
    "domain": ({"cookie_domain": "app.test"}, "NGX_OIDC_SESSION", {"domain": "app.test"}),
    "path": ({"cookie_path": "/crm/"}, "NGX_OIDC_SESSION", {"path": "/crm/"}),
    "strict": ({"cookie_samesite": "Strict"}, "__Host-NGX_OIDC_SESSION", {"samesite": "Strict"}),
    "none": ({"cookie_samesite": "None"}, "__Host-NGX_OIDC_SESSION", {"samesite": "None"}),
    "prefix": ({"cookie_name": "__Secure-CRM"}, "__Secure-CRM", {}),
}))
def test_cookie_directives(make_site, directives, name, attrs):
    def expected(cookie):
        full = {"path": "/", "httponly": "", "secure": "", "samesite": "Lax"}
        return {**full, **attrs} if cookie.name == name else full
    site = make_site(directives={**directives, "logout_uri": "/crm/logout"}, session_cookie=name,
                     cookie_attrs=expected, control=False, own_paths=("/oidc_callback",))
    browser = site.browser()
    passes(site, browser.login("/crm/x"), remote_user="jdoe")
    left = browser.get("/crm/logout")
    assert any(c.name == name and c.deletes for c in left.set_cookies()), left
    assert browser.session_cookie is None


GARBAGE = {"empty": "", "short": "abc", "long": "A" * 44, "43": "A" * 43, "alphabet": "+" * 43,
           "padding": "A" * 42 + "=", "trailing-bits": "A" * 42 + "B", "nul-escaped": "%00" * 14,
           "high": "\xff" * 43, "json": '{"sub":"admin"}', "jwt": "eyJhbGciOiJub25lIn0.e30.",
           "4k": "A" * 4096, "quoted": '"' + "A" * 43 + '"'}


@pytest.mark.parametrize("value", rows("C-02", GARBAGE))
def test_random_cookies(site, value):
    challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={value}"))
    assert site.hits() == []


@case("C-02")
def test_bearer_alone(site):
    challenge(site, site.browser().get("/x", headers={"Authorization": "Bearer junk"}))


@case("C-03")
def test_truncated_cookie(site):
    with site.signed_in() as browser:
        value = browser.session_cookie
        for length in range(len(value)):
            challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={value[:length]}"))
        for changed in (value[:-1] + ("A" if value[-1] != "A" else "E"), value.swapcase(),
                        value + "A", value[1:] + value[0]):
            challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={changed}"))
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("C-03")
def test_damaged_pending_login(site):
    """Every byte of the sealed cookie counts, and so does every byte of its name."""
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    (cookie,) = first.set_cookies()
    n = 0
    for i in range(0, len(cookie.value), 7):
        letter = "A" if cookie.value[i] != "A" else "B"
        changed = cookie.value[:i] + letter + cookie.value[i + 1:]
        answer = browser.request("GET", target, cookies=False,
                                 headers={"Cookie": f"{cookie.name}={changed}"})
        n += 1
        reject(site, answer, "state_unknown", 400, refusals=n, consumed=False)
    assert site.delta("token") == 0
    answer = browser.request("GET", target, cookies=False,
                             headers={"Cookie": f"{cookie.name}={cookie.value}"})
    assert answer.status in (302, 303), answer


@case("C-05")
def test_sealed_cookie_with_other_lengths(site):
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    (cookie,) = first.set_cookies()
    raw = base64.urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
    for data in (b"", raw[:1], raw[:4], raw[:12], raw[:16], raw * 2, raw[:-16], raw[:-4], raw[:-1], raw + b"\0",
                 raw[1:], bytes(len(raw)), raw[:13] + raw[14:]):
        text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        answer = browser.request("GET", target, cookies=False,
                                 headers={"Cookie": f"{cookie.name}={text}"})
        assert answer.status == 400, (len(data), answer)
    sane(site)


@case("C-07")
def test_nonces_of_sealed_cookies_differ(site):
    seen = set()
    for _ in range(300):
        answer = with_cookie(site, None, "/n")
        (cookie,) = answer.set_cookies()
        raw = base64.urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
        for window in (raw[:12], raw[1:13]):
            assert window not in seen
            seen.add(window)


@server_side
@case("C-11")
def test_session_ids(site):
    """No two alike, every bit used, and none of them in shared memory as it is in the cookie."""
    ids = set()
    for _ in range(60):
        with site.signed_in() as browser:
            ids.add(base64.urlsafe_b64decode(browser.session_cookie + "="))
    assert len(ids) == 60 and all(len(i) == 32 for i in ids)
    for bit in range(256):
        ones = sum(i[bit // 8] >> (bit % 8) & 1 for i in ids)
        assert 5 < ones < 55, bit
    pid = site.nginx.worker_pids()[0]
    sample = list(ids)[:10]
    found = 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            if "rw-s" not in line:
                continue
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            mem.seek(start)
            data = mem.read(end - start)
            assert len(data) == end - start
            found += 1
            for i in sample:
                assert i not in data and base64.urlsafe_b64encode(i).rstrip(b"=") not in data
    assert found, "no shared memory was looked at"


@case("C-11")
def test_new_id_at_every_login(site):
    """Session fixation: a value that the browser brings along never becomes a session."""
    browser = site.browser()
    browser.jar.set(CONTROL_COOKIE, "F" * 43)
    browser.login("/x")
    first = browser.session_cookie
    assert first != "F" * 43
    answer = browser.get("/x")
    assert answer.from_backend
    # A second login of the same browser: another id, the former one is dead.
    fresh = site.browser()
    start = fresh.start("/y")
    fresh.jar.set(CONTROL_COOKIE, first)
    fresh.callback(fresh.callback_url(start))
    assert fresh.session_cookie != first
    challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={first}"))
    challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={'F' * 43}"))


@case("C-28")
def test_login_as_somebody_else(site):
    """A login that began with a session and ends as another user: the former session is over."""
    browser = site.browser()
    start = browser.start("/tab")
    browser.login("/x")
    first = browser.session_cookie
    # The tab that waited signs in as another user.
    site.idp.user = {**site.idp.user, "sub": "u-2", "preferred_username": "other"}
    answer = browser.callback(browser.callback_url(start))
    assert answer.status in (302, 303), answer
    assert browser.session_cookie != first
    passes(site, browser.get("/x"), remote_user="other")


@case("C-12")
def test_cookie_after_logout(site):
    with site.signed_in() as browser:
        value = browser.session_cookie
        passes(site, browser.get("/x"), remote_user="jdoe")
        browser.get("/logout")
        site.state.ended.add(value)
        for _ in range(6):  # whichever worker
            challenge(site, with_cookie(site, f"{CONTROL_COOKIE}={value}"))


def timed(make_site, **directives):
    return make_site(directives=directives, control=False, clock="all")


@own_clock
@case("C-13")
def test_idle_timeout(make_site):
    site = timed(make_site, session_idle_timeout="10m", session_timeout="8h",
                 session_idle_ignore="/poll/ ~^/api/v1/.*Notification")
    browser = site.browser()
    browser.login("/x")
    at = 0
    for _ in range(4):
        at += 9 * 60
        site.set_clock(at)
        passes(site, browser.get("/x"), remote_user="jdoe")
    at += 11 * 60
    site.set_clock(at)
    challenge(site, browser.get("/x"))
    # Requests that do not count.
    browser = site.browser()
    browser.login("/x")
    for path in ("/poll/1", "/api/v1/PopupNotification/action"):
        at += 4 * 60
        site.set_clock(at)
        passes(site, browser.get(path, kind="xhr"), remote_user="jdoe")
    at += 4 * 60
    site.set_clock(at)
    challenge(site, browser.get("/x"))
    site.set_clock(0)


@case("C-14")
def test_absolute_lifetime(make_site):
    site = timed(make_site, session_timeout="1h", session_idle_timeout="30m")
    browser = site.browser()
    browser.login("/x")
    for minute in (20, 40, 59):
        cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"  # as it was last set
        site.set_clock(minute * 60)
        passes(site, browser.get("/x"), remote_user="jdoe")
    cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"
    site.set_clock(61 * 60)
    challenge(site, with_cookie(site, cookie))
    unbound = browser.get("/x", kind="xhr", headers={"Cookie": cookie})
    assert unbound.status == 401
    site.set_clock(0)


@case("F-23")
def test_asleep_for_eight_hours(make_site):
    """The machine stops in the middle of the day and goes on in the evening."""
    site = timed(make_site, session_timeout="8h", userinfo="on")
    asleep, fresh = site.browser(), site.browser()
    asleep.login("/x")
    passes(site, asleep.get("/x"), remote_user="jdoe")
    site.set_clock(9 * 3600)
    # Its connections to the provider have gone, too.
    site.idp.drop_connections()
    challenge(site, asleep.get("/x"))
    fresh.login("/x")
    passes(site, fresh.get("/x"), remote_user="jdoe")
    site.set_clock(0)


@case("C-26")
@pytest.mark.skipif(ctypes.sizeof(ctypes.c_long) == 4, reason="time_t of this system ends in 2038")
def test_beyond_2038(make_site):
    site = timed(make_site)
    for year in (2039, 2107):
        site.set_clock(int((year - 1970) * 365.25 * 86400 - time.time()))
        # For a connection to Redis that was being made, the years were a timeout.
        site.wait(lambda: site.browser().try_login("/x").status == 303, "the store", 20)
        with site.signed_in() as browser:
            passes(site, browser.get("/x"), remote_user="jdoe")
    site.set_clock(0)


@case("F-15")
def test_clock_steps(make_site):
    """The wall clock jumps: nobody becomes immortal, nobody is thrown out within an hour."""
    site = make_site(directives={"session_timeout": "8h"}, control=False, clock="wall")
    browser = site.browser()
    browser.login("/x")
    for step in (3600, -3600, 0):
        site.set_clock(step)
        passes(site, browser.get("/x"), remote_user="jdoe")
        with site.signed_in():
            pass
    site.set_clock(10 * 365 * 86400)
    challenge(site, browser.get("/x"))
    site.set_clock(0)


def two_values(site):
    a, b = site.browser(), site.browser()
    a.login("/x")
    site.idp.user = {**site.idp.user, "sub": "u-b", "preferred_username": "bob"}
    b.login("/x")
    return a.session_cookie, b.session_cookie


@pytest.mark.parametrize("header", rows("C-15", {
    "good-bad": "{n}={a}; {n}=junk", "bad-good": "{n}=junk; {n}={a}",
    "bad-43-good": "{n}=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; {n}={a}",
    "good-good": "{n}={a}; {n}={a}", "many-bad": "{n}=x; " * 30 + "{n}={a}",
}))
def test_same_cookie_twice(site, header):
    with site.signed_in() as browser:
        text = header.replace("{n}", CONTROL_COOKIE).replace("{a}", browser.session_cookie)
        answer = with_cookie(site, text)
        assert answer.status in (200, 302), answer
        if header.startswith("{n}={a}; {n}={a}") or header.startswith("{n}={a}"):
            assert answer.from_backend
        if answer.from_backend:
            passes(site, answer, remote_user="jdoe")
            assert site.backend.last.header("Cookie") is None


@case("C-15")
def test_two_sessions_in_one_request(site):
    """Two users at once: the order decides nothing by chance, and never mixes them."""
    site.state.check_hits = False
    a, b = two_values(site)
    n = CONTROL_COOKIE
    results = []
    for text in (f"{n}={a}; {n}={b}", f"{n}={b}; {n}={a}"):
        for _ in range(4):
            answer = with_cookie(site, text)
            results.append((text[:80], answer.status, site.backend.last.header("Remote-User")
                            if answer.from_backend else None))
    for first in (results[:4], results[4:]):
        assert len(set(first)) == 1, "deterministic"
        assert first[0][1] in (200, 302, 400)


@case("C-15")
def test_cookie_in_two_headers(site):
    with site.signed_in() as browser:
        cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"
        fresh = site.browser()
        answer = fresh.get("/x", extra=[("Cookie", "a=1"), ("Cookie", cookie), ("Cookie", "b=2")])
        assert answer.status in (200, 302, 400)
        if answer.from_backend:
            hit = passes(site, answer, remote_user="jdoe")
            assert hit.headers.all("Cookie") in (["a=1", "b=2"], ["a=1; b=2"])


@pytest.mark.parametrize("text", rows("C-16", {
    "ideographic-space": "\xe2\x80\x80{n}={v}", "version": "$Version=1; x{n}={v}",
    "lower": "{l}={v}", "longer": "{n}X={v}", "no-name": "={n}={v}", "comma": "a=1,{n}={v}",
    "value-of-another": "a={n}={v}", "space-inside": "__Host- NGX_OIDC_SESSION={v}",
    "dollar": "${n}={v}", "plain-name": "NGX_OIDC_SESSION={v}", "tab-inside": "{n}\tx={v}",
    "quoted-value": '{n}="{v}"', "escaped": "%5F_Host-NGX_OIDC_SESSION={v}",
}))
def test_only_the_exact_name(site, text):
    with site.signed_in() as browser:
        value = text.replace("{n}", CONTROL_COOKIE).replace("{l}", CONTROL_COOKIE.lower()).replace(
            "{v}", browser.session_cookie)
        answer = with_cookie(site, value)
        challenge(site, answer)


@pytest.mark.parametrize("text", rows("C-16", {
    "leading-blank": "   {n}={v}", "leading-tab": "\t{n}={v}", "trailing": "{n}={v}   ", "version":
    "$Version=1; {n}={v}", "semicolons": ";;;{n}={v};;", "blank-equals": "{n} = {v}",
}))
def test_blanks_around_the_name(site, text):
    with site.signed_in() as browser:
        value = text.replace("{n}", CONTROL_COOKIE).replace("{v}", browser.session_cookie)
        answer = with_cookie(site, value)
        assert answer.status in (200, 302)
        if answer.from_backend:
            passes(site, answer, remote_user="jdoe")


@case("C-17")
def test_huge_cookie_headers(site):
    """No quadratic work, no loop; the session in front or behind is found or not, nothing else."""
    start = time.monotonic()
    for filler in ("a=1; " * 13000, "x" * 65000, "; " * 30000, "=" * 60000,
                   "__Host-NGX_OIDC_LOGIN_0000000000=x; " * 1700, f"{CONTROL_COOKIE}=x; " * 2000,
                   "NGX_OIDC_SESSION_chunks=99999999; " * 1500):
        answer = with_cookie(site, filler)
        assert answer.status in (302, 400), answer
    assert time.monotonic() - start < 10 * SLOW
    sane(site)


COOKIES = {"ours-first": ("{s}; a=1; b=2", "a=1; b=2"), "ours-last": ("a=1; b=2; {s}", "a=1; b=2"),
           "ours-middle": ("a=1; {s}; b=2", "a=1; b=2"), "only-ours": ("{s}", None),
           "tight": ("a=1;{s};b=2", "a=1;b=2"), "odd": ("a=1; ; b; {s}", "a=1; ; b"),
           "empty-parts": ("{s};;;", ";;"), "equals": ("=; {s}; ==x", "=; ==x"),
           "quotes": ('a="x; y"; {s}', 'a="x; y"'), "pending": ("__Host-NGX_OIDC_LOGIN_x=1; {s}; a=1", "a=1"),
           "both-spellings": ("NGX_OIDC_SESSION=x; {s}; a=1", "a=1"), "high": ("a=\xff; {s}", "a=\xff"),
           "blanks": ("a=1;   {s};  b=2", "a=1;  b=2"), "case": ("a=1; A=2; {s}; a=3", "a=1; A=2; a=3")}


@pytest.mark.parametrize("sent, seen", rows("C-19", COOKIES))
def test_forwarded_cookies(site, sent, seen):
    with site.signed_in() as browser:
        session = f"{CONTROL_COOKIE}={browser.session_cookie}"
        for target in ("/x", "/fcgi/x"):
            answer = with_cookie(site, sent.replace("{s}", session), target)
            assert answer.from_backend, answer
            hit = site.backend.last
            name = "Cookie" if hit.kind == "http" else "HTTP_COOKIE"
            found = hit.headers.get(name)
            if seen is None:
                assert not found
            elif sent == "{s};;;":
                assert not (found or "").strip("; ")
            else:
                assert found == seen.strip(), (found, seen)


@case("C-20")
def test_backend_that_sets_our_cookie(site):
    from harness.wire import Reply
    site.backend.answers["/set"] = Reply(b"", headers=[
        ("Set-Cookie", "app=1; Path=/"), ("Set-Cookie", f"{CONTROL_COOKIE}=evil; Path=/; Secure")])
    with site.signed_in() as browser:
        raw = site.raw(f"GET /set HTTP/1.1\r\nHost: {site.host}\r\nCookie: {CONTROL_COOKIE}="
                       f"{browser.session_cookie}\r\n\r\n")
        site.state.check_hits = False
        names = [SetCookie(v).name for v in raw.headers.all("set-cookie")]
        assert names == ["app"], "the application cannot replace our cookie"
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("C-21")
def test_one_session_in_parallel(make_site):
    site = make_site(directives={"session_idle_timeout": "30m"})
    with site.signed_in() as browser:
        cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"

        def one(_):
            return with_cookie(site, cookie).status
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            assert set(pool.map(one, range(100))) == {200}


@case("C-22")
def test_session_in_every_worker(make_site):
    site = make_site(workers=4)
    with site.signed_in() as browser:
        cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"
        for _ in range(30):  # a connection each, whichever worker takes it
            assert with_cookie(site, cookie).from_backend


@case("C-24")
def test_groups_after_a_new_login(site):
    with site.signed_in(groups=["staff", "admins"]) as browser:
        passes(site, browser.get("/x"), remote_groups="staff,admins")
    with site.signed_in(groups=["staff"]) as browser:
        passes(site, browser.get("/x"), remote_groups="staff")


@case("C-25")
def test_no_cross_talk(site):
    """Sixty users at random, from eight threads: each request carries its owner's identity."""
    users = []
    for i in range(60):
        with site.signed_in(sub=f"u-{i}", preferred_username=f"user-{i}", email=f"{i}@x",
                            groups=[f"g{j}" for j in range(i % 7)]) as browser:
            users.append((f"user-{i}", browser.session_cookie))
    site.state.check_hits = False  # compared here, hit by hit

    def run(seed):
        rng = random.Random(seed)
        browser = site.browser()
        for _ in range(60):
            name, value = rng.choice(users)
            answer = browser.get(f"/{name}", headers={"Cookie": f"{CONTROL_COOKIE}={value}"})
            assert answer.from_backend
        browser.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    seen = 0
    for hit in site.hits():
        if hit.path.startswith("/user-"):
            seen += 1
            assert hit.headers.all("Remote-User") == [hit.path[1:]]
    assert seen == 480


@pytest.fixture(scope="module")
def two_vhosts(lab):
    servers = """
    server { listen 127.0.0.1:@PORT@ ssl; server_name other.app.test; @CERT@
        oidc_base_url https://other.app.test:@PORT@; auth_oidc idp;
        location / { proxy_pass http://@BACKEND@; } }
    """
    with Site(lab, servers=servers, control=False) as site:
        site.names.append("other.app.test")
        yield site


@case("C-23")
def test_session_of_another_vhost(two_vhosts):
    """Same provider, same client: a session still belongs to one vhost."""
    site = two_vhosts
    browser = site.browser()
    browser.login("/x")
    cookie = f"{CONTROL_COOKIE}={browser.session_cookie}"
    other = site.browser("other.app.test")
    answer = other.get("/x", headers={"Cookie": cookie})
    challenge(site, answer)
    assert [h.path for h in site.hits()] == ["/x"]


@case("A-15")
def test_pending_login_of_another_vhost(two_vhosts):
    site = two_vhosts
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    cookie = "; ".join(f"{c.name}={c.value}" for c in first.set_cookies())
    other = site.browser("other.app.test")
    answer = other.get(target, headers={"Cookie": cookie})
    no_session(site, answer)
    assert answer.status == 400 and site.delta("token") == 0
