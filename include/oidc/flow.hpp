// Flows: one login, sans-IO. A flow takes an event and returns the next step; the adapter carries
// the step out and comes back with the outcome. One outstanding step at a time, so abort means:
// destroy the flow and cancel one thing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "oidc/authz_request.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/http_message.hpp"
#include "oidc/id_token.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/session.hpp"
#include "oidc/state.hpp"
#include "oidc/token.hpp"

namespace oidc {

// ---- steps ---------------------------------------------------------------------------------

// The provider's metadata and keys; newer_than > 0 asks for keys fetched after that generation (an
// unknown kid). The adapter throttles: it may answer with the same generation.
struct NeedProvider {
    std::uint64_t newer_than = 0;
};
struct Fetch {
    HttpRequest request;
};
// Write the session under the SHA-256 of `id`, and end the one named by `replaces` (hex, may be
// empty).
struct StoreSession {
    Secret id;      // raw 32 bytes
    Secret record;  // encode_session
    std::string replaces;
    Seconds expires = 0;       // absolute
    Seconds idle_timeout = 0;  // 0: off
};
// The browser goes to the provider: 302 there with this cookie, and these ones dropped.
struct StartLogin {
    std::string authorization_url;
    std::string cookie_name;  // without "__Host-"
    std::string cookie_value;
    std::string fragment_cookie_name;  // with preserve_fragment, else empty
};
struct LoggedIn {
    Secret id;              // raw session id for the cookie
    Secret record;          // for this very request (callback forward)
    std::string return_to;  // safe target
    std::string sub;
    Seconds expires = 0;
};
struct Refuse {
    Error error;
};

using Step = std::variant<NeedProvider, Fetch, StoreSession, StartLogin, LoggedIn, Refuse>;

// ---- events --------------------------------------------------------------------------------

using ProviderReady = std::shared_ptr<const ProviderState>;
struct StoreDone {};
using Event = std::variant<ProviderReady, HttpResponse, StoreDone, Error>;

class Flow {
  public:
    virtual ~Flow() = default;
    virtual Step start() = 0;
    // Precondition: the event answers the step that was returned last. An Error answers any step.
    virtual Step resume(Event event) = 0;
};

// No session: NeedProvider -> StartLogin.
class LoginFlow final : public Flow {
  public:
    struct Input {
        std::string return_to;
        std::string redirect_uri;  // absolute
        std::string session_key;
        AuthzParameters parameters;
        Digest binding{};
    };
    LoginFlow(const ProviderConfig& config, const Aead& aead, Ports ports, Input input);
    Step start() override;
    Step resume(Event event) override;

  private:
    const ProviderConfig& config_;
    const Aead& aead_;
    Ports ports_;
    Input input_;
};

// A callback whose pending login was opened and consumed by the adapter:
// NeedProvider -> (error response? Refuse) -> Fetch token -> ID token [-> NeedProvider newer, once]
// -> Fetch userinfo -> StoreSession -> LoggedIn. Nothing is stored before every check has passed.
class CallbackFlow final : public Flow {
  public:
    CallbackFlow(const ProviderConfig& config, Ports ports, PendingLogin login,
                 AuthzResponse response);
    ~CallbackFlow() override;
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, token, keys, userinfo, userinfo_keys, store, done };
    Step on_provider(ProviderReady provider);
    Step on_token(HttpOutcome outcome);
    Step check_id_token();
    Step on_userinfo(HttpOutcome outcome);
    Step finish();

    const ProviderConfig& config_;
    Ports ports_;
    PendingLogin login_;
    AuthzResponse response_;
    Stage stage_ = Stage::provider;
    std::shared_ptr<const ProviderState> provider_;
    bool keys_refetched_ = false;
    std::optional<HttpRequest> request_;
    TokenResponse tokens_;
    std::optional<IdToken> id_token_;
    std::optional<HttpResponse> userinfo_response_;
    JsonPtr userinfo_;
    std::string userinfo_text_;
    Secret session_id_;
    Secret record_;
    Seconds expires_ = 0;
};

}  // namespace oidc
