// SPDX-License-Identifier: Apache-2.0
#pragma once
// What nginx and its modules keep to themselves, read for what `nginx -t` says. None of it is an
// interface. Where something is laid out in another way than is known here the answer is nothing,
// and whoever asked must not complain then.
#include <optional>
#include <string_view>

#include "base/ngx.hpp"

namespace oidc::ngx {

// The location of the server that takes `uri`; null: none does. Once nginx has built its trees.
std::optional<const ngx_http_core_loc_conf_t*> find_location(const ngx_http_core_srv_conf_t& server,
                                                             std::string_view uri) noexcept;

// Some location takes every URI, so that nothing is answered at the server's own level. Once nginx
// has built its trees.
std::optional<bool> is_covered(const ngx_http_core_srv_conf_t& server) noexcept;

// The http module of this name; null: this nginx has none.
const ngx_module_t* find_module(ngx_conf_t* cf, const char* name) noexcept;

// In what follows `level` holds the configurations of one level, by module.

// Every `return` of a level, also inside `if`: they answer before anybody is asked to sign in. One
// with a 4xx or 5xx status and no text gives nothing away and does not count.
struct Returns {
    bool any = false;
    bool all_to_https = true;  // each is a redirect to an https URL
    bool always = false;       // one answers whatever was asked
};
std::optional<Returns> returns_of(ngx_conf_t* cf, void* const* level) noexcept;

// `allow`, `deny`, `auth_basic` or `auth_request` say who may come here.
std::optional<bool> has_access_control(ngx_conf_t* cf, void* const* level) noexcept;

// The user name of Basic credentials has been checked wherever it is asked for in the content phase
// and later: `auth_basic` is on, and nothing else of nginx's own can let a request in without it.
std::optional<bool> checks_user_name(ngx_conf_t* cf, void* const* level) noexcept;

// The URI of auth_request; empty: none.
std::optional<std::string_view> auth_request_uri(ngx_conf_t* cf, void* const* level) noexcept;

// What keeps the answers of a level's backend, and under which key.
struct Cached {
    std::string_view directive;  // proxy_cache and its like
    std::string_view key;        // empty: the module's own
};
// Also nothing when nothing is kept, or when a condition (proxy_no_cache) may leave some out. Once
// all levels are merged.
std::optional<Cached> cached_at(ngx_conf_t* cf, void* const* level) noexcept;

// The addresses that a server listens on.
struct Listening {
    const ngx_http_listen_opt_t* first = nullptr;  // with TLS before others; null: not known
    in_port_t first_port = 0;                      // 0: of a unix socket
    bool tls = false;                              // that one
};
Listening listening(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept;
// All of them are of this machine alone: loopback addresses and unix sockets.
bool listens_locally(ngx_conf_t* cf, const ngx_http_core_srv_conf_t& server) noexcept;

}  // namespace oidc::ngx
