# SPDX-License-Identifier: Apache-2.0
"""How the client proves itself: its files, read as nginx's master reads them, and what is made of them."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import urllib.parse

from .files import read_secret
from .metadata import BY_TLS
from .openssl import PrivateKey, check_file_life, openssl
from .report import Trouble

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Files with a private key, for the checks by that name.
KEYS = ("client_key", "dpop_key", "id_token_encryption_key")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_claims(text):
    """Of a JWT, unverified; None: it is none."""
    parts = text.split(".")
    try:
        data = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    return data if len(parts) == 3 and isinstance(data, dict) else None


class Client:
    """`secret`: empty when none is configured, None when it cannot be read."""

    def __init__(self, provider, about, days):
        self.provider, self.about, self.days = provider, about, days
        self.watched = []  # (directive, path) of what the workers read
        self.secret = self.read_client_secret()
        self.keys = {name: self.read(name, one_line=False) for name in KEYS}
        for name in KEYS:
            if self.keys[name]:
                about.attempt(name, openssl_reads, self.keys[name])
        self.assertion = self.read("client_assertion_file", private=False)
        self.certificate = self.read("client_certificate", one_line=False, private=False, secret=False)

    def read(self, name, one_line=True, private=True, secret=True):
        """None when it cannot be read, or is not configured. `private`: nobody but root should be able to; `secret`:
        nothing prints it."""
        path = self.provider.path(self.provider.one(name))
        if not path:
            return None
        watched = name == "client_assertion_file" or "watch" in self.provider.words(name)[1:]
        if watched:
            self.watched.append((name, path))
        return read_secret(path, self.about, name, one_line, private and not watched, secret)

    def read_client_secret(self):
        text = self.provider.one("client_secret")
        if text is not None:
            self.about.report.hide(text)
            self.about.note("client_secret", "stands in the configuration, and so in nginx -T; "
                            "client_secret_file keeps it out")
            return text
        return self.read("client_secret_file") if self.provider.one("client_secret_file") else ""

    def as_worker(self):
        """What only the workers' user can tell, and how long files are good for."""
        for name, path in self.watched:
            if not os.access(path, os.R_OK):
                self.about.wrong(name, f"{path} cannot be read by the workers' user, who looks whether it was renewed",
                                 "let that user read the file and enter its folders")
        if self.certificate:
            self.about.attempt("client_certificate", check_file_life, self.about, "client_certificate",
                               self.certificate.encode(), self.days)
        if self.assertion is not None:
            self.about.attempt("client_assertion_file", self.check_assertion)

    def check_assertion(self):
        claims = jwt_claims(self.assertion.strip())
        if claims is None:
            raise Trouble("it holds no JWT", "the program that renews it, or the path")
        exp = claims.get("exp")
        left = exp - time.time() if isinstance(exp, (int, float)) else None
        if left is not None and left <= 0:
            raise Trouble(f"the assertion ended {-left:.0f} s ago", "the program that renews it has stopped")
        self.about.ok("client_assertion_file", "the assertion says no end" if left is None else
                      f"the assertion is good for {left:.0f} s")

    def alg(self, name):
        """With which a key signs; None: it cannot be read."""
        words = [w.partition("=")[2] for w in self.provider.words(name)[1:] if w.startswith("alg=")]
        if words or not self.keys[name]:
            return words[0] if words else None
        return PrivateKey(self.keys[name].encode()).alg

    # ---- what a request carries

    def signed(self, audience):
        """The assertion of private_key_jwt and client_secret_jwt, as the module makes it."""
        now, client = int(time.time()), self.provider.client_id
        claims = {"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 60,
                  "jti": secrets.token_urlsafe(16)}
        header = {"alg": "HS256", "typ": "JWT"}
        key = None
        if self.keys["client_key"]:
            words = dict(w.partition("=")[::2] for w in self.provider.words("client_key")[1:])
            key = PrivateKey(self.keys["client_key"].encode())
            header["alg"] = self.alg("client_key")
            if "kid" in words:
                header["kid"] = words["kid"]
            elif self.certificate:
                header["x5t#S256"] = base64url(hashlib.sha256(openssl(
                    "x509", "-outform", "DER", data=self.certificate.encode())).digest())
            else:
                members = {k: base64url(v) if isinstance(v, bytes) else v for k, v in key.jwk.items()}
                header["kid"] = base64url(hashlib.sha256(
                    json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims)).encode()
        mac = key.sign(header["alg"], text) if key else hmac.digest(self.secret.encode(), text, "sha256")
        return text.decode() + "." + base64url(mac)

    def authenticate(self, method, form, token_endpoint):
        """Adds what the client proves itself by to the form; the headers that go with it."""
        client_id, report = self.provider.client_id, self.about.report
        if method == "client_secret_basic":
            pair = ":".join(urllib.parse.quote_plus(x, safe="") for x in (client_id, self.secret))
            encoded = base64.b64encode(pair.encode()).decode()
            report.hide(encoded)
            return {"Authorization": f"Basic {encoded}"}
        form["client_id"] = client_id
        if method == "client_secret_post":
            form["client_secret"] = self.secret
        elif method not in ("none", *BY_TLS):
            audience = self.provider.one("client_assertion_audience",
                                         "token_endpoint" if self.provider.tenants else "issuer")
            audience = {"issuer": self.provider.issuer, "token_endpoint": token_endpoint}.get(audience, audience)
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = self.assertion.strip() if method == "client_assertion_file" else \
                self.signed(audience)
            report.hide(form["client_assertion"])
        return {}

    def lacks(self, method):
        """The directive whose file could not be read, if the method needs one."""
        needs = {"client_assertion_file": (self.assertion, "client_assertion_file"),
                 "private_key_jwt": (self.keys["client_key"], "client_key"),
                 **{m: (self.certificate and self.keys["client_key"], "client_certificate and client_key")
                    for m in BY_TLS}}
        there, name = needs.get(method, (self.secret is not None, "the client secret"))
        return "" if there else name


def openssl_reads(pem):
    PrivateKey(pem.encode())
