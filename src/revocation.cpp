// SPDX-License-Identifier: Apache-2.0
#include "oidc/revocation.hpp"

#include <array>
#include <string>

#include "oidc/json.hpp"
#include "oidc/token.hpp"

namespace oidc {

std::optional<Revocation> Revocation::of(const ProviderConfig& config,
                                         std::shared_ptr<const ProviderState> provider,
                                         const SessionView& session, Seconds now) {
    const bool refresh = !session.refresh_token().empty();
    const std::string_view token = refresh ? session.refresh_token() : session.access_token();
    if (!config.revoke_on_logout || provider->metadata.revocation_endpoint.empty() ||
        token.empty()) {
        return std::nullopt;
    }
    Revocation revocation(config, std::move(provider), token,
                          refresh ? "refresh_token" : "access_token");
    revocation.client_.begin(config, revocation.provider_->client_auth, now);
    return revocation;
}

Result<HttpRequest> Revocation::request(Ports ports) const {
    const std::array<FormField, 2> fields = {
        {{"token", token_.view()}, {"token_type_hint", hint_}}};
    return client_request(config_, *provider_, provider_->metadata.revocation_endpoint,
                          "revocation_endpoint", fields, ports, client_.credential());
}

bool Revocation::again(const HttpOutcome& outcome, Ports ports) {
    return client_.again(config_, provider_->client_auth, outcome, ports);
}

Status check_revocation(const HttpRequest& request, const HttpOutcome& outcome) {
    if (!outcome) {
        return outcome.error();
    }
    if (Status status = refuse_redirect(request, *outcome); !status) {
        return status;
    }
    if (outcome->status >= 200 && outcome->status < 300) {
        return Unit{};
    }
    std::string detail = answered(request, *outcome);
    const Result<JsonPtr> json = json_parse_object(outcome->body.view());
    if (json.ok()) {
        const auto error = json_string(json->get(), "error");
        if (error.ok() && *error) {
            detail += " with error \"" + std::string(**error) + "\"";
        }
    }
    return fail(Reason::revocation_failed, std::move(detail), std::string(request.endpoint));
}

}  // namespace oidc
