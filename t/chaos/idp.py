# SPDX-License-Identifier: Apache-2.0
"""The provider: answers at once and remembers nothing but its keys. The code carries what was asked
for, so any number of logins can be under way. Run as a process of its own by child.py."""

import asyncio
import base64
import hashlib
import json
import time
import urllib.parse

from harness import forge

from .child import arguments, serve, tell
from .wire import take_message

CODE = "canary-code-"  # begins every code, so that one in a log is found


def make_code(**fields):
    """What a browser brings back; `login`, `user`, `nonce`, `challenge`, `bad`."""
    return CODE + forge.b64u(json.dumps(fields))


class Provider:
    def __init__(self, port, client_id, client_secret):
        self.port, self.client_id, self.client_secret = port, client_id, client_secret
        self.issuer = f"http://127.0.0.1:{port}"
        self.generation = 0
        self.keys = []
        self.rotate()
        self.mode, self.delay = "good", 0.0
        self.offset = 0
        self.held = []
        self.live = set()
        self.counts = {}
        self.server = None
        self.metadata = self.dump({
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token",
            "jwks_uri": self.issuer + "/jwks",
            "end_session_endpoint": self.issuer + "/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        })

    @staticmethod
    def dump(value):
        return json.dumps(value, separators=(",", ":")).encode()

    def rotate(self):
        """A new key signs from now on; the last one stays published for what is on its way."""
        self.generation += 1
        self.keys = [forge.Key.ec(f"key-{self.generation}"), *self.keys[:1]]

    # ---- the listener ------------------------------------------------------------------------

    async def listen(self):
        if self.server is None:
            self.server = await asyncio.get_running_loop().create_server(
                lambda: Exchange(self), "127.0.0.1", self.port, backlog=2048, reuse_address=True)

    def refuse(self):
        if self.server is not None:
            self.server.close()
            self.server = None
        for exchange in list(self.live):
            exchange.transport.abort()

    # ---- commands ----------------------------------------------------------------------------

    async def do_mode(self, mode, delay=0.0):
        """good; hang: no answer until the next mode; slow: after `delay`; error: 503; refuse: no
        connection either."""
        self.mode, self.delay = mode, delay
        if mode == "refuse":
            self.refuse()
        else:
            await self.listen()
        if mode != "hang":
            held, self.held = self.held, []
            for send in held:
                send()

    async def do_rotate(self):
        self.rotate()
        return {"kid": self.keys[0].kid}

    async def do_offset(self, seconds):
        self.offset = seconds

    async def do_counts(self):
        return {"counts": self.counts}

    # ---- answers -----------------------------------------------------------------------------

    def answer(self, target, head, body):
        """(status, body) of a request."""
        name = target.partition("?")[0].rpartition("/")[2]
        self.counts[name] = self.counts.get(name, 0) + 1
        if self.mode == "error":
            return 503, b'{"error":"temporarily_unavailable"}'
        if name == "openid-configuration":
            return 200, self.metadata
        if name == "jwks":
            return 200, self.dump({"keys": [k.jwk(alg="ES256") for k in self.keys]})
        if name == "token":
            return self.token(head, body)
        return 404, b'{"error":"not_found"}'

    def token(self, head, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        credentials = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode())
        if b"\r\nauthorization: basic " + credentials.lower() not in head.lower():
            return 401, b'{"error":"invalid_client"}'
        code = json.loads(forge.b64u_decode(form["code"][len(CODE):]))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if forge.b64u(digest) != code["challenge"]:
            tell(complaint="the verifier is not that of the challenge")
            return 400, b'{"error":"invalid_grant"}'
        bad = code["bad"]
        if bad == "error":
            return 400, b'{"error":"invalid_grant"}'
        stamp = int(time.time()) + self.offset
        user = code["user"]
        claims = {"iss": self.issuer, "sub": user, "aud": self.client_id, "exp": stamp + 300,
                  "iat": stamp, "nonce": code["nonce"], "preferred_username": user,
                  "email": f"{user}@users.example", "groups": ["staff", f"team-{user}"],
                  "login": code["login"]}
        if bad == "nonce":
            claims["nonce"] = "n" * 43
        elif bad == "aud":
            claims["aud"] = "someone-else"
        elif bad == "exp":
            claims["exp"] = stamp - 4000
        token = forge.signed({"alg": "ES256", "typ": "JWT", "kid": self.keys[0].kid}, claims,
                             self.keys[0], "ES256")
        if bad == "signature":
            at = len(token) - 40
            token = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
        return 200, self.dump({"access_token": f"canary-access-{code['login']}",
                               "token_type": "Bearer", "expires_in": 300, "id_token": token})


BAD = ("error", "nonce", "aud", "exp", "signature")


class Exchange(asyncio.Protocol):
    def __init__(self, provider):
        self.provider = provider
        self.buffer = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.provider.live.add(self)

    def connection_lost(self, _):
        self.provider.live.discard(self)

    def data_received(self, data):
        self.buffer += data
        while message := take_message(self.buffer):
            head, body, self.buffer = message
            provider = self.provider
            target = head.split(b" ", 2)[1].decode("latin-1")
            status, answer = provider.answer(target, head, body)
            text = (f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                    f"Cache-Control: no-store\r\nContent-Length: {len(answer)}\r\n\r\n")

            def send(out=text.encode() + answer):
                if not self.transport.is_closing():
                    self.transport.write(out)
            if provider.mode == "hang":
                provider.held.append(send)
            elif provider.mode == "slow":
                asyncio.get_running_loop().call_later(provider.delay, send)
            else:
                send()


async def main():
    given = arguments()
    provider = Provider(given["port"], given["client_id"], given["client_secret"])
    await provider.listen()
    await serve(provider)


if __name__ == "__main__":
    asyncio.run(main())
