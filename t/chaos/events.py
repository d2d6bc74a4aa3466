# SPDX-License-Identifier: Apache-2.0
"""Everything that breaks. Each track repeats its events in an order that the seed gives, side by
side with the other tracks."""

import asyncio
import collections
import os
import random
import signal

from harness.nginx import SLOW

from .stack import alive, until
from .wire import now

STEPS = (0, 40, -40, 3600, -3600)  # seconds; below clock_skew the provider's clock stays right


class Chaos:
    def __init__(self, front, provider, windows, seed, pace=1.0, upgrades=True, redis=None):
        self.front, self.provider, self.windows = front, provider, windows
        self.seed, self.pace, self.upgrades, self.redis = seed, pace, upgrades, redis
        self.counts = collections.Counter()
        self.stuck = []
        self.failures = []  # events that did not end as they must
        self.slowest_respawn = 0.0
        self.watchers = set()
        self.running = False
        self.log = []

    async def run(self, seconds):
        self.running = True
        tracks = [self.kills, self.processes, self.providers]
        if self.front.clock_possible:
            tracks.append(self.clock)
        if self.redis is not None:
            tracks.append(self.stores)
        tasks = [asyncio.create_task(t(random.Random(f"{self.seed}/{t.__name__}")))
                 for t in tracks]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        self.running = False
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        self.failures = [f"{type(e).__name__}: {e}" for e in ends if e is not None]
        await asyncio.gather(*self.watchers)
        await self.provider.call("mode", mode="good")
        if self.front.clock_possible:
            await self.step(0)

    def count(self, event):
        self.counts[event] += 1
        self.log.append((round(now(), 3), event))

    async def rest(self, rng, low, high):
        """False: the run is over."""
        end = now() + rng.uniform(low, high) * self.pace
        while self.running and now() < end:
            await asyncio.sleep(min(0.2, max(0.0, end - now())))
        return self.running

    # ---- kill -9 -----------------------------------------------------------------------------

    def kill(self, pid):
        self.windows.kill(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            self.count("workers killed")
        except ProcessLookupError:
            pass

    async def kills(self, rng):
        while await self.rest(rng, 0.3, 2.0):
            leaving = rng.random() < 0.3
            workers = self.front.workers(leaving)
            if not workers:
                continue
            how = rng.random()
            before = set(self.front.workers())
            if how < 0.2:
                for pid in workers:
                    self.kill(pid)
            elif how < 0.35:
                self.kill(rng.choice(workers))
                await asyncio.sleep(rng.uniform(0, 0.05))
                if workers := self.front.workers(leaving):
                    self.kill(rng.choice(workers))
            else:
                self.kill(rng.choice(workers))
            if self.windows.killed & before:
                await self.respawn(before)

    async def respawn(self, before):
        """Waits for a new worker, or until there are as many as there have to be: one that was to
        leave has no successor. During an upgrade the master that retires starts none."""
        front, began, masters = self.front, now(), self.front.masters

        def complete():
            workers = front.workers()
            return len(masters) > 1 or set(workers) - before or len(workers) >= front.worker_number
        await until(complete, 10, "a new worker after a kill")
        if len(masters) == 1:
            self.slowest_respawn = max(self.slowest_respawn, now() - began)

    # ---- reload and upgrade ------------------------------------------------------------------

    async def processes(self, rng):
        while await self.rest(rng, 1.0, 5.0):
            if self.upgrades and rng.random() < 0.3:
                await self.upgrade(rng)
            else:
                await self.reload(rng)

    async def reload(self, rng):
        old = self.front.workers(leaving=True)
        self.front.write(rng.choice((2, 2, 3)), rng.choice(("8h", "10h")))
        self.watch(old)
        os.kill(self.front.master, signal.SIGHUP)
        self.count("reloads")

    def watch(self, pids):
        """Workers that were told to leave must do so."""
        task = asyncio.create_task(self._watch(pids))
        self.watchers.add(task)
        task.add_done_callback(self.watchers.discard)

    async def _watch(self, pids):
        with self.windows.open("shutdown"):
            try:
                await until(lambda: not any(alive(p) for p in pids), 14, "old workers")
            except RuntimeError:
                self.stuck += [p for p in pids if alive(p)]

    async def upgrade(self, rng):
        """A new master takes over, or, one time in four, the old one takes it back."""
        front = self.front
        with self.windows.open("shutdown"):
            old = await front.new_master()
            await asyncio.sleep(rng.uniform(0.1, 1.0))
            new = front.master
            os.kill(old, signal.SIGWINCH)
            await asyncio.sleep(rng.uniform(0.1, 1.0))
            if rng.random() < 0.25:
                os.kill(old, signal.SIGHUP)
                await asyncio.sleep(0.5 * SLOW)
                await front.retire(new)
                await until(lambda: front.read_pid() == old, 10, "the pid file of the old master")
                self.count("upgrades rolled back")
            else:
                await front.retire(old)
                self.count("upgrades")
            await until(front.workers, 10, "a worker after an upgrade")

    # ---- the provider ------------------------------------------------------------------------

    async def providers(self, rng):
        rotated = now()
        while await self.rest(rng, 1.0, 4.0):
            if now() - rotated > 12 and rng.random() < 0.6:
                # More often than keys are fetched again (jwks_refetch_interval) would be refused.
                await self.provider.call("rotate")
                self.count("keys rotated")
                rotated = now()
                await self.rest(rng, 2.0, 2.5)
            elif rng.random() < 0.3:
                await self.provider.call("mode", mode="slow", delay=rng.uniform(0.2, 1.5))
                self.count("provider slowed")
                await self.rest(rng, 0.5, 3.0)
                await self.provider.call("mode", mode="good")
            else:
                mode = rng.choice(("hang", "hang", "refuse", "error"))
                with self.windows.open("provider"):
                    await self.provider.call("mode", mode=mode)
                    self.count({"hang": "provider stalled", "refuse": "provider gone",
                                "error": "provider failing"}[mode])
                    await self.rest(rng, 0.5, 4.5)
                    await self.provider.call("mode", mode="good")

    # ---- the clock ---------------------------------------------------------------------------

    async def clock(self, rng):
        at = 0
        while await self.rest(rng, 3.0, 12.0):
            at = rng.choice([s for s in STEPS if s != at])
            await self.step(at)
            self.count("clock steps")

    async def step(self, seconds):
        with self.windows.open("clock"):
            self.front.set_clock(seconds)
            await self.provider.call("offset", seconds=seconds if abs(seconds) > 60 else 0)

    # ---- Redis -------------------------------------------------------------------------------

    async def stores(self, rng):
        while await self.rest(rng, 3.0, 7.0):
            event = rng.choice(self.redis.EVENTS)
            with self.windows.open("redis"):
                await getattr(self.redis, event)(rng, self.rest)
            self.count("redis: " + event.replace("_", " "))
