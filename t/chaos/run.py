# SPDX-License-Identifier: Apache-2.0
"""One run: sets everything up, breaks it for a while, looks at what is left."""

import asyncio
import json
import os
import pathlib
import shutil
import signal
import tempfile

from harness.nginx import BINARY, MODULE, SANITIZE, SLOW
from harness.ports import free_port

from . import logs, memory
from .child import Child
from .events import Chaos
from .judge import FAULTS, RECOVERY, Judge, Windows
from .redis import Redis
from .stack import CLIENT_ID, CLIENT_SECRET, Application, Front, become_subreaper, until
from .wire import now

GROWTH = 2048  # kB
RESPAWN = 5    # seconds: a machine may be busy
CALM = 3.0     # seconds of load without a kill, at the end


class Run:
    """`seconds` of chaos, then `logins` as fast as they go. `faults`: of selftest.FAULTS."""

    def __init__(self, stores, seconds, seed, users=1000, rate=900.0, login_rate=24.0, logins=0,
                 failing=10, pace=1.0, upgrades=True, faults=(),
                 quiet=False):
        self.stores, self.seconds, self.seed = list(stores), seconds, seed
        self.users, self.rate, self.login_rate = users, rate, login_rate
        self.logins, self.failing, self.pace = logins, failing, pace
        self.upgrades = upgrades
        self.faults, self.quiet = list(faults), quiet
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="oidc-chaos-"))
        self.folder.chmod(0o755)
        self.windows = Windows()
        self.judge = Judge(self.windows, self.stores)
        self.loads, self.children = {}, []
        self.application = self.front = self.provider = self.redis = self.chaos = None
        self.results = {"seed": seed, "stores": self.stores, "seconds": seconds}
        self.problems = []
        self.complaints = []
        self.began = now()

    def say(self, text):
        if not self.quiet:
            print(f"[{now() - self.began:6.1f} s] {text}", flush=True)

    # ---- set-up ------------------------------------------------------------------------------

    def store_block(self, name):
        size = 64 + self.logins // 700
        if name == "memory":
            return f"type memory; size {size}m;"
        key_file = self.folder / f"{name}.keys"
        key_file.write_text(os.urandom(32).hex() + "\n")
        key_file.chmod(0o600)
        text = f"type {name}; key_file {key_file}; size {size}m;"
        return text + self.redis.directives() if name == "redis" else text

    async def child(self, module, report=None, **arguments):
        child = Child(module, report)
        self.children.append(child)
        await child.start(**arguments)
        return child

    async def start(self):
        become_subreaper()
        self.application = Application(self.folder / "application", self.faults)
        await self.application.start()
        if "redis" in self.stores:
            self.redis = Redis(self.folder / "redis", self.child)
            await self.redis.start()
        port = free_port()
        self.provider = await self.child("idp", self.complaints.append, port=port,
                                         client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        self.front = Front(self.folder / "front", {s: self.store_block(s) for s in self.stores},
                           self.application, port, faults=self.faults)
        await self.front.start()
        share = len(self.stores)
        for number, store in enumerate(self.stores):
            self.loads[store] = await self.child(
                "load", self.judge.add, store=store, port=self.front.ports[store],
                seed=f"{self.seed}/{store}", users=self.users // share, rate=self.rate / share,
                logins=self.login_rate / share, slow=SLOW, faults=self.faults,
                secrets=str(self.folder / f"secrets-{number}"))

    async def all_loads(self, command, **arguments):
        answers = await asyncio.gather(*(c.call(command, **arguments)
                                         for c in self.loads.values()))
        return dict(zip(self.loads, answers))

    # ---- the run -----------------------------------------------------------------------------

    async def run(self):
        try:
            await self.start()
            prepared = await self.all_loads("prepare")
            self.say("ready: " + ", ".join(f"{a['sessions']} sessions in {s}"
                                           for s, a in prepared.items()))
            await self.all_loads("run")
            await self.break_things()
            await self.settle()
            if self.logins:
                await self.measure_memory()
            await self.look_at_store()
        finally:
            await self.stop()
        return self.finish()

    async def break_things(self):
        self.chaos = Chaos(self.front, self.provider, self.windows, self.seed, self.pace,
                           self.upgrades, self.redis)
        if not self.upgrades:
            self.say("without binary upgrades")
        if not self.front.clock_possible:
            self.say("without steps of the clock: no libfaketime, or AddressSanitizer, which does "
                     "not bear it")
        watch = asyncio.create_task(self.watch())
        try:
            if self.faults:
                await self.faulty()
            else:
                await self.chaos.run(self.seconds)
        finally:
            watch.cancel()

    async def faulty(self):
        """Load without chaos, and the deliberate faults that are no one else's."""
        await asyncio.sleep(self.seconds / 2)
        if "worker dies" in self.faults:
            os.kill(self.front.workers()[0], signal.SIGSEGV)
        if "broken configuration" in self.faults:
            self.front.conf.write_text("nonsense")
            os.kill(self.front.master, signal.SIGHUP)
        if "redis stops" in self.faults:
            await self.redis.unannounced_stop()
        await asyncio.sleep(self.seconds / 2)

    async def watch(self):
        """Says once in a while how it goes."""
        while True:
            await asyncio.sleep(20)
            counts = await self.all_loads("counts")
            self.say("; ".join(
                f"{s}: {a['counts']['requests']} requests, {a['counts']['logins']} logins"
                for s, a in counts.items())
                + f"; {sum(self.chaos.counts.values())} events")

    async def settle(self):
        """The end of the chaos: every session is looked at, then every connection."""
        await asyncio.sleep(0.3 if self.faults else max(RECOVERY.values()) + 0.5)
        stopped = await self.all_loads("stop")
        self.results["load"] = {s: a["counts"] for s, a in stopped.items()}
        swept = await self.all_loads("sweep")
        self.results["swept"] = swept
        self.say("sweep: " + ", ".join(f"{a['good']} of {a['live']} sessions alive in {s}, "
                                       f"{a['dead']} ended ones tried" for s, a in swept.items()))
        before = await self.connections_left()
        if not self.faults:
            # What a killed worker had counted, nginx counts for ever: so the difference over a
            # while without kills, in which workers are replaced as well.
            await self.all_loads("run")
            await asyncio.sleep(CALM / 2)
            self.chaos.watch(self.front.workers())
            os.kill(self.front.master, signal.SIGHUP)
            await asyncio.sleep(CALM / 2)
            await self.all_loads("stop")
            await asyncio.gather(*self.chaos.watchers)
        held = None
        if "connection held" in self.faults:
            held = await asyncio.open_connection("127.0.0.1", self.front.ports[self.stores[0]])
            held[1].write(b"GET / HTTP/1.1\r\nHost: chaos")
            await held[1].drain()
        after = await self.connections_left()
        self.results["leaked connections"] = len(after[0]) + max(0, after[1] - before[1])
        if held:
            held[1].close()

    async def connections_left(self):
        """(sockets that workers hold for browsers, nginx's own count) once all have gone."""
        await self.all_loads("disconnect")
        end = now() + 3 * SLOW
        while True:
            left = self.front.open_sockets(), await self.front.active_connections()
            if not left[0] or now() > end:
                return left
            await asyncio.sleep(0.05)

    async def measure_memory(self):
        """Logins without a kill: no worker may grow."""
        warm_up = max(500, self.logins // 10)
        spread = {s: n for n, s in enumerate(self.stores)}

        async def logins(count):
            return await asyncio.gather(*(
                c.call("logins", count=count // len(spread), failing=self.failing)
                for c in self.loads.values()))
        self.say(f"memory: {warm_up} logins to warm up, then {self.logins}")
        # The workers that the calm has left are as new as the load is; nothing else runs now.
        await until(lambda: len(self.front.workers(leaving=True)) == self.front.worker_number, 20,
                    "as many workers as configured")
        await logins(warm_up)
        first = memory.sample(self.front.workers())
        done = await logins(self.logins)
        last = memory.sample(self.front.workers())
        seconds = max(d["seconds"] for d in done)
        good, refused = (sum(d[k] for d in done) for k in ("logins", "refused"))
        self.results["memory"] = {
            "logins": good, "refused": refused, "seconds": round(seconds, 1),
            "per second": round((good + refused) / seconds), "before": first, "after": last,
            "growth kB": memory.growth(first, last)}
        self.say(f"memory: {good} logins and {refused} refused ones in {seconds:.1f} s, "
                 f"{(good + refused) / seconds:.0f} per second; growth of a worker at most "
                 f"{memory.growth(first, last)} kB")

    async def look_at_store(self):
        status = json.loads(await self.front.get(self.front.info_port, "/oidc-status"))
        self.results["status"] = status

    # ---- the end -----------------------------------------------------------------------------

    async def stop(self):
        for child in self.children:
            try:
                await child.stop()
            except Exception as e:  # pylint: disable=broad-except
                self.problems.append(f"{child.module}: {e!r}")
        in_time = True
        for server in (self.front, self.application, self.redis):
            if server is not None:
                in_time &= await server.stop() is not False
        if not in_time:
            self.problems.append("nginx did not end after SIGQUIT")
        if "swept" not in self.results:  # the run was broken off, and finish() will not come
            self.remove()

    def remove(self):
        if os.environ.get("KEEP"):
            self.say(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self):
        """The results; "passed" among them."""
        results = self.results
        found = logs.Findings()
        secrets = logs.read_secrets(sorted(self.folder.glob("secrets-*")))
        folder = self.front.folder / "logs"
        logs.read_error_log(folder / "error.log", self.windows.killed, found)
        for name in ("error.log", "access.log", "output"):
            if (folder / name).exists():
                logs.look_for_secrets(folder / name, secrets, found)
        reports = [p.read_text(errors="replace") for p in sorted(folder.glob("sanitizer*"))]
        table, faults = self.judge.verdict()
        results |= {
            "nginx": BINARY, "module": MODULE, "sanitizers": SANITIZE,
            "events": dict(sorted(self.chaos.counts.items())),
            "slowest respawn": round(self.chaos.slowest_respawn, 3),
            "dead workers": len(found.dead_workers), "stuck workers": len(self.chaos.stuck),
            "alerts": len(found.alerts) + len([r for r in reports if r.strip()]),
            "secrets in logs": len(found.leaks), "complaints of the provider": len(self.complaints),
            "locks recovered": found.locks_recovered, "alerts after kills": found.after_kills,
            "refusals": dict(found.reasons.most_common()), "secrets looked for": len(secrets),
            "table": table,
        }
        grown = results.get("memory", {}).get("growth kB", 0)
        if "memory" in results and (grown is None or grown >= GROWTH) and not SANITIZE:
            self.problems.append(f"memory of a worker grew by {grown} kB")
        if "memory" in results and results["memory"]["logins"] == 0:
            self.problems.append("no login in the memory phase")
        self.problems += self.chaos.failures
        if self.chaos.slowest_respawn > RESPAWN * SLOW:
            self.problems.append(f"a new worker came after {results['slowest respawn']} s only")
        for name in ("leaked connections", "dead workers", "stuck workers", "alerts",
                     "secrets in logs", "complaints of the provider"):
            if results.get(name):
                self.problems.append(f"{name}: {results[name]}")
        for store, row in table.items():
            self.problems += [f"{store}: {row[name]} {name}" for name in FAULTS if row[name]]
        results["problems"] = self.problems
        results["details"] = {
            "faults": faults, "dead workers": found.dead_workers[:20],
            "alerts": [*found.alerts, *reports][:20], "secrets in logs": found.leaks[:20],
            "complaints of the provider": self.complaints[:20],
            "events": self.chaos.log}
        results["passed"] = not self.problems
        self.remove()
        return results
