# SPDX-License-Identifier: Apache-2.0
"""A client for sign-ins that lead over several sites: whole URLs, one cookie jar, real TLS.

It never follows a redirect by itself and sends what a browser sends with a navigation. The cookie
rules are those of harness.client.Jar; give it the jar of a Browser and both are the same browser.
"""

import http.client
import socket
import ssl
import urllib.parse

from harness.client import NAVIGATE, Jar, SetCookie


class Reply:
    def __init__(self, method, url, status, headers, body, initiator):
        self.method, self.url, self.status = method, url, status
        self.header_list, self.body = headers, body
        # The page that led here, which redirects carry on; None: the address bar.
        self.initiator = initiator
        self.sent = {}  # the request's headers

    def header(self, name, default=None):
        """The first header of that name, in any case."""
        values = self.headers(name)
        return values[0] if values else default

    def headers(self, name):
        return [v for n, v in self.header_list if n.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def location(self):
        """The absolute target of a redirect, or None."""
        target = self.header("Location")
        if target is None or self.status not in (301, 302, 303, 307, 308):
            return None
        return urllib.parse.urljoin(self.url, target)


def _relation(initiator, parts):
    """Sec-Fetch-Site; hosts without a public suffix are sites of their own."""
    if initiator is None:
        return "none"
    page = urllib.parse.urlsplit(initiator)
    if (page.scheme, page.netloc) == (parts.scheme, parts.netloc):
        return "same-origin"
    same = (page.scheme, page.hostname) == (parts.scheme, parts.hostname)
    return "same-site" if same else "cross-site"


class CookieClient:
    def __init__(self, ca_file=None, connect_to=None, jar=None, timeout=20, trace=None):
        """`connect_to` maps a host name to the address to use for it; `trace` is called with every
        Reply."""
        self.jar = jar if jar is not None else Jar()
        self._timeout = timeout
        self._connect_to = connect_to or {}
        self._trace = trace
        self._tls = ssl.create_default_context(cafile=ca_file and str(ca_file))

    def get(self, url, headers=None, initiator=None):
        return self.request("GET", url, headers=headers, initiator=initiator)

    def post_form(self, url, fields, headers=None, initiator=None):
        body = urllib.parse.urlencode(fields).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", url, body, {**kind, **(headers or {})}, initiator)

    def request(self, method, url, body=None, headers=None, initiator=None):
        """One request. `headers` replace the navigation's, a header of None is not sent;
        `initiator` is the URL of the page that leads to it."""
        parts = urllib.parse.urlsplit(url)
        site = (parts.scheme, parts.hostname, parts.path or "/")
        relation = _relation(initiator, parts)
        # Browsers say where a form comes from.
        origin = None
        if method != "GET" and initiator is not None:
            page = urllib.parse.urlsplit(initiator)
            origin = f"{page.scheme}://{page.netloc}"
        cookies = self.jar.header(*site, cross_site=relation == "cross-site",
                                  top_level_get=method == "GET")
        fields = {**NAVIGATE, "Sec-Fetch-Site": relation, "Cookie": cookies or None,
                  "Origin": origin,
                  **(headers or {})}
        connection = self._connect(parts)
        try:
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            sent = {name: value for name, value in fields.items() if value is not None}
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            reply = Reply(method, url, answer.status, answer.getheaders(), answer.read(),
                          initiator)
            reply.sent = sent
        finally:
            connection.close()
        for text in reply.headers("Set-Cookie"):
            self.jar.store(SetCookie(text), *site)
        if self._trace is not None:
            self._trace(reply)
        return reply

    def _connect(self, parts):
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = self._connect_to.get(parts.hostname, parts.hostname)
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=self._timeout)
        # The name of the URL stays in Host and SNI whatever address is used.
        connection.sock = socket.create_connection((address, port), self._timeout)
        if secure:
            connection.default_port = 443
            connection.sock = self._tls.wrap_socket(connection.sock,
                                                    server_hostname=parts.hostname)
        return connection
