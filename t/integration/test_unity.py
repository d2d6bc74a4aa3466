# SPDX-License-Identifier: Apache-2.0
"""tools/unity: which sources come together."""

import subprocess
import sys

import pytest

from harness.nginx import ROOT


def together(tmp_path, **sources):
    """The lists of names that tools/unity puts together, of {name: text}."""
    for name, text in sources.items():
        (tmp_path / f"{name}.cpp").write_text(text)
    files = (tmp_path / f"{name}.cpp" for name in sources)
    command = [sys.executable, "-B", ROOT / "tools/unity", tmp_path / "out", *files]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    files = out.stdout.split()
    assert sorted(files) == sorted(str(file) for file in (tmp_path / "out").iterdir())
    lists = []
    for file in files:
        with open(file, encoding="utf-8") as lines:
            lists.append([line.rsplit("/", 1)[1].removesuffix('.cpp"\n') for line in lines])
    assert sorted(name for names in lists for name in names) == sorted(sources)
    return lists


OWN = {
    "constant": "namespace oidc {\nnamespace {\nconstexpr int kRows[] = {1, 2};\n}\n}\n",
    "function": "namespace {\n// kRows\n[[nodiscard]] std::pair<int, int> kRows(int a = 1) noexcept {\n}\n}\n",
    "type": "namespace {\nstruct kRows final : Base {\n    int x;\n};\n}\n",
    "alias": "namespace {\nusing kRows = std::map<int, int>;\n}\n",
    "static": "static const Registration kRows(\"x\", 1'000);\n",
    "check": "START_TEST(other) {\n}\nEND_TEST\n\nSTART_TEST(kRows) {\n}\nEND_TEST\n",
}


@pytest.mark.parametrize("one", OWN)
@pytest.mark.parametrize("two", OWN)
def test_names_of_their_own(tmp_path, one, two):
    assert together(tmp_path, one=OWN[one], two=OWN[two]) == [["one"], ["two"]]


@pytest.mark.parametrize("text", [
    "namespace oidc {\nint kRows() {\n    return 1;\n}\n}\n",  # the linker's matter
    "namespace {\nint other() {\n    int kRows = 1;\n    return kRows;\n}\n}\n",
    "namespace {\nint other = kRows(\"namespace { int kRows; }\");\n// namespace { int kRows; }\n}\n",
    "namespace {\nstruct Other {\n    int kRows;\n};\n}\n",
])
def test_names_that_are_not(tmp_path, text):
    assert together(tmp_path, one=OWN["constant"], two=text) == [["one", "two"]]


@pytest.mark.parametrize("header_first", [False, True])
def test_name_of_a_header(tmp_path, header_first):
    """With the header of another source, also where it comes by one in between."""
    (tmp_path / "deep.hpp").write_text("namespace oidc {\nstruct kRows;\n}\n")
    (tmp_path / "near.hpp").write_text('#include "deep.hpp"\n')
    sources = {"one": '#include "near.hpp"\n', "two": OWN["constant"]}
    if not header_first:
        sources = dict(reversed(sources.items()))
    assert len(together(tmp_path, **sources)) == 2


def test_enumerators_of_all(tmp_path):
    assert together(tmp_path, a="", b="using enum Reason;\n", c="") == [["a", "c"], ["b"]]


def test_no_more_than_a_dozen_and_nothing_stale(tmp_path):
    names = {f"s{number}": "" for number in range(25)}
    assert [len(names) for names in together(tmp_path, **names)] == [12, 12, 1]
    assert together(tmp_path, s1="") == [["s1"]]
