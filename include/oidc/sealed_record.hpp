// SPDX-License-Identifier: Apache-2.0
// Session records that leave this process: sealed, and bound to where they belong.
//
// Whoever keeps such a record (a Redis server) can neither read nor change it, nor give it to
// another session or virtual host: the session's key and binding are authenticated with it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/crypto.hpp"
#include "oidc/ports.hpp"
#include "oidc/record_table.hpp"
#include "oidc/result.hpp"

namespace oidc {

// What a session's record travels with.
struct StoredRecord {
    RecordTable::Meta meta;   // without the binding, which stands elsewhere
    std::string_view record;  // encode_session(); borrows what was parsed
};

// A record with its ends and tags in one run of bytes, the same on every machine. As secret as the
// record.
Secret encode_stored_record(const RecordTable::Meta& meta, std::string_view record);
// nullopt: not written by this version, or cut.
std::optional<StoredRecord> parse_stored_record(std::string_view text) noexcept;

class RecordSealer {
  public:
    // Derives keys for this purpose from each key of the ring: the first seals, all open. Throws
    // std::invalid_argument unless there are 1 to 8, std::runtime_error when OpenSSL fails.
    explicit RecordSealer(std::span<const AeadKey> ring);

    // Errors: internal_error. `key` is the session's, meta.binding its binding.
    Result<std::string> seal(const Digest& key, const RecordTable::Meta& meta,
                             std::string_view record, Random& random) const;

    struct Opened {
        RecordTable::Meta meta;   // with the binding, which the caller compares
        std::string_view record;  // of `text`
        Secret text;
    };
    // nullopt: not sealed under this key by a key of the ring, or damaged.
    [[nodiscard]] std::optional<Opened> open(const Digest& key, std::string_view value) const;

  private:
    Aead aead_;
};

}  // namespace oidc
