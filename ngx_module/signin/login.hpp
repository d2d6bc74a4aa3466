// Carries out the steps of a login: waits for the provider, stores the session, answers.
#pragma once

#include <string>
#include <string_view>

#include "oidc/cookie.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// No session: to the provider, and back to `return_to` one day.
ngx_int_t begin_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      std::string return_to);
// The same as a finished answer, if the provider's metadata is at hand; for `satisfy any`.
bool login_answer_at_once(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                          Respond& out);

// The browser is back with a response to a login of ours, which has been consumed.
ngx_int_t begin_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                         PendingLogin login, AuthzResponse response);

// The provider has sent a logout token: finish_backchannel or refuse_backchannel, now or later.
ngx_int_t begin_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                            std::string logout_token);

// Seals and opens logins under way: with the key file of the provider's store when it has one, so
// that every node can end what another began, else with this machine's own key.
const Aead& pending_aead(const Provider& provider, const MetadataCache& cache) noexcept;

// The outcome that was waited for has come.
ngx_int_t continue_task(ngx_http_request_t* r, RequestContext& ctx);

// Cookies of a login: host-only, for the whole site, with "__Host-" on https.
CookieAttributes login_cookie_attributes(bool https);
std::string login_cookie_name(std::string_view name, bool https);
// The answer sets the session cookie, or deletes it when `value` is empty, with all its chunks;
// what it would have set before is forgotten.
void answer_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                           std::string_view value, Seconds lifetime);

// An absolute URL on our own origin; empty: no memory.
std::string own_url(ngx_http_request_t* r, const Provider& provider, std::string_view target);

}  // namespace oidc::ngx
