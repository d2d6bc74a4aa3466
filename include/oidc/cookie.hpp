// SPDX-License-Identifier: Apache-2.0
// Cookies: reading and editing the Cookie header, writing Set-Cookie (RFC 6265bis).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oidc/text.hpp"

namespace oidc {

// Walks the cookie pairs of one Cookie header value. Pairs are separated by ";" alone (a comma is
// data), names are compared byte for byte by the caller, surrounding SP and HTAB are no part of
// name or value, quotes are part of the value. A pair without "=" has no name and is reported with
// an empty name. Never allocates.
//   CookieCursor c(header); while (c.next()) { c.name(); c.value(); }
class CookieCursor {
  public:
    explicit CookieCursor(std::string_view header) noexcept : rest_(header) {}
    bool next() noexcept {
        if (done_) {
            return false;
        }
        const std::size_t semi = rest_.find(';');
        std::string_view pair = rest_.substr(0, semi);
        if (semi == std::string_view::npos) {
            done_ = true;
        } else {
            rest_.remove_prefix(semi + 1);
        }
        raw_ = pair;
        const std::size_t eq = pair.find('=');
        if (eq == std::string_view::npos) {
            name_ = {};
            value_ = trim(pair);
        } else {
            name_ = trim(pair.substr(0, eq));
            pair.remove_prefix(eq + 1);
            value_ = trim(pair);
        }
        return true;
    }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] std::string_view value() const noexcept { return value_; }
    // The pair with its white space, as it stands between two ";".
    [[nodiscard]] std::string_view raw() const noexcept { return raw_; }

  private:
    std::string_view rest_;
    std::string_view raw_;
    std::string_view name_;
    std::string_view value_;
    bool done_ = false;
};

// By which name a browser will send the cookie that a Set-Cookie sets. One without a name is sent
// as its value alone, which may read like a name and a value (RFC 6265bis 5.7). Borrows.
std::string_view name_when_sent(std::string_view set_cookie) noexcept;

// Writes `header` without the pairs for which `ours(name, value)` is true to `out`, which has room
// for header.size() bytes; returns the new length. The other pairs, their order and the white space
// between them stay byte for byte; no leading separator is left over. 0: nothing is left.
template <class Ours>
std::size_t strip_cookies(std::string_view header, char* out, Ours&& ours) noexcept;

struct CookieAttributes {
    bool secure = true;
    std::string path = "/";
    std::string domain;             // empty: host-only
    std::string same_site = "Lax";  // Lax, Strict or None
    bool http_only = true;
};

// max_age seconds; negative: a session cookie without Max-Age. Name and value are written as given
// and must be cookie-octets.
std::string set_cookie(std::string_view name, std::string_view value, const CookieAttributes& attrs,
                       std::int64_t max_age);
// The same attribute set with an empty value and Max-Age=0, so that prefixes still match.
std::string delete_cookie(std::string_view name, const CookieAttributes& attrs);

// "__Host-" + name on https without a domain, "__Secure-" never automatically; a name that has a
// prefix stays as it is.
std::string cookie_name_for(std::string_view name, bool https, bool has_domain);

// ---- implementation ------------------------------------------------------------------------

template <class Ours>
std::size_t strip_cookies(std::string_view header, char* out, Ours&& ours) noexcept {
    CookieCursor cursor(header);
    std::size_t n = 0;
    bool first = true;
    while (cursor.next()) {
        if (!cursor.name().empty() && ours(cursor.name(), cursor.value())) {
            continue;
        }
        std::string_view raw = cursor.raw();
        if (first) {
            // When our cookie stood first, the blank behind its ";" goes with it.
            if (raw.data() != header.data()) {
                while (!raw.empty() && raw.front() == ' ') {
                    raw.remove_prefix(1);
                }
                if (raw.empty()) {
                    continue;
                }
            }
            first = false;
        } else {
            out[n++] = ';';
        }
        n += raw.copy(out + n, raw.size());
    }
    return n;
}

// A browser sends a cookie of this Path with a request for `path` (RFC 6265, section 5.1.4).
[[nodiscard]] bool is_cookie_path(std::string_view path, std::string_view cookie_path) noexcept;

}  // namespace oidc
