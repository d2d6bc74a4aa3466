# SPDX-License-Identifier: Apache-2.0
"""The blocks of the documents that people paste, and who runs each.

A block that is not run has a comment directly before it, which the site leaves out: <!-- not run: why -->
So has one that a test takes in its own way: <!-- run by test_x.py --> or <!-- run by test_x.py: which part -->
"""

import dataclasses
import os
import re

from .nginx import ROOT

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[^`\n]*)$")
MARK = re.compile(r"<!-- (?:not run: (?P<reason>(?:(?!-->).)+?)|run by (?P<test>test_\w+\.py)(?:: (?P<part>[\w ]+))?) -->\Z",
                  re.S)
# What a program says; it stands there to be compared, not to be pasted.
OUTPUT = ""


@dataclasses.dataclass(frozen=True)
class Block:
    page: str       # below the root of the repository
    number: int     # among those of its language on the page, from 0
    line: int       # of its fence
    language: str
    code: str
    before: str     # the paragraph that stands before it
    reason: str     # why it is not run, or ""
    test: str       # the test that takes it in its own way, or ""
    part: str       # what it is there

    @property
    def marked(self):
        return bool(self.reason or self.test)

    @property
    def name(self):
        return f"{self.page}:{self.line}"

    @property
    def file(self):
        """The file that it is meant for, where the paragraph before it ends by naming one: `/etc/…`:"""
        found = re.search(r"`(/[\w./-]+)`[^`]*:$", self.before)
        return found[1] if found and self.language != "sh" else ""


def parse(page, text):
    """The blocks of a page, in order. A block that does not end is an error."""
    out, counts = [], {}
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        start = FENCE.match(lines[number])
        if not start:
            number += 1
            continue
        end = next((n for n in range(number + 1, len(lines))
                    if lines[n].strip() == start["fence"]), None)
        assert end is not None, f"{page}:{number + 1}: the block does not end"
        language = start["language"].strip()
        indent = len(start["indent"])
        code = "".join(line[min(indent, len(line) - len(line.lstrip())):] + "\n" for line in lines[number + 1:end])
        above, told = "\n".join(lines[:number]).rstrip(), {}
        if mark := MARK.search(above):
            above, told = above[:mark.start()].rstrip(), mark.groupdict(default="")
        out.append(Block(page, counts.get(language, 0), number + 1, language, code,
                         " ".join(above.rpartition("\n\n")[2].split()), " ".join(told.get("reason", "").split()),
                         told.get("test", ""), told.get("part", "")))
        counts[language] = counts.get(language, 0) + 1
        number = end + 1
    return out


def pages():
    """All documents, those of tests and tools as well."""
    out = []
    for folder, inside, names in os.walk(ROOT):
        # What is built is not even looked into: whole systems may lie there.
        inside[:] = [name for name in inside if name not in ("build", "node_modules") and not name.startswith(".")]
        out += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names if name.endswith(".md")]
    return sorted(out)


def of(page):
    return parse(page, (ROOT / page).read_text(encoding="utf-8"))


def everything():
    return [block for page in pages() for block in of(page)]
