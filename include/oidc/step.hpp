// SPDX-License-Identifier: Apache-2.0
// Steps and events: how flows and the adapter talk. A flow takes an event and returns the next
// step; the adapter carries the step out and comes back with the outcome. One outstanding step at a
// time, so abort means: destroy the flow and cancel one thing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "oidc/access_token.hpp"
#include "oidc/bytes.hpp"
#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/posted_token.hpp"
#include "oidc/result.hpp"
#include "oidc/shared_signals.hpp"
#include "oidc/step_up.hpp"

namespace oidc {

// ---- steps ---------------------------------------------------------------------------------

// The provider's metadata and keys; newer_than > 0 asks for what is fetched after that generation,
// because something does not fit. The adapter throttles: it may answer with the same generation.
struct NeedProvider {
    // What made newer ones necessary; each has a throttle of its own, so that a provider whose
    // signatures do not fit takes nothing from a change of keys.
    enum class Cause : std::uint8_t {
        first_use,
        key_unknown,  // the sign of a change of keys
        misfit,       // anything else in what the provider itself sent
        outsider,     // in what anybody can send: it never waits for its throttle
    };
    std::uint64_t newer_than = 0;
    Cause cause = Cause::first_use;
    // Documents that are older are fetched first, for a short time only: what there is then serves
    // as well. 0: of any age.
    Seconds max_age = 0;
    // 0: the provider of the flow; else that of config.claim_sources[source - 1].
    std::size_t source = 0;
};
struct Fetch {
    HttpRequest request;
    std::size_t source = 0;  // likewise: whose way there it is
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
    std::string target_cookie_value;   // of kTargetCookie; empty: none is needed
    std::string fragment_cookie_name;  // with preserve_fragment, else empty
};
// The provider has ended the login because another tab has finished one (Keycloak), or the request
// that would have finished it got no answer on a kept connection: begin it anew, marked as renewed,
// unless the browser has a session by now that is enough for the page.
struct RenewLogin {
    LoginDemand demand;
    Error error;  // what a refusal would have said
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

// A refresh is over and the session goes on: put `record` in place of the one that the flow was
// given, its expiry as it was, unless the session has ended or changed meanwhile: a logout is never
// undone.
struct Refreshed {
    Secret record;
    Seconds access_expires = 0;  // 0: unknown
};
// It failed for now. `record` replaces the old one likewise: the next try is due at `next_try`, and
// tokens that the provider has given out already are in it. The session is as valid as before.
struct RefreshPostponed {
    Secret record;
    Seconds next_try = 0;
    Error error;
};
// The provider has ended the session, or names another user: erase it.
struct RefreshEnded {
    Error error;
};
// A logout token holds: unless it was used before, end the sessions.
struct EndSessions : SessionOwner, UsedToken {};
// A security event token holds: unless it was used before, end the sessions of `owners`, and say
// what came of `events`.
struct HeardSignals : UsedToken {
    std::vector<SignalEvent> events;
    std::vector<SessionOwner> owners;
};

// The provider vouches for an access token.
struct Introspected {
    AccessTokenRecord token;
    std::string sub;
};

// A token that others have brought holds. One alternative for all: a variant of more than eleven
// is told apart by pointers to functions, which nothing shows to be harmless where it is destroyed.
using TokenHolds = std::variant<EndSessions, Introspected, HeardSignals>;

using Step = std::variant<NeedProvider, Fetch, StoreSession, StartLogin, RenewLogin, LoggedIn,
                          Refuse, Refreshed, RefreshPostponed, RefreshEnded, TokenHolds>;

// What a token that holds has brought about; null: it is another step.
template <class T>
T* token_holds(Step& step) noexcept {
    auto* holds = std::get_if<TokenHolds>(&step);
    return holds == nullptr ? nullptr : std::get_if<T>(holds);
}
template <class T>
const T* token_holds(const Step& step) noexcept {
    const auto* holds = std::get_if<TokenHolds>(&step);
    return holds == nullptr ? nullptr : std::get_if<T>(holds);
}

// The name of its type, for the debug log; a literal, which ends with NUL.
std::string_view step_name(const Step& step) noexcept;
// Why a flow failed, of Refuse, RenewLogin, RefreshPostponed and RefreshEnded; null of all others.
const Error* step_error(const Step& step) noexcept;

// ---- events --------------------------------------------------------------------------------

using ProviderReady = std::shared_ptr<const ProviderState>;
struct StoreDone {};
using Event = std::variant<ProviderReady, HttpResponse, StoreDone, Error>;

// A bug of the adapter; denied like everything that is not understood.
inline Error unexpected_event() {
    return fail(Reason::internal_error, "an event that no step asked for");
}

class Flow {
  public:
    virtual ~Flow() = default;
    virtual Step start() = 0;
    // Precondition: the event answers the step that was returned last. An Error answers any step.
    virtual Step resume(Event event) = 0;
};

}  // namespace oidc
