# SPDX-License-Identifier: Apache-2.0
"""Spring Authorization Server, as Spring Boot configures it in the program of spring_op/."""

import json
import pathlib
import re

import obtain
from child import Child
from provider import TOKEN_LIFE, Provider
from real_provider import JANE, USER

PROJECT = pathlib.Path(__file__).resolve().parent / "spring_op"


class Spring(Provider):
    name = "Spring Authorization Server"
    version = re.search("<spring-security.version>(.*)</", (PROJECT / "pom.xml").read_text())[1]
    # Its metadata say RS256, whatever the client is registered with.
    directives = {"id_token_signed_response_alg": "RS256 ES256", "userinfo": "on",
                  "backchannel_logout_uri": None}
    gaps = {"recent_sign_in": "knows no max_age",
            "log_out_there": "no back-channel logout",
            "log_out_there_with_a_new_key": "no back-channel logout",
            "log_out_here_after_a_change_of_key": "logs out with an id_token_hint only",
            "log_out_here_after_a_change_of_type": "logs out with an id_token_hint only"}

    @classmethod
    def obtain(cls):
        cls.java = obtain.java()
        cls.program = obtain.maven_program("spring-op", cls.version, PROJECT)

    def __init__(self, lab):
        super().__init__(lab, "", {"authorize": "/oauth2/authorize", "logout": "/connect/logout"})

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        # YAML that is JSON.
        settings = folder / "spring.yaml"
        settings.write_text(json.dumps({
            "server": {"address": "127.0.0.1", "port": self.port,
                       "ssl": {"certificate": f"file:{leaf.cert_file}",
                               "certificate-private-key": f"file:{leaf.key_file}"}},
            "spring.security.oauth2.authorizationserver": {
                "issuer": self.issuer,
                "client": {"crm": {
                    "registration": {
                        "client-id": client["client_id"],
                        "client-secret": "{noop}" + client["client_secret"],
                        "client-authentication-methods": ["client_secret_basic"],
                        "authorization-grant-types": ["authorization_code", "refresh_token"],
                        "redirect-uris": client["redirect_uris"],
                        "post-logout-redirect-uris": client["post_logout_redirect_uris"],
                        "scopes": ["openid", "profile", "email", "groups"]},
                    "token": {"access-token-time-to-live": f"{TOKEN_LIFE}s",
                              "reuse-refresh-tokens": False}}}},
            "person": {"username": USER, **{
                name: JANE[name] for name in ("password", "name", "email", "groups")}}}))
        return Child([self.java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", self.program,
                      f"--spring.config.location=file:{settings}"], folder / "spring.log",
                     lambda: self.answers(f"{self.issuer}/.well-known/openid-configuration"))

    def tell(self, path):
        self.call("POST", f"{self.base}/test/{path}")

    def change_key(self, alg):
        self.tell(f"key/{alg}/{self.client_id}")

    def replace_key(self):
        self.tell("replace")

    def disable_user(self):
        self.tell("disable")
