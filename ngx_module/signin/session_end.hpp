// SPDX-License-Identifier: Apache-2.0
// Ends sessions before their time; what all logouts have in common.
#pragma once

#include <functional>

#include "oidc/http_message.hpp"
#include "oidc/result.hpp"
#include "request/request_ctx.hpp"
#include "request/request_task.hpp"

namespace oidc::ngx {

// Ends every session of the task's provider whose cookie the browser presented; then `next`, or,
// when the store cannot do so, a refusal. The return value of the handler.
ngx_int_t end_sessions(ngx_http_request_t* r, RequestContext& ctx, std::function<ngx_int_t()> next);

// The answer deletes the session cookie and those of clear_cookies.
void expire_cookies(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);

// Ends all sessions of the tag. True when the outcome is there already; task.ended says how many.
bool end_owned(RequestTask& task, RecordTable::Tag which, std::uint64_t tag);
// Into the debug log, for `how` ("back channel").
void log_ended(const RequestTask& task, const char* how) noexcept;
bool ended_any(const RequestTask& task) noexcept;

// Counts and logs the refusal of what the provider has begun; `what` is "logout". The answer is
// `respond`.
ngx_int_t refuse_provider(ngx_http_request_t* r, RequestContext& ctx, const char* what,
                          const Error& error, const Respond& respond);

}  // namespace oidc::ngx
