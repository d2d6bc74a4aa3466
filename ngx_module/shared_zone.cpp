#include "shared_zone.hpp"

#include <new>

namespace oidc::ngx {

std::span<std::byte> take_region(ngx_shm_zone_t* zone, std::uint64_t magic) noexcept {
    auto* shpool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    shpool->log_nomem = 0;
    void* memory = ngx_slab_alloc(shpool, sizeof(ZoneAnchor));
    if (memory == nullptr) {
        return {};
    }
    const std::size_t size = shpool->pfree * ngx_pagesize;
    void* region = size == 0 ? nullptr : ngx_slab_alloc(shpool, size);
    if (region == nullptr) {
        return {};
    }
    auto* start = static_cast<std::byte*>(region);
    const auto offset =
        static_cast<std::uint64_t>(start - reinterpret_cast<std::byte*>(zone->shm.addr));
    shpool->data = new (memory) ZoneAnchor{magic, offset, size};
    return {start, size};
}

std::span<std::byte> find_region(ngx_shm_zone_t* zone, std::uint64_t magic) noexcept {
    auto* shpool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    const auto* anchor = static_cast<const ZoneAnchor*>(shpool->data);
    if (anchor == nullptr || anchor->magic != magic || anchor->offset > zone->shm.size ||
        anchor->size > zone->shm.size - anchor->offset) {
        return {};
    }
    return {reinterpret_cast<std::byte*>(zone->shm.addr) + anchor->offset, anchor->size};
}

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
