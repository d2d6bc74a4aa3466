// SPDX-License-Identifier: Apache-2.0
// What the adapter does with a token that a provider's servers post: takes the body, has a flow
// judge the token, asks whether it was used before, and ends sessions. Logout tokens and security
// events are two of them.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "oidc/http_message.hpp"
#include "oidc/posted_token.hpp"
#include "oidc/result.hpp"
#include "oidc/step.hpp"
#include "request/request_ctx.hpp"
#include "request/request_task.hpp"

namespace oidc::ngx {

struct Posted {
    const char* what;    // in lines of the log: "logout"
    const char* method;  // what is said of another one than POST
    std::size_t max;     // bytes of a body
    Reason too_large;
    Respond (*refusal)(const Error& error);
    // Whether who posts may, before the body is read; null: everybody.
    Status (*admit)(ngx_http_request_t* r, const Provider& provider);
};

ngx_int_t refuse_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                        const Error& error);

// POST, not in early data, admitted, not too large: gives the body to `next`, now or in the phase
// that runs when it is there.
ngx_int_t take_posted(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      const Posted& posted, const std::function<ngx_int_t(std::string_view)>& next);

// Runs the flow F (of PostedTokenFlow's) over the token. What holds is given to `next`; all else is
// a refusal.
template <class F>
ngx_int_t judge_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                       std::string token, std::function<ngx_int_t(const TokenHolds&)> next);
ngx_int_t follow_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                        std::unique_ptr<Flow> flow,
                        std::function<ngx_int_t(const TokenHolds&)> next);

// `next` is told whether the token was used before.
ngx_int_t look_for_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                          const UsedToken& token, std::function<ngx_int_t(bool)> next);

// Notes the token as used; `next` is told whether that is for the first time.
ngx_int_t use_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                     const UsedToken& token, std::function<ngx_int_t(bool)> next);

// Ends the sessions of the owner, `next` follows; task.ended says how many.
ngx_int_t end_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                     const SessionOwner& owner, std::function<ngx_int_t()> next);

// ---- details ---------------------------------------------------------------------------------

template <class F>
ngx_int_t judge_posted(ngx_http_request_t* r, RequestContext& ctx, const Posted& posted,
                       std::string token, std::function<ngx_int_t(const TokenHolds&)> next) {
    RequestTask& task = *ctx.task;
    task.flow = std::make_unique<FlowRunner>(posted.what, *task.provider, r->connection->log, task);
    return follow_posted(
        r, ctx, posted,
        std::make_unique<F>(task.provider->config, task.flow->ports(), std::move(token)),
        std::move(next));
}

}  // namespace oidc::ngx
