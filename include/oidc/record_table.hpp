// RecordTable: sessions in one flat region of memory, shared by processes of which any may be
// killed at any instruction.
//
// The region is an array of small blocks. A record is a chain of blocks, published by one aligned
// store into its bucket's list and withdrawn by one; so a reader under the lock sees it whole or
// not at all. Whoever changes the table marks it dirty first and clean last. Who finds the mark of
// a dead writer rebuilds the free list from the records that are reachable and intact: nothing but
// the writer's unfinished change is lost.
//
// No locking of its own: every call is made under the caller's lock (nginx force-unlocks the slab
// mutex of a killed worker). No pointers inside: the region may be mapped anywhere. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"

namespace oidc {

class RecordTable {
  public:
    // Lays an empty table into `region` (aligned to 64 bytes, at least min_size()).
    static RecordTable create(std::span<std::byte> region) noexcept;
    // Takes a region that create() laid out, of the same size. The caller checks is_table().
    static RecordTable attach(std::span<std::byte> region) noexcept;
    // True when the region holds a table of this version and size.
    static bool is_table(std::span<const std::byte> region) noexcept;
    static constexpr std::size_t min_size() noexcept { return 64 * 1024; }

    enum class Insert : std::uint8_t { ok, full, too_large };
    struct Meta {
        Digest binding{};
        Seconds expires = 0;       // absolute
        Seconds idle_timeout = 0;  // 0: off
    };
    // Stores a record under `key`, replacing one of the same key. Expired records are dropped to
    // make room; live ones never are.
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

    // True when there was one.
    bool erase(const Digest& key) noexcept;

    // Drops expired records of `buckets` buckets from where the last call stopped; returns how many
    // were dropped.
    std::size_t sweep(std::size_t buckets, Seconds now) noexcept;

    struct Stats {
        std::size_t records = 0;
        std::size_t blocks_used = 0;
        std::size_t blocks_total = 0;
        std::size_t bytes_per_block = 0;
        std::uint64_t recoveries = 0;
    };
    [[nodiscard]] Stats stats() const noexcept;
    [[nodiscard]] std::size_t bucket_count() const noexcept;

    // Walks everything and answers whether lists, chains and counts are consistent (tests, F-02).
    [[nodiscard]] bool check() const noexcept;

  private:
    explicit RecordTable(std::span<std::byte> region) noexcept : region_(region) {}
    std::span<std::byte> region_;
};

}  // namespace oidc
