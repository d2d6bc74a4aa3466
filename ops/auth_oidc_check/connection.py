# SPDX-License-Identifier: Apache-2.0
"""HTTP as the module speaks it to a provider: TLS, proxies, bounded in time."""

import http.client
import io
import ipaddress
import json
import socket
import ssl
import threading
import time
import urllib.parse

from .configuration import DAY
from .report import Trouble

MAX_DOCUMENT = 256 * 1024


class TlsOver:
    """TLS inside TLS, to the provider through a proxy that is spoken to over https itself; what
    http.client uses of a socket."""

    class Reader(io.RawIOBase):
        def __init__(self, owner):
            super().__init__()
            self.owner = owner

        def readable(self):
            return True

        def readinto(self, buffer):
            data = self.owner.pump(self.owner.tls.read, len(buffer))
            buffer[:len(data)] = data
            return len(data)

    def __init__(self, sock, context, host):
        self.sock = sock
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_hostname=host)
        self.pump(self.tls.do_handshake)

    def pump(self, function, *args):
        while True:
            try:
                result = function(*args)
            except ssl.SSLWantReadError:
                result = None
            except ssl.SSLZeroReturnError:
                return b""
            else:
                self.sock.sendall(self.out.read())
                return result
            self.sock.sendall(self.out.read())
            data = self.sock.recv(65536)
            if data:
                self.into.write(data)
            else:
                self.into.write_eof()

    def sendall(self, data):
        self.pump(self.tls.write, data)

    def makefile(self, *_args, **_kw):
        return io.BufferedReader(self.Reader(self))

    def close(self):
        """Answers are read after http.client has closed its socket; whoever reads closes `sock`."""

    def getpeercert(self):
        return self.tls.getpeercert()


TLS_ADVICE = {  # by X509_V_ERR_...
    9: "the clock of this machine, or the certificate, is wrong",
    10: "renew it",
    12: "renew the revocation list of ssl_crl: an expired one fails every connection",
    3: "ssl_crl needs a list of each authority of the chain",
    18: "put it, or its authority, into ssl_trusted_certificate",
    19: "put its authority into ssl_trusted_certificate",
    20: "put its authority into ssl_trusted_certificate, or have the server send its whole chain",
    21: "put its authority into ssl_trusted_certificate, or have the server send its whole chain",
    23: "the certificate was revoked: the provider needs a new one",
    62: "the certificate is of another name: correct the address, or have one issued for it",
    64: "the certificate does not name this address: use the host name",
}


def tls_trouble(where, error):
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"{where}: the certificate is refused: {error.verify_message}",
                       TLS_ADVICE.get(error.verify_code, "see ssl_trusted_certificate and ssl_crl"))
    reason = (error.reason or "no TLS").lower().replace("_", " ")
    return Trouble(f"{where}: the TLS handshake failed: {reason}",
                   "TLS 1.2 or later must be spoken there")


def shown_host(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def look_up(host, port):
    """[(family, address)] by the system, as the module does."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as e:
        raise Trouble(f"{host} does not resolve: {getattr(e, 'strerror', None) or 'no host name'}",
                      "the module asks the system (/etc/resolv.conf, /etc/hosts)") from None
    return [(family, address) for family, _, _, _, address in found]


def connect(host, port, timeout, fix=""):
    last = None
    for family, address in look_up(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
            return sock
        except OSError as e:
            sock.close()
            last = "no connection in time" if isinstance(e, TimeoutError) else e.strerror
    raise Trouble(f"{shown_host(host, port)}: {last}",
                  fix or "the port, a firewall, or whether the service runs")


class Url:
    def __init__(self, text):
        parts = urllib.parse.urlsplit(text)
        try:
            port = parts.port
        except ValueError:
            raise Trouble(f'"{text}" is no URL') from None
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None \
                or parts.fragment or any(c <= " " or c == "\x7f" for c in text):
            raise Trouble(f'"{text}" is no URL of http or https')
        self.text, self.scheme, self.host = text, parts.scheme, parts.hostname
        self.port = port or (443 if self.scheme == "https" else 80)
        self.authority = parts.netloc
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.short = f"{parts.scheme}://{parts.netloc}{parts.path}"

    @property
    def loopback(self):
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Answer:
    def __init__(self, response, body, cert, sent, received):
        self.status, self.headers, self.body, self.cert = \
            response.status, response.headers, body, cert
        self.sent, self.received = sent, received

    def header(self, name):
        return self.headers.get(name) or ""

    def json(self):
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


def talk(sock, url, method, headers, body, timeout, target=None):
    """One request on a connection; all of it within the time."""
    late = threading.Event()
    inner = sock.sock if isinstance(sock, TlsOver) else sock

    def cut():
        late.set()
        try:
            inner.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    timer = threading.Timer(timeout, cut)
    timer.daemon = True
    timer.start()
    connection = http.client.HTTPConnection(url.host, url.port)
    connection.sock = sock
    cert = sock.getpeercert() if hasattr(sock, "getpeercert") else None
    sent = time.time()
    try:
        connection.putrequest(method, target or url.target, skip_host=True,
                              skip_accept_encoding=True)
        fields = {"Host": url.authority, "User-Agent": "auth-oidc-check", "Connection": "close",
                  "Accept": "application/json", **headers}
        if body is not None:
            fields["Content-Length"] = str(len(body))
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        for name, text in fields.items():
            connection.putheader(name, text)
        connection.endheaders(body)
        response = connection.getresponse()
        received = time.time()
        data = response.read(MAX_DOCUMENT + 1)
        if late.is_set():
            raise TimeoutError
        return Answer(response, data, cert, sent, received)
    except TimeoutError:
        raise Trouble(f"{url.short}: no answer in {timeout:g} seconds", "see read_timeout") from None
    except (OSError, http.client.HTTPException, ValueError) as e:
        if late.is_set():
            raise Trouble(f"{url.short}: no answer in {timeout:g} seconds",
                          "see read_timeout") from None
        raise Trouble(f"{url.short}: no HTTP answer ({type(e).__name__})") from None
    finally:
        timer.cancel()
        connection.close()
        inner.close()


def check_life(about, what, cert, days):
    """The rest of the life of a certificate that was verified."""
    if not cert or "notAfter" not in cert:
        return
    left = (ssl.cert_time_to_seconds(cert["notAfter"]) - time.time()) / DAY
    if left < days:
        about.wrong("certificate", f"{what} ends in {left:.1f} days ({cert['notAfter']})",
                    "renew it")
    else:
        about.ok("certificate", f"{what} is good for {left:.0f} days")
