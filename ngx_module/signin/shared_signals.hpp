// SPDX-License-Identifier: Apache-2.0
// Shared Signals: a transmitter pushes security events to shared_signals_uri (RFC 8935).
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

ngx_int_t handle_signal(ngx_http_request_t* r, RequestContext& ctx, Provider& provider);

}  // namespace oidc::ngx
