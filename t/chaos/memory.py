# SPDX-License-Identifier: Apache-2.0
"""How much memory each worker has for itself: what is anonymous in its address space. The zones
that all workers share are not part of it."""

import pathlib
import re

FIELDS = re.compile(r"^(Rss|Pss|Anonymous):\s+(\d+) kB", re.M)


def sample(pids):
    """{pid: {"Rss": kB, "Pss": kB, "Anonymous": kB}} of those that live."""
    out = {}
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found = {name: int(size) for name, size in FIELDS.findall(text)}
        if found:
            out[pid] = found
    return out


def growth(first, last):
    """The largest growth of a worker that is in both samples, in kB; None without such a one."""
    both = [last[pid]["Anonymous"] - first[pid]["Anonymous"] for pid in first if pid in last]
    return max(both) if both else None
