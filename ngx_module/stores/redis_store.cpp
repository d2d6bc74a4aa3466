// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_store.hpp"

#include <algorithm>

#include "stores/redis_tls.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {

// ---- life --------------------------------------------------------------------------------------

std::unique_ptr<SessionStore> RedisStore::make(ngx_conf_t* cf, const Store& store) {
    ngx_shm_zone_t* zone = SessionZone::add(cf, store.name + ":redis", store.size);
    ngx_ssl_t* ssl =
        zone != nullptr && store.redis.ssl ? redis_tls_create(cf, store.redis.ca_file) : nullptr;
    if (zone == nullptr || (store.redis.ssl && ssl == nullptr)) {
        return nullptr;
    }
    return std::make_unique<RedisStore>(store, zone, ssl);
}

RedisStore::RedisStore(const Store& store, ngx_shm_zone_t* zone, ngx_ssl_t* ssl)
    : store_(store),
      ssl_(ssl),
      records_(store),
      copies_(zone, store.redis.local_copy),
      lookups_(calls_, records_, copies_),
      owners_(calls_, records_, copies_, lookups_),
      insertion_(calls_, records_, copies_, lookups_, owners_),
      sessions_(calls_, records_, copies_, lookups_, owners_),
      leases_(calls_, records_, copies_, store.redis.timeout) {}

ngx_int_t RedisStore::init_process(ngx_cycle_t* cycle) noexcept try {
    calls_.start(std::make_unique<RedisPool>(store_.name, store_.redis, ssl_, cycle->log));
    return NGX_OK;
} catch (...) {
    return NGX_ERROR;
}

void RedisStore::exit_process() noexcept {
    calls_.stop();
    lookups_.stop();
}

void RedisStore::cancel(Ticket ticket) noexcept {
    calls_.cancel(ticket);
}

RecordTable::Stats RedisStore::stats() noexcept {
    return copies_.stats();
}

// ---- sessions ----------------------------------------------------------------------------------

SessionStore::Find RedisStore::find(const Query& query, Found& out) noexcept {
    return lookups_.find(query, out);
}

SessionStore::Ticket RedisStore::ask(const Query& query, Done<std::optional<Found>> done) {
    return lookups_.ask(query, std::move(done));
}

bool RedisStore::key_of(const Query& query, Digest& key) noexcept {
    bool failed = false;
    return session_key(query.cookie, key, failed);
}

SessionStore::Ticket RedisStore::insert(NewSession session, Done<Inserted> done) {
    return insertion_.insert(std::move(session), std::move(done));
}

SessionStore::Ticket RedisStore::erase(std::vector<Digest> keys, Done<Unit> done) {
    return sessions_.erase(std::move(keys), std::move(done));
}

SessionStore::Ticket RedisStore::erase_owner(RecordTable::Tag which, std::uint64_t tag,
                                             Done<Ended> done) {
    return owners_.erase(which, tag, std::move(done));
}

SessionStore::Ticket RedisStore::list_owner(RecordTable::Tag which, std::uint64_t tag,
                                            Done<std::vector<RecordTable::Listed>> done) {
    return owners_.list(which, tag, std::move(done));
}

SessionStore::Ticket RedisStore::alive(const SessionRef& session, Done<bool> done) {
    return sessions_.alive(session, std::move(done));
}

SessionStore::Ticket RedisStore::use_once(const Digest& digest, Seconds until, Done<bool> done) {
    return calls_.open<bool>(std::move(done), [&](const RedisCalls::CallPtr<bool>& call) {
        const Seconds left = std::max<Seconds>(until - ngx_time(), 1);
        RedisBatch batch;
        batch.add({"SET", records_.used_name(digest), "1", "NX", "PX", milliseconds(left)});
        batch.once();
        const auto used = [this, call](const RedisCalls::Replies& replies) {
            if (replies[0].is_error()) {
                calls_.answer<bool>(call, redis_error("a value that is used once", replies[0]));
            } else {
                calls_.answer<bool>(call, replies[0].is_ok());
            }
        };
        calls_.exchange(call, std::move(batch), used);
    });
}

SessionStore::Ticket RedisStore::is_used(const Digest& digest, Done<bool> done) {
    return calls_.open<bool>(std::move(done), [&](const RedisCalls::CallPtr<bool>& call) {
        RedisBatch batch;
        batch.add({"EXISTS", records_.used_name(digest)});
        const auto looked = [this, call](const RedisCalls::Replies& replies) {
            if (replies[0].is_error()) {
                calls_.answer<bool>(call,
                                    redis_error("a look at a value that is used once", replies[0]));
            } else {
                calls_.answer<bool>(call, replies[0].integer != 0);
            }
        };
        calls_.exchange(call, std::move(batch), looked);
    });
}

// ---- refresh -----------------------------------------------------------------------------------

SessionStore::Lease RedisStore::try_lease(const SessionRef& session, const SessionView& /*view*/,
                                          Seconds seconds) noexcept {
    return leases_.try_lease(session, seconds);
}

SessionStore::Ticket RedisStore::confirm_lease(const SessionRef& session, Seconds seconds,
                                               Done<bool> done) {
    return leases_.confirm(session, seconds, std::move(done));
}

SessionStore::Ticket RedisStore::update(const SessionRef& session, Secret record,
                                        Done<RecordTable::Update> done) {
    return sessions_.update(session, std::move(record), std::move(done));
}

void RedisStore::release(const SessionRef& session, Seconds not_before) noexcept {
    leases_.release(session, not_before);
}

}  // namespace oidc::ngx
