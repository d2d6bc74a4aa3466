# SPDX-License-Identifier: Apache-2.0
"""The session store that the sites of a run use, where a test does not name one itself.

OIDC_STORE=memory (default), cookie or redis: the same tests run on each.
"""

import os
import secrets

import pytest

STORE = os.environ.get("OIDC_STORE", "memory")
NAME = "of_this_run"

assert STORE in ("memory", "cookie", "redis"), f"OIDC_STORE={STORE}"

# For tests about what only one kind of store does.
memory_only = pytest.mark.skipif(STORE != "memory", reason="about the memory store")
# Redis counts idle time by itself, and a false clock of nginx is not Redis's.
own_clock = pytest.mark.skipif(STORE == "redis", reason="Redis does not see nginx's false clock")
server_side = pytest.mark.skipif(STORE == "cookie", reason="about stores that keep sessions")


def store_block(lab, folder):
    """The oidc_session_store of a site, empty for the default one."""
    if STORE == "memory":
        return ""
    keys = folder / "keys"
    if not keys.exists():
        keys.write_text(secrets.token_hex(32) + "\n")
        keys.chmod(0o600)
    own = ""
    if STORE == "redis":
        # A prefix of its own for each site: the server is one for all.
        own = f"server {lab.redis.address}; prefix {folder.name}:; local_copy 1s; "
    return f"    oidc_session_store {NAME} {{ type {STORE}; key_file {keys}; {own}}}\n"


def in_this_store(providers):
    """`providers` of a site, those without a store of their own in the one of this run."""
    if STORE == "memory":
        return providers
    return {name: (idp, {"session_store": NAME, **(directives or {})})
            for name, (idp, directives) in providers.items()}
