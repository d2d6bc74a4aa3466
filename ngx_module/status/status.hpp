// SPDX-License-Identifier: Apache-2.0
// Content handlers: oidc_status (providers, stores and counters, as JSON or for Prometheus) and
// oidc_jwks (public keys of the assertion).
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

ngx_int_t status_handler(ngx_http_request_t* r) noexcept;
ngx_int_t jwks_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
