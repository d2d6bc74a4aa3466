// SPDX-License-Identifier: Apache-2.0
// What is said of the configuration while it is read, with file and line.
#pragma once

#include <string>

#include "base/ngx.hpp"

namespace oidc::ngx {

// Where something was configured. The file's name lives as long as the configuration.
struct Place {
    ngx_str_t file{};
    ngx_uint_t line = 0;
};
Place place_of(ngx_conf_t* cf) noexcept;
std::string shown(const Place& place);  // <file>:<line>

// `<text> in <file>:<line>`. The error returns NGX_CONF_ERROR, for `return conf_error(...)`;
// `err` is an errno or 0. No text may hold a secret.
char* conf_error(ngx_conf_t* cf, const Place& place, const std::string& text,
                 ngx_err_t err = 0) noexcept;
void conf_warn(ngx_conf_t* cf, const Place& place, const std::string& text) noexcept;
inline char* conf_error(ngx_conf_t* cf, const std::string& text, ngx_err_t err = 0) noexcept {
    return conf_error(cf, place_of(cf), text, err);
}
inline void conf_warn(ngx_conf_t* cf, const std::string& text) noexcept {
    conf_warn(cf, place_of(cf), text);
}
// For catch (...): out of memory, or a bug.
char* conf_exception(ngx_conf_t* cf) noexcept;

inline char* conf_ok() noexcept {
    return NGX_CONF_OK;
}
inline char* conf_fail() noexcept {
    return static_cast<char*>(NGX_CONF_ERROR);
}
// A directive was given twice; nginx names it.
inline char* conf_duplicate() noexcept {
    static char text[] = "is duplicate";
    return text;
}

}  // namespace oidc::ngx
