# SPDX-License-Identifier: Apache-2.0
"""The relying party that a test module judges: nginx with the module, an application, and a browser."""

import hashlib
import json
import pathlib
import re
import secrets
import time

from cookie_client import CookieClient
from cryptography.x509.oid import ExtendedKeyUsageOID
from harness.backend import Backend
from harness.forge import Key, b64u, signed
from harness.invariants import FORBIDDEN
from harness.nginx import Nginx
from harness.pki import Pki
from harness.ports import free_port
from login_drivers import finish

CALLBACK, LOGOUT, SIGNED_OUT = "/oidc_callback", "/logout", "/signed-out"
FRONT, BACK, INITIATE = "/oidc/frontchannel", "/oidc/backchannel", "/oidc/initiate"
TOKEN = "X-Access-Token"
# A page of the application whose requests are no use of the session: they begin no refresh.
QUIET = "/quiet"
REFUSED = re.compile(r'oidc: login at provider "[^"]*" refused: ([a-z_]+)')


def quoted(text):
    """A text as a word of nginx's configuration."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def named_key():
    """A P-256 key whose name is its thumbprint (RFC 7638), as the module calls it."""
    key = Key.ec(None)
    jwk = key.jwk(use=None)
    text = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    key.kid = b64u(hashlib.sha256(text.encode()).digest())
    return key


class Keys:
    """What the client is registered with: keys and a certificate, for a whole run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.pki = Pki(self.folder / "pki")
        self.client, self.dpop = named_key(), named_key()
        self.client_file = self._write("client.key", self.client)
        self.dpop_file = self._write("dpop.key", self.dpop)
        self.certificate = self.pki.ca.issue("client", common="client", key=self.client.private,
                                            usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        self.server = self.pki.ca.issue("party", dns=["localhost"], ips=["127.0.0.1"])

    def _write(self, name, key):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(key.private_pem())
        return path

    @property
    def jwks(self):
        return {"keys": [self.client.jwk(alg="ES256")]}

    @property
    def certificate_text(self):
        return self.certificate.cert_file.read_text()


class Place:
    """Where the party is for a whole run, since its addresses are registered."""

    def __init__(self, folder, suite):
        self.folder = pathlib.Path(folder)
        self.suite = suite
        self.keys = Keys(self.folder)
        # Suite and party are different sites, as in life.
        self.host = "127.0.0.1" if suite.host != "127.0.0.1" else "localhost"
        self.port = free_port()
        self.origin = f"https://{self.host}:{self.port}"
        self.suite_ca = self.folder / "suite.pem"
        self.suite_ca.write_text(suite.certificates)
        self.all_ca = self.folder / "all.pem"
        self.all_ca.write_text(suite.certificates + self.keys.pki.ca.file.read_text())


class Party:
    """One nginx, for one test module."""

    count = 0

    def __init__(self, place, issuer, directives):
        Party.count += 1
        self.place, self.issuer, self.origin = place, issuer, place.origin
        self.folder = place.folder / f"nginx{Party.count}"
        self.backend = Backend()
        self.status_port = free_port()
        self.directives = {
            "issuer": issuer, "ssl_trusted_certificate": place.suite_ca, "redirect_uri": CALLBACK,
            "userinfo": "on", "username_claim": "sub", "session_idle_ignore": QUIET,
            "connect_timeout": f"{min(5 * place.suite.patience, 60)}s",
            "read_timeout": f"{min(10 * place.suite.patience, 300)}s", **directives}
        self.nginx = Nginx(self.folder, self._configuration(), status_port=self.status_port)
        self.browser = self.new_browser()

    def _configuration(self):
        lines = []
        for name, values in self.directives.items():
            for value in values if isinstance(values, list) else [values]:
                lines.append(f"        {name} {value};")
        block = "\n".join(lines)
        server = self.place.keys.server
        return f"""\
    oidc_provider suite {{
{block}
    }}
    server {{
        listen {self.place.host}:{self.place.port} ssl;
        server_name {self.place.host};
        ssl_certificate {server.cert_file};
        ssl_certificate_key {server.key_file};
        oidc_base_url {self.origin};
        keepalive_timeout 0;
        auth_oidc suite;
        location / {{ proxy_pass http://127.0.0.1:{self.backend.port}; }}
        location /api/ {{
            auth_oidc_header Remote-User $oidc_user;
            auth_oidc_header {TOKEN} $oidc_access_token;
            proxy_pass http://127.0.0.1:{self.backend.port};
        }}
        location = {SIGNED_OUT} {{ auth_oidc off; proxy_pass http://127.0.0.1:{self.backend.port}; }}
    }}
"""

    def __enter__(self):
        self.nginx.start([self.place.port])
        return self

    def __exit__(self, *_):
        self.nginx.stop()
        self.backend.stop()

    def new_browser(self):
        return CookieClient(ca_file=self.place.all_ca, timeout=60 * self.place.suite.patience)

    # ---- what a person does ----------------------------------------------------------------------

    def open(self, target, **how):
        """One request of the address bar, or of a page of ours; redirects are not followed."""
        return self.browser.get(self.origin + target, **how)

    def go_on(self, reply, until=None):
        """Follows redirects and forms that send themselves."""
        return finish(self.browser, reply, until)

    def clicks(self, target):
        """A link on a page of the application."""
        return self.open(target, initiator=f"{self.origin}/page")

    # ---- what has come of it ---------------------------------------------------------------------

    @property
    def log(self):
        return self.nginx.log()

    @property
    def refusals(self):
        return REFUSED.findall(self.log)

    def hits(self, path):
        return [h for h in self.backend.since(0) if h.path == path]

    def has_session(self):
        """Whether the application answers; the way to the provider is not gone."""
        return self.open(QUIET).header("X-Backend") is not None

    def wait_for_log(self, pattern, seconds=20):
        end = time.monotonic() + seconds * self.place.suite.patience
        while not re.search(pattern, self.log):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def faults(self):
        return [line for line in self.log.splitlines() if FORBIDDEN.search(line)]

    # ---- what the application does ---------------------------------------------------------------

    def token(self):
        reply = self.open("/api/token")
        (hit,) = self.hits("/api/token")
        assert reply.status == 200, reply.status
        return hit.header(TOKEN)

    def call_resource(self, url, bound_by):
        """A request of the application to somebody else's interface with the token of the session, bound to
        the client's certificate (`mtls`) or to the key of its proofs (`dpop`)."""
        token = self.token()
        client = self.new_browser()
        if bound_by == "mtls":
            keys = self.place.keys.certificate
            client._tls.load_cert_chain(keys.cert_file, keys.key_file)  # pylint: disable=protected-access
            return client.get(url, {"Authorization": f"Bearer {token}"}, initiator=url)
        reply = nonce = None
        for _ in range(2):  # the server may ask for its nonce first
            reply = client.get(url, {"Authorization": f"DPoP {token}",
                                     "DPoP": self.proof("GET", url, token, nonce)}, initiator=url)
            nonce = reply.header("DPoP-Nonce")
            if reply.status != 401 or nonce is None:
                break
        return reply

    def proof(self, method, url, token, nonce):
        key = self.place.keys.dpop
        payload = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url.partition("?")[0],
                   "iat": int(time.time()), "ath": b64u(hashlib.sha256(token.encode()).digest())}
        if nonce is not None:
            payload["nonce"] = nonce
        jwk = key.jwk(use=None, kid=None)
        return signed({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}, payload, key)
