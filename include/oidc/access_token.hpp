// SPDX-License-Identifier: Apache-2.0
// Access tokens that programs bring: what one says, wherever that was learnt, and what is asked of
// it. A JWT (RFC 9068) says it itself; of an opaque one the provider does (RFC 7662).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/bytes.hpp"
#include "oidc/config.hpp"
#include "oidc/jwk.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Of a token that a request brings. A request's head has hardly more room.
inline constexpr std::size_t kMaxAccessToken = 16 * 1024;

// What a token is bound to (RFC 7800); each empty: not to that. Both are SHA-256 in base64url.
struct TokenBinding {
    std::string jkt;  // thumbprint of the key of DPoP (RFC 9449 6.1)
    std::string x5t;  // of the certificate of the connection (RFC 8705 3.1)

    bool operator==(const TokenBinding&) const = default;
};

// What a token says. Everything was checked but audience and scope, which differ by place.
struct AccessToken {
    JsonPtr claims;  // all of them
    std::string sub;
    std::string client_id;
    std::vector<std::string> audiences;
    std::string scope;  // separated by blanks; empty: none
    Seconds iat = 0;
    Seconds exp = 0;
    TokenBinding binding;
};

// Which types of JWT are access tokens.
enum class AccessTokenTyp : std::uint8_t {
    at_jwt,  // at+jwt alone, as RFC 9068 has it
    // JWT and none at all as well, for providers that do not type them. The client's name may be in
    // azp, appid or cid. What looks like another kind of token is refused (check_token_kind), and
    // one with our client_id as audience.
    jwt,
};

// All views are borrowed for the call.
struct AccessTokenExpectation {
    const ProviderConfig* provider = nullptr;
    const KeySet* keys = nullptr;
    std::span<const Alg> algs;  // those of ID tokens; HS* never count
    Seconds now = 0;
    AccessTokenTyp typ = AccessTokenTyp::at_jwt;
};

// Whether the token is a JWT: three or five segments, the first of which is a JSON object. Others
// are opaque.
bool is_jwt(std::string_view token);

// Signature first, of a published key, under one of the algorithms that is not symmetric. Then typ,
// iss, exp, nbf and iat within clock_skew, sub, client_id, aud, scope (or scp, of providers that
// call it so), cnf. A token that is bound to something that is not known here is refused. Errors:
// access_token_*.
Result<AccessToken> validate_access_token(std::string_view compact,
                                          const AccessTokenExpectation& expected);

// The same of claims that came in another way than a JWT: who may leave out what is the caller's
// rule, and `optional` names the members. iss, exp, nbf, iat and the rest hold when they are there.
Result<AccessToken> read_access_token(JsonPtr claims, const ProviderConfig& provider, Seconds now,
                                      std::span<const std::string_view> optional);

// Whether claims are those of an access token, where no type of a JWT tells (RFC 8725 3.12): none
// of nonce, at_hash, c_hash, events; no "typ" among them of an ID, refresh, offline or logout
// token, as Keycloak writes; token_use, when there, is access or access_token. Errors:
// access_token_typ.
Status check_token_kind(const json_t* claims);

// Whether another set of keys could change the verdict (worth_refetching, of these reasons).
bool worth_refetching_for(const Error& error, std::string_view compact,
                          const ProviderConfig& provider) noexcept;

// aud has one of `wanted`. Errors: access_token_aud.
Status check_token_audience(std::span<const std::string> audiences,
                            std::span<const std::string> wanted);

// All of `wanted` are in `scope`. Errors: insufficient_scope.
Status check_token_scope(std::string_view scope, std::span<const std::string> wanted);

// A live token as requests need it; made once for a token.
struct AccessTokenRecord {
    Secret record;  // what SessionView reads; the token is in it with keep_access_token
    std::vector<std::string> audiences;
    TokenBinding binding;
    Seconds exp = 0;  // clock_skew is not in it
};

// The identity that a session of the same claims would have; its user name is the first of
// username_claim that the token has. Errors: access_token_claim (no user name), session_too_large.
Result<AccessTokenRecord> make_access_token_record(const AccessToken& token,
                                                   std::string_view compact,
                                                   const ProviderConfig& provider, Log& log);

}  // namespace oidc
