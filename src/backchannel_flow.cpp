// SPDX-License-Identifier: Apache-2.0
#include "oidc/backchannel_flow.hpp"

#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/logout_token.hpp"

namespace oidc {

Result<TokenHolds> BackchannelFlow::judge(std::string_view token, const ProviderState& provider) {
    Result<LogoutToken> said =
        validate_logout_token(token, {&config(), &provider.keys, provider.algs, now()});
    if (!said) {
        return std::move(said).error();
    }
    EndSessions step;
    step.jti_digest = sha256_fields({"logout_token", said->iss, config().client_id, said->jti});
    step.remember_until = said->remember_until;
    step.iss = std::move(said->iss);
    step.sid = std::move(said->sid);
    step.sub = std::move(said->sub);
    return TokenHolds(std::move(step));
}

Error BackchannelFlow::told(Error error) const {
    return logout_token_error(std::move(error));
}

}  // namespace oidc
