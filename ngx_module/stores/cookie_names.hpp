// SPDX-License-Identifier: Apache-2.0
// The names of the cookies that sessions of type cookie take.
#pragma once

#include "config/conf.hpp"

namespace oidc::ngx {

// Checks what the providers with a store of type cookie ask for, and reserves the names of their
// chunks in main.session_cookies; for postconfiguration. NGX_CONF_OK, or an error was logged.
char* reserve_session_cookies(ngx_conf_t* cf, MainConf& main);

}  // namespace oidc::ngx
