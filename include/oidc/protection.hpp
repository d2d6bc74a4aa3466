// SPDX-License-Identifier: Apache-2.0
// Who needs a session, from what auth_oidc and its companions say at every level of the
// configuration. What reads as closed is closed, or has a fault for which it is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace oidc {

// auth_oidc_mode
enum class Mode : std::uint8_t { require, verify, off };

// What one level says itself.
struct LevelRules {
    enum class Provider : std::uint8_t { unsaid, named, off };
    Provider provider = Provider::unsaid;  // auth_oidc: a name or a variable, or off
    std::optional<Mode> mode;
    bool require = false;            // auth_oidc_require
    std::optional<bool> max_age;     // auth_oidc_max_age; false: off
    std::optional<bool> acr_values;  // auth_oidc_acr_values; false: off
};

// A directive that asks for a session.
enum class Demand : std::uint8_t { mode, require, max_age, acr_values };

struct ProtectionFault {
    enum class Kind : std::uint8_t {
        outer_mode,   // the mode of an outer level would open what names a provider
        no_provider,  // the demand is for a session, and nobody names a provider
        off,          // nothing further in than the demand says off, and yet that holds
        verify        // the mode of an outer level lets everyone pass the demand
    };
    Kind kind{};
    Demand demand{};  // not of outer_mode
};

// What holds at one level.
class Protection {
  public:
    // At a level inside this one; the first is inside Protection().
    [[nodiscard]] Protection inside(const LevelRules& rules) const noexcept;
    // How many levels there are; 0: none yet.
    [[nodiscard]] unsigned depth() const noexcept { return depth_; }
    // Some level says off, and that holds here.
    [[nodiscard]] bool says_off() const noexcept;
    // Whether requests may be answered here as it stands.
    [[nodiscard]] std::optional<ProtectionFault> fault() const noexcept;

  private:
    [[nodiscard]] unsigned off_at() const noexcept;

    unsigned depth_ = 0;
    LevelRules::Provider provider_ = LevelRules::Provider::unsaid;
    Mode mode_ = Mode::require;
    // The level that says so; 0: none.
    unsigned provider_at_ = 0;
    unsigned mode_at_ = 0;
    unsigned require_at_ = 0;
    unsigned max_age_at_ = 0;
    unsigned acr_values_at_ = 0;
};

// Whether a value of auth_oidc_require is met: it is there and says neither 0 nor false.
bool is_met(std::string_view value) noexcept;

}  // namespace oidc
