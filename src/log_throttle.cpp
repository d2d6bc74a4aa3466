// SPDX-License-Identifier: Apache-2.0
#include "oidc/log_throttle.hpp"

#include <utility>

namespace oidc {

bool LogThrottle::pass(Reason reason, Seconds now) noexcept {
    Window& window = windows_[static_cast<std::size_t>(reason)];
    if (window.lines == 0 || window.is_over(now)) {
        window.begin = now;
        window.lines = 0;
    }
    if (window.lines < kLines) {
        ++window.lines;
        return true;
    }
    ++window.held;
    return false;
}

std::optional<LogThrottle::Held> LogThrottle::take(Seconds now, bool all) noexcept {
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        Window& window = windows_[i];
        if (window.held > 0 && (all || window.is_over(now))) {
            return Held{static_cast<Reason>(i), std::exchange(window.held, 0)};
        }
    }
    return std::nullopt;
}

std::optional<Seconds> LogThrottle::next_end() const noexcept {
    std::optional<Seconds> first;
    for (const Window& window : windows_) {
        if (window.held > 0 && (!first || window.begin + kWindow < *first)) {
            first = window.begin + kWindow;
        }
    }
    return first;
}

}  // namespace oidc
