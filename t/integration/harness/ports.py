"""Free TCP ports below the ephemeral range, so that no outgoing connection takes one meanwhile."""

import os
import random
import socket

_rng = random.Random(os.getpid())
_given = set()


def free_port(host="127.0.0.1"):
    for _ in range(500):
        port = _rng.randint(20000, 31999)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")
