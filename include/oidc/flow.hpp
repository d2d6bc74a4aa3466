// SPDX-License-Identifier: Apache-2.0
// The flows of a login, sans-IO: towards the provider, and back from it.
#pragma once

#include <string>

#include "oidc/authz_request.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/ports.hpp"
#include "oidc/session.hpp"
#include "oidc/state.hpp"
#include "oidc/step.hpp"
#include "oidc/token_exchange.hpp"

namespace oidc {

// No session: NeedProvider [-> Fetch, which pushes the request [-> Fetch, the same with the
// client's other credential, or after a kept connection that ended, once each]] -> StartLogin.
class LoginFlow final : public Flow {
  public:
    struct Input {
        std::string return_to;
        std::string redirect_uri;  // absolute
        std::string session_key;
        AuthzParameters parameters;
        Digest binding{};
        LoginDemand demand{};       // of the place that the login is for
        char slot = kSlotNames[0];  // see choose_slot
        std::uint32_t serial = 0;
        bool renewed = false;  // after RenewLogin
        bool at_once = false;  // refused rather than pushed: nobody waits
        std::string host{};    // of return_to, when the redirect URI has another one
    };
    LoginFlow(const ProviderConfig& config, const Aead& aead, Ports ports, Input input);
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, pushed, done };
    Step on_provider(ProviderReady provider);
    Step push();
    Step on_pushed(HttpOutcome outcome);
    Result<StartLogin> begin(const ProviderState& provider, PendingLogin login);

    const ProviderConfig& config_;
    const Aead& aead_;
    Ports ports_;
    Input input_;
    Stage stage_ = Stage::provider;
    // Of a request that is pushed.
    ProviderReady provider_;
    HttpRequest request_;  // without its credentials
    StartLogin login_;
    ClientTry client_;
    bool pushed_again_ = false;
};

// A callback whose pending login was opened and consumed by the adapter:
// NeedProvider [-> NeedProvider newer, once, for the signature of the response] -> (error response?
// Refuse, or once RenewLogin) -> Fetch token -> ID token [-> NeedProvider newer, once]
// -> Fetch userinfo -> StoreSession -> LoggedIn. Nothing is stored before every check has passed,
// the last of which is whether the session satisfies the demand that the login was for.
class CallbackFlow final : public Flow {
  public:
    CallbackFlow(const ProviderConfig& config, Ports ports, PendingLogin login,
                 AuthzResponse response);
    ~CallbackFlow() override;
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, keys, exchange, store, done };
    Step on_provider(ProviderReady provider, bool first);
    Step go_on(TokenExchange::Progress progress);
    Step finish();
    void note_refresh_token(const Session& session) const;

    const ProviderConfig& config_;
    Ports ports_;
    PendingLogin login_;
    AuthzResponse response_;
    Stage stage_ = Stage::provider;
    TokenExchange exchange_;
    std::string sub_;
    Secret session_id_;
    Secret record_;
    Seconds expires_ = 0;
};

}  // namespace oidc
