// SPDX-License-Identifier: Apache-2.0
#include "oidc/token_life.hpp"

namespace oidc {
namespace {

TokenLife life(std::string_view token, Seconds end, Seconds now) noexcept {
    if (token.empty()) {
        return TokenLife::absent;
    }
    return end != 0 && now >= end ? TokenLife::ended : TokenLife::lives;
}

}  // namespace

TokenLife access_token_life(const SessionView& session, Seconds now) noexcept {
    return life(session.access_token(), session.access_expires(), now);
}

TokenLife id_token_life(const SessionView& session, Seconds now) noexcept {
    return life(session.id_token(), session.time_claim("exp"), now);
}

bool refresh_brings(const SessionView& session, TokenUse use, Seconds now,
                    const ProviderConfig& config) noexcept {
    const Seconds due = session.refresh_at();
    if (!config.session_refresh || due == 0 || (session.refresh_failures() != 0 && now < due)) {
        return false;
    }
    // A token that was given out as ended, or nearly so, does not begin a refresh with each
    // request.
    if (use.access && access_token_life(session, now) == TokenLife::ended &&
        now > due - kShortestTokenLife) {
        return true;
    }
    return use.id && !session.id_token_stays() && id_token_life(session, now) == TokenLife::ended;
}

std::string_view why_ended(const SessionView& session, const ProviderConfig& config) noexcept {
    if (!config.session_refresh) {
        return "session_refresh is off";
    }
    if (session.refresh_at() == 0) {
        return "the provider has given no refresh token";
    }
    if (session.refresh_failures() != 0) {
        return "the last refresh has failed";
    }
    return "this request could not wait for a refresh, or it brought none";
}

}  // namespace oidc
