# SPDX-License-Identifier: Apache-2.0
"""Everything about one provider."""

import base64
import contextlib
import hashlib
import ipaddress
import json
import secrets
import urllib.parse

from .client import Client
from .connection import Url, look_up, shown_host
from .files import read_text
from .keys import accepted_algorithms, check_keys, strings
from .metadata import (BY_TLS, ENDPOINTS, check_date, check_issuer, choose_method, document, not_answered,
                       usable_url, uses_par, uses_pkce, uses_request_object)
from .names import ask_resolver
from .offers import check_offers
from .report import About, Trouble
from .transport import Transport

BY_KEY = ("private_key_jwt", "client_assertion_file", *BY_TLS)
PUSHED = "pushed_authorization_request_endpoint"
INTROSPECTION = "introspection_endpoint"
# What extra_auth_args cannot say (src/authz_request.cpp), beside what the request has anyway.
RESERVED = ("client_secret", "nonce", "code_challenge", "code_challenge_method", "response_mode", "request", "request_uri",
            "code_verifier", "dpop_jkt", "client_assertion", "client_assertion_type")
# What the module calls itself, with the client's certificate where it has one.
CALLED = ("token_endpoint", "userinfo_endpoint", "revocation_endpoint", INTROSPECTION, PUSHED)


class ProviderCheck:
    """Everything about one provider. `redirect_uri`: one that is registered, or None."""

    def __init__(self, provider, report, redirect_uri, resolvers, days, try_client=True):
        self.provider, self.redirect_uri, self.days = provider, redirect_uri, days
        self.resolvers, self.try_client = resolvers, try_client
        self.about = About(report, f"provider {provider.name}")
        self.data = {}
        self.urls = {}
        # Read by root, before the workers' user talks to anybody.
        self.client = Client(provider, self.about, days)
        self.transport = Transport(provider, self.about, report, days)
        self.jwks_text = None
        self.jwks_file = provider.path(provider.one("jwks_file"))
        if self.jwks_file:
            self.jwks_text = read_text(self.jwks_file, self.about, "jwks_file")

    def run(self):
        about, provider = self.about, self.provider
        self.client.as_worker()
        self.transport.as_worker()
        if not provider.issuer:
            about.wrong("issuer", "there is none", "issuer, as the provider's metadata write it")
            return
        if self.about.attempt("issuer", usable_url, provider.issuer, "issuer",
                              self.transport.insecure) is None:
            return
        if provider.needs_metadata:
            found = about.attempt("metadata", self.metadata)
            if found is None:
                return
        self.endpoint_hosts()
        if not provider.signs_in:
            self.source()
            return
        asks = [INTROSPECTION] if provider.introspects or provider.one(INTROSPECTION) else []
        for name in (*ENDPOINTS, *[PUSHED] * uses_par(provider, self.data), *asks):
            about.attempt(name, self.place, name)
        self.names()
        self.published()
        check_offers(about, provider, self.data, self.client)
        for check, function in (("authorization_endpoint", self.authorization),
                                ("userinfo_endpoint", self.userinfo),
                                ("end_session_endpoint", self.end_session),
                                ("revocation_endpoint", self.revocation),
                                (INTROSPECTION, self.introspection),
                                ("client authentication", self.client_authentication)):
            about.attempt(check, function)
        about.attempt("clock", self.first_answer)

    def published(self):
        algorithms, said_by = accepted_algorithms(self.provider, self.data)
        keys = self.about.attempt("keys", self.keys)
        if keys is not None:
            check_keys(self.about, self.provider, keys, algorithms, said_by)

    # ---- a source of claims, at which nobody signs in

    def source(self):
        """The module reads its metadata as any provider's, so they name all endpoints; it asks for the keys alone."""
        for name in ENDPOINTS[:3]:
            self.about.attempt(name, self.place, name)
        self.urls = {n: u for n, u in self.urls.items() if n == "jwks_uri"}
        self.names()
        self.published()
        self.about.attempt("clock", self.first_answer)

    def endpoint_hosts(self):
        """Where claims are fetched, as far as that shows without a token."""
        for host in self.provider.endpoint_hosts:
            url = self.about.attempt("endpoint_host", Url, f"https://{host}/")
            if url is not None:
                self.names_of([url])
                self.about.attempt("endpoint_host", self.reach, url)

    def reach(self, url):
        if self.transport.insecure and url.loopback:
            url = Url(f"http://{url.authority}/")
        sock = self.transport.open(url)
        with contextlib.closing(getattr(sock, "sock", sock)):
            if url.scheme == "https":
                self.transport.life(url, sock)
        self.about.ok("endpoint_host", f"{shown_host(url.host, url.port)} is " + (
            "verified" if url.scheme == "https" else "there"))

    # ---- documents

    def metadata(self):
        url = usable_url(self.provider.metadata_url(), "config_url", self.transport.insecure)
        self.names_of([url])
        data, answer = document(self.transport, "config_url", url)
        self.verified(url)
        check_issuer(self.provider, data)
        self.about.ok("metadata", f"{url.short} is of issuer {self.provider.issuer}")
        check_date(self.about, self.provider, answer)
        self.data = data
        return data

    def advertised(self, name):
        said = self.data.get(name)
        if self.provider.one(name) and isinstance(said, str) and said != self.urls[name].text:
            return f"the metadata have {said}"
        return ""

    @property
    def by_tls(self):
        return self.provider.one("token_endpoint_auth_method") in BY_TLS

    def alias(self, name):
        """Where a client that is known by its certificate is asked for it (RFC 8705 5)."""
        aliases = self.data.get("mtls_endpoint_aliases") if self.by_tls and name in CALLED else None
        if aliases is not None and not isinstance(aliases, dict):
            raise Trouble("mtls_endpoint_aliases of the metadata is no object", f"give {name}, and tell those who run the "
                          "provider")
        return (aliases or {}).get(name)

    def shown(self, name):
        """The context of requests that bring the certificate; None: of those that need none."""
        if not self.by_tls or name not in CALLED:
            return None
        lacks = self.client.lacks(self.provider.one("token_endpoint_auth_method"))
        if lacks:
            raise Trouble(f"{lacks} could not be read", "see its own line", unknown=True)
        return self.transport.with_certificate(self.client.certificate, self.client.keys["client_key"])

    def place(self, name):
        asked = name == "userinfo_endpoint" and self.provider.on("userinfo") or \
            name == "revocation_endpoint" and self.provider.on("revoke_on_logout") or name == PUSHED or \
            name == INTROSPECTION and self.provider.introspects
        if name == "jwks_uri" and self.jwks_file:
            return
        text = self.provider.one(name) or (asked or name == "token_endpoint") and self.alias(name) or self.data.get(name)
        if not text and (asked or name in ENDPOINTS[:3]):
            raise Trouble("neither the metadata nor the configuration name it", f"give {name}" + (
                "" if self.provider.signs_in or name == "jwks_uri" else
                ", any address of https: the module wants one also of a claim_source, and asks nobody there"))
        if text and (name != "revocation_endpoint" or asked):
            if not isinstance(text, str):
                raise Trouble("the metadata have something else than a string",
                              f"give {name}, and tell those who run the provider")
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
        data, _ = document(self.transport, "jwks_uri", url, self.advertised("jwks_uri"))
        return data

    def verified(self, url):
        if url.scheme == "https":
            self.about.ok("TLS", f"{shown_host(url.host, url.port)} is verified")

    def first_answer(self):
        """What the metadata tell of TLS and the clock, where none are fetched."""
        if not self.provider.needs_metadata and self.transport.first:
            url, answer = self.transport.first
            self.verified(url)
            check_date(self.about, self.provider, answer)

    # ---- endpoints

    def authorization(self):
        """As a browser would begin a sign-in, but with prompt=none and without a cookie, so that
        nothing comes of it."""
        url = self.urls.get("authorization_endpoint")
        if url is None:
            return
        query = self.request()
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
            asked = Url(url.text + ("&" if "?" in url.text else "?") + urllib.parse.urlencode(query, doseq=True))
        answer = self.transport.ask("GET", asked, {"Accept": "text/html"})
        location = answer.location(url)
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

    def request(self):
        """The parameters of a sign-in, without those that hang on variables."""
        provider = self.provider
        query = {"response_type": "code", "scope": " ".join(provider.scope), "prompt": "none",
                 "client_id": provider.client_id, "redirect_uri": self.redirect_uri,
                 "state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32)}
        if provider.one("nonce") == "off":
            del query["nonce"]
        if uses_pkce(provider, self.data):
            digest = hashlib.sha256(secrets.token_urlsafe(32).encode()).digest()
            query |= {"code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
                      "code_challenge_method": "S256"}
        more = {**dict(urllib.parse.parse_qsl(provider.one("extra_auth_args", ""))), "claims": provider.one("claims", ""),
                "acr_values": " ".join(provider.words("acr_values"))}
        if provider.words("resource"):
            more["resource"] = provider.words("resource")
        return {**{n: v for n, v in more.items() if v and "$" not in v and n not in RESERVED}, **query}

    def pushed(self, query):
        """What the browser brings of a request that was pushed (RFC 9126); None: nobody can here."""
        url = self.urls.get(PUSHED)
        method = choose_method(self.provider, self.data, self.client.secret)
        if url is None or not self.try_client or self.client.lacks(method):
            return None
        answer = self.post(PUSHED, method, dict(query))
        data = answer.json() or {}
        name = data.get("request_uri")
        if answer.status in (200, 201) and isinstance(name, str):
            self.about.ok(PUSHED, f"{url.short} takes a sign-in of this client")
            return {"client_id": self.provider.client_id, "request_uri": name}
        error = data.get("error")
        if error not in (*self.KNOWN_ERRORS, *self.REFUSALS, "invalid_redirect_uri"):
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
        "invalid_target": "resource: the provider does not know all of them, takes one only, or not from this client",
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
        if iss is not None and iss not in self.provider.issuers:
            raise Trouble(f'{url.short} answers as issuer "{iss}"', f"issuer {iss}" if not self.provider.tenants else
                          "list its tenant in issuer_template, if its users are meant")
        if iss is None and self.data.get("authorization_response_iss_parameter_supported") is True:
            raise Trouble(f"{url.short} answers without iss, which its metadata promise (RFC 9207)",
                          "the module refuses such an answer; correct the provider's metadata")
        if error and error not in self.EXPECTED:
            self.about.note("authorization_endpoint", f"{registered}, but has an error that a sign-in without a session "
                            "does not explain", "the provider's log says more")
        else:
            self.about.ok("authorization_endpoint", registered)

    def userinfo(self):
        url = self.urls.get("userinfo_endpoint")
        if url is None or not self.provider.on("userinfo"):
            return
        by_post = self.provider.one("userinfo_token_method") == "body"
        answer = self.transport.ask("POST" if by_post else "GET", url, None, b"" if by_post else None,
                                    self.shown("userinfo_endpoint"))
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
        location = answer.location(url)
        if answer.status in (301, 308, 404, 405, 410, 429) or answer.status >= 500 \
                or answer.status in (302, 303, 307) and self.same_page(url, location):
            raise not_answered("end_session_endpoint", url, answer,
                               self.advertised("end_session_endpoint"))
        self.about.ok("end_session_endpoint", f"{url.short} answers {answer.status}")

    def revocation(self):
        self.answers("revocation_endpoint")

    def introspection(self):
        self.answers(INTROSPECTION)

    def answers(self, name):
        """Not with a POST: that would be a request to revoke, or a question."""
        url = self.urls.get(name)
        if url is None:
            return
        answer = self.transport.ask("GET", url, None, None, self.shown(name))
        told = f"{url.short} answers {answer.status}"
        if answer.status in (404, 410):  # where POST alone is routed as well
            error = (answer.json() or {}).get("error")
            if error in (*self.KNOWN_ERRORS, "invalid_token", "unsupported_token_type"):
                self.about.ok(name, f"{told} {error} to GET, as an endpoint for POST alone may")
                return
            if url.text in (self.data.get(name), self.alias(name)):
                self.about.note(name, f"{told} to GET; the metadata name it, whether it takes a POST shows in use only")
                return
        if answer.status in (301, 302, 303, 307, 308, 404, 410, 429) or answer.status >= 500:
            raise not_answered(name, url, answer, self.advertised(name))
        self.about.ok(name, f"{told} to GET")

    # ---- the one request that no sign-in makes

    KNOWN_ERRORS = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
                    "unsupported_grant_type", "invalid_scope", "server_error",
                    "temporarily_unavailable", "slow_down")

    def post(self, name, method, form):
        """A form to an endpoint, with what the client proves itself by."""
        url = self.urls[name]
        headers = self.client.authenticate(method, form, self.urls["token_endpoint"].text)
        return self.transport.ask("POST", url, headers, urllib.parse.urlencode(form, doseq=True).encode(), self.shown(name))

    def client_authentication(self):
        url = self.urls.get("token_endpoint")
        if url is None or not self.provider.client_id:
            return
        if not self.try_client:
            self.about.note("client authentication", "left out")
            return
        if self.client.secret is None:
            raise Trouble("the client secret could not be read", "see its own line", unknown=True)
        method = choose_method(self.provider, self.data, self.client.secret)
        lacks = self.client.lacks(method)
        if lacks:
            raise Trouble(f"{lacks} could not be read", "see its own line", unknown=True)
        form = {"grant_type": "authorization_code", "code": "auth-oidc-check-" + secrets.token_hex(16),
                "redirect_uri": self.redirect_uri or "https://localhost/oidc_callback"}
        if uses_pkce(self.provider, self.data):
            form["code_verifier"] = secrets.token_urlsafe(32)
        self.about.note("client authentication", f"a made-up code goes to {url.short} ({method})")
        answer = self.post("token_endpoint", method, form)
        data = answer.json() or {}
        error = data.get("error")
        if error not in self.KNOWN_ERRORS:  # whatever else stands there is not repeated
            error = None
        told = f"{url.short} answers {answer.status}" + (f" {error}" if error else "")
        if error == "invalid_grant":
            self.about.ok("client authentication", f"{told}: the client is known, the code is not")
        elif error == "invalid_client" or answer.status == 401:
            by_key = method in BY_KEY
            offered = strings(self.data, "token_endpoint_auth_methods_supported") or []
            other = [m for m in ("client_secret_basic", "client_secret_post", "none")
                     if m in offered and m != method]
            what = "what the client proves itself by" if by_key else "client_secret"
            raise Trouble(f"{told} to {method}: client_id, {what} or the method is wrong",
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
