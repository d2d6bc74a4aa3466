// SPDX-License-Identifier: Apache-2.0
// Pages of our own: plain HTML without external resources, or JSON for scripts.
#pragma once

#include <string>
#include <string_view>

#include "oidc/cookie.hpp"
#include "oidc/http_message.hpp"
#include "oidc/language.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct EndSession;

// framed: a page that pages of our own origin may have in a frame; its link leaves the frame.
enum class PageForm : unsigned char { html, framed, json };

// Every page speaks `language`, and says so: lang and dir, Content-Language, Vary. JSON is for
// programs and always English.

// The refusal of `reason` with its status: what happened, what to try, the reference that stands in
// the log, a link that starts again (`start_again`, a path on our origin; empty: none), on `origin`
// when that is another one of ours. Nothing that came from outside is shown. `told` is shown as
// well, in the JSON as "detail". no-store, nosniff, no-referrer, CSP default-src 'none',
// frame-ancestors 'none' ('self' when framed).
Respond error_page(Reason reason, std::string_view reference, std::string_view start_again,
                   PageForm form, Language language, Advice advice = Advice::of_reason,
                   std::string_view told = {}, std::string_view origin = {});

// 401 for requests that cannot follow a login: {"error":"login_required","login_url":...}, or the
// page of error_page(), which leads to `page`.
Respond login_required(std::string_view login_url, std::string_view page, PageForm form,
                       Language language);

// After logout; `login` is a path that signs in again.
Respond signed_out_page(std::string_view login, Language language);

// What the iframe of a front-channel logout gets, whether a session has ended or not: 200, nothing
// to see. The provider must be able to frame it, so there is no frame-ancestors.
Respond frontchannel_page(Language language);
// Posts the fields of an EndSession to the provider by itself, or by its button; without fields it
// waits for the user, whose link leads to the provider.
Respond end_session_page(const EndSession& target, Language language);

// Answers to the provider's back-channel request (Back-Channel Logout 2.8): 200 without content;
// or the status of the error with {"error":"invalid_request"}, below 500, or "server_error", and
// error_description, which says what is wrong and nothing of what came.
Respond backchannel_page();
Respond backchannel_refusal(const Error& error);

// Answers to a transmitter of security events (RFC 8935 2.2, 2.4): 202 without content; or the
// status of the error, below 500 with {"err":...,"description":...}.
Respond signal_page();
Respond signal_refusal(const Error& error);

// preserve_fragment: stores location.hash in `cookie_name` (script, allowed by its hash in the
// CSP), with the domain of `cookie`, and goes on to `authorization_url`; without script a link
// does.
Respond fragment_page(std::string_view authorization_url, std::string_view cookie_name,
                      const CookieAttributes& cookie, Language language);

// Goes on to `target`, a path with query and fragment, on `origin` when that is another one of
// ours, by itself: what a page of ours asks for carries cookies that are SameSite=Strict, and a
// redirect that another site began does not. Without what browsers do by themselves a link does.
Respond onward_page(std::string_view target, Language language, std::string_view origin = {});

// Of which provider one has an account: a button for each, and a field for an address where the
// options have domains. What is chosen is posted (parse_choice_form). Logos are of our own origin,
// or stand in the page.
struct ChoicePage {
    const ProviderChoice* choice = nullptr;
    std::string_view action;     // the path that takes the form
    std::string_view return_to;  // a path on our origin
    std::string_view last;       // the name of the option that the browser used last; empty: none
    bool email_unknown = false;  // the address that was posted leads nowhere
};
Respond choice_page(const ChoicePage& page, Language language);

// A redirect with no-store; status 302 or 303.
Respond redirect(int status, std::string_view location);

// The headers that every answer of ours has.
void add_common_headers(Respond& respond);

}  // namespace oidc
