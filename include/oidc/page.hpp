// Pages of our own: plain HTML without external resources, or JSON for scripts.
#pragma once

#include <string>
#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/result.hpp"

namespace oidc {

enum class PageForm : unsigned char { html, json };

// The refusal of `reason` with its status: what happened, what to try, the reference that stands in
// the log, a link that starts again (`start_again`, a path on our origin; empty: none). Nothing
// that came from outside is shown. no-store, nosniff, no-referrer, CSP default-src 'none',
// frame-ancestors 'none'.
Respond error_page(Reason reason, std::string_view reference, std::string_view start_again,
                   PageForm form);

// 401 for requests that cannot follow a login: {"error":"login_required","login_url":...}.
Respond login_required(std::string_view login_url);

// After logout; `login` is a path that signs in again.
Respond signed_out_page(std::string_view login);

// preserve_fragment: stores location.hash in `cookie_name` (script, allowed by its hash in the CSP)
// and goes on to `authorization_url`; without script a link does.
Respond fragment_page(std::string_view authorization_url, std::string_view cookie_name,
                      bool secure);

// A redirect with no-store; status 302 or 303.
Respond redirect(int status, std::string_view location);

// The headers that every answer of ours has.
void add_common_headers(Respond& respond);

}  // namespace oidc
