// SPDX-License-Identifier: Apache-2.0
#include "oidc/server_name.hpp"

#include <algorithm>

#include "oidc/text.hpp"

namespace oidc {

constexpr std::size_t kMaxHostName = 254;  // RFC 1035 2.3.4, with a final dot

bool is_host_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= kMaxHostName && name.front() != '.' &&
           name.find("..") == std::string_view::npos &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
           });
}

bool names_public_host(std::string_view pattern) noexcept {
    if (pattern.starts_with("*.")) {
        pattern.remove_prefix(2);
    } else if (pattern.starts_with(".")) {
        pattern.remove_prefix(1);
    }
    if (!is_host_name(pattern)) {
        return false;
    }
    // No top-level domain is a number (RFC 3696 section 2).
    const std::string_view top = pattern.substr(pattern.find_last_of('.', pattern.size() - 2) + 1);
    return !std::all_of(top.begin(), top.end(), [](char c) { return is_digit(c) || c == '.'; });
}

bool matches_server_name(std::string_view host, std::string_view pattern) noexcept {
    if (pattern == host) {
        return true;
    }
    if (pattern.starts_with("*.")) {
        pattern.remove_prefix(1);
    } else if (pattern.starts_with(".")) {
        if (host == pattern.substr(1)) {
            return true;
        }
    } else {
        return false;
    }
    return host.size() > pattern.size() && host.ends_with(pattern);
}

}  // namespace oidc
