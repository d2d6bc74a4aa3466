// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of RecordTable: a region that processes share, records with known content,
// and the offsets of the documented layout.
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <string>
#include <string_view>

#include "now.hpp"
#include "oidc/crypto.hpp"
#include "oidc/record_table.hpp"
#include "unit.hpp"

namespace oidc::unit {

inline constexpr std::size_t kSmall = RecordTable::min_size();

// Memory that forked processes share, aligned to a page.
class Region {
  public:
    explicit Region(std::size_t size) : size_(size) {
        data_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(data_, MAP_FAILED);
    }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region() { munmap(data_, size_); }
    [[nodiscard]] std::span<std::byte> span() const {
        return {static_cast<std::byte*>(data_), size_};
    }
    [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    void* data_;
    std::size_t size_;
};

inline Digest key_of(std::uint32_t n) {
    return sha256_fields({"key", std::to_string(n)});
}

// Two keys of one bucket whatever the number of buckets: the first eight bytes are the same.
inline Digest sibling_of(const Digest& key, std::uint8_t n) {
    Digest other = key;
    other[31] = static_cast<std::uint8_t>(other[31] ^ (n + 1));
    return other;
}

inline const Digest kBinding = sha256("binding");

inline std::string content(std::uint32_t n, std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>((n * 2654435761U >> 7) + i * 131 + i / 256);
    }
    return text;
}

// Everything that put() stores has these tags, so that every test goes through their lists.
inline constexpr std::uint64_t kSid = 0x1122334455667788;
inline constexpr std::uint64_t kSub = 0x99aabbccddeeff00;

inline RecordTable::Meta meta(Seconds expires = kNow + 1000, Seconds idle = 0) {
    RecordTable::Meta meta;
    meta.binding = kBinding;
    meta.expires = expires;
    meta.idle_timeout = idle;
    meta.sid_tag = kSid;
    meta.sub_tag = kSub;
    return meta;
}

inline RecordTable::Insert put(RecordTable& table, const Digest& key, std::string_view text,
                               Seconds expires = kNow + 1000, Seconds idle = 0,
                               Seconds now = kNow) {
    return table.insert(key, meta(expires, idle), as_bytes(text), now);
}

inline bool get(RecordTable& table, const Digest& key, std::string& out, Seconds now = kNow,
                bool touch = false, const Digest& binding = kBinding) {
    RecordTable::Found found;
    if (table.find(key, binding, now, touch, found) != RecordTable::Find::found) {
        return false;
    }
    out.assign(found.size, 'x');
    table.copy(found, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
    return true;
}

inline void assert_holds(RecordTable& table, const Digest& key, std::string_view expected,
                         Seconds now = kNow) {
    std::string text;
    ck_assert(get(table, key, text, now));
    ck_assert_sv_eq(text, expected);
}

inline void assert_lacks(RecordTable& table, const Digest& key, Seconds now = kNow) {
    std::string text;
    ck_assert(!get(table, key, text, now));
}

// The number of blocks that stats() says a record of this size takes.
inline std::size_t blocks_of(std::size_t size) {
    const Region region(kSmall);
    RecordTable table = RecordTable::create(region.span());
    ck_assert(put(table, key_of(1), content(1, size)) == RecordTable::Insert::ok);
    return table.stats().blocks_used;
}

inline std::uint32_t& word_at(const Region& region, std::size_t offset) {
    return *reinterpret_cast<std::uint32_t*>(region.data() + offset);
}

// Offsets of the documented layout, for tests that damage it.
inline constexpr std::size_t kDirtyAt = 28;
inline constexpr std::size_t kHighWaterAt = 40;
inline constexpr std::size_t kBucketsAt = 128;
inline constexpr std::size_t kKeyAt = 40;  // in a record
inline constexpr std::size_t kBindingAt = 72;
inline constexpr std::size_t kTagsAt = 104;
inline constexpr std::size_t kCreatedAt = 120;
inline constexpr std::size_t kLinksAt = 136;  // next and previous, of sid and of sub
inline constexpr std::size_t kPayloadAt = 152;

inline std::size_t blocks_at(const Region& region) {
    const std::uint32_t buckets = word_at(region, 20);
    const std::uint32_t blocks = word_at(region, 24);
    const auto up = [](std::size_t n) { return (n + 63) / 64 * 64; };
    return up(up(kBucketsAt + 3 * buckets * 4) + (blocks / 64 + 1) * 8);
}

// Of the record that `slot`, a number in the region, points to.
inline std::size_t record_at(const Region& region, std::size_t slot) {
    return blocks_at(region) + (word_at(region, slot) - 1) * 256;
}

inline std::size_t bucket_at(const Region& region, const Digest& key) {
    std::uint64_t word = 0;
    std::memcpy(&word, key.data(), sizeof(word));
    return kBucketsAt + (word & (word_at(region, 20) - 1)) * 4;
}

inline std::size_t tag_head_at(const Region& region, RecordTable::Tag which, std::uint64_t tag) {
    const std::uint32_t buckets = word_at(region, 20);
    const std::size_t list = which == RecordTable::Tag::sid ? 1 : 2;
    return kBucketsAt + (list * buckets + (tag & (buckets - 1))) * 4;
}

inline std::size_t count_tagged(RecordTable& table, RecordTable::Tag which, std::uint64_t tag,
                                Seconds now = kNow) {
    return table.list_tagged(which, tag, now, {});
}

}  // namespace oidc::unit
