// SPDX-License-Identifier: Apache-2.0
#include "oidc/sealed_record.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "oidc/key_ring.hpp"
#include "oidc/session.hpp"

namespace oidc {

namespace {

// Plain text: magic | expires | idle timeout | created | sid tag | sub tag | record
// Numbers are little-endian.
constexpr std::string_view kMagic = "OSR1";
constexpr std::size_t kNumber = 8;
constexpr std::size_t kHeader = kMagic.size() + 5 * kNumber;

// Sealed: version | binding | what Aead made of the plain text
constexpr char kVersion = 1;
constexpr std::size_t kOuter = 1 + sizeof(Digest);

constexpr std::string_view kPurpose = "oidc session record";

void put(std::string& out, std::uint64_t value) {
    for (std::size_t i = 0; i < kNumber; ++i, value >>= 8) {
        out.push_back(static_cast<char>(value & 255));
    }
}

std::uint64_t take(std::string_view& text) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = kNumber; i > 0; --i) {
        value = value << 8 | static_cast<std::uint8_t>(text[i - 1]);
    }
    text.remove_prefix(kNumber);
    return value;
}

std::vector<AeadKey> derived(std::span<const AeadKey> ring) {
    auto keys = derive_ring(ring, kPurpose);
    if (!keys) {
        throw std::runtime_error("no keys for session records");
    }
    return *std::move(keys);
}

// The keys of a ring, wiped when they have been copied.
struct Wiped {
    std::vector<AeadKey> keys;
    explicit Wiped(std::vector<AeadKey> made) : keys(std::move(made)) {}
    ~Wiped() {
        for (AeadKey& key : keys) {
            cleanse(key.data(), key.size());
        }
    }
    Wiped(const Wiped&) = delete;
    Wiped& operator=(const Wiped&) = delete;
};

}  // namespace

Secret encode_stored_record(const RecordTable::Meta& meta, std::string_view record) {
    std::string header(kMagic);
    header.reserve(kHeader);
    put(header, static_cast<std::uint64_t>(meta.expires));
    put(header, static_cast<std::uint64_t>(meta.idle_timeout));
    put(header, static_cast<std::uint64_t>(meta.created));
    put(header, meta.sid_tag);
    put(header, meta.sub_tag);
    Secret out;
    out.reserve(header.size() + record.size());
    out.append(header);
    out.append(record);
    return out;
}

std::optional<StoredRecord> parse_stored_record(std::string_view text) noexcept {
    if (text.size() < kHeader || text.size() - kHeader > kMaxSessionRecord ||
        !text.starts_with(kMagic)) {
        return std::nullopt;
    }
    text.remove_prefix(kMagic.size());
    StoredRecord out;
    out.meta.expires = static_cast<Seconds>(take(text));
    out.meta.idle_timeout = static_cast<Seconds>(take(text));
    out.meta.created = static_cast<Seconds>(take(text));
    out.meta.sid_tag = take(text);
    out.meta.sub_tag = take(text);
    if (out.meta.expires < 0 || out.meta.idle_timeout < 0 || out.meta.created < 0) {
        return std::nullopt;
    }
    out.record = text;
    return out;
}

RecordSealer::RecordSealer(std::span<const AeadKey> ring) : aead_(Wiped(derived(ring)).keys) {}

Result<std::string> RecordSealer::seal(const Digest& key, const RecordTable::Meta& meta,
                                       std::string_view record, Random& random) const {
    const std::string_view binding = as_text(meta.binding);
    const Secret plain = encode_stored_record(meta, record);
    auto sealed = aead_.seal(plain.view(), {kPurpose, binding, as_text(key)}, random);
    if (!sealed) {
        return sealed;
    }
    std::string out;
    out.reserve(kOuter + sealed->size());
    out.push_back(kVersion);
    out.append(binding).append(*sealed);
    return out;
}

std::optional<RecordSealer::Opened> RecordSealer::open(const Digest& key,
                                                       std::string_view value) const {
    if (value.size() < kOuter || value.front() != kVersion) {
        return std::nullopt;
    }
    const std::string_view binding = value.substr(1, sizeof(Digest));
    auto plain = aead_.open(value.substr(kOuter), {kPurpose, binding, as_text(key)});
    if (!plain) {
        return std::nullopt;
    }
    const auto stored = parse_stored_record(plain->view());
    if (!stored) {
        return std::nullopt;
    }
    Opened out;
    out.meta = stored->meta;
    std::copy_n(as_bytes(binding).begin(), out.meta.binding.size(), out.meta.binding.begin());
    out.record = stored->record;
    out.text = *std::move(plain);
    return out;
}

}  // namespace oidc
