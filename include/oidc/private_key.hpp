// SPDX-License-Identifier: Apache-2.0
// Private keys of our own: read from PEM, and what others are told of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

// RFC 7518 3.4 and 6.2.1.1.
struct EcCurve {
    Alg alg;                 // that signs with it
    std::string_view group;  // OpenSSL's name
    std::string_view crv;    // JOSE's
    std::size_t bytes;       // of a coordinate
};
// Null: no key of P-256, P-384 or P-521.
const EcCurve* ec_curve_of(const EVP_PKEY* key);
// Precondition: an ES algorithm.
const EcCurve& ec_curve_of(Alg alg);

// A PEM private key without passphrase, for which nobody is asked. Errors: malformed; the detail
// never says what was in the file.
Result<PkeyPtr> read_private_key(std::string_view pem);

// malformed: under 2048 bits (RFC 7518 3.3 and 4.3), or no key of RSA. `user` is what needs one.
Status check_rsa_key(const EVP_PKEY* key, std::string_view user);

// The members of the public JWK that RFC 7638 hashes, in its order and form, without braces.
// Errors: malformed (a key of another kind than RSA, P-256, P-384, P-521, Ed25519).
Result<std::string> public_members(const EVP_PKEY* key);

// The thumbprint of RFC 7638 with SHA-256, of what public_members() has given.
std::string jwk_thumbprint(std::string_view members);

}  // namespace oidc
