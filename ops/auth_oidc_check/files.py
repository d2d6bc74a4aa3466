# SPDX-License-Identifier: Apache-2.0
"""Secrets and certificates, read as nginx's master reads them."""

import os
import ssl
import stat

from .report import Trouble

MAX_SECRET = 4096
PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)  # which Python has a name for from 3.10 on


def read_secret(path, about, check, one_line=True, private=True, secret=True):
    """Its text as the module reads it, or None; says what is odd about the file. `private`: others should not be able
    to read it; `secret`: what stands in it is printed nowhere."""
    try:
        with open(path, "rb", opener=lambda p, f: os.open(p, f | os.O_NONBLOCK)) as f:
            mode = os.fstat(f.fileno()).st_mode
            if not stat.S_ISREG(mode):
                about.wrong(check, f"{path} is no regular file", "name the file itself, not its folder")
                return None
            data = f.read(1 << 20)
    except PermissionError:
        about.unknown(check, f"{path} cannot be read by this user", "run as root")
        return None
    except OSError as e:
        about.wrong(check, f"{path}: {e.strerror}", "nginx will not start with it")
        return None
    text = data[:-1] if data.endswith(b"\n") else data
    why, fix = secret_fault(text, one_line)
    if not why and private and mode & stat.S_IROTH:
        why, fix = f"others can read it (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path}"
    if why:
        about.wrong(check, f"{path}: {why}", fix)
    elif private and mode & stat.S_IRGRP:
        about.note(check, f"{path} is readable, by its group as well (mode {stat.S_IMODE(mode):04o})",
                   f"chmod 600 {path}, unless all of the group may have it")
    else:
        about.ok(check, f"{path} is readable, mode {stat.S_IMODE(mode):04o}")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")
    for line in {decoded, *decoded.splitlines()} if secret else ():
        about.report.hide(line.strip())
    return decoded


def secret_fault(text, one_line):
    again = "write it anew: printf %s 'the secret' > the file"
    if not text.strip():
        return "it is empty", again
    if b"\0" in text:
        return "it has a NUL byte", again
    if not one_line:
        return "", ""
    if len(text) > MAX_SECRET:
        return "it is larger than 4 kB", "it is to hold the secret alone"
    if text.endswith(b"\n"):
        return "it ends with more than one newline, of which the module drops one", again
    if text.endswith(b"\r") or b"\r\n" in text:
        return "it has a carriage return, as files from Windows have", again
    if b"\n" in text:
        return "it has more than one line", "it is to hold the secret alone"
    if text.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark", again
    if text != text.strip():
        return "a blank stands around the secret, and counts", again
    return "", ""


def read_text(path, about, check):
    """A file that holds nothing secret."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read(1 << 20)
    except OSError as e:
        about.report.trouble(about.name, check, unusable(path, e, ""))
        return None


def read_bytes(path):
    """What another check says more of when it cannot be read: empty then."""
    try:
        with open(path, "rb") as f:
            return f.read(1 << 20)
    except OSError:
        return b""


def tls_context(ca=None, crl=None):
    """As the module verifies: TLS 1.2, no common names, and a configured certificate is trusted
    whatever it is, unless there are revocation lists."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    try:
        if ca:
            context.load_verify_locations(cafile=ca)
        else:
            context.set_default_verify_paths()
    except (OSError, ssl.SSLError) as e:
        raise unusable(ca, e, "no certificates in PEM") from None
    if crl:
        try:
            context.load_verify_locations(cafile=crl)
        except (OSError, ssl.SSLError) as e:
            raise unusable(crl, e, "no revocation list in PEM") from None
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    else:
        context.verify_flags |= PARTIAL_CHAIN
    return context


def unusable(path, error, what):
    if isinstance(error, PermissionError):
        return Trouble(f"{path} cannot be read by this user", "run as root", unknown=True)
    why = what if isinstance(error, ssl.SSLError) else error.strerror
    return Trouble(f"{path}: {why}", "nginx will not start with it")
