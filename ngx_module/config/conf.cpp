// Configuration structures: made, merged, completed and found again.
#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <span>

#include "config/commands.hpp"
#include "oidc/crypto.hpp"
#include "oidc/key_ring.hpp"
#include "request/request_ctx.hpp"
#include "shm/counters_zone.hpp"
#include "shm/login_zone.hpp"
#include "shm/metadata_zone.hpp"
#include "stores/cookie_store.hpp"
#include "stores/memory_store.hpp"
#include "stores/redis_store.hpp"
#include "stores/state_file.hpp"

namespace oidc::ngx {

// ---- accessors -------------------------------------------------------------------------------

namespace {

LocConf* as_loc_conf(void* conf) noexcept {
    return static_cast<LocConf*>(static_cast<LocConfPod*>(conf));
}

bool in_use(const MainConf& main) noexcept {
    return main.used || !main.providers.empty();
}

}  // namespace

MainConf& main_conf(ngx_http_request_t* r) noexcept {
    return *static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_auth_oidc_module));
}

SrvConf& srv_conf(ngx_http_request_t* r) noexcept {
    return *static_cast<SrvConf*>(ngx_http_get_module_srv_conf(r, ngx_http_auth_oidc_module));
}

LocConf& loc_conf(ngx_http_request_t* r) noexcept {
    return *as_loc_conf(ngx_http_get_module_loc_conf(r, ngx_http_auth_oidc_module));
}

Store::Store() = default;

Store::~Store() {
    if (!keys.empty()) {
        cleanse(keys.data(), keys.size() * sizeof(AeadKey));
    }
}

MainConf& conf_main(ngx_conf_t* cf) noexcept {
    return *static_cast<MainConf*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_auth_oidc_module));
}

MainConf* cycle_main_conf(ngx_cycle_t* cycle) noexcept {
    auto* conf = static_cast<MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_auth_oidc_module));
    return conf != nullptr && in_use(*conf) ? conf : nullptr;
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

CookieAttributes session_cookie_attributes(const Provider& provider, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    attributes.path = provider.cookie_path;
    attributes.domain = provider.cookie_domain;
    attributes.same_site = provider.cookie_same_site;
    return attributes;
}

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

// After the http block was read, before servers and locations are merged.
char* init_main_conf(ngx_conf_t* cf, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    for (const auto& [name, value] : kDefaultHeaders) {
        reserve_header(main, fold_header(name));
        if (main.providers.empty()) {
            continue;
        }
        HeaderRule rule;
        if (!make_header_rule(cf, borrow(name), borrow(value), rule)) {
            return conf_fail();
        }
        main.default_header_rules.push_back(std::move(rule));
    }
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

void reserve_header(MainConf& main, const std::string& folded) {
    if (std::find(main.reserved_headers.begin(), main.reserved_headers.end(), folded) ==
        main.reserved_headers.end()) {
        main.reserved_headers.push_back(folded);
    }
}

// "$name" and nothing else.
static bool is_one_variable(std::string_view value) noexcept {
    return value.size() > 1 && value.front() == '$' &&
           std::all_of(value.begin() + 1, value.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

bool make_header_rule(ngx_conf_t* cf, ngx_str_t name, ngx_str_t value, HeaderRule& out) {
    out.name = copy_to_pool(cf->pool, view(name));
    out.lowcase = copy_to_pool(cf->pool, ascii_lower(view(name)));
    if (out.name.data == nullptr || out.lowcase.data == nullptr) {
        return false;
    }
    out.hash = ngx_hash_key(out.lowcase.data, out.lowcase.len);
    out.folded = fold_header(view(name));
    if (value.len > 0) {
        out.value = compile_value(cf, value);
        if (out.value == nullptr) {
            return false;
        }
    }
    if (is_one_variable(view(value))) {
        ngx_str_t variable = borrow(view(value).substr(1));
        out.variable = ngx_http_get_variable_index(cf, &variable);
        return out.variable != NGX_ERROR;
    }
    return true;
}

// ---- merging ---------------------------------------------------------------------------------

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
            if (std::none_of(
                    conf.header_rules.begin(), conf.header_rules.end(),
                    [&](const HeaderRule& own) { return own.folded == inherited.folded; })) {
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
        conf.file = prev.file;
        conf.line = prev.line;
    }
    if (conf.provider != nullptr && conf.provider->lengths == nullptr) {
        const std::string_view name = view(conf.provider->value);
        conf.static_provider = main.find_provider(name);
        if (conf.static_provider == nullptr) {
            return conf_error(cf, {conf.file, conf.line},
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
    const LocConf& prev = *as_loc_conf(parent);
    LocConf& conf = *as_loc_conf(child);
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
        return conf_error(cf, {conf.session_info_file, conf.session_info_line},
                          "\"oidc_session_info\" needs \"auth_oidc\" here or at an outer level");
    }
    note_use(cf, main, conf);
    return lint_location(cf, main, conf);
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
            return conf_error(cf, {store.file, store.line}, "no key can be derived from key_file");
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
            return conf_error(cf, {p->file, p->line},
                              "unknown session store " + in_quotes(name) + " in oidc_provider " +
                                  in_quotes(p->config.name));
        }
        auto store = std::make_unique<Store>();
        store->name = name;
        store->file = p->file;
        store->line = p->line;
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
    const bool id_token = read("oidc_id_token");
    const bool access_token = read("oidc_access_token");
    const bool userinfo = read("oidc_userinfo");

    const auto add_cookie = [&](const std::string& name) {
        if (std::find(main.session_cookies.begin(), main.session_cookies.end(), name) ==
            main.session_cookies.end()) {
            main.session_cookies.push_back(name);
        }
    };
    for (const auto& p : main.providers) {
        p->config.keep_id_token = id_token || p->config.logout_token_hint;
        p->config.keep_access_token = access_token;
        p->config.keep_refresh_token = p->config.session_refresh || p->config.revoke_on_logout;
        p->config.keep_userinfo = userinfo;
        for (const ClaimSet& set : main.claim_sets) {
            p->config.claim_paths.push_back(set.path);
        }
        add_cookie(p->session_cookie_http);
        add_cookie(p->session_cookie_https);
    }
}

void add_endpoints(SrvConf& server, Provider& provider) {
    server.endpoints.push_back({Endpoint::Kind::callback, &provider, provider.callback_path});
    const auto add = [&server, &provider](Endpoint::Kind kind, const std::string& path) {
        if (!path.empty()) {
            server.endpoints.push_back({kind, &provider, path});
        }
    };
    add(Endpoint::Kind::logout, provider.logout_path);
    add(Endpoint::Kind::frontchannel, provider.frontchannel_path);
    add(Endpoint::Kind::backchannel, provider.backchannel_path);
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

char* finish_server(ngx_conf_t* cf, MainConf& main, const ngx_http_core_srv_conf_t& core) {
    auto& server = *static_cast<SrvConf*>(core.ctx->srv_conf[ngx_http_auth_oidc_module.ctx_index]);
    if (!server.uses_oidc) {
        return conf_ok();
    }
    main.used = true;
    remember_server_names(server, core);
    const LocConf& root = *as_loc_conf(core.ctx->loc_conf[ngx_http_auth_oidc_module.ctx_index]);
    for (const auto& p : main.providers) {
        const bool used_here = server.dynamic_provider ||
                               std::find(server.used_providers.begin(), server.used_providers.end(),
                                         p.get()) != server.used_providers.end();
        if (used_here) {
            add_endpoints(server, *p);
        }
        server.bindings.push_back(binding(*p, root.base_url, view(core.server_name)));
    }
    return lint_server(cf, main, core, server);
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
    if (char* rv = CookieStore::finish(cf, main); rv != conf_ok()) {
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
    lint_unused(cf, main);

    if (in_use(main)) {
        main.metadata_zone = MetadataZone::add(cf, main);
        main.login_zone = LoginZone::add(cf);
        main.counters_zone = CountersZone::add(cf);
        if (main.metadata_zone == nullptr || main.login_zone == nullptr ||
            main.counters_zone == nullptr) {
            return conf_fail();
        }
    }
    return conf_ok();
}

}  // namespace oidc::ngx
