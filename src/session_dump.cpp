// SPDX-License-Identifier: Apache-2.0
#include "oidc/session_dump.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "oidc/session.hpp"

namespace oidc {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kFrame = 64 * 1024;
constexpr std::size_t kSealing = 1 + 12 + 16;  // what Aead adds
constexpr std::size_t kItemHead = 5;
constexpr std::size_t kSessionHead = 32 + 32 + 6 * 8;
constexpr std::size_t kUsedBytes = 4 + 16 + 8;
constexpr std::size_t kMaxItem = kSessionHead + kMaxSessionRecord;

constexpr char kMore = 0;
constexpr char kLast = 1;
constexpr std::uint8_t kSessionItem = 1;
constexpr std::uint8_t kUsedItem = 2;

template <std::size_t N>
void put_number(Secret& out, std::uint64_t value) {
    std::array<char, N> bytes;
    for (std::size_t i = 0; i < N; ++i) {
        bytes[i] = static_cast<char>(value >> (8 * (N - 1 - i)));
    }
    out.append({bytes.data(), N});
}

template <std::size_t N>
std::uint64_t take_number(std::string_view& in) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < N; ++i) {
        value = value << 8 | static_cast<std::uint8_t>(in[i]);
    }
    in.remove_prefix(N);
    return value;
}

Seconds take_seconds(std::string_view& in) noexcept {
    return static_cast<Seconds>(take_number<8>(in));
}

template <std::size_t N>
void take_bytes(std::string_view& in, std::array<std::uint8_t, N>& out) noexcept {
    std::copy_n(as_bytes(in).begin(), N, out.begin());
    in.remove_prefix(N);
}

// What names a frame; the same for both sides.
class Frames {
  public:
    Frames(std::span<const AeadKey> ring, std::string_view store) : aead_(ring), store_(store) {}

    void set_id(std::string_view id) { id_ = id; }
    Result<std::string> seal(std::string_view plain, Random& random) {
        const std::string number = std::to_string(number_++);
        return aead_.seal(plain, {kPurpose, store_, id_, number}, random);
    }
    std::optional<Secret> open(std::string_view sealed) {
        const std::string number = std::to_string(number_++);
        return aead_.open(sealed, {kPurpose, store_, id_, number});
    }

  private:
    static constexpr std::string_view kPurpose = "oidc state file 1";
    Aead aead_;
    std::string_view store_;
    std::string id_;
    std::uint64_t number_ = 0;
};

class Writer {
  public:
    Writer(std::span<const AeadKey> ring, std::string_view store, Random& random,
           const DumpSink& sink, DumpCounts& counts)
        : frames_(ring, store), random_(random), sink_(sink), counts_(counts) {}

    DumpError begin() {
        std::array<std::uint8_t, kIdBytes> id;
        if (!random_.fill(id)) {
            return DumpError::failed;
        }
        const std::string head = std::string(kDumpMagic) + std::string(as_text(id));
        frames_.set_id(as_text(id));
        return write(head);
    }

    DumpError add(std::string_view bytes) {
        while (!bytes.empty()) {
            if (plain_.size() == kFrame) {
                if (const DumpError error = flush(kMore); error != DumpError::none) {
                    return error;
                }
            }
            if (plain_.empty()) {
                plain_.reserve(kFrame);
                plain_.append({&kMore, 1});
            }
            const std::size_t n = std::min(bytes.size(), kFrame - plain_.size());
            plain_.append(bytes.substr(0, n));
            bytes.remove_prefix(n);
        }
        return DumpError::none;
    }

    DumpError end() { return flush(kLast); }

  private:
    DumpError flush(char kind) {
        Secret frame({&kind, 1});
        if (!plain_.empty()) {
            frame.append(plain_.view().substr(1));
        }
        const Result<std::string> sealed = frames_.seal(frame.view(), random_);
        if (!sealed) {
            return DumpError::failed;
        }
        plain_ = Secret();
        Secret length;
        put_number<4>(length, sealed->size());
        const DumpError error = write(length.view());
        return error != DumpError::none ? error : write(*sealed);
    }

    DumpError write(std::string_view bytes) {
        counts_.bytes += bytes.size();
        return sink_(bytes) ? DumpError::none : DumpError::io;
    }

    Frames frames_;
    Random& random_;
    const DumpSink& sink_;
    DumpCounts& counts_;
    Secret plain_;  // of the next frame
};

DumpError write_session(Writer& writer, const RecordTable& table,
                        const RecordTable::Stored& stored) {
    Secret item;
    item.reserve(kItemHead + kSessionHead + stored.found.size);
    put_number<1>(item, kSessionItem);
    put_number<4>(item, kSessionHead + stored.found.size);
    item.append(as_text(stored.key));
    item.append(as_text(stored.meta.binding));
    for (const Seconds time : {stored.meta.expires, stored.meta.idle_timeout, stored.meta.last_seen,
                               stored.meta.created}) {
        put_number<8>(item, static_cast<std::uint64_t>(time));
    }
    put_number<8>(item, stored.meta.sid_tag);
    put_number<8>(item, stored.meta.sub_tag);
    std::vector<std::uint8_t, CleansingAllocator<std::uint8_t>> record(stored.found.size);
    table.copy(stored.found, record);
    item.append(as_text(record));
    return writer.add(item.view());
}

DumpError write_tables(const DumpTables& from, Seconds now, Writer& writer, DumpCounts& counts) {
    DumpError error = writer.begin();
    RecordTable::Cursor cursor;
    RecordTable::Stored stored;
    while (error == DumpError::none && from.sessions.next(cursor, stored)) {
        if (stored.found.expires <= now) {
            ++counts.expired;
        } else if (stored.found.size > kMaxSessionRecord) {
            ++counts.foreign;
        } else {
            error = write_session(writer, from.sessions, stored);
            ++counts.sessions;
        }
    }
    std::size_t place = 0;
    OnceTable::Used used;
    while (error == DumpError::none && from.used.next(place, now, used)) {
        Secret item;
        put_number<1>(item, kUsedItem);
        put_number<4>(item, kUsedBytes);
        put_number<4>(item, used.place);
        item.append(as_text(used.digest));
        put_number<8>(item, static_cast<std::uint64_t>(used.expires));
        error = writer.add(item.view());
        ++counts.used;
    }
    return error == DumpError::none ? writer.end() : error;
}

// Fills all of `out`; false with `error` none: the file ends before its first byte.
bool read_whole(const DumpSource& source, std::span<char> out, DumpError& error,
                DumpCounts& counts) {
    const std::ptrdiff_t got = source(out);
    if (got < 0) {
        error = DumpError::io;
        return false;
    }
    counts.bytes += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) == out.size()) {
        return true;
    }
    error = got == 0 ? DumpError::none : DumpError::cut;
    return false;
}

DumpError read_frames(const DumpSource& source, Frames& frames, DumpItems& items,
                      DumpCounts& counts) {
    std::string sealed;
    for (;;) {
        DumpError error = DumpError::none;
        std::array<char, 4> length;
        if (!read_whole(source, length, error, counts)) {
            return error == DumpError::io ? error : DumpError::cut;
        }
        std::string_view digits(length.data(), length.size());
        const std::size_t size = take_number<4>(digits);
        if (size < kSealing + 1 || size > kSealing + kFrame) {
            return DumpError::sealed;
        }
        sealed.resize(size);
        if (!read_whole(source, sealed, error, counts)) {
            return error == DumpError::io ? error : DumpError::cut;
        }
        const std::optional<Secret> plain = frames.open(sealed);
        if (!plain || plain->empty()) {
            return DumpError::sealed;
        }
        const char kind = plain->view().front();
        if (!items.take(plain->view().substr(1))) {
            return DumpError::content;
        }
        if (kind == kLast) {
            break;
        }
    }
    char behind = 0;
    DumpError error = DumpError::none;
    if (read_whole(source, {&behind, 1}, error, counts)) {
        return DumpError::sealed;
    }
    if (error != DumpError::none) {
        return error;
    }
    return items.is_complete() ? DumpError::none : DumpError::content;
}

}  // namespace

std::string_view text_of(DumpError error) noexcept {
    switch (error) {
        case DumpError::none:
            return "";
        case DumpError::io:
            return "it cannot be read or written";
        case DumpError::no_dump:
            return "it is no state file of this module";
        case DumpError::sealed:
            return "it was sealed with another key or for another store, or it was changed";
        case DumpError::cut:
            return "a part of it is missing";
        case DumpError::content:
            return "it is of another version";
        case DumpError::failed:
            break;
    }
    return "no memory or no randomness";
}

DumpError write_dump(const DumpTables& from, std::span<const AeadKey> ring, std::string_view store,
                     Seconds now, Random& random, const DumpSink& sink, DumpCounts& counts) noexcept
    try {
    Writer writer(ring, store, random, sink, counts);
    return write_tables(from, now, writer, counts);
} catch (...) {
    return DumpError::failed;
}

DumpError read_dump(const DumpSource& source, std::span<const AeadKey> ring, std::string_view store,
                    Seconds now, DumpTables& to, DumpCounts& counts) noexcept try {
    DumpError error = DumpError::none;
    std::array<char, kDumpMagic.size() + kIdBytes> head{};
    const bool whole = read_whole(source, head, error, counts);
    if (error == DumpError::io) {
        return error;
    }
    const std::string_view text(head.data(), head.size());
    if (!text.starts_with(kDumpMagic)) {
        return DumpError::no_dump;
    }
    if (!whole) {
        return DumpError::cut;
    }
    Frames frames(ring, store);
    frames.set_id(text.substr(kDumpMagic.size()));
    DumpItems items(to, now, counts);
    return read_frames(source, frames, items, counts);
} catch (...) {
    return DumpError::failed;
}

// ---- items -----------------------------------------------------------------------------------

bool DumpItems::take(std::string_view bytes) {
    Secret joined;
    if (!rest_.empty()) {
        rest_.append(bytes);
        joined = std::move(rest_);
        rest_ = Secret();
        bytes = joined.view();
    }
    while (bytes.size() >= kItemHead) {
        std::string_view head = bytes;
        const auto type = static_cast<std::uint8_t>(take_number<1>(head));
        const std::size_t size = take_number<4>(head);
        if (size > kMaxItem) {
            return false;
        }
        if (head.size() < size) {
            break;
        }
        if (!item(type, head.substr(0, size))) {
            return false;
        }
        bytes = head.substr(size);
    }
    if (joined.size() == bytes.size()) {
        rest_ = std::move(joined);
    } else {
        rest_ = Secret(bytes);
    }
    return true;
}

bool DumpItems::item(std::uint8_t type, std::string_view content) {
    switch (type) {
        case kSessionItem:
            return session(content);
        case kUsedItem:
            return used(content);
        default:
            return false;
    }
}

bool DumpItems::session(std::string_view content) {
    if (content.size() < kSessionHead) {
        return false;
    }
    Digest key;
    RecordTable::Meta meta;
    take_bytes(content, key);
    take_bytes(content, meta.binding);
    meta.expires = take_seconds(content);
    meta.idle_timeout = take_seconds(content);
    // The clock may have been put back.
    meta.last_seen = std::min(take_seconds(content), now_);
    meta.created = take_seconds(content);
    meta.sid_tag = take_number<8>(content);
    meta.sub_tag = take_number<8>(content);
    if (meta.idle_timeout < 0 || meta.last_seen <= 0 || meta.created <= 0) {
        return false;
    }
    const bool idle = meta.idle_timeout > 0 && meta.idle_timeout <= now_ - meta.last_seen;
    if (meta.expires <= now_ || idle) {
        ++counts_.expired;
    } else if (!SessionView::open(content)) {
        ++counts_.foreign;
    } else if (to_.sessions.insert(key, meta, as_bytes(content), now_) == RecordTable::Insert::ok) {
        ++counts_.sessions;
    } else {
        ++counts_.full;
    }
    return true;
}

bool DumpItems::used(std::string_view content) {
    if (content.size() != kUsedBytes) {
        return false;
    }
    OnceTable::Used used;
    used.place = take_number<4>(content);
    take_bytes(content, used.digest);
    used.expires = take_seconds(content);
    if (used.expires <= now_) {
        return true;
    }
    ++counts_.used;
    return to_.used.restore(used);
}

}  // namespace oidc
