# SPDX-License-Identifier: Apache-2.0
"""Which of the notes are excused by what was broken on purpose at the time, and which are faults.

A connection that died with a worker that this run killed, a login that a broken provider refused, a
503 while Redis was away: these are counted. Everything else fails the run."""

import collections
import contextlib

from .wire import now

# How long after the end of an outage its effects are excused, in seconds.
RECOVERY = {"redis": 2.0, "provider": 2.0, "clock": 2.0, "shutdown": 0.5}

FAULTS = ("failed requests", "lost sessions", "wrong identities", "ended sessions alive",
          "let in without a session", "cookies dropped", "failed logins", "slow answers")
EXCUSED = ("connections lost to kills", "keep-alive races", "logins interrupted",
           "logins refused, provider broken", "logins refused, clock stepped",
           "logins refused, store away", "503 while the store was away")
SHOWN = 25
AFTER_THE_END = ("session after logout", "ended session", "sweep of ended sessions")


class Windows:
    """What was broken when."""

    def __init__(self):
        self.kills = []                            # (time, pid)
        self.killed = set()
        self.ranges = collections.defaultdict(list)  # kind -> [[from, to]]

    def kill(self, pid):
        self.kills.append((now(), pid))
        self.killed.add(pid)

    @contextlib.contextmanager
    def open(self, kind):
        span = [now(), float("inf")]
        self.ranges[kind].append(span)
        try:
            yield span
        finally:
            span[1] = now()

    def during(self, kind, t0, t):
        after = RECOVERY.get(kind, 0.0)
        return any(a <= t and t0 <= b + after for a, b in self.ranges[kind])

    def killed_between(self, t0, t):
        return any(t0 <= when <= t for when, _ in self.kills)


class Judge:
    def __init__(self, windows, stores):
        self.windows = windows
        self.notes = []
        self.stores = stores

    def add(self, note):
        self.notes.append(note)

    def verdict(self):
        """{store: {category: number}} and, of the notes that are faults, some of each category."""
        table = {s: dict.fromkeys((*FAULTS, *EXCUSED), 0) for s in self.stores}
        faults = []
        for note in self.notes:
            category = self.category(note)
            table[note["store"]][category] += 1
            if category in FAULTS and table[note["store"]][category] <= SHOWN:
                faults.append({"category": category, **note})
        return table, faults

    def category(self, note):
        return getattr(self, "_" + note["note"].replace(" ", "_"))(note)

    # ---- one kind of note each ---------------------------------------------------------------

    def _connection(self, note, excuse="connections lost to kills"):
        windows = self.windows
        t0, t = note["t0"], note["t"]
        if note["reason"] == "timeout" or note["reason"].startswith("connect:"):
            return "failed requests"
        if note["worker"]:
            if note["worker"] in windows.killed:
                return excuse
        elif windows.killed_between(t0 - 0.2, t):
            return excuse
        if note["reused"] and not note["partial"] and windows.during("shutdown", t0, t):
            return "keep-alive races"
        return "failed requests"

    def _login_connection(self, note):
        category = self._connection(note, "logins interrupted")
        return "failed logins" if category == "failed requests" else category

    def _store_is_away(self, note):
        return note["store"] == "redis" and self.windows.during("redis", note["t0"], note["t"])

    def _status(self, note):
        if note["status"] == 503 and self._store_is_away(note):
            return "503 while the store was away"
        return "failed requests"

    def _login(self, note):
        span = note["t0"], note["t"]
        if note["status"] in (502, 503, 504) and self.windows.during("provider", *span):
            return "logins refused, provider broken"
        if note["status"] == 503 and self._store_is_away(note):
            return "logins refused, store away"
        if self.windows.during("clock", note["began"], note["t"]):
            return "logins refused, clock stepped"
        return "failed logins"

    def _slow(self, note):
        return "503 while the store was away" if self._store_is_away(note) else "slow answers"

    def _let_in(self, note):
        return "ended sessions alive" if note["what"] in AFTER_THE_END \
            else "let in without a session"

    @staticmethod
    def _session(_):
        return "lost sessions"

    @staticmethod
    def _identity(_):
        return "wrong identities"

    @staticmethod
    def _cookie(_):
        return "cookies dropped"

    @staticmethod
    def _gave_up(_):
        return "failed requests"

    @staticmethod
    def _login_stuck(_):
        return "failed logins"

    @staticmethod
    def _overflow(_):
        return "failed requests"
