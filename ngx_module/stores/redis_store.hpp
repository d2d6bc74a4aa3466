// SPDX-License-Identifier: Apache-2.0
// RedisStore: sessions in Redis, for several nginx machines. What a node has read, its workers may
// go on with for `local_copy` seconds; so hot requests rarely wait, and a logout on another node
// takes effect within that time. Redis 7.0 or Valkey is needed (EXPIRE GT).
#pragma once

#include <memory>

#include "config/conf.hpp"
#include "stores/redis_calls.hpp"
#include "stores/redis_copies.hpp"
#include "stores/redis_insertion.hpp"
#include "stores/redis_leases.hpp"
#include "stores/redis_lookups.hpp"
#include "stores/redis_owners.hpp"
#include "stores/redis_records.hpp"
#include "stores/redis_sessions.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class RedisStore final : public SessionStore {
  public:
    // Registers the zone of the local copies and loads certificates. Null: an error was logged.
    static std::unique_ptr<SessionStore> make(ngx_conf_t* cf, const Store& store);
    // Borrows the store's configuration.
    RedisStore(const Store& store, ngx_shm_zone_t* zone, ngx_ssl_t* ssl);

    ngx_int_t init_process(ngx_cycle_t* cycle) noexcept override;
    void exit_process() noexcept override;

    Find find(const Query& query, Found& out) noexcept override;
    Ticket ask(const Query& query, Done<std::optional<Found>> done) override;
    bool key_of(const Query& query, Digest& key) noexcept override;
    Ticket insert(NewSession session, Done<Inserted> done) override;
    Ticket erase(std::vector<Digest> keys, Done<Unit> done) override;
    Ticket erase_owner(RecordTable::Tag which, std::uint64_t tag, Done<Ended> done) override;
    Ticket list_owner(RecordTable::Tag which, std::uint64_t tag,
                      Done<std::vector<RecordTable::Listed>> done) override;
    Ticket alive(const SessionRef& session, Done<bool> done) override;
    Ticket use_once(const Digest& digest, Seconds until, Done<bool> done) override;
    Ticket is_used(const Digest& digest, Done<bool> done) override;
    Lease try_lease(const SessionRef& session, const SessionView& view,
                    Seconds seconds) noexcept override;
    Ticket confirm_lease(const SessionRef& session, Seconds seconds, Done<bool> done) override;
    Ticket update(const SessionRef& session, Secret record,
                  Done<RecordTable::Update> done) override;
    void release(const SessionRef& session, Seconds not_before) noexcept override;
    void cancel(Ticket ticket) noexcept override;
    // Of the local copies.
    RecordTable::Stats stats() noexcept override;
    // Of this worker; null outside of one.
    [[nodiscard]] const RedisPool* pool() const noexcept { return calls_.pool(); }

  private:
    const Store& store_;
    ngx_ssl_t* ssl_;
    RedisCalls calls_;
    RedisRecords records_;
    RedisCopies copies_;
    RedisLookups lookups_;
    RedisOwners owners_;
    RedisInsertion insertion_;
    RedisSessions sessions_;
    RedisLeases leases_;
};

}  // namespace oidc::ngx
