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
#include "request/trace.hpp"
#include "signin/admission.hpp"
#include "signin/backchannel_logout.hpp"
#include "signin/bearer.hpp"
#include "signin/callback.hpp"
#include "signin/choice_page.hpp"
#include "signin/decide.hpp"
#include "signin/frontchannel_logout.hpp"
#include "signin/initiation.hpp"
#include "signin/logout.hpp"
#include "signin/refresher.hpp"
#include "signin/renewal.hpp"
#include "signin/shared_signals.hpp"
#include "signin/unauthenticated.hpp"

namespace oidc::ngx {
namespace {

ngx_int_t refuse_unavailable(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    return refuse(r, ctx, &provider,
                  fail(Reason::store_unavailable,
                       "the session store \"" + provider.store->name + "\" does not answer",
                       "oidc_session_store"),
                  {});
}

// Under `satisfy all` the other access modules come first: whom they do not let in gets neither a
// login nor anything of our endpoints. Under `satisfy any` nobody can take back what we grant. The
// return value of the first handler.
ngx_int_t answer_in_turn(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                         Answer answer) {
    clear_identity(r, ctx);
    if (satisfy_any(r)) {
        return answer(r, ctx, provider);
    }
    ctx.postponed = {answer, &provider};
    return NGX_DECLINED;
}

// By the cookies. The decision about who is asked for is the request's. NGX_OK: it is taken, else
// the return value of the handler.
ngx_int_t decide_for(ngx_http_request_t* r, RequestContext& ctx, const Asked& asked) {
    Decision* decision = nullptr;
    ctx.decision = nullptr;
    switch (decide(r, ctx, asked, decision)) {
        case NGX_OK:
            ctx.decision = decision;
            return NGX_OK;
        case NGX_AGAIN:
            return wait_for_decision(r, ctx);
        case NGX_HTTP_SERVICE_UNAVAILABLE:
            return answer_in_turn(r, ctx, asked.first(), refuse_unavailable);
        default:
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}

// At an endpoint: whose session counts there. `provider` is whose endpoint it is; of a logout that
// providers of a group share it becomes the one that the browser has its session of.
ngx_int_t decide_at(ngx_http_request_t* r, RequestContext& ctx, const Endpoint& endpoint,
                    Provider*& provider) {
    using Kind = Endpoint::Kind;
    if (endpoint.kind == Kind::backchannel || endpoint.kind == Kind::signals ||
        endpoint.kind == Kind::choice) {
        return NGX_OK;
    }
    if (endpoint.kind == Kind::callback && is_for_backend(ctx, *provider)) {
        Asked asked;
        if (select_provider(r, loc_conf(r), asked) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        ctx.group = asked.group;
        return decide_for(r, ctx, asked);
    }
    if (endpoint.kind == Kind::logout) {
        for (const Endpoint& other : srv_conf(r).endpoints) {
            if (other.kind != Kind::logout || other.path != endpoint.path) {
                continue;
            }
            const ngx_int_t rc = decide_for(r, ctx, {other.provider, nullptr});
            if (rc != NGX_OK) {
                return rc;
            }
            if (ctx.authenticated()) {
                provider = other.provider;
                return NGX_OK;
            }
        }
    }
    return decide_for(r, ctx, {provider, nullptr});
}

// What answers at the endpoint; null: the request is one like any other. NGX_ERROR: the caller
// denies.
ngx_int_t find_answer(ngx_http_request_t* r, RequestContext& ctx, const Endpoint& endpoint,
                      Answer& answer) {
    bool found = true;
    switch (endpoint.kind) {
        case Endpoint::Kind::backchannel:
            answer = handle_backchannel;
            break;
        case Endpoint::Kind::signals:
            answer = handle_signal;
            break;
        case Endpoint::Kind::initiation:
            answer = handle_initiation;
            break;
        case Endpoint::Kind::choice:
            answer = handle_choice;
            break;
        case Endpoint::Kind::logout:
            answer = handle_logout;
            break;
        case Endpoint::Kind::frontchannel:
            answer = handle_frontchannel;
            break;
        case Endpoint::Kind::callback:
            answer = handle_callback;
            if (find_callback(r, ctx, *endpoint.provider, found) != NGX_OK) {
                return NGX_ERROR;
            }
    }
    answer = found ? answer : nullptr;
    return NGX_OK;
}

void refresh_when_due(ngx_http_request_t* r, const Decision& decision) noexcept {
    Provider& provider = *decision.provider;
    if (provider.config.session_refresh &&
        refresh_due(decision.session, ngx_time(), provider.config) && is_use(r, provider)) {
        if (Refresher* refresher = Refresher::worker()) {
            refresher->begin(provider, decision.ref, decision.session, trace_of(r, provider),
                             r->connection->log);
        }
    }
}

ngx_int_t judge(ngx_http_request_t* r, RequestContext& ctx) {
    ctx.postponed = {};
    ctx.group = nullptr;
    if (const Endpoint* endpoint = find_endpoint(r)) {
        Provider* provider = endpoint->provider;
        Answer answer = nullptr;
        if (find_answer(r, ctx, *endpoint, answer) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        if (answer != nullptr) {
            if (const ngx_int_t rc = decide_at(r, ctx, *endpoint, provider); rc != NGX_OK) {
                return rc;
            }
            return answer_in_turn(r, ctx, *provider, answer);
        }
    }
    const LocConf& location = loc_conf(r);
    Asked asked;
    if (select_provider(r, location, asked) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (asked.nobody() || location.resource_metadata) {
        // What another location has withheld from this request stays so, wherever it goes on.
        debug_log(r->connection->log, "oidc decision: auth_oidc is off here");
        return set_identity(r, ctx, location, false) ? NGX_DECLINED
                                                     : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx.group = asked.group;
    // A session in the same request does not count beside a token.
    ngx_int_t who = NGX_DECLINED;
    if (location.takes_tokens() && asked.provider != nullptr) {
        who = take_token(r, ctx, *asked.provider, [r, &ctx] { return judge(r, ctx); });
    }
    if (who == NGX_DECLINED) {
        who = decide_for(r, ctx, asked);
    }
    if (who != NGX_OK) {
        return who;
    }
    if (location.session_info) {
        ctx.insufficient = false;
        ctx.cross_origin = false;
        clear_identity(r, ctx);
        return NGX_DECLINED;
    }
    const Decision& decision = *ctx.decision;
    Provider& provider = *decision.provider;
    const bool of_token = ctx.bearer != nullptr && is_of_token(ctx, decision);
    ctx.insufficient = decision.authenticated && !is_sufficient(decision, location);
    const bool verify = location.effective_mode() == Mode::verify;
    // A page cannot have a browser add a token, as it adds cookies.
    ctx.cross_origin = decision.authenticated && !of_token && is_cross_origin(r, provider);
    if (ctx.cross_origin) {
        debug_log(r->connection->log, "oidc decision: a page of another site has sent the request");
        if (!verify) {
            return answer_in_turn(r, ctx, provider, refuse_cross_origin);
        }
    }
    if (decision.authenticated && !ctx.insufficient && !ctx.cross_origin) {
        if (location.tokens.any() && !of_token) {
            const ngx_int_t rc = renew_tokens(r, ctx, [r, &ctx] { return judge(r, ctx); });
            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
        if (!of_token) {
            refresh_when_due(r, decision);
        }
        return admit(r, ctx);
    }
    if (verify) {
        if (!set_identity(r, ctx, location, false)) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        const ngx_int_t rc = enforce_requirements(r, ctx, location, nullptr);
        // Not NGX_OK: under `satisfy any` that would let everyone in.
        return rc == NGX_OK ? NGX_DECLINED : rc;
    }
    return answer_in_turn(r, ctx, provider, of_token ? refuse_insufficient_token : challenge);
}

// What was waited for goes on, else `next`.
ngx_int_t go_on(ngx_http_request_t* r, RequestContext& ctx,
                ngx_int_t (*next)(ngx_http_request_t*, RequestContext&)) {
    if (ctx.task != nullptr && ctx.task->waiting) {
        return NGX_AGAIN;
    }
    return is_task_due(ctx) ? resume_task(r, ctx) : next(r, ctx);
}

ngx_int_t answer_postponed(ngx_http_request_t* r, RequestContext& ctx) {
    return ctx.postponed.answer(r, ctx, *ctx.postponed.provider);
}

// In a handler's catch (...).
ngx_int_t deny_after_exception(ngx_http_request_t* r, RequestContext* ctx) noexcept {
    try {
        throw;
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
        return go_on(r, *ctx, judge);
    } catch (...) {
        return deny_after_exception(r, ctx);
    }
}

ngx_int_t late_access_handler(ngx_http_request_t* r) noexcept {
    if (!srv_conf(r).uses_oidc) {
        return NGX_DECLINED;
    }
    RequestContext* ctx = find_context(r);
    if (ctx == nullptr || ctx->postponed.answer == nullptr) {
        return NGX_DECLINED;
    }
    try {
        return go_on(r, *ctx, answer_postponed);
    } catch (...) {
        return deny_after_exception(r, ctx);
    }
}

}  // namespace oidc::ngx
