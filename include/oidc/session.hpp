// SPDX-License-Identifier: Apache-2.0
// Session records: one flat run of bytes per session, read in place without parsing JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/claims.hpp"
#include "oidc/ports.hpp"

namespace oidc {

struct Session {
    std::string provider;  // name
    std::string sub;
    std::string sid;  // the provider's session, empty: unknown
    std::string username;
    Seconds created = 0;
    Seconds auth_time = 0;  // 0: unknown
    std::vector<Claim> claims;
    Secret id_token;  // each empty when not kept
    Secret access_token;
    Secret userinfo;
    Secret refresh_token;
    std::string scope;                   // granted, space-separated; empty: unknown
    Seconds access_expires = 0;          // of the access token; 0: unknown
    Seconds refresh_at = 0;              // when a refresh is due; 0: never
    std::uint32_t refresh_failures = 0;  // in a row
    bool id_token_stays = false;         // the last refresh brought none that lived
};

inline constexpr std::size_t kMaxSessionRecord = 256 * 1024;

// A versioned flat record of at most 256 KiB and 4096 claims. Errors: session_too_large. The text
// is as secret as the tokens in it.
Result<Secret> encode_session(const Session& session);

// Reads a record in place. All views borrow the record. Every offset is checked once in `open`, so
// that a damaged record is refused and never misread.
class SessionView {
  public:
    SessionView() = default;
    // nullopt: not a record of this version.
    static std::optional<SessionView> open(std::string_view record) noexcept;

    [[nodiscard]] std::string_view provider() const noexcept;
    [[nodiscard]] std::string_view sub() const noexcept;
    [[nodiscard]] std::string_view sid() const noexcept;
    [[nodiscard]] std::string_view username() const noexcept;
    [[nodiscard]] std::string_view id_token() const noexcept;
    [[nodiscard]] std::string_view access_token() const noexcept;
    [[nodiscard]] std::string_view userinfo() const noexcept;
    [[nodiscard]] std::string_view refresh_token() const noexcept;
    [[nodiscard]] std::string_view scope() const noexcept;
    [[nodiscard]] Seconds created() const noexcept;
    [[nodiscard]] Seconds auth_time() const noexcept;
    [[nodiscard]] Seconds access_expires() const noexcept;
    [[nodiscard]] Seconds refresh_at() const noexcept;
    [[nodiscard]] std::uint32_t refresh_failures() const noexcept;
    [[nodiscard]] bool id_token_stays() const noexcept;

    // Text of a claim; nullopt: the session has no such claim.
    [[nodiscard]] std::optional<std::string_view> claim(std::string_view name) const noexcept;

    // One that is a time, a fraction is cut; 0: it is not there, or none.
    [[nodiscard]] Seconds time_claim(std::string_view name) const noexcept;

    struct Entry {
        std::string_view name;
        std::string_view text;
        std::string_view json;  // empty: a plain string
    };
    [[nodiscard]] std::uint32_t claim_count() const noexcept;
    [[nodiscard]] Entry claim_at(std::uint32_t index) const noexcept;  // index < claim_count()
    [[nodiscard]] ClaimSource claim_source(std::uint32_t index) const noexcept;  // the same

    // Part of a SHA-256 over names, texts and JSON of all claims: two sessions with the same have
    // the same claims. nullopt: the record is of a build that did not write it.
    using ClaimsId = std::array<std::uint8_t, 16>;
    [[nodiscard]] std::optional<ClaimsId> claims_id() const noexcept;

  private:
    std::string_view record_;
};

// A copy of all that a record says.
Session read_session(const SessionView& view);

// A fresh session id: 256 random bits. The cookie carries it as base64url (43 characters), the
// store only knows its SHA-256.
inline constexpr std::size_t kSessionIdBytes = 32;
inline constexpr std::size_t kSessionCookieChars = 43;

}  // namespace oidc
