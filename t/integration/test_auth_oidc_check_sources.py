# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-check: sources of claims, and providers of several tenants."""

import pytest

from harness.cases import case, rows
from harness.pki import DAY
from harness.ports import free_port
from test_auth_oidc_check import block, check, make_idp  # noqa: F401 - a fixture

SERVER = "server { listen 127.0.0.1:1; server_name a.invalid; auth_oidc main; }"


def source(registry, lab, **changes):
    """The block of a provider that has nothing to sign in with."""
    return block(registry, lab, client_secret=None, redirect_uri=None, **changes).replace(
        "oidc_provider main", "oidc_provider registry")


def own(result, status):
    """The checks of the source alone."""
    return {x["check"] for x in result.of(status) if x["about"] == "provider registry"}


def text(result, name):
    return "\n".join(f"{x['text']}; {x['fix']}" for x in result.lines
                     if x["about"] == "provider registry" and x["check"] == name)


@pytest.mark.parametrize("server", rows("F-40", {
    "source": SERVER, "source-beside-a-variable": SERVER.replace("main", "$any"),
}))
def test_a_source_of_claims(lab, make_idp, server):  # noqa: F811
    """Names, TLS, metadata and keys; nobody signs in there, so nothing else of it is asked."""
    idp, registry = make_idp(), make_idp(leaf=lab.pki.idp)
    result = check(idp, lab, http=source(registry, lab) + server,
                   claim_source=f"registry endpoint_host=localhost:{registry.port}")
    assert own(result, "ok") == {"names", "TLS", "certificate", "metadata", "keys", "endpoint_host"}, result.output
    assert not own(result, "wrong") and not own(result, "unknown"), result.output
    assert "it is a claim_source" in text(result, "sites")
    assert "is verified" in text(result, "endpoint_host")
    assert {e for e, _ in registry.requests} == {"discovery", "jwks"}


@case("F-40")
def test_a_source_at_which_people_sign_in(lab, make_idp):  # noqa: F811
    idp, registry = make_idp(), make_idp()
    result = check(idp, lab, http=source(registry, lab) + SERVER.replace("auth_oidc main;", "auth_oidc registry;"),
                   claim_source="registry")
    assert "client authentication" in own(result, "wrong"), result.output
    assert registry.count("authorize") and registry.count("token")


@pytest.mark.parametrize("server", rows("F-40", {
    "own-source": SERVER, "own-source-of-nobody": "", "own-source-by-variable": SERVER.replace("main", "$any"),
}))
def test_a_provider_that_is_its_own_source(lab, make_idp, server):  # noqa: F811
    idp = make_idp()
    result = check(idp, lab, http=server, claim_source="main")
    assert "client authentication" in result.checks("ok") and "claim_source" not in result.output, result.output


@pytest.mark.parametrize("fault, wrong, words", rows("F-40", {
    "source-issuer": (lambda r: setattr(r, "metadata", lambda d: {**d, "issuer": "https://x.example"}), "metadata",
                      "x.example"),
    "source-keys": (lambda r: setattr(r, "jwks_keys", []), "keys", "no keys at all"),
    # As the module has it: `documents of provider "registry" could not be fetched`.
    "source-endpoints": (lambda r: setattr(r, "metadata", lambda d: {**d, "token_endpoint": None}), "token_endpoint",
                         "any address of https"),
    "source-host": (None, "endpoint_host", "refused"), "source-name": (None, "endpoint_host", "does not resolve"),
    "source-authority": (None, "endpoint_host", "put its authority into ssl_trusted_certificate"),
    "source-life": (None, "certificate", "renew it"),
}))
def test_faults_of_a_source(lab, make_idp, fault, wrong, words):  # noqa: F811
    idp, registry = make_idp(), make_idp(leaf=lab.pki.idp)
    host = f"localhost:{registry.port}"
    if fault:
        fault(registry)
    elif words == "refused":
        host = f"127.0.0.1:{free_port()}"
    elif words == "does not resolve":
        host = "claims.invalid"
    else:
        leaf = lab.pki.bad["unknown-ca"] if wrong == "endpoint_host" else \
            lab.pki.ca.issue("claims-soon", end=5 * DAY, dns=["localhost"])
        host = f"localhost:{make_idp(leaf=leaf).port}"
    result = check(idp, lab, http=source(registry, lab) + SERVER, claim_source=f"registry endpoint_host={host} required")
    assert own(result, "wrong") - {"names"} == {wrong}, result.output
    assert words in text(result, wrong), result.output


@case("F-40")
def test_tenants(lab, make_idp):  # noqa: F811
    """The metadata are of the template; an answer is of a tenant."""
    idp = make_idp()
    template = idp.base + "/{tenantid}/v2.0"
    idp.issuer = template
    changes = {"issuer": None, "issuer_template": f'"{template}" t-1 t-2',
               "config_url": idp.base + "/.well-known/openid-configuration"}
    for tenant, code in (("t-1", 0), ("t-2", 0), ("t-3", 1)):
        iss = template.replace("{tenantid}", tenant)
        idp.authorize_response = lambda a, i=iss: [("error", "login_required"), ("iss", i)]
        result = check(idp, lab, **changes)
        assert result.code == code, result.output
        assert f"is of issuer {template}" in result.text("metadata")
        if code:
            assert result.checks("wrong") == {"authorization_endpoint"} and "t-3" in result.output
            assert "issuer_template" in result.text("authorization_endpoint"), result.output
    idp.metadata = lambda d: {**d, "issuer": idp.base + "/t-1/v2.0"}
    result = check(idp, lab, **changes)
    assert result.checks("wrong") == {"metadata"} and "issuer_template" in result.text("metadata"), result.output
