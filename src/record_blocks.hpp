// SPDX-License-Identifier: Apache-2.0
// Inside of RecordTable. Layout of a region, from its start:
//
//   Head | bucket heads (u32 each) | heads of the sid and of the sub lists (as many each) |
//   scratch bit per block, for walks | blocks of 256 bytes
//
// Blocks are numbered from 1, 0 is "none". A record's first block starts with a Record, the others
// with the number of the next one. Blocks above `high_water` have never been used, so that a large
// region costs no memory before it is needed.
//
// Order of stores is what survives a killed writer. A store that publishes or withdraws is one
// aligned 4-byte store between two compiler fences; the processor keeps the order by itself, since
// a process dies between two instructions and the next one enters through the caller's lock.
//
// The lists of the tags need no such order: whatever the dirty mark covers, recover() makes anew.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>

#include "oidc/record_table.hpp"

namespace oidc::detail {

constexpr std::uint64_t kMagic = 0x6f69646374616231;  // "oidctab1"
constexpr std::uint32_t kVersion = RecordTable::layout();
constexpr std::uint32_t kNone = 0;
constexpr std::size_t kBlockBytes = 256;
constexpr std::size_t kTags = 2;  // RecordTable::Tag

// Values of Head::dirty.
constexpr std::uint32_t kClean = 0;
constexpr std::uint32_t kDirty = 1;
constexpr std::uint32_t kDamaged = 2;  // a list is not what our own rules make; end() repairs

struct Head {
    std::uint64_t magic;
    std::uint64_t region_bytes;
    std::uint32_t version;
    std::uint32_t bucket_count;  // power of two
    std::uint32_t block_count;
    std::uint32_t dirty;
    std::uint32_t free_head;
    std::uint32_t free_count;
    std::uint32_t high_water;  // blocks 1..high_water have been used at least once
    std::uint32_t records;
    std::uint32_t sweep_cursor;
    std::uint32_t unused;
    std::uint64_t marks_at;  // offsets in the region
    std::uint64_t blocks_at;
    Seconds last_full_sweep;
    std::uint64_t recoveries;
};

// Place in the list of a tag, from the newest on. Both ways, because a record must leave the list
// of a user with very many sessions without a walk through it.
struct Link {
    std::uint32_t next;
    std::uint32_t prev;
};

// When a lease began and how long it holds, in one word that is stored at once. Times are taken
// modulo 2^32, so a clock that goes back ends the lease instead of making it last.
using Lease = std::uint64_t;

struct Record {
    std::uint32_t next_block;
    std::uint32_t next_record;
    std::uint32_t size;
    std::uint32_t checksum;  // of everything that does not change after publication
    Seconds expires;
    Seconds idle_timeout;
    Seconds last_seen;
    std::uint8_t key[32];
    std::uint8_t binding[32];
    std::uint64_t tags[kTags];
    Seconds created;
    Lease lease;
    Link links[kTags];
};

constexpr std::size_t kHeadBytes = 128;
constexpr std::size_t kFirstPayload = kBlockBytes - sizeof(Record);
constexpr std::size_t kNextPayload = kBlockBytes - sizeof(std::uint32_t);
static_assert(sizeof(Head) <= kHeadBytes);
static_assert(sizeof(Record) % 8 == 0 && sizeof(Record) < kBlockBytes);

inline void fence() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// One store that others may see the moment it happens.
inline void publish(std::uint32_t& slot, std::uint32_t value) noexcept {
    fence();
    std::atomic_ref<std::uint32_t>(slot).store(value, std::memory_order_release);
    fence();
}

struct Layout {
    std::size_t blocks = 0;
    std::size_t buckets = 0;
    std::size_t marks_at = 0;
    std::size_t blocks_at = 0;
    std::size_t total = 0;
};

// The largest layout that fits.
[[nodiscard]] Layout layout_for(std::size_t region_bytes) noexcept;

// In constant time, and without a call: this is on the way of every authenticated request.
inline bool same_digest(const std::uint8_t* a, const std::uint8_t* b) noexcept {
    const auto word = [](const std::uint8_t* digest, std::size_t i) {
        std::uint64_t w = 0;
        std::memcpy(&w, digest + i * sizeof(w), sizeof(w));
        return w;
    };
    return ((word(a, 0) ^ word(b, 0)) | (word(a, 1) ^ word(b, 1)) | (word(a, 2) ^ word(b, 2)) |
            (word(a, 3) ^ word(b, 3))) == 0;
}

inline std::size_t blocks_for(std::size_t size) noexcept {
    return size <= kFirstPayload ? 1 : 1 + (size - kFirstPayload + kNextPayload - 1) / kNextPayload;
}

inline Seconds end_of(const Record& record) noexcept {
    if (record.idle_timeout <= 0) {
        return record.expires;
    }
    const Seconds room = std::numeric_limits<Seconds>::max() - record.idle_timeout;
    const Seconds idle_end = record.last_seen > room ? std::numeric_limits<Seconds>::max()
                                                     : record.last_seen + record.idle_timeout;
    return std::min(record.expires, idle_end);
}

// What of a record stays when its content is replaced.
inline RecordTable::Meta meta_of(const Record& record) noexcept {
    RecordTable::Meta meta;
    std::copy_n(record.binding, meta.binding.size(), meta.binding.begin());
    meta.expires = record.expires;
    meta.idle_timeout = record.idle_timeout;
    meta.sid_tag = record.tags[static_cast<std::size_t>(RecordTable::Tag::sid)];
    meta.sub_tag = record.tags[static_cast<std::size_t>(RecordTable::Tag::sub)];
    meta.created = record.created;
    meta.last_seen = record.last_seen;
    return meta;
}

// The region with names. Everything else works on it; a RecordTable is the public face.
class Table {
  public:
    explicit Table(std::span<std::byte> region) noexcept
        : base_(region.data()), blocks_(base_ + head().blocks_at) {}

    [[nodiscard]] Head& head() const noexcept { return *reinterpret_cast<Head*>(base_); }
    [[nodiscard]] std::uint32_t& bucket(std::size_t i) const noexcept {
        return reinterpret_cast<std::uint32_t*>(base_ + kHeadBytes)[i];
    }
    // The first record of the list that the tag is in, among others.
    [[nodiscard]] std::uint32_t& tag_head(std::size_t which, std::uint64_t tag) const noexcept {
        const std::size_t buckets = head().bucket_count;
        return bucket((which + 1) * buckets + (tag & (buckets - 1)));
    }
    [[nodiscard]] std::byte* block(std::uint32_t number) const noexcept {
        return blocks_ + (std::size_t{number} - 1) * kBlockBytes;
    }
    [[nodiscard]] std::uint32_t& next_block(std::uint32_t number) const noexcept {
        return *reinterpret_cast<std::uint32_t*>(block(number));
    }
    [[nodiscard]] Record& record(std::uint32_t number) const noexcept {
        return *reinterpret_cast<Record*>(block(number));
    }
    [[nodiscard]] bool in_use_range(std::uint32_t number) const noexcept {
        return number != kNone && number <= head().high_water;
    }
    [[nodiscard]] std::size_t bucket_of(const std::uint8_t* key) const noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, key, sizeof(word));
        return word & (head().bucket_count - 1);
    }
    [[nodiscard]] std::size_t free_blocks() const noexcept {
        return std::size_t{head().free_count} + (head().block_count - head().high_water);
    }
    // Blocks that insert() leaves to update(): a full store must not lose the tokens that a refresh
    // has brought, for they may be the only ones that the provider still takes.
    [[nodiscard]] std::size_t reserve() const noexcept {
        return std::min<std::size_t>(head().block_count / 16, 64);
    }

    void begin() const noexcept { publish(head().dirty, kDirty); }
    void end() const noexcept {
        if (head().dirty == kDamaged) {
            recover();
        } else {
            publish(head().dirty, kClean);
        }
    }
    void recover_if_dirty() const noexcept {
        if (head().dirty != kClean) {
            aside().recover();
        }
    }

    // The slot that points to the record of `key`: a bucket head or a next_record; null: none.
    // Damage that our own rules cannot have made (a wild or endless list) is repaired on the way.
    [[gnu::always_inline]] [[nodiscard]] std::uint32_t* locate(const Digest& key) const noexcept {
        bool damaged = false;
        std::uint32_t* slot = search(key.data(), damaged);
        if (damaged) {
            aside().recover();
            slot = search(key.data(), damaged);
        }
        return slot;
    }

    // The record of `key`, live and of this binding; kNone: there is none. An expired one is
    // dropped.
    [[gnu::always_inline]] [[nodiscard]] std::uint32_t locate_live(const Digest& key,
                                                                   const Digest& binding,
                                                                   Seconds now) const noexcept {
        std::uint32_t* slot = locate(key);
        if (slot == nullptr) {
            return kNone;
        }
        const Record& r = record(*slot);
        if (end_of(r) <= now) {
            aside().drop_alone(*slot);
            return kNone;
        }
        return same_digest(binding.data(), r.binding) ? *slot : kNone;
    }

    // Takes the record out of its lists and gives its blocks back, as a change of its own.
    void drop_alone(std::uint32_t& slot) const noexcept;

    // Drops expired records when fewer than `wanted` blocks are free; false: still fewer.
    [[nodiscard]] bool make_room(std::size_t wanted, Seconds now) const noexcept;

    // Lays a record of `key` into free blocks, in no list yet. Precondition: free_blocks() >=
    // blocks_for(data.size()), begin() was called.
    [[nodiscard]] std::uint32_t store(const Digest& key, const RecordTable::Meta& meta,
                                      ByteView data, Seconds now) const noexcept;

    // Puts a stored record in front of its lists, then withdraws the one that it replaces.
    // Precondition: begin() was called, no list of the bucket is damaged.
    void put_in(std::uint32_t first, bool replaces) const noexcept;

    // Takes the record out of its lists and gives its blocks back. Precondition: begin() was
    // called.
    void drop(std::uint32_t& slot) const noexcept;

    // Drops the expired records of a bucket; `begun` says whether begin() was called and end() is
    // due.
    [[nodiscard]] std::size_t sweep_bucket(std::size_t i, Seconds now, bool& begun) const noexcept;

    // Calls visit(record) for each record of the tag, which answers whether to drop it.
    // False: the list was damaged and has been repaired, the walk is to be made again.
    template <class Visit>
    [[nodiscard]] bool walk(std::size_t which, std::uint64_t tag, Visit&& visit) const noexcept {
        bool begun = false;
        bool whole = true;
        std::uint32_t number = tag_head(which, tag);
        for (std::uint32_t steps = 0; number != kNone && whole; ++steps) {
            if (!in_use_range(number) || steps > head().high_water) {
                whole = false;
                break;
            }
            const Record& r = record(number);
            const std::uint32_t next = r.links[which].next;
            if (r.tags[which] == tag && visit(r)) {
                if (!begun) {
                    begin();
                    begun = true;
                }
                whole = drop_number(number);
            }
            number = next;
        }
        if (!whole) {
            recover();
        } else if (begun) {
            end();
        }
        return whole;
    }

    void recover() const noexcept;
    [[nodiscard]] bool consistent() const noexcept;

  private:
    // For what hardly ever happens on the way of a request: a call on a copy leaves the members of
    // this object in registers.
    [[nodiscard]] Table aside() const noexcept { return *this; }

    [[gnu::always_inline]] [[nodiscard]] std::uint32_t* search(const std::uint8_t* key,
                                                               bool& damaged) const noexcept {
        damaged = false;
        std::uint32_t* slot = &bucket(bucket_of(key));
        for (std::uint32_t steps = 0; *slot != kNone; ++steps) {
            if (!in_use_range(*slot) || steps > head().high_water) {
                damaged = true;
                return nullptr;
            }
            Record& r = record(*slot);
            if (same_digest(r.key, key)) {
                return slot;
            }
            slot = &r.next_record;
        }
        return nullptr;
    }

    // Drops a record that a tag's list led to; false: the lists contradict each other.
    [[nodiscard]] bool drop_number(std::uint32_t number) const noexcept;
    void link(std::uint32_t number) const noexcept;
    void unlink(std::uint32_t number) const noexcept;
    [[nodiscard]] bool linked(std::uint32_t number, std::size_t which) const noexcept;
    [[nodiscard]] bool tag_lists_hold(const std::array<std::size_t, kTags>& tagged) const noexcept;

    [[nodiscard]] std::uint32_t take() const noexcept;
    void release(std::uint32_t first, std::size_t count) const noexcept;
    [[nodiscard]] std::size_t copy_in(std::uint32_t number, std::size_t at,
                                      ByteView data) const noexcept;
    [[nodiscard]] std::uint32_t checksum(std::uint32_t first) const noexcept;

    [[nodiscard]] std::uint64_t* marks() const noexcept {
        return reinterpret_cast<std::uint64_t*>(base_ + head().marks_at);
    }
    [[nodiscard]] bool marked(std::uint32_t number) const noexcept {
        return (marks()[number / 64] >> (number % 64) & 1) != 0;
    }
    void flip_mark(std::uint32_t number) const noexcept {
        marks()[number / 64] ^= std::uint64_t{1} << (number % 64);
    }
    void clear_marks() const noexcept {
        std::memset(marks(), 0, (head().block_count / 64 + 1) * sizeof(std::uint64_t));
    }
    [[nodiscard]] bool claim(std::uint32_t first, std::size_t in_bucket) const noexcept;
    [[nodiscard]] bool repeated(std::uint32_t from, std::uint32_t to) const noexcept;

    std::byte* base_;
    std::byte* blocks_;
};

}  // namespace oidc::detail
