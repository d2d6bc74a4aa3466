// SPDX-License-Identifier: Apache-2.0
// RecordTable: records by their owners, and the lease of a record.
#include "oidc/crypto.hpp"
#include "oidc/record_table.hpp"
#include "record_blocks.hpp"

namespace oidc {

using detail::kNone;
using detail::Lease;
using detail::Record;
using detail::Table;

namespace {

constexpr std::size_t index_of(RecordTable::Tag which) noexcept {
    return static_cast<std::size_t>(which);
}

bool belongs(const Record& record, const Digest* binding) noexcept {
    return binding == nullptr || detail::same_digest(binding->data(), record.binding);
}

// A lease that begins now; none when it would hold no time.
Lease lease_for(Seconds now, Seconds seconds) noexcept {
    constexpr Seconds kLongest = std::numeric_limits<std::int32_t>::max();
    const auto length = static_cast<std::uint64_t>(std::clamp<Seconds>(seconds, 0, kLongest));
    return static_cast<std::uint64_t>(now) << 32 | length;
}

bool holds(Lease lease, Seconds now) noexcept {
    const std::uint32_t elapsed =
        static_cast<std::uint32_t>(now) - static_cast<std::uint32_t>(lease >> 32);
    return elapsed < static_cast<std::uint32_t>(lease);
}

void set_lease(Record& record, Lease lease) noexcept {
    std::atomic_ref<Lease>(record.lease).store(lease, std::memory_order_relaxed);
}

// The latest time from which on at least `limit` were created, found by halving: few walks, and no
// memory. Precondition: that many were created from `low` on, none after `high`.
template <class CountFrom>
Seconds newest_from(Seconds low, Seconds high, std::size_t limit, CountFrom&& count_from) noexcept {
    while (low < high) {
        // Unsigned, since the two may be further apart than Seconds can say. The upper half begins
        // above `low`, so each turn narrows the range.
        const std::uint64_t span =
            static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
        const auto middle =
            static_cast<Seconds>(static_cast<std::uint64_t>(low) + (span - span / 2));
        if (count_from(middle) >= limit) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

}  // namespace

std::uint64_t owner_tag(std::string_view kind, std::string_view provider_key,
                        std::string_view value) {
    const Digest digest = sha256_fields({"oidc owner tag", kind, provider_key, value});
    std::uint64_t tag = 0;
    for (std::size_t i = 0; i < sizeof(tag); ++i) {
        tag = tag << 8 | digest[i];
    }
    return tag != 0 ? tag : 1;
}

std::size_t RecordTable::erase_tagged(Tag which, std::uint64_t tag, const Digest* binding,
                                      Seconds now) noexcept {
    if (tag == 0) {
        return 0;
    }
    const Table table(region_);
    table.recover_if_dirty();
    std::size_t ended = 0;
    const auto visit = [&](const Record& record) {
        if (!belongs(record, binding)) {
            return false;
        }
        ended += detail::end_of(record) > now ? 1 : 0;
        return true;
    };
    // A list that was found damaged has been made anew.
    if (!table.walk(index_of(which), tag, visit)) {
        (void)table.walk(index_of(which), tag, visit);
    }
    return ended;
}

std::size_t RecordTable::list_tagged(Tag which, std::uint64_t tag, Seconds now,
                                     std::span<Listed> out) noexcept {
    if (tag == 0) {
        return 0;
    }
    const Table table(region_);
    table.recover_if_dirty();
    std::size_t total = 0;
    const auto visit = [&](const Record& record) {
        const Seconds expires = detail::end_of(record);
        if (expires <= now) {
            return true;
        }
        if (total < out.size()) {
            Listed& listed = out[total];
            std::copy_n(record.key, listed.key.size(), listed.key.begin());
            std::copy_n(record.binding, listed.binding.size(), listed.binding.begin());
            listed.created = record.created;
            listed.expires = expires;
            listed.last_seen = record.last_seen;
        }
        ++total;
        return false;
    };
    if (!table.walk(index_of(which), tag, visit)) {
        total = 0;
        (void)table.walk(index_of(which), tag, visit);
    }
    return total;
}

std::size_t RecordTable::keep_newest(std::uint64_t sub_tag, const Digest& binding,
                                     std::size_t limit, Seconds now,
                                     const Digest* spared) noexcept {
    if (sub_tag == 0) {
        return 0;
    }
    const Table table(region_);
    table.recover_if_dirty();
    constexpr std::size_t kSub = index_of(Tag::sub);
    const auto may_end = [&](const Record& record) {
        return belongs(record, &binding) &&
               (spared == nullptr || !detail::same_digest(record.key, spared->data()));
    };

    std::size_t live = 0;
    std::size_t spared_live = 0;
    Seconds low = std::numeric_limits<Seconds>::max();
    Seconds high = std::numeric_limits<Seconds>::min();
    const auto take_stock = [&](const Record& record) {
        if (!belongs(record, &binding)) {
            return false;
        }
        if (detail::end_of(record) <= now) {
            return true;
        }
        if (!may_end(record)) {
            spared_live = 1;
            return false;
        }
        ++live;
        low = std::min(low, record.created);
        high = std::max(high, record.created);
        return false;
    };
    if (!table.walk(kSub, sub_tag, take_stock)) {
        live = 0;
        (void)table.walk(kSub, sub_tag, take_stock);
    }
    limit -= std::min(limit, spared_live);
    if (live <= limit) {
        return 0;
    }

    const auto count = [&](auto&& wanted) {
        std::size_t n = 0;
        (void)table.walk(kSub, sub_tag, [&](const Record& record) {
            n += may_end(record) && wanted(record.created) ? 1 : 0;
            return false;
        });
        return n;
    };
    const Seconds oldest = newest_from(low, high, limit, [&](Seconds from) {
        return count([&](Seconds created) { return created >= from; });
    });
    // Of those created in the same second as the oldest that stays, the first in the list stay.
    const std::size_t younger = count([&](Seconds created) { return created > oldest; });
    std::size_t room = limit - std::min(limit, younger);
    std::size_t ended = 0;
    (void)table.walk(kSub, sub_tag, [&](const Record& record) {
        if (!may_end(record) || record.created > oldest) {
            return false;
        }
        if (record.created == oldest && room > 0) {
            --room;
            return false;
        }
        ++ended;
        return true;
    });
    return ended;
}

bool RecordTable::lease(const Digest& key, const Digest& binding, Seconds now,
                        Seconds seconds) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const std::uint32_t first = table.locate_live(key, binding, now);
    if (first == kNone || holds(table.record(first).lease, now)) {
        return false;
    }
    set_lease(table.record(first), lease_for(now, seconds));
    return true;
}

void RecordTable::release(const Digest& key, const Digest& binding, Seconds not_before,
                          Seconds now) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const std::uint32_t first = table.locate_live(key, binding, now);
    if (first != kNone) {
        const Seconds wait = not_before > now ? not_before - now : 0;
        set_lease(table.record(first), lease_for(now, wait));
    }
}

}  // namespace oidc
