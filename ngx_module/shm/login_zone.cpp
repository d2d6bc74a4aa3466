// SPDX-License-Identifier: Apache-2.0
#include "shm/login_zone.hpp"

#include <atomic>
#include <new>

#include "base/ports_ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

// At the start of the region, followed by the table of used states. No constructor runs on a region
// that is taken over, so everything in it is plain data.
struct LoginZone::Shared {
    AeadKey key;            // seals pending logins
    std::uint32_t started;  // logins; earlier builds have left it 0
};

namespace {

constexpr std::size_t kZoneBytes = 640 * 1024;
constexpr std::size_t kOnceBytes = 512 * 1024;
constexpr std::size_t kOnceOffset = 64;
static_assert(sizeof(LoginZone::Shared) <= kOnceOffset);

bool has_room(std::span<const std::byte> memory) noexcept {
    return memory.size() >= kOnceOffset + kOnceBytes;
}

constexpr RegionKind kKind{0x314e474c4344494fULL,  // "OIDCLGN1"
                           1, has_room};

}  // namespace

struct LoginZoneInit {
    static LoginZone* from_base(void* data) noexcept {
        return static_cast<LoginZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
};

ngx_int_t LoginZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    auto& self = *from_base(zone->data);
    Region region;
    const bool kept = data != nullptr || zone->shm.exists;
    if (kept) {
        region.memory = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    } else {
        region = take_region(zone, kKind);
    }
    if (!has_room(region.memory)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: zone \"%V\" cannot be set up",
                      &zone->shm.name);
        return NGX_ERROR;
    }
    self.shared_ = reinterpret_cast<LoginZone::Shared*>(region.memory.data());
    if (kept || region.inherited) {
        return NGX_OK;
    }
    OnceTable::create(self.used_states());
    OpensslRandom random;
    if (!random.fill(self.shared_->key)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: no randomness for a key");
        return NGX_ERROR;
    }
    return NGX_OK;
}

ngx_shm_zone_t* LoginZone::add(ngx_conf_t* cf) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(LoginZone));
    if (memory == nullptr) {
        return nullptr;
    }
    return add_zone(cf, kName, kZoneBytes, new (memory) LoginZone(), LoginZoneInit::init,
                    "the zone name is reserved:");
}

LoginZone* LoginZone::of(const ngx_shm_zone_t& zone) noexcept {
    return LoginZoneInit::from_base(zone.data);
}

LoginZone* LoginZone::find_zone(const volatile ngx_cycle_t* cycle) noexcept {
    LoginZone* out = nullptr;
    for_each_zone(cycle, [&out](const ngx_shm_zone_t& zone) {
        if (zone.init == LoginZoneInit::init) {
            out = of(zone);
        }
    });
    return out;
}

LoginZone* LoginZone::running() noexcept {
    const MainConf* conf = running_main_conf();
    return conf == nullptr || conf->login_zone == nullptr ? nullptr : of(*conf->login_zone);
}

std::span<std::byte> LoginZone::used_states() const noexcept {
    return {reinterpret_cast<std::byte*>(shared_) + kOnceOffset, kOnceBytes};
}

void LoginZone::read_key(AeadKey& out) noexcept {
    ZoneLock lock(shpool_);
    out = shared_->key;
}

std::uint32_t LoginZone::next_login() noexcept {
    return std::atomic_ref<std::uint32_t>(shared_->started).fetch_add(1, std::memory_order_relaxed);
}

bool LoginZone::use_state(std::string_view state, Seconds expires, Seconds now) noexcept {
    Digest digest{};
    Sha256* sha256 = worker_sha256();
    if (sha256 == nullptr || !sha256->digest(as_bytes(state), digest)) {
        return false;
    }
    return use_once(digest, expires, now);
}

void LoginZone::forget_state(std::string_view state) noexcept {
    Digest digest{};
    Sha256* sha256 = worker_sha256();
    if (sha256 != nullptr && sha256->digest(as_bytes(state), digest)) {
        ZoneLock lock(shpool_);
        OnceTable::attach(used_states()).forget(digest);
    }
}

bool LoginZone::use_once(const Digest& digest, Seconds expires, Seconds now) noexcept {
    ZoneLock lock(shpool_);
    return OnceTable::attach(used_states()).use(digest, expires, now);
}

bool LoginZone::is_used(const Digest& digest, Seconds now) const noexcept {
    ZoneLock lock(shpool_);
    return OnceTable::attach(used_states()).knows(digest, now);
}

}  // namespace oidc::ngx
