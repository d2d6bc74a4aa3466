# SPDX-License-Identifier: Apache-2.0
"""A real Redis (or Valkey) for one test, and a proxy that makes it slow."""

import collections
import contextlib
import itertools
import pathlib
import queue
import shutil
import socket
import subprocess
import threading
import time

from .ports import free_port
from .wire import Reader

_numbers = itertools.count(1)


def find(name="redis-server"):
    return shutil.which(name) or next(
        (str(p) for p in (pathlib.Path("/usr/bin") / name, pathlib.Path("/usr/local/bin") / name)
         if p.exists()), None)


class RedisError(Exception):
    pass


class RedisServer:
    """`options`: more lines of its configuration. `leaf` (pki): its port speaks TLS."""

    def __init__(self, folder, binary=None, leaf=None, options=(), port=None, start=True):
        self.folder = pathlib.Path(folder) / f"redis{next(_numbers)}"
        self.folder.mkdir(parents=True)
        self.binary = binary or find()
        self.port = port or free_port()
        self.socket = self.folder / "redis.sock"
        self.leaf = leaf
        self.options = list(options)
        self.process = None
        if start:
            self.start()

    def start(self):
        lines = [f"unixsocket {self.socket}", "unixsocketperm 777", f"dir {self.folder}",
                 'save ""', "appendonly no", "daemonize no", "bind 127.0.0.1",
                 f"logfile {self.folder}/log"]
        if self.leaf is None:
            lines.append(f"port {self.port}")
        else:
            lines += ["port 0", f"tls-port {self.port}", f"tls-cert-file {self.leaf.cert_file}",
                      f"tls-key-file {self.leaf.key_file}", "tls-auth-clients no",
                      f"tls-ca-cert-file {self.leaf.cert_file}"]
        conf = self.folder / "redis.conf"
        conf.write_text("\n".join(lines + self.options) + "\n")
        self.process = subprocess.Popen([self.binary, str(conf)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.STDOUT)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with self.client(login=False) as client:
                    client.send("PING")
                    return self
            except OSError:
                time.sleep(0.01)
            assert self.process.poll() is None, (self.folder / "log").read_text()
        raise RuntimeError("redis did not start")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- looking into it ---------------------------------------------------------------------

    @contextlib.contextmanager
    def client(self, login=True):
        client = Client(self.socket)
        try:
            if login:
                for line in self.options:
                    if line.startswith("requirepass "):
                        client.do("AUTH", line.split()[1])
            yield client
        finally:
            client.close()

    def do(self, *args):
        with self.client() as client:
            return client.do(*args)

    def keys(self, pattern="*"):
        return sorted(self.do("KEYS", pattern))

    def dump(self):
        """{key: value} of everything; values of sorted sets are lists of members and scores."""
        out = {}
        for key in self.keys():
            kind = self.do("TYPE", key)
            out[key] = (self.do("GET", key) if kind == b"string"
                        else self.do("ZRANGE", key, "0", "-1", "WITHSCORES"))
        return out

    def commands(self, name):
        """How often a command was called."""
        for line in self.do("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{name}:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(path))
        self.reader = Reader(self.sock)

    def close(self):
        self.sock.close()

    def send(self, *args):
        parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        data = b"*%d\r\n" % len(parts)
        for part in parts:
            data += b"$%d\r\n%s\r\n" % (len(part), part)
        self.sock.sendall(data)
        return self.read()

    def do(self, *args):
        answer = self.send(*args)
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def read(self):
        line = self.reader.until(b"\r\n")
        line = line[:-2] if line.endswith(b"\r\n") else line
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.reader.exactly(int(rest))
            self.reader.exactly(2)
            return data
        assert kind == b"*", line
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]


class Proxy:
    """TCP to a unix socket. `delay`: seconds that answers wait; `stalled`: nothing passes;
    `open` False: connections are refused; `ends`: fn(what a client says) -> whether its connection ends instead."""

    def __init__(self, target):
        self.target = str(target)
        self.port = free_port()
        self.delay = 0
        self.stalled = False
        self.ends = None
        self.stopping = False
        self.pairs = []
        self.lock = threading.Lock()
        self.listener = None
        self.listen()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """No connection is accepted, and those that are open end."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.stopping = True
        with contextlib.suppress(OSError):
            self.refuse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((client, server))
            for source, target, slow in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, target, slow),
                                 daemon=True).start()

    def _pump(self, source, target, slow):
        try:
            while data := source.recv(65536):
                while self.stalled and not self.stopping:
                    time.sleep(0.01)
                if not slow and self.ends and self.ends(data):
                    break
                if slow and self.delay:
                    time.sleep(self.delay)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for sock in (source, target):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class FakeRedis:
    """Greets as Redis does, and answers everything else with `answer`: bytes for each read, or
    None to close the connection."""

    def __init__(self):
        self.port = free_port()
        self.answer = b"$-1\r\n"
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(60)
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                if b"PING" in data:
                    sock.sendall(b"+OK\r\n+PONG\r\n")  # of CLIENT SETNAME and PING
                elif self.answer is None:
                    break
                else:
                    sock.sendall(self.answer)
        sock.close()


class EmptyRedis(FakeRedis):
    """Holds nothing and counts its commands. `delay`: seconds from a command to its answer, however
    many are asked at once."""

    ANSWERS = {b"PING": b"+PONG\r\n", b"CLIENT": b"+OK\r\n", b"PTTL": b":-2\r\n",
               b"SET": b"+OK\r\n", b"DEL": b":0\r\n"}

    def __init__(self):
        self.delay = 0
        self.counts = collections.Counter()
        super().__init__()

    def _serve(self, sock):
        sock.settimeout(60)
        answers = queue.SimpleQueue()
        threading.Thread(target=self._send, args=(sock, answers), daemon=True).start()
        reader = Reader(sock)
        with contextlib.suppress(OSError, EOFError, AssertionError, ValueError):
            while True:
                count = int(reader.until(b"\r\n").strip(b"*\r\n"))
                words = []
                for _ in range(count):
                    size = int(reader.until(b"\r\n").strip(b"$\r\n"))
                    words.append(reader.exactly(size))
                    reader.exactly(2)
                self.counts[words[0].decode()] += 1
                greeting = words[0] in (b"PING", b"CLIENT")
                answers.put((time.monotonic() + (0 if greeting else self.delay),
                             self.ANSWERS.get(words[0], b"$-1\r\n")))
        answers.put(None)

    @staticmethod
    def _send(sock, answers):
        with contextlib.suppress(OSError):
            while (item := answers.get()) is not None:
                due, answer = item
                time.sleep(max(0, due - time.monotonic()))
                sock.sendall(answer)
        sock.close()
