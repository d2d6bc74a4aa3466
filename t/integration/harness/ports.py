# SPDX-License-Identifier: Apache-2.0
"""Free TCP ports below the ephemeral range, so that no outgoing connection takes one meanwhile.

OIDC_PORTS=1/3: of three runs side by side this is the first; each looks at ports of its own, since
a port is free until it is used.
"""

import collections
import os
import random
import socket

_rng = random.Random(os.getpid())
_part, _parts = map(int, os.environ.get("OIDC_PORTS", "1/1").split("/"))
_ports = range(20000 + _part % _parts, 32000, _parts)
# Not again soon: a port is only asked for a while before it is used.
_given = collections.deque(maxlen=min(1000, len(_ports) // 2))


def free_port(host="127.0.0.1"):
    for _ in range(500):
        port = _rng.choice(_ports)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
        _given.append(port)
        return port
    raise RuntimeError("no free port")


def has_ipv6():
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        return False
    return True
