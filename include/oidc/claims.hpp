// SPDX-License-Identifier: Apache-2.0
// Claims as they leave the module: text for headers and variables, JSON for the assertion.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/json.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

// Who said a claim. With `both` the value is the ID token's.
enum class ClaimSource : std::uint8_t { id_token, userinfo, both };

// `name` is the claim's name, or the path of an oidc_claim_set joined with U+001F.
struct Claim {
    std::string name;
    std::string text;  // for headers and variables; empty when it cannot be put into a header
    std::string json;  // JSON text; empty for a plain string, whose JSON is json_quote(text)
    ClaimSource source = ClaimSource::id_token;
};

// UserInfo and ID token merged member by member, the ID token winning; protocol claims (iss, aud,
// exp, nonce, sid, acr, amr, auth_time and their like) come from the ID token alone. Sorted by
// name. Left out and logged: a claim whose name has control bytes; what `_claim_names` still names,
// because no claim_source has brought it (Entra's group overage looks like this).
// Null members are left out.
// Text: a string as raw UTF-8; numbers and booleans as in JSON; an array of scalars joined with
// ",", where "%" and "," inside an element are written %25 and %2C so that no element can pretend
// to be two; anything else as JSON. A value with control bytes, or that begins or ends with a
// blank, which a header would lose (RFC 9110 5.5), has empty text, its JSON stays, and one line is
// logged.
std::vector<Claim> collect_claims(const json_t* id_token, const json_t* userinfo,
                                  const std::vector<std::vector<std::string>>& paths, Log& log);

// The claims of a session after a refresh that brought UserInfo but no ID token: what UserInfo says
// now replaces all that it said before, and what the last ID token says about the same members, so
// that a group that was taken away disappears. What only the ID token ever said stays.
std::vector<Claim> replace_userinfo(const std::vector<Claim>& old, const json_t* userinfo,
                                    const std::vector<std::vector<std::string>>& paths, Log& log);

// What a refreshed ID token may leave out although it still holds: the circumstances of the login
// (nonce, sid, auth_time, acr, amr). Those are copied from `old`; sid and auth_time always, because
// the session is found by it.
void keep_login_claims(std::vector<Claim>& claims, const std::vector<Claim>& old);

// The name of the claim that username() takes or refuses, or empty. What says nothing is passed
// over: absent, null, an empty text, a list, an object.
std::string_view username_source(const std::vector<Claim>& claims,
                                 const std::vector<std::string>& names);

// Logs when the user name comes from another claim than the first of `names`: another user may be
// able to choose the name that this one falls back to.
void note_username(const std::vector<Claim>& claims, const std::vector<std::string>& names,
                   std::string_view provider, Log& log);

// The first claim of `names` that has text. Errors: username_missing (detail lists the names), also
// when that text has control bytes or surrounding blanks, which no header carries: it names
// somebody, and the next claim would make that somebody else.
Result<std::string> username(const std::vector<Claim>& claims,
                             const std::vector<std::string>& names);

}  // namespace oidc
