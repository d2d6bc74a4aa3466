// SPDX-License-Identifier: Apache-2.0
// Token revocation (RFC 7009).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "oidc/client_credentials.hpp"
#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"
#include "oidc/session.hpp"

namespace oidc {

// Takes back what a session holds at the provider: its refresh token, which takes the access tokens
// of the same grant along (RFC 7009 2.1), else its access token. The client is authenticated as at
// the token endpoint, with its other credential as well, see ClientTry.
class Revocation {
  public:
    // nullopt: revoke_on_logout is off, the provider has no revocation_endpoint, or the session
    // holds neither token. `config` is borrowed.
    static std::optional<Revocation> of(const ProviderConfig& config,
                                        std::shared_ptr<const ProviderState> provider,
                                        const SessionView& session, Seconds now);
    // Errors: those of client_request.
    [[nodiscard]] Result<HttpRequest> request(Ports ports) const;
    // What came. True: request() once more.
    bool again(const HttpOutcome& outcome, Ports ports);

  private:
    Revocation(const ProviderConfig& config, std::shared_ptr<const ProviderState> provider,
               std::string_view token, std::string_view hint)
        : config_(config), provider_(std::move(provider)), token_(token), hint_(hint) {}

    const ProviderConfig& config_;
    std::shared_ptr<const ProviderState> provider_;
    Secret token_;
    std::string_view hint_;
    ClientTry client_;
};

// For the log alone: the logout is over whatever comes. A token that the provider does not know is
// a success (RFC 7009 2.2). Errors: the outcome's own, idp_redirect, revocation_failed.
Status check_revocation(const HttpRequest& request, const HttpOutcome& outcome);

}  // namespace oidc
