// SPDX-License-Identifier: Apache-2.0
// logout_hook: the application hears of a logout while the user is still signed in here.
#pragma once

#include <functional>

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Asks the path of the task's provider's logout_hook with the cookies of the request, waits for the
// head of its answer, whose cookies go to the browser, and goes on with `next`, whatever the answer
// was. Without a hook or a session: `next` at once. For the access phase; the return value of the
// handler.
ngx_int_t with_logout_hook(ngx_http_request_t* r, RequestContext& ctx,
                           std::function<ngx_int_t()> next);

// Whether `r` is the subrequest that asks.
bool is_logout_hook(const RequestContext& ctx, const ngx_http_request_t* r) noexcept;

// For the preaccess phase of the subrequest itself: the identity that its location forwards.
// `forward`: the session is good there.
ngx_int_t give_hook_identity(ngx_http_request_t* r, RequestContext& ctx, bool forward) noexcept;

}  // namespace oidc::ngx
