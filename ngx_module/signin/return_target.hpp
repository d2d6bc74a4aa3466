// SPDX-License-Identifier: Apache-2.0
// Our own paths of a server, and where a login ends.
#pragma once

#include <string>

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// The endpoint at this exact path; internal redirects never reach one.
const Endpoint* find_endpoint(ngx_http_request_t* r) noexcept;

// A URL on our origin that starts a login.
std::string login_url(ngx_http_request_t* r, const Provider& provider);

// Where a login that starts now will end: this request's target, or "/".
std::string return_target(ngx_http_request_t* r, const Provider& provider);

}  // namespace oidc::ngx
