// SPDX-License-Identifier: Apache-2.0
// SessionZone: a RecordTable in nginx's shared memory, under the slab mutex.
#pragma once

#include "base/ngx.hpp"
#include "oidc/bytes.hpp"
#include "oidc/record_table.hpp"
#include "oidc/session.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class SessionZone : private ZoneBase {
  public:
    // Registers the zone `name` with `size` bytes; the zone's data is a SessionZone in cf->pool. A
    // reload and a binary upgrade with the same name and size go on with the sessions; another size
    // starts empty (logged). Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf, const std::string& name, std::size_t size) noexcept;

    // Looks up by the SHA-256 of the session id and copies the record into `pool`.
    // found=false with NGX_OK: no such session. NGX_ERROR: no memory; the caller denies.
    struct Lookup {
        bool found = false;
        SessionView view;
        Seconds expires = 0;
    };
    ngx_int_t find(const Digest& key, const Digest& binding, Seconds now, bool touch,
                   ngx_pool_t* pool, Lookup& out) noexcept;
    // Whether there is such a session; nothing is copied or touched.
    bool alive(const Digest& key, const Digest& binding, Seconds now) noexcept;
    // The record as it stands, copied into `pool`, in `out`; empty: there is none.
    ngx_int_t read(const Digest& key, const Digest& binding, Seconds now, ngx_pool_t* pool,
                   std::string_view& out) noexcept;
    RecordTable::Insert insert(const Digest& key, const RecordTable::Meta& meta, ByteView record,
                               Seconds now) noexcept;
    bool erase(const Digest& key) noexcept;

    // RecordTable's operations of the same names.
    RecordTable::Update update(const Digest& key, const Digest& binding, ByteView record,
                               Seconds now) noexcept;
    bool lease(const Digest& key, const Digest& binding, Seconds now, Seconds seconds) noexcept;
    void release(const Digest& key, const Digest& binding, Seconds not_before,
                 Seconds now) noexcept;
    std::size_t erase_tagged(RecordTable::Tag which, std::uint64_t tag, const Digest* binding,
                             Seconds now) noexcept;
    std::size_t list_tagged(RecordTable::Tag which, std::uint64_t tag, Seconds now,
                            std::span<RecordTable::Listed> out) noexcept;
    std::size_t keep_newest(std::uint64_t sub_tag, const Digest& binding, std::size_t limit,
                            Seconds now, const Digest* spared = nullptr) noexcept;

    RecordTable::Stats stats() noexcept;

    // Calls use(table) under the lock.
    template <class Use>
    void with_table(Use&& use) {
        ZoneLock lock(shpool_);
        use(RecordTable::attach(region_));
    }
    // Ends all sessions.
    void clear() noexcept;
    // The zone of this name in a configuration; null: it has none.
    static SessionZone* find_zone(ngx_cycle_t* cycle, std::string_view name,
                                  const ngx_shm_zone_t** found = nullptr) noexcept;

    // Drops what has expired in the next so many buckets. False: somebody else has the lock.
    bool try_sweep(std::size_t buckets, Seconds now) noexcept;
    // Calls visit(zone) for the session zones of a configuration.
    template <class Visit>
    static void for_each(const ngx_cycle_t* cycle, Visit&& visit) {
        for_each_zone(cycle, [&visit](const ngx_shm_zone_t& zone) {
            if (is_one(zone)) {
                visit(of(zone));
            }
        });
    }

  private:
    friend struct SessionZoneInit;
    static bool is_one(const ngx_shm_zone_t& zone) noexcept;
    static SessionZone& of(const ngx_shm_zone_t& zone) noexcept;
    std::span<std::byte> region_;
};

}  // namespace oidc::ngx
