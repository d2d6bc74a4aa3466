// SPDX-License-Identifier: Apache-2.0
// What a request without a session gets: a redirect to the provider, or 401.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "oidc/page.hpp"

namespace oidc {

enum class Unauthorized : unsigned char {
    automatic,
    redirect,
    status_401
};  // auth_oidc_unauthorized

// Request headers that decide; empty: absent.
struct RequestFacts {
    bool get = false;  // GET
    std::string_view sec_fetch_mode;
    std::string_view sec_fetch_dest;
    std::string_view sec_fetch_site;
    std::string_view sec_purpose;  // or Purpose, X-Moz
    std::string_view accept;
    std::string_view upgrade;
    std::string_view requested_with;
    std::string_view content_type;
    bool head = false;  // HEAD; `get` is false then. The adapter treats HEAD like GET in both
};

// A top-level navigation: GET, not a prefetch, no Upgrade, Sec-Fetch-Mode: navigate with
// Sec-Fetch-Dest document (or absent); without Sec-Fetch-Mode: not XMLHttpRequest and Accept
// contains text/html.
bool is_navigation(const RequestFacts& facts) noexcept;

// True: redirect. `automatic` redirects navigations alone, so HEAD gets 401. `redirect` still
// refuses anything but GET and HEAD, prefetches and upgrades, whose login could never finish.
bool should_redirect(Unauthorized policy, const RequestFacts& facts) noexcept;

// What an answer that is no redirect is made as. A person sees it when the browser navigates, by
// GET or by a form: the window, or a frame of a page of ours. Without Sec-Fetch-Mode: as above, and
// a body is that of a form. HEAD has none: json.
PageForm page_form(const RequestFacts& facts) noexcept;

// Logout guard: the request comes from our own pages or from the address bar. Sec-Fetch-Site must
// be same-origin or none; without it, Origin or Referer must be `origin`, or both be absent.
bool is_own_navigation(std::string_view sec_fetch_site, std::string_view origin_header,
                       std::string_view referer, std::string_view origin) noexcept;

// The request was begun by another site, so that it carries no cookie that is SameSite=Strict.
bool is_from_another_site(std::string_view sec_fetch_site) noexcept;

// The request says that it comes from a page of `origin`: by Origin, or without it by Referer.
bool is_navigation_from(std::string_view origin_header, std::string_view referer,
                        std::string_view origin) noexcept;

// Whether a request that changes something was begun by a page of `origin`, or by no page at all:
// Sec-Fetch-Site is same-origin or none, or Origin is `origin` or one of `allowed`. From a browser
// that sends no Sec-Fetch-Site Origin may also name `host` (of the Host header), not by http when
// `origin` is of https. With neither header it was no browser, which nobody else can have sent it
// for. Header values; empty: absent.
bool is_own_change(std::string_view sec_fetch_site, std::string_view origin_header,
                   std::string_view host, std::string_view origin,
                   std::span<const std::string> allowed) noexcept;

// What follows `origin` in a URL that lies on it: a path with query and fragment; empty: none.
std::string_view path_on_origin(std::string_view url, std::string_view origin) noexcept;

}  // namespace oidc
