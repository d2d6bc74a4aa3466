// SPDX-License-Identifier: Apache-2.0
// Tokens that a location gives to its backend, and that have ended: the request waits for the
// refresh of its session.
#pragma once

#include <functional>

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// NGX_DECLINED: the request goes on with the decision that it has, whose tokens live, or cannot be
// had in time. Else the return value of the handler; the decision is taken again, and `again`
// called, in the access phase that runs when the session may have changed. A request waits for
// read_timeout in all, whatever it is redirected to.
ngx_int_t renew_tokens(ngx_http_request_t* r, RequestContext& ctx,
                       const std::function<ngx_int_t()>& again);

}  // namespace oidc::ngx
