// SPDX-License-Identifier: Apache-2.0
#include "config/lint.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "config/backends.hpp"
#include "config/nginx_private.hpp"
#include "config/script_text.hpp"
#include "config/variable_use.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/cookie.hpp"
#include "oidc/server_name.hpp"
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
    if (c.client_auth == ClientAuth::private_key_jwt && c.client_key == nullptr) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method private_key_jwt\" needs \"client_key\"");
    }
    if (c.client_key != nullptr && c.client_auth != ClientAuth::automatic &&
        c.client_auth != ClientAuth::private_key_jwt) {
        return conf_error(cf, block.where("client_key"),
                          "\"client_key\" is for \"token_endpoint_auth_method private_key_jwt\"");
    }
    const bool makes_assertions =
        c.client_key != nullptr || c.client_auth == ClientAuth::secret_jwt;
    if (block.given("client_assertion_audience") && !makes_assertions) {
        return conf_error(cf, block.where("client_assertion_audience"),
                          "\"client_assertion_audience\" needs \"client_key\" or "
                          "\"token_endpoint_auth_method client_secret_jwt\"");
    }
    if ((c.client_auth == ClientAuth::basic || c.client_auth == ClientAuth::post ||
         c.client_auth == ClientAuth::secret_jwt) &&
        c.client_secret.empty()) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method\" needs \"client_secret\" or "
                          "\"client_secret_file\"");
    }
    if (c.client_auth == ClientAuth::secret_jwt && c.client_secret.size() < kMinHmacSecret) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method client_secret_jwt\" needs a secret of at "
                          "least 32 characters (RFC 7518 3.2)");
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

std::string location_label(const ngx_http_core_loc_conf_t& location) {
    return location.name.len == 0 ? std::string("this server")
                                  : "location " + in_quotes(view(location.name));
}

namespace {

// Somebody has said who may come here, or that cannot be told. That a user is signed in is not
// enough: it takes a claim.
bool is_restricted(ngx_conf_t* cf, const LocConf& conf) noexcept {
    return has_access_control(cf, confs_of(cf)).value_or(true) ||
           (conf.effective_mode() == Mode::require && !conf.require.empty());
}

const ngx_http_core_loc_conf_t& core_of(void* const* level) noexcept {
    return *static_cast<const ngx_http_core_loc_conf_t*>(level[ngx_http_core_module.ctx_index]);
}

Place or_server(const Place& place, const ngx_http_core_srv_conf_t& server) {
    return place.line != 0 ? place : place_of(server);
}

char* refuse_fault(ngx_conf_t* cf, const ProtectionFault& fault, const LocConf& conf,
                   const std::string& where) {
    using Kind = ProtectionFault::Kind;
    const struct {
        std::string_view name;
        const Place& place;
    } demands[] = {{"auth_oidc_mode", conf.places.mode},
                   {"auth_oidc_require", conf.places.require},
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
    if (!conf.base_url.starts_with("https:") && !(conf.base_url.empty() && fixed != nullptr &&
                                                  fixed->redirect_origin.starts_with("https:"))) {
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
    const auto found = std::find_if(main.providers.begin(), main.providers.end(),
                                    [&](const auto& p) { return relative(*p); });
    server.by_name = found != main.providers.end() ? found->get() : nullptr;
}

// Nothing but the way to the site itself: a server without TLS that redirects to https.
bool only_leads_to_https(const Returns& returns, const Listening& listens) noexcept {
    return returns.any && returns.all_to_https && !listens.tls;
}

// A level in which requests are answered.
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

}  // namespace

char* lint_directives(ngx_conf_t* cf, const LocConf& conf) {
    const auto& location = core_of(confs_of(cf));
    const auto& server = *static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    const Place place = or_server(conf.places.provider, server);

    if (!conf.jwks_provider.empty()) {
        const Provider* provider = conf_main(cf).find_provider(conf.jwks_provider);
        if (provider == nullptr || provider->config.client_key == nullptr) {
            return conf_error(cf, place,
                              "\"oidc_jwks " + conf.jwks_provider + "\" in " +
                                  location_label(location) +
                                  (provider == nullptr ? " names no oidc_provider"
                                                       : ": that provider has no \"client_key\""));
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
                              "\"auth_oidc_require\"");
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
        (conf.static_provider != nullptr && conf.static_provider != endpoint.provider)) {
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

}  // namespace

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
    const Listening listens = listening(cf, server);
    if (conf.plain_origin && !listens.tls) {
        conf_warn(cf, place,
                  "this server uses auth_oidc without TLS: add \"ssl\" to \"listen\", or name the "
                  "public https address in \"oidc_base_url\"");
    }
    return check_names(cf, server, conf, listens);
}

namespace {

// The variable tells one user's requests from another's.
bool tells_users_apart(ngx_conf_t* cf, std::string_view variable) {
    const std::string name = ascii_lower(variable);
    constexpr std::array<std::string_view, 7> kIdentities{
        "oidc_user",     "oidc_session_id", "oidc_id_token", "oidc_access_token",
        "oidc_userinfo", "oidc_assertion",  "remote_user"};
    return name.starts_with("oidc_claim_") || is_made_here(cf, name) ||
           std::find(kIdentities.begin(), kIdentities.end(), name) != kIdentities.end();
}

}  // namespace

void lint_caches(ngx_conf_t* cf, const MainConf& main) {
    for (const MainConf::Level& level : main.levels) {
        const auto& location = core_of(level.all);
        if (level.conf->effective_mode() == Mode::off || location.handler == nullptr) {
            continue;
        }
        const auto cached = cached_at(cf, level.all);
        if (!cached) {
            continue;
        }
        const auto names = read_script_text(cached->key).variables;
        if (std::none_of(names.begin(), names.end(),
                         [cf](std::string_view name) { return tells_users_apart(cf, name); })) {
            conf_warn(cf, level.conf->places.provider,
                      in_quotes(cached->directive) + " in " + location_label(location) +
                          " gives the pages of one user to another: put \"$oidc_session_id\" or "
                          "\"$oidc_user\" into \"" +
                          std::string(cached->directive) + "_key\"");
        }
    }
}

// ---- backends --------------------------------------------------------------------------------

namespace {

using Level = MainConf::Level;

struct Passing {
    const Level* level;
    Backend backend;
};

bool uses_oidc(const Level& level) noexcept {
    return static_cast<const SrvConf*>(
               level.server->ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index])
        ->uses_oidc;
}

// The backend is told by a header of ours who the user is.
bool gives_identity(const Level& level) noexcept {
    return level.conf->effective_mode() != Mode::off && level.conf->headers != 0 &&
           std::any_of(level.conf->header_rules.begin(), level.conf->header_rules.end(),
                       [](const HeaderRule& rule) { return rule.value != nullptr; });
}

// A client's header comes through where it means the user's identity elsewhere. One php-fpm serves
// many applications, each from a folder of its own.
bool is_way_around(const Passing& open, const Passing& closed) {
    if (open.backend.cgi != closed.backend.cgi || !is_same_backend(open.backend, closed.backend) ||
        (open.backend.cgi &&
         view(core_of(open.level->all).root) != view(core_of(closed.level->all).root))) {
        return false;
    }
    const auto& rules = closed.level->conf->header_rules;
    return std::any_of(rules.begin(), rules.end(), [&open](const HeaderRule& rule) {
        return rule.value != nullptr && !open.backend.sets(rule.normal_name);
    });
}

// Somebody has said who may come there.
bool is_for_everybody(ngx_conf_t* cf, const Passing& open) {
    return !has_access_control(cf, open.level->all).value_or(true) &&
           !listens_locally(cf, *open.level->server);
}

void warn_of_way_around(ngx_conf_t* cf, const Passing& open, const Passing& closed, bool others) {
    const Provider* provider = closed.level->conf->static_provider;
    const std::string name = provider != nullptr ? provider->config.name : "NAME";
    const std::string server = in_quotes(view(closed.level->server->server_name));
    conf_warn(
        cf, or_server(open.level->conf->places.provider, *open.level->server),
        in_quotes(open.backend.directive) + " in " + location_label(core_of(open.level->all)) +
            " leads to the backend of server " + server +
            " with the identity headers that a client sends, no sign-in is asked for: set "
            "\"auth_oidc " +
            name + "\" and \"auth_oidc_mode verify\" there, which take them out, or blank each" +
            (others ? "; so do other servers" : ""));
}

}  // namespace

void lint_backends(ngx_conf_t* cf, const MainConf& main) {
    if (main.providers.empty()) {
        return;
    }
    const Backends backends(cf);
    std::vector<Passing> open;
    std::vector<Passing> closed;
    for (const Level& level : main.levels) {
        const bool uses = uses_oidc(level);
        if (uses && !gives_identity(level)) {
            continue;
        }
        if (const auto backend = backends.at(level.all)) {
            (uses ? closed : open).push_back({&level, *backend});
        }
    }
    // Once for each backend: its address may be that of many servers.
    std::vector<const ngx_http_upstream_srv_conf_t*> told;
    for (const Passing& inner : closed) {
        if (std::find(told.begin(), told.end(), inner.backend.group) != told.end()) {
            continue;
        }
        const Passing* first = nullptr;
        std::vector<const ngx_http_core_srv_conf_t*> servers;
        for (const Passing& outer : open) {
            if (std::find(servers.begin(), servers.end(), outer.level->server) == servers.end() &&
                is_way_around(outer, inner) && is_for_everybody(cf, outer)) {
                first = first == nullptr ? &outer : first;
                servers.push_back(outer.level->server);
            }
        }
        if (first != nullptr) {
            told.push_back(inner.backend.group);
            warn_of_way_around(cf, *first, inner, servers.size() > 1);
        }
    }
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
