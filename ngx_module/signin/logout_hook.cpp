// SPDX-License-Identifier: Apache-2.0
#include "signin/logout_hook.hpp"

#include <utility>

#include "base/ports_ngx.hpp"
#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "request/identity_headers.hpp"
#include "request/own_cookies.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/decide.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {
namespace {

// What the hook sets goes to the browser, but for the names that only this module may set.
void take_cookies(ngx_http_request_t* r, RequestContext& ctx) {
    const MainConf& conf = main_conf(r);
    for (const ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr;
         part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            const std::string_view line = view(headers[i].value);
            if (!is_set_cookie(headers[i]) || has_control_bytes(line)) {
                continue;
            }
            if (!is_own_cookie(conf, name_when_sent(line))) {
                ctx.answer.set_cookies.emplace_back(line);
            }
        }
    }
}

void log_failure(ngx_http_request_t* r, const Provider& provider, ngx_int_t status) {
    const std::string what = status >= NGX_HTTP_BAD_REQUEST
                                 ? "answered with status " + std::to_string(status)
                                 : std::string("gave no answer");
    NgxLog(r->connection->log)
        .write(LogLevel::warn, "logout_hook \"" + provider.logout_hook + "\" of provider \"" +
                                   provider.config.name + "\" " + what + ", the logout goes on");
}

// The browser has gone, and its request goes with it: what it asked for is done all the same.
void end_without_it(ngx_http_request_t* r, const RequestContext& ctx) {
    const Provider& provider = *ctx.task->provider;
    std::vector<Digest> keys = presented_keys(r->main, ctx, provider);
    if (keys.empty()) {
        return;
    }
    provider.store->sessions().erase(std::move(keys), [&provider](const Result<Unit>& ended) {
        if (!ended) {
            NgxLog(ngx_cycle->log)
                .write(LogLevel::error,
                       "a session whose user has signed out lives on: the store \"" +
                           provider.store->name + "\" does not answer");
        }
        look_at_upgraded();
    });
}

// The subrequest is over. NGX_OK instead of its error: that would end the main request as well.
// nginx runs the main request's phases next.
ngx_int_t on_answer(ngx_http_request_t* r, void* data, ngx_int_t rc) noexcept {
    auto& ctx = *static_cast<RequestContext*>(data);
    if (!is_logout_hook(ctx, r)) {
        return NGX_OK;
    }
    RequestTask& task = *ctx.task;
    task.hook = nullptr;
    try {
        const Provider& provider = *task.provider;
        const auto sent = static_cast<ngx_int_t>(r->headers_out.status);
        const ngx_int_t status = rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : sent;
        if (rc < 0 || status == 0 || status >= NGX_HTTP_BAD_REQUEST) {
            log_failure(r, provider, rc < 0 ? 0 : status);
        }
        take_cookies(r, ctx);
        if (r->connection->error || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
            end_without_it(r, ctx);
        }
        task.waiting = false;
        return NGX_OK;
    } catch (...) {
        return NGX_ERROR;
    }
}

// The hook has no body: what the logout request says of its own would make the application wait for
// one.
void forget_body(ngx_http_request_t* r) noexcept {
    r->headers_in.content_length = nullptr;
    r->headers_in.content_type = nullptr;
    r->headers_in.content_length_n = -1;
    r->headers_in.chunked = 0;
}

}  // namespace

bool is_logout_hook(const RequestContext& ctx, const ngx_http_request_t* r) noexcept {
    return ctx.task != nullptr && ctx.task->hook == r;
}

ngx_int_t with_logout_hook(ngx_http_request_t* r, RequestContext& ctx,
                           std::function<ngx_int_t()> next) {
    RequestTask& task = *ctx.task;
    const std::string& path = task.provider->logout_hook;
    if (path.empty() || !ctx.authenticated()) {
        return next();
    }
    ngx_str_t uri = copy_to_pool(r->pool, path);
    auto* after = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t)));
    auto* no_body = static_cast<ngx_http_request_body_t*>(
        ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t)));
    if (uri.data == nullptr || after == nullptr || no_body == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    after->handler = on_answer;
    after->data = &ctx;
    ngx_http_request_t* subrequest = nullptr;
    if (ngx_http_subrequest(r, &uri, nullptr, &subrequest, after, NGX_HTTP_SUBREQUEST_WAITED) !=
        NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    subrequest->header_only = 1;
    // Or the body of the logout request would be read, or closed by the upstream.
    subrequest->request_body = no_body;
    forget_body(subrequest);
    task.hook = subrequest;
    task.hook_identity_part = nullptr;
    return wait_for_task(r, ctx, std::move(next));
}

ngx_int_t give_hook_identity(ngx_http_request_t* r, RequestContext& ctx, bool forward) noexcept
    try {
    // The subrequest has a header list of its own, which begins as a copy of the main request's.
    RequestTask& task = *ctx.task;
    ngx_list_part_t* mine = std::exchange(ctx.identity_part, task.hook_identity_part);
    const Status given = set_identity(r, ctx, loc_conf(r), forward);
    task.hook_identity_part = std::exchange(ctx.identity_part, mine);
    if (!given) {
        NgxLog(r->connection->log)
            .write(LogLevel::error,
                   "the request to logout_hook gets no identity: " + given.error().detail);
        return NGX_ERROR;
    }
    return NGX_OK;
} catch (...) {
    return NGX_ERROR;
}

}  // namespace oidc::ngx
