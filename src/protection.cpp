// SPDX-License-Identifier: Apache-2.0
#include "oidc/protection.hpp"

#include <algorithm>

#include "oidc/text.hpp"

namespace oidc {

Protection Protection::inside(const LevelRules& rules) const noexcept {
    Protection inner = *this;
    const unsigned here = ++inner.depth_;
    if (rules.provider != LevelRules::Provider::unsaid) {
        inner.provider_ = rules.provider;
        inner.provider_at_ = here;
    }
    if (rules.mode) {
        inner.mode_ = *rules.mode;
        inner.mode_at_ = here;
    }
    if (rules.require) {
        inner.require_at_ = here;
    }
    if (rules.max_age) {
        inner.max_age_at_ = *rules.max_age ? here : 0;
    }
    if (rules.acr_values) {
        inner.acr_values_at_ = *rules.acr_values ? here : 0;
    }
    return inner;
}

// The innermost level whose `off` holds.
unsigned Protection::off_at() const noexcept {
    return std::max(provider_ == LevelRules::Provider::off ? provider_at_ : 0,
                    mode_ == Mode::off ? mode_at_ : 0);
}

bool Protection::says_off() const noexcept {
    return off_at() != 0;
}

std::optional<ProtectionFault> Protection::fault() const noexcept {
    using Kind = ProtectionFault::Kind;
    const struct {
        Demand demand;
        unsigned at;
    } demands[] = {{Demand::mode, mode_ == Mode::off ? 0 : mode_at_},
                   {Demand::require, require_at_},
                   {Demand::max_age, max_age_at_},
                   {Demand::acr_values, acr_values_at_}};

    const bool named = provider_ == LevelRules::Provider::named;
    if (named && mode_ != Mode::require && mode_at_ < provider_at_) {
        return ProtectionFault{Kind::outer_mode, {}};
    }
    if (!named || mode_ == Mode::off) {
        const unsigned off = off_at();
        for (const auto& [demand, at] : demands) {
            if (at != 0 && at >= off) {
                return ProtectionFault{off == 0 ? Kind::no_provider : Kind::off, demand};
            }
        }
        return std::nullopt;
    }
    if (mode_ == Mode::verify) {
        // auth_oidc_require is asked of everyone, the other two of sessions alone.
        for (const auto& [demand, at] : demands) {
            if (at > mode_at_ && demand != Demand::require) {
                return ProtectionFault{Kind::verify, demand};
            }
        }
    }
    return std::nullopt;
}

bool is_met(std::string_view value) noexcept {
    return !value.empty() && value != "0" && !equal_nocase(value, "false");
}

}  // namespace oidc
