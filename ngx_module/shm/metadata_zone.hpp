// SPDX-License-Identifier: Apache-2.0
// MetadataZone: the providers' documents in shared memory, a slot for each provider.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "shm/metadata_slot.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class MetadataZone : private ZoneBase {
  public:
    // Registers the zone; conf.providers must be complete. Keeps a reference to `conf`.
    static ngx_shm_zone_t* add(ngx_conf_t* cf, const MainConf& conf) noexcept;
    static MetadataZone& of(const ngx_shm_zone_t& zone) noexcept;

    // The provider's place in shared memory.
    ProviderSlot slot(const Provider& provider) noexcept;

    struct Shared;  // in shared memory

  private:
    friend struct MetadataZoneInit;
    Shared* shared_ = nullptr;
    const MainConf* conf_ = nullptr;
};

}  // namespace oidc::ngx
