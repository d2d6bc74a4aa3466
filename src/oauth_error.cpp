// SPDX-License-Identifier: Apache-2.0
#include "oidc/oauth_error.hpp"

#include <utility>

namespace oidc {
namespace {

bool is_json_type(std::string_view type) {
    return type == "application/json" ||
           (type.starts_with("application/") && type.ends_with("+json"));
}

constexpr std::pair<std::string_view, std::string_view> kDirectives[] = {
    {"invalid_scope", "scope"},
    {"invalid_target", "resource"},
    {"invalid_redirect_uri", "redirect_uri"},
    {"invalid_request_object", "client_key"},
    {"request_not_supported", "request_object"},
};

}  // namespace

Result<JsonPtr> json_answer(const HttpResponse& response) {
    if (!is_json_type(response.content_type)) {
        return fail(Reason::malformed,
                    "content type \"" + response.content_type + "\" is not application/json");
    }
    return json_parse_object(response.body.view());
}

OauthError oauth_error(const json_t* object) {
    OauthError error;
    const json_t* code = json_object_get(object, "error");
    if (code == nullptr || json_is_null(code)) {
        return error;
    }
    error.code = json_is_string(code) ? json_string_value(code) : json_text(code);
    error.text = "error \"" + error.code + "\"";
    const json_t* description = json_object_get(object, "error_description");
    if (json_is_string(description)) {
        error.text += ": \"" + std::string(json_string_value(description)) + "\"";
    }
    return error;
}

bool is_client_error(int status, std::string_view code) noexcept {
    return code == "invalid_client" || code == "unauthorized_client" ||
           (status == 401 && code != "invalid_grant") || (status == 403 && code.empty());
}

Error client_auth_error(std::string detail) {
    return fail(Reason::token_client_auth, "client authentication failed: " + std::move(detail),
                "client_id, client_secret or token_endpoint_auth_method");
}

std::string_view directive_of(std::string_view code) noexcept {
    for (const auto& [name, directive] : kDirectives) {
        if (name == code) {
            return directive;
        }
    }
    return {};
}

}  // namespace oidc
