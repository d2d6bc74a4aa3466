// SPDX-License-Identifier: Apache-2.0
// The ID token: every check of OIDC Core 3.1.3.7.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/jws.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// What an ID token from a refresh has to match besides (OIDC Core 12.2). Its nonce may be missing,
// else it is the login's; max_age is not asked again; acr_values only when the token has acr or
// amr.
struct RefreshExpectation {
    std::string_view sub;   // of the session
    Seconds auth_time = 0;  // of the login; 0: unknown. Not later than the token's
    Seconds iat = 0;        // of the last ID token; 0: unknown. The new one is not older
};

// What the token has to match. All views are borrowed for the call.
struct IdTokenExpectation {
    const ProviderConfig* provider = nullptr;
    const KeySet* keys = nullptr;
    std::span<const Alg> algs;      // the allow-list, already resolved
    std::string_view nonce;         // the login's; never empty
    std::string_view iss;           // of several tenants the one it must be; empty: any of them
    std::string_view access_token;  // for at_hash; empty: not checked
    std::string_view code;          // for c_hash; empty: not checked
    Seconds now = 0;
    // The place that the login is for asks for them, as max_age and acr_values of the provider do.
    bool wants_auth_time = false;
    bool wants_acr = false;
    const RefreshExpectation* refresh = nullptr;  // null: of a login
};

struct IdToken {
    Alg alg{};
    JsonPtr claims;
    std::string iss;
    std::string sub;
    std::string sid;  // empty: absent
    Seconds exp = 0;
    // Why members are no longer in `claims`, a sentence each, for the log.
    std::vector<std::string> left_out;
};

// In the order of OIDC Core 3.1.3.7: signature first, then iss, aud, azp, exp, nbf, iat, nonce,
// sub, at_hash, c_hash, auth_time against max_age, acr (or amr) against acr_values. The error's
// detail gives both values where two were compared, and its fix the directive to look at. `sub` as
// check_subject() has it.
// A claim of the wrong JSON type is refused when a check needs it: those above whenever they are
// there, auth_time and acr or amr when somebody asked for them (amr as one text is then a list of
// one), at_hash and c_hash when there is something to compare. Otherwise auth_time, acr, amr, sid,
// jti and the hashes are taken out of the claims, see left_out.
Result<IdToken> validate_id_token(std::string_view compact, const IdTokenExpectation& expected);

// The resolved allow-list: id_token_signed_response_alg if configured; else the asymmetric ones of
// `advertised`; else RS256. Never "none"; HS* only from the configuration.
std::vector<Alg> allowed_algs(const ProviderConfig& provider,
                              std::span<const std::string> advertised);
// The asymmetric ones of `advertised`; else RS256.
std::vector<Alg> asymmetric_algs(std::span<const std::string> advertised);

}  // namespace oidc
