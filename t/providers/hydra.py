# SPDX-License-Identifier: Apache-2.0
"""Ory Hydra. It has no users and no pages: the applications that ask for password, consent and
sign-out are the operator's, and the driver plays them by Hydra's administrative interface."""

import json
import secrets
import time

import obtain
from child import Child
from harness.ports import free_port
from harness.site import query_of
from login_drivers import follow
from provider import TOKEN_LIFE, Provider
from real_provider import USER

KEYS = "/admin/keys/hydra.openid.id-token"


class Hydra(Provider):
    name = "Ory Hydra"
    version = "2.3.0"
    directives = {"scope": "openid offline_access profile email groups"}

    refreshes_name_the_former_key = True
    gaps = {"log_out_here_after_a_change_of_key": "leads back from a logout with an id_token_hint only",
            "log_out_here_after_a_change_of_type": "leads back from a logout with an id_token_hint only"}

    @classmethod
    def obtain(cls):
        cls.program = obtain.go_program(
            "hydra", "github.com/ory/hydra/v2", f"v{cls.version}",
            tags="sqlite,json1,sqlite_omit_load_extension",
            replace=["github.com/gobuffalo/pop/v6 => "
                     "github.com/ory/pop/v6 v6.2.1-0.20241121111754-e5dfc0f3344b"])

    def __init__(self, lab):
        super().__init__(lab, "", {"authorize": "/oauth2/auth", "logout": "/oauth2/sessions/logout"})
        self._admin = f"http://127.0.0.1:{free_port()}"
        # Nothing listens there: a browser that is sent to it is answered by play().
        self._app = f"http://127.0.0.1:{free_port()}"
        self.played = (self._app + "/",)
        self._session = None

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        config = folder / "hydra.json"
        config.write_text(json.dumps({
            "dsn": "memory", "log": {"level": "warn"},
            "serve": {"cookies": {"same_site_mode": "Lax", "secure": True},
                      "public": {"host": "127.0.0.1", "port": self.port,
                                 "tls": {"enabled": True, "cert": {"path": str(leaf.cert_file)},
                                         "key": {"path": str(leaf.key_file)}}},
                      "admin": {"host": "127.0.0.1", "port": int(self._admin.rsplit(":", 1)[1])}},
            "urls": {"self": {"issuer": self.issuer}, "login": f"{self._app}/login",
                     "consent": f"{self._app}/consent", "logout": f"{self._app}/logout"},
            "secrets": {"system": [secrets.token_hex(16)]},
            "ttl": {"access_token": f"{TOKEN_LIFE}s"}}))
        child = Child([self.program, "serve", "all", "--dev", "--sqa-opt-out", "-c", config],
                      folder / "hydra.log",
                      lambda: self.answers(f"{self._admin}/health/ready"),
                      {"SSL_CERT_FILE": str(self.lab.pki.ca.file)})
        try:
            port = client["redirect_uris"][0].rsplit(":", 1)[1].partition("/")[0]
            self.admin("POST", "/admin/clients", {
                **client, "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"], "scope": self.directives["scope"],
                "token_endpoint_auth_method": "client_secret_basic",
                "backchannel_logout_session_required": True,
                "backchannel_logout_uri": f"https://127.0.0.1:{port}/oidc/backchannel"})
        except BaseException:
            child.stop()
            raise
        return child

    def admin(self, method, path, body=None):
        return self.call(method, self._admin + path, body)[0]

    # ---- the applications around it ------------------------------------------------------------

    def request_of(self, kind, challenge):
        return self.admin("GET", f"/admin/oauth2/auth/requests/{kind}?{kind}_challenge={challenge}")

    def accept(self, kind, challenge):
        """What the application says to Hydra; where Hydra sends the browser then."""
        answer = {}
        if kind == "login":
            self._session = self.request_of(kind, challenge)["session_id"]
            answer = {"subject": USER, "remember": True, "remember_for": 3600}
        elif kind == "consent":
            wanted = self.request_of(kind, challenge)["requested_scope"]
            answer = {"grant_scope": wanted, "session": {"id_token": {
                name: value for name, value in self.claims(wanted).items() if name != "password"}}}
        return self.admin("PUT", f"/admin/oauth2/auth/requests/{kind}/accept"
                                 f"?{kind}_challenge={challenge}", answer)["redirect_to"]

    def play(self, client, reply, until):
        """Goes on until the browser is back at the site."""
        while reply.location is not None and reply.location.startswith(self.played):
            kind = reply.location.removeprefix(self.played[0]).partition("?")[0]
            target = self.accept(kind, query_of(reply.location)[f"{kind}_challenge"])
            reply = follow(client, client.get(target),
                           until=lambda url: until(url) or url.startswith(self.played))
        return reply

    def driver(self, client, url, _username, _password, until):
        return self.play(client, follow(client, client.get(url), until=lambda target: until(
            target) or target.startswith(self.played)), until)

    def leave(self, location, site):
        return self.driver(self.client(), location, None, None,
                           lambda url: url.startswith(site.origin_text))

    def is_login_page(self, reply):
        if not (reply.location or "").startswith(self.played[0] + "login?"):
            return False
        return not self.request_of("login", query_of(reply.location)["login_challenge"])["skip"]

    # ---- what an administrator does ------------------------------------------------------------

    def change_key(self, alg):
        former = self._keys()
        self.admin("POST", KEYS, {"alg": alg, "use": "sig", "kid": f"{alg}-{time.monotonic_ns()}"})
        for key in former:
            self.admin("DELETE", f"{KEYS}/{key['kid']}")

    def _keys(self):
        return self.admin("GET", KEYS)["keys"]

    def replace_key(self):
        key, = self._keys()
        self.admin("DELETE", f"{KEYS}/{key['kid']}")
        self.admin("POST", KEYS, {name: key[name] for name in ("alg", "use", "kid")})

    def end_sessions(self):
        self.admin("DELETE", f"/admin/oauth2/auth/sessions/login?sid={self._session}")

    def disable_user(self):
        """Whoever keeps the users takes back what they have allowed."""
        self.admin("DELETE", f"/admin/oauth2/auth/sessions/consent?subject={USER}&all=true")
