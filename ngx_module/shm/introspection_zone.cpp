// SPDX-License-Identifier: Apache-2.0
#include "shm/introspection_zone.hpp"

#include <new>
#include <vector>

namespace oidc::ngx {

namespace {

constexpr RegionKind kKind{0x31544e494344494fULL,  // "OIDCINT1"
                           IntrospectionCache::layout(), IntrospectionCache::is_cache};

}  // namespace

struct IntrospectionZoneInit {
    static IntrospectionZone* from_base(void* data) noexcept {
        return static_cast<IntrospectionZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
};

// Nothing of it is missed by anybody: what is damaged or of another size starts empty.
ngx_int_t IntrospectionZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    auto& self = *from_base(zone->data);
    const bool kept = data != nullptr || zone->shm.exists;
    Region region;
    if (kept) {
        region.memory = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    } else {
        region = take_region(zone, kKind);
    }
    if (region.memory.size() < IntrospectionCache::min_size()) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" cannot be set up",
                      &zone->shm.name);
        return NGX_ERROR;
    }
    self.region_ = region.memory;
    if (!kept && !region.inherited) {
        IntrospectionCache::create(self.region_);
        return NGX_OK;
    }
    // Workers of the running configuration may be writing.
    ZoneLock lock(self.shpool_);
    if (!IntrospectionCache::is_cache(self.region_)) {
        ngx_log_error(NGX_LOG_ERR, zone->shm.log, 0,
                      "oidc: zone \"%V\" is damaged, so it starts empty", &zone->shm.name);
        IntrospectionCache::create(self.region_);
    }
    return NGX_OK;
}

ngx_shm_zone_t* IntrospectionZone::add(ngx_conf_t* cf, const std::string& name,
                                       std::size_t size) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(IntrospectionZone));
    if (memory == nullptr) {
        return nullptr;
    }
    return add_zone(cf, name, size, new (memory) IntrospectionZone(), IntrospectionZoneInit::init,
                    "the zone name is reserved:");
}

IntrospectionZone& IntrospectionZone::of(const ngx_shm_zone_t& zone) noexcept {
    return *IntrospectionZoneInit::from_base(zone.data);
}

// The memory is taken outside of the lock. Another answer may have come meanwhile.
IntrospectionCache::Find IntrospectionZone::find(const Digest& key, Seconds now, Secret& out,
                                                 Seconds& expires) {
    RecordTable::Found found;
    auto result = with([&](IntrospectionCache& cache) { return cache.find(key, now, found); });
    if (result != IntrospectionCache::Find::active) {
        return result;
    }
    std::vector<std::uint8_t, CleansingAllocator<std::uint8_t>> copy(found.size);
    result = with([&](IntrospectionCache& cache) {
        const auto again = cache.find(key, now, found);
        if (again == IntrospectionCache::Find::active && found.size == copy.size()) {
            cache.copy(found, copy);
        } else if (again == IntrospectionCache::Find::active) {
            return IntrospectionCache::Find::unknown;
        }
        return again;
    });
    out.clear();
    out.append(as_text(copy));
    expires = found.expires;
    return result;
}

}  // namespace oidc::ngx
