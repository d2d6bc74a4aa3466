// SPDX-License-Identifier: Apache-2.0
// Logout tokens (Back-Channel Logout 1.0, sections 2.4 to 2.6).
#pragma once

#include <string>
#include <string_view>

#include "oidc/ports.hpp"
#include "oidc/posted_token.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Bytes of a request body that parse_logout_form looks at.
inline constexpr std::size_t kMaxLogoutForm = 128 * 1024;
// How old a token may be by its iat, besides clock_skew. Without exp (glewlwyd) iat is all there
// is; with one the provider says itself, but nobody delivers a logout for hours.
inline constexpr Seconds kMaxLogoutTokenAge = 600;
inline constexpr Seconds kMaxLogoutTokenLife = 3600;

// The value of `logout_token` in the body of a POST: exactly one, other parameters are ignored.
// `content_type` is the header's value; parameters of it do not count. Errors: logout_malformed,
// logout_too_large.
Result<std::string> parse_logout_form(std::string_view content_type, std::string_view body);

struct LogoutToken {
    std::string iss;
    std::string sub;  // empty: not said, then there is a sid
    std::string sid;  // empty: not said, then there is a sub
    std::string jti;
    Seconds remember_until = 0;  // until then the token would be accepted again
};

// Signature first, as of an ID token; typ is logout+jwt, JWT or absent. Then iss, aud and azp (as
// of an ID token), exp if there, nbf if there, iat, jti, events, sub and sid, nonce. An ID token
// has no such event and an access token is typed at+jwt or has none either, so neither passes; an
// ID token with the event is refused by validate_id_token. Errors: those of verify_jws as they are
// (see logout_token_error), logout_token_*.
Result<LogoutToken> validate_logout_token(std::string_view compact,
                                          const PostedTokenExpectation& expected);

// The same error under the reason that the back-channel answers with: jwt_* becomes logout_token_*,
// all others stay.
Error logout_token_error(Error error);

}  // namespace oidc
