# SPDX-License-Identifier: Apache-2.0
"""`state_file`: what a memory store keeps over stop and start (group F)."""

import os
import pathlib
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

from harness.cases import case
from harness.nginx import SLOW, state_of
from harness.outcome import challenge, passes, reject
from harness.stores import memory_only

COOKIE = "__Host-NGX_OIDC_SESSION"
OWN = ("/oidc_callback", "/logout")
TEMPORARY = pathlib.Path(tempfile.gettempdir())

pytestmark = [memory_only, pytest.mark.kills_workers]


class Files:
    """The folder of a state file and its key."""

    def __init__(self, folder):
        self.folder = folder / "state"
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / "sessions"
        self.rejected = self.folder / "sessions.rejected"
        self.key = folder / "state.key"
        self.new_key()

    def new_key(self, *older):
        self.key.write_text("\n".join([secrets.token_hex(32), *older]) + "\n")
        self.key.chmod(0o600)

    def store(self, name="st", path=None, size="4m"):
        return (f"oidc_session_store {name} {{ type memory; size {size}; "
                f"state_file {path or self.path}; key_file {self.key}; }}\n")


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def kept(make_site, files):
    """A site whose sessions outlive it."""
    def make(start=True, directives=None, **arguments):
        site = make_site(http=files.store(), control=False, start=False, own_paths=OWN,
                         directives={"session_store": "st", "logout_uri": "/logout",
                                     **(directives or {})}, **arguments)
        if start:
            site.start()
            site.state.check_workers = False
        return site
    return make


def restart(site, how=signal.SIGQUIT, between=lambda: None):
    site.close_browsers()
    assert site.nginx.stop(how)
    between()
    site.nginx.start([site.port, site.status_port])
    site.state.pids = site.nginx.worker_pids()


def with_cookie(site, value):
    browser = site.browser()
    answer = browser.get("/x", headers={"Cookie": f"{COOKIE}={value}"})
    browser.close()
    return answer


@case("F-06")
@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGTERM])
def test_stop_and_start(kept, files, how):
    """Sessions, and a login that had begun, go on; the file is there between only, and tells
    nothing."""
    site = kept()
    with site.signed_in(preferred_username="one", sub="subject-one") as one, \
            site.signed_in(preferred_username="two", sub="subject-two") as two:
        waiting = site.browser()
        begun = waiting.callback_url(waiting.start("/begun"))
        values = {"one": one.session_cookie, "two": two.session_cookie}
    assert not files.path.exists()

    def look():
        status = files.path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()
        data = files.path.read_bytes()
        assert data.startswith(b"OIDCSTA1") and os.listdir(files.folder) == ["sessions"]
        secret = [*values, *values.values(), "idp", "subject-one", "groups", *site.idp.canaries,
                  *(c.value for c in waiting.jar.cookies)]
        for text in secret:
            assert text.encode() not in data, text
    restart(site, how, look)
    assert os.listdir(files.folder) == []
    for name, value in values.items():
        passes(site, with_cookie(site, value), remote_user=name)
    assert waiting.callback(begun).status in (302, 303)
    passes(site, waiting.get("/x"), remote_user="jdoe")
    waiting.close()
    assert 'session store "st" goes on with 2 sessions' in site.nginx.log()
    # And again, with nothing lost on the way.
    restart(site, how)
    for name, value in values.items():
        passes(site, with_cookie(site, value), remote_user=name)
    # Tagged lists are whole again.
    with site.signed_in(preferred_username="one", sub="subject-one"):
        pass


@case("F-06", "A-07")
def test_a_state_that_was_used_before(kept):
    """Not again after a start."""
    site = kept()
    browser = site.browser()
    target = browser.callback_url(browser.start("/x"))
    pending = browser.jar.cookies[:]
    assert browser.callback(target).status in (302, 303)
    browser.close()
    restart(site)
    browser.jar.cookies = pending
    site.again()
    reject(site, browser.callback(target), "state_.*")
    browser.close()


@case("F-06", "L-30")
def test_ended_sessions_stay_away(kept, files):
    """Logged out before the stop, or after the start and then a crash."""
    site = kept()
    with site.signed_in() as before, site.signed_in() as after, site.signed_in() as stays:
        ended = before.session_cookie
        later = after.session_cookie
        stay = stays.session_cookie
        assert before.get("/logout", fetch_site="same-origin").status in (302, 303)
        before.close()
        restart(site)
        challenge(site, with_cookie(site, ended))
        assert after.get("/logout", fetch_site="same-origin").status in (302, 303)
        after.close()
        passes(site, with_cookie(site, stay), remote_user="jdoe")
    workers = site.nginx.worker_pids()
    site.nginx.process.kill()
    site.nginx.process.wait()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert not files.path.exists()
    site.wait(lambda: all(state_of(p) == "Z" for p in workers), "workers gone")
    site.nginx.start([site.port, site.status_port])
    site.state.pids = site.nginx.worker_pids()
    for value in (ended, later, stay):
        challenge(site, with_cookie(site, value))
    site.state.lost_connections = 10000


@case("C-14")
def test_ends_are_kept(kept):
    """The absolute and the idle end are where they were."""
    site = kept(directives={"session_timeout": "8s", "session_idle_timeout": "5s"})
    began = time.time()
    with site.signed_in(preferred_username="idle") as idle, \
            site.signed_in(preferred_username="busy") as busy:
        cookies = {"idle": idle.session_cookie, "busy": busy.session_cookie}
    restart(site)
    if time.time() - began < 4:
        for name in cookies:
            passes(site, with_cookie(site, cookies[name]), remote_user=name)
    seen = time.time()
    time.sleep(2.5)
    passes(site, with_cookie(site, cookies["busy"]), remote_user="busy")
    site.nginx.stop()
    time.sleep(max(0, seen + 5.5 - time.time()))
    site.nginx.start([site.port, site.status_port])
    site.state.pids = site.nginx.worker_pids()
    challenge(site, with_cookie(site, cookies["idle"]))
    time.sleep(max(0, began + 9.5 - time.time()))
    challenge(site, with_cookie(site, cookies["busy"]))


def flip(at):
    def change(files):
        data = bytearray(files.path.read_bytes())
        data[at if at >= 0 else len(data) + at] ^= 1
        files.path.write_bytes(data)
    return change


def cut(size):
    return lambda files: os.truncate(files.path, size if size > 0 else
                                     files.path.stat().st_size + size)


@case("F-06")
@pytest.mark.parametrize("change, aside", [
    pytest.param(flip(0), False, id="F-06-magic"),
    pytest.param(flip(12), True, id="F-06-id"),
    pytest.param(flip(24), True, id="F-06-length"),
    pytest.param(flip(60), True, id="F-06-content"),
    pytest.param(flip(-1), True, id="F-06-tag"),
    pytest.param(cut(-1), True, id="F-06-cut-at-the-end"),
    pytest.param(cut(24), True, id="F-06-head-only"),
    pytest.param(cut(20), True, id="F-06-cut-head"),
    pytest.param(lambda files: files.new_key(), True, id="F-06-foreign-key"),
    pytest.param(lambda files: files.path.write_text("something else entirely"), False,
                 id="F-06-other-file")])
def test_files_that_are_refused(kept, files, change, aside):
    """nginx starts, the store is empty, one clear line; what is not ours is left alone."""
    site = kept()
    with site.signed_in() as browser:
        value = browser.session_cookie
    content = []

    def between():
        change(files)
        content.append(files.path.read_bytes())
    restart(site, between=between)
    assert re.search(r'\[error\].*state file ".*/sessions" is refused, so session store "st" starts '
                     r"empty: ", site.nginx.log())
    challenge(site, with_cookie(site, value))
    with site.signed_in() as browser:
        value = browser.session_cookie
    if aside:
        assert files.rejected.read_bytes() == content[0] and not files.path.exists()
        restart(site)
        passes(site, with_cookie(site, value), remote_user="jdoe")
    else:
        assert files.path.read_bytes() == content[0]
        restart(site)
        assert files.path.read_bytes() == content[0]
        assert "is left alone, so the sessions of store" in site.nginx.log()
        challenge(site, with_cookie(site, value))


@case("F-21")
def test_key_rotation(kept, files):
    site = kept()
    old = files.key.read_text().strip()
    with site.signed_in() as browser:
        value = browser.session_cookie
    restart(site, between=lambda: files.new_key(old))
    passes(site, with_cookie(site, value), remote_user="jdoe")
    restart(site)
    passes(site, with_cookie(site, value), remote_user="jdoe")


@case("F-16")
def test_folder_that_cannot_be_written(kept, files):
    """What cannot be removed is not read; what cannot be written is said."""
    site = kept()
    with site.signed_in() as browser:
        value = browser.session_cookie
    site.close_browsers()

    def remove_folder():
        shutil.rmtree(files.folder)
    remove_folder()
    assert site.nginx.stop()
    assert re.search(r"state file .* cannot be created, so the sessions of store \"st\" are lost",
                     site.nginx.log())
    code, output = site.nginx.test()
    assert code != 0 and "the folder of state_file" in output
    files.folder.mkdir()
    site.nginx.start([site.port, site.status_port])
    site.state.pids = site.nginx.worker_pids()
    challenge(site, with_cookie(site, value))


@case("F-06")
def test_nginx_t_leaves_the_file_alone(kept, files):
    site = kept()
    with site.signed_in() as browser:
        value = browser.session_cookie
    found = []

    def between():
        before = files.path.stat()
        assert site.nginx.test()[0] == 0
        after = files.path.stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert os.listdir(files.folder) == ["sessions"]
        files.folder.chmod(0o777)
        code, output = site.nginx.test()
        assert code == 0 and "is writable for others" in output
        files.folder.chmod(0o700)
        found.append(True)
    restart(site, between=between)
    assert found
    assert site.nginx.test()[0] == 0
    passes(site, with_cookie(site, value), remote_user="jdoe")


@case("N-35")
@pytest.mark.parametrize("text, message", [
    pytest.param("{store}{same}", "is given to two session stores", id="twice"),
    pytest.param("{folder}", "is not a regular file", id="folder")])
def test_configurations_that_are_refused(kept, files, text, message):
    site = kept(start=False)
    store, same = files.store(), files.store("other")
    folder = files.store(path=files.folder)
    site.nginx.write(site.render(http=text.format(store=store, same=same, folder=folder)))
    code, output = site.nginx.test()
    assert code != 0 and message in output


@case("F-04")
def test_reload_writes_nothing(kept, files):
    """And a file that lies there while nginx runs is older than it."""
    site = kept()
    with site.signed_in() as browser:
        browser.close()
        assert site.reload()
        assert os.listdir(files.folder) == []
        passes(site, browser.get("/x"), remote_user="jdoe")
        browser.close()
        files.path.write_bytes(b"OIDCSTA1 of last week")
        assert site.reload()
        site.wait(lambda: not files.path.exists(), "removed")
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("F-06")
def test_who_writes_in_an_upgrade(kept, files):
    """Whoever leaves last."""
    site = kept(start=False)
    site.nginx.daemon = True
    site.nginx.write(site.render())
    site.start()
    site.state.check_workers = False
    with site.signed_in() as browser:
        value = browser.session_cookie
    old = site.nginx.upgrade()
    old.send_signal(signal.SIGQUIT)
    old.wait(20 * SLOW)
    assert os.listdir(files.folder) == []
    passes(site, with_cookie(site, value), remote_user="jdoe")
    # A roll-back.
    old = site.nginx.upgrade()
    site.nginx.process.send_signal(signal.SIGQUIT)
    site.nginx.process.wait(20 * SLOW)
    assert os.listdir(files.folder) == []
    site.nginx.process = old
    site.wait(lambda: site.nginx.pidfile.exists(), "pid file back")
    passes(site, with_cookie(site, value), remote_user="jdoe")
    restart(site)
    passes(site, with_cookie(site, value), remote_user="jdoe")
    # Both at once, as a service manager would.
    for _ in range(5):
        old = site.nginx.upgrade()
        new = site.nginx.process
        site.close_browsers()
        for master in (old, new):
            master.send_signal(signal.SIGTERM)
        for master in (old, new):
            master.wait(20 * SLOW)
        assert files.path.exists()
        site.nginx.pidfile.unlink(missing_ok=True)
        site.nginx.start([site.port, site.status_port])
        passes(site, with_cookie(site, value), remote_user="jdoe")
    site.state.pids = site.nginx.worker_pids()
    site.allow_log("rename|unlink|pid|exited on signal")


@case("F-06")
def test_single_process(kept, files):
    site = kept(start=False)
    text = site.nginx.conf.read_text()
    site.nginx.conf.write_text(text.replace("master_process on", "master_process off"))
    site.nginx.workers = 0
    site.start()
    site.state.check_workers = False
    with site.signed_in() as browser:
        value = browser.session_cookie
    restart(site)
    passes(site, with_cookie(site, value), remote_user="jdoe")


@case("F-06")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_master_without_root(kept, files):
    """A user who cannot write there learns it from nginx -t."""
    site = kept(start=False)
    site.nginx.conf.write_text(site.nginx.conf.read_text().replace("user root;\n", ""))
    files.key.chmod(0o644)
    for folder in (files.folder, *files.folder.parents):
        if folder.stat().st_uid == os.geteuid() and TEMPORARY in folder.parents:
            folder.chmod(0o755)
    command = site.nginx.command("-t")
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", *command],
                          capture_output=True, text=True, timeout=60, check=False)
    output = done.stdout + done.stderr + site.nginx.log()
    assert done.returncode != 0
    assert "is not writable for who runs nginx's master" in output or "denied" in output
