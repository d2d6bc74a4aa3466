// Logouts through the browser: RP-Initiated Logout 1.0 and Front-Channel Logout 1.0.
#pragma once

#include <string>
#include <string_view>

#include "oidc/metadata.hpp"
#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct LogoutRequest {
    std::string_view end_session_endpoint;
    std::string_view client_id;
    std::string_view post_logout_redirect_uri;  // absolute; empty: not sent
    std::string_view id_token_hint;             // empty: not sent
    std::string_view state;                     // empty: not sent
};

// The URL of the provider's end-session endpoint. A hint that would make the URL longer than 8 KiB
// is left out (L-08).
std::string end_session_url(const LogoutRequest& request);

// The state of a logout goes to the provider and, as it is, into a cookie of the browser
// (kLogoutCookie, HttpOnly, SameSite=Lax, kLogoutStateLife). It protects nothing, because the
// landing page does nothing: it tells a logout of ours that came back from a link that somebody
// clicked, for the log (L-03). Errors: internal_error.
inline constexpr std::string_view kLogoutCookie = "NGX_OIDC_LOGOUT";
inline constexpr Seconds kLogoutStateLife = 600;
Result<std::string> new_logout_state(Random& random);

enum class Landing : unsigned char {
    plain,   // no logout of this browser is under way, and the query has no state
    ours,    // the state is that of the cookie
    absent,  // a logout is under way, but the provider gave no state back
    strange  // another state, several, or one without a cookie
};
// `query` of the request for the landing page, `cookie` the value of kLogoutCookie or empty. The
// page is the same in every case, and the cookie is dropped when there is one.
Landing check_landing(std::string_view query, std::string_view cookie);

// Front-channel logout: empty when the request ends the session that its cookie has opened, else
// why not, for the log. iss and sid come both or not at all (Front-Channel 3), each once; iss is
// the issuer's, sid the session's (L-27, L-28). Without both the cookie alone says whom the browser
// means. The answer is frontchannel_page() either way, so that nobody learns a sid by trying.
std::string why_not_frontchannel(std::string_view query, std::string_view issuer,
                                 std::string_view session_sid);

}  // namespace oidc
