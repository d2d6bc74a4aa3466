// SPDX-License-Identifier: Apache-2.0
// The callback path of a provider.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Whether a request to the path is to be answered by handle_callback(), else it is one like any
// other. NGX_ERROR: the caller denies.
ngx_int_t find_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                        bool& found);

// In the access phase, after the decision, and once find_callback() has said so.
ngx_int_t handle_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
