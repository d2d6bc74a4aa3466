# SPDX-License-Identifier: Apache-2.0
"""The block of a provider that is not configured yet."""

import re
import urllib.parse

from .keys import accepted_algorithms
from .metadata import uses_pkce


def quoted(text):
    return text if re.fullmatch(r"[A-Za-z0-9_./:@%?=+-]+", text) else \
        '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def kind_of(issuer, data):
    """Which product a provider is, by the addresses of its metadata."""
    parts = urllib.parse.urlsplit(issuer)
    host, token = parts.hostname or "", str(data.get("token_endpoint", ""))
    jwks = str(data.get("jwks_uri", ""))
    table = (("Authelia", token.endswith("/api/oidc/token")),
             ("authentik", "/application/o/" in token),
             ("Keycloak", token.endswith("/protocol/openid-connect/token")),
             ("Entra ID", host in ("login.microsoftonline.com", "sts.windows.net",
                                   "login.microsoftonline.us")),
             ("Google", host == "accounts.google.com"),
             ("Okta", re.search(r"(^|\.)okta(preview|-emea)?\.com$", host)),
             ("Auth0", host.endswith(".auth0.com")),
             ("GitLab", jwks.endswith("/oauth/discovery/keys")),
             ("Zitadel", jwks.endswith("/oauth/v2/keys") and token.endswith("/oauth/v2/token")))
    return next((name for name, hit in table if hit), None)


PECULIAR = {
    "Authelia": ("scope openid profile email offline_access;   # those that are registered, no others",
                 "userinfo on;                # since 4.39 the ID token names nobody",
                 "session_refresh on;         # there is no back-channel logout",
                 "# It has no end-session endpoint; its own logout page, see docs/guides/authelia.md:",
                 "# end_session_endpoint ISSUER/logout?rd=https%3A%2F%2Fapp.example.com%2F;"),
    "authentik": ("# Not Basic: by 2025.10 it does not decode it, and secrets with + / = fail.",
                  "token_endpoint_auth_method client_secret_post;",
                  "scope openid profile email offline_access;",
                  "session_refresh on;",
                  "logout_uri /logout;",
                  "logout_token_hint on;       # where to go is obeyed only together with the ID token",
                  "backchannel_logout_uri /oidc/backchannel;   # since 2025.8"),
    "Keycloak": ("scope openid profile email;  # not offline_access: such sessions no sign-out ends",
                 "session_refresh on;",
                 "logout_uri /logout;",
                 "logout_token_hint on;       # without it Keycloak asks the user",
                 "backchannel_logout_uri /oidc/backchannel;"),
    "Entra ID": ("scope openid profile email offline_access;",
                 "session_refresh on;",
                 "# Have it send only groups that are assigned to the application: too many are left out."),
    "Google": ("scope openid profile email;  # it knows no offline_access",
               "# For session_refresh on:",
               '# extra_auth_args "access_type=offline";',
               "# prompt consent;"),
    "Okta": ("scope openid profile email offline_access;", "session_refresh on;"),
    "Auth0": ("scope openid profile email;", "post_logout_param returnTo;"),
}


def block_to_paste(provider, data):
    kind = kind_of(provider.issuer, data)
    lines = [f"# {kind}" if kind else "# A provider that this program knows nothing in particular of",
             f"issuer {quoted(provider.issuer)};",
             f"client_id {quoted(provider.client_id or 'CLIENT-ID')};",
             "client_secret_file /etc/nginx/secrets/oidc-client;   # mode 600"]
    if provider.one("config_url"):
        lines.append(f"config_url {quoted(provider.one('config_url'))};")
    if provider.one("ssl_trusted_certificate"):
        lines.append(f"ssl_trusted_certificate {quoted(provider.one('ssl_trusted_certificate'))};")
    if provider.on("insecure_http"):
        lines.append("insecure_http on;            # for laboratories")
    algorithms, _ = accepted_algorithms(provider, data)
    if not algorithms:
        lines.append("id_token_signed_response_alg HS256;   # it advertises no published key")
    peculiar = PECULIAR.get(kind, ("scope openid profile email;",))
    lines += [line.replace("ISSUER", quoted(provider.issuer.rstrip("/"))) for line in peculiar]
    if not uses_pkce(provider, data):
        lines.append("# It does not offer PKCE with S256.")
    return "oidc_provider main {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
