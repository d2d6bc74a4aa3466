// SPDX-License-Identifier: Apache-2.0
#include "provider/metadata_cache.hpp"

#include <algorithm>
#include <map>
#include <new>
#include <vector>

#include "base/worker_event.hpp"
#include "oidc/ptr.hpp"
#include "provider/provider_documents.hpp"
#include "shm/login_zone.hpp"
#include "shm/metadata_zone.hpp"

namespace oidc::ngx {

namespace {

using Claim = ProviderSlot::Claim;

// How often a worker looks whether another one has finished the fetch that it waits for.
constexpr ngx_msec_t kPoll = 20;
// As long as this a login waits for the throttle.
constexpr ngx_msec_t kLongestThrottle = 15 * 1000;
// As long as this somebody waits for documents that are only to be fresher.
constexpr ngx_msec_t kShortWait = 2 * 1000;
// A reload looks at the provider's documents again, unless that was done just now.
constexpr ngx_msec_t kFresh = 5 * 1000;

struct Waiter {
    ProviderDocuments* documents = nullptr;
    NeedProvider need;
    std::uint64_t serial = 0;  // of another worker's fetch; 0: our own
    ngx_msec_t deadline = 0;
    // The fetch had begun before it was needed: what it brings may be from before a change of keys.
    bool joined = false;
    // The throttle lets nobody fetch before; `serial` is then of the next fetch.
    std::optional<ngx_msec_t> not_before;
    MetadataCache::Done done;
};

class Cache final : public MetadataCache, public ProviderDocuments::Owner {
  public:
    Cache(ngx_cycle_t* cycle, MainConf& conf);
    ~Cache() override;
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    Ticket want(Provider& provider, const NeedProvider& need, Done done) override;
    void cancel(Ticket ticket) noexcept override;
    [[nodiscard]] const Aead& pending_aead() const noexcept override { return *aead_; }
    Status status(const Provider& provider) override;

  private:
    ProviderDocuments* find(const Provider& provider) noexcept;
    Ticket enlist(Waiter waiter, Done done);
    void on_finished(const ProviderDocuments& documents) noexcept override;
    static bool begin(Waiter& waiter);
    static bool begin_again(Waiter& waiter);
    void end_of_fetch(Ticket ticket) noexcept;
    void answer(Ticket ticket) noexcept;
    void look(Ticket ticket);
    void arm() noexcept;
    static void on_tick(ngx_event_t* event) noexcept;

    ngx_log_t* log_;
    std::unique_ptr<Aead> aead_;
    std::vector<std::unique_ptr<ProviderDocuments>> documents_;
    std::map<Ticket, Waiter> waiters_;
    Ticket last_ = 0;
    WorkerEvent tick_;
};

Cache* g_cache = nullptr;

std::unique_ptr<Aead> make_pending_aead(LoginZone& logins) {
    AeadKey shared_key;
    logins.read_key(shared_key);
    auto key = derive_key(shared_key, "oidc pending login");
    cleanse(shared_key.data(), shared_key.size());
    if (!key) {
        throw std::bad_alloc();
    }
    auto aead = std::make_unique<Aead>(std::span<const AeadKey>(&*key, 1));
    cleanse(key->data(), key->size());
    return aead;
}

Cache::Cache(ngx_cycle_t* cycle, MainConf& conf)
    : log_(cycle->log), tick_(this, on_tick, cycle->log) {
    aead_ = make_pending_aead(*LoginZone::of(*conf.login_zone));
    MetadataZone& zone = MetadataZone::of(*conf.metadata_zone);
    for (const auto& provider : conf.providers) {
        documents_.push_back(
            std::make_unique<ProviderDocuments>(*provider, zone.slot(*provider), log_, *this));
    }
    // It runs only while a request waits, which a worker that shuts down serves first.
    tick_.hold_worker(true);
    g_cache = this;
    for (const auto& documents : documents_) {
        documents->sync();
        if (documents->state()) {
            documents->refresh_older_than(kFresh);
        }
    }
}

Cache::~Cache() {
    g_cache = nullptr;
}

ProviderDocuments* Cache::find(const Provider& provider) noexcept {
    if (provider.index >= documents_.size() ||
        &documents_[provider.index]->provider() != &provider) {
        return nullptr;
    }
    return documents_[provider.index].get();
}

MetadataCache::Ticket Cache::want(Provider& provider, const NeedProvider& need, Done done) {
    OpensslErrorGuard guard;
    ProviderDocuments* documents = find(provider);
    if (documents == nullptr) {
        done(fail(Reason::internal_error, "the provider is not of this configuration"));
        return 0;
    }
    documents->sync();
    const auto& state = documents->state();
    if (state && (state->generation > need.newer_than || !documents->uses_network())) {
        documents->refresh_when_stale();
        if (need.max_age == 0 ||
            !documents->refresh_older_than(static_cast<ngx_msec_t>(need.max_age) * 1000)) {
            done(documents->state());
            return 0;
        }
        Waiter waiter;
        waiter.documents = documents;
        waiter.need.newer_than = state->generation;
        waiter.serial = documents->is_fetching() ? 0 : documents->slot().peek().started;
        waiter.deadline = ngx_current_msec + std::min(kShortWait, documents->patience());
        return enlist(std::move(waiter), std::move(done));
    }
    if (!documents->uses_network()) {
        done(documents->error());
        return 0;
    }
    Waiter waiter;
    waiter.documents = documents;
    waiter.need = need;
    if (!begin(waiter)) {
        if (state) {
            done(state);
        } else {
            done(documents->error());
        }
        return 0;
    }
    return enlist(std::move(waiter), std::move(done));
}

MetadataCache::Ticket Cache::enlist(Waiter waiter, Done done) {
    const Ticket ticket = ++last_;
    waiter.done = std::move(done);
    waiters_.emplace(ticket, std::move(waiter));
    arm();
    return ticket;
}

void Cache::cancel(Ticket ticket) noexcept {
    // A fetch goes on without its waiter: the next one will want it.
    waiters_.erase(ticket);
    arm();
}

// A fetch to wait for: the one under way, one of its own, or the one after the throttle. False:
// there will be none.
bool Cache::begin(Waiter& waiter) {
    ProviderDocuments& documents = *waiter.documents;
    waiter.deadline = ngx_current_msec + documents.patience();
    waiter.serial = 0;
    waiter.joined = true;
    if (documents.is_fetching()) {
        return true;
    }
    ngx_msec_t wait = 0;
    const Claim claim = documents.fetch(waiter.need.cause, true, waiter.serial, wait);
    if (claim == Claim::joined) {
        return true;
    }
    waiter.joined = false;
    if (claim == Claim::owner) {
        waiter.serial = 0;
        return true;
    }
    if (!documents.state() || wait == 0 || wait > kLongestThrottle ||
        waiter.need.cause == NeedProvider::Cause::outsider) {
        return false;
    }
    waiter.serial = documents.slot().peek().started + 1;
    waiter.not_before = ngx_current_msec + wait;
    waiter.deadline += wait;
    return true;
}

// Once more, when a fetch that had begun before it was needed went well and brought nothing newer.
bool Cache::begin_again(Waiter& waiter) {
    const ProviderDocuments& documents = *waiter.documents;
    if (!waiter.joined || !documents.state() ||
        documents.state()->generation > waiter.need.newer_than || documents.slot().last_reason()) {
        return false;
    }
    const bool begun = begin(waiter);
    waiter.joined = false;
    return begun;
}

// Answers all who wait for this worker's fetch. Answers start and cancel waits themselves.
void Cache::on_finished(const ProviderDocuments& documents) noexcept {
    const Ticket newest = last_;
    for (auto it = waiters_.begin(); it != waiters_.end() && it->first <= newest;) {
        const Ticket ticket = it->first;
        if (it->second.documents == &documents && !it->second.not_before) {
            end_of_fetch(ticket);
        }
        it = waiters_.upper_bound(ticket);
    }
    arm();
}

void Cache::end_of_fetch(Ticket ticket) noexcept {
    try {
        auto it = waiters_.find(ticket);
        if (it != waiters_.end() && begin_again(it->second)) {
            return;
        }
    } catch (...) {  // no memory for another one: what there is, then
    }
    answer(ticket);
}

void Cache::answer(Ticket ticket) noexcept try {
    auto it = waiters_.find(ticket);
    if (it == waiters_.end()) {
        return;
    }
    const Waiter waiter = std::move(it->second);
    waiters_.erase(it);
    if (waiter.documents->state()) {
        waiter.done(waiter.documents->state());
    } else {
        waiter.done(waiter.documents->error());
    }
} catch (...) {
    ngx_log_error(NGX_LOG_ERR, log_, 0, "oidc: an answer about the provider was lost");
}

// What has become of the fetch that this one waits for?
void Cache::look(Ticket ticket) {
    auto it = waiters_.find(ticket);
    if (it == waiters_.end()) {
        return;
    }
    Waiter& waiter = it->second;
    ProviderDocuments& documents = *waiter.documents;
    if (static_cast<ngx_msec_int_t>(waiter.deadline - ngx_current_msec) <= 0) {
        if (documents.state()) {
            answer(ticket);
            return;
        }
        const Done done = std::move(waiter.done);
        waiters_.erase(it);
        done(fail(Reason::idp_timeout, "no answer of the provider in time", "read_timeout"));
        return;
    }
    if (documents.is_fetching()) {
        return;
    }
    documents.sync();
    const auto now = documents.slot().peek();
    const auto& state = documents.state();
    if ((state && state->generation > waiter.need.newer_than) || now.finished >= waiter.serial ||
        !now.attached) {
        end_of_fetch(ticket);
        return;
    }
    if (now.fetching) {
        return;
    }
    if (waiter.not_before &&
        static_cast<ngx_msec_int_t>(*waiter.not_before - ngx_current_msec) > 0) {
        return;
    }
    // Its owner died or gave up, or the throttle has come to an end.
    ngx_msec_t wait = 0;
    const Claim claim =
        documents.fetch(waiter.need.cause, waiter.not_before.has_value(), waiter.serial, wait);
    if (claim == Claim::refused) {
        answer(ticket);
        return;
    }
    waiter.not_before.reset();
    if (claim == Claim::owner) {
        waiter.serial = 0;
    }
}

void Cache::arm() noexcept {
    if (waiters_.empty()) {
        tick_.unset();
    } else if (!tick_.is_timed()) {
        tick_.set(kPoll);
    }
}

void Cache::on_tick(ngx_event_t* event) noexcept {
    auto& cache = WorkerEvent::of<Cache>(event);
    OpensslErrorGuard guard;
    const Ticket newest = cache.last_;
    for (auto it = cache.waiters_.begin(); it != cache.waiters_.end() && it->first <= newest;) {
        const Ticket ticket = it->first;
        try {
            cache.look(ticket);
        } catch (...) {
            cache.answer(ticket);
        }
        it = cache.waiters_.upper_bound(ticket);
    }
    cache.arm();
}

MetadataCache::Status Cache::status(const Provider& provider) {
    Status out;
    ProviderDocuments* documents = find(provider);
    if (documents == nullptr) {
        return out;
    }
    OpensslErrorGuard guard;
    documents->sync();
    const auto now = documents->slot().peek();
    const auto seconds = [](const std::optional<ngx_msec_t>& age) {
        return age ? static_cast<Seconds>(*age / 1000) : Seconds{-1};
    };
    out.metadata_age = seconds(now.metadata_age);
    out.keys_age = seconds(now.keys_age);
    out.fetches = now.started;
    out.failures = now.failures;
    if (documents->state()) {
        out.generation = documents->state()->generation;
        out.keys = documents->state()->keys.size();
    }
    if (const auto reason = documents->slot().last_reason()) {
        out.last_error = reason_info(*reason).code;
    }
    return out;
}

}  // namespace

MetadataCache* MetadataCache::worker() noexcept {
    return g_cache;
}

std::unique_ptr<MetadataCache> MetadataCache::make(ngx_cycle_t* cycle, MainConf& conf) {
    return std::make_unique<Cache>(cycle, conf);
}

MetadataCache::Ticket ask_for_provider(Provider& provider, const NeedProvider& need,
                                       std::function<void(Event)> deliver) {
    MetadataCache* cache = MetadataCache::worker();
    if (cache == nullptr) {
        deliver(fail(Reason::internal_error, "this process has no metadata cache"));
        return 0;
    }
    return cache->want(
        provider, need,
        [deliver = std::move(deliver)](Result<std::shared_ptr<const ProviderState>> result) {
            if (result) {
                deliver(ProviderReady(*std::move(result)));
            } else {
                deliver(std::move(result).error());
            }
        });
}

}  // namespace oidc::ngx
