// SPDX-License-Identifier: Apache-2.0
#include "record_blocks.hpp"

#include <bit>

namespace oidc::detail {
namespace {

constexpr std::size_t kMaxBlocks = std::size_t{1} << 30;

std::size_t align_up(std::size_t n, std::size_t to) noexcept {
    return (n + to - 1) / to * to;
}

Layout layout_of(std::size_t blocks) noexcept {
    Layout l;
    l.blocks = blocks;
    // A session of eight claims takes three or four blocks: about one record per bucket when full.
    l.buckets = std::bit_ceil(std::max<std::size_t>(blocks / 4, 16));
    l.marks_at = align_up(kHeadBytes + (1 + kTags) * l.buckets * sizeof(std::uint32_t), 64);
    l.blocks_at = align_up(l.marks_at + (blocks / 64 + 1) * sizeof(std::uint64_t), 64);
    l.total = l.blocks_at + blocks * kBlockBytes;
    return l;
}

// 32 bits that notice torn or foreign bytes; no defence against an attacker, who could write the
// checksum as well.
class Checksum {
  public:
    void add(const std::uint8_t* data, std::size_t size) noexcept {
        while (size >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, data, 8);
            mix(word);
            data += 8;
            size -= 8;
        }
        std::uint64_t tail = size + 1;
        for (; size > 0; --size) {
            tail = (tail << 8) | *data++;
        }
        mix(tail);
    }
    void mix(std::uint64_t word) noexcept {
        state_ = (state_ ^ word) * 0x9e3779b97f4a7c15;
        state_ ^= state_ >> 29;
    }
    [[nodiscard]] std::uint32_t value() const noexcept {
        return static_cast<std::uint32_t>(state_ ^ (state_ >> 32));
    }

  private:
    std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace

Layout layout_for(std::size_t region_bytes) noexcept {
    std::size_t blocks = std::min(region_bytes / kBlockBytes, kMaxBlocks);
    Layout l = layout_of(blocks);
    while (l.total > region_bytes && blocks > 0) {
        blocks -= std::min(blocks, (l.total - region_bytes + kBlockBytes - 1) / kBlockBytes);
        l = layout_of(blocks);
    }
    return l;
}

bool Table::make_room(std::size_t wanted, Seconds now) const noexcept {
    Head& h = head();
    // Whether a record has expired depends on the second only, so one full sweep in it is enough.
    if (free_blocks() < wanted && h.last_full_sweep != now) {
        h.last_full_sweep = now;
        bool begun = false;
        for (std::size_t i = 0; i < h.bucket_count; ++i) {
            (void)sweep_bucket(i, now, begun);
        }
        if (begun) {
            end();
        }
    }
    return free_blocks() >= wanted;
}

std::uint32_t Table::store(const Digest& key, const RecordTable::Meta& meta, ByteView data,
                           Seconds now) const noexcept {
    const std::uint32_t first = take();
    Record& r = record(first);
    r.next_block = kNone;
    r.size = static_cast<std::uint32_t>(data.size());
    r.expires = meta.expires;
    r.idle_timeout = meta.idle_timeout;
    r.last_seen = meta.last_seen != 0 ? meta.last_seen : now;
    std::copy(key.begin(), key.end(), r.key);
    std::copy(meta.binding.begin(), meta.binding.end(), r.binding);
    r.tags[static_cast<std::size_t>(RecordTable::Tag::sid)] = meta.sid_tag;
    r.tags[static_cast<std::size_t>(RecordTable::Tag::sub)] = meta.sub_tag;
    r.created = meta.created != 0 ? meta.created : now;
    r.lease = 0;
    std::uint32_t current = first;
    std::size_t done = copy_in(current, sizeof(Record), data);
    while (done < data.size()) {
        const std::uint32_t next = take();
        next_block(next) = kNone;
        next_block(current) = next;
        current = next;
        done += copy_in(current, sizeof(std::uint32_t), data.subspan(done));
    }
    r.checksum = checksum(first);
    return first;
}

void Table::put_in(std::uint32_t first, bool replaces) const noexcept {
    Record& r = record(first);
    link(first);
    std::uint32_t& head_slot = bucket(bucket_of(r.key));
    r.next_record = head_slot;
    publish(head_slot, first);
    ++head().records;
    if (replaces) {
        std::uint32_t* slot = &r.next_record;
        while (!same_digest(record(*slot).key, r.key)) {
            slot = &record(*slot).next_record;
        }
        drop(*slot);
    }
}

void Table::drop(std::uint32_t& slot) const noexcept {
    const std::uint32_t first = slot;
    publish(slot, record(first).next_record);
    --head().records;
    unlink(first);
    release(first, blocks_for(record(first).size));
}

void Table::drop_alone(std::uint32_t& slot) const noexcept {
    begin();
    drop(slot);
    end();
}

bool Table::drop_number(std::uint32_t number) const noexcept {
    bool damaged = false;
    std::uint32_t* slot = search(record(number).key, damaged);
    if (damaged || slot == nullptr || *slot != number) {
        return false;
    }
    drop(*slot);
    return head().dirty != kDamaged;
}

std::size_t Table::sweep_bucket(std::size_t i, Seconds now, bool& begun) const noexcept {
    std::size_t dropped = 0;
    std::uint32_t* slot = &bucket(i);
    for (std::uint32_t steps = 0; *slot != kNone; ++steps) {
        if (!in_use_range(*slot) || steps > head().high_water) {
            recover();  // ends with a clean mark
            begun = false;
            return dropped;
        }
        if (end_of(record(*slot)) > now) {
            slot = &record(*slot).next_record;
            continue;
        }
        if (!begun) {
            begin();
            begun = true;
        }
        drop(*slot);
        ++dropped;
    }
    return dropped;
}

void Table::link(std::uint32_t number) const noexcept {
    Record& r = record(number);
    for (std::size_t which = 0; which < kTags; ++which) {
        r.links[which] = {kNone, kNone};
        if (r.tags[which] == 0) {
            continue;
        }
        std::uint32_t& first = tag_head(which, r.tags[which]);
        if (in_use_range(first)) {
            record(first).links[which].prev = number;
        }
        r.links[which].next = first;
        first = number;
    }
}

// True when the neighbours in the tag's list know this record as theirs.
bool Table::linked(std::uint32_t number, std::size_t which) const noexcept {
    const Record& r = record(number);
    const Link& at = r.links[which];
    if (at.next != kNone &&
        (!in_use_range(at.next) || record(at.next).links[which].prev != number)) {
        return false;
    }
    if (at.prev == kNone) {
        return tag_head(which, r.tags[which]) == number;
    }
    return in_use_range(at.prev) && record(at.prev).links[which].next == number;
}

void Table::unlink(std::uint32_t number) const noexcept {
    const Record& r = record(number);
    for (std::size_t which = 0; which < kTags; ++which) {
        if (r.tags[which] == 0) {
            continue;
        }
        if (!linked(number, which)) {
            publish(head().dirty, kDamaged);
            continue;
        }
        const Link at = r.links[which];
        if (at.next != kNone) {
            record(at.next).links[which].prev = at.prev;
        }
        (at.prev == kNone ? tag_head(which, r.tags[which]) : record(at.prev).links[which].next) =
            at.next;
    }
}

std::uint32_t Table::take() const noexcept {
    Head& h = head();
    if (h.free_head != kNone) {
        const std::uint32_t number = h.free_head;
        h.free_head = next_block(number);
        --h.free_count;
        return number;
    }
    // Raised before the block is linked anywhere: a reachable block is never above it.
    publish(h.high_water, h.high_water + 1);
    return h.high_water;
}

// Wipes the blocks on the way: sessions do not linger in free memory.
void Table::release(std::uint32_t first, std::size_t count) const noexcept {
    Head& h = head();
    std::uint32_t number = first;
    for (std::size_t i = 0; i < count && in_use_range(number); ++i) {
        const std::uint32_t next = next_block(number);
        cleanse(block(number) + sizeof(std::uint32_t), kNextPayload);
        next_block(number) = h.free_head;
        h.free_head = number;
        ++h.free_count;
        number = next;
    }
}

std::size_t Table::copy_in(std::uint32_t number, std::size_t at, ByteView data) const noexcept {
    const std::size_t n = std::min(data.size(), kBlockBytes - at);
    if (n > 0) {
        std::memcpy(block(number) + at, data.data(), n);
    }
    return n;
}

// Precondition: the chain is whole.
std::uint32_t Table::checksum(std::uint32_t first) const noexcept {
    const Record& r = record(first);
    Checksum sum;
    sum.mix(static_cast<std::uint64_t>(r.expires));
    sum.mix(static_cast<std::uint64_t>(r.idle_timeout));
    sum.mix(r.size);
    sum.add(r.key, sizeof(r.key));
    sum.add(r.binding, sizeof(r.binding));
    for (const std::uint64_t tag : r.tags) {
        sum.mix(tag);
    }
    sum.mix(static_cast<std::uint64_t>(r.created));
    std::size_t left = r.size;
    std::size_t at = sizeof(Record);
    for (std::uint32_t number = first; left > 0; number = next_block(number)) {
        const std::size_t n = std::min(left, kBlockBytes - at);
        sum.add(reinterpret_cast<const std::uint8_t*>(block(number)) + at, n);
        left -= n;
        at = sizeof(std::uint32_t);
    }
    return sum.value();
}

}  // namespace oidc::detail
