// SPDX-License-Identifier: Apache-2.0
// SHA-256, HKDF and AES-256-GCM, over OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"
#include "oidc/ptr.hpp"
#include "oidc/result.hpp"

namespace oidc {

// SHA-256 with its context and method fetched once; not for concurrent use. One per worker.
class Sha256 {
  public:
    Sha256();
    // False when OpenSSL fails; the caller must deny.
    [[nodiscard]] bool digest(ByteView data, Digest& out) noexcept;

  private:
    MdPtr md_;
    MdCtxPtr ctx_;
};

// One-shot SHA-256; throws std::runtime_error when OpenSSL fails (a bug or no memory).
Digest sha256(std::string_view data);

// SHA-256 over length-prefixed fields, so that no two lists of fields have the same input.
Digest sha256_fields(std::initializer_list<std::string_view> fields);

// HMAC-SHA256 (RFC 2104). False when OpenSSL fails; the caller must deny.
[[nodiscard]] bool hmac_sha256(ByteView key, ByteView data, Digest& out) noexcept;

using AeadKey = std::array<std::uint8_t, 32>;

// HKDF-SHA256 (RFC 5869) without salt; `label` separates purposes.
Result<AeadKey> derive_key(ByteView input_key, std::string_view label);

// AES-256-GCM with a ring of keys: the first seals, all open. Sealed text is
//   version (1) | nonce (12) | ciphertext | tag (16)
// with lengths fixed by position. `aad_fields` are length-prefixed before they are authenticated.
class Aead {
  public:
    // Copies the keys; they are wiped on destruction. Precondition: 1 to 8 keys, else
    // std::invalid_argument is thrown.
    explicit Aead(std::span<const AeadKey> ring);
    ~Aead();
    Aead(const Aead&) = delete;
    Aead& operator=(const Aead&) = delete;

    // Errors: internal_error (randomness or OpenSSL failed).
    Result<std::string> seal(std::string_view plain, std::initializer_list<std::string_view> aad,
                             Random& random) const;
    // nullopt: not sealed by a key of the ring with this aad, or damaged.
    [[nodiscard]] std::optional<Secret> open(std::string_view sealed,
                                             std::initializer_list<std::string_view> aad) const;

  private:
    std::vector<AeadKey> ring_;
    CipherPtr method_;
    // Keyed once, because to expand the key costs more than to seal a cookie; so seal() is not for
    // concurrent use.
    mutable CipherCtxPtr sealing_;
};

// `bytes` random bytes as base64url; internal_error when the port fails.
Result<std::string> random_token(Random& random, std::size_t bytes = 32);

}  // namespace oidc
