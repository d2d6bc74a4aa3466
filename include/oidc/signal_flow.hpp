// SPDX-License-Identifier: Apache-2.0
// Security events that a transmitter pushes (RFC 8935).
#pragma once

#include <string_view>

#include "oidc/posted_token_flow.hpp"

namespace oidc {

// Ends with HeardSignals or Refuse. The adapter then asks its table of used digests, ends the
// sessions, and answers signal_page(): 202 also when no session was found, and when the token was
// used before (RFC 8935 2); or signal_refusal() with the error.
class SignalFlow final : public PostedTokenFlow {
  public:
    // The token as parse_signal gave it.
    using PostedTokenFlow::PostedTokenFlow;

  private:
    Result<TokenHolds> judge(std::string_view token, const ProviderState& provider) override;
    Error told(Error error) const override;
};

}  // namespace oidc
