// SPDX-License-Identifier: Apache-2.0
// The body of a form that a provider sends us, by itself or through a browser.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/result.hpp"
#include "request/request_task.hpp"

namespace oidc::ngx {

std::string_view request_content_type(ngx_http_request_t* r) noexcept;

// Has nginx read the body, and runs the phase again when it is there: task.reading_body until then,
// task.body_read from then on. The return value of the handler.
ngx_int_t read_body(ngx_http_request_t* r, RequestTask& task);

// The body that was read, as one piece, from memory or nginx's file. Errors: `too_large` when it
// has more than `max` bytes, internal_error.
Result<Secret> body_of(ngx_http_request_t* r, std::size_t max, Reason too_large);

}  // namespace oidc::ngx
