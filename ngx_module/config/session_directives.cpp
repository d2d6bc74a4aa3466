// SPDX-License-Identifier: Apache-2.0
#include "config/session_directives.hpp"

#include <algorithm>

#include "config/provider_target.hpp"
#include "oidc/cookie.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/server_name.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

// ---- cookies ---------------------------------------------------------------------------------

char* set_cookie_name(Block& b) {
    if (!is_token(b.arg())) {
        return b.invalid(b.arg(), "a cookie name");
    }
    if (b.arg().starts_with(kPendingCookie) || b.arg().starts_with(kFragmentCookie) ||
        b.arg() == kTargetCookie || b.arg() == kChoiceCookie) {
        return b.error(in_quotes(b.arg()) + " is reserved for the module's own use");
    }
    provider(b).cookie_name = b.arg();
    return conf_ok();
}

char* set_cookie_domain(Block& b) {
    std::string domain = ascii_lower(b.arg());
    if (domain.starts_with('.')) {
        domain.erase(0, 1);  // RFC 6265 5.2.3
    }
    if (!is_host_name(domain) || domain.back() == '.') {
        return b.invalid(b.arg(), "a domain name");
    }
    provider(b).cookie_domain = std::move(domain);
    return conf_ok();
}

// Whether they fit cookie_domain and redirect_uri is judged when all are known.
char* set_login_hosts(Block& b) {
    std::vector<std::string>& hosts = provider(b).login_hosts;
    if (char* rv = b.words(hosts); rv != conf_ok()) {
        return rv;
    }
    for (std::string& host : hosts) {
        const std::string name = ascii_lower(host);
        const std::size_t prefix = name.starts_with("*.") ? 2 : name.starts_with('.') ? 1 : 0;
        if (!is_host_name(std::string_view(name).substr(prefix)) || name.back() == '.') {
            return b.invalid(host, "a host name, *.domain or .domain");
        }
        host = name;
    }
    return conf_ok();
}

char* set_cookie_path(Block& b) {
    const std::string_view path = b.arg();
    if (!path.starts_with('/') || std::any_of(path.begin(), path.end(), [](char c) {
            return c <= ' ' || c > '~' || c == ';' || c == ',' || c == '\\' || c == '"';
        })) {
        return b.invalid(path, "a path");
    }
    provider(b).cookie_path = path;
    return conf_ok();
}

char* set_cookie_same_site(Block& b) {
    for (const std::string_view name : {"Lax", "Strict", "None"}) {
        if (equal_nocase(b.arg(), name)) {
            provider(b).cookie_same_site = name;
            return conf_ok();
        }
    }
    return b.invalid(b.arg(), "\"Lax\", \"Strict\" or \"None\"");
}

char* set_clear_cookies(Block& b) {
    if (char* rv = b.words(config(b).clear_cookies); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& name : config(b).clear_cookies) {
        if (!is_token(name)) {
            return b.invalid(name, "a cookie name");
        }
    }
    return conf_ok();
}

// That none is the module's own is judged when all are known.
char* set_strip_cookies(Block& b) {
    std::vector<std::string>& names = provider(b).strip_cookies;
    if (char* rv = b.words(names); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& name : names) {
        const bool open = name.ends_with('*');
        const std::string_view fixed =
            std::string_view(name).substr(0, name.size() - (open ? 1 : 0));
        if (!is_token(fixed) || fixed.find('*') != std::string_view::npos) {
            return b.invalid(name, "a cookie name, or the beginning of one with \"*\" behind it");
        }
    }
    return conf_ok();
}

// ---- logout ----------------------------------------------------------------------------------

char* set_post_logout_param(Block& b) {
    if (!is_token(b.arg()) || b.arg() == "client_id" || b.arg() == "state" ||
        b.arg() == "id_token_hint") {
        return b.invalid(b.arg(), "the name of an argument that is not sent otherwise");
    }
    provider(b).post_logout_param = b.arg();
    return conf_ok();
}

char* set_logout_origins(Block& b) {
    std::vector<std::string>& origins = provider(b).logout_origins;
    if (char* rv = b.words(origins); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& origin : origins) {
        const Result<Url> url = parse_endpoint(origin, "logout_origins", config(b).insecure_http);
        if (!url || url->origin() != origin) {
            return b.invalid(origin,
                             "an origin as browsers write it, as in https://portal.example.com");
        }
    }
    return conf_ok();
}

// ---- sessions --------------------------------------------------------------------------------

char* set_session_store(Block& b) {
    if (!is_simple_name(b.arg())) {
        return b.invalid(b.arg(), "the name of an oidc_session_store");
    }
    provider(b).store_name = b.arg();
    return conf_ok();
}

char* set_idle_timeout(Block& b) {
    if (b.arg() == "off") {
        config(b).session_idle_timeout = 0;
        return conf_ok();
    }
    return b.seconds(config(b).session_idle_timeout, 1, kYear);
}

// on | off [before=time]
char* set_session_refresh(Block& b) {
    constexpr std::string_view kBefore = "before=";
    bool& on = config(b).session_refresh;
    if (b.arg() != "on" && b.arg() != "off") {
        return b.invalid(b.arg(), "\"on\" or \"off\"");
    }
    on = b.arg() == "on";
    if (b.size() == 1) {
        return conf_ok();
    }
    if (!b.arg(1).starts_with(kBefore)) {
        return b.invalid(b.arg(1), "\"before=\" with a time");
    }
    ngx_str_t text = borrow(b.arg(1).substr(kBefore.size()));
    const ngx_int_t before = ngx_parse_time(&text, 1);
    if (before < 1 || before > kDay) {
        return b.invalid(b.arg(1), "\"before=\" with a time between 1s and 1d");
    }
    config(b).session_refresh_before = before;
    return conf_ok();
}

char* set_access_token_lifetime(Block& b) {
    if (b.arg() == "off") {
        config(b).access_token_lifetime = 0;
        return conf_ok();
    }
    return b.seconds(config(b).access_token_lifetime, 1, kYear);
}

char* set_session_limit(Block& b) {
    if (b.arg() == "off") {
        provider(b).session_limit = 0;
        return conf_ok();
    }
    const ngx_int_t limit = ngx_atoi(b.raw().data, b.raw().len);
    if (limit < 1 || limit > 1000) {
        return b.invalid(b.arg(), "\"off\" or a number between 1 and 1000");
    }
    provider(b).session_limit = static_cast<std::size_t>(limit);
    provider(b).session_limit_given = true;
    return conf_ok();
}

char* set_idle_ignore(Block& b) {
    for (std::size_t i = 0; i < b.size(); i++) {
        const std::string_view pattern = b.arg(i);
        if (pattern.starts_with('/')) {
            provider(b).idle_ignore_prefixes.emplace_back(pattern);
            continue;
        }
        if (!pattern.starts_with('~')) {
            return b.invalid(pattern, "a URI prefix that starts with \"/\", or \"~regex\"");
        }
        std::string problem;
        ngx_regex_t* regex = compile_pattern(b.cf(), pattern, problem);
        if (regex == nullptr) {
            return problem.empty()
                       ? b.invalid(pattern, "a URI prefix that starts with \"/\", or \"~regex\"")
                       : b.error("is refused: " + problem);
        }
        provider(b).idle_ignore_regexes.push_back(regex);
    }
    return conf_ok();
}

}  // namespace oidc::ngx
