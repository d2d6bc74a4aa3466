// SPDX-License-Identifier: Apache-2.0
#include "config/nginx_private.hpp"

#include <cstring>

#include "config/location_tree.hpp"

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

// ---- other modules ---------------------------------------------------------------------------

namespace {

// Another module's configuration, of which only the first members are known here, or the place of
// one. A configuration that the module has just made tells whether they still are what they were.
struct Foreign {
    const ngx_module_t* module = nullptr;  // null: this nginx has no such module
    const void* here = nullptr;            // of the location
    const void* fresh = nullptr;           // null: the module makes none, or there is no memory
};

Foreign foreign(ngx_conf_t* cf, const ngx_http_core_loc_conf_t& location,
                const char* name) noexcept {
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != nullptr; i++) {
        const ngx_module_t& module = *cf->cycle->modules[i];
        if (module.type != NGX_HTTP_MODULE || module.name == nullptr ||
            std::strcmp(module.name, name) != 0) {
            continue;
        }
        const auto* http = static_cast<const ngx_http_module_t*>(module.ctx);
        return {&module, location.loc_conf[module.ctx_index],
                http->create_loc_conf == nullptr ? nullptr : http->create_loc_conf(cf)};
    }
    return {};
}

template <class T>
T member_at(const void* conf, std::size_t offset = 0) noexcept {
    T value;
    std::memcpy(&value, static_cast<const char*>(conf) + offset, sizeof value);
    return value;
}

// ngx_http_access_module begins with its lists of rules, one for each kind of address.
std::optional<bool> has_access_rules(ngx_conf_t* cf,
                                     const ngx_http_core_loc_conf_t& location) noexcept {
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
    const Foreign access = foreign(cf, location, "ngx_http_access_module");
    if (access.module == nullptr) {
        return false;
    }
    if (access.fresh == nullptr || member_at<Rules>(access.fresh).any()) {
        return std::nullopt;
    }
    return member_at<Rules>(access.here).any();
}

// The directive's own entry says where the value is, and its setter of which type.
std::optional<bool> has_auth_basic(ngx_conf_t* cf,
                                   const ngx_http_core_loc_conf_t& location) noexcept {
    struct Setting {
        const ngx_http_complex_value_t* realm;
    };
    const Foreign basic = foreign(cf, location, "ngx_http_auth_basic_module");
    if (basic.module == nullptr) {
        return false;
    }
    for (const ngx_command_t* c = basic.module->commands; c->name.len != 0; c++) {
        if (view(c->name) != "auth_basic") {
            continue;
        }
        if (c->set != ngx_http_set_complex_value_slot || c->conf != NGX_HTTP_LOC_CONF_OFFSET) {
            break;
        }
        const auto* realm = member_at<Setting>(basic.here, c->offset).realm;
        return realm != nullptr && realm != NGX_CONF_UNSET_PTR &&
               !(realm->lengths == nullptr && view(realm->value) == "off");
    }
    return std::nullopt;
}

// ngx_http_auth_request_module begins with the URI of the subrequest.
std::optional<bool> has_auth_request(ngx_conf_t* cf,
                                     const ngx_http_core_loc_conf_t& location) noexcept {
    const Foreign request = foreign(cf, location, "ngx_http_auth_request_module");
    if (request.module == nullptr) {
        return false;
    }
    if (request.fresh == nullptr) {
        return std::nullopt;
    }
    const auto fresh = member_at<ngx_str_t>(request.fresh);
    if (fresh.len != 0 || fresh.data != nullptr) {
        return std::nullopt;
    }
    return member_at<ngx_str_t>(request.here).len != 0;
}

}  // namespace

std::optional<bool> has_access_control(ngx_conf_t* cf,
                                       const ngx_http_core_loc_conf_t& location) noexcept {
    const std::optional<bool> answers[] = {has_access_rules(cf, location),
                                           has_auth_basic(cf, location),
                                           has_auth_request(cf, location)};
    bool all_known = true;
    for (const std::optional<bool>& answer : answers) {
        if (answer.value_or(false)) {
            return true;
        }
        all_known = all_known && answer.has_value();
    }
    return all_known ? std::optional(false) : std::nullopt;
}

// The configuration of ngx_http_rewrite_module begins with the array of script codes, each of
// which begins with a function that is public, and the depth of their stack.
std::optional<bool> answers_by_return(ngx_conf_t* cf,
                                      const ngx_http_core_loc_conf_t& location) noexcept {
    struct Script {
        const ngx_array_t* codes;
        ngx_uint_t stack_size;
    };
    const Foreign rewrite = foreign(cf, location, "ngx_http_rewrite_module");
    if (rewrite.module == nullptr) {
        return false;
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
        return false;
    }
    if (codes->size != 1 || codes->pool != cf->pool) {
        return std::nullopt;
    }
    const auto* bytes = static_cast<const u_char*>(codes->elts);
    constexpr std::size_t kReturn = sizeof(ngx_http_script_return_code_t);
    for (std::size_t at = 0; at + kReturn <= codes->nelts; at += sizeof(uintptr_t)) {
        const auto code = member_at<ngx_http_script_return_code_t>(bytes, at);
        if (code.code == ngx_http_script_return_code &&
            (code.status < 400 || code.text.value.len > 0)) {
            return true;
        }
    }
    return false;
}

}  // namespace oidc::ngx
