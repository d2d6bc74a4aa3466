// SPDX-License-Identifier: Apache-2.0
#include "oidc/request_object.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "oidc/authz_request.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/signer.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::string_view kTyp = "oauth-authz-req+jwt";
// Of the JWT itself, and what would make something else of it.
constexpr std::array<std::string_view, 7> kOwnClaims = {"iss", "aud", "sub", "iat",
                                                        "nbf", "exp", "jti"};

struct Parameter {
    std::string name;
    std::vector<std::string> values;
};

std::vector<Parameter> parameters_of(std::string_view query) {
    std::vector<Parameter> parameters;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view argument = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const std::size_t eq = std::min(argument.find('='), argument.size());
        // What an operator has written with a bad escape goes as it is, as in a query.
        const auto decoded = [](std::string_view text) {
            return percent_decode(text, true).value_or(std::string(text));
        };
        std::string name = decoded(argument.substr(0, eq));
        if (name.empty() ||
            std::find(kOwnClaims.begin(), kOwnClaims.end(), name) != kOwnClaims.end()) {
            continue;
        }
        auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&name](const Parameter& p) { return p.name == name; });
        if (found == parameters.end()) {
            parameters.push_back({std::move(name), {}});
            found = parameters.end() - 1;
        }
        found->values.push_back(decoded(argument.substr(std::min(eq + 1, argument.size()))));
    }
    return parameters;
}

std::string claim_value(const std::string& name, const std::string& value) {
    // JSON has no number with a zero in front.
    const bool number = name == "max_age" && !value.empty() && value.size() < 19 &&
                        (value.front() != '0' || value.size() == 1) &&
                        std::all_of(value.begin(), value.end(), is_digit);
    if (number || (name == "claims" && json_parse_object(value).ok())) {
        return value;
    }
    return json_quote(value);
}

}  // namespace

Result<std::string> request_object(const ProviderConfig& config, std::string_view query,
                                   Ports ports) {
    if (!config.client_key) {
        return fail(Reason::internal_error, "there is no key to sign a request with");
    }
    const auto jti = random_token(ports.random, 16);
    if (!jti) {
        return jti.error();
    }
    const Seconds now = ports.clock.now();
    std::string claims = R"({"iss":)" + json_quote(config.client_id) + R"(,"aud":)" +
                         json_quote(config.issuer) + R"(,"iat":)" + std::to_string(now) +
                         R"(,"nbf":)" + std::to_string(now) + R"(,"exp":)" +
                         std::to_string(now + kRequestObjectLifetime) + R"(,"jti":")" + *jti + "\"";
    for (const Parameter& parameter : parameters_of(query)) {
        claims.append(",").append(json_quote(parameter.name)).append(":");
        if (parameter.values.size() == 1) {
            claims.append(claim_value(parameter.name, parameter.values.front()));
            continue;
        }
        char before = '[';
        for (const std::string& value : parameter.values) {
            claims.append({&before, 1}).append(json_quote(value));
            before = ',';
        }
        claims.append("]");
    }
    return signing_key(config, now).sign_as(kTyp, claims.append("}"));
}

Result<std::string> request_object_url(const ProviderConfig& config, const ProviderState& provider,
                                       std::string_view authorization_url, bool pushed,
                                       Ports ports) {
    std::string url = provider.metadata.authorization_endpoint;
    const std::string_view query = request_arguments(authorization_url, provider.metadata);
    Result<std::string> object = request_object(config, query, ports);
    if (!object) {
        return object;
    }
    append_query(url, "client_id", config.client_id);
    for (const std::string_view name : {"response_type", "scope"}) {
        const auto value = query_argument(query, name);
        if (!pushed && value) {
            url.append("&").append(name).append("=").append(*value);
        }
    }
    append_query(url, "request", *object);
    return url;
}

}  // namespace oidc
