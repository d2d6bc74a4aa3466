// SPDX-License-Identifier: Apache-2.0
// JWS in compact serialization (RFC 7515), under the rules of RFC 8725.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/jwk.hpp"
#include "oidc/result.hpp"

namespace oidc {

// The hash that an algorithm is made with (RFC 7518 3.1); SHA-512 for EdDSA.
const EVP_MD* digest_of(Alg alg) noexcept;

struct VerifyOptions {
    std::span<const Alg> allowed;           // anything else is jwt_alg
    const KeySet* keys = nullptr;           // asymmetric algorithms
    const Secret* shared_secret = nullptr;  // HS*: the client secret, when allowed names one
    // Values of "typ" (lower case, without "application/") that are accepted; absent typ is too,
    // but for typ_required.
    std::span<const std::string_view> accepted_typ;
    std::size_t max_bytes = 64 * 1024;
    const Secret* former_secret = nullptr;  // of shared_secret before a change; null: none
    bool typ_required = false;              // an absent typ is refused as well
    // Of several tenants: a key with an issuer of its own verifies tokens of that issuer alone.
    const ProviderConfig* tenants = nullptr;
};

struct VerifiedJwt {
    Alg alg{};
    std::string kid;
    JsonPtr payload;  // an object, within limits
};

// Verifies a compact JWS and parses its payload.
// Refused: anything but three strict base64url segments (five: jwt_encrypted), a header or payload
// that is no UTF-8 JSON object or has duplicate members, any `crit`, `b64`, alg not allowed, none
// in any spelling, typ not accepted, a signature of the wrong length. Keys named inside the token
// (jwk, jku, x5c, x5u) are never used. When `kid` is present only keys of that kid are tried,
// otherwise at most 8 of the fitting type.
// Errors: jwt_malformed, jwt_encrypted, jwt_alg, jwt_crit, jwt_typ, jwt_key_unknown (no key fits),
// jwt_signature.
Result<VerifiedJwt> verify_jws(std::string_view compact, const VerifyOptions& options);

// True when newer documents of the provider could change the verdict, or tell more of it: no key
// fits, none verifies (one may have been replaced under its kid), the algorithm is not among those
// of the metadata, or the token is of another issuer. Never for what a client secret signs.
bool worth_refetching(const Error& error, std::string_view compact,
                      const ProviderConfig& config) noexcept;

// Left half of the hash of `alg` over `value`, base64url: at_hash and c_hash (OIDC Core 3.1.3.6).
// EdDSA uses SHA-512.
Result<std::string> half_hash(Alg alg, std::string_view value);

}  // namespace oidc
