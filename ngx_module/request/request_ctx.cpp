// SPDX-License-Identifier: Apache-2.0
#include "request/request_ctx.hpp"

#include <new>

#include "request/bearer_state.hpp"
#include "request/request_task.hpp"

namespace oidc::ngx {
namespace {

void destroy_context(void* data) noexcept {
    static_cast<RequestContext*>(data)->~RequestContext();
}

}  // namespace

RequestContext::RequestContext() = default;
RequestContext::~RequestContext() = default;

RequestContext* find_context(ngx_http_request_t* r) noexcept {
    r = r->main;
    auto* ctx = static_cast<RequestContext*>(ngx_http_get_module_ctx(r, ngx_http_auth_oidc_module));
    if (ctx != nullptr || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }
    // An internal redirect has cleared r->ctx.
    for (ngx_pool_cleanup_t* cleanup = r->pool->cleanup; cleanup != nullptr;
         cleanup = cleanup->next) {
        if (cleanup->handler == destroy_context) {
            ctx = static_cast<RequestContext*>(cleanup->data);
            ngx_http_set_ctx(r, ctx, ngx_http_auth_oidc_module);
            return ctx;
        }
    }
    return nullptr;
}

RequestContext* get_context(ngx_http_request_t* r) noexcept {
    RequestContext* ctx = find_context(r);
    if (ctx != nullptr) {
        return ctx;
    }
    r = r->main;
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(r->pool, sizeof(RequestContext));
    if (cleanup == nullptr) {
        return nullptr;
    }
    ctx = new (cleanup->data) RequestContext;
    cleanup->handler = destroy_context;
    ngx_http_set_ctx(r, ctx, ngx_http_auth_oidc_module);
    return ctx;
}

Decision* decision_of(ngx_http_request_t* r) noexcept {
    const RequestContext* ctx = find_context(r);
    if (ctx == nullptr || r == r->main) {
        return ctx != nullptr ? ctx->decision : nullptr;
    }
    auto* own = static_cast<Decision*>(ngx_http_get_module_ctx(r, ngx_http_auth_oidc_module));
    return own != nullptr ? own : ctx->decision;
}

void set_own_decision(ngx_http_request_t* subrequest, Decision& decision) noexcept {
    ngx_http_set_ctx(subrequest, &decision, ngx_http_auth_oidc_module);
}

bool is_of_token(const RequestContext& ctx, const Decision& decision) noexcept {
    return ctx.bearer != nullptr && &ctx.bearer->decision == &decision;
}

Decision* identity_of(ngx_http_request_t* r) noexcept {
    const RequestContext* ctx = find_context(r);
    Decision* decision = decision_of(r);
    if (ctx == nullptr || decision == nullptr || !decision->authenticated) {
        return nullptr;
    }
    const bool withheld = ctx->insufficient || ctx->cross_origin || ctx->foreign_callback;
    return decision == ctx->decision && withheld ? nullptr : decision;
}

}  // namespace oidc::ngx
