// SPDX-License-Identifier: Apache-2.0
#include "oidc/cookie.hpp"

#include "oidc/text.hpp"

namespace oidc {

std::string_view name_when_sent(std::string_view set_cookie) noexcept {
    CookieCursor cookie(set_cookie);
    if (!cookie.next() || !cookie.name().empty()) {
        return cookie.name();
    }
    CookieCursor value(cookie.value());
    value.next();
    return value.name().empty() ? value.value() : value.name();
}

std::string set_cookie(std::string_view name, std::string_view value, const CookieAttributes& attrs,
                       std::int64_t max_age) {
    std::string out;
    out.reserve(name.size() + value.size() + 96);
    out.append(name).append("=").append(value);
    if (!attrs.path.empty()) {
        out.append("; Path=").append(attrs.path);
    }
    if (!attrs.domain.empty()) {
        out.append("; Domain=").append(attrs.domain);
    }
    if (max_age >= 0) {
        out.append("; Max-Age=").append(std::to_string(max_age));
    }
    if (attrs.secure) {
        out.append("; Secure");
    }
    if (attrs.http_only) {
        out.append("; HttpOnly");
    }
    if (!attrs.same_site.empty()) {
        out.append("; SameSite=").append(attrs.same_site);
    }
    return out;
}

std::string delete_cookie(std::string_view name, const CookieAttributes& attrs) {
    return set_cookie(name, {}, attrs, 0);
}

std::string cookie_name_for(std::string_view name, bool https, bool has_domain) {
    // Browsers compare the prefixes without regard to case (RFC 6265bis section 5.7).
    const bool prefixed =
        starts_with_nocase(name, "__host-") || starts_with_nocase(name, "__secure-");
    std::string out(https && !has_domain && !prefixed ? "__Host-" : "");
    out.append(name);
    return out;
}

bool is_cookie_path(std::string_view path, std::string_view cookie_path) noexcept {
    if (!path.starts_with(cookie_path)) {
        return false;
    }
    return path.size() == cookie_path.size() || cookie_path.ends_with('/') ||
           path[cookie_path.size()] == '/';
}

}  // namespace oidc
