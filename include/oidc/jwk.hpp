// SPDX-License-Identifier: Apache-2.0
// KeySet: the provider's public keys (RFC 7517), each with what it may verify.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct Jwk {
    enum class Type : std::uint8_t { rsa, ec_p256, ec_p384, ec_p521, ed25519 };
    Type type{};
    std::string kid;         // empty: the key has none
    std::optional<Alg> alg;  // the key's own "alg", which then is the only one it verifies
    // The key's own "issuer", which Microsoft's have: that of one tenant, or with a placeholder.
    // Read where there are several tenants only. Empty: it has none.
    std::string issuer;
    JwkPtr cjose;  // RSA and EC
    PkeyPtr pkey;  // Ed25519
    // True when type and alg fit: RSA 2048 to 8192 bits for RS/PS, the curve of the ES algorithm.
    [[nodiscard]] bool may_verify(Alg wanted) const noexcept;
};

class KeySet {
  public:
    KeySet() = default;

    // Parses a JWKS document of at most 256 KiB and 100 keys. Entries that cannot verify a
    // signature are left out one by one (RFC 7517 section 5): use other than "sig", key_ops without
    // "verify", unknown kty or crv, oct keys, RSA under 2048 or above 8192 bits or with an even or
    // huge exponent, points off the curve, broken members. Private members, x5c, x5u and jku are
    // never looked at. `{}` is an empty set. Errors: jwks_invalid.
    static Result<KeySet> parse(std::string_view text);

    // At most 8 keys that may verify `alg`: those whose kid equals, then those that have none; all
    // when `kid` is empty.
    [[nodiscard]] std::vector<const Jwk*> candidates(Alg alg, std::string_view kid) const;
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    [[nodiscard]] std::size_t ignored() const noexcept { return ignored_; }
    // Which entry was left out first, and why; of those that seem to be meant for signatures before
    // all others. Empty: none was.
    [[nodiscard]] const std::string& first_ignored() const noexcept { return first_ignored_; }
    // So, and it was meant for signatures: somebody should look.
    [[nodiscard]] bool ignored_a_signing_key() const noexcept { return ignored_a_signing_key_; }

  private:
    void ignore(std::size_t index, const json_t* entry, const Error& why);
    std::vector<Jwk> keys_;
    std::size_t ignored_ = 0;
    std::string first_ignored_;
    bool ignored_a_signing_key_ = false;
};

// The public key of an EC JWK on the curve `crv` and no other, validated in full: an agreement with
// a point that is not on the curve gives the private key away. Errors: jwks_invalid.
Result<PkeyPtr> public_ec_key(const json_t* jwk, std::string_view crv);

}  // namespace oidc
