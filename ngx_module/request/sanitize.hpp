// SPDX-License-Identifier: Apache-2.0
// The first phase of every request: what only this module may say is taken out of the request, and
// the module's own cookies are kept aside for the decision.
//
// nginx's known headers are pointed to from headers_in, so header elements never move: a header
// list is edited by cutting its parts into views of the runs that stay.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// POST_READ: removes identity headers and own cookies from the request, in every server that uses
// the module.
ngx_int_t sanitize_handler(ngx_http_request_t* r) noexcept;

// Takes the headers for which `goes` is true out of the request. False: no memory.
[[nodiscard]] bool drop_headers(ngx_http_request_t* r,
                                bool (*goes)(const ngx_table_elt_t& header) noexcept) noexcept;

// Folds the reserved names once; postconfiguration calls it after reserved_headers and
// session_cookies are complete.
void prepare_sanitizer(MainConf& conf);

}  // namespace oidc::ngx
