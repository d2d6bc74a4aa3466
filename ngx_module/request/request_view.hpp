// SPDX-License-Identifier: Apache-2.0
// What the module reads from a request: headers, scheme, the values of configured expressions.
#pragma once

#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/challenge.hpp"

namespace oidc::ngx {

// The first header of this name (lower case); empty when absent. Borrows the request.
std::string_view request_header(ngx_http_request_t* r, std::string_view lowcase_name) noexcept;

// The endpoint of ours at this exact path; internal redirects never reach one.
const Endpoint* find_endpoint(ngx_http_request_t* r) noexcept;

RequestFacts request_facts(ngx_http_request_t* r) noexcept;

// oidc_page_language, or what Accept-Language asks for. English where `form` is no page.
Language page_language(ngx_http_request_t* r, PageForm form = PageForm::html) noexcept;

// Whether browsers reach this location over https: decides cookie names and Secure.
bool public_https(ngx_http_request_t* r, const Provider* provider) noexcept;

// An https site that was reached over plain http: TLS neither ends here nor, as far as can be told,
// in a proxy in front.
bool is_insecure_detour(ngx_http_request_t* r, const Provider& provider) noexcept;

// So, at a server that listens with TLS beside: the same page is there over https.
bool is_plain_side(ngx_http_request_t* r, const Provider& provider) noexcept;

// Sent as TLS early data, which can be replayed (RFC 8470).
bool is_early_data(ngx_http_request_t* r) noexcept;

// What sessions and pending logins of this provider are bound to here; null: configuration lacks
// it.
const Digest* binding_of(ngx_http_request_t* r, const Provider& provider) noexcept;

// Public origin of the request (scheme://host[:port]) in the pool; see "public origin" in the
// architecture. data is null on error.
ngx_str_t public_origin(ngx_http_request_t* r, const Provider* provider) noexcept;

// The request's host when logins that begin there end at another one (login_hosts), else empty.
std::string_view login_host(ngx_http_request_t* r, const Provider& provider) noexcept;

// An absolute URL on our own origin; empty: no memory.
std::string own_url(ngx_http_request_t* r, const Provider& provider, std::string_view target);

// The session cookie's name where browsers reach this location, and the only one that counts.
const std::string& session_cookie_name(ngx_http_request_t* r, const Provider& provider) noexcept;

// Whether the request comes from a page of ours, or from none (is_own_navigation).
bool is_own_request(ngx_http_request_t* r, const Provider* provider) noexcept;

// The request, which changes something or opens a socket, was sent by a page of another site
// (auth_oidc_csrf, is_own_change). Of a subrequest: its main request was.
bool is_cross_origin(ngx_http_request_t* r, const Provider& provider) noexcept;

// The value of a configured expression; false: nginx could not compute it. A null expression is
// empty.
bool evaluate(ngx_http_request_t* r, ngx_http_complex_value_t* expression, std::string& out);

// Keeps the server's names for public_origin; postconfiguration calls it for every server that uses
// the module. Without it the first name stands for all.
void remember_server_names(SrvConf& server, const ngx_http_core_srv_conf_t& core);

// True when the location's error_page handles `status`, so that returning the status is enough.
bool has_error_page(ngx_http_request_t* r, ngx_int_t status) noexcept;

bool satisfy_any(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
