// SPDX-License-Identifier: Apache-2.0
#include "oidc/session_cookie.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>

#include "oidc/encode.hpp"
#include "oidc/key_ring.hpp"

namespace oidc {
namespace {

constexpr std::string_view kKeyLabel = "oidc session cookie";
constexpr std::string_view kPurpose = "session";

// A plaintext is a header of fixed size, then the record. Numbers are big-endian.
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kKeyBytes = sizeof(Digest);
constexpr std::size_t kNumbers = 7;
constexpr std::size_t kHeaderBytes = 1 + kKeyBytes + kNumbers * sizeof(std::uint64_t);

// What Aead adds: version, nonce and tag.
constexpr std::size_t kSealOverhead = 1 + 12 + 16;

constexpr std::size_t chunks_of(std::size_t size) noexcept {
    return size <= kSessionChunk ? 1 : (size + kSessionChunk - 1) / kSessionChunk;
}
static_assert(chunks_of(kMaxSessionCookie) <= kMaxSessionChunks);
static_assert(kMaxSessionChunks <= 9, "the number of chunks is one digit");

void put_number(Secret& out, std::uint64_t value) {
    std::array<char, sizeof(value)> bytes{};
    for (std::size_t i = bytes.size(); i > 0; --i, value >>= 8) {
        bytes[i - 1] = static_cast<char>(value & 0xff);
    }
    out.append({bytes.data(), bytes.size()});
}

std::uint64_t number_at(std::string_view text, std::size_t at) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(value); ++i) {
        value = value << 8 | static_cast<std::uint8_t>(text[at + i]);
    }
    return value;
}

Secret plain_of(const CookieSession& session, std::string_view record) {
    Secret out;
    out.reserve(kHeaderBytes + record.size());
    const char version = static_cast<char>(kVersion);
    out.append({&version, 1});
    out.append(as_text(session.key));
    for (const std::uint64_t number : {static_cast<std::uint64_t>(session.expires),
                                       static_cast<std::uint64_t>(session.last_seen),
                                       static_cast<std::uint64_t>(session.idle_timeout),
                                       static_cast<std::uint64_t>(session.begun), session.sid_tag,
                                       session.sub_tag, session.serial}) {
        put_number(out, number);
    }
    out.append(record);
    return out;
}

// False: of another version, or too short.
bool read_header(std::string_view plain, CookieSession& out) noexcept {
    if (plain.size() < kHeaderBytes || static_cast<std::uint8_t>(plain.front()) != kVersion) {
        return false;
    }
    std::copy_n(plain.data() + 1, kKeyBytes, reinterpret_cast<char*>(out.key.data()));
    std::size_t at = 1 + kKeyBytes;
    const auto next = [&plain, &at] {
        const std::uint64_t value = number_at(plain, at);
        at += sizeof(value);
        return value;
    };
    out.expires = static_cast<Seconds>(next());
    out.last_seen = static_cast<Seconds>(next());
    out.idle_timeout = static_cast<Seconds>(next());
    out.begun = static_cast<std::int64_t>(next());
    out.sid_tag = next();
    out.sub_tag = next();
    out.serial = next();
    return true;
}

// True when `text` is the name of that chunk.
bool is_chunk_name(std::string_view text, std::string_view name, std::size_t index) noexcept {
    return text.size() == name.size() + 2 && text.starts_with(name) && text[name.size()] == '_' &&
           text.back() == static_cast<char>('0' + index);
}

// The number of chunks that a value says it has, if it is one that may be; else 0.
std::size_t declared_chunks(std::string_view first) noexcept {
    const bool digit =
        !first.empty() && first.front() >= '1' && first.front() <= '0' + char{kMaxSessionChunks};
    return digit ? static_cast<std::size_t>(first.front() - '0') : 0;
}

// The only value of the chunk in the request; empty: there is none, or more than one.
std::string_view find_chunk(std::string_view name, std::size_t index,
                            std::span<const CookiePair> cookies) noexcept {
    const CookiePair* found = nullptr;
    for (const CookiePair& cookie : cookies) {
        if (!is_chunk_name(cookie.name, name, index)) {
            continue;
        }
        if (found != nullptr && found->value != cookie.value) {
            return {};
        }
        found = &cookie;
    }
    return found != nullptr ? found->value : std::string_view();
}

// Appends those lines that delete chunks from `first` on.
void drop_chunks(std::vector<std::string>& lines, std::string_view name, std::size_t first,
                 const CookieAttributes& attributes, std::span<const CookiePair> present) {
    for (std::size_t i = std::max<std::size_t>(first, 1); i < kMaxSessionChunks; ++i) {
        if (std::any_of(present.begin(), present.end(), [&](const CookiePair& cookie) {
                return is_chunk_name(cookie.name, name, i);
            })) {
            lines.push_back(delete_cookie(session_chunk_name(name, i), attributes));
        }
    }
}

}  // namespace

// ---- one value, several cookies --------------------------------------------------------------

std::string session_chunk_name(std::string_view name, std::size_t index) {
    std::string out(name);
    return index == 0 ? out : out.append("_").append(std::to_string(index));
}

std::vector<std::string> session_cookie_lines(std::string_view name, std::string_view value,
                                              const CookieAttributes& attributes, Seconds max_age,
                                              std::span<const CookiePair> present) {
    const std::size_t chunks = chunks_of(value.size());
    if (chunks > kMaxSessionChunks) {
        throw std::length_error("a session cookie has too many chunks");
    }
    std::vector<std::string> lines;
    lines.reserve(kMaxSessionChunks);
    for (std::size_t i = 0; i < chunks; ++i) {
        lines.push_back(set_cookie(session_chunk_name(name, i),
                                   value.substr(i * kSessionChunk, kSessionChunk), attributes,
                                   max_age));
    }
    drop_chunks(lines, name, chunks, attributes, present);
    return lines;
}

std::vector<std::string> delete_session_cookie_lines(std::string_view name,
                                                     const CookieAttributes& attributes,
                                                     std::span<const CookiePair> present) {
    std::vector<std::string> lines{delete_cookie(name, attributes)};
    drop_chunks(lines, name, 1, attributes, present);
    return lines;
}

bool is_session_cookie_line(std::string_view line, std::string_view name) noexcept {
    const std::string_view of = line.substr(0, line.find('='));
    if (of == name) {
        return true;
    }
    for (std::size_t i = 1; i < kMaxSessionChunks; ++i) {
        if (is_chunk_name(of, name, i)) {
            return true;
        }
    }
    return false;
}

bool session_cookie_fits(std::string_view name, const CookieAttributes& attributes) {
    const std::string longest = set_cookie(session_chunk_name(name, kMaxSessionChunks - 1), {},
                                           attributes, std::numeric_limits<Seconds>::max());
    return longest.size() + kSessionChunk <= kMaxCookieLine;
}

std::optional<std::string> join_session_cookie(std::string_view name, std::string_view first,
                                               std::span<const CookiePair> cookies) {
    const std::size_t chunks = declared_chunks(first);
    if (chunks == 0 || first.size() > kSessionChunk) {
        return std::nullopt;
    }
    std::string value(first);
    value.reserve(chunks * kSessionChunk);
    for (std::size_t i = 1; i < chunks; ++i) {
        const std::string_view chunk = find_chunk(name, i, cookies);
        // What stands in front must be full, so that one value has one form.
        if (chunk.empty() || chunk.size() > kSessionChunk || value.size() != i * kSessionChunk) {
            return std::nullopt;
        }
        value.append(chunk);
    }
    if (value.size() > kMaxSessionCookie) {
        return std::nullopt;
    }
    return value;
}

// ---- sealing ---------------------------------------------------------------------------------

Seconds CookieSession::end() const noexcept {
    if (idle_timeout <= 0) {
        return expires;
    }
    const Seconds room = std::numeric_limits<Seconds>::max() - idle_timeout;
    return last_seen > room ? expires : std::min(expires, last_seen + idle_timeout);
}

Result<SessionSealer> SessionSealer::make(std::span<const AeadKey> keys) {
    Result<std::vector<AeadKey>> ring = derive_ring(keys, kKeyLabel);
    if (!ring) {
        return ring.error();
    }
    const std::span<const AeadKey> derived(*ring);
    SessionSealer sealer;
    sealer.first_ = std::make_unique<Aead>(derived.first(1));
    if (derived.size() > 1) {
        sealer.others_ = std::make_unique<Aead>(derived.subspan(1));
    }
    cleanse(ring->data(), ring->size() * sizeof(AeadKey));
    return sealer;
}

std::size_t SessionSealer::value_size(std::size_t record_size) noexcept {
    const std::size_t bytes = kSealOverhead + kHeaderBytes + record_size;
    return 1 + (bytes * 4 + 2) / 3;  // the digit, and base64url
}

Result<Secret> SessionSealer::seal(const CookieSession& session, std::string_view record,
                                   const Digest& binding, std::size_t limit, Random& random) const {
    limit = std::min(limit, kMaxSessionCookie);
    const std::size_t size = value_size(record.size());
    if (size > limit) {
        return fail(Reason::session_too_large,
                    "a session of " + std::to_string(record.size()) + " bytes takes " +
                        std::to_string(size) + " in cookies, at most " + std::to_string(limit) +
                        " are possible",
                    "ask the provider for fewer claims and tokens, or keep sessions in a store of "
                    "another type");
    }
    const Secret plain = plain_of(session, record);
    const Result<std::string> sealed =
        first_->seal(plain.view(), {kPurpose, as_text(binding)}, random);
    if (!sealed) {
        return sealed.error();
    }
    const std::string text = base64url_encode(as_bytes(*sealed));
    const char chunks = static_cast<char>('0' + chunks_of(1 + text.size()));
    Secret value;
    value.reserve(1 + text.size());
    value.append({&chunks, 1});
    value.append(text);
    return value;
}

std::string_view SessionSealer::Opened::record() const noexcept {
    return plain.view().substr(kHeaderBytes);
}

std::optional<SessionSealer::Opened> SessionSealer::open(std::string_view value,
                                                         const Digest& binding) const {
    if (value.size() > kMaxSessionCookie || declared_chunks(value) != chunks_of(value.size())) {
        return std::nullopt;
    }
    const std::optional<std::string> sealed = base64url_decode(value.substr(1));
    if (!sealed) {
        return std::nullopt;
    }
    Opened out;
    std::optional<Secret> plain = first_->open(*sealed, {kPurpose, as_text(binding)});
    if (!plain && others_ != nullptr) {
        plain = others_->open(*sealed, {kPurpose, as_text(binding)});
        out.old_key = true;
    }
    if (!plain || !read_header(plain->view(), out.session)) {
        return std::nullopt;
    }
    out.plain = *std::move(plain);
    return out;
}

}  // namespace oidc
