// SPDX-License-Identifier: Apache-2.0
#include "request/session_search.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/asking.hpp"
#include "base/debug_log.hpp"

namespace oidc::ngx {

using Find = SessionStore::Find;

namespace {

const char* answer_name(Find find) noexcept {
    switch (find) {
        case Find::found:
            return "found";
        case Find::unavailable:
            return "unavailable";
        case Find::failed:
            return "failed";
        default:
            return "missing";
    }
}

}  // namespace

SessionSearch::SessionSearch() noexcept : event_(this, on_event, ngx_cycle->log) {}

SessionSearch::~SessionSearch() {
    for (const Look& look : looks_) {
        if (look.ticket != 0) {
            look.store->cancel(look.ticket);
        }
    }
}

Find SessionSearch::look(SessionStore& store, const SessionStore::Query& query,
                         SessionStore::Found& out) {
    auto known = std::find_if(looks_.begin(), looks_.end(), [&](const Look& look) {
        return look.store == &store && look.cookie == query.cookie &&
               look.binding == *query.binding;
    });
    if (known == looks_.end()) {
        Look& fresh = looks_.emplace_back();
        known = std::prev(looks_.end());
        fresh.store = &store;
        fresh.log = query.log;
        fresh.binding = *query.binding;
        fresh.cookie = query.cookie;
        try {
            const Asking asking(asking_);
            const SessionStore::Ticket ticket =
                store.ask(query, [this, &fresh](Result<std::optional<SessionStore::Found>> answer) {
                    answered(fresh, std::move(answer));
                });
            if (!fresh.answered) {
                fresh.ticket = ticket;
            }
        } catch (...) {
            looks_.pop_back();  // nothing was asked, and nobody waits for it
            throw;
        }
    }
    if (!known->answered) {
        return Find::waiting;
    }
    if (known->find == Find::found && known->found.expires <= ngx_time()) {
        return Find::missing;
    }
    out = known->found;
    return known->find;
}

void SessionSearch::park(ngx_http_request_t* r) {
    if (std::none_of(parked_.begin(), parked_.end(),
                     [r](const Parked& parked) { return parked.request == r; })) {
        parked_.push_back({r, false});
    }
}

void SessionSearch::unpark(ngx_http_request_t* r) noexcept {
    std::erase_if(parked_, [r](const Parked& parked) { return parked.request == r; });
}

void SessionSearch::forget(const SessionStore& store, const Digest& binding) noexcept {
    looks_.remove_if([&](const Look& look) {
        return look.answered && look.store == &store && look.binding == binding;
    });
}

void SessionSearch::answered(Look& look,
                             Result<std::optional<SessionStore::Found>> answer) noexcept {
    look.ticket = 0;
    look.answered = true;
    try {
        if (!answer) {
            look.find = answer.error().reason == Reason::store_unavailable ? Find::unavailable
                                                                           : Find::failed;
        } else if (*answer) {
            look.found = **std::move(answer);
            look.find = Find::found;
        }
    } catch (...) {
        look.find = Find::failed;
    }
    debug_log(look.log, "oidc store: look-up: %s", answer_name(look.find));
    // All cookies of a decision are asked for at once, and it is taken when all are answered.
    const bool more = std::any_of(looks_.begin(), looks_.end(), [&look](const Look& other) {
        return !other.answered && other.store == look.store && other.binding == look.binding;
    });
    if (!asking_ && !more) {
        wake();
    }
}

void SessionSearch::wake() noexcept {
    for (Parked& parked : parked_) {
        parked.woken = true;
    }
    if (!parked_.empty()) {
        event_.post();
    }
}

// Not by ngx_http_post_request(): the connection's write event, which is what has nginx look at the
// posted requests, runs the active one by itself, and a subrequest that has ended by that would be
// run once more.
void SessionSearch::on_event(ngx_event_t* event) noexcept {
    auto& search = WorkerEvent::of<SessionSearch>(event);
    const auto is_woken = [](const Parked& parked) { return parked.woken; };
    const auto next = std::find_if(search.parked_.begin(), search.parked_.end(), is_woken);
    if (next == search.parked_.end()) {
        return;
    }
    ngx_http_request_t* r = next->request;
    search.parked_.erase(next);
    if (std::any_of(search.parked_.begin(), search.parked_.end(), is_woken)) {
        search.event_.post();
    }
    ngx_connection_t* c = r->connection;
    ngx_http_set_log_request(c->log, r);
    r->write_event_handler(r);  // may end the request, and the search with it
    if (!c->destroyed) {
        ngx_http_run_posted_requests(c);
    }
}

}  // namespace oidc::ngx
