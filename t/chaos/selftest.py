# SPDX-License-Identifier: Apache-2.0
"""The checks themselves: each of these faults is made on purpose, and must be found."""

import subprocess
import sys

from . import memory
from .run import GROWTH, Run
from .wire import now

# fault -> the count that must find it. Those of a group are made in one run, and no two of them are
# found by the same count.
GROUPS = (
    {"identity swapped": "wrong identities", "logout is forgotten": "ended sessions alive",
     "cookie in the log": "secrets in logs", "broken configuration": "alerts"},
    {"application fails": "failed requests", "session dropped": "lost sessions",
     "everyone is let in": "let in without a session",
     "connection held": "leaked connections"},
    {"worker dies": "dead workers"},
    {"redis stops": "failed requests"},
)
SECONDS = 2.0


async def find(group, seed, store):
    """The faults that were not found."""
    run = Run([store], SECONDS, seed, users=60, rate=400, login_rate=30, faults=group, quiet=True)
    results = await run.run()
    counts = {**results["table"][store],
              **{name: value for name, value in results.items() if isinstance(value, int)}}
    missed = [f"{fault}: no {count}" for fault, count in group.items() if not counts[count]]
    if results["passed"]:
        missed.append(f"{', '.join(group)}: the run has passed")
    return missed


GREEDY = "import time; print(flush=True); input(); x = bytearray(4 << 20); print(flush=True); " \
         "time.sleep(60)"


def grows():
    """A process that takes 4 MiB is seen to have grown by more than is allowed."""
    with subprocess.Popen([sys.executable, "-c", GREEDY], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        before = memory.sample([process.pid])
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        after = memory.sample([process.pid])
        process.kill()
    return [] if memory.growth(before, after) >= GROWTH else ["memory: growth was not seen"]


async def self_test(seed, stores):
    began = now()
    missed = grows()
    faults = []
    for group in GROUPS:
        if "redis stops" not in group:
            # One store is enough: the checks are the same for all.
            missed += await find(group, seed, stores[0])
        elif "redis" in stores:
            missed += await find(group, seed, "redis")
        else:
            continue
        faults += group
    for line in missed:
        print(f"self-test: NOT FOUND: {line}")
    print(f"self-test: {len(faults) + 1} deliberate faults, {len(missed)} not found "
          f"({now() - began:.0f} s)", flush=True)
    return {"passed": not missed, "missed": missed, "faults": [*faults, "memory grows"]}
