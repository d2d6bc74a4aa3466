"""Free TCP ports below the ephemeral range, so that no outgoing connection takes one meanwhile.

OIDC_PORTS=1/3: of three runs side by side this is the first; each looks at ports of its own, since
a port is free until it is used.
"""

import collections
import os
import random
import socket

_rng = random.Random(os.getpid())
# Not again soon: a port is only asked for a while before it is used.
_given = collections.deque(maxlen=1000)
_part, _parts = map(int, os.environ.get("OIDC_PORTS", "1/1").split("/"))


def free_port(host="127.0.0.1"):
    for _ in range(500):
        port = _rng.randint(20000, 31999)
        if port in _given or port % _parts != _part % _parts:
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
