// SPDX-License-Identifier: Apache-2.0
#include "oidc/step_up.hpp"

#include <algorithm>
#include <iterator>

#include "oidc/encode.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/page.hpp"
#include "oidc/result.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

// An element of the text of an array, in which "%" and "," are escaped (claims.hpp).
bool is_element(std::string_view element, std::string_view wanted) noexcept {
    for (const char c : wanted) {
        std::string_view shown(&c, 1);
        if (c == '%') {
            shown = "%25";
        } else if (c == ',') {
            shown = "%2C";
        }
        if (!element.starts_with(shown)) {
            return false;
        }
        element.remove_prefix(shown.size());
    }
    return element.empty();
}

bool is_among(std::string_view array, std::string_view wanted) noexcept {
    while (!array.empty()) {
        const std::size_t end = std::min(array.find(','), array.size());
        if (is_element(array.substr(0, end), wanted)) {
            return true;
        }
        array.remove_prefix(std::min(end + 1, array.size()));
    }
    return false;
}

// acr, or one of amr: several providers tell of a second factor in amr alone.
bool has_acr(const SessionView& session, const std::vector<std::string>& wanted) noexcept {
    const std::string_view acr = session.claim("acr").value_or(std::string_view());
    const std::string_view amr = session.claim("amr").value_or(std::string_view());
    return std::any_of(wanted.begin(), wanted.end(), [acr, amr](const std::string& value) {
        return acr == value || is_among(amr, value);
    });
}

}  // namespace

LoginDemand strictest(const ProviderConfig& config, const LoginDemand& place) {
    LoginDemand demand = place;
    if (place.empty()) {
        return demand;
    }
    if (config.max_age) {
        demand.max_age = std::min(*config.max_age, demand.max_age.value_or(*config.max_age));
    }
    if (place.acr_values.empty()) {
        demand.acr_values = config.acr_values;
        return demand;
    }
    std::vector<std::string> common;
    std::copy_if(
        place.acr_values.begin(), place.acr_values.end(), std::back_inserter(common),
        [&config](const std::string& value) { return contains(config.acr_values, value); });
    if (!common.empty()) {
        demand.acr_values = std::move(common);
    }
    return demand;
}

Shortfall shortfall(const SessionView& session, const LoginDemand& demand, Seconds now,
                    Seconds clock_skew) noexcept {
    if (demand.max_age) {
        const Seconds auth_time = session.auth_time();
        if (auth_time <= 0 || auth_time > now + clock_skew ||
            now > auth_time + *demand.max_age + clock_skew) {
            return Shortfall::auth_time;
        }
    }
    return demand.acr_values.empty() || has_acr(session, demand.acr_values) ? Shortfall::none
                                                                            : Shortfall::acr;
}

Error shortfall_error(Shortfall what, const SessionView& session, const LoginDemand& demand,
                      Seconds now) {
    if (what == Shortfall::auth_time) {
        const std::string asked = "max_age " + std::to_string(demand.max_age.value_or(0));
        const std::string got = session.auth_time() > 0
                                    ? "auth_time " + std::to_string(session.auth_time()) +
                                          ", now is " + std::to_string(now)
                                    : std::string("a token without auth_time");
        return fail(Reason::id_token_auth_time,
                    "the provider was asked for " + asked + " and answered with " + got,
                    "auth_oidc_max_age");
    }
    const auto shown = [&session](const char* name) {
        const auto text = session.claim(name);
        return text ? std::string(name) + " " + in_quotes(*text) : std::string("no ") + name;
    };
    return fail(Reason::id_token_acr,
                "the provider was asked for acr_values " + in_quotes(demand.acr_values) +
                    " and answered with " + shown("acr") + " and " + shown("amr"),
                "auth_oidc_acr_values");
}

Respond insufficient_authentication(const LoginDemand& demand, std::string_view page, PageForm form,
                                    Language language) {
    const ReasonInfo& info = reason_info(Reason::insufficient_user_authentication);
    std::string body = "{\"error\":" + json_quote(info.code);
    body.append(",\"message\":").append(json_quote(info.title));
    std::string challenge = "Bearer error=\"" + std::string(info.code) + "\"";
    if (!demand.acr_values.empty()) {
        const std::string values = join_values(demand.acr_values);
        body.append(",\"acr_values\":").append(json_quote(values));
        challenge.append(", acr_values=\"").append(values).append("\"");
    }
    if (demand.max_age) {
        const std::string age = std::to_string(*demand.max_age);
        body.append(",\"max_age\":").append(age);
        challenge.append(", max_age=\"").append(age).append("\"");
    }
    Respond respond =
        error_page(Reason::insufficient_user_authentication, {}, page, form, language);
    respond.headers.push_back({"WWW-Authenticate", std::move(challenge)});
    if (form == PageForm::json) {
        respond.body = std::move(body.append("}\n"));
    }
    return respond;
}

bool is_acr_value(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '\\';
    });
}

std::string join_values(const std::vector<std::string>& values) {
    std::string text;
    for (const std::string& value : values) {
        text.append(text.empty() ? "" : " ").append(value);
    }
    return text;
}

}  // namespace oidc
