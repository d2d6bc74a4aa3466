# SPDX-License-Identifier: Apache-2.0
"""I-20 and I-21 where a key is configured: encrypted ID tokens, UserInfo and logout tokens."""

import json
import time
import urllib.parse
import zlib

import pytest

from harness import forge
from harness.cases import case, rows
from harness.forge import Key, b64u, dump
from harness.idp import Idp
from harness.outcome import passes, reject
from harness.site import Site, query_of
from harness.wire import Reply

JWKS = "location = /client.jwks { auth_oidc off; oidc_jwks idp; }"
ALGS = {"RSA-OAEP-256": lambda: Key.rsa("-"), "ECDH-ES": lambda: Key.ec("-"),
        "ECDH-ES+A128KW": lambda: Key.ec("-", "P-384"), "ECDH-ES+A256KW": lambda: Key.ec("-", "P-521")}


def key_file(lab, key):
    path = lab.folder / f"decrypt-{time.monotonic_ns()}.pem"
    path.write_text(key.private_pem())
    path.chmod(0o600)
    return path


def published(site):
    return json.loads(site.browser().get("/client.jwks").text)["keys"]


def make(lab, make_site, key, words="", alg="RSA-OAEP-256", enc="A256GCM", **directives):
    """A site whose provider encrypts with what the site publishes."""
    site = make_site(idp=Idp(lab.keys), control=False, locations=JWKS, own_paths=("/oidc_callback", "/back", "/logout"),
                     directives={"id_token_encryption_key": f"{key_file(lab, key)}{words}", **directives})
    (site.jwk,) = published(site)
    site.idp.encrypt = lambda token: forge.encrypted(token, site.jwk, alg, enc)
    return site


@pytest.fixture(scope="module")
def rsa():
    return Key.rsa("-")


@pytest.fixture
def site(lab, make_site, rsa):
    return make(lab, make_site, rsa, userinfo="on", backchannel_logout_uri="/back", logout_uri="/logout")


def nothing_told(site, *keys):
    """Neither tokens (canaries of the provider) nor a key are in a log."""
    log = "".join(p.read_text("utf-8", "replace") for p in (site.folder / "logs").glob("*.log"))
    for key in keys:
        lines = key.private_pem().splitlines()[1:-1]
        assert not any(line in log for line in lines)
    assert not [what for text, what in site.idp.canaries.items() if text in log]


@pytest.mark.parametrize("alg", rows("I-21", {a: a for a in ALGS}))
def test_sign_in(lab, make_site, alg):
    key = ALGS[alg]()
    site = make(lab, make_site, key, f" alg={alg}", alg, session_refresh="on before=60s", logout_uri="/logout",
                logout_token_hint="on")
    assert site.jwk == {**key.jwk(kid=site.jwk["kid"], use="enc"), "alg": alg}, "only what is public"
    site.idp.refresh_tokens = True
    for enc in forge.CONTENTS:
        site.idp.encrypt = lambda token, enc=enc: forge.encrypted(token, site.jwk, alg, enc)
        with site.signed_in() as browser:
            passes(site, browser.get("/x"), remote_user="jdoe")
    # A refresh brings another one.
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = site.browser()
    browser.login("/x")
    site.wait(lambda: browser.get("/x").from_backend and site.idp.refreshes, "a refresh", 20)
    passes(site, browser.get("/x"), remote_user="jdoe")
    # What goes back as a hint is the signed token that was inside.
    hint = query_of(browser.get("/logout").location)["id_token_hint"]
    assert hint.count(".") == 2
    site.idp.forget(hint)
    assert site.refusals() == []
    nothing_told(site, key)


@case("I-21")
def test_published_beside_the_key_that_signs(lab, make_site, rsa):
    signing = Key.ec("-")
    site = make_site(idp=Idp(lab.keys), control=False, locations=JWKS, directives={
        "client_secret": None, "client_key": key_file(lab, signing), "id_token_encryption_key": key_file(lab, rsa)})
    sig, enc = published(site)
    assert sig == {**signing.jwk(kid=sig["kid"]), "alg": "ES256"}
    assert enc == {**rsa.jwk(kid=enc["kid"], use="enc"), "alg": "RSA-OAEP-256"}
    site.idp.auth_methods, site.idp.client_keys = ("private_key_jwt",), [(sig["kid"], "ES256", signing)]
    site.idp.encrypt = lambda token: forge.encrypted(token, enc)
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")


def claims_of(exchange):
    idp = exchange.idp
    return {**exchange.default().json(), "iss": idp.issuer, "aud": idp.client_id}


def as_jwe(site, make_inside=None, jwk=None):
    def hook(exchange):
        claims = claims_of(exchange)
        inside = make_inside(claims) if make_inside else forge.signed(
            {"alg": "RS256", "kid": "rsa-1", "typ": "JWT"}, claims, site.idp.keys.rsa)
        return Reply(forge.encrypted(inside, jwk or site.jwk), ctype="application/jwt")
    return hook


@case("I-21")
def test_userinfo(site):
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k != "email"}
    site.idp.on["userinfo"] = as_jwe(site)
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe", remote_email="jdoe@example.org")
    site.idp.on.clear()  # now not encrypted, and not signed either: registered for each by itself
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert site.refusals() == []


@pytest.mark.parametrize("inside, code", rows("I-21", {
    "claims": (json.dumps, "jwt_malformed"),
    "bad-signature": (lambda c: forge.signed({"alg": "RS256", "kid": "rsa-1"}, c, Key.rsa("rsa-1")), "jwt_signature"),
    "none": (lambda c: forge.compact({"alg": "none"}, c), "jwt_alg"),
}))
def test_userinfo_that_is_refused(site, inside, code):
    site.idp.on["userinfo"] = as_jwe(site, inside)
    reject(site, site.browser().try_login("/x"), code, 502)
    assert "userinfo: " in site.refusals()[-1][2]


@case("I-21")
def test_userinfo_of_another_user(site):
    site.idp.on["userinfo"] = as_jwe(site, lambda c: forge.signed(
        {"alg": "RS256", "kid": "rsa-1"}, {**c, "sub": "evil"}, site.idp.keys.rsa))
    reject(site, site.browser().try_login("/x"), "userinfo_sub", 502)


@case("I-20")
def test_userinfo_for_another_key(site):
    other = Key.rsa("-")
    site.idp.on["userinfo"] = as_jwe(site, jwk=other.jwk(kid=site.jwk["kid"]))
    reject(site, site.browser().try_login("/x"), "jwt_decryption", 502)


def deliver(site, token):
    browser = site.browser()
    answer = browser.request("POST", "/back", kind="none", cookies=False,
                             body=urllib.parse.urlencode({"logout_token": token}).encode(),
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    browser.close()
    return answer


@case("I-21")
def test_logout_tokens(site, rsa):
    site.idp.user["sid"] = "s-1"
    browser = site.browser()
    browser.login("/x")
    other = Key.rsa("-").jwk(kid=site.jwk["kid"])
    signed = site.idp.logout_token(sid="s-1")
    for token, code in ((forge.encrypted(signed, other), "logout_token_malformed"),
                        (forge.encrypted(signed, site.jwk, header={"zip": "DEF"}), "logout_token_malformed"),
                        (forge.encrypted(signed, site.jwk, header={"alg": "RSA-OAEP"}), "logout_token_alg"),
                        (forge.encrypted(forge.compact({"alg": "none"}, {"sid": "s-1"}), site.jwk), "logout_token_alg"),
                        (forge.encrypted('{"sid":"s-1"}', site.jwk), "logout_token_malformed")):
        answer = deliver(site, token)
        assert answer.status == 400 and f"refused: {code}" in site.nginx.log(), (code, answer)
        assert browser.get("/x").from_backend
    assert deliver(site, forge.encrypted(signed, site.jwk)).status == 200
    assert not browser.get("/x").from_backend
    assert deliver(site, signed).status == 400, "used up, in whichever form"
    browser.login("/x")
    assert deliver(site, site.idp.logout_token(sid="s-1")).status == 200, "not encrypted, but signed"
    assert not browser.get("/x").from_backend
    nothing_told(site, rsa)


def changed(index, change):
    def parts(segments):
        segments[index] = change(segments[index])
        return segments
    return parts


def sealed(site, token, **how):
    return forge.encrypted(token, site.jwk, **how)


def with_header(**header):
    return lambda site, token: sealed(site, token, header=header)


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def bomb(site, token):
    """Ten kilobytes that would become megabytes, under a good key."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflate.compress(b" " * 10_000_000) + deflate.flush()
    return forge.encrypted(data, site.jwk, header={"zip": "DEF"})


HOSTILE = {
    "plain": (lambda s, t: t, "jwt_not_encrypted"),
    "another-key": (lambda s, t: forge.encrypted(t, Key.rsa("-").jwk(kid=s.jwk["kid"])), "jwt_decryption"),
    "another-kid": (with_header(kid="somebody"), "jwt_decryption"),
    "short-tag": (lambda s, t: sealed(s, t, parts=changed(4, lambda x: x[:4])), "jwt_malformed"),
    "one-byte-tag": (lambda s, t: sealed(s, t, parts=changed(4, lambda x: x[:1])), "jwt_malformed"),
    "no-tag": (lambda s, t: sealed(s, t, parts=changed(4, lambda _: b"")), "jwt_malformed"),
    "wrong-tag": (lambda s, t: sealed(s, t, parts=changed(4, flipped)), "jwt_decryption"),
    "short-iv": (lambda s, t: sealed(s, t, parts=changed(2, lambda x: x[:1])), "jwt_malformed"),
    "long-iv": (lambda s, t: sealed(s, t, parts=changed(2, lambda x: x * 3000)), "jwt_malformed"),
    "wrong-iv": (lambda s, t: sealed(s, t, parts=changed(2, flipped)), "jwt_decryption"),
    "wrong-text": (lambda s, t: sealed(s, t, parts=changed(3, flipped)), "jwt_decryption"),
    "wrong-key": (lambda s, t: sealed(s, t, parts=changed(1, flipped)), "jwt_decryption"),
    "short-key": (lambda s, t: sealed(s, t, parts=changed(1, lambda x: x[1:])), "jwt_malformed"),
    "huge-key": (lambda s, t: sealed(s, t, parts=changed(1, lambda x: x * 150)), "jwt_malformed"),
    "header": (lambda s, t: sealed(s, t, parts=changed(0, lambda x: x.replace(b'"cty":"JWT"', b'"cty":"jwt"'))),
               "jwt_decryption"),
    "cbc-wrong-tag": (lambda s, t: sealed(s, t, enc="A128CBC-HS256", parts=changed(4, flipped)), "jwt_decryption"),
    "cbc-cut": (lambda s, t: sealed(s, t, enc="A128CBC-HS256", parts=changed(3, lambda x: x[:-16])), "jwt_decryption"),
    "cbc-odd": (lambda s, t: sealed(s, t, enc="A256CBC-HS512", parts=changed(3, lambda x: x[:-1])), "jwt_malformed"),
    "rsa1-5": (with_header(alg="RSA1_5"), "jwt_alg"),
    "rsa-oaep": (with_header(alg="RSA-OAEP"), "jwt_alg"),
    "pbes2": (with_header(alg="PBES2-HS256+A128KW", p2c=2 ** 31 - 1, p2s="AAAA"), "jwt_alg"),
    "dir": (with_header(alg="dir"), "jwt_alg"),
    "ecdh": (with_header(alg="ECDH-ES", epk={"kty": "EC"}), "jwt_alg"),
    "none": (with_header(alg="none"), "jwt_alg"),
    "alg-missing": (with_header(alg=None), "jwt_alg"),
    "enc-missing": (with_header(enc=None), "jwt_alg"),
    "enc-192": (with_header(enc="A192GCM"), "jwt_alg"),
    "zip": (bomb, "jwt_crit"),
    "crit": (with_header(crit=["exp"], exp=1), "jwt_crit"),
    "cty": (with_header(cty="text/plain"), "jwt_typ"),
    "nested": (lambda s, t: sealed(s, sealed(s, t)), "jwt_malformed"),
    "claims-inside": (lambda s, t: sealed(s, forge.b64u_decode(t.split(".")[1])), "jwt_malformed"),
    "none-inside": (lambda s, t: sealed(s, f'{b64u(dump({"alg": "none"}))}.{t.split(".")[1]}.'), "jwt_alg"),
    "hs-inside": (lambda s, t: sealed(s, forge.signed({"alg": "HS256"}, forge.b64u_decode(t.split(".")[1]),
                                                      json.dumps(s.jwk), "HS256")), "jwt_alg"),
    "stranger-inside": (lambda s, t: sealed(s, forge.signed({"alg": "RS256", "kid": "rsa-1"}, forge.b64u_decode(
        t.split(".")[1]), Key.rsa("rsa-1"))), "jwt_signature"),
    "long": (lambda s, t: sealed(s, t + "A" * 100_000), "jwt_malformed"),
    "six": (lambda s, t: sealed(s, t) + ".x", "jwt_malformed|jwt_not_encrypted"),
    "blank": (lambda s, t: sealed(s, t).replace(".", ". ", 1), "jwt_malformed|token_malformed"),
    "json": (lambda s, t: json.dumps({"protected": sealed(s, t).split(".")[0]}), "jwt_[a-z_]+|token_malformed"),
}


@pytest.mark.parametrize("make_token, code", [
    *rows("I-20", {k: v for k, v in HOSTILE.items() if k not in ("plain", "zip")}),
    *rows("I-21", {k: HOSTILE[k] for k in ("plain", "zip")})])
def test_hostile_tokens(shared, make_token, code):
    site = shared
    site.idp.encrypt = lambda token: make_token(site, token)
    browser = site.browser()
    reject(site, browser.try_login("/x"), code, 502)
    site.idp.encrypt = lambda token: sealed(site, token)
    assert browser.login("/again").from_backend
    nothing_told(site)


@pytest.fixture(scope="module")
def shared(lab, rsa):
    with Site(lab, idp=Idp(lab.keys), control=False, locations=JWKS,
              directives={"id_token_encryption_key": key_file(lab, rsa)}) as site:
        (site.jwk,) = published(site)
        yield site


def point(curve="P-256", **change):
    return lambda _: {**{k: v for k, v in Key.ec("-", curve).jwk().items() if k in ("kty", "crv", "x", "y")}, **change}


@pytest.fixture(scope="module")
def shared_ec(lab):
    with Site(lab, idp=Idp(lab.keys), control=False, locations=JWKS,
              directives={"id_token_encryption_key": key_file(lab, Key.ec("-"))}) as site:
        (site.jwk,) = published(site)
        assert "alg" not in site.jwk
        yield site


@pytest.mark.parametrize("epk, code", rows("I-20", {
    "off-curve": (point(y=b64u(b"\x07" * 32)), "jwt_malformed"),
    "zero": (point(x=b64u(b"\0" * 32), y=b64u(b"\0" * 32)), "jwt_malformed"),
    "above-p": (point(x=b64u(b"\xff" * 32)), "jwt_malformed"),
    "another-curve": (point("P-384"), "jwt_malformed"),
    "another-curve-by-name": (point("P-384", crv="P-256"), "jwt_malformed"),
    "okp": (lambda _: {"kty": "OKP", "crv": "X25519", "x": b64u(b"\x09" + b"\0" * 31)}, "jwt_malformed"),
    "missing": (lambda _: None, "jwt_malformed"),
    "text": (lambda _: "epk", "jwt_malformed"),
    "long": (point(x="A" * 20000), "jwt_malformed"),
    "another-point": (point(), "jwt_decryption"),
}))
def test_points(shared_ec, epk, code):
    site = shared_ec
    for alg in ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"):
        site.again()
        site.idp.encrypt = lambda token, alg=alg: forge.encrypted(token, site.jwk, alg, header={"epk": epk(site)})
        reject(site, site.browser().try_login("/x"), code, 502)
        site.idp.encrypt = lambda token, alg=alg: forge.encrypted(token, site.jwk, alg)
        assert site.browser().login("/x").from_backend


@pytest.mark.parametrize("words, good, bad", rows("I-21", {
    "alg": (" alg=ECDH-ES+A128KW", ("ECDH-ES+A128KW", "A256GCM"), ("ECDH-ES", "A256GCM")),
    "enc": (" enc=A128CBC-HS256", ("ECDH-ES", "A128CBC-HS256"), ("ECDH-ES", "A256GCM")),
}))
def test_what_is_registered_and_nothing_else(lab, make_site, words, good, bad):
    site = make(lab, make_site, Key.ec("-"), words, *good)
    assert site.browser().login("/x").from_backend
    site.idp.encrypt = lambda token: forge.encrypted(token, site.jwk, *bad)
    reject(site, site.browser().try_login("/x"), "jwt_alg", 502)
    assert "check id_token_encryption_key" in site.refusals()[-1][2]


@case("I-21")
def test_while_encryption_is_switched_on(lab, make_site, rsa):
    site = make(lab, make_site, rsa, " required=off kid=enc-1")
    assert site.jwk["kid"] == "enc-1"
    assert site.browser().login("/x").from_backend
    site.idp.encrypt = None
    assert site.browser().login("/x").from_backend
    site.idp.encrypt = lambda token: forge.encrypted(token, site.jwk, header={"kid": None, "cty": None})
    assert site.browser().login("/x").from_backend
    site.idp.make_token = lambda h, c: forge.compact({**h, "alg": "none"}, c)
    reject(site, site.browser().try_login("/x"), "jwt_alg", 502)


@case("I-21")
def test_the_former_key(lab, make_site, rsa):
    """A provider goes on with the key that it has fetched."""
    older = Key.ec("-")
    before = make(lab, make_site, older)
    site = make(lab, make_site, rsa, f" former={key_file(lab, older)}")
    site.idp.encrypt = lambda token: forge.encrypted(token, before.jwk, "ECDH-ES")
    assert site.browser().login("/x").from_backend
    site.idp.encrypt = lambda token: forge.encrypted(token, site.jwk)
    assert site.browser().login("/x").from_backend
    site.idp.encrypt = lambda token: forge.encrypted(token, before.jwk, "ECDH-ES", header={"kid": None})
    reject(site, site.browser().try_login("/x"), "jwt_alg", 502)


@case("I-13", "I-21")
def test_signing_keys_that_have_changed(site):
    """The keys are fetched once more for what was inside."""
    assert site.browser().login("/x").from_backend
    new = Key.rsa("new")
    site.idp.key, site.idp.jwks_keys = new, [new.jwk()]
    assert site.browser().login("/x").from_backend
    assert site.refusals() == []


@case("I-21")
def test_a_refresh_that_is_no_longer_encrypted_ends_the_session(lab, make_site, rsa):
    site = make(lab, make_site, rsa, session_refresh="on before=60s")
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = site.browser()
    browser.login("/x")
    site.idp.encrypt = None
    site.wait(lambda: not browser.get("/x").from_backend, "the end of the session", 20)
    assert "jwt_not_encrypted" in site.nginx.log()
