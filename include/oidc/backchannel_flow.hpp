// SPDX-License-Identifier: Apache-2.0
// A logout that the provider asks for without the browser (Back-Channel Logout 1.0).
#pragma once

#include <string>

#include "oidc/ports.hpp"
#include "oidc/step.hpp"

namespace oidc {

// NeedProvider -> check [-> NeedProvider newer keys, once] -> EndSessions or Refuse. The adapter
// then asks its table of used digests, ends the sessions, and answers backchannel_page(): 200 also
// when no session was found, or backchannel_refusal() with the error.
class BackchannelFlow final : public Flow {
  public:
    // `logout_token` as parse_logout_form gave it.
    BackchannelFlow(const ProviderConfig& config, Ports ports, std::string logout_token);
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, keys, done };

    const ProviderConfig& config_;
    Ports ports_;
    std::string token_;
    Stage stage_ = Stage::provider;
};

}  // namespace oidc
