// SPDX-License-Identifier: Apache-2.0
#include "merge.hpp"

#include <algorithm>

#include "config/block.hpp"
#include "config/conf.hpp"
#include "config/lint.hpp"
#include "oidc/text.hpp"
#include "status/sessions_admin.hpp"
#include "status/status.hpp"

namespace oidc::ngx {

namespace {

// Inherited entries in front, those that were given here at their own place; a name given here
// replaces the inherited one.
void merge_header_rules(const MainConf& main, const LocConf& prev, LocConf& conf) {
    if (!conf.header_rules_set && !prev.header_rules_set) {
        conf.header_rules = main.default_header_rules;
        return;
    }
    std::vector<HeaderRule> merged;
    if (prev.header_rules_set) {
        for (const HeaderRule& inherited : prev.header_rules) {
            if (std::none_of(conf.header_rules.begin(), conf.header_rules.end(),
                             [&](const HeaderRule& own) {
                                 return own.normal_name == inherited.normal_name;
                             })) {
                merged.push_back(inherited);
            }
        }
    }
    if (conf.header_rules_set) {
        merged.insert(merged.end(), conf.header_rules.begin(), conf.header_rules.end());
    }
    conf.header_rules = std::move(merged);
    conf.header_rules_set = true;
}

void merge_demand(const LocConf& prev, LocConf& conf) {
    if (!conf.max_age_set) {
        conf.demand.max_age = prev.demand.max_age;
    }
    if (!conf.acr_values_set) {
        conf.demand.acr_values = prev.demand.acr_values;
    }
    conf.step_up = conf.demand.empty() ? nullptr : &conf.demand;
}

char* merge_provider(ngx_conf_t* cf, const MainConf& main, const LocConf& prev, LocConf& conf) {
    if (conf.provider_set == NGX_CONF_UNSET) {
        conf.provider_set = prev.provider_set == 1 ? 1 : 0;
        conf.provider_off = prev.provider_off == 1 ? 1 : 0;
        conf.provider = prev.provider;
        conf.place = prev.place;
    }
    if (conf.provider != nullptr && conf.provider->lengths == nullptr) {
        const std::string_view name = view(conf.provider->value);
        conf.static_provider = main.find_provider(name);
        if (conf.static_provider == nullptr) {
            return conf_error(cf, conf.place,
                              "unknown oidc_provider " + in_quotes(name) + " in \"auth_oidc\"");
        }
    }
    return conf_ok();
}

// What the server of a location has to know of it.
void note_use(ngx_conf_t* cf, MainConf& main, const LocConf& conf) {
    auto& server =
        *static_cast<SrvConf*>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_auth_oidc_module));
    const auto& core = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core.handler == status_handler || core.handler == jwks_handler ||
        core.handler == sessions_handler) {
        server.uses_oidc = true;
    }
    if (conf.provider == nullptr) {
        return;
    }
    server.uses_oidc = true;
    if (conf.static_provider == nullptr) {
        server.dynamic_provider = true;
        for (const auto& provider : main.providers) {
            provider->used = true;
        }
    } else {
        conf.static_provider->used = true;
        if (std::find(server.used_providers.begin(), server.used_providers.end(),
                      conf.static_provider) == server.used_providers.end()) {
            server.used_providers.push_back(conf.static_provider);
        }
    }
    const bool https = conf.base_url.starts_with("https:") ||
                       (conf.base_url.empty() && conf.static_provider != nullptr &&
                        conf.static_provider->redirect_origin.starts_with("https:"));
    if (conf.effective_mode() != Mode::off && !https) {
        server.plain_origin = true;
    }
}

}  // namespace

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept try {
    const LocConf& prev = as_loc_conf(parent);
    LocConf& conf = as_loc_conf(child);
    MainConf& main = conf_main(cf);

    if (char* rv = merge_provider(cf, main, prev, conf); rv != conf_ok()) {
        return rv;
    }
    ngx_conf_merge_uint_value(conf.mode, prev.mode, static_cast<ngx_uint_t>(Mode::require));
    ngx_conf_merge_uint_value(conf.unauthorized, prev.unauthorized,
                              static_cast<ngx_uint_t>(Unauthorized::automatic));
    ngx_conf_merge_value(conf.headers, prev.headers, 1);
    ngx_conf_merge_value(conf.assertion, prev.assertion, 0);
    if (conf.base_url.empty()) {
        conf.base_url = prev.base_url;
    }
    if (!conf.require_set) {
        conf.require = prev.require;
        conf.require_set = prev.require_set;
    }
    merge_header_rules(main, prev, conf);
    merge_demand(prev, conf);

    if (conf.session_info && conf.effective_mode() == Mode::off) {
        return conf_error(cf, conf.session_info_place,
                          "\"oidc_session_info\" needs \"auth_oidc\" here or at an outer level");
    }
    note_use(cf, main, conf);
    return lint_location(cf, main, conf);
} catch (...) {
    return conf_exception(cf);
}

}  // namespace oidc::ngx
