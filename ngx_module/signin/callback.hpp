// SPDX-License-Identifier: Apache-2.0
// The callback path of a provider.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Whether a request to the path is to be answered by handle_callback(), else it is one like any
// other. NGX_ERROR: the caller denies.
ngx_int_t find_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                        bool& found);

// Once it has said so: the request is another application's response, as far as it can be told
// without a body, and goes to the backend for any session that the location accepts.
bool is_for_backend(const RequestContext& ctx, const Provider& provider) noexcept;

// In the access phase, after the decision, and once find_callback() has said so.
ngx_int_t handle_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
