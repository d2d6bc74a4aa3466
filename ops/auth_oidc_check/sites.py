# SPDX-License-Identifier: Apache-2.0
"""Whether redirect URIs lead to this nginx."""

import os
import re
import socket
import ssl

from .configuration import named, value, walk
from .connection import Url, check_life, look_up, shown_host, talk, tls_trouble
from .files import tls_context
from .report import About, Trouble

MADE_UP_STATE = "ngxoidc1." + "A" * 43


class Site:
    """A server block in which providers sign people in."""

    def __init__(self, server, outer, providers):
        self.server, self.outer, self.providers = server, outer, providers
        self.names = [n for d in named(server.block, "server_name") for n in d.args]
        self.listens = [d.args for d in named(server.block, "listen")] or [["80"]]

    def inherited(self, name, default):
        return value(self.server.block, name) or value(self.outer, name) or default

    @property
    def label(self):
        return self.names[0] if self.names and self.names[0] else \
            f"{os.path.basename(self.server.file)}:{self.server.line}"

    def ports(self):
        """[(port, whether with TLS)]"""
        out = []
        for address, *options in self.listens:
            if address.startswith("unix:"):
                continue
            found = re.fullmatch(r"(?:.*:)?(\d+)", address) if not address.endswith("]") else None
            out.append((int(found[1]) if found else 80, "ssl" in options))
        return out

    def origin(self, provider):
        """As the module makes it; None when that depends on the request."""
        base = self.inherited("oidc_base_url", None)
        if base is None:
            found = [d.args for d in walk(self.server.block) if d.name == "oidc_base_url"]
            base = found[0] if found else None
        if base:
            return base[0].rstrip("/")
        if provider.own_origin:
            return provider.own_origin
        name = next((n for n in self.names if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", n)
                     and not re.fullmatch(r"[\d.]+", n)), None)
        ports = self.ports()
        if name is None or not ports:
            return None
        tls = [p for p, secure in ports if secure]
        port = (tls or [ports[0][0]])[0]
        usual = 443 if tls else 80
        return f"http{'s' if tls else ''}://{name}" + (f":{port}" if port != usual else "")


def sites_of(http, providers):
    outer = value(http, "auth_oidc", ["off"])[0]
    out = []
    for server in named(http, "server"):
        said = [value(server.block, "auth_oidc", [outer])[0]]
        said += [d.args[0] for d in walk(server.block) if d.name == "auth_oidc" and d.args]
        used = [p for p in providers if p.name in said or any("$" in s for s in said)]
        if used:
            out.append(Site(server, http, used))
    return out


class SiteCheck:
    def __init__(self, report, resolve, days):
        self.report, self.resolve, self.days = report, resolve, days

    def run(self, site, provider, origin):
        about = About(self.report, f"site {site.label}")
        if origin is None:
            about.unknown("redirect URI", "server_name does not tell how browsers call this server",
                          "give oidc_base_url")
            return
        url = about.attempt("redirect URI", Url, f"{origin}{provider.callback}"
                            f"?code=0&state={MADE_UP_STATE}")
        if url is None:
            return
        places = self.places(about, url)
        for family, address in places:
            version = "IPv6" if family == socket.AF_INET6 else "IPv4"
            about.attempt(f"redirect URI over {version}", self.ask, about, provider, url, family,
                          address, version)

    def places(self, about, url):
        """One address of each family."""
        given = self.resolve.get((url.host, url.port))
        found = about.attempt("names", look_up, given or url.host, url.port) or []
        first = {}
        for family, address in found:
            first.setdefault(family, address)
        if found and not given:
            others = [w for f, w in ((socket.AF_INET, "IPv4"), (socket.AF_INET6, "IPv6"))
                      if f not in first]
            if others and url.host != "localhost":
                about.note("names", f"{url.host} has no {others[0]} address here")
        return list(first.items())

    def ask(self, about, provider, url, family, address, version):
        sock, cert = self.open(about, url, family, address)
        if cert:
            check_life(about, f"over {version}", cert, self.days)
        answer = talk(sock, url, "GET", {"Accept": "*/*"}, None, 10)
        self.judge(about, provider, url, version, answer)

    @staticmethod
    def connect(url, family, address):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(5)
        try:
            sock.connect(address)
        except OSError as e:
            sock.close()
            why = "no connection in time" if isinstance(e, TimeoutError) else e.strerror
            raise Trouble(f"{shown_host(address[0], url.port)}: {why}",
                          "the DNS entry, a firewall, or nginx does not listen there; a router that does "
                          "not lead back inside may be all") from None
        return sock

    def open(self, about, url, family, address):
        sock = self.connect(url, family, address)
        if url.scheme == "http":
            return sock, None
        where = shown_host(address[0], url.port)
        try:
            sock = tls_context().wrap_socket(sock, server_hostname=url.host)
            return sock, sock.getpeercert()
        except ssl.SSLCertVerificationError as e:
            if e.verify_code not in (18, 19, 20, 21):
                raise tls_trouble(where, e) from None
        except ssl.SSLError as e:
            raise tls_trouble(where, e) from None
        except OSError:
            raise Trouble(f"{where}: the TLS handshake was cut off",
                          "does the port speak TLS?") from None
        # Of an authority that is not known here; all else about it is still looked at.
        return self.open_unknown(about, url, family, address, where)

    def open_unknown(self, about, url, family, address, where):
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        try:
            with self.connect(url, family, address) as plain, \
                    blind.wrap_socket(plain, server_hostname=url.host) as sock:
                leaf = ssl.DER_cert_to_PEM_cert(sock.getpeercert(True))
            context = tls_context()
            context.load_verify_locations(cadata=leaf)
            sock = context.wrap_socket(self.connect(url, family, address),
                                       server_hostname=url.host)
        except ssl.SSLError as e:
            raise tls_trouble(where, e) from None
        about.note("TLS", f"{where}: this machine does not know the certificate's authority; browsers, "
                   "and a provider that posts logout tokens, must")
        return sock, sock.getpeercert()

    @staticmethod
    def judge(about, provider, url, version, answer):
        data = answer.json() if answer.status >= 400 else None
        own = data is not None and isinstance(data.get("error"), str) and \
            ("reference" in data or "login_url" in data)
        check = f"redirect URI over {version}"
        if own:
            about.ok(check, f"{url.short} is answered by the module")
            return
        told = f"{url.short} answers {answer.status}"
        server = answer.header("Server")
        page = answer.body[:20000].decode("utf-8", "replace")
        if answer.status in (301, 302, 303, 307, 308):
            target = answer.header("Location").partition("?")[0]
            raise Trouble(f"{told} to {target}", "another server answers: the redirect URI must come "
                          "to the module as it is registered")
        if answer.status in (401, 403) and re.search(r"<center>nginx", page):
            raise Trouble(f"{told} by nginx", "allow, deny or auth_basic holds there as well: let in "
                          "whoever signs in")
        if provider.one("callback") == "forward" and answer.status < 500:
            raise Trouble(f"{told}: the application's answer, it seems", "with callback forward and no "
                          "auth_oidc_mode require the module passes it on", unknown=True)
        raise Trouble(f"{told}, not as the module does" + (f" (Server: {server})" if server else ""),
                      "does the name lead to this nginx, and to this server block?")
