// SPDX-License-Identifier: Apache-2.0
// Programs beside people: a request that brings an access token where a location takes them
// (auth_oidc_bearer) is judged by it alone.
#pragma once

#include <functional>

#include "oidc/bearer.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// NGX_DECLINED: the location takes no tokens, or none came. NGX_OK: it holds, and the decision
// about it is the request's. Else the return value of the handler: the token is refused, or the
// provider's keys are waited for; `again` judges the request when they are there.
ngx_int_t take_token(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                     const std::function<ngx_int_t()>& again);

// The token of the main request is what another location asks for as well.
bool is_token_enough(const RequestContext& ctx, const LocConf& location) noexcept;

// To a token whose sign-in is not enough for the location (auth_oidc_max_age,
// auth_oidc_acr_values). The return value of the handler.
ngx_int_t refuse_insufficient_token(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

// What the location tells those who have no token, or not the right one.
BearerDemand bearer_demand(ngx_http_request_t* r, const Provider& provider);

// The origin under which clients know the location's host: the redirect URI may be on another. data
// is null on error.
ngx_str_t resource_origin(ngx_http_request_t* r, const Provider* provider) noexcept;

}  // namespace oidc::ngx
