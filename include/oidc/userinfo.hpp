// SPDX-License-Identifier: Apache-2.0
// The UserInfo request and response (OIDC Core 5.3).
#pragma once

#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/id_token.hpp"
#include "oidc/metadata.hpp"
#include "oidc/result.hpp"

namespace oidc {

// metadata_invalid when userinfo is on and nothing gives its endpoint: said before the browser or a
// code goes anywhere.
Status check_userinfo_endpoint(const ProviderConfig& config, const ProviderState& provider);

// `scheme` of Authorization; with `body` there is none, and the token is posted as a form.
HttpRequest userinfo_request(const ProviderState& provider, std::string_view access_token,
                             std::string_view scheme = "Bearer",
                             TokenMethod method = TokenMethod::header);

struct UserInfo {
    JsonPtr claims;
    std::string text;  // JSON text of the claims for $oidc_userinfo, with keep_userinfo only
};

// application/json, or application/jwt: verified like an ID token, and iss, aud, exp are checked
// when present (5.3.2; Authelia and LemonLDAP::NG leave them out). `sub` must be there and equal
// `expected_sub` (5.3.2), iss `expected_iss` (empty: the configured issuer). Errors: idp_redirect,
// userinfo_status, userinfo_malformed, userinfo_sub, and those of verify_jws.
Result<UserInfo> parse_userinfo(const HttpRequest& request, HttpOutcome outcome,
                                const ProviderConfig& config, const ProviderState& provider,
                                std::string_view expected_sub, Seconds now,
                                std::string_view expected_iss = {});

}  // namespace oidc
