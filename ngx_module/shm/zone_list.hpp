// SPDX-License-Identifier: Apache-2.0
// The zones of this module in a configuration.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// Calls visit(zone) for the zones of this module.
template <class Visit>
void for_each_zone(const volatile ngx_cycle_t* cycle, Visit&& visit) {
    for (auto* part = const_cast<ngx_list_part_t*>(&cycle->shared_memory.part); part != nullptr;
         part = part->next) {
        auto* zones = static_cast<ngx_shm_zone_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (zones[i].tag == &ngx_http_auth_oidc_module && zones[i].data != nullptr) {
                visit(zones[i]);
            }
        }
    }
}

// The zone of the same name in the configuration that is still running while a new one is loaded,
// null when there is none. Its data may only be read when its tag is ours: another tag is another
// build of the module. Precondition: called from a zone's init.
ngx_shm_zone_t* running_zone(const ngx_shm_zone_t* zone) noexcept;

}  // namespace oidc::ngx
