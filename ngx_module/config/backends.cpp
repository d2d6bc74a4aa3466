// SPDX-License-Identifier: Apache-2.0
#include "config/backends.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "config/nginx_private.hpp"
#include "oidc/header_name.hpp"

namespace oidc::ngx {
namespace {

struct PassModule {
    const char* module;
    std::string_view directive;
    std::string_view timeout;  // lies in the module's ngx_http_upstream_conf_t
    std::string_view headers;
    bool cgi;
};
constexpr PassModule kPassModules[] = {
    {"ngx_http_proxy_module", "proxy_pass", "proxy_connect_timeout", "proxy_set_header", false},
    {"ngx_http_grpc_module", "grpc_pass", "grpc_connect_timeout", "grpc_set_header", false},
    {"ngx_http_fastcgi_module", "fastcgi_pass", "fastcgi_connect_timeout", "fastcgi_param", true},
    {"ngx_http_uwsgi_module", "uwsgi_pass", "uwsgi_connect_timeout", "uwsgi_param", true},
    {"ngx_http_scgi_module", "scgi_pass", "scgi_connect_timeout", "scgi_param", true},
};
constexpr std::string_view kCgiPrefix = "HTTP_";

using Setter = char* (*)(ngx_conf_t*, ngx_command_t*, void*);

const ngx_command_t* find_command(const ngx_module_t& module, std::string_view name,
                                  Setter set) noexcept {
    for (const ngx_command_t* c = module.commands; c != nullptr && c->name.len != 0; c++) {
        if (view(c->name) == name && c->conf == NGX_HTTP_LOC_CONF_OFFSET && c->set == set) {
            return c;
        }
    }
    return nullptr;
}

// A part of another module's configuration.
template <class T>
const T& part(const void* conf, std::size_t offset) noexcept {
    return *reinterpret_cast<const T*>(static_cast<const char*>(conf) + offset);
}

template <class Entry>
bool holds(const ngx_array_t* list, std::string_view prefix, std::string_view name) {
    if (list == nullptr || list == NGX_CONF_UNSET_PTR || list->size != sizeof(Entry)) {
        return false;
    }
    const std::span entries(static_cast<const Entry*>(list->elts), list->nelts);
    return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
        const std::string_view key = view(entry.key);
        return key.starts_with(prefix) && normal_header_name(key.substr(prefix.size())) == name;
    });
}

std::span<const ngx_http_upstream_server_t> servers_of(
    const ngx_http_upstream_srv_conf_t& group) noexcept {
    if (group.servers == nullptr || group.servers->size != sizeof(ngx_http_upstream_server_t)) {
        return {};
    }
    return {static_cast<const ngx_http_upstream_server_t*>(group.servers->elts),
            group.servers->nelts};
}

bool share_an_address(const ngx_http_upstream_server_t& a,
                      const ngx_http_upstream_server_t& b) noexcept {
    const std::span of_a(a.addrs, a.naddrs);
    const std::span of_b(b.addrs, b.naddrs);
    return std::any_of(of_a.begin(), of_a.end(), [of_b](const ngx_addr_t& x) {
        return std::any_of(of_b.begin(), of_b.end(), [&x](const ngx_addr_t& y) {
            return ngx_cmp_sockaddr(x.sockaddr, x.socklen, y.sockaddr, y.socklen, 1) == NGX_OK;
        });
    });
}

}  // namespace

bool Backend::sets(std::string_view name) const {
    return cgi ? holds<ngx_http_upstream_param_t>(headers, kCgiPrefix, name)
               : holds<ngx_keyval_t>(headers, {}, name);
}

Backends::Backends(ngx_conf_t* cf) {
    constexpr std::size_t kTimeout = offsetof(ngx_http_upstream_conf_t, connect_timeout);
    for (const PassModule& pass : kPassModules) {
        const ngx_module_t* module = find_module(cf, pass.module);
        if (module == nullptr) {
            continue;
        }
        const ngx_command_t* timeout = find_command(*module, pass.timeout, ngx_conf_set_msec_slot);
        const ngx_command_t* headers =
            find_command(*module, pass.headers,
                         pass.cgi ? ngx_http_upstream_param_set_slot : ngx_conf_set_keyval_slot);
        const auto* http = static_cast<const ngx_http_module_t*>(module->ctx);
        if (timeout == nullptr || headers == nullptr || timeout->offset < kTimeout ||
            http->create_loc_conf == nullptr) {
            continue;
        }
        const std::size_t upstream = timeout->offset - kTimeout;
        const void* fresh = http->create_loc_conf(cf);
        if (fresh == nullptr) {
            continue;
        }
        const auto& made = part<ngx_http_upstream_conf_t>(fresh, upstream);
        if (made.upstream == nullptr && made.connect_timeout == NGX_CONF_UNSET_MSEC &&
            (made.pass_request_headers == NGX_CONF_UNSET || made.pass_request_headers == 1)) {
            known_.push_back(
                {module->ctx_index, upstream, headers->offset, pass.directive, pass.cgi});
        }
    }
}

std::optional<Backend> Backends::at(void* const* level) const noexcept {
    const auto& location =
        *static_cast<const ngx_http_core_loc_conf_t*>(level[ngx_http_core_module.ctx_index]);
    if (location.handler == nullptr) {
        return std::nullopt;
    }
    for (const Known& known : known_) {
        const void* conf = level[known.module];
        const auto& upstream = part<ngx_http_upstream_conf_t>(conf, known.upstream);
        if (upstream.upstream != nullptr && upstream.pass_request_headers != 0) {
            return Backend{known.directive, upstream.upstream, known.cgi,
                           part<const ngx_array_t*>(conf, known.headers)};
        }
    }
    return std::nullopt;
}

bool is_same_backend(const Backend& a, const Backend& b) noexcept {
    if (a.group == b.group) {
        return true;
    }
    const auto of_a = servers_of(*a.group);
    const auto of_b = servers_of(*b.group);
    return std::any_of(of_a.begin(), of_a.end(), [of_b](const auto& x) {
        return std::any_of(of_b.begin(), of_b.end(),
                           [&x](const auto& y) { return share_an_address(x, y); });
    });
}

}  // namespace oidc::ngx
