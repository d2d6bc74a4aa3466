// SPDX-License-Identifier: Apache-2.0
// What oidc_session_info and oidc_sessions answer with: JSON that no cache keeps and no other site
// reads.
#pragma once

#include <string_view>

#include "base/ngx.hpp"
#include "oidc/json.hpp"

namespace oidc::ngx {

// For content handlers, which return what it returns. `allow` is the header of that name; empty:
// none.
ngx_int_t send_json(ngx_http_request_t* r, int status, const JsonObject& body,
                    std::string_view allow = {});

}  // namespace oidc::ngx
