# SPDX-License-Identifier: Apache-2.0
"""Programs beside people: access tokens that requests bring (auth_oidc_bearer)."""

import base64
import hashlib
import json
import re
import secrets
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.client import Connection
from harness.outcome import challenge, passes, sane
from harness.site import Site
from harness.vhost import HAS_IPV6

from test_upgraded import UPGRADE, closed_within, echoes, web_socket

AUDIENCE = "https://api.app.test"
LOCATIONS = f"""\
    location /api/ {{ auth_oidc_bearer on; auth_oidc_bearer_audience {AUDIENCE} https://second.app.test;
                      auth_oidc_header Remote-User $oidc_user; auth_oidc_header Remote-Groups $oidc_claim_groups;
                      auth_oidc_header Remote-Email $oidc_claim_email; auth_oidc_header Remote-Name $oidc_claim_name;
                      auth_oidc_header X-Client $oidc_claim_client_id; proxy_pass http://@BACKEND@;
        location /api/write/ {{ auth_oidc_bearer_scope write admin; proxy_pass http://@BACKEND@; }}
        location /api/other/ {{ auth_oidc_bearer_audience https://other.app.test; proxy_pass http://@BACKEND@; }}
        location /api/plain/ {{ auth_oidc_bearer_typ jwt; proxy_pass http://@BACKEND@; }}
        location /api/maybe/ {{ auth_oidc_mode verify; proxy_pass http://@BACKEND@; }}
        location /api/staff/ {{ auth_oidc_require_claim groups any staff; proxy_pass http://@BACKEND@; }}
        location /api/recent/ {{ auth_oidc_max_age 1m; proxy_pass http://@BACKEND@; }}
        location /api/keeps/ {{ auth_oidc_header X-Token $oidc_access_token; proxy_pass http://@BACKEND@; }}
        location /api/ws {{ proxy_pass http://@BACKEND@; {UPGRADE} }}
    }}
    location /away/ {{ auth_oidc_bearer on; auth_oidc_bearer_audience {AUDIENCE}; try_files /nope @people; }}
    location @people {{ proxy_pass http://@BACKEND@; }}
    location = /.well-known/oauth-protected-resource/api {{ auth_oidc_bearer_scope read write;
                                                            oidc_resource_metadata; }}
    location = /about {{ oidc_resource_metadata https://elsewhere.app.test/x provider=idp; }}
"""
PLACES = {"locations": LOCATIONS, "public": ("/public/", "/.well-known/", "/about"),
          "verify": ("/verify/", "/api/maybe/")}


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, **PLACES) as site:
        yield site


def claims(site, **changes):
    now = int(time.time())
    found = {"iss": site.idp.issuer, "aud": AUDIENCE, "sub": "robot", "client_id": "robot-client",
             "iat": now, "exp": now + 300, "jti": secrets.token_hex(8), "scope": "read",
             "groups": ["staff", "all"], **changes}
    return {k: v for k, v in found.items() if v is not None}


def token(site, header=None, key=None, alg=None, **changes):
    key = key or site.idp.key
    head = {"alg": alg or "RS256", "typ": "at+jwt", "kid": key.kid, **(header or {})}
    said = claims(site, **changes)
    text = forge.signed({k: v for k, v in head.items() if v is not None}, said, key)
    site.state.tokens[text], site.state.token_paths = said, ("/api/",)
    return text


def ask(site, text=None, path="/api/x", method="GET", headers=None, scheme="Bearer", browser=None, **kw):
    sent = dict(headers or {})
    if text is not None:
        sent["Authorization"] = f"{scheme} {text}"
    browser = browser or site.browser()
    return browser.request(method, path, kind="none", headers=sent,
                           body=b"x=1" if method in ("POST", "PUT", "PATCH") else None, **kw)


def reasons(site):
    return re.findall(r'oidc: token at provider "idp" refused: ([a-z_]+)', site.log_since_mark())


def refused(site, answer, reason, error="invalid_token", status=401, scheme="Bearer"):
    assert answer.status == status and not answer.from_backend, f"{answer}\n{site.log_since_mark()}"
    assert answer.set_cookies() == [], answer
    assert answer.json()["error"] == reason, answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    told = answer.headers.get("www-authenticate")
    assert told.startswith(f'{scheme} error="{error}", error_description="'), answer
    assert reasons(site)[-1] == reason, site.log_since_mark()
    assert answer.json()["reference"] in site.log_since_mark()


def thumbprint(key):
    members = {k: v for k, v in key.jwk().items() if k in ("crv", "kty", "x", "y", "e", "n")}
    return b64(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def proof(site, text, key, path="/api/x", header=None, **changes):
    public = {k: v for k, v in key.jwk().items() if k in ("crv", "kty", "x", "y", "e", "n")}
    found = {"jti": secrets.token_hex(16), "htm": "GET", "htu": site.origin() + path, "iat": int(time.time()),
             "ath": b64(hashlib.sha256(text.encode()).digest()), **changes}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **(header or {})}
    head = {k: v for k, v in head.items() if v is not None}
    return forge.signed(head, {k: v for k, v in found.items() if v is not None}, key)


# ---- good tokens -----------------------------------------------------------------------------

@case("K-01")
def test_a_good_token(site):
    good = token(site)
    answer = ask(site, good)
    hit = passes(site, answer, Remote_User="robot", Remote_Groups="staff,all", X_Client="robot-client")
    assert hit.headers.get("authorization") is None and answer.set_cookies() == []
    for scheme in ("bearer", "BEARER"):
        passes(site, ask(site, good, scheme=scheme), Remote_User="robot")
    for method in ("HEAD", "OPTIONS", "POST", "DELETE"):
        passes(site, ask(site, good, method=method), Remote_User="robot")
    passes(site, ask(site, token(site, aud=["x", "https://second.app.test"])), Remote_User="robot")
    passes(site, ask(site, token(site, {"typ": "application/at+jwt"})), Remote_User="robot")
    passes(site, ask(site, token(site, preferred_username="robbie")), Remote_User="robbie")
    for alg, key in (("ES256", site.idp.keys.p256), ("EdDSA", site.idp.keys.ed)):
        passes(site, ask(site, token(site, alg=alg, key=key)), Remote_User="robot")


@case("K-01")
def test_requirements_and_scopes(site):
    passes(site, ask(site, token(site), "/api/staff/"), Remote_User="robot")
    assert ask(site, token(site, groups=["all"]), "/api/staff/").json()["error"] == "not_permitted"
    passes(site, ask(site, token(site, scope="admin read write"), "/api/write/"), Remote_User="robot")
    passes(site, ask(site, token(site, scope=None, scp=["admin", "write"]), "/api/write/"), Remote_User="robot")
    for scope in ("write", "read", None, "writeadmin", "write.admin"):
        answer = ask(site, token(site, scope=scope), "/api/write/")
        refused(site, answer, "insufficient_scope", "insufficient_scope", 403)
        assert 'scope="write admin"' in answer.headers.get("www-authenticate")


@case("K-01")
def test_the_token_where_it_is_asked_for(site):
    text = token(site)
    assert passes(site, ask(site, text, "/api/keeps/")).headers.get("x-token") == text
    assert passes(site, ask(site, text)).headers.get("x-token") is None


@case("K-02")
def test_nobody_without_a_token(site):
    """A program gets the challenge, a person the sign-in."""
    answer = ask(site)
    assert answer.status == 401 and answer.json()["error"] == "login_required", answer
    told = answer.headers.get("www-authenticate")
    assert told == f'Bearer resource_metadata="{site.origin()}/.well-known/oauth-protected-resource/api"', answer
    challenge(site, site.browser().get("/api/x"))
    assert ask(site, path="/x").headers.get("www-authenticate") is None
    passes(site, ask(site, path="/api/maybe/"), Remote_User=None)
    # Another scheme is the application's, with the session that it needs.
    assert ask(site, "YTpi", scheme="Basic").json()["error"] == "login_required"


@case("K-03")
def test_the_token_alone_counts(site):
    with site.signed_in() as browser:
        passes(site, ask(site, browser=browser), Remote_User="jdoe")
        passes(site, ask(site, token(site), browser=browser), Remote_User="robot")
        refused(site, ask(site, token(site, exp=1), browser=browser), "access_token_exp")
        # And a session alone where no tokens are taken, or where the request goes on to such a place.
        hit = passes(site, ask(site, token(site), "/x", browser=browser), Remote_User="jdoe")
        assert hit.headers.get("authorization").startswith("Bearer ")
        passes(site, ask(site, token(site), "/away/", browser=browser), Remote_User="jdoe")
    assert ask(site, token(site), "/x").status == 401
    assert ask(site, token(site), "/away/").status == 401


@case("K-03")
def test_no_guard_and_no_forged_identity(site):
    """A page cannot have a browser send a token; headers of clients never count."""
    forged = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Remote-User": "root",
              "X-Oidc-Assertion": "x", "X_Oidc_User": "root", "Remote_User": "root"}
    hit = passes(site, ask(site, token(site), method="POST", headers=forged), Remote_User="robot")
    for name in ("x-oidc-assertion", "x_oidc_user", "remote_user"):
        assert hit.headers.get(name) is None, hit


# ---- hostile tokens --------------------------------------------------------------------------

HOSTILE = {
    "other audience": ({"aud": "https://other.app.test"}, None, "access_token_aud"),
    "our client": ({"aud": "client-1"}, None, "access_token_aud"),
    "no audience": ({"aud": None}, None, "access_token_aud"),
    "part of the audience": ({"aud": [AUDIENCE + "/x"]}, None, "access_token_aud"),
    "other issuer": ({"iss": "https://evil.example"}, None, "access_token_iss"),
    "issuer and a slash": ({"iss": "@/"}, None, "access_token_iss"),
    "expired": ({"exp": 1}, None, "access_token_exp"),
    "no end": ({"exp": None}, None, "access_token_exp"),
    "tomorrow": ({"nbf": int(time.time()) + 86400}, None, "access_token_iat"),
    "made tomorrow": ({"iat": int(time.time()) + 86400}, None, "access_token_iat"),
    "nobody": ({"sub": None}, None, "access_token_claim"),
    "no client": ({"client_id": None}, None, "access_token_claim"),
    "unknown binding": ({"cnf": {"kid": "x"}}, None, "access_token_binding"),
    "nested binding": ({"cnf": {"jkt": {"jkt": "x"}}}, None, "access_token_binding"),
    "untyped": ({}, {"typ": None}, "access_token_typ"),
    "plain": ({}, {"typ": "JWT"}, "access_token_typ"),
    "a logout token": ({}, {"typ": "logout+jwt"}, "access_token_typ"),
    "a proof": ({}, {"typ": "dpop+jwt"}, "access_token_typ"),
    "critical": ({}, {"crit": ["x"], "x": 1}, "access_token_malformed"),
    "unknown key": ({}, {"kid": "nobody"}, "access_token_signature"),
    "another's key": ({}, {"kid": "p256-1"}, "access_token_signature"),
}


@pytest.mark.parametrize("changes, header, reason", rows("K-04", HOSTILE))
def test_hostile_tokens(site, changes, header, reason):
    changes = {k: v.replace("@", site.idp.issuer) if isinstance(v, str) else v for k, v in changes.items()}
    refused(site, ask(site, token(site, header, **changes)), reason)


@case("K-04")
def test_forged_signatures(site):
    good = token(site)
    head, body, signature = good.split(".")
    none = forge.compact({"alg": "none", "typ": "at+jwt"}, claims(site))
    refused(site, ask(site, none), "access_token_alg")
    pem = site.idp.keys.rsa.public_pem()
    for secret in (pem, site.idp.client_secret):
        confused = forge.signed({"alg": "HS256", "typ": "at+jwt"}, claims(site), secret)
        refused(site, ask(site, confused), "access_token_alg")
    stranger = forge.Key.rsa("rsa-1")
    refused(site, ask(site, token(site, key=stranger)), "access_token_signature")
    refused(site, ask(site, f"{head}.{forge.b64u(forge.dump(claims(site, sub='root')))}.{signature}"),
            "access_token_signature")
    refused(site, ask(site, f"{head}.{body}.{signature[:-4]}AAAA"), "access_token_signature")
    # What was good a moment ago in this very worker does not help what shares its signature.
    for _ in range(4):
        passes(site, ask(site, good))
        refused(site, ask(site, f"{head}.{body[:-4]}AAAA.{signature}"), "access_token_signature")


@case("K-05")
def test_other_tokens_of_the_provider(site):
    """An ID token, a logout token, also where the type does not tell."""
    grant = {"user": {"sub": "jdoe"}, "params": {"nonce": "n"}}
    id_token = site.idp.id_token(grant)
    refused(site, ask(site, id_token), "access_token_typ")
    refused(site, ask(site, id_token, "/api/plain/"), "access_token_typ")
    logout = site.idp.logout_token(sid="s")
    refused(site, ask(site, logout), "access_token_typ")
    refused(site, ask(site, logout, "/api/plain/"), "access_token_typ")
    for typ in ("JWT", None):
        passes(site, ask(site, token(site, {"typ": typ}, client_id=None, azp="c"), "/api/plain/"), Remote_User="robot")
    refused(site, ask(site, token(site, {"typ": "JWT"}, nonce="n"), "/api/plain/"), "access_token_typ")
    # Known under one rule is not known under the other.
    lax = token(site, {"typ": "JWT"})
    for _ in range(4):
        passes(site, ask(site, lax, "/api/plain/"))
        refused(site, ask(site, lax), "access_token_typ")


@case("K-04")
def test_each_place_has_its_own_demands(site):
    text = token(site, aud=["https://other.app.test"])
    for _ in range(4):
        passes(site, ask(site, text, "/api/other/"), Remote_User="robot")
        refused(site, ask(site, text), "access_token_aud")


@pytest.mark.parametrize("text", rows("K-06", {
    "nothing": "", "blanks": "   ", "two": "a b", "a comma": "a,b", "quotes": '"a"', "bytes": "a\xe9",
    "parameters": 'token="a"'}))
def test_no_token_behind_the_scheme(site, text):
    refused(site, ask(site, text), "bearer_malformed", "invalid_request", 400)


@case("K-06")
def test_tokens_in_several_places(site):
    good = token(site)
    refused(site, ask(site, good, f"/api/x?access_token={good}"), "bearer_malformed", "invalid_request", 400)
    refused(site, ask(site, good, "/api/x?access%5Ftoken=a"), "bearer_malformed", "invalid_request", 400)
    # In the query or a body alone it is none.
    assert ask(site, path=f"/api/x?access_token={good}").json()["error"] == "login_required"
    answer = site.browser().request("POST", "/api/x", kind="none", body=f"access_token={good}".encode(),
                                    headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["error"] == "login_required"
    for other in (f"Bearer {good}", "Basic YTpi"):
        twice = site.browser().request("GET", "/api/x", kind="none", extra=[
            ("Authorization", f"Bearer {good}"), ("Authorization", other)])
        assert twice.status == 400 and not twice.from_backend, twice
    for bad in ("opaque", "a.b.c", good + ".a", good + ".a.b"):
        refused(site, ask(site, bad), "access_token_malformed")
    sane(site)


# ---- bound tokens ----------------------------------------------------------------------------

@case("K-07")
def test_tokens_bound_to_a_key(site):
    key = forge.Key.ec("k")
    text = token(site, cnf={"jkt": thumbprint(key)})
    answer = ask(site, text, scheme="DPoP", headers={"DPoP": proof(site, text, key)})
    hit = passes(site, answer, Remote_User="robot")
    assert hit.headers.get("dpop") is None and hit.headers.get("authorization") is None
    # By both names of a path, and with a query that does not count.
    for path, htu in (("/api/a%20b?x=1", "/api/a%20b"), ("/api/%7Ea", "/api/~a"), ("/api/a%2fb", "/api/a%2Fb")):
        sent = proof(site, text, key, htu=site.origin() + htu)
        passes(site, ask(site, text, path, scheme="DPoP", headers={"DPoP": sent}), Remote_User="robot")
    refused(site, ask(site, text), "access_token_binding")
    refused(site, ask(site, text, headers={"DPoP": proof(site, text, key)}), "access_token_binding")
    refused(site, ask(site, token(site), scheme="DPoP", headers={"DPoP": proof(site, text, key)}),
            "access_token_binding", scheme="DPoP")


@case("K-08")
def test_a_proof_is_good_once(site):
    """Over all workers, while it could be good at all."""
    key = forge.Key.ec("k")
    text = token(site, cnf={"jkt": thumbprint(key)})
    once = proof(site, text, key)
    passes(site, ask(site, text, scheme="DPoP", headers={"DPoP": once}))
    for _ in range(6):
        refused(site, ask(site, text, scheme="DPoP", headers={"DPoP": once}), "dpop_proof_replayed",
                "invalid_dpop_proof", scheme="DPoP")
    passes(site, ask(site, text, scheme="DPoP", headers={"DPoP": proof(site, text, key)}))


@case("K-08")
def test_used_proofs_outlive_a_reload(make_site):
    site = make_site(**PLACES)
    key = forge.Key.ec("k")
    text = token(site, cnf={"jkt": thumbprint(key)})
    once = proof(site, text, key)
    passes(site, ask(site, text, scheme="DPoP", headers={"DPoP": once}))
    assert site.reload()
    for _ in range(3):
        refused(site, ask(site, text, scheme="DPoP", headers={"DPoP": once}), "dpop_proof_replayed",
                "invalid_dpop_proof", scheme="DPoP")
    passes(site, ask(site, text, scheme="DPoP", headers={"DPoP": proof(site, text, key)}))


PROOFS = {
    "other method": ({"htm": "POST"}, None), "method in lower case": ({"htm": "get"}, None),
    "other path": ({"htu": "@/api/y"}, None), "other host": ({"htu": "https://evil.example/api/x"}, None),
    "no host": ({"htu": "/api/x"}, None), "old": ({"iat": int(time.time()) - 1000}, None),
    "early": ({"iat": int(time.time()) + 1000}, None), "other token": ({"ath": "x" * 43}, None),
    "no token": ({"ath": None}, None), "no jti": ({"jti": None}, None), "empty jti": ({"jti": ""}, None),
    "no iat": ({"iat": None}, None), "typ": ({}, {"typ": "JWT"}), "no typ": ({}, {"typ": None}),
    "no key": ({}, {"jwk": None}),
}


@pytest.mark.parametrize("changes, header", rows("K-08", PROOFS))
def test_bad_proofs(site, changes, header):
    key = forge.Key.ec("k")
    text = token(site, cnf={"jkt": thumbprint(key)})
    changes = {k: v.replace("@", site.origin()) if isinstance(v, str) else v for k, v in changes.items()}
    answer = ask(site, text, scheme="DPoP", headers={"DPoP": proof(site, text, key, header=header, **changes)})
    refused(site, answer, "dpop_proof_invalid", "invalid_dpop_proof", scheme="DPoP")
    assert 'algs="' in answer.headers.get("www-authenticate")


@case("K-08")
def test_proofs_of_other_keys(site):
    key, thief = forge.Key.ec("k"), forge.Key.ec("k")
    text = token(site, cnf={"jkt": thumbprint(key)})
    refused(site, ask(site, text, scheme="DPoP", headers={"DPoP": proof(site, text, thief)}),
            "access_token_binding", scheme="DPoP")
    public = {k: v for k, v in key.jwk().items() if k in ("crv", "kty", "x", "y")}
    forged = proof(site, text, thief, header={"jwk": public})
    refused(site, ask(site, text, scheme="DPoP", headers={"DPoP": forged}), "dpop_proof_invalid",
            "invalid_dpop_proof", scheme="DPoP")
    secret = proof(site, text, key, header={"jwk": {**public, "d": "AA"}})
    refused(site, ask(site, text, scheme="DPoP", headers={"DPoP": secret}), "dpop_proof_invalid",
            "invalid_dpop_proof", scheme="DPoP")
    none = site.browser().request("GET", "/api/x", kind="none", headers={"Authorization": f"DPoP {text}"})
    refused(site, none, "dpop_proof_invalid", "invalid_dpop_proof", scheme="DPoP")
    two = site.browser().request("GET", "/api/x", kind="none", extra=[
        ("Authorization", f"DPoP {text}"), ("DPoP", proof(site, text, key)), ("DPoP", proof(site, text, key))])
    refused(site, two, "dpop_proof_invalid", "invalid_dpop_proof", scheme="DPoP")


@case("K-07")
def test_tokens_bound_to_a_certificate(site):
    """None was shown, so nobody's."""
    refused(site, ask(site, token(site, cnf={"x5t#S256": "A" * 43})), "access_token_binding")


# ---- the provider ----------------------------------------------------------------------------

@case("K-09")
def test_new_keys(make_site):
    site = make_site(**PLACES, directives={"jwks_refetch_interval": "1s"})
    old = site.idp.key
    before = token(site)
    passes(site, ask(site, before))
    new = forge.Key.rsa("rsa-2")
    site.idp.jwks_keys = [new.jwk()]
    time.sleep(1.1)
    site.idp.key = new
    passes(site, ask(site, token(site)))
    # What the provider does not publish any more is not good any more, in any worker.
    time.sleep(0.2)
    for _ in range(6):
        assert ask(site, token(site, key=old)).status == 401
        assert ask(site, before).status == 401


@case("K-09")
def test_unknown_keys_ask_the_provider_seldom(site):
    """As for all who cannot prove anything: three times, then once in ten seconds."""
    passes(site, ask(site, token(site)))
    count, start = site.delta("jwks"), time.monotonic()
    for n in range(20):
        assert ask(site, token(site, {"kid": f"unknown-{n}"})).status == 401
    assert site.delta("jwks") - count <= 4 + (time.monotonic() - start) / 10


@case("K-09")
def test_the_provider_is_away(make_site):
    site = make_site(**PLACES)
    passes(site, ask(site, token(site)))
    site.idp.refuse()
    try:
        for _ in range(6):
            passes(site, ask(site, token(site)))
        assert ask(site, token(site, {"kid": "unknown"})).status == 401
    finally:
        site.idp.listen()


# ---- the rest --------------------------------------------------------------------------------

@case("K-10")
def test_step_up(site):
    now = int(time.time())
    passes(site, ask(site, token(site, auth_time=now - 10), "/api/recent/"), Remote_User="robot")
    for auth_time in (now - 1000, None):
        answer = ask(site, token(site, auth_time=auth_time), "/api/recent/")
        assert answer.status == 401, answer
        assert answer.headers.get("www-authenticate") == 'Bearer error="insufficient_user_authentication", max_age="60"'


@case("K-10")
def test_a_web_socket_ends_with_its_token(make_site):
    site = make_site(**PLACES, directives={"clock_skew": "0s"}, control=False)
    browser = site.browser()
    request = browser.request

    def with_token(method, path, **kw):
        return request(method, path, **{**kw, "headers": {**kw["headers"], "Authorization": f"Bearer {text}"}})
    browser.request = with_token
    text = token(site, exp=int(time.time()) + 4)
    with web_socket(site, browser, "/api/ws") as connection:
        assert echoes(connection)
        assert closed_within(connection, 10)
    assert "its access token has expired" in site.log_since_mark()


@case("K-11")
@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1")
def test_metadata_at_an_ipv6_address(make_site):
    """The redirect URI is on the same host, where only the port is another: its origin is the one that people know."""
    site = make_site(**PLACES, control=False, names="[::1]", base_url="",
                     listen="listen 127.0.0.1:@PORT@ ssl; listen [::1]:@PORT@ ssl;",
                     directives={"redirect_uri": "https://[::1]/oidc_callback"})
    with Connection("::1", site.port, site.context, "app.test") as connection:
        connection.send("GET /.well-known/oauth-protected-resource/api HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        assert connection.read_response().json()["resource"] == "https://[::1]/api"


@case("K-11")
def test_metadata(site):
    """RFC 9728: for everybody, at its path alone."""
    answer = ask(site, path="/.well-known/oauth-protected-resource/api")
    assert answer.status == 200 and answer.headers.get("content-type") == "application/json", answer
    assert answer.headers.get("access-control-allow-origin") == "*"
    document = answer.json()
    assert document["resource"] == site.origin() + "/api"
    assert document["authorization_servers"] == [site.idp.issuer]
    assert document["scopes_supported"] == ["read", "write"]
    assert document["bearer_methods_supported"] == ["header"]
    assert "ES256" in document["dpop_signing_alg_values_supported"]
    assert "tls_client_certificate_bound_access_tokens" not in document
    named = ask(site, path="/about").json()
    assert named["resource"] == "https://elsewhere.app.test/x" and "scopes_supported" not in named
    assert ask(site, path="/about", method="POST").status == 405
    assert ask(site, path="/about", method="HEAD").status == 200
