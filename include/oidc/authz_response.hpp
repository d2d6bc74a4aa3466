// SPDX-License-Identifier: Apache-2.0
// The authorization response in a query (RFC 6749 section 4.1.2, RFC 9207).
#pragma once

#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
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
    [[nodiscard]] bool is_response() const { return !code.empty() || !error.empty(); }
};

// Far more than any state of ours needs: the login with a part of its target, an absolute
// redirect_uri and what a place asks for.
inline constexpr std::size_t kMaxState = 4096;

// Reads code, state, error, error_description and iss; all other parameters are ignored. Refused
// (callback_malformed): one of the five twice, a bad escape, a control byte or NUL in one, more
// than 300 parameters, state above kMaxState bytes, code above 8 KiB. Never throws on hostile
// input.
Result<AuthzResponse> parse_authz_response(std::string_view query);

// RFC 9207 section 2.4: iss missing although the metadata promises it (issuer_missing), or another
// than the configured issuer (issuer_mix_up). Applies to errors as well.
Status check_response_iss(const AuthzResponse& response, const ProviderConfig& config,
                          const Metadata& metadata);

// access_denied or idp_error for a response with `error`; the provider's words go to the detail.
// Keycloak, since 24, to a tab whose login another tab has finished: its documentation wants the
// client to begin anew by itself.
bool is_authentication_expired(const AuthzResponse& response) noexcept;

Error response_error(const AuthzResponse& response);

// The query without code, state, iss, error*, session_state and scope of the response, for
// `callback forward`; other arguments keep their bytes and order.
std::string strip_response_arguments(std::string_view query);

}  // namespace oidc
