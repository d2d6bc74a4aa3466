// SPDX-License-Identifier: Apache-2.0
#include "shm/metadata_zone.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <vector>

#include "oidc/crypto.hpp"

namespace oidc::ngx {

// At the start of the zone's region, followed by the slots. No constructor runs on a region that is
// taken over, so everything in it is plain data.
struct MetadataZone::Shared {
    std::uint64_t slots;
};

namespace {

using Shared = MetadataZone::Shared;

// Slots come in powers of two, with some to spare: a provider more or less seldom changes the
// zone's size, and the two generations of an upgrade may have different providers.
constexpr std::size_t kMinSlots = 8;
constexpr std::size_t kZoneBase = 256 * 1024;
constexpr std::size_t kZonePerProvider = sizeof(SharedProvider) + 64 * 1024;
constexpr std::size_t kSlotsOffset = 16 * 1024;
static_assert(sizeof(Shared) <= kSlotsOffset);

bool has_slots(std::span<const std::byte> memory) noexcept {
    if (memory.size() < kSlotsOffset) {
        return false;
    }
    const auto& shared = *reinterpret_cast<const Shared*>(memory.data());
    return shared.slots <= (memory.size() - kSlotsOffset) / sizeof(SharedProvider);
}

constexpr RegionKind kKind{0x3344544d4344494fULL,  // "OIDCMTD3"
                           std::uint64_t{sizeof(Shared)} << 32 | sizeof(SharedProvider), has_slots};

std::size_t slots_for(std::size_t providers) noexcept {
    return std::bit_ceil(std::max(providers + providers / 2, kMinSlots));
}

SharedProvider* slots(Shared* shared) noexcept {
    return reinterpret_cast<SharedProvider*>(reinterpret_cast<std::byte*>(shared) + kSlotsOffset);
}

// Everything that decides what the documents are and how far they are to be trusted: after a change
// of it, what an earlier configuration fetched is not used.
Digest slot_id(const Provider& provider) {
    const ProviderConfig& config = provider.config;
    const Transport& transport = provider.transport;
    return sha256_fields({config.name, config.issuer, config.config_url, config.jwks_uri,
                          transport.ca_file, transport.crl_file, transport.http_proxy,
                          transport.insecure_http ? "http" : "https"});
}

SharedProvider* find_slot(Shared* shared, const Digest& id) noexcept {
    SharedProvider* const first = slots(shared);
    SharedProvider* const end = first + shared->slots;
    SharedProvider* const found =
        std::find_if(first, end, [&id](const SharedProvider& slot) { return slot.id == id; });
    return found == end ? nullptr : found;
}

// Makes `slot` an empty one of this id.
void take_slot(SharedProvider& slot, const Digest& id) noexcept {
    // The large texts are left as they are: `active` says that they mean nothing.
    std::memset(static_cast<void*>(&slot), 0, offsetof(SharedProvider, metadata));
    for (SharedDocument* document : {&slot.metadata, &slot.keys}) {
        document->active = 0;
        document->known_age = 0;
    }
    slot.id = id;
}

bool is_free(const SharedProvider& slot) noexcept {
    return slot.id == Digest{};
}

// Gives every provider of the configuration its slot. When none is free any more, those go that no
// provider of it has: workers of another configuration see that theirs is gone. Precondition: the
// lock is held, or nobody else has the zone yet.
ngx_int_t assign_slots(Shared* shared, const MainConf& conf, ngx_log_t* log) {
    std::vector<Digest> ids;
    for (const auto& provider : conf.providers) {
        ids.push_back(slot_id(*provider));
    }
    SharedProvider* const first = slots(shared);
    SharedProvider* const end = first + shared->slots;
    for (const Digest& id : ids) {
        if (find_slot(shared, id) != nullptr) {
            continue;
        }
        SharedProvider* taken = std::find_if(first, end, is_free);
        if (taken == end) {
            taken = std::find_if(first, end, [&ids](const SharedProvider& slot) {
                return std::find(ids.begin(), ids.end(), slot.id) == ids.end();
            });
        }
        if (taken == end) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "oidc: the metadata zone has no free slot");
            return NGX_ERROR;
        }
        take_slot(*taken, id);
    }
    return NGX_OK;
}

// A reload with a far larger number of providers gets another zone: the documents of the providers
// that stay move over. Precondition: the lock of `from` is held.
void move_documents(Shared* from, Shared* to, const MainConf& conf) {
    for (const auto& provider : conf.providers) {
        const Digest id = slot_id(*provider);
        const SharedProvider* source = find_slot(from, id);
        SharedProvider* target = find_slot(to, id);
        if (source == nullptr || target == nullptr) {
            continue;
        }
        std::memcpy(target, source, offsetof(SharedProvider, metadata));
        target->owner = 0;  // a fetch of the old workers does not end here
        for (auto document : {&SharedProvider::metadata, &SharedProvider::keys}) {
            (target->*document).active = 0;
            if ((source->*document).active != 0) {
                (target->*document).put((source->*document).view());
            }
            (target->*document).fetched = (source->*document).fetched;
            (target->*document).known_age = (source->*document).known_age;
        }
    }
}

}  // namespace

struct MetadataZoneInit {
    static MetadataZone& from_base(void* data) noexcept {
        return *static_cast<MetadataZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
    static ngx_int_t init_fresh(ngx_shm_zone_t* zone, MetadataZone& self,
                                std::span<std::byte> memory);
};

ngx_int_t MetadataZoneInit::init_fresh(ngx_shm_zone_t* zone, MetadataZone& self,
                                       std::span<std::byte> memory) {
    const std::size_t count = slots_for(self.conf_->providers.size());
    if (memory.size() < kSlotsOffset + count * sizeof(SharedProvider)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: no memory for the metadata zone");
        return NGX_ERROR;
    }
    self.shared_ = new (memory.data()) Shared{};
    self.shared_->slots = count;
    if (assign_slots(self.shared_, *self.conf_, zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }
    const ngx_shm_zone_t* running = running_zone(zone);
    if (running != nullptr && running->tag == zone->tag) {
        const MetadataZone& old = from_base(running->data);
        ZoneLock lock(old.shpool_);
        move_documents(old.shared_, self.shared_, *self.conf_);
    }
    return NGX_OK;
}

ngx_int_t MetadataZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept try {
    auto& self = from_base(zone->data);
    std::span<std::byte> memory;
    if (data == nullptr && !zone->shm.exists) {
        const Region region = take_region(zone, kKind);
        if (!region.inherited) {
            return init_fresh(zone, self, region.memory);
        }
        memory = region.memory;
    } else {
        memory = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
    }
    if (!has_slots(memory)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "oidc: the metadata zone is of another build of the module");
        return NGX_ERROR;
    }
    self.shared_ = reinterpret_cast<Shared*>(memory.data());
    ZoneLock lock(self.shpool_);
    return assign_slots(self.shared_, *self.conf_, zone->shm.log);
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: the metadata zone cannot be set up");
    return NGX_ERROR;
}

ngx_shm_zone_t* MetadataZone::add(ngx_conf_t* cf, const MainConf& conf) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(MetadataZone));
    if (memory == nullptr) {
        return nullptr;
    }
    auto* self = new (memory) MetadataZone();
    self->conf_ = &conf;
    const std::size_t size = kZoneBase + slots_for(conf.providers.size()) * kZonePerProvider;
    return add_zone(cf, "oidc_metadata", size, self, MetadataZoneInit::init,
                    "the zone name is reserved:");
}

MetadataZone& MetadataZone::of(const ngx_shm_zone_t& zone) noexcept {
    return MetadataZoneInit::from_base(zone.data);
}

ProviderSlot MetadataZone::slot(const Provider& provider) noexcept try {
    const Digest id = slot_id(provider);
    ZoneLock lock(shpool_);
    return ProviderSlot(shpool_, find_slot(shared_, id), id);
} catch (...) {
    return {};
}

}  // namespace oidc::ngx
