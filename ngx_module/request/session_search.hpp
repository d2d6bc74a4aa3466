// SPDX-License-Identifier: Apache-2.0
// SessionSearch: look-ups of sessions that their store could not answer at once, of a request and
// of its subrequests. Each has a ticket and an answer of its own, so none gets into another's way,
// whatever stores they go to; an answer stays until the decision that it is for is taken.
#pragma once

#include <list>
#include <string_view>
#include <vector>

#include "base/ngx.hpp"
#include "base/worker_event.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class SessionSearch {
  public:
    SessionSearch() noexcept;
    // Cancels what is under way; nobody is woken afterwards.
    ~SessionSearch();
    SessionSearch(const SessionSearch&) = delete;
    SessionSearch& operator=(const SessionSearch&) = delete;

    // After `waiting` of the store: its answer if that is there, else the question is asked, or has
    // been. Answers that waited too long are no sessions any more.
    SessionStore::Find look(SessionStore& store, const SessionStore::Query& query,
                            SessionStore::Found& out);
    // `r`, which the caller has parked (park_request), is woken when its look-ups are answered: its
    // write_event_handler is called, once, from nginx's event loop.
    void park(ngx_http_request_t* r);
    // It runs, whoever called it: it is not woken any more.
    void unpark(ngx_http_request_t* r) noexcept;
    // The decision is taken.
    void forget(const SessionStore& store, const Digest& binding) noexcept;

  private:
    struct Look {
        SessionStore* store = nullptr;
        ngx_log_t* log = nullptr;
        Digest binding{};
        std::string_view cookie;  // borrows the request
        SessionStore::Ticket ticket = 0;
        bool answered = false;
        SessionStore::Find find = SessionStore::Find::missing;
        SessionStore::Found found;
    };
    void answered(Look& look, Result<std::optional<SessionStore::Found>> answer) noexcept;
    void wake() noexcept;
    static void on_event(ngx_event_t* event) noexcept;

    std::list<Look> looks_;
    struct Parked {
        ngx_http_request_t* request;
        bool woken;
    };
    std::vector<Parked> parked_;
    WorkerEvent event_;
    bool asking_ = false;  // inside a call that may answer at once
};

}  // namespace oidc::ngx
