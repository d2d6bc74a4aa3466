// SPDX-License-Identifier: Apache-2.0
// How long the tokens of a session are good for, for places that give them to a backend.
#pragma once

#include <cstdint>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/ports.hpp"
#include "oidc/session.hpp"

namespace oidc {

// Between two refreshes of a session, whatever the provider says of its tokens.
inline constexpr Seconds kShortestTokenLife = 5;

// Tokens that somebody reads.
struct TokenUse {
    bool access = false;
    bool id = false;
    [[nodiscard]] bool any() const noexcept { return access || id; }
    TokenUse& operator|=(TokenUse other) noexcept {
        access = access || other.access;
        id = id || other.id;
        return *this;
    }
};

// What can be said of a token. A provider that does not say when an access token ends has given one
// that lives.
enum class TokenLife : std::uint8_t { absent, lives, ended };
TokenLife access_token_life(const SessionView& session, Seconds now) noexcept;
TokenLife id_token_life(const SessionView& session, Seconds now) noexcept;

// A token of `use` has ended, and a refresh that may begin now is expected to bring another: the
// request is worth holding until it has. An ID token is expected when the last refresh brought one
// that lived, or when there was no refresh yet. After a refresh that failed nothing is expected
// before the next try is due.
bool refresh_brings(const SessionView& session, TokenUse use, Seconds now,
                    const ProviderConfig& config) noexcept;

// Why a token that has ended was not renewed, in words for the log.
std::string_view why_ended(const SessionView& session, const ProviderConfig& config) noexcept;

}  // namespace oidc
