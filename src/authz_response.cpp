// SPDX-License-Identifier: Apache-2.0
#include "oidc/authz_response.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxArguments = 300;
constexpr std::size_t kMaxCode = 8 * 1024;

enum Member : std::size_t { code, state, error, error_description, iss, member_count };
constexpr std::array<std::string_view, member_count> kNames = {"code", "state", "error",
                                                               "error_description", "iss"};

// Of a finished response; nobody behind us should see or log them again.
constexpr std::array<std::string_view, 8> kResponseArguments = {
    "code", "state", "iss", "error", "error_description", "error_uri", "session_state", "scope"};

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

std::size_t max_size(std::size_t member) {
    return member == state ? kMaxState : kMaxCode;
}

}  // namespace

Result<AuthzResponse> parse_authz_response(std::string_view query) {
    std::array<std::optional<std::string>, member_count> values;
    std::size_t arguments = 0;
    std::string_view argument;
    for (Arguments all(query); all.next(argument);) {
        if (++arguments > kMaxArguments) {
            return fail(Reason::callback_malformed, "more than 300 arguments");
        }
        const auto* found = std::find(kNames.begin(), kNames.end(), argument_name(argument));
        if (found == kNames.end()) {
            continue;
        }
        const auto member = static_cast<std::size_t>(found - kNames.begin());
        const std::string name(*found);
        if (values[member]) {
            return fail(Reason::callback_malformed, "argument \"" + name + "\" stands there twice");
        }
        values[member] = percent_decode(argument_value(argument), true);
        if (!values[member]) {
            return fail(Reason::callback_malformed, "bad escape in argument \"" + name + "\"");
        }
        if (has_control_bytes(*values[member])) {
            return fail(Reason::callback_malformed, "control byte in argument \"" + name + "\"");
        }
        if (values[member]->size() > max_size(member)) {
            return fail(Reason::callback_malformed, "argument \"" + name + "\" is too long");
        }
    }
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

Status check_response_iss(const AuthzResponse& response, const ProviderConfig& config,
                          const Metadata& metadata) {
    if (response.has_iss) {
        if (response.iss != config.issuer) {
            return fail(Reason::issuer_mix_up,
                        "the response is from issuer \"" + response.iss + "\", expected \"" +
                            config.issuer + "\"",
                        "issuer");
        }
        return Unit{};
    }
    if (metadata.response_iss_supported) {
        return fail(Reason::issuer_missing, "the response has no iss, which the metadata of \"" +
                                                config.issuer + "\" promises");
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
    std::string fix;
    if (response.error == "invalid_scope") {
        fix = "scope";
    } else if (response.error == "unauthorized_client" || response.error == "invalid_client") {
        fix = "client_id";
    } else if (response.error == "invalid_target") {
        fix = "resource";
    }
    Error error = fail(Reason::idp_error, std::move(detail), std::move(fix));
    error.advice = advice_about(response.error);
    return error;
}

std::string strip_response_arguments(std::string_view query) {
    std::string kept;
    kept.reserve(query.size());
    bool first = true;
    std::string_view argument;
    for (Arguments all(query); all.next(argument);) {
        const std::string name = argument_name(argument);
        if (std::find(kResponseArguments.begin(), kResponseArguments.end(), name) !=
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
