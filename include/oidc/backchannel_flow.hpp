// SPDX-License-Identifier: Apache-2.0
// A logout that the provider asks for without the browser (Back-Channel Logout 1.0).
#pragma once

#include <string_view>

#include "oidc/posted_token_flow.hpp"

namespace oidc {

// Ends with EndSessions or Refuse. The adapter then asks its table of used digests, ends the
// sessions, and answers backchannel_page(): 200 also when no session was found, or
// backchannel_refusal() with the error.
class BackchannelFlow final : public PostedTokenFlow {
  public:
    // The token as parse_logout_form gave it.
    using PostedTokenFlow::PostedTokenFlow;

  private:
    Result<TokenHolds> judge(std::string_view token, const ProviderState& provider) override;
    Error told(Error error) const override;
};

}  // namespace oidc
