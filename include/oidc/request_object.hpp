// SPDX-License-Identifier: Apache-2.0
// Signed request objects (RFC 9101, OIDC Core 6.1), by value.
#pragma once

#include <string>
#include <string_view>

#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Of the JWT, in seconds: a browser brings it at once.
inline constexpr Seconds kRequestObjectLifetime = 300;

// A JWT of type oauth-authz-req+jwt with the arguments of `query` as claims: a repeated one as a
// list, max_age as a number, claims as the object that it is; iss is the client id, aud the issuer,
// with iat, nbf, exp and 128 random bits as jti, which no argument replaces. There is no sub, so
// that nobody takes it for an assertion of the client. Precondition: config.client_key. Errors:
// internal_error.
Result<std::string> request_object(const ProviderConfig& config, std::string_view query,
                                   Ports ports);

// The URL that brings the request of `authorization_url` as such an object: beside it client_id
// and, unless it is `pushed`, what OIDC Core wants to see of every request, response_type and
// scope.
Result<std::string> request_object_url(const ProviderConfig& config, const ProviderState& provider,
                                       std::string_view authorization_url, bool pushed,
                                       Ports ports);

}  // namespace oidc
