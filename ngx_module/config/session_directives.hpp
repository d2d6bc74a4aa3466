// SPDX-License-Identifier: Apache-2.0
// What oidc_provider says about cookies, logouts and sessions.
#pragma once

#include "config/block.hpp"
#include "oidc/config.hpp"

namespace oidc::ngx {

char* set_cookie_name(Block& b);
char* set_cookie_domain(Block& b);
char* set_login_hosts(Block& b);
char* set_cookie_path(Block& b);
char* set_cookie_same_site(Block& b);
char* set_clear_cookies(Block& b);
char* set_strip_cookies(Block& b);
char* set_post_logout_param(Block& b);
char* set_logout_origins(Block& b);
char* set_session_store(Block& b);
char* set_idle_timeout(Block& b);
char* set_session_refresh(Block& b);
char* set_access_token_lifetime(Block& b);
char* set_session_limit(Block& b);
char* set_idle_ignore(Block& b);

}  // namespace oidc::ngx
