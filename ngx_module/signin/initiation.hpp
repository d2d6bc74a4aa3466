// SPDX-License-Identifier: Apache-2.0
// Initiating Login from a Third Party (OpenID Connect Core 1.0, section 4): initiate_login_uri.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// A login begins at once, whoever is signed in: the link may mean somebody else.
ngx_int_t handle_initiation(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
