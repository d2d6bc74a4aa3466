#include "signin/refresher.hpp"

#include <list>

#include "oidc/refresh_flow.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {
namespace {

// Added to what the requests of one refresh may take, for the waits between them.
constexpr Seconds kLeaseReserve = 30;
constexpr Seconds kAfterRefusal = 60;

class Worker;

// One refresh under way. It lives until it ends, whatever becomes of the request that began it.
struct Refresh {
    Refresh(Worker& worker, Provider& provider, CountersZone& counters, const SessionRef& ref,
            const SessionView& session)
        : worker(worker),
          provider(provider),
          counters(counters),
          ref(ref),
          ports(ngx_cycle->log),
          flow(provider.config, ports.ports(), session) {}

    Worker& worker;
    Provider& provider;
    CountersZone& counters;
    SessionRef ref;
    FlowPorts ports;
    RefreshFlow flow;
    std::optional<Event> outcome;  // of a call that answers at once
    bool asking = false;
    CurlLoop::Handle fetch = 0;
    MetadataCache::Ticket ticket = 0;
    SessionStore::Ticket store_ticket = 0;
    std::list<Refresh>::iterator self;
};

class Worker final : public Refresher {
  public:
    Worker() noexcept;
    ~Worker() override;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    void begin(ngx_http_request_t* r, const RequestContext& ctx) noexcept override;

  private:
    void run(Refresh& refresh, Step step) noexcept;
    bool ask_provider(Refresh& refresh, std::uint64_t newer_than);
    bool start_fetch(Refresh& refresh, HttpRequest request);
    void deliver(Refresh& refresh, Event event) noexcept;
    void end(Refresh& refresh) noexcept;

    std::list<Refresh> refreshes_;
};

Worker* g_worker = nullptr;

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

// The record of a session takes the place of the old one, and the lease ends. What is captured
// lives as long as the worker: the refresh itself is over.
void replace(const Refresh& refresh, const Secret& record, Seconds not_before,
             RefreshResult result) {
    SessionStore& store = refresh.provider.store->sessions();
    const auto written = [&provider = refresh.provider, &counters = refresh.counters,
                          ref = refresh.ref, not_before,
                          result](const Result<RecordTable::Update>& done) {
        const bool kept =
            done && *done != RecordTable::Update::full && *done != RecordTable::Update::too_large;
        if (!kept) {
            NgxLog(ngx_cycle->log)
                .write(LogLevel::error,
                       "a refreshed session is lost: the store \"" + provider.store->name + "\" " +
                           (done ? "has no room for it; check size" : "does not answer"));
        }
        provider.store->sessions().release(ref, kept ? not_before : ngx_time() + kAfterRefusal);
        counters.count_refresh(kept ? result : RefreshResult::postponed);
    };
    store.update(refresh.ref, record.clone(), written);
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
        refresh.counters.count_refresh(RefreshResult::ended);
        log.write(LogLevel::notice, line_of(refresh, "ended it", over->error));
        store.erase({refresh.ref.key}, [&provider = refresh.provider](const Result<Unit>& erased) {
            if (!erased) {
                NgxLog(ngx_cycle->log)
                    .write(LogLevel::error,
                           "a session that the provider has ended "
                           "lives on: the store \"" +
                               provider.store->name + "\" does not answer");
            }
        });
    } else if (const auto* refused = std::get_if<Refuse>(&step)) {
        store.release(refresh.ref, ngx_time() + kAfterRefusal);
        refresh.counters.count_refresh(RefreshResult::postponed);
        log.write(LogLevel::error, line_of(refresh, "was not possible", refused->error));
    }
}

void Worker::begin(ngx_http_request_t* r, const RequestContext& ctx) noexcept try {
    Provider& provider = *ctx.provider;
    // A worker that is leaving would end before the answer comes.
    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }
    SessionStore& store = provider.store->sessions();
    const Seconds seconds = lease_of(provider);
    const SessionStore::Lease lease = store.try_lease(ctx.session_ref, ctx.session, seconds);
    if (lease == SessionStore::Lease::refused) {
        return;
    }
    refreshes_.emplace_back(*this, provider, ngx::counters(r), ctx.session_ref, ctx.session);
    Refresh& refresh = refreshes_.back();
    refresh.self = std::prev(refreshes_.end());
    if (lease == SessionStore::Lease::granted) {
        run(refresh, refresh.flow.start());
        return;
    }
    const SessionStore::Ticket ticket =
        store.confirm_lease(refresh.ref, seconds, [this, &refresh](const Result<bool>& granted) {
            refresh.store_ticket = 0;
            if (granted && *granted) {
                run(refresh, refresh.flow.start());
            } else {
                end(refresh);
            }
        });
    if (ticket != 0) {
        refresh.store_ticket = ticket;
    }
} catch (...) {
    // The lease ends by itself.
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "oidc: no memory to refresh a session");
}

void Worker::run(Refresh& refresh, Step step) noexcept try {
    OpensslErrorGuard guard;
    for (;;) {
        if (auto* need = std::get_if<NeedProvider>(&step)) {
            if (!ask_provider(refresh, need->newer_than)) {
                return;
            }
        } else if (auto* fetch = std::get_if<Fetch>(&step)) {
            if (!start_fetch(refresh, std::move(fetch->request))) {
                return;
            }
        } else {
            break;
        }
        Event event = *std::move(refresh.outcome);
        refresh.outcome.reset();
        step = refresh.flow.resume(std::move(event));
    }
    settle(refresh, step);
    end(refresh);
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "oidc: a refresh ended in an exception");
    end(refresh);
}

// True when the answer is there already.
bool Worker::ask_provider(Refresh& refresh, std::uint64_t newer_than) {
    MetadataCache* cache = MetadataCache::worker();
    if (cache == nullptr) {
        refresh.outcome.emplace(fail(Reason::internal_error, "no metadata cache"));
        return true;
    }
    refresh.asking = true;
    const MetadataCache::Ticket ticket =
        cache->want(refresh.provider, newer_than,
                    [this, &refresh](Result<std::shared_ptr<const ProviderState>> result) {
                        refresh.ticket = 0;
                        if (result) {
                            deliver(refresh, ProviderReady(*std::move(result)));
                        } else {
                            deliver(refresh, std::move(result).error());
                        }
                    });
    refresh.asking = false;
    if (!refresh.outcome) {
        refresh.ticket = ticket;
    }
    return refresh.outcome.has_value();
}

bool Worker::start_fetch(Refresh& refresh, HttpRequest request) {
    CurlLoop* loop = CurlLoop::worker();
    if (loop == nullptr) {
        refresh.outcome.emplace(fail(Reason::internal_error, "no connections"));
        return true;
    }
    // Not in the background: a worker that shuts down waits, for the new refresh token.
    refresh.fetch = loop->start(std::move(request), refresh.provider.transport,
                                [this, &refresh](HttpOutcome outcome) {
                                    refresh.fetch = 0;
                                    if (outcome) {
                                        deliver(refresh, *std::move(outcome));
                                    } else {
                                        deliver(refresh, std::move(outcome).error());
                                    }
                                });
    return false;
}

void Worker::deliver(Refresh& refresh, Event event) noexcept {
    if (refresh.asking) {
        refresh.outcome.emplace(std::move(event));
        return;
    }
    try {
        run(refresh, refresh.flow.resume(std::move(event)));
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "oidc: a refresh ended in an exception");
        end(refresh);
    }
}

void Worker::end(Refresh& refresh) noexcept {
    refreshes_.erase(refresh.self);
}

Worker::Worker() noexcept {
    g_worker = this;
}

Worker::~Worker() {
    for (Refresh& refresh : refreshes_) {
        if (CurlLoop* loop = CurlLoop::worker(); loop != nullptr && refresh.fetch != 0) {
            loop->cancel(refresh.fetch);
        }
        if (MetadataCache* cache = MetadataCache::worker();
            cache != nullptr && refresh.ticket != 0) {
            cache->cancel(refresh.ticket);
        }
        if (refresh.store_ticket != 0) {
            refresh.provider.store->sessions().cancel(refresh.store_ticket);
        }
    }
    g_worker = nullptr;
}

}  // namespace

Refresher* Refresher::worker() noexcept {
    return g_worker;
}

std::unique_ptr<Refresher> Refresher::make() {
    return std::make_unique<Worker>();
}

}  // namespace oidc::ngx
