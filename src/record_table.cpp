// SPDX-License-Identifier: Apache-2.0
// The records by their keys; record_tags.cpp has the rest of RecordTable.
#include "oidc/record_table.hpp"

#include "record_blocks.hpp"

namespace oidc {

using detail::Head;
using detail::kNone;
using detail::Layout;
using detail::Record;
using detail::Table;

RecordTable RecordTable::create(std::span<std::byte> region) noexcept {
    const Layout l = detail::layout_for(region.size());
    std::memset(region.data(), 0, l.blocks_at);
    auto& head = *reinterpret_cast<Head*>(region.data());
    head.region_bytes = region.size();
    head.version = detail::kVersion;
    head.bucket_count = static_cast<std::uint32_t>(l.buckets);
    head.block_count = static_cast<std::uint32_t>(l.blocks);
    head.marks_at = l.marks_at;
    head.blocks_at = l.blocks_at;
    head.last_full_sweep = std::numeric_limits<Seconds>::min();  // never
    detail::fence();
    head.magic = detail::kMagic;
    return RecordTable(region);
}

RecordTable RecordTable::attach(std::span<std::byte> region) noexcept {
    return RecordTable(region);
}

bool RecordTable::is_table(std::span<const std::byte> region) noexcept {
    if (region.size() < min_size()) {
        return false;
    }
    Head head{};
    std::memcpy(&head, region.data(), sizeof(head));
    const Layout l = detail::layout_for(region.size());
    return head.magic == detail::kMagic && head.version == detail::kVersion &&
           head.region_bytes == region.size() && head.bucket_count == l.buckets &&
           head.block_count == l.blocks && head.marks_at == l.marks_at &&
           head.blocks_at == l.blocks_at;
}

RecordTable::Insert RecordTable::insert(const Digest& key, const Meta& meta, ByteView record,
                                        Seconds now) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const std::size_t wanted = detail::blocks_for(record.size());
    if (wanted > table.head().block_count / 4) {
        return Insert::too_large;
    }
    if (!table.make_room(wanted + table.reserve(), now)) {
        return Insert::full;
    }
    const bool replaces = table.locate(key) != nullptr;  // repairs before the mark is set
    table.begin();
    table.put_in(table.store(key, meta, record, now), replaces);
    table.end();
    return Insert::ok;
}

RecordTable::Find RecordTable::find(const Digest& key, const Digest& binding, Seconds now,
                                    bool touch, Found& found) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const std::uint32_t first = table.locate_live(key, binding, now);
    if (first == kNone) {
        return Find::missing;
    }
    Record& record = table.record(first);
    // Also when the clock went back: a time from the future must not keep a session alive.
    if (touch && record.idle_timeout > 0 && record.last_seen != now) {
        std::atomic_ref<Seconds>(record.last_seen).store(now, std::memory_order_relaxed);
    }
    found.expires = detail::end_of(record);
    found.size = record.size;
    found.first_block = first;
    return Find::found;
}

void RecordTable::copy(const Found& found, std::span<std::uint8_t> out) const noexcept {
    const Table table(region_);
    std::size_t at = sizeof(Record);
    std::uint32_t number = found.first_block;
    while (!out.empty()) {
        if (!table.in_use_range(number)) {
            std::memset(out.data(), 0, out.size());  // no record reads like this
            return;
        }
        const std::byte* from = table.block(number) + at;
        const std::size_t n = std::min(out.size(), detail::kBlockBytes - at);
        // Most blocks are full and not the first: a copy of known length takes half the time.
        if (n == detail::kNextPayload) {
            std::memcpy(out.data(), from, detail::kNextPayload);
        } else {
            std::memcpy(out.data(), from, n);
        }
        out = out.subspan(n);
        at = sizeof(std::uint32_t);
        number = table.next_block(number);
    }
}

RecordTable::Update RecordTable::update(const Digest& key, const Digest& binding, ByteView record,
                                        Seconds now) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const std::uint32_t old_first = table.locate_live(key, binding, now);
    if (old_first == kNone) {
        return Update::missing;
    }
    const std::size_t wanted = detail::blocks_for(record.size());
    if (wanted > table.head().block_count / 4) {
        return Update::too_large;
    }
    // A sweep leaves a live record where it is; only a repair may take it away.
    if (!table.make_room(wanted, now)) {
        return Update::full;
    }
    if (table.locate_live(key, binding, now) != old_first) {
        return Update::missing;
    }
    const Record& old = table.record(old_first);
    const Meta meta = detail::meta_of(old);
    table.begin();
    const std::uint32_t first = table.store(key, meta, record, now);
    table.record(first).lease = old.lease;
    table.put_in(first, true);
    table.end();
    return Update::ok;
}

bool RecordTable::erase(const Digest& key) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    std::uint32_t* slot = table.locate(key);
    if (slot == nullptr) {
        return false;
    }
    table.drop_alone(*slot);
    return true;
}

std::size_t RecordTable::sweep(std::size_t buckets, Seconds now) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    Head& head = table.head();
    std::size_t dropped = 0;
    bool begun = false;
    for (std::size_t i = std::min<std::size_t>(buckets, head.bucket_count); i > 0; --i) {
        const std::uint32_t cursor = head.sweep_cursor & (head.bucket_count - 1);
        dropped += table.sweep_bucket(cursor, now, begun);
        head.sweep_cursor = (cursor + 1) & (head.bucket_count - 1);
    }
    if (begun) {
        table.end();
    }
    return dropped;
}

bool RecordTable::next(Cursor& cursor, Stored& out) const noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const Head& head = table.head();
    for (; cursor.bucket < head.bucket_count; ++cursor.bucket, cursor.place = 0) {
        std::uint32_t number = table.bucket(cursor.bucket);
        for (std::uint32_t i = 0; i < cursor.place && table.in_use_range(number); ++i) {
            number = table.record(number).next_record;
        }
        if (!table.in_use_range(number) || cursor.place > head.high_water) {
            continue;
        }
        const Record& record = table.record(number);
        std::copy_n(record.key, out.key.size(), out.key.begin());
        out.meta = detail::meta_of(record);
        out.found = {detail::end_of(record), record.size, number};
        ++cursor.place;
        return true;
    }
    return false;
}

RecordTable::Stats RecordTable::stats() const noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const Head& head = table.head();
    Stats stats;
    stats.records = head.records;
    stats.blocks_used = head.high_water - head.free_count;
    stats.blocks_total = head.block_count;
    stats.blocks_reserved = table.reserve();
    stats.bytes_per_block = detail::kBlockBytes;
    stats.recoveries = head.recoveries;
    return stats;
}

std::size_t RecordTable::bucket_count() const noexcept {
    return Table(region_).head().bucket_count;
}

bool RecordTable::check() const noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    return table.consistent();
}

}  // namespace oidc
