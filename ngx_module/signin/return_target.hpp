// SPDX-License-Identifier: Apache-2.0
// Where a login begins and ends.
#pragma once

#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// A URL on our origin that starts a login.
std::string login_url(ngx_http_request_t* r, const Provider& provider);

// The page of ours that a request without a page of its own came from: a form, a frame. "/": none.
std::string page_before(ngx_http_request_t* r, const Provider& provider);

// `target` as it came, or "/" where it is no page of ours: no path on our origin, or an endpoint.
std::string guarded_target(ngx_http_request_t* r, const Provider& provider,
                           std::string_view target);

// Where a login that starts now will end: this request's target, or "/".
std::string return_target(ngx_http_request_t* r, const Provider& provider);

}  // namespace oidc::ngx
