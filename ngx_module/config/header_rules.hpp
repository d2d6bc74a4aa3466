// SPDX-License-Identifier: Apache-2.0
// HeaderRules of auth_oidc_header, made while the configuration is read.
#pragma once

#include <string>

#include "config/conf.hpp"

namespace oidc::ngx {

// The header of this normal name (oidc/header_name.hpp) is removed from every request.
void reserve_header(MainConf& main, const std::string& name);
// Copies the texts into the configuration's pool. False after a message.
bool make_header_rule(ngx_conf_t* cf, ngx_str_t name, ngx_str_t value, HeaderRule& out);

}  // namespace oidc::ngx
