# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on asyncio, as little of it as the load and the provider need."""

import asyncio
import time

now = time.monotonic


class Lost(Exception):
    """The connection ended before a whole answer was there."""

    def __init__(self, reused, worker, partial, reason):
        super().__init__(reason)
        self.reused, self.worker, self.partial, self.reason = reused, worker, partial, reason


class Response:
    __slots__ = ("status", "head", "body")

    def __init__(self, head, body):
        self.status = int(head[9:12])
        self.head, self.body = head, body

    def header(self, name):
        """The first value; nginx writes its own headers in one spelling."""
        mark = b"\r\n" + name + b": "
        at = self.head.find(mark)
        if at < 0:
            return None
        at += len(mark)
        return self.head[at:self.head.index(b"\r\n", at)]

    def set_cookies(self):
        """[(name, value, deleted)]"""
        out = []
        if b"\r\nSet-Cookie: " in self.head:
            for line in self.head.decode("latin-1").split("\r\n"):
                if line.startswith("Set-Cookie: "):
                    pair, _, rest = line[12:].partition(";")
                    name, _, value = pair.partition("=")
                    out.append((name, value, value == "" or "max-age=0" in rest.lower()))
        return out

    def __repr__(self):
        where = self.header(b"Location")
        place = f" to {where[:60].decode('latin-1')}" if where else ""
        return f"{self.status}{place} {self.body[:120]!r}"


def take_message(buffer):
    """(head, body, rest of the buffer), or None while something is missing."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, rest = buffer[:end + 2], buffer[end + 4:]
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length: ")
    if at >= 0:
        size = int(head[at + 18:head.index(b"\r\n", at + 18)])
        return (head, rest[:size], rest[size:]) if len(rest) >= size else None
    if b"\r\ntransfer-encoding: chunked" not in lower:
        return head, b"", rest
    body = b""
    while True:
        line = rest.find(b"\r\n")
        if line < 0:
            return None
        size = int(rest[:line].split(b";")[0], 16)
        if len(rest) < line + 4 + size:
            return None
        body += rest[line + 2:line + 2 + size]
        rest = rest[line + 4 + size:]
        if size == 0:
            return head, body, rest


class Connection(asyncio.Protocol):
    """A client's connection; one request at a time."""

    def __init__(self):
        self.buffer = b""
        self.waiter = None
        self.transport = None
        self.answers = 0
        self.worker = 0  # pid of the worker that serves it, once known
        self.open = False

    def connection_made(self, transport):
        self.transport = transport
        self.open = True

    def data_received(self, data):
        self.buffer += data
        message = take_message(self.buffer)
        if message is None or self.waiter is None:
            return
        head, body, self.buffer = message
        response = Response(head, body)
        self.answers += 1
        pid = response.header(b"X-Worker")
        if pid:
            self.worker = int(pid)
        if b"\r\nConnection: close\r\n" in head:
            self.close()
        waiter, self.waiter = self.waiter, None
        if not waiter.done():
            waiter.set_result(response)

    def connection_lost(self, error):
        self.open = False
        self._fail(type(error).__name__ if error else "closed")

    def _fail(self, reason):
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(Lost(self.answers > 0, self.worker, bool(self.buffer), reason))

    async def ask(self, data, timeout):
        if not self.open:
            raise Lost(self.answers > 0, self.worker, False, "closed before")
        loop = asyncio.get_running_loop()
        waiter = self.waiter = loop.create_future()
        timer = loop.call_later(timeout, self._fail, "timeout")
        try:
            self.transport.write(data)
            return await waiter
        finally:
            timer.cancel()

    def close(self):
        self.open = False
        if self.transport is not None:
            self.transport.close()


async def connect(port):
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, "127.0.0.1", port)
    except OSError as e:
        raise Lost(False, 0, False, f"connect: {e.strerror}") from e
    return connection
