// SPDX-License-Identifier: Apache-2.0
// RandomReserve: random bytes of this worker, drawn many at a time: a draw costs some thousand
// instructions whatever its size. Used bytes are wiped at once. Made after the fork, never shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace oidc::ngx {

class RandomReserve {
  public:
    RandomReserve() = default;
    ~RandomReserve();
    RandomReserve(const RandomReserve&) = delete;
    RandomReserve& operator=(const RandomReserve&) = delete;

    // False: OpenSSL has no randomness.
    bool take(std::span<std::uint8_t> out) noexcept;
    // Without a reserve.
    static bool draw(std::span<std::uint8_t> out) noexcept;

  private:
    std::array<std::uint8_t, 2048> bytes_{};
    std::size_t left_ = 0;
};

}  // namespace oidc::ngx
