// SPDX-License-Identifier: Apache-2.0
#include "oidc/authz_request.hpp"

#include <algorithm>
#include <array>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/signer.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// What the module sets in every request, or whose presence would change what comes back.
constexpr std::array<std::string_view, 16> kReserved = {"response_type",
                                                        "client_id",
                                                        "client_secret",
                                                        "redirect_uri",
                                                        "scope",
                                                        "state",
                                                        "nonce",
                                                        "code_challenge",
                                                        "code_challenge_method",
                                                        "response_mode",
                                                        "request",
                                                        "request_uri",
                                                        "code_verifier",
                                                        "dpop_jkt",
                                                        "client_assertion",
                                                        "client_assertion_type"};

bool is_reserved(std::string_view name) {
    return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

// "openid" makes the request one of OpenID Connect; without it there is no ID token.
std::string scope_text(const std::vector<std::string>& scope) {
    const bool present = std::find(scope.begin(), scope.end(), "openid") != scope.end();
    std::string text = join_values(scope);
    if (present) {
        return text;
    }
    return text.empty() ? "openid" : "openid " + text;
}

// Calls visit(argument, decoded name) for each non-empty argument.
template <class Visit>
void for_each_argument(std::string_view query, Visit&& visit) {
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view argument = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (!argument.empty()) {
            const std::string_view raw = argument.substr(0, argument.find('='));
            visit(argument, percent_decode(raw, true).value_or(std::string(raw)));
        }
    }
}

bool is_query_byte(char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("#\"<>\\^`{|}").find(c) == std::string_view::npos;
}

// Variables in extra_auth_args carry whatever a request carries: what is not a query character is
// escaped, and an argument that the request has already is left out.
void append_extra(std::string& url, std::string_view extra,
                  const std::vector<std::string_view>& taken) {
    for_each_argument(extra, [&](std::string_view argument, const std::string& name) {
        if (is_reserved(name) || std::find(taken.begin(), taken.end(), name) != taken.end()) {
            return;
        }
        url += url.find('?') == std::string::npos ? '?' : '&';
        for (const char c : argument) {
            if (is_query_byte(c)) {
                url += c;
            } else {
                url += percent_encode({&c, 1});
            }
        }
    });
}

}  // namespace

std::string code_challenge(std::string_view verifier) {
    return base64url_encode(sha256(verifier));
}

std::string_view request_arguments(std::string_view url, const Metadata& metadata) noexcept {
    url.remove_prefix(metadata.authorization_endpoint.size());
    // An endpoint may end in the separator itself.
    url.remove_prefix(url.starts_with('?') || url.starts_with('&') ? 1 : 0);
    return url;
}

std::string authorization_prefix(const ProviderConfig& config, const Metadata& metadata,
                                 const LoginDemand& demand) {
    // parse_endpoint has refused a fragment, so everything is appended at the end.
    std::string url = metadata.authorization_endpoint;
    append_query(url, "response_type", "code");
    append_query(url, "client_id", config.client_id);
    append_query(url, "scope", scope_text(config.scope));
    for (const std::string& resource : config.resource) {
        append_query(url, "resource", resource);
    }
    if (config.response_mode != ResponseMode::query) {
        append_query(url, "response_mode", response_mode_name(config.response_mode));
    }
    if (config.dpop_key) {
        append_query(url, "dpop_jkt", config.dpop_key->thumbprint());
    }
    const bool own = demand.empty();
    const std::optional<Seconds>& max_age = own ? config.max_age : demand.max_age;
    const std::vector<std::string>& acr_values = own ? config.acr_values : demand.acr_values;
    if (max_age) {
        append_query(url, "max_age", std::to_string(*max_age));
    }
    if (!acr_values.empty()) {
        append_query(url, "acr_values", join_values(acr_values));
    }
    return url;
}

std::string authorization_url(const ProviderConfig& config, const ProviderState& provider,
                              const PendingLogin& login, const AuthzParameters& parameters) {
    std::string url;
    url.reserve(provider.authorization_prefix.size() + 1024);
    url.append(login.demand.empty()
                   ? provider.authorization_prefix
                   : authorization_prefix(config, provider.metadata, login.demand));
    url.append("&redirect_uri=");
    append_percent_encoded(url, login.redirect_uri);
    // base64url and our prefix: nothing to escape.
    url.append("&state=").append(login.state);
    if (config.nonce) {
        url.append("&nonce=").append(login.nonce);
    }
    if (!login.verifier.empty()) {
        url.append("&code_challenge=").append(code_challenge(login.verifier.view()));
        url.append("&code_challenge_method=S256");
    }
    std::vector<std::string_view> taken;
    const auto optional = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) {
            url.append("&").append(name).append("=");
            append_percent_encoded(url, value);
            taken.push_back(name);
        }
    };
    optional("prompt", parameters.prompt);
    optional("login_hint", parameters.login_hint);
    optional("ui_locales", parameters.ui_locales);
    optional("claims", parameters.claims);
    if (!parameters.extra_auth_args.empty()) {
        if (config.max_age || login.demand.max_age) {
            taken.emplace_back("max_age");
        }
        if (!config.acr_values.empty() || !login.demand.acr_values.empty()) {
            taken.emplace_back("acr_values");
        }
        if (!config.resource.empty()) {
            taken.emplace_back("resource");
        }
        append_extra(url, parameters.extra_auth_args, taken);
    }
    return url;
}

bool is_resource(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    // RFC 3986 3.1 and 4.3; a relative reference has no scheme.
    return colon != std::string_view::npos && colon + 1 < text.size() && is_alpha(text.front()) &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; }) &&
           std::all_of(text.begin(), text.end(), is_query_byte);
}

Status check_extra_auth_args(std::string_view text) {
    std::string repeated;
    for_each_argument(text, [&](std::string_view, const std::string& name) {
        if (repeated.empty() && is_reserved(name)) {
            repeated = name;
        }
    });
    if (!repeated.empty()) {
        return fail(Reason::malformed,
                    "extra_auth_args may not set \"" + repeated + "\", the module does",
                    "extra_auth_args");
    }
    if (text.starts_with('?') || text.find('#') != std::string_view::npos ||
        has_control_bytes(text)) {
        return fail(Reason::malformed,
                    "extra_auth_args is query text without \"?\", \"#\" and control bytes",
                    "extra_auth_args");
    }
    return Unit{};
}

}  // namespace oidc
