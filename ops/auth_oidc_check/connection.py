# SPDX-License-Identifier: Apache-2.0
"""HTTP as the module speaks it to a provider: TLS, proxies, bounded in time."""

import http.client
import io
import ipaddress
import json
import re
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
                if function == self.tls.do_handshake:
                    raise
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


def handshake(sock, where, wrap):
    """What `wrap` makes of a connection; one that fails is closed."""
    try:
        return wrap(sock)
    except OSError as e:
        sock.close()
        raise tls_trouble(where, e) from None


def tls_trouble(where, error):
    if isinstance(error, socket.timeout):
        return Trouble(f"{where}: no TLS handshake in time", "does the port speak TLS?")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or not isinstance(error, ssl.SSLError):
        return Trouble(f"{where}: the TLS handshake was cut off", "does the port speak TLS? The log there says why it "
                       "hung up")
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
            last = "no connection in time" if isinstance(e, socket.timeout) else e.strerror
    raise Trouble(f"{shown_host(host, port)}: {last}",
                  fix or "the port, a firewall, or whether the service runs")


class Url:
    def __init__(self, text):
        shown = re.sub(r"//[^/?#]*@", "//***@", text)
        try:
            parts = urllib.parse.urlsplit(text)
            port = parts.port
        except ValueError:
            raise Trouble(f'"{shown}" is no URL', "correct its host or port") from None
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None \
                or parts.fragment or any(c <= " " or c == "\x7f" for c in text):
            raise Trouble(f'"{shown}" is no URL of http or https', "https://, a host, and what follows it, without blanks, "
                          "fragment or user name")
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

    def location(self, url):
        """Where it leads, whole; empty: nowhere."""
        try:
            target = urllib.parse.urljoin(url.text, self.header("Location"))
            urllib.parse.urlsplit(target)
        except ValueError:
            return ""
        return target

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
    inner.settimeout(timeout)  # that of connecting no longer counts

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
            fields.setdefault("Content-Type", "application/x-www-form-urlencoded")
        for name, text in fields.items():
            connection.putheader(name, text)
        connection.endheaders(body)
        response = connection.getresponse()
        received = time.time()
        data = response.read(MAX_DOCUMENT + 1)
        if late.is_set():
            raise socket.timeout
        return Answer(response, data, cert, sent, received)
    except socket.timeout:
        raise Trouble(f"{url.short}: no answer in {timeout:g} seconds", "see read_timeout") from None
    except (OSError, http.client.HTTPException, ValueError) as e:
        if late.is_set():
            raise Trouble(f"{url.short}: no answer in {timeout:g} seconds",
                          "see read_timeout") from None
        raise Trouble(f"{url.short}: no HTTP answer ({type(e).__name__})",
                      "does the port speak HTTP? The log there says why it hung up") from None
    finally:
        timer.cancel()
        connection.close()
        inner.close()


def above(sock, verified=True):
    """The authorities between the certificate of a connection and the root, as far as Python tells (3.10 and later)."""
    inner = getattr(getattr(sock, "tls", sock), "_sslobj", None)
    get = getattr(inner, "get_verified_chain" if verified else "get_unverified_chain", lambda: None)
    found = [cert.get_info() for cert in (get() or [])[1:]]
    return [cert for cert in found if cert.get("subject") != cert.get("issuer")]


def check_life(about, what, sock, days, verified=True):
    """The rest of the life of a certificate that was verified, and of those that it hangs on."""
    cert = sock.getpeercert()
    if not cert or "notAfter" not in cert:
        return
    left = days_left(cert)
    if left < days:
        about.wrong("certificate", f"{what} ends in {left:.1f} days ({cert['notAfter']})",
                    "renew it")
    else:
        about.ok("certificate", f"{what} is good for {left:.0f} days")
    for authority in above(sock, verified):
        if days_left(authority) < days:
            name = dict(pair for part in authority["subject"] for pair in part).get("commonName", "without a name")
            about.wrong("certificate", f"{what} hangs on the authority {name}, which ends in {days_left(authority):.1f} "
                        f"days ({authority['notAfter']})", "have the server send the newer one of that authority")


def days_left(cert):
    return (ssl.cert_time_to_seconds(cert["notAfter"]) - time.time()) / DAY
