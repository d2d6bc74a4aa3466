// SPDX-License-Identifier: Apache-2.0
#include "merge.hpp"

#include <algorithm>

#include "config/block.hpp"
#include "config/conf.hpp"
#include "config/lint_location.hpp"
#include "config/nginx_private.hpp"
#include "config/places.hpp"
#include "config/script_text.hpp"
#include "config/variable_use.hpp"
#include "oidc/bearer.hpp"
#include "oidc/text.hpp"
#include "status/resource_metadata.hpp"
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
    if (!conf.said.max_age) {
        conf.demand.max_age = prev.demand.max_age;
        conf.places.max_age = prev.places.max_age;
    }
    if (!conf.said.acr_values) {
        conf.demand.acr_values = prev.demand.acr_values;
        conf.places.acr_values = prev.places.acr_values;
    }
    if (conf.csrf == NGX_CONF_UNSET) {
        conf.csrf_origins = prev.csrf_origins;
    }
    ngx_conf_merge_value(conf.csrf, prev.csrf, 1);
    conf.step_up = conf.demand.empty() ? nullptr : &conf.demand;
    if (conf.require.empty()) {
        conf.require = prev.require;
    }
    if (conf.claim_rules == nullptr) {
        conf.claim_rules = prev.claim_rules;
    }
    if (!conf.said.require) {
        conf.places.require = prev.places.require;
        conf.required_by = prev.required_by;
    }
}

constexpr unsigned kServerDepth = 2;  // of Protection: the http level, the server

// A client must not say who asks it to sign in, nor that nobody does.
char* check_variables(ngx_conf_t* cf, const LocConf& conf) {
    for (const std::string_view name : read_script_text(view(conf.provider->value)).variables) {
        if (is_from_client(cf, name)) {
            return conf_error(cf, conf.places.provider,
                              "\"auth_oidc\" cannot take its value from \"$" + std::string(name) +
                                  "\", which the client chooses, it could choose \"off\": name "
                                  "the provider with a \"map\"");
        }
    }
    return conf_ok();
}

char* merge_provider(ngx_conf_t* cf, const MainConf& main, const LocConf& prev, LocConf& conf) {
    if (conf.said.provider == LevelRules::Provider::unsaid) {
        conf.provider = prev.provider;
        conf.static_provider = prev.static_provider;
        conf.static_group = prev.static_group;
        conf.places.provider = prev.places.provider;
    }
    if (conf.provider != nullptr && conf.provider->lengths == nullptr) {
        const std::string_view name = view(conf.provider->value);
        conf.static_provider = main.find_provider(name);
        conf.static_group = main.find_group(name);
        if (conf.static_provider == nullptr && conf.static_group == nullptr) {
            return conf_error(cf, conf.places.provider,
                              "unknown oidc_provider " + in_quotes(name) + " in \"auth_oidc\"");
        }
    }
    // Once for each auth_oidc; that of the http level by the servers.
    const bool here = conf.said.provider != LevelRules::Provider::unsaid ||
                      conf.protection.depth() == kServerDepth;
    const bool named = conf.static_provider != nullptr || conf.static_group != nullptr;
    return here && conf.provider != nullptr && !named ? check_variables(cf, conf) : conf_ok();
}

char* merge_protection(ngx_conf_t* cf, const MainConf& main, LocConf& prev, LocConf& conf) {
    if (prev.protection.depth() == 0) {
        prev.protection = Protection().inside(prev.said);  // the http level is merged into nothing
    }
    conf.protection = prev.protection.inside(conf.said);
    if (!conf.said.mode) {
        conf.places.mode = prev.places.mode;
    }
    ngx_conf_merge_uint_value(conf.mode, prev.mode, static_cast<ngx_uint_t>(Mode::require));
    merge_demand(prev, conf);
    return merge_provider(cf, main, prev, conf);
}

// A token is judged by one provider. What a variable names is known with the request, and could be
// a group.
char* check_bearer_provider(ngx_conf_t* cf, const MainConf& main, const LocConf& conf) {
    if (conf.static_provider != nullptr || (conf.static_group == nullptr && main.groups.empty())) {
        return conf_ok();
    }
    const ProviderGroup& group =
        conf.static_group != nullptr ? *conf.static_group : *main.groups.front();
    return conf_error(
        cf, conf.bearer_place,
        "\"auth_oidc_bearer\" takes the tokens of one provider, and \"auth_oidc\" " +
            std::string(conf.static_group != nullptr ? "names the oidc_provider_group "
                                                     : "could name the oidc_provider_group ") +
            in_quotes(group.name) + " here: name a provider, in a location for the programs");
}

char* merge_bearer(ngx_conf_t* cf, const MainConf& main, const LocConf& prev, LocConf& conf) {
    const bool said_on = conf.takes_tokens();
    if (conf.bearer == NGX_CONF_UNSET) {
        conf.bearer_place = prev.bearer_place;
    }
    ngx_conf_merge_value(conf.bearer, prev.bearer, 0);
    ngx_conf_merge_uint_value(conf.bearer_typ, prev.bearer_typ,
                              static_cast<ngx_uint_t>(AccessTokenTyp::at_jwt));
    if (conf.bearer_audience.empty()) {
        conf.bearer_audience = prev.bearer_audience;
    }
    if (!conf.bearer_scope_set) {
        conf.bearer_scope = prev.bearer_scope;
    }
    const bool off = conf.effective_mode() == Mode::off;
    if (said_on && off && conf.protection.depth() > kServerDepth) {
        return conf_error(cf, conf.bearer_place,
                          "\"auth_oidc_bearer\" needs a provider here: name it with "
                          "\"auth_oidc\", or remove \"auth_oidc_bearer\"");
    }
    if (off || !conf.takes_tokens()) {
        return conf_ok();
    }
    if (conf.bearer_audience.empty()) {
        return conf_error(cf, conf.bearer_place,
                          "\"auth_oidc_bearer\" needs \"auth_oidc_bearer_audience\" here or at an "
                          "outer level: a token that was made for another site must not open "
                          "this one");
    }
    if (char* rv = check_bearer_provider(cf, main, conf); rv != conf_ok()) {
        return rv;
    }
    const bool plain = conf.bearer_typ == static_cast<ngx_uint_t>(AccessTokenTyp::jwt);
    if (plain && conf.static_provider != nullptr &&
        std::find(conf.bearer_audience.begin(), conf.bearer_audience.end(),
                  conf.static_provider->config.client_id) != conf.bearer_audience.end()) {
        return conf_error(cf, conf.bearer_place,
                          "\"auth_oidc_bearer_typ jwt\" cannot tell access tokens from ID tokens "
                          "by the audience " +
                              in_quotes(conf.static_provider->config.client_id) +
                              ", which is the client_id: have the provider put another audience "
                              "into access tokens");
    }
    return conf_ok();
}

// By path, and by no other means.
bool is_plain_location(const ngx_http_core_loc_conf_t& location) noexcept {
#if (NGX_PCRE)
    if (location.regex != nullptr) {
        return false;
    }
#endif
    return location.named == 0 && location.noname == 0 && view(location.name).starts_with('/');
}

// oidc_resource_metadata: whose tokens, and of which resource the location tells.
char* merge_resource(ngx_conf_t* cf, const MainConf& main, const LocConf& prev, LocConf& conf,
                     const ngx_http_core_loc_conf_t& location, SrvConf& server) {
    if (location.noname != 0 && !prev.resource_provider.empty()) {
        // An `if` answers by the location's handler.
        conf.resource_metadata = true;
        conf.resource = prev.resource;
        conf.resource_provider = prev.resource_provider;
        return conf_ok();
    }
    if (!conf.resource_metadata) {
        return conf_ok();
    }
    if (conf.resource_provider.empty() && conf.static_provider != nullptr) {
        conf.resource_provider = conf.static_provider->config.name;
    }
    if (conf.resource_provider.empty() && main.providers.size() == 1) {
        conf.resource_provider = main.providers.front()->config.name;
    }
    if (main.find_provider(conf.resource_provider) == nullptr) {
        return conf_error(cf, conf.resource_place,
                          conf.resource_provider.empty()
                              ? "\"oidc_resource_metadata\" needs \"provider=\" with the name of "
                                "an oidc_provider here"
                              : "unknown oidc_provider " + in_quotes(conf.resource_provider) +
                                    " in \"oidc_resource_metadata\"");
    }
    const std::string_view path = view(location.name);
    const auto below = resource_of_metadata(path);
    if (!is_plain_location(location) || (!below && conf.resource.empty())) {
        return conf_error(cf, conf.resource_place,
                          "\"oidc_resource_metadata\" must be in a location of one path, as in "
                          "\"location = " +
                              std::string(kResourceMetadataPath) +
                              "/api\"; of another path it needs the URL of the resource");
    }
    server.resources.push_back(
        {std::string(path), conf.resource.empty() ? std::string(*below) : conf.resource});
    return conf_ok();
}

template <class T>
void add_once(std::vector<T*>& all, T* one) {
    if (std::find(all.begin(), all.end(), one) == all.end()) {
        all.push_back(one);
    }
}

// What the server of a location has to know of it.
void note_use(ngx_conf_t* cf, MainConf& main, const LocConf& conf) {
    auto& server =
        *static_cast<SrvConf*>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_auth_oidc_module));
    const auto& core = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core.handler == status_handler || core.handler == jwks_handler ||
        core.handler == sessions_handler || core.handler == resource_metadata_handler) {
        server.uses_oidc = true;
    }
    if (conf.provider == nullptr) {
        return;
    }
    server.uses_oidc = true;
    // Where the mode is off nobody signs in: that alone makes no endpoint.
    const bool asks = conf.effective_mode() != Mode::off;
    if (conf.static_group != nullptr) {
        conf.static_group->used = true;
        for (Provider* member : conf.static_group->members) {
            member->used = true;
            if (asks) {
                add_once(server.used_providers, member);
            }
        }
        if (asks) {
            add_once<const ProviderGroup>(server.used_groups, conf.static_group);
        }
    } else if (conf.static_provider != nullptr) {
        conf.static_provider->used = true;
        if (asks) {
            add_once(server.used_providers, conf.static_provider);
        }
    } else {
        server.dynamic_provider = server.dynamic_provider || asks;
        for (const auto& provider : main.providers) {
            provider->used = true;
        }
        for (const auto& group : main.groups) {
            group->used = true;
        }
    }
}

// auth_request goes to another location of the server, which is complete later.
void note_auth_request(ngx_conf_t* cf, SrvConf& server, const LocConf& prev, LocConf& conf,
                       const ngx_http_core_loc_conf_t& location) {
    const auto uri = auth_request_uri(cf, confs_of(cf));
    if (uri.value_or("").empty()) {
        return;
    }
    conf.asks = uri->data();
    conf.asks_itself = conf.asks != prev.asks;
    const bool open =
        conf.effective_mode() != Mode::require || location.satisfy == NGX_HTTP_SATISFY_ANY;
    const auto known = std::find_if(server.asks.begin(), server.asks.end(),
                                    [&uri](const SrvConf::Ask& ask) { return ask.uri == *uri; });
    if (known == server.asks.end()) {
        server.asks.push_back({std::string(*uri), location_label(location), open});
    } else if (open && !known->open) {
        *known = {std::string(*uri), location_label(location), open};
    }
}

}  // namespace

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept try {
    LocConf& prev = as_loc_conf(parent);
    LocConf& conf = as_loc_conf(child);
    MainConf& main = conf_main(cf);

    if (char* rv = merge_protection(cf, main, prev, conf); rv != conf_ok()) {
        return rv;
    }
    ngx_conf_merge_uint_value(conf.unauthorized, prev.unauthorized,
                              static_cast<ngx_uint_t>(Unauthorized::automatic));
    ngx_conf_merge_uint_value(conf.page_language, prev.page_language,
                              static_cast<ngx_uint_t>(Language::count_));
    ngx_conf_merge_value(conf.headers, prev.headers, 1);
    ngx_conf_merge_value(conf.assertion, prev.assertion, 0);
    if (!conf.passed_headers_set) {
        conf.passed_headers = prev.passed_headers;
    }
    if (conf.assertion_block == nullptr) {
        conf.assertion_block = prev.assertion_block;
    }
    if (conf.base_url.empty()) {
        conf.base_url = prev.base_url;
    }
    const bool says_headers = conf.header_rules_set;
    merge_header_rules(main, prev, conf);
    if (says_headers || conf.said.provider == LevelRules::Provider::named) {
        lint_group_headers(cf, conf);
    }
    conf.user_name_checked = checks_user_name(cf, confs_of(cf)).value_or(false);

    if (conf.session_info && conf.effective_mode() == Mode::off) {
        return conf_error(cf, conf.session_info_place,
                          "\"oidc_session_info\" needs \"auth_oidc\" here or at an outer level");
    }
    if (char* rv = merge_bearer(cf, main, prev, conf); rv != conf_ok()) {
        return rv;
    }
    note_use(cf, main, conf);
    auto& server =
        *static_cast<SrvConf*>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_auth_oidc_module));
    const auto& core = *static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    const auto& location = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (location.noname != 0 && !conf.jwks) {
        conf.jwks_provider = prev.jwks_provider;  // an `if` answers by the location's handler
    }
    if (char* rv = merge_resource(cf, main, prev, conf, location, server); rv != conf_ok()) {
        return rv;
    }
    main.levels.push_back({&conf, confs_of(cf), &core});
    note_auth_request(cf, server, prev, conf, location);
    if (char* rv = lint_directives(cf, conf); rv != conf_ok()) {
        return rv;
    }
    // Whether requests are answered at the server's own level is known later (lint_server).
    return &conf == &root_conf(core) ? conf_ok() : lint_location(cf, main, server, conf);
} catch (...) {
    return conf_exception(cf);
}

}  // namespace oidc::ngx
