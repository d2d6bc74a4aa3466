// SPDX-License-Identifier: Apache-2.0
#include "oidc/pushed_request.hpp"

#include <utility>

#include "oidc/authz_request.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/token.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::string_view kEndpoint = "pushed_authorization_request_endpoint";

Error malformed(std::string detail) {
    return fail(Reason::par_malformed, std::string(kEndpoint) + ": " + std::move(detail));
}

Error refusal(const HttpRequest& request, const HttpResponse& response, const OauthError& error) {
    std::string detail = answered(request, response);
    if (!error.text.empty()) {
        detail += " with " + error.text;
    }
    if (response.status == 429 || response.status >= 500) {
        return fail(Reason::par_status, std::move(detail));
    }
    if (is_client_error(response.status, error.code)) {
        return client_auth_error(std::move(detail));
    }
    if (!error.code.empty()) {
        return fail(Reason::par_error, std::move(detail), std::string(directive_of(error.code)));
    }
    return fail(Reason::par_status, std::move(detail), std::string(kEndpoint));
}

}  // namespace

Result<HttpRequest> push_request(const ProviderConfig& config, const ProviderState& provider,
                                 std::string_view authorization_url, Ports ports,
                                 Credential credential) {
    // Behind the endpoint, which may have a query of its own.
    const std::string_view form = request_arguments(authorization_url, provider.metadata);
    return client_form(config, provider, provider.metadata.pushed_authorization_request_endpoint,
                       kEndpoint, form, ports, credential);
}

Result<std::string> parse_pushed_response(const HttpRequest& request, HttpOutcome outcome) {
    if (!outcome) {
        return std::move(outcome).error();
    }
    const HttpResponse& response = *outcome;
    if (Status status = refuse_redirect(request, response); !status) {
        return std::move(status).error();
    }
    const Result<JsonPtr> json = json_answer(response);
    const OauthError error = oauth_error(json ? json->get() : nullptr);
    if ((response.status != 201 && response.status != 200) || !error.code.empty()) {
        return refusal(request, response, error);
    }
    if (!json) {
        return malformed(json.error().detail);
    }
    const auto uri = json_string(json->get(), "request_uri");
    if (!uri || !*uri) {
        return malformed("the answer has no request_uri");
    }
    if ((*uri)->size() > kMaxRequestUri || !is_resource(**uri)) {
        return malformed("the request_uri is no absolute URI of at most " +
                         std::to_string(kMaxRequestUri) + " bytes");
    }
    return std::string(**uri);
}

std::string pushed_url(const ProviderConfig& config, const ProviderState& provider,
                       std::string_view request_uri) {
    std::string url = provider.metadata.authorization_endpoint;
    append_query(url, "client_id", config.client_id);
    append_query(url, "request_uri", request_uri);
    return url;
}

}  // namespace oidc
