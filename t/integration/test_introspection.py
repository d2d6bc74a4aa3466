# SPDX-License-Identifier: Apache-2.0
"""Access tokens that say nothing: the provider is asked about them (RFC 7662)."""

import re
import secrets
import threading
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import passes
from harness.site import Site
from harness.wire import Reply
from test_upgraded import UPGRADE, closed_within, web_socket

AUDIENCE = "https://api.app.test"
LOCATIONS = f"""\
    location /api/ {{ auth_oidc_bearer introspection; auth_oidc_bearer_audience {AUDIENCE} robot-client;
                      auth_oidc_header Remote-User $oidc_user; auth_oidc_header Remote-Groups $oidc_claim_groups;
                      auth_oidc_header X-Client $oidc_claim_client_id; proxy_pass http://@BACKEND@;
        location /api/write/ {{ auth_oidc_bearer_scope write; proxy_pass http://@BACKEND@; }}
        location /api/other/ {{ auth_oidc_bearer_audience https://other.app.test; proxy_pass http://@BACKEND@; }}
        location /api/staff/ {{ auth_oidc_require_claim groups any staff; proxy_pass http://@BACKEND@; }}
        location /api/ws {{ proxy_pass http://@BACKEND@; {UPGRADE} }}
    }}
    location /auto/ {{ auth_oidc_bearer auto; auth_oidc_bearer_audience {AUDIENCE} robot-client;
                       auth_oidc_header Remote-User $oidc_user; proxy_pass http://@BACKEND@; }}
    location /jwt/ {{ auth_oidc_bearer on; auth_oidc_bearer_audience {AUDIENCE}; proxy_pass http://@BACKEND@; }}
"""
PUBLIC = ("/public/", "/api/", "/auto/", "/jwt/")
CACHE = "1m time=2s inactive=1s"


def make(make_site, **directives):
    return make_site(locations=LOCATIONS, public=PUBLIC, control=False, directives={
        "introspection_cache": CACHE, "read_timeout": "2s", **directives})


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, locations=LOCATIONS, public=PUBLIC,
              directives={"introspection_cache": CACHE, "read_timeout": "2s"}) as site:
        yield site


def ask(site, token, path="/api/x", browser=None, scheme="Bearer"):
    site.state.check_hits = False  # which know sessions alone: each test looks at its hits
    browser = browser or site.browser()
    return browser.request("GET", path, kind="none", headers={"Authorization": f"{scheme} {token}"})


def reasons(site):
    return re.findall(r'oidc: token at provider "idp" refused: ([a-z_]+)', site.log_since_mark())


def refused(site, answer, reason, status=401):
    assert answer.status == status and not answer.from_backend, f"{answer}\n{site.log_since_mark()}"
    assert answer.set_cookies() == [] and answer.json()["error"] == reason, answer
    told = answer.headers.get("www-authenticate")
    assert (told or "").startswith('Bearer error="invalid_token"') == (status == 401), answer
    assert (answer.headers.get("retry-after") is not None) == (status == 503), answer


def jwt(site, **changes):
    now = int(time.time())
    claims = {"iss": site.idp.issuer, "aud": AUDIENCE, "sub": "robot", "client_id": "c", "iat": now,
              "exp": now + 300, "jti": secrets.token_hex(8), **changes}
    return forge.signed({"alg": "RS256", "typ": "at+jwt", "kid": site.idp.key.kid}, claims, site.idp.key)


# ---- good ones -------------------------------------------------------------------------------

@case("K-30")
def test_a_good_token(site):
    token = site.idp.opaque_token(groups=["staff", "all"], preferred_username="robbie", aud=[AUDIENCE])
    hit = passes(site, ask(site, token), Remote_User="robbie", Remote_Groups="staff,all", X_Client="robot-client")
    assert hit.headers.get("authorization") is None
    request = site.idp.last("introspect")
    assert request.headers.get("accept") == "application/json"
    passes(site, ask(site, token, "/api/staff/"), Remote_User="robbie")
    assert ask(site, token, "/api/write/").json()["error"] == "insufficient_scope"
    refused(site, ask(site, token, "/api/other/"), "access_token_aud")
    assert site.idp.introspected == [token]  # once for all of them


@case("K-30")
def test_the_log_says_what_was_wrong(make_site):
    site = make(make_site)
    assert ask(site, site.idp.opaque_token(iss="https://evil.example")).status == 401
    assert reasons(site) == ["access_token_iss"] and "https://evil.example" in site.log_since_mark()


@case("K-30")
def test_without_aud_the_client_counts(site):
    passes(site, ask(site, site.idp.opaque_token()), Remote_User="robot")
    refused(site, ask(site, site.idp.opaque_token(client_id="game")), "access_token_aud")
    refused(site, ask(site, site.idp.opaque_token(client_id=None)), "access_token_aud")
    refused(site, ask(site, site.idp.opaque_token(aud="https://elsewhere.test")), "access_token_aud")


@case("K-30")
def test_what_is_a_jwt_is_not_asked_about(site):
    passes(site, ask(site, jwt(site), "/auto/"), Remote_User="robot")
    assert site.idp.introspected == []
    token = site.idp.opaque_token()
    passes(site, ask(site, token, "/auto/"), Remote_User="robot")
    assert site.idp.introspected == [token]
    refused(site, ask(site, token, "/jwt/"), "access_token_malformed")
    # Where the provider is asked about all of them, a JWT does not stand for itself.
    refused(site, ask(site, jwt(site)), "token_not_active")


@case("K-31")
def test_signed_answers(make_site):
    site = make(make_site, introspection_signed="on")
    site.idp.introspection_signed = True
    token = site.idp.opaque_token()
    passes(site, ask(site, token), Remote_User="robot")
    site.idp.introspection_signed = False
    refused(site, ask(site, site.idp.opaque_token()), "introspection_malformed", 502)


def change(**members):
    return lambda idp: setattr(idp, "introspection_claims",
                               lambda c: {k: v for k, v in {**c, **members}.items() if v is not None})


def head(**members):
    return lambda idp: setattr(idp, "introspection_header",
                               lambda h: {k: v for k, v in {**h, **members}.items() if v is not None})


@pytest.mark.parametrize("spoil", rows("K-31", {
    "issuer": change(iss="https://evil.example"), "no-issuer": change(iss=None), "audience": change(aud="other"),
    "no-iat": change(iat=None), "old": change(exp=1), "no-member": change(token_introspection=None),
    "text": change(token_introspection="yes"), "typ": head(typ="JWT"), "no-typ": head(typ=None),
    "access-token": head(typ="at+jwt"), "crit": head(crit=["x"]),
    "other-key": lambda idp: setattr(idp, "key", forge.Key.rsa("rsa")),
}))
def test_hostile_signed_answers(make_site, spoil):
    site = make(make_site, introspection_signed="on")
    site.idp.introspection_signed = True
    spoil(site.idp)
    refused(site, ask(site, site.idp.opaque_token()), "introspection_malformed", 502)
    assert site.hits() == []


# ---- hostile answers -------------------------------------------------------------------------

@pytest.mark.parametrize("answer, reason", rows("K-20", {
    "text": ({"active": "true"}, "introspection_malformed"), "number": ({"active": 1}, "introspection_malformed"),
    "null": ({"active": None}, "introspection_malformed"), "list": ({"active": [True]}, "introspection_malformed"),
    "false": ({"active": False}, "token_not_active"),
    "issuer": ({"iss": "https://evil.example"}, "access_token_iss"), "expired": ({"exp": 1}, "access_token_exp"),
    "text-exp": ({"exp": "never"}, "access_token_exp"), "future": ({"nbf": 9999999999}, "access_token_iat"),
    "refresh": ({"token_type": "refresh_token"}, "token_not_active"),
    "use": ({"token_use": "refresh_token"}, "token_not_active"), "nobody": ({"sub": None}, "access_token_claim"),
    "control": ({"sub": "a\nb"}, "access_token_claim"), "bound": ({"cnf": {"jkt": "x"}}, "access_token_binding"),
}))
def test_hostile_members(site, answer, reason):
    refused(site, ask(site, site.idp.opaque_token(**answer)), reason, 502 if "malformed" in reason else 401)
    assert site.hits() == []


@pytest.mark.parametrize("answer", rows("K-23", {
    "empty": Reply(b"", ctype="application/json"), "list": Reply(b"[]", ctype="application/json"),
    "html": Reply(b"<p>active</p>", ctype="text/html"),
    "twice": Reply(b'{"active":true,"active":false,"sub":"x"}', ctype="application/json"),
    "deep": Reply(b'{"active":true,"sub":"x","a":' + b"[" * 40 + b"]" * 40 + b"}", ctype="application/json"),
    "unsigned": Reply(b"e30.e30.e30", ctype="application/token-introspection+jwt")}))
def test_answers_that_are_none(site, answer):
    token = site.idp.opaque_token()
    site.idp.known_tokens[token] = answer
    refused(site, ask(site, token), "introspection_malformed", 502)
    assert site.hits() == []


@pytest.mark.parametrize("answer", rows("K-24", {
    "large": Reply(b'{"active":true,"sub":"x","a":"' + b"x" * 10_000_000 + b'"}', ctype="application/json"),
    "500": Reply(b"", status=500), "429": Reply(b"", status=429), "404": Reply(b"", status=404),
    "client": Reply({"error": "invalid_client"}, status=401),
    "redirect": Reply(b"", status=302, headers=[("Location", "https://elsewhere.test/")]),
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}))
def test_no_answer(site, answer):
    token = site.idp.opaque_token()
    site.idp.known_tokens[token] = answer
    refused(site, ask(site, token), "introspection_unavailable", 503)
    assert site.hits() == []
    # Nothing of it is kept.
    site.idp.known_tokens[token] = {"active": True, "sub": "robot", "client_id": "robot-client"}
    passes(site, ask(site, token), Remote_User="robot")


# ---- the cache -------------------------------------------------------------------------------

@case("K-27")
def test_a_revoked_token_ends_within_the_time(site):
    token = site.idp.opaque_token()
    passes(site, ask(site, token))
    site.idp.known_tokens[token] = {"active": False}
    site.wait(lambda: ask(site, token).status == 401, "the end of the answer", 4)
    assert len(site.idp.introspected) == 2


@case("K-27")
def test_an_answer_lives_no_longer_than_its_token(make_site):
    site = make(make_site, introspection_cache="1m time=1h", clock_skew="0s")
    token = site.idp.opaque_token(exp=int(time.time()) + 2)
    passes(site, ask(site, token))
    site.wait(lambda: ask(site, token).status == 401, "the end of the token", 5)


@case("K-27")
def test_a_web_socket_lives_no_longer_than_the_answer(make_site):
    """Of a token without exp; here the answer is four seconds old when the connection is made."""
    site = make(make_site, introspection_cache="1m time=6s", clock_skew="0s")
    token = site.idp.opaque_token(exp=None)
    passes(site, ask(site, token))
    time.sleep(4)
    browser = site.browser()
    request = browser.request
    browser.request = lambda method, path, **kw: request(
        method, path, **{**kw, "headers": {**kw["headers"], "Authorization": f"Bearer {token}"}})
    with web_socket(site, browser, "/api/ws") as connection:
        assert closed_within(connection, 5)
    assert site.idp.introspected == [token]
    assert "its access token has expired" in site.log_since_mark()


@case("K-27")
def test_without_a_cache(make_site):
    site = make(make_site, introspection_cache="off")
    token = site.idp.opaque_token()
    for count in (1, 2, 3):
        passes(site, ask(site, token))
        assert len(site.idp.introspected) == count
    site.idp.known_tokens[token] = {"active": False}
    refused(site, ask(site, token), "token_not_active")


@case("K-28")
def test_not_active_pushes_out_nothing(make_site):
    site = make(make_site, introspection_cache="256k time=1h inactive=1h")
    token = site.idp.opaque_token()
    passes(site, ask(site, token))
    browser = site.browser()
    for _ in range(1500):
        assert ask(site, "junk-" + secrets.token_hex(8), browser=browser).status == 401
    asked = len(site.idp.introspected)
    passes(site, ask(site, token))
    assert len(site.idp.introspected) == asked


@case("K-27")
def test_not_active_is_kept_for_its_time(site):
    token = "junk-" + secrets.token_hex(8)
    for _ in range(5):
        refused(site, ask(site, token), "token_not_active")
    assert 1 <= site.idp.introspected.count(token) <= 2


@case("K-32")
def test_the_provider_is_down(site):
    token = site.idp.opaque_token()
    passes(site, ask(site, token))
    site.idp.refuse()
    try:
        passes(site, ask(site, token))
        refused(site, ask(site, site.idp.opaque_token()), "introspection_unavailable", 503)
    finally:
        site.idp.listen()
    site.wait(lambda: ask(site, site.idp.opaque_token()).from_backend, "the provider")


@case("K-32")
def test_a_reload_keeps_the_answers(make_site):
    site = make(make_site, introspection_cache="1m time=1h")
    token = site.idp.opaque_token()
    passes(site, ask(site, token))
    site.reload()
    passes(site, ask(site, token))
    assert site.idp.introspected == [token]


# ---- questions at one time -------------------------------------------------------------------

def together(site, tokens, path="/api/x"):
    """The answers to requests that are under way at one time, in the order of `tokens`."""
    answers = [None] * len(tokens)

    def one(i, token):
        answers[i] = ask(site, token, path)
    threads = [threading.Thread(target=one, args=(i, t)) for i, t in enumerate(tokens)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@case("K-33")
def test_one_question_for_simultaneous_requests(make_site):
    """Over two workers, of which one asks."""
    site = make(make_site)
    gate = threading.Event()

    def slow(exchange):
        gate.wait(1)
        return exchange.default()
    site.idp.on["introspect"] = slow
    token = site.idp.opaque_token()
    timer = threading.Timer(0.6, gate.set)
    timer.start()
    for answer in together(site, [token] * 20):
        passes(site, answer, Remote_User="robot")
    assert site.idp.introspected == [token]
    timer.join()


@case("K-06")
@pytest.mark.parametrize("token", ["a b", 'a"b', "a,b", "a=b", "=", "\u00e4"])
def test_nobody_is_asked_about_what_is_no_token(site, token):
    asked = len(site.idp.introspected)
    for path in ("/api/x", "/auto/x"):
        refused(site, ask(site, token, path), "bearer_malformed", 400)
    assert len(site.idp.introspected) == asked


@case("K-33")
def test_eight_questions_at_a_time(make_site):
    site = make_site(locations=LOCATIONS, public=PUBLIC, control=False, workers=1, directives={
        "introspection_cache": CACHE, "read_timeout": "5s"})
    # The documents are there: nine wait for the answer and nothing else.
    passes(site, ask(site, site.idp.opaque_token()))
    gate = threading.Event()

    def slow(exchange):
        gate.wait(3)
        return exchange.default()
    site.idp.on["introspect"] = slow
    tokens = [site.idp.opaque_token() for _ in range(11)]
    threading.Timer(1.5, gate.set).start()
    answers = together(site, tokens)
    busy = [a for a in answers if a.status == 503]
    assert len(busy) == 3 and all(a.json()["error"] == "introspection_busy" for a in busy), answers
    assert all(a.headers.all("retry-after") == ["10"] for a in busy)
    assert sum(a.from_backend for a in answers) == 8
    # And then there is room again.
    site.idp.on.clear()
    passes(site, ask(site, tokens[-1]), Remote_User="robot")


@case("K-33")
def test_eight_questions_of_each_provider(lab):
    """One that is slow keeps nobody from the other."""
    idps = [Idp(lab.keys, client_id=f"client-{name}") for name in ("slow", "fast")]
    providers = {name: (idp, {"redirect_uri": f"/cb-{name}", "logout_uri": None, "read_timeout": "5s",
                              "introspection_cache": CACHE}) for name, idp in zip(("slow", "fast"), idps)}
    place = (" {{ auth_oidc {0}; auth_oidc_bearer introspection; auth_oidc_bearer_audience robot-client;"
             " proxy_pass http://@BACKEND@; }}\n")
    gate, asked = threading.Event(), []

    def slow(exchange):
        asked.append(exchange)
        gate.wait(4)
        return exchange.default()
    try:
        with Site(lab, providers=providers, auth="auth_oidc slow;", control=False, workers=1,
                  public=("/slow/", "/fast/"), own_paths=("/cb-slow", "/cb-fast"),
                  locations="".join(f"location /{name}/" + place.format(name) for name in ("slow", "fast"))) as site:
            for name, idp in zip(("slow", "fast"), idps):
                passes(site, ask(site, idp.opaque_token(), f"/{name}/x"))
            idps[0].on["introspect"] = slow
            waiting = threading.Thread(target=together, args=(
                site, [idps[0].opaque_token() for _ in range(8)], "/slow/x"))
            waiting.start()
            until = time.monotonic() + 5
            while len(asked) < 8 and time.monotonic() < until:
                time.sleep(0.02)
            assert ask(site, idps[0].opaque_token(), "/slow/x").status == 503
            passes(site, ask(site, idps[1].opaque_token(), "/fast/x"))
            gate.set()
            waiting.join()
    finally:
        gate.set()
        for idp in idps:
            idp.stop()


@case("K-33")
def test_who_has_gone_is_not_waited_for(make_site):
    """The question goes on, and its answer serves the next one."""
    site = make(make_site)
    passes(site, ask(site, site.idp.opaque_token()))
    gate = threading.Event()
    site.idp.on["introspect"] = lambda x: gate.wait(2) and x.default()
    token = site.idp.opaque_token()
    connection = site.connect()
    connection.send((f"GET /api/x HTTP/1.1\r\nHost: {site.authority()}\r\nX-Test-Id: gone\r\n"
                     f"Authorization: Bearer {token}\r\n\r\n").encode())
    site.wait(lambda: site.idp.count("introspect") == 2, "the question")
    connection.close()
    time.sleep(0.2)
    gate.set()
    passes(site, ask(site, token), Remote_User="robot")
    assert site.idp.introspected.count(token) == 1
    assert [h.path for h in site.hits()] == ["/api/x"] * 2


# ---- the client ------------------------------------------------------------------------------

@pytest.mark.parametrize("method", rows("K-34", {m: m for m in (
    "client_secret_basic", "client_secret_post", "client_secret_jwt")}))
def test_the_client_authenticates_itself(make_site, method):
    site = make(make_site, token_endpoint_auth_method=method)
    passes(site, ask(site, site.idp.opaque_token()), Remote_User="robot")


@case("K-34")
def test_as_the_metadata_say_of_the_endpoint(make_site):
    site = make(make_site)
    site.idp.metadata = lambda d: {**d, "introspection_endpoint_auth_methods_supported": ["client_secret_post"]}
    passes(site, ask(site, site.idp.opaque_token()), Remote_User="robot")
    request = site.idp.last("introspect")
    assert request.headers.get("authorization") is None and b"client_secret=" in request.body


@case("K-34")
def test_no_endpoint(make_site):
    site = make(make_site)
    site.idp.metadata = lambda d: {**d, "introspection_endpoint": None}
    refused(site, ask(site, site.idp.opaque_token()), "introspection_unavailable", 503)
    assert "check introspection_endpoint" in site.log_since_mark()


@case("K-34")
def test_without_metadata_the_endpoint_is_needed(make_site):
    explicit = {"authorization_endpoint": "@IDP@/authorize", "token_endpoint": "@IDP@/token", "jwks_uri": "@IDP@/jwks"}
    with pytest.raises(RuntimeError, match='without metadata needs "introspection_endpoint"'):
        make(make_site, **explicit)
    site = make(make_site, **explicit, introspection_endpoint="@IDP@/introspect")
    passes(site, ask(site, site.idp.opaque_token()), Remote_User="robot")
