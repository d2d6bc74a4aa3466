// SPDX-License-Identifier: Apache-2.0
// Nobody is signed in, or not as the location asks for: to the provider, or 401.
#pragma once

#include <optional>

#include "oidc/http_message.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// The return value of the access handler.
ngx_int_t challenge(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

// Whether it is to be a redirect.
bool is_redirected(ngx_http_request_t* r) noexcept;
// What such a request gets before a login, where it would not find its session, or must not begin
// one: the same page over https, or once more from a page of ours. nullopt: nothing.
std::optional<Respond> before_login(ngx_http_request_t* r, const RequestContext& ctx,
                                    const Provider& provider);
// The 401; sets $oidc_error.
Respond unauthorized(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);

}  // namespace oidc::ngx
