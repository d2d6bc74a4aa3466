# SPDX-License-Identifier: Apache-2.0
"""Buffers against what a sign-in needs (docs/operations.md, section 6)."""

import re

from .configuration import named, size, value
from .report import About


def check_sizes(report, sites, stores):
    """What operations.md says of proxies and buffers."""
    for site in sites:
        about = About(report, f"site {site.label}")
        in_cookies = any(stores.get(p.one("session_store"), {}).get("type") == ["cookie"]
                         for p in site.providers)
        count, each = site.inherited("large_client_header_buffers", ["4", "8k"])
        least = 16 * 1024 if in_cookies else 8 * 1024
        if size(each) < least or int(count) < 4:
            what = "sessions in cookies take up to 8 kB" if in_cookies else \
                "cookies of the module take up to 4.1 kB beside the application's"
            about.wrong("header sizes", f"large_client_header_buffers {count} {each}: {what}",
                        f"large_client_header_buffers 4 {least // 1024}k;")
        else:
            about.ok("header sizes", f"large_client_header_buffers {count} {each}")
        for place, text in passing_to(site) if in_cookies else ():
            about.wrong("header sizes", f"{place} passes on to this server with {text}, a sign-in "
                        "answers with up to 12 kB of cookies",
                        "proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k; there")


def passing_to(site):
    """(where, its buffer) of proxies in this configuration that stand in front of the site and have
    too small a buffer."""
    ports = {p for p, _ in site.ports()}
    upstreams = {d.args[0]: [a.args[0] for a in named(d.block, "server")]
                 for d in named(site.outer, "upstream") if d.args}

    def leads_here(target):
        found = re.match(r"(https?)://([^/]+)", target)
        if not found:
            return False
        for address in upstreams.get(found[2], [found[2]]):
            host, _, port = address.rpartition(":") if re.search(r":\d+$", address) else \
                (address, "", "443" if found[1] == "https" else "80")
            if int(port) in ports and (host in site.names or host in ("localhost", "[::1]")
                                       or host.startswith("127.")):
                return True
        return False

    def look(block, buffer):
        buffer = value(block, "proxy_buffer_size", buffer)
        for directive in block or ():
            if directive.name == "proxy_pass" and leads_here(directive.args[0]) \
                    and size(buffer[0]) < 16 * 1024:
                yield f"{directive.file}:{directive.line}", f"proxy_buffer_size {buffer[0]}"
            yield from look(directive.block, buffer)
    return [found for server in named(site.outer, "server") if server is not site.server
            for found in look(server.block, value(site.outer, "proxy_buffer_size", ["4k"]))]
