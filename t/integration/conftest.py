# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.lab import Lab  # noqa: E402
from harness.nginx import BINARY, MODULE  # noqa: E402
from harness.site import Site  # noqa: E402


def pytest_configure(config):
    config.keep = bool(os.environ.get("KEEP"))


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for path in (BINARY, MODULE):
        if not os.path.exists(path):
            pytest.exit(f"{path} does not exist: build the module first", returncode=3)


def pytest_generate_tests(metafunc):
    for marker in metafunc.definition.iter_markers("catalogue"):
        metafunc.fixturenames.append("catalogue_id")
        metafunc.parametrize("catalogue_id", ["+".join(marker.args)])
        return


@pytest.fixture(scope="session")
def lab(request):
    lab = Lab()
    yield lab
    lab.close(request.config.keep or request.session.testsfailed and os.environ.get("KEEP_FAILED"))


@pytest.fixture(autouse=True)
def invariants(request):
    """INV-1 to INV-12 around every test, for every site that is up."""
    for site in Site.live:
        site.begin()
        site.state.check_workers = request.node.get_closest_marker("kills_workers") is None
    yield
    problems = []
    for site in Site.live:
        problems += site.end()
    assert not problems, "\n".join(problems)


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
