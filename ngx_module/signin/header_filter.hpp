// SPDX-License-Identifier: Apache-2.0
// What is added to, and kept out of, the headers of answers: our cookies, no-store, and under
// `satisfy any` the challenge when nobody else let the request in.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// Puts the filter in front of those that are there; for postconfiguration.
ngx_int_t header_filter_init() noexcept;

}  // namespace oidc::ngx
