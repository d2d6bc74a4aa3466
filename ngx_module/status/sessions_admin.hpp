// SPDX-License-Identifier: Apache-2.0
// Content handler: oidc_sessions, for administrators. Lists and ends the sessions of a user; tells
// nothing by which one could be used.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

ngx_int_t sessions_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
