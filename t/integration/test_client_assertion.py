# SPDX-License-Identifier: Apache-2.0
"""Group P: the client authenticates with a JWT (OIDC Core 9, RFC 7523)."""

import base64
import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.cases import case, rows
from harness.forge import Key, b64u
from harness.idp import Idp
from harness.outcome import passes, reject

JWKS = ("location = /client.jwks { auth_oidc off; oidc_jwks idp;"
        " if ($request_method = GET) { add_header X-Seen yes; } }")
KEYS = {"RS256": lambda: Key.rsa("-"), "PS384": lambda: Key.rsa("-"), "ES256": lambda: Key.ec("-"),
        "ES384": lambda: Key.ec("-", "P-384"), "ES512": lambda: Key.ec("-", "P-521"),
        "EdDSA": lambda: Key.ed25519("-")}


def key_file(lab, name, key):
    path = lab.folder / f"{name}.pem"
    path.write_text(key.private_pem())
    path.chmod(0o600)
    return path


def make(lab, make_site, key, alg, words="", **directives):
    """A site whose provider knows the key by what the site publishes."""
    idp = Idp(lab.keys)
    idp.auth_methods = ("private_key_jwt",)
    idp.refresh_tokens = True
    file = key_file(lab, f"client-{alg}-{time.monotonic_ns()}", key)
    site = make_site(idp=idp, control=False, locations=JWKS,
                     directives={"client_secret": None, "client_key": f"{file}{words}", **directives})
    (published,) = json.loads(site.browser().get("/client.jwks").text)["keys"]
    assert published == {**key.jwk(kid=published["kid"]), "alg": alg}, "only what is public"
    idp.client_keys = [(published["kid"], alg, key)]
    return site


@pytest.mark.parametrize("alg", rows("P-03", {a: a for a in KEYS}))
def test_private_key_jwt(lab, make_site, alg):
    words = " alg=PS384" if alg == "PS384" else ""
    site = make(lab, make_site, KEYS[alg](), alg, words)
    for _ in range(2):  # each with an assertion of its own
        with site.signed_in() as browser:
            passes(site, browser.get("/x"), remote_user="jdoe")
    request = site.idp.last("token")
    assert request.headers.get("authorization") is None and b"client_secret" not in request.body
    assert len(site.idp.assertions) == 2 and site.idp.last_assertion[0]["typ"] == "JWT"
    assert site.refusals() == []


@case("P-03")
def test_refresh_and_revocation(lab, make_site):
    site = make(lab, make_site, Key.ec("-"), "ES256", " kid=my-key", session_refresh="on before=60s",
                revoke_on_logout="on", logout_uri="/logout")
    assert site.idp.client_keys[0][0] == "my-key"
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in() as browser:
        site.wait(lambda: browser.get("/x").from_backend and site.idp.refreshes, "a refresh", 20)
        browser.get("/logout")
        site.wait(lambda: site.idp.count("revoke") == 1, "the revocation")
    assert b"client_assertion=" in site.idp.last("revoke").body
    assert site.refusals() == [] and len(site.idp.assertions) >= 3


@pytest.mark.parametrize("value, audience", rows("P-03", {
    "issuer": ("issuer", None), "endpoint": ("token_endpoint", lambda i: i.url("token")),
    "text": ("urn:of:the:provider", lambda i: "urn:of:the:provider")}))
def test_whom_it_is_for(lab, make_site, value, audience):
    site = make(lab, make_site, Key.ec("-"), "ES256", client_assertion_audience=value)
    site.idp.assertion_audience = audience and audience(site.idp)
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
    aud = site.idp.last_assertion[1]["aud"]
    assert isinstance(aud, str) and aud == (site.idp.assertion_audience or site.idp.issuer)


@pytest.mark.parametrize("words, kid", rows("P-03", {"thumbprint": ("", None), "kid": (" kid=my-key", "my-key")}))
def test_named_by_its_certificate(lab, make_site, words, kid):
    """As Microsoft Entra knows the keys of its clients."""
    leaf = lab.pki.ca.issue(f"client-{kid}", usage=ExtendedKeyUsageOID.CLIENT_AUTH, chain=[lab.pki.ca])
    key = Key("-", load_pem_private_key(leaf.key_file.read_bytes(), None))
    idp = Idp(lab.keys)
    idp.auth_methods, idp.client_keys = ("private_key_jwt",), [(kid, "ES256", key)]
    site = make_site(idp=idp, control=False, locations=JWKS, directives={
        "client_secret": None, "client_key": f"{leaf.key_file}{words}", "client_certificate": leaf.cert_file})
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
    head = site.idp.last_assertion[0]
    der = leaf.cert.public_bytes(Encoding.DER)
    assert head.get("kid") == kid and head["x5t#S256"] == b64u(hashlib.sha256(der).digest())
    (published,) = json.loads(site.browser().get("/client.jwks").text)["keys"]
    assert published["x5t#S256"] == head["x5t#S256"] and published["kid"]
    assert [base64.b64decode(c) for c in published["x5c"]] == [
        der, lab.pki.ca.cert.public_bytes(Encoding.DER)]


@case("P-03")
def test_a_key_that_the_provider_does_not_know(lab, make_site):
    site = make(lab, make_site, Key.ec("-"), "ES256")
    kid, alg, _ = site.idp.client_keys[0]
    site.idp.client_keys = [(kid, alg, Key.ec("-"))]
    browser = site.browser()
    reject(site, browser.try_login("/x"), "token_client_auth", 502)
    browser.close()
    site.idp.complaints.clear()


@case("P-03")
def test_client_secret_jwt(lab, make_site):
    idp = Idp(lab.keys)
    idp.auth_methods = ("client_secret_jwt",)
    site = make_site(idp=idp, control=False, directives={"token_endpoint_auth_method": "client_secret_jwt"})
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert site.idp.last_assertion[0]["alg"] == "HS256" and site.refusals() == []
