# SPDX-License-Identifier: Apache-2.0
"""Buffers against what a sign-in needs (docs/operations.md, section 6)."""

import re

from .configuration import named, size, value
from .report import About
from .sites import listening


def check_sizes(report, sites, stores):
    """What operations.md says of proxies and buffers."""
    for site in sites:
        about = About(report, f"site {site.label}")
        in_cookies = any(stores.get(p.one("session_store"), {}).get("type") == ["cookie"]
                         for p in site.providers)
        about.attempt("header sizes", check_buffers, about, site, in_cookies)
        if in_cookies:
            about.attempt("header sizes", check_proxies, about, site)


def check_buffers(about, site, in_cookies):
    """A line must fit into one buffer, the head of a request into all of them."""
    count, each = site.inherited("large_client_header_buffers", ["4", "8k"])
    least = 16 * 1024 if in_cookies else 8 * 1024
    if size(each) < least or int(count) * size(each) < 4 * least:
        what = "sessions in cookies take up to 8 kB" if in_cookies else \
            "cookies of the module take up to 4.1 kB beside the application's"
        about.wrong("header sizes", f"large_client_header_buffers {count} {each}: {what}",
                    f"large_client_header_buffers 4 {least // 1024}k;")
    else:
        about.ok("header sizes", f"large_client_header_buffers {count} {each}")


def check_proxies(about, site):
    """Those in this configuration that stand in front of the site and have too small a buffer."""
    said = "proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k; there"
    for directive, buffer, sure in passing_to(site):
        text = f"{directive.file}:{directive.line} passes on to {'this server' if sure else 'a port of this server'} " \
            f"with proxy_buffer_size {buffer}, a sign-in answers with up to 12 kB of cookies"
        if sure:
            about.wrong("header sizes", text, said)
        else:
            about.note("header sizes", f"{text}; another server listens on that port as well", f"if this one is meant: {said}")


def addresses(target, upstreams):
    """[(host, port)] of proxy_pass; nothing where it hangs on variables."""
    found = re.match(r"(https?)://((\[[^]]*\]|[^][:/?$]+)(?::(\d+))?)(?=[/?$]|$)", target)
    if not found:
        return []
    if found[2] not in upstreams:
        return [(found[3].lower(), int(found[4] or (443 if found[1] == "https" else 80)))]
    parts = [re.fullmatch(r"(\[[^]]*\]|[^][:]+)(?::(\d+))?", a) for a in upstreams[found[2]]]
    return [(p[1].lower(), int(p[2] or 80)) for p in parts if p]


def local(host):
    return host in ("localhost", "[::1]") or host.startswith("127.")


def same(host, at):
    """An address of this machine, and one that a server listens on."""
    return not at or host == at or "localhost" in (host, at) and local(at)


def passing_to(site):
    """[(proxy_pass, its proxy_buffer_size, whether it surely leads to the site)]"""
    servers = [s for s in named(site.outer, "server") if s is not site.server]
    own = listening(site.server)
    shared = {port for s in servers for _, port, _ in listening(s)}
    upstreams = {d.args[0]: [a.args[0] for a in named(d.block, "server")]
                 for d in named(site.outer, "upstream") if d.args}

    def leads_here(target):
        """Whether it surely does; None: it does not."""
        found = [(host in site.names, port) for host, port in addresses(target, upstreams)
                 for at, own_port, _ in own if port == own_port and (
                     host in site.names or local(host) and same(host, at))]
        return any(by_name or port not in shared for by_name, port in found) if found else None

    def look(block, buffer):
        buffer = value(block, "proxy_buffer_size", buffer)
        for directive in block or ():
            if directive.name == "proxy_pass" and size(buffer[0]) < 16 * 1024:
                sure = leads_here(directive.args[0])
                if sure is not None:
                    yield directive, buffer[0], sure
            yield from look(directive.block, buffer)
    return [found for server in servers
            for found in look(server.block, value(site.outer, "proxy_buffer_size", ["4k"]))]
