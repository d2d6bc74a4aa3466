// SPDX-License-Identifier: Apache-2.0
// The claims that ID tokens and logout tokens share, checked by the same rules (OIDC Core 3.1.3.7;
// Back-Channel Logout 2.6 (4) refers to them). Each caller names its own reasons.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

inline constexpr const char* kBackchannelLogoutEvent =
    "http://schemas.openid.net/event/backchannel-logout";

bool contains(std::span<const std::string> list, std::string_view wanted);

// `reason` with the detail "the token has no <name>".
Error missing_claim(Reason reason, const char* name);

// iss is there and is the configured issuer, byte for byte. The fix names the issuer when the two
// differ in the final slash only. Of several tenants: the issuer of one that is listed, and tid, if
// there, is that tenant; an ID token of one that is not listed is tenant_unlisted.
Status check_issuer(const json_t* claims, const ProviderConfig& provider, Reason reason);

// aud, a string or a list of strings. An error when it is neither, or missing.
Result<std::vector<std::string>> read_audience(const json_t* claims, Reason reason);

// It contains our client_id. Gives all of them.
Result<std::vector<std::string>> check_audience(const json_t* claims,
                                                const ProviderConfig& provider, Reason reason);

// 3.1.3.7 (3) to (5): azp, if there, is our client_id; an audience besides us is trusted because of
// that, or by trusted_audience, and never under an HS* algorithm.
Status check_azp(const json_t* claims, std::span<const std::string> audiences, Alg alg,
                 const ProviderConfig& provider, Reason azp_reason, Reason aud_reason);

// 1 to 255 bytes of UTF-8 without control bytes and surrounding blanks. OIDC Core 2 says ASCII; the
// value is only compared byte for byte and shown, and providers that take user names for it do not
// ask in which language they are.
Status check_subject(std::string_view sub, Reason reason);

// "<name> <value> <what>, now is ..., clock_skew ..."
Error time_error(Reason reason, const char* name, Seconds value, const char* what, Seconds now,
                 const ProviderConfig& provider);

// exp is in the future, nbf and iat are not, all within clock_skew. A claim that is absent passes:
// whether it must be there is the caller's rule.
Status check_not_expired(std::optional<Seconds> exp, Seconds now, const ProviderConfig& provider,
                         Reason reason);
Status check_not_future(const char* name, std::optional<Seconds> value, Seconds now,
                        const ProviderConfig& provider, Reason reason);

}  // namespace oidc
