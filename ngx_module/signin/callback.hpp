// SPDX-License-Identifier: Apache-2.0
// The callback path of a provider.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// In the access phase, after the decision. NGX_DECLINED: an ordinary request, judged as any other.
ngx_int_t handle_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
