// SPDX-License-Identifier: Apache-2.0
// Names of request headers. Servers and backends take different names for one: PHP and CGI turn
// every "-" to "_", some turn "." and blanks as well, and none minds the case.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "oidc/text.hpp"

namespace oidc {

// The form in which two configured names are compared: lower case, "_" and "." turned to "-".
std::string normal_header_name(std::string_view name);

// The form in which a client's header is compared with those that only we may set. Stricter than
// the above, for it must take together whatever any backend takes together: lower case, every run
// of other bytes than letters and digits becomes one "-", none at the ends. Longer names are cut:
// no reserved one is as long. Gives the length; inline, because many headers of every request are
// folded.
inline constexpr std::size_t kMaxFoldedName = 128;
using FoldedName = std::array<char, kMaxFoldedName>;
inline std::size_t fold_header_name(std::string_view name, FoldedName& out) noexcept {
    std::size_t n = 0;
    bool gap = false;
    for (const char c : name) {
        if (!is_alnum(c)) {
            gap = n != 0;
            continue;
        }
        if (n + 2 > out.size()) {
            break;
        }
        if (gap) {
            out[n++] = '-';
            gap = false;
        }
        out[n++] = ascii_lower(c);
    }
    return n;
}
std::string folded_header_name(std::string_view name);

}  // namespace oidc
