// SPDX-License-Identifier: Apache-2.0
// Cookie headers: reading never leaves the header, stripping takes ours and leaves the rest.
#include <vector>

#include "fuzz.hpp"
#include "oidc/cookie.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

bool ours(std::string_view name) {
    return name.starts_with("__Host-NGX_OIDC") || name.starts_with("NGX_OIDC");
}

std::vector<std::string_view> foreign_pairs(std::string_view header) {
    std::vector<std::string_view> pairs;
    CookieCursor cursor(header);
    while (cursor.next()) {
        promise(cursor.raw().size() <= header.size(), "a pair lies inside the header");
        if (!cursor.name().empty() && !ours(cursor.name())) {
            pairs.push_back(cursor.name());
            pairs.push_back(cursor.value());
        }
    }
    return pairs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string header(text_of(data, size));
    std::string out(header.size(), '\0');
    const std::size_t n = strip_cookies(
        header, out.data(), [](std::string_view name, std::string_view) { return ours(name); });
    promise(n <= header.size(), "stripping never grows");
    out.resize(n);
    CookieCursor cursor(out);
    while (cursor.next()) {
        promise(!ours(cursor.name()), "none of ours is left");
    }
    promise(foreign_pairs(header) == foreign_pairs(out), "other cookies and their order stay");
    return 0;
}
