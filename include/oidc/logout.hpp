// SPDX-License-Identifier: Apache-2.0
// Logouts through the browser: RP-Initiated Logout 1.0 and Front-Channel Logout 1.0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oidc/http_message.hpp"
#include "oidc/metadata.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct LogoutRequest {
    std::string_view end_session_endpoint;
    std::string_view client_id;
    std::string_view post_logout_redirect_uri;  // absolute; empty: not sent
    std::string_view id_token_hint;             // empty: not sent
    // Empty: not sent. Nothing depends on it later: the page after the logout does nothing.
    std::string_view state;
    // What the provider calls post_logout_redirect_uri.
    std::string_view post_logout_param = "post_logout_redirect_uri";
};

// How the browser gets to the provider's end-session endpoint.
struct EndSession {
    std::string url;
    std::vector<Header> fields;  // of a form that is posted there; empty: a redirect
};
// Arguments that the endpoint's address has already are left as they are. A redirect, unless the
// hint would make the URL longer than 8 KiB, which is more than a server is sure to take: then a
// form (RP-Initiated Logout 1.0, section 2: a provider takes both).
EndSession end_session(const LogoutRequest& request);

// Whether an ID token of a session is still good as id_token_hint: false of Error jwt_key_unknown
// or jwt_signature, when the key that has signed it is not among those that the provider publishes
// now. It would refuse the logout then; without a hint it asks the user.
Status check_hint(std::string_view id_token, const ProviderConfig& config,
                  const ProviderState& provider);

// Front-channel logout: empty when the request ends the session that its cookie has opened, else
// why not, for the log. iss and sid stand there once each (Front-Channel 3); sid is the session's,
// iss the issuer's, and may be missing (Entra sends sid alone): the path belongs to one provider.
// Without both the cookie alone says who is meant, which `nameless` allows. The answer is
// frontchannel_page() either way, so that nobody learns a sid by trying.
std::string why_not_frontchannel(std::string_view query, std::string_view issuer,
                                 std::string_view session_sid, bool nameless);

// What a request's Sec-Fetch-Dest says: a frame asks, as a front-channel logout does. Also when it
// says nothing, as older browsers do.
[[nodiscard]] bool is_framed(std::string_view sec_fetch_dest) noexcept;

}  // namespace oidc
