// SPDX-License-Identifier: Apache-2.0
// CookieZone: a RevocationList in nginx's shared memory, under the slab mutex.
#pragma once

#include "base/ngx.hpp"
#include "oidc/revocation_list.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class CookieZone : private ZoneBase {
  public:
    // Registers the zone `name` with `size` bytes. A reload with the same name and size adopts the
    // list, and so does the binary of an upgrade. With another size it cannot be kept, so the
    // sessions that have begun until then end (logged). Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf, const std::string& name, std::size_t size) noexcept;
    static CookieZone& of(const ngx_shm_zone_t& zone) noexcept;

    // What use(list) answers, called under the lock; it must not throw.
    template <class Use>
    auto with(Use&& use) noexcept {
        ZoneLock lock(shpool_);
        RevocationList list = RevocationList::attach(region_);
        return use(list);
    }

    static RevocationList::Stamp clock() noexcept;
    static RevocationList::Now now() noexcept { return {ngx_time(), clock()}; }

    // Starts the cancelable timer that drops what has expired; one worker does it for all.
    ngx_int_t start_sweeper(ngx_cycle_t* cycle) noexcept;

  private:
    friend struct CookieZoneInit;
    std::span<std::byte> region_;
};

}  // namespace oidc::ngx
