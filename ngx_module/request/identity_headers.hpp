// SPDX-License-Identifier: Apache-2.0
// The identity on its way to the backend: request headers of our own.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Makes the request carry exactly what this location forwards of the session that the main request
// has, and of the client's headers those that it passes on; with `forward` false nothing of the
// session. Errors: internal_error and those of request_assertion; the caller denies.
Status set_identity(ngx_http_request_t* r, RequestContext& ctx, const LocConf& location,
                    bool forward);

// Takes the headers of an earlier decision out of the request again.
void clear_identity(ngx_http_request_t* r, RequestContext& ctx) noexcept;

}  // namespace oidc::ngx
