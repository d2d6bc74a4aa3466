// What a client must not say for itself leaves the request: identity headers and our own cookies.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// Folds the reserved names once; postconfiguration calls it after reserved_headers and
// session_cookies are complete.
void prepare_sanitizer(MainConf& conf);
// POST_READ: removes identity headers and own cookies from the request, in every server that uses
// the module.
ngx_int_t sanitize_handler(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
