// SPDX-License-Identifier: Apache-2.0
// Who may pass: the access phase of every request.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// ACCESS, before other modules: decides, and lets in.
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;

// ACCESS, after the rules of address and password: answers whom the first has not let in.
ngx_int_t late_access_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
