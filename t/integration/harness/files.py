# SPDX-License-Identifier: Apache-2.0
"""The files of the repository, without asking git: a checkout may be a plain copy."""

import os
import pathlib

from .nginx import ROOT

MADE = {".git", "build", "out", "node_modules", "__pycache__", ".pytest_cache"}
MADE_BY_BENCH = pathlib.Path("bench", "results")


def repository_files():
    """Paths below ROOT, as texts with slashes."""
    found = []
    for folder, names, files in os.walk(ROOT):
        here = pathlib.Path(folder).relative_to(ROOT)
        names[:] = [n for n in names if n not in MADE and here / n != MADE_BY_BENCH]
        found += [(here / n).as_posix() for n in files if n != ".git" and not n.endswith((".o", ".so"))]
    return sorted(found)
