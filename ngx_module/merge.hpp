// SPDX-License-Identifier: Apache-2.0
// How a location's configuration follows from its own directives and those around it.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// For nginx. Also tells the server what the location needs of it.
char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept;

}  // namespace oidc::ngx
