// SPDX-License-Identifier: Apache-2.0
// claim_source: whose claims a provider may leave to others.
#pragma once

#include "config/block.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

char* set_claim_source(Block& b);
// When all providers are known.
char* resolve_claim_sources(ngx_conf_t* cf, MainConf& main);

}  // namespace oidc::ngx
