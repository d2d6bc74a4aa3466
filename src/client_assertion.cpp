// SPDX-License-Identifier: Apache-2.0
#include "oidc/client_assertion.hpp"

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"

namespace oidc {

Result<std::string> client_assertion(const ProviderConfig& config, const ProviderState& provider,
                                     const JwsSigner& signer, Ports ports) {
    const auto jti = random_token(ports.random, 16);
    if (!jti) {
        return jti.error();
    }
    const std::string& audience = config.client_assertion_audience.empty() ? config.issuer
                                  : config.client_assertion_audience == kTokenEndpointAudience
                                      ? provider.metadata.token_endpoint
                                      : config.client_assertion_audience;
    const std::string client = json_quote(config.client_id);
    const Seconds now = ports.clock.now();
    return signer.sign(R"({"iss":)" + client + R"(,"sub":)" + client + R"(,"aud":)" +
                       json_quote(audience) + R"(,"iat":)" + std::to_string(now) + R"(,"exp":)" +
                       std::to_string(now + kClientAssertionLifetime) + R"(,"jti":")" + *jti +
                       "\"}");
}

}  // namespace oidc
