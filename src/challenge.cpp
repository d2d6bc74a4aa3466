// SPDX-License-Identifier: Apache-2.0
#include "oidc/challenge.hpp"

#include <algorithm>
#include <array>

#include "oidc/text.hpp"

namespace oidc {
namespace {

bool contains_nocase(std::string_view text, std::string_view part) noexcept {
    return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char x, char y) {
               return ascii_lower(x) == ascii_lower(y);
           }) != text.end();
}

// Requests whose answer no person sees: a login started for them could never finish. Any value of
// the purpose headers counts, all that are in use say "prefetch" or "preview".
bool is_speculative_or_upgrade(const RequestFacts& facts) noexcept {
    return !facts.sec_purpose.empty() || !facts.upgrade.empty();
}

// A form of HTML (HTML 4.10.21.6), or no body. What scripts post as something else is theirs.
bool is_form_or_nothing(std::string_view content_type) noexcept {
    constexpr std::array<std::string_view, 3> kForms{"application/x-www-form-urlencoded",
                                                     "multipart/form-data", "text/plain"};
    const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
    return type.empty() || std::any_of(kForms.begin(), kForms.end(), [type](std::string_view form) {
               return equal_nocase(type, form);
           });
}

// Does a Referer lie on `origin`? "https://app.example.evil/" must not pass for
// "https://app.example".
bool is_url_of(std::string_view url, std::string_view origin) noexcept {
    if (!starts_with_nocase(url, origin)) {
        return false;
    }
    const std::string_view rest = url.substr(origin.size());
    return rest.empty() || rest.front() == '/' || rest.front() == '?' || rest.front() == '#';
}

}  // namespace

bool is_navigation(const RequestFacts& facts) noexcept {
    if (!facts.get || is_speculative_or_upgrade(facts)) {
        return false;
    }
    if (!facts.sec_fetch_dest.empty() && !equal_nocase(facts.sec_fetch_dest, "document")) {
        return false;  // an iframe navigates as well, but a login page refuses to be framed
    }
    if (!facts.sec_fetch_mode.empty()) {
        return equal_nocase(facts.sec_fetch_mode, "navigate");
    }
    return !equal_nocase(facts.requested_with, "XMLHttpRequest") &&
           contains_nocase(facts.accept, "text/html");
}

PageForm page_form(const RequestFacts& facts) noexcept {
    if (facts.head) {
        return PageForm::json;
    }
    RequestFacts window = facts;
    window.get = true;
    const bool framed =
        equal_nocase(facts.sec_fetch_dest, "iframe") || equal_nocase(facts.sec_fetch_dest, "frame");
    if (framed) {
        window.sec_fetch_dest = {};
    }
    if (!is_navigation(window) ||
        (facts.sec_fetch_mode.empty() && !is_form_or_nothing(facts.content_type))) {
        return PageForm::json;
    }
    if (!framed) {
        return PageForm::html;
    }
    return equal_nocase(facts.sec_fetch_site, "same-origin") ? PageForm::framed : PageForm::json;
}

bool should_redirect(Unauthorized policy, const RequestFacts& facts) noexcept {
    switch (policy) {
        case Unauthorized::automatic:
            return is_navigation(facts);
        case Unauthorized::redirect:
            return (facts.get || facts.head) && !is_speculative_or_upgrade(facts);
        case Unauthorized::status_401:
            break;
    }
    return false;
}

bool is_own_navigation(std::string_view sec_fetch_site, std::string_view origin_header,
                       std::string_view referer, std::string_view origin) noexcept {
    if (!sec_fetch_site.empty()) {
        return equal_nocase(sec_fetch_site, "same-origin") || equal_nocase(sec_fetch_site, "none");
    }
    if (origin_header.empty() && referer.empty()) {
        return true;
    }
    return is_navigation_from(origin_header, referer, origin);
}

bool is_from_another_site(std::string_view sec_fetch_site) noexcept {
    return equal_nocase(sec_fetch_site, "cross-site");
}

bool is_navigation_from(std::string_view origin_header, std::string_view referer,
                        std::string_view origin) noexcept {
    if (!origin_header.empty()) {
        return equal_nocase(origin_header, origin);
    }
    return !origin.empty() && is_url_of(referer, origin);
}

bool is_own_change(std::string_view sec_fetch_site, std::string_view origin_header,
                   std::string_view host, std::string_view origin,
                   std::span<const std::string> allowed) noexcept {
    if (equal_nocase(sec_fetch_site, "same-origin") || equal_nocase(sec_fetch_site, "none")) {
        return true;
    }
    if (origin_header.empty()) {
        return sec_fetch_site.empty();
    }
    const auto is_sender = [origin_header](std::string_view one) {
        return equal_nocase(origin_header, one);
    };
    if (is_sender(origin) || std::any_of(allowed.begin(), allowed.end(), is_sender)) {
        return true;
    }
    if (!sec_fetch_site.empty() || host.empty()) {
        return false;
    }
    constexpr std::string_view kHttp = "http://";
    constexpr std::string_view kHttps = "https://";
    const bool by_tls = starts_with_nocase(origin_header, kHttps);
    if (!by_tls &&
        (!starts_with_nocase(origin_header, kHttp) || starts_with_nocase(origin, kHttps))) {
        return false;
    }
    return equal_nocase(origin_header.substr(by_tls ? kHttps.size() : kHttp.size()), host);
}

std::string_view path_on_origin(std::string_view url, std::string_view origin) noexcept {
    if (origin.empty() || !is_url_of(url, origin)) {
        return {};
    }
    const std::string_view rest = url.substr(origin.size());
    return rest.starts_with('/') ? rest : std::string_view();
}

}  // namespace oidc
