// What the shared memory zones of the module have in common.
#pragma once

#include <span>

#include "ngx.hpp"

namespace oidc::ngx {

// Holds the slab mutex of a zone: the only lock that nginx's master breaks when its holder was
// killed, so the only one that processes of this module ever share.
class ZoneLock {
  public:
    explicit ZoneLock(ngx_slab_pool_t* shpool) noexcept : shpool_(shpool) {
        ngx_shmtx_lock(&shpool_->mutex);
    }
    ~ZoneLock() { ngx_shmtx_unlock(&shpool_->mutex); }
    ZoneLock(const ZoneLock&) = delete;
    ZoneLock& operator=(const ZoneLock&) = delete;

  private:
    ngx_slab_pool_t* shpool_;
};

// Where the one region of a zone is, kept in the slab pool's `data`.
struct ZoneAnchor {
    std::uint64_t magic = 0;
    std::uint64_t offset = 0;  // from the zone's start
    std::uint64_t size = 0;
};

// Takes all free pages of a new zone as one region, zeroed by the kernel; empty when there is no
// memory for it.
std::span<std::byte> take_region(ngx_shm_zone_t* zone, std::uint64_t magic) noexcept;
// The region that take_region() laid into this zone; empty when there is none of this magic.
std::span<std::byte> find_region(ngx_shm_zone_t* zone, std::uint64_t magic) noexcept;

// The zone of the same name in the configuration that is still running while a new one is loaded,
// null when there is none. Its data may only be read when its tag is ours: another tag is another
// build of the module. Precondition: called from a zone's init.
ngx_shm_zone_t* running_zone(const ngx_shm_zone_t* zone) noexcept;

// True in processes that serve requests, false in nginx's cache helpers.
inline bool is_worker() noexcept {
    return ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
}

}  // namespace oidc::ngx
