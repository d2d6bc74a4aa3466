// SPDX-License-Identifier: Apache-2.0
// The provider's response, in the arguments of a callback.
#pragma once

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// In the first phase: a response to us that a callback carries is kept in the context and taken out
// of the request, before anything can log it, refuse the request or have it wait. One that another
// application behind `callback forward` asked for stays. False: no memory.
bool take_response(ngx_http_request_t* r, RequestContext& ctx);

}  // namespace oidc::ngx
