# SPDX-License-Identifier: Apache-2.0
"""A scriptable OpenID provider. By default it is correct and strict; every answer can be changed,
delayed, cut or replaced by raw bytes, per endpoint."""

import base64
import hashlib
import json
import secrets
import socket
import ssl
import threading
import time
import urllib.parse

from . import forge
from .ports import free_port
from .wire import Reader, Reply, abort, read_request

USER = {"sub": "u-1001", "preferred_username": "jdoe", "email": "jdoe@example.org",
        "name": "John Doe", "groups": ["staff", "dev"]}


def resources(pairs):
    return [value for name, value in pairs if name == "resource"]


def is_once(pairs):
    """Every parameter but resource (RFC 8707)."""
    names = [name for name, _ in pairs if name != "resource"]
    return len(names) == len(set(names))


class Exchange:
    """One request to an endpoint, as a hook sees it. A hook returns a Reply, bytes (sent raw, then
    the connection is closed), or None when it has dealt with the connection itself."""

    def __init__(self, idp, sock, request, endpoint, default):
        self.idp, self.sock, self.request, self.endpoint = idp, sock, request, endpoint
        self._default = default

    def default(self):
        return self._default(self.request)

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def drip(self, data, interval=0.05, limit=60):
        """One byte at a time until the peer gives up."""
        end = time.monotonic() + limit
        for i in range(len(data)):
            if time.monotonic() > end or self.idp.stopping:
                return
            self.sock.sendall(data[i:i + 1])
            time.sleep(interval)

    def stall(self, limit=60):
        """Holds the connection open without a byte until the peer closes it."""
        self.sock.settimeout(0.1)
        end = time.monotonic() + limit
        while time.monotonic() < end and not self.idp.stopping:
            try:
                if not self.sock.recv(1024):
                    return
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return

    def rst(self):
        abort(self.sock)


class Idp:
    """An issuer on a port of its own. `leaf` (pki) makes it https."""

    def __init__(self, keys, leaf=None, host=None, path="", client_id="client-1",
                 client_secret=None, bind="127.0.0.1", port=None):
        self.keys = keys
        self.leaf = leaf
        self.bind = bind
        self.port = port or free_port(bind)
        host = host or ("localhost" if leaf else "127.0.0.1")
        self.scheme = "https" if leaf else "http"
        self.origin = f"{self.scheme}://{host}:{self.port}"
        self.base = self.origin + path.rstrip("/")
        self.issuer = self.origin + path
        self.client_id = client_id
        self.client_secret = client_secret or "s3cr3t-" + secrets.token_urlsafe(48)
        self.stopping = False
        self.lock = threading.RLock()
        self.canaries = {}
        self.canary(self.client_secret, "client secret")
        self.reset()
        self.listener = None
        self.listen()

    # ---- state -------------------------------------------------------------------------------

    def reset(self):
        """Back to a correct provider; counters are kept."""
        with self.lock:
            self.user = dict(USER)
            self.alg = "RS256"
            self.key = self.keys.rsa
            self.jwks_keys = None  # None: the public keys of `keys`
            self.code_format = None  # fn() -> code
            # Hooks; see default_* below for what they replace or change.
            self.on = {}
            self.on_connect = None
            self.before_request = None  # fn(sock), as each request is waited for -> whether the connection ends
            self.metadata = None
            self.claims = None
            self.header = None
            self.make_token = None
            self.encrypt = None  # fn(signed ID token) -> what is sent in its place
            self.token_body = None
            self.userinfo_body = None
            self.userinfo_by_body = False  # RFC 6750 2.2, and in no other way
            self.authorize_response = None
            # Of query.jwt: what changes its claims and header, or makes the whole.
            self.response_claims = self.response_header = self.make_response = None
            self.send_iss = True
            self.refresh_tokens = False
            self.rotate = False  # every refresh token is good for one refresh only
            self.refresh_claims = None  # fn(claims) -> claims of the ID tokens of refreshes
            self.refresh_body = None  # fn(body) -> body or Reply of refreshes
            self.access_token = None
            self.endpoints = {}  # overrides of paths in the metadata
            self.auth_methods = ("client_secret_basic", "client_secret_post")
            # Of a client that authenticates with an assertion: its keys as (kid, alg, Key), whom
            # the assertion must be for (None: the issuer), and what has come.
            self.client_keys, self.assertion_audience = [], None
            self.assertions, self.last_assertion = set(), None
            # Of a client that is known by its certificate: whose are taken in handshakes (a file),
            # the one that is the client's (DER), and the endpoints that have addresses of their own.
            self.client_ca, self.client_certificate, self.aliases = None, None, ()
            # DPoP (RFC 9449): the key that tokens are bound to, the nonces that the token and UserInfo
            # endpoints want, the jti that have come, and how an access token calls itself.
            self.dpop_key, self.dpop_nonces, self.dpop_jti, self.token_type = None, {}, set(), None
            self.offset = 0  # of the provider's clock, in seconds
            self.codes = {}
            self.access = {}
            self.refresh = {}  # refresh token -> grant
            self.refreshes = []  # (time, refresh token) of every refresh request
            self.revoked = []  # (token, hint) of every revocation
            self.token_resources = []  # those of every token request
            # Pushed authorization requests: {request_uri: query}, each good once; whether others
            # are refused, and what an answer is changed to.
            self.pushed, self.par_required, self.par_body = {}, False, None
            self.request_objects, self.request_object_required = [], False  # their jti
            # Introspection (RFC 7662): what is answered about a token, {"active": False} about all
            # others; every token that was asked about; and, when answers are signed (RFC 9701),
            # what changes their claims and header.
            self.known_tokens, self.introspected = {}, []
            self.introspection_signed = False
            self.introspection_claims = self.introspection_header = None
        if not hasattr(self, "requests"):
            self.requests = []
            self.complaints = []
            self.connections = 0

    def canary(self, text, what):
        if len(text) >= 8:
            self.canaries[text] = what

    def forget(self, *values):
        """No longer secret: the test itself has shown them where nginx logs them."""
        for text in [c for c in self.canaries if any(c in v for v in values)]:
            del self.canaries[text]

    def count(self, endpoint):
        with self.lock:
            return sum(1 for e, _ in self.requests if e == endpoint)

    def last(self, endpoint):
        with self.lock:
            found = [r for e, r in self.requests if e == endpoint]
        assert found, f"no request to the {endpoint} endpoint"
        return found[-1]

    # ---- sockets -----------------------------------------------------------------------------

    def listen(self):
        family = socket.AF_INET6 if ":" in self.bind else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.bind, self.port))
        listener.listen(512)
        self.listener = listener
        self.live = set()
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self):
        """Connections are refused from now on, until listen()."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            live = list(self.live)
        for sock in live:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.stopping = True
        self.refuse()

    def tls_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.leaf.cert_file, self.leaf.key_file)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.client_ca)
        return context

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.on_connect is not None and self.on_connect(sock):
                return
            if self.leaf is not None:
                sock.settimeout(20)
                sock = self.tls_context().wrap_socket(sock, server_side=True)
            sock.settimeout(120)
            with self.lock:
                self.live.add(sock)
            reader = Reader(sock)
            while not (self.before_request and self.before_request(sock)) and self._exchange(sock, reader):
                pass
        except (OSError, EOFError, ValueError, ssl.SSLError):
            pass
        finally:
            with self.lock:
                self.live.discard(sock)
            try:
                sock.close()
            except OSError:
                pass

    def _exchange(self, sock, reader):
        request = read_request(reader)
        endpoint = self.endpoint_of(request)
        request.certificate = sock.getpeercert(True) if isinstance(sock, ssl.SSLSocket) else None
        if endpoint.startswith("mtls/"):
            endpoint = endpoint[5:]
            self._check(endpoint in self.aliases and request.certificate, f"alias of {endpoint}")
        with self.lock:
            self.requests.append((endpoint, request))
        default = getattr(self, "default_" + endpoint, self.default_unknown)
        hook = self.on.get(endpoint)
        exchange = Exchange(self, sock, request, endpoint, default)
        reply = hook(exchange) if hook else default(request)
        if reply is None:
            return False
        if isinstance(reply, bytes):
            sock.sendall(reply)
            return False
        close = (request.headers.get("connection") or "").lower() == "close"
        sock.sendall(reply.bytes(close=close))
        return not close

    def endpoint_of(self, request):
        """Its name, of the path alone: this provider has one host."""
        base, path = urllib.parse.urlsplit(self.base).path, request.path
        name = path[len(base):].strip("/") if path.startswith(base) else path
        return {".well-known/openid-configuration": "discovery"}.get(name, name) or "root"

    # ---- endpoints ---------------------------------------------------------------------------

    def url(self, name):
        return self.base + "/" + self.endpoints.get(name, name)

    def default_unknown(self, _):
        return Reply({"error": "not_found"}, status=404)

    def default_discovery(self, _):
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": self.url("authorize"),
            "token_endpoint": self.url("token"),
            "userinfo_endpoint": self.url("userinfo"),
            "jwks_uri": self.url("jwks"),
            "end_session_endpoint": self.url("logout"),
            "revocation_endpoint": self.url("revoke"),
            "pushed_authorization_request_endpoint": self.url("par"),
            "introspection_endpoint": self.url("introspect"),
            "introspection_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "require_pushed_authorization_requests": self.par_required or None,
            "require_signed_request_object": self.request_object_required or None,
            "scopes_supported": ["openid", "profile", "email", "groups"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                "EdDSA", "HS256", "none"],
            "token_endpoint_auth_methods_supported": list(self.auth_methods),
            "authorization_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA", "HS256", "none"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "authorization_response_iss_parameter_supported": bool(self.send_iss),
        }
        if self.aliases:
            names = {"token": "token_endpoint", "userinfo": "userinfo_endpoint", "revoke": "revocation_endpoint",
                     "par": "pushed_authorization_request_endpoint"}
            document["mtls_endpoint_aliases"] = {names[a]: f"{self.base}/mtls/{a}" for a in self.aliases}
        if self.metadata is not None:
            document = self.metadata(document) or document
        if isinstance(document, dict):
            document = {k: v for k, v in document.items() if v is not None}
        return document if isinstance(document, Reply) else Reply(document)

    def default_jwks(self, _):
        keys = self.jwks_keys
        if keys is None:
            k = self.keys
            keys = [k.rsa.jwk(), k.p256.jwk(), k.p384.jwk(), k.p521.jwk(), k.ed.jwk()]
        return Reply({"keys": keys})

    def default_authorize(self, request):
        return Reply(b"", status=302, ctype=None, headers=[
            ("Location", self.authorize(request.query))])

    def authorize(self, query):
        """Signs `user` in at once: the URL that the browser is sent to."""
        if "?" in query:
            query = query.partition("?")[2]
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        params = dict(pairs)
        if "request_uri" in params:
            self._check(set(params) == {"client_id", "request_uri"}, f"beside what was pushed: {query}")
            with self.lock:
                pushed = self.pushed.pop(params["request_uri"], None)
            self._check(pushed is not None, "a request_uri that nobody has pushed")
            pairs = urllib.parse.parse_qsl(pushed or "", keep_blank_values=True)
            self._check(("client_id", params["client_id"]) in pairs, "pushed by another client")
            params = dict(pairs)
        elif self.par_required:
            self._check(False, "a request that was not pushed")
        if "request" in params:
            pairs = self.open_request(pairs, pushed="request_uri" in query)
            params = dict(pairs)
        elif self.request_object_required:
            self._check(False, "a request without a request object")
        self._check(is_once(pairs), f"repeated parameter in {query}")
        self._check(params.get("response_type") == "code", "response_type")
        self._check(params.get("client_id") == self.client_id, "client_id")
        self._check("openid" in params.get("scope", "").split(" "), "scope without openid")
        self._check(params.get("redirect_uri", "").startswith("http"), "redirect_uri")
        code = (self.code_format or (lambda: "code-" + secrets.token_urlsafe(24)))()
        grant = {"params": params, "user": dict(self.user), "time": time.time(), "used": False,
                 "resource": resources(pairs)}
        with self.lock:
            self.codes[code] = grant
        self.canary(code, "code")
        if params.get("nonce"):
            self.canary(params["nonce"], "nonce")
        answer = [("code", code)]
        if "state" in params:
            answer.append(("state", params["state"]))
        if self.send_iss:
            answer.append(("iss", self.issuer))
        if self.authorize_response is not None:
            answer = self.authorize_response(answer)
        if params.get("response_mode") == "query.jwt" and not isinstance(answer, str):
            answer = [("response", self.signed_response(dict(answer)))]
        text = answer if isinstance(answer, str) else urllib.parse.urlencode(answer)
        uri = params.get("redirect_uri", "")
        return uri + ("&" if "?" in uri else "?") + text

    def signed_response(self, answer):
        """JARM 2.1. It has a code in it, so nobody may log it."""
        claims = {"iss": self.issuer, "aud": self.client_id, "exp": int(time.time()) + self.offset + 60,
                  **answer}
        header = {"alg": self.alg, "typ": "JWT", "kid": self.key.kid}
        if self.response_claims is not None:
            claims = self.response_claims(claims) or claims
        claims = {k: v for k, v in claims.items() if v is not None}
        if self.response_header is not None:
            header = self.response_header(header) or header
        token = self.make_response(header, claims) if self.make_response is not None else \
            forge.signed(header, claims, self.key, header["alg"])
        self.canary(token, "signed response")
        return token

    def dpop_problem(self, request, endpoint, token=None):
        """RFC 9449 4.3; None: the proof holds. A wrong nonce is answered, the rest is a complaint."""
        proofs = request.headers.all("dpop")
        if len(proofs) != 1:
            self._check(False, f"{len(proofs)} DPoP headers")
            return Reply({"error": "invalid_dpop_proof"}, status=400)
        data, _, signature = proofs[0].rpartition(".")
        head, claims = (json.loads(forge.b64u_decode(part)) for part in data.split("."))
        public = {k: v for k, v in self.dpop_key.jwk().items() if k not in ("use", "kid", "alg")}
        good = head["typ"] == "dpop+jwt" and head["jwk"] == public and set(head) == {"typ", "alg", "jwk"}
        good &= self.dpop_key.verifies(head["alg"], data.encode(), forge.b64u_decode(signature))
        good &= claims["htm"] == request.method and claims["htu"] == self.origin + request.path
        good &= abs(time.time() + self.offset - claims["iat"]) < 10
        if token is not None:
            good &= claims["ath"] == forge.b64u(hashlib.sha256(token.encode()).digest())
        else:
            good &= "ath" not in claims
        with self.lock:
            good &= len(claims["jti"]) >= 22 and claims["jti"] not in self.dpop_jti
            self.dpop_jti.add(claims["jti"])
        if not good:
            self._check(False, f"DPoP proof: {head} {claims}")
            return Reply({"error": "invalid_dpop_proof"}, status=400)
        wanted = self.dpop_nonces.get(endpoint)
        if claims.get("nonce") == wanted:
            return None
        headers = [("DPoP-Nonce", wanted)]
        if token is None:
            return Reply({"error": "use_dpop_nonce"}, status=400, headers=headers)
        return Reply(b"", status=401, ctype=None, headers=[
            *headers, ("WWW-Authenticate", 'DPoP error="use_dpop_nonce"')])

    def token_type_now(self):
        return self.token_type or ("DPoP" if self.dpop_key is not None else "Bearer")

    def open_request(self, pairs, pushed):
        """The parameters of a request object (RFC 9101 5 and 6), whose signature must be by one of
        `client_keys`, good for minutes and for this issuer, and used once."""
        params = dict(pairs)
        data, _, signature = params["request"].rpartition(".")
        head, claims = (json.loads(forge.b64u_decode(part)) for part in data.split("."))
        self._check(head["typ"] == "oauth-authz-req+jwt", "typ of the request object")
        self._check(any(key.verifies(alg, data.encode(), forge.b64u_decode(signature))
                        for kid, alg, key in self.client_keys if (kid, alg) == (head["kid"], head["alg"])),
                    "signature of the request object")
        now = time.time() + self.offset
        self._check(claims.pop("iss") == self.client_id and claims.pop("aud") == self.issuer
                    and "sub" not in claims, "iss, aud or sub of the request object")
        self._check(claims.pop("nbf") <= now + 2 and now < claims.pop("exp") <= claims.pop("iat") + 300,
                    "times of the request object")
        with self.lock:
            jti = claims.pop("jti")
            self._check(len(jti) >= 22 and jti not in self.request_objects, "jti of the request object")
            self.request_objects.append(jti)
        beside = {"client_id"} if pushed else {"client_id", "response_type", "scope"}
        self._check(set(params) == beside | {"request"}, f"beside the request object: {set(params)}")
        self._check(all(claims.get(n) == params[n] for n in beside), "another value in the request object")
        out = []
        for name, value in claims.items():
            values = value if isinstance(value, list) else [value]
            out += [(name, v if isinstance(v, str) else json.dumps(v)) for v in values]
        return out

    def _check(self, good, complaint):
        if not good:
            with self.lock:
                self.complaints.append(complaint)

    def client_credentials(self, request, form):
        """(id, secret, method); a request that uses two methods is a complaint."""
        header = request.headers.get("authorization")
        if header:
            self._check(header.startswith("Basic "), "authorization scheme")
            self._check("client_secret" not in form, "two client authentications")
            pair = base64.b64decode(header[6:]).decode().split(":", 1)
            return (*[urllib.parse.unquote_plus(p) for p in pair], "client_secret_basic")
        if "client_assertion" in form:
            self._check("client_secret" not in form, "two client authentications")
            return self.client_of_assertion(form)
        if "client_secret" in form:
            return form.get("client_id"), form["client_secret"], "client_secret_post"
        if request.certificate is not None and request.certificate == self.client_certificate:
            return form.get("client_id"), self.client_secret, "tls_client_auth"
        return form.get("client_id"), None, "none"

    def client_of_assertion(self, form):
        """As RFC 7523 3 asks for, with what `client_keys` and `assertion_audience` say; used once."""
        assertion = form["client_assertion"]
        self.canary(assertion, "client assertion")
        data, _, signature = assertion.rpartition(".")
        head, claims = (json.loads(forge.b64u_decode(part)) for part in data.split("."))
        data, signature = data.encode(), forge.b64u_decode(signature)
        good = form.get("client_assertion_type") == \
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        now = time.time() + self.offset
        good &= claims["iss"] == claims["sub"] == form.get("client_id") == self.client_id
        good &= claims["aud"] == (self.assertion_audience or self.issuer)
        good &= now - 5 < claims["iat"] + 1 and claims["iat"] < claims["exp"] <= claims["iat"] + 60
        with self.lock:
            good &= len(claims["jti"]) >= 22 and claims["jti"] not in self.assertions
            self.assertions.add(claims["jti"])
        self.last_assertion = head, claims
        if head["alg"].startswith("HS"):
            good &= signature == forge.hs_sign(head["alg"], self.client_secret, data)
            method = "client_secret_jwt"
        else:
            good &= any(key.verifies(alg, data, signature) for kid, alg, key in self.client_keys
                        if kid == head.get("kid") and alg == head["alg"])
            method = "private_key_jwt"
        return form.get("client_id") if good else None, self.client_secret, method

    def default_token(self, request):
        def error(code, status=400):
            self._check(False, f"token request: {code}")
            return Reply({"error": code}, status=status)
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
        form = dict(pairs)
        self._check(is_once(pairs), "repeated parameter in the token request")
        self._check(request.method == "POST", "token request is not a POST")
        self._check(request.headers.get("content-type") == "application/x-www-form-urlencoded",
                    "content type of the token request")
        client_id, secret, method = self.client_credentials(request, form)
        if client_id != self.client_id or method not in self.auth_methods:
            return error("invalid_client", 401)
        if method != "none" and secret != self.client_secret:
            return error("invalid_client", 401)
        with self.lock:
            self.token_resources.append(resources(pairs))
        if self.dpop_key is not None:
            problem = self.dpop_problem(request, "token")
            if problem is not None:
                return problem
        if form.get("grant_type") == "refresh_token":
            return self.refresh_answer(form, error)
        with self.lock:
            grant = self.codes.get(form.get("code"))
            if grant is None or grant["used"]:
                return error("invalid_grant")
            grant["used"] = True
        params = grant["params"]
        if form.get("grant_type") != "authorization_code":
            return error("unsupported_grant_type")
        if form.get("redirect_uri") != params.get("redirect_uri"):
            return error("invalid_grant")
        verifier = form.get("code_verifier")
        if verifier:
            self.canary(verifier, "verifier")
        if params.get("code_challenge"):
            digest = hashlib.sha256((verifier or "").encode()).digest()
            if forge.b64u(digest) != params["code_challenge"]:
                return error("invalid_grant")
        body = self.token_answer(grant, form["code"])
        if isinstance(body, Reply):
            return body
        return Reply(body, headers=[("Cache-Control", "no-store")])

    def token_answer(self, grant, code):
        access = "at-" + secrets.token_urlsafe(24) if self.access_token is None \
            else self.access_token
        self.canary(access, "access token")
        self.access[access] = grant
        body = {"access_token": access, "token_type": self.token_type_now(), "expires_in": 300,
                "id_token": self.id_token(grant, access, code)}
        if self.refresh_tokens:
            body["refresh_token"] = self.new_refresh_token(grant)
        if self.token_body is not None:
            body = self.token_body(body) or body
        return body

    def new_refresh_token(self, grant):
        token = "rt-" + secrets.token_urlsafe(24)
        self.canary(token, "refresh token")
        with self.lock:
            self.refresh[token] = grant
        return token

    def refresh_answer(self, form, error):
        token = form.get("refresh_token")
        with self.lock:
            self.refreshes.append((time.time(), token))
            grant = self.refresh.pop(token, None) if self.rotate else self.refresh.get(token)
        if grant is None:
            return error("invalid_grant")
        # The nonce belongs to the answer of the authorization (OIDC Core 12.2).
        params = {k: v for k, v in grant["params"].items() if k != "nonce"}
        again = {**grant, "params": params}
        access = "at-" + secrets.token_urlsafe(24)
        self.canary(access, "access token")
        self.access[access] = grant
        body = {"access_token": access, "token_type": self.token_type_now(), "expires_in": 300,
                "id_token": self.id_token(again, access, change=self.refresh_claims)}
        if self.rotate:
            body["refresh_token"] = self.new_refresh_token(grant)
        if self.refresh_body is not None:
            body = self.refresh_body(body) or body
        if isinstance(body, Reply):
            return body
        return Reply({k: v for k, v in body.items() if v is not None},
                     headers=[("Cache-Control", "no-store")])

    def id_token(self, grant, access="", code="", change=None):
        now = int(time.time()) + self.offset
        claims = {"iss": self.issuer, "sub": grant["user"]["sub"], "aud": self.client_id,
                  "exp": now + 300, "iat": now}
        if grant["params"].get("nonce"):
            claims["nonce"] = grant["params"]["nonce"]
        claims |= {k: v for k, v in grant["user"].items() if k != "sub"}
        header = {"alg": self.alg, "typ": "JWT"}
        if self.key.kid is not None:
            header["kid"] = self.key.kid
        self.access_value, self.code_value = access, code
        if self.claims is not None:
            claims = self.claims(claims) or claims
        if change is not None:
            claims = change(claims) or claims
        if self.header is not None:
            header = self.header(header) or header
        with self.lock:
            grant["claims"] = claims
        if self.make_token is not None:
            token = self.make_token(header, claims)
        else:
            key = self.client_secret if self.alg.startswith("HS") else self.key
            token = forge.signed(header, claims, key, self.alg)
        if isinstance(token, str):
            self.canary(token, "id token")
        if self.encrypt is not None:
            token = self.encrypt(token)
            self.canary(token, "encrypted id token")
        return token

    def default_userinfo(self, request):
        header = request.headers.get("authorization") or ""
        scheme = "DPoP " if self.dpop_key is not None else "Bearer "
        token = header[len(scheme):] if header.startswith(scheme) else None
        if self.userinfo_by_body:
            form = urllib.parse.parse_qsl(request.body.decode())
            ok = request.method == "POST" and not header and "?" not in request.target
            token = form[0][1] if ok and [name for name, _ in form] == ["access_token"] else None
        if token and self.dpop_key is not None:
            problem = self.dpop_problem(request, "userinfo", token)
            if problem is not None:
                return problem
        grant = self.access.get(token)
        if grant is None:
            self._check(False, "userinfo request without a valid access token")
            return Reply({"error": "invalid_token"}, status=401)
        body = dict(grant["user"])
        if self.userinfo_body is not None:
            body = self.userinfo_body(body) or body
        if isinstance(body, dict):
            grant["userinfo"] = body
        return body if isinstance(body, Reply) else Reply(body)

    def default_logout(self, _):
        return Reply(b"signed out at the provider", ctype="text/plain")

    def default_par(self, request):
        """RFC 9126 2."""
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
        form = dict(pairs)
        self._check(is_once(pairs), "repeated parameter in the pushed request")
        self._check(request.method == "POST", "pushed request is not a POST")
        client_id, secret, method = self.client_credentials(request, form)
        if client_id != self.client_id or method not in self.auth_methods \
                or method != "none" and secret != self.client_secret:
            self._check(False, "pushed request: invalid_client")
            return Reply({"error": "invalid_client"}, status=401)
        self._check("request_uri" not in form, "request_uri is pushed")
        own = ("client_secret", "client_assertion", "client_assertion_type")
        query = urllib.parse.urlencode([(n, v) for n, v in pairs if n not in own])
        uri = "urn:ietf:params:oauth:request_uri:" + secrets.token_urlsafe(24)
        with self.lock:
            self.pushed[uri] = query
        body = {"request_uri": uri, "expires_in": 60}
        if self.par_body is not None:
            body = self.par_body(body)
        return body if isinstance(body, Reply) else Reply(body, status=201)

    def opaque_token(self, **claims):
        """A token that says nothing, and what introspection says of it: None takes a member away."""
        token = "ot-" + secrets.token_urlsafe(24)
        self.canary(token, "opaque token")
        now = int(time.time()) + self.offset
        self.known_tokens[token] = {
            "active": True, "sub": "robot", "client_id": "robot-client", "scope": "read",
            "iss": self.issuer, "exp": now + 300, "iat": now, "token_type": "Bearer", **claims}
        return token

    def default_introspect(self, request):
        """RFC 7662 2, RFC 9701 4 and 5."""
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        self._check(request.method == "POST", "introspection is not a POST")
        client_id, secret, _ = self.client_credentials(request, form)
        if client_id != self.client_id or secret != self.client_secret:
            return Reply({"error": "invalid_client"}, status=401)
        self._check(form.get("token_type_hint") == "access_token", "token_type_hint")
        with self.lock:
            self.introspected.append(form.get("token"))
        answer = self.known_tokens.get(form.get("token"), {"active": False})
        if isinstance(answer, dict):
            answer = {k: v for k, v in answer.items() if v is not None}
        if isinstance(answer, (Reply, bytes)) or not self.introspection_signed:
            return answer if isinstance(answer, (Reply, bytes)) else Reply(answer)
        signed_type = "application/token-introspection+jwt"
        self._check(request.headers.get("accept") == signed_type, "a signed answer is not asked for")
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": int(time.time()) + self.offset,
                  "token_introspection": answer}
        header = {"alg": self.alg, "typ": "token-introspection+jwt", "kid": self.key.kid}
        if self.introspection_claims is not None:
            claims = self.introspection_claims(claims)
        if self.introspection_header is not None:
            header = self.introspection_header(header)
        return Reply(forge.signed(header, claims, self.key, header["alg"]).encode(), ctype=signed_type)

    def default_revoke(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        client_id, secret, _ = self.client_credentials(request, form)
        self._check(client_id == self.client_id and secret == self.client_secret,
                    "revocation without the client's authentication")
        with self.lock:
            self.revoked.append((form.get("token"), form.get("token_type_hint")))
        return Reply(b"", ctype=None)

    def logout_token(self, header=None, key=None, alg=None, **claims):
        """A logout token (Back-Channel Logout 2.4). `header` and `claims` change the correct one,
        None takes a member away. `key`: a Key, or the secret of an HS algorithm."""
        alg = alg or self.alg
        key = key or (self.client_secret if alg.startswith("HS") else self.key)
        head = {"alg": alg, "typ": "logout+jwt", "kid": getattr(key, "kid", None), **(header or {})}
        now = int(time.time()) + self.offset
        token = forge.logout_token(head, {"iss": self.issuer, "aud": self.client_id, "iat": now,
                                          "exp": now + 120, **claims}, key)
        self.canary(token, "logout token")
        return token

    def security_event(self, event, header=None, key=None, alg=None, **claims):
        """A security event token (RFC 8417) about u-1001, `event` behind the common part of the
        types' addresses ("caep/event-type/session-revoked"), or the whole `events`. Otherwise as logout_token."""
        alg = alg or self.alg
        key = key or (self.client_secret if alg.startswith("HS") else self.key)
        head = {"alg": alg, "typ": "secevent+jwt", "kid": getattr(key, "kid", None), **(header or {})}
        events = {forge.SECURITY_EVENTS + event: {}} if isinstance(event, str) else event
        token = forge.logout_token(head, {
            "iss": self.issuer, "aud": self.client_id, "iat": int(time.time()) + self.offset, "events": events,
            "sub_id": {"format": "iss_sub", "iss": self.issuer, "sub": "u-1001"}, **claims}, key)
        self.canary(token, "security event token")
        return token
