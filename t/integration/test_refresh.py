# SPDX-License-Identifier: Apache-2.0
"""session_refresh: T-21 to T-25, C-21, C-24, L-30, F-09."""

import concurrent.futures
import re
import threading
import time

import pytest

from harness import forge, invariants
from harness.cases import case, rows
from harness.nginx import SLOW
from harness.outcome import challenge, passes, sane
from harness.site import Site
from harness.wire import Reply

# The first half of a life is never disturbed and a token lasts 5 seconds at least, so that a
# session is due that long after its login.
DIRECTIVES = {"session_refresh": "on before=60s", "logout_uri": "/logout",
              "session_idle_ignore": "/poll/ ~/beat$",
              "backchannel_logout_uri": "/oidc/backchannel", "read_timeout": "2s"}
OWN = ("/oidc_callback", "/oidc/backchannel", "/logout")
SHORT = 10
DUE = 6


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, own_paths=OWN,
              server="add_header X-Session $oidc_session_id;") as site:
        yield site


@pytest.fixture
def due(site):
    """A browser whose session is due from now on."""
    return due_session(site)


def prepare(site, rotate=True):
    site.idp.refresh_tokens, site.idp.rotate = True, rotate
    site.idp.token_body = lambda body: {**body, "expires_in": SHORT}


def due_session(site, rotate=True, **user):
    prepare(site, rotate)
    site.idp.user = {**site.idp.user, **user}
    browser = site.browser()
    browser.login("/x")
    assert site.idp.refreshes == []
    time.sleep(DUE)
    return browser


def refreshed(site, count=1):
    """Waits until so many refreshes were asked for, and a moment for the last one's end."""
    site.wait(lambda: len(site.idp.refreshes) >= count, f"{count} refreshes")
    time.sleep(0.15 * SLOW)
    assert len(site.idp.refreshes) == count, site.idp.refreshes


def ask(site, cookie, target="/x"):
    """A request of a session on a connection of its own."""
    browser = site.browser()
    try:
        return browser.get(target, headers={"Cookie": f"{site.session_cookie_name}={cookie}"})
    finally:
        browser.close()


def over(site, browser):
    for _ in range(4):
        challenge(site, ask(site, browser.session_cookie))


def held(site):
    """Token requests wait until the event is set."""
    gate = threading.Event()

    def hook(exchange):
        gate.wait(20)
        return exchange.default()
    site.idp.on["token"] = hook
    return gate


# ---- what goes well --------------------------------------------------------------------------

@case("T-22")
def test_parallel_requests_of_a_due_session(site, due):
    """Fifty at once over two workers: one refresh, all pass, the new token is used next."""
    first = list(site.idp.refresh)
    site.idp.refresh_body = lambda body: {**body, "expires_in": SHORT}
    gate = held(site)  # all of them find it due
    before = len(site.hits())
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ask(site, due.session_cookie), range(50)))
    assert all(a.from_backend for a in answers)
    assert len(site.hits()) - before == 50
    gate.set()
    del site.idp.on["token"]
    refreshed(site, 1)
    assert site.idp.refreshes[0][1] in first
    # Nothing is due any more.
    for _ in range(5):
        passes(site, ask(site, due.session_cookie), remote_user="jdoe")
    refreshed(site, 1)
    time.sleep(DUE)
    second = list(site.idp.refresh)
    assert second and second != first
    passes(site, ask(site, due.session_cookie), remote_user="jdoe")
    refreshed(site, 2)
    assert site.idp.refreshes[1][1] == second[-1]
    passes(site, ask(site, due.session_cookie), remote_user="jdoe")
    assert site.idp.complaints == []


@case("T-26")
def test_requests_that_are_no_use_begin_none(site, due):
    """A page that was left open does not keep the provider's session alive."""
    for target in ("/poll/", "/poll/x?y", "/a/beat", "/p%6fll/x"):
        passes(site, ask(site, due.session_cookie, target), remote_user="jdoe")
    time.sleep(0.3 * SLOW)
    assert site.idp.refreshes == []
    # Their likes are.
    passes(site, ask(site, due.session_cookie, "/a/beats"), remote_user="jdoe")
    refreshed(site)


def test_the_name_of_a_session_stays_over_a_refresh(site, due):
    """Applications keep it, to tell one session from the next."""
    name = due.get("/x").headers.get("x-session")
    assert re.fullmatch("[0-9a-f]{16}", name)
    refreshed(site)
    for _ in range(5):
        assert ask(site, due.session_cookie).headers.get("x-session") == name
    other = site.browser()
    other.login("/x")
    again = other.get("/x").headers.get("x-session")
    assert re.fullmatch("[0-9a-f]{16}", again) and again != name


@case("C-21")
def test_requests_during_a_refresh(site, due):
    """Nobody waits for the refresh, and everybody passes."""
    gate = held(site)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: ask(site, due.session_cookie), range(100)))
    assert all(a.from_backend for a in answers)
    assert time.monotonic() - begin < 1.8 * SLOW
    assert site.delta("token") == 2  # the login's and one refresh
    gate.set()
    refreshed(site)
    passes(site, ask(site, due.session_cookie), remote_user="jdoe")


@case("T-24")
def test_answer_without_refresh_token_and_id_token(site):
    browser = due_session(site, rotate=False)
    (token,) = site.idp.refresh
    site.idp.refresh_body = lambda body: {**body, "id_token": None, "expires_in": SHORT}
    passes(site, browser.get("/x"), remote_user="jdoe")
    refreshed(site)
    passes(site, browser.get("/x"), remote_user="jdoe", remote_groups="staff,dev")
    time.sleep(DUE)
    passes(site, browser.get("/x"))
    refreshed(site, 2)
    assert [t for _, t in site.idp.refreshes] == [token, token]
    passes(site, browser.get("/x"), remote_user="jdoe", remote_groups="staff,dev")


@case("T-25")
def test_narrowed_scope(site, due):
    site.idp.refresh_body = lambda body: {**body, "scope": "openid profile"}
    passes(site, due.get("/x"))
    refreshed(site)
    passes(site, due.get("/x"), remote_user="jdoe")
    assert re.search(r"taken away scope \"[a-z ]*groups", site.log_since_mark())


@case("C-24")
def test_removed_group_disappears(site, due):
    site.idp.refresh_claims = lambda c: {**c, "groups": ["staff"], "email": "new@example.org"}
    # The request that finds it due goes on with what the session says.
    passes(site, due.get("/x"), remote_groups="staff,dev")
    refreshed(site)
    assert invariants.check_hits(site) == []
    site.state.hits_start = len(site.backend.hits)
    claims = site.state.sessions[due.session_cookie]
    site.state.sessions[due.session_cookie] = {**claims, "groups": ["staff"],
                                               "email": "new@example.org"}
    for _ in range(6):
        passes(site, ask(site, due.session_cookie), remote_groups="staff",
               remote_email="new@example.org", remote_user="jdoe")


@case("C-24")
def test_all_groups_disappear(site, due):
    site.idp.refresh_claims = lambda c: {k: v for k, v in c.items() if k != "groups"}
    passes(site, due.get("/x"), remote_groups="staff,dev")
    refreshed(site)
    site.state.hits_start = len(site.backend.hits)
    site.state.sessions[due.session_cookie] = {
        k: v for k, v in site.state.sessions[due.session_cookie].items() if k != "groups"}
    for _ in range(4):
        passes(site, ask(site, due.session_cookie), remote_groups=None, remote_user="jdoe")


@case("T-22")
def test_no_refresh_token_no_refresh(site):
    site.idp.token_body = lambda body: {**body, "expires_in": SHORT}
    browser = site.browser()
    browser.login("/x")
    time.sleep(DUE)
    passes(site, browser.get("/x"))
    time.sleep(0.2)
    assert site.idp.refreshes == [] and site.delta("token") == 1


# ---- T-21: an answer that must not be applied --------------------------------------------------

BAD_TOKENS = {
    "other-iss": {"iss": "https://evil.example"}, "other-aud": {"aud": "client-2"},
    "other-sub": {"sub": "u-2002"}, "no-exp": {"exp": None}, "expired": {"exp": 1_500_000_000},
    "new-nonce": {"nonce": "n" * 32},
}


def test_refused_answers(site):
    """T-21, all in one wait: seven sessions become due together."""
    prepare(site)
    browsers = {}
    for name in [*BAD_TOKENS, "signature", "unsigned"]:
        site.idp.user = {**site.idp.user, "preferred_username": name}
        browsers[name] = site.browser()
        browsers[name].login("/x")
    site.idp.user = dict(site.idp.user, preferred_username="jdoe")
    time.sleep(DUE)
    for i, (name, browser) in enumerate(browsers.items(), 1):
        site.idp.make_token = None
        site.idp.refresh_claims = None
        if name in BAD_TOKENS:
            change = BAD_TOKENS[name]
            site.idp.refresh_claims = lambda c, change=change: {
                k: v for k, v in {**c, "preferred_username": "mallory", **change}.items()
                if v is not None}
        elif name == "signature":
            site.idp.make_token = lambda h, c: forge.signed(h, c, site.lab.keys.rsa2)
        else:
            site.idp.make_token = lambda h, c: forge.compact({**h, "alg": "none"}, c)
        passes(site, browser.get("/x"), remote_user=name)
        refreshed(site, i)
        over(site, browser)
        assert "ended it: " in site.log_since_mark()
    assert not any("mallory" in str(h.identity()) for h in site.hits())
    assert site.log_since_mark().count("ended it: ") == len(browsers)


# ---- T-23, F-09: refusals and failures ---------------------------------------------------------

@case("T-23")
def test_invalid_grant_ends_the_session(site, due):
    site.idp.refresh_body = lambda _: Reply({"error": "invalid_grant"}, status=400)
    passes(site, due.get("/x"))
    refreshed(site)
    over(site, due)
    refreshed(site)  # once is enough
    assert "refresh_denied" in site.log_since_mark()


FAILURES = {
    "500": lambda x: Reply({"error": "server_error"}, status=500),
    "503": lambda x: Reply(b"", status=503, ctype=None),
    "429": lambda x: Reply({"error": "slow_down"}, status=429, headers=[("Retry-After", "1")]),
    "no-json": lambda x: Reply(b"<html>", ctype="text/html"),
    "reset": lambda x: x.rst(),
    "timeout": lambda x: x.stall(10),
    "redirect": lambda x: Reply(b"", status=302, headers=[("Location", x.idp.url("token"))]),
}


def test_failures_leave_the_session(site):
    """T-23, all in one wait. The next try comes after five seconds at the earliest."""
    prepare(site)
    browsers = {}
    for name in FAILURES:
        browsers[name] = site.browser()
        browsers[name].login("/x")
    time.sleep(DUE)
    for name, browser in browsers.items():
        site.idp.on["token"] = FAILURES[name]
        before = site.idp.count("token")
        passes(site, browser.get("/x"))
        site.wait(lambda: site.log_since_mark().count("failed for now") == list(
            browsers).index(name) + 1, name, 8)
        for _ in range(10):
            passes(site, ask(site, browser.session_cookie), remote_user="jdoe")
        time.sleep(0.1)
        # A reset before the first byte of an answer may be tried once more, if at all.
        assert site.idp.count("token") - before == 1, name
    del site.idp.on["token"]
    # Back-off over: they are refreshed and go on.
    time.sleep(7)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda b: ask(site, b.session_cookie), list(browsers.values()) * 3))
    refreshed(site, len(browsers))
    for browser in browsers.values():
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("X-15")
def test_connection_closed_before_a_refresh(site):
    """The provider has closed every kept connection a moment after its last answer."""
    browsers = [due_session(site)]
    for _ in range(2):
        browsers.append(site.browser())
        browsers[-1].login("/x")
    before = site.idp.count("token")
    time.sleep(0.3)
    site.idp.drop_connections()
    time.sleep(0.05)
    passes(site, browsers[0].get("/x"), remote_user="jdoe")
    refreshed(site)
    assert site.idp.count("token") - before == 1 and len(site.idp.refreshes) == 1
    assert "failed for now" not in site.log_since_mark()


@case("T-23")
def test_retry_after_is_kept(site, due):
    site.idp.on["token"] = lambda x: Reply(b"", status=503, ctype=None,
                                           headers=[("Retry-After", "15")])
    before = site.idp.count("token")
    passes(site, due.get("/x"))
    site.wait(lambda: "failed for now" in site.log_since_mark())
    del site.idp.on["token"]
    time.sleep(8)  # past the first delay of the module's own
    for _ in range(4):
        passes(site, ask(site, due.session_cookie))
    time.sleep(0.1)
    assert site.idp.count("token") == before + 1


@case("F-09")
def test_provider_down_when_refreshes_are_due(site):
    """No stampede while it is down, none when it is back."""
    prepare(site)
    browsers = [site.browser() for _ in range(10)]
    for browser in browsers:
        browser.login("/x")
    cookies = [b.session_cookie for b in browsers]
    time.sleep(DUE)
    site.idp.refuse()
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            for answer in pool.map(lambda c: ask(site, c), cookies):
                passes(site, answer, remote_user="jdoe")
    site.wait(lambda: site.log_since_mark().count("failed for now") == 10, "ten failures")
    site.idp.listen()
    time.sleep(7)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for answer in pool.map(lambda c: ask(site, c), cookies * 5):
            passes(site, answer, remote_user="jdoe")
    refreshed(site, 10)
    assert len({token for _, token in site.idp.refreshes}) == 10
    sane(site)


@case("T-23")
def test_userinfo_fails_after_the_tokens_have_come(make_site):
    """The old refresh token is used up: the new one must be kept though the refresh failed."""
    site = make_site(directives={**DIRECTIVES, "userinfo": "on"}, own_paths=OWN, control=False)
    browser = due_session(site)
    site.idp.on["userinfo"] = lambda x: Reply(b"", status=503, ctype=None)
    passes(site, browser.get("/x"), remote_user="jdoe")
    refreshed(site)
    assert "failed for now" in site.log_since_mark()
    del site.idp.on["userinfo"]
    (second,) = site.idp.refresh
    time.sleep(7)
    passes(site, ask(site, browser.session_cookie), remote_user="jdoe")
    refreshed(site, 2)
    assert site.idp.refreshes[1][1] == second
    passes(site, ask(site, browser.session_cookie), remote_user="jdoe")
    assert site.idp.complaints == []


@case("T-27")
def test_a_later_auth_time(site, due):
    site.idp.refresh_claims = lambda c: {**c, "auth_time": int(time.time()) + 5}
    passes(site, due.get("/x"))
    refreshed(site)
    for _ in range(4):
        passes(site, ask(site, due.session_cookie), remote_user="jdoe")
    assert "ended it" not in site.log_since_mark()


@case("T-28")
def test_a_disabled_user(make_site):
    """As Authelia does it: tokens as before, and nobody in UserInfo."""
    site = make_site(directives={**DIRECTIVES, "userinfo": "on"}, own_paths=OWN, control=False)
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k != "preferred_username"}
    browser = due_session(site)
    site.idp.userinfo_body = lambda body: {"sub": body["sub"]}
    passes(site, browser.get("/x"))
    refreshed(site)
    over(site, browser)
    assert "ended it: username_missing" in site.log_since_mark()


@case("T-21")
def test_userinfo_of_somebody_else(make_site):
    site = make_site(directives={**DIRECTIVES, "userinfo": "on"}, own_paths=OWN, control=False)
    browser = due_session(site)
    site.idp.userinfo_body = lambda body: {**body, "sub": "u-2002", "preferred_username": "eve"}
    passes(site, browser.get("/x"), remote_user="jdoe")
    refreshed(site)
    over(site, browser)
    assert "userinfo_sub" in site.log_since_mark()


@case("T-21")
def test_new_signing_key(make_site):
    """The provider has changed its key since the login: fetched, verified, applied."""
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False)
    browser = due_session(site)
    site.idp.key = site.lab.keys.rsa2
    site.idp.jwks_keys = [site.lab.keys.rsa2.jwk()]
    site.idp.refresh_claims = lambda c: {**c, "groups": ["staff"]}
    passes(site, browser.get("/x"), remote_user="jdoe")
    site.wait(lambda: site.idp.count("jwks") == 2, "the keys")
    refreshed(site)
    site.state.check_hits = False  # the claims that it knows are those of the login
    passes(site, ask(site, browser.session_cookie), remote_user="jdoe", remote_groups="staff")
    assert "failed for now" not in site.log_since_mark(), site.log_since_mark()


# ---- L-30 and what else happens meanwhile ------------------------------------------------------

@pytest.mark.parametrize("how", rows("L-30", {"browser": "browser", "backchannel": "backchannel"}))
def test_logout_during_a_refresh(site, how):
    browser = due_session(site, sid="in-flight")
    cookie = browser.session_cookie
    gate = held(site)
    passes(site, browser.get("/x"))
    site.wait(lambda: site.delta("token") == 2, "refresh")
    if how == "browser":
        assert browser.get("/logout").status in (302, 303)
    else:
        token = site.idp.logout_token(sid="in-flight")
        answer = site.browser().request(
            "POST", "/oidc/backchannel", kind="none", cookies=False,
            body=f"logout_token={token}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 200, answer
    gate.set()
    refreshed(site)
    for _ in range(6):
        challenge(site, ask(site, cookie))
    sane(site)


@case("C-21")
def test_client_abort_does_not_cancel_the_refresh(site, due):
    gate = held(site)
    with site.connect() as connection:
        cookie = f"{site.session_cookie_name}={due.session_cookie}"
        connection.send(f"GET /x HTTP/1.1\r\nHost: {site.authority()}\r\nCookie: {cookie}\r\n"
                        "X-Test-Id: aborted\r\nConnection: close\r\n\r\n")
        site.wait(lambda: site.delta("token") == 2, "refresh")
    site.state.check_hits = False  # of a request that no browser made
    time.sleep(0.2)
    gate.set()
    refreshed(site)
    for _ in range(4):
        passes(site, ask(site, due.session_cookie), remote_user="jdoe")
    refreshed(site)
    assert "failed for now" not in site.log_since_mark()


@pytest.mark.kills_workers
@case("T-22")
def test_reload_during_a_refresh(make_site):
    """The worker that leaves waits for the new refresh token; the old one is used up."""
    site = make_site(directives=DIRECTIVES, own_paths=OWN, control=False)
    browser = due_session(site)
    site.idp.refresh_body = lambda body: {**body, "expires_in": SHORT}
    gate = held(site)
    passes(site, browser.get("/x"))
    site.wait(lambda: site.delta("token") == 2, "refresh")
    site.reload()
    for _ in range(4):
        passes(site, ask(site, browser.session_cookie))
    assert site.delta("token") == 2  # the lease is still held
    gate.set()
    refreshed(site)
    time.sleep(DUE)
    for _ in range(4):
        passes(site, ask(site, browser.session_cookie), remote_user="jdoe")
    refreshed(site, 2)
    tokens = [token for _, token in site.idp.refreshes]
    assert tokens[0] != tokens[1]
    passes(site, ask(site, browser.session_cookie), remote_user="jdoe")
    assert "ended it" not in site.log_since_mark()
    assert site.idp.complaints == []
