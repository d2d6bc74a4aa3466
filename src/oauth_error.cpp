// SPDX-License-Identifier: Apache-2.0
#include "oidc/oauth_error.hpp"

#include <utility>

#include "oidc/text.hpp"

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

// Text up to the quotation mark that ends it, without escapes (RFC 9110 5.6.4).
std::string quoted_text(std::string_view& rest) {
    std::string text;
    while (!rest.empty() && rest.front() != '"') {
        rest.remove_prefix(rest.front() == '\\' && rest.size() > 1 ? 1 : 0);
        text += rest.front();
        rest.remove_prefix(1);
    }
    rest.remove_prefix(rest.empty() ? 0 : 1);
    return text;
}

// The value of a parameter of a challenge (RFC 9110 11.6.1); empty: none.
std::string challenge_parameter(std::string_view rest, std::string_view name) {
    while (!rest.empty()) {
        const std::size_t end = rest.find_first_of(" \t,=\"");
        const std::string_view word = rest.substr(0, end);
        rest.remove_prefix(word.size());
        const bool is_value = rest.starts_with('=');
        rest.remove_prefix(rest.empty() ? 0 : 1);
        std::string value;
        if (is_value && rest.starts_with('"')) {
            rest.remove_prefix(1);
            value = quoted_text(rest);
        } else if (is_value) {
            value = rest.substr(0, rest.find_first_of(" \t,"));
        }
        if (is_value && equal_nocase(word, name)) {
            return value;
        }
    }
    return {};
}

std::string error_text(std::string_view code, std::string_view description) {
    std::string text = "error \"" + std::string(code) + "\"";
    if (!description.empty()) {
        text += ": \"" + std::string(description) + "\"";
    }
    return text;
}

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
    const json_t* description = json_object_get(object, "error_description");
    error.text =
        error_text(error.code, json_is_string(description) ? json_string_value(description) : "");
    return error;
}

OauthError challenge_error(std::string_view challenge) {
    OauthError error;
    error.code = challenge_parameter(challenge, "error");
    if (!error.code.empty()) {
        error.text = error_text(error.code, challenge_parameter(challenge, "error_description"));
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
