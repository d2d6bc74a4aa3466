# SPDX-License-Identifier: Apache-2.0
"""`@case("I-07")` names the catalogue's id of a test; it becomes part of the test's name."""

import pytest


def case(*ids):
    return pytest.mark.catalogue(*ids)


def rows(prefix, table):
    """Parameters from {name: value or tuple}, each named "<prefix>-<name>"."""
    out = []
    for name, value in table.items():
        values = value if isinstance(value, tuple) else (value,)
        out.append(pytest.param(*values, id=f"{prefix}-{name}"))
    return out
