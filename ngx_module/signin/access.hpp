// SPDX-License-Identifier: Apache-2.0
// Who may pass: the access phase of every request.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// ACCESS: decides.
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
