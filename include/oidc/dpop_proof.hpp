// SPDX-License-Identifier: Apache-2.0
// The proof that a request brings with a token that is bound to a key (RFC 9449 4.3 and 7).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

inline constexpr std::size_t kMaxDpopProof = 8 * 1024;
// How old a proof may be by its iat, besides clock_skew.
inline constexpr Seconds kMaxDpopProofAge = 60;

// The algorithms of proofs that are taken.
std::span<const Alg> dpop_algs() noexcept;

// All views are borrowed for the call.
struct DpopProofExpectation {
    std::string_view method;                 // of the request, as it came
    std::span<const std::string_view> urls;  // of the request; a query does not count
    std::string_view access_token;
    std::string_view jkt;  // that the token is bound to
    Seconds now = 0;
    Seconds clock_skew = 0;
};

struct DpopProof {
    Digest digest{};             // of key and jti, which is used once
    Seconds remember_until = 0;  // until then the proof would be accepted again
};

// typ dpop+jwt, an asymmetric alg, in the header a public key that has the thumbprint `jkt` and
// that the signature is of; then htm, htu (compared as RFC 3986 6.2.2 and 6.2.3 say), iat, ath,
// jti. A nonce is not asked for and not looked at. Whether the proof was used before is the
// caller's. Errors: dpop_proof_invalid, access_token_binding (the key of another token).
Result<DpopProof> validate_dpop_proof(std::string_view proof, const DpopProofExpectation& expected);

}  // namespace oidc
