// SPDX-License-Identifier: Apache-2.0
#include "config/header_rules.hpp"

#include <algorithm>

#include "config/block.hpp"
#include "config/token_use.hpp"
#include "oidc/header_name.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {

namespace {

// "$name" and nothing else.
bool is_one_variable(std::string_view value) noexcept {
    return value.size() > 1 && value.front() == '$' &&
           std::all_of(value.begin() + 1, value.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

}  // namespace

void reserve_header(MainConf& main, const std::string& name) {
    if (std::find(main.reserved_headers.begin(), main.reserved_headers.end(), name) ==
        main.reserved_headers.end()) {
        main.reserved_headers.push_back(name);
    }
}

bool make_header_rule(ngx_conf_t* cf, ngx_str_t name, ngx_str_t value, HeaderRule& out) {
    out.name = copy_to_pool(cf->pool, view(name));
    out.lowcase = copy_to_pool(cf->pool, ascii_lower(view(name)));
    if (out.name.data == nullptr || out.lowcase.data == nullptr) {
        return false;
    }
    out.hash = ngx_hash_key(out.lowcase.data, out.lowcase.len);
    out.normal_name = normal_header_name(view(name));
    if (value.len > 0) {
        out.value = compile_value(cf, value);
        if (out.value == nullptr) {
            return false;
        }
    }
    out.tokens = tokens_in(view(value));
    if (is_one_variable(view(value))) {
        ngx_str_t variable = borrow(view(value).substr(1));
        out.variable = ngx_http_get_variable_index(cf, &variable);
        return out.variable != NGX_ERROR;
    }
    return true;
}

}  // namespace oidc::ngx
