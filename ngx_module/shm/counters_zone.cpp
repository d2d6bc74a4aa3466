// SPDX-License-Identifier: Apache-2.0
#include "shm/counters_zone.hpp"

#include <atomic>
#include <new>

#include "config/conf.hpp"

namespace oidc::ngx {

namespace {

constexpr std::string_view kName = "oidc_counters";
constexpr std::size_t kZoneBytes = 64 * 1024;

bool has_room(std::span<const std::byte> memory) noexcept {
    return memory.size() >= sizeof(Counters);
}

// No constructor runs on a region that is taken over, so Counters is plain data.
constexpr RegionKind kKind{0x31544e434344494fULL,  // "OIDCCNT1"
                           sizeof(Counters), has_room};

void count(std::uint64_t& counter, std::uint64_t by = 1) noexcept {
    std::atomic_ref<std::uint64_t>(counter).fetch_add(by, std::memory_order_relaxed);
}

template <class E>
void count_of(std::uint64_t (&counters)[kCountOf<E>], E which) noexcept {
    if (which < E::count_) {
        count(counters[index_of(which)]);
    }
}

// Word by word, each as it is at that moment.
void read_words(Counters& from, Counters& to) noexcept {
    auto* source = reinterpret_cast<std::uint64_t*>(&from);
    auto* target = reinterpret_cast<std::uint64_t*>(&to);
    for (std::size_t i = 0; i < sizeof(Counters) / sizeof(std::uint64_t); ++i) {
        target[i] = std::atomic_ref<std::uint64_t>(source[i]).load(std::memory_order_relaxed);
    }
}

}  // namespace

struct CountersZoneInit {
    static CountersZone& from_base(void* data) noexcept {
        return *static_cast<CountersZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
};

ngx_int_t CountersZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    Region region;
    const bool kept = data != nullptr || zone->shm.exists;
    if (kept) {
        region.memory = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    } else {
        region = take_region(zone, kKind);
    }
    if (!has_room(region.memory)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" cannot be set up",
                      &zone->shm.name);
        return NGX_ERROR;
    }
    void* memory = region.memory.data();
    from_base(zone->data).counters_ =
        kept || region.inherited ? static_cast<Counters*>(memory) : new (memory) Counters{};
    return NGX_OK;
}

ngx_shm_zone_t* CountersZone::add(ngx_conf_t* cf) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(CountersZone));
    if (memory == nullptr) {
        return nullptr;
    }
    return add_zone(cf, kName, kZoneBytes, new (memory) CountersZone(), CountersZoneInit::init,
                    "the zone name is reserved:");
}

CountersZone& CountersZone::of(const ngx_shm_zone_t& zone) noexcept {
    return CountersZoneInit::from_base(zone.data);
}

CountersZone* CountersZone::running() noexcept {
    const MainConf* conf = running_main_conf();
    return conf == nullptr || conf->counters_zone == nullptr ? nullptr : &of(*conf->counters_zone);
}

CountersZone& counters(ngx_http_request_t* r) noexcept {
    return CountersZone::of(*main_conf(r).counters_zone);
}

void CountersZone::count_login() noexcept {
    count(counters_->logins);
}

void CountersZone::count_refused_login() noexcept {
    count(counters_->refused_logins);
}

void CountersZone::count_challenge() noexcept {
    count(counters_->challenges);
}

void CountersZone::count_redirect() noexcept {
    count(counters_->redirects);
}

void CountersZone::count_refusal(Reason reason) noexcept {
    count_of(counters_->refusals, reason);
}

void CountersZone::count_logout(LogoutKind kind) noexcept {
    count_of(counters_->logouts, kind);
}

void CountersZone::count_refresh(RefreshResult result) noexcept {
    count_of(counters_->refreshes, result);
}

void CountersZone::count_signal(SignalResult result) noexcept {
    count_of(counters_->signals, result);
}

void CountersZone::count_request(IdpEndpoint endpoint, std::optional<std::uint64_t> microseconds,
                                 std::optional<IdpFailure> failure,
                                 std::uint64_t connections) noexcept {
    if (endpoint >= IdpEndpoint::count_) {
        return;
    }
    Counters::Idp& idp = counters_->idp[index_of(endpoint)];
    if (microseconds) {
        count(idp.microseconds, *microseconds);
        count(idp.buckets[latency_bucket(*microseconds)]);
    }
    if (failure) {
        count_of(idp.failures, *failure);
    }
    if (connections != 0) {
        count(counters_->idp_connections, connections);
    }
}

void CountersZone::count_store_answer(std::uint64_t microseconds) noexcept {
    Counters::Store& store = counters_->store;
    count(store.microseconds, microseconds);
    count(store.buckets[store_bucket(microseconds)]);
}

void CountersZone::count_store_failure(StoreFailure failure) noexcept {
    count_of(counters_->store.failures, failure);
}

void CountersZone::count_store_connection() noexcept {
    count(counters_->store.connections);
}

void CountersZone::count_store_failover() noexcept {
    count(counters_->store.failovers);
}

void CountersZone::read(Counters& out) noexcept {
    read_words(*counters_, out);
}

}  // namespace oidc::ngx
