// SPDX-License-Identifier: Apache-2.0
// The checks of a signed authorization response (JARM 2.4).
#pragma once

#include <string_view>

#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// The signature by a key of the provider and one of provider.response_algs, then iss, aud with our
// client id, and exp, which has to be there. What parse_authz_response has read is what was signed:
// the same bytes. Errors: those of verify_jws, issuer_mix_up, response_aud, response_exp.
Status check_signed_response(std::string_view jwt, const ProviderConfig& config,
                             const ProviderState& provider, Seconds now);

// As the browser's doing: anybody can write such a response, so none is an error of an ID token.
// callback_malformed for what is no JWT that we read, response_signature for the rest of
// verify_jws.
Error signed_response_error(Error error);

}  // namespace oidc
