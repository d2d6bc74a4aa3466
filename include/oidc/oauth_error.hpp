// SPDX-License-Identifier: Apache-2.0
// The errors of OAuth endpoints that a client asks itself (RFC 6749 section 5.2).
#pragma once

#include <string>
#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/json.hpp"
#include "oidc/result.hpp"

namespace oidc {

// The JSON object of an answer. Error: malformed, also for another content type than
// application/json and those that end with +json.
Result<JsonPtr> json_answer(const HttpResponse& response);

struct OauthError {
    std::string code;  // empty: none
    std::string text;  // with the description, for the log
};
// Of an object; null has none.
OauthError oauth_error(const json_t* object);

// Of the challenge of a protected resource (WWW-Authenticate, RFC 6750 section 3).
OauthError challenge_error(std::string_view challenge);

// Whether it is the client that was refused: by its code, by 401 without invalid_grant, or by 403
// without a code.
bool is_client_error(int status, std::string_view code) noexcept;
// token_client_auth.
Error client_auth_error(std::string detail);

// The directive that an error of the request is about; empty: none.
std::string_view directive_of(std::string_view code) noexcept;

}  // namespace oidc
