// SPDX-License-Identifier: Apache-2.0
#include "config/token_use.hpp"

#include <algorithm>
#include <span>

#include "config/nginx_private.hpp"
#include "config/script_text.hpp"
#include "config/variable_use.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {
namespace {

constexpr std::string_view kAccessToken = "oidc_access_token";
constexpr std::string_view kIdToken = "oidc_id_token";

TokenUse token_of(std::string_view variable) noexcept {
    return {equal_nocase(variable, kAccessToken), equal_nocase(variable, kIdToken)};
}

// What a text may hold when `anything` is what the configuration's own variables may hold.
TokenUse may_hold(ngx_conf_t* cf, std::string_view text, TokenUse anything) {
    TokenUse out;
    for (const std::string_view name : read_script_text(text).variables) {
        out |= is_made_here(cf, name) ? anything : token_of(name);
    }
    return out;
}

// The member is a T: the setter of the directive says so.
template <class T>
T member_at(const void* conf, std::size_t offset) noexcept {
    return *reinterpret_cast<const T*>(static_cast<const char*>(conf) + offset);
}

template <class Entry>
TokenUse may_hold_any(ngx_conf_t* cf, const ngx_array_t* list, TokenUse anything) {
    TokenUse out;
    if (list == nullptr || list == NGX_CONF_UNSET_PTR || list->size != sizeof(Entry)) {
        return out;
    }
    for (const Entry& entry : std::span(static_cast<const Entry*>(list->elts), list->nelts)) {
        out |= may_hold(cf, view(entry.value), anything);
    }
    return out;
}

// A directive's own entry says where its value is, and its setter of which type.
TokenUse of_command(ngx_conf_t* cf, const ngx_command_t& c, const void* conf, TokenUse anything) {
    if (c.conf != NGX_HTTP_LOC_CONF_OFFSET) {
        return {};
    }
    if (c.set == ngx_conf_set_keyval_slot) {
        return may_hold_any<ngx_keyval_t>(cf, member_at<const ngx_array_t*>(conf, c.offset),
                                          anything);
    }
    if (c.set == ngx_http_upstream_param_set_slot) {
        return may_hold_any<ngx_http_upstream_param_t>(
            cf, member_at<const ngx_array_t*>(conf, c.offset), anything);
    }
    if (c.set == ngx_conf_set_str_slot) {
        return may_hold(cf, view(member_at<ngx_str_t>(conf, c.offset)), anything);
    }
    if (c.set == ngx_http_set_complex_value_slot) {
        const auto* value = member_at<const ngx_http_complex_value_t*>(conf, c.offset);
        if (value != nullptr && value != NGX_CONF_UNSET_PTR) {
            return may_hold(cf, view(value->value), anything);
        }
    }
    return {};
}

TokenUse of_other_modules(ngx_conf_t* cf, void* const* level, TokenUse anything) {
    TokenUse out;
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != nullptr; i++) {
        const ngx_module_t& module = *cf->cycle->modules[i];
        if (module.type != NGX_HTTP_MODULE || module.commands == nullptr ||
            &module == &ngx_http_auth_oidc_module || level[module.ctx_index] == nullptr) {
            continue;
        }
        for (const ngx_command_t* c = module.commands; c->name.len != 0; c++) {
            out |= of_command(cf, *c, level[module.ctx_index], anything);
        }
    }
    return out;
}

TokenUse of_this_module(ngx_conf_t* cf, const LocConf& conf, TokenUse anything) {
    TokenUse out;
    if (conf.headers != 0) {
        for (const HeaderRule& rule : conf.header_rules) {
            if (rule.value != nullptr) {
                out |= may_hold(cf, view(rule.value->value), anything);
            }
        }
    }
    for (const LocConf::Require& require : conf.require) {
        for (const ngx_http_complex_value_t* value : require.values) {
            out |= may_hold(cf, view(value->value), anything);
        }
    }
    return out;
}

// Files have no backend; what `try_files` and `index` lead to is judged at its own place.
bool has_backend(void* const* level) noexcept {
    return static_cast<const ngx_http_core_loc_conf_t*>(level[ngx_http_core_module.ctx_index])
               ->handler != nullptr;
}

// A subrequest waits for nothing, so its main request does. The headers of this module are those of
// the main request's location.
TokenUse of_auth_request(ngx_conf_t* cf, const MainConf::Level& level, TokenUse anything) {
    const std::string_view uri = auth_request_uri(cf, level.all).value_or("");
    if (uri.empty()) {
        return {};
    }
    const auto found = find_location(*level.server, uri.substr(0, uri.find('?')));
    if (!found.has_value() || *found == nullptr || !has_backend((*found)->loc_conf)) {
        return {};
    }
    return of_other_modules(cf, (*found)->loc_conf, anything);
}

}  // namespace

TokenUse tokens_in(std::string_view text) {
    TokenUse out;
    for (const std::string_view name : read_script_text(text).variables) {
        out |= token_of(name);
    }
    return out;
}

TokenUse tokens_read(ngx_conf_t* cf) noexcept {
    const auto& core = *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    TokenUse out;
    for (const ngx_http_variable_t& variable : std::span(
             static_cast<const ngx_http_variable_t*>(core.variables.elts), core.variables.nelts)) {
        out |= token_of(view(variable.name));
    }
    return out;
}

void note_token_use(ngx_conf_t* cf, MainConf& main) {
    const TokenUse anything = tokens_read(cf);
    if (!anything.any()) {
        return;
    }
    for (const MainConf::Level& level : main.levels) {
        if (level.conf->effective_mode() == Mode::off) {
            continue;
        }
        if (has_backend(level.all)) {
            level.conf->tokens = of_this_module(cf, *level.conf, anything);
            level.conf->tokens |= of_other_modules(cf, level.all, anything);
        }
        level.conf->tokens |= of_auth_request(cf, level, anything);
    }
}

}  // namespace oidc::ngx
