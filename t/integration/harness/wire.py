# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over plain sockets, for peers that must be able to misbehave."""

import json
import socket
import struct


class Headers(list):
    """(name, value) pairs in wire order."""

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        name = name.lower()
        return [v for n, v in self if n.lower() == name]


class Reader:
    """Buffered reads from a socket; every method raises EOFError when the peer has closed."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.raw = bytearray()

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed by peer")
        self.buffer += data

    def until(self, mark, limit=1 << 22):
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                raise ValueError("too long")
            self._more()
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        self.raw += out
        return out

    def exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        self.raw += out
        return out

    def rest(self):
        while True:
            try:
                self._more()
            except (EOFError, ConnectionError):
                break
        out, self.buffer = self.buffer, b""
        self.raw += out
        return out


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    headers = Headers()
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
    return lines[0], headers


def read_chunked(reader):
    body = b""
    while True:
        size = int(reader.until(b"\r\n").split(b";")[0].strip(), 16)
        chunk = reader.exactly(size)
        if size == 0:
            while reader.until(b"\r\n") != b"\r\n":
                pass
            return body
        reader.until(b"\r\n")
        body += chunk


class Request:
    """A request as a server received it."""

    def __init__(self, line, headers, body, raw):
        self.line = line
        parts = line.split(" ")
        self.method = parts[0]
        self.target = " ".join(parts[1:-1]) if len(parts) > 2 else parts[-1]
        self.path, _, self.query = self.target.partition("?")
        self.headers = headers
        self.body = body
        self.raw = raw

    def json(self):
        return json.loads(self.body)


def read_request(reader):
    reader.raw = bytearray()
    head = reader.until(b"\r\n\r\n")
    line, headers = parse_head(head)
    body = b""
    if "chunked" in (headers.get("transfer-encoding") or ""):
        body = read_chunked(reader)
    elif headers.get("content-length"):
        body = reader.exactly(int(headers.get("content-length")))
    return Request(line, headers, body, bytes(reader.raw))


class Reply:
    """A well-formed answer of a server."""

    def __init__(self, body=b"", status=200, ctype="application/json", headers=(), reason="X"):
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.body, self.status, self.ctype = body, status, ctype
        self.headers = list(headers)
        self.reason = reason

    def json(self):
        return json.loads(self.body)

    def bytes(self, close=False, head=False):
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        if self.ctype is not None:
            lines.append(f"Content-Type: {self.ctype}")
        if self.status not in (204, 304) and not 100 <= self.status < 200:
            lines.append(f"Content-Length: {len(self.body)}")
        lines += [f"{n}: {v}" for n, v in self.headers]
        if close:
            lines.append("Connection: close")
        text = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        return text if head else text + self.body


def abort(sock):
    """Closes with RST."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A TLS socket would block in unwrap(); the plain close sends the reset.
        sock.close()
    except OSError:
        pass
