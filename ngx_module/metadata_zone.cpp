// The shared half of what is known of the providers: layout of the zone, counters, used states.
#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

#include "metadata_cache.hpp"
#include "metadata_slot.hpp"
#include "oidc/once_table.hpp"
#include "oidc/ptr.hpp"
#include "ports_ngx.hpp"
#include "shared_zone.hpp"

namespace oidc::ngx {

// At the start of the zone's region; followed by the table of used states and the slots. No
// constructor runs on a region that is taken over, so everything in it is plain data.
struct MetadataZone::Shared {
    std::uint64_t layout;  // size of this very structure and of a slot: another build differs
    std::uint64_t slots;
    AeadKey key;  // seals pending logins
    Counters counters;
};

namespace {

using Shared = MetadataZone::Shared;

constexpr std::uint64_t kMagic = 0x3244544d4344494fULL;  // "OIDCMTD2"
constexpr std::uint64_t kLayout = sizeof(Shared) << 32 | sizeof(SharedProvider);
constexpr std::size_t kZoneBase = 1024 * 1024;
constexpr std::size_t kZonePerProvider = sizeof(SharedProvider) + 64 * 1024;
constexpr std::size_t kOnceBytes = 512 * 1024;
constexpr std::size_t kOnceOffset = 16 * 1024;
constexpr std::size_t kSlotsOffset = kOnceOffset + kOnceBytes;
static_assert(sizeof(Shared) <= kOnceOffset);
static_assert(kSlotsOffset + 64 * 1024 < kZoneBase);

std::span<std::byte> once_region(Shared* shared) noexcept {
    return {reinterpret_cast<std::byte*>(shared) + kOnceOffset, kOnceBytes};
}

SharedProvider* slots(Shared* shared) noexcept {
    return reinterpret_cast<SharedProvider*>(reinterpret_cast<std::byte*>(shared) + kSlotsOffset);
}

void count(std::uint64_t& counter, std::uint64_t by = 1) noexcept {
    std::atomic_ref<std::uint64_t>(counter).fetch_add(by, std::memory_order_relaxed);
}

template <class E>
void count_of(std::uint64_t (&counters)[kCountOf<E>], E which) noexcept {
    if (which < E::count_) {
        count(counters[index_of(which)]);
    }
}

// Word by word, each as it is at that moment.
void read_words(Counters& from, Counters& to) noexcept {
    auto* source = reinterpret_cast<std::uint64_t*>(&from);
    auto* target = reinterpret_cast<std::uint64_t*>(&to);
    for (std::size_t i = 0; i < sizeof(Counters) / sizeof(std::uint64_t); ++i) {
        target[i] = std::atomic_ref<std::uint64_t>(source[i]).load(std::memory_order_relaxed);
    }
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

// Gives every provider of the configuration its slot. A slot that no provider of it has is free:
// workers of the old configuration see that it is not theirs any more. Precondition: the lock is
// held, or nobody else has the zone yet.
ngx_int_t assign_slots(MetadataZone& zone, ngx_log_t* log) {
    std::vector<Digest> ids;
    for (const auto& provider : zone.conf_->providers) {
        ids.push_back(slot_id(*provider));
    }
    Shared* shared = zone.shared_;
    SharedProvider* const end = slots(shared) + shared->slots;
    SharedProvider* next = slots(shared);
    for (const Digest& id : ids) {
        if (find_slot(shared, id) != nullptr) {
            continue;
        }
        next = std::find_if(next, end, [&ids](const SharedProvider& slot) {
            return std::find(ids.begin(), ids.end(), slot.id) == ids.end();
        });
        if (next == end) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "oidc: the metadata zone has no free slot");
            return NGX_ERROR;
        }
        take_slot(*next, id);
    }
    return NGX_OK;
}

// A reload with another number of providers gets another zone: the key, the used states, the
// counters and the documents of the providers that stay move over.
void inherit(MetadataZone& zone, MetadataZone& old) {
    ZoneLock lock(old.shpool_);
    Shared* from = old.shared_;
    Shared* to = zone.shared_;
    to->key = from->key;
    read_words(from->counters, to->counters);
    const auto used = once_region(from);
    std::copy(used.begin(), used.end(), once_region(to).begin());
    for (const auto& provider : zone.conf_->providers) {
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

ngx_int_t init_fresh(ngx_shm_zone_t* zone, MetadataZone& self) {
    const auto region = take_region(zone, kMagic);
    const std::size_t count = self.conf_->providers.size();
    if (region.size() < kSlotsOffset + count * sizeof(SharedProvider)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: no memory for the metadata zone");
        return NGX_ERROR;
    }
    auto* shared = new (region.data()) Shared{};
    shared->layout = kLayout;
    shared->slots = count;
    self.shared_ = shared;
    OnceTable::create(once_region(shared));
    OpensslRandom random;
    if (!random.fill(shared->key)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: no randomness for a key");
        return NGX_ERROR;
    }
    if (assign_slots(self, zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_shm_zone_t* old = running_zone(zone);
    if (old != nullptr && old->tag == zone->tag) {
        inherit(self, *static_cast<MetadataZone*>(old->data));
    }
    return NGX_OK;
}

ngx_int_t init_zone(ngx_shm_zone_t* zone, void* data) noexcept try {
    auto& self = *static_cast<MetadataZone*>(zone->data);
    self.shpool_ = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (data == nullptr && !zone->shm.exists) {
        return init_fresh(zone, self);
    }
    const auto region = find_region(zone, kMagic);
    self.shared_ = reinterpret_cast<Shared*>(region.data());
    if (region.empty() || self.shared_->layout != kLayout) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "oidc: the metadata zone is of another build of the module");
        return NGX_ERROR;
    }
    ZoneLock lock(self.shpool_);
    return assign_slots(self, zone->shm.log);
} catch (...) {
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "oidc: the metadata zone cannot be set up");
    return NGX_ERROR;
}

}  // namespace

ngx_shm_zone_t* MetadataZone::add(ngx_conf_t* cf, MainConf& conf) noexcept {
    ngx_str_t name = ngx_string("oidc_metadata");
    const std::size_t size = kZoneBase + conf.providers.size() * kZonePerProvider;
    void* memory = ngx_palloc(cf->pool, sizeof(MetadataZone));
    if (memory == nullptr) {
        return nullptr;
    }
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_auth_oidc_module);
    if (zone == nullptr) {
        return nullptr;
    }
    if (zone->data != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the zone name \"%V\" is reserved", &name);
        return nullptr;
    }
    auto* self = new (memory) MetadataZone();
    self->conf_ = &conf;
    zone->init = init_zone;
    zone->noreuse = 0;
    zone->data = self;
    return zone;
}

MetadataZone* MetadataZone::running() noexcept {
    // nginx's own variable is volatile, for signals.
    const MainConf* conf = cycle_main_conf(const_cast<ngx_cycle_t*>(ngx_cycle));
    return conf == nullptr || conf->metadata_zone == nullptr
               ? nullptr
               : static_cast<MetadataZone*>(conf->metadata_zone->data);
}

ProviderSlot MetadataZone::slot(const Provider& provider) noexcept try {
    const Digest id = slot_id(provider);
    ZoneLock lock(shpool_);
    return ProviderSlot(shpool_, find_slot(shared_, id), id);
} catch (...) {
    return {};
}

void MetadataZone::read_key(AeadKey& out) noexcept {
    ZoneLock lock(shpool_);
    out = shared_->key;
}

void MetadataZone::count_login() noexcept {
    count(shared_->counters.logins);
}

void MetadataZone::count_refused_login() noexcept {
    count(shared_->counters.refused_logins);
}

void MetadataZone::count_challenge() noexcept {
    count(shared_->counters.challenges);
}

void MetadataZone::count_redirect() noexcept {
    count(shared_->counters.redirects);
}

void MetadataZone::count_refusal(Reason reason) noexcept {
    count_of(shared_->counters.refusals, reason);
}

void MetadataZone::count_logout(LogoutKind kind) noexcept {
    count_of(shared_->counters.logouts, kind);
}

void MetadataZone::count_refresh(RefreshResult result) noexcept {
    count_of(shared_->counters.refreshes, result);
}

void MetadataZone::count_request(IdpEndpoint endpoint, std::optional<std::uint64_t> microseconds,
                                 std::optional<IdpFailure> failure,
                                 std::uint64_t connections) noexcept {
    if (endpoint >= IdpEndpoint::count_) {
        return;
    }
    Counters::Idp& idp = shared_->counters.idp[index_of(endpoint)];
    if (microseconds) {
        count(idp.microseconds, *microseconds);
        count(idp.buckets[latency_bucket(*microseconds)]);
    }
    if (failure) {
        count_of(idp.failures, *failure);
    }
    if (connections != 0) {
        count(shared_->counters.idp_connections, connections);
    }
}

void MetadataZone::read_counters(Counters& out) noexcept {
    read_words(shared_->counters, out);
}

bool MetadataZone::use_state(std::string_view state, Seconds expires, Seconds now) noexcept {
    Digest digest{};
    Sha256* sha256 = worker_sha256();
    if (sha256 == nullptr || !sha256->digest(as_bytes(state), digest)) {
        return false;
    }
    return use_once(digest, expires, now);
}

bool MetadataZone::use_once(const Digest& digest, Seconds expires, Seconds now) noexcept {
    ZoneLock lock(shpool_);
    return OnceTable::attach(once_region(shared_)).use(digest, expires, now);
}

}  // namespace oidc::ngx
