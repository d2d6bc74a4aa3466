// SPDX-License-Identifier: Apache-2.0
// What the shared memory zones of the module have in common: one lock, one region.
//
// nginx's slab allocator owns a zone; the module takes nearly all its pages as one region, once.
// The region is a file in memory (zone_memory.hpp) that the binary of an upgrade maps again. Two
// generations of nginx then work on the same region, each with a slab pool of its own; so the word
// of the slab mutex lies in the region, and there is one lock for all.
#pragma once

#include <span>

#include "base/ngx.hpp"
#include "shm/zone_list.hpp"
#include "shm/zone_memory.hpp"

#if !(NGX_HAVE_ATOMIC_OPS)
#error "nginx must be built with atomic operations (the zones are locked by them)"
#endif

namespace oidc::ngx {

// The lock is taken: waits for it, and takes it from a holder that has died with its master.
void wait_for_zone(ngx_slab_pool_t* shpool) noexcept;

inline bool try_lock_zone(ngx_slab_pool_t* shpool) noexcept {
    ngx_atomic_t* word = shpool->mutex.lock;
    return *word == 0 && ngx_atomic_cmp_set(word, 0, static_cast<ngx_atomic_uint_t>(ngx_pid)) != 0;
}

inline void unlock_zone(ngx_slab_pool_t* shpool) noexcept {
    (void)ngx_atomic_cmp_set(shpool->mutex.lock, static_cast<ngx_atomic_uint_t>(ngx_pid), 0);
}

// Holds the slab mutex of a zone: the only lock that nginx's master breaks when its holder was
// killed, so the only one that processes of this module ever share.
class ZoneLock {
  public:
    explicit ZoneLock(ngx_slab_pool_t* shpool) noexcept : shpool_(shpool) {
        if (!try_lock_zone(shpool_)) {
            wait_for_zone(shpool_);
        }
    }
    ~ZoneLock() { unlock_zone(shpool_); }
    ZoneLock(const ZoneLock&) = delete;
    ZoneLock& operator=(const ZoneLock&) = delete;

  private:
    ngx_slab_pool_t* shpool_;
};

// Registers a zone of the module with this init, and `base` as its data. A name that the
// configuration has given to two zones of the module is refused, `duplicate` is the message before
// it. Null: an error was logged.
ngx_shm_zone_t* add_zone(ngx_conf_t* cf, std::string_view name, std::size_t size, ZoneBase* base,
                         ngx_shm_zone_init_pt init, const char* duplicate) noexcept;

struct Region {
    std::span<std::byte> memory;  // aligned to 64 bytes; empty: an error was logged
    bool inherited = false;       // another generation of nginx works in it; else all zero
};

// Takes the pages of a new zone as one region: the one of this name, kind and size that the binary
// before an upgrade left, else a fresh one.
Region take_region(ngx_shm_zone_t* zone, const RegionKind& kind) noexcept;
// The region of a zone that a reload goes on with; `old` is the zone's data in the configuration
// before. Empty: it holds something else.
std::span<std::byte> keep_region(ngx_shm_zone_t* zone, const RegionKind& kind,
                                 const ZoneBase* old) noexcept;

}  // namespace oidc::ngx
