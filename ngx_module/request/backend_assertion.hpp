// SPDX-License-Identifier: Apache-2.0
// The signed assertion for backends (oidc_assertion, $oidc_assertion).
#pragma once

#include "base/ngx.hpp"
#include "request/decision.hpp"

namespace oidc::ngx {

// Makes, once for a decision and an oidc_assertion, the assertion about its session; empty when
// there is no session or no oidc_assertion in reach. It lies in the request's pool. Errors: those
// of AssertionSigner::sign, internal_error; the caller denies.
Result<ngx_str_t> request_assertion(ngx_http_request_t* r, Decision& decision);

}  // namespace oidc::ngx
