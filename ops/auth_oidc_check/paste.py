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
    table = (("Pocket ID", token.endswith("/api/oidc/token") and jwks.endswith("/.well-known/jwks.json")),
             ("Authelia", token.endswith("/api/oidc/token")),
             ("authentik", "/application/o/" in token),
             ("Keycloak", token.endswith("/protocol/openid-connect/token")),
             ("Entra ID", host in ("login.microsoftonline.com", "sts.windows.net",
                                   "login.microsoftonline.us")),
             ("Google", host == "accounts.google.com"),
             ("Okta", re.search(r"(^|\.)okta(preview|-emea)?\.com$", host)),
             ("Auth0", host.endswith(".auth0.com") or parts.path == "/" and token.endswith("/oauth/token")
              and jwks.endswith("/.well-known/jwks.json")),
             ("GitLab", jwks.endswith("/oauth/discovery/keys")),
             ("Zitadel", jwks.endswith("/oauth/v2/keys") and token.endswith("/oauth/v2/token")),
             ("Kanidm", "/oauth2/openid/" in parts.path and jwks.endswith("/public_key.jwk")),
             ("AD FS", parts.path == "/adfs" and token.rstrip("/").endswith("/adfs/oauth2/token")),
             ("Amazon Cognito", re.search(r"^cognito-idp\.[\w-]+\.amazonaws\.com(\.cn)?$", host)))
    return next((name for name, hit in table if hit), None)


LOGOUT = "logout_uri /logout;"
NO_LOGOUT = "logout_uri /logout;          # ends the session here: it has no end-session endpoint"
HINT = "logout_token_hint on;       # without it there is a question, or an error"
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
                  LOGOUT,
                  "logout_token_hint on;       # where to go is obeyed only together with the ID token",
                  "backchannel_logout_uri /oidc/backchannel;   # since 2025.8"),
    "Keycloak": ("scope openid profile email;  # not offline_access: such sessions no sign-out ends",
                 "session_refresh on;",
                 LOGOUT,
                 "logout_token_hint on;       # without it Keycloak asks the user",
                 "backchannel_logout_uri /oidc/backchannel;"),
    "Entra ID": ("scope openid profile email offline_access;",
                 "session_refresh on;",
                 LOGOUT,
                 "frontchannel_logout_uri /oidc/frontchannel;   # needs the optional claim sid",
                 "# username_claim oid;       # preferred_username can be changed and given to others",
                 "# Have it send only groups that are assigned to the application: too many are left out."),
    "Google": ("scope openid profile email;  # it knows no offline_access",
               "username_claim email;       # it has no preferred_username",
               'extra_auth_args "access_type=offline";   # with prompt: a refresh token',
               "prompt consent;",
               "session_refresh on;",
               NO_LOGOUT,
               "# In the server, or every Google account gets in:",
               "# auth_oidc_require_claim hd any example.com;"),
    "Okta": ("scope openid profile email groups offline_access;   # groups: with a filter at the application",
             "userinfo on;                # the ID token names nobody",
             "session_refresh on;",
             LOGOUT,
             "logout_token_hint on;       # without it the sign-out is an error there"),
    "Auth0": ("# It takes the method that the application is set to; the metadata offer others.",
              "token_endpoint_auth_method client_secret_post;",
              "scope openid profile email offline_access;",
              "username_claim email;       # it has no preferred_username",
              "session_refresh on;",
              LOGOUT,
              "backchannel_logout_uri /oidc/backchannel;   # not in every plan",
              "# In the server, or addresses that nobody has confirmed get in:",
              "# auth_oidc_require_claim email_verified any true;"),
    "GitLab": ("scope openid profile email;  # it knows no offline_access",
               "userinfo on;                # groups are there alone",
               "session_refresh on;",
               NO_LOGOUT,
               "# username_claim sub;       # where users may change their names",
               "# In the server, where everybody can have an account:",
               "# auth_oidc_require_claim groups any GROUP;"),
    "Zitadel": ("scope openid profile email offline_access;",
                "userinfo on;                # the ID token names nobody",
                "session_refresh on;",
                LOGOUT, HINT,
                "backchannel_logout_uri /oidc/backchannel;"),
    "Pocket ID": ("scope openid profile email groups;",
                  "session_refresh on;",
                  LOGOUT, HINT),
    "Kanidm": ("scope openid profile email groups_name;   # those of the scope map, no others",
               "session_refresh on;",
               NO_LOGOUT),
    "AD FS": ("scope openid allatclaims;",
              "response_mode form_post;    # with allatclaims: claims of your rules in the ID token",
              "username_claim upn;",
              "session_refresh on;",
              LOGOUT, HINT),
    "Amazon Cognito": ("scope openid profile email;  # it knows no offline_access",
                       "username_claim cognito:username;",
                       "session_refresh on;",
                       LOGOUT,
                       "end_session_endpoint DOMAIN/logout;",
                       "post_logout_param logout_uri;",
                       "post_logout_uri /signed-out;   # a page without sign-in, registered there"),
}


def peculiar(kind, issuer, data):
    lines = PECULIAR.get(kind, ("scope openid profile email;",))
    if kind == "Auth0":
        lines += ("logout_token_hint on;",) if data.get("end_session_endpoint") else (
            "end_session_endpoint ISSUER/v2/logout;", "post_logout_param returnTo;")
    place = urllib.parse.urlsplit(str(data.get("authorization_endpoint", "")))
    domain = f"{place.scheme}://{place.netloc}" if place.netloc else "https://DOMAIN"
    return [line.replace("ISSUER", quoted(issuer.rstrip("/"))).replace("DOMAIN", quoted(domain)) for line in lines]


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
    lines += peculiar(kind, provider.issuer, data)
    if not uses_pkce(provider, data):
        lines.append("# It does not offer PKCE with S256.")
    return "oidc_provider main {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
