// SPDX-License-Identifier: Apache-2.0
#include "oidc/session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "oidc/crypto.hpp"

namespace oidc {

namespace {

// A record is
//
//   Header | end[0] .. end[pieces-1] | piece 0 | piece 1 | ...
//
// The pieces lie without gaps in the order of `Field`, followed by name, text and JSON of each
// claim; end[i] is the offset behind piece i. So one pass that sees the ends never fall, from the
// end of the table to the size of the record, proves that every piece lies inside.
//
// Numbers are in the byte order of the machine; a record of another order has another magic.
struct Header {
    std::uint32_t magic = 0;
    std::uint32_t claims = 0;
    Seconds created = 0;
    Seconds auth_time = 0;
    Seconds access_expires = 0;
    Seconds refresh_at = 0;
    std::uint32_t refresh_failures = 0;
    std::uint32_t flags = 0;  // no padding: every byte of a record is written
};
static_assert(sizeof(Header) == 48);

enum Field : std::uint32_t {
    kProvider,
    kSub,
    kSid,
    kUsername,
    kIdToken,
    kAccessToken,
    kUserinfo,
    kRefreshToken,
    kScope,
    kSources,  // a byte for each claim: its ClaimSource; then the ClaimsId, which older builds
               // neither write nor read
    kFields,
};

constexpr std::uint32_t kMagic = 0x4f534532;  // "OSE2": a new layout gets a new number
constexpr std::uint32_t kIdTokenStays = 1;    // of Header::flags
constexpr std::uint32_t kPiecesPerClaim = 3;
constexpr std::size_t kEndBytes = sizeof(std::uint32_t);
constexpr std::uint32_t kMaxClaims = 4096;

// What the pass in open() relies on: it takes the ends as one and then triples, and the sum of all
// steps, each below the largest record, stays below 2^32.
static_assert(kFields % kPiecesPerClaim == 1);
static_assert((kMaxSessionRecord & (kMaxSessionRecord - 1)) == 0);
static_assert((1 + kFields + std::uint64_t{kPiecesPerClaim} * kMaxClaims) * kMaxSessionRecord <=
              UINT32_MAX);

template <class T>
T load(const char* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

Header header_of(std::string_view record) noexcept {
    return record.empty() ? Header{} : load<Header>(record.data());
}

std::uint32_t end_of(const char* record, std::uint32_t piece) noexcept {
    return load<std::uint32_t>(record + sizeof(Header) + piece * kEndBytes);
}

std::size_t table_end(std::uint32_t claims) noexcept {
    return sizeof(Header) + (kFields + std::size_t{kPiecesPerClaim} * claims) * kEndBytes;
}

// Precondition: the record was opened and has the piece.
std::string_view piece(std::string_view record, std::uint32_t index) noexcept {
    if (record.empty()) {
        return {};  // a SessionView that was not made by open()
    }
    const char* data = record.data();
    const std::size_t begin =
        index == 0 ? table_end(load<Header>(data).claims) : end_of(data, index - 1);
    return {data + begin, end_of(data, index) - begin};
}

constexpr std::uint32_t first_piece(std::uint32_t claim) noexcept {
    return kFields + kPiecesPerClaim * claim;
}

template <class T>
void append_bytes(Secret& out, const T& value) {
    out.append({reinterpret_cast<const char*>(&value), sizeof value});
}

SessionView::ClaimsId id_of(const std::vector<Claim>& claims) {
    std::string all;
    for (const Claim& claim : claims) {
        for (const std::string* text : {&claim.name, &claim.text, &claim.json}) {
            // Each with its length: no two lists of claims are written alike.
            const auto size = static_cast<std::uint64_t>(text->size());
            std::array<char, sizeof size> bytes{};
            std::memcpy(bytes.data(), &size, sizeof size);
            all.append(bytes.data(), bytes.size()).append(*text);
        }
    }
    const Digest digest = sha256(all);
    SessionView::ClaimsId id;
    std::copy_n(digest.begin(), id.size(), id.begin());
    return id;
}

}  // namespace

Result<Secret> encode_session(const Session& session) {
    const SessionView::ClaimsId claims_id = id_of(session.claims);
    std::string sources;
    sources.reserve(session.claims.size() + claims_id.size());
    for (const Claim& claim : session.claims) {
        sources.push_back(static_cast<char>(claim.source));
    }
    sources.append(as_text(claims_id));
    std::vector<std::string_view> pieces{
        session.provider,
        session.sub,
        session.sid,
        session.username,
        session.id_token.view(),
        session.access_token.view(),
        session.userinfo.view(),
        session.refresh_token.view(),
        session.scope,
        sources,
    };
    if (session.claims.size() > kMaxClaims) {
        return fail(Reason::session_too_large,
                    "the session has " + std::to_string(session.claims.size()) +
                        " claims, at most " + std::to_string(kMaxClaims) + " are possible");
    }
    pieces.reserve(pieces.size() + kPiecesPerClaim * session.claims.size());
    for (const Claim& claim : session.claims) {
        pieces.insert(pieces.end(), {claim.name, claim.text, claim.json});
    }
    const auto claims = static_cast<std::uint32_t>(session.claims.size());
    std::size_t size = table_end(claims);
    for (const std::string_view text : pieces) {
        size += text.size();
    }
    if (size > kMaxSessionRecord) {
        return fail(Reason::session_too_large,
                    "the session would take " + std::to_string(size) + " bytes, at most " +
                        std::to_string(kMaxSessionRecord) + " are possible");
    }
    Secret record;
    record.reserve(size);
    append_bytes(record,
                 Header{kMagic, claims, session.created, session.auth_time, session.access_expires,
                        session.refresh_at, session.refresh_failures,
                        session.id_token_stays ? kIdTokenStays : 0});
    auto end = static_cast<std::uint32_t>(table_end(claims));
    for (const std::string_view text : pieces) {
        end += static_cast<std::uint32_t>(text.size());
        append_bytes(record, end);
    }
    for (const std::string_view text : pieces) {
        record.append(text);
    }
    return record;
}

std::optional<SessionView> SessionView::open(std::string_view record) noexcept {
    if (record.size() < table_end(0) || record.size() > kMaxSessionRecord) {
        return std::nullopt;
    }
    const auto header = load<Header>(record.data());
    // The claims are bounded first, so that table_end cannot overflow.
    if (header.magic != kMagic || header.claims > kMaxClaims ||
        table_end(header.claims) > record.size()) {
        return std::nullopt;
    }
    // One pass without a branch, three ends at a time. A falling end makes a step with high bits;
    // steps without them cannot come round 2^32 (see kMaxClaims).
    auto last = static_cast<std::uint32_t>(table_end(header.claims));
    std::uint32_t steps = 0;
    const char* at = record.data() + sizeof(Header);
    const auto check = [&at, &last, &steps] {
        const auto end = load<std::uint32_t>(at);
        steps |= end - last;
        last = end;
        at += kEndBytes;
    };
    check();
    for (std::uint32_t i = kFields / kPiecesPerClaim + header.claims; i > 0; --i) {
        check();
        check();
        check();
    }
    if (steps >= kMaxSessionRecord || last != record.size()) {
        return std::nullopt;
    }
    SessionView view;
    view.record_ = record;
    return view;
}

std::string_view SessionView::provider() const noexcept {
    return piece(record_, kProvider);
}
std::string_view SessionView::sub() const noexcept {
    return piece(record_, kSub);
}
std::string_view SessionView::sid() const noexcept {
    return piece(record_, kSid);
}
std::string_view SessionView::username() const noexcept {
    return piece(record_, kUsername);
}
std::string_view SessionView::id_token() const noexcept {
    return piece(record_, kIdToken);
}
std::string_view SessionView::access_token() const noexcept {
    return piece(record_, kAccessToken);
}
std::string_view SessionView::userinfo() const noexcept {
    return piece(record_, kUserinfo);
}
Seconds SessionView::created() const noexcept {
    return header_of(record_).created;
}
Seconds SessionView::auth_time() const noexcept {
    return header_of(record_).auth_time;
}
std::string_view SessionView::refresh_token() const noexcept {
    return piece(record_, kRefreshToken);
}
std::string_view SessionView::scope() const noexcept {
    return piece(record_, kScope);
}
Seconds SessionView::access_expires() const noexcept {
    return header_of(record_).access_expires;
}
Seconds SessionView::refresh_at() const noexcept {
    return header_of(record_).refresh_at;
}
std::uint32_t SessionView::refresh_failures() const noexcept {
    return header_of(record_).refresh_failures;
}
bool SessionView::id_token_stays() const noexcept {
    return (header_of(record_).flags & kIdTokenStays) != 0;
}
std::uint32_t SessionView::claim_count() const noexcept {
    return header_of(record_).claims;
}

std::optional<std::string_view> SessionView::claim(std::string_view name) const noexcept {
    std::uint32_t left = claim_count();
    if (left == 0) {
        return std::nullopt;  // also without a record
    }
    const char* const data = record_.data();
    const char* ends = data + sizeof(Header) + (first_piece(0) - 1) * kEndBytes;
    for (; left > 0; --left, ends += kPiecesPerClaim * kEndBytes) {
        // Most names differ in length, which two loads tell.
        const auto begin = load<std::uint32_t>(ends);
        const auto end = load<std::uint32_t>(ends + kEndBytes);
        if (std::string_view(data + begin, end - begin) == name) {
            return std::string_view(data + end, load<std::uint32_t>(ends + 2 * kEndBytes) - end);
        }
    }
    return std::nullopt;
}

Seconds SessionView::time_claim(std::string_view name) const noexcept {
    const std::string_view text = claim(name).value_or(std::string_view{});
    Seconds value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // As json_time does.
    return error == std::errc() && (end == text.data() + text.size() || *end == '.') ? value : 0;
}

SessionView::Entry SessionView::claim_at(std::uint32_t index) const noexcept {
    const std::uint32_t first = first_piece(index);
    return {piece(record_, first), piece(record_, first + 1), piece(record_, first + 2)};
}

ClaimSource SessionView::claim_source(std::uint32_t index) const noexcept {
    const std::string_view sources = piece(record_, kSources);
    const auto source = index < sources.size() ? static_cast<std::uint8_t>(sources[index]) : 0xff;
    // A damaged source costs no more than that a refresh drops the claim.
    return source < static_cast<std::uint8_t>(ClaimSource::both) ? static_cast<ClaimSource>(source)
                                                                 : ClaimSource::both;
}

std::optional<SessionView::ClaimsId> SessionView::claims_id() const noexcept {
    const std::string_view sources = piece(record_, kSources);
    ClaimsId id;
    if (sources.size() != claim_count() + id.size()) {
        return std::nullopt;
    }
    std::memcpy(id.data(), sources.data() + claim_count(), id.size());
    return id;
}

Session read_session(const SessionView& view) {
    Session session;
    session.provider = view.provider();
    session.sub = view.sub();
    session.sid = view.sid();
    session.username = view.username();
    session.created = view.created();
    session.auth_time = view.auth_time();
    session.id_token = Secret(view.id_token());
    session.access_token = Secret(view.access_token());
    session.userinfo = Secret(view.userinfo());
    session.refresh_token = Secret(view.refresh_token());
    session.scope = view.scope();
    session.access_expires = view.access_expires();
    session.refresh_at = view.refresh_at();
    session.refresh_failures = view.refresh_failures();
    session.id_token_stays = view.id_token_stays();
    session.claims.reserve(view.claim_count());
    for (std::uint32_t i = 0; i < view.claim_count(); ++i) {
        const SessionView::Entry entry = view.claim_at(i);
        session.claims.push_back({std::string(entry.name), std::string(entry.text),
                                  std::string(entry.json), view.claim_source(i)});
    }
    return session;
}

}  // namespace oidc
