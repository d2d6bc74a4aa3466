// SPDX-License-Identifier: Apache-2.0
// What tokens have in common that a provider's servers post: logout tokens (Back-Channel Logout
// 1.0) and security event tokens (RFC 8417). Each caller names its own reasons.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/jwk.hpp"
#include "oidc/jws.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// All views are borrowed for the call.
struct PostedTokenExpectation {
    const ProviderConfig* provider = nullptr;
    const KeySet* keys = nullptr;
    std::span<const Alg> algs;  // the allow-list, as for ID tokens
    Seconds now = 0;
};

// Whose sessions end: that of `sid`; without one, all of `sub`. Of this provider.
struct SessionOwner {
    std::string iss;
    std::string sid;  // empty: not said
    std::string sub;  // empty: not said
    bool operator==(const SessionOwner&) const = default;
};

// What tells a token from all others, and how long it would be accepted again.
struct UsedToken {
    Digest jti_digest{};
    Seconds remember_until = 0;
};

// Signature, algorithm and typ. Errors: those of verify_jws.
Result<VerifiedJwt> verify_posted(std::string_view compact, const PostedTokenExpectation& expected,
                                  std::span<const std::string_view> typ, bool typ_required);

// What jwt_* is called where the token was posted.
struct PostedReasons {
    Reason malformed;
    Reason alg;
    Reason typ;
    Reason signature;
};
// All other errors stay as they are.
Error posted_error(Error error, const PostedReasons& reasons);

// A string that is not empty. One that is absent leaves `target` as it is, unless it is required.
Status take_text(const json_t* claims, const char* name, Reason reason, bool required,
                 std::string& target);

// iat is there, not in the future and at most `life` old; nbf, if there, has passed; all within
// clock_skew. Gives the end of that life, without clock_skew.
Result<Seconds> check_made(const json_t* claims, Seconds life, Seconds now,
                           const ProviderConfig& provider, Reason reason);

}  // namespace oidc
