// SPDX-License-Identifier: Apache-2.0
// The only place where nginx headers are included, and the small bridges between nginx's types and
// the core's. Views only, nothing is copied unless the name says so.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

#include <cstring>
#include <string>
#include <string_view>

namespace oidc::ngx {

inline std::string_view view(const ngx_str_t& s) noexcept {
    return {reinterpret_cast<const char*>(s.data), s.len};
}

// Borrows `s`: its bytes must outlive the ngx_str_t.
inline ngx_str_t borrow(std::string_view s) noexcept {
    return {s.size(), reinterpret_cast<u_char*>(const_cast<char*>(s.data()))};
}

// Copy in the pool, NUL-terminated behind its length. data is null when memory is out.
inline ngx_str_t copy_to_pool(ngx_pool_t* pool, std::string_view s) noexcept {
    auto* p = static_cast<u_char*>(ngx_pnalloc(pool, s.size() + 1));
    if (p == nullptr) {
        return {0, nullptr};
    }
    if (!s.empty()) {
        std::memcpy(p, s.data(), s.size());
    }
    p[s.size()] = '\0';
    return {s.size(), p};
}

// True in processes that serve requests, false in nginx's cache helpers.
inline bool is_worker() noexcept {
    return ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
}

}  // namespace oidc::ngx

extern "C" {
extern ngx_module_t ngx_http_auth_oidc_module;  // NOLINT: nginx's own naming
}
