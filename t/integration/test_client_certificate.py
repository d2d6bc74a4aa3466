# SPDX-License-Identifier: Apache-2.0
"""The client is known by a certificate in the handshake (RFC 8705)."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import passes, reject

ENDPOINTS = ("token", "userinfo", "revoke", "par")


def make(lab, make_site, label, method="tls_client_auth", aliases=(), metadata=None, known=True, **directives):
    own = method.startswith("self_signed")
    leaf = lab.pki.ca.issue(label, usage=ExtendedKeyUsageOID.CLIENT_AUTH, common="client-1", self_signed=own)
    idp = Idp(lab.keys, leaf=lab.pki.idp)
    idp.client_ca = leaf.cert_file if own else lab.pki.ca.file
    idp.client_certificate = leaf.cert.public_bytes(Encoding.DER) if known else b""
    idp.auth_methods, idp.aliases, idp.refresh_tokens = ("tls_client_auth",), aliases, True
    idp.metadata = metadata
    return make_site(idp=idp, control=False, directives={
        "client_secret": None, "token_endpoint_auth_method": method, "client_key": leaf.key_file,
        "client_certificate": leaf.cert_file, "ssl_trusted_certificate": lab.pki.ca.file, "userinfo": "on",
        "par": "on", "session_refresh": "on before=60s", "revoke_on_logout": "on", "logout_uri": "/logout",
        **directives})


def whole_life(site):
    """Sign-in, refresh and logout."""
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in() as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")
        site.wait(lambda: browser.get("/x").from_backend and site.idp.refreshes, "a refresh", 20)
        browser.get("/logout")
        site.wait(lambda: site.idp.count("revoke") == 1, "the revocation")
    assert site.refusals() == []


def certificates(site):
    """{endpoint: whether each request came with the certificate}"""
    out = {}
    for endpoint, request in site.idp.requests:
        out.setdefault(endpoint, set()).add((request.certificate is not None, "/mtls/" in request.path))
    return out


@pytest.mark.parametrize("method", rows("P-06", {m: m for m in ("tls_client_auth", "self_signed_tls_client_auth")}))
def test_without_aliases(lab, make_site, method):
    site = make(lab, make_site, f"plain-{method}", method)
    whole_life(site)
    seen = certificates(site)
    for endpoint in ENDPOINTS:
        assert seen[endpoint] == {(True, False)}, seen
    assert seen["discovery"] == seen["jwks"] == {(False, False)}, "nobody asked who we are there"
    form = site.idp.last("token").body
    assert b"client_id=client-1" in form and b"client_secret" not in form
    assert site.idp.last("token").headers.get("authorization") is None


@case("P-06")
def test_aliases(lab, make_site):
    site = make(lab, make_site, "aliases", aliases=ENDPOINTS)
    whole_life(site)
    seen = certificates(site)
    assert all(seen[endpoint] == {(True, True)} for endpoint in ENDPOINTS), seen


@case("P-06")
def test_some_aliases_and_a_configured_address(lab, make_site):
    site = make(lab, make_site, "some", aliases=("token", "par"))
    whole_life(site)
    assert certificates(site)["userinfo"] == {(True, False)} and certificates(site)["token"] == {(True, True)}
    idp = site.idp
    other = make(lab, make_site, "configured", aliases=("token",), par="off",
                 metadata=lambda d: {**d, "mtls_endpoint_aliases": {"token_endpoint": lab.trap.https}},
                 token_endpoint=f"https://localhost:{idp.port}/none")
    answer = other.browser().try_login("/x")
    reject(other, answer, "token_.*|idp_.*", 502)
    assert f"https://localhost:{idp.port}/none" in other.refusals()[-1][2], "what is configured wins"
    idp.complaints.clear()


@pytest.mark.parametrize("aliases", rows("P-06", {
    "list": ([],), "text": ("https://idp.example",), "number": ({"token_endpoint": 7},),
    "plain-http": ({"token_endpoint": "http://192.0.2.1/token"},), "relative": ({"token_endpoint": "/token"},),
    "script": ({"token_endpoint": "javascript:x"},), "user": ({"token_endpoint": "https://a:b@idp.example/"},)}))
def test_aliases_that_are_no_addresses(lab, make_site, aliases):
    site = make(lab, make_site, "bad-aliases", metadata=lambda d: {**d, "mtls_endpoint_aliases": aliases})
    reject(site, site.browser().get("/x"), "metadata_invalid", 502, consumed=False)
    assert "token_endpoint" in site.refusals()[-1][2]


@case("P-06")
def test_who_brings_no_certificate_reads_no_aliases(make_site):
    site = make_site(control=False)
    site.idp.metadata = lambda d: {**d, "mtls_endpoint_aliases": {"token_endpoint": "javascript:x"}}
    site.reload()
    assert site.browser().login("/x").from_backend


@case("P-06")
def test_a_certificate_that_the_provider_does_not_know(lab, make_site):
    site = make(lab, make_site, "unknown-client", known=False, par="off")
    reject(site, site.browser().try_login("/x"), "token_client_auth", 502)
    site.idp.complaints.clear()
