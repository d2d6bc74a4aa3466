// SPDX-License-Identifier: Apache-2.0
#include "shm/shared_zone.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace oidc::ngx {

namespace {

constexpr ngx_uint_t kSpin = 2048;
constexpr int kYields = 100;
constexpr useconds_t kNap = 500;
// For so many naps the master of a dead holder has time to break the lock itself, and to say so.
constexpr int kGrace = 400;

// What every nginx can give of a zone of this size: how much it keeps for itself differs by a few
// words from version to version, and a region must be of the same size in the next one.
std::size_t region_bytes(const ngx_shm_zone_t* zone, const ngx_slab_pool_t* shpool) noexcept {
    constexpr std::size_t kPerPage = 32;
    std::size_t pages = zone->shm.size / (ngx_pagesize + kPerPage);
    pages -= std::min<std::size_t>(pages, 1);
    return std::min<std::size_t>(pages, shpool->pfree) * ngx_pagesize;
}

std::span<std::byte> behind_head(std::span<std::byte> region) noexcept {
    return region.subspan(sizeof(RegionHead));
}

}  // namespace

void wait_for_zone(ngx_slab_pool_t* shpool) noexcept {
    if (ngx_ncpu > 1) {
        for (ngx_uint_t n = 1; n < kSpin; n <<= 1) {
            for (ngx_uint_t i = 0; i < n; ++i) {
                ngx_cpu_pause();
            }
            if (try_lock_zone(shpool)) {
                return;
            }
        }
    }
    for (int i = 0; i < kYields; ++i) {
        ngx_sched_yield();
        if (try_lock_zone(shpool)) {
            return;
        }
    }
    // The holder waits for a processor, or is dead.
    ngx_atomic_uint_t dead = 0;
    int naps = 0;
    for (;;) {
        (void)usleep(kNap);
        if (try_lock_zone(shpool)) {
            return;
        }
        const ngx_atomic_uint_t holder = *shpool->mutex.lock;
        if (holder == 0 || kill(static_cast<ngx_pid_t>(holder), 0) == 0 || errno != ESRCH) {
            dead = 0;
        } else if (holder != dead) {
            dead = holder;
            naps = 0;
        } else if (++naps > kGrace) {
            if (ngx_shmtx_force_unlock(&shpool->mutex, static_cast<ngx_pid_t>(holder)) != 0) {
                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                              "oidc: the lock of a zone was taken from process %P, which has died "
                              "without a master",
                              static_cast<ngx_pid_t>(holder));
            }
            dead = 0;
        }
    }
}

ngx_shm_zone_t* add_zone(ngx_conf_t* cf, std::string_view name, std::size_t size, ZoneBase* base,
                         ngx_shm_zone_init_pt init, const char* duplicate) noexcept {
    ngx_str_t zone_name = copy_to_pool(cf->pool, name);
    if (zone_name.data == nullptr || !close_with_pool(cf->pool, base->memory_)) {
        return nullptr;
    }
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &zone_name, size, &ngx_http_auth_oidc_module);
    if (zone == nullptr) {
        return nullptr;
    }
    if (zone->data != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\"", duplicate, &zone_name);
        return nullptr;
    }
    zone->init = init;
    zone->noreuse = 0;
    zone->data = base;
    return zone;
}

Region take_region(ngx_shm_zone_t* zone, const RegionKind& kind) noexcept {
    auto* shpool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    auto& base = *static_cast<ZoneBase*>(zone->data);
    base.shpool_ = shpool;
    shpool->log_nomem = 0;
    const std::size_t size = region_bytes(zone, shpool);
    void* pages = size == 0 ? nullptr : ngx_slab_alloc(shpool, size);
    if (pages == nullptr) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" is too small, %uz bytes",
                      &zone->shm.name, zone->shm.size);
        return {};
    }
    const std::span<std::byte> region(static_cast<std::byte*>(pages), size);
    const Mapped mapped = map_region(zone, kind, region, base.memory_);
    if (mapped == Mapped::failed) {
        return {};
    }
    shpool->data = pages;
    // The semaphore that belongs to a slab mutex would wake processes of this generation only.
    shpool->mutex.lock = &reinterpret_cast<RegionHead*>(pages)->lock;
#if (NGX_HAVE_POSIX_SEM)
    shpool->mutex.semaphore = 0;
#endif
    return {behind_head(region), mapped == Mapped::inherited};
}

std::span<std::byte> keep_region(ngx_shm_zone_t* zone, const RegionKind& kind,
                                 const ZoneBase* old) noexcept {
    auto* shpool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    auto& base = *static_cast<ZoneBase*>(zone->data);
    base.shpool_ = shpool;
    auto* start = static_cast<std::byte*>(shpool->data);
    auto* first = reinterpret_cast<std::byte*>(zone->shm.addr);
    if (start == nullptr || start < first || start + sizeof(RegionHead) > first + zone->shm.size) {
        return {};
    }
    const auto& head = *reinterpret_cast<const RegionHead*>(start);
    if (head.kind != kind.magic || head.layout != kind.layout ||
        head.bytes > static_cast<std::size_t>(first + zone->shm.size - start)) {
        return {};
    }
    if (old != nullptr) {
        share_memory(old->memory_, base.memory_, zone->shm.log);
    }
    return behind_head({start, static_cast<std::size_t>(head.bytes)});
}

}  // namespace oidc::ngx
