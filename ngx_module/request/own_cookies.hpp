// SPDX-License-Identifier: Apache-2.0
// The cookies that only this module sets: sessions, logins under way, fragments of deep links.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/conf.hpp"
#include "oidc/cookie.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

inline constexpr std::string_view kHostPrefix = "__Host-";
inline constexpr std::string_view kSecurePrefix = "__Secure-";

std::string_view without_host_prefix(std::string_view name) noexcept;

// What a cookie of this name, in either spelling, is to the module.
enum class OwnCookie : unsigned char { none, session, pending, fragment, target, choice };
OwnCookie own_cookie(const MainConf& conf, std::string_view name) noexcept;
inline bool is_own_cookie(const MainConf& conf, std::string_view name) noexcept {
    return own_cookie(conf, name) != OwnCookie::none;
}

// Whether strip_cookies names the cookie: in any letter case, with and without a prefix of
// browsers.
bool is_stripped(const std::vector<std::string>& patterns, std::string_view name) noexcept;

// Cookies of a login: host-only, for the whole site, with "__Host-" on https. With login_hosts they
// have the domain of the session's cookie instead, since another host ends the login.
// The pending logins of the spellings that count here; without TLS the other one may have been
// planted.
std::vector<PendingCookie> usable_pending(const RequestContext& ctx, const Provider& provider,
                                          bool https);
// Of a cookie by its whole name.
CookieAttributes login_cookie_attributes(const Provider& provider, std::string_view name,
                                         bool https);
std::string login_cookie_name(const Provider& provider, std::string_view name, bool https);

// The answer sets the session cookie, or deletes it when `value` is empty, with all its chunks;
// what it would have set before is forgotten. `lifetime` in seconds.
void answer_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                           std::string_view value, Seconds lifetime);
// The answer leaves it as it is.
void forget_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);
// It deletes those of the application that clear_cookies names.
void answer_clear_cookies(RequestContext& ctx, const Provider& provider, bool https);

}  // namespace oidc::ngx
