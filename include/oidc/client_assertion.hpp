// SPDX-License-Identifier: Apache-2.0
// Client authentication with a JWT: private_key_jwt and client_secret_jwt (OIDC Core 9, RFC 7523
// 3).
#pragma once

#include <string>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/signer.hpp"

namespace oidc {

// client_assertion_type.
inline constexpr std::string_view kJwtBearer =
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
// Of client_secret_jwt, which is HS256 (RFC 7518 3.2).
inline constexpr std::size_t kMinHmacSecret = 32;
// Seconds; a provider remembers jti for so long.
inline constexpr Seconds kClientAssertionLifetime = 60;

// iss and sub are the client id; aud is one text: the issuer (what RFC 7523 leaves open let one
// server use an assertion at another), or what client_assertion_audience says; jti is 128 random
// bits. Errors: internal_error (no randomness; OpenSSL failed).
Result<std::string> client_assertion(const ProviderConfig& config, const ProviderState& provider,
                                     const JwsSigner& signer, Ports ports);

}  // namespace oidc
