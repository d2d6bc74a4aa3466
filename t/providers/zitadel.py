# SPDX-License-Identifier: Apache-2.0
"""The example provider of zitadel/oidc, the library that Zitadel and others are built with."""

import json
import pathlib

import obtain
from child import Child
from harness.ports import free_port
from provider import TOKEN_LIFE, Provider
from real_provider import JANE, USER

SOURCE = pathlib.Path(__file__).resolve().parent / "zitadel_op" / "main.go"


class Zitadel(Provider):
    name = "zitadel/oidc"
    version = "3.52.0"
    directives = {"scope": "openid profile email offline_access", "userinfo": "on",
                  "backchannel_logout_uri": None}
    remembers_people = False
    gaps = {"log_out_there": "no back-channel logout",
            "log_out_there_with_a_new_key": "no back-channel logout"}

    @classmethod
    def obtain(cls):
        cls.program = obtain.go_program("zitadel-oidc", "github.com/zitadel/oidc/v3",
                                        f"v{cls.version}", source=SOURCE)

    def __init__(self, lab):
        super().__init__(lab, "", {"authorize": "/auth", "logout": "/end_session"})
        self._admin = f"127.0.0.1:{free_port()}"

    def claims(self, scopes):
        return {name: value for name, value in super().claims(scopes).items() if name != "groups"}

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        users = folder / "zitadel-users.json"
        users.write_text(json.dumps({"id1": {
            "ID": "id1", "Username": USER, "Password": JANE["password"], "Email": JANE["email"],
            "FirstName": JANE["given_name"], "LastName": JANE["family_name"],
            "EmailVerified": True, "PreferredLanguage": "de"}}))
        settings = folder / "zitadel.json"
        settings.write_text(json.dumps({
            **client, "issuer": self.issuer, "listen": f"127.0.0.1:{self.port}",
            "admin": self._admin, "cert": str(leaf.cert_file), "key": str(leaf.key_file),
            "users": str(users), "token_seconds": TOKEN_LIFE}))
        return Child([self.program, settings], folder / "zitadel.log",
                     lambda: self.answers(f"{self.issuer}/.well-known/openid-configuration"))

    def change_key(self, alg):
        self.call("POST", f"http://{self._admin}/key/{alg}")

    def replace_key(self):
        self.call("POST", f"http://{self._admin}/replace")

    def disable_user(self):
        self.call("POST", f"http://{self._admin}/disable")
