// SPDX-License-Identifier: Apache-2.0
// What is wrong or unwise in a provider: NGX_CONF_OK, or NGX_CONF_ERROR after a message.
#pragma once

#include "config/block.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// A provider's block is complete: missing, contradictory and insecure settings.
char* lint_provider(ngx_conf_t* cf, Provider& provider, const Block& block);
// login_hosts, when redirect_uri has been read.
char* check_login_hosts(ngx_conf_t* cf, const Provider& provider, const Block& block);
// All providers, once their stores are known and their uses counted: warnings only.
void lint_providers(ngx_conf_t* cf, const MainConf& main);

}  // namespace oidc::ngx
