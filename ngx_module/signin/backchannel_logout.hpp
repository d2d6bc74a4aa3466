// SPDX-License-Identifier: Apache-2.0
// Back-Channel Logout 1.0: the provider posts a logout token to backchannel_logout_uri.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// In the access phase; called again when the body has been read. The return value of the handler.
ngx_int_t handle_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
