// SPDX-License-Identifier: Apache-2.0
#include "signin/backchannel_logout.hpp"

#include <string>
#include <utility>

#include "base/ports_ngx.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/page.hpp"
#include "request/request_body.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/posted_token.hpp"
#include "signin/session_end.hpp"
#include "signin/upgraded.hpp"

namespace oidc::ngx {
namespace {

constexpr Posted kLogout{"logout",
                         "a back-channel logout must come with POST",
                         kMaxLogoutForm,
                         Reason::logout_too_large,
                         backchannel_refusal,
                         nullptr};

ngx_int_t accept_token(ngx_http_request_t* r, const RequestContext& ctx) {
    log_ended(*ctx.task, "back channel");
    if (ended_any(*ctx.task)) {
        look_at_upgraded();
    }
    counters(r).count_logout(LogoutKind::backchannel);
    const std::string count = ctx.task->ended.counted
                                  ? std::to_string(ctx.task->ended.sessions) + " sessions"
                                  : "the sessions";
    NgxLog(r->connection->log)
        .write(LogLevel::info, "back-channel logout at provider \"" +
                                   ctx.task->provider->config.name + "\" ended " + count);
    return send_respond(r, backchannel_page());
}

// The token holds.
ngx_int_t end_named(ngx_http_request_t* r, RequestContext& ctx, const EndSessions& end) {
    return use_posted(r, ctx, kLogout, end, [r, &ctx, owner = SessionOwner(end)](bool first) {
        if (!first) {
            return refuse_posted(r, ctx, kLogout,
                                 fail(Reason::logout_token_replayed, "the token was used before"));
        }
        return end_posted(r, ctx, kLogout, owner, [r, &ctx] { return accept_token(r, ctx); });
    });
}

}  // namespace

ngx_int_t handle_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    return take_posted(r, ctx, provider, kLogout, [r, &ctx](std::string_view body) {
        Result<std::string> token = parse_logout_form(request_content_type(r), body);
        if (!token) {
            return refuse_posted(r, ctx, kLogout, token.error());
        }
        return judge_posted<BackchannelFlow>(
            r, ctx, kLogout, *std::move(token), [r, &ctx](const TokenHolds& holds) {
                return end_named(r, ctx, std::get<EndSessions>(holds));
            });
    });
}

}  // namespace oidc::ngx
