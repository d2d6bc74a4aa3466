// SPDX-License-Identifier: Apache-2.0
#include "oidc/introspection_flow.hpp"

#include <utility>

#include "oidc/jws.hpp"

namespace oidc {

IntrospectionFlow::IntrospectionFlow(const ProviderConfig& config, Ports ports,
                                     std::string_view token)
    : config_(config), ports_(ports), question_(config, token) {}

Step IntrospectionFlow::start() {
    return NeedProvider{};
}

Step IntrospectionFlow::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::done);
    switch (stage) {
        case Stage::provider:
        case Stage::keys: {
            if (auto* error = std::get_if<Error>(&event)) {
                return Refuse{introspection_error(std::move(*error))};
            }
            auto* ready = std::get_if<ProviderReady>(&event);
            if (ready == nullptr || *ready == nullptr) {
                break;
            }
            provider_ = std::move(*ready);
            return stage == Stage::provider ? fetch(question_.begin(provider_, ports_))
                                            : read(stage);
        }
        case Stage::answer: {
            auto* response = std::get_if<HttpResponse>(&event);
            auto* error = std::get_if<Error>(&event);
            if (response == nullptr && error == nullptr) {
                break;
            }
            outcome_ = response != nullptr ? HttpOutcome(std::move(*response))
                                           : HttpOutcome(std::move(*error));
            return question_.again(outcome_, ports_) ? fetch(question_.request(ports_))
                                                     : read(stage);
        }
        case Stage::done:
            break;
    }
    return Refuse{unexpected_event()};
}

Step IntrospectionFlow::fetch(Result<HttpRequest> request) {
    if (!request) {
        return Refuse{introspection_error(std::move(request).error())};
    }
    asked_ = without_secrets(*request);
    stage_ = Stage::answer;
    return Fetch{*std::move(request)};
}

Step IntrospectionFlow::read(Stage stage) {
    const Seconds now = ports_.clock.now();
    auto answer = parse_introspection(asked_, outcome_, config_, *provider_, now);
    if (!answer) {
        if (stage == Stage::answer && outcome_ &&
            worth_refetching(answer.error(), outcome_->body.view(), config_)) {
            stage_ = Stage::keys;
            const bool unknown = answer.error().reason == Reason::jwt_key_unknown;
            return NeedProvider{provider_->generation, unknown ? NeedProvider::Cause::key_unknown
                                                               : NeedProvider::Cause::misfit};
        }
        return Refuse{introspection_error(question_.told(std::move(answer).error()))};
    }
    auto record = make_access_token_record(*answer, question_.token(), config_, ports_.log);
    if (!record) {
        return Refuse{introspection_error(std::move(record).error())};
    }
    return Introspected{*std::move(record), std::move(answer->sub)};
}

}  // namespace oidc
