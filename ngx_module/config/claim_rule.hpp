// SPDX-License-Identifier: Apache-2.0
// ClaimRules of auth_oidc_require_claim, made while the configuration is read.
#pragma once

#include <span>

#include "base/ngx.hpp"
#include "oidc/claim_rules.hpp"

namespace oidc::ngx {

// What one directive says; its regular expressions lie in the configuration's pool. False after a
// message.
bool read_claim_rule(ngx_conf_t* cf, std::span<const ngx_str_t> arguments, ClaimRule& out);

}  // namespace oidc::ngx
