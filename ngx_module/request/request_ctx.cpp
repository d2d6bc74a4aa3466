// Where a request's context lives: in a cleanup record of the main request's pool.
#include "request/request_ctx.hpp"

#include <new>

#include "request/request_task.hpp"

namespace oidc::ngx {
namespace {

void destroy_context(void* data) noexcept {
    auto* ctx = static_cast<RequestContext*>(data);
    abandon(*ctx);
    ctx->~RequestContext();
}

}  // namespace

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

}  // namespace oidc::ngx
