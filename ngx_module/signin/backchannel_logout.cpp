// SPDX-License-Identifier: Apache-2.0
#include "signin/backchannel_logout.hpp"

#include <memory>
#include <utility>

#include "base/ports_ngx.hpp"
#include "base/refusal_log.hpp"
#include "oidc/backchannel_flow.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/page.hpp"
#include "request/request_body.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/session_end.hpp"
#include "signin/upgraded.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

ngx_int_t refuse_token(ngx_http_request_t* r, RequestContext& ctx, const Error& error) {
    counters(r).count_refusal(error.reason);
    ctx.answer.error_code = reason_info(error.reason).code.data();
    log_refusal(r->connection->log, "logout", ctx.task->provider->config.name, error, "-", true);
    return send_respond(r, backchannel_refusal(error));
}

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
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    const auto which = end.sid.empty() ? RecordTable::Tag::sub : RecordTable::Tag::sid;
    const std::uint64_t tag =
        end.sid.empty() ? sub_tag(provider, end.iss, end.sub) : sid_tag(provider, end.iss, end.sid);
    const bool asked = ask_store(task, provider, task.first_use, [&](auto done) {
        return provider.store->sessions().use_once(end.jti_digest, end.remember_until,
                                                   std::move(done));
    });
    return when_ready(r, ctx, asked, [r, &ctx, which, tag](const Event& used) {
        if (const auto* error = std::get_if<Error>(&used)) {
            return refuse_token(r, ctx, *error);
        }
        if (!ctx.task->first_use) {
            return refuse_token(r, ctx,
                                fail(Reason::logout_token_replayed, "the token was used before"));
        }
        return when_ready(r, ctx, end_owned(*ctx.task, which, tag), [r, &ctx](const Event& event) {
            const auto* error = std::get_if<Error>(&event);
            return error != nullptr ? refuse_token(r, ctx, *error) : accept_token(r, ctx);
        });
    });
}

// The flow that judges the token is over.
ngx_int_t on_step(ngx_http_request_t* r, RequestContext& ctx, const Step& step) {
    ctx.task->flow.reset();
    if (const auto* end = token_holds<EndSessions>(step)) {
        return end_named(r, ctx, *end);
    }
    const auto* refused = std::get_if<Refuse>(&step);
    return refuse_token(r, ctx,
                        refused != nullptr
                            ? refused->error
                            : fail(Reason::internal_error, "the flow ended nowhere"));
}

ngx_int_t judge_token(ngx_http_request_t* r, RequestContext& ctx, std::string logout_token) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    task.flow = std::make_unique<FlowRunner>("logout", *task.provider, r->connection->log, task);
    auto flow = std::make_unique<BackchannelFlow>(provider.config, task.flow->ports(),
                                                  std::move(logout_token));
    return follow_flow(r, ctx, task.flow->start(std::move(flow)),
                       [r, &ctx](const Step& step) { return on_step(r, ctx, step); });
}

}  // namespace

ngx_int_t handle_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::backchannel, provider);
    if (task.reading_body) {
        return NGX_DONE;
    }
    if (r->method != NGX_HTTP_POST) {
        return logout_not_allowed(r, ctx, "a back-channel logout must come with POST", "POST");
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (r->headers_in.content_length_n > static_cast<off_t>(kMaxLogoutForm)) {
        return refuse_token(r, ctx, fail(Reason::logout_too_large, "the request is too large"));
    }
    if (!task.body_read) {
        return read_body(r, task);
    }
    const Result<Secret> body = body_of(r, kMaxLogoutForm, Reason::logout_too_large);
    if (!body) {
        return refuse_token(r, ctx, body.error());
    }
    Result<std::string> token = parse_logout_form(request_content_type(r), body->view());
    if (!token) {
        return refuse_token(r, ctx, token.error());
    }
    return judge_token(r, ctx, *std::move(token));
}

}  // namespace oidc::ngx
