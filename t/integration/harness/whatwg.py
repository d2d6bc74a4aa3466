# SPDX-License-Identifier: Apache-2.0
"""Where a browser goes: as much of the WHATWG URL parser as decides about the origin."""

import re

SPECIAL = ("http", "https", "ws", "wss", "ftp")


def origin_of(location, base_origin):
    """The origin that a browser at `base_origin` reaches by a Location header."""
    text = location.strip("".join(chr(c) for c in range(0x21)))
    text = re.sub("[\t\r\n]", "", text)
    base_scheme = base_origin.partition(":")[0]
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", text, re.S)
    if match:
        scheme, rest = match[1].lower(), match[2]
        if scheme not in SPECIAL:
            return scheme + ":"
        slashes = re.match(r"[/\\]*", rest)[0]
        if len(slashes) < 2 and scheme == base_scheme:
            # "https:path" is relative to a base of the same scheme.
            return base_origin if not slashes else base_origin
        rest = rest[len(slashes):]
    else:
        scheme = base_scheme
        if not re.match(r"[/\\]{2}", text):
            return base_origin
        rest = re.sub(r"^[/\\]*", "", text)
    authority = re.split(r"[/\\?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2].lower()
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    if default and host.endswith(default):
        host = host[:-len(default)]
    return f"{scheme}://{host}"


def hostile_targets(host="evil.example"):
    """Request targets that start with a slash and want to be taken for another origin."""
    heads = ["//", "/\\", "/\\/", "///", "////", "/%5c", "/%5C%5c", "/%2f", "/%2F/", "/%09/",
             "/%09//", "/%0a/", "/%0d%0a/", "/%20/", "/%00//", "/./", "/.//", "/././/", "/..//",
             "/../", "/%2e//", "/%2e%2e//", "/%2E%2E/%2F", "/x/..//", "/x/../..//", "/x/%2e%2e//",
             "/;@", "/;//", "/@", "/:@", "/?//", "/?@", "/.", "/~//", "/https:", "/https://",
             "/https:\\\\", "/javascript:alert(1)//", "/data:text/html,//", "/%68ttps://",
             "/\u3002//".encode().decode("latin-1"), "/%ef%bc%8f%ef%bc%8f", "/%c0%af%c0%af",
             "/%u2215%u2215", "/%252f%252f", "/%255c", "/&#47;&#47;", "/%0d%0aLocation:%20https://",
             "/%0aSet-Cookie:%20x=y;", "/?next=//", "/#//", "/%23//", "/%3f//"]
    tails = ["", "/", "/x", "%2f..", "/%2e%2e", ":443/", "@app.test/", "%00.app.test", "%23.app.test",
             "?.app.test", "\\.app.test"]
    return [h + host + t for h in heads for t in tails]
