// SPDX-License-Identifier: Apache-2.0
// The authorization response in a query or a form (RFC 6749 section 4.1.2, RFC 9207, OAuth 2.0 Form
// Post Response Mode), or in a signed JWT (JARM).
#pragma once

#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/crypto.hpp"
#include "oidc/metadata.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct AuthzResponse {
    Secret code;
    std::string state;
    std::string error;
    std::string error_description;
    std::string iss;
    bool has_iss = false;
    // form_post: what kSealedResponse carries; everything else is empty then.
    std::string sealed;
    // query.jwt: what the rest was read from, not verified yet (signed_response.hpp).
    Secret jwt;
    [[nodiscard]] bool is_response() const {
        return !code.empty() || !error.empty() || !sealed.empty();
    }
};

// The argument that a posted response goes on in: see seal_response.
inline constexpr std::string_view kSealedResponse = "oidc_response";

// Far more than any state of ours needs: the login with a part of its target, an absolute
// redirect_uri and what a place asks for.
inline constexpr std::size_t kMaxState = 4096;

// Reads code, state, error, error_description and iss, and with form_post kSealedResponse; all
// other parameters are ignored. With query.jwt the five are read from the JWT in "response", if
// there is one, whose payload has to be a JSON object with texts for them. Refused
// (callback_malformed): one of them twice, a bad escape, a control byte or NUL in one, more than
// 300 parameters, state above kMaxState bytes, code above 8 KiB. Never throws on hostile input.
Result<AuthzResponse> parse_authz_response(std::string_view query,
                                           ResponseMode mode = ResponseMode::query);

// The form of a posted response may hold more than we read: an ID token, what is known of a user.
inline constexpr std::size_t kMaxResponseForm = 64 * 1024;

// What a provider has had the browser post. Errors: callback_malformed, also for another content
// type, and callback_too_large.
Result<AuthzResponse> parse_response_form(std::string_view content_type, std::string_view body);

// The login's cookie, the session's and the application's are SameSite=Lax, so a browser sends none
// of them with what another site has it post. It is therefore sent on to us once more, by a GET
// that carries the response as this text: sealed, so that neither address bar nor log has a code,
// and for `binding` alone. base64url. Errors: callback_too_large when no URL would hold it,
// internal_error.
Result<std::string> seal_response(const AuthzResponse& response, const Aead& aead,
                                  const Digest& binding, Random& random);
// state_unknown: damaged, sealed elsewhere, or with a key that is gone.
Result<AuthzResponse> open_response(std::string_view sealed, const Aead& aead,
                                    const Digest& binding);

// RFC 9207 section 2.4: iss missing although the metadata promises it (issuer_missing), or another
// than the configured issuer, or one of several tenants (issuer_mix_up). Applies to errors as well.
Status check_response_iss(const AuthzResponse& response, const ProviderConfig& config,
                          const Metadata& metadata);

// access_denied or idp_error for a response with `error`; the provider's words go to the detail.
// Keycloak, since 24, to a tab whose login another tab has finished: its documentation wants the
// client to begin anew by itself.
bool is_authentication_expired(const AuthzResponse& response) noexcept;

Error response_error(const AuthzResponse& response);

// The query without code, state, iss, error*, session_state, scope, kSealedResponse and, with
// query.jwt, response, for `callback forward`; other arguments keep their bytes and order.
std::string strip_response_arguments(std::string_view query,
                                     ResponseMode mode = ResponseMode::query);

}  // namespace oidc
