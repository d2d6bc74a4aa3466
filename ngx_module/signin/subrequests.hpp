// SPDX-License-Identifier: Apache-2.0
// Subrequests: nginx skips the access phase for them (SSI, auth_request, mirror, addition).
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// PREACCESS: a subrequest to a protected location is refused unless its main request has a session
// of that provider.
ngx_int_t subrequest_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
