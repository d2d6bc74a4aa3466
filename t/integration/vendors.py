# SPDX-License-Identifier: Apache-2.0
"""What each provider of a guide answers. Where a fact is from stands on its page."""

import secrets

from harness import forge
from harness.wire import Reply
from vendor import Refused, Vendor, code_like

JANE = {"name": "Jane Müller", "given_name": "Jane", "family_name": "Müller", "email": "jane@example.com"}


def below(prefix, **paths):
    return {name: f"{prefix}/{path}" for name, path in paths.items()}


def at_hash(claims, access, alg="RS256"):
    return {**claims, "at_hash": forge.half_hash(alg, access)}


class Entra(Vendor):
    page = "entra"
    tenant = "8f7e0000-0000-0000-0000-000000000000"
    authority = f"https://login.microsoftonline.com/{tenant}"
    issuer = f"{authority}/v2.0"
    places = {"authorize": f"{authority}/oauth2/v2.0/authorize", "token": f"{authority}/oauth2/v2.0/token",
              "jwks": f"{authority}/discovery/v2.0/keys", "logout": f"{authority}/oauth2/v2.0/logout",
              "userinfo": "https://graph.microsoft.com/oidc/userinfo"}
    document = {"frontchannel_logout_supported": True, "http_logout_supported": True, "cloud_instance_name":
                "microsoftonline.com", "subject_types_supported": ["pairwise"],
                "request_uri_parameter_supported": False,
                "response_modes_supported": ["query", "fragment", "form_post"], "tenant_region_scope": "EU",
                "scopes_supported": ["openid", "profile", "email", "offline_access"]}
    methods = ("client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth")
    answers = {"session_state": "3c5f0000-0000-0000-0000-000000000000"}
    # Of Microsoft's keys: no alg, an issuer of their own, and a certificate.
    key_members = {"alg": None, "issuer": issuer, "x5t": "nooo", "x5c": ["MIIC"]}
    userinfo_names = ("name", "given_name", "family_name", "email")
    somebody = {**JANE, "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
                "oid": "aaaa0000-0000-0000-0000-000000000001",
                "tid": tenant, "ver": "2.0", "preferred_username": "jane@example.com", "rh": "0.ATcA", "uti": "bOtb",
                "sid": "00aa0000-0000-0000-0000-0000000000cc",
                "groups": ["11110000-0000-0000-0000-000000000000", "22220000-0000-0000-0000-000000000000"]}

    def reset(self):
        super().reset()
        self.code_format = code_like("1.ATcA", 900)
        self.own_key = None  # what those see who do not ask for the application's keys

    def default_discovery(self, request):
        """Of an application with claims mapped for it alone: keys of its own, to those that ask for it by appid."""
        answer = super().default_discovery(request)
        if request is None or not request.query:
            return answer
        document = answer.json()
        return Reply({**document, "jwks_uri": f"{document['jwks_uri']}?{request.query}"})

    def default_jwks(self, request):
        answer = super().default_jwks(request)
        if self.own_key is None or request.query == f"appid={self.client_id}":
            return answer
        return Reply({"keys": [self.own_key.jwk(use="sig")]})

    def token_answer(self, grant, code):
        return {**super().token_answer(grant, code), "ext_expires_in": 3600, "scope": "openid profile email"}


class EntraTenants(Entra):
    """Its endpoints for all organisations: one issuer with a placeholder, tokens of the tenant that somebody is of."""

    other = "8f7e0000-0000-0000-0000-000000000001"
    authority = "https://login.microsoftonline.com/organizations"
    issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
    places = {name: place.replace(f"/{Entra.tenant}/", "/organizations/") for name, place in Entra.places.items()}
    key_members = {**Entra.key_members, "issuer": issuer}

    def endpoint_of(self, request):
        url = f"https://{request.headers.get('host')}{request.path}"
        known = f"{self.authority}/v2.0/.well-known/openid-configuration"
        return "discovery" if url == known else super().endpoint_of(request)

    def shape(self, claims, _grant, _access):
        return {**claims, "iss": self.issuer.replace("{tenantid}", claims["tid"])}


class Google(Vendor):
    page = "google"
    issuer = "https://accounts.google.com"
    places = {"authorize": f"{issuer}/o/oauth2/v2/auth", "token": "https://oauth2.googleapis.com/token",
              "jwks": "https://www.googleapis.com/oauth2/v3/certs", "revoke": "https://oauth2.googleapis.com/revoke",
              "userinfo": "https://openidconnect.googleapis.com/v1/userinfo"}
    document = {"scopes_supported": ["openid", "email", "profile"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "authorization_response_iss_parameter_supported": True,
                "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code"}
    methods = ("client_secret_post", "client_secret_basic")
    answers = {"scope": "email profile openid", "authuser": "0", "hd": "example.com", "prompt": "consent"}
    iss_parameter, rotates = True, False
    somebody = {**JANE, "sub": "110169484474386276334", "email_verified": True, "hd": "example.com",
                "picture": "https://lh3.googleusercontent.com/a/x"}
    names, groups = ("email",), "none"

    def reset(self):
        super().reset()
        self.code_format = code_like("4/0A")

    def objection(self, params):
        if "offline_access" in params["scope"].split(" "):
            raise Refused("invalid_scope")

    def gives_refresh(self, grant):
        params = grant["params"]
        return params.get("access_type") == "offline" and params.get("prompt") == "consent"

    def shape(self, claims, _grant, access):
        return {**at_hash(claims, access), "azp": self.client_id}


class Okta(Vendor):
    page = "okta"
    issuer = "https://company.okta.com"
    places = below(f"{issuer}/oauth2/v1", authorize="authorize", token="token", jwks="keys", userinfo="userinfo",
                   logout="logout", revoke="revoke")
    document = {"scopes_supported": ["openid", "email", "profile", "address", "phone", "offline_access", "groups"],
                "code_challenge_methods_supported": ["S256"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "dpop_signing_alg_values_supported": ["RS256", "ES256"],
                "pushed_authorization_request_endpoint": f"{issuer}/oauth2/v1/par"}
    methods = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
    # Thin: what belongs to profile is at UserInfo when an access token is given as well.
    id_token_names = ("groups", "auth_time", "amr")
    userinfo_names = ("name", "given_name", "family_name", "email", "email_verified", "preferred_username", "groups")
    somebody = {**JANE, "sub": "00uid4BxXw6I6TV4m0g3", "preferred_username": "jane@example.com", "email_verified": True,
                "auth_time": 1311280969, "amr": ["pwd"], "groups": ["staff", "Everyone"]}

    def objection(self, params):
        if not params.get("state"):
            raise Refused("the state parameter is missing")

    def shape(self, claims, grant, access):
        if "groups" not in self.asked(grant):
            claims.pop("groups", None)
        return {**at_hash(claims, access), "ver": 1, "jti": "ID." + secrets.token_urlsafe(12), "idp": "00oid"}

    def end_session(self, query):
        if "id_token_hint" not in query:
            raise Refused("400")
        return super().end_session(query)


class Auth0(Vendor):
    page = "auth0"
    issuer = "https://company.eu.auth0.com/"
    places = {"authorize": f"{issuer}authorize", "token": f"{issuer}oauth/token", "userinfo": f"{issuer}userinfo",
              "jwks": f"{issuer}.well-known/jwks.json", "logout": f"{issuer}oidc/logout",
              "revoke": f"{issuer}oauth/revoke"}
    document = {"id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
                "code_challenge_methods_supported": ["S256", "plain"], "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
                "scopes_supported": ["openid", "profile", "offline_access", "name", "email", "email_verified"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post",
                                                          "private_key_jwt"]}
    # What an application is registered with, by default; the metadata offer more.
    methods = ("client_secret_post",)
    somebody = {**JANE, "sub": "auth0|507f1f77bcf86cd799439020", "nickname": "jane", "email_verified": True,
                "picture": "https://s.gravatar.com/avatar/x", "updated_at": "2026-11-01T00:00:00.000Z",
                "sid": "s-jane-1", "https://www.example.com/groups": ["staff", "admins"]}
    names, groups = ("email",), "https://www.example.com/groups"

    def default_token(self, request):
        answer = super().default_token(request)
        if answer.status == 401:
            answer = Reply({"error": "access_denied", "error_description": "Unauthorized"}, status=401)
        return answer


class GitLab(Vendor):
    page = "gitlab"
    issuer = "https://gitlab.example.com"
    places = {"authorize": f"{issuer}/oauth/authorize", "token": f"{issuer}/oauth/token",
              "userinfo": f"{issuer}/oauth/userinfo", "jwks": f"{issuer}/oauth/discovery/keys",
              "revoke": f"{issuer}/oauth/revoke"}
    document = {"scopes_supported": ["api", "read_user", "openid", "profile", "email"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "response_modes_supported": ["query", "fragment", "form_post"]}
    lifetime, refresh_scope = 120, None
    userinfo_names = ("name", "nickname", "preferred_username", "email", "email_verified", "profile", "picture",
                      "groups")
    somebody = {**JANE, "sub": "42", "sub_legacy": "0f" * 32, "nickname": "jane", "preferred_username": "jane",
                "email_verified": True, "auth_time": 1700000000, "profile": f"{issuer}/jane",
                "groups": ["company", "company/crm"], "groups_direct": ["company/crm"]}
    id_token_names = tuple(n for n in somebody if n != "groups")

    def objection(self, params):
        unknown = set(params["scope"].split(" ")) - set(self.document["scopes_supported"])
        return "invalid_scope" if unknown else None


class Zitadel(Vendor):
    page = "zitadel"
    issuer = "https://company.eu1.zitadel.cloud"
    places = {"authorize": f"{issuer}/oauth/v2/authorize", "token": f"{issuer}/oauth/v2/token",
              "userinfo": f"{issuer}/oidc/v1/userinfo", "jwks": f"{issuer}/oauth/v2/keys",
              "logout": f"{issuer}/oidc/v1/end_session", "revoke": f"{issuer}/oauth/v2/revoke"}
    document = {"scopes_supported": ["openid", "profile", "email", "phone", "address", "offline_access"],
                "code_challenge_methods_supported": ["S256"], "request_parameter_supported": True,
                "backchannel_logout_supported": True, "backchannel_logout_session_supported": True}
    methods = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
    project = "259254020357488640"
    id_token_names = ("auth_time", "amr", "sid")
    roles = {"staff": {"259254020357488000": "company.eu1.zitadel.cloud"}}
    somebody = {**JANE, "sub": "259242039378444290", "preferred_username": "jane@company.eu1.zitadel.cloud",
                "locale": "de",
                "email_verified": True, "auth_time": 1700000000, "amr": ["pwd"], "sid": "V1_259254020357480000",
                "urn:zitadel:iam:org:project:roles": roles,
                f"urn:zitadel:iam:org:project:{project}:roles": roles, "groups": ["staff"]}
    userinfo_names = tuple(n for n in somebody if n not in ("auth_time", "amr", "sid"))

    def shape(self, claims, _grant, access):
        return {**at_hash(claims, access), "aud": [self.client_id, self.project], "azp": self.client_id,
                "client_id": self.client_id}

    def end_session(self, query):
        if "id_token_hint" not in query and "client_id" not in query:
            return None
        return super().end_session(query)


class PocketId(Vendor):
    page = "pocket-id"
    issuer = "https://id.example.com"
    places = {"authorize": f"{issuer}/authorize", "jwks": f"{issuer}/.well-known/jwks.json",
              **below(f"{issuer}/api/oidc", token="token", userinfo="userinfo", logout="end-session")}
    document = {"scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "authorization_response_iss_parameter_supported": True, "request_parameter_supported": True,
                "code_challenge_methods_supported": ["plain", "S256"], "require_pushed_authorization_requests": False,
                "pushed_authorization_request_endpoint": f"{issuer}/api/oidc/par",
                "request_object_signing_alg_values_supported": ["none"],
                "prompt_values_supported": ["none", "login", "consent", "select_account"]}
    methods = ("client_secret_basic", "client_secret_post", "none")
    iss_parameter, refresh_scope = True, None
    somebody = {**JANE, "sub": "f6a3f0f5-29c8-4b6c-8b32-7d1f7f0f0001", "display_name": "Jane", "email_verified": False,
                "preferred_username": "jane", "picture": f"{issuer}/api/users/1/profile-picture.png", "amr": ["phr"],
                "groups": ["staff"]}
    userinfo_names = tuple(n for n in somebody if n != "amr")

    def shape(self, claims, grant, access):
        if "groups" not in self.asked(grant):
            claims.pop("groups", None)
        return {**at_hash(claims, access, self.alg), "type": "id-token", "jti": secrets.token_hex(8)}

    def end_session(self, query):
        # Without a hint that fits the user confirms on a page, from which nobody comes back.
        return super().end_session(query) if "id_token_hint" in query else None


class Kanidm(Vendor):
    page = "kanidm"
    issuer = "https://idm.example.com/oauth2/openid/www"
    places = {"authorize": "https://idm.example.com/ui/oauth2", "token": "https://idm.example.com/oauth2/token",
              "userinfo": f"{issuer}/userinfo", "jwks": f"{issuer}/public_key.jwk",
              "revoke": "https://idm.example.com/oauth2/token/revoke"}
    document = {"scopes_supported": ["email", "groups_name", "openid", "profile"], "claims_parameter_supported": False,
                "code_challenge_methods_supported": ["S256"], "response_modes_supported": ["query", "fragment"],
                "request_parameter_supported": False}
    algorithm, nonce_again, refresh_scope = "ES256", True, None
    mapped = ("openid", "profile", "email", "groups_name")
    somebody = {"sub": "1ed9ee9d-5c04-4a4d-8d28-7f9d3d0f0001", "name": "Jane Müller", "email": "jane@example.com",
                "email_verified": True, "preferred_username": "jane@idm.example.com", "groups": ["staff"]}

    def objection(self, params):
        if params.get("code_challenge_method") != "S256":
            raise Refused("invalid_request")
        if set(params["scope"].split(" ")) - set(self.mapped):
            raise Refused("access denied")

    def shape(self, claims, grant, access):
        if "groups" in self.asked(grant):
            claims = {**claims, "groups": ["0b9c5c3e-0000-4000-8000-000000000001", "staff@idm.example.com"]}
        return {**at_hash(claims, access, "ES256"), "azp": self.client_id, "scopes": self.asked(grant),
                "jti": secrets.token_hex(8)}


class Adfs(Vendor):
    page = "adfs"
    issuer = "https://adfs.example.com/adfs"
    places = {"authorize": f"{issuer}/oauth2/authorize/", "token": f"{issuer}/oauth2/token/",
              "userinfo": f"{issuer}/userinfo", "jwks": f"{issuer}/discovery/keys", "logout": f"{issuer}/oauth2/logout"}
    document = {"access_token_issuer": "http://adfs.example.com/adfs/services/trust",
                "subject_types_supported": ["pairwise"],
                "scopes_supported": ["openid", "allatclaims", "profile", "email", "user_impersonation", "logon_cert"],
                "response_modes_supported": ["query", "fragment", "form_post"], "frontchannel_logout_supported": True,
                "frontchannel_logout_session_supported": True, "microsoft_multi_refresh_token": True}
    methods = ("client_secret_post", "client_secret_basic", "private_key_jwt", "windows_client_authentication")
    answers = {"client-request-id": "7f1d0000-0000-0000-0000-000000000000"}
    refresh_scope, rotates = None, False
    always = ("upn", "unique_name", "auth_time", "apptype", "appid", "authmethod", "ver", "pwd_exp", "sid")
    somebody = {"sub": "7Ur6cSGJYhFR1XpRbp+3ojbVzWkw7oDRm+ZDLTZG5Zk=", "upn": "jane@corp.example.com",
                "unique_name": "CORP\\jane", "auth_time": 1700000000, "apptype": "Confidential", "appid": "x",
                "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "ver": "1.0",
                "pwd_exp": "123456", "sid": "S-1-5-21-1-2-3-1104", "email": "jane@example.com", "name": "Jane Müller",
                "groups": ["staff", "admins"]}
    userinfo_names, names = (), ("upn",)

    def shape(self, claims, grant, _access):
        params = grant["params"]
        if "allatclaims" not in self.asked(grant) or params.get("response_mode") != "form_post":
            claims = {n: v for n, v in claims.items() if n not in self.somebody or n == "sub" or n in self.always}
        return claims

    def end_session(self, query):
        return super().end_session(query) if "id_token_hint" in query else None


class Cognito(Vendor):
    page = "cognito"
    pool = "eu-central-1_aB3dE5fG7"
    issuer = f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}"
    domain = "https://company.auth.eu-central-1.amazoncognito.com"
    places = {"authorize": f"{domain}/oauth2/authorize", "token": f"{domain}/oauth2/token",
              "userinfo": f"{domain}/oauth2/userInfo", "jwks": f"{issuer}/.well-known/jwks.json",
              "logout": f"{domain}/logout", "revoke": f"{domain}/oauth2/revoke"}
    document = {"scopes_supported": ["openid", "email", "phone", "profile"],
                "response_types_supported": ["code", "token"]}
    refresh_scope, rotates = None, False
    somebody = {**JANE, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:username": "jane",
                "email_verified": True,
                "cognito:groups": ["staff", "admins"], "token_use": "id", "event_id": "64f5", "auth_time": 1700000000,
                "origin_jti": "aaaa", "jti": "bbbb", "identities": [{"providerName": "Okta", "primary": "true"}]}
    userinfo_names = ("name", "given_name", "family_name", "email", "email_verified")
    names, groups = ("cognito:username",), "cognito:groups"

    def objection(self, params):
        unknown = set(params["scope"].split(" ")) - set(self.document["scopes_supported"])
        return "invalid_scope" if unknown else None

    def shape(self, claims, _grant, access):
        return at_hash(claims, access)

    def shape_userinfo(self, body):
        # Its documentation: a text here, a boolean in the ID token.
        return {**body, "username": "jane", "email_verified": "true"}

    def end_session(self, query):
        if query.get("client_id") != self.client_id or not {"logout_uri", "redirect_uri"} & set(query):
            raise Refused("400")
        return query.get("logout_uri")


ALL = (Entra, Google, Okta, Auth0, GitLab, Zitadel, PocketId, Kanidm, Adfs, Cognito)
