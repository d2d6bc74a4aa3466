// SPDX-License-Identifier: Apache-2.0
#include "config/nginx_private.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "config/location_tree.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

std::optional<const ngx_http_core_loc_conf_t*> find_location(const ngx_http_core_srv_conf_t& server,
                                                             std::string_view uri) noexcept {
    const auto& root = *static_cast<const ngx_http_core_loc_conf_t*>(
        server.ctx->loc_conf[ngx_http_core_module.ctx_index]);
    return location_for(root, uri, [](const auto& location, std::string_view text) {
#if (NGX_PCRE)
        ngx_str_t subject = borrow(text);
        return ngx_regex_exec(location.regex->regex, &subject, nullptr, 0) >= 0;
#else
        static_cast<void>(location);
        static_cast<void>(text);
        return false;
#endif
    });
}

std::optional<bool> is_covered(const ngx_http_core_srv_conf_t& server) noexcept {
    const auto& root = *static_cast<const ngx_http_core_loc_conf_t*>(
        server.ctx->loc_conf[ngx_http_core_module.ctx_index]);
    // No location is written so, and none that ends in a regular expression counts.
    const auto found =
        location_for(root, "/\x01", [](const auto&, std::string_view) { return false; });
    return found.has_value() ? std::optional(*found != nullptr) : std::nullopt;
}

// ---- other modules ---------------------------------------------------------------------------

const ngx_module_t* find_module(ngx_conf_t* cf, const char* name) noexcept {
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != nullptr; i++) {
        const ngx_module_t* module = cf->cycle->modules[i];
        if (module->type == NGX_HTTP_MODULE && module->name != nullptr &&
            std::strcmp(module->name, name) == 0) {
            return module;
        }
    }
    return nullptr;
}

namespace {

// Another module's configuration, of which only the first members are known here, or the place of
// one. A configuration that the module has just made tells whether they still are what they were.
struct Foreign {
    const ngx_module_t* module = nullptr;  // null: this nginx has no such module
    const void* here = nullptr;            // of the location
    const void* fresh = nullptr;           // null: the module makes none, or there is no memory
};

Foreign foreign(ngx_conf_t* cf, void* const* level, const char* name) noexcept {
    const ngx_module_t* module = find_module(cf, name);
    if (module == nullptr) {
        return {};
    }
    const auto* http = static_cast<const ngx_http_module_t*>(module->ctx);
    return {module, level[module->ctx_index],
            http->create_loc_conf == nullptr ? nullptr : http->create_loc_conf(cf)};
}

template <class T>
T member_at(const void* conf, std::size_t offset = 0) noexcept {
    T value;
    std::memcpy(&value, static_cast<const char*>(conf) + offset, sizeof value);
    return value;
}

// ngx_http_access_module begins with its lists of rules, one for each kind of address.
std::optional<bool> has_access_rules(ngx_conf_t* cf, void* const* level) noexcept {
    struct Rules {
        const ngx_array_t* inet;
#if (NGX_HAVE_INET6)
        const ngx_array_t* inet6;
#endif
        [[nodiscard]] bool any() const noexcept {
#if (NGX_HAVE_INET6)
            return inet != nullptr || inet6 != nullptr;
#else
            return inet != nullptr;
#endif
        }
    };
    const Foreign access = foreign(cf, level, "ngx_http_access_module");
    if (access.module == nullptr) {
        return false;
    }
    if (access.fresh == nullptr || member_at<Rules>(access.fresh).any()) {
        return std::nullopt;
    }
    return member_at<Rules>(access.here).any();
}

// The directive's own entry says where the value is, and its setter of which type.
std::optional<const ngx_http_complex_value_t*> auth_basic_realm(ngx_conf_t* cf,
                                                                void* const* level) noexcept {
    struct Setting {
        const ngx_http_complex_value_t* realm;
    };
    const Foreign basic = foreign(cf, level, "ngx_http_auth_basic_module");
    if (basic.module == nullptr) {
        return nullptr;
    }
    for (const ngx_command_t* c = basic.module->commands; c->name.len != 0; c++) {
        if (view(c->name) != "auth_basic") {
            continue;
        }
        if (c->set != ngx_http_set_complex_value_slot || c->conf != NGX_HTTP_LOC_CONF_OFFSET) {
            break;
        }
        const auto* realm = member_at<Setting>(basic.here, c->offset).realm;
        const bool on = realm != nullptr && realm != NGX_CONF_UNSET_PTR &&
                        !(realm->lengths == nullptr && view(realm->value) == "off");
        return on ? realm : nullptr;
    }
    return std::nullopt;
}

}  // namespace

// ngx_http_auth_request_module begins with the URI of the subrequest.
std::optional<std::string_view> auth_request_uri(ngx_conf_t* cf, void* const* level) noexcept {
    const Foreign request = foreign(cf, level, "ngx_http_auth_request_module");
    if (request.module == nullptr) {
        return std::string_view();
    }
    if (request.fresh == nullptr) {
        return std::nullopt;
    }
    const auto fresh = member_at<ngx_str_t>(request.fresh);
    if (fresh.len != 0 || fresh.data != nullptr) {
        return std::nullopt;
    }
    return view(member_at<ngx_str_t>(request.here));
}

std::optional<bool> has_access_control(ngx_conf_t* cf, void* const* level) noexcept {
    const auto realm = auth_basic_realm(cf, level);
    const auto asked = auth_request_uri(cf, level);
    const std::optional<bool> answers[] = {
        has_access_rules(cf, level),
        realm.has_value() ? std::optional(*realm != nullptr) : std::nullopt,
        asked.has_value() ? std::optional(!asked->empty()) : std::nullopt};
    bool all_known = true;
    for (const std::optional<bool>& answer : answers) {
        if (answer.value_or(false)) {
            return true;
        }
        all_known = all_known && answer.has_value();
    }
    return all_known ? std::optional(false) : std::nullopt;
}

std::optional<bool> checks_user_name(ngx_conf_t* cf, void* const* level) noexcept {
    const auto realm = auth_basic_realm(cf, level);
    if (!realm.has_value()) {
        return std::nullopt;
    }
    // A realm with variables may turn out to be off.
    if (*realm == nullptr || (*realm)->lengths != nullptr) {
        return false;
    }
    const auto& location =
        *static_cast<const ngx_http_core_loc_conf_t*>(level[ngx_http_core_module.ctx_index]);
    if (location.satisfy == NGX_HTTP_SATISFY_ALL) {
        return true;
    }
    const auto rules = has_access_rules(cf, level);
    const auto asked = auth_request_uri(cf, level);
    if (!rules.has_value() || !asked.has_value()) {
        return std::nullopt;
    }
    return !*rules && asked->empty();
}

// The configuration of ngx_http_rewrite_module begins with the array of script codes, each of
// which begins with a function that is public, and the depth of their stack.
std::optional<Returns> returns_of(ngx_conf_t* cf, void* const* level) noexcept {
    struct Script {
        const ngx_array_t* codes;
        ngx_uint_t stack_size;
    };
    const Foreign rewrite = foreign(cf, level, "ngx_http_rewrite_module");
    if (rewrite.module == nullptr) {
        return Returns();
    }
    if (rewrite.fresh == nullptr) {
        return std::nullopt;
    }
    const auto fresh = member_at<Script>(rewrite.fresh);
    if (fresh.codes != nullptr || fresh.stack_size != NGX_CONF_UNSET_UINT) {
        return std::nullopt;
    }
    const ngx_array_t* codes = member_at<Script>(rewrite.here).codes;
    if (codes == nullptr) {
        return Returns();
    }
    if (codes->size != 1 || codes->pool != cf->pool) {
        return std::nullopt;
    }
    const auto* bytes = static_cast<const u_char*>(codes->elts);
    constexpr std::size_t kReturn = sizeof(ngx_http_script_return_code_t);
    constexpr std::size_t kIf = sizeof(ngx_http_script_if_code_t);
    Returns out;
    std::size_t in_if = 0;  // up to here: the body of an `if`
    bool may_stop = false;  // something else may end the script before
    for (std::size_t at = 0; at + sizeof(uintptr_t) <= codes->nelts; at += sizeof(uintptr_t)) {
        const auto code = member_at<ngx_http_script_code_pt>(bytes, at);
        if (code == ngx_http_script_if_code && at + kIf <= codes->nelts) {
            const auto next = member_at<ngx_http_script_if_code_t>(bytes, at).next;
            in_if = std::max(in_if, at + static_cast<std::size_t>(next));
        } else if (code == ngx_http_script_return_code && at + kReturn <= codes->nelts) {
            const auto answer = member_at<ngx_http_script_return_code_t>(bytes, at);
            out.always = out.always || (at >= in_if && !may_stop);
            const std::string_view text = view(answer.text.value);
            if (answer.status < 400 || !text.empty()) {
                out.any = true;
                const bool redirect =
                    answer.status >= NGX_HTTP_MOVED_PERMANENTLY && answer.status < 400;
                out.all_to_https =
                    out.all_to_https && redirect && starts_with_nocase(text, "https://");
            }
        } else if (code == ngx_http_script_break_code
#if (NGX_PCRE)
                   || code == ngx_http_script_regex_start_code
#endif
        ) {
            may_stop = true;
        }
    }
    return out;
}

// ---- caches ----------------------------------------------------------------------------------

namespace {

// The key stands `gap` behind what the directive `before` sets; `check` tells by its distance from
// there that nothing has come between.
struct CacheModule {
    const char* module;
    std::string_view directive;
    std::string_view timeout;  // what it sets lies in the module's ngx_http_upstream_conf_t
    std::string_view before;
    std::size_t gap;
    std::string_view check;  // empty: nothing stands behind the key
    std::ptrdiff_t distance;
};

#if (NGX_HTTP_CACHE)
constexpr std::size_t kPointer = sizeof(void*);
constexpr std::size_t kKey = sizeof(ngx_http_complex_value_t);
constexpr std::size_t kText = sizeof(ngx_str_t);
constexpr CacheModule kCacheModules[] = {
    {"ngx_http_proxy_module", "proxy_cache", "proxy_connect_timeout", "proxy_method",
     kPointer + 2 * kText, "proxy_http_version",
     kPointer + 2 * kText + kKey + 5 * kText + sizeof(ngx_flag_t)},
    {"ngx_http_fastcgi_module", "fastcgi_cache", "fastcgi_connect_timeout", "fastcgi_keep_conn",
     sizeof(ngx_flag_t), "fastcgi_catch_stderr", -static_cast<std::ptrdiff_t>(3 * kPointer)},
    {"ngx_http_uwsgi_module", "uwsgi_cache", "uwsgi_connect_timeout", "uwsgi_param", 3 * kPointer,
     "uwsgi_modifier1", 3 * kPointer + kKey + kText},
    {"ngx_http_scgi_module",
     "scgi_cache",
     "scgi_connect_timeout",
     "scgi_param",
     3 * kPointer,
     {},
     0},
};

const ngx_command_t* find_command(const ngx_module_t& module, std::string_view name) noexcept {
    for (const ngx_command_t* c = module.commands; c != nullptr && c->name.len != 0; c++) {
        if (view(c->name) == name && c->conf == NGX_HTTP_LOC_CONF_OFFSET) {
            return c;
        }
    }
    return nullptr;
}

// Where the key of this module is; nothing: its configuration is laid out in another way.
std::optional<std::size_t> key_offset(const Foreign& foreign, const CacheModule& known) noexcept {
    const ngx_command_t* before = find_command(*foreign.module, known.before);
    if (before == nullptr || foreign.fresh == nullptr) {
        return std::nullopt;
    }
    if (!known.check.empty()) {
        const ngx_command_t* check = find_command(*foreign.module, known.check);
        if (check == nullptr || static_cast<std::ptrdiff_t>(check->offset) -
                                        static_cast<std::ptrdiff_t>(before->offset) !=
                                    known.distance) {
            return std::nullopt;
        }
    }
    const std::size_t offset = before->offset + known.gap;
    const auto fresh = member_at<ngx_http_complex_value_t>(foreign.fresh, offset);
    return fresh.value.data == nullptr && fresh.value.len == 0 && fresh.lengths == nullptr
               ? std::optional(offset)
               : std::nullopt;
}

std::optional<Cached> cached_by(ngx_conf_t* cf, void* const* level,
                                const CacheModule& known) noexcept {
    const Foreign module = foreign(cf, level, known.module);
    if (module.module == nullptr) {
        return std::nullopt;
    }
    const ngx_command_t* timeout = find_command(*module.module, known.timeout);
    constexpr std::size_t kTimeout = offsetof(ngx_http_upstream_conf_t, connect_timeout);
    if (timeout == nullptr || timeout->offset < kTimeout) {
        return std::nullopt;
    }
    const auto upstream =
        member_at<ngx_http_upstream_conf_t>(module.here, timeout->offset - kTimeout);
    const bool always = upstream.no_cache == nullptr || upstream.no_cache == NGX_CONF_UNSET_PTR;
    if (upstream.cache != 1 || !always) {
        return std::nullopt;
    }
    const auto offset = key_offset(module, known);
    if (!offset.has_value()) {
        return std::nullopt;
    }
    return Cached{known.directive,
                  view(member_at<ngx_http_complex_value_t>(module.here, *offset).value)};
}
#endif

}  // namespace

std::optional<Cached> cached_at(ngx_conf_t* cf, void* const* level) noexcept {
#if (NGX_HTTP_CACHE)
    for (const CacheModule& known : kCacheModules) {
        if (const auto cached = cached_by(cf, level, known)) {
            return cached;
        }
    }
#else
    static_cast<void>(cf);
    static_cast<void>(level);
#endif
    return std::nullopt;
}

// ---- addresses -------------------------------------------------------------------------------

namespace {

bool has_tls(const auto& listen) noexcept {
#if (NGX_HTTP_SSL)
    if constexpr (requires { listen.quic; }) {
        return listen.ssl != 0 || listen.quic != 0;
    } else {
        return listen.ssl != 0;
    }
#else
    return false;
#endif
}

}  // namespace

namespace {

bool is_local(const sockaddr& address) noexcept {
    switch (address.sa_family) {
        case AF_INET:
            return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) ==
                   127;
#if (NGX_HAVE_INET6)
        case AF_INET6:
            return IN6_IS_ADDR_LOOPBACK(
                       &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr) != 0;
#endif
        case AF_UNIX:
            return true;
        default:
            return false;
    }
}

// Calls use(address, port) for each address that the server listens on.
template <class Use>
void for_each_address(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server, Use&& use) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    if (core.ports == nullptr) {
        return;
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
            if (std::find(servers.begin(), servers.end(), &server) != servers.end()) {
                use(addr.opt, port.port);
            }
        }
    }
}

}  // namespace

Listening listening(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept {
    Listening out;
    constexpr in_port_t kHttps = 443;
    for_each_address(cf, server, [&out](const ngx_http_listen_opt_t& opt, in_port_t port) {
        const bool tls = has_tls(opt);
        const bool better = out.first == nullptr || (tls && !out.tls) ||
                            (tls && out.first_port != kHttps && port == kHttps);
        if (better) {
            out = {&opt, port, tls};
        }
    });
    return out;
}

bool listens_locally(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept {
    bool local = true;
    for_each_address(cf, server, [&local](const ngx_http_listen_opt_t& opt, in_port_t /*port*/) {
        local = local && is_local(*opt.sockaddr);
    });
    return local;
}

}  // namespace oidc::ngx
