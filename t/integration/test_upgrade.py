# SPDX-License-Identifier: Apache-2.0
"""What outlives nginx: sessions over a binary upgrade (group F)."""

import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import struct
import time

import pytest

from harness.cases import case
from harness.nginx import SLOW, state_of
from harness.outcome import challenge, passes, reject
from harness.stores import memory_only

COOKIE = "__Host-NGX_OIDC_SESSION"
DIRECTIVES = {"logout_uri": "/logout"}
OWN = ("/oidc_callback", "/logout")

# Which worker has answered.
PID = "add_header X-Worker $pid always;"

pytestmark = pytest.mark.kills_workers


@pytest.fixture
def daemon(make_site):
    """Sites whose nginx is a daemon, as an upgrade needs it."""
    def make(**arguments):
        arguments.setdefault("directives", DIRECTIVES)
        site = make_site(start=False, server=PID, control=False, own_paths=OWN, **arguments)
        site.nginx.daemon = True
        site.nginx.write(site.render())
        site.start()
        site.state.check_workers = False
        return site
    return make


@contextlib.contextmanager
def only(site, pid):
    """Only this worker answers."""
    masters = {site.nginx.process, *site.nginx.former}
    others = [w for m in masters for w in site.nginx.worker_pids(m.pid) if w != pid]
    for worker in others:
        os.kill(worker, signal.SIGSTOP)
    try:
        site.wait(lambda: all(state_of(worker) == "T" for worker in others), "stopped workers")
        yield
    finally:
        for worker in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)


def each_worker(site, *masters):
    """Every worker of these masters in turn, alone."""
    for master in masters:
        workers = site.nginx.worker_pids(master.pid)
        assert len(workers) == site.nginx.workers
        for pid in workers:
            with only(site, pid):
                yield pid


def in_every_worker(site, browser, *masters, user="jdoe"):
    """The session is good in every worker of these masters."""
    for pid in each_worker(site, *masters):
        browser.close()
        answer = browser.get("/x")
        assert answer.headers.get("x-worker") == str(pid)
        passes(site, answer, remote_user=user)
        browser.close()


def gone_in_every_worker(site, cookie, *masters):
    for pid in each_worker(site, *masters):
        browser = site.browser()
        answer = browser.get("/x", headers={"Cookie": f"{COOKIE}={cookie}"})
        assert answer.headers.get("x-worker") == str(pid)
        challenge(site, answer)
        browser.close()


def first_worker(site, master):
    return only(site, site.nginx.worker_pids(master.pid)[0])


def leave(master, how=signal.SIGQUIT):
    master.send_signal(how)
    master.wait(20 * SLOW)


def memory_files(pid):
    """{name of a zone: descriptor} of a process, each name once."""
    found = {}
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            name = re.match(r"/memfd:oidc:(\S+)", os.readlink(link))
            if name:
                assert name[1] not in found, f"two descriptors of {name[1]}"
                found[name[1]] = int(link.name)
    return found


def poke(master, zone, offset, data):
    """Writes into the memory of a zone."""
    with open(f"/proc/{master.pid}/fd/{memory_files(master.pid)[zone]}", "r+b") as file:
        file.seek(offset)
        file.write(data)


@case("F-06")
def test_upgrade(daemon):
    """USR2, both serve, WINCH, QUIT: sessions from before, from between and from after work in
    every worker, and a login that has begun in the old binary ends in the new one."""
    site = daemon()
    fetched = site.idp.count("discovery")
    between = []
    with site.signed_in() as before:
        waiting = site.browser()
        begun = waiting.start("/begun")
        old = site.nginx.upgrade()
        new = site.nginx.process
        in_every_worker(site, before, old, new)
        for master in (old, new):
            with first_worker(site, master):
                between.append(site.browser())
                between[-1].login("/x")
                between[-1].close()
        for browser in between:
            in_every_worker(site, browser, old, new)
        old.send_signal(signal.SIGWINCH)
        site.wait(lambda: not site.nginx.worker_pids(old.pid), "old workers gone")
        assert waiting.callback(waiting.callback_url(begun)).status in (302, 303)
        leave(old)
        after = site.browser()
        after.login("/x")
        for browser in (before, waiting, after, *between):
            in_every_worker(site, browser, new)
    # What the old workers knew of the provider was enough.
    assert site.idp.count("discovery") - fetched <= 1
    assert "is shared with it" in site.log_since_mark()


@case("F-06")
def test_logout_while_both_serve(daemon):
    """Ended in one generation, ended in the other."""
    site = daemon()
    with site.signed_in() as one, site.signed_in() as two, site.signed_in() as stays:
        old = site.nginx.upgrade()
        new = site.nginx.process
        for master, browser in ((old, one), (new, two)):
            cookie = browser.session_cookie
            browser.close()
            with first_worker(site, master):
                assert browser.get("/logout", fetch_site="same-origin").status in (302, 303)
                browser.close()
            gone_in_every_worker(site, cookie, old, new)
        in_every_worker(site, stays, old, new)
        leave(old)


@case("F-06", "A-07")
def test_a_state_is_used_once_by_both(daemon):
    site = daemon()
    old = site.nginx.upgrade()
    new = site.nginx.process
    for first, second in ((old, new), (new, old)):
        site.again()
        browser = site.browser()
        target = browser.callback_url(browser.start("/x"))
        pending = browser.jar.cookies[:]
        browser.close()
        with first_worker(site, first):
            assert browser.callback(target).status in (302, 303)
            browser.close()
        browser.jar.cookies = [c for c in pending]
        with first_worker(site, second):
            answer = browser.callback(target)
            reject(site, answer, "state_.*")
            browser.close()
    leave(old)


@case("F-06")
def test_roll_back(daemon):
    """The new binary goes, the old one goes on, with what was signed in meanwhile."""
    site = daemon()
    with site.signed_in() as before:
        old = site.nginx.upgrade()
        new = site.nginx.process
        old.send_signal(signal.SIGWINCH)
        site.wait(lambda: not site.nginx.worker_pids(old.pid), "old workers gone")
        between = site.browser()
        between.login("/x")
        between.close()
        before.close()
        old.send_signal(signal.SIGHUP)
        site.wait(lambda: len(site.nginx.worker_pids(old.pid)) == 2, "old workers back")
        in_every_worker(site, before, old, new)
        leave(new)
        site.nginx.process = old
        site.wait(lambda: site.nginx.pidfile.exists(), "pid file back")
        for browser in (before, between):
            in_every_worker(site, browser, old)
        # And once more, at once without workers.
        second = site.nginx.upgrade()
        assert second is old
        leave(site.nginx.process, signal.SIGTERM)
        site.nginx.process = old
        assert site.reload()
        for browser in (before, between):
            in_every_worker(site, browser, old)
    site.allow_log("exited on signal")


@case("F-01", "F-06")
def test_workers_killed_while_both_serve(daemon):
    """Logins run in both generations while workers of both are killed at random moments."""
    site = daemon(directives={**DIRECTIVES, "session_idle_timeout": "1h"})
    rng = random.Random(11)
    kept = []
    for i in range(5):
        with site.signed_in(preferred_username=f"kept-{i}", sub=f"k{i}") as browser:
            kept.append((f"kept-{i}", browser.session_cookie))
    site.state.check_hits = False
    killed = set()
    old = site.nginx.upgrade()
    new = site.nginx.process

    def churn():
        done = 0
        for _ in range(40):
            browser = site.browser()
            try:
                done += browser.try_login("/x").status in (302, 303)
            except (OSError, EOFError, AssertionError, ValueError):
                pass
            browser.close()
        return done

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(churn) for _ in range(4)]
        for i in range(16):
            time.sleep(rng.uniform(0.01, 0.06))
            for pid in site.nginx.worker_pids((old, new)[i % 2].pid)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        assert sum(r.result() for r in running) > 20
    for master in (old, new):
        site.wait(lambda m=master: len(set(site.nginx.worker_pids(m.pid)) - killed) == 2, "workers")
    site.wait(lambda: all(state_of(pid) == "Z" for pid in killed), "killed workers gone")
    for name, value in kept:
        browser = site.browser()
        for _ in each_worker(site, old, new):
            answer = browser.get("/x", headers={"Cookie": f"{COOKIE}={value}"})
            assert answer.from_backend
            assert site.backend.last.headers.all("Remote-User") == [name]
            browser.close()
    leave(old)
    with site.signed_in():
        pass
    site.allow_log(r"exited on signal 9|was locked by|open socket #")
    site.state.lost_connections = 10000


@case("F-02")
@memory_only
def test_a_lock_that_nobody_breaks(daemon):
    """The process that held a zone has died without a master: the next one takes the lock."""
    site = daemon()
    with site.signed_in() as browser:
        dead = os.fork()
        if dead == 0:
            os._exit(0)
        os.waitpid(dead, 0)
        old = site.nginx.upgrade()
        for zone in ("oidc_default_store_idp", "oidc_logins", "oidc_metadata"):
            poke(old, zone, 64, struct.pack("<Q", dead))
        started = time.monotonic()
        passes(site, browser.get("/x"), remote_user="jdoe")
        assert time.monotonic() - started < 5 * SLOW
        browser.close()
        in_every_worker(site, browser, old, site.nginx.process)
        site.browser().login("/y")
        leave(old)
    site.allow_log(r"was taken from process \d+, which has died without a master")
    assert len(re.findall(r"zone was taken from process", site.log_since_mark())) >= 2


@case("F-04", "F-06")
@memory_only
def test_reload_around_an_upgrade(daemon):
    """Both generations and the one that stays reload; descriptors neither pile up nor reach a
    worker; another size in one generation leaves the other alone."""
    sized = "oidc_session_store st {{ type memory; size {}; }}"
    site = daemon(http=sized.format("1m"), directives={**DIRECTIVES, "session_store": "st"})
    names = {"st", "oidc_counters", "oidc_logins", "oidc_metadata"}
    with site.signed_in() as browser:
        for _ in range(3):
            browser.close()
            assert site.reload()
        assert set(memory_files(site.nginx.pid)) == names
        assert not any(memory_files(w) for w in site.nginx.worker_pids())
        old = site.nginx.upgrade()
        new = site.nginx.process
        in_every_worker(site, browser, old, new)
        assert site.reload()
        in_every_worker(site, browser, old, new)
        # A configuration that does not hold.
        text = site.nginx.conf.read_text()
        site.nginx.conf.write_text(text.replace("size 1m", "size 2m").replace("client_id", "cl", 1))
        assert site.nginx.reload() is False
        site.nginx.conf.write_text(text)
        site.allow_log(r"unknown directive")
        # And one that fails when its zones are there already.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            site.nginx.write(site.render(
                http=sized.format("2m"),
                servers=f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}"))
            new.send_signal(signal.SIGHUP)
            site.wait(lambda: "still could not bind()" in site.log_since_mark(), "failed reload")
        site.nginx.conf.write_text(text)
        site.allow_log(r"bind\(\)")
        in_every_worker(site, browser, old, new)
        for master in (old, new):
            assert set(memory_files(master.pid)) == names
        # Another size in the new generation.
        site.nginx.write(site.render(http=sized.format("2m")))
        assert site.nginx.reload()
        in_every_worker(site, browser, old)
        gone_in_every_worker(site, browser.session_cookie, new)
        assert set(memory_files(new.pid)) == names
        leave(new)
        site.nginx.process = old
        in_every_worker(site, browser, old)
        # Without the zone its file is closed.
        site.nginx.write(site.render(http="", providers={"idp": (site.idp, {})}))
        assert site.nginx.reload()
        assert set(memory_files(old.pid)) == names - {"st"} | {"oidc_default_store_idp"}


@case("F-06")
@memory_only
@pytest.mark.parametrize("offset, data, line", [
    pytest.param(16, struct.pack("<Q", 99), "has another layout", id="F-06-layout"),
    pytest.param(24, struct.pack("<Q", 4096), "has another size", id="F-06-size"),
    pytest.param(128, b"no table", "is damaged", id="F-06-damaged")])
def test_memory_that_the_new_binary_does_not_know(daemon, offset, data, line):
    """Such as that of another version of the module: it starts empty, the old one goes on."""
    site = daemon()
    with site.signed_in() as browser:
        in_every_worker(site, browser, site.nginx.process)
        zone = "oidc_default_store_idp"
        with open(f"/proc/{site.nginx.pid}/fd/{memory_files(site.nginx.pid)[zone]}", "rb") as file:
            file.seek(offset)
            saved = file.read(len(data))
        poke(site.nginx.process, zone, offset, data)
        old = site.nginx.upgrade()
        new = site.nginx.process
        poke(old, zone, offset, saved)
        assert re.search(rf'zone "{zone}" of the running binary {line}, the new one starts empty',
                         site.log_since_mark())
        in_every_worker(site, browser, old)
        gone_in_every_worker(site, browser.session_cookie, new)
        assert set(memory_files(new.pid)) == set(memory_files(old.pid))
        leave(new)
        site.nginx.process = old
        in_every_worker(site, browser, old)


@case("F-06")
def test_upgrades_one_after_the_other(daemon):
    site = daemon()
    with site.signed_in() as browser:
        for _ in range(3):
            old = site.nginx.upgrade()
            leave(old)
            in_every_worker(site, browser, site.nginx.process)
        assert len(memory_files(site.nginx.pid)) >= 2


@case("F-07")
def test_another_build_is_loaded_by_a_reload(make_site, tmp_path):
    """The same code in another file: it goes on with the zones, and so does the way back."""
    site = make_site(control=False, directives=DIRECTIVES, own_paths=OWN)
    site.state.check_workers = False
    original = site.nginx.module
    copy = tmp_path / "another.so"
    copy.write_bytes(pathlib.Path(original).read_bytes())
    with site.signed_in() as browser:
        before = set(memory_files(site.nginx.pid))
        for module in (copy, original):
            site.nginx.module = module
            browser.close()
            assert site.reload()
            passes(site, browser.get("/x"), remote_user="jdoe")
            assert set(memory_files(site.nginx.pid)) == before
    site.state.pids = site.nginx.worker_pids()


@case("F-25")
def test_master_killed(daemon):
    """Its workers serve on; when they are gone, nginx starts clean."""
    site = daemon()
    with site.signed_in() as browser:
        workers = site.nginx.worker_pids()
        site.nginx.process.kill()
        site.nginx.process.wait(10)
        passes(site, browser.get("/x"), remote_user="jdoe")
        browser.close()
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        site.wait(lambda: all(state_of(p) == "Z" for p in workers), "workers gone")
        site.nginx.pidfile.unlink()
        site.nginx.start([site.port, site.status_port])
        site.state.pids = site.nginx.worker_pids()
        with site.signed_in():
            pass
    site.state.lost_connections = 10000
