// The decision about a request; access.cpp says who may pass, endpoints.cpp handles callback and
// logout.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// The provider that auth_oidc names here; null: no authentication. NGX_ERROR: an error was logged,
// the caller denies.
ngx_int_t select_provider(ngx_http_request_t* r, const LocConf& location, Provider*& out);

// Looks for a live session of this provider and keeps the answer in the context; a second call for
// the same provider costs nothing. NGX_AGAIN: the store has to be waited for (wait_for_outcome),
// the phase runs again when it has answered. NGX_HTTP_SERVICE_UNAVAILABLE: the store cannot say.
// NGX_ERROR: the caller denies.
ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) noexcept;

// The keys of the sessions that the browser's cookies name, alive or not.
std::vector<Digest> presented_keys(ngx_http_request_t* r, RequestContext& ctx,
                                   const Provider& provider);

// The session cookie's name where browsers reach this location, and the only one that counts.
const std::string& session_cookie_name(ngx_http_request_t* r, const Provider& provider) noexcept;

// Whether the session of a decided request is what the location asks for (auth_oidc_max_age,
// auth_oidc_acr_values).
bool is_sufficient(const RequestContext& ctx, const LocConf& location) noexcept;

// Lets an authenticated request through when auth_oidc_require agrees, with the identity that the
// location forwards (a foreign callback: without any).
ngx_int_t admit(ngx_http_request_t* r, RequestContext& ctx);

// Nobody is signed in, or not as the location asks for: to the provider, or 401.
ngx_int_t challenge(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);
// That 401; sets $oidc_error.
Respond unauthorized(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);

// A URL on our origin that starts a login.
std::string login_url(ngx_http_request_t* r, const Provider& provider);

// Where a login that starts now will end: this request's target, or "/".
std::string return_target(ngx_http_request_t* r, const Provider& provider);

// The endpoint at this exact path; internal redirects never reach one.
const Endpoint* find_endpoint(ngx_http_request_t* r) noexcept;

// NGX_DECLINED: an ordinary request, judged as any other.
ngx_int_t handle_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
