// SPDX-License-Identifier: Apache-2.0
// Answers of our own, and headers added to the answers of others.
#pragma once

#include <string_view>

#include "oidc/result.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// For content handlers: sends the answer, the return value is the handler's. Set-Cookie headers go
// through the request's context.
ngx_int_t send_answer(ngx_http_request_t* r, const Respond& respond) noexcept;
// The same for the access phase, where it also ends the request: nothing of it may be touched
// afterwards.
ngx_int_t send_respond(ngx_http_request_t* r, const Respond& respond) noexcept;

inline constexpr std::string_view kSetCookie = "Set-Cookie";
// Whether a response header sets a cookie, and has not been taken back (hash 0).
bool is_set_cookie(const ngx_table_elt_t& header) noexcept;

// Adds a response header; both texts are copied. False: no memory, or a control byte in the value.
ngx_table_elt_t* push_header(ngx_http_request_t* r, std::string_view name,
                             std::string_view value) noexcept;

// Makes `value` the only Cache-Control of the response, whatever `expires` or the backend say.
bool set_cache_control(ngx_http_request_t* r, std::string_view value) noexcept;

// Takes over status, content type, length and headers of `respond`, not its cookies and body.
bool set_response_head(ngx_http_request_t* r, const Respond& respond) noexcept;
ngx_int_t send_body(ngx_http_request_t* r, std::string_view body) noexcept;

// What every refusal begins with: the reference, one log line (`what` is refused), the counter,
// $oidc_error. NGX_OK: the answer is ours to send. NGX_ERROR: nothing was done, the caller denies.
// Else the return value of the access handler: the operator's error_page has it, or another module
// may still grant.
ngx_int_t begin_refusal(ngx_http_request_t* r, RequestContext& ctx, std::string_view what,
                        const Provider* provider, const Error& error, int status);

// Refuses the request: one log line, the counter, $oidc_error, then the operator's error_page, else
// our page (JSON unless the browser navigates). Return value of the access handler.
// `status` 0: the reason's own.
ngx_int_t refuse(ngx_http_request_t* r, RequestContext& ctx, const Provider* provider,
                 const Error& error, std::string_view start_again, int status = 0);
// The same where page and JSON say besides what `told` says: text of the configuration and ours.
ngx_int_t refuse(ngx_http_request_t* r, RequestContext& ctx, const Provider* provider,
                 const Error& error, std::string_view start_again, int status,
                 std::string_view told);

// 302 or 303 to `location`, an absolute URL.
ngx_int_t send_redirect(ngx_http_request_t* r, int status, std::string_view location);

// From the callback to `target`, a path where the login began: 303, or a page that goes on by
// itself where a redirect would not carry the session's cookie.
ngx_int_t send_onward(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider,
                      std::string_view target);

// 425, for requests that must not be replayed.
ngx_int_t send_too_early(ngx_http_request_t* r);

}  // namespace oidc::ngx
