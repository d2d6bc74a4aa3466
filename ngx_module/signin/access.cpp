// SPDX-License-Identifier: Apache-2.0
// The authenticated path is decide() and admit(): cookie, hash, look-up, headers.
#include "signin/access.hpp"

#include <exception>

#include "base/debug_log.hpp"
#include "oidc/refresh_flow.hpp"
#include "request/identity_headers.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "request/sanitize.hpp"
#include "signin/admission.hpp"
#include "signin/backchannel_logout.hpp"
#include "signin/callback.hpp"
#include "signin/decide.hpp"
#include "signin/frontchannel_logout.hpp"
#include "signin/logout.hpp"
#include "signin/refresher.hpp"
#include "signin/unauthenticated.hpp"

namespace oidc::ngx {
namespace {

// What the handler returns when decide() said something else than NGX_OK.
ngx_int_t undecided(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                    ngx_int_t rc) {
    if (rc == NGX_AGAIN) {
        return wait_for_decision(r, ctx);
    }
    if (rc == NGX_HTTP_SERVICE_UNAVAILABLE) {
        clear_identity(r, ctx);
        return refuse(r, ctx, &provider,
                      fail(Reason::store_unavailable,
                           "the session store \"" + provider.store->name + "\" does not answer",
                           "oidc_session_store"),
                      {});
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

// The decision about this provider is the request's. NGX_DECLINED: it is taken, else the return
// value of the handler.
ngx_int_t decide_for(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    Decision* decision = nullptr;
    ctx.decision = nullptr;
    if (const ngx_int_t rc = decide(r, ctx, provider, decision); rc != NGX_OK) {
        return undecided(r, ctx, provider, rc);
    }
    ctx.decision = decision;
    return NGX_DECLINED;
}

// NGX_DECLINED: an ordinary request, judged as any other.
ngx_int_t serve_endpoint(ngx_http_request_t* r, RequestContext& ctx, const Endpoint& endpoint) {
    Provider& provider = *endpoint.provider;
    if (endpoint.kind == Endpoint::Kind::backchannel) {
        return handle_backchannel(r, ctx, provider);
    }
    if (const ngx_int_t rc = decide_for(r, ctx, provider); rc != NGX_DECLINED) {
        return rc;
    }
    switch (endpoint.kind) {
        case Endpoint::Kind::logout:
            return handle_logout(r, ctx, provider);
        case Endpoint::Kind::frontchannel:
            return handle_frontchannel(r, ctx, provider);
        default:
            break;
    }
    bool callback = false;
    if (find_callback(r, ctx, provider, callback) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return callback ? handle_callback(r, ctx, provider) : NGX_DECLINED;
}

void refresh_when_due(ngx_http_request_t* r, const Decision& decision) noexcept {
    Provider& provider = *decision.provider;
    if (provider.config.session_refresh &&
        refresh_due(decision.session, ngx_time(), provider.config) && is_use(r, provider)) {
        if (Refresher* refresher = Refresher::worker()) {
            refresher->begin(provider, decision.ref, decision.session, r->connection->log);
        }
    }
}

ngx_int_t judge(ngx_http_request_t* r, RequestContext& ctx) {
    ctx.insufficient = false;
    if (const Endpoint* endpoint = find_endpoint(r)) {
        const ngx_int_t rc = serve_endpoint(r, ctx, *endpoint);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }
    const LocConf& location = loc_conf(r);
    Provider* provider = nullptr;
    if (select_provider(r, location, provider) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (provider == nullptr) {
        debug_log(r->connection->log, "oidc decision: auth_oidc is off here");
        clear_identity(r, ctx);
        return NGX_DECLINED;
    }
    if (const ngx_int_t rc = decide_for(r, ctx, *provider); rc != NGX_DECLINED) {
        return rc;
    }
    if (location.session_info) {
        clear_identity(r, ctx);
        return NGX_DECLINED;
    }
    const Decision& decision = *ctx.decision;
    ctx.insufficient = decision.authenticated && !is_sufficient(decision, location);
    if (decision.authenticated && !ctx.insufficient) {
        refresh_when_due(r, decision);
        return admit(r, ctx);
    }
    clear_identity(r, ctx);
    if (location.effective_mode() == Mode::verify) {
        const ngx_int_t rc = enforce_requirements(r, ctx, location);
        // Not NGX_OK: under `satisfy any` that would let everyone in.
        return rc == NGX_OK ? NGX_DECLINED : rc;
    }
    return challenge(r, ctx, *provider);
}

}  // namespace

ngx_int_t access_handler(ngx_http_request_t* r) noexcept {
    RequestContext* ctx = nullptr;
    try {
        if (!srv_conf(r).uses_oidc) {
            return NGX_DECLINED;
        }
        ctx = find_context(r);
        if (ctx == nullptr || !ctx->sanitized) {
            // A request that nginx refused early is answered by an error_page and comes here
            // without the first phase.
            const ngx_int_t rc = sanitize_handler(r);
            ctx = find_context(r);
            if (rc != NGX_DECLINED || ctx == nullptr) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
        if (ctx->task != nullptr) {
            if (ctx->task->waiting) {
                return NGX_AGAIN;
            }
            if (is_task_due(*ctx)) {
                return resume_task(r, *ctx);
            }
        }
        return judge(r, *ctx);
    } catch (const std::exception& e) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0, "oidc: access denied after \"%s\"",
                      e.what());
    } catch (...) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "oidc: access denied after an exception");
    }
    if (ctx != nullptr) {
        abandon(*ctx);
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
