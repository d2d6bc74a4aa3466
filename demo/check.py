# SPDX-License-Identifier: Apache-2.0
"""The demo's sign-in without a browser: prints every hop and every fact, counts what is wrong."""

import urllib.parse

from cookie_client import CookieClient
from login_drivers import SignInError, sign_in, sign_out

from stage import USERS

# Whose values may be shown; of all other parameters only the name is.
SHOWN = {"client_id", "error", "iss", "redirect_uri", "response_type", "scope",
         "code_challenge_method", "post_logout_redirect_uri"}


def without_secrets(url):
    parts = urllib.parse.urlsplit(url)
    pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={value if name in SHOWN else '...'}" for name, value in pairs)
    return parts._replace(query=query).geturl()


class Check:
    def __init__(self, stage):
        self._stage = stage
        self._wrong = 0

    def _hop(self, reply):
        arrow = f" -> {without_secrets(reply.location)}" if reply.location else ""
        print(f"  {reply.method:4} {without_secrets(reply.url)}  {reply.status}{arrow}")

    def _fact(self, text, holds, seen=None):
        self._wrong += not holds
        detail = "" if holds or seen is None else f" (seen: {seen!r})"
        print(f"  {'ok' if holds else 'WRONG':5} {text}{detail}")

    def _client(self):
        return CookieClient(ca_file=self._stage.ca_file, trace=self._hop,
                            connect_to={"localhost": "127.0.0.1"})

    def run(self):
        """How many facts do not hold."""
        name = "jane"
        client = self._client()
        try:
            self._nobody()
            self._signs_in(client, name)
            self._is_signed_in(client, name)
            self._signs_out(client)
        except (SignInError, OSError) as error:
            self._fact(f"the sign-in comes to its end: {error}", False)
        self._fact("nginx runs", self._stage.nginx.alive())
        bad = [line for line in self._stage.nginx.log().splitlines()
               if any(f"[{level}]" in line for level in ("emerg", "alert", "crit", "error"))]
        self._fact("nginx logged no error", not bad, bad)
        if self._wrong:
            print(f"\nnginx's log:\n{self._stage.nginx.log()}")
        return self._wrong

    def _nobody(self):
        print("\nWithout a session")
        before = len(self._stage.backend.records)
        script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}
        reply = self._client().get(f"{self._stage.origin}/api", script)
        self._fact("a script's request gets 401", reply.status == 401, reply.status)
        liar = {**script, "Remote-User": "admin", "X_Oidc_Assertion": "made.up.token"}
        reply = self._client().get(f"{self._stage.origin}/", liar)
        self._fact("made-up identity headers open nothing", reply.status == 401, reply.status)
        self._fact("nothing reached the backend", len(self._stage.backend.records) == before)

    def _signs_in(self, client, name):
        print(f"\nSigning in as {name}")
        user = USERS[name]
        reply = sign_in(client, f"{self._stage.origin}/reports?year=2024", name, user["password"])
        self._fact("the sign-in ends at the callback",
                   reply.status == 200 and "/oauth-callback.php" in reply.url,
                   (reply.status, without_secrets(reply.url)))
        record = self._last()
        self._fact("it reached the backend's /oauth-callback.php",
                   record.get("path") == "/oauth-callback.php", record.get("path"))
        self._identity(record, name)
        self._fact("neither code nor state is left on the request", record.get("query") == "",
                   record.get("query") and "a query")
        claims = record.get("assertion") or {}
        self._fact("the assertion was verified", "assertion" in record,
                   record.get("assertion_error"))
        for claim, value in (("preferred_username", name), ("email", user["email"]),
                             ("groups", user["groups"]), ("idp", self._stage.provider.issuer)):
            self._fact(f"the assertion's {claim} is right", claims.get(claim) == value,
                       claims.get(claim))
        self._fact("the page that was asked for is known",
                   record.get("return_to") == "/reports?year=2024", record.get("return_to"))

    def _identity(self, record, name):
        user = USERS[name]
        expected = {"Remote-User": name, "Remote-Email": user["email"],
                    "Remote-Name": user["name"], "Remote-Groups": ",".join(user["groups"])}
        self._fact("the identity headers are right", record.get("identity") == expected,
                   record.get("identity"))

    def _is_signed_in(self, client, name):
        print("\nWith the session")
        liar = {"Remote-User": "admin", "remote_groups": "admins", "REMOTE-NAME": "The Boss"}
        reply = client.get(f"{self._stage.origin}/reports?year=2024", liar)
        self._fact("the page opens", reply.status == 200, reply.status)
        self._identity(self._last(), name)
        self._fact("the session cookie does not reach the backend",
                   "NGX_OIDC" not in (self._last().get("cookies") or ""))

    def _signs_out(self, client):
        print("\nSigning out")
        reply = sign_out(client, f"{self._stage.origin}/logout")
        self._fact("the browser ends at the signed-out page",
                   reply.status == 200 and reply.url.startswith(
                       f"{self._stage.origin}/signed-out"), without_secrets(reply.url))
        reply = client.get(f"{self._stage.origin}/")
        self._fact("the site is closed again", reply.status in (302, 303), reply.status)

    def _last(self):
        records = self._stage.backend.records
        return records[-1] if records else {}
