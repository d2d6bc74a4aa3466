// SPDX-License-Identifier: Apache-2.0
// What is wrong or unwise in a configuration that can be read. Each answers NGX_CONF_OK, or
// NGX_CONF_ERROR after a message.
#pragma once

#include "config/block.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// A provider's block is complete: missing, contradictory and insecure settings.
char* lint_provider(ngx_conf_t* cf, Provider& provider, const Block& block);
// For messages.
std::string location_label(const ngx_http_core_loc_conf_t& location);
// What is set at one level, after its merge.
char* lint_directives(ngx_conf_t* cf, const LocConf& conf);
// A location after its merge; the server is told what it has to know of it.
char* lint_location(ngx_conf_t* cf, const MainConf& main, SrvConf& server, const LocConf& conf);
// A server, before and after its endpoints are known.
char* lint_root(ngx_conf_t* cf, const MainConf& main, const ngx_http_core_srv_conf_t& server,
                SrvConf& conf);
char* lint_server(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const SrvConf& conf);
// All providers, once their stores are known and their uses counted: warnings only.
void lint_providers(ngx_conf_t* cf, const MainConf& main);
// What is kept for everybody and was for one, once all levels are merged: warnings only.
void lint_caches(ngx_conf_t* cf, const MainConf& main);
// Ways around the sign-in to a backend that goes by our headers, once all levels are merged:
// warnings only.
void lint_backends(ngx_conf_t* cf, const MainConf& main);
// NGX_ERROR after a message: another module with the same directives is loaded.
ngx_int_t lint_foreign_module(ngx_conf_t* cf) noexcept;

}  // namespace oidc::ngx
