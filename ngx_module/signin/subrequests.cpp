// SPDX-License-Identifier: Apache-2.0
#include "signin/subrequests.hpp"

#include "base/debug_log.hpp"
#include "base/ports_ngx.hpp"
#include "oidc/text.hpp"
#include "request/request_view.hpp"
#include "signin/admission.hpp"
#include "signin/bearer.hpp"
#include "signin/claim_check.hpp"
#include "signin/decide.hpp"
#include "signin/logout_hook.hpp"

namespace oidc::ngx {
namespace {

// A session of this provider that the main request has used, or, when it has asked for none, that
// its cookies name. NGX_DECLINED: `out` says which, null: none; else the return value of the
// handler.
ngx_int_t find_decision(ngx_http_request_t* r, RequestContext& ctx, const Asked& asked,
                        Decision*& out) {
    out = ctx.decision;
    if (ctx.decision != nullptr || !ctx.sanitized) {
        return NGX_DECLINED;
    }
    const ngx_int_t rc = decide(r, ctx, asked, out);
    if (rc == NGX_AGAIN) {
        return wait_for_decision(r, ctx);
    }
    if (rc != NGX_OK) {
        return rc == NGX_HTTP_SERVICE_UNAVAILABLE ? rc : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    set_own_decision(r, *out);
    return NGX_DECLINED;
}

// The requirements of the location hold as for any request. `session` is that of whom it lets in;
// null: nobody's.
ngx_int_t judge_requirements(ngx_http_request_t* r, const LocConf& location,
                             const SessionView* session) {
    const ngx_int_t rc = check_requirements(r, location);
    if (rc == NGX_OK) {
        const auto unmet = check_claims(location, session);
        if (!unmet) {
            return NGX_DECLINED;
        }
        NgxLog(r->connection->log)
            .write(LogLevel::error, "subrequest to " + in_quotes(view(r->uri)) +
                                        " is refused, auth_oidc_require_claim is not met there: " +
                                        describe(*unmet));
        return NGX_HTTP_FORBIDDEN;
    }
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "oidc: subrequest to \"%V\" is refused, auth_oidc_require is not met there",
                  &r->uri);
    return rc;
}

ngx_int_t judge_subrequest(ngx_http_request_t* r) {
    const LocConf& location = loc_conf(r);
    Asked asked;
    if (select_provider(r, location, asked) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    RequestContext* ctx = find_context(r);
    if (ctx != nullptr && is_logout_hook(*ctx, r)) {
        const bool forward = ctx->authenticated() && asked.accepts(*ctx->decision->provider) &&
                             is_sufficient(*ctx->decision, location);
        if (give_hook_identity(r, *ctx, forward) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    if (asked.nobody()) {
        return NGX_DECLINED;
    }
    // `verify` lets everyone in who meets them.
    const bool verify = location.effective_mode() == Mode::verify;
    if (verify && !location.requires_something()) {
        return NGX_DECLINED;
    }
    Decision* decision = nullptr;
    if (ctx != nullptr) {
        if (const ngx_int_t rc = find_decision(r, *ctx, asked, decision); rc != NGX_DECLINED) {
            return rc;
        }
    }
    const bool cross_origin = decision != nullptr && decision->authenticated &&
                              !is_of_token(*ctx, *decision) &&
                              is_cross_origin(r, *decision->provider);
    if (cross_origin) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "oidc: subrequest to the protected \"%V\" is refused, a page of another site "
                      "has sent its main request; check auth_oidc_csrf",
                      &r->uri);
        return NGX_HTTP_FORBIDDEN;
    }
    const bool somebody = decision != nullptr && decision->authenticated;
    const bool authenticated = somebody && asked.accepts(*decision->provider) &&
                               (!is_of_token(*ctx, *decision) || is_token_enough(*ctx, location));
    const bool passes = authenticated && is_sufficient(*decision, location);
    debug_log(r->connection->log, "oidc decision: a subrequest %s",
              passes ? "passes with its main request's session" : "is refused");
    // Whoever is somebody elsewhere must not meet them with that identity.
    if (passes || (verify && !somebody)) {
        return judge_requirements(r, location, passes ? &decision->session : nullptr);
    }
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "oidc: subrequest to the protected \"%V\" is refused, its main request has no "
                  "session there%s",
                  &r->uri, authenticated ? " that is sufficient" : "");
    return NGX_HTTP_FORBIDDEN;
}

}  // namespace

ngx_int_t subrequest_handler(ngx_http_request_t* r) noexcept try {
    if (r == r->main || !srv_conf(r).uses_oidc) {
        return NGX_DECLINED;
    }
    return judge_subrequest(r);
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

}  // namespace oidc::ngx
