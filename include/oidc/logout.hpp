// RP-Initiated Logout 1.0.
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
    std::string_view state;                     // empty: not sent
};

// The URL of the provider's end-session endpoint. A hint that would make the URL longer than 8 KiB
// is left out (L-08).
std::string end_session_url(const LogoutRequest& request);

}  // namespace oidc
