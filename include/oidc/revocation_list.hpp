// SPDX-License-Identifier: Apache-2.0
// RevocationList: which sessions of those that browsers keep have ended before their time, in one
// flat region of memory, shared by processes of which any may be killed at any instruction.
//
// The rules of sharing are RecordTable's, which it is made of: no locking of its own, no pointers,
// no allocation. It never forgets a session that could still be presented: what does not fit ends
// all sessions that have begun so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "oidc/bytes.hpp"
#include "oidc/ports.hpp"
#include "oidc/record_table.hpp"

namespace oidc {

class RevocationList {
  public:
    // Lays an empty list into `region` (aligned to 64 bytes, at least min_size()).
    static RevocationList create(std::span<std::byte> region) noexcept;
    // Takes a region that create() laid out, of the same size. The caller checks is_list().
    static RevocationList attach(std::span<std::byte> region) noexcept;
    // True when the region holds a list of this version and size.
    static bool is_list(std::span<const std::byte> region) noexcept;
    static constexpr std::size_t min_size() noexcept {
        return kHeadBytes + RecordTable::min_size();
    }
    // Of the layout: a region of another one must not be attached.
    static constexpr std::uint64_t layout() noexcept {
        return std::uint64_t{kVersion} << 32 | RecordTable::layout();
    }

    // Microseconds since the epoch, but strictly growing from one call of next_stamp() to the next
    // and beyond every stamp seen in a session, whatever the clock does: so a login in the very
    // moment after a logout is told from one before it.
    using Stamp = std::int64_t;
    Stamp next_stamp(Stamp clock) noexcept;

    // The time of a change: `seconds` decides what has expired, `stamp` what has begun before.
    struct Now {
        Seconds seconds = 0;
        Stamp clock = 0;
    };
    // A session that begins, or is presented, lives until then at the latest: entries are kept for
    // as long as the longest-lived of these sessions. To be called before its cookie leaves.
    void note_session(Stamp begun, Seconds expires) noexcept;

    // Ends one session; sessions end at `until` at the latest. False: the list was full of entries
    // that still matter, so all sessions have ended that began before now.
    bool end_session(const Digest& key, Seconds until, Now now) noexcept;
    // Ends the sessions of a tag that have begun so far, and no later ones. Tag 0 stands for none.
    bool end_owner(RecordTable::Tag which, std::uint64_t tag, Seconds until, Now now) noexcept;
    // Ends all sessions that have begun so far.
    void end_all(Stamp clock) noexcept;

    [[nodiscard]] bool has_ended(const Digest& key, std::uint64_t sid_tag, std::uint64_t sub_tag,
                                 Stamp begun, Seconds now) noexcept;

    // Records that wait for their browsers share the memory. They are kept under keys of sessions,
    // which no entry uses, and may fill half of it (has_room()).
    [[nodiscard]] RecordTable records() const noexcept;
    [[nodiscard]] bool has_room(std::size_t bytes) const noexcept;

    // Sessions that had begun before this stamp have ended because the list was full; 0: never.
    [[nodiscard]] Stamp epoch() const noexcept;

  private:
    struct Head;
    static constexpr std::size_t kHeadBytes = 64;
    static constexpr std::uint32_t kVersion = 1;  // of the head and the entries
    explicit RevocationList(std::span<std::byte> region) noexcept : region_(region) {}
    [[nodiscard]] Head& head() const noexcept;
    bool put(const Digest& key, Seconds until, Now now) noexcept;
    // The stamp of an entry; 0: there is none.
    [[nodiscard]] Stamp stamp_of(const Digest& key, Seconds now) const noexcept;
    std::span<std::byte> region_;
};

}  // namespace oidc
