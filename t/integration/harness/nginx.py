# SPDX-License-Identifier: Apache-2.0
"""Runs the real nginx with the built module."""

import ctypes
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("NGINX_BIN", "/usr/sbin/nginx")
MODULE = os.environ.get("OIDC_MODULE", str(ROOT / "build" / "ngx_http_auth_oidc_module.so"))
SANITIZE = os.environ.get("SANITIZE", "") not in ("", "0")
VALGRIND = os.environ.get("VALGRIND", "") not in ("", "0")
SLOW = 30 if VALGRIND else 5 if SANITIZE else 1

# Leaks are looked for where the module allocates: nginx and the libraries keep a lot until they end.
MEMCHECK = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--child-silent-after-fork=no", "--num-callers=30"]

# A worker ends without freeing its arrays of connections and events. Their allocator is all that a
# stripped nginx shows of it; what the module allocates does not come from there.
SUPPRESSIONS = "leak:ngx_event_process_init\nleak:ngx_alloc\n"

BASE = """\
load_module {module};
{user}daemon {daemon};
master_process on;
worker_processes {workers};
worker_shutdown_timeout {shutdown_timeout};
error_log logs/error.log {level};
pid nginx.pid;
env LD_PRELOAD;
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
env LSAN_OPTIONS;
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
env DONT_FAKE_MONOTONIC;
{main}
events {{ worker_connections 2048; }}
http {{
    log_format test '$remote_addr "$request" $status $body_bytes_sent "$http_referer" '
                    'auth=$oidc_authenticated user=$oidc_user err=$oidc_error id=$http_x_test_id';
    access_log logs/access.log test;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    server_tokens on;
    map_hash_bucket_size 256;
    variables_hash_max_size 2048;
    server {{
        listen 127.0.0.1:{status_port};
        access_log off;
        auth_oidc off;
        location = /stub_status {{ stub_status; }}
    }}
{http}
}}
"""


@functools.cache
def has_http2_directive():
    """nginx 1.25.1 and later, which warn about `listen ... http2`."""
    with tempfile.TemporaryDirectory() as folder:
        conf = pathlib.Path(folder) / "nginx.conf"
        conf.write_text("pid nginx.pid; events {} http { http2 on; }")
        done = subprocess.run([BINARY, "-t", "-p", folder, "-e", "stderr", "-c", str(conf)],
                              capture_output=True, text=True, timeout=60, check=False)
    return 'unknown directive "http2"' not in done.stderr


def http2_listen(address):
    return f"listen {address} ssl; http2 on;" if has_http2_directive() \
        else f"listen {address} ssl http2;"


# In the folder of the architecture.
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), pathlib.Path("/nonexistent"))


def environment(folder, clock=False):
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD",)}
    if clock:
        (folder / "clock").write_text("+0")
        env |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
                "FAKETIME_NO_CACHE": "1"}
        if clock == "wall":
            env |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    if SANITIZE:
        def lib(name):
            return subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True,
                                  text=True, check=True).stdout.strip()
        preload = f"{lib('libasan.so')}:{lib('libubsan.so')}"
        env["LD_PRELOAD"] = f"{preload}:{env['LD_PRELOAD']}" if clock else preload
        suppress = folder / "lsan.supp"
        suppress.write_text(SUPPRESSIONS)
        report = folder / "logs" / "sanitizer"
        env["ASAN_OPTIONS"] = (f"log_path={report}:detect_leaks=1:abort_on_error=0:"
                               "detect_odr_violation=0:detect_stack_use_after_return=1")
        env["UBSAN_OPTIONS"] = f"log_path={report}:print_stacktrace=1"
        env["LSAN_OPTIONS"] = f"suppressions={suppress}:print_suppressions=0"
    return env


def run_once(folder, conf, *args, binary=None):
    """nginx that only says something (-t, -T), in a folder; what it prints goes to the caller."""
    # A sanitizer would report what nginx itself never frees in a process this short.
    env = environment(folder)
    if SANITIZE:
        env["ASAN_OPTIONS"] += ":detect_leaks=0"
    command = [binary or BINARY, "-p", str(folder), "-e", "stderr", "-c", str(conf), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def state_of(pid):
    """R, S, T or what else ps shows of a process; Z also when it is not there any more."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "Z"


class Daemon:
    """A master that has left its parent, with what is used of Popen."""

    def __init__(self, pid):
        self.pid = pid
        self.gone = False

    @staticmethod
    def adopt_orphans():
        """Daemons become children of this process in the end, and do not stay as zombies."""
        set_child_subreaper = 36
        assert ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0

    def poll(self):
        if not self.gone:
            try:
                self.gone = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:  # it still has another parent
                self.gone = not pathlib.Path(f"/proc/{self.pid}").exists()
        return 0 if self.gone else None

    def send_signal(self, how):
        os.kill(self.pid, how)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("nginx", timeout)
            time.sleep(0.01)


class Nginx:
    def __init__(self, folder, http, main="", level="info", workers=2, status_port=0,
                 shutdown_timeout="10s", binary=None, module=None, clock=False, user="root"):
        self.folder = pathlib.Path(folder)
        for name in ("logs", "temp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.conf = self.folder / "nginx.conf"
        self.error_log = self.folder / "logs" / "error.log"
        self.access_log = self.folder / "logs" / "access.log"
        self.binary = binary or BINARY
        self.module = module or MODULE
        self.options = {"main": main, "level": level, "workers": workers,
                        "status_port": status_port, "shutdown_timeout": shutdown_timeout}
        self.workers = workers
        self.status_port = status_port
        self.clock = clock
        self.user = user  # of the workers, where the tests run as root
        self.daemon = False  # a binary upgrade can only be done by a daemon; see write()
        self.former = []     # masters that upgrades have left behind
        self.pidfile = self.folder / "nginx.pid"
        self.process = None
        self.write(http)

    def write(self, http):
        user = f"user {self.user};\n" if os.getuid() == 0 else ""
        self.conf.write_text(BASE.format(module=self.module, user=user, http=http,
                                         daemon="on" if self.daemon else "off", **self.options))

    def command(self, *args):
        return [self.binary, "-p", str(self.folder), "-e", str(self.error_log), "-c",
                str(self.conf), *args]

    def test(self, *args):
        """nginx -t: (exit code, output). Its messages are kept out of the running nginx's log."""
        done = run_once(self.folder, self.conf, *(args or ("-t",)), binary=self.binary)
        return done.returncode, done.stdout + done.stderr

    def start(self, ports):
        self.output = open(self.folder / "logs" / "output", "ab")
        env = environment(self.folder, self.clock)
        command = self.command()
        if VALGRIND:
            log = f"--log-file={self.folder}/logs/sanitizer.%p"
            command = [*MEMCHECK, log, f"--suppressions={ROOT}/t/integration/valgrind.supp",
                       *command]
        self.process = subprocess.Popen(command, stdout=self.output, stderr=self.output, env=env)
        end = time.monotonic() + 20 * SLOW
        if self.daemon:
            Daemon.adopt_orphans()
            if self.process.wait(20 * SLOW) == 0:
                self.process = Daemon(self.wait_for_pid(set()))
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            if len(self.worker_pids()) >= self.workers and all(self._answers(p) for p in ports):
                return self
            time.sleep(0.01)
        output = (self.folder / "logs" / "output").read_text(errors="replace")
        raise RuntimeError(f"nginx did not start:\n{output}\n{self.log()}")

    def wait_for_pid(self, others):
        """The process of the pid file, once it is none of those."""
        end = time.monotonic() + 20 * SLOW
        while time.monotonic() < end:
            try:
                pid = int(self.pidfile.read_text())
                if pid not in others:
                    return pid
            except (OSError, ValueError):
                pass
            time.sleep(0.01)
        raise RuntimeError("no pid file:\n" + self.log()[-3000:])

    def upgrade(self):
        """SIGUSR2: a new master beside the old one, which is returned; both serve."""
        old = self.process
        old.send_signal(signal.SIGUSR2)
        self.former.append(old)
        self.process = Daemon(self.wait_for_pid({old.pid}))
        end = time.monotonic() + 20 * SLOW
        while len(self.worker_pids()) < self.workers:
            assert time.monotonic() < end, self.log()[-3000:]
            time.sleep(0.01)
        return old

    @staticmethod
    def _answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def worker_pids(self, master=None):
        """Workers of the current configuration, without those that are shutting down."""
        out = []
        pid = master or self.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            return out
        for pid in children.split():
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            # Valgrind shows its own command line for all of them.
            if VALGRIND or b"worker process" in title and b"shutting down" not in title:
                out.append(int(pid))
        return sorted(out)

    def log(self, start=0):
        try:
            with open(self.error_log, "rb") as f:
                f.seek(start)
                return f.read().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    def access(self):
        try:
            return self.access_log.read_text(errors="backslashreplace")
        except FileNotFoundError:
            return ""

    def log_size(self):
        return self.error_log.stat().st_size if self.error_log.exists() else 0

    def reload(self, wait=True):
        """SIGHUP; returns when the new workers run and the old ones have gone."""
        before = set(self.worker_pids())
        mark = self.log_size()
        self.process.send_signal(signal.SIGHUP)
        if not wait:
            return True
        end = time.monotonic() + 20 * SLOW
        while time.monotonic() < end:
            now = set(self.worker_pids())
            if len(now) >= self.workers and not now & before:
                return True
            if re.search(r"\[emerg\]", self.log(mark)):
                return False
            time.sleep(0.01)
        raise RuntimeError("no new workers after a reload:\n" + self.log(mark))

    def stop(self, how=signal.SIGQUIT, timeout=15):
        if self.process is None:
            return True
        in_time = True
        for master in self.former:
            if master is not self.process and master.poll() is None:
                left = self.worker_pids(master.pid)
                master.kill()
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout * SLOW)
            except subprocess.TimeoutExpired:
                in_time = False
                self.process.kill()
                self.process.wait(10)
        self.output.close()
        self.process = None
        return in_time

    def sanitizer_reports(self):
        reports = [p.read_text(errors="replace")
                   for p in sorted((self.folder / "logs").glob("sanitizer*"))]
        return [r for r in reports if r.strip()]

    def stub_status(self):
        with socket.create_connection(("127.0.0.1", self.status_port), timeout=10) as sock:
            sock.sendall(b"GET /stub_status HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := sock.recv(4096):
                data += chunk
        return int(re.search(rb"Active connections: (\d+)", data).group(1))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
