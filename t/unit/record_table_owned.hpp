// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of RecordTable's tags, updates and leases.
#pragma once

#include <array>

#include "record_table_fixture.hpp"

namespace oidc::unit {

using Tag = RecordTable::Tag;

inline const Digest kOther = sha256("another binding");
inline constexpr Seconds kEnd = kNow + 1000;

inline RecordTable::Meta owned(std::uint64_t sid, std::uint64_t sub, Seconds created = kNow,
                               const Digest& binding = kBinding, Seconds expires = kEnd) {
    return {binding, expires, 0, sid, sub, created};
}

inline void add(RecordTable& table, std::uint32_t n, const RecordTable::Meta& meta,
                std::string_view text = "text") {
    ck_assert(table.insert(key_of(n), meta, as_bytes(text), kNow) == RecordTable::Insert::ok);
}

inline bool lives(RecordTable& table, std::uint32_t n, const Digest& binding = kBinding,
                  Seconds now = kNow) {
    RecordTable::Found found;
    return table.find(key_of(n), binding, now, false, found) == RecordTable::Find::found;
}

inline RecordTable::Listed listed(RecordTable& table, std::uint64_t sub, Seconds now = kNow) {
    std::array<RecordTable::Listed, 1> out;
    ck_assert_uint_eq(table.list_tagged(Tag::sub, sub, now, out), 1);
    return out[0];
}

}  // namespace oidc::unit
