# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that delays, stalls and cuts. Run as a process of its own by child.py."""

import asyncio
import collections
import random
import time

from .child import arguments, serve

now = time.monotonic


class Side(asyncio.Protocol):
    """One of the two ends of a connection; what it receives goes to its peer, in order."""

    def __init__(self, proxy, peer=None):
        self.proxy, self.peer = proxy, peer
        self.queue = collections.deque()  # (when, data) for this end
        self.timer = None
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.proxy.sides.add(self)
        if self.peer is None:
            if self.proxy.mode == "cut":
                transport.abort()
                return
            self.peer = Side(self.proxy, self)
            asyncio.create_task(self._connect())
        else:
            self.flush()

    async def _connect(self):
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self.peer, "127.0.0.1", self.proxy.target)
        except OSError:
            self.transport.abort()

    def connection_lost(self, _):
        self.proxy.sides.discard(self)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()

    def data_received(self, data):
        queue = self.peer.queue
        when = now() + self.proxy.next_delay()
        if queue:
            when = max(when, queue[-1][0])
        queue.append((when, data))
        self.peer.flush()

    def flush(self):
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.transport is None or self.proxy.mode == "stall" or self.transport.is_closing():
            return
        while self.queue and self.queue[0][0] <= now():
            self.transport.write(self.queue.popleft()[1])
        if self.queue:
            self.timer = asyncio.get_running_loop().call_later(
                self.queue[0][0] - now(), self.flush)


class Proxy:
    def __init__(self, port, target):
        self.port, self.target = port, target
        self.mode, self.delay = "good", 0.0
        self.sides = set()

    async def listen(self):
        await asyncio.get_running_loop().create_server(lambda: Side(self), "127.0.0.1", self.port)

    def next_delay(self):
        if self.mode == "slow":
            return self.delay
        if self.mode == "loss":
            return random.uniform(0.2, 1.5) if random.random() < 0.3 else 0.0
        return 0.0

    async def do_mode(self, mode, delay=0.0):
        """good; slow: every byte `delay` later; loss: as when packets are sent again; stall:
        nothing goes through, and nothing is closed; cut: every connection is reset."""
        self.mode, self.delay = mode, delay
        for side in list(self.sides):
            if mode == "cut":
                side.transport.abort()
            elif mode == "good":
                side.queue = collections.deque((0.0, data) for _, data in side.queue)
                side.flush()


async def main():
    given = arguments()
    proxy = Proxy(given["port"], given["target"])
    await proxy.listen()
    await serve(proxy)


if __name__ == "__main__":
    asyncio.run(main())
