// SPDX-License-Identifier: Apache-2.0
// RecordTable: sessions in one flat region of memory, shared by processes of which any may be
// killed at any instruction.
//
// The region is an array of small blocks. A record is a chain of blocks, published by one aligned
// store into its bucket's list and withdrawn by one; so a reader under the lock sees it whole or
// not at all. Whoever changes the table marks it dirty first and clean last. Who finds the mark of
// a dead writer rebuilds the free list from the records that are reachable and intact: nothing but
// the writer's unfinished change is lost.
//
// Records can also be reached by two tags that say whose they are. These lists are derived from
// the records: they are rebuilt with the free list, and a record without a tag is in none.
//
// No locking of its own: every call is made under the caller's lock (nginx force-unlocks the slab
// mutex of a killed worker). No pointers inside: the region may be mapped anywhere. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc {

// The tag of all sessions that share a `value` at one provider: 64 bits of SHA-256 over the three,
// never 0. `kind` keeps `sid` and `sub` values apart; `provider_key` names the provider the same
// way in every binding, so that a logout finds the sessions of all of them. Throws
// std::runtime_error when OpenSSL fails.
[[nodiscard]] std::uint64_t owner_tag(std::string_view kind, std::string_view provider_key,
                                      std::string_view value);

class RecordTable {
  public:
    // Lays an empty table into `region` (aligned to 64 bytes, at least min_size()).
    static RecordTable create(std::span<std::byte> region) noexcept;
    // Takes a region that create() laid out, of the same size. The caller checks is_table().
    static RecordTable attach(std::span<std::byte> region) noexcept;
    // True when the region holds a table of this version and size.
    static bool is_table(std::span<const std::byte> region) noexcept;
    static constexpr std::size_t min_size() noexcept { return 64 * 1024; }
    // Of the layout: a region of another one must not be attached.
    static constexpr std::uint32_t layout() noexcept { return 3; }

    enum class Insert : std::uint8_t { ok, full, too_large };
    struct Meta {
        Digest binding{};
        Seconds expires = 0;        // absolute
        Seconds idle_timeout = 0;   // 0: off
        std::uint64_t sid_tag = 0;  // owner_tag(); 0: not to be found by sid
        std::uint64_t sub_tag = 0;  // owner_tag(); 0: not to be found by sub
        Seconds created = 0;        // 0: now
        Seconds last_seen = 0;      // 0: now
    };
    // Stores a record under `key`, replacing one of the same key. Expired records are dropped to
    // make room; live ones never are. A few blocks stay free for update().
    Insert insert(const Digest& key, const Meta& meta, ByteView record, Seconds now) noexcept;

    enum class Find : std::uint8_t { missing, found };
    struct Found {
        Seconds expires = 0;   // the earlier of the absolute and the idle end
        std::size_t size = 0;  // of the record
        std::uint32_t first_block = 0;
    };
    // A live record of this binding. An expired one is dropped and reported missing. The binding is
    // compared in constant time. `touch` moves the idle end on (at most one write a second).
    Find find(const Digest& key, const Digest& binding, Seconds now, bool touch,
              Found& found) noexcept;
    // Copies the record that find() reported, under the same lock; out.size() == found.size.
    void copy(const Found& found, std::span<std::uint8_t> out) const noexcept;

    // Replaces the content of a live record of this binding and nothing else of it: its ends, its
    // tags and its lease stay. missing: it has ended meanwhile, and stays ended. full, too_large:
    // the old content stays. Old and new content exist side by side for a moment, so that a killed
    // writer leaves one of them; the blocks that insert() leaves free are meant for this.
    enum class Update : std::uint8_t { missing, ok, full, too_large };
    Update update(const Digest& key, const Digest& binding, ByteView record, Seconds now) noexcept;

    // A lease lets one caller of all processes work on a record, for instance refresh its tokens.
    // True: this caller has it for `seconds`, which must be longer than the work can take. False:
    // somebody else has it, release() has put the next one off, or there is no such live record.
    // A lease ends by itself, so a killed holder blocks nobody for longer.
    bool lease(const Digest& key, const Digest& binding, Seconds now, Seconds seconds) noexcept;
    // Ends the lease. None is given before `not_before`, absolute; `now` or earlier: at once.
    void release(const Digest& key, const Digest& binding, Seconds not_before,
                 Seconds now) noexcept;

    // True when there was one.
    bool erase(const Digest& key) noexcept;

    // What follows takes time in proportion to the records of the tag, not of the table. Tag 0
    // stands for no record.
    enum class Tag : std::uint8_t { sid, sub };

    // Ends all records of the tag, of all bindings or of the one given; returns how many were live.
    std::size_t erase_tagged(Tag which, std::uint64_t tag, const Digest* binding,
                             Seconds now) noexcept;

    struct Listed {
        Digest key{};
        Digest binding{};
        Seconds created = 0;
        Seconds expires = 0;  // the earlier of the absolute and the idle end
        Seconds last_seen = 0;
    };
    // Writes the live records of the tag to `out`, in no particular order, as many as it has room
    // for; returns how many there are.
    std::size_t list_tagged(Tag which, std::uint64_t tag, Seconds now,
                            std::span<Listed> out) noexcept;

    // Ends the oldest records of a sub tag and binding, by the time of their creation, until no
    // more than `limit` live; returns how many live ones were ended. `spared`, when given, is
    // counted but never ended, whatever the clock said when it was created (limit: at least 1).
    std::size_t keep_newest(std::uint64_t sub_tag, const Digest& binding, std::size_t limit,
                            Seconds now, const Digest* spared = nullptr) noexcept;

    // Drops expired records of `buckets` buckets from where the last call stopped; returns how many
    // were dropped.
    std::size_t sweep(std::size_t buckets, Seconds now) noexcept;

    // All records one after the other, also expired ones, for whoever copies a table. A cursor is
    // good as long as nothing changes the table. `found` is for copy(). False: there are no more.
    struct Cursor {
        std::uint32_t bucket = 0;
        std::uint32_t place = 0;  // in its list
    };
    struct Stored {
        Digest key{};
        Meta meta;
        Found found;
    };
    bool next(Cursor& cursor, Stored& out) const noexcept;

    struct Stats {
        std::size_t records = 0;
        std::size_t blocks_used = 0;
        std::size_t blocks_total = 0;
        std::size_t blocks_reserved = 0;  // of the total: only update() takes these
        std::size_t bytes_per_block = 0;
        std::uint64_t recoveries = 0;
    };
    [[nodiscard]] Stats stats() const noexcept;
    [[nodiscard]] std::size_t bucket_count() const noexcept;

    // Walks everything and answers whether lists, chains and counts are consistent, also after a
    // killed writer (tests).
    [[nodiscard]] bool check() const noexcept;

  private:
    explicit RecordTable(std::span<std::byte> region) noexcept : region_(region) {}
    std::span<std::byte> region_;
};

}  // namespace oidc
