// SPDX-License-Identifier: Apache-2.0
// TokenCache: access tokens that this worker has verified, for a short time. Only what was verified
// gets in, and it is bounded, so nobody without a good token costs memory.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "request/bearer_state.hpp"

namespace oidc::ngx {

class TokenCache {
  public:
    using Entry = std::shared_ptr<const VerifiedToken>;
    // After this a token is verified again, whatever its exp.
    static constexpr Seconds kLongest = 60;

    // The worker's; null outside workers.
    static TokenCache* worker() noexcept;
    static std::unique_ptr<TokenCache> make();
    TokenCache() = default;
    ~TokenCache();
    TokenCache(const TokenCache&) = delete;
    TokenCache& operator=(const TokenCache&) = delete;

    // Null: it is not known as a token of this provider, with these documents and under this rule.
    // By all of its text, in a time that does not depend on what it has in common with another.
    [[nodiscard]] Entry find(std::string_view text, const Provider& provider, AccessTokenTyp typ,
                             std::uint64_t generation, Seconds now) const noexcept;
    // In place of what ends first among those that share its set. What is large is not kept.
    void add(const Entry& entry) noexcept;

  private:
    static constexpr std::size_t kSets = 64;
    static constexpr std::size_t kWays = 8;
    static constexpr std::size_t kLargest = 32 * 1024;  // of a record
    using Set = std::array<Entry, kWays>;
    static std::size_t set_of(std::string_view text) noexcept;

    std::array<Set, kSets> sets_;
};

}  // namespace oidc::ngx
