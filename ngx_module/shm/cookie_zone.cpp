// SPDX-License-Identifier: Apache-2.0
#include "shm/cookie_zone.hpp"

#include <algorithm>
#include <new>

#include "base/worker_event.hpp"

namespace oidc::ngx {

namespace {

constexpr RegionKind kKind{0x31564552434f494fULL,  // "OIOCREV1"
                           RecordTable::layout(), RevocationList::is_list};

// A full pass over a zone takes this many turns, one each second.
constexpr std::size_t kSweepTurns = 64;
constexpr ngx_msec_t kSweepInterval = 1000;
// Buckets under one hold of the lock: some ten microseconds.
constexpr std::size_t kSweepHold = 64;

void on_sweep(ngx_event_t* event) noexcept;

// Lives in the cycle's pool, as long as the worker.
struct Sweeper {
    Sweeper(CookieZone& zone, ngx_log_t* log) noexcept : event(this, on_sweep, log), zone(zone) {}
    WorkerEvent event;
    CookieZone& zone;
};

void on_sweep(ngx_event_t* event) noexcept {
    auto& sweeper = WorkerEvent::of<Sweeper>(event);
    std::size_t left = sweeper.zone.with(
        [](RevocationList& list) { return list.records().bucket_count() / kSweepTurns + 1; });
    while (left > 0) {
        const std::size_t buckets = std::min(left, kSweepHold);
        sweeper.zone.with(
            [buckets](RevocationList& list) { return list.records().sweep(buckets, ngx_time()); });
        left -= buckets;
    }
    sweeper.event.set(kSweepInterval);
}

}  // namespace

struct CookieZoneInit {
    static CookieZone* from_base(void* data) noexcept {
        return static_cast<CookieZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
    static ngx_int_t take(ngx_shm_zone_t* zone, CookieZone& self) noexcept;
};

// Taken over by a reload, or found in memory that outlived the process (Windows).
ngx_int_t CookieZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    CookieZone& self = *from_base(zone->data);
    if (data == nullptr && !zone->shm.exists) {
        return take(zone, self);
    }
    self.region_ = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    if (self.region_.empty()) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" holds foreign data",
                      &zone->shm.name);
        return NGX_ERROR;
    }
    // Workers of the running configuration may be writing.
    ZoneLock lock(self.shpool_);
    if (!RevocationList::is_list(self.region_)) {
        ngx_log_error(NGX_LOG_ERR, zone->shm.log, 0,
                      "oidc: zone \"%V\" is damaged, so all sessions of its store end",
                      &zone->shm.name);
        RevocationList::create(self.region_).end_all(CookieZone::clock());
    }
    return NGX_OK;
}

// Shared with the binary before an upgrade, or new.
ngx_int_t CookieZoneInit::take(ngx_shm_zone_t* zone, CookieZone& self) noexcept {
    const Region region = take_region(zone, kKind);
    if (region.memory.size() < RevocationList::min_size()) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" is too small, %uz bytes",
                      &zone->shm.name, zone->shm.size);
        return NGX_ERROR;
    }
    self.region_ = region.memory;
    if (region.inherited) {
        return NGX_OK;
    }
    RevocationList list = RevocationList::create(self.region_);
    const ngx_shm_zone_t* old = running_zone(zone);
    if (old != nullptr) {
        // Who was signed out must not come back by it.
        list.end_all(CookieZone::clock());
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      old->tag == zone->tag
                          ? "oidc: the size of zone \"%V\" has changed, so all sessions of its "
                            "store end"
                          : "oidc: the module was replaced, so all sessions of the store of zone "
                            "\"%V\" end",
                      &zone->shm.name);
    }
    return NGX_OK;
}

ngx_shm_zone_t* CookieZone::add(ngx_conf_t* cf, const std::string& name,
                                std::size_t size) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(CookieZone));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* self = new (memory) CookieZone();
    return add_zone(cf, name, size, self, CookieZoneInit::init, "duplicate session store");
}

CookieZone& CookieZone::of(const ngx_shm_zone_t& zone) noexcept {
    return *CookieZoneInit::from_base(zone.data);
}

RevocationList::Stamp CookieZone::clock() noexcept {
    const ngx_time_t* time = ngx_timeofday();
    return (static_cast<RevocationList::Stamp>(time->sec) * 1000 +
            static_cast<RevocationList::Stamp>(time->msec)) *
           1000;
}

ngx_int_t CookieZone::start_sweeper(ngx_cycle_t* cycle) noexcept {
    if (!is_worker() || ngx_worker != 0) {
        return NGX_OK;
    }
    void* memory = ngx_palloc(cycle->pool, sizeof(Sweeper));
    if (memory == nullptr) {
        return NGX_ERROR;
    }
    auto* sweeper = new (memory) Sweeper(*this, cycle->log);
    sweeper->event.set(kSweepInterval);
    return NGX_OK;
}

}  // namespace oidc::ngx
