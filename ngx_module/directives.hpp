// SPDX-License-Identifier: Apache-2.0
// The table of the module's directives.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

extern ngx_command_t oidc_commands[];

}  // namespace oidc::ngx
