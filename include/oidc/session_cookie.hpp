// SPDX-License-Identifier: Apache-2.0
// Sessions that are kept in the browser: sealed into cookies, cut to the size that browsers take.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/cookie.hpp"
#include "oidc/crypto.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// ---- one value, several cookies --------------------------------------------------------------

// A value of more than kSessionChunk characters goes into the cookies <name>, <name>_1, <name>_2,
// of which all but the last are full. The rest of the 4096 bytes that browsers take for a cookie
// (RFC 6265 section 6.1) is for its name and attributes.
inline constexpr std::size_t kMaxCookieLine = 4095;
inline constexpr std::size_t kSessionChunk = 3800;
inline constexpr std::size_t kMaxSessionChunks = 3;
// Characters of a sealed session in all its cookies.
inline constexpr std::size_t kMaxSessionCookie = 8192;

// A cookie of a request; borrows its Cookie header.
struct CookiePair {
    std::string_view name;
    std::string_view value;
};

// The name of the chunk; 0 is the cookie itself.
std::string session_chunk_name(std::string_view name, std::size_t index);

// The values of Set-Cookie headers that make `value` (cookie-octets, at most kMaxSessionChunks
// chunks, else std::length_error is thrown) the session cookie `name`, and delete the chunks of a
// longer one that `present`, the session cookies of the request, holds. max_age: of set_cookie().
std::vector<std::string> session_cookie_lines(std::string_view name, std::string_view value,
                                              const CookieAttributes& attributes, Seconds max_age,
                                              std::span<const CookiePair> present);
// The same that delete the session cookie and those of its chunks that are present.
std::vector<std::string> delete_session_cookie_lines(std::string_view name,
                                                     const CookieAttributes& attributes,
                                                     std::span<const CookiePair> present);

// True when the line, the value of a Set-Cookie header, is of the session cookie `name` or of a
// chunk of it.
bool is_session_cookie_line(std::string_view line, std::string_view name) noexcept;

// True when every line for this name and these attributes stays within kMaxCookieLine bytes.
bool session_cookie_fits(std::string_view name, const CookieAttributes& attributes);

// Puts the chunks of a sealed session together; `first` is the value of the cookie `name`. nullopt:
// it is none, a chunk is missing or there twice with different values, or a length is wrong. The
// time depends on kMaxSessionCookie and on how many cookies there are, whatever they say.
std::optional<std::string> join_session_cookie(std::string_view name, std::string_view first,
                                               std::span<const CookiePair> cookies);

// ---- sealing ---------------------------------------------------------------------------------

// What a sealed session says besides its record.
struct CookieSession {
    Digest key{};               // names the session
    Seconds expires = 0;        // absolute; never moves
    Seconds last_seen = 0;      // when the browser was last given this cookie for being there
    Seconds idle_timeout = 0;   // 0: off
    std::int64_t begun = 0;     // RevocationList::Stamp of the login
    std::uint64_t sid_tag = 0;  // owner_tag(); 0: none
    std::uint64_t sub_tag = 0;
    std::uint64_t serial = 0;  // of the record: grows when a refresh replaces it

    // The earlier of the absolute and the idle end.
    [[nodiscard]] Seconds end() const noexcept;
};

// Seals and opens sessions with AES-256-GCM, under keys derived from those of a key file: the first
// seals, all open. Nonces are 96 random bits, so one key is good for 2^32 cookies (NIST SP 800-38D
// section 8.3). A sealed session is bound to its purpose and to the binding, which names provider,
// issuer, client and vhost.
class SessionSealer {
  public:
    // Errors: internal_error. Precondition: 1 to kMaxRingKeys keys.
    static Result<SessionSealer> make(std::span<const AeadKey> keys);

    // The value for the browser: the number of its chunks as a digit, then base64url. `limit`: of
    // its characters, at most kMaxSessionCookie. Errors: session_too_large, internal_error.
    Result<Secret> seal(const CookieSession& session, std::string_view record,
                        const Digest& binding, std::size_t limit, Random& random) const;

    // The characters that a session with a record of this size takes.
    static std::size_t value_size(std::size_t record_size) noexcept;

    struct Opened {
        CookieSession session;
        bool old_key = false;  // not sealed by the first key
        Secret plain;
        // What was given to seal(); not checked any further.
        [[nodiscard]] std::string_view record() const noexcept;
    };
    // nullopt: not sealed by a key of the ring for this binding, damaged, or of another version.
    // Whether the session still lives is not looked at.
    [[nodiscard]] std::optional<Opened> open(std::string_view value, const Digest& binding) const;

  private:
    SessionSealer() = default;
    std::unique_ptr<Aead> first_;
    std::unique_ptr<Aead> others_;  // null: the ring has one key
};

}  // namespace oidc
