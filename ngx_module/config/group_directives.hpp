// SPDX-License-Identifier: Apache-2.0
// oidc_provider_group { }: providers of which any will do at a location.
#pragma once

#include "config/conf.hpp"

namespace oidc::ngx {

char* set_provider_group(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;

// Finds the providers of all groups, which may stand behind them.
char* resolve_groups(ngx_conf_t* cf, MainConf& main);

// A browser that signs in at one of the two has no session at the other any more, and is meant to.
bool share_a_group(const Provider& a, const Provider& b) noexcept;

}  // namespace oidc::ngx
