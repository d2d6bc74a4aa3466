// SPDX-License-Identifier: Apache-2.0
// RequestTask: a login, callback, logout or renewal of tokens that the request is busy with, and
// what it waits for: the provider, the session store, a flow. One thing at a time, of the main
// request only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/asking.hpp"
#include "base/ngx.hpp"
#include "provider/flow_runner.hpp"
#include "request/request_ctx.hpp"
#include "shm/login_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

struct RequestTask final : FlowRunner::Owner {
    enum class Kind : unsigned char {
        none,
        login,
        initiation,
        callback,
        logout,
        backchannel,
        renewal,
        bearer
    };
    using Next = std::function<ngx_int_t()>;
    // What lives as long as the task and gives back what it holds.
    struct Held {
        Held() = default;
        virtual ~Held() = default;
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
    };

    explicit RequestTask(ngx_http_request_t* r) noexcept : request(r) {}
    // Cancels what is waited for.
    ~RequestTask();
    RequestTask(const RequestTask&) = delete;
    RequestTask& operator=(const RequestTask&) = delete;
    void on_outcome() noexcept override;

    ngx_http_request_t* request;
    Kind kind = Kind::none;
    Provider* provider = nullptr;  // that it is about

    // ---- what is waited for
    bool waiting = false;
    bool asking = false;  // inside a call that may answer at once
    Next next;            // what goes on when it is there
    std::unique_ptr<FlowRunner> flow;
    std::optional<Event> outcome;  // of all that is no flow
    MetadataCache::Ticket provider_ticket = 0;
    SessionStore* store = nullptr;  // that gave the ticket
    SessionStore::Ticket store_ticket = 0;

    // ---- the body (request_body.hpp)
    bool reading_body = false;
    bool body_read = false;

    // ---- what the store has answered
    SessionStore::Inserted inserted;
    SessionStore::Ended ended;
    std::vector<RecordTable::Listed> listed;
    Unit erased;
    bool store_says = false;

    // ---- of a login
    std::string start_again;  // where the login began
    std::string begun_at;     // the host of that page, if it is another one (login_hosts)
    std::string fragment;     // "#..." of the deep link, from its cookie
    UsedState used_state;     // kept when somebody has been signed in
    bool overtaken = false;   // the browser has a session by now that is enough for that page

    // ---- of a renewal
    std::unique_ptr<Held> renewal;

    // ---- of a question about an access token
    std::unique_ptr<Held> question;

    // ---- of a logout
    Secret logout_hint;
    SessionView ended_session;  // what has just ended; borrows the request's pool
    // The subrequest of logout_hook, and, as identity_part, the headers of ours in it.
    ngx_http_request_t* hook = nullptr;
    ngx_list_part_t* hook_identity_part = nullptr;
};

// The origin of the page that a login began at when it is not that of the request; else empty.
std::string begun_origin(const RequestContext& ctx);

// The request's task, made when there is none.
RequestTask& begin_task(ngx_http_request_t* r, RequestContext& ctx, RequestTask::Kind kind,
                        Provider& provider);
// none: nothing was begun.
RequestTask::Kind task_kind(const RequestContext& ctx) noexcept;

// ---- waiting -----------------------------------------------------------------------------------

// Asks for the provider's documents: true when the outcome, ProviderReady or an Error, is there.
bool ask_provider(RequestTask& task, const NeedProvider& need);

// Asks the store of `provider`: `call(done)` makes the call with its `done`, which takes Result<T>.
// What it answers is written to `out`, a member of the task; the outcome is StoreDone or an Error.
// True when it is there.
template <class T, class Call>
bool ask_store(RequestTask& task, const Provider& provider, T& out, Call call);

// Calls `next` with the outcome, now when it is `ready`, else in the access phase that runs when it
// is there. The return value of the handler.
ngx_int_t when_ready(ngx_http_request_t* r, RequestContext& ctx, bool ready,
                     std::function<ngx_int_t(Event)> next);

// Follows a flow: gives every step that is not the runner's to `on_step`, now or in the access
// phase that runs when it is there. `step` is what the runner has said.
using OnStep = std::function<ngx_int_t(Step)>;
ngx_int_t follow_flow(ngx_http_request_t* r, RequestContext& ctx, std::optional<Step> step,
                      OnStep on_step);

// Ends the phase until `next` is called by resume_task(). The return value of the handler.
ngx_int_t wait_for_task(ngx_http_request_t* r, RequestContext& ctx, RequestTask::Next next);

// In the phase that runs again: what was waited for is there.
[[nodiscard]] bool is_task_due(const RequestContext& ctx) noexcept;
ngx_int_t resume_task(ngx_http_request_t* r, RequestContext& ctx);

// Cancels whatever the request and its subrequests wait for. Nothing is called back afterwards.
void abandon(RequestContext& ctx) noexcept;
// Has the context abandon everything when nginx ends the request, before its pool goes. False: no
// memory.
bool abandon_at_end(ngx_http_request_t* r, RequestContext& ctx) noexcept;

// ---- details ---------------------------------------------------------------------------------

// What a store has done, in words for the debug log.
inline const char* store_answer(const SessionStore::Inserted& /*done*/) noexcept {
    return "session inserted";
}
inline const char* store_answer(const Unit& /*done*/) noexcept {
    return "sessions erased";
}
inline const char* store_answer(const SessionStore::Ended& /*done*/) noexcept {
    return "sessions of an owner ended";
}
inline const char* store_answer(const std::vector<RecordTable::Listed>& /*done*/) noexcept {
    return "sessions of an owner listed";
}
inline const char* store_answer(const bool& says) noexcept {
    return says ? "yes" : "no";
}
void log_store_answer(const RequestTask& task, const Provider& provider,
                      const char* answer) noexcept;

// What was asked for, but a flow, is there.
void deliver(RequestTask& task, Event event) noexcept;

template <class T, class Call>
bool ask_store(RequestTask& task, const Provider& provider, T& out, Call call) {
    task.outcome.reset();
    const Asking asking(task.asking);
    task.store = &provider.store->sessions();
    const SessionStore::Ticket ticket = call([&task, &provider, &out](Result<T> result) {
        log_store_answer(
            task, provider,
            result ? store_answer(*result) : reason_info(result.error().reason).code.data());
        if (result) {
            out = *std::move(result);
            deliver(task, StoreDone{});
        } else {
            deliver(task, std::move(result).error());
        }
    });
    if (!task.outcome) {
        task.store_ticket = ticket;
    }
    return task.outcome.has_value();
}

}  // namespace oidc::ngx
