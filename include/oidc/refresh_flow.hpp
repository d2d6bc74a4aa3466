// SPDX-License-Identifier: Apache-2.0
// One refresh of a session (OIDC Core 12, RFC 6749 6).
#pragma once

#include <optional>

#include "oidc/ports.hpp"
#include "oidc/session.hpp"
#include "oidc/step.hpp"
#include "oidc/token_exchange.hpp"

namespace oidc {

// Asked at every authenticated request: two loads and a comparison.
inline bool refresh_due(const SessionView& session, Seconds now,
                        const ProviderConfig& config) noexcept {
    const Seconds at = session.refresh_at();
    return config.session_refresh && at != 0 && now >= at;
}

// Whether a refresh that failed with `reason` says that the session is over: the provider refuses
// to go on (invalid_grant), or its ID token or UserInfo is about somebody else or not genuine.
// All else is a matter of waiting.
bool ends_session(Reason reason) noexcept;

// Seconds until the next try after `failures` failures in a row: 5, 10, 20, ... 300, and up to a
// quarter more so that sessions do not come back all at once. What the provider asks for with
// Retry-After is kept, up to an hour.
Seconds refresh_backoff(std::uint32_t failures, std::optional<Seconds> retry_after,
                        Random& random) noexcept;

// NeedProvider -> Fetch token [-> NeedProvider newer] [-> Fetch userinfo [-> NeedProvider newer]]
// -> Refreshed, RefreshPostponed or RefreshEnded. Refuse only says that the flow was used wrongly:
// the session stays as it is.
//
// Never changed: provider, sub, sid, created, auth_time. The user name follows the claim that it
// was taken from at the login, and stays when that claim is not said again. Claims become those of
// the new ID token and UserInfo; without a new ID token, see replace_userinfo; without either they
// stay.
class RefreshFlow final : public Flow {
  public:
    // `session` has a refresh token; it is copied.
    RefreshFlow(const ProviderConfig& config, Ports ports, const SessionView& session);
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, exchange, done };
    Step go_on(TokenExchange::Progress progress);
    Step finish();
    Step failed(Error error);
    Step postpone(Error error);
    void note_scope(const std::string& before) const;

    const ProviderConfig& config_;
    Ports ports_;
    Session session_;
    TokenExchange exchange_;
    Stage stage_ = Stage::provider;
};

}  // namespace oidc
