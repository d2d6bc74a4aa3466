// SPDX-License-Identifier: Apache-2.0
// Letting a request through, with the identity that its location forwards.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// NGX_OK, or the status that the first unmet auth_oidc_require asks for; NGX_ERROR.
ngx_int_t check_requirements(ngx_http_request_t* r, const LocConf& location);

// NGX_OK: what auth_oidc_require and auth_oidc_require_claim ask for is met, or nothing is asked
// for. Else the return value of the handler. `session` is that of whom the location lets in; null:
// nobody's.
ngx_int_t enforce_requirements(ngx_http_request_t* r, RequestContext& ctx, const LocConf& location,
                               const SessionView* session);

// To a request that a page of another site has sent (is_cross_origin). The return value of the
// handler.
ngx_int_t refuse_cross_origin(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

// Lets an authenticated request through when its requirements are met (a foreign callback: without
// any identity). The return value of the handler.
ngx_int_t admit(ngx_http_request_t* r, RequestContext& ctx);

}  // namespace oidc::ngx
