// SPDX-License-Identifier: Apache-2.0
#include "config/variable_use.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "config/conf.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

namespace {

const ngx_http_core_main_conf_t& core_conf(ngx_conf_t* cf) noexcept {
    return *static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
}

std::span<const ngx_hash_key_t> known(const ngx_http_core_main_conf_t& core) noexcept {
    return {static_cast<const ngx_hash_key_t*>(core.variables_keys->keys.elts),
            core.variables_keys->keys.nelts};
}

const ngx_hash_key_t* find_key(std::span<const ngx_hash_key_t> keys,
                               std::string_view name) noexcept {
    const auto found = std::find_if(keys.begin(), keys.end(), [name](const ngx_hash_key_t& key) {
        return view(key.key) == name;
    });
    return found == keys.end() ? nullptr : &*found;
}

const ngx_http_variable_t& variable_of(const ngx_hash_key_t& key) noexcept {
    return *static_cast<const ngx_http_variable_t*>(key.value);
}

bool has_known_prefix(const ngx_http_core_main_conf_t& core, std::string_view name) noexcept {
    const std::span prefixes(static_cast<const ngx_http_variable_t*>(core.prefix_variables.elts),
                             core.prefix_variables.nelts);
    return std::any_of(prefixes.begin(), prefixes.end(), [name](const ngx_http_variable_t& prefix) {
        return name.starts_with(view(prefix.name));
    });
}

// By its handler, which nginx keeps to itself, a named capture is told from all other variables. An
// expression of our own shows it.
ngx_http_get_variable_pt handler_of_captures(ngx_conf_t* cf,
                                             const ngx_http_core_main_conf_t& core) {
    constexpr std::string_view kName = "oidc_capture";
    u_char error[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t expression{};
    expression.pattern = copy_to_pool(cf->pool, "(?<oidc_capture>x)");
    expression.err = {sizeof(error), error};
    if (expression.pattern.data == nullptr || ngx_http_regex_compile(cf, &expression) == nullptr) {
        return nullptr;
    }
    const ngx_hash_key_t* key = find_key(known(core), kName);
    return key != nullptr ? variable_of(*key).get_handler : nullptr;
}

// Modules after this one are told by the flag that lets the configuration make a variable.
bool was_made_here(ngx_conf_t* cf, std::span<const ngx_hash_key_t> keys,
                   const ngx_hash_key_t& key) noexcept {
    const auto place = static_cast<ngx_uint_t>(&key - keys.data());
    return place >= conf_main(cf).built_in_variables &&
           (variable_of(key).flags & NGX_HTTP_VAR_CHANGEABLE) != 0;
}

// Built-in, and yet not the client's.
constexpr std::string_view kServerName = "server_name";

}  // namespace

void note_built_in_variables(ngx_conf_t* cf) noexcept {
    conf_main(cf).built_in_variables = known(core_conf(cf)).size();
}

bool is_from_client(ngx_conf_t* cf, std::string_view name) {
    const ngx_http_core_main_conf_t& core = core_conf(cf);
    const std::string lowcase = ascii_lower(name);
    if (lowcase.size() == 1 && is_digit(lowcase.front())) {
        return true;
    }
    const std::span keys = known(core);
    const ngx_hash_key_t* key = find_key(keys, lowcase);
    // nginx prefers those of a prefix to one that is only `set`.
    if (key == nullptr || (variable_of(*key).flags & NGX_HTTP_VAR_WEAK) != 0) {
        return has_known_prefix(core, lowcase);
    }
    if (!was_made_here(cf, keys, *key)) {
        return lowcase != kServerName;
    }
    const ngx_http_get_variable_pt captures = handler_of_captures(cf, core);
    // What was known may have moved.
    key = find_key(known(core), lowcase);
    return captures == nullptr || key == nullptr || variable_of(*key).get_handler == captures;
}

bool is_made_here(ngx_conf_t* cf, std::string_view name) {
    const std::span keys = known(core_conf(cf));
    const ngx_hash_key_t* key = find_key(keys, ascii_lower(name));
    return key != nullptr && was_made_here(cf, keys, *key);
}

}  // namespace oidc::ngx
