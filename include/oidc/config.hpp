// SPDX-License-Identifier: Apache-2.0
// ProviderConfig: one oidc_provider block as the core sees it; plain values, no nginx types.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc {

enum class Alg : std::uint8_t {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
};

std::string_view alg_name(Alg alg) noexcept;
std::optional<Alg> alg_from_name(std::string_view name) noexcept;  // exact case; never "none"
bool alg_is_symmetric(Alg alg) noexcept;

// OIDC Core 9.
// tls: a certificate in the handshake (RFC 8705 2), by whomever it is signed. file_assertion: a JWT
// that another program makes (RFC 7523 2.2).
enum class ClientAuth : std::uint8_t {
    automatic,
    basic,
    post,
    secret_jwt,
    private_key_jwt,
    tls,
    none,
    file_assertion
};

// Of ProviderConfig::client_assertion_audience.
inline constexpr std::string_view kTokenEndpointAudience = "token_endpoint";

class JwsSigner;
class JweDecrypter;
struct RenewedCredentials;  // client_credentials.hpp

// How the authorization response comes: in the query, posted by a page of the provider's (OAuth 2.0
// Form Post Response Mode), or in the query as a signed JWT (JARM).
enum class ResponseMode : std::uint8_t { query, form_post, query_jwt };

// How a request carries the access token: RFC 6750 2.1, 2.2.
enum class TokenMethod : std::uint8_t { header, body };

// The value of response_mode.
std::string_view response_mode_name(ResponseMode mode) noexcept;

enum class Toggle : std::uint8_t { automatic, on, off };

struct ProviderConfig;

// One claim_source: whose signed claims are taken over (OIDC Core 5.6.2).
struct TrustedSource {
    const ProviderConfig* issuer = nullptr;  // another block, or the same; it lives as long
    std::vector<std::string> hosts;          // "host:port" that claims may be fetched from
    bool required = false;
};

// Of shared_signals_uri: what a transmitter of security events has to bring.
struct SignalsConfig {
    Secret token;                       // of its Authorization header
    std::string issuer;                 // empty: the provider's
    std::vector<std::string> audience;  // empty: the client_id
};

struct ProviderConfig {
    std::string name;    // of the oidc_provider block
    std::string issuer;  // byte for byte as configured; the template where there are tenants
    std::vector<std::string> tenants;  // of issuer_template, see tenants.hpp; empty: no template
    std::string client_id;
    Secret client_secret;                         // empty: a public client, or one with a key
    std::shared_ptr<const JwsSigner> client_key;  // null: none
    // Of files that are renewed, shared by all who read the configuration of a worker; null: none.
    std::shared_ptr<RenewedCredentials> renewed;
    bool has_certificate = false;  // of client_key, for the handshake
    // Of dpop_key: tokens are bound to it. Null: tokens are bearers'.
    std::shared_ptr<const JwsSigner> dpop_key;
    // Of id_token_encryption_key; null: tokens that are encrypted are refused.
    std::shared_ptr<const JweDecrypter> decrypter;
    bool encryption_required = false;  // of ID tokens
    // Empty: the issuer. "token_endpoint": its URL. Else a text as it is.
    std::string client_assertion_audience;

    // Empty: from metadata. With the first two and jwks_uri (or jwks_file) given, no discovery.
    std::string config_url;  // never empty: derived from issuer when not configured
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string userinfo_endpoint;
    std::string jwks_uri;
    std::string end_session_endpoint;
    std::string revocation_endpoint;  // read with revoke_on_logout only
    std::string pushed_authorization_request_endpoint;
    std::string introspection_endpoint;  // read with introspection only
    std::string jwks_text;               // content of jwks_file, read by the master

    std::vector<std::string> scope{"openid"};
    std::vector<std::string> resource;  // RFC 8707: of authorization, token and refresh requests
    ResponseMode response_mode = ResponseMode::query;
    Toggle pkce = Toggle::automatic;
    // False for a provider whose ID tokens come without the nonce that was sent: PKCE alone binds
    // the code to the browser then, whatever `pkce` and the metadata say.
    bool nonce = true;
    Toggle par = Toggle::automatic;  // automatic: when the metadata demand it
    // Signed request objects, by client_key; automatic: when the metadata demand them and there is
    // a key.
    Toggle request_object = Toggle::automatic;
    ClientAuth client_auth = ClientAuth::automatic;
    std::vector<Alg> id_token_algs;  // empty: metadata's asymmetric ones, RS256 without metadata
    std::vector<std::string> trusted_audience;
    Seconds clock_skew = 60;
    bool userinfo = false;
    TokenMethod userinfo_token_method = TokenMethod::header;  // never body beside dpop_key
    std::vector<std::string> username_claim{"preferred_username", "sub"};
    // Paths of nested claims wanted by oidc_claim_set: member names from the top.
    std::vector<std::vector<std::string>> claim_paths;
    std::vector<TrustedSource> claim_sources;

    std::optional<Seconds> max_age;       // enforced on auth_time
    std::vector<std::string> acr_values;  // enforced on acr or amr; also sent

    Seconds pre_auth_timeout = 600;
    Seconds session_timeout = 8 * 3600;
    Seconds session_idle_timeout = 0;  // 0: off

    std::string post_logout_uri;  // path or absolute URL; empty: the built-in page
    bool logout_token_hint = false;
    std::vector<std::string> clear_cookies;
    bool preserve_fragment = false;
    bool callback_forward = false;
    bool insecure_http = false;

    // Kept in the session only when something reads them.
    bool keep_id_token = false;
    bool keep_access_token = false;
    bool keep_userinfo = false;
    bool keep_refresh_token = false;  // for revoke_on_logout; session_refresh keeps it by itself

    SignalsConfig signals;

    bool revoke_on_logout = false;
    bool introspection = false;         // some location takes opaque access tokens
    bool introspection_signed = false;  // answers about them are signed (RFC 9701), or refused
    bool session_refresh = false;
    Seconds session_refresh_before = 60;  // ahead of the access token's end
    // Of access tokens whose answer does not say it; 0: unknown.
    Seconds access_token_lifetime = 0;

    Seconds metadata_lifetime = 3600;
    Seconds jwks_refetch_interval = 10;

    [[nodiscard]] bool needs_discovery() const {
        return authorization_endpoint.empty() || token_endpoint.empty() ||
               (jwks_uri.empty() && jwks_text.empty());
    }
};

// What a provider or a session store may be called: 1 to 64 letters, digits, "-", "_" and ".".
bool is_simple_name(std::string_view text) noexcept;

// issuer without one final "/" + "/.well-known/openid-configuration" (Discovery 4.1).
std::string discovery_url(std::string_view issuer);

}  // namespace oidc
