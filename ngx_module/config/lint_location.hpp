// SPDX-License-Identifier: Apache-2.0
// What is wrong or unwise at one level: NGX_CONF_OK, or NGX_CONF_ERROR after a message.
#pragma once

#include "config/conf.hpp"
#include "config/nginx_private.hpp"

namespace oidc::ngx {

// What is set at one level, after its merge.
// Backends that know users by their names have to be told of which provider they are.
void lint_group_headers(ngx_conf_t* cf, const LocConf& conf);
char* lint_directives(ngx_conf_t* cf, const LocConf& conf);
// A level in which requests are answered, a location or a server itself.
char* lint_level(ngx_conf_t* cf, const MainConf& main, SrvConf& server, const LocConf& conf,
                 const ngx_http_core_loc_conf_t& location);
// A server without TLS that sends everybody to https: what it answers needs no protection.
bool only_leads_to_https(const Returns& returns, const Listening& listens) noexcept;
void warn_of_return(ngx_conf_t* cf, const Place& place, const std::string& where);
// A location after its merge; the server is told what it has to know of it.
char* lint_location(ngx_conf_t* cf, const MainConf& main, SrvConf& server, const LocConf& conf);

}  // namespace oidc::ngx
