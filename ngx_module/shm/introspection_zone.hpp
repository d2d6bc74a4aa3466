// SPDX-License-Identifier: Apache-2.0
// IntrospectionZone: an IntrospectionCache in nginx's shared memory, under the slab mutex.
#pragma once

#include <string>

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/introspection_cache.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class IntrospectionZone : private ZoneBase {
  public:
    // Registers the zone `name` with `size` bytes, kMinIntrospectionCache at
    // least. A reload with the same name
    // and size goes on with what is in it, and so does the binary of an upgrade; else it starts
    // empty. Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf, const std::string& name, std::size_t size) noexcept;
    static IntrospectionZone& of(const ngx_shm_zone_t& zone) noexcept;

    // What use(cache) answers, called under the lock; it must not throw.
    template <class Use>
    auto with(Use&& use) noexcept {
        ZoneLock lock(shpool_);
        IntrospectionCache cache = IntrospectionCache::attach(region_);
        return use(cache);
    }

    // The answer that is kept; with `active`, its record in `out` and until when in `expires`.
    // Throws when memory is out.
    IntrospectionCache::Find find(const Digest& key, Seconds now, Secret& out, Seconds& expires);

  private:
    friend struct IntrospectionZoneInit;
    std::span<std::byte> region_;
};

}  // namespace oidc::ngx
