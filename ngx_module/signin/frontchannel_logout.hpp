// SPDX-License-Identifier: Apache-2.0
// Front-Channel Logout 1.0: the provider's page loads frontchannel_logout_uri in an iframe.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// In the access phase, after the decision. The return value of the handler.
ngx_int_t handle_frontchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
