// What a request waits for: the provider, an HTTP answer, the session store. One thing at a time;
// its outcome is an Event in the context.
#pragma once

#include <functional>

#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Each of these asks for something and is true when the outcome is there already.
bool ask_provider(ngx_http_request_t* r, RequestContext& ctx, std::uint64_t newer_than);
bool start_fetch(ngx_http_request_t* r, RequestContext& ctx, HttpRequest request);

// The same of the store of ctx.provider: `call(done)` makes the call with its `done`, which takes
// Result<T>. What it answers is written to `out`, a member of `ctx`; the outcome is StoreDone or an
// Error.
template <class T, class Call>
bool ask_store(ngx_http_request_t* r, RequestContext& ctx, T& out, Call call);

// The outcome that is there.
Event take_outcome(RequestContext& ctx);

// Ends the phase until the outcome is there. The return value of the handler.
ngx_int_t wait_for_outcome(ngx_http_request_t* r, RequestContext& ctx);

// Calls `next` with the outcome, now when it is `ready`, else in the access phase that runs when it
// is there.
ngx_int_t when_ready(ngx_http_request_t* r, RequestContext& ctx, bool ready,
                     RequestContext::Next next);

// Runs the request's phases from the event loop, because an answer is there that decide() waits
// for.
void resume_request(ngx_http_request_t* r, RequestContext& ctx) noexcept;

// Cancels whatever the request waits for. Nothing is called back afterwards.
void abandon(RequestContext& ctx) noexcept;

// ---- details ---------------------------------------------------------------------------------

// Puts the outcome of what was asked for into the context and has the phases run again.
void deliver(ngx_http_request_t* r, RequestContext& ctx, Event event) noexcept;

template <class T, class Call>
bool ask_store(ngx_http_request_t* r, RequestContext& ctx, T& out, Call call) {
    ctx.asking = true;
    ctx.store = &ctx.provider->store->sessions();
    const SessionStore::Ticket ticket = call([r, &ctx, &out](Result<T> result) {
        if (result) {
            out = *std::move(result);
            deliver(r, ctx, StoreDone{});
        } else {
            deliver(r, ctx, std::move(result).error());
        }
    });
    ctx.asking = false;
    if (!ctx.outcome) {
        ctx.store_ticket = ticket;
    }
    return ctx.outcome != nullptr;
}

}  // namespace oidc::ngx
