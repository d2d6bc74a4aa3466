// SPDX-License-Identifier: Apache-2.0
// Logout through the browser that asks for it (RP-Initiated Logout 1.0), at logout_uri.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// In the access phase, after the decision. The return value of the handler.
ngx_int_t handle_logout(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
