#include "oidc/cookie.hpp"

namespace oidc {
namespace {

bool has_prefix_ignoring_case(std::string_view text, std::string_view lower_prefix) noexcept {
    if (text.size() < lower_prefix.size()) {
        return false;
    }
    for (std::size_t i = 0; i < lower_prefix.size(); ++i) {
        const char c = text[i];
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (lower != lower_prefix[i]) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::string set_cookie(std::string_view name, std::string_view value, const CookieAttributes& attrs,
                       long max_age) {
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
        has_prefix_ignoring_case(name, "__host-") || has_prefix_ignoring_case(name, "__secure-");
    std::string out(https && !has_domain && !prefixed ? "__Host-" : "");
    out.append(name);
    return out;
}

}  // namespace oidc
