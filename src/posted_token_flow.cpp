// SPDX-License-Identifier: Apache-2.0
#include "oidc/posted_token_flow.hpp"

#include <utility>

#include "oidc/jwe.hpp"
#include "oidc/jws.hpp"

namespace oidc {

PostedTokenFlow::PostedTokenFlow(const ProviderConfig& config, Ports ports, std::string token)
    : config_(config), ports_(ports), token_(std::move(token)) {}

Step PostedTokenFlow::start() {
    return NeedProvider{};
}

Step PostedTokenFlow::resume(Event event) {
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
            return Refuse{told(std::move(inside).error())};
        }
        if (*inside) {
            token_ = (*inside)->view();
        }
    }
    Result<TokenHolds> holds = judge(token_, provider);
    if (!holds) {
        if (stage == Stage::provider && worth_refetching(holds.error(), token_, config_)) {
            stage_ = Stage::keys;
            return NeedProvider{provider.generation, NeedProvider::Cause::outsider};
        }
        return Refuse{told(std::move(holds).error())};
    }
    return *std::move(holds);
}

}  // namespace oidc
