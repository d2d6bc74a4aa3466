// SPDX-License-Identifier: Apache-2.0
// DPoP proofs (RFC 9449): who has stolen a token cannot use it without the key that it is bound to.
#pragma once

#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/signer.hpp"

namespace oidc {

// Adds the header DPoP to a request: a JWT with 128 random bits as jti, the method, the URL without
// query, the time, and, unless they are empty, the hash of the access token that the request brings
// and the server's nonce. Errors: internal_error.
Status add_dpop_proof(HttpRequest& request, const JwsSigner& key, std::string_view access_token,
                      std::string_view nonce, Ports ports);

}  // namespace oidc
