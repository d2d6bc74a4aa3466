# SPDX-License-Identifier: Apache-2.0
"""What nginx wrote: deaths that nobody ordered, alerts, and secrets."""

import collections
import re

EXIT = re.compile(r"worker process (\d+) exited (?:on signal (\d+)|with (?:fatal )?code (\d+))")
LOCKED = re.compile(r'shared memory zone ".*" was locked by (\d+)')
SERIOUS = re.compile(r"\[(?:alert|emerg)\]|open socket #|AddressSanitizer|LeakSanitizer|"
                     r"runtime error:|stale global SSL error")
# What nginx itself says of a worker that is gone when it wants to tell it something.
AFTER_A_KILL = re.compile(r"\[alert\] .*(?:sendmsg\(\) failed \((?:9|32|104|111):|"
                          r"kill\(\d+, \d+\) failed \(3:|"
                          r"socketpair\(\) |close\(\) channel)")
WORD = re.compile(r"[A-Za-z0-9_~.-]{16,}")
MARKS = ("canary-", "eyJhbGciOi")
PREFIX = 16


class Findings:
    def __init__(self):
        self.dead_workers = []
        self.alerts = []
        self.leaks = []
        self.locks_recovered = 0
        self.after_kills = 0
        self.reasons = collections.Counter()


def read_error_log(path, killed, findings):
    with open(path, encoding="utf-8", errors="backslashreplace") as log:
        for line in log:
            line = line.rstrip("\n")
            if (found := EXIT.search(line)) and (found[2] or found[3] != "0"):
                if found[2] != "9" or int(found[1]) not in killed:
                    findings.dead_workers.append(line)
            elif (found := LOCKED.search(line)) and int(found[1]) in killed:
                findings.locks_recovered += 1
            elif SERIOUS.search(line):
                if killed and AFTER_A_KILL.search(line):
                    findings.after_kills += 1
                else:
                    findings.alerts.append(line)
            if found := re.search(r'oidc: login at provider "[^"]*" refused: ([a-z_]+)', line):
                findings.reasons[found[1]] += 1


def read_secrets(paths):
    """The beginnings of all secrets that the browsers have seen."""
    out = set()
    for path in paths:
        with open(path, encoding="ascii") as lines:
            out.update(line[:PREFIX] for line in lines if len(line) > PREFIX)
    return out


def look_for_secrets(path, secrets, findings):
    with open(path, encoding="utf-8", errors="backslashreplace") as log:
        for line in log:
            if any(mark in line for mark in MARKS) or \
                    any(word[:PREFIX] in secrets for word in WORD.findall(line)):
                findings.leaks.append(f"{path.name}: {line.rstrip()[:300]}")
