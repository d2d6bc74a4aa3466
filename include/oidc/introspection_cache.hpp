// SPDX-License-Identifier: Apache-2.0
// IntrospectionCache: what a provider has said of access tokens, for a short time, in one flat
// region of memory that processes share; the rules of sharing are RecordTable's.
//
// Anybody can bring tokens that are not active, and only the provider makes active ones. So the two
// lie in parts of their own: answers "not active" push out one another and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "oidc/bytes.hpp"
#include "oidc/once_table.hpp"
#include "oidc/ports.hpp"
#include "oidc/record_table.hpp"

namespace oidc {

class IntrospectionCache {
  public:
    // As of RecordTable: aligned to 64 bytes, at least min_size().
    static IntrospectionCache create(std::span<std::byte> region) noexcept;
    static IntrospectionCache attach(std::span<std::byte> region) noexcept;
    static bool is_cache(std::span<const std::byte> region) noexcept;
    static constexpr std::size_t min_size() noexcept { return 128 * 1024; }
    static constexpr std::uint32_t layout() noexcept { return RecordTable::layout() << 8 | 1; }

    enum class Find : std::uint8_t { unknown, active, inactive };
    // `key`: introspection_key(). With `active`, `found` is for copy(), under the same lock.
    Find find(const Digest& key, Seconds now, RecordTable::Found& found) noexcept;
    void copy(const RecordTable::Found& found, std::span<std::uint8_t> out) const noexcept;

    // For so many tokens of one user an answer is kept, the newest: nobody fills the cache alone.
    static constexpr std::size_t kTokensOfOne = 32;
    // `owner`: owner_tag() of the user, 0: unknown. False: there is no room, which no live answer
    // is dropped for.
    bool keep_active(const Digest& key, std::uint64_t owner, ByteView record, Seconds expires,
                     Seconds now) noexcept;
    // Takes the place of an active one, and of the oldest ones of its kind.
    void keep_inactive(const Digest& key, Seconds expires, Seconds now) noexcept;

    // One process at a time asks about a token. True: this one does, until `until` at most, which a
    // killed one leaves behind.
    bool lease(const Digest& key, Seconds until, Seconds now) noexcept;
    void release(const Digest& key) noexcept;

    // Drops expired answers of the next so many buckets.
    void sweep(std::size_t buckets, Seconds now) noexcept { active_.sweep(buckets, now); }
    [[nodiscard]] const RecordTable& active() const noexcept { return active_; }

  private:
    IntrospectionCache(RecordTable active, OnceTable inactive, OnceTable leases) noexcept
        : active_(active), inactive_(inactive), leases_(leases) {}
    RecordTable active_;
    OnceTable inactive_;
    OnceTable leases_;
};

}  // namespace oidc
