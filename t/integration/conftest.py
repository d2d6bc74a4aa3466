# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests."""

import pathlib
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.fixtures import (invariants, lab, pytest_configure,  # noqa: E402,F401
                              pytest_sessionstart)
from harness.site import Site  # noqa: E402

# Some tests have a thousand threads, for whose usual stacks of 8 MiB 32 bits are not enough.
threading.stack_size(1 << 20)


def pytest_generate_tests(metafunc):
    for marker in metafunc.definition.iter_markers("catalogue"):
        metafunc.fixturenames.append("catalogue_id")
        metafunc.parametrize("catalogue_id", ["+".join(marker.args)])
        return


@pytest.fixture
def make_site(lab):
    """Sites for one test: make_site(**arguments of Site)."""
    made = []

    def make(**arguments):
        site = Site(lab, **arguments)
        made.append(site)
        return site
    yield make
    problems = []
    for site in reversed(made):
        try:
            site.stop()
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, "\n".join(problems)
