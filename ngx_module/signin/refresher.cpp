// SPDX-License-Identifier: Apache-2.0
#include "signin/refresher.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "base/debug_log.hpp"
#include "base/ports_ngx.hpp"
#include "oidc/refresh_flow.hpp"
#include "provider/flow_runner.hpp"
#include "shm/counters_zone.hpp"

namespace oidc::ngx {
namespace {

// Added to what the requests of one refresh may take, for the waits between them.
constexpr Seconds kLeaseReserve = 30;
constexpr Seconds kAfterRefusal = 60;
// No request waits for a session so long after one has done so in vain.
constexpr Seconds kGivenUp = 30;
// Sessions that are known for that; the oldest makes room.
constexpr std::size_t kMaxGivenUp = 64;

class WorkerRefresher;

// One refresh under way. It lives until it ends, whatever becomes of the request that began it.
struct Refresh final : FlowRunner::Owner {
    Refresh(WorkerRefresher& the_worker, Provider& the_provider, const SessionRef& session)
        : worker(the_worker),
          provider(the_provider),
          ref(session),
          runner("refresh", the_provider, ngx_cycle->log, *this) {}
    ~Refresh();
    Refresh(const Refresh&) = delete;
    Refresh& operator=(const Refresh&) = delete;
    void on_outcome() noexcept override;

    WorkerRefresher& worker;
    Provider& provider;
    SessionRef ref;
    FlowRunner runner;
    std::unique_ptr<Flow> flow;  // that is to begin when the lease is confirmed
    SessionStore::Ticket store_ticket = 0;
    std::list<Refresh>::iterator self;
};

class WorkerRefresher final : public Refresher {
  public:
    WorkerRefresher() noexcept;
    ~WorkerRefresher() override;
    WorkerRefresher(const WorkerRefresher&) = delete;
    WorkerRefresher& operator=(const WorkerRefresher&) = delete;
    void begin(Provider& provider, const SessionRef& session, const SessionView& view,
               std::string trace, ngx_log_t* log) noexcept override;
    Ticket wait(Provider& provider, const SessionRef& session, const SessionView& view,
                std::string trace, ngx_log_t* log, std::function<void()> ended) override;
    void forget(Ticket ticket) noexcept override;
    void give_up(const SessionRef& session) noexcept override;
    [[nodiscard]] bool is_given_up(const SessionRef& session) const noexcept override;
    // Of these sessions a refresh has ended.
    void tell(const SessionRef& session) noexcept;
    // Begins, or goes on with, the flow of a refresh that has what it waited for; it ends when the
    // flow does.
    void run(Refresh& refresh) noexcept;
    void end(Refresh& refresh) noexcept { refreshes_.erase(refresh.self); }

  private:
    struct Waiter {
        Ticket ticket;
        Digest key;
        Digest binding;
        std::function<void()> ended;
    };
    struct GivenUp {
        Digest key{};
        Digest binding{};
        Seconds until = 0;  // 0: none
        [[nodiscard]] bool is(const SessionRef& session) const noexcept {
            return key == session.key && binding == session.binding;
        }
    };
    void try_begin(Provider& provider, const SessionRef& session, const SessionView& view,
                   std::string trace, ngx_log_t* log) noexcept;

    std::list<Refresh> refreshes_;
    std::list<Waiter> waiters_;
    std::array<GivenUp, kMaxGivenUp> given_up_;
    Ticket last_ticket_ = 0;
};

WorkerRefresher* g_worker = nullptr;

void count_refresh(RefreshResult result) noexcept {
    if (CountersZone* zone = CountersZone::running()) {
        zone->count_refresh(result);
    }
}

// The longest that the steps of a refresh can take together: keys, token and UserInfo.
Seconds lease_of(const Provider& provider) {
    return static_cast<Seconds>(4 * provider.transport.read_timeout / 1000) + kLeaseReserve;
}

std::string line_of(const Refresh& refresh, const char* what, const Error& error) {
    std::string line = "refresh of a session at provider \"" + refresh.provider.config.name + "\" ";
    line.append(what).append(": ").append(reason_info(error.reason).code);
    if (!error.detail.empty()) {
        line.append(": ").append(error.detail);
    }
    if (!error.fix.empty()) {
        line.append("; check ").append(error.fix);
    }
    return line;
}

const char* lease_name(SessionStore::Lease lease) noexcept {
    switch (lease) {
        case SessionStore::Lease::granted:
            return "granted";
        case SessionStore::Lease::asking:
            return "asked for at the store";
        default:
            return "refused, it is under way or not due again yet";
    }
}

const char* update_name(RecordTable::Update update) noexcept {
    switch (update) {
        case RecordTable::Update::ok:
            return "is replaced";
        case RecordTable::Update::missing:
            return "is not written, the session has ended or changed";
        case RecordTable::Update::full:
            return "is not written, the store is full";
        default:
            return "is not written, it is too large";
    }
}

// One line, in the log of whoever asks.
void log_refresh(ngx_log_t* log, const Provider& provider, const char* what,
                 const char* how) noexcept {
    debug_log(log, "oidc refresh: session at provider \"%s\": %s %s", provider.config.name.c_str(),
              what, how);
}

// Those who wait for the session look at it again.
void tell(const SessionRef& ref) noexcept;

// The record of a session takes the place of the old one, and the lease ends. What is captured
// lives as long as the worker: the refresh itself is over.
void replace(const Refresh& refresh, const Secret& record, Seconds not_before,
             RefreshResult result) {
    const auto written = [&provider = refresh.provider, ref = refresh.ref, not_before,
                          result](const Result<RecordTable::Update>& done) {
        log_refresh(ngx_cycle->log, provider, "its record",
                    done ? update_name(*done) : "is not written, the store does not answer");
        const bool kept =
            done && *done != RecordTable::Update::full && *done != RecordTable::Update::too_large;
        if (!kept) {
            NgxLog(ngx_cycle->log)
                .write(LogLevel::error,
                       "a refreshed session is lost: the store \"" + provider.store->name + "\" " +
                           (done ? "has no room for it; check size" : "does not answer"));
        }
        provider.store->sessions().release(ref, kept ? not_before : ngx_time() + kAfterRefusal);
        count_refresh(kept ? result : RefreshResult::postponed);
        tell(ref);
    };
    refresh.provider.store->sessions().update(refresh.ref, record.clone(), written);
}

// Writes what became of the session. A session that has ended meanwhile stays ended.
void settle(const Refresh& refresh, const Step& step) {
    SessionStore& store = refresh.provider.store->sessions();
    NgxLog log(ngx_cycle->log);
    if (const auto* done = std::get_if<Refreshed>(&step)) {
        replace(refresh, done->record, 0, RefreshResult::refreshed);
    } else if (const auto* later = std::get_if<RefreshPostponed>(&step)) {
        log.write(LogLevel::warn, line_of(refresh, "failed for now", later->error));
        replace(refresh, later->record, later->next_try, RefreshResult::postponed);
    } else if (const auto* over = std::get_if<RefreshEnded>(&step)) {
        count_refresh(RefreshResult::ended);
        log.write(LogLevel::notice, line_of(refresh, "ended it", over->error));
        const auto erased = [&provider = refresh.provider,
                             ref = refresh.ref](const Result<Unit>& done) {
            log_refresh(ngx_cycle->log, provider, "it", done ? "is erased" : "is not erased");
            if (!done) {
                NgxLog(ngx_cycle->log)
                    .write(LogLevel::error,
                           "a session that the provider has ended lives on: the store \"" +
                               provider.store->name + "\" does not answer");
            }
            tell(ref);
        };
        store.erase({refresh.ref.key}, erased);
    } else if (const auto* refused = std::get_if<Refuse>(&step)) {
        store.release(refresh.ref, ngx_time() + kAfterRefusal);
        log_refresh(ngx_cycle->log, refresh.provider, "its record", "stays as it is");
        count_refresh(RefreshResult::postponed);
        log.write(LogLevel::error, line_of(refresh, "was not possible", refused->error));
        tell(refresh.ref);
    }
}

void tell(const SessionRef& ref) noexcept {
    if (g_worker != nullptr) {
        g_worker->tell(ref);
    }
}

WorkerRefresher::WorkerRefresher() noexcept {
    g_worker = this;
}

WorkerRefresher::~WorkerRefresher() {
    g_worker = nullptr;
}

Refresh::~Refresh() {
    if (store_ticket != 0) {
        provider.store->sessions().cancel(store_ticket);
    }
}

void Refresh::on_outcome() noexcept {
    worker.run(*this);
}

void WorkerRefresher::begin(Provider& provider, const SessionRef& session, const SessionView& view,
                            std::string trace, ngx_log_t* log) noexcept {
    // A worker that is leaving would end before the answer comes.
    if (!ngx_exiting && !ngx_quit && !ngx_terminate) {
        try_begin(provider, session, view, std::move(trace), log);
    }
}

// A request that waits holds a worker that is leaving.
Refresher::Ticket WorkerRefresher::wait(Provider& provider, const SessionRef& session,
                                        const SessionView& view, std::string trace, ngx_log_t* log,
                                        std::function<void()> ended) {
    waiters_.push_back({++last_ticket_, session.key, session.binding, std::move(ended)});
    const Ticket ticket = last_ticket_;
    try_begin(provider, session, view, std::move(trace), log);
    return ticket;
}

void WorkerRefresher::forget(Ticket ticket) noexcept {
    waiters_.remove_if([ticket](const Waiter& waiter) { return waiter.ticket == ticket; });
}

void WorkerRefresher::give_up(const SessionRef& session) noexcept {
    auto place = std::find_if(given_up_.begin(), given_up_.end(),
                              [&](const GivenUp& entry) { return entry.is(session); });
    if (place == given_up_.end()) {
        place =
            std::min_element(given_up_.begin(), given_up_.end(),
                             [](const GivenUp& a, const GivenUp& b) { return a.until < b.until; });
    }
    *place = {session.key, session.binding, ngx_time() + kGivenUp};
}

bool WorkerRefresher::is_given_up(const SessionRef& session) const noexcept {
    return std::any_of(given_up_.begin(), given_up_.end(), [&](const GivenUp& entry) {
        return entry.until > ngx_time() && entry.is(session);
    });
}

void WorkerRefresher::tell(const SessionRef& session) noexcept {
    for (GivenUp& entry : given_up_) {
        if (entry.is(session)) {
            entry = {};
        }
    }
    std::list<Waiter> told;
    for (auto at = waiters_.begin(); at != waiters_.end();) {
        const auto next = std::next(at);
        if (at->key == session.key && at->binding == session.binding) {
            told.splice(told.end(), waiters_, at);
        }
        at = next;
    }
    for (const Waiter& waiter : told) {
        try {
            waiter.ended();
        } catch (...) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "oidc: a refresh ended in an exception");
        }
    }
}

void WorkerRefresher::try_begin(Provider& provider, const SessionRef& session,
                                const SessionView& view, std::string trace, ngx_log_t* log) noexcept
    try {
    SessionStore& store = provider.store->sessions();
    const Seconds seconds = lease_of(provider);
    const SessionStore::Lease lease = store.try_lease(session, view, seconds);
    log_refresh(log, provider, "due, the lease is", lease_name(lease));
    if (lease == SessionStore::Lease::refused) {
        return;
    }
    Refresh& refresh = refreshes_.emplace_back(*this, provider, session);
    refresh.self = std::prev(refreshes_.end());
    refresh.runner.set_trace(std::move(trace));
    refresh.flow = std::make_unique<RefreshFlow>(provider.config, refresh.runner.ports(), view);
    if (lease == SessionStore::Lease::granted) {
        run(refresh);
        return;
    }
    const SessionStore::Ticket ticket =
        store.confirm_lease(refresh.ref, seconds, [this, &refresh](const Result<bool>& granted) {
            refresh.store_ticket = 0;
            const bool mine = granted && *granted;
            log_refresh(ngx_cycle->log, refresh.provider, "the lease is",
                        mine ? "granted by the store" : "not granted by the store");
            if (mine) {
                run(refresh);
            } else {
                end(refresh);
            }
        });
    if (ticket != 0) {
        refresh.store_ticket = ticket;
    }
} catch (...) {
    // The lease ends by itself.
    ngx_log_error(NGX_LOG_ERR, log, 0, "oidc: no memory to refresh a session");
}

void WorkerRefresher::run(Refresh& refresh) noexcept try {
    const std::optional<Step> step = refresh.flow != nullptr
                                         ? refresh.runner.start(std::move(refresh.flow))
                                         : refresh.runner.go_on();
    if (step) {
        settle(refresh, *step);
        end(refresh);
    }
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "oidc: a refresh ended in an exception");
    end(refresh);
}

}  // namespace

Refresher* Refresher::worker() noexcept {
    return g_worker;
}

std::unique_ptr<Refresher> Refresher::make() {
    return std::make_unique<WorkerRefresher>();
}

}  // namespace oidc::ngx
