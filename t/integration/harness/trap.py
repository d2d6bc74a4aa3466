# SPDX-License-Identifier: Apache-2.0
"""Places where no connection may arrive, or where none is ever answered."""

import socket
import threading
import time

from .ports import free_port


class Trap:
    """A listener to which nothing must ever connect (INV-3)."""

    def __init__(self, bind="127.0.0.1"):
        self.port = free_port(bind)
        self.connections = 0
        self.sock = socket.create_server((bind, self.port))
        self.url = f"http://127.0.0.1:{self.port}"
        self.https = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            sock.close()


def blackhole():
    """A port that never answers a SYN: its backlog is full. Returns (port, sockets to keep)."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    port = server.getsockname()[1]
    keep = [server]
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        try:
            client.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        keep.append(client)
    time.sleep(0.05)
    return port, keep
