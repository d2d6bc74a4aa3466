// SPDX-License-Identifier: Apache-2.0
#include "config/lint.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/nginx_private.hpp"
#include "oidc/cookie.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

// ---- providers -------------------------------------------------------------------------------

namespace {

Place place_of(const ngx_http_core_srv_conf_t& server) {
    if (server.file_name == nullptr) {
        return {};
    }
    return {{ngx_strlen(server.file_name), server.file_name}, server.line};
}

std::string label(const Provider& p) {
    return "oidc_provider " + in_quotes(p.config.name);
}

char* check_urls(ngx_conf_t* cf, const ProviderConfig& c, const Block& block) {
    struct Entry {
        std::string_view name;
        const std::string& url;
    };
    const std::array<Entry, 8> entries{{{"issuer", c.issuer},
                                        {"config_url", c.config_url},
                                        {"authorization_endpoint", c.authorization_endpoint},
                                        {"token_endpoint", c.token_endpoint},
                                        {"userinfo_endpoint", c.userinfo_endpoint},
                                        {"jwks_uri", c.jwks_uri},
                                        {"end_session_endpoint", c.end_session_endpoint},
                                        {"revocation_endpoint", c.revocation_endpoint}}};
    for (const Entry& entry : entries) {
        if (entry.url.empty()) {
            continue;
        }
        const Result<Url> url = parse_endpoint(entry.url, entry.name, c.insecure_http);
        if (!url) {
            return conf_error(cf, block.where(entry.name), url.error().detail);
        }
    }
    if (c.issuer.find('?') != std::string::npos) {
        return conf_error(cf, block.where("issuer"), "\"issuer\" must not have a query");
    }
    const std::string& after = c.post_logout_uri;
    if (after.starts_with('/') ? !is_safe_return_target(after) : !after.empty()) {
        const Result<Url> url = parse_endpoint(after, "post_logout_uri", c.insecure_http);
        if (!url) {
            return conf_error(cf, block.where("post_logout_uri"), url.error().detail);
        }
    }
    return conf_ok();
}

char* check_client(ngx_conf_t* cf, const ProviderConfig& c, const Block& block) {
    const Place method = block.where("token_endpoint_auth_method");
    if (c.client_auth == ClientAuth::none && !c.client_secret.empty()) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method none\" cannot be combined with a client "
                          "secret");
    }
    if ((c.client_auth == ClientAuth::basic || c.client_auth == ClientAuth::post) &&
        c.client_secret.empty()) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method\" needs \"client_secret\" or "
                          "\"client_secret_file\"");
    }
    if (c.client_secret.empty() &&
        std::any_of(c.id_token_algs.begin(), c.id_token_algs.end(), alg_is_symmetric)) {
        return conf_error(cf, block.where("id_token_signed_response_alg"),
                          "\"id_token_signed_response_alg\" with an HS algorithm needs "
                          "\"client_secret\" or \"client_secret_file\"");
    }
    if (c.pkce == Toggle::off && block.given("code_challenge_method")) {
        return conf_error(cf, block.where("code_challenge_method"),
                          "\"code_challenge_method\" cannot be combined with \"pkce off\"");
    }
    return conf_ok();
}

}  // namespace

char* lint_provider(ngx_conf_t* cf, Provider& p, const Block& block) {
    const ProviderConfig& c = p.config;
    for (const std::string_view name : {"issuer", "client_id"}) {
        if (!block.given(name)) {
            return conf_error(cf, p.place, in_quotes(name) + " is missing in " + label(p));
        }
    }
    const auto exclusive = [&](std::string_view a, std::string_view b) {
        return conf_error(
            cf, p.place,
            in_quotes(a) + " and " + in_quotes(b) + " cannot both be given in " + label(p));
    };
    if (block.given("client_secret") && block.given("client_secret_file")) {
        return exclusive("client_secret", "client_secret_file");
    }
    if (block.given("jwks_uri") && block.given("jwks_file")) {
        return exclusive("jwks_uri", "jwks_file");
    }
    if (char* rv = check_urls(cf, c, block); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_client(cf, c, block); rv != conf_ok()) {
        return rv;
    }
    if (!p.logout_path.empty() && !is_cookie_path(p.logout_path, p.cookie_path)) {
        return conf_error(cf, block.where("logout_uri"),
                          "\"logout_uri\" " + in_quotes(p.logout_path) +
                              " is not below \"cookie_path\" " + in_quotes(p.cookie_path) +
                              ", so browsers would not send there the session that is to end");
    }
    if (c.userinfo && !c.needs_discovery() && c.userinfo_endpoint.empty()) {
        if (!p.logout_path.empty() && !is_cookie_path(p.logout_path, p.cookie_path)) {
            return conf_error(cf, block.where("logout_uri"),
                              "\"logout_uri\" " + in_quotes(p.logout_path) +
                                  " is not below \"cookie_path\" " + in_quotes(p.cookie_path) +
                                  ", so browsers would not send there the session that is to end");
        }
        return conf_error(cf, block.where("userinfo"),
                          "\"userinfo\" needs \"userinfo_endpoint\" when all other endpoints are "
                          "given, no metadata is fetched then");
    }
    if (c.insecure_http) {
        conf_warn(cf, block.where("insecure_http"),
                  "\"insecure_http\" is on: tokens and secrets of " + label(p) +
                      " may travel unencrypted, for laboratories only");
    }
    return conf_ok();
}

void lint_providers(ngx_conf_t* cf, const MainConf& main) {
    for (const auto& p : main.providers) {
        if (!p->used) {
            conf_warn(cf, p->place, label(*p) + " is not used by any auth_oidc");
        }
        if (!p->frontchannel_path.empty() && p->store->type == Store::Type::cookie &&
            p->cookie_same_site != "None") {
            conf_warn(cf, p->place,
                      "\"frontchannel_logout_uri\" of " + label(*p) +
                          " ends no session: with \"type cookie\" it takes the session's cookie, "
                          "which browsers do not send from the provider's page; use "
                          "\"backchannel_logout_uri\" or another store");
        }
    }
}

// ---- locations -------------------------------------------------------------------------------

namespace {

// Somebody has said who may come here, or that cannot be told. That a user is signed in is not
// enough: it takes a claim.
bool is_restricted(ngx_conf_t* cf, const ngx_http_core_loc_conf_t& location,
                   const LocConf& conf) noexcept {
    return has_access_control(cf, location).value_or(true) ||
           (conf.effective_mode() == Mode::require && !conf.require.empty());
}

std::string location_label(const ngx_http_core_loc_conf_t& location) {
    return location.name.len == 0 ? std::string("this server")
                                  : "location " + in_quotes(view(location.name));
}

}  // namespace

char* lint_location(ngx_conf_t* cf, const MainConf& main, const LocConf& conf) {
    const auto& location = *static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    const auto& server = *static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    const Place place = conf.place.line != 0 ? conf.place : place_of(server);

    if (conf.jwks && main.assertion == nullptr) {
        return conf_error(
            cf, place,
            "\"oidc_jwks\" in " + location_label(location) + " needs an \"oidc_assertion\" block");
    }
    if (conf.assertion == 1 && main.assertion == nullptr) {
        return conf_error(cf, place,
                          "\"auth_oidc_assertion\" is on in " + location_label(location) +
                              ", but there is no \"oidc_assertion\" block");
    }
    if (conf.sessions && !is_restricted(cf, location, conf)) {
        return conf_error(cf, conf.sessions_place,
                          "\"oidc_sessions\" in " + location_label(location) +
                              " is open to everyone, say who may use it with \"allow\" and "
                              "\"deny\", \"auth_basic\", \"auth_request\" or \"auth_oidc\" with "
                              "\"auth_oidc_require\"");
    }
    if (conf.effective_mode() != Mode::require || location.noname != 0) {
        return conf_ok();
    }
    if (location.satisfy == NGX_HTTP_SATISFY_ANY) {
        conf_warn(cf, place,
                  "\"satisfy any\" in " + location_label(location) +
                      " lets requests through that auth_oidc would refuse");
    }
    if (location.name.len > 0 && answers_by_return(cf, location).value_or(false)) {
        conf_warn(cf, place,
                  "\"return\" in " + location_label(location) +
                      " answers before auth_oidc is asked, what it sends is not "
                      "protected");
    }
    return conf_ok();
}

// ---- servers ---------------------------------------------------------------------------------

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
    const auto& location =
        *static_cast<const ngx_http_core_loc_conf_t*>(confs[ngx_http_core_module.ctx_index]);
    const auto& conf = *static_cast<const LocConf*>(
        static_cast<const LocConfPod*>(confs[ngx_http_auth_oidc_module.ctx_index]));
    const std::string path = "callback path " + in_quotes(endpoint.path) + " of " + label(p);

    if (conf.provider_set == 1 && conf.provider_off == 1) {
        return conf_error(cf, conf.place,
                          path + " lies under \"auth_oidc off\" in " + location_label(location));
    }
    if (!p.config.callback_forward) {
        return conf_ok();
    }
    if (conf.provider == nullptr ||
        (conf.static_provider != nullptr && conf.static_provider != endpoint.provider)) {
        return conf_error(cf, conf.place.line != 0 ? conf.place : place_of(server),
                          path + " is forwarded to " + location_label(location) +
                              ", where auth_oidc does not name this provider");
    }
    return conf_ok();
}

bool listens_with_tls(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept {
#if (NGX_HTTP_SSL)
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    if (core.ports == nullptr) {
        return false;
    }
    const std::span ports(static_cast<const ngx_http_conf_port_t*>(core.ports->elts),
                          core.ports->nelts);
    for (const ngx_http_conf_port_t& port : ports) {
        const std::span addrs(static_cast<const ngx_http_conf_addr_t*>(port.addrs.elts),
                              port.addrs.nelts);
        for (const ngx_http_conf_addr_t& addr : addrs) {
            const std::span servers(
                static_cast<ngx_http_core_srv_conf_t* const*>(addr.servers.elts),
                addr.servers.nelts);
            if (addr.opt.ssl != 0 &&
                std::find(servers.begin(), servers.end(), &server) != servers.end()) {
                return true;
            }
        }
    }
#else
    (void)cf;
    (void)server;
#endif
    return false;
}

}  // namespace

namespace {

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

}  // namespace

char* lint_server(ngx_conf_t* cf, const MainConf& /*main*/, const ngx_http_core_srv_conf_t& server,
                  const SrvConf& conf) {
    const Place place = place_of(server);
    for (std::size_t i = 0; i < conf.endpoints.size(); i++) {
        for (std::size_t j = 0; j < i; j++) {
            const Endpoint& a = conf.endpoints[j];
            const Endpoint& b = conf.endpoints[i];
            if (a.path == b.path && a.provider != b.provider) {
                const bool callback = a.kind == b.kind && a.kind == Endpoint::Kind::callback;
                return conf_error(
                    cf, place,
                    label(*a.provider) + " and " + label(*b.provider) + " share the " +
                        (callback ? "callback" : "callback or logout") + " path " +
                        in_quotes(a.path) +
                        " on this server, give each its own \"redirect_uri\" and \"logout_uri\"");
            }
        }
    }
    for (const Endpoint& endpoint : conf.endpoints) {
        if (endpoint.kind != Endpoint::Kind::callback) {
            continue;
        }
        check_logout_hook(cf, server, *endpoint.provider);
        if (char* rv = check_callback_location(cf, server, endpoint); rv != conf_ok()) {
            return rv;
        }
    }
    if (conf.plain_origin && !listens_with_tls(cf, server)) {
        conf_warn(cf, place,
                  "this server uses auth_oidc without TLS: add \"ssl\" to \"listen\", or name the "
                  "public https address in \"oidc_base_url\"");
    }
    return conf_ok();
}

// ---- modules ---------------------------------------------------------------------------------

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
