# SPDX-License-Identifier: Apache-2.0
"""What sessions and logins survive, under load on a real nginx while everything around it breaks.

    ./build.sh chaos MINUTES [STORE...] [--quick] [--self-test] [--logins N] [--seed N]

Stores are those of oidc_session_store: memory, cookie, redis; by default all of them, side by side
in one nginx. Workers are killed with -9, the configuration is reloaded, the binary upgraded, the
provider stalled and its keys rotated, the clock stepped, Redis stopped, slowed and failed over.
Counted are failed requests, lost sessions, wrong identities, dead workers, leaked connections,
alerts and secrets in logs: each must be 0. What the breaking itself explains (a connection of a
killed worker, a login while the provider was away) is counted apart.

--quick      half a minute of chaos, a few thousand logins, and the self-test
--self-test  faults made on purpose, each of which must be found
--logins N   so many logins at the end, over which no worker may grow by 2 MiB (E-14; default 10000
             for a minute of chaos, at most 100000; 0: none)
--seed N     repeats the order of events of another run
--users N    sessions in use at a time (default 1500); --rate N: requests per second (default 900)
--no-upgrades  leaves the upgrades of the binary out
--json FILE  where the results go (default build/chaos.json)
"""

import argparse
import asyncio
import json
import pathlib
import random
import signal
import sys

from . import ROOT
from .judge import EXCUSED, FAULTS
from .run import Run
from .selftest import self_test

STORES = ("memory", "cookie", "redis")


def arguments():
    parser = argparse.ArgumentParser(prog="./build.sh chaos", usage=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--logins", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--users", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=900)
    parser.add_argument("--no-upgrades", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build" / "chaos.json")
    given = parser.parse_args()
    given.minutes, given.stores = None, []
    for word in given.words:
        if word in STORES:
            given.stores.append(word)
        else:
            try:
                given.minutes = float(word)
            except ValueError:
                parser.error(f"{word} is neither a number of minutes nor one of {STORES}")
    given.stores = given.stores or list(STORES)
    if given.minutes is None:
        if not given.quick and not given.self_test:
            parser.error("how many minutes?")
        given.minutes = 0.5
    if given.logins is None:
        given.logins = 3000 if given.quick else min(100000, int(given.minutes * 10000))
    return given


def show(results):
    table = results["table"]
    print("\n" + " " * 38 + "".join(f"{s:>10}" for s in table))

    def row(name, values):
        print(f"{name:38}" + "".join(f"{v:>10}" for v in values))
    for name in ("requests", "logins", "logouts", "refused", "anonymous", "connections"):
        label = {"refused": "bad logins refused", "anonymous": "strangers kept out"}.get(name, name)
        row(label, [results["load"][s][name] for s in table])
    row("sessions alive at the end", [f"{a['good']}/{a['live']}"
                                      for a in results["swept"].values()])
    print("counted apart:")
    for name in EXCUSED:
        row("  " + name, [table[s][name] for s in table])
    print("must be 0:")
    for name in FAULTS:
        row("  " + name, [table[s][name] for s in table])
    for name in ("dead workers", "stuck workers", "leaked connections", "alerts",
                 "secrets in logs"):
        row("  " + name, [results.get(name, "-")])
    print("events: " + ", ".join(f"{n} {name}" for name, n in results["events"].items()))
    print(f"locks of killed workers recovered by nginx: {results['locks recovered']}; "
          f"slowest new worker: {results['slowest respawn']} s; "
          f"{results['secrets looked for']} secrets looked for in the logs")
    if "memory" in results:
        m = results["memory"]
        print(f"memory: {m['logins']} logins and {m['refused']} refused ones in {m['seconds']} s "
              f"({m['per second']} per second), growth of a worker at most {m['growth kB']} kB")
    for fault in results["details"]["faults"][:12]:
        print("  " + json.dumps(fault)[:400])
    for name in ("dead workers", "alerts", "secrets in logs", "complaints of the provider"):
        for line in results["details"][name][:5]:
            print(f"  {name}: {str(line)[:400]}")


async def main():
    given = arguments()
    # Ended from outside, a run still takes everything away that it has started.
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    passed = True
    results = {}
    print(f"seed {given.seed}, stores {' '.join(given.stores)}", flush=True)
    if given.quick or given.self_test:
        results["self-test"] = await self_test(given.seed, given.stores)
        passed = results["self-test"]["passed"]
    if not given.self_test or given.quick:
        run = Run(given.stores, given.minutes * 60, given.seed, given.users, given.rate,
                  logins=given.logins, pace=0.5 if given.quick else 1.0,
                  upgrades=not given.no_upgrades)
        results |= await run.run()
        show(results)
        passed &= results["passed"]
        for problem in results["problems"]:
            print(f"FAILED: {problem}")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(results, indent=1, sort_keys=True))
    print(f"\n{'passed' if passed else 'FAILED'} (seed {given.seed}); {given.json}")
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit("ended by a signal")
