# SPDX-License-Identifier: Apache-2.0
"""Everything about one provider."""

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
import time
import urllib.parse

from .connection import Url, check_life, look_up, shown_host
from .files import read_secret, read_text
from .keys import accepted_algorithms, check_keys, strings
from .metadata import (BY_TLS, ENDPOINTS, check_date, check_issuer, choose_method, document, not_answered,
                       usable_url, uses_par, uses_pkce, uses_request_object)
from .names import ask_resolver
from .report import About, Trouble
from .transport import Transport

BY_KEY = ("private_key_jwt", "client_assertion_file", *BY_TLS)
PUSHED = "pushed_authorization_request_endpoint"


# What the module decrypts.
ENCRYPTION_ALGS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_ENCS = ("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512")


class ProviderCheck:
    """Everything about one provider. `redirect_uri`: one that is registered, or None."""

    def __init__(self, provider, report, redirect_uri, resolvers, days, try_client=True):
        self.provider, self.redirect_uri, self.days = provider, redirect_uri, days
        self.resolvers, self.try_client = resolvers, try_client
        self.about = About(report, f"provider {provider.name}")
        self.data = {}
        self.urls = {}
        # Read by root, before the workers' user talks to anybody.
        self.secret = self.read_client_secret(report)
        self.transport = Transport(provider, self.about, report)
        self.jwks_text = None
        self.jwks_file = provider.path(provider.one("jwks_file"))
        if self.jwks_file:
            self.jwks_text = read_text(self.jwks_file, self.about, "jwks_file")

    def read_client_secret(self, report):
        text = self.provider.one("client_secret")
        if text is not None:
            report.hide(text)
            self.about.note("client_secret", "stands in the configuration, and so in nginx -T; "
                            "client_secret_file keeps it out")
            return text
        file = self.provider.path(self.provider.one("client_secret_file"))
        if not file:
            return ""
        return read_secret(file, self.about, "client_secret_file")

    def run(self):
        about, provider = self.about, self.provider
        if not provider.issuer:
            about.wrong("issuer", "there is none")
            return
        if self.about.attempt("issuer", usable_url, provider.issuer, "issuer",
                              self.transport.insecure) is None:
            return
        if provider.needs_metadata:
            found = about.attempt("metadata", self.metadata)
            if found is None:
                return
        for name in (*ENDPOINTS, *[PUSHED] * uses_par(provider, self.data)):
            about.attempt(name, self.place, name)
        self.names()
        algorithms, said_by = accepted_algorithms(provider, self.data)
        keys = about.attempt("keys", self.keys)
        if keys is not None:
            check_keys(about, provider, keys, algorithms, said_by)
        self.features()
        for check, function in (("authorization_endpoint", self.authorization),
                                ("userinfo_endpoint", self.userinfo),
                                ("end_session_endpoint", self.end_session),
                                ("revocation_endpoint", self.revocation),
                                ("client authentication", self.client_authentication)):
            about.attempt(check, function)

    # ---- documents

    def metadata(self):
        url = usable_url(self.provider.metadata_url(), "config_url", self.transport.insecure)
        self.names_of([url])
        data, answer = document(self.transport, "config_url", url)
        if url.scheme == "https":
            self.about.ok("TLS", f"{shown_host(url.host, url.port)} is verified")
            check_life(self.about, f"of {shown_host(url.host, url.port)}", answer.cert, self.days)
        check_issuer(self.provider, data)
        self.about.ok("metadata", f"{url.short} is of issuer {self.provider.issuer}")
        check_date(self.about, self.provider, answer)
        self.data = data
        return data

    def advertised(self, name):
        said = self.data.get(name)
        if isinstance(said, str) and said != self.urls[name].text:
            return f"the metadata have {said}"
        return ""

    def place(self, name):
        text = self.provider.one(name) or self.data.get(name)
        asked = name == "userinfo_endpoint" and self.provider.on("userinfo") or \
            name == "revocation_endpoint" and self.provider.on("revoke_on_logout") or name == PUSHED
        if name == "jwks_uri" and self.jwks_file:
            return
        if not text and (asked or name in ENDPOINTS[:3]):
            raise Trouble("neither the metadata nor the configuration name it", f"give {name}")
        if text and (name != "revocation_endpoint" or asked):
            if not isinstance(text, str):
                raise Trouble("the metadata have something else than a string")
            self.urls[name] = usable_url(text, name, self.transport.insecure)

    def names(self):
        """Of the endpoints that lie elsewhere."""
        known = Url(self.provider.metadata_url()).host if self.provider.needs_metadata else None
        self.names_of([u for u in self.urls.values() if u.host != known])

    def names_of(self, urls):
        if self.transport.proxy is not None:
            urls = [self.transport.proxy]  # the proxy looks the others up
        for host, port in dict.fromkeys((u.host, u.port) for u in urls):
            try:
                ipaddress.ip_address(host)
                continue
            except ValueError:
                pass
            found = self.about.attempt("names", look_up, host, port)
            if found:
                shown = ", ".join(dict.fromkeys(a[0] for _, a in found))
                self.about.ok("names", f"{host} is {shown}")
            for server, at in self.resolvers:
                self.ask_resolver(server, at, host, bool(found))

    def ask_resolver(self, server, port, host, known):
        where = f"resolver {shown_host(server, port)}"
        try:
            found = ask_resolver(server, port, host)
        except (OSError, UnicodeError):
            self.about.note("names", f"{where} does not answer; the module asks the system only")
            return
        if not found and known:
            self.about.note("names", f"{where} has no {host}; the module asks the system only")
        elif found and not known:
            self.about.note("names", f"{where} has {host}, the system has not; the module asks the "
                            "system only")
        elif found:
            self.about.ok("names", f"{where}: {host} is {', '.join(found)}")

    def keys(self):
        if self.jwks_file:
            try:
                data = json.loads(self.jwks_text or "")
            except ValueError:
                data = None
            if not isinstance(data, dict):
                raise Trouble(f"{self.jwks_file} is no JSON object", "correct jwks_file",
                              unknown=self.jwks_text is None)
            return data
        url = self.urls.get("jwks_uri")
        if url is None:
            return None
        data, answer = document(self.transport, "jwks_uri", url, self.advertised("jwks_uri"))
        if url.host != Url(self.provider.metadata_url()).host:
            check_life(self.about, f"of {shown_host(url.host, url.port)}", answer.cert, self.days)
        return data

    def features(self):
        """What the metadata ask that the module cannot do, or what it asks that they do not offer."""
        if self.data.get("require_pushed_authorization_requests") is True and \
                not uses_par(self.provider, self.data):
            self.about.wrong("metadata", "the provider demands pushed authorization requests of "
                             "everybody, and par is off", "par auto")
        if self.data.get("require_signed_request_object") is True and \
                not uses_request_object(self.provider, self.data):
            self.about.wrong("metadata", "the provider demands signed request objects of everybody",
                             "client_key, with which they are signed, and request_object auto")
        self.not_offered()
        offered = strings(self.data, "scopes_supported")
        missing = [s for s in self.provider.scope if offered and s not in offered]
        if missing:
            self.about.note("scope", f"the metadata do not list {', '.join(missing)}; they need not, "
                            "but some providers refuse a scope that they do not know")

    def not_offered(self):
        """What the configuration asks for and the metadata say that the provider does not know."""
        mode = self.provider.one("response_mode", "query")
        modes = strings(self.data, "response_modes_supported")
        if modes and mode not in modes:
            self.about.wrong("metadata", f"the provider offers no response_mode {mode}, but "
                             f"{', '.join(modes)}", "response_mode")
        if uses_request_object(self.provider, self.data) and \
                self.data.get("request_parameter_supported") is False:
            self.about.wrong("metadata", "the provider takes no request objects by value",
                             "request_object off")
        if self.provider.one("dpop_key") and self.data and \
                not strings(self.data, "dpop_signing_alg_values_supported"):
            self.about.note("metadata", "the provider does not say that it knows DPoP; what it then gives "
                            "are bearer tokens, which the module refuses beside dpop_key")
        self.encryption()

    def encryption(self):
        """Whether the provider encrypts ID tokens in a way that the key can open."""
        words = self.provider.words("id_token_encryption_key")
        if not words or not self.data:
            return
        for what, known in (("alg", ENCRYPTION_ALGS), ("enc", ENCRYPTION_ENCS)):
            wanted = [w.removeprefix(f"{what}=") for w in words[1:] if w.startswith(f"{what}=")] or known
            offered = strings(self.data, f"id_token_encryption_{what}_values_supported")
            if not offered:
                self.about.note("metadata", f"the provider does not say with which {what} it encrypts ID tokens; "
                                "one that is not encrypted is refused beside id_token_encryption_key")
            elif not set(offered) & set(wanted):
                self.about.wrong("metadata", f"the provider encrypts ID tokens with no {what} of {', '.join(wanted)}, "
                                 f"but {', '.join(offered)}", "id_token_encryption_key")

    # ---- endpoints

    def authorization(self):
        """As a browser would begin a sign-in, but with prompt=none and without a cookie, so that
        nothing comes of it."""
        url = self.urls.get("authorization_endpoint")
        if url is None:
            return
        query = {"response_type": "code", "scope": " ".join(self.provider.scope), "prompt": "none",
                 "client_id": self.provider.client_id, "redirect_uri": self.redirect_uri,
                 "state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32)}
        if uses_pkce(self.provider, self.data):
            digest = hashlib.sha256(secrets.token_urlsafe(32).encode()).digest()
            query |= {"code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
                      "code_challenge_method": "S256"}
        whole = bool(self.provider.client_id and self.redirect_uri)
        if uses_request_object(self.provider, self.data):
            self.about.note("authorization_endpoint", "requests are signed, which only a sign-in tries")
            return
        if whole and uses_par(self.provider, self.data):
            query = self.pushed(query)
            if query is None:
                self.about.note("authorization_endpoint", "requests are pushed, which only a sign-in tries")
                return
        asked = url
        if whole:
            asked = Url(url.text + ("&" if "?" in url.text else "?") + urllib.parse.urlencode(query))
        answer = self.transport.ask("GET", asked, {"Accept": "text/html"})
        location = urllib.parse.urljoin(url.text, answer.header("Location"))
        if answer.status in (302, 303) and whole and \
                location.partition("?")[0] == self.redirect_uri.partition("?")[0]:
            self.authorization_answer(url, location)
        elif answer.status in (301, 307, 308) or answer.status in (404, 405, 410, 429) \
                or answer.status >= 500 or answer.status in (302, 303) and self.same_page(url, location):
            raise not_answered("authorization_endpoint", url, answer,
                               self.advertised("authorization_endpoint"))
        elif whole and 400 <= answer.status < 500:
            raise Trouble(f"{url.short} answers {answer.status} to a sign-in of client "
                          f'"{self.provider.client_id}" with redirect URI {self.redirect_uri}',
                          "register both there exactly so: the provider's own page says what it misses")
        elif whole:
            self.about.note("authorization_endpoint", f"{url.short} answers {answer.status}; whether "
                            f"client and redirect URI {self.redirect_uri} are registered shows at a "
                            "sign-in only")
        else:
            self.about.ok("authorization_endpoint", f"{url.short} answers {answer.status}")

    def pushed(self, query):
        """What the browser brings of a request that was pushed (RFC 9126); None: nobody can here."""
        url = self.urls.get(PUSHED)
        method = choose_method(self.provider, self.data, bool(self.secret))
        if url is None or not self.try_client or self.secret is None or \
                method in BY_KEY:
            return None
        form = dict(query)
        headers = self.authenticate(method, form)
        answer = self.transport.ask("POST", url, headers, urllib.parse.urlencode(form).encode())
        data = answer.json() or {}
        name = data.get("request_uri")
        if answer.status in (200, 201) and isinstance(name, str):
            self.about.ok(PUSHED, f"{url.short} takes a sign-in of this client")
            return {"client_id": self.provider.client_id, "request_uri": name}
        error = data.get("error")
        if error not in (*self.KNOWN_ERRORS, *self.REFUSALS, "invalid_redirect_uri", "invalid_target"):
            raise not_answered(PUSHED, url, answer, self.advertised(PUSHED))
        raise Trouble(f"{url.short} answers {answer.status} {error} to a sign-in of client "
                      f'"{self.provider.client_id}" with redirect URI {self.redirect_uri}',
                      self.REFUSALS.get(error, "compare with the registration"),
                      unknown=error in ("server_error", "temporarily_unavailable", "slow_down"))

    @staticmethod
    def same_page(url, location):
        """A redirect that only mends the address."""
        other = urllib.parse.urlsplit(location)
        mine = urllib.parse.urlsplit(url.text)
        return other.path.rstrip("/") == mine.path.rstrip("/") and \
            (other.path != mine.path or other.scheme != mine.scheme or other.netloc != mine.netloc)

    EXPECTED = ("login_required", "interaction_required", "consent_required",
                "account_selection_required")
    REFUSALS = {
        "invalid_scope": "the scopes of the configuration are not all registered for this client",
        "unauthorized_client": "the client may not use the authorization code flow",
        "unsupported_response_type": "the client may not use the authorization code flow",
        "invalid_request": "the provider wants something else in the request: see its log",
        "access_denied": "the provider's policy for this client",
    }

    def authorization_answer(self, url, location):
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        error = answer.get("error", "")
        registered = f"{url.short} knows the client and redirect URI {self.redirect_uri}"
        if error in self.REFUSALS:
            raise Trouble(f"{url.short} refuses a sign-in: {error}", self.REFUSALS[error])
        if error in ("server_error", "temporarily_unavailable"):
            raise Trouble(f"{url.short} refuses a sign-in: {error}", "try again later", unknown=True)
        iss = answer.get("iss")
        if iss is not None and iss != self.provider.issuer:
            raise Trouble(f'{url.short} answers as issuer "{iss}"', f"issuer {iss}")
        if iss is None and self.data.get("authorization_response_iss_parameter_supported") is True:
            raise Trouble(f"{url.short} answers without iss, which its metadata promise (RFC 9207)",
                          "the module refuses such an answer; correct the provider's metadata")
        self.about.ok("authorization_endpoint", registered)

    def userinfo(self):
        url = self.urls.get("userinfo_endpoint")
        if url is None or not self.provider.on("userinfo"):
            return
        answer = self.transport.ask("GET", url)
        if answer.status not in (400, 401, 403):
            if answer.status == 200:
                raise Trouble(f"{url.short} answers 200 to somebody without a token",
                              self.advertised("userinfo_endpoint") or "correct userinfo_endpoint")
            raise not_answered("userinfo_endpoint", url, answer, self.advertised("userinfo_endpoint"))
        self.about.ok("userinfo_endpoint", f"{url.short} wants a token ({answer.status})")

    def end_session(self):
        url = self.urls.get("end_session_endpoint")
        if not self.provider.one("logout_uri"):
            return
        if url is None:
            self.about.note("end_session_endpoint", "there is none: a logout ends the session here and "
                            "not the provider's")
            return
        answer = self.transport.ask("GET", url, {"Accept": "text/html"})
        location = urllib.parse.urljoin(url.text, answer.header("Location"))
        if answer.status in (301, 308, 404, 405, 410, 429) or answer.status >= 500 \
                or answer.status in (302, 303, 307) and self.same_page(url, location):
            raise not_answered("end_session_endpoint", url, answer,
                               self.advertised("end_session_endpoint"))
        self.about.ok("end_session_endpoint", f"{url.short} answers {answer.status}")

    def revocation(self):
        """Not with a POST: that would be a request to revoke."""
        url = self.urls.get("revocation_endpoint")
        if url is None:
            return
        answer = self.transport.ask("GET", url)
        if answer.status in (301, 302, 303, 307, 308, 404, 410, 429) or answer.status >= 500:
            raise not_answered("revocation_endpoint", url, answer,
                               self.advertised("revocation_endpoint"))
        self.about.ok("revocation_endpoint", f"{url.short} answers {answer.status} to GET")

    # ---- the one request that no sign-in makes

    KNOWN_ERRORS = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
                    "unsupported_grant_type", "invalid_scope", "server_error",
                    "temporarily_unavailable", "slow_down")

    def client_assertion(self):
        """Of client_secret_jwt, as the module makes it."""
        audience = self.provider.one("client_assertion_audience", "issuer")
        audience = {"issuer": self.provider.issuer, "token_endpoint": self.urls["token_endpoint"].text
                    }.get(audience, audience)
        now, client = int(time.time()), self.provider.client_id
        claims = {"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 60,
                  "jti": secrets.token_urlsafe(16)}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
                 for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        mac = hmac.digest(self.secret.encode(), b".".join(parts), "sha256")
        return b".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()

    def authenticate(self, method, form):
        """Adds what the client proves itself by to the form; the headers that go with it."""
        client_id = self.provider.client_id
        if method == "client_secret_basic":
            pair = ":".join(urllib.parse.quote_plus(x, safe="") for x in (client_id, self.secret))
            encoded = base64.b64encode(pair.encode()).decode()
            self.about.report.hide(encoded)
            return {"Authorization": f"Basic {encoded}"}
        form["client_id"] = client_id
        if method == "client_secret_post":
            form["client_secret"] = self.secret
        elif method == "client_secret_jwt":
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self.client_assertion()
            self.about.report.hide(form["client_assertion"])
        return {}

    def client_authentication(self):
        url = self.urls.get("token_endpoint")
        if url is None or not self.provider.client_id:
            return
        if not self.try_client:
            self.about.note("client authentication", "left out")
            return
        if self.secret is None:
            raise Trouble("the client secret could not be read, see above", unknown=True)
        method = choose_method(self.provider, self.data, bool(self.secret))
        if method in BY_KEY:
            self.about.note("client authentication", "is by a private key, which only a sign-in tries")
            return
        form = {"grant_type": "authorization_code", "code": "auth-oidc-check-" + secrets.token_hex(16),
                "redirect_uri": self.redirect_uri or "https://localhost/oidc_callback"}
        if uses_pkce(self.provider, self.data):
            form["code_verifier"] = secrets.token_urlsafe(32)
        headers = self.authenticate(method, form)
        self.about.note("client authentication", f"a made-up code goes to {url.short} ({method})")
        answer = self.transport.ask("POST", url, headers, urllib.parse.urlencode(form).encode())
        data = answer.json() or {}
        error = data.get("error")
        if error not in self.KNOWN_ERRORS:  # whatever else stands there is not repeated
            error = None
        told = f"{url.short} answers {answer.status}" + (f" {error}" if error else "")
        if error == "invalid_grant":
            self.about.ok("client authentication", f"{told}: the client is known, the code is not")
        elif error == "invalid_client" or answer.status == 401:
            offered = strings(self.data, "token_endpoint_auth_methods_supported") or []
            other = [m for m in ("client_secret_basic", "client_secret_post", "none")
                     if m in offered and m != method]
            raise Trouble(f"{told} to {method}: client_id, client_secret or the method is wrong",
                          "compare with the registration" + (f"; the metadata also offer "
                                                             f"{', '.join(other)}" if other else ""))
        elif error == "unauthorized_client":
            raise Trouble(told, "the client is not registered for the authorization code grant, or for "
                          f"another method than {method}")
        elif error == "unsupported_grant_type":
            raise Trouble(told, "register the client for the authorization code grant")
        elif answer.status == 200:
            raise Trouble(f"{told}: it takes any code", "is it a token endpoint?")
        elif error in ("server_error", "temporarily_unavailable", "slow_down"):
            raise Trouble(told, "try again later", unknown=True)
        elif error or answer.status == 403:
            raise Trouble(f"{told}, so it cannot be told whether the client is known",
                          "the provider's log says more", unknown=True)
        else:
            raise not_answered("token_endpoint", url, answer, self.advertised("token_endpoint"))
