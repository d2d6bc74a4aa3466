// SPDX-License-Identifier: Apache-2.0
#include "shm/zone_list.hpp"

namespace oidc::ngx {

ngx_shm_zone_t* running_zone(const ngx_shm_zone_t* zone) noexcept {
    // While a new configuration is loaded, ngx_cycle is still the old one.
    for (ngx_list_part_t* part = const_cast<ngx_list_part_t*>(&ngx_cycle->shared_memory.part);
         part != nullptr; part = part->next) {
        auto* zones = static_cast<ngx_shm_zone_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (&zones[i] != zone && zones[i].data != nullptr && zones[i].shm.addr != nullptr &&
                zones[i].shm.addr != zone->shm.addr &&
                view(zones[i].shm.name) == view(zone->shm.name)) {
                return &zones[i];
            }
        }
    }
    return nullptr;
}

}  // namespace oidc::ngx
