// SPDX-License-Identifier: Apache-2.0
#include "oidc/header_name.hpp"

#include <algorithm>

namespace oidc {

std::string normal_header_name(std::string_view name) {
    std::string out = ascii_lower(name);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '_' || c == '.'; }, '-');
    return out;
}

std::string folded_header_name(std::string_view name) {
    FoldedName buffer;
    return {buffer.data(), fold_header_name(name, buffer)};
}

}  // namespace oidc
