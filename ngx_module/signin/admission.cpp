// SPDX-License-Identifier: Apache-2.0
#include "signin/admission.hpp"

#include <string>
#include <utility>

#include "base/debug_log.hpp"
#include "request/identity_headers.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/claim_check.hpp"
#include "signin/decide.hpp"

namespace oidc::ngx {

ngx_int_t check_requirements(ngx_http_request_t* r, const LocConf& location) {
    for (const LocConf::Require& require : location.require) {
        for (ngx_http_complex_value_t* expression : require.values) {
            ngx_str_t value{};
            if (ngx_http_complex_value(r, expression, &value) != NGX_OK) {
                return NGX_ERROR;
            }
            if (!is_met(view(value))) {
                return static_cast<ngx_int_t>(require.status);
            }
        }
    }
    return NGX_OK;
}

namespace {

// What was demanded is nobody's business who is not signed in: names of groups say a lot.
ngx_int_t refuse_unmet(ngx_http_request_t* r, RequestContext& ctx, const char* directive,
                       int status, std::string_view told, bool tells_user) {
    const std::string_view user = ctx.authenticated() ? ctx.decision->session.username() : "nobody";
    std::string detail = std::string(directive) + " is not met for \"" + std::string(user) + "\"";
    detail.append(told.empty() ? "" : ": ").append(told);
    return refuse(r, ctx, ctx.decision != nullptr ? ctx.decision->provider : nullptr,
                  fail(Reason::not_permitted, std::move(detail), directive), {}, status,
                  tells_user ? told : std::string_view());
}

}  // namespace

ngx_int_t enforce_requirements(ngx_http_request_t* r, RequestContext& ctx, const LocConf& location,
                               const SessionView* session) {
    if (!location.require.empty()) {
        const ngx_int_t rc = check_requirements(r, location);
        debug_log(r->connection->log, "oidc decision: auth_oidc_require is %s",
                  rc == NGX_OK ? "met" : "not met");
        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        if (rc != NGX_OK) {
            return refuse_unmet(r, ctx, "auth_oidc_require", static_cast<int>(rc), {}, false);
        }
    }
    if (location.claim_rules != nullptr) {
        const auto unmet = check_claims(location, session);
        debug_log(r->connection->log, "oidc decision: auth_oidc_require_claim is %s",
                  unmet ? "not met" : "met");
        if (unmet) {
            return refuse_unmet(r, ctx, "auth_oidc_require_claim", NGX_HTTP_FORBIDDEN,
                                describe(*unmet), session != nullptr);
        }
    }
    return NGX_OK;
}

ngx_int_t refuse_cross_origin(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    constexpr std::size_t kMost = 100;  // of an origin, in a log line
    const std::string_view origin = request_header(r, "origin");
    const std::string_view site = request_header(r, "sec-fetch-site");
    std::string from = origin.empty() ? "Sec-Fetch-Site: " + std::string(site.substr(0, kMost))
                                      : "Origin: " + std::string(origin.substr(0, kMost));
    return refuse(r, ctx, &provider,
                  fail(Reason::cross_origin_request,
                       "a page of another site has sent it (" + from + ")", "auth_oidc_csrf"),
                  {});
}

ngx_int_t admit(ngx_http_request_t* r, RequestContext& ctx) {
    const LocConf& location = loc_conf(r);
    const bool off = is_off(location);  // a callback may stand there
    if (!off && location.requires_something()) {
        const SessionView* session = ctx.authenticated() ? &ctx.decision->session : nullptr;
        const ngx_int_t rc = enforce_requirements(r, ctx, location, session);
        if (rc != NGX_OK) {
            return rc;
        }
    }
    const Status given = set_identity(r, ctx, location, !ctx.foreign_callback && !off);
    if (!given) {
        return refuse(r, ctx, ctx.decision != nullptr ? ctx.decision->provider : nullptr,
                      given.error(), {});
    }
    return location.effective_mode() == Mode::verify ? NGX_DECLINED : NGX_OK;
}

}  // namespace oidc::ngx
