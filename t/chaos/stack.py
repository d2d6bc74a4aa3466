# SPDX-License-Identifier: Apache-2.0
"""What is put under stress: nginx with the module, one vhost for each store, and the application
behind it, which is an nginx that echoes what it was told of the user."""

import asyncio
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import time

from harness.nginx import BINARY, FAKETIME, MODULE, SANITIZE, SLOW, environment
from harness.ports import free_port

from .browser import HOST

CLIENT_ID = "chaos"
CLIENT_SECRET = "canary-client-secret-5d2f"

MAIN = """\
load_module {module};
{user}daemon on;
worker_processes {workers};
worker_shutdown_timeout 10s;
worker_rlimit_nofile 16384;
error_log logs/error.log info;
pid nginx.pid;
env LD_PRELOAD;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
env LSAN_OPTIONS;
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
env DONT_FAKE_MONOTONIC;
events {{ worker_connections 4096; }}
http {{
    log_format test '"$request" $status auth=$oidc_authenticated user=$oidc_user err=$oidc_error';
    log_format leak '$request $sent_http_set_cookie';
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
{http}
}}
"""
# The log holds all that went wrong, all logins and logouts, and some of the rest.
HTTP = """
    map $status $odd {{ 200 ""; default 1; }}
    map $request_uri $login {{ ~^/(oidc_callback|logout|start) 1; default ""; }}
    split_clients $request_id $some {{ 5% 1; * ""; }}
    access_log off;
    keepalive_requests 5000;
    upstream application {{ server 127.0.0.1:{application}; keepalive 64; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    auth_oidc_header Remote-User $oidc_user;
    auth_oidc_header Remote-Email $oidc_claim_email;
    auth_oidc_header Remote-Groups $oidc_claim_groups;
    auth_oidc_header X-Login $oidc_claim_login;
    add_header X-Worker $pid always;
{stores}
    server {{
        listen 127.0.0.1:{info};
        location = /stub_status {{ auth_oidc off; stub_status; }}
        location = /oidc-status {{ auth_oidc off; oidc_status; }}
    }}
"""
STORE = """
    oidc_session_store {name} {{ {store} }}
    oidc_provider {name} {{
        issuer http://127.0.0.1:{idp};
        insecure_http on;
        client_id {client_id};
        client_secret "{client_secret}";
        session_store {name};
        session_timeout {timeout};
        logout_uri /logout;
        connect_timeout 2s;
        read_timeout 3s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        server_name {host};
        oidc_base_url https://{host};
        access_log logs/access.log {log} if=$odd$login$some;
        auth_oidc {name};
        {server}
        location / {{ proxy_pass http://application; }}
    }}
"""
APPLICATION = """
{user}daemon on;
worker_processes 1;
error_log logs/error.log warn;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            {location}
            return 200 "{echo}";
        }}
    }}
}}
"""
ECHO = "|".join(f"$http_{name}" for name in
                ("remote_user", "remote_email", "remote_groups", "x_login", "cookie"))
# Deliberate faults of the application, by name.
APPLICATION_FAULTS = {
    "identity swapped": ("split_clients $request_id $swap { 3% 1; * \"\"; }",
                         "if ($swap) { return 200 \"u1|u1@users.example|staff|x|other=1\"; }"),
    "application fails": ("split_clients $request_id $fail { 3% 1; * \"\"; }",
                          "if ($fail) { return 500; }"),
}


def become_subreaper():
    """Masters that daemonize, or outlive the one that started them, become children of ours."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def pids_below(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(p) for p in text.split()]


def title(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid):
    """False for a zombie too; takes away those that are ours."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition, seconds, what):
    end = time.monotonic() + seconds * SLOW
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds * SLOW} s: {what}")
        await asyncio.sleep(0.005)
    return value


class Server:
    """An nginx that has daemonized."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ("logs", "temp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.conf = self.folder / "nginx.conf"
        self.error_log = self.folder / "logs" / "error.log"
        self.masters = []

    def launch(self, env=None):
        with open(self.folder / "logs" / "output", "ab") as output:
            done = subprocess.run(
                [BINARY, "-p", str(self.folder), "-e", str(self.error_log), "-c", str(self.conf)],
                stdout=output, stderr=output, env=env, check=False, timeout=60 * SLOW)
        if done.returncode:
            raise RuntimeError("nginx did not start:\n"
                               + (self.folder / "logs" / "output").read_text(errors="replace"))

    def read_pid(self, name="nginx.pid"):
        try:
            return int((self.folder / name).read_text())
        except (OSError, ValueError):
            return 0

    async def start(self, env=None):
        self.launch(env)
        pid = await until(self.read_pid, 10, "a pid file")
        self.masters.append(pid)
        await until(self.workers, 20, "a worker")

    @property
    def master(self):
        return self.masters[-1]

    def workers(self, leaving=False):
        """Of all masters; with those that are shutting down when asked for."""
        return [pid for master in self.masters for pid in pids_below(master)
                if "worker process" in (text := title(pid))
                and (leaving or "shutting down" not in text)]

    async def stop(self):
        """False: it had to be killed."""
        workers = self.workers(leaving=True)
        for pid in self.masters:
            if alive(pid):
                os.kill(pid, signal.SIGQUIT)
        try:
            await until(lambda: not any(alive(p) for p in self.masters), 15, "end of nginx")
            return True
        except RuntimeError:
            return False
        finally:
            for pid in [*self.masters, *workers]:
                if alive(pid) and (pid in self.masters or "nginx" in title(pid)):
                    os.kill(pid, signal.SIGKILL)
            for pid in self.masters:
                await until(lambda p=pid: not alive(p), 5, "death of a master")


class Application(Server):
    def __init__(self, folder, faults=()):
        super().__init__(folder)
        self.port = free_port()
        texts = [APPLICATION_FAULTS[f] for f in faults if f in APPLICATION_FAULTS]
        http, location = ("\n".join(t[at] for t in texts) for at in (0, 1))
        user = "user root;\n" if os.getuid() == 0 else ""
        self.conf.write_text(APPLICATION.format(port=self.port, http=http, location=location,
                                                user=user, echo=ECHO))


class Front(Server):
    """nginx with the module. `stores`: {name: text of its oidc_session_store block}."""

    def __init__(self, folder, stores, application, idp_port, workers=2, faults=()):
        super().__init__(folder)
        self.stores = stores
        self.application, self.idp_port = application, idp_port
        self.faults = faults
        self.ports = {name: free_port() for name in stores}
        self.info_port = free_port()
        self.clock_possible = not SANITIZE and FAKETIME.exists()
        self.write(workers)

    def write(self, workers, timeout="8h"):
        self.worker_number = workers
        log, server = "test", ""
        if "cookie in the log" in self.faults:
            log = "leak"
        if "everyone is let in" in self.faults:
            server = "location = /page/0 { auth_oidc_mode verify; proxy_pass http://application; }"
        stores = "".join(STORE.format(
            name=name, store=store, idp=self.idp_port, client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET, timeout=timeout, port=self.ports[name], host=HOST,
            server=server, log=log) for name, store in self.stores.items())
        http = HTTP.format(application=self.application.port, stores=stores, info=self.info_port)
        self.conf.write_text(MAIN.format(
            module=MODULE, user="user root;\n" if os.getuid() == 0 else "", workers=workers,
            http=http))

    async def start(self, env=None):
        env = environment(self.folder, clock="wall" if self.clock_possible else False)
        await super().start(env)
        await until(lambda: len(self.workers()) >= self.worker_number, 20, "all workers")

    def set_clock(self, seconds):
        """For nginx alone; replaced at once, so that nobody reads half a file."""
        new = self.folder / "clock.new"
        new.write_text(f"{seconds:+d}")
        new.replace(self.folder / "clock")

    # ---- binary upgrade ----------------------------------------------------------------------

    async def new_master(self):
        """USR2: a second master with workers of its own beside the first."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        await until(lambda: self.read_pid("nginx.pid.oldbin") == old
                    and self.read_pid() not in (0, old), 10, "a new master after USR2")
        self.masters.append(self.read_pid())
        await until(lambda: len(pids_below(self.master)) >= self.worker_number, 20,
                    "workers of the new master")
        return old

    async def retire(self, pid, how=signal.SIGQUIT):
        os.kill(pid, how)
        await until(lambda: not alive(pid), 15, "end of a retired master")
        self.masters.remove(pid)

    # ---- looking at it -----------------------------------------------------------------------

    async def get(self, port, path):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\nAccept: application/json\r\n\r\n"
                     .encode())
        data = await reader.read()
        writer.close()
        return data.partition(b"\r\n\r\n")[2].decode()

    async def active_connections(self):
        text = await self.get(self.info_port, "/stub_status")
        return int(re.search(r"Active connections: (\d+)", text)[1])

    def open_sockets(self):
        """Sockets of browsers that live workers hold."""
        ports = set(self.ports.values())
        mine = {}
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) in ports and fields[3] != "0A":
                mine[fields[9]] = fields[3]
        found = []
        for pid in self.workers(leaving=True):
            for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                try:
                    name = os.readlink(link)
                except OSError:
                    continue
                inode = name[8:-1] if name.startswith("socket:[") else None
                if inode in mine:
                    found.append((pid, mine[inode]))
        return found
