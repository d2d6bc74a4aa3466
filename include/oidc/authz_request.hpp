// SPDX-License-Identifier: Apache-2.0
// The authorization request (OIDC Core 3.1.2.1, RFC 7636).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oidc/metadata.hpp"
#include "oidc/state.hpp"

namespace oidc {

// Parameters whose values an operator may compute per request; empty ones are not sent.
struct AuthzParameters {
    std::string prompt;
    std::string login_hint;
    std::string ui_locales;
    std::string claims;
    std::string extra_auth_args;  // raw query text, appended as it is
};

// The arguments of an authorization request, without those that the endpoint has of its own.
// Borrows `url`, of authorization_url().
std::string_view request_arguments(std::string_view url, const Metadata& metadata) noexcept;

// What is the same in every request: the endpoint, response_type=code, client_id, scope, resource,
// response_mode unless it is query, dpop_jkt with a dpop_key, max_age and acr_values, for
// ProviderState. A demand that is not empty takes the place of the configuration's max_age and
// acr_values; see strictest().
std::string authorization_prefix(const ProviderConfig& config, const Metadata& metadata,
                                 const LoginDemand& demand = {});

// The URL to send the browser to: the prefix (a new one when the login has a demand), then
// redirect_uri, state, nonce, code_challenge and its method, then the parameters; each exactly
// once.
std::string authorization_url(const ProviderConfig& config, const ProviderState& provider,
                              const PendingLogin& login, const AuthzParameters& parameters);

// BASE64URL(SHA256(ASCII(verifier))), RFC 7636 section 4.2.
std::string code_challenge(std::string_view verifier);

// A resource indicator: an absolute URI without fragment (RFC 8707 2).
bool is_resource(std::string_view text) noexcept;

// `text` for extra_auth_args is refused when it repeats a parameter that the module sets.
Status check_extra_auth_args(std::string_view text);

}  // namespace oidc
