// SPDX-License-Identifier: Apache-2.0
// Logouts through the browser: RP-Initiated Logout 1.0 and Front-Channel Logout 1.0.
#pragma once

#include <string>
#include <string_view>

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
};

// The URL of the provider's end-session endpoint. A hint that would make the URL longer than 8 KiB
// is left out: a server does not take a much longer request line.
std::string end_session_url(const LogoutRequest& request);

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
