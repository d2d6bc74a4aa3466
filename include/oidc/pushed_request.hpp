// SPDX-License-Identifier: Apache-2.0
// Pushed authorization requests (RFC 9126): the client sends the request itself, and the browser
// only a name for it.
#pragma once

#include <string>
#include <string_view>

#include "oidc/client_credentials.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

inline constexpr std::size_t kMaxRequestUri = 512;

// POST of what `authorization_url` would have had the browser bring, with the client authenticated
// as at the token endpoint. Errors: those of client_form.
Result<HttpRequest> push_request(const ProviderConfig& config, const ProviderState& provider,
                                 std::string_view authorization_url, Ports ports,
                                 Credential credential = Credential::current);

// The request_uri. Errors: those of the connection, idp_redirect, token_client_auth (as in
// parse_token_response), par_error (another OAuth error; detail has its code), par_status (429, 5xx
// and all else that is no 201 or 200), par_malformed (no JSON object, or no request_uri that is an
// absolute URI of at most kMaxRequestUri bytes).
Result<std::string> parse_pushed_response(const HttpRequest& request, HttpOutcome outcome);

// The URL to send the browser to: client_id and request_uri alone (RFC 9126 section 4).
std::string pushed_url(const ProviderConfig& config, const ProviderState& provider,
                       std::string_view request_uri);

}  // namespace oidc
