// SPDX-License-Identifier: Apache-2.0
#include "request/own_cookies.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "oidc/provider_choice.hpp"
#include "oidc/session_cookie.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "request/request_view.hpp"

namespace oidc::ngx {

std::string_view without_host_prefix(std::string_view name) noexcept {
    if (name.starts_with(kHostPrefix)) {
        name.remove_prefix(kHostPrefix.size());
    }
    return name;
}

OwnCookie own_cookie(const MainConf& conf, std::string_view name) noexcept {
    if (name.empty() || !conf.cookie_first[static_cast<u_char>(name.front())]) {
        return OwnCookie::none;
    }
    if (std::any_of(conf.session_cookies.begin(), conf.session_cookies.end(),
                    [name](const std::string& own) { return name == own; })) {
        return OwnCookie::session;
    }
    const std::string_view bare = without_host_prefix(name);
    if (bare.starts_with(kPendingCookie)) {
        return OwnCookie::pending;
    }
    if (bare == kTargetCookie) {
        return OwnCookie::target;
    }
    if (bare == kChoiceCookie) {
        return OwnCookie::choice;
    }
    return bare.starts_with(kFragmentCookie) ? OwnCookie::fragment : OwnCookie::none;
}

bool is_stripped(const std::vector<std::string>& patterns, std::string_view name) noexcept {
    return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
        const bool open = pattern.ends_with('*');
        pattern.remove_suffix(open ? 1 : 0);
        const auto matches = [pattern, open](std::string_view text) {
            return open ? starts_with_nocase(text, pattern) : equal_nocase(text, pattern);
        };
        for (const std::string_view prefix : {kHostPrefix, kSecurePrefix}) {
            if (starts_with_nocase(name, prefix) && matches(name.substr(prefix.size()))) {
                return true;
            }
        }
        return matches(name);
    });
}

std::vector<PendingCookie> usable_pending(const RequestContext& ctx, const Provider& provider,
                                          bool https) {
    const bool shared = !provider.login_hosts.empty();
    std::vector<PendingCookie> usable;
    std::copy_if(ctx.cookies.pending.begin(), ctx.cookies.pending.end(), std::back_inserter(usable),
                 [https, shared](const PendingCookie& cookie) {
                     return shared || cookie.name.starts_with(kHostPrefix) == https;
                 });
    return usable;
}

CookieAttributes login_cookie_attributes(const Provider& provider, std::string_view name,
                                         bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    if (!provider.login_hosts.empty() && !name.starts_with(kHostPrefix)) {
        attributes.domain = provider.cookie_domain;
    }
    return attributes;
}

std::string login_cookie_name(const Provider& provider, std::string_view name, bool https) {
    return cookie_name_for(name, https, !provider.login_hosts.empty());
}

void forget_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider) {
    const std::string& name = session_cookie_name(r, provider);
    std::erase_if(ctx.answer.set_cookies,
                  [&name](const std::string& line) { return is_session_cookie_line(line, name); });
}

void answer_session_cookie(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                           std::string_view value, Seconds lifetime) {
    const std::string& name = session_cookie_name(r, provider);
    const CookieAttributes attributes =
        session_cookie_attributes(provider, public_https(r, &provider));
    std::vector<std::string> lines =
        value.empty()
            ? delete_session_cookie_lines(name, attributes, ctx.cookies.presented())
            : session_cookie_lines(name, value, attributes, lifetime, ctx.cookies.presented());
    forget_session_cookie(r, ctx, provider);
    std::move(lines.begin(), lines.end(), std::back_inserter(ctx.answer.set_cookies));
}

void answer_clear_cookies(RequestContext& ctx, const Provider& provider, bool https) {
    CookieAttributes attributes;
    attributes.secure = https;
    for (const std::string& name : provider.config.clear_cookies) {
        ctx.answer.set_cookies.push_back(delete_cookie(name, attributes));
    }
}

}  // namespace oidc::ngx
