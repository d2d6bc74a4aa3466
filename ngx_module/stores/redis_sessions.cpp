// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_sessions.hpp"

namespace oidc::ngx {

// ---- end ---------------------------------------------------------------------------------------

RedisCalls::Ticket RedisSessions::erase(std::vector<Digest> keys, RedisCalls::Done<Unit> done) {
    return calls_.open<Unit>(std::move(done), [&](const RedisCalls::CallPtr<Unit>& call) {
        RedisBatch batch;
        for (const Digest& key : keys) {
            lookups_.drop(key);
            const std::string name = records_.session_name(key);
            batch.add({"GETEX", name});
            batch.add({"DEL", name});
        }
        if (keys.empty()) {
            calls_.answer<Unit>(call, Unit{});
            return;
        }
        const auto erased = [this, call, keys = std::move(keys)](const Replies& replies) {
            const RedisReply* error = nullptr;
            for (std::size_t i = 0; i < keys.size(); ++i) {
                // A copy may have been made meanwhile.
                lookups_.drop(keys[i]);
                forget_owner(keys[i], replies[2 * i]);
                error = replies[2 * i + 1].is_error() ? &replies[2 * i + 1] : error;
            }
            if (error != nullptr) {
                calls_.answer<Unit>(call, redis_error("the end of a session", *error));
            } else {
                calls_.answer<Unit>(call, Unit{});
            }
        };
        calls_.exchange(call, std::move(batch), erased);
    });
}

// Takes a session that has ended out of its owners' indices. One that stays there does no harm.
void RedisSessions::forget_owner(const Digest& key, const RedisReply& value) noexcept try {
    const auto opened = records_.open(key, value);
    if (!opened) {
        return;
    }
    RedisBatch batch;
    owners_.remove(batch, opened->meta, key);
    if (!batch.names().empty()) {
        calls_.post(std::move(batch));
    }
} catch (...) {
    // It goes with the time.
}

// ---- does it live ------------------------------------------------------------------------------

RedisCalls::Ticket RedisSessions::alive(const SessionRef& session, RedisCalls::Done<bool> done) {
    return calls_.open<bool>(std::move(done), [&](const RedisCalls::CallPtr<bool>& call) {
        if (copies_.has(session.key, session.binding)) {
            calls_.answer<bool>(call, true);
            return;
        }
        // Every session of ours has an end.
        RedisBatch batch;
        const std::string name = records_.session_name(session.key);
        batch.add({"GETEX", name});  // no replica answers it
        batch.add({"PTTL", name});
        calls_.exchange(call, std::move(batch), [this, call](const Replies& replies) {
            if (const RedisReply* error = first_error(replies)) {
                calls_.answer<bool>(call, redis_error("a look at a session", *error));
            } else {
                calls_.answer<bool>(call, replies[1].integer > 0);
            }
        });
    });
}

// ---- refresh -----------------------------------------------------------------------------------

struct RedisSessions::Replacement {
    Digest key{};
    Digest binding{};
    Secret record;
    RecordTable::Meta meta;  // as it is in Redis
    Seconds end = 0;
};

RedisCalls::Ticket RedisSessions::update(const SessionRef& session, Secret record,
                                         RedisCalls::Done<Update> done) {
    return calls_.open<Update>(std::move(done), [&](const RedisCalls::CallPtr<Update>& call) {
        const auto fresh = std::make_shared<Replacement>();
        fresh->key = session.key;
        fresh->binding = session.binding;
        fresh->record = std::move(record);
        RedisBatch batch;
        const std::string name = records_.session_name(session.key);
        batch.add({"GETEX", name});  // no replica answers it
        batch.add({"PTTL", name});
        calls_.exchange(call, std::move(batch), [this, call, fresh](const Replies& replies) {
            write(call, fresh, replies);
        });
    });
}

void RedisSessions::write(const RedisCalls::CallPtr<Update>& call,
                          const std::shared_ptr<Replacement>& fresh, const Replies& read) {
    if (const RedisReply* error = first_error(read)) {
        calls_.answer<Update>(call, redis_error("a look at a session", *error));
        return;
    }
    const auto opened = records_.open_bound(fresh->key, fresh->binding, read[0]);
    if (!opened) {
        lookups_.drop(fresh->key);
        calls_.answer<Update>(call, Update::missing);
        return;
    }
    fresh->meta = opened->meta;
    fresh->end = session_end(fresh->meta, read[1].integer, ngx_time());
    auto sealed = records_.seal(fresh->key, fresh->meta, fresh->record.view());
    if (!sealed) {
        calls_.answer<Update>(call, std::move(sealed).error());
        return;
    }
    // XX: what has ended meanwhile stays ended.
    RedisBatch batch;
    batch.add({"SET", records_.session_name(fresh->key), *sealed, "XX", "KEEPTTL"});
    calls_.exchange(call, std::move(batch), [this, call, fresh](const Replies& replies) {
        written(call, *fresh, replies[0]);
    });
}

void RedisSessions::written(const RedisCalls::CallPtr<Update>& call, const Replacement& fresh,
                            const RedisReply& reply) {
    if (reply.is_error()) {
        Error error = redis_error("a refreshed session", reply);
        if (error.reason == Reason::store_full) {
            calls_.answer<Update>(call, Update::full);
        } else {
            calls_.answer<Update>(call, std::move(error));
        }
        return;
    }
    lookups_.drop(fresh.key);
    if (!reply.is_ok()) {
        calls_.answer<Update>(call, Update::missing);
        return;
    }
    copies_.keep(fresh.key, fresh.meta, fresh.record.view(), fresh.end, false);
    calls_.answer<Update>(call, Update::ok);
}

}  // namespace oidc::ngx
