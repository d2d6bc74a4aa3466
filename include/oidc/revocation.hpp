// SPDX-License-Identifier: Apache-2.0
// Token revocation (RFC 7009).
#pragma once

#include <optional>

#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/session.hpp"

namespace oidc {

// The request that takes back what a session holds at the provider: its refresh token, which takes
// the access tokens of the same grant along (RFC 7009 2.1), else its access token. The client is
// authenticated as at the token endpoint. nullopt: revoke_on_logout is off, the provider has no
// revocation_endpoint, or the session holds neither. Errors: those of client_request.
Result<std::optional<HttpRequest>> revocation_request(const ProviderConfig& config,
                                                      const ProviderState& provider,
                                                      const SessionView& session, Ports ports);

// For the log alone: the logout is over whatever comes. A token that the provider does not know is
// a success (RFC 7009 2.2). Errors: the outcome's own, idp_redirect, revocation_failed.
Status check_revocation(const HttpRequest& request, const HttpOutcome& outcome);

}  // namespace oidc
