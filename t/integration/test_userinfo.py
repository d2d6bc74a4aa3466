# SPDX-License-Identifier: Apache-2.0
"""Group U: the UserInfo endpoint."""

import json
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.outcome import passes, reject, sane
from harness.site import Site
from harness.wire import Reply


@pytest.fixture(scope="module")
def site(lab):
    locations = """
        location /claims/ { proxy_set_header X-Value $oidc_claim_value; proxy_set_header X-Iss $oidc_claim_iss;
            proxy_set_header X-Aud $oidc_claim_aud; proxy_set_header X-Sub $oidc_claim_sub;
            proxy_set_header X-Verified $oidc_claim_email_verified;
            proxy_set_header X-Nested $nested; proxy_set_header X-Roles $roles;
            proxy_set_header X-Userinfo $oidc_userinfo;
            proxy_pass http://@BACKEND@; }
    """
    http = """
    oidc_claim_set $nested a b c;
    oidc_claim_set $roles realm_access roles;
    """
    with Site(lab, directives={"userinfo": "on", "read_timeout": "1s"}, http=http,
              locations=locations, server="proxy_buffer_size 64k; proxy_buffers 8 64k;") as site:
        yield site


def attempt(site, body=None, hook=None):
    site.idp.userinfo_body = body
    if hook:
        site.idp.on["userinfo"] = hook
    browser = site.browser()
    return browser, browser.try_login("/u")


def accepted(site, browser, answer, target="/u", **identity):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    return passes(site, browser.get(target), **identity)


@case("U-01")
def test_thin_id_token(site):
    """Everything but `sub` comes from userinfo, as Authelia does it."""
    thin = ("iss", "sub", "aud", "exp", "iat", "nonce")
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k in thin}
    browser, answer = attempt(site)
    accepted(site, browser, answer, remote_user="jdoe", remote_email="jdoe@example.org",
             remote_name="John Doe", remote_groups="staff,dev")
    request = site.idp.last("userinfo")
    assert request.method == "GET" and request.query == ""
    assert request.headers.get("authorization").startswith("Bearer at-")
    assert "application/json" in request.headers.get("accept")


@case("U-01")
def test_userinfo_is_not_asked_when_off(make_site):
    site = make_site()
    with site.signed_in():
        pass
    assert site.delta("userinfo") == 0


@pytest.mark.parametrize("change", rows("U-02", {
    "missing": lambda b: b.pop("sub") and b, "null": lambda b: {**b, "sub": None}, "number":
    lambda b: {**b, "sub": 5}, "other": lambda b: {**b, "sub": "u-1002"}, "case":
    lambda b: {**b, "sub": b["sub"].upper()}, "prefix": lambda b: {**b, "sub": b["sub"][:-1]},
    "suffix": lambda b: {**b, "sub": b["sub"] + " "}, "array": lambda b: {**b, "sub": [b["sub"]]},
    "empty": lambda b: {**b, "sub": ""}, "nul": lambda b: {**b, "sub": b["sub"] + "\u0000"},
}))
def test_userinfo_of_somebody_else(site, change):
    browser, answer = attempt(site, change)
    reject(site, answer, "userinfo_sub|userinfo_malformed", 502)
    assert browser.session_cookie is None and site.hits() == []


@pytest.mark.parametrize("hook, code, status", rows("U-03", {
    "401": (lambda x: Reply({"error": "invalid_token"}, status=401), "userinfo_denied", 502),
    "403": (lambda x: Reply(b"", status=403), "userinfo_denied", 502),
    "500": (lambda x: Reply(b"", status=500), "userinfo_status", 502),
    "204": (lambda x: Reply(b"", status=204), "userinfo_status|userinfo_malformed", 502),
    "timeout": (lambda x: x.stall(5), "idp_timeout", 504),
    "reset": (lambda x: x.rst(), "idp_connect|idp_http", 502),
    "redirect": (lambda x: Reply(b"", status=302, headers=[
        ("Location", x.idp.url("userinfo"))]), "idp_redirect", 502),
}))
def test_failures(site, hook, code, status):
    _, answer = attempt(site, hook=hook)
    reject(site, answer, code, status)


@pytest.mark.parametrize("body", rows("U-04", {
    "array": b"[]", "string": b'"x"', "empty": b"", "html": b"<html>", "null": b"null", "cut":
    b'{"sub":', "twice": b'{"sub":"u-1001","sub":"u-1001"}', "trailing": b'{"sub":"u-1001"}x',
    "bad-utf8": b'{"sub":"u-1001","name":"\xff"}',
}))
def test_bodies_that_are_no_object(site, body):
    _, answer = attempt(site, hook=lambda x: Reply(body))
    reject(site, answer, "userinfo_malformed", 502)


@case("U-04")
def test_wrong_content_type(site):
    for ctype in ("text/html", "text/plain", None):
        site.again()
        _, answer = attempt(site, hook=lambda x: Reply(x.default().body, ctype=ctype))
        reject(site, answer, "userinfo_malformed", 502)


def as_jwt(change=None, key=None, alg="RS256", header=None):
    def hook(exchange):
        idp = exchange.idp
        claims = {**exchange.default().json(), "iss": idp.issuer, "aud": idp.client_id,
                  "iat": int(time.time()), "exp": int(time.time()) + 60}
        claims = change(claims) if change else claims
        head = {"alg": alg, "kid": "rsa-1", "typ": "JWT", **(header or {})}
        if alg == "none":
            token = forge.compact(head, claims)
        else:
            token = forge.signed(head, claims, key(idp) if key else idp.keys.rsa)
        return Reply(token, ctype="application/jwt")
    return hook


@pytest.mark.parametrize("hook", rows("U-05", {
    "good": as_jwt(), "without-iss-aud-exp": as_jwt(lambda c: {
        k: v for k, v in c.items() if k not in ("iss", "aud", "exp", "iat")}),
    "aud-array": as_jwt(lambda c: {**c, "aud": ["client-1"]}),
}))
def test_signed_userinfo(site, hook):
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k not in ("email", "name")}
    browser, answer = attempt(site, hook=hook)
    accepted(site, browser, answer, remote_user="jdoe", remote_email="jdoe@example.org")


@pytest.mark.parametrize("hook, code", rows("U-05", {
    "bad-signature": (as_jwt(key=lambda i: i.keys.rsa2), "jwt_signature"),
    "other-aud": (as_jwt(lambda c: {**c, "aud": "other"}), "id_token_aud|userinfo_malformed"),
    "other-iss": (as_jwt(lambda c: {**c, "iss": "https://evil.example"}),
                  "id_token_iss|userinfo_malformed"),
    "expired": (as_jwt(lambda c: {**c, "exp": 1000}), "id_token_exp|userinfo_malformed"),
    "none": (as_jwt(alg="none"), "jwt_alg"),
    "hs256": (as_jwt(alg="HS256", key=lambda i: i.client_secret), "jwt_alg"),
    "other-sub": (as_jwt(lambda c: {**c, "sub": "x"}), "userinfo_sub"),
    "no-sub": (as_jwt(lambda c: {k: v for k, v in c.items() if k != "sub"}), "userinfo_sub|userinfo_malformed"),
    "crit": (as_jwt(header={"crit": ["x"]}), "jwt_crit|jwt_malformed"),
    "plain-json-as-jwt": (lambda x: Reply(x.default().body, ctype="application/jwt"), "jwt_malformed"),
    "jwt-as-json": (lambda x: Reply(as_jwt()(x).body, ctype="application/json"),
                    "userinfo_malformed"),
}))
def test_bad_signed_userinfo(site, hook, code):
    _, answer = attempt(site, hook=hook)
    reject(site, answer, code, 502)


@case("U-05")
def test_signed_userinfo_after_a_rotation(make_site):
    """An unknown key of the userinfo JWT leads to one refetch, as for the ID token."""
    site = make_site(directives={"userinfo": "on"})
    new = forge.Key.rsa("fresh")
    site.idp.jwks_keys = [site.lab.keys.rsa.jwk(), new.jwk()]
    before = site.delta("jwks")
    browser, answer = attempt(site, hook=as_jwt(key=lambda i: new, header={"kid": "fresh"}))
    accepted(site, browser, answer, remote_user="jdoe")
    assert site.delta("jwks") == before + 1


@case("U-06")
def test_protocol_claims_are_not_replaced(site):
    browser, answer = attempt(site, lambda b: {
        **b, "iss": "https://evil.example", "aud": "evil", "exp": 1, "nonce": "evil", "sid": "evil",
        "amr": ["evil"], "auth_time": 1, "azp": "evil", "at_hash": "evil"})
    accepted(site, browser, answer, "/claims/x", x_iss=site.idp.issuer, x_aud="client-1",
             x_sub="u-1001", remote_user="jdoe")


@case("U-06")
def test_the_id_token_wins(site):
    browser, answer = attempt(site, lambda b: {**b, "preferred_username": "other", "extra": "x"})
    accepted(site, browser, answer, remote_user="jdoe")


@case("U-08")
def test_distributed_claims_are_never_fetched(site):
    browser, answer = attempt(site, lambda b: {
        **b, "_claim_names": {"groups2": "src1"},
        "_claim_sources": {"src1": {"endpoint": site.lab.trap.url + "/x", "access_token": "t"}}})
    accepted(site, browser, answer, remote_user="jdoe")
    assert "distributed or aggregated claims" in site.log_since_mark()


@case("U-09")
def test_same_email_of_two_users(site):
    identities = []
    for sub, name in (("u-1", "ann"), ("u-2", "bob")):
        with site.signed_in(sub=sub, preferred_username=name, email="same@example.org",
                            email_verified=False) as browser:
            hit = passes(site, browser.get("/claims/x"), remote_user=name, x_sub=sub,
                         remote_email="same@example.org", x_verified="false")
            identities.append(hit.headers.all("Remote-User"))
    assert identities == [["ann"], ["bob"]]


@pytest.mark.parametrize("value, text", rows("U-10", {
    "string": ("a b", "a b"), "int": (5, "5"), "bigint": (9007199254740993, "9007199254740993"),
    "negative": (-1, "-1"), "true": (True, "true"), "false": (False, "false"), "null": (None, None),
    "float": (1.5, "1.5"), "array": (["a", "b"], "a,b"), "mixed": (["a", 1, True], "a,1,true"),
    "object": ({"k": "v"}, '{"k":"v"}'), "empty-string": ("", None),
    "array-of-objects": ([{"a": 1}], '[{"a":1}]'), "empty-array": ([], None),
    "comma": (["a,b", "c"], "a%2Cb,c"), "empty-object": ({}, "{}"),
}))
def test_claim_types(site, value, text):
    browser, answer = attempt(site, lambda b: {**b, "value": value})
    spoof = [("X-Value", "spoofed")]
    assert answer.status in (302, 303), answer
    page = browser.get("/claims/x", extra=spoof)
    hit = passes(site, page)
    assert hit.headers.all("X-Value") in ([] if text is None else [text], [text or ""]), hit.headers


@case("U-10")
def test_nested_claims(site):
    browser, answer = attempt(site, lambda b: {
        **b, "a": {"b": {"c": "deep"}}, "realm_access": {"roles": ["x", "y,z"]}})
    accepted(site, browser, answer, "/claims/x", x_nested="deep", x_roles="x,y%2Cz")
    browser, answer = attempt(site, lambda b: {**b, "a": {"b": "not an object"}})
    accepted(site, browser, answer, "/claims/x", x_nested=None, x_roles=None)


@case("U-10")
def test_userinfo_variable(site):
    browser, answer = attempt(site, lambda b: {**b, "note": "Zo\u00eb"})
    hit = accepted(site, browser, answer, "/claims/x")
    body = json.loads(hit.header("X-Userinfo").encode("latin-1"))
    assert body["sub"] == "u-1001" and body["note"] == "Zo\u00eb"


@pytest.mark.parametrize("body", rows("U-11", {
    "10m": lambda b: {**b, "x": "y" * (10 << 20)},
    "5000-groups": lambda b: {**b, "many": [f"group-{i}" for i in range(5000)]},
    "300k": lambda b: {**b, "name": "n" * 300000},
}))
def test_large_userinfo(site, body):
    browser, answer = attempt(site, body)
    if answer.status in (302, 303):
        page = browser.get("/u")
        assert page.status in (200, 500), page
    else:
        reject(site, answer, "idp_too_large|userinfo_malformed|session_too_large|too_large",
               (500, 502))
    browser.close()
    sane(site)


@case("U-03")
def test_metadata_without_userinfo_endpoint(lab, make_site):
    """`userinfo on` and nothing to ask: the login fails, and the log says what to configure."""
    from harness.idp import Idp
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "userinfo_endpoint": None}
    site = make_site(idp=idp, directives={"userinfo": "on"}, control=False)
    answer = site.browser().get("/u")
    if answer.status == 302:
        _, answer = attempt(site)
    assert answer.status == 502, answer
    assert "userinfo" in site.refusals()[-1][2]


@case("U-15")
def test_the_token_in_a_form(make_site):
    """The emulation takes the token nowhere else, and complains of any other place."""
    site = make_site(directives={"userinfo": "on", "userinfo_token_method": "body", "session_refresh": "on before=60s"},
                     control=False)
    site.idp.userinfo_by_body = site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in("/u") as browser:
        time.sleep(6)  # half of it is over
        passes(site, browser.get("/u"), remote_user="jdoe")
        site.wait(lambda: site.delta("userinfo") == 2, "the refresh asks as well")
    asked = [request for endpoint, request in site.idp.requests if endpoint == "userinfo"]
    assert all(request.method == "POST" and not request.query for request in asked)
