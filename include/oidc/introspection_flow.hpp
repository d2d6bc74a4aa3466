// SPDX-License-Identifier: Apache-2.0
// The question about one access token, from the provider's documents to the answer (RFC 7662).
#pragma once

#include <string>
#include <string_view>

#include "oidc/introspection.hpp"
#include "oidc/ports.hpp"
#include "oidc/step.hpp"

namespace oidc {

// NeedProvider -> Fetch [-> Fetch with the other credential] [-> NeedProvider newer keys, once]
// -> Introspected or Refuse. Its reason is a verdict (is_verdict), or says that there is no answer.
class IntrospectionFlow final : public Flow {
  public:
    // `token` is copied. Precondition: as read_bearer() gives it.
    IntrospectionFlow(const ProviderConfig& config, Ports ports, std::string_view token);
    Step start() override;
    Step resume(Event event) override;

  private:
    enum class Stage : std::uint8_t { provider, answer, keys, done };
    Step fetch(Result<HttpRequest> request);
    Step read(Stage stage);

    const ProviderConfig& config_;
    Ports ports_;
    Question question_;
    ProviderReady provider_;
    HttpRequest asked_;  // without its secrets
    HttpOutcome outcome_{Error{}};
    Stage stage_ = Stage::provider;
};

}  // namespace oidc
