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

Listening listening(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept {
    Listening out;
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    if (core.ports == nullptr) {
        return out;
    }
    constexpr in_port_t kHttps = 443;
    const std::span ports(static_cast<const ngx_http_conf_port_t*>(core.ports->elts),
                          core.ports->nelts);
    for (const ngx_http_conf_port_t& port : ports) {
        const std::span addrs(static_cast<const ngx_http_conf_addr_t*>(port.addrs.elts),
                              port.addrs.nelts);
        for (const ngx_http_conf_addr_t& addr : addrs) {
            const std::span servers(
                static_cast<ngx_http_core_srv_conf_t* const*>(addr.servers.elts),
                addr.servers.nelts);
            if (std::find(servers.begin(), servers.end(), &server) == servers.end()) {
                continue;
            }
            const bool tls = has_tls(addr.opt);
            const bool better = out.first == nullptr || (tls && !out.tls) ||
                                (tls && out.first_port != kHttps && port.port == kHttps);
            if (better) {
                out = {&addr.opt, port.port, tls};
            }
        }
    }
    return out;
}

}  // namespace oidc::ngx
