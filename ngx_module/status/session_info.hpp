// SPDX-License-Identifier: Apache-2.0
// Content handler: oidc_session_info, what a front end may know of the session of its own browser.
//
// The access phase leaves such a location alone: there is an answer without a session too, and
// asking is no use of the application, so nothing here keeps a session alive or refreshes it.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

ngx_int_t session_info_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
