// Layout of a RecordTable's region, from its start:
//
//   Head | bucket heads (u32 each) | scratch bit per block, for walks | blocks of 256 bytes
//
// Blocks are numbered from 1, 0 is "none". A record's first block starts with a Record, the others
// with the number of the next one. Blocks above `high_water` have never been used, so that a large
// region costs no memory before it is needed.
//
// Order of stores is what survives a killed writer. A store that publishes or withdraws is one
// aligned 4-byte store between two compiler fences; the processor keeps the order by itself, since
// a process dies between two instructions and the next one enters through the caller's lock.
#include "oidc/record_table.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>

namespace oidc {
namespace {

constexpr std::uint64_t kMagic = 0x6f69646374616231;  // "oidctab1"
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kNone = 0;
constexpr std::size_t kBlockBytes = 256;
constexpr std::size_t kMaxBlocks = std::size_t{1} << 30;
constexpr Seconds kNever = std::numeric_limits<Seconds>::min();

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
};

constexpr std::size_t kHeadBytes = 128;
constexpr std::size_t kFirstPayload = kBlockBytes - sizeof(Record);
constexpr std::size_t kNextPayload = kBlockBytes - sizeof(std::uint32_t);
static_assert(sizeof(Head) <= kHeadBytes);
static_assert(sizeof(Record) % 8 == 0 && sizeof(Record) < kBlockBytes);

void fence() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// One store that others may see the moment it happens.
void publish(std::uint32_t& slot, std::uint32_t value) noexcept {
    fence();
    std::atomic_ref<std::uint32_t>(slot).store(value, std::memory_order_release);
    fence();
}

std::size_t align_up(std::size_t n, std::size_t to) noexcept {
    return (n + to - 1) / to * to;
}

struct Layout {
    std::size_t blocks = 0;
    std::size_t buckets = 0;
    std::size_t marks_at = 0;
    std::size_t blocks_at = 0;
    std::size_t total = 0;
};

Layout layout_of(std::size_t blocks) noexcept {
    Layout l;
    l.blocks = blocks;
    // A session of eight claims takes three or four blocks: about one record per bucket when full.
    l.buckets = std::bit_ceil(std::max<std::size_t>(blocks / 4, 16));
    l.marks_at = align_up(kHeadBytes + l.buckets * sizeof(std::uint32_t), 64);
    l.blocks_at = align_up(l.marks_at + (blocks / 64 + 1) * sizeof(std::uint64_t), 64);
    l.total = l.blocks_at + blocks * kBlockBytes;
    return l;
}

Layout layout_for(std::size_t region_bytes) noexcept {
    std::size_t blocks = std::min(region_bytes / kBlockBytes, kMaxBlocks);
    Layout l = layout_of(blocks);
    while (l.total > region_bytes && blocks > 0) {
        blocks -= std::min(blocks, (l.total - region_bytes + kBlockBytes - 1) / kBlockBytes);
        l = layout_of(blocks);
    }
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

// In constant time, and without a call: this is on the way of every authenticated request.
bool same_binding(const Digest& a, const std::uint8_t* b) noexcept {
    std::array<std::uint64_t, 4> left{};
    std::array<std::uint64_t, 4> right{};
    std::memcpy(left.data(), a.data(), sizeof left);
    std::memcpy(right.data(), b, sizeof right);
    const std::uint64_t difference =
        (left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2]) | (left[3] ^ right[3]);
    return difference == 0;
}

std::size_t blocks_for(std::size_t size) noexcept {
    return size <= kFirstPayload ? 1 : 1 + (size - kFirstPayload + kNextPayload - 1) / kNextPayload;
}

Seconds end_of(const Record& record) noexcept {
    if (record.idle_timeout <= 0) {
        return record.expires;
    }
    const Seconds room = std::numeric_limits<Seconds>::max() - record.idle_timeout;
    const Seconds idle_end = record.last_seen > room ? std::numeric_limits<Seconds>::max()
                                                     : record.last_seen + record.idle_timeout;
    return std::min(record.expires, idle_end);
}

// The region with names. Everything below works on it; a RecordTable is the public face.
class Table {
  public:
    explicit Table(std::span<std::byte> region) noexcept : base_(region.data()) {
        marks_ = reinterpret_cast<std::uint64_t*>(base_ + head().marks_at);
        blocks_ = base_ + head().blocks_at;
    }

    [[nodiscard]] Head& head() const noexcept { return *reinterpret_cast<Head*>(base_); }
    [[nodiscard]] std::uint32_t& bucket(std::size_t i) const noexcept {
        return reinterpret_cast<std::uint32_t*>(base_ + kHeadBytes)[i];
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

    void begin() const noexcept { publish(head().dirty, 1); }
    void end() const noexcept { publish(head().dirty, 0); }
    void recover_if_dirty() const noexcept {
        if (head().dirty != 0) {
            recover();
        }
    }

    // The slot that points to the record of `key`: a bucket head or a next_record; null: none.
    // Damage that our own rules cannot have made (a wild or endless list) is repaired on the way.
    [[nodiscard]] std::uint32_t* locate(const Digest& key) const noexcept {
        bool damaged = false;
        std::uint32_t* slot = search(key, damaged);
        if (damaged) {
            recover();
            slot = search(key, damaged);
        }
        return slot;
    }

    // Takes the record out of its list and gives its blocks back. Precondition: begin() was called.
    void drop(std::uint32_t& slot) const noexcept {
        const std::uint32_t first = slot;
        publish(slot, record(first).next_record);
        --head().records;
        release(first, blocks_for(record(first).size));
    }

    // Precondition: free_blocks() >= blocks_for(data.size()), begin() was called.
    [[nodiscard]] std::uint32_t store(const Digest& key, const RecordTable::Meta& meta,
                                      ByteView data, Seconds now) const noexcept {
        const std::uint32_t first = take();
        Record& r = record(first);
        r.next_block = kNone;
        r.size = static_cast<std::uint32_t>(data.size());
        r.expires = meta.expires;
        r.idle_timeout = meta.idle_timeout;
        r.last_seen = now;
        std::copy(key.begin(), key.end(), r.key);
        std::copy(meta.binding.begin(), meta.binding.end(), r.binding);
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

    [[nodiscard]] std::size_t sweep_bucket(std::size_t i, Seconds now, bool& begun) const noexcept {
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

    void recover() const noexcept;
    [[nodiscard]] bool consistent() const noexcept;

  private:
    [[nodiscard]] std::uint32_t* search(const Digest& key, bool& damaged) const noexcept {
        damaged = false;
        std::uint32_t* slot = &bucket(bucket_of(key.data()));
        for (std::uint32_t steps = 0; *slot != kNone; ++steps) {
            if (!in_use_range(*slot) || steps > head().high_water) {
                damaged = true;
                return nullptr;
            }
            Record& r = record(*slot);
            if (std::memcmp(r.key, key.data(), key.size()) == 0) {
                return slot;
            }
            slot = &r.next_record;
        }
        return nullptr;
    }

    [[nodiscard]] std::uint32_t take() const noexcept {
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
    void release(std::uint32_t first, std::size_t count) const noexcept {
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

    std::size_t copy_in(std::uint32_t number, std::size_t at, ByteView data) const noexcept {
        const std::size_t n = std::min(data.size(), kBlockBytes - at);
        if (n > 0) {
            std::memcpy(block(number) + at, data.data(), n);
        }
        return n;
    }

    // Precondition: the chain is whole.
    [[nodiscard]] std::uint32_t checksum(std::uint32_t first) const noexcept {
        const Record& r = record(first);
        Checksum sum;
        sum.mix(static_cast<std::uint64_t>(r.expires));
        sum.mix(static_cast<std::uint64_t>(r.idle_timeout));
        sum.mix(r.size);
        sum.add(r.key, sizeof(r.key));
        sum.add(r.binding, sizeof(r.binding));
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

    [[nodiscard]] bool marked(std::uint32_t number) const noexcept {
        return (marks_[number / 64] >> (number % 64) & 1) != 0;
    }
    void flip_mark(std::uint32_t number) const noexcept {
        marks_[number / 64] ^= std::uint64_t{1} << (number % 64);
    }
    void clear_marks() const noexcept {
        std::memset(marks_, 0, (head().block_count / 64 + 1) * sizeof(std::uint64_t));
    }

    // True when the record is whole and shares no block with what was claimed before; its blocks
    // are then marked. Otherwise no mark is left.
    [[nodiscard]] bool claim(std::uint32_t first, std::size_t in_bucket) const noexcept {
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
    [[nodiscard]] bool repeated(std::uint32_t from, std::uint32_t to) const noexcept {
        for (std::uint32_t n = from; n != to; n = record(n).next_record) {
            if (std::memcmp(record(n).key, record(to).key, sizeof(Record::key)) == 0) {
                return true;
            }
        }
        return false;
    }

    std::byte* base_;
    std::uint64_t* marks_ = nullptr;
    std::byte* blocks_ = nullptr;
};

// May itself be killed and begun again: the mark stays until the end, and every change on the way
// only cuts off what is not to be kept.
void Table::recover() const noexcept {
    begin();
    Head& h = head();
    h.high_water = std::min(h.high_water, h.block_count);
    clear_marks();
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
    if (h.dirty != 0 || h.high_water > h.block_count || h.sweep_cursor >= h.bucket_count) {
        return false;
    }
    clear_marks();
    std::uint32_t records = 0;
    std::size_t used = 0;
    for (std::size_t i = 0; i < h.bucket_count; ++i) {
        for (std::uint32_t n = bucket(i); n != kNone; n = record(n).next_record) {
            if (!in_use_range(n) || marked(n) || !claim(n, i) || repeated(bucket(i), n)) {
                return false;
            }
            ++records;
            used += blocks_for(record(n).size);
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
    return records == h.records && free == h.free_count && used + free == h.high_water;
}

}  // namespace

RecordTable RecordTable::create(std::span<std::byte> region) noexcept {
    const Layout l = layout_for(region.size());
    std::memset(region.data(), 0, l.blocks_at);
    auto& head = *reinterpret_cast<Head*>(region.data());
    head.region_bytes = region.size();
    head.version = kVersion;
    head.bucket_count = static_cast<std::uint32_t>(l.buckets);
    head.block_count = static_cast<std::uint32_t>(l.blocks);
    head.marks_at = l.marks_at;
    head.blocks_at = l.blocks_at;
    head.last_full_sweep = kNever;
    fence();
    head.magic = kMagic;
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
    const Layout l = layout_for(region.size());
    return head.magic == kMagic && head.version == kVersion && head.region_bytes == region.size() &&
           head.bucket_count == l.buckets && head.block_count == l.blocks &&
           head.marks_at == l.marks_at && head.blocks_at == l.blocks_at;
}

RecordTable::Insert RecordTable::insert(const Digest& key, const Meta& meta, ByteView record,
                                        Seconds now) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    Head& head = table.head();
    const std::size_t wanted = blocks_for(record.size());
    if (wanted > head.block_count / 4) {
        return Insert::too_large;
    }
    // Whether a record has expired depends on the second only, so one full sweep in it is enough.
    if (table.free_blocks() < wanted && head.last_full_sweep != now) {
        head.last_full_sweep = now;
        sweep(head.bucket_count, now);
    }
    if (table.free_blocks() < wanted) {
        return Insert::full;
    }
    const bool replaces = table.locate(key) != nullptr;  // repairs before the mark is set
    table.begin();
    const std::uint32_t first = table.store(key, meta, record, now);
    std::uint32_t& bucket = table.bucket(table.bucket_of(key.data()));
    table.record(first).next_record = bucket;
    publish(bucket, first);
    ++head.records;
    if (replaces) {
        std::uint32_t* slot = &table.record(first).next_record;
        while (std::memcmp(table.record(*slot).key, key.data(), key.size()) != 0) {
            slot = &table.record(*slot).next_record;
        }
        table.drop(*slot);
    }
    table.end();
    return Insert::ok;
}

RecordTable::Find RecordTable::find(const Digest& key, const Digest& binding, Seconds now,
                                    bool touch, Found& found) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    std::uint32_t* slot = table.locate(key);
    if (slot == nullptr) {
        return Find::missing;
    }
    Record& record = table.record(*slot);
    if (end_of(record) <= now) {
        table.begin();
        table.drop(*slot);
        table.end();
        return Find::missing;
    }
    if (!same_binding(binding, record.binding)) {
        return Find::missing;
    }
    // Also when the clock went back: a time from the future must not keep a session alive.
    if (touch && record.idle_timeout > 0 && record.last_seen != now) {
        std::atomic_ref<Seconds>(record.last_seen).store(now, std::memory_order_relaxed);
    }
    found.expires = end_of(record);
    found.size = record.size;
    found.first_block = *slot;
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
        const std::size_t n = std::min(out.size(), kBlockBytes - at);
        std::memcpy(out.data(), table.block(number) + at, n);
        out = out.subspan(n);
        at = sizeof(std::uint32_t);
        number = table.next_block(number);
    }
}

bool RecordTable::erase(const Digest& key) noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    std::uint32_t* slot = table.locate(key);
    if (slot == nullptr) {
        return false;
    }
    table.begin();
    table.drop(*slot);
    table.end();
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

RecordTable::Stats RecordTable::stats() const noexcept {
    const Table table(region_);
    table.recover_if_dirty();
    const Head& head = table.head();
    Stats stats;
    stats.records = head.records;
    stats.blocks_used = head.high_water - head.free_count;
    stats.blocks_total = head.block_count;
    stats.bytes_per_block = kBlockBytes;
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
