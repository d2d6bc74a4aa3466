// SPDX-License-Identifier: Apache-2.0
#include "oidc/http_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "oidc/text.hpp"

namespace oidc {
namespace {

// A query may carry what must not be logged: only the fact that there is one is told.
std::string without_query(std::string_view url) {
    const std::size_t mark = url.find_first_of("?#");
    std::string shown(url.substr(0, mark));
    if (mark != std::string_view::npos) {
        shown.append("?...");
    }
    return shown;
}

// Digits alone; -1 when there is anything else or more than nine of them.
Seconds number(std::string_view digits) noexcept {
    const bool plain = !digits.empty() && digits.size() <= 9 &&
                       std::all_of(digits.begin(), digits.end(), is_digit);
    Seconds value = 0;
    if (plain) {
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
    }
    return plain ? value : -1;
}

// IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<Seconds> http_date(std::string_view text) noexcept {
    constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
        return std::nullopt;
    }
    const auto* month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
    const std::array<Seconds, 5> n = {number(text.substr(5, 2)), number(text.substr(12, 4)),
                                      number(text.substr(17, 2)), number(text.substr(20, 2)),
                                      number(text.substr(23, 2))};
    const auto [day, year, hour, minute, second] = n;
    if (month == kMonths.end() || *std::min_element(n.begin(), n.end()) < 0 || hour > 23 ||
        minute > 59 || second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(
        std::chrono::year(static_cast<int>(year)),
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
        std::chrono::day(static_cast<unsigned>(day)));
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return Seconds{days} * 86400 + hour * 3600 + minute * 60 + second;
}

// ", the issuer's metadata has ..."
std::string advertised(const HttpRequest& request) {
    return request.advertised.empty()
               ? std::string()
               : ", the issuer's metadata has " + without_query(request.advertised);
}

}  // namespace

HttpRequest without_secrets(const HttpRequest& request) {
    HttpRequest copy;
    copy.method = request.method;
    copy.url = request.url;
    copy.endpoint = request.endpoint;
    copy.advertised = request.advertised;
    return copy;
}

bool is_media_type(std::string_view content_type, std::string_view type) noexcept {
    return equal_nocase(trim(content_type.substr(0, content_type.find(';'))), type);
}

bool is_form(std::string_view content_type) noexcept {
    return is_media_type(content_type, "application/x-www-form-urlencoded");
}

std::string answered(const HttpRequest& request, const HttpResponse& response) {
    std::string text = std::string(request.endpoint) + " \"" + request.url + "\" answered " +
                       std::to_string(response.status);
    if (response.status == 404 || response.status == 405 || response.status == 410) {
        text += advertised(request);
    }
    if (!response.retry_after.empty()) {
        text += ", retry after \"" + response.retry_after + "\"";
    }
    return text;
}

std::optional<Seconds> retry_after_seconds(std::string_view value, Seconds now) noexcept {
    if (const Seconds delta = number(value); delta >= 0) {
        return delta;
    }
    const std::optional<Seconds> date = http_date(value);
    return date ? std::optional<Seconds>(std::max<Seconds>(0, *date - now)) : std::nullopt;
}

Status refuse_redirect(const HttpRequest& request, const HttpResponse& response) {
    if (response.status < 300 || response.status > 399) {
        return Unit{};
    }
    const std::string endpoint(request.endpoint);
    std::string detail = endpoint + " " + without_query(request.url);
    if (response.location.empty()) {
        detail += " answered " + std::to_string(response.status) + " without a location";
        detail += advertised(request);
        return fail(Reason::idp_redirect, std::move(detail));
    }
    const std::string location = without_query(response.location);
    detail += " redirects to " + location;
    detail += advertised(request);
    return fail(Reason::idp_redirect, std::move(detail), "configure " + endpoint + " " + location);
}

}  // namespace oidc
