// SPDX-License-Identifier: Apache-2.0
#include "request/request_view.hpp"

#include <algorithm>

#include "oidc/server_name.hpp"
#include "oidc/text.hpp"

namespace oidc::ngx {
namespace {

constexpr std::string_view kHttps = "https:";

ngx_http_core_loc_conf_t* core_loc_conf(ngx_http_request_t* r) noexcept {
    return static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

// The Host header when it equals one of the server's names, else empty.
std::string_view named_host(ngx_http_request_t* r) noexcept {
    const std::string_view host = view(r->headers_in.server);
    const std::vector<std::string>& names = srv_conf(r).server_names;
    const bool named =
        is_host_name(host) && std::any_of(names.begin(), names.end(), [host](const auto& name) {
            return matches_server_name(host, name);
        });
    return named ? host : std::string_view();
}

// The same, else the first name; empty when there is none that could stand in a URL.
std::string_view own_host_name(ngx_http_request_t* r) noexcept {
    const auto* server = static_cast<ngx_http_core_srv_conf_t*>(
        ngx_http_get_module_srv_conf(r, ngx_http_core_module));
    const std::vector<std::string>& names = srv_conf(r).server_names;
    if (const std::string_view host = named_host(r); !host.empty()) {
        return host;
    }
    const std::string_view first = view(server->server_name);
    if (is_host_name(first)) {
        return first;
    }
    const auto usable = std::find_if(names.begin(), names.end(), is_host_name);
    return usable != names.end() ? std::string_view(*usable) : std::string_view();
}

ngx_str_t origin_of_host(ngx_http_request_t* r, const Provider& provider,
                         std::string_view host) noexcept try {
    return copy_to_pool(r->pool, provider.origin_of(host));
} catch (...) {
    return {0, nullptr};
}

bool arrived_over_tls(ngx_http_request_t* r) noexcept {
#if (NGX_HTTP_SSL)
    return r->connection->ssl != nullptr;
#else
    static_cast<void>(r);
    return false;
#endif
}

}  // namespace

std::string_view request_header(ngx_http_request_t* r, std::string_view lowcase_name) noexcept {
    for (const ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr;
         part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (equal_nocase(view(headers[i].key), lowcase_name)) {
                return view(headers[i].value);
            }
        }
    }
    return {};
}

const Endpoint* find_endpoint(ngx_http_request_t* r) noexcept {
    if (r->internal) {
        return nullptr;
    }
    const std::string_view uri = view(r->uri);
    for (const Endpoint& endpoint : srv_conf(r).endpoints) {
        if (uri == endpoint.path) {
            return &endpoint;
        }
    }
    return nullptr;
}

RequestFacts request_facts(ngx_http_request_t* r) noexcept {
    RequestFacts facts;
    facts.get = r->method == NGX_HTTP_GET;
    facts.head = r->method == NGX_HTTP_HEAD;
    facts.sec_fetch_mode = request_header(r, "sec-fetch-mode");
    facts.sec_fetch_dest = request_header(r, "sec-fetch-dest");
    facts.sec_fetch_site = request_header(r, "sec-fetch-site");
    facts.sec_purpose = request_header(r, "sec-purpose");
    if (facts.sec_purpose.empty()) {
        facts.sec_purpose = request_header(r, "purpose");
    }
    if (facts.sec_purpose.empty()) {
        facts.sec_purpose = request_header(r, "x-moz");
    }
    facts.accept = request_header(r, "accept");
    facts.upgrade = request_header(r, "upgrade");
    facts.requested_with = request_header(r, "x-requested-with");
    facts.content_type = request_header(r, "content-type");
    return facts;
}

Language page_language(ngx_http_request_t* r, PageForm form) noexcept {
    if (form == PageForm::json) {
        return Language::en;
    }
    const auto configured = static_cast<Language>(loc_conf(r).page_language);
    if (configured != Language::count_) {
        return configured;
    }
    LanguageChoice choice;
    for (const ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr;
         part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (equal_nocase(view(headers[i].key), "accept-language")) {
                choice.add(view(headers[i].value));
            }
        }
    }
    return choice.chosen();
}

bool public_https(ngx_http_request_t* r, const Provider* provider) noexcept {
    const LocConf& location = loc_conf(r);
    if (!location.base_url.empty()) {
        return std::string_view(location.base_url).starts_with(kHttps);
    }
    if (provider != nullptr && !provider->redirect_origin.empty()) {
        return std::string_view(provider->redirect_origin).starts_with(kHttps);
    }
    return arrived_over_tls(r) || srv_conf(r).tls_port != 0;
}

bool is_plain_side(ngx_http_request_t* r, const Provider& provider) noexcept {
    return srv_conf(r).tls_port != 0 && is_insecure_detour(r, provider);
}

bool is_insecure_detour(ngx_http_request_t* r, const Provider& provider) noexcept {
    if (!public_https(r, &provider)) {
        return false;
    }
#if (NGX_HTTP_SSL)
    if (r->connection->ssl != nullptr) {
        return false;
    }
    const std::string_view forwarded = request_header(r, "x-forwarded-proto");
    const auto* ssl =
        static_cast<ngx_http_ssl_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_ssl_module));
    const bool tls_here = ssl->certificates != nullptr || srv_conf(r).tls_port != 0;
    if (tls_here && !equal_nocase(forwarded, "https")) {
        return true;
    }
    return equal_nocase(forwarded, "http");
#else
    return equal_nocase(request_header(r, "x-forwarded-proto"), "http");
#endif
}

bool is_early_data(ngx_http_request_t* r) noexcept {
#if (NGX_HTTP_SSL)
    if (r->connection->ssl != nullptr) {
        ngx_str_t early{};
        if (ngx_ssl_get_early_data(r->connection, r->pool, &early) != NGX_OK || early.len != 0) {
            return true;
        }
    }
#endif
    return request_header(r, "early-data") == "1";
}

const Digest* binding_of(ngx_http_request_t* r, const Provider& provider) noexcept {
    const SrvConf& server = srv_conf(r);
    return provider.index < server.bindings.size() ? &server.bindings[provider.index] : nullptr;
}

ngx_str_t public_origin(ngx_http_request_t* r, const Provider* provider) noexcept {
    const LocConf& location = loc_conf(r);
    if (!location.base_url.empty()) {
        return borrow(location.base_url);
    }
    if (provider != nullptr && !provider->redirect_origin.empty()) {
        const std::string_view host = login_host(r, *provider);
        return host.empty() ? borrow(provider->redirect_origin)
                            : origin_of_host(r, *provider, host);
    }
    const bool https = public_https(r, provider);
    std::string_view host = own_host_name(r);
    bool literal = false;
    // Written out only where it is the name.
    u_char text[NGX_SOCKADDR_STRLEN];
    ngx_str_t address{sizeof(text), text};
    if (ngx_connection_local_sockaddr(r->connection, host.empty() ? &address : nullptr, 0) !=
        NGX_OK) {
        return {0, nullptr};
    }
    const ngx_uint_t port = https && !arrived_over_tls(r)
                                ? srv_conf(r).tls_port
                                : ngx_inet_get_port(r->connection->local_sockaddr);
    if (host.empty()) {
        const bool inet = r->connection->local_sockaddr->sa_family != AF_UNIX;
        host = inet ? view(address) : std::string_view("localhost");
        literal = host.find(':') != std::string_view::npos && host.front() != '[';
    }
    auto* out =
        static_cast<u_char*>(ngx_pnalloc(r->pool, sizeof("https://[]:65535") + host.size()));
    if (out == nullptr) {
        return {0, nullptr};
    }
    u_char* end = out;
    const auto put = [&end](std::string_view part) {
        end = ngx_cpymem(end, part.data(), part.size());
    };
    put(https ? "https://" : "http://");
    put(literal ? "[" : "");
    put(host);
    put(literal ? "]" : "");
    const ngx_uint_t usual = https ? 443 : 80;
    if (port != 0 && port != usual) {
        end = ngx_sprintf(end, ":%ui", port);
    }
    return {static_cast<std::size_t>(end - out), out};
}

std::string_view login_host(ngx_http_request_t* r, const Provider& provider) noexcept {
    if (provider.login_hosts.empty() || !loc_conf(r).base_url.empty()) {
        return {};
    }
    const std::string_view host = named_host(r);
    return host != provider.redirect_host && provider.is_login_host(host) ? host
                                                                          : std::string_view();
}

std::string own_url(ngx_http_request_t* r, const Provider& provider, std::string_view target) {
    const ngx_str_t origin = public_origin(r, &provider);
    if (origin.data == nullptr) {
        return {};
    }
    return std::string(view(origin)).append(target);
}

const std::string& session_cookie_name(ngx_http_request_t* r, const Provider& provider) noexcept {
    return public_https(r, &provider) ? provider.session_cookie_https
                                      : provider.session_cookie_http;
}

bool is_own_request(ngx_http_request_t* r, const Provider* provider) noexcept {
    const ngx_str_t origin = public_origin(r, provider);
    return origin.data != nullptr &&
           is_own_navigation(request_header(r, "sec-fetch-site"), request_header(r, "origin"),
                             request_header(r, "referer"), view(origin));
}

bool is_cross_origin(ngx_http_request_t* r, const Provider& provider) noexcept {
    constexpr ngx_uint_t kReads = NGX_HTTP_GET | NGX_HTTP_HEAD | NGX_HTTP_OPTIONS;
    const ngx_http_request_t* main = r->main;
    const LocConf& location = loc_conf(r);
    if (((main->method & kReads) != 0 && main->headers_in.upgrade == nullptr) ||
        location.csrf == 0) {
        return false;
    }
    const ngx_str_t origin = public_origin(r, &provider);
    return !is_own_change(request_header(r, "sec-fetch-site"), request_header(r, "origin"),
                          request_header(r, "host"), view(origin), location.csrf_origins);
}

bool evaluate(ngx_http_request_t* r, ngx_http_complex_value_t* expression, std::string& out) {
    out.clear();
    if (expression == nullptr) {
        return true;
    }
    ngx_str_t value{};
    if (ngx_http_complex_value(r, expression, &value) != NGX_OK) {
        return false;
    }
    out = view(value);
    return true;
}

bool has_error_page(ngx_http_request_t* r, ngx_int_t status) noexcept {
    const ngx_http_core_loc_conf_t* location = core_loc_conf(r);
    if (r->error_page || location->error_pages == nullptr || r->uri_changes == 0) {
        return false;
    }
    const auto* pages = static_cast<const ngx_http_err_page_t*>(location->error_pages->elts);
    return std::any_of(pages, pages + location->error_pages->nelts,
                       [status](const ngx_http_err_page_t& page) { return page.status == status; });
}

bool satisfy_any(ngx_http_request_t* r) noexcept {
    return core_loc_conf(r)->satisfy == NGX_HTTP_SATISFY_ANY;
}

}  // namespace oidc::ngx
