// SPDX-License-Identifier: Apache-2.0
#include "oidc/revocation_list.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>

namespace oidc {
namespace {

constexpr std::uint64_t kMagic = 0x6f6964637265766cULL;  // "oidcrevl"

using Stamp = RevocationList::Stamp;

// Entries are records of this binding, which is nobody's SHA-256.
constexpr Digest entry_binding() noexcept {
    Digest binding{};
    binding.fill(0xe5);
    return binding;
}
constexpr Digest kEntry = entry_binding();

// Of a session: its key with every bit turned, so that it is not the key of its waiting record.
Digest session_entry(const Digest& key) noexcept {
    Digest entry;
    for (std::size_t i = 0; i < entry.size(); ++i) {
        entry[i] = static_cast<std::uint8_t>(~key[i]);
    }
    return entry;
}

// Of a tag: the tag, whose 64 bits are as good as random, and which it is. All else is zero, as in
// no SHA-256 that anybody will ever see.
Digest tag_entry(RecordTable::Tag which, std::uint64_t tag) noexcept {
    Digest entry{};
    std::memcpy(entry.data(), &tag, sizeof(tag));
    entry.back() = which == RecordTable::Tag::sid ? 1 : 2;
    return entry;
}

// One aligned store, so that a process killed at any moment leaves the old value or the new one.
template <class T>
void raise(T& place, T to) noexcept {
    if (place < to) {
        std::atomic_ref<T>(place).store(to, std::memory_order_release);
    }
}

}  // namespace

struct RevocationList::Head {
    std::uint64_t magic;
    std::uint64_t region_bytes;
    std::uint32_t version;
    std::uint32_t unused;
    Stamp last;          // the latest stamp that was given or seen
    Stamp epoch;         // sessions that began until then have ended
    Seconds latest_end;  // of all sessions that were noted
};

RevocationList::Head& RevocationList::head() const noexcept {
    static_assert(sizeof(Head) <= kHeadBytes);
    return *reinterpret_cast<Head*>(region_.data());
}

RecordTable RevocationList::records() const noexcept {
    return RecordTable::attach(region_.subspan(kHeadBytes));
}

RevocationList RevocationList::create(std::span<std::byte> region) noexcept {
    std::memset(region.data(), 0, kHeadBytes);
    RecordTable::create(region.subspan(kHeadBytes));
    RevocationList list(region);
    Head& head = list.head();
    head.region_bytes = region.size();
    head.version = kVersion;
    std::atomic_ref<std::uint64_t>(head.magic).store(kMagic, std::memory_order_release);
    return list;
}

RevocationList RevocationList::attach(std::span<std::byte> region) noexcept {
    return RevocationList(region);
}

bool RevocationList::is_list(std::span<const std::byte> region) noexcept {
    if (region.size() < min_size()) {
        return false;
    }
    Head head{};
    std::memcpy(&head, region.data(), sizeof(head));
    return head.magic == kMagic && head.version == kVersion && head.region_bytes == region.size() &&
           RecordTable::is_table(region.subspan(kHeadBytes));
}

Stamp RevocationList::next_stamp(Stamp clock) noexcept {
    Head& h = head();
    raise(h.last, std::max(clock, h.last + 1));
    return h.last;
}

void RevocationList::note_session(Stamp begun, Seconds expires) noexcept {
    Head& h = head();
    raise(h.last, begun);
    raise(h.latest_end, expires);
}

bool RevocationList::put(const Digest& key, Seconds until, Now now) noexcept {
    const Stamp stamp = next_stamp(now.clock);
    std::array<std::uint8_t, sizeof(stamp)> record{};
    std::memcpy(record.data(), &stamp, sizeof(stamp));
    RecordTable::Meta meta;
    meta.binding = kEntry;
    // The second after the last in which the session could be presented.
    const Seconds end = std::max(until, head().latest_end);
    meta.expires = end == std::numeric_limits<Seconds>::max() ? end : end + 1;
    RecordTable table = records();
    if (table.insert(key, meta, record, now.seconds) == RecordTable::Insert::ok) {
        return true;
    }
    raise(head().epoch, stamp);
    return false;
}

bool RevocationList::end_session(const Digest& key, Seconds until, Now now) noexcept {
    return put(session_entry(key), until, now);
}

bool RevocationList::end_owner(RecordTable::Tag which, std::uint64_t tag, Seconds until,
                               Now now) noexcept {
    return tag == 0 || put(tag_entry(which, tag), until, now);
}

void RevocationList::end_all(Stamp clock) noexcept {
    raise(head().epoch, next_stamp(clock));
}

Stamp RevocationList::epoch() const noexcept {
    return head().epoch;
}

Stamp RevocationList::stamp_of(const Digest& key, Seconds now) const noexcept {
    RecordTable table = records();
    RecordTable::Found found;
    if (table.find(key, kEntry, now, false, found) != RecordTable::Find::found) {
        return 0;
    }
    std::array<std::uint8_t, sizeof(Stamp)> record{};
    if (found.size != record.size()) {
        return std::numeric_limits<Stamp>::max();  // damaged: what it ends cannot be told
    }
    table.copy(found, record);
    Stamp stamp = 0;
    std::memcpy(&stamp, record.data(), sizeof(stamp));
    return stamp;
}

bool RevocationList::has_ended(const Digest& key, std::uint64_t sid_tag, std::uint64_t sub_tag,
                               Stamp begun, Seconds now) noexcept {
    if (begun <= head().epoch || stamp_of(session_entry(key), now) != 0) {
        return true;
    }
    return (sid_tag != 0 && begun <= stamp_of(tag_entry(RecordTable::Tag::sid, sid_tag), now)) ||
           (sub_tag != 0 && begun <= stamp_of(tag_entry(RecordTable::Tag::sub, sub_tag), now));
}

bool RevocationList::has_room(std::size_t bytes) const noexcept {
    const RecordTable::Stats stats = records().stats();
    return (stats.blocks_used + bytes / stats.bytes_per_block + 1) * 2 <= stats.blocks_total;
}

}  // namespace oidc
