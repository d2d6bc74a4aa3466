# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/conformance.md, which nobody writes by hand."""

import datetime
import re

BEGIN, END = "<!-- results: written by t/conformance/run --write -->", "<!-- end of results -->"


def row(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def table(plan, verdicts):
    """The section of a plan."""
    lines = [f"### {plan.title}", "", f"`{plan.name}`"
             + "".join(f", {name} `{value}`" for name, value in plan.variant.items()) + ".", "",
             row(("module", "result", "what the module did")), row(("---",) * 3)]
    for v in verdicts:
        lines.append(row((f"`{v.module}`", v.result, "; ".join(filter(None, (v.seen, v.why))))))
    return "\n".join(lines) + "\n"


def counts(verdicts):
    out = {}
    for v in verdicts:
        out[v.result] = out.get(v.result, 0) + 1
    return ", ".join(f"{number} {result}" for result, number in sorted(out.items()))


def sections(text):
    """The sections of plans that a page has, by their titles."""
    inner = text.partition(BEGIN)[2].partition(END)[0]
    found = re.split(r"^### (.*)\n", inner, flags=re.M)
    return dict(zip(found[1::2], found[2::2]))


def write(path, version, plans, results, today=None):
    """Puts the tables into the page. Those of plans that were not run stay."""
    text = path.read_text(encoding="utf-8")
    kept = sections(text)
    day = today or datetime.date.today()
    out = []
    for plan in plans:
        if plan.key in results:
            body = table(plan, results[plan.key]).rstrip()
            out.append(f"{body}\n\n{counts(results[plan.key])}. Suite {version}, {day:%Y-%m-%d}.\n")
        elif plan.title in kept:
            out.append(f"### {plan.title}\n{kept[plan.title].rstrip()}\n")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(before + BEGIN + "\n\n" + "\n".join(out) + "\n" + END + after, encoding="utf-8")
