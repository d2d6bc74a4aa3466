# SPDX-License-Identifier: Apache-2.0
"""The plans of the suite, how the relying party is configured for each, and what each module wants."""

import dataclasses
import typing

from party import BACK, CALLBACK, FRONT, INITIATE, LOGOUT, SIGNED_OUT, quoted

CLIENT, SECRET = "conformance-client", "conformance-secret-of-32-bytes-and-more"
IN = "signed in"
# The suite has no more to ask once the metadata, or the keys, are fetched; the browser stays here.
BEGUN = "sent to the provider"

# What our own verdict is, by the end of the module's name: signed in, or the reason of the refusal.
WANTED = {
    # OpenID Connect
    "oidcc-client-test-invalid-iss": "id_token_iss",
    "oidcc-client-test-missing-sub": "id_token_sub",
    "oidcc-client-test-invalid-aud": "id_token_aud",
    "oidcc-client-test-missing-iat": "id_token_iat",
    "oidcc-client-test-missing-aud": "id_token_aud",
    "oidcc-client-test-kid-absent-multiple-jwks": f"{IN}|jwt_key_unknown",
    "oidcc-client-test-idtoken-sig-none": "jwt_alg",
    "oidcc-client-test-invalid-sig-rs256": "jwt_signature",
    "oidcc-client-test-userinfo-invalid-sub": "userinfo_sub",
    "oidcc-client-test-nonce-invalid": "id_token_nonce",
    "oidcc-client-test-discovery-openid-config": BEGUN,
    "oidcc-client-test-discovery-jwks-uri-keys": f"{BEGUN}|{IN}",
    "oidcc-client-test-discovery-issuer-mismatch": "metadata_issuer",
    # FAPI 2
    "-discovery-issuer-mismatch": "metadata_issuer",
    "-test-invalid-iss": "id_token_iss",
    "-test-invalid-aud": "id_token_aud",
    "-invalid-secondary-aud": "id_token_(aud|azp)",
    "-invalid-null-alg": "jwt_alg",
    "-invalid-alternate-alg": "jwt_alg",
    "-invalid-expired-exp": "id_token_exp",
    "-invalid-missing-exp": "id_token_exp",
    "-invalid-missing-aud": "id_token_aud",
    "-invalid-missing-iss": "id_token_iss",
    "-invalid-nonce": "id_token_nonce",
    "-invalid-missing-nonce": "id_token_nonce",
    "-invalid-authorization-response-iss": "issuer_mix_up",
    "-remove-authorization-response-iss": "issuer_missing",
    "-with-invalid-state-fails": "state_unknown",
    "-with-invalid-missing-state-fails": "state_missing",
    "-jarm-without-iss-fails": "issuer_missing",
    "-jarm-with-invalid-iss-fails": "issuer_mix_up",
    "-jarm-without-aud-fails": "response_aud",
    "-jarm-with-invalid-aud-fails": "response_aud",
    "-jarm-without-exp-fails": "response_exp",
    "-jarm-with-expired-exp-fails": "response_exp",
    "-jarm-with-invalid-sig-fails": "response_signature",
    "-jarm-signature-is-not-none": "response_(unsigned|signature)|jwt_alg",
}
# The reason in the log for each logout token that has to be refused.
LOGOUT_TOKENS = {
    "-alg-none": "logout_token_alg", "-no-event": "logout_token_events",
    "-with-nonce": "logout_token_nonce", "-wrong-alg": "logout_token_alg",
    "-wrong-aud": "logout_token_aud", "-wrong-event": "logout_token_events",
    "-wrong-iss": "logout_token_iss",
}


def by_end(table, name, otherwise):
    """The value of the longest key that the name ends with."""
    fitting = [end for end in table if name.endswith(end)]
    return table[max(fitting, key=len)] if fitting else otherwise


@dataclasses.dataclass
class Plan:
    """`name` and `variant` are the suite's. `directives` and `client`: what is added to the provider's block
    and to the client's registration, from the place. `only`: those of its modules."""

    key: str
    title: str
    name: str
    variant: dict
    directives: typing.Callable = lambda place: {}
    client: typing.Callable = lambda place: {}
    what: str = "login"
    only: typing.Optional[str] = None
    notes: str = ""

    @property
    def dynamic(self):
        return self.variant.get("client_registration") == "dynamic_client"

    @property
    def fapi(self):
        return self.name.startswith("fapi2")

    def configuration(self, place):
        """The plan's configuration, as its form has it."""
        client = {"client_id": CLIENT, "redirect_uri": place.origin + CALLBACK, **self.client(place)}
        return {"description": "ngx_http_auth_oidc_module", "client": client, "waitTimeoutSeconds":
                5 * min(place.suite.patience, 2)}

    def provider(self, place):
        """The directives of oidc_provider."""
        return {"client_id": CLIENT, **self.directives(place)}


def with_secret(**more):
    return lambda place: {"client_secret": quoted(SECRET), "scope": "openid profile email",
                          "id_token_signed_response_alg": "RS256", **more}


def secret(**more):
    return lambda place: {"client_secret": SECRET, **{
        name: place.origin + value if isinstance(value, str) and value.startswith("/") else value
        for name, value in more.items()}}


STATIC = {"client_registration": "static_client", "request_type": "plain_http_request"}
PLAIN = {**STATIC, "client_auth_type": "client_secret_basic", "response_mode": "default"}
LEAVING = {"logout_uri": LOGOUT, "post_logout_uri": SIGNED_OUT, "logout_token_hint": "on"}
# The life of a token that the suite gives none; the first half of it is never disturbed.
LIFE = 10

OPENID = [
    Plan("basic", "Basic", "oidcc-client-basic-certification-test-plan", STATIC,
         with_secret(), secret()),
    Plan("config", "Config", "oidcc-client-config-certification-test-plan", PLAIN,
         with_secret(), secret()),
    Plan("formpost", "Form Post", "oidcc-client-formpost-basic-certification-test-plan", STATIC,
         with_secret(response_mode="form_post"), secret()),
    Plan("rp-initiated", "RP-Initiated Logout", "oidcc-client-rp-initiated-logout-rp-basic", PLAIN,
         with_secret(**LEAVING, backchannel_logout_uri=BACK),
         secret(post_logout_redirect_uri=SIGNED_OUT, backchannel_logout_uri=BACK), what="logout"),
    Plan("front-channel", "Front-Channel Logout", "oidcc-client-front-channel-logout-rp-basic", PLAIN,
         with_secret(**LEAVING, frontchannel_logout_uri=FRONT),
         secret(post_logout_redirect_uri=SIGNED_OUT, frontchannel_logout_uri=FRONT,
                frontchannel_logout_session_required=True), what="logout"),
    Plan("front-channel-op", "Front-Channel Logout, begun at the provider", "oidcc-client-logout-test-plan",
         {**PLAIN, "response_type": "code"},
         with_secret(**LEAVING, frontchannel_logout_uri=FRONT),
         secret(post_logout_redirect_uri=SIGNED_OUT, frontchannel_logout_uri=FRONT,
                frontchannel_logout_session_required=True),
         what="logout", only="oidcc-client-test-rp-frontchannel-opinitlogout"),
    Plan("back-channel", "Back-Channel Logout", "oidcc-client-back-channel-logout-rp-basic", PLAIN,
         with_secret(**LEAVING, backchannel_logout_uri=BACK),
         secret(post_logout_redirect_uri=SIGNED_OUT, backchannel_logout_uri=BACK), what="logout"),
    Plan("3rd-party", "3rd-party-initiated login", "oidcc-client-test-3rd-party-init-login-test-plan",
         {**PLAIN, "response_type": "code", "client_registration": "dynamic_client"},
         lambda place: {"scope": "openid profile email", "id_token_signed_response_alg": "RS256",
                        "initiate_login_uri": INITIATE},
         lambda place: {"client_name": "ngx_http_auth_oidc_module"}, what="initiated"),
    Plan("refresh", "Refresh Token", "oidcc-client-refreshtoken-test-plan", {**PLAIN, "response_type": "code"},
         with_secret(session_refresh=f"on before={LIFE // 2}s", access_token_lifetime=f"{LIFE}s"), secret(),
         what="refresh"),
]

FAPI = {"fapi_profile": "plain_fapi", "fapi_client_type": "oidc", "authorization_request_type": "simple"}
SCOPE = "openid email"


def fapi(bound_by, **more):
    def directives(place):
        keys = place.keys
        out = {"scope": SCOPE, "par": "on", "client_key": f"{keys.client_file} alg=ES256",
               "id_token_signed_response_alg": "PS256", **more}
        if bound_by == "dpop":
            out["dpop_key"] = keys.dpop_file
        if more.get("token_endpoint_auth_method") == "tls_client_auth":
            out["client_certificate"] = keys.certificate.cert_file
        return out
    return directives


def registered(place):
    return {"scope": SCOPE, "jwks": place.keys.jwks, "certificate": place.keys.certificate_text}


SECURITY, MESSAGES = "fapi2-security-profile-final-client-test-plan", "fapi2-message-signing-final-client-test-plan"
FAPI2 = [
    Plan("fapi2-dpop", "FAPI 2 Security Profile: private_key_jwt, DPoP", SECURITY,
         {**FAPI, "client_auth_type": "private_key_jwt", "sender_constrain": "dpop"},
         fapi("dpop"), registered),
    Plan("fapi2-mtls", "FAPI 2 Security Profile: mTLS", SECURITY,
         {**FAPI, "client_auth_type": "mtls", "sender_constrain": "mtls"},
         fapi("mtls", token_endpoint_auth_method="tls_client_auth"), registered),
    Plan("fapi2-signing", "FAPI 2 Message Signing: private_key_jwt, DPoP, signed requests and responses", MESSAGES,
         {**FAPI, "client_auth_type": "private_key_jwt", "sender_constrain": "dpop",
          "fapi_request_method": "signed_non_repudiation", "fapi_response_mode": "jarm"},
         fapi("dpop", request_object="on", response_mode="query.jwt"), registered),
]
PLANS = OPENID + FAPI2
