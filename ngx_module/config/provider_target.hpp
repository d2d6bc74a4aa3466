// SPDX-License-Identifier: Apache-2.0
// What the directives of `oidc_provider name { }` write to.
#pragma once

#include "config/block.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

inline constexpr std::size_t kMaxSecretFile = 4 * 1024;
inline constexpr std::size_t kMaxClientKey = 64 * 1024;
inline constexpr Seconds kDay = 24 * 3600;
inline constexpr Seconds kYear = 365 * kDay;

inline Provider& provider(Block& b) {
    return b.target<Provider>();
}
inline ProviderConfig& config(Block& b) {
    return b.target<Provider>().config;
}

}  // namespace oidc::ngx
