# SPDX-License-Identifier: Apache-2.0
"""Fixtures and hooks of every folder whose tests have sites; its conftest.py imports them."""

import os

import pytest

from .lab import Lab
from .nginx import BINARY, MODULE
from .site import Site


def pytest_configure(config):
    config.keep = bool(os.environ.get("KEEP"))


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for path in (BINARY, MODULE):
        if not os.path.exists(path):
            pytest.exit(f"{path} does not exist: build the module first", returncode=3)


@pytest.fixture(scope="session")
def lab(request):
    lab = Lab()
    yield lab
    lab.close(request.config.keep or request.session.testsfailed and os.environ.get("KEEP_FAILED"))


@pytest.fixture(autouse=True)
def invariants(request):
    """INV-1 to INV-13 around every test, for every site that is up."""
    for site in Site.live:
        site.begin()
        site.state.check_workers = request.node.get_closest_marker("kills_workers") is None
    yield
    problems = []
    for site in Site.live:
        problems += site.end()
    assert not problems, "\n".join(problems)
