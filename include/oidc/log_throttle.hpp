// SPDX-License-Identifier: Apache-2.0
// LogThrottle: lines of the error log that anybody can bring about are bounded, for each kind: a
// Reason or a Notice. What is held back is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "oidc/ports.hpp"
#include "oidc/result.hpp"

namespace oidc {

template <class Kind>
class LogThrottle {
  public:
    static constexpr std::uint32_t kLines = 10;  // in a window
    static constexpr Seconds kWindow = 60;       // from its first line on

    // One more line of this kind. False: it is to be held back.
    bool pass(Kind kind, Seconds now) noexcept;

    struct Held {
        Kind kind;
        std::uint32_t lines;
    };
    // A kind of which lines were held back in a window that is over, or in any window when `all`;
    // they count no more. nullopt: there is none.
    std::optional<Held> take(Seconds now, bool all) noexcept;
    // When the first window in which something was held back is over; nullopt: there is none.
    [[nodiscard]] std::optional<Seconds> next_end() const noexcept;

  private:
    struct Window {
        Seconds begin = 0;
        std::uint32_t lines = 0;
        std::uint32_t held = 0;
        [[nodiscard]] bool is_over(Seconds now) const noexcept {
            return now < begin || now - begin >= kWindow;  // a clock may be set back
        }
    };
    std::array<Window, static_cast<std::size_t>(Kind::count_)> windows_{};
};

extern template class LogThrottle<Reason>;
extern template class LogThrottle<Notice>;

}  // namespace oidc
