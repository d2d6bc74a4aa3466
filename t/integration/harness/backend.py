# SPDX-License-Identifier: Apache-2.0
"""The application behind nginx: records the raw bytes of what reaches it over HTTP and FastCGI."""

import base64
import hashlib
import re
import socket
import struct
import threading

from .ports import free_port
from .wire import Headers, Reader, Reply, read_request

MARK = "X-Backend"
IDENTITY = ("remote-user", "remote-email", "remote-name", "remote-groups")


class Hit:
    """What reached the application. `headers` holds request headers for HTTP, and all parameters
    in wire order for FastCGI."""

    def __init__(self, kind, method, target, headers, body, raw):
        self.kind, self.method, self.target = kind, method, target
        self.path = target.partition("?")[0]
        self.query = target.partition("?")[2]
        self.headers, self.body, self.raw = headers, body, raw

    def header(self, name):
        return self.headers.get(name)

    @property
    def test_id(self):
        return self.headers.get("HTTP_X_TEST_ID" if self.kind == "fastcgi" else "X-Test-Id")

    def identity(self):
        """{name: [values]} of everything that an application could take for an identity header,
        names folded the way that CGI and PHP fold them (`NAME[x]` is an element of NAME there)."""
        out = {}
        for name, value in self.headers:
            folded = re.sub(r"[_. -]+", "-", name.partition("[")[0].lower()).strip("-")
            if self.kind == "fastcgi":
                if not folded.startswith("http-"):
                    continue
                folded = folded[5:]
            if folded in IDENTITY or folded.startswith("x-oidc-"):
                out.setdefault(folded, []).append(value)
        return out

    def __repr__(self):
        return f"<{self.kind} {self.method} {self.target}>"


class Backend:
    def __init__(self):
        self.hits = []
        self.lock = threading.Lock()
        self.answers = {}  # path -> Reply, bytes or fn(hit) -> Reply | bytes
        self.port = free_port()
        self.fcgi_port = free_port()
        self.stopping = False
        self.listeners = []
        for port, serve in ((self.port, self._http), (self.fcgi_port, self._fcgi)):
            listener = socket.create_server(("127.0.0.1", port), backlog=256)
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()

    def stop(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def reset(self):
        self.answers = {}

    def count(self, path=None):
        with self.lock:
            return sum(1 for h in self.hits if path is None or h.path == path)

    def since(self, mark):
        with self.lock:
            return self.hits[mark:]

    @property
    def last(self):
        with self.lock:
            assert self.hits, "the backend was not reached"
            return self.hits[-1]

    def _accept(self, listener, serve):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guard, args=(serve, sock), daemon=True).start()

    def _guard(self, serve, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        try:
            serve(sock)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            sock.close()

    def _answer(self, hit):
        with self.lock:
            self.hits.append(hit)
        answer = self.answers.get(hit.path)
        if callable(answer):
            answer = answer(hit)
        if answer is None:
            answer = Reply({"target": hit.target}, headers=[("X-App", "yes")])
        return answer

    # ---- HTTP --------------------------------------------------------------------------------

    def _http(self, sock):
        reader = Reader(sock)
        while True:
            r = read_request(reader)
            hit = Hit("http", r.method, r.target, r.headers, r.body, r.raw)
            if (r.headers.get("upgrade") or "").lower() == "websocket":
                with self.lock:
                    self.hits.append(hit)
                self._websocket(sock, reader, r)
                return
            answer = self._answer(hit)
            if isinstance(answer, bytes):
                sock.sendall(answer)
                return
            answer.headers.append((MARK, "http"))
            keep = (r.headers.get("connection") or "").lower() == "keep-alive"
            sock.sendall(answer.bytes(close=not keep, head=r.method == "HEAD"))
            if not keep:
                return

    def _websocket(self, sock, reader, request):
        key = (request.headers.get("sec-websocket-key") or "").encode()
        accept = base64.b64encode(hashlib.sha1(
            key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        sock.sendall((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                      f"{MARK}: websocket\r\n\r\n").encode())
        sock.sendall(reader.buffer)
        while True:
            data = sock.recv(4096)
            if not data:
                return
            sock.sendall(data)

    # ---- FastCGI -----------------------------------------------------------------------------

    def _fcgi(self, sock):
        reader = Reader(sock)
        params, body, request_id = b"", b"", 1
        while True:
            kind, request_id, length, padding = struct.unpack(
                ">xBHHBx", reader.exactly(8))
            content = reader.exactly(length)
            reader.exactly(padding)
            if kind == 4:
                params += content
            elif kind == 5:
                if not content:
                    break
                body += content
        headers = Headers(_fcgi_params(params))
        hit = Hit("fastcgi", headers.get("REQUEST_METHOD"), headers.get("REQUEST_URI") or "",
                  headers, body, params)
        answer = self._answer(hit)
        lines = [f"Status: {answer.status}", f"Content-Type: {answer.ctype}", f"{MARK}: fastcgi"]
        lines += [f"{n}: {v}" for n, v in answer.headers]
        out = ("\r\n".join(lines) + "\r\n\r\n").encode() + answer.body
        record = b""
        for at in range(0, len(out), 60000):
            part = out[at:at + 60000]
            record += struct.pack(">BBHHBB", 1, 6, request_id, len(part), 0, 0) + part
        record += struct.pack(">BBHHBB", 1, 6, request_id, 0, 0, 0)
        record += struct.pack(">BBHHBB", 1, 3, request_id, 8, 0, 0) + bytes(8)
        sock.sendall(record)


def _fcgi_params(data):
    at = 0

    def size():
        nonlocal at
        if data[at] < 128:
            at += 1
            return data[at - 1]
        at += 4
        return struct.unpack(">I", data[at - 4:at])[0] & 0x7FFFFFFF
    while at < len(data):
        name, value = size(), size()
        yield (data[at:at + name].decode("latin-1"),
               data[at + name:at + name + value].decode("latin-1"))
        at += name + value

