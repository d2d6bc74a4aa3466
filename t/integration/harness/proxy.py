# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy that only connects."""

import base64
import re
import socket
import ssl
import threading


class Proxy:
    """A CONNECT proxy; `leaf` makes it https, `users` what it asks for. `ports`: hosts of the internet that are at
    a port of this machine, and no others are to be had; without it every host is this machine."""

    def __init__(self, leaf=None, users=(), ports=None):
        self.heads, self.users, self.context, self.ports = [], users, None, ports
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        if leaf is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(leaf.cert_file, leaf.key_file)
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
            data = b""
            while b"\r\n\r\n" not in data:
                chunk = sock.recv(4096)
                if not chunk:
                    return
                data += chunk
            head = data.decode()
            self.heads.append(head)
            given = re.search(r"(?im)^proxy-authorization: basic (\S+)", head)
            if self.users and (not given or base64.b64decode(given[1]).decode() not in self.users):
                sock.sendall(b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=p\r\n"
                             b"Content-Length: 0\r\n\r\n")
                return
            host, _, port = head.split(" ")[1].rpartition(":")
            if self.ports is not None:
                if host not in self.ports or port != "443":
                    sock.sendall(b"HTTP/1.1 502 No such host\r\nContent-Length: 0\r\n\r\n")
                    return
                port = self.ports[host]
            upstream = socket.create_connection(("127.0.0.1", int(port)))
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=self.pump, args=(upstream, sock), daemon=True).start()
            self.pump(sock, upstream)
        except (OSError, IndexError, ValueError):
            pass
        finally:
            sock.close()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except (OSError, ValueError):
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
