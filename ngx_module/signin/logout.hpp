// Everything that ends a session before its time: the user's logout, and the provider's.
#pragma once

#include <functional>

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// RP-initiated logout, at logout_uri.
ngx_int_t handle_logout(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

// Front-channel logout: the provider's page loads frontchannel_logout_uri in an iframe.
ngx_int_t handle_frontchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

// Back-channel logout: the provider posts a logout token to backchannel_logout_uri. Called again
// when the body has been read.
ngx_int_t handle_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);
// The end of the flow that judged the token.
ngx_int_t finish_backchannel(ngx_http_request_t* r, RequestContext& ctx, const EndSessions& end);
ngx_int_t refuse_backchannel(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                             const Error& error);

// Ends every session of this provider whose cookie the browser presented; then `next`, or, when the
// store cannot do so, a refusal.
ngx_int_t end_sessions(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                       const std::function<ngx_int_t()>& next);
// The session cookie and those of clear_cookies.
void expire_cookies(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);

}  // namespace oidc::ngx
