// SPDX-License-Identifier: Apache-2.0
// The directive `oidc_provider name { }`.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

char* set_provider(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;

}  // namespace oidc::ngx
