# SPDX-License-Identifier: Apache-2.0
"""The load on one store: users that read pages, sign in and out, strangers that try to get in.
Run as a process of its own by child.py."""

import asyncio
import random

from . import browser
from .browser import Client, LoginFailed
from .child import arguments, serve
from .idp import BAD
from .wire import Lost, now

READERS = 16
SIGNERS = 16


class Load:
    """`users` sessions are in use at a time; those that they replace are kept, `kept` at most, and
    looked at in the end."""

    def __init__(self, given):
        self.rng = random.Random(given["seed"])
        self.users, self.rate, self.logins = given["users"], given["rate"], given["logins"]
        self.faults = given["faults"]
        self.client = Client(given["store"], given["port"], self.rng,
                             open(given["secrets"], "w", encoding="ascii"), given["slow"])
        if self.faults:
            self.client.patience = 1  # what is broken on purpose stays so
        self.slots = []
        self.kept, self.dead = [], []
        self.user = 0
        self.tasks = []
        self.running = False
        self.halt = asyncio.Event()

    def next_user(self):
        self.user += 1
        return f"u{self.user}"

    # ---- commands ----------------------------------------------------------------------------

    async def do_prepare(self):
        began = now()
        await self.side_by_side(self.users, 16, self.add_slot)
        return {"sessions": len(self.slots), "seconds": now() - began}

    async def do_run(self):
        self.running = True
        self.halt.clear()
        self.tasks = [asyncio.create_task(self.read_pages()) for _ in range(READERS)]
        self.tasks += [asyncio.create_task(self.sign_in_and_out()) for _ in range(SIGNERS)]
        self.tasks += [asyncio.create_task(self.try_to_get_in())]

    async def do_stop(self):
        self.running = False
        self.halt.set()
        await asyncio.gather(*self.tasks)
        self.tasks = []
        return {"counts": self.client.counts}

    async def do_counts(self):
        return {"counts": self.client.counts, "live": len(self.slots) + len(self.kept),
                "dead": len(self.dead)}

    async def do_sweep(self):
        """Every session that was not ended works, every other one does not."""
        if "session dropped" in self.faults:
            await self.drop(next(s for s in self.slots if s is not None))
        live = [s for s in self.slots + self.kept if s is not None]
        dead = list(self.dead)
        good = 0

        async def one(number):
            nonlocal good
            if number < len(live):
                if await self.client.visit(live[number], "sweep"):
                    good += 1
            else:
                await self.client.stranger(dead[number - len(live)].text, "sweep of ended sessions")
        await self.side_by_side(len(live) + len(dead), 16, one)
        return {"live": len(live), "good": good, "dead": len(dead)}

    async def do_disconnect(self):
        self.client.close()
        self.client.secrets.flush()

    async def do_logins(self, count, failing):
        """So many logins as fast as they go, `failing` of 100 with an answer that is refused."""
        began, before = now(), dict(self.client.counts)
        self.client.fresh = 0.0

        async def one(number):
            bad = BAD[number % len(BAD)] if number % 100 < failing else ""
            try:
                await self.client.login(f"m{number}", bad, check=number % 50 == 49)
            except Lost as e:
                self.client.note("login connection", now(), reason=e.reason, worker=e.worker,
                                 reused=e.reused, partial=e.partial)
            except LoginFailed as e:
                e.note(self.client)
        await self.side_by_side(count, 24, one)
        return {"logins": self.client.counts["logins"] - before["logins"],
                "refused": self.client.counts["refused"] - before["refused"],
                "seconds": now() - began}

    @staticmethod
    async def side_by_side(count, width, job):
        numbers = iter(range(count))

        async def work():
            for number in numbers:
                await job(number)
        await asyncio.gather(*(work() for _ in range(width)))

    # ---- tasks -------------------------------------------------------------------------------

    async def pace(self, per_second):
        """Rests, so that there are so many turns in a second; not once the load is to stop."""
        try:
            await asyncio.wait_for(self.halt.wait(), self.rng.uniform(0, 2 / per_second))
        except asyncio.TimeoutError:
            pass

    async def add_slot(self, _number):
        session = await self.client.sign_in(self.next_user())
        if session is not None:
            self.slots.append(session)

    async def read_pages(self):
        while self.running:
            await self.pace(self.rate / READERS)
            at = self.rng.randrange(len(self.slots))
            session = self.slots[at]
            if session is None or session.ending:
                continue
            if await self.client.visit(session) or session.ending:
                continue
            # Whether a refusal was for good: the difference matters to whoever looks for the cause.
            if not await self.client.visit(session, "page, again") and self.slots[at] is session:
                await self.replace(at)

    async def replace(self, at):
        """A new session in a slot; returns the old one, which is used no more."""
        old, self.slots[at] = self.slots[at], None
        self.slots[at] = await self.client.sign_in(self.next_user())
        return old

    async def sign_in_and_out(self):
        rng = self.rng
        while self.running:
            await self.pace(self.logins / SIGNERS)
            if rng.random() < 0.1:
                await self.client.sign_in(self.next_user(), bad=rng.choice(BAD))
                continue
            pause = rng.uniform(0.2, 3) if rng.random() < 0.15 else 0.0
            session = await self.client.sign_in(self.next_user(), pause=pause)
            at = rng.randrange(len(self.slots))
            if session is None or self.slots[at] is None:
                continue
            old, self.slots[at] = self.slots[at], session
            if rng.random() < 0.4:
                await self.end(old)
            elif len(self.kept) < 3000:
                self.kept.append(old)
            elif rng.random() < 0.5:
                place = rng.randrange(len(self.kept))
                self.kept[place] = old

    async def end(self, session):
        if "logout is forgotten" in self.faults:
            session.ending = True
            await self.client.stranger(session.text, "session after logout")
        elif await self.client.log_out(session) and len(self.dead) < 3000:
            self.dead.append(session)

    async def try_to_get_in(self):
        """Without a cookie, with an invented one, with a changed one, with one that has ended; now
        and then a kept session, which must still work."""
        rng = self.rng
        while self.running:
            await self.pace(max(self.rate / 10, 5))
            way = rng.randrange(5)
            if way == 0:
                await self.client.stranger("", "no cookie")
            elif way == 1:
                value = "".join(rng.choice("ABCDEFGHabcdefgh0123456789-_") for _ in range(43))
                await self.client.stranger(f"Cookie: {browser.COOKIE}={value}\r\n", "random cookie")
            elif way == 2:
                session = self.slots[rng.randrange(len(self.slots))]
                if session is not None:
                    await self.client.stranger(self.client.forged(session), "changed cookie")
            elif way == 3 and self.dead:
                await self.client.stranger(rng.choice(self.dead).text, "ended session")
            elif way == 4 and self.kept:
                await self.client.visit(rng.choice(self.kept), "kept session")

    async def drop(self, session):
        """A deliberate fault: ends a session and says nothing of it."""
        await self.client.log_out(session)
        session.ending = False


async def main():
    given = arguments()
    load = Load(given)
    await serve(load, store=given["store"])


if __name__ == "__main__":
    asyncio.run(main())
