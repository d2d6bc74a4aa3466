# SPDX-License-Identifier: Apache-2.0
"""The way to a provider."""

import base64
import re
import ssl
import urllib.parse

from .configuration import seconds
from .connection import TlsOver, Url, check_life, connect, handshake, shown_host, talk
from .files import read_bytes, read_secret, tls_context
from .openssl import check_file_life, in_memory
from .report import Trouble


class Transport:
    """The way to a provider: its authorities, revocation lists and proxy."""

    def __init__(self, provider, about, report, days):
        self.about, self.days, self.seen = about, days, set()
        self.first = None  # (url, answer) of the first request
        self.connect_timeout = seconds(provider.one("connect_timeout", "5s"))
        self.read_timeout = seconds(provider.one("read_timeout", "10s"))
        self.insecure = provider.on("insecure_http")
        ca, crl = provider.one("ssl_trusted_certificate"), provider.one("ssl_crl")
        self.files = [(name, read_bytes(provider.path(provider.one(name))))
                      for name in ("ssl_trusted_certificate", "ssl_crl") if provider.one(name)]
        self.context = about.attempt("authorities", tls_context, provider.path(ca),
                                     provider.path(crl))
        # Another one for requests that show a certificate, made while its files can be read.
        self.mutual = provider.one("client_certificate") and self.context and tls_context(provider.path(ca),
                                                                                          provider.path(crl))
        self.proxy = self.proxy_context = None
        self.credentials = None
        proxy = provider.one("http_proxy")
        # Without a proxy that can be used nobody is asked: never past it.
        self.usable = not proxy or bool(about.attempt("http_proxy", self.read_proxy, proxy, provider, about, report))

    def read_proxy(self, text, provider, about, report):
        parts = urllib.parse.urlsplit(text if "://" in text else "http://" + text)
        user, password = (urllib.parse.unquote(x or "") for x in (parts.username, parts.password))
        report.hide(password)
        report.hide(parts.password)
        file = provider.path(provider.one("http_proxy_password_file"))
        if file:
            password = read_secret(file, about, "http_proxy_password_file") or ""
        if user:
            pair = f"{user}:{password}"
            report.hide(pair)
            self.credentials = base64.b64encode(pair.encode()).decode()
            report.hide(self.credentials)
        self.proxy = Url(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        if self.proxy.scheme == "https":
            # A proxy is trusted by the provider's authorities or by the system's.
            self.proxy_context = tls_context(provider.path(provider.one("ssl_trusted_certificate")))
            self.proxy_context.set_default_verify_paths()
        return self.proxy

    def as_worker(self):
        """How long the files are good for."""
        for name, data in self.files:
            if data:
                self.about.attempt("certificate", check_file_life, self.about, name, data, self.days, name == "ssl_crl")

    def with_certificate(self, chain, key):
        """The context of requests that show the client's certificate."""
        if self.mutual is None:
            raise Trouble("the authorities cannot be read", "see their own line", unknown=True)
        with in_memory(chain.encode()) as (chain_path, _), in_memory(key.encode()) as (key_path, _):
            try:
                self.mutual.load_cert_chain(chain_path, key_path)
            except ssl.SSLError:
                raise Trouble("client_certificate and client_key do not fit together, or are no PEM",
                              "nginx will not start with them") from None
        return self.mutual

    def life(self, url, sock):
        """Once for each server whose certificate was verified."""
        where = shown_host(url.host, url.port)
        if where not in self.seen:
            self.seen.add(where)
            check_life(self.about, f"of {where}", sock, self.days)

    def open(self, url, context=None):
        context = context or self.context
        if context is None and url.scheme == "https":
            raise Trouble("the authorities cannot be read", "see their own line", unknown=True)
        if not self.usable:
            raise Trouble("http_proxy cannot be used", "see its own line", unknown=True)
        if self.proxy is None:
            sock = connect(url.host, url.port, self.connect_timeout)
        else:
            sock = self.open_proxy(url)
        if url.scheme == "http":
            return sock
        where = shown_host(url.host, url.port)
        return handshake(sock, where, lambda s: TlsOver(s, context, url.host) if isinstance(s, ssl.SSLSocket) else
                         context.wrap_socket(s, server_hostname=url.host))

    def proxy_headers(self):
        return {"Proxy-Authorization": f"Basic {self.credentials}"} if self.credentials else {}

    def open_proxy(self, url):
        proxy = self.proxy
        where = f"http_proxy {shown_host(proxy.host, proxy.port)}"
        sock = connect(proxy.host, proxy.port, self.connect_timeout, "see http_proxy")
        if self.proxy_context:
            sock = handshake(sock, where, lambda s: self.proxy_context.wrap_socket(s, server_hostname=proxy.host))
            self.life(proxy, sock)
        if url.scheme == "http":
            return sock
        head = [f"CONNECT {shown_host(url.host, url.port)} HTTP/1.1",
                f"Host: {shown_host(url.host, url.port)}"]
        head += [f"{n}: {v}" for n, v in self.proxy_headers().items()]
        answer = b""
        try:
            sock.sendall(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
            while b"\r\n\r\n" not in answer and len(answer) < 65536:
                data = sock.recv(1)  # nothing of what follows the head
                if not data:
                    break
                answer += data
        except OSError:
            pass
        found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
        status = int(found[1]) if found else None
        if status == 200:
            return sock
        sock.close()
        if status == 407:
            raise Trouble(f"{where} refuses the credentials", "see http_proxy and "
                          "http_proxy_password_file")
        raise Trouble(f"{where} does not lead to {shown_host(url.host, url.port)}: "
                      + (f"it answers {status}" if status else "no answer of a proxy"),
                      "allow it there, or correct http_proxy")

    def ask(self, method, url, headers=None, body=None, context=None):
        sock = self.open(url, context)
        if hasattr(sock, "getpeercert") and url.scheme == "https":
            self.life(url, sock)
        headers = dict(headers or {})
        target = None
        if self.proxy is not None and url.scheme == "http":
            target = url.text
            headers |= self.proxy_headers()
        answer = talk(sock, url, method, headers, body, self.read_timeout, target)
        self.first = self.first or (url, answer)
        return answer
