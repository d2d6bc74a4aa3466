# SPDX-License-Identifier: Apache-2.0
"""A raw HTTP client, and a browser as far as sign-ins need one: real cookie rules, fetch metadata,
no surprises."""

import html
import json
import re
import socket
import ssl
import time
import urllib.parse
import uuid

from .wire import Headers, Reader, abort, parse_head, read_chunked

TIMEOUT = 30


class Response:
    def __init__(self, status, reason, headers, body, request):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body
        self.request = request  # (method, target, {}) for messages

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def location(self):
        return self.headers.get("location")

    @property
    def from_backend(self):
        return self.headers.get("x-backend") is not None

    @property
    def by_nginx(self):
        """An error page of nginx itself, of freenginx or of Angie."""
        return re.search(rb"<hr><center>(nginx|freenginx|Angie)", self.body) is not None

    def json(self):
        return json.loads(self.body)

    def set_cookies(self):
        return [SetCookie(value) for value in self.headers.all("set-cookie")]

    def __repr__(self):
        lines = [f"{self.request[0]} {self.request[1][:200]} -> {self.status}"]
        lines += [f"  {n}: {v[:300]}" for n, v in self.headers]
        return "\n".join(lines) + "\n  " + self.text[:600]


class SetCookie:
    def __init__(self, text):
        first, *rest = text.split(";")
        self.text = text
        self.name, _, self.value = first.partition("=")
        self.attrs = {}
        for part in rest:
            name, _, value = part.strip().partition("=")
            self.attrs[name.lower()] = value

    @property
    def deletes(self):
        return self.attrs.get("max-age") == "0" or self.value == ""


class Connection:
    """One connection to nginx; TLS when `context` is given."""

    def __init__(self, host, port, context=None, server_name=None, timeout=TIMEOUT):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.sock = context.wrap_socket(self.sock, server_hostname=server_name)
        self.reader = Reader(self.sock)

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def read_response(self, method="GET", target=""):
        while True:
            line, headers = parse_head(self.reader.until(b"\r\n\r\n"))
            status = int(line.split(" ")[1])
            if status >= 200 or status == 101:
                break
        reason = line.partition(" ")[2].partition(" ")[2]
        if method == "HEAD" or status in (101, 204, 304):
            body = b""
        elif "chunked" in (headers.get("transfer-encoding") or ""):
            body = read_chunked(self.reader)
        elif headers.get("content-length") is not None:
            body = self.reader.exactly(int(headers.get("content-length")))
        else:
            body = self.reader.rest()
        self.closes = (headers.get("connection") or "").lower() == "close"
        return Response(status, reason, headers, body, (method, target, {}))

    def rst(self):
        abort(self.sock)

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cookie:
    def __init__(self, name, value, attrs, host, secure_origin, path):
        self.name, self.value = name, value
        self.domain = attrs.get("domain", "").lstrip(".").lower() or None
        self.host = host
        self.path = attrs.get("path") if attrs.get("path", "").startswith("/") else path
        self.secure = "secure" in attrs
        self.http_only = "httponly" in attrs
        self.same_site = attrs.get("samesite", "Lax").capitalize()
        self.expires = None
        if attrs.get("max-age", "").lstrip("-").isdigit():
            self.expires = time.time() + int(attrs["max-age"])
        self.created = time.time()
        self.secure_origin = secure_origin


class Jar:
    """RFC 6265bis as Chromium has it: prefixes, Secure, SameSite, host-only and domain cookies."""

    def __init__(self):
        self.cookies = []

    def store(self, set_cookie, scheme, host, path):
        cookie = Cookie(set_cookie.name, set_cookie.value, set_cookie.attrs, host,
                        scheme == "https", path.rpartition("/")[0] or "/")
        if cookie.secure and scheme != "https":
            return False
        lower = cookie.name.lower()
        if lower.startswith("__host-") and (not cookie.secure or cookie.domain
                                            or set_cookie.attrs.get("path") != "/"):
            return False
        if lower.startswith("__secure-") and not cookie.secure:
            return False
        if cookie.same_site == "None" and not cookie.secure:
            return False
        if cookie.domain and host != cookie.domain and not host.endswith("." + cookie.domain):
            return False
        if len(cookie.name) + len(cookie.value) > 4096:
            return False
        same = [c for c in self.cookies if (c.name, c.domain or c.host, c.path)
                == (cookie.name, cookie.domain or host, cookie.path)]
        for old in same:
            if old.secure and scheme != "https":
                return False
            cookie.created = old.created
            self.cookies.remove(old)
        if cookie.expires is None or cookie.expires > time.time():
            self.cookies.append(cookie)
        return True

    def header(self, scheme, host, path, cross_site=False, top_level_get=True):
        now = time.time()
        self.cookies = [c for c in self.cookies if c.expires is None or c.expires > now]
        out = []
        for c in self.cookies:
            if c.secure and scheme != "https":
                continue
            if not (host == c.host if not c.domain else
                    host == c.domain or host.endswith("." + c.domain)):
                continue
            if not (path == c.path or path.startswith(c.path.rstrip("/") + "/")):
                continue
            if cross_site and (c.same_site == "Strict"
                               or c.same_site == "Lax" and not top_level_get):
                continue
            out.append(c)
        out.sort(key=lambda c: (-len(c.path), c.created))
        return "; ".join(f"{c.name}={c.value}" for c in out)

    def get(self, name):
        found = [c for c in self.cookies if c.name == name]
        return found[0].value if found else None

    def named(self, part):
        return [c for c in self.cookies if part in c.name]

    def set(self, name, value, host="app.test", secure=True):
        self.cookies = [c for c in self.cookies if c.name != name]
        self.cookies.append(Cookie(name, value, {"path": "/", **({"secure": ""} if secure else {})},
                                   host, secure, "/"))

    def clear(self):
        self.cookies = []


NAVIGATE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1",
            "Upgrade-Insecure-Requests": "1"}
# What Chromium sends with each kind of request; Sec-Fetch-Site is added.
KINDS = {
    "navigate": NAVIGATE,
    "xhr": {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "image": {"Accept": "image/avif,image/webp,*/*", "Sec-Fetch-Mode": "no-cors",
              "Sec-Fetch-Dest": "image"},
    "script": {"Accept": "*/*", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    "iframe": {**NAVIGATE, "Sec-Fetch-Dest": "iframe"},
    "prefetch": {**NAVIGATE, "Sec-Purpose": "prefetch", "Purpose": "prefetch"},
    "prerender": {**NAVIGATE, "Sec-Purpose": "prefetch;prerender"},
    "plain": {"Accept": "*/*"},
    "old": {"Accept": "text/html,*/*"},
    "none": {},
}


class Browser:
    """A browser on one site."""

    def __init__(self, site, host=None):
        self.site = site
        self.jar = Jar()
        self.host = host or site.host
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self, method, target, headers=None, body=None, kind="navigate",
                cross_site=False, fetch_site=None, cookies=True, extra=(), jar=None):
        """`target` is sent as it is. `headers` replace those of `kind`; `extra` pairs are added in
        order, so that a name can come twice. A header of None is not sent."""
        site = self.site
        jar = jar or self.jar
        fields = {"Host": site.authority(self.host), "User-Agent": "Mozilla/5.0 (test)",
                  "X-Test-Id": uuid.uuid4().hex, **KINDS[kind]}
        if kind not in ("none", "plain", "old"):
            fields["Sec-Fetch-Site"] = fetch_site or ("cross-site" if cross_site else "none"
                                                      if kind == "navigate" else "same-origin")
        if cookies:
            value = jar.header(site.scheme, self.host, urllib.parse.urlsplit(target).path or "/",
                               cross_site, kind == "navigate" and method == "GET")
            if value:
                fields["Cookie"] = value
        fields.update(headers or {})
        if body is not None and "Content-Length" not in fields \
                and "Transfer-Encoding" not in fields:
            fields["Content-Length"] = str(len(body))
        pairs = [(n, v) for n, v in fields.items() if v is not None] + list(extra)
        text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in pairs)
        data = text.encode("latin-1") + b"\r\n" + (body or b"")
        response = self._exchange(data, method, target)
        response.fields, response.sent = dict(pairs), body or b""
        for cookie in response.set_cookies():
            if jar is self.jar:
                jar.store(cookie, site.scheme, self.host, urllib.parse.urlsplit(target).path)
        site.observe(response, pairs)
        return response

    def _exchange(self, data, method, target):
        for fresh in (False, True):
            if self.connection is None or fresh:
                self.close()
                self.connection = self.site.connect(self.host)
            try:
                self.connection.send(data)
                response = self.connection.read_response(method, target)
                if self.connection.closes or response.status == 101:
                    self.close()
                return response
            except (EOFError, ConnectionError, ssl.SSLError):
                # nginx may close an idle connection at any time (reloads); a second failure counts.
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def get(self, target, **kw):
        return self.request("GET", target, **kw)

    def post(self, target, body=b"", **kw):
        return self.request("POST", target, body=body, **kw)

    # ---- signing in ------------------------------------------------------------------------

    def start(self, target="/", **kw):
        """A protected URL without a session; returns the response, which must lead to the
        provider."""
        response = self.get(target, **kw)
        assert response.status in (302, 303), response
        assert response.location.split("?")[0] in self.site.authorization_endpoints(), response
        return response

    def callback_url(self, response, idp=None):
        """Lets the provider of a redirect sign the user in: the callback's path and query."""
        idp = idp or self.site.idp_of(response.location)
        url = idp.authorize(response.location)
        assert url.startswith(self.site.origin(self.host)), url
        return url[len(self.site.origin(self.host)):]

    def callback(self, target, **kw):
        return self.get(target, cross_site=True, **kw)

    def try_login(self, target="/", idp=None):
        """Until the callback's answer, whatever it is."""
        return self.callback(self.callback_url(self.start(target), idp))

    def onward(self, answer):
        """Where an answer of ours leads by itself: by a redirect, or as a page that goes on."""
        page = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', answer.text)
        if answer.status == 200 and page and not answer.from_backend:
            return html.unescape(page[1])
        assert answer.status in (302, 303), f"{answer}\n{self.site.log_since_mark()}"
        return self.site.path_of(answer.location)

    def login(self, target="/", idp=None, follow=True):
        """A sign-in that must succeed; returns the answer of the page that was asked for."""
        answer = self.try_login(target, idp)
        if not answer.from_backend:  # it is with `callback forward`
            assert self.onward(answer) == target.partition("#")[0], answer
        assert self.session_cookie, answer
        if not follow:
            return answer
        page = self.get(target)
        assert page.from_backend, page
        return page

    @property
    def session_cookie(self):
        found = [c for c in self.jar.cookies if c.name == self.site.session_cookie_name]
        return found[0].value if found else None

    def pending(self):
        return self.jar.named("NGX_OIDC_LOGIN_")


__all__ = ["Browser", "Connection", "Headers", "Jar", "Response", "SetCookie", "KINDS"]
