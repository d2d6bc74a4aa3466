// SPDX-License-Identifier: Apache-2.0
// How a request waits in a phase, and how it goes on.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// Leaves the phase until wake_request(): NGX_AGAIN, or NGX_ERROR. A client that goes away meanwhile
// ends the request, and with it what is waited for.
ngx_int_t park_request(ngx_http_request_t* r) noexcept;

// Has the phases of a parked main request run again, from nginx's event loop and never from inside
// the call: this may be somebody else's callback.
void wake_request(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
