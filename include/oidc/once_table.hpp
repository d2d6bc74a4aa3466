// SPDX-License-Identifier: Apache-2.0
// OnceTable: values that may be used once, in a flat region shared by processes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc {

// Remembers a bounded number of used-once values (states of finished logins) in a fixed region;
// the rules of sharing are RecordTable's. A slot is overwritten when it has expired, else the
// oldest of its set is. The digest says which set: where somebody else can choose what is hashed,
// it is one with a key (hmac_sha256), or they fill the set of a value that is not theirs.
class OnceTable {
  public:
    static OnceTable create(std::span<std::byte> region) noexcept;
    static OnceTable attach(std::span<std::byte> region) noexcept;
    // True the first time a digest is seen before `expires`, false after that.
    bool use(const Digest& digest, Seconds expires, Seconds now) noexcept;
    // Whether use() would be false; nothing is changed.
    [[nodiscard]] bool knows(const Digest& digest, Seconds now) const noexcept;
    // What it was used for came to nothing: it takes no place any more, and may be used.
    void forget(const Digest& digest) noexcept;

    // All values that are remembered, for whoever copies a table into another of the same size.
    // `place` is 0 at first. False: there are no more.
    struct Used {
        std::size_t place = 0;
        std::array<std::uint8_t, 16> digest{};  // half of it, which is what a table keeps
        Seconds expires = 0;
    };
    bool next(std::size_t& place, Seconds now, Used& out) const noexcept;
    // False: the table has no such place.
    bool restore(const Used& used) noexcept;

  private:
    explicit OnceTable(std::span<std::byte> region) noexcept : region_(region) {}
    std::span<std::byte> region_;
};

}  // namespace oidc
