// SPDX-License-Identifier: Apache-2.0
// What is wrong or unwise in a server: NGX_CONF_OK, or NGX_CONF_ERROR after a message.
#pragma once

#include <span>

#include "config/conf.hpp"

namespace oidc::ngx {

// A server, before and after its endpoints are known.
char* lint_root(ngx_conf_t* cf, const MainConf& main, const ngx_http_core_srv_conf_t& server,
                SrvConf& conf);
char* lint_server(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const SrvConf& conf);
// All servers, when each is known: warns of those whose logins end at another and do not come back.
void lint_login_hosts(ngx_conf_t* cf, const MainConf& main,
                      std::span<const ngx_http_core_srv_conf_t* const> servers);
// NGX_ERROR after a message: another module with the same directives is loaded.
ngx_int_t lint_foreign_module(ngx_conf_t* cf) noexcept;

}  // namespace oidc::ngx
