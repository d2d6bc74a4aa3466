// SPDX-License-Identifier: Apache-2.0
// What oidc_provider says about connections to the provider.
#pragma once

#include "config/block.hpp"
#include "oidc/config.hpp"

namespace oidc::ngx {

char* set_ca_file(Block& b);
char* set_crl_file(Block& b);
char* set_http_proxy(Block& b);
char* set_proxy_password_file(Block& b);

}  // namespace oidc::ngx
