// SPDX-License-Identifier: Apache-2.0
#include "signin/posted_token.hpp"

#include <utility>

#include "request/request_body.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/session_end.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {

ngx_int_t refuse_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                        const Error& error) {
    return refuse_provider(r, ctx, posted.what, error, posted.refusal(error));
}

ngx_int_t take_posted(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      const Posted& posted,
                      const std::function<ngx_int_t(std::string_view)>& next) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::backchannel, provider);
    if (task.reading_body) {
        return NGX_DONE;
    }
    if (r->method != NGX_HTTP_POST) {
        const Error error = fail(Reason::callback_method, posted.method);
        Respond respond = posted.refusal(error);
        respond.headers.push_back({"Allow", "POST"});
        return refuse_provider(r, ctx, posted.what, error, respond);
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (posted.admit != nullptr) {
        if (const Status admitted = posted.admit(r, provider); !admitted) {
            return refuse_posted(r, ctx, posted, admitted.error());
        }
    }
    if (r->headers_in.content_length_n > static_cast<off_t>(posted.max)) {
        return refuse_posted(r, ctx, posted, fail(posted.too_large, "the request is too large"));
    }
    if (!task.body_read) {
        return read_body(r, task);
    }
    const Result<Secret> body = body_of(r, posted.max, posted.too_large);
    return body ? next(body->view()) : refuse_posted(r, ctx, posted, body.error());
}

ngx_int_t follow_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                        std::unique_ptr<Flow> flow,
                        std::function<ngx_int_t(const TokenHolds&)> next) {
    return follow_flow(
        r, ctx, ctx.task->flow->start(std::move(flow)),
        [r, &ctx, &posted, next = std::move(next)](const Step& step) {
            ctx.task->flow.reset();
            if (const auto* holds = std::get_if<TokenHolds>(&step)) {
                return next(*holds);
            }
            const Error* error = step_error(step);
            return refuse_posted(
                r, ctx, posted,
                error != nullptr ? *error : fail(Reason::internal_error, "the flow ended nowhere"));
        });
}

namespace {

ngx_int_t when_answered(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                        bool asked, std::function<ngx_int_t(bool)> next) {
    return when_ready(r, ctx, asked,
                      [r, &ctx, &posted, next = std::move(next)](const Event& event) {
                          const auto* error = std::get_if<Error>(&event);
                          return error != nullptr ? refuse_posted(r, ctx, posted, *error)
                                                  : next(ctx.task->store_says);
                      });
}

}  // namespace

ngx_int_t look_for_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                          const UsedToken& token, std::function<ngx_int_t(bool)> next) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    const bool asked = ask_store(task, provider, task.store_says, [&](auto done) {
        return provider.store->sessions().is_used(token.jti_digest, std::move(done));
    });
    return when_answered(r, ctx, posted, asked, std::move(next));
}

ngx_int_t use_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                     const UsedToken& token, std::function<ngx_int_t(bool)> next) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    const bool asked = ask_store(task, provider, task.store_says, [&](auto done) {
        return provider.store->sessions().use_once(token.jti_digest, token.remember_until,
                                                   std::move(done));
    });
    return when_answered(r, ctx, posted, asked, std::move(next));
}

ngx_int_t end_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                     const SessionOwner& owner, std::function<ngx_int_t()> next) {
    RequestTask& task = *ctx.task;
    const Provider& provider = *task.provider;
    const auto which = owner.sid.empty() ? RecordTable::Tag::sub : RecordTable::Tag::sid;
    const std::uint64_t tag = owner.sid.empty() ? sub_tag(provider, owner.iss, owner.sub)
                                                : sid_tag(provider, owner.iss, owner.sid);
    return when_ready(r, ctx, end_owned(task, which, tag),
                      [r, &ctx, &posted, next = std::move(next)](const Event& event) {
                          const auto* error = std::get_if<Error>(&event);
                          return error != nullptr ? refuse_posted(r, ctx, posted, *error) : next();
                      });
}

}  // namespace oidc::ngx
