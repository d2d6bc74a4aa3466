// SPDX-License-Identifier: Apache-2.0
#include "signin/introspector.hpp"

#include <algorithm>
#include <iterator>
#include <list>
#include <utility>

#include "base/debug_log.hpp"
#include "base/worker_event.hpp"
#include "oidc/introspection_flow.hpp"
#include "oidc/ptr.hpp"
#include "oidc/record_table.hpp"
#include "oidc/tenants.hpp"
#include "provider/flow_runner.hpp"
#include "shm/introspection_zone.hpp"

namespace oidc::ngx {
namespace {

using Answer = Introspector::Answer;
using Find = IntrospectionCache::Find;

// Between two looks at what another worker asks.
constexpr ngx_msec_t kFirstLook = 20;
constexpr ngx_msec_t kLongestLook = 250;
// Added to what a question may take, for the waits between its requests.
constexpr Seconds kLeaseReserve = 5;

class WorkerIntrospector;

IntrospectionZone* zone_of(const Provider& provider) noexcept {
    return provider.introspection_zone == nullptr
               ? nullptr
               : &IntrospectionZone::of(*provider.introspection_zone);
}

// Keys, the question, and once more with the other credential.
ngx_msec_t longest(const Provider& provider) noexcept {
    return 3 * provider.transport.read_timeout;
}

// Whose subject a token has: what is kept of one user is bounded.
std::string subjects_of(const ProviderConfig& config, const AccessTokenRecord& token) {
    if (config.tenants.empty()) {
        return config.name;
    }
    const auto session = SessionView::open(token.record.view());
    return session ? config.name + "\n" + std::string(issuer_of(config, *session)) : config.name;
}

// A question under way, here or in another worker.
struct Asked final : FlowRunner::Owner {
    Asked(WorkerIntrospector& the_worker, Provider& the_provider, std::string_view the_token,
          const Digest& the_key)
        : worker(the_worker),
          provider(the_provider),
          token(the_token),
          key(the_key),
          end(ngx_current_msec + longest(the_provider)),
          runner("introspection", the_provider, ngx_cycle->log, *this),
          timer(this, on_timer, ngx_cycle->log) {
        timer.hold_worker(true);
    }
    ~Asked();
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;
    void on_outcome() noexcept override;
    static void on_timer(ngx_event_t* event) noexcept;

    struct Waiter {
        Introspector::Ticket ticket;
        Introspector::Done done;
    };

    WorkerIntrospector& worker;
    Provider& provider;
    Secret token;
    Digest key;
    ngx_msec_t end;  // of the patience with another worker
    ngx_msec_t look = kFirstLook;
    bool leased = false;
    bool started = false;  // else another worker has the question
    FlowRunner runner;
    WorkerEvent timer;
    std::list<Waiter> waiters;
    std::list<Asked>::iterator self;
};

class WorkerIntrospector final : public Introspector {
  public:
    WorkerIntrospector() noexcept;
    ~WorkerIntrospector() override;
    WorkerIntrospector(const WorkerIntrospector&) = delete;
    WorkerIntrospector& operator=(const WorkerIntrospector&) = delete;

    std::optional<Answer> known(const Provider& provider, std::string_view token) override;
    Ticket ask(Provider& provider, std::string_view token, std::string trace, ngx_log_t* log,
               Done done) override;
    void forget(Ticket ticket) noexcept override;

    // Asks, or waits for the worker that does; nullopt: the answer will come.
    std::optional<Answer> begin(Asked& asked);
    void go_on(Asked& asked) noexcept;
    void look_again(Asked& asked) noexcept;

  private:
    static std::optional<Answer> follow(Asked& asked, std::optional<Step> step);
    static Answer settle(const Asked& asked, Step& step);
    void tell(Asked& asked, const Answer& answer) noexcept;

    std::list<Asked> asked_;
    Ticket last_ticket_ = 0;
};

WorkerIntrospector* g_worker = nullptr;

Asked::~Asked() {
    if (IntrospectionZone* zone = zone_of(provider); zone != nullptr && leased) {
        zone->with([this](IntrospectionCache& cache) {
            cache.release(key);
            return true;
        });
    }
}

void Asked::on_outcome() noexcept {
    worker.go_on(*this);
}

void Asked::on_timer(ngx_event_t* event) noexcept {
    auto& asked = WorkerEvent::of<Asked>(event);
    asked.worker.look_again(asked);
}

WorkerIntrospector::WorkerIntrospector() noexcept {
    g_worker = this;
}

WorkerIntrospector::~WorkerIntrospector() {
    g_worker = nullptr;
}

// Where memory may be out.
void log_exception() noexcept {
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "oidc: a question about a token ended in an exception");
}

// An answer that is kept.
std::optional<Answer> kept(const Provider& provider, const Digest& key) {
    IntrospectionZone* zone = zone_of(provider);
    if (zone == nullptr) {
        return std::nullopt;
    }
    Secret record;
    Seconds expires = 0;
    switch (zone->find(key, ngx_time(), record, expires)) {
        case Find::active:
            if (auto token = open_token_record(record.view())) {
                if (token->exp == 0) {
                    token->exp = expires;
                }
                return Answer(std::make_shared<const AccessTokenRecord>(*std::move(token)));
            }
            break;  // of another build
        case Find::inactive:
            return Answer(fail(Reason::token_not_active, "the provider has said so lately"));
        case Find::unknown:
            break;
    }
    return std::nullopt;
}

std::optional<Answer> WorkerIntrospector::known(const Provider& provider, std::string_view token) {
    return kept(provider, introspection_key(provider.config, token));
}

Introspector::Ticket WorkerIntrospector::ask(Provider& provider, std::string_view token,
                                             std::string trace, ngx_log_t* log, Done done) {
    const Digest key = introspection_key(provider.config, token);
    auto at = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) {
        return asked.key == key && &asked.provider == &provider;
    });
    if (at != asked_.end()) {
        debug_log(log, "oidc introspection: the token is asked about already");
        at->waiters.push_back({++last_ticket_, std::move(done)});
        return last_ticket_;
    }
    Asked& asked = asked_.emplace_back(*this, provider, token, key);
    asked.self = std::prev(asked_.end());
    asked.runner.set_trace(std::move(trace));
    std::optional<Answer> answer;
    try {
        answer = begin(asked);
        if (!answer) {
            asked.waiters.push_back({++last_ticket_, std::move(done)});
            return last_ticket_;
        }
    } catch (...) {
        asked_.erase(asked.self);
        throw;
    }
    asked_.erase(asked.self);
    done(*answer);
    return 0;
}

void WorkerIntrospector::forget(Ticket ticket) noexcept {
    for (Asked& asked : asked_) {
        asked.waiters.remove_if(
            [ticket](const Asked::Waiter& waiter) { return waiter.ticket == ticket; });
    }
}

std::optional<Answer> WorkerIntrospector::begin(Asked& asked) {
    if (IntrospectionZone* zone = zone_of(asked.provider); zone != nullptr) {
        const Seconds now = ngx_time();
        const auto until =
            now + static_cast<Seconds>(longest(asked.provider) / 1000) + kLeaseReserve;
        asked.leased = zone->with(
            [&](IntrospectionCache& cache) { return cache.lease(asked.key, until, now); });
        if (!asked.leased) {
            debug_log(ngx_cycle->log, "oidc introspection: another worker asks about the token");
            asked.timer.set(asked.look);
            return std::nullopt;
        }
    }
    const auto others = std::count_if(asked_.begin(), asked_.end(), [&](const Asked& other) {
        return other.started && &other.provider == &asked.provider;
    });
    if (static_cast<std::size_t>(others) >= kMaxQuestions) {
        return Answer(
            fail(Reason::introspection_busy,
                 "this worker asks about " + std::to_string(kMaxQuestions) + " tokens already"));
    }
    asked.started = true;
    return follow(asked, asked.runner.start(std::make_unique<IntrospectionFlow>(
                             asked.provider.config, asked.runner.ports(), asked.token.view())));
}

std::optional<Answer> WorkerIntrospector::follow(Asked& asked, std::optional<Step> step) {
    if (!step) {
        return std::nullopt;
    }
    return settle(asked, *step);
}

// The answer is kept, if it is one, for as long as the configuration says.
Answer WorkerIntrospector::settle(const Asked& asked, Step& step) {
    const ProviderConfig& config = asked.provider.config;
    IntrospectionZone* zone = zone_of(asked.provider);
    const Seconds now = ngx_time();
    if (auto* done = token_holds<Introspected>(step)) {
        const Seconds longest_kept = now + asked.provider.introspection_time;
        const Seconds end = done->token.exp;
        const Seconds expires = end == 0 ? longest_kept : std::min(longest_kept, end);
        const std::uint64_t owner = owner_tag("sub", subjects_of(config, done->token), done->sub);
        const ByteView record = as_bytes(done->token.record.view());
        if (zone != nullptr && !zone->with([&](IntrospectionCache& cache) {
                return cache.keep_active(asked.key, owner, record, expires, now);
            })) {
            debug_log(ngx_cycle->log, "oidc introspection: the answer is not kept");
        }
        if (end == 0) {
            done->token.exp = expires;
        }
        return std::make_shared<const AccessTokenRecord>(std::move(done->token));
    }
    const Error* error = step_error(step);
    if (error == nullptr) {
        return unexpected_event();
    }
    if (zone != nullptr && is_verdict(error->reason)) {
        zone->with([&](IntrospectionCache& cache) {
            cache.keep_inactive(asked.key, now + asked.provider.introspection_inactive_time, now);
            return true;
        });
    }
    return *error;
}

void WorkerIntrospector::go_on(Asked& asked) noexcept {
    try {
        if (const std::optional<Answer> answer = follow(asked, asked.runner.go_on())) {
            tell(asked, *answer);
        }
    } catch (...) {
        log_exception();
        tell(asked, fail(Reason::internal_error));
    }
}

// Another worker had the question. Its answer is there, or it has none, or it is dead.
void WorkerIntrospector::look_again(Asked& asked) noexcept try {
    if (asked.waiters.empty()) {
        asked_.erase(asked.self);
        return;
    }
    const OpensslErrorGuard guard;
    std::optional<Answer> answer = kept(asked.provider, asked.key);
    if (!answer && static_cast<ngx_msec_int_t>(asked.end - ngx_current_msec) <= 0) {
        answer = Answer(fail(Reason::introspection_unavailable,
                             "the worker that asked about the token has not come to an end"));
    }
    if (!answer) {
        asked.look = std::min(2 * asked.look, kLongestLook);
        answer = begin(asked);
    }
    if (answer) {
        tell(asked, *answer);
    }
} catch (...) {
    log_exception();
    tell(asked, fail(Reason::internal_error));
}

void WorkerIntrospector::tell(Asked& asked, const Answer& answer) noexcept {
    std::list<Asked::Waiter> told;
    told.swap(asked.waiters);
    asked_.erase(asked.self);
    for (const Asked::Waiter& waiter : told) {
        try {
            waiter.done(answer);
        } catch (...) {
            log_exception();
        }
    }
}

}  // namespace

Introspector* Introspector::worker() noexcept {
    return g_worker;
}

std::unique_ptr<Introspector> Introspector::make() {
    return std::make_unique<WorkerIntrospector>();
}

}  // namespace oidc::ngx
