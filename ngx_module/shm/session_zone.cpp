// SPDX-License-Identifier: Apache-2.0
#include "shm/session_zone.hpp"

#include <new>

namespace oidc::ngx {

namespace {

constexpr RegionKind kKind{0x315453534344494fULL,  // "OIDCSST1"
                           RecordTable::layout(), RecordTable::is_table};

}  // namespace

struct SessionZoneInit {
    static SessionZone* from_base(void* data) noexcept {
        return static_cast<SessionZone*>(static_cast<ZoneBase*>(data));
    }
    static ngx_int_t init(ngx_shm_zone_t* zone, void* data) noexcept;
};

// The ways a zone comes to a configuration: taken over by a reload, found in memory that outlived
// the process (Windows), shared with the binary before an upgrade, or new.
ngx_int_t SessionZoneInit::init(ngx_shm_zone_t* zone, void* data) noexcept {
    auto& self = *from_base(zone->data);

    if (data != nullptr || zone->shm.exists) {
        self.region_ = keep_region(zone, kKind, static_cast<const ZoneBase*>(data));
        if (self.region_.empty()) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "oidc: session store \"%V\" holds foreign data", &zone->shm.name);
            return NGX_ERROR;
        }
        // Workers of the running configuration may be writing.
        ZoneLock lock(self.shpool_);
        if (!RecordTable::is_table(self.region_)) {
            ngx_log_error(NGX_LOG_ERR, zone->shm.log, 0,
                          "oidc: session store \"%V\" is damaged, it starts empty",
                          &zone->shm.name);
            RecordTable::create(self.region_);
        }
        return NGX_OK;
    }

    const Region region = take_region(zone, kKind);
    if (region.memory.size() < RecordTable::min_size()) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "oidc: session store \"%V\" is too small, %uz bytes", &zone->shm.name,
                      zone->shm.size);
        return NGX_ERROR;
    }
    self.region_ = region.memory;
    if (region.inherited) {
        return NGX_OK;
    }
    RecordTable::create(self.region_);

    const ngx_shm_zone_t* old = running_zone(zone);
    if (old != nullptr && old->tag == zone->tag) {
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      "oidc: size of session store \"%V\" changed from %uz to %uz bytes, "
                      "its sessions are dropped",
                      &zone->shm.name, old->shm.size, zone->shm.size);
    } else if (old != nullptr) {
        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      "oidc: the module was replaced, sessions of store \"%V\" are dropped",
                      &zone->shm.name);
    }
    return NGX_OK;
}

ngx_shm_zone_t* SessionZone::add(ngx_conf_t* cf, const std::string& name,
                                 std::size_t size) noexcept {
    void* memory = ngx_palloc(cf->pool, sizeof(SessionZone));
    if (memory == nullptr) {
        return nullptr;
    }
    return add_zone(cf, name, size, new (memory) SessionZone(), SessionZoneInit::init,
                    "duplicate session store");
}

SessionZone* SessionZone::find_zone(ngx_cycle_t* cycle, std::string_view name,
                                    const ngx_shm_zone_t** found) noexcept {
    SessionZone* out = nullptr;
    for_each_zone(cycle, [&](const ngx_shm_zone_t& zone) {
        if (zone.init == SessionZoneInit::init && view(zone.shm.name) == name) {
            out = SessionZoneInit::from_base(zone.data);
            if (found != nullptr) {
                *found = &zone;
            }
        }
    });
    return out;
}

void SessionZone::clear() noexcept {
    ZoneLock lock(shpool_);
    RecordTable::create(region_);
}

ngx_int_t SessionZone::find(const Digest& key, const Digest& binding, Seconds now, bool touch,
                            ngx_pool_t* pool, Lookup& out) noexcept {
    out = Lookup{};
    u_char* copy = nullptr;
    RecordTable::Found found;
    {
        ZoneLock lock(shpool_);
        RecordTable table = RecordTable::attach(region_);
        if (table.find(key, binding, now, touch, found) != RecordTable::Find::found) {
            return NGX_OK;
        }
        copy = static_cast<u_char*>(ngx_pnalloc(pool, found.size));
        if (copy == nullptr) {
            return NGX_ERROR;
        }
        table.copy(found, {copy, found.size});
    }
    auto view = SessionView::open({reinterpret_cast<const char*>(copy), found.size});
    if (!view) {
        // A record that another version wrote: nobody's session.
        return NGX_OK;
    }
    out.found = true;
    out.view = *view;
    out.expires = found.expires;
    return NGX_OK;
}

bool SessionZone::alive(const Digest& key, const Digest& binding, Seconds now) noexcept {
    ZoneLock lock(shpool_);
    RecordTable::Found found;
    return RecordTable::attach(region_).find(key, binding, now, false, found) ==
           RecordTable::Find::found;
}

ngx_int_t SessionZone::read(const Digest& key, const Digest& binding, Seconds now, ngx_pool_t* pool,
                            std::string_view& out) noexcept {
    out = {};
    ZoneLock lock(shpool_);
    RecordTable table = RecordTable::attach(region_);
    RecordTable::Found found;
    if (table.find(key, binding, now, false, found) != RecordTable::Find::found) {
        return NGX_OK;
    }
    auto* copy = static_cast<u_char*>(ngx_pnalloc(pool, found.size));
    if (copy == nullptr) {
        return NGX_ERROR;
    }
    table.copy(found, {copy, found.size});
    out = {reinterpret_cast<const char*>(copy), found.size};
    return NGX_OK;
}

RecordTable::Insert SessionZone::insert(const Digest& key, const RecordTable::Meta& meta,
                                        ByteView record, Seconds now) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).insert(key, meta, record, now);
}

bool SessionZone::erase(const Digest& key) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).erase(key);
}

RecordTable::Update SessionZone::update(const Digest& key, const Digest& binding, ByteView record,
                                        Seconds now) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).update(key, binding, record, now);
}

bool SessionZone::lease(const Digest& key, const Digest& binding, Seconds now,
                        Seconds seconds) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).lease(key, binding, now, seconds);
}

void SessionZone::release(const Digest& key, const Digest& binding, Seconds not_before,
                          Seconds now) noexcept {
    ZoneLock lock(shpool_);
    RecordTable::attach(region_).release(key, binding, not_before, now);
}

std::size_t SessionZone::erase_tagged(RecordTable::Tag which, std::uint64_t tag,
                                      const Digest* binding, Seconds now) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).erase_tagged(which, tag, binding, now);
}

std::size_t SessionZone::list_tagged(RecordTable::Tag which, std::uint64_t tag, Seconds now,
                                     std::span<RecordTable::Listed> out) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).list_tagged(which, tag, now, out);
}

std::size_t SessionZone::keep_newest(std::uint64_t sub_tag, const Digest& binding,
                                     std::size_t limit, Seconds now,
                                     const Digest* spared) noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).keep_newest(sub_tag, binding, limit, now, spared);
}

RecordTable::Stats SessionZone::stats() noexcept {
    ZoneLock lock(shpool_);
    return RecordTable::attach(region_).stats();
}

bool SessionZone::try_sweep(std::size_t buckets, Seconds now) noexcept {
    if (!try_lock_zone(shpool_)) {
        return false;
    }
    RecordTable::attach(region_).sweep(buckets, now);
    unlock_zone(shpool_);
    return true;
}

bool SessionZone::is_one(const ngx_shm_zone_t& zone) noexcept {
    return zone.init == SessionZoneInit::init;
}

SessionZone& SessionZone::of(const ngx_shm_zone_t& zone) noexcept {
    return *SessionZoneInit::from_base(zone.data);
}

}  // namespace oidc::ngx
