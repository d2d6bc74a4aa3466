# SPDX-License-Identifier: Apache-2.0
"""Session stores in Redis."""

import os
import re
import socket
import ssl

from .configuration import seconds
from .connection import check_life, connect, handshake
from .files import read_bytes, read_secret, tls_context
from .openssl import check_file_life
from .report import About, Trouble


class RedisRefusal(Exception):
    pass


class Redis:
    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb")

    def ask(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            out += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
        self.sock.sendall(out)
        answer = self.read()
        if isinstance(answer, RedisRefusal):
            raise answer
        return answer

    def read(self, depth=0):
        line = self.file.readline(65536)
        if not line.endswith(b"\r\n") or depth > 7:
            raise OSError("no answer of a Redis")
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        try:
            if kind == b"-":
                return RedisRefusal(rest)
            if kind == b"+":
                return rest
            if kind == b":":
                return int(rest)
            if kind == b"$":
                return None if rest == "-1" else \
                    self.file.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
            if kind == b"*":
                return [self.read(depth + 1) for _ in range(min(int(rest), 1000))]
        except ValueError:
            pass
        raise OSError("no answer of a Redis")


class StoreCheck:
    """A store of `type redis`. Reads its files when it is made."""

    def __init__(self, name, block, prefix, report):
        self.about = About(report, f"store {name}")
        self.block, self.prefix = block, prefix
        self.one = lambda key, default=None: (block.get(key) or [default])[0]

        def path(key):
            return os.path.join(prefix, self.one(key)) if self.one(key) else None
        if path("key_file"):
            read_secret(path("key_file"), self.about, "key_file", one_line=False)
        self.password = ""
        if path("password_file"):
            self.password = read_secret(path("password_file"), self.about, "password_file")
        self.context, self.authorities = None, b""
        if self.one("ssl", "off") == "on":
            self.context = self.about.attempt("authorities", tls_context,
                                              path("ssl_trusted_certificate"))
            if path("ssl_trusted_certificate"):
                self.authorities = read_bytes(path("ssl_trusted_certificate"))

    def run(self, days):
        if self.one("type", "memory") != "redis":
            return
        self.about.attempt("certificate", check_file_life, self.about, "ssl_trusted_certificate", self.authorities, days)
        roles = []
        for server in self.block.get("server", []):
            roles.append(self.about.attempt(f"server {server}", self.server, server, days))
        if roles and "master" not in roles and None not in roles:
            self.about.wrong("redis", "no server is a master", "sessions cannot be stored; name it in "
                             "server, or repair the failover")

    def open(self, server):
        timeout = seconds(self.one("timeout", "1s"))
        if server.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            try:
                sock.connect(os.path.join(self.prefix, server[5:]))
            except OSError as e:
                sock.close()
                raise Trouble(f"{server}: {e.strerror or 'no connection in time'}",
                              "the workers' user needs the right to write to the socket") from None
            host = None
        else:
            found = re.fullmatch(r"\[?([^\]]*?)\]?(?::(\d+))?", server)
            host = found[1]
            sock = connect(host, int(found[2] or 6379), timeout, "does Redis run and listen there?")
        if self.one("ssl", "off") == "on":
            if self.context is None:
                raise Trouble("the authorities cannot be read", "see their own line", unknown=True)
            sock = handshake(sock, server, lambda s: self.context.wrap_socket(
                s, server_hostname=self.one("ssl_name") or host))
        return sock

    def server(self, server, days):
        with self.open(server) as sock:
            if isinstance(sock, ssl.SSLSocket):
                check_life(self.about, f"of {server}", sock, days)
            try:
                return self.commands(Redis(sock), server)
            except RedisRefusal as e:
                word = str(e).split(" ")[0]
                fix = {"NOAUTH": "username and password_file", "WRONGPASS": "username and password_file",
                       "NOPERM": "the rights in docs/operations.md, section 6, for the prefix of this "
                                 "store", "LOADING": "wait until it has read its data",
                       "READONLY": "it is a replica"}.get(word, "Redis' log")
                raise Trouble(f"{server} refuses: {word if word.isupper() else 'an error'}", fix,
                              unknown=word == "LOADING") from None
            except OSError as e:
                why = "no answer in time" if isinstance(e, socket.timeout) else "no answer of a Redis"
                raise Trouble(f"{server}: {why}", "is it a Redis, and is ssl on or off as there?") \
                    from None

    def select(self, redis, server):
        try:
            redis.ask("SELECT", self.one("database"))
        except RedisRefusal as e:
            if not str(e).startswith("ERR"):
                raise
            raise Trouble(f"{server} has no database {self.one('database')}", "database, or databases in redis.conf; a "
                          "cluster has 0 alone") from None

    def commands(self, redis, server):
        if self.password is None:
            raise Trouble("password_file could not be read", "see its own line", unknown=True)
        try:
            if self.password:
                user = self.one("username")
                redis.ask("AUTH", *([user] if user else []), self.password)
            answer = redis.ask("HELLO", "2")
        except RedisRefusal as e:
            if str(e).startswith("ERR unknown command"):
                raise Trouble(f"{server} is older than Redis 6", "Redis 7.0 or later, or Valkey") \
                    from None
            if str(e).startswith("ERR AUTH") or "without any password configured" in str(e):
                raise Trouble(f"{server} knows no password", "take password_file out, or set one "
                              "there") from None
            raise
        about = dict(zip(answer[::2], answer[1::2])) if isinstance(answer, list) else {}
        version = str(about.get("version", ""))
        number = re.match(r"(\d+)\.", version)
        if not number or int(number[1]) < 7:
            raise Trouble(f"{server} is version {version or 'unknown'}", "Redis 7.0 or later, or Valkey")
        if self.one("database", "0") != "0":
            self.select(redis, server)
        redis.ask("PING")
        role = about.get("role", "master")
        if role != "master":
            self.about.note(f"server {server}", "is a replica: no request is answered from it")
            return role
        # Counts as a write, of a key that does not exist.
        redis.ask("GETEX", self.one("prefix", "oidc:") + "auth-oidc-check")
        self.about.ok(f"server {server}", f"version {version}, signed in, may read and write")
        return role
