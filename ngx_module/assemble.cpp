// SPDX-License-Identifier: Apache-2.0
#include "assemble.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "config/block.hpp"
#include "config/conf.hpp"
#include "config/group_directives.hpp"
#include "config/header_rules.hpp"
#include "config/lint_levels.hpp"
#include "config/lint_provider.hpp"
#include "config/lint_server.hpp"
#include "config/nginx_private.hpp"
#include "config/source_directives.hpp"
#include "config/token_use.hpp"
#include "config/workers_user.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/crypto.hpp"
#include "oidc/header_name.hpp"
#include "oidc/key_ring.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "request/own_cookies.hpp"
#include "shm/counters_zone.hpp"
#include "shm/introspection_zone.hpp"
#include "shm/login_zone.hpp"
#include "shm/metadata_zone.hpp"
#include "shm/proof_zone.hpp"
#include "stores/cookie_names.hpp"
#include "stores/cookie_store.hpp"
#include "stores/memory_store.hpp"
#include "stores/redis_store.hpp"
#include "stores/state_file.hpp"

namespace oidc::ngx {

// ---- creation --------------------------------------------------------------------------------

namespace {

// An object that lives as long as the configuration; its secrets are wiped with it.
template <class T>
T* make(ngx_conf_t* cf) noexcept try {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == nullptr) {
        return nullptr;
    }
    auto* object = new T;
    cleanup->handler = [](void* data) noexcept { delete static_cast<T*>(data); };
    cleanup->data = object;
    return object;
} catch (...) {
    conf_exception(cf);
    return nullptr;
}

constexpr std::array<std::array<std::string_view, 2>, 4> kDefaultHeaders{{
    {"Remote-User", "$oidc_user"},
    {"Remote-Email", "$oidc_claim_email"},
    {"Remote-Name", "$oidc_claim_name"},
    {"Remote-Groups", "$oidc_claim_groups"},
}};

// Beside them where there are groups: names of users are one for each provider.
constexpr std::array<std::string_view, 2> kGroupHeader{"Remote-Provider", "$oidc_provider"};

// Cookies of a login begin so.
constexpr std::array<std::string_view, 2> kLoginCookies{kPendingCookie, kFragmentCookie};

}  // namespace

void* create_main_conf(ngx_conf_t* cf) noexcept {
    return make<MainConf>(cf);
}

void* create_srv_conf(ngx_conf_t* cf) noexcept {
    return make<SrvConf>(cf);
}

void* create_loc_conf(ngx_conf_t* cf) noexcept {
    return static_cast<LocConfPod*>(make<LocConf>(cf));
}

char* init_main_conf(ngx_conf_t* cf, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    if (char* rv = resolve_groups(cf, main); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = resolve_claim_sources(cf, main); rv != conf_ok()) {
        return rv;
    }
    const auto add = [cf, &main](const std::array<std::string_view, 2>& header) {
        reserve_header(main, normal_header_name(header[0]));
        if (main.providers.empty()) {
            return true;
        }
        HeaderRule rule;
        if (!make_header_rule(cf, borrow(header[0]), borrow(header[1]), rule)) {
            return false;
        }
        main.default_header_rules.push_back(std::move(rule));
        return true;
    };
    if (!std::all_of(kDefaultHeaders.begin(), kDefaultHeaders.end(), add) ||
        (!main.groups.empty() && !add(kGroupHeader))) {
        return conf_fail();
    }
    for (const PassedHeader& passed : main.passed_headers) {
        const std::string folded = folded_header_name(passed.lowcase);
        if (std::any_of(
                main.reserved_headers.begin(), main.reserved_headers.end(),
                [&](const std::string& name) { return folded_header_name(name) == folded; })) {
            return conf_error(cf, passed.place,
                              "\"auth_oidc_pass_header " + passed.lowcase +
                                  "\" names a header that \"auth_oidc_header\" sets");
        }
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

// ---- completion ------------------------------------------------------------------------------

namespace {

Store* find_store(const MainConf& main, std::string_view name) noexcept {
    for (const auto& store : main.stores) {
        if (store->name == name) {
            return store.get();
        }
    }
    return nullptr;
}

char* make_sessions(ngx_conf_t* cf, const MainConf& main, Store& store) {
    switch (store.type) {
        case Store::Type::memory:
            store.sessions_ = MemoryStore::make(cf, store);
            break;
        case Store::Type::cookie:
            store.sessions_ = CookieStore::make(cf, main, store);
            break;
        case Store::Type::redis:
            store.sessions_ = RedisStore::make(cf, store);
            break;
    }
    if (store.sessions_ == nullptr) {
        return conf_fail();
    }
    if (!store.keys.empty()) {
        Result<std::vector<AeadKey>> ring = derive_ring(store.keys, "pending login");
        if (!ring) {
            return conf_error(cf, store.place, "no key can be derived from key_file");
        }
        store.pending_aead = std::make_unique<Aead>(*ring);
        cleanse(ring->data(), ring->size() * sizeof(AeadKey));
    }
    return conf_ok();
}

char* finish_stores(ngx_conf_t* cf, MainConf& main) {
    for (const auto& p : main.providers) {
        const bool own = p->store_name.empty();
        const std::string name = own ? "oidc_default_store_" + p->config.name : p->store_name;
        p->store = find_store(main, name);
        if (p->store != nullptr) {
            continue;
        }
        if (!own) {
            return conf_error(cf, p->place,
                              "unknown session store " + in_quotes(name) + " in oidc_provider " +
                                  in_quotes(p->config.name));
        }
        auto store = std::make_unique<Store>();
        store->name = name;
        store->place = p->place;
        p->store = store.get();
        main.stores.push_back(std::move(store));
    }
    for (const auto& store : main.stores) {
        if (char* rv = make_sessions(cf, main, *store); rv != conf_ok()) {
            return rv;
        }
    }
    return conf_ok();
}

// Tokens are kept in sessions only when something can read them.
void finish_providers(ngx_conf_t* cf, MainConf& main) {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const std::span variables(static_cast<const ngx_http_variable_t*>(core.variables.elts),
                              core.variables.nelts);
    const auto read = [&](std::string_view name) {
        return std::any_of(variables.begin(), variables.end(),
                           [&](const ngx_http_variable_t& v) { return view(v.name) == name; });
    };
    const TokenUse tokens = tokens_read(cf);
    const bool userinfo = read("oidc_userinfo");

    const auto add_cookie = [&](const std::string& name) {
        if (std::find(main.session_cookies.begin(), main.session_cookies.end(), name) ==
            main.session_cookies.end()) {
            main.session_cookies.push_back(name);
        }
    };
    for (const auto& p : main.providers) {
        p->config.keep_id_token = tokens.id || p->config.logout_token_hint;
        p->config.keep_access_token = tokens.access;
        p->config.keep_refresh_token = p->config.session_refresh || p->config.revoke_on_logout;
        p->config.keep_userinfo = userinfo;
        for (const ClaimSet& set : main.claim_sets) {
            p->config.claim_paths.push_back(set.path);
        }
        add_cookie(p->session_cookie_http);
        add_cookie(p->session_cookie_https);
    }
}

// A client that must authenticate itself has what it takes.
bool can_authenticate(const ProviderConfig& config) noexcept {
    return config.client_auth != ClientAuth::none &&
           (!config.client_secret.empty() || config.client_key != nullptr ||
            config.client_auth == ClientAuth::tls || file_assertion(config) != nullptr);
}

// Which providers are asked about access tokens, and where the answers are kept.
char* finish_introspection(ngx_conf_t* cf, const MainConf& main) {
    for (const MainConf::Level& level : main.levels) {
        const LocConf& conf = *level.conf;
        if (!conf.asks_about_tokens() || conf.effective_mode() == Mode::off) {
            continue;
        }
        for (const auto& p : main.providers) {
            if (conf.static_provider == nullptr || conf.static_provider == p.get()) {
                p->config.introspection = true;
            }
        }
    }
    for (const auto& p : main.providers) {
        const ProviderConfig& config = p->config;
        if (!config.introspection) {
            continue;
        }
        const std::string block = " in oidc_provider " + in_quotes(config.name);
        if (!can_authenticate(config)) {
            return conf_error(cf, p->place,
                              "\"auth_oidc_bearer\" asks the provider about tokens, which needs a "
                              "\"client_secret\" or another way to authenticate the client" +
                                  block);
        }
        if (!config.needs_discovery() && config.introspection_endpoint.empty()) {
            return conf_error(cf, p->place,
                              "\"auth_oidc_bearer\" asks the provider about tokens, which without "
                              "metadata needs \"introspection_endpoint\"" +
                                  block);
        }
        if (p->introspection_size != 0) {
            p->introspection_zone = IntrospectionZone::add(cf, "oidc_introspection_" + config.name,
                                                           p->introspection_size);
            if (p->introspection_zone == nullptr) {
                return conf_fail();
            }
        }
    }
    return conf_ok();
}

// What the module itself sets must reach it.
char* check_stripped(ngx_conf_t* cf, const MainConf& main) {
    std::vector<std::string> own(main.session_cookies);
    own.emplace_back(kTargetCookie);
    own.emplace_back(kChoiceCookie);
    const auto takes_own = [&own](const std::string& pattern) {
        std::string bare = pattern;
        for (const std::string_view prefix : {kHostPrefix, kSecurePrefix}) {
            bare.erase(0, starts_with_nocase(bare, prefix) ? prefix.size() : 0);
        }
        return std::any_of(own.begin(), own.end(),
                           [&](const std::string& name) { return is_stripped({bare}, name); }) ||
               std::any_of(kLoginCookies.begin(), kLoginCookies.end(), [&](std::string_view begin) {
                   return starts_with_nocase(bare, begin) || is_stripped({bare}, begin);
               });
    };
    for (const auto& p : main.providers) {
        const auto bad = std::find_if(p->strip_cookies.begin(), p->strip_cookies.end(), takes_own);
        if (bad != p->strip_cookies.end()) {
            return conf_error(cf, p->place,
                              "\"strip_cookies\" " + in_quotes(*bad) + " of oidc_provider " +
                                  in_quotes(p->config.name) +
                                  " would take cookies of the module itself");
        }
    }
    return conf_ok();
}

void add_endpoints(SrvConf& server, Provider& provider) {
    server.strip_cookies.insert(server.strip_cookies.end(), provider.strip_cookies.begin(),
                                provider.strip_cookies.end());
    server.endpoints.push_back(
        {Endpoint::Kind::callback, &provider, provider.callback_path, nullptr});
    const auto add = [&server, &provider](Endpoint::Kind kind, const std::string& path) {
        if (!path.empty()) {
            server.endpoints.push_back({kind, &provider, path, nullptr});
        }
    };
    add(Endpoint::Kind::initiation, provider.initiation_path);
    add(Endpoint::Kind::logout, provider.logout_path);
    add(Endpoint::Kind::frontchannel, provider.frontchannel_path);
    add(Endpoint::Kind::backchannel, provider.backchannel_path);
    add(Endpoint::Kind::signals, provider.signals_path);
}

// Where people choose; nobody has to where there is one provider.
void add_choices(const MainConf& main, SrvConf& server) {
    if (server.dynamic_provider) {
        server.used_groups.clear();
        for (const auto& group : main.groups) {
            server.used_groups.push_back(group.get());
        }
    }
    for (const ProviderGroup* group : server.used_groups) {
        if (group->members.size() > 1) {
            server.endpoints.push_back(
                {Endpoint::Kind::choice, group->members.front(), group->choice_path, group});
        }
    }
}

// A session or pending login is only good for the provider, client and site that it was made for.
Digest binding(const Provider& p, const std::string& base_url, std::string_view server_name) {
    std::string_view vhost = server_name;
    for (const std::string* candidate : {&base_url, &p.cookie_domain, &p.redirect_origin}) {
        if (!candidate->empty()) {
            vhost = *candidate;
            break;
        }
    }
    return sha256_fields({"session", p.config.name, p.config.issuer, p.config.client_id, vhost});
}

// For public_origin. Without it the first name stands for all.
void remember_server_names(SrvConf& server, const ngx_http_core_srv_conf_t& core) {
    const auto* names = static_cast<const ngx_http_server_name_t*>(core.server_names.elts);
    server.server_names.clear();
    for (ngx_uint_t i = 0; i < core.server_names.nelts; ++i) {
        // Names are matched in lower case; a regular expression is not a name.
        if (names[i].regex == nullptr) {
            server.server_names.push_back(ascii_lower(view(names[i].name)));
        }
    }
}

char* finish_server(ngx_conf_t* cf, MainConf& main, const ngx_http_core_srv_conf_t& core) {
    auto& server = *static_cast<SrvConf*>(core.ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index]);
    if (char* rv = lint_root(cf, main, core, server); rv != conf_ok()) {
        return rv;
    }
    if (!server.uses_oidc) {
        return conf_ok();
    }
    main.used = true;
    remember_server_names(server, core);
    const Listening listens = listening(cf, core);
    server.tls_port = listens.tls ? listens.first_port : 0;
    const LocConf& root = root_conf(core);
    for (const auto& p : main.providers) {
        const bool used_here = server.dynamic_provider ||
                               std::find(server.used_providers.begin(), server.used_providers.end(),
                                         p.get()) != server.used_providers.end();
        if (used_here) {
            add_endpoints(server, *p);
        }
        server.bindings.push_back(binding(*p, root.base_url, view(core.server_name)));
    }
    add_choices(main, server);
    return lint_server(cf, core, server);
}

}  // namespace

char* finish_configuration(ngx_conf_t* cf) {
    MainConf& main = conf_main(cf);
    if (char* rv = finish_stores(cf, main); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_state_files(cf, main); rv != conf_ok()) {
        return rv;
    }
    finish_providers(cf, main);
    note_token_use(cf, main);
    if (char* rv = reserve_session_cookies(cf, main); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_stripped(cf, main); rv != conf_ok()) {
        return rv;
    }

    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const std::span servers(static_cast<ngx_http_core_srv_conf_t* const*>(core.servers.elts),
                            core.servers.nelts);
    for (const ngx_http_core_srv_conf_t* server : servers) {
        if (char* rv = finish_server(cf, main, *server); rv != conf_ok()) {
            return rv;
        }
    }
    if (char* rv = finish_introspection(cf, main); rv != conf_ok()) {
        return rv;
    }
    lint_providers(cf, main);
    lint_login_hosts(cf, main, servers);
    lint_caches(cf, main);
    lint_backends(cf, main);

    if (main.in_use()) {
        main.metadata_zone = MetadataZone::add(cf, main);
        main.login_zone = LoginZone::add(cf);
        main.counters_zone = CountersZone::add(cf);
        if (main.metadata_zone == nullptr || main.login_zone == nullptr ||
            main.counters_zone == nullptr) {
            return conf_fail();
        }
        main.proof_zone = main.takes_tokens ? ProofZone::add(cf) : nullptr;
        if (main.takes_tokens && main.proof_zone == nullptr) {
            return conf_fail();
        }
        check_with_zone(cf, *main.counters_zone, main);
    }
    return conf_ok();
}

}  // namespace oidc::ngx
