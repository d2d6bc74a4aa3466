// SPDX-License-Identifier: Apache-2.0
#include "oidc/signal_flow.hpp"

#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/shared_signals.hpp"

namespace oidc {

Result<TokenHolds> SignalFlow::judge(std::string_view token, const ProviderState& provider) {
    Result<Signals> said =
        validate_signal(token, {&config(), &provider.keys, provider.algs, now()});
    if (!said) {
        return std::move(said).error();
    }
    HeardSignals step;
    step.jti_digest = sha256_fields({"signal", said->iss, config().client_id, said->jti});
    step.remember_until = said->remember_until;
    step.events = std::move(said->events);
    step.owners = std::move(said->owners);
    return TokenHolds(std::move(step));
}

Error SignalFlow::told(Error error) const {
    return signal_error(std::move(error));
}

}  // namespace oidc
