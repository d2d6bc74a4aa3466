// SPDX-License-Identifier: Apache-2.0
// What RecordTable does after a writer has died, and the proof that nothing is wrong.
#include "record_blocks.hpp"

namespace oidc::detail {

// True when the record is whole and shares no block with what was claimed before; its blocks
// are then marked. Otherwise no mark is left.
bool Table::claim(std::uint32_t first, std::size_t in_bucket) const noexcept {
    const Head& h = head();
    const Record& r = record(first);
    const std::size_t count = blocks_for(r.size);
    if (count > h.high_water || bucket_of(r.key) != in_bucket) {
        return false;
    }
    std::uint32_t number = first;
    std::size_t got = 0;
    while (got < count && in_use_range(number) && !marked(number)) {
        flip_mark(number);
        ++got;
        number = next_block(number);
    }
    if (got == count && number == kNone && checksum(first) == r.checksum) {
        return true;
    }
    number = first;
    for (; got > 0; --got) {
        const std::uint32_t next = next_block(number);
        flip_mark(number);
        number = next;
    }
    return false;
}

// True when a record between `from` (a bucket head) and `to` has the same key as `to`.
bool Table::repeated(std::uint32_t from, std::uint32_t to) const noexcept {
    for (std::uint32_t n = from; n != to; n = record(n).next_record) {
        if (same_digest(record(n).key, record(to).key)) {
            return true;
        }
    }
    return false;
}

// May itself be killed and begun again: the mark stays until the end, and every change on the way
// only cuts off what is not to be kept, or belongs to the lists that are made from nothing.
void Table::recover() const noexcept {
    begin();
    Head& h = head();
    h.high_water = std::min(h.high_water, h.block_count);
    clear_marks();
    std::memset(&tag_head(0, 0), 0, kTags * h.bucket_count * sizeof(std::uint32_t));
    std::uint32_t records = 0;
    std::uint32_t used = 0;
    std::uint32_t steps = 0;
    for (std::size_t i = 0; i < h.bucket_count; ++i) {
        std::uint32_t* slot = &bucket(i);
        while (*slot != kNone) {
            const bool possible = in_use_range(*slot) && !marked(*slot) && ++steps <= h.high_water;
            if (possible && repeated(bucket(i), *slot)) {
                // Killed between publishing a record and withdrawing the one that it replaces; the
                // newer one stands in front.
                publish(*slot, record(*slot).next_record);
            } else if (possible && claim(*slot, i)) {
                ++records;
                used += static_cast<std::uint32_t>(blocks_for(record(*slot).size));
                link(*slot);
                slot = &record(*slot).next_record;
            } else {
                // A writer's death leaves no broken record in a list. Where one is, by whatever
                // accident, what it points to cannot be believed either.
                publish(*slot, kNone);
            }
        }
    }
    h.free_head = kNone;
    for (std::uint32_t number = h.high_water; number > 0; --number) {
        if (!marked(number)) {
            cleanse(block(number) + sizeof(std::uint32_t), kNextPayload);
            next_block(number) = h.free_head;
            h.free_head = number;
        }
    }
    h.free_count = h.high_water - used;
    h.records = records;
    h.sweep_cursor = 0;
    ++h.recoveries;
    end();
}

bool Table::consistent() const noexcept {
    const Head& h = head();
    if (h.dirty != kClean || h.high_water > h.block_count || h.sweep_cursor >= h.bucket_count) {
        return false;
    }
    clear_marks();
    std::uint32_t records = 0;
    std::size_t used = 0;
    std::array<std::size_t, kTags> tagged{};
    for (std::size_t i = 0; i < h.bucket_count; ++i) {
        for (std::uint32_t n = bucket(i); n != kNone; n = record(n).next_record) {
            if (!in_use_range(n) || marked(n) || !claim(n, i) || repeated(bucket(i), n)) {
                return false;
            }
            ++records;
            used += blocks_for(record(n).size);
            for (std::size_t which = 0; which < kTags; ++which) {
                tagged[which] += record(n).tags[which] != 0 ? 1 : 0;
            }
        }
    }
    std::size_t free = 0;
    for (std::uint32_t n = h.free_head; n != kNone; n = next_block(n)) {
        if (!in_use_range(n) || marked(n)) {
            return false;
        }
        flip_mark(n);
        ++free;
    }
    return records == h.records && free == h.free_count && used + free == h.high_water &&
           tag_lists_hold(tagged);
}

// True when the lists hold records that their keys lead to as well, each where its tag belongs and
// as many as there are. None is met twice, since its neighbours would have to differ.
bool Table::tag_lists_hold(const std::array<std::size_t, kTags>& tagged) const noexcept {
    const Head& h = head();
    for (std::size_t which = 0; which < kTags; ++which) {
        std::size_t met = 0;
        for (std::size_t i = 0; i < h.bucket_count; ++i) {
            for (std::uint32_t n = tag_head(which, i); n != kNone;
                 n = record(n).links[which].next) {
                if (!in_use_range(n) || ++met > tagged[which]) {
                    return false;
                }
                bool damaged = false;
                const std::uint32_t* slot = search(record(n).key, damaged);
                const std::uint64_t tag = record(n).tags[which];
                if (slot == nullptr || *slot != n || tag == 0 ||
                    &tag_head(which, tag) != &tag_head(which, i) || !linked(n, which)) {
                    return false;
                }
            }
        }
        if (met != tagged[which]) {
            return false;
        }
    }
    return true;
}

}  // namespace oidc::detail
