// SPDX-License-Identifier: Apache-2.0
#include "oidc/authz_response.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/http_message.hpp"
#include "oidc/json.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxArguments = 300;
constexpr std::size_t kMaxCode = 8 * 1024;
// nginx takes 8k for a request line, unless told otherwise.
constexpr std::size_t kMaxSealed = 7000;

constexpr std::size_t kMaxJwt = 16 * 1024;
constexpr std::string_view kSignedResponse = "response";

constexpr std::string_view kPurpose = "posted response of a login";

enum Member : std::size_t { code, state, error, error_description, iss, carried, member_count };
constexpr std::array<std::string_view, carried> kNames = {"code", "state", "error",
                                                          "error_description", "iss"};

// Of a finished response; nobody behind us should see or log them again.
constexpr std::array<std::string_view, 9> kResponseArguments = {
    "code",      "state",         "iss",   "error",        "error_description",
    "error_uri", "session_state", "scope", kSealedResponse};

// The arguments of a query, empty ones included: joined with "&" they are the query again.
class Arguments {
  public:
    explicit Arguments(std::string_view query) : rest_(query), done_(query.empty()) {}
    bool next(std::string_view& argument) {
        if (done_) {
            return false;
        }
        const std::size_t end = rest_.find('&');
        done_ = end == std::string_view::npos;
        argument = rest_.substr(0, end);
        rest_.remove_prefix(done_ ? rest_.size() : end + 1);
        return true;
    }

  private:
    std::string_view rest_;
    bool done_;
};

// A name that cannot be decoded is none of ours.
std::string argument_name(std::string_view argument) {
    return percent_decode(argument.substr(0, argument.find('=')), true).value_or(std::string());
}

std::string_view argument_value(std::string_view argument) {
    const std::size_t eq = argument.find('=');
    return eq == std::string_view::npos ? std::string_view() : argument.substr(eq + 1);
}

// The member that an argument is; member_count: none.
std::size_t member_of(std::string_view name, ResponseMode mode) {
    if ((mode == ResponseMode::form_post && name == kSealedResponse) ||
        (mode == ResponseMode::query_jwt && name == kSignedResponse)) {
        return carried;
    }
    const auto* found = std::find(kNames.begin(), kNames.end(), name);
    return found == kNames.end() ? member_count : static_cast<std::size_t>(found - kNames.begin());
}

std::size_t max_size(std::size_t member) {
    return member == state ? kMaxState : member == carried ? kMaxJwt : kMaxCode;
}

Status check_value(std::size_t member, std::string_view value) {
    const std::string name(member == carried ? "response" : kNames[member]);
    if (has_control_bytes(value)) {
        return fail(Reason::callback_malformed, "control byte in argument \"" + name + "\"");
    }
    if (value.size() > max_size(member)) {
        return fail(Reason::callback_malformed, "argument \"" + name + "\" is too long");
    }
    return Unit{};
}

using Values = std::array<std::optional<std::string>, member_count>;

AuthzResponse response_of(Values& values) {
    AuthzResponse response;
    if (values[code]) {
        response.code = Secret(*values[code]);
        cleanse(values[code]->data(), values[code]->size());
    }
    response.has_iss = values[iss].has_value();
    response.state = std::move(values[state]).value_or(std::string());
    response.error = std::move(values[error]).value_or(std::string());
    response.error_description = std::move(values[error_description]).value_or(std::string());
    response.iss = std::move(values[iss]).value_or(std::string());
    return response;
}

Error bad_jwt(const std::string& detail) {
    return fail(Reason::callback_malformed, "the signed response " + detail);
}

// What the payload says: to which login it belongs is asked before there are keys to verify it.
Result<AuthzResponse> read_jwt(std::string_view compact) {
    const std::size_t first = std::min(compact.find('.'), compact.size());
    const std::size_t second = std::min(compact.find('.', first + 1), compact.size());
    if (second == compact.size()) {
        return bad_jwt("is no JWT");
    }
    const auto payload = base64url_decode(compact.substr(first + 1, second - first - 1));
    const Result<JsonPtr> claims =
        payload ? json_parse_object(*payload) : Result<JsonPtr>(fail(Reason::malformed));
    if (!claims) {
        return bad_jwt("has a payload that is no JSON object");
    }
    Values values;
    for (std::size_t member = 0; member < carried; ++member) {
        const auto text = json_string(claims->get(), std::string(kNames[member]).c_str());
        if (!text) {
            return bad_jwt("is refused: " + text.error().detail);
        }
        if (!*text) {
            continue;
        }
        if (Status good = check_value(member, **text); !good) {
            return std::move(good).error();
        }
        values[member] = std::string(**text);
    }
    AuthzResponse response = response_of(values);
    response.jwt = Secret(compact);
    return response;
}

}  // namespace

Result<AuthzResponse> parse_authz_response(std::string_view query, ResponseMode mode) {
    Values values;
    std::size_t arguments = 0;
    std::string_view argument;
    for (Arguments all(query); all.next(argument);) {
        if (++arguments > kMaxArguments) {
            return fail(Reason::callback_malformed, "more than 300 arguments");
        }
        const std::string name = argument_name(argument);
        const std::size_t member = member_of(name, mode);
        if (member == member_count) {
            continue;
        }
        if (values[member]) {
            return fail(Reason::callback_malformed, "argument \"" + name + "\" stands there twice");
        }
        values[member] = percent_decode(argument_value(argument), true);
        if (!values[member]) {
            return fail(Reason::callback_malformed, "bad escape in argument \"" + name + "\"");
        }
        if (Status good = check_value(member, *values[member]); !good) {
            return std::move(good).error();
        }
    }
    if (!values[carried] || values[carried]->empty()) {
        return response_of(values);
    }
    if (mode == ResponseMode::query_jwt) {
        return read_jwt(*values[carried]);
    }
    AuthzResponse response;
    response.sealed = *std::move(values[carried]);
    return response;
}

Result<AuthzResponse> parse_response_form(std::string_view content_type, std::string_view body) {
    if (!is_form(content_type)) {
        return fail(Reason::callback_malformed, "content type \"" + std::string(content_type) +
                                                    "\" is not application/x-www-form-urlencoded");
    }
    if (body.size() > kMaxResponseForm) {
        return fail(Reason::callback_too_large,
                    "the form has " + std::to_string(body.size()) + " bytes, at most " +
                        std::to_string(kMaxResponseForm) + " are accepted");
    }
    return parse_authz_response(body);
}

Result<std::string> seal_response(const AuthzResponse& response, const Aead& aead,
                                  const Digest& binding, Random& random) {
    // As the query that it would have been.
    Secret plain;
    const auto add = [&plain](Member member, std::string_view value) {
        if (!value.empty()) {
            plain.append(plain.empty() ? "" : "&");
            plain.append(kNames[member]);
            plain.append("=");
            std::string encoded = percent_encode(value);
            plain.append(encoded);
            cleanse(encoded.data(), encoded.size());
        }
    };
    add(code, response.code.view());
    add(state, response.state);
    add(error, response.error);
    add(error_description, response.error_description);
    if (response.has_iss) {
        plain.append("&iss=");
        plain.append(percent_encode(response.iss));
    }
    Result<std::string> sealed = aead.seal(plain.view(), {kPurpose, as_text(binding)}, random);
    if (!sealed) {
        return sealed;
    }
    std::string text = base64url_encode(as_bytes(*sealed));
    if (text.size() > kMaxSealed) {
        return fail(Reason::callback_too_large,
                    "the response is too long: its code has " +
                        std::to_string(response.code.size()) + " bytes, its state " +
                        std::to_string(response.state.size()),
                    "response_mode");
    }
    return text;
}

Result<AuthzResponse> open_response(std::string_view sealed, const Aead& aead,
                                    const Digest& binding) {
    const std::optional<std::string> bytes =
        sealed.size() <= kMaxSealed ? base64url_decode(sealed) : std::nullopt;
    const std::optional<Secret> plain =
        bytes ? aead.open(*bytes, {kPurpose, as_text(binding)}) : std::nullopt;
    if (!plain) {
        return fail(Reason::state_unknown, "the posted response does not open here");
    }
    return parse_authz_response(plain->view());
}

Status check_response_iss(const AuthzResponse& response, const ProviderConfig& config,
                          const Metadata& metadata) {
    if (response.has_iss) {
        if (!is_issuer(config, response.iss)) {
            return fail(Reason::issuer_mix_up,
                        "the response is from issuer \"" + response.iss + "\", expected \"" +
                            config.issuer + "\"" +
                            (config.tenants.empty() ? "" : " with a tenant of the list"),
                        config.tenants.empty() ? "issuer" : "issuer_template");
        }
        return Unit{};
    }
    if (metadata.response_iss_supported) {
        return fail(
            Reason::issuer_missing,
            "the response has no iss, which the metadata of \"" + config.issuer + "\" promises",
            "let the provider send it; at Keycloak \"Exclude Issuer From Authentication "
            "Response\" of the client must be off");
    }
    return Unit{};
}

namespace {

// RFC 6749 4.1.2.1, OIDC Core 3.1.2.6 and RFC 9126 2.3, OpenID Connect Unmet Authentication
// Requirements 1.0. Of another error nothing is known.
constexpr std::pair<std::string_view, Advice> kAdvice[] = {
    {"login_required", Advice::sign_in_there},
    {"interaction_required", Advice::sign_in_there},
    {"consent_required", Advice::sign_in_there},
    {"account_selection_required", Advice::sign_in_there},
    {"unmet_authentication_requirements", Advice::stronger_there},
    {"temporarily_unavailable", Advice::later},
    {"server_error", Advice::again_later},
    {"invalid_request", Advice::administrator},
    {"invalid_client", Advice::administrator},
    {"unauthorized_client", Advice::administrator},
    {"unsupported_response_type", Advice::administrator},
    {"invalid_scope", Advice::administrator},
    {"invalid_target", Advice::administrator},
    {"invalid_request_uri", Advice::administrator},
    {"invalid_request_object", Advice::administrator},
    {"request_not_supported", Advice::administrator},
    {"request_uri_not_supported", Advice::administrator},
    {"registration_not_supported", Advice::administrator},
};

Advice advice_about(std::string_view error) noexcept {
    for (const auto& [name, advice] : kAdvice) {
        if (name == error) {
            return advice;
        }
    }
    return Advice::of_reason;
}

}  // namespace

bool is_authentication_expired(const AuthzResponse& response) noexcept {
    return response.error == "temporarily_unavailable" &&
           response.error_description == "authentication_expired";
}

Error response_error(const AuthzResponse& response) {
    std::string detail = "the provider answered error \"" + response.error + "\"";
    if (!response.error_description.empty()) {
        detail += ": \"" + response.error_description + "\"";
    }
    if (response.error == "access_denied") {
        return fail(Reason::access_denied, std::move(detail));
    }
    std::string fix(directive_of(response.error));
    if (response.error == "invalid_client") {
        fix = "client_id";
    } else if (response.error == "unauthorized_client") {
        fix =
            "check client_id, and that the provider allows this client the authorization code "
            "flow (Keycloak: \"Standard flow\")";
    }
    Error error = fail(Reason::idp_error, std::move(detail), std::move(fix));
    error.advice = advice_about(response.error);
    return error;
}

std::string strip_response_arguments(std::string_view query, ResponseMode mode) {
    std::string kept;
    kept.reserve(query.size());
    bool first = true;
    std::string_view argument;
    for (Arguments all(query); all.next(argument);) {
        const std::string name = argument_name(argument);
        if (member_of(name, mode) == carried ||
            std::find(kResponseArguments.begin(), kResponseArguments.end(), name) !=
                kResponseArguments.end()) {
            continue;
        }
        if (!first) {
            kept += '&';
        }
        first = false;
        kept += argument;
    }
    return kept;
}

}  // namespace oidc
