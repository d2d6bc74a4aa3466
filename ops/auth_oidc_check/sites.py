# SPDX-License-Identifier: Apache-2.0
"""Whether redirect URIs lead to this nginx."""

import os
import re
import socket
import ssl
import urllib.parse

from .configuration import named, value, walk
from .connection import Url, check_life, handshake, look_up, shown_host, talk, tls_trouble
from .files import read_bytes, tls_context
from .openssl import pem_blocks
from .report import About, Trouble

MADE_UP_STATE = "ngxoidc1." + "A" * 43


def server_names(server):
    """As nginx compares them: in lower case, but for regular expressions."""
    return [n if n.startswith("~") else n.lower() for d in named(server.block, "server_name") for n in d.args]


def own_redirect_uri(provider):
    """One that is absolute goes to the provider as it is written; None: it is a path."""
    text = provider.one("redirect_uri", "")
    return text if "://" in text else None


def host_of(address):
    """None: there is no address, or it is none."""
    try:
        return urllib.parse.urlsplit(address or "").hostname
    except ValueError:
        return None


def written_origin(text):
    """As Url::origin of src/uri.cpp writes it: without the port that its scheme has anyway."""
    found = re.fullmatch(r"(https?)://(\[[^]]*\]|[^:/]+)(?::(\d+))?/?", text, re.I)
    if not found:
        return text.rstrip("/")
    scheme = found[1].lower()
    return f"{scheme}://{found[2]}{port_of(scheme == 'https', int(found[3] or 0))}"


def port_of(tls, port):
    return f":{port}" if port not in (0, 443 if tls else 80) else ""


class Site:
    """A server block in which providers sign people in."""

    def __init__(self, server, outer, providers, prefix):
        self.server, self.outer, self.providers = server, outer, providers
        self.names = server_names(server)
        # Read by root: {host: the certificates that this nginx has for it}.
        self.leaves = {}
        for provider in providers:
            host = host_of(self.redirect_uri(provider))
            if host not in self.leaves:
                found = {leaf for s in self.servers_of(host) for leaf in leaves_of(s, outer, prefix)}
                self.leaves[host] = found if None not in found else set()  # any may be the one that is served

    def servers_of(self, host):
        """The server blocks that a host name leads to here; this one, when none bears it."""
        names = [(s, n) for s in named(self.outer, "server") for n in server_names(s)]
        exact = [s for s, n in names if n == host]
        # `.example.com` is example.com and all below it.
        below = [s for s, n in names if host and n[:1] in ("*", ".") and
                 (host if n[0] == "*" else f".{host}").endswith(n.lstrip("*"))]
        return exact or below or [self.server]

    def inherited(self, name, default):
        return value(self.server.block, name) or value(self.outer, name) or default

    @property
    def label(self):
        return self.names[0] if self.names and self.names[0] else \
            f"{os.path.basename(self.server.file)}:{self.server.line}"

    def ports(self):
        """[(port, whether with TLS)]"""
        return [(port, tls) for _, port, tls in listening(self.server)]

    def redirect_uri(self, provider):
        """As the module writes it; None when that depends on the request."""
        own = own_redirect_uri(provider)
        origin = None if own else self.origin()
        return own or origin and origin + provider.callback

    def origin(self):
        base = self.inherited("oidc_base_url", None)
        if base is None:
            found = [d.args for d in walk(self.server.block) if d.name == "oidc_base_url"]
            base = found[0] if found else None
        if base:
            return written_origin(base[0])
        name = next((n for n in self.names if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", n)
                     and not re.fullmatch(r"[\d.]+", n)), None)
        ports = self.ports()
        if name is None or not ports:
            return None
        tls = [p for p, secure in ports if secure]
        found = tls or [p for p, _ in ports]
        # The module takes the port of the connection: where there is a choice people come by the usual one.
        usual = 443 if tls else 80
        return f"http{'s' if tls else ''}://{name}" + port_of(bool(tls), usual if usual in found else found[0])


def listening(server):
    """[(address, port, whether with TLS)]; an empty address: all of them."""
    out = []
    for address, *options in [d.args for d in named(server.block, "listen")] or [["80"]]:
        if address.startswith("unix:"):
            continue
        found = re.fullmatch(r"(?:(.*):)?(\d+)(?:-(\d+))?", address) if not address.endswith("]") else None
        host, first, last = (found[1] or "", int(found[2]), int(found[3] or found[2])) if found else (address, 80, 80)
        host = "" if host in ("*", "0.0.0.0", "[::]") else host
        out += [(host, port, "ssl" in options or "quic" in options) for port in range(first, min(last, 65535) + 1)]
    return out


def leaves_of(server, outer, prefix):
    """The certificates of ssl_certificate, in DER; None for one that cannot be read, or hangs on variables."""
    for directive in named(server.block, "ssl_certificate") or named(outer, "ssl_certificate"):
        text = directive.args[0]
        try:
            data = text[5:].encode("utf-8", "surrogateescape") if text.startswith("data:") else \
                read_bytes(os.path.join(prefix, text))
            yield ssl.PEM_cert_to_DER_cert(pem_blocks(data, "CERTIFICATE")[0].decode("ascii", "replace"))
        except (IndexError, ValueError):
            yield None


class Names:
    """Which providers a word of auth_oidc means: a provider, the members of a group, or whatever a variable may hold."""

    def __init__(self, http, providers):
        self.http, self.providers = http, providers
        self.all = {p.name for p in providers}
        sources = {n for p in providers for n in p.sources if n != p.name}
        # What a variable may hold that nothing is known of: not a source that has nothing to sign in with.
        self.any = {p.name for p in providers if p.name not in sources or p.has_credentials}
        self.groups = {g.args[0]: {d.args[0] for d in named(g.block, "provider") if d.args}
                       for g in named(http, "oidc_provider_group") if g.args}

    def of(self, word, server):
        if "$" in word:
            words = self.values(word.replace("{", "").replace("}", ""), server)
            return self.any if words is None else {n for w in words for n in self.of(w, server)}
        return self.groups.get(word, {word}) & self.all

    def values(self, word, server):
        """What a variable is given in so many words; None: that cannot be told."""
        if word == "$server_name":
            return server_names(server)[:1]
        found = [d.args[-1] for block in named(self.http, "map", "geo", "split_clients")
                 if block.args and block.args[-1] == word for d in block.block if d.args]
        found += [d.args[1] for d in walk(server.block) if d.name == "set" and len(d.args) == 2 and d.args[0] == word]
        return found if found and not any("$" in x for x in found) else None


def levels(block, outer, *directives):
    """The words that hold in a block and in each one inside it: {directive: words}."""
    here = {**outer, **{d.name: d.args for d in block or () if d.name in directives}}
    yield here
    for inner in block or ():
        if inner.block is not None:
            yield from levels(inner.block, here, *directives)


def introspecting(http, names):
    """The providers that are asked about access tokens."""
    outer = {name: value(http, name, ["off"]) for name in ("auth_oidc", "auth_oidc_bearer")}
    return {n for server in named(http, "server") for said in levels(server.block, outer, *outer)
            if said["auth_oidc_bearer"][0] in ("introspection", "auto") for n in names.of(said["auth_oidc"][0], server)}


def sites_of(http, names, prefix):
    outer = {"auth_oidc": value(http, "auth_oidc", ["off"])}
    out = []
    for server in named(http, "server"):
        used = {n for said in levels(server.block, outer, "auth_oidc") for n in names.of(said["auth_oidc"][0], server)}
        if used:
            out.append(Site(server, http, [p for p in names.providers if p.name in used], prefix))
    return out


class SiteCheck:
    def __init__(self, report, resolve, days):
        self.report, self.resolve, self.days = report, resolve, days
        self.asked = set()  # with login_hosts, or a redirect_uri that is a URL, sites share one

    def run(self, site, uri):
        about = About(self.report, f"site {site.label}")
        if uri is None:
            about.unknown("redirect URI", "server_name does not tell how browsers call this server",
                          "give oidc_base_url")
            return
        url = about.attempt("redirect URI", Url, f"{uri}?code=0&state={MADE_UP_STATE}")
        if url is None or url.text in self.asked:
            return
        self.asked.add(url.text)
        places = self.places(about, url)
        for family, address in places:
            version = "IPv6" if family == socket.AF_INET6 else "IPv4"
            about.attempt(f"redirect URI over {version}", self.ask, about, site, url, family, address, version)

    def places(self, about, url):
        """One address of each family."""
        given = self.resolve.get((url.host, url.port))
        found = [x for name in given or [url.host] for x in about.attempt("names", look_up, name, url.port) or []]
        first = {}
        for family, address in found:
            first.setdefault(family, address)
        if found and not given:
            others = [w for f, w in ((socket.AF_INET, "IPv4"), (socket.AF_INET6, "IPv6"))
                      if f not in first]
            if others and url.host != "localhost":
                about.note("names", f"{url.host} has no {others[0]} address here")
        return list(first.items())

    def ask(self, about, site, url, family, address, version):
        sock, known = self.open(about, url, family, address)
        if url.scheme == "https":
            check_life(about, f"over {version}", sock, self.days, verified=known)
            own = site.leaves.get(url.host)
            if own and sock.getpeercert(True) not in own:
                about.note("TLS", f"{shown_host(address[0], url.port)} shows another certificate than ssl_certificate of "
                           "this configuration", "if nothing in front ends TLS, another machine answers there, or nginx "
                           "was not reloaded after the file was renewed")
        answer = talk(sock, url, "GET", {"Accept": "*/*"}, None, 10)
        self.judge(about, url, version, answer)

    @staticmethod
    def connect(url, family, address):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(5)
        try:
            sock.connect(address)
        except OSError as e:
            sock.close()
            why = "no connection in time" if isinstance(e, socket.timeout) else e.strerror
            raise Trouble(f"{shown_host(address[0], url.port)}: {why}",
                          "the DNS entry, a firewall, or nginx does not listen there; a router that does "
                          "not lead back inside may be all") from None
        return sock

    def open(self, about, url, family, address):
        """A connection, and whether its certificate's authority is known here."""
        sock = self.connect(url, family, address)
        if url.scheme == "http":
            return sock, False
        where = shown_host(address[0], url.port)
        try:
            return tls_context().wrap_socket(sock, server_hostname=url.host), True
        except ssl.SSLCertVerificationError as e:
            if e.verify_code not in (18, 19, 20, 21):
                raise tls_trouble(where, e) from None
        except OSError as e:
            raise tls_trouble(where, e) from None
        # Of an authority that is not known here; all else about it is still looked at.
        return self.open_unknown(about, url, family, address, where)

    def open_unknown(self, about, url, family, address, where):
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with handshake(self.connect(url, family, address), where,
                       lambda s: blind.wrap_socket(s, server_hostname=url.host)) as sock:
            leaf = ssl.DER_cert_to_PEM_cert(sock.getpeercert(True))
        context = tls_context()
        context.load_verify_locations(cadata=leaf)
        sock = handshake(self.connect(url, family, address), where,
                         lambda s: context.wrap_socket(s, server_hostname=url.host))
        about.note("TLS", f"{where}: this machine does not know the certificate's authority; browsers, "
                   "and a provider that posts logout tokens, must")
        return sock, False

    @staticmethod
    def judge(about, url, version, answer):
        """The state looks like one of the module's: it answers so in every mode, with callback forward as well."""
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
        raise Trouble(f"{told}, not as the module does" + (f" (Server: {server})" if server else ""),
                      "does the name lead to this nginx, and to this server block?")
