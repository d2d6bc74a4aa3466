// SPDX-License-Identifier: Apache-2.0
// The order in which a token is judged that a provider's servers have posted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/ports.hpp"
#include "oidc/step.hpp"

namespace oidc {

// NeedProvider -> check [-> NeedProvider newer keys, once] -> what holds, or Refuse. A token that
// is encrypted for us is opened first.
class PostedTokenFlow : public Flow {
  public:
    PostedTokenFlow(const ProviderConfig& config, Ports ports, std::string token);
    Step start() final;
    Step resume(Event event) final;

  protected:
    // Errors: those of verify_jws as they are, and the caller's own.
    virtual Result<TokenHolds> judge(std::string_view token, const ProviderState& provider) = 0;
    // The error under the reason that the answer has.
    virtual Error told(Error error) const = 0;
    [[nodiscard]] const ProviderConfig& config() const noexcept { return config_; }
    [[nodiscard]] Seconds now() const { return ports_.clock.now(); }

  private:
    enum class Stage : std::uint8_t { provider, keys, done };

    const ProviderConfig& config_;
    Ports ports_;
    std::string token_;
    Stage stage_ = Stage::provider;
};

}  // namespace oidc
