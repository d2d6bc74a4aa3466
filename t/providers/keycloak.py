# SPDX-License-Identifier: Apache-2.0
"""Keycloak, with the registration and the provider block of ops/keycloak."""

import json
import secrets

import obtain
from child import Child
from harness.ops_files import CRM, provider_conf, text_of
from harness.ports import free_port
from provider import TOKEN_LIFE, Provider
from real_provider import JANE, SECRET, USER

REALM = json.loads(text_of("keycloak/realm.json"))["realm"]
OIDC = f"/realms/{REALM}/protocol/openid-connect"
GENERATOR = {"RS": "rsa-generated", "PS": "rsa-generated", "ES": "ecdsa-generated",
             "Ed": "eddsa-generated"}


class Keycloak(Provider):
    name = "Keycloak"
    version = "26.7.3"
    callback = "/oauth-callback.php"
    gaps = {"new_key_of_the_same_name": "names a key by its value"}

    @classmethod
    def obtain(cls):
        cls.java = obtain.java()
        cls.home = obtain.maven_archive("org.keycloak", "keycloak-quarkus-dist", cls.version)

    def __init__(self, lab):
        super().__init__(lab, f"/realms/{REALM}",
                         {"authorize": f"{OIDC}/auth", "logout": f"{OIDC}/logout"})
        self._admin = secrets.token_hex(16)
        self._priority = 1000
        # The block as it is shipped, but for its secret file, the addresses, and the script's page.
        conf = provider_conf("keycloak")
        for name in ("issuer", "client_id", "client_secret_file", "redirect_uri"):
            del conf[name]
        self.directives = {**conf, "preserve_fragment": "off"}

    def _start(self, folder, client):
        leaf, home = self.lab.pki.idp, folder / "keycloak"
        home.mkdir()
        options = ["start-dev", "--db=dev-mem", "--cache=local", "--http-host=127.0.0.1",
                   f"--http-port={free_port()}", f"--https-port={self.port}",
                   f"--https-certificate-file={leaf.cert_file}",
                   f"--https-certificate-key-file={leaf.key_file}",
                   f"--truststore-paths={self.lab.pki.ca.file}"]
        child = Child(
            [self.home / "bin" / "kc.sh", *options], folder / "keycloak.log",
            lambda: self.answers(f"{self.base}/realms/master"),
            {"JAVA_HOME": str(self.java.resolve().parents[1]), "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
             "KC_BOOTSTRAP_ADMIN_PASSWORD": self._admin,
             "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
             "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"})
        try:
            self._set_up(client)
        except BaseException:
            child.stop()
            raise
        return child

    def _set_up(self, client):
        origin = client["post_logout_redirect_uris"][0].removesuffix("/public/bye")
        text = text_of("keycloak/realm.json")
        # Names of the tests do not resolve; the provider posts its logout tokens to the address.
        port = origin.rsplit(":", 1)[1]
        text = text.replace(f"{CRM}/oidc/backchannel", f"https://127.0.0.1:{port}/oidc/backchannel")
        realm = json.loads(text.replace(CRM, origin))
        realm["clients"][0]["secret"] = SECRET
        realm["accessTokenLifespan"] = TOKEN_LIFE
        realm["groups"] = [{"name": name} for name in JANE["groups"]]
        realm["users"] = [{
            "username": USER, "enabled": True, "email": JANE["email"], "emailVerified": True,
            "firstName": JANE["given_name"], "lastName": JANE["family_name"],
            "groups": JANE["groups"],
            "credentials": [{"type": "password", "value": JANE["password"], "temporary": False}]}]
        self.admin("POST", "", realm)
        self._user, = [u["id"] for u in self.admin("GET", f"/{REALM}/users")]
        self._client, = [c for c in self.admin("GET", f"/{REALM}/clients")
                         if c["clientId"] == self.client_id]

    def admin(self, method, path, body=None):
        token, _ = self.call("POST", f"{self.base}/realms/master/protocol/openid-connect/token",
                             form={"grant_type": "password", "client_id": "admin-cli",
                                   "username": "admin", "password": self._admin})
        answer, _ = self.call(method, f"{self.base}/admin/realms{path}", body,
                              {"Authorization": f"Bearer {token['access_token']}"})
        return answer

    def change_key(self, alg):
        former = [key["providerId"] for key in self.admin("GET", f"/{REALM}/keys")["keys"]
                  if key["use"] == "SIG" and not key["algorithm"].startswith("HS")]
        self._priority += 1
        own = {"RS": {"algorithm": [alg]}, "ES": {"ecdsaEllipticCurveKey": ["P-" + alg[2:]]}}
        self.admin("POST", f"/{REALM}/components", {
            "name": f"{alg}-{self._priority}", "providerId": GENERATOR[alg[:2]],
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [str(self._priority)], "enabled": ["true"],
                       "active": ["true"], **own[alg[:2]]}})
        self._client["attributes"]["id.token.signed.response.alg"] = alg
        self.admin("PUT", f"/{REALM}/clients/{self._client['id']}", self._client)
        for key in former:
            self.admin("DELETE", f"/{REALM}/components/{key}")

    def end_sessions(self):
        self.admin("POST", f"/{REALM}/users/{self._user}/logout")

    def disable_user(self):
        self.admin("PUT", f"/{REALM}/users/{self._user}", {"enabled": False})
