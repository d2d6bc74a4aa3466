// SPDX-License-Identifier: Apache-2.0
#include "signin/header_filter.hpp"

#include <utility>

#include "oidc/page.hpp"
#include "request/own_cookies.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/choice.hpp"
#include "signin/login.hpp"
#include "signin/return_target.hpp"
#include "signin/unauthenticated.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {
namespace {

ngx_http_output_header_filter_pt next_header_filter = nullptr;

// Only this module may set its cookies; a backend that does would end or replace sessions.
void drop_foreign_cookies(ngx_http_request_t* r) noexcept {
    const MainConf& conf = main_conf(r);
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            ngx_table_elt_t& header = headers[i];
            if (!is_set_cookie(header)) {
                continue;
            }
            const std::string_view sent = name_when_sent(view(header.value));
            if (is_own_cookie(conf, sent)) {
                header.hash = 0;
                ngx_str_t name = borrow(sent);
                ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                              "oidc: the backend's cookie \"%V\" is dropped, its name is reserved",
                              &name);
            }
        }
    }
}

std::string_view cookie_name(std::string_view line) noexcept {
    return line.substr(0, line.find('='));
}

bool is_set_already(ngx_http_request_t* r, std::string_view name) noexcept {
    for (const ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr;
         part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (is_set_cookie(headers[i]) && cookie_name(view(headers[i].value)) == name) {
                return true;
            }
        }
    }
    return false;
}

// The cookies of ctx. One of the application's that clear_cookies ends, and that the application
// sets anew in this very answer, is the application's to keep: it signs the new user in.
bool add_cookies(ngx_http_request_t* r, const RequestContext& ctx) noexcept {
    for (const std::string& cookie : ctx.answer.set_cookies) {
        if (ctx.answer.forwarded_callback && is_set_already(r, cookie_name(cookie))) {
            continue;
        }
        if (push_header(r, kSetCookie, cookie) == nullptr) {
            return false;
        }
    }
    return true;
}

// The 401 on which all access modules agreed becomes a redirect or our JSON.
ngx_int_t answer_late(ngx_http_request_t* r, RequestContext& ctx) {
    ctx.answer.late_challenge = false;
    counters(r).count_challenge();
    Provider& provider = *ctx.decision->provider;
    Respond answer = unauthorized(r, ctx, provider);
    if (is_redirected(r)) {
        if (std::optional<Respond> detour = before_login(r, ctx, provider)) {
            answer = *std::move(detour);
        } else if (LoginPlace place = login_place(r, ctx, provider); place.provider == nullptr) {
            answer = redirect(NGX_HTTP_MOVED_TEMPORARILY, place.choice_url);
        } else {
            // Without the metadata at hand the browser gets 401 this once; they are being fetched.
            login_answer_at_once(r, ctx, *place.provider, std::move(place.return_to), answer);
        }
    }
    for (const Header& header : answer.headers) {
        if (header.name == kSetCookie) {
            ctx.answer.set_cookies.push_back(header.value);
        }
    }
    if (!set_response_head(r, answer) || !add_cookies(r, ctx)) {
        return NGX_ERROR;
    }
    if (r->headers_out.www_authenticate != nullptr && answer.status != NGX_HTTP_UNAUTHORIZED) {
        r->headers_out.www_authenticate->hash = 0;
    }
    const ngx_int_t rc = next_header_filter(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    const ngx_int_t sent = send_body(r, answer.body);
    // The body that nginx has prepared for its 401 does not follow.
    r->header_only = 1;
    return sent;
}

bool needs_no_store(const ngx_http_request_t* r, const RequestContext& ctx) noexcept {
    return !ctx.answer.set_cookies.empty() || ctx.answer.forwarded_callback ||
           (ctx.answer.error_code != nullptr && r->headers_out.status >= NGX_HTTP_BAD_REQUEST);
}

// A connection that stays open because of a session does not outlive it. Only HTTP/1.1 has a socket
// of its own for one request.
ngx_int_t watch_upgraded(ngx_http_request_t* r, const RequestContext& ctx) noexcept {
    Upgraded* upgraded = Upgraded::worker();
    if (upgraded == nullptr || identity_of(r) == nullptr ||
        r->http_version != NGX_HTTP_VERSION_11) {
        return NGX_OK;
    }
    return upgraded->watch(r, *ctx.decision);
}

ngx_int_t header_filter(ngx_http_request_t* r) noexcept try {
    if (r != r->main || !srv_conf(r).uses_oidc) {
        return next_header_filter(r);
    }
    drop_foreign_cookies(r);
    RequestContext* ctx = find_context(r);
    if (ctx == nullptr) {
        return next_header_filter(r);
    }
    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS &&
        watch_upgraded(r, *ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->answer.late_challenge && r->headers_out.status == NGX_HTTP_UNAUTHORIZED &&
        !r->error_page && ctx->decision != nullptr) {
        return answer_late(r, *ctx);
    }
    if (needs_no_store(r, *ctx) && (!set_cache_control(r, "no-store") || !add_cookies(r, *ctx))) {
        return NGX_ERROR;
    }
    return next_header_filter(r);
} catch (...) {
    return NGX_ERROR;
}

}  // namespace

ngx_int_t header_filter_init() noexcept {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
    return NGX_OK;
}

}  // namespace oidc::ngx
