// SPDX-License-Identifier: Apache-2.0
#include "config/conf.hpp"

#include <algorithm>

#include "oidc/server_name.hpp"

namespace oidc::ngx {

MainConf& main_conf(ngx_http_request_t* r) noexcept {
    return *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_auth_oidc_module));
}

SrvConf& srv_conf(ngx_http_request_t* r) noexcept {
    return *static_cast<SrvConf*>(ngx_http_get_module_srv_conf(r, ngx_http_auth_oidc_module));
}

LocConf& loc_conf(ngx_http_request_t* r) noexcept {
    return as_loc_conf(ngx_http_get_module_loc_conf(r, ngx_http_auth_oidc_module));
}

Store::~Store() {
    if (!keys.empty()) {
        cleanse(keys.data(), keys.size() * sizeof(AeadKey));
    }
}

MainConf& conf_main(ngx_conf_t* cf) noexcept {
    return *static_cast<MainConf*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_auth_oidc_module));
}

void* const* confs_of(ngx_conf_t* cf) noexcept {
    return static_cast<const ngx_http_conf_ctx_t*>(cf->ctx)->loc_conf;
}

LocConf& root_conf(const ngx_http_core_srv_conf_t& server) noexcept {
    return as_loc_conf(server.ctx->loc_conf[ngx_http_auth_oidc_module.ctx_index]);
}

MainConf* cycle_main_conf(ngx_cycle_t* cycle) noexcept {
    auto* conf = static_cast<MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_auth_oidc_module));
    return conf != nullptr && conf->in_use() ? conf : nullptr;
}

MainConf* running_main_conf() noexcept {
    // nginx's own variable is volatile, for signals.
    return cycle_main_conf(const_cast<ngx_cycle_t*>(ngx_cycle));
}

Provider* MainConf::find_provider(std::string_view name) const noexcept {
    for (const auto& provider : providers) {
        if (provider->config.name == name) {
            return provider.get();
        }
    }
    return nullptr;
}

bool Provider::is_login_host(std::string_view host) const noexcept {
    return is_host_name(host) &&
           std::any_of(login_hosts.begin(), login_hosts.end(),
                       [host](const std::string& name) { return matches_server_name(host, name); });
}

std::string Provider::origin_of(std::string_view login_host) const {
    // Below cookie_domain, so redirect_origin has no address in brackets.
    const std::size_t host = redirect_origin.find("://") + 3;
    const std::size_t port = std::min(redirect_origin.find(':', host), redirect_origin.size());
    return redirect_origin.substr(0, host).append(login_host).append(redirect_origin, port);
}

ProviderGroup* MainConf::find_group(std::string_view name) const noexcept {
    for (const auto& group : groups) {
        if (group->name == name) {
            return group.get();
        }
    }
    return nullptr;
}

CookieAttributes session_cookie_attributes(const Provider& provider, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    attributes.path = provider.cookie_path;
    attributes.domain = provider.cookie_domain;
    attributes.same_site = provider.cookie_same_site;
    return attributes;
}

}  // namespace oidc::ngx
