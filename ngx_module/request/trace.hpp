// SPDX-License-Identifier: Apache-2.0
// The trace that a request belongs to, for the requests to the provider that are made for it.
#pragma once

#include <string>

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// The value of `traceparent` for this request; empty: none is configured, or what it gives is none.
std::string trace_of(ngx_http_request_t* r, const Provider& provider) noexcept;

}  // namespace oidc::ngx
