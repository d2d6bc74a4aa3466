# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests at real providers, and the table at the end."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from harness.fixtures import (invariants, lab, pytest_configure,  # noqa: E402,F401
                              pytest_sessionstart)

_results = {}


def pytest_runtest_logreport(report):
    """The worst of a test's phases counts."""
    step, _, name = report.nodeid.rpartition("::")[2].removesuffix("]").partition("[")
    if report.skipped:
        # (file, line, "Skipped: why")
        outcome = "skipped: " + report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed:
        outcome = "FAILED" if report.when == "call" else f"FAILED ({report.when})"
    else:
        outcome = "passed"
    key = (name, step.removeprefix("test_").replace("_", " "))
    if _results.get(key, "passed") == "passed":
        _results[key] = outcome


def pytest_terminal_summary(terminalreporter):
    if not _results:
        return
    width = [max(len(key[i]) for key in _results) for i in (0, 1)]
    terminalreporter.section("providers")
    for (name, step), outcome in _results.items():
        terminalreporter.write_line(f"{name:{width[0]}}  {step:{width[1]}}  {outcome}")
