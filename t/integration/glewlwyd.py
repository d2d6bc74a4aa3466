# SPDX-License-Identifier: Apache-2.0
"""Debian's glewlwyd as an OpenID provider: an implementation in C, independent of all others here.

    with Glewlwyd(folder, key_file, cert_file, clients=[...]) as op:
        print(op.issuer)

It runs on a free port with a database of its own and is configured through its REST interface,
like an administrator does it in the browser.
"""

import base64
import gzip
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import time

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          PublicFormat)

from cookie_client import CookieClient
from harness.ports import free_port

PROGRAM = shutil.which("glewlwyd") or "/usr/bin/glewlwyd"
SCHEMA = pathlib.Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
ADMIN = {"username": "admin", "password": "password"}

DEFAULT_USERS = {
    "john": {"password": "password", "name": "John Doe", "email": "john.doe@example.com",
             "given_name": "John", "family_name": "Doe", "groups": ["admins", "sales"]},
}
SCOPES = ("profile", "email", "groups")

CONFIG = """\
port = {port}
bind_address = "127.0.0.1"
# The final slash is Debian's: every endpoint in the metadata then has two slashes after the port.
external_url = "{origin}/"
login_url = "login.html"
api_prefix = "api"
static_files_path = "{static}"
log_mode = "console"
log_level = "INFO"
cookie_secure = 1
cookie_same_site = "lax"
session_expiration = 3600
session_key = "GLEWLWYD2_SESSION_ID"
admin_session_authentication = "cookie"
profile_session_authentication = "cookie"
login_api_enabled = true
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
user_middleware_module_path = "/usr/lib/glewlwyd/user_middleware"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
use_secure_connection = true
secure_connection_key_file = "{key}"
secure_connection_pem_file = "{cert}"
hash_algorithm = "SHA512"
database = {{ type = "sqlite3" path = "{database}"; }}
static_files_mime_types = ( {{ extension = ".html" mime_type = "text/html" }} )
"""


class GlewlwydError(Exception):
    """It did not start, or refused a part of its configuration."""


def installed():
    return pathlib.Path(PROGRAM).is_file() and SCHEMA.is_file()


def _b64(number_or_bytes, size=None):
    data = number_or_bytes
    if isinstance(data, int):
        data = data.to_bytes(size or (data.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _rsa_jwk():
    private = rsa.generate_private_key(65537, 2048).private_numbers()
    public = {"kty": "RSA", "n": _b64(private.public_numbers.n), "e": _b64(65537)}
    return public, {"d": _b64(private.d), "p": _b64(private.p), "q": _b64(private.q),
                    "dp": _b64(private.dmp1), "dq": _b64(private.dmq1), "qi": _b64(private.iqmp)}


def _ec_jwk():
    private = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = private.public_numbers
    public = {"kty": "EC", "crv": "P-256", "x": _b64(point.x, 32), "y": _b64(point.y, 32)}
    return public, {"d": _b64(private.private_value, 32)}


def _ed_jwk():
    private = ed25519.Ed25519PrivateKey.generate()
    secret = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": _b64(point)}, {"d": _b64(secret)}


MAKERS = {"RS256": _rsa_jwk, "ES256": _ec_jwk, "EdDSA": _ed_jwk}


def key_id(alg):
    """Of the key that signs with `alg`; a client chooses it by its `sign_kid`."""
    return f"glewlwyd-{alg}"


def _key_sets():
    public, private = [], []
    for alg, make in MAKERS.items():
        shown, secret = make()
        shown = {**shown, "kid": key_id(alg), "alg": alg, "use": "sig"}
        public.append(shown)
        private.append({**shown, **secret})
    return json.dumps({"keys": public}), json.dumps({"keys": private})


def _plugin_parameters(issuer):
    public, private = _key_sets()
    claims = [("preferred_username", "username", "profile"),
              ("given_name", "given_name", "profile"),
              ("family_name", "family_name", "profile"), ("groups", "groups", "groups")]
    return {
        "iss": issuer,
        "jwks-private": private, "jwks-public": public, "jwks-show": True,
        "default-kid": key_id("RS256"), "jwt-type": "rsa", "jwt-key-size": "256",
        "access-token-duration": 3600, "refresh-token-duration": 1209600, "code-duration": 600,
        "refresh-token-rolling": True, "refresh-token-one-use": "always",
        "allow-non-oidc": False, "auth-type-code-enabled": True,
        "auth-type-code-revoke-replayed": True, "auth-type-token-enabled": False,
        "auth-type-implicit-enabled": True, "auth-type-password-enabled": False,
        "auth-type-client-enabled": False, "auth-type-refresh-enabled": True,
        "subject-type": "public", "pkce-allowed": True, "pkce-method-plain-allowed": False,
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "name-claim": "on-demand", "name-claim-scope": ["profile"],
        "email-claim": "on-demand", "email-claim-scope": ["email"],
        "claims": [{"name": name, "user-property": source, "type": "string", "mandatory": False,
                    "on-demand": True, "scope": [scope]} for name, source, scope in claims],
        "request-parameter-allow": True, "oauth-as-iss-id": True,
        "oauth-par-allowed": True, "oauth-par-duration": 90,
        "oauth-par-request_uri-prefix": "urn:ietf:params:oauth:request_uri:",
        "oauth-fapi-allow-jarm": True, "oauth-dpop-allowed": True, "oauth-dpop-iat-duration": 10,
        "encrypt-out-token-allow": True, "client-pubkey-parameter": "pubkey",
        "client-jwks-parameter": "jwks", "client-jwks_uri-parameter": "jwks_uri",
        "client-sign_kid-parameter": "sign_kid", "client-alg-parameter": "alg",
        "client-enc-parameter": "enc", "client-alg_kid-parameter": "alg_kid",
        "client-encrypt_id_token-parameter": "encrypt_id_token",
        "client-encrypt_userinfo-parameter": "encrypt_userinfo",
        "session-management-allowed": True, "session-cookie-name": "GLEWLWYD2_OIDC_SID",
        "session-cookie-expiration": 2419200, "front-channel-logout-allowed": True,
        "back-channel-logout-allowed": True,
    }


class Glewlwyd:
    def __init__(self, folder, key_file, cert_file, clients, users=None, ca_file=None, port=None,
                 timeout=30):
        """`clients`: client_id, client_secret, redirect_uris; optionally post_logout_redirect_uris,
        token_endpoint_auth_method, alg (RS256, ES256, EdDSA), backchannel_logout_uri. `ca_file`
        verifies its certificate, which must be good for "localhost"."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.origin = f"https://localhost:{self.port}"
        self.issuer = f"{self.origin}/api/oidc"
        self.log_file = self.folder / "glewlwyd.log"
        self._ca_file = ca_file
        self._write_files(key_file, cert_file)
        with open(self.log_file, "wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, f"--config-file={self.folder / 'glewlwyd.conf'}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            self._wait(timeout)
            self._configure(clients, DEFAULT_USERS if users is None else users)
        except BaseException:
            self.stop()
            raise

    def _write_files(self, key_file, cert_file):
        database = self.folder / "glewlwyd.db"
        database.unlink(missing_ok=True)
        connection = sqlite3.connect(database)
        connection.executescript(gzip.decompress(SCHEMA.read_bytes()).decode())
        connection.close()
        # An empty folder: its login page is not needed, only redirected to.
        static = self.folder / "static"
        static.mkdir(exist_ok=True)
        (static / "login.html").write_text("<!doctype html><title>Sign in</title>\n")
        (self.folder / "glewlwyd.conf").write_text(CONFIG.format(
            port=self.port, origin=self.origin, static=static, key=key_file, cert=cert_file,
            database=database))

    def _wait(self, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise GlewlwydError(f"glewlwyd did not start:\n{self.log()}")

    def _call(self, client, method, path, body):
        reply = client.request(method, f"{self.origin}/api{path}", json.dumps(body).encode(),
                               {"Content-Type": "application/json", "Accept": "application/json"})
        if reply.status != 200:
            raise GlewlwydError(f"{method} {path} was answered {reply.status}: {reply.text}")
        return reply

    def _extend_format(self, client, kind, fields):
        path = f"/mod/{kind}/database"
        module = json.loads(client.get(f"{self.origin}/api{path}").text)
        known = module["parameters"].setdefault("data-format", {})
        for name, multiple in fields.items():
            known[name] = {"multiple": multiple, "read": True, "write": True,
                           "profile-read": True, "profile-write": False}
        self._call(client, "PUT", path, module)
        self._call(client, "PUT", f"{path}/reset", {})

    def _configure(self, clients, users):
        admin = CookieClient(ca_file=self._ca_file, connect_to={"localhost": "127.0.0.1"})
        self._call(admin, "POST", "/auth/", ADMIN)
        for scope in SCOPES:
            self._call(admin, "POST", "/scope", {"name": scope, "display_name": scope,
                                                 "password_required": True, "scheme": {}})
        self._call(admin, "PUT", "/scope/openid", {
            "display_name": "openid", "password_required": True, "password_max_age": 0,
            "scheme": {}})
        self._extend_format(admin, "user",
                            {"groups": True, "given_name": False, "family_name": False})
        self._extend_format(admin, "client", {
            "post_logout_redirect_uris": True, "sign_kid": False,
            "backchannel_logout_uri": False, "backchannel_logout_session_required": False})
        self._call(admin, "POST", "/mod/plugin", {
            "module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": True,
            "parameters": _plugin_parameters(self.issuer)})
        for name, user in users.items():
            self._call(admin, "POST", "/user", {
                **user, "username": name, "enabled": True,
                "scope": ["g_profile", "openid", *SCOPES]})
        for client in clients:
            self._call(admin, "POST", "/client", _client(client))

    def log(self):
        return self.log_file.read_text(errors="replace")

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def _client(client):
    out = {
        "client_id": client["client_id"], "name": client["client_id"], "enabled": True,
        "confidential": True, "client_secret": client["client_secret"],
        "redirect_uri": client["redirect_uris"], "scope": [],
        "post_logout_redirect_uris": client.get("post_logout_redirect_uris", []),
        "authorization_type": ["code", "refresh_token"],
        "token_endpoint_auth_method": [
            client.get("token_endpoint_auth_method", "client_secret_basic")],
        "sign_kid": key_id(client.get("alg", "RS256")),
    }
    if "backchannel_logout_uri" in client:
        out["backchannel_logout_uri"] = client["backchannel_logout_uri"]
        out["backchannel_logout_session_required"] = "true"
    return out
