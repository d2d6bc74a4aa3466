// SPDX-License-Identifier: Apache-2.0
#include "oidc/log_throttle.hpp"

#include <utility>

namespace oidc {

template <class Kind>
bool LogThrottle<Kind>::pass(Kind kind, Seconds now) noexcept {
    Window& window = windows_[static_cast<std::size_t>(kind)];
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

template <class Kind>
std::optional<typename LogThrottle<Kind>::Held> LogThrottle<Kind>::take(Seconds now,
                                                                        bool all) noexcept {
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        Window& window = windows_[i];
        if (window.held > 0 && (all || window.is_over(now))) {
            return Held{static_cast<Kind>(i), std::exchange(window.held, 0)};
        }
    }
    return std::nullopt;
}

template <class Kind>
std::optional<Seconds> LogThrottle<Kind>::next_end() const noexcept {
    std::optional<Seconds> first;
    for (const Window& window : windows_) {
        if (window.held > 0 && (!first || window.begin + kWindow < *first)) {
            first = window.begin + kWindow;
        }
    }
    return first;
}

template class LogThrottle<Reason>;
template class LogThrottle<Notice>;

}  // namespace oidc
