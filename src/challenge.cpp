// SPDX-License-Identifier: Apache-2.0
#include "oidc/challenge.hpp"

#include <algorithm>

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

bool is_navigation_from(std::string_view origin_header, std::string_view referer,
                        std::string_view origin) noexcept {
    if (!origin_header.empty()) {
        return equal_nocase(origin_header, origin);
    }
    return !origin.empty() && is_url_of(referer, origin);
}

}  // namespace oidc
