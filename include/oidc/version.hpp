// SPDX-License-Identifier: Apache-2.0
// The version of the product, as CHANGELOG.md names it.
#pragma once

#include <string_view>

namespace oidc {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace oidc
