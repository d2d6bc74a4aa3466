# SPDX-License-Identifier: Apache-2.0
"""oidc-provider of npm, as the integration tests have it, without any persona."""

import json
import urllib.parse

import obtain
import op_process
from login_drivers import sign_out
from provider import TOKEN_LIFE, Provider
from real_provider import JANE, USER


def installed_version():
    package = op_process.OP_DIR / "node_modules" / "oidc-provider" / "package.json"
    return json.loads(package.read_text())["version"] if op_process.installed() else ""


class OidcProvider(Provider):
    name = "oidc-provider"
    version = installed_version()
    # Without the question for consent the library gives no refresh token.
    directives = {"scope": "openid profile email groups offline_access", "prompt": "consent",
                  "userinfo": "on"}

    @classmethod
    def obtain(cls):
        if not op_process.installed():
            raise obtain.Unavailable("npm ci has not been run in t/integration/op")

    def __init__(self, lab):
        super().__init__(lab, "", {"authorize": "/auth", "logout": "/session/end"})
        self._settings = None

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        port = urllib.parse.urlsplit(client["redirect_uris"][0]).port
        self._settings = {
            "port": self.port, "tls": {"key": str(leaf.key_file), "cert": str(leaf.cert_file)},
            "ttl": {"AccessToken": TOKEN_LIFE}, "users": {USER: JANE}, "generation": "-1",
            "clients": [{**client, "scope": self.directives["scope"],
                         "backchannel_logout_session_required": True,
                         "backchannel_logout_uri": f"https://127.0.0.1:{port}/oidc/backchannel"}]}
        return op_process.OidcProvider(folder, self._settings, ca_file=self.lab.pki.ca.file)

    def _reload(self, **changes):
        self._settings |= changes
        self._running.reload(self._settings)

    def _next_generation(self):
        return str(int(self._settings["generation"]) - 1)

    def change_key(self, alg):
        client, = self._settings["clients"]
        self._reload(clients=[{**client, "id_token_signed_response_alg": alg}],
                     options={"keys": [alg]}, generation=self._next_generation())

    def replace_key(self):
        self._reload()

    def end_sessions(self):
        """It has no administrator: another application of the person signs out there."""
        sign_out(self.client(), self.url("logout"))

    def disable_user(self):
        self._reload(generation=self._next_generation(), users={"another": {**JANE, "email": "another@example.com"}})
