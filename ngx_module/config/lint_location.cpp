// SPDX-License-Identifier: Apache-2.0
#include "config/lint_location.hpp"

#include <algorithm>
#include <cstring>

#include "config/nginx_private.hpp"
#include "config/places.hpp"
#include "config/script_text.hpp"
#include "config/variable_use.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

// Somebody has said who may come here, or that cannot be told. That a user is signed in is not
// enough: it takes a claim.
bool is_restricted(ngx_conf_t* cf, const LocConf& conf) noexcept {
    return has_access_control(cf, confs_of(cf)).value_or(true) ||
           (conf.effective_mode() == Mode::require && conf.requires_something());
}

char* refuse_fault(ngx_conf_t* cf, const ProtectionFault& fault, const LocConf& conf,
                   const std::string& where) {
    using Kind = ProtectionFault::Kind;
    const struct {
        std::string_view name;
        const Place& place;
    } demands[] = {{"auth_oidc_mode", conf.places.mode},
                   {conf.required_by != nullptr ? conf.required_by : "", conf.places.require},
                   {"auth_oidc_max_age", conf.places.max_age},
                   {"auth_oidc_acr_values", conf.places.acr_values}};
    const auto& [name, place] = demands[static_cast<std::size_t>(fault.demand)];
    switch (fault.kind) {
        case Kind::outer_mode:
            return conf_error(cf, conf.places.provider,
                              "\"auth_oidc_mode\" of an outer level would let everyone into " +
                                  where +
                                  ", for which \"auth_oidc\" names a provider: set "
                                  "\"auth_oidc_mode\" beside it");
        case Kind::no_provider:
            return conf_error(cf, place,
                              in_quotes(name) + " needs a provider in " + where +
                                  ": name it with \"auth_oidc\", or set \"auth_oidc off\" there");
        case Kind::off:
            return conf_error(cf, place,
                              in_quotes(name) + " is never asked for in " + where +
                                  ", where authentication is off: remove one of the two");
        case Kind::verify:
            return conf_error(cf, place,
                              in_quotes(name) + " would let everyone into " + where +
                                  " by the \"auth_oidc_mode verify\" of an outer level: set "
                                  "\"auth_oidc_mode\" beside it");
    }
    return conf_fail();
}

// What a level in which requests are answered means for its server.
void note_origin(const MainConf& main, SrvConf& server, const LocConf& conf) {
    const Mode mode = conf.effective_mode();
    if (mode == Mode::off) {
        return;
    }
    server.protects = server.protects || mode == Mode::require;
    const Provider* fixed = conf.static_provider;
    const auto is_https = [](const Provider* p) {
        return p->redirect_origin.starts_with("https:");
    };
    const bool all_https = conf.static_group != nullptr
                               ? std::all_of(conf.static_group->members.begin(),
                                             conf.static_group->members.end(), is_https)
                               : fixed != nullptr && is_https(fixed);
    if (!conf.base_url.starts_with("https:") && !(conf.base_url.empty() && all_https)) {
        server.plain_origin = true;
    }
    if (!conf.base_url.empty() || server.by_name != nullptr) {
        return;
    }
    const auto relative = [](const Provider& p) { return p.redirect_origin.empty(); };
    if (fixed != nullptr) {
        server.by_name = relative(*fixed) ? fixed : nullptr;
        return;
    }
    const auto found =
        std::find_if(main.providers.begin(), main.providers.end(), [&](const auto& p) {
            return relative(*p) && (conf.static_group == nullptr || conf.static_group->has(*p));
        });
    server.by_name = found != main.providers.end() ? found->get() : nullptr;
}

}  // namespace

// Nothing but the way to the site itself: a server without TLS that redirects to https.
bool only_leads_to_https(const Returns& returns, const Listening& listens) noexcept {
    return returns.any && returns.all_to_https && !listens.tls;
}

char* lint_level(ngx_conf_t* cf, const MainConf& main, SrvConf& server, const LocConf& conf,
                 const ngx_http_core_loc_conf_t& location) {
    if (const auto fault = conf.protection.fault()) {
        return refuse_fault(cf, *fault, conf, location_label(location));
    }
    note_origin(main, server, conf);
    if (conf.effective_mode() == Mode::require && location.noname == 0 &&
        location.satisfy == NGX_HTTP_SATISFY_ANY) {
        conf_warn(cf, conf.places.provider,
                  "\"satisfy any\" in " + location_label(location) +
                      " lets requests through that auth_oidc would refuse");
    }
    return conf_ok();
}

void warn_of_return(ngx_conf_t* cf, const Place& place, const std::string& where) {
    conf_warn(cf, place,
              "\"return\" in " + where +
                  " answers before auth_oidc is asked, what it sends is not protected");
}

namespace {

// That the location names, or could by variables; null: none.
const ProviderGroup* group_of(const MainConf& main, const LocConf& conf) {
    if (conf.static_provider != nullptr || conf.static_group != nullptr) {
        return conf.static_group;
    }
    const auto found = std::find_if(main.groups.begin(), main.groups.end(),
                                    [](const auto& g) { return g->members.size() > 1; });
    return found != main.groups.end() ? found->get() : nullptr;
}

}  // namespace

void lint_group_headers(ngx_conf_t* cf, const LocConf& conf) {
    const ProviderGroup* group = group_of(conf_main(cf), conf);
    if (group == nullptr || group->members.size() < 2 || conf.headers == 0 || conf.assertion == 1 ||
        conf.effective_mode() == Mode::off) {
        return;
    }
    bool tells = false;
    const bool gives = std::any_of(conf.header_rules.begin(), conf.header_rules.end(),
                                   [](const HeaderRule& rule) { return rule.value != nullptr; });
    for (const HeaderRule& rule : conf.header_rules) {
        if (rule.value == nullptr) {
            continue;
        }
        for (const std::string_view name : read_script_text(view(rule.value->value)).variables) {
            tells = tells || name == "oidc_provider" || name == "oidc_claim_iss" ||
                    is_made_here(cf, ascii_lower(name));
        }
    }
    if (gives && !tells) {
        conf_warn(cf, conf.places.provider,
                  "no \"auth_oidc_header\" in " + location_label(core_of(confs_of(cf))) +
                      " says of which provider of oidc_provider_group " + in_quotes(group->name) +
                      " a user is, two of the same name are one for the backend: add "
                      "\"auth_oidc_header Remote-Provider $oidc_provider\"");
    }
}

char* lint_directives(ngx_conf_t* cf, const LocConf& conf) {
    const auto& location = core_of(confs_of(cf));
    const auto& server = *static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    const Place place = or_server(conf.places.provider, server);

    if (!conf.jwks_provider.empty()) {
        const Provider* provider = conf_main(cf).find_provider(conf.jwks_provider);
        if (provider == nullptr || !publishes_keys(provider->config)) {
            return conf_error(
                cf, place,
                "\"oidc_jwks " + conf.jwks_provider + "\" in " + location_label(location) +
                    (provider == nullptr ? " names no oidc_provider"
                                         : ": that provider has no \"client_key\" and no "
                                           "\"id_token_encryption_key\""));
        }
    } else if (conf.jwks && conf.assertion_block == nullptr) {
        return conf_error(cf, place,
                          "\"oidc_jwks\" in " + location_label(location) +
                              " needs an \"oidc_assertion\" block here or at an outer level");
    }
    if (conf.assertion == 1 && conf.assertion_block == nullptr) {
        return conf_error(
            cf, place,
            "\"auth_oidc_assertion\" is on in " + location_label(location) +
                ", but there is no \"oidc_assertion\" block here or at an outer level");
    }
    if (conf.sessions && !is_restricted(cf, conf)) {
        return conf_error(cf, conf.sessions_place,
                          "\"oidc_sessions\" in " + location_label(location) +
                              " is open to everyone, say who may use it with \"allow\" and "
                              "\"deny\", \"auth_basic\", \"auth_request\" or \"auth_oidc\" with "
                              "\"auth_oidc_require\" or \"auth_oidc_require_claim\"");
    }
    // Issuers, errors and versions; somebody who is signed in may see them.
    if (conf.status && !is_restricted(cf, conf) && conf.effective_mode() != Mode::require &&
        !listens_locally(cf, server)) {
        conf_warn(cf, conf.status_place,
                  "\"oidc_status\" in " + location_label(location) +
                      " is open to everyone, say who may see it with \"allow\" and \"deny\", or "
                      "let its server listen on 127.0.0.1");
    }
    return conf_ok();
}

char* lint_location(ngx_conf_t* cf, const MainConf& main, SrvConf& server, const LocConf& conf) {
    const auto& location = core_of(confs_of(cf));
    const auto& core = *static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    if (location.noname != 0 && location.name.len == 0) {
        return conf_ok();  // `if` at server level, in which nothing is ever answered
    }
    const Returns returns = returns_of(cf, confs_of(cf)).value_or(Returns());
    const bool leads = only_leads_to_https(returns, listening(cf, core));
    if (leads && returns.always) {
        return conf_ok();
    }
    if (char* rv = lint_level(cf, main, server, conf, location); rv != conf_ok()) {
        return rv;
    }
    if (conf.effective_mode() == Mode::require && location.noname == 0 && returns.any && !leads) {
        warn_of_return(cf, or_server(conf.places.provider, core), location_label(location));
    }
    return conf_ok();
}

}  // namespace oidc::ngx
