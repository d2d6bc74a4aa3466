# SPDX-License-Identifier: Apache-2.0
"""Providers that cannot be run here, as their own documentation and sources describe them, and sites that are made
of what a guide says and nothing else.

A Vendor answers under the addresses that the provider really has: a proxy in front of nginx leads their names to
this machine, so the block of a guide runs as it stands there.
"""

import re
import secrets
import time
import urllib.parse

from harness import forge
from harness.idp import Idp
from harness.invariants import claim_text
from harness.nginx import ROOT
from harness.proxy import Proxy
from harness.site import Site, query_of
from harness.wire import Reply

# (<!-- not run: reason -->) before a block that is not.
BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n+)?^```nginx\n(?P<code>.*?)^```", re.M | re.S)


def blocks_of(page):
    """The nginx blocks of a guide that are run."""
    text = (ROOT / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8")
    return [match["code"] for match in BLOCK.finditer(text) if not match["reason"]]


def value_of(code, directive):
    return re.search(rf"^ *{directive} +(\S+);", code, re.M)[1]


class Refused(Exception):
    """The provider shows a page of its own, from which nobody comes back."""


class Vendor(Idp):
    """A provider as one vendor has it. `user` is what it knows of somebody; what of that goes where is the vendor's."""

    page = ""                # of docs/guides
    issuer = ""
    places = {}              # endpoint: address
    document = {}            # the rest of the metadata
    answers = {}             # what the callback has beside code and state
    iss_parameter = False
    id_token_names = None    # claims of `somebody` that are in an ID token; None: all
    userinfo_names = None
    refresh_scope = "offline_access"  # None: a refresh token is given without being asked for
    rotates = True
    nonce_again = False      # the nonce of the sign-in in later ID tokens
    methods = ("client_secret_basic", "client_secret_post")
    algorithm = "RS256"
    lifetime = 300           # of an ID token
    key_members = {}         # of a published key, None: it has no such member
    somebody = {}
    names, groups = ("preferred_username", "sub"), "groups"

    def __init__(self, lab):
        self.lab = lab
        # The client is the guide's.
        self.client = value_of(blocks_of(self.page)[0], "client_id")
        self.hosts = sorted({urllib.parse.urlsplit(u).hostname for u in [self.issuer, *self.places.values()]})
        super().__init__(lab.keys, leaf=lab.pki.ca.issue(self.page, dns=self.hosts), client_id=self.client)
        place = urllib.parse.urlsplit(self.places["authorize"])
        self.base = self.origin = f"{place.scheme}://{place.netloc}"
        self.issuer = type(self).issuer
        self.proxy = Proxy(ports={host: self.port for host in self.hosts})

    def reset(self):
        super().reset()
        self.user, self.auth_methods, self.alg = dict(self.somebody), self.methods, self.algorithm
        self.key = self.keys.for_alg(self.algorithm)
        self.send_iss, self.rotate = self.iss_parameter, self.rotates
        self.access_lifetime = 3600
        self.signed_out = []

    def stop(self):
        super().stop()
        self.proxy.stop()

    # ---- addresses ---------------------------------------------------------------------------

    def url(self, name):
        return self.places.get(name, self.base + "/none")

    def asked_hosts(self):
        return {head.split(" ")[1].rpartition(":")[0] for head in self.proxy.heads}

    def endpoint_of(self, request):
        url = f"https://{request.headers.get('host')}{request.path}"
        if url == self.issuer.rstrip("/") + "/.well-known/openid-configuration":
            return "discovery"
        return next((name for name, place in self.places.items() if place == url), "none")

    # ---- documents ---------------------------------------------------------------------------

    def default_discovery(self, _):
        members = {"authorize": "authorization_endpoint", "token": "token_endpoint", "jwks": "jwks_uri",
                   "userinfo": "userinfo_endpoint", "logout": "end_session_endpoint", "revoke": "revocation_endpoint"}
        document = {"issuer": self.issuer, "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": [self.algorithm],
                    "token_endpoint_auth_methods_supported": list(self.methods),
                    **{members[n]: u for n, u in self.places.items() if n in members}, **self.document}
        if self.metadata is not None:
            document = self.metadata(document)
        return Reply({n: v for n, v in document.items() if v is not None})

    def default_jwks(self, _):
        keys = self.jwks_keys or [self.key.jwk(use="sig", alg=self.algorithm)]
        return Reply({"keys": [{n: v for n, v in {**key, **self.key_members}.items() if v is not None}
                               for key in keys]})

    # ---- sign-in -----------------------------------------------------------------------------

    def objection(self, params):
        """An error that the browser brings back, or Refused."""

    def authorize(self, query):
        params = query_of(query)
        error = self.objection(params)
        if error:
            return f"{params['redirect_uri']}?{urllib.parse.urlencode({'error': error, 'state': params['state']})}"
        return super().authorize(query) + "".join(
            f"&{name}={urllib.parse.quote(value, safe='')}" for name, value in self.answers.items())

    def asked(self, grant):
        return grant["params"].get("scope", "").split(" ")

    def knows(self, grant, names):
        """What the scopes give, of these claims."""
        return {n: v for n, v in grant["user"].items() if names is None or n in names}

    def id_token(self, grant, access="", code="", change=None):
        now = int(time.time()) + self.offset
        nonce = grant.setdefault("nonce", grant["params"].get("nonce"))
        claims = {"iss": self.issuer, "aud": self.client_id, "exp": now + self.lifetime, "iat": now,
                  **self.knows(grant, self.id_token_names), "sub": grant["user"]["sub"]}
        if nonce and (change is None and "nonce" in grant["params"] or self.nonce_again):
            claims["nonce"] = nonce
        claims = self.shape(claims, grant, access)
        if self.claims is not None:
            claims = self.claims(claims)
        if change is not None:
            claims = change(claims)
        grant["claims"] = claims
        key = self.client_secret if self.alg.startswith("HS") else self.key
        token = forge.signed({"alg": self.alg, "typ": "JWT", "kid": getattr(key, "kid", "none")}, claims, key, self.alg)
        self.canary(token, "id token")
        return token

    def shape(self, claims, _grant, _access):
        """What else the vendor puts into an ID token."""
        return claims

    def gives_refresh(self, grant):
        return self.refresh_scope is None or self.refresh_scope in self.asked(grant)

    def token_answer(self, grant, code):
        self.refresh_tokens = self.gives_refresh(grant)
        body = super().token_answer(grant, code)
        return body if isinstance(body, Reply) else {**body, "expires_in": self.access_lifetime}

    def refresh_answer(self, form, error):
        answer = super().refresh_answer(form, error)
        if answer.status == 200:
            answer = Reply({**answer.json(), "expires_in": self.access_lifetime}, headers=answer.headers)
        return answer

    def default_userinfo(self, request):
        token = (request.headers.get("authorization") or "").partition(" ")[2]
        grant = self.access.get(token)
        if grant is None:
            self._check(False, "userinfo request without a valid access token")
            return Reply({"error": "invalid_token"}, status=401)
        if self.dpop_key is not None:
            problem = self.dpop_problem(request, "userinfo", token)
            if problem is not None:
                return problem
        grant["userinfo"] = {**self.knows(grant, self.userinfo_names), "sub": grant["user"]["sub"]}
        grant["userinfo"] = self.shape_userinfo(grant["userinfo"])
        return Reply(grant["userinfo"])

    def shape_userinfo(self, body):
        return body

    # ---- sign-out ----------------------------------------------------------------------------

    def leave(self, location):
        """A browser at the end-session endpoint: where it is sent, None where it stays. Refused: an error page."""
        assert location.partition("?")[0] == self.url("logout"), location
        query = query_of(location)
        self.signed_out.append(query)
        if "id_token_hint" in query:
            self.canary(query["id_token_hint"], "id token hint")
        return self.end_session(query)

    def end_session(self, query):
        return query.get("post_logout_redirect_uri")

    def identity(self, _path, claims):
        user = next((claim_text(claims[n]) for n in self.names if claim_text(claims.get(n))), None)
        return {"remote-user": user, "remote-email": claim_text(claims.get("email")),
                "remote-name": claim_text(claims.get("name")), "remote-groups": claim_text(claims.get(self.groups))}


class GuideSite(Site):
    """The site of a guide. `change(code)`: the block otherwise than it stands there."""

    def __init__(self, vendor, change=None, number=0, **arguments):
        self.vendor, self.code = vendor, blocks_of(vendor.page)[number]
        if change is not None:
            before, self.code = self.code, change(self.code)
            assert self.code != before, "the guide has not what was to be changed"
        super().__init__(vendor.lab, providers={"company": (vendor, {})}, **{
            "control": False, "public": ("/signed-out",), "identity": vendor.identity,
            "own_paths": ("/oidc_callback", "/logout", "/oidc/frontchannel", "/oidc/backchannel"), **arguments})

    def render(self, **_):
        secret = self.folder / "secret"
        secret.write_text(self.vendor.client_secret)
        secret.chmod(0o600)
        code = self.code.replace("/etc/nginx/secrets/www", str(secret))
        code = re.sub(r"^ *ssl_certificate(?:_key)? .*\n", "", code, flags=re.M)
        code = code.replace("oidc_provider company {", "oidc_provider company {\n"
                            f"    http_proxy http://127.0.0.1:{self.vendor.proxy.port};\n"
                            f"    ssl_trusted_certificate {self.lab.pki.ca.file};")
        code = re.sub(r"listen +443 ssl;", "listen 127.0.0.1:@PORT@ ssl; @CERT@ oidc_base_url @ORIGIN@;", code)
        code = re.sub(r"(server_name +)www\.example\.com;", rf"\1{self.host};", code)
        return self.fill(code.replace("127.0.0.1:8080", "@BACKEND@"))

    def arrive(self, browser, target="/x"):
        """A sign-in until the answer to the callback, whatever it is."""
        url = browser.callback_url(browser.start(target), self.vendor)
        start = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        if not self.posts:
            return browser.callback(url)
        assert start, url
        path, _, body = url.partition("?")
        answer = browser.post(path, body.encode(), cross_site=True, headers={
            "Content-Type": "application/x-www-form-urlencoded", "Origin": self.vendor.origin})
        return browser.callback(self.path_of(answer.location)) if answer.status == 303 else answer

    @property
    def posts(self):
        return "response_mode form_post" in re.sub(" +", " ", self.code)

    def sign_in(self, target="/x"):
        """(browser, what the application got)."""
        browser = self.browser()
        answer = self.arrive(browser, target)
        assert not answer.from_backend and browser.onward(answer) == target, answer
        page = browser.get(target)
        assert page.from_backend, f"{page}\n{self.log_since_mark()}"
        return browser, next(h for h in reversed(self.hits()) if h.test_id == page.fields["X-Test-Id"])

    def refreshed(self, browser, target="/x", count=1):
        """The application is asked until the session has been refreshed so many times."""
        def done():
            page = browser.get(target)
            assert page.from_backend, f"{page}\n{self.log_since_mark()}"
            return len(self.vendor.refreshes) >= count
        self.wait(done, "a refresh", timeout=15)
        # What the answer has brought counts soon after.
        time.sleep(0.3)
        page = browser.get(target)
        assert page.from_backend, f"{page}\n{self.log_since_mark()}"
        return next(h for h in reversed(self.hits()) if h.test_id == page.fields["X-Test-Id"])


def code_like(prefix, size=40):
    return lambda: prefix + secrets.token_urlsafe(size)
