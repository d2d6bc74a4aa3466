// SPDX-License-Identifier: Apache-2.0
#include "oidc/bearer.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "oidc/access_token.hpp"
#include "oidc/dpop_proof.hpp"
#include "oidc/json.hpp"
#include "oidc/page.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// RFC 6750 2.1, RFC 7235 2.1 (token68).
bool is_b64token(std::string_view text) noexcept {
    const std::size_t end = text.find_last_not_of('=');
    return end != std::string_view::npos &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end) + 1,
                       [](char c) {
                           return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
                                  c == '+' || c == '/';
                       });
}

std::optional<TokenScheme> scheme_of(std::string_view header) noexcept {
    const std::string_view name = header.substr(0, header.find_first_of(" \t"));
    if (equal_nocase(name, "bearer")) {
        return TokenScheme::bearer;
    }
    return equal_nocase(name, "dpop") ? std::optional(TokenScheme::dpop) : std::nullopt;
}

Error malformed(std::string detail) {
    return fail(Reason::bearer_malformed, std::move(detail));
}

std::string joined(std::span<const std::string> words) {
    std::string text;
    for (const std::string& word : words) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
}

std::string dpop_alg_names() {
    std::string names;
    for (const Alg alg : dpop_algs()) {
        names.append(names.empty() ? "" : " ").append(alg_name(alg));
    }
    return names;
}

}  // namespace

Result<std::optional<BearerCredentials>> read_bearer(std::span<const std::string_view> headers,
                                                     std::string_view query) {
    const auto ours = std::find_if(headers.begin(), headers.end(), [](std::string_view header) {
        return scheme_of(trim(header)).has_value();
    });
    if (ours == headers.end()) {
        return std::optional<BearerCredentials>{};
    }
    if (headers.size() != 1) {
        return malformed("the request has " + std::to_string(headers.size()) +
                         " Authorization headers");
    }
    const std::string_view header = trim(*ours);
    const BearerCredentials credentials{
        *scheme_of(header),
        trim(header.substr(std::min(header.find_first_of(" \t"), header.size())))};
    if (credentials.token.empty()) {
        return malformed("nothing stands behind the scheme");
    }
    if (decoded_argument(query, "access_token").count != 0) {
        return malformed("the request has an access token in its query as well");
    }
    return std::optional(credentials);
}

Status check_b64token(std::string_view token) {
    if (token.size() > kMaxAccessToken) {
        return malformed("the token has " + std::to_string(token.size()) + " bytes, at most " +
                         std::to_string(kMaxAccessToken) + " are accepted");
    }
    return is_b64token(token) ? Status(Unit{})
                              : malformed("what stands behind the scheme is no token");
}

std::string_view bearer_error(Reason reason) noexcept {
    switch (reason) {
        case Reason::bearer_malformed:
            return "invalid_request";
        case Reason::dpop_proof_invalid:
        case Reason::dpop_proof_replayed:
            return "invalid_dpop_proof";
        case Reason::insufficient_scope:
            return "insufficient_scope";
        default:
            return "invalid_token";
    }
}

std::string BearerDemand::challenge(const Error* error, TokenScheme scheme) const {
    std::string text = scheme == TokenScheme::dpop ? "DPoP" : "Bearer";
    const char* separator = " ";
    const auto add = [&text, &separator](std::string_view name, std::string_view value) {
        text.append(separator).append(name).append("=\"").append(value).append("\"");
        separator = ", ";
    };
    if (error != nullptr) {
        add("error", bearer_error(error->reason));
        add("error_description", reason_info(error->reason).title);
    }
    if (!scope.empty()) {
        add("scope", joined(scope));
    }
    if (scheme == TokenScheme::dpop) {
        add("algs", dpop_alg_names());
    }
    if (!metadata_url.empty()) {
        add("resource_metadata", metadata_url);
    }
    return text;
}

Respond bearer_refusal(const Error& error, std::string_view reference, const BearerDemand& demand,
                       TokenScheme scheme) {
    Respond respond = error_page(error.reason, reference, {}, PageForm::json, Language::en);
    if (respond.status < 500) {
        respond.headers.push_back({"WWW-Authenticate", demand.challenge(&error, scheme)});
    }
    return respond;
}

std::optional<std::string_view> resource_of_metadata(std::string_view path) noexcept {
    if (!is_below(path, kResourceMetadataPath)) {
        return std::nullopt;
    }
    return path.substr(kResourceMetadataPath.size());
}

bool is_below(std::string_view path, std::string_view prefix) noexcept {
    return path.starts_with(prefix) &&
           (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
}

std::string ProtectedResource::json() const {
    const auto list = [](std::span<const std::string> texts) {
        JsonPtr array(json_array());
        for (const std::string& text : texts) {
            if (!array ||
                json_array_append_new(array.get(), json_stringn(text.data(), text.size())) != 0) {
                throw std::bad_alloc();
            }
        }
        return json_text(array.get());
    };
    JsonObject object;
    object.add("resource", resource);
    object.add_json("authorization_servers", list(authorization_servers));
    if (!scopes.empty()) {
        object.add_json("scopes_supported", list(scopes));
    }
    object.add_json("bearer_methods_supported", R"(["header"])");
    std::vector<std::string> algs;
    for (const Alg alg : dpop_algs()) {
        algs.emplace_back(alg_name(alg));
    }
    object.add_json("dpop_signing_alg_values_supported", list(algs));
    if (certificates) {
        object.add_flag("tls_client_certificate_bound_access_tokens", true);
    }
    return object.text();
}

}  // namespace oidc
