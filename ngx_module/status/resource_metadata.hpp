// SPDX-License-Identifier: Apache-2.0
// oidc_resource_metadata: which provider's tokens a resource takes (RFC 9728), for everybody.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// Content handler.
ngx_int_t resource_metadata_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
