# SPDX-License-Identifier: Apache-2.0
"""The block that ops/auth-oidc-check prints for a provider that is not configured yet."""

import importlib
import subprocess
import sys

import pytest

from harness.cases import case, rows
from harness.nginx import MODULE, ROOT, run_once
from test_auth_oidc_check import PROGRAM, make_idp  # noqa: F401

HOST = "https://idp.example"
PROVIDERS = rows("F-45", {
    "authelia": ("Authelia", HOST, "/api/oidc/token", "/jwks.json", "userinfo on;"),
    "authentik": ("authentik", HOST + "/application/o/espocrm/", "/application/o/token/",
                  "/application/o/espocrm/jwks/", "client_secret_post;"),
    "keycloak": ("Keycloak", HOST + "/realms/r", "/realms/r/protocol/openid-connect/token",
                 "/realms/r/protocol/openid-connect/certs", "logout_token_hint on;"),
    "entra": ("Entra ID", "https://login.microsoftonline.com/0-0/v2.0", "/t", "/k", "offline_access;"),
    "google": ("Google", "https://accounts.google.com", "/token", "/certs", "access_type=offline"),
    "okta": ("Okta", "https://dev-1.okta.com", "/oauth2/v1/token", "/oauth2/v1/keys", "offline_access;"),
    "auth0": ("Auth0", "https://x.eu.auth0.com/", "/oauth/token", "/.well-known/jwks.json",
              "post_logout_param returnTo;"),
    "auth0-own-domain": ("Auth0", HOST + "/", "/oauth/token", "/.well-known/jwks.json",
                         f"end_session_endpoint {HOST}/v2/logout;"),
    "gitlab": ("GitLab", "https://gitlab.example", "/oauth/token", "/oauth/discovery/keys", "userinfo on;"),
    "zitadel": ("Zitadel", HOST, "/oauth/v2/token", "/oauth/v2/keys", "userinfo on;"),
    "pocket-id": ("Pocket ID", HOST, "/api/oidc/token", "/.well-known/jwks.json", "email groups;"),
    "kanidm": ("Kanidm", HOST + "/oauth2/openid/www", "/oauth2/token", "/oauth2/openid/www/public_key.jwk", "groups_name;"),
    "adfs": ("AD FS", HOST + "/adfs", "/adfs/oauth2/token/", "/adfs/discovery/keys", "response_mode form_post;"),
    "cognito": ("Amazon Cognito", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x", "/t", "/k",
                "post_logout_param logout_uri;"),
    "cognito-lookalike": ("knows nothing in particular", "https://cognito-idp.x.amazonaws.com.example", "/t", "/k", "scope"),
    "another": ("knows nothing in particular", HOST, "/token", "/keys", "scope openid profile email;"),
    "lookalike": ("knows nothing in particular", "https://okta.com.example", "/token", "/keys", "scope"),
})


@pytest.fixture(scope="module")
def parts():
    sys.path.insert(0, str(ROOT / "ops"))
    try:
        yield {n: importlib.import_module("auth_oidc_check." + n) for n in ("paste", "configuration")}
    finally:
        sys.path.remove(str(ROOT / "ops"))


def loads(folder, text):
    """nginx -t of the block, with a secret where it says."""
    secret = folder / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    conf = folder / "nginx.conf"
    conf.write_text(f"load_module {MODULE}; pid nginx.pid; events {{}} http {{ access_log off;\n"
                    + text.replace("/etc/nginx/secrets/oidc-client", str(secret))
                    + "server { listen 127.0.0.1:1; server_name a.test; auth_oidc main; } }")
    done = run_once(folder, conf, "-t")
    assert done.returncode == 0, f"{text}\n{done.stderr}"


@pytest.mark.parametrize("kind, issuer, token, jwks, line", PROVIDERS)
def test_blocks_of_known_providers(parts, tmp_path, kind, issuer, token, jwks, line):
    block = [parts["configuration"].Directive(n, [v], None, "", 0)
             for n, v in (("issuer", issuer), ("client_id", 'a "b" \\c; {'))]
    provider = parts["configuration"].Provider("main", block, "/")
    origin = "/".join(issuer.split("/")[:3])
    text = parts["paste"].block_to_paste(provider, {
        "issuer": issuer, "token_endpoint": origin + token, "jwks_uri": origin + jwks,
        "id_token_signing_alg_values_supported": ["RS256"]})
    assert kind in text.splitlines()[1] and line in text, text
    read = parts["configuration"].Configuration(text).block[0]
    assert parts["configuration"].value(read.block, "client_id") == ['a "b" \\c; {']
    # What is only proposed loads as well, when it is taken in.
    for proposed in (text, text.replace("    # extra", "    extra").replace("    # prompt", "    prompt")
                     .replace("    # end_session", "    end_session")):
        loads(tmp_path, proposed)


def ask(*arguments):
    return subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, check=False)


@case("F-45")
def test_a_provider_that_is_not_configured(lab, make_idp, tmp_path):  # noqa: F811
    idp = make_idp(leaf=lab.pki.idp)
    idp.endpoints = {"token": "api/oidc/token"}
    done = ask("--issuer", idp.issuer, "--client-id", "crm", "--cacert", lab.pki.ca.file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"issuer {idp.issuer};" in done.stdout and "# Authelia" in done.stdout, done.stdout
    assert f"# end_session_endpoint {idp.issuer}/logout?rd=" in done.stdout, done.stdout
    assert idp.count("token") == 0 and idp.count("api/oidc/token") == 0
    loads(tmp_path, done.stdout[done.stdout.index("oidc_provider main {"):])


@case("F-45")
def test_an_issuer_that_is_written_otherwise(lab, make_idp):  # noqa: F811
    idp = make_idp()
    done = ask("--issuer", idp.issuer + "/", "--insecure-http")
    assert done.returncode == 1 and f"issuer {idp.issuer};" in done.stdout, done.stdout
    assert "oidc_provider" not in done.stdout
    done = ask("--issuer", idp.issuer)
    assert done.returncode == 1 and "not https" in done.stdout, done.stdout


@case("F-45")
def test_a_provider_without_published_keys(lab, make_idp, tmp_path):  # noqa: F811
    idp = make_idp()
    idp.metadata = lambda d: {**d, "id_token_signing_alg_values_supported": ["HS256"],
                              "code_challenge_methods_supported": ["plain"]}
    done = ask("--issuer", idp.issuer, "--insecure-http")
    assert "id_token_signed_response_alg HS256;" in done.stdout and "PKCE" in done.stdout, done.stdout
    loads(tmp_path, done.stdout[done.stdout.index("oidc_provider main {"):])
