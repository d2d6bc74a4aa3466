// SPDX-License-Identifier: Apache-2.0
#include "oidc/backchannel_flow.hpp"

#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/jwe.hpp"
#include "oidc/jws.hpp"
#include "oidc/logout_token.hpp"

namespace oidc {

BackchannelFlow::BackchannelFlow(const ProviderConfig& config, Ports ports,
                                 std::string logout_token)
    : config_(config), ports_(ports), token_(std::move(logout_token)) {}

Step BackchannelFlow::start() {
    return NeedProvider{};
}

Step BackchannelFlow::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::done);
    if (auto* error = std::get_if<Error>(&event)) {
        return Refuse{std::move(*error)};
    }
    const auto* ready = std::get_if<ProviderReady>(&event);
    if (stage == Stage::done || ready == nullptr || *ready == nullptr) {
        return Refuse{unexpected_event()};
    }
    const ProviderState& provider = **ready;
    if (stage == Stage::provider) {
        auto inside = open_token(token_, config_, kMaxEncryptedToken, ports_.random);
        if (!inside) {
            return Refuse{logout_token_error(std::move(inside).error())};
        }
        if (*inside) {
            token_ = (*inside)->view();
        }
    }
    Result<LogoutToken> token = validate_logout_token(
        token_, {&config_, &provider.keys, provider.algs, ports_.clock.now()});
    if (!token) {
        if (stage == Stage::provider && worth_refetching(token.error(), token_, config_)) {
            stage_ = Stage::keys;
            return NeedProvider{provider.generation, NeedProvider::Cause::outsider};
        }
        return Refuse{logout_token_error(std::move(token).error())};
    }
    EndSessions step;
    step.jti_digest = sha256_fields({"logout_token", token->iss, config_.client_id, token->jti});
    step.remember_until = token->remember_until;
    step.iss = std::move(token->iss);
    step.sid = std::move(token->sid);
    step.sub = std::move(token->sub);
    return step;
}

}  // namespace oidc
