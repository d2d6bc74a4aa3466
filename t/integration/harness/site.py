# SPDX-License-Identifier: Apache-2.0
"""A site under test: nginx with the module, its provider(s) and its application."""

import contextlib
import itertools
import os
import pathlib
import re
import ssl
import time
import urllib.parse

import pytest

from . import invariants
from .backend import Backend
from .client import Browser, Connection
from .idp import Idp
from .nginx import FAKETIME, SANITIZE, SLOW, Nginx, http2_listen
from .ports import free_port
from .stores import in_this_store, store_block

_numbers = itertools.count(1)

FCGI = """\
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param SERVER_NAME $server_name;
            fastcgi_param REDIRECT_STATUS 200;
"""

REFUSAL = re.compile(r'oidc: login at provider "(?P<provider>[^"]*)" refused: '
                     r'(?P<code>[a-z_]+)(?::? ?(?P<detail>.*))$', re.M)


def provider_block(name, idp, directives=None, ca=None):
    """One oidc_provider. A directive of None is left out; a list gives several lines."""
    values = {"issuer": idp.issuer, "client_id": idp.client_id,
              "client_secret": f'"{idp.client_secret}"', "scope": "openid profile email groups"}
    if idp.leaf is None:
        values["insecure_http"] = "on"
    else:
        values["ssl_trusted_certificate"] = ca
    values.update(directives or {})
    lines = []
    for key, value in values.items():
        for v in value if isinstance(value, (list, tuple)) else [value]:
            if v is not None:
                lines.append(f"        {key} {v};")
    return f"    oidc_provider {name} {{\n" + "\n".join(lines) + "\n    }\n"


class Site:
    """`directives`: of the provider block. `server`, `locations`, `http`, `servers`: texts for
    those places, in which @BACKEND@, @FCGI@ (address), @FCGI_PARAMS@, @PORT@, @PORT2@, @ORIGIN@,
    @IDP@, @TRAP@, @FOLDER@ and @CERT@ (the two certificate lines) are replaced."""

    live = []

    def __init__(self, lab, idp=None, directives=None, providers=None, tls=True, server="",
                 locations="", root="", http="", servers="", main="", base_url=True,
                 auth="auth_oidc idp;", control=True, public=("/public/",), verify=("/verify/",),
                 identity=None, names="app.test alt.test", listen="", level="info", workers=2,
                 default_locations=True, start=True, shutdown_timeout="10s",
                 session_cookie=None, cookie_attrs=None, own_paths=("/oidc_callback",), clock=None,
                 user="root"):
        if clock and (SANITIZE or not FAKETIME.exists()):
            pytest.skip("AddressSanitizer does not bear libfaketime" if SANITIZE else "there is no libfaketime")
        self.lab = lab
        self.name = f"site{next(_numbers)}"
        self.folder = pathlib.Path(lab.folder) / self.name
        self.folder.mkdir()
        self.own_idp = idp is None and not providers
        self.idp = idp or (Idp(lab.keys) if self.own_idp else next(iter(providers.values()))[0])
        self.providers = providers or {"idp": (self.idp, directives or {})}
        self.backend = Backend()
        self.tls = tls
        self.scheme = "https" if tls else "http"
        self.host = names.split()[0]
        self.names = names.split()
        self.port, self.port2, self.status_port = free_port(), free_port(), free_port()
        self.public, self.verify, self.identity = public, verify, identity
        self.session_cookie_name = session_cookie or (
            "__Host-NGX_OIDC_SESSION" if tls else "NGX_OIDC_SESSION")
        self.cookie_attrs = cookie_attrs
        self.own_paths = own_paths
        self.parts = {"server": server, "locations": locations, "root": root, "http": http,
                      "servers": servers, "auth": auth, "base_url": base_url, "listen": listen,
                      "default_locations": default_locations}
        self.wants_control = control
        self.control = None
        self.browsers = []
        self.state = invariants.State()
        self.context = ssl.create_default_context(cafile=str(lab.pki.ca.file))
        self.nginx = Nginx(self.folder, self.render(), main=main, level=level, workers=workers,
                           status_port=self.status_port, shutdown_timeout=shutdown_timeout,
                           clock=clock, user=user)
        if start:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise

    # ---- configuration -----------------------------------------------------------------------

    @property
    def origin_text(self):
        return self.origin(self.host)

    def origin(self, host=None):
        return f"{self.scheme}://{host or self.host}:{self.port}"

    def authority(self, host=None):
        return f"{host or self.host}:{self.port}"

    def fill(self, text):
        cert = (f"ssl_certificate {self.lab.pki.site.cert_file}; "
                f"ssl_certificate_key {self.lab.pki.site.key_file};")
        for mark, value in (("BACKEND", f"127.0.0.1:{self.backend.port}"),
                            ("FCGI", f"127.0.0.1:{self.backend.fcgi_port}"),
                            ("FCGI_PARAMS", FCGI), ("PORT", self.port), ("PORT2", self.port2),
                            ("ORIGIN", self.origin_text), ("IDP", self.idp.base),
                            ("TRAP", self.lab.trap.url), ("FOLDER", self.folder),
                            ("CERT", cert)):
            text = text.replace(f"@{mark}@", str(value))
        return text

    def render(self, **changes):
        """The http block's content. `changes` replace parts for a reload."""
        p = {**self.parts, **changes}
        ca = self.lab.pki.ca.file
        providers = in_this_store(p.get("providers", self.providers))
        blocks = "".join(provider_block(n, i, d, ca) for n, (i, d) in providers.items())
        blocks += store_block(self.lab, self.folder)
        default = """\
        location / { @ROOT@ proxy_pass http://@BACKEND@; }
        location /public/ { auth_oidc off; proxy_pass http://@BACKEND@; }
        location /verify/ { auth_oidc_mode verify; proxy_pass http://@BACKEND@; }
        location /fcgi/ { fastcgi_pass @FCGI@;
@FCGI_PARAMS@        }
""".replace("@ROOT@", p["root"]) if p["default_locations"] else ""
        base = "oidc_base_url @ORIGIN@;" if p["base_url"] is True else p["base_url"] or ""
        listen = p["listen"] or (http2_listen("127.0.0.1:@PORT@") if self.tls
                                 else "listen 127.0.0.1:@PORT@;")
        server = f"""\
    server {{
        {listen}
        server_name {' '.join(self.names)};
        {"@CERT@" if self.tls else ""}
        {base}
        {p["auth"]}
        {p["server"]}
{default}{p["locations"]}
    }}
"""
        return self.fill(blocks + p["http"] + "\n" + server + p["servers"])

    # ---- life --------------------------------------------------------------------------------

    def start(self):
        self.nginx.start([self.port, self.status_port])
        self.started = time.time()
        Site.live.append(self)
        if self.wants_control:
            # Of somebody who signs in once: what a test does to its users' sessions leaves it alone.
            # A real provider has the users that it has.
            self.control = Browser(self)
            user = self.idp.user
            if isinstance(self.idp, Idp):
                self.idp.user = {**user, "sub": "u-control"}
            self.control.login("/control")
            self.idp.user = user
        # Hooks that a test has set before the start stay.
        invariants.begin(self, reset=False)

    def stop(self, check=True):
        problems = []
        if self in Site.live:
            Site.live.remove(self)
            if check and self.nginx.process is not None:
                problems = self.end()
        in_time = self.nginx.stop()
        if check and self.state.started:
            problems += invariants.at_exit(self, in_time)
        self.backend.stop()
        for idp, _ in self.providers.values():
            if self.own_idp:
                idp.stop()
        assert not problems, "\n".join(problems)
        if check and not os.environ.get("KEEP"):
            self.nginx.remove()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def begin(self):
        invariants.begin(self)

    def end(self):
        return invariants.end(self)

    def set_clock(self, seconds):
        """Moves the clock of nginx (needs clock="wall" or, with the monotonic one, "all") and of
        the providers."""
        # libfaketime ends a worker that finds the file empty: it is never seen half written.
        fresh = self.folder / "clock.new"
        fresh.write_text(f"{seconds:+d}")
        fresh.replace(self.folder / "clock")
        for idp, _ in self.providers.values():
            idp.offset = seconds
        # A worker reads the clock when it wakes up.
        self.nginx.stub_status()

    def again(self):
        """Counters and marks start anew inside a test; nothing is left unchecked."""
        problems = invariants.check_log(self, self.log_since_mark())
        assert not problems, "\n".join(problems)
        invariants.begin(self)

    def reload(self, wait=True, **changes):
        self.parts.update({k: v for k, v in changes.items() if k != "providers"})
        if "providers" in changes:
            self.providers = changes["providers"]
        self.nginx.write(self.render())
        good = self.nginx.reload(wait)
        self.state.pids = self.nginx.worker_pids()
        return good

    # ---- talking to it -----------------------------------------------------------------------

    def connect(self, host=None, tls=None, timeout=30):
        tls = self.tls if tls is None else tls
        return Connection("127.0.0.1", self.port, self.context if tls else None,
                          host or self.host, timeout)

    def browser(self, host=None):
        self.browsers.append(Browser(self, host))
        return self.browsers[-1]

    def close_browsers(self):
        while self.browsers:
            self.browsers.pop().close()

    @contextlib.contextmanager
    def signed_in(self, target="/", **user):
        """A browser with a session, of `user` claims over the default ones."""
        saved = self.idp.user
        self.idp.user = {**saved, **user}
        browser = self.browser()
        try:
            browser.login(target)
            self.idp.user = saved
            yield browser
        finally:
            self.idp.user = saved
            browser.close()

    def raw(self, data, read=True, method="GET", host=None):
        """Bytes on a connection of their own; the response, or None when nothing came."""
        with self.connect(host) as connection:
            connection.send(data)
            if not read:
                return None
            try:
                return connection.read_response(method)
            except (EOFError, ConnectionError, ssl.SSLError):
                return None

    def observe(self, response, pairs):
        invariants.observe(self, response, pairs)

    # ---- looking at it -----------------------------------------------------------------------

    def authorization_endpoints(self):
        out = []
        for idp, directives in self.providers.values():
            out.append(directives.get("authorization_endpoint", idp.url("authorize")).strip('"'))
        return out

    def idp_of(self, url):
        for idp, _ in self.providers.values():
            if url.startswith(idp.base + "/"):
                return idp
        raise AssertionError(f"no provider at {url}")

    def path_of(self, location):
        """Path and query of a Location on our origin."""
        for name in self.names:
            if location.startswith(self.origin(name) + "/"):
                return location[len(self.origin(name)):]
        assert location.startswith("/") and not location.startswith("//"), location
        return location

    def delta(self, endpoint, idp=None):
        """Requests to an endpoint of the provider since the test began."""
        idp = idp or self.idp
        return idp.count(endpoint) - self.state.counts.get((id(idp), endpoint), 0)

    def log_since_mark(self):
        return self.nginx.log(self.state.log_start)

    def refusals(self):
        """(provider, code, detail) of the refused logins logged since the test began."""
        return [(m["provider"], m["code"], m["detail"])
                for m in REFUSAL.finditer(self.log_since_mark())]

    def hits(self):
        """What reached the application since the test began."""
        return self.backend.since(self.state.hits_start)

    def wait(self, condition, what="condition", timeout=5):
        end = time.monotonic() + timeout * SLOW
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"timeout: {what}\n{self.log_since_mark()[-3000:]}")

    def allow_log(self, pattern):
        self.state.allowed_log.append(re.compile(pattern))


def query_of(url):
    """Parameters of a URL as a dict; a repeated one fails."""
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)
    out = dict(pairs)
    assert len(out) == len(pairs), f"repeated parameter in {url}"
    return out
