// SPDX-License-Identifier: Apache-2.0
// Key files: the keys that seal what leaves this process, one on each line.
#pragma once

#include <string_view>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/result.hpp"

namespace oidc {

inline constexpr std::size_t kMaxRingKeys = 8;

// Reads keys of 256 bits, each on a line of its own as 64 hexadecimal digits (as `openssl rand
// -hex 32` writes them) or as base64 or base64url (43 characters, or 44 with "="). Empty lines and
// lines that start with "#" are skipped. The first key seals, all open.
// The error's detail says what is wrong in which line, and never what the line holds: no key, more
// than kMaxRingKeys, a malformed line, a key that is there twice, or one of a single repeated byte.
// The caller wipes the keys.
Result<std::vector<AeadKey>> parse_key_ring(std::string_view text);

// A ring of keys derived from each of the given ones for one purpose. Errors: internal_error.
Result<std::vector<AeadKey>> derive_ring(std::span<const AeadKey> ring, std::string_view label);

}  // namespace oidc
