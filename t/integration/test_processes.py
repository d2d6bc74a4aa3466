# SPDX-License-Identifier: Apache-2.0
"""What sessions survive: full stores, floods, killed workers, reloads, an absent provider (groups E
and F as far as the memory store goes)."""

import concurrent.futures
import os
import random
import re
import signal
import time

import pytest

from harness.cases import case
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, reject

CONTROL_COOKIE = "__Host-NGX_OIDC_SESSION"


def with_cookie(site, cookie, target="/x"):
    browser = site.browser()
    answer = browser.get(target, headers={"Cookie": cookie})
    browser.close()
    return answer


# ---- stores ----------------------------------------------------------------------------------

STORE = "oidc_session_store small { type memory; size 128k; }"


@case("E-02")
def test_full_store(make_site):
    """Live sessions stay, new logins get a clear 503, expired ones make room."""
    site = make_site(http=STORE, directives={"session_store": "small", "session_timeout": "1h"},
                     clock="all")
    cookies = []
    site.idp.user = {**site.idp.user, "bulk": "b" * 3000}
    for _ in range(200):
        browser = site.browser()
        answer = browser.try_login("/x")
        browser.close()
        if answer.status not in (302, 303):
            break
        cookies.append(browser.session_cookie)
    reject(site, answer, "store_full", 503)
    assert len(cookies) > 10
    for value in (cookies[0], cookies[-1], cookies[len(cookies) // 2]):
        assert with_cookie(site, f"{CONTROL_COOKIE}={value}").from_backend
    assert site.control.get("/control").from_backend
    site.set_clock(3700)
    site.control = None
    browser = site.browser()
    browser.login("/x")
    assert not with_cookie(site, f"{CONTROL_COOKIE}={cookies[0]}").from_backend
    site.set_clock(0)


@case("E-01")
def test_anonymous_flood(make_site):
    """Anonymous requests store nothing: 3000 of them leave every session and login intact."""
    site = make_site(http=STORE, directives={"session_store": "small"})
    waiting = site.browser()
    first = waiting.start("/before")
    flood = site.browser()
    for i in range(3000):
        flood.jar.clear()
        answer = flood.get(f"/f{i}")
        assert answer.status == 302
    assert waiting.callback(waiting.callback_url(first)).status in (302, 303)
    with site.signed_in():
        pass


@case("T-15")
def test_session_too_large_for_the_store(make_site):
    """A clear refusal, not a login loop."""
    site = make_site(http=STORE, directives={"session_store": "small", "userinfo": "on"},
                     control=False)
    site.idp.userinfo_body = lambda b: {**b, "big": "x" * 200000}
    browser = site.browser()
    answer = browser.try_login("/x")
    reject(site, answer, "session_too_large|store_full", (500, 502, 503))


@case("E-02")
def test_four_thousand_sessions_fit_into_eight_megabytes(make_site):
    """Eight claims each; tokens of 1.5 kB are not kept. Counted by what one session takes."""
    site = make_site(http="oidc_session_store eight { type memory; size 8m; }",
                     directives={"session_store": "eight"}, control=False,
                     locations="location = /status { auth_oidc off; oidc_status; }",
                     public=("/status",), own_paths=())
    site.idp.user = {**site.idp.user, **{f"claim{i}": "v" * 24 for i in range(4)}}
    site.idp.claims = lambda c: {**c, "pad": "p" * 600}

    def used():
        status = site.browser().get("/status", kind="plain").json()
        (store,) = [s for s in status["stores"] if s["name"] == "eight"] if isinstance(
            status["stores"], list) else [status["stores"]["eight"]]
        return store
    before = used()
    for _ in range(20):
        with site.signed_in():
            pass
    after = used()
    assert after["sessions"] - before["sessions"] == 20, after
    blocks = (after["blocks_used"] - before["blocks_used"]) / 20
    assert blocks * 4000 <= after["blocks_total"], after


# ---- processes -------------------------------------------------------------------------------

@pytest.mark.kills_workers
@case("F-01")
def test_killed_workers(make_site):
    site = make_site()
    with site.signed_in() as browser:
        waiting = site.browser()
        first = waiting.start("/pending")
        for _ in range(5):
            before = site.nginx.worker_pids()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            site.wait(lambda: len(site.nginx.worker_pids()) == 2
                      and not set(site.nginx.worker_pids()) & set(before), "new workers")
            for b in (browser, site.control, waiting):
                b.close()
            passes(site, browser.get("/x"), remote_user="jdoe")
        assert waiting.callback(waiting.callback_url(first)).status in (302, 303)
    site.allow_log(r"exited on signal 9")
    site.state.pids = site.nginx.worker_pids()
    site.state.lost_connections = 10000


@pytest.mark.kills_workers
@case("F-02")
def test_workers_killed_while_they_write(make_site):
    """Logins run into kill -9 at random moments; what was stored before is whole afterwards."""
    site = make_site(directives={"session_idle_timeout": "1h"})
    kept = []
    for i in range(5):
        with site.signed_in(preferred_username=f"kept-{i}", sub=f"k{i}") as browser:
            kept.append((f"kept-{i}", browser.session_cookie))
    rng = random.Random(7)
    site.state.check_hits = False

    def churn(seed):
        done = 0
        for _ in range(40):
            browser = site.browser()
            try:
                if browser.try_login("/x").status in (302, 303):
                    done += 1
            except (OSError, EOFError, AssertionError, ValueError):
                pass
            browser.close()
        return done
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(churn, i) for i in range(4)]
        for _ in range(15):
            time.sleep(rng.uniform(0.01, 0.06))
            pids = site.nginx.worker_pids()
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        assert sum(r.result() for r in running) > 20
    site.wait(lambda: len(site.nginx.worker_pids()) == 2, "workers")
    site.control.close()
    for name, value in kept:
        answer = with_cookie(site, f"{CONTROL_COOKIE}={value}")
        assert answer.from_backend and site.backend.last.headers.all("Remote-User") == [name]
    with site.signed_in():
        pass
    site.allow_log(r"exited on signal 9|was locked by")
    site.state.pids = site.nginx.worker_pids()
    site.state.lost_connections = 10000


@pytest.mark.kills_workers
@case("F-04")
def test_reloads(make_site):
    site = make_site(http="oidc_session_store st { type memory; size 1m; }",
                     directives={"session_store": "st"})
    with site.signed_in() as browser:
        waiting = site.browser()
        first = waiting.start("/pending")
        before = site.idp.count("discovery")

        def still():
            browser.close()
            waiting.close()
            site.control.close()
            passes(site, browser.get("/x"), remote_user="jdoe")
        assert site.reload()
        still()
        # Directives of the provider.
        assert site.reload(providers={"idp": (site.idp, {
            "session_store": "st", "session_timeout": "2h", "scope": "openid email",
            "clock_skew": "30s"})})
        still()
        # A second provider.
        other = Idp(site.lab.keys)
        assert site.reload(providers={
            "idp": (site.idp, {"session_store": "st"}),
            "two": (other, {"session_store": "st", "redirect_uri": "/cb2"})})
        still()
        # A wrong configuration changes nothing.
        text = site.nginx.conf.read_text()
        site.nginx.conf.write_text(text.replace("client_id", "client_idx", 1))
        assert site.nginx.reload() is False
        site.nginx.conf.write_text(text)
        site.allow_log(r"unknown directive")
        still()
        assert site.nginx.reload()
        site.state.pids = site.nginx.worker_pids()
        # A login that straddles them all; metadata was not fetched again by every new worker.
        assert waiting.callback(waiting.callback_url(first)).status in (302, 303)
        assert site.idp.count("discovery") - before <= 4
        # Another size: the sessions of that zone are gone, and the log says so.
        assert site.reload(http="oidc_session_store st { type memory; size 2m; }")
        browser.close()
        challenge(site, browser.get("/x"))
        assert re.search(r"oidc: .*(size|empty|start)", site.log_since_mark())
    site.control = None


@pytest.mark.kills_workers
@case("F-18")
def test_reload_while_logins_wait(make_site):
    site = make_site()
    site.idp.on["token"] = lambda x: (time.sleep(1), x.default())[1]
    browsers = [site.browser() for _ in range(12)]
    targets = [b.callback_url(b.start("/x")) for b in browsers]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(b.callback, t) for b, t in zip(browsers, targets)]
        site.wait(lambda: site.delta("token") >= 6, "logins under way")
        site.nginx.reload(wait=False)
        answers = [w.result() for w in waiting]
    assert {a.status for a in answers} <= {302, 303}
    site.wait(lambda: len(site.nginx.worker_pids()) == 2, "workers")
    for browser in browsers:
        browser.close()
        passes(site, browser.get("/x"), remote_user="jdoe")
    site.control.close()
    site.state.pids = site.nginx.worker_pids()


@case("F-17")
def test_quit_with_everything_open(make_site):
    """Idle connections to the provider, caches and timers do not keep a worker from leaving."""
    site = make_site(control=False)
    with site.signed_in():
        pass
    start = time.monotonic()
    assert site.nginx.stop(signal.SIGQUIT, timeout=5)
    assert time.monotonic() - start < 6 * SLOW


@case("F-17")
def test_quit_while_a_login_waits(make_site):
    site = make_site(control=False, shutdown_timeout="2s")
    site.idp.on["token"] = lambda x: x.stall(20)
    browser = site.browser()
    target = browser.callback_url(browser.start("/x"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: browser.callback(target))
        site.wait(lambda: site.delta("token") == 1, "login under way")
        assert site.nginx.stop(signal.SIGQUIT, timeout=12)
        try:
            waiting.result()
        except (OSError, EOFError):
            pass


@case("F-08")
def test_provider_down(make_site):
    """Signed-in users notice nothing; a new login is refused and works again afterwards."""
    site = make_site()
    with site.signed_in() as browser:
        site.idp.refuse()
        passes(site, browser.get("/x"), remote_user="jdoe")
        fresh = site.browser()
        first = fresh.start("/y")
        answer = fresh.callback(fresh.callback_url(first))
        reject(site, answer, "idp_connect", 502)
        passes(site, browser.get("/x"), remote_user="jdoe")
        site.idp.listen()
        with site.signed_in():
            pass
