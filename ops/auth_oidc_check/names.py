# SPDX-License-Identifier: Apache-2.0
"""One question to a name server."""

import ipaddress
import secrets
import socket
import struct


def ask_resolver(server, port, host, timeout=3):
    """Addresses that a name server has for a host (RFC 1035); an OSError when it is silent."""
    found = []
    name = b"".join(bytes([len(p)]) + p for p in host.rstrip(".").encode("idna").split(b".")) + b"\0"
    for kind in (1, 28):
        number = secrets.randbelow(65536)
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect((server, port))
            sock.send(struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + name
                      + struct.pack(">HH", kind, 1))
            data = sock.recv(4096)
        if len(data) < 12 or struct.unpack(">H", data[:2])[0] != number:
            raise OSError("an answer to another question")
        count, at = struct.unpack(">H", data[6:8])[0], 12 + len(name) + 4
        try:
            for _ in range(count):
                while data[at] not in (0,) and data[at] < 192:
                    at += data[at] + 1
                at += 2 if data[at] >= 192 else 1
                rtype, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
                if rtype == kind:
                    raw = data[at + 10:at + 10 + length]
                    found.append(str(ipaddress.ip_address(raw)))
                at += 10 + length
        except (IndexError, struct.error, ValueError):
            raise OSError("an answer that cannot be read") from None
    return found
