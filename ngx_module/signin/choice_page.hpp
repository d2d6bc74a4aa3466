// SPDX-License-Identifier: Apache-2.0
// choice_uri: the page on which people choose a provider of a group, and the form that it posts.
#pragma once

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

ngx_int_t handle_choice(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
