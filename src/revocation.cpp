// SPDX-License-Identifier: Apache-2.0
#include "oidc/revocation.hpp"

#include <array>
#include <string>

#include "oidc/json.hpp"
#include "oidc/token.hpp"

namespace oidc {

Result<std::optional<HttpRequest>> revocation_request(const ProviderConfig& config,
                                                      const ProviderState& provider,
                                                      const SessionView& session, Ports ports) {
    const bool refresh = !session.refresh_token().empty();
    const std::string_view token = refresh ? session.refresh_token() : session.access_token();
    const std::string& endpoint = provider.metadata.revocation_endpoint;
    if (!config.revoke_on_logout || endpoint.empty() || token.empty()) {
        return std::optional<HttpRequest>();
    }
    const std::array<FormField, 2> fields = {
        {{"token", token}, {"token_type_hint", refresh ? "refresh_token" : "access_token"}}};
    Result<HttpRequest> request =
        client_request(config, provider, endpoint, "revocation_endpoint", fields, ports);
    if (!request) {
        return std::move(request).error();
    }
    return std::optional<HttpRequest>(*std::move(request));
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
