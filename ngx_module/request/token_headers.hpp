// SPDX-License-Identifier: Apache-2.0
// The headers that an access token comes in: kept in the first phase, taken out of the request
// where a location takes tokens.
#pragma once

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Keeps Authorization and DPoP, where any location of the configuration takes tokens. Throws
// std::bad_alloc.
void keep_token_headers(ngx_http_request_t* r, RequestContext& ctx);

// One of them.
bool is_token_header(const ngx_table_elt_t& header) noexcept;

}  // namespace oidc::ngx
