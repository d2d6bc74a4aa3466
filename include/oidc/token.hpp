// SPDX-License-Identifier: Apache-2.0
// The token request and response (OIDC Core 3.1.3.1 to 3.1.3.3).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/client_credentials.hpp"
#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct TokenResponse {
    Secret id_token;
    Secret access_token;
    Secret refresh_token;  // empty: none
    std::optional<Seconds> expires_in;
    std::string scope;
    std::vector<std::string> left_out;  // what was of no use and why, a sentence each, for the log
};

// One field of a form; the value may be a secret and is borrowed.
struct FormField {
    std::string_view name;
    std::string_view value;
};

// POST of a form to `url`, called `endpoint` in log lines, with the client authenticated by
// client_secret_basic (id and secret form-encoded first, RFC 6749 2.3.1), client_secret_post, an
// assertion of its own (client_assertion.hpp) or of a file, or a certificate or nothing (client_id
// in the body). Never two methods at once. `credential`: see ClientTry. Errors: internal_error (the
// assertion could not be signed), token_client_auth (that of a file has expired).
Result<HttpRequest> client_request(const ProviderConfig& config, const ProviderState& provider,
                                   std::string_view url, std::string_view endpoint,
                                   std::span<const FormField> fields, Ports ports,
                                   Credential credential = Credential::current);

// The same with another method than that of the token endpoint.
Result<HttpRequest> client_request_by(ClientAuth auth, const ProviderConfig& config,
                                      const ProviderState& provider, std::string_view url,
                                      std::string_view endpoint, std::span<const FormField> fields,
                                      Ports ports, Credential credential = Credential::current);

// The same with a form that is encoded already; a client_id that it has is not repeated.
Result<HttpRequest> client_form(const ProviderConfig& config, const ProviderState& provider,
                                std::string_view url, std::string_view endpoint,
                                std::string_view form, Ports ports,
                                Credential credential = Credential::current);

// grant_type, code, redirect_uri, code_verifier unless it is empty, and every resource.
Result<HttpRequest> token_request(const ProviderConfig& config, const ProviderState& provider,
                                  std::string_view code, std::string_view redirect_uri,
                                  std::string_view verifier, Ports ports,
                                  Credential credential = Credential::current);

// grant_type, refresh_token and every resource. No scope: the provider gives what it gave before
// (RFC 6749 6).
Result<HttpRequest> refresh_request(const ProviderConfig& config, const ProviderState& provider,
                                    std::string_view refresh_token, Ports ports,
                                    Credential credential = Credential::current);

enum class Grant : std::uint8_t { code, refresh };

// What the configuration can do nothing without.
struct TokenNeeds {
    std::string access_token{"the configuration"};  // who needs it, for messages; empty: nobody
    bool refresh_token = true;
    bool dpop = false;  // an access token that is bound to a key
};
TokenNeeds token_needs(const ProviderConfig& config);

// Errors: idp_redirect, token_client_auth (error=invalid_client or unauthorized_client, 401 without
// invalid_grant, 403 without an OAuth error), code_refused (invalid_grant), token_error (another
// OAuth error; detail has its code), token_status (429 and 5xx whatever their body; detail has
// Retry-After), token_malformed (no JSON object by RFC 6749 5.1; the content type must be
// application/json or a +json type, so text/plain is refused), token_type (not Bearer, or with
// needs.dpop not DPoP, compared without case; asked for only together with an access token),
// token_no_id_token. ID and access tokens are visible ASCII without space, quotation mark and
// backslash: a bit less than 1*VSCHAR (RFC 6749 A.12), so that none of them can break out of a
// header; a refresh token is all of 1*VSCHAR (A.17). expires_in is clamped to 0..10 years. Left
// out: an expires_in that is no number, and a refresh token that nobody needs and that is none. An
// access token may be missing when nobody needs it, as long as another token came. After a refresh
// the id_token may be missing (OIDC Core 12.2), and error=invalid_grant or, without 401,
// access_denied is refresh_denied: the provider has ended what the session stands on.
Result<TokenResponse> parse_token_response(const HttpRequest& request, HttpOutcome outcome,
                                           Grant grant = Grant::code, const TokenNeeds& needs = {});

}  // namespace oidc
