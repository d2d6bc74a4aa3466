// SPDX-License-Identifier: Apache-2.0
#include "shm/proof_zone.hpp"

#include <new>

#include "base/random_reserve.hpp"
#include "config/conf.hpp"
#include "oidc/crypto.hpp"
#include "oidc/once_table.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kZoneBytes = 640 * 1024;
constexpr std::size_t kOnceBytes = 512 * 1024;
constexpr std::size_t kKeyBytes = 32;

bool has_room(std::span<const std::byte> memory) noexcept {
    return memory.size() >= kOnceBytes + kKeyBytes;
}

constexpr RegionKind kKind{0x314652504344494fULL,  // "OIDCPRF1"
                           2, has_room};

std::span<std::uint8_t> bytes_of(std::span<std::byte> memory) noexcept {
    return {reinterpret_cast<std::uint8_t*>(memory.data()), memory.size()};
}

}  // namespace

struct ProofZoneInit {
    static ProofZone* from_base(void* data) noexcept {
        return static_cast<ProofZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
};

ngx_int_t ProofZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    auto& self = *from_base(zone->data);
    const bool kept = data != nullptr || zone->shm.exists;
    Region region;
    if (kept) {
        region.memory = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    } else {
        region = take_region(zone, kKind);
    }
    const bool whole = has_room(region.memory);
    if (whole) {
        self.used_ = region.memory.first(kOnceBytes);
        self.key_ = region.memory.subspan(kOnceBytes, kKeyBytes);
    }
    const bool fresh = !kept && !region.inherited;
    if (!whole || (fresh && !RandomReserve::draw(bytes_of(self.key_)))) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" cannot be set up",
                      &zone->shm.name);
        return NGX_ERROR;
    }
    if (fresh) {
        OnceTable::create(self.used_);
    }
    return NGX_OK;
}

ngx_shm_zone_t* ProofZone::add(ngx_conf_t* cf) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(ProofZone));
    if (memory == nullptr) {
        return nullptr;
    }
    return add_zone(cf, kName, kZoneBytes, new (memory) ProofZone(), ProofZoneInit::init,
                    "the zone name is reserved:");
}

ProofZone* ProofZone::running() noexcept {
    const MainConf* conf = running_main_conf();
    return conf == nullptr || conf->proof_zone == nullptr
               ? nullptr
               : ProofZoneInit::from_base(conf->proof_zone->data);
}

bool ProofZone::use_once(const Digest& digest, Seconds expires, Seconds now) noexcept {
    Digest place{};
    if (!hmac_sha256(bytes_of(key_), digest, place)) {
        return false;
    }
    ZoneLock lock(shpool_);
    return OnceTable::attach(used_).use(place, expires, now);
}

}  // namespace oidc::ngx
