# SPDX-License-Identifier: Apache-2.0
"""Real providers in the place of harness.idp.Idp, so that a Site and its invariants work with them.

    provider = NpmProvider(lab, "authelia")
    with provider.site(directives={"userinfo": "on"}) as site:
        browser.login("/page")
"""

import contextlib
import json
import pathlib
import urllib.parse

import glewlwyd
import op_process
from cookie_client import CookieClient
from harness.forge import b64u_decode
from harness.ports import free_port
from harness.site import Site
from login_drivers import forms_of, sign_in, sign_in_glewlwyd, sign_out

SECRET = "insecure_secret_of_at_least_32_bytes"
JANE = {"password": "password", "name": "Jane Müller", "given_name": "Jane",
        "family_name": "Müller", "email": "jane.mueller@example.com",
        "groups": ["sales", "staff"]}
USER = "jane"


class RealProvider:
    """What Site asks of a provider. It starts when the site's port is known, since the redirect URI
    must be registered."""

    leaf = True
    patience = 20
    client_id = "espocrm"
    client_secret = SECRET
    # Where a pushed request does not show them.
    redirect_uri, scope = None, "openid profile email groups"
    driver = staticmethod(sign_in)

    def __init__(self, lab, issuer_path="", paths=None):
        self.lab = lab
        self.port = free_port()
        self.base = f"https://localhost:{self.port}"
        self.issuer = self.base + issuer_path
        self._paths = paths or {}
        self._running = None
        self.reset()
        self.codes, self.complaints, self.offset = {}, [], 0
        self.canaries = {SECRET: "client secret"}

    # ---- what the harness calls --------------------------------------------------------------

    def url(self, name):
        return self.base + self._paths.get(name, "/none")

    def count(self, _endpoint):
        """Real providers keep no counters; no test of them asks."""
        return 0

    def reset(self):
        self.user, self.password = USER, JANE["password"]

    def claims(self, _scopes):
        """What the scopes that were asked for give the user."""
        return {**JANE, "preferred_username": USER}

    def client(self):
        return CookieClient(ca_file=self.lab.pki.ca.file, connect_to={"localhost": "127.0.0.1"},
                            timeout=self.patience)

    def authorize(self, location):
        """Signs the user in and returns the callback's URL."""
        callback = {"redirect_uri": self.redirect_uri, "scope": self.scope,
                    **dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))}
        target = callback["redirect_uri"]
        reply = self.driver(self.client(), location, self.user, self.password,
                            until=lambda url: url.startswith(target))
        location = reply.location
        if location is None and callback.get("response_mode") == "form_post":
            (form,) = forms_of(reply)
            location = f"{form.action}?{urllib.parse.urlencode(form.fields)}"
        assert location is not None, f"{reply.url} {reply.status}\n{reply.text[:600]}"
        answer = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        if "response" in answer:  # response_mode query.jwt
            payload = json.loads(b64u_decode(answer["response"][0].split(".")[1]))
            answer = {name: [value] for name, value in payload.items()}
        code = answer.get("code")
        if code:
            self.codes[code[0]] = {"userinfo": self.claims(callback["scope"].split(" "))}
            self.canaries[code[0]] = "code"
        return location

    # ---- life --------------------------------------------------------------------------------

    def _start(self, folder, client):
        raise NotImplementedError

    @contextlib.contextmanager
    def site(self, client=None, callback="/oidc_callback", **arguments):
        """A site with this provider; `client`: further metadata of the client, None removes."""
        site = Site(self.lab, idp=self, start=False, own_paths=(callback,), **{
            **arguments, "directives": {"redirect_uri": callback,
                                        **arguments.get("directives", {})}})
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: site.stop(check=False))
            registered = {
                "client_id": self.client_id, "client_secret": SECRET,
                "redirect_uris": [site.origin_text + callback],
                "post_logout_redirect_uris": [site.origin_text + "/public/bye"],
                **(client or {})}
            self.redirect_uri = registered["redirect_uris"][0]
            self._running = self._start(
                pathlib.Path(site.folder),
                {name: value for name, value in registered.items() if value is not None})
            stack.callback(self._running.stop)
            site.start()
            yield site
            stack.pop_all()
            try:
                site.stop()
            finally:
                self._running.stop()

    def leave(self, location, site):
        """Sign-out at the provider from the module's redirect on; where it leads."""
        return sign_out(self.client(), location, until=lambda u: u.startswith(site.origin_text))


class NpmProvider(RealProvider):
    ISSUER_PATHS = {"authentik": "/application/o/espocrm/"}
    PATHS = {
        "plain": {"authorize": "/auth", "logout": "/session/end"},
        "authelia": {"authorize": "/api/oidc/authorization"},
        "authentik": {"authorize": "/application/o/authorize/",
                      "logout": "/application/o/espocrm/end-session/"},
    }

    def __init__(self, lab, persona, ttl=None, **options):
        super().__init__(lab, self.ISSUER_PATHS.get(persona, ""), self.PATHS[persona])
        self._persona, self._options, self._ttl = persona, options, ttl or {}

    def claims(self, scopes):
        out = super().claims(scopes)
        if self._persona != "authentik" and "groups" not in scopes:
            out.pop("groups")
        return out

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        return op_process.OidcProvider(folder, {
            "persona": self._persona, "port": self.port, "options": self._options,
            "ttl": self._ttl,
            "tls": {"key": str(leaf.key_file), "cert": str(leaf.cert_file)},
            "users": {USER: JANE}, "clients": [client]}, ca_file=self.lab.pki.ca.file)

    @property
    def log(self):
        return self._running.log()

    def requests(self):
        return self._running.requests()


class GlewlwydProvider(RealProvider):
    def __init__(self, lab, alg):
        super().__init__(lab, "/api/oidc", {"authorize": "//api/oidc/auth",
                                            "logout": "//api/oidc/end_session"})
        self._alg = alg

    @staticmethod
    def driver(client, url, username, password, until):
        return sign_in_glewlwyd(client, url, username, password, "openid profile email groups",
                                until)

    def _start(self, folder, client):
        leaf = self.lab.pki.idp
        folder = folder / "glewlwyd"
        folder.mkdir()
        return glewlwyd.Glewlwyd(folder, leaf.key_file, leaf.cert_file,
                                 [{**client, "alg": self._alg}], users={USER: JANE},
                                 ca_file=self.lab.pki.ca.file, port=self.port)
