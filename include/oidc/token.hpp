// The token request and response (OIDC Core 3.1.3.1 to 3.1.3.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct TokenResponse {
    Secret id_token;
    Secret access_token;
    Secret refresh_token;  // empty: none
    std::optional<Seconds> expires_in;
    std::string scope;
};

// POST of grant_type, code, redirect_uri and code_verifier, with the client authenticated by
// client_secret_basic (id and secret form-encoded first, RFC 6749 2.3.1), client_secret_post, or
// none (client_id in the body). Never two methods at once.
HttpRequest token_request(const ProviderConfig& config, const ProviderState& provider,
                          std::string_view code, std::string_view redirect_uri,
                          std::string_view verifier);

// Errors: idp_redirect, token_client_auth (error=invalid_client or unauthorized_client, 401 without
// invalid_grant, 403 without an OAuth error), token_error (another OAuth error; detail has its
// code), token_status (429 and 5xx whatever their body; detail has Retry-After), token_malformed
// (no JSON object by RFC 6749 5.1; the content type must be application/json or a +json type, so
// text/plain is refused), token_type (not Bearer, compared without case), token_no_id_token. Tokens
// are visible ASCII without space, quotation mark and backslash: a bit less than 1*VSCHAR (RFC 6749
// A.12), so that none of them can break out of a header. expires_in is clamped to 0..10 years.
Result<TokenResponse> parse_token_response(const HttpRequest& request, HttpOutcome outcome);

}  // namespace oidc
