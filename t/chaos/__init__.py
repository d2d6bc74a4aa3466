# SPDX-License-Identifier: Apache-2.0
"""Load on a real nginx with the module while everything around it breaks; see __main__.py."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
HARNESS = FOLDER.parent / "integration"
if str(HARNESS) not in sys.path:
    sys.path.insert(0, str(HARNESS))
