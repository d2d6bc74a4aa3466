# SPDX-License-Identifier: Apache-2.0
"""t/cases.md and the ids that the repository speaks of agree."""

import pathlib
import re

import pytest

from harness.files import repository_files
from harness.nginx import ROOT

CASES = ROOT / "t" / "cases.md"
SECURITY = ROOT / "docs" / "security.md"
# The groups of t/cases.md. A closed list: P-256 is a curve, UTF-8 an encoding.
GROUP = "INV|[ACDEFGIJKLNPQSTUVX]"
NUMBER = r"\d{1,2}"
ID = re.compile(rf"(?<![\w-])((?:INV-{NUMBER})|(?:[ACDEFGIJKLNPQSTUVX]-\d\d))(?![\w.])")
RANGE = re.compile(rf"(?<![\w-])(({GROUP})-({NUMBER}) to \2-({NUMBER}))(?!\w)")
UNIT_NAME = re.compile(r"START_TEST\(((?:[acdefgijklnpqstuvx]_\d\d_)+)")
ENTRY = re.compile(rf"^- \*\*(({GROUP})-{NUMBER})\*\* (.+)$", re.M)
LEFT_OUT = ("t/fuzz/corpus/", "package-lock.json")


def written(text):
    """The ids that a text speaks of."""
    out = set(ID.findall(text))
    for _, group, first, last in RANGE.findall(text):
        width = len(first)
        out.update(f"{group}-{n:0{width}}" for n in range(int(first), int(last) + 1))
    for names in UNIT_NAME.findall(text):
        out.update(f"{a.upper()}-{b}" for a, b in re.findall(r"([a-z])_(\d\d)", names))
    return out


def files():
    return [n for n in repository_files() if not any(x in n for x in LEFT_OUT)]


def uses():
    """{id: files that speak of it}"""
    out = {}
    for name in files():
        if ROOT / name == CASES:
            continue
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for case in written(text):
            out.setdefault(case, set()).add(name)
    return out


def entries():
    return {case: text for case, _, text in ENTRY.findall(CASES.read_text())}


def is_test(name):
    """Where an id means that something is tested; documents only speak about it."""
    return pathlib.Path(name).parts[0] in ("t", "bench") and not name.endswith(".md") \
        and name != "t/integration/test_cases.py"


def test_the_ids_are_told_from_other_words():
    assert written("UTF-8, SHA-256, AES-256-GCM, P-256, RFC-7636, RSA-OAEP-256, A-1, X-2.5, sid=N-1") == set()
    assert written('@case("I-07", "U-06") rows("X-04-reset") f"X-07-{n}" // C-16') == {
        "I-07", "U-06", "X-04", "X-07", "C-16"}
    assert written("INV-1 to INV-3, P-01 to P-03") == {"INV-1", "INV-2", "INV-3", "P-01", "P-02", "P-03"}
    assert written("START_TEST(i_03_i_04_other_spellings) START_TEST(rfc_7515_a_1_hs256)") == {
        "I-03", "I-04"}


def test_every_id_is_in_the_catalogue():
    known = entries()
    missing = {case: sorted(where) for case, where in uses().items() if case not in known}
    assert not missing, f"not in t/cases.md: {missing}"


def test_every_case_has_a_test_or_a_reason():
    tested = {case for case, where in uses().items() if any(map(is_test, where))}
    for case, text in entries().items():
        if "*not automated*" in text:
            assert re.search(r"\*not automated\*: \S", text), f"{case} has no reason"
            assert case not in tested, f"{case} is tested, t/cases.md says that it is not"
        else:
            assert case in tested, f"nothing tests {case}"


def test_what_has_no_test_stands_in_the_documents():
    section = SECURITY.read_text().partition("## Checks that do not apply\n")[2].partition("\n## ")[0]
    told = [cell for cell in re.findall(r"^\| ([^|]+) \|", section, re.M) if cell not in ("id", "---")]
    assert sorted(told) == sorted(case for case, text in entries().items() if "*not automated*" in text)


def test_each_case_stands_once_in_its_group():
    text = CASES.read_text()
    order = [case for case, _, _ in ENTRY.findall(text)]
    assert len(order) == len(set(order)), sorted(c for c in order if order.count(c) > 1)
    assert len(order) == len(re.findall(r"^- \*\*[A-Z]+-\d", text, re.M)), "a line of another form"
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        for case, group, _ in ENTRY.findall(section):
            assert section.startswith(f"{group}:"), f"{case} stands in another group"


@pytest.mark.parametrize("folder", ("src", "include", "ngx_module"))
def test_sources_say_what_they_mean(folder):
    """A reader of the sources has no list of cases beside him."""
    found = {case: where for case, where in uses().items() if any(n.startswith(folder + "/") for n in where)}
    assert not found
