// SPDX-License-Identifier: Apache-2.0
// The signed assertion for backends (oidc_assertion, $oidc_assertion).
#pragma once

#include "base/ngx.hpp"
#include "request/decision.hpp"

namespace oidc::ngx {

// Makes, once for a decision, the assertion about its session; empty when there is no session or no
// oidc_assertion. NGX_ERROR: signing failed, the caller denies.
ngx_int_t request_assertion(ngx_http_request_t* r, Decision& decision, ngx_str_t& out) noexcept;

}  // namespace oidc::ngx
