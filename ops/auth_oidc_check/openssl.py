# SPDX-License-Identifier: Apache-2.0
"""What Python's standard library cannot do, by the program openssl: signatures, and what stands in certificates and
revocation lists. Secrets go there in memory, never as arguments or into files."""

import contextlib
import os
import re
import ssl
import subprocess
import time

from .configuration import DAY
from .report import Trouble

PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----\n?", re.S)


@contextlib.contextmanager
def in_memory(data):
    """A path at which this process, and one that gets the descriptor, reads the bytes."""
    fd = os.memfd_create("auth-oidc-check")
    try:
        os.write(fd, data)
        yield f"/proc/self/fd/{fd}", fd
    finally:
        os.close(fd)


def openssl(*arguments, data=b"", fds=()):
    """What it prints."""
    try:
        done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, timeout=20, check=False,
                              pass_fds=fds)
    except subprocess.TimeoutExpired:
        raise Trouble("openssl has not come to an end", "try again; if it stays, run openssl version by hand",
                      unknown=True) from None
    except OSError:
        raise Trouble("there is no program openssl to look with", "apt install openssl", unknown=True) from None
    if done.returncode:
        raise Trouble("openssl cannot read it", "see the file; nginx -t says more")
    return done.stdout


def pem_blocks(data, kind):
    return [found[0] for found in PEM.finditer(data) if found[1].decode().endswith(kind)]


def days_left(block, revocation_list=False):
    """(days, the date) until a certificate ends, or a list needs to be renewed; None: it says no date."""
    told = openssl(*(("crl", "-noout", "-nextupdate") if revocation_list else ("x509", "-noout", "-enddate")), data=block)
    date = told.decode("ascii", "replace").partition("=")[2].strip()
    try:
        return (ssl.cert_time_to_seconds(date) - time.time()) / DAY, date
    except ValueError:
        return None


def check_file_life(about, what, data, days, revocation_list=False):
    """The certificates, or lists, of a file: one line for the one that ends first. Lists are renewed every few days:
    they have to be good today."""
    days = 0 if revocation_list else days
    blocks = pem_blocks(data, "X509 CRL" if revocation_list else "CERTIFICATE")
    if len(blocks) > 20:
        return  # a bundle of a system, whose authorities come and go
    found = [x for x in (days_left(b, revocation_list) for b in blocks) if x is not None]
    if not found:
        return
    left, date = min(found)
    if left >= days:
        about.ok("certificate", f"{what} is good for {left:.0f} days ({date})")
    elif max(found)[0] >= days:
        about.note("certificate", f"one of {what} ends in {left:.1f} days ({date}), others stay good")
    else:
        about.wrong("certificate", f"{what} ends in {left:.1f} days ({date})", "renew it")


# ---- keys and signatures

HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}
SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}
# Object identifiers in DER (RFC 3279, 5480 and 8410).
RSA, EC, ED25519 = map(bytes.fromhex, ("2a864886f70d010101", "2a8648ce3d0201", "2b6570"))
CURVES = {bytes.fromhex("2a8648ce3d030107"): ("P-256", "ES256"), bytes.fromhex("2b81040022"): ("P-384", "ES384"),
          bytes.fromhex("2b81040023"): ("P-521", "ES512")}


def der(data):
    """(tag, content, what follows) of the first element."""
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7f
        length = int.from_bytes(data[2:at], "big")
    return data[0], data[at:at + length], data[at + length:]


def public_half(pem, *form):
    """(kind, curve, the key as RFC 5280 4.1 has it: a byte of no meaning, then the key's own bytes)"""
    _, algorithm, rest = der(der(openssl("pkey", "-pubout", "-outform", "DER", *form, data=pem))[1])
    _, kind, parameters = der(algorithm)
    return kind, der(parameters)[1] if kind == EC else None, der(rest)[1]


class PrivateKey:
    """A key in PEM. `jwk`: its public half as RFC 7638 wants it for a thumbprint."""

    def __init__(self, pem):
        self.pem = pem
        kind, curve, bits = public_half(pem)
        if curve in CURVES:
            if bits[1:2] != b"\x04":     # x alone
                _, _, bits = public_half(pem, "-ec_conv_form", "uncompressed")
            curve, self.alg = CURVES[curve]
            size = SIZES[self.alg]
            x, y = bits[-2 * size:-size], bits[-size:]
            self.jwk = {"crv": curve, "kty": "EC", "x": x, "y": y}
        elif kind == ED25519:
            self.alg = "EdDSA"
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": bits[-32:]}
        elif kind != RSA:
            raise Trouble("it is neither an RSA, a P-256, P-384, P-521 nor an Ed25519 key",
                          "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one")
        else:
            self.alg = "RS256"
            _, n, rest = der(der(bits[1:])[1])
            self.jwk = {"e": der(rest)[1].lstrip(b"\0"), "kty": "RSA", "n": n.lstrip(b"\0")}

    def sign(self, alg, data):
        with in_memory(self.pem) as (path, fd), in_memory(data) as (message, message_fd):
            if alg == "EdDSA":
                return openssl("pkeyutl", "-sign", "-rawin", "-inkey", path, "-in", message, fds=(fd, message_fd))
            more = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1") if alg.startswith("PS") else ()
            made = openssl("dgst", f"-{HASHES[alg[2:]]}", "-sign", path, *more, message, fds=(fd, message_fd))
        if alg not in SIZES:
            return made
        # From DER to the two numbers one after the other (RFC 7518 3.4).
        _, r, rest = der(der(made)[1])
        return b"".join(int.from_bytes(n, "big").to_bytes(SIZES[alg], "big") for n in (r, der(rest)[1]))
