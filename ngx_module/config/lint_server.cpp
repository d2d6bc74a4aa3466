// SPDX-License-Identifier: Apache-2.0
#include "config/lint_server.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "config/group_directives.hpp"
#include "config/lint_location.hpp"
#include "config/nginx_private.hpp"
#include "config/places.hpp"
#include "oidc/cookie.hpp"
#include "oidc/server_name.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

char* check_callback_location(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server,
                              const Endpoint& endpoint) {
    const Provider& p = *endpoint.provider;
    const auto found = find_location(server, endpoint.path);
    if (!found.has_value()) {
        return conf_ok();
    }
    // The server's own level does not know its loc_conf in older nginx.
    void** confs = *found != nullptr ? (*found)->loc_conf : server.ctx->loc_conf;
    const auto& location = core_of(confs);
    const auto& conf = as_loc_conf(confs[ngx_http_auth_oidc_module.ctx_index]);
    const std::string path = "callback path " + in_quotes(endpoint.path) + " of " + label(p);

    if (conf.protection.says_off()) {
        return conf_error(cf, or_server(conf.places.provider, server),
                          path + " lies under \"auth_oidc off\" in " + location_label(location));
    }
    if (!p.config.callback_forward) {
        return conf_ok();
    }
    if (conf.provider == nullptr ||
        (conf.static_provider != nullptr && conf.static_provider != endpoint.provider) ||
        (conf.static_group != nullptr && !conf.static_group->has(p))) {
        return conf_error(cf, or_server(conf.places.provider, server),
                          path + " is forwarded to " + location_label(location) +
                              ", where auth_oidc does not name this provider");
    }
    return conf_ok();
}

// A logout must not depend on it, so it is a warning only.
void check_logout_hook(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const Provider& p) {
    if (p.logout_hook.empty()) {
        return;
    }
    const auto found = find_location(server, p.logout_hook);
    if (!found.has_value() || *found != nullptr) {
        return;
    }
    conf_warn(cf, place_of(server),
              "no location of this server takes the \"logout_hook\" " + in_quotes(p.logout_hook) +
                  " of " + label(p));
}

// What auth_request asks is a subrequest, which is refused where auth_oidc holds and nobody is
// signed in.
void check_auth_request(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server,
                        const SrvConf::Ask& ask) {
    const auto found =
        find_location(server, std::string_view(ask.uri).substr(0, ask.uri.find('?')));
    if (!found.has_value() || *found == nullptr) {
        return;
    }
    const ngx_http_core_loc_conf_t& location = **found;
    const auto& conf = as_loc_conf(location.loc_conf[ngx_http_auth_oidc_module.ctx_index]);
    if (conf.effective_mode() != Mode::require ||
        conf.said.provider != LevelRules::Provider::unsaid || conf.said.mode ||
        (location.internal == 0 && !ask.open)) {
        return;
    }
    conf_warn(cf, or_server(conf.places.provider, server),
              "\"auth_request\" in " + ask.location + " asks " + location_label(location) +
                  ", which inherits auth_oidc and refuses whoever is not signed in: it needs "
                  "\"auth_oidc off\"");
}

// auth_request comes after the endpoints, which are there for people who are not signed in. One
// that stands in the very location of an endpoint was meant for it.
void check_unasked(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server,
                   const Endpoint& endpoint) {
    const auto found = find_location(server, endpoint.path);
    const bool forwarded =
        endpoint.kind == Endpoint::Kind::callback && endpoint.provider->config.callback_forward;
    if (!found.has_value() || *found == nullptr || forwarded) {
        return;
    }
    const ngx_http_core_loc_conf_t& location = **found;
    const auto& conf = as_loc_conf(location.loc_conf[ngx_http_auth_oidc_module.ctx_index]);
    if (conf.asks_itself && location.exact_match == 1) {
        conf_warn(cf, or_server(conf.places.provider, server),
                  "\"auth_request\" in " + location_label(location) +
                      " is not asked, the module answers there before: restrict it with "
                      "\"allow\" and \"deny\"");
    }
}

// The redirect URI that nginx makes of where a connection came to.
std::string redirect_uri_by_address(const ngx_http_core_srv_conf_t& server,
                                    const Listening& listens, const std::string& path) {
    constexpr in_port_t kHttp = 80;
    constexpr in_port_t kHttps = 443;
    const std::span names(static_cast<const ngx_http_server_name_t*>(server.server_names.elts),
                          server.server_names.nelts);
    const auto address = std::find_if(
        names.begin(), names.end(), [](const auto& name) { return is_host_name(view(name.name)); });
    std::string host = "localhost";
    bool any_address = false;
    if (address != names.end()) {
        host = view(address->name);
    } else if (listens.first != nullptr && listens.first_port != 0) {
        const std::string_view text = view(listens.first->addr_text);
        host = text.substr(0, text.rfind(':'));
        any_address = host == "0.0.0.0" || host == "[::]" || host == "*";
    }
    if (any_address) {
        host = "ADDRESS";
    }
    std::string uri = (listens.tls ? "https://" : "http://") + host;
    if (listens.first_port != 0 && listens.first_port != (listens.tls ? kHttps : kHttp)) {
        uri += ':' + std::to_string(listens.first_port);
    }
    uri = in_quotes(uri + path);
    return any_address ? uri + " with the address that the connection came to" : uri;
}

// Where the redirect URI is made of a name of the server there must be one.
char* check_names(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const SrvConf& conf,
                  const Listening& listens) {
    if (conf.by_name == nullptr) {
        return conf_ok();
    }
    bool usable = false;
    const std::span names(static_cast<const ngx_http_server_name_t*>(server.server_names.elts),
                          server.server_names.nelts);
    for (const ngx_http_server_name_t& name : names) {
#if (NGX_PCRE)
        if (name.regex != nullptr) {
            return conf_error(
                cf, place_of(server),
                "a regular expression in \"server_name\" does not say which hosts are "
                "this server: set the public address in \"oidc_base_url\", or write "
                "the names out");
        }
#endif
        usable = usable || names_public_host(ascii_lower(view(name.name)));
    }
    if (!usable) {
        conf_warn(cf, place_of(server),
                  "the redirect URI of this server will be " +
                      redirect_uri_by_address(server, listens, conf.by_name->callback_path) +
                      ", no \"server_name\" of it is a public name: set the public address in "
                      "\"oidc_base_url\"");
    }
    return conf_ok();
}

// Two sessions of one browser cannot lie in one cookie.
void check_cookie_names(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const Provider& a,
                        const Provider& b) {
    if (share_a_group(a, b)) {
        return;
    }
    const bool meet = is_cookie_path(a.cookie_path, b.cookie_path) ||
                      is_cookie_path(b.cookie_path, a.cookie_path);
    if (&a != &b && meet && a.session_cookie_https == b.session_cookie_https) {
        conf_warn(cf, place_of(server),
                  label(a) + " and " + label(b) + " share the session cookie " +
                      in_quotes(a.cookie_name) +
                      " on this server, so that a login at one ends the session at the other: "
                      "give each its own \"cookie_name\"");
    }
}

bool has_name(const SrvConf& conf, std::string_view host) {
    return std::any_of(conf.server_names.begin(), conf.server_names.end(),
                       [host](const auto& name) { return matches_server_name(host, name); });
}

// The name of a public host of the server whose logins do not return to it; empty: there is none.
std::string_view unlisted(const SrvConf& conf, const Provider& p) {
    for (const std::string& name : conf.server_names) {
        const bool listed =
            name == p.redirect_host || p.is_login_host(name) ||
            std::find(p.login_hosts.begin(), p.login_hosts.end(), name) != p.login_hosts.end();
        if (names_public_host(name) && !listed) {
            return name;
        }
    }
    return {};
}

const SrvConf& conf_of(const ngx_http_core_srv_conf_t& server) {
    return *static_cast<const SrvConf*>(server.ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index]);
}

bool has_callback(const SrvConf& conf, const Provider& p) {
    return std::any_of(conf.endpoints.begin(), conf.endpoints.end(), [&p](const Endpoint& e) {
        return e.kind == Endpoint::Kind::callback && e.provider == &p;
    });
}

}  // namespace

void lint_login_hosts(ngx_conf_t* cf, const MainConf& main,
                      std::span<const ngx_http_core_srv_conf_t* const> servers) {
    for (const auto& p : main.providers) {
        const bool ends_here = std::any_of(servers.begin(), servers.end(), [&](const auto* server) {
            return has_callback(conf_of(*server), *p) &&
                   has_name(conf_of(*server), p->redirect_host);
        });
        if (p->redirect_origin.empty() || !ends_here) {
            continue;
        }
        for (const ngx_http_core_srv_conf_t* server : servers) {
            const SrvConf& conf = conf_of(*server);
            const std::string_view name = unlisted(conf, *p);
            if (!has_callback(conf, *p) || name.empty() || !root_conf(*server).base_url.empty()) {
                continue;
            }
            conf_warn(cf, place_of(*server),
                      "logins of " + label(*p) + " that begin at " + in_quotes(name) +
                          " do not return there, \"redirect_uri\" leads to " +
                          in_quotes(p->redirect_host) +
                          ": name the host in \"login_hosts\", or let \"redirect_uri\" be a path");
        }
    }
}

char* lint_root(ngx_conf_t* cf, const MainConf& main, const ngx_http_core_srv_conf_t& server,
                SrvConf& conf) {
    void* const* level = server.ctx->loc_conf;
    const LocConf& root = root_conf(server);
    const Returns returns = returns_of(cf, level).value_or(Returns());
    if (!returns.always && !is_covered(server).value_or(false)) {
        if (char* rv = lint_level(cf, main, conf, root, core_of(level)); rv != conf_ok()) {
            return rv;
        }
    }
    const bool protects = conf.protects || root.effective_mode() == Mode::require;
    if (protects && returns.any && !only_leads_to_https(returns, listening(cf, server))) {
        warn_of_return(cf, place_of(server), "this server");
    }
    return conf_ok();
}

char* lint_server(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, const SrvConf& conf) {
    const Place place = place_of(server);
    for (std::size_t i = 0; i < conf.endpoints.size(); i++) {
        for (std::size_t j = 0; j < i; j++) {
            const Endpoint& a = conf.endpoints[j];
            const Endpoint& b = conf.endpoints[i];
            if (a.kind == Endpoint::Kind::callback && b.kind == Endpoint::Kind::callback) {
                check_cookie_names(cf, server, *a.provider, *b.provider);
            }
            if (a.path != b.path) {
                continue;
            }
            if (const ProviderGroup* group = b.group != nullptr ? b.group : a.group) {
                return conf_error(
                    cf, place,
                    "oidc_provider_group " + in_quotes(group->name) + " and " +
                        (a.group != nullptr ? "oidc_provider_group " + in_quotes(a.group->name)
                                            : label(*a.provider)) +
                        " share the path " + in_quotes(a.path) +
                        " on this server, give the group its own \"choice_uri\"");
            }
            // The session says which of them ends.
            const bool one_logout = a.kind == Endpoint::Kind::logout && a.kind == b.kind &&
                                    share_a_group(*a.provider, *b.provider);
            if (a.provider != b.provider && !one_logout) {
                const bool callback = a.kind == b.kind && a.kind == Endpoint::Kind::callback;
                return conf_error(
                    cf, place,
                    label(*a.provider) + " and " + label(*b.provider) + " share the " +
                        (callback ? "callback" : "callback, login or logout") + " path " +
                        in_quotes(a.path) +
                        " on this server, give each its own \"redirect_uri\" and \"logout_uri\"");
            }
        }
    }
    for (const Endpoint& endpoint : conf.endpoints) {
        check_unasked(cf, server, endpoint);
        if (endpoint.kind != Endpoint::Kind::callback) {
            continue;
        }
        check_logout_hook(cf, server, *endpoint.provider);
        if (char* rv = check_callback_location(cf, server, endpoint); rv != conf_ok()) {
            return rv;
        }
    }
    for (const SrvConf::Ask& ask : conf.asks) {
        check_auth_request(cf, server, ask);
    }
    for (const Endpoint& endpoint : conf.endpoints) {
        if (!endpoint.provider->login_hosts.empty() && !root_conf(server).base_url.empty()) {
            return conf_error(cf, place,
                              "\"oidc_base_url\" cannot be combined with \"login_hosts\" of " +
                                  label(*endpoint.provider) +
                                  ", by which each host of this server is an origin of its own");
        }
    }
    const Listening listens = listening(cf, server);
    if (conf.plain_origin && !listens.tls) {
        conf_warn(cf, place,
                  "this server uses auth_oidc without TLS: add \"ssl\" to \"listen\", or name the "
                  "public https address in \"oidc_base_url\"");
    }
    return check_names(cf, server, conf, listens);
}

ngx_int_t lint_foreign_module(ngx_conf_t* cf) noexcept try {
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != nullptr; i++) {
        const ngx_module_t& module = *cf->cycle->modules[i];
        if (&module == &ngx_http_auth_oidc_module || module.type != NGX_HTTP_MODULE ||
            module.commands == nullptr) {
            continue;
        }
        for (const ngx_command_t* c = module.commands; c->name.len != 0; c++) {
            if (view(c->name) == "oidc_provider") {
                conf_error(cf, "module " + in_quotes(module.name) +
                                   " has the same directives as \"ngx_http_auth_oidc_module\", "
                                   "only one of the two can be loaded");
                return NGX_ERROR;
            }
        }
    }
    return NGX_OK;
} catch (...) {
    conf_exception(cf);
    return NGX_ERROR;
}

}  // namespace oidc::ngx
