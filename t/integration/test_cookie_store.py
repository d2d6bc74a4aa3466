# SPDX-License-Identifier: Apache-2.0
"""The cookie store: sessions sealed into the browser's cookies, cut into chunks, and a list of those
that have ended (groups C and L, T-22, F-04)."""

import base64
import concurrent.futures
import os
import re
import secrets
import signal
import subprocess
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.client import Response, SetCookie
from harness.nginx import SLOW
from harness.outcome import challenge, no_session, page, passes, reject, sane
from harness.site import Site
from harness.wire import Headers, Reply

NAME = "__Host-NGX_OIDC_SESSION"
CHUNK = 3800
LIMIT = 8192  # with large_client_header_buffers of 9k and more, else less
OWN = ("/oidc_callback", "/oidc/backchannel", "/oidc/frontchannel", "/logout")
PATHS = {"logout_uri": "/logout", "backchannel_logout_uri": "/oidc/backchannel",
         "frontchannel_logout_uri": "/oidc/frontchannel"}
BUFFERS = "large_client_header_buffers 8 160k;"
# The first half of a token's life is never disturbed.
SHORT = 10
DUE = 6


def key():
    return secrets.token_hex(32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


def key_file(folder, *keys):
    file = folder / f"ring-{secrets.token_hex(4)}"
    file.write_text("# first seals\n" + "".join(f"{k}\n" for k in keys))
    file.chmod(0o600)
    return file


def store(file, **more):
    lines = "".join(f" {k} {v};" for k, v in more.items())
    return f"oidc_session_store crumbs {{ type cookie; key_file {file};{lines} }}\n"


def arguments(file, more=None, size="1m", server=BUFFERS, **changes):
    """Of a Site with a cookie store."""
    return {"http": store(file, size=size), "server": server, "own_paths": OWN,
            "directives": {"session_store": "crumbs", **PATHS, **(more or {})}, **changes}


@pytest.fixture(scope="module")
def site(lab, folder):
    with Site(lab, **arguments(key_file(folder, key()))) as site:
        yield site


def pad(site, size):
    """Sessions become larger by so many bytes."""
    site.idp.claims = lambda c: {**c, "pad": "p" * size}


def chunks_of(browser):
    """(name, value) of the session's cookies, in order."""
    found = {c.name: c.value for c in browser.jar.cookies if c.name.startswith(NAME)}
    return sorted(found.items())


def value_of(browser):
    return "".join(v for _, v in chunks_of(browser))


def header_of(chunks):
    return "; ".join(f"{n}={v}" for n, v in chunks)


def ask(site, cookie, target="/x", **kw):
    """A request with this Cookie header on a connection of its own, from no jar."""
    browser = site.browser()
    try:
        return browser.get(target, headers={"Cookie": cookie}, **kw)
    finally:
        browser.close()


def ask_as(site, chunks, target="/x", **kw):
    """The same with a session that may have several chunks; whose it is stays known."""
    return ask(site, header_of(chunks), target, **kw)


def signed_in_with(site, size, chunks):
    """A browser whose session has so many chunks."""
    pad(site, size)
    browser = site.browser()
    browser.login("/x")
    assert len(chunks_of(browser)) == chunks, [(n, len(v)) for n, v in chunks_of(browser)]
    return browser


def login_again(site, browser):
    """A login that began before the browser had its session."""
    first = site.browser().start("/y")
    browser.jar.store(first.set_cookies()[0], "https", site.host, "/")
    assert browser.callback(browser.callback_url(first)).status in (302, 303)


def deliver(site, **claims):
    """A back-channel logout."""
    body = urllib.parse.urlencode({"logout_token": site.idp.logout_token(**claims)}).encode()
    browser = site.browser()
    answer = browser.request("POST", "/oidc/backchannel", kind="none", cookies=False, body=body,
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    browser.close()
    assert answer.status == 200, f"{answer}\n{site.log_since_mark()}"


def dead(site, chunks):
    """Whichever worker is asked."""
    for _ in range(6):
        challenge(site, ask_as(site, chunks))


# ---- C-01, C-17, C-18: cookies ----------------------------------------------------------------

@case("C-01")
def test_every_chunk_has_all_attributes(site):
    """INV-7 compares the attributes; here are sizes, lives and deletion."""
    pad(site, 4500)
    browser = site.browser()
    answer = browser.try_login("/x")
    lines = {c.name: c for c in answer.set_cookies() if c.name.startswith(NAME)}
    assert list(lines) == [NAME, NAME + "_1"]
    for cookie in lines.values():
        assert len(cookie.text) < 4096
        assert int(cookie.attrs["max-age"]) in range(28700, 28801)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cookie.value)
    assert lines[NAME].value.startswith("2") and len(lines[NAME].value) == CHUNK
    passes(site, browser.get("/x"), remote_user="jdoe")
    left = browser.get("/logout")
    gone = {c.name: c for c in left.set_cookies() if c.name.startswith(NAME)}
    assert set(gone) == set(lines)
    assert all(c.attrs["max-age"] == "0" and c.value == "" for c in gone.values())
    assert chunks_of(browser) == []
    # Nothing is set where nothing has changed.
    with site.signed_in() as signed:
        assert signed.get("/x").set_cookies() == []


@case("C-01")
def test_a_session_says_nothing_to_who_holds_it(site):
    """Sealed: no name, address or token is readable, and equal sessions look different."""
    pad(site, 200)
    with site.signed_in() as one, site.signed_in() as two:
        texts = []
        for browser in (one, two):
            value = value_of(browser)
            raw = base64.urlsafe_b64decode(value[1:] + "=" * (-len(value[1:]) % 4))
            for secret in (b"jdoe", b"example.org", b"staff", b"pppp", b"u-1001"):
                assert secret not in raw
            texts.append(raw)
        assert texts[0][13:60] != texts[1][13:60]


@case("C-18")
def test_every_size_around_full_chunks(site):
    """Also when a value fills its chunks to the last character."""
    pad(site, 100)
    with site.signed_in() as browser:
        base = len(value_of(browser)) - 100 * 4 // 3
    seen = set()
    for full in (CHUNK, 2 * CHUNK):
        wanted = (full - base) * 3 // 4
        for size in range(wanted - 3, wanted + 4):
            pad(site, size)
            with site.signed_in() as browser:
                value = value_of(browser)
                assert len(chunks_of(browser)) == -(-len(value) // CHUNK)
                passes(site, browser.get("/x"), remote_user="jdoe")
                seen.add(len(value) - full)
    assert 0 in seen and min(seen) < 0 < max(seen), seen


DAMAGED = {
    "no-first": lambda c: c[1:], "no-middle": lambda c: [c[0], c[2]], "no-last": lambda c: c[:2],
    "only-first": lambda c: c[:1],
    "first-and-second": lambda c: [(c[0][0], c[1][1]), (c[1][0], c[0][1]), c[2]],
    "second-and-third": lambda c: [c[0], (c[1][0], c[2][1]), (c[2][0], c[1][1])],
    "short-middle": lambda c: [c[0], (c[1][0], c[1][1][:-1]), c[2]],
    "long-middle": lambda c: [c[0], (c[1][0], c[1][1] + "A"), c[2]],
    "moved-border": lambda c: [c[0], (c[1][0], c[1][1][:-4]), (c[2][0], c[1][1][-4:] + c[2][1])],
    "all-in-one": lambda c: [(c[0][0], "1" + "".join(v for _, v in c)[1:])],
    "count-2": lambda c: [(c[0][0], "2" + c[0][1][1:]), c[1], c[2]],
    "count-4": lambda c: [(c[0][0], "4" + c[0][1][1:]), c[1], c[2]],
    "empty-last": lambda c: [c[0], c[1], (c[2][0], "")],
    "changed-byte": lambda c: [c[0], (c[1][0], c[1][1][:99] + (
        "A" if c[1][1][99] != "A" else "B") + c[1][1][100:]), c[2]],
}


@pytest.mark.parametrize("damage", rows("C-18", DAMAGED))
def test_damaged_chunks(site, damage):
    browser = signed_in_with(site, 5400, 3)
    good = chunks_of(browser)
    challenge(site, ask_as(site, damage(good)))
    passes(site, ask_as(site, list(reversed(good))), remote_user="jdoe")


@case("C-18")
def test_stale_chunks_go_with_the_next_answer(site):
    """A long session is followed by a short one, and by a logout."""
    browser = signed_in_with(site, 5400, 3)
    del browser.jar.cookies[[c.name for c in browser.jar.cookies].index(NAME)]
    pad(site, 0)
    browser.login("/x")
    assert [n for n, _ in chunks_of(browser)] == [NAME]
    passes(site, browser.get("/x"), remote_user="jdoe")
    # An extra chunk does no harm, and the logout takes it along.
    browser.jar.set(NAME + "_2", "AAAA")
    passes(site, browser.get("/x"), remote_user="jdoe")
    browser.get("/logout")
    assert chunks_of(browser) == []


COUNTS = ["99999999", "-1", "9x", "0", "4", "1", "3AAAA", "2AAAA", "1AAAA", "٣", "%33"]


@pytest.mark.parametrize("value", rows("C-17", {f"{i}": v for i, v in enumerate(COUNTS)}))
def test_numbers_of_chunks(site, value):
    value = value.encode().decode("latin-1")
    challenge(site, ask(site, f"{NAME}={value}; {NAME}_1={'A' * CHUNK}; {NAME}_2=AAAA"))
    assert site.hits() == []


@case("C-17")
def test_huge_cookie_headers(site):
    """Whatever 64 KiB and more claim to be: no session, no long work."""
    start = time.monotonic()
    full = "A" * (CHUNK - 1)
    for text in (f"{NAME}=3{full}; {NAME}_1=B{full}; {NAME}_2=C{full}; " * 5,
                 f"{NAME}=3{full}; " + f"{NAME}_1={full}B; " * 15,
                 f"{NAME}_1=x; {NAME}_2=y; " * 1200, f"{NAME}=1{full}; " * 15,
                 f"{NAME}={'3' * 64000}", f"{NAME}=1; " * 2500):
        challenge(site, ask(site, text))
    assert time.monotonic() - start < 5 * SLOW
    sane(site)


@case("C-17")
def test_a_session_too_large_gets_a_page_and_no_loop(site):
    pad(site, 7000)
    browser = site.browser()
    answer = browser.try_login("/x")
    reject(site, answer, "session_too_large", 502)
    assert re.search(r"a session of \d+ bytes takes \d+ in cookies, at most 8192 are possible",
                     site.log_since_mark())
    assert chunks_of(browser) == []
    # The largest that fits does.
    low, high = 5000, 7000
    while high - low > 1:
        middle = (low + high) // 2
        pad(site, middle)
        answer = site.browser().try_login("/x")
        low, high = (middle, high) if answer.status in (302, 303) else (low, middle)
    pad(site, low)
    with site.signed_in() as browser:
        assert LIMIT - 4 <= len(value_of(browser)) <= LIMIT
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("C-17")
def test_sessions_leave_room_in_the_header_buffers(make_site, folder):
    """With nginx's default buffers of 8k a session of 8 kB would make every request a 400."""
    site = make_site(**arguments(key_file(folder, key()), server=""))
    low, high = 3000, 7000
    while high - low > 16:
        middle = (low + high) // 2
        pad(site, middle)
        answer = site.browser().try_login("/x")
        low, high = (middle, high) if answer.status in (302, 303) else (low, middle)
    pad(site, low)
    browser = site.browser()
    browser.login("/x")
    assert len(value_of(browser)) > 6900
    browser.jar.set("app", "x" * 600)
    passes(site, browser.get("/x"), remote_user="jdoe")
    assert "large_client_header_buffers" in site.log_since_mark()


# ---- C-02, C-03, C-05: what is no session ------------------------------------------------------

@case("C-03")
def test_truncated_at_every_length(site):
    pad(site, 0)
    with site.signed_in() as browser:
        value = value_of(browser)
        other = site.browser()
        for length in range(len(value)):
            challenge(site, other.get("/x", headers={"Cookie": f"{NAME}={value[:length]}"}))
        for changed in (value + "A", value[1:], value.swapcase(), "2" + value[1:], value + "===",
                        f'"{value}"', value.replace("-", "+").replace("_", "/") + "+"):
            challenge(site, other.get("/x", headers={"Cookie": f"{NAME}={changed}"}))
        passes(site, browser.get("/x"), remote_user="jdoe")


@pytest.mark.parametrize("part, length", rows("C-05", {
    **{f"tag-{n}": ("tag", n) for n in (0, 1, 4, 8, 12, 15, 17)},
    **{f"nonce-{n}": ("nonce", n) for n in (0, 1, 8, 11, 13, 16)}}))
def test_other_lengths_of_tag_and_nonce(site, part, length):
    pad(site, 0)
    with site.signed_in() as browser:
        value = value_of(browser)[1:]
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        version, nonce, text, tag = raw[:1], raw[1:13], raw[13:-16], raw[-16:]
        if part == "tag":
            tag = (tag + b"\0")[:length]
        else:
            nonce = (nonce + b"\0" * 4)[:length]
        changed = base64.urlsafe_b64encode(version + nonce + text + tag).decode().rstrip("=")
        challenge(site, ask(site, f"{NAME}=1{changed}"))
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("C-02")
def test_a_session_of_another_key(site, make_site, folder):
    """Another machine's cookie, and what a memory store would have issued."""
    other = make_site(**arguments(key_file(folder, key())), idp=site.idp, control=False)
    with other.signed_in() as browser:
        challenge(site, ask_as(site, chunks_of(browser)))
    for junk in ("A" * 43, "1" + "A" * 42, "1" + "A" * 200, "1", "", "1" * 3800):
        challenge(site, ask(site, f"{NAME}={junk}"))
    assert site.hits() == []


# ---- C-06, C-07: keys --------------------------------------------------------------------------

@case("C-06")
def test_keys_are_changed_without_signing_anyone_out(make_site, folder):
    old, new = key(), key()
    file = key_file(folder, old)
    site = make_site(**arguments(file), control=False)
    site.idp.claims = lambda c: {**c, "pad": "p" * 4500}
    browser = site.browser()
    browser.login("/x")
    before = chunks_of(browser)
    file.write_text(f"{new}\n{old}\n")
    assert site.reload()
    answer = browser.get("/x")
    passes(site, answer, remote_user="jdoe")
    renewed = chunks_of(browser)
    assert [n for n, _ in renewed] == [n for n, _ in before] and renewed != before
    assert answer.headers.get("cache-control") == "no-store"
    assert browser.get("/x").set_cookies() == []
    # Those that have not been here since are good for as long as the key is.
    passes(site, ask_as(site, before), remote_user="jdoe")
    file.write_text(f"{new}\n")
    browser.close()
    assert site.reload()
    passes(site, browser.get("/x"), remote_user="jdoe")
    dead(site, before)


@case("C-07")
def test_nonces_differ(make_site, folder):
    """Thousands of cookies of one key, from two workers."""
    old, new = key(), key()
    file = key_file(folder, old)
    site = make_site(**arguments(file), control=False)
    browser = site.browser()
    browser.login("/x")
    cookie = header_of(chunks_of(browser))
    file.write_text(f"{new}\n{old}\n")
    browser.close()
    assert site.reload()

    def some(_):
        values = set()
        other = site.browser()
        jar = type(other.jar)()
        for _ in range(500):
            answer = other.get("/x", headers={"Cookie": cookie}, jar=jar)
            (line,) = answer.set_cookies()
            values.add(base64.urlsafe_b64decode(line.value[1:17] + "==")[1:13])
        other.close()
        return values
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        found = list(pool.map(some, range(6)))
    assert len(set().union(*found)) == 3000


# ---- C-12, C-13, C-14: ends --------------------------------------------------------------------

@case("C-12")
def test_a_copied_cookie_is_dead_after_the_logout(site):
    browser = signed_in_with(site, 4500, 2)
    copy = chunks_of(browser)
    passes(site, ask_as(site, copy), remote_user="jdoe")
    browser.get("/logout")
    dead(site, copy)
    # Another session of the same user is not.
    with site.signed_in() as other:
        dead(site, copy)
        passes(site, other.get("/x"), remote_user="jdoe")


@case("C-12")
def test_the_former_session_ends_with_a_new_login(site):
    pad(site, 0)
    browser = site.browser()
    browser.login("/x")
    before = chunks_of(browser)
    answer = browser.get("/logout", kind="navigate", cross_site=True)  # refused: the session stays
    assert answer.status == 403
    login_again(site, browser)
    assert chunks_of(browser) != before
    passes(site, browser.get("/x"), remote_user="jdoe")
    dead(site, before)


def timed(make_site, folder, **more):
    return make_site(**arguments(key_file(folder, key()), more), control=False, clock="all")


@case("C-13")
def test_idle_timeout(make_site, folder):
    site = timed(make_site, folder, session_idle_timeout="10m", session_idle_ignore="/poll/")
    browser = site.browser()
    browser.login("/x")
    at, first = 0, chunks_of(browser)
    for _ in range(3):
        at += 9 * 60
        site.set_clock(at)
        passes(site, browser.get("/x"), remote_user="jdoe")
    # A copy of the first cookie has slept too long.
    challenge(site, ask_as(site, first))
    # Polling is no activity.
    at += 5 * 60
    site.set_clock(at)
    answer = browser.get("/poll/1", kind="xhr")
    passes(site, answer, remote_user="jdoe")
    assert answer.set_cookies() == []
    at += 5 * 60 + 1
    site.set_clock(at)
    challenge(site, browser.get("/x"))
    site.set_clock(0)


@case("C-13")
def test_renewals_are_few(make_site, folder):
    """Every ten seconds for twenty minutes: one renewal a minute at most, and none too late."""
    site = timed(make_site, folder, session_idle_timeout="30m")
    browser = site.browser()
    browser.login("/x")
    renewals = 0
    for at in range(10, 1210, 10):
        site.set_clock(at)
        answer = browser.get("/x")
        passes(site, answer, remote_user="jdoe")
        renewals += len(answer.set_cookies())
    assert renewals in range(17, 21), renewals
    site.set_clock(1200 + 30 * 60 - 61)
    passes(site, browser.get("/x"), remote_user="jdoe")
    site.set_clock(0)


@case("C-14")
def test_absolute_lifetime(make_site, folder):
    """Renewals do not move the end, and a browser that keeps cookies for ever gains nothing."""
    site = timed(make_site, folder, session_timeout="1h", session_idle_timeout="30m")
    browser = site.browser()
    browser.login("/x")
    for minute in (20, 40, 59):
        site.set_clock(minute * 60)
        answer = browser.get("/x")
        passes(site, answer, remote_user="jdoe")
        (line,) = answer.set_cookies()
        assert int(line.attrs["max-age"]) <= min(30, 60 - minute) * 60
    last = chunks_of(browser)
    site.set_clock(60 * 60 + 1)
    challenge(site, ask_as(site, last))
    site.set_clock(0)


# ---- C-15, C-16, C-19, C-20: names -------------------------------------------------------------

@pytest.mark.parametrize("name, chunk, good", rows("C-15", {
    "chunk-same": (NAME + "_1", "{1}", True), "chunk-other": (NAME + "_1", "junk", False),
    "chunk-empty": (NAME + "_1", "", False), "chunk-not-used": (NAME + "_2", "junk", True),
    "first-junk": (NAME, "junk", True), "first-same": (NAME, "{0}", True),
    "first-cut": (NAME, "1{0}", True)}))
def test_the_same_chunk_twice(site, name, chunk, good):
    """In front and behind, in one header and in two: the same answer each time."""
    browser = signed_in_with(site, 4500, 2)
    chunks = chunks_of(browser)
    extra = (name, chunk.replace("{0}", chunks[0][1]).replace("{1}", chunks[1][1])[:CHUNK])
    for pairs in ([*chunks, extra], [extra, *chunks], [chunks[0], extra, chunks[1]]):
        answer = ask_as(site, pairs)
        if good:
            passes(site, answer, remote_user="jdoe")
        else:
            challenge(site, answer)
        other = site.browser()
        twice = other.get("/x", headers={"Cookie": header_of(pairs[:1])},
                          extra=[("Cookie", header_of(pairs[1:]))])
        assert twice.from_backend == good, twice
        other.close()


@case("C-15")
def test_two_sessions_in_one_request(site):
    """Neither is used, whichever stands first, and chunks of two are never mixed."""
    pad(site, 0)
    with site.signed_in() as one, site.signed_in(sub="u-b", preferred_username="bob") as two:
        a, b = chunks_of(one), chunks_of(two)
        for pairs in (a + b, b + a):
            challenge(site, ask_as(site, pairs))
    pad(site, 4500)
    with site.signed_in() as one, site.signed_in(sub="u-b", preferred_username="bob") as two:
        a, b = chunks_of(one), chunks_of(two)
        for pairs in (a + b, b + a, [a[0], b[1]], [b[0], a[1]], [a[0], b[1], b[0], a[1]]):
            challenge(site, ask_as(site, pairs))
    assert all(h.path == "/" for h in site.hits())


def curl(site, target, *options):
    done = subprocess.run(
        ["curl", "-sS", "-i", "--http2", "--cacert", str(site.lab.pki.ca.file), "--resolve",
         f"{site.host}:{site.port}:127.0.0.1", "--max-time", "20", *options,
         site.origin_text + target], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = Headers([tuple(f.split(": ", 1)) for f in fields if ": " in f])
    return Response(int(line.split()[1]), "", headers, body, ("GET", target, {}))


@case("C-15")
def test_http2_crumbs(site):
    """Browsers send each cookie in a header of its own over HTTP/2."""
    browser = signed_in_with(site, 4500, 2)
    site.state.check_hits = False
    crumbs = [("a", "1"), *chunks_of(browser), ("b", "2")]
    options = [o for n, v in crumbs for o in ("-H", f"Cookie: {n}={v}")]
    answer = curl(site, "/x", *options)
    assert answer.status == 200, answer
    hit = site.backend.last
    assert hit.identity()["remote-user"] == ["jdoe"]
    assert hit.headers.all("Cookie") == ["a=1; b=2"]
    answer = curl(site, "/x", *options[:4], "-H", "Accept: text/html")
    assert answer.status == 302


@pytest.mark.parametrize("name", rows("C-16", {
    "plain": "NGX_OIDC_SESSION_1", "lower": NAME.lower() + "_1", "zero": NAME + "_0",
    "two": NAME + "_2", "padded": NAME + "_01", "dash": NAME + "-1", "longer": NAME + "_1x",
    "blank": NAME + " _1", "dollar": "$" + NAME + "_1", "comma": "a=1," + NAME + "_1",
    "no-name": "=" + NAME + "_1", "ideographic": "\xe2\x80\x80" + NAME + "_1"}))
def test_only_the_exact_name_is_a_chunk(site, name):
    browser = signed_in_with(site, 4500, 2)
    (first, chunk) = chunks_of(browser)
    challenge(site, ask_as(site, [first, (name, chunk[1])]))
    passes(site, ask(site, f"  {first[0]} = {first[1]} ;\t{chunk[0]}={chunk[1]} ;;"),
           remote_user="jdoe")


@pytest.mark.parametrize("sent, seen", rows("C-19", {
    "around": ("a=1; {0}; b=2; {1}; c=3", "a=1; b=2; c=3"), "only-ours": ("{0}; {1}", None),
    "turned": ("{1}; a=1; {0}", "a=1"), "stale": ("{0}; {1}; {n}_2=x; a=1", "a=1"),
    "not-ours": ("{0}; {1}; {n}_3=x", "{n}_3=x"), "plain": ("NGX_OIDC_SESSION_1=x; {0}; {1}", None),
    "near": ("{0}; {1}; {n}_1x=y; {n}_=z", "{n}_1x=y; {n}_=z"), "odd": ("a; ; {0}; {1}; =", "a; ; =")}))
def test_forwarded_cookies(site, sent, seen):
    browser = signed_in_with(site, 4500, 2)
    parts = [f"{n}={v}" for n, v in chunks_of(browser)]
    text = sent.replace("{0}", parts[0]).replace("{1}", parts[1]).replace("{n}", NAME)
    for target in ("/x", "/fcgi/x"):
        answer = ask(site, text, target)
        assert answer.from_backend, answer
        hit = site.backend.last
        found = hit.headers.get("Cookie" if hit.kind == "http" else "HTTP_COOKIE")
        assert (found or None) == (seen and seen.replace("{n}", NAME)), found
    for _, value in chunks_of(browser):
        assert value.encode() not in hit.raw


@case("C-20")
def test_a_backend_that_sets_our_cookies(site):
    names = [NAME, NAME + "_1", NAME + "_2", "NGX_OIDC_SESSION_1"]
    site.backend.answers["/set"] = Reply(b"", headers=[
        ("Set-Cookie", "app=1; Path=/"),
        *(("Set-Cookie", f"{n}=evil; Path=/; Secure") for n in names)])
    browser = signed_in_with(site, 4500, 2)
    before = chunks_of(browser)
    answer = browser.get("/set")
    assert [c.name for c in answer.set_cookies()] == ["app"]
    assert chunks_of(browser) == before
    passes(site, browser.get("/x"), remote_user="jdoe")


@case("C-23")
def test_a_session_is_good_for_its_vhost_only(make_site, folder):
    servers = """
    server { listen 127.0.0.1:@PORT@ ssl; server_name other.app.test; @CERT@
        oidc_base_url https://other.app.test:@PORT@; auth_oidc idp;
        location / { proxy_pass http://@BACKEND@; } }
    """
    site = make_site(**arguments(key_file(folder, key())), servers=servers)
    site.names.append("other.app.test")
    with site.signed_in() as browser:
        other = site.browser("other.app.test")
        challenge(site, other.get("/x", headers={"Cookie": header_of(chunks_of(browser))}))
        passes(site, browser.get("/x"), remote_user="jdoe")


# ---- logouts -----------------------------------------------------------------------------------

@case("L-09")
def test_backchannel_logout_by_sid(site):
    with site.signed_in(sid="s-1") as one, site.signed_in(sid="s-2") as two:
        deliver(site, sub="u-1001", sid="s-1")
        dead(site, chunks_of(one))
        passes(site, two.get("/x"), remote_user="jdoe")


@case("L-09")
def test_backchannel_logout_by_sub(site):
    """Every session that there is, and none that begins in the very next moment."""
    with site.signed_in(sub="many", sid="m-1") as one, site.signed_in(sub="many") as two, \
            site.signed_in(sub="man") as other:
        for _ in range(5):
            deliver(site, sub="many")
            with site.signed_in(sub="many", sid="m-1") as again:
                passes(site, again.get("/x"))
        dead(site, chunks_of(one))
        dead(site, chunks_of(two))
        passes(site, other.get("/x"))


@case("L-01")
def test_frontchannel_logout(site):
    with site.signed_in(sid="f-1") as browser:
        copy = chunks_of(browser)
        query = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": "f-1"})
        # From another site's frame: without the cookie.
        answer = site.browser().get(f"/oidc/frontchannel?{query}", kind="iframe", cross_site=True)
        assert answer.status == 200
        passes(site, browser.get("/x"))
        assert chunks_of(browser) == copy
    with site.signed_in(sid="f-2") as browser:
        copy = chunks_of(browser)
        query = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": "f-2"})
        answer = browser.get(f"/oidc/frontchannel?{query}", kind="iframe", fetch_site="same-site")
        assert answer.status == 200 and chunks_of(browser) == []
        dead(site, copy)


@case("L-32")
def test_nobody_fills_the_list_from_outside(make_site, folder):
    """Front-channel logouts without our cookie, each with another sid: nothing is noted."""
    site = make_site(**arguments(key_file(folder, key()), size="128k"))
    with site.signed_in(sid="f-1") as browser:
        stranger = site.browser()
        iss = urllib.parse.quote(site.idp.issuer, safe="")
        for i in range(2000):
            query = f"iss={iss}&sid=any-{i}" if i % 2 else f"sid=any-{i}"
            assert stranger.get(f"/oidc/frontchannel?{query}", kind="iframe",
                                cross_site=True).status == 200
        passes(site, browser.get("/x"))
        assert "is full" not in site.log_since_mark()


@case("L-01")
def test_logout_hint_comes_from_the_cookie(make_site, folder):
    """RP-initiated logout: the ID token is in the session when the logout sends it."""
    site = make_site(**arguments(key_file(folder, key()), {"logout_token_hint": "on"}))
    with site.signed_in() as browser:
        copy = chunks_of(browser)
        answer = browser.get("/logout")
        assert answer.status == 302
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location).query))
        assert query["id_token_hint"].count(".") == 2 and query["client_id"] == "client-1"
        dead(site, copy)


# ---- several nodes, restarts, reloads ----------------------------------------------------------

@case("C-22")
def test_two_nodes_and_restarts(make_site, folder):
    """The same key file: a session of one is one of the other, and both survive a stop."""
    file = key_file(folder, key())
    node = arguments(file, base_url=None)  # of one server_name
    one = make_site(**node, control=False)
    two = make_site(**node, control=False, idp=one.idp)
    for site in (one, two):
        site.state.check_hits = False
    browser = two.browser()
    answer = browser.get("/x")
    state = {c.name: c.value for c in answer.set_cookies()}
    url = one.idp.authorize(answer.location)
    done = ask(one, header_of(state.items()), url[len(two.origin_text):], cross_site=True)
    assert done.status in (302, 303), f"{done}\n{one.log_since_mark()}"
    session = [(c.name, c.value) for c in done.set_cookies() if c.name.startswith(NAME)]
    for _ in range(4):
        assert ask_as(one, session).from_backend and ask_as(two, session).from_backend
    for site in (one, two):
        assert site.nginx.stop()
        site.nginx.start([site.port, site.status_port])
        site.state.pids = site.nginx.worker_pids()
        assert ask_as(site, session).from_backend
    # A session that ended on one node is told from others there.
    left = ask_as(one, session, "/logout")
    assert left.status == 302
    assert ask_as(one, session).status == 302


@case("F-04")
def test_ended_sessions_stay_ended_over_reloads(make_site, folder):
    file = key_file(folder, key())
    site = make_site(**arguments(file))
    with site.signed_in(sid="r-1") as gone, site.signed_in(sub="r-2") as owned, \
            site.signed_in() as stays:
        copies = [chunks_of(gone), chunks_of(owned)]
        gone.get("/logout")
        deliver(site, sub="r-2")
        for _ in range(2):
            stays.close()
            site.control.close()
            assert site.reload()
            for copy in copies:
                dead(site, copy)
            passes(site, stays.get("/x"), remote_user="jdoe")
            passes(site, site.control.get("/control"), remote_user="jdoe")


@case("F-04")
def test_another_size_ends_all_sessions(make_site, folder):
    """The list cannot be kept then, and who was signed out must not come back."""
    file = key_file(folder, key())
    site = make_site(**arguments(file), control=False)
    with site.signed_in() as gone, site.signed_in() as stays:
        copy, before = chunks_of(gone), chunks_of(stays)
        gone.get("/logout")
        stays.close()
        assert site.reload(http=store(file, size="2m"))
        dead(site, copy)
        dead(site, before)
        assert "the size of zone \"crumbs:cookie\" has changed" in site.log_since_mark()
        with site.signed_in() as fresh:
            passes(site, fresh.get("/x"), remote_user="jdoe")


@case("L-09")
def test_a_full_list_fails_closed(make_site, folder):
    """Once it is full every session ends, with a line that says so; new ones work."""
    site = make_site(**arguments(key_file(folder, key()), size="128k"), control=False)
    with site.signed_in() as bystander, site.signed_in(sid="gone") as gone:
        deliver(site, sub="u-1001", sid="gone")
        copy, other = chunks_of(gone), chunks_of(bystander)
        for n in range(2000):
            deliver(site, sid=f"sid-{n}")
            if n % 50 == 0:
                challenge(site, ask_as(site, copy))
            if "is full" in site.log_since_mark():
                break
        assert 100 < n < 1000, n
        assert re.search(r"the list of ended sessions of store \"crumbs\" is full, so all its "
                         r"sessions have ended; check size", site.log_since_mark())
        dead(site, other)
        dead(site, copy)
        with site.signed_in() as fresh:
            passes(site, fresh.get("/x"), remote_user="jdoe")
            # A login that takes the place of a session is not ended along with it.
            before = chunks_of(fresh)
            login_again(site, fresh)
            assert chunks_of(fresh) != before
            dead(site, before)
            passes(site, fresh.get("/x"), remote_user="jdoe")


@pytest.mark.kills_workers
@case("F-06")
def test_ended_sessions_stay_ended_over_an_upgrade(make_site, folder):
    """The old and the new binary work on one list, and the new one keeps it."""
    site = make_site(**arguments(key_file(folder, key())), start=False, control=False)
    site.nginx.daemon = True
    site.nginx.write(site.render())
    site.start()
    site.state.check_workers = False
    with site.signed_in(sid="u-1") as before, site.signed_in(sid="u-2") as between, \
            site.signed_in() as stays:
        copies = [chunks_of(before), chunks_of(between)]
        deliver(site, sub="u-1001", sid="u-1")
        old = site.nginx.upgrade()
        stays.close()
        deliver(site, sub="u-1001", sid="u-2")  # whichever binary takes it
        for copy in copies:
            dead(site, copy)
        old.send_signal(signal.SIGQUIT)
        old.wait(20)
        for copy in copies:
            dead(site, copy)
        passes(site, stays.get("/x"), remote_user="jdoe")


@pytest.mark.kills_workers
@case("F-01")
def test_killed_workers(make_site, folder):
    site = make_site(**arguments(key_file(folder, key())))
    with site.signed_in(sid="k-1") as gone, site.signed_in() as stays:
        copy = chunks_of(gone)
        deliver(site, sub="u-1001", sid="k-1")
        site.allow_log(r"exited on signal 9")
        for _ in range(3):
            before = set(site.nginx.worker_pids())
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            site.wait(lambda: len(set(site.nginx.worker_pids()) - before) == 2, "new workers")
            stays.close()
            site.control.close()
            dead(site, copy)
            passes(site, stays.get("/x"), remote_user="jdoe")
    site.state.pids = site.nginx.worker_pids()
    site.state.lost_connections = 10000


# ---- C-21, C-24, T-22: refresh -----------------------------------------------------------------

@pytest.fixture(scope="module")
def fresh(lab, folder):
    more = {"session_refresh": "on before=60s", "read_timeout": "2s"}
    with Site(lab, **arguments(key_file(folder, key()), more)) as site:
        yield site


def due_session(site):
    site.idp.refresh_tokens = site.idp.rotate = True
    site.idp.token_body = lambda body: {**body, "expires_in": SHORT}
    browser = site.browser()
    browser.login("/x")
    time.sleep(DUE)
    return browser


def refreshed(site, count):
    site.wait(lambda: len(site.idp.refreshes) >= count, f"{count} refreshes")
    time.sleep(0.15 * SLOW)
    assert len(site.idp.refreshes) == count, site.idp.refreshes


@case("T-22")
def test_one_refresh_for_parallel_requests(fresh):
    """Fifty requests with the old cookie: one refresh; its result goes to whoever comes next with
    the old cookie, and is used by those who bring the new one."""
    site = fresh
    browser = due_session(site)
    site.idp.refresh_body = lambda body: {**body, "expires_in": SHORT}
    old = chunks_of(browser)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ask_as(site, old), range(50)))
    assert all(a.from_backend for a in answers)
    refreshed(site, 1)
    # Stragglers get the new session as well, each time anew.
    for _ in range(6):
        answer = ask_as(site, old)
        passes(site, answer, remote_user="jdoe")
        assert [c.name for c in answer.set_cookies()] == [NAME]
    answer = browser.get("/x")
    passes(site, answer, remote_user="jdoe")
    new = chunks_of(browser)
    assert new != old
    for _ in range(6):
        answer = ask_as(site, new)
        passes(site, answer, remote_user="jdoe")
        assert answer.set_cookies() == []
        passes(site, ask_as(site, old), remote_user="jdoe")
    refreshed(site, 1)
    # The next one, begun by the new cookie, uses the rotated token.
    time.sleep(DUE)
    passes(site, browser.get("/x"), remote_user="jdoe")
    refreshed(site, 2)
    assert site.idp.refreshes[0][1] != site.idp.refreshes[1][1]
    passes(site, browser.get("/x"), remote_user="jdoe")
    assert chunks_of(browser) != new and site.idp.complaints == []
    # A logout ends the session in every shape that it had.
    last = chunks_of(browser)
    browser.get("/logout")
    for copy in (old, new, last):
        dead(site, copy)


@case("C-24")
def test_refreshed_claims_and_a_logout_meanwhile(fresh):
    """Two sessions become due together. One loses its groups; the other is ended while its refresh
    is under way, and stays so."""
    site = fresh
    browser = site.browser()
    site.idp.user = {**site.idp.user, "sub": "meanwhile"}
    site.idp.refresh_tokens = site.idp.rotate = True
    site.idp.token_body = lambda body: {**body, "expires_in": SHORT}
    browser.login("/x")
    site.idp.user = {**site.idp.user, "sub": "u-1001"}
    other = due_session(site)

    site.idp.refresh_claims = lambda c: {**c, "groups": ["staff"]}
    passes(site, other.get("/x"), remote_groups="staff,dev")
    refreshed(site, 1)
    site.state.check_hits = False
    answer = other.get("/x")
    assert answer.from_backend and site.backend.last.header("Remote-Groups") == "staff"
    for _ in range(4):
        assert ask_as(site, chunks_of(other)).from_backend
        assert site.backend.last.header("Remote-Groups") == "staff"

    def slow(exchange):
        time.sleep(0.5)
        return exchange.default()
    site.idp.on["token"] = slow
    copy = chunks_of(browser)
    passes(site, browser.get("/x"))
    deliver(site, sub="meanwhile")
    dead(site, copy)
    site.wait(lambda: len(site.idp.refreshes) == 2, "the refresh")
    time.sleep(0.7 * SLOW)
    dead(site, copy)


@case("T-23")
def test_invalid_grant_ends_the_session(fresh):
    site = fresh
    browser = due_session(site)
    copy = chunks_of(browser)
    site.idp.refresh_body = lambda _: Reply({"error": "invalid_grant"}, status=400)
    passes(site, browser.get("/x"))
    refreshed(site, 1)
    dead(site, copy)


@case("C-17")
def test_a_refresh_that_makes_the_session_too_large(fresh):
    """The session goes on as it was, and the log says how large it would be."""
    site = fresh
    browser = due_session(site)
    site.idp.refresh_claims = lambda c: {**c, "pad": "p" * 9000}
    passes(site, browser.get("/x"))
    refreshed(site, 1)
    for _ in range(4):
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert re.search(r"a refreshed session takes \d+ bytes in cookies, at most 8192",
                     site.log_since_mark())
    refreshed(site, 1)


# ---- configuration -----------------------------------------------------------------------------

@pytest.mark.parametrize("more, message", rows("C-17", {
    "session-limit": ({"session_limit": "3"}, r"\"session_limit\" in oidc_provider \"idp\" needs a "
                      r"session store that knows all sessions"),
    "long-path": ({"cookie_path": "/" + "p" * 250, "logout_uri": "/" + "p" * 250 + "/logout"},
                  "are too long together"),
}))
def test_what_a_cookie_store_cannot_do(make_site, folder, more, message):
    site = make_site(**arguments(key_file(folder, key()), more), start=False, control=False)
    code, output = site.nginx.test()
    assert code != 0 and re.search(message, output), output


@case("C-16")
def test_names_that_meet_are_refused(make_site, folder):
    """Another provider's cookie must not be a chunk of the first one's."""
    site = make_site(**arguments(key_file(folder, key())), start=False, control=False)
    site.providers["two"] = (site.idp, {"redirect_uri": "/cb2",
                                        "cookie_name": "NGX_OIDC_SESSION_1"})
    site.nginx.write(site.render())
    code, output = site.nginx.test()
    assert code != 0 and "is also a part of another provider's" in output, output


@case("S-01")
def test_no_secret_is_shown(site):
    """Canaries of all chunks are looked for in the logs after each test; here is the page."""
    pad(site, 7000)
    answer = site.browser().try_login("/x")
    reject(site, answer, "session_too_large", 502)
    page(answer)
    no_session(site, answer)
    assert "pppp" not in answer.text + site.log_since_mark()
    assert not [c for c in map(SetCookie, answer.headers.all("set-cookie"))
                if c.name.startswith(NAME)]
