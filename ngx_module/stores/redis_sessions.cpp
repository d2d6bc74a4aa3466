// Sessions in Redis: beginning, end, refresh.
#include <algorithm>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "stores/redis_store.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {

namespace {

// The index of an owner outlives the sessions in it.
constexpr Seconds kOwnerMargin = 60;
// Members of an owner that are looked at to keep a limit, oldest first.
constexpr std::string_view kLastMember = "999";

std::string milliseconds(Seconds seconds) {
    return std::to_string(seconds * 1000);
}

// The absolute end. Its fraction keeps sessions in order that began in the same second.
std::string score(Seconds expires) {
    const ngx_time_t* now = ngx_timeofday();
    const std::string fraction = std::to_string(1000 + now->msec);
    return std::to_string(expires) + "." + fraction.substr(1);
}

}  // namespace

// ---- beginning ---------------------------------------------------------------------------------

struct RedisStore::Insertion {
    RecordTable::Meta meta;
    Secret record;
    Inserted answer;
    std::string name;
    std::string member;
    std::vector<Digest> ending;  // the sessions that this one replaces, and those over the limit
    std::vector<std::string> leaving;  // members of the owner's index
    std::vector<OwnerMember> others;
    std::size_t limit = 0;
};

void RedisStore::add_to_owner(RedisBatch& batch, RecordTable::Tag which, std::uint64_t tag,
                              const RecordTable::Meta& meta, std::string_view member) const {
    if (tag == 0) {
        return;
    }
    const Seconds now = ngx_time();
    const std::string index = owner_name(which, tag);
    const std::string life = std::to_string(meta.expires - now + kOwnerMargin);
    batch.add({"ZREMRANGEBYSCORE", index, "-inf", std::to_string(now)});
    batch.add({"ZADD", index, score(meta.expires), member});
    // Never shorter than it was.
    batch.add({"EXPIRE", index, life, "NX"});
    batch.add({"EXPIRE", index, life, "GT"});
}

SessionStore::Ticket RedisStore::insert(NewSession session, Done<Inserted> done) {
    const OpensslErrorGuard guard;
    const auto call = open_call(std::move(done));
    auto insertion = std::make_shared<Insertion>();
    const Seconds now = ngx_time();
    bool failed = false;
    insertion->answer.cookie = session_cookie_value(session.id);
    insertion->answer.ref.binding = session.meta.binding;
    Digest& key = insertion->answer.ref.key;
    if (!session_key(insertion->answer.cookie.view(), key, failed)) {
        answer<Inserted>(call, fail(Reason::internal_error, "the session has no key"));
        return 0;
    }
    RecordTable::Meta& meta = insertion->meta;
    meta = session.meta;
    meta.created = meta.created == 0 ? now : meta.created;
    const Seconds life = meta.idle_timeout > 0 ? std::min(meta.idle_timeout, meta.expires - now)
                                               : meta.expires - now;
    auto sealed = sealer_.seal(key, meta, session.record.view(), random_);
    if (!sealed || life <= 0) {
        answer<Inserted>(call, sealed ? fail(Reason::internal_error, "the session is over already")
                                      : std::move(sealed).error());
        return 0;
    }
    insertion->record = std::move(session.record);
    insertion->name = name("s:", key);
    insertion->member = owner_member({meta.binding, key, meta.created});
    insertion->limit = meta.sub_tag == 0 ? 0 : session.limit;
    for (const Digest& former : session.replaces) {
        if (former != key) {
            insertion->ending.push_back(former);
        }
    }
    // All or nothing: nobody's session ends for one that Redis has no memory for.
    RedisBatch batch;
    batch.add({"MULTI"});
    batch.add({"SET", insertion->name, *sealed, "PX", milliseconds(life)});
    add_to_owner(batch, RecordTable::Tag::sid, meta.sid_tag, meta, insertion->member);
    add_to_owner(batch, RecordTable::Tag::sub, meta.sub_tag, meta, insertion->member);
    if (insertion->limit > 0) {
        batch.add({"ZRANGE", owner_name(RecordTable::Tag::sub, meta.sub_tag), "0", kLastMember});
    } else {
        for (const Digest& former : insertion->ending) {
            batch.add({"DEL", name("s:", former)});
        }
    }
    batch.add({"EXEC"});
    exchange(call, std::move(batch), [this, call, insertion](const Replies& replies) {
        const RedisReply* error = first_error(replies);
        // One result for each command between MULTI and EXEC.
        if (error != nullptr || replies.back().elements.size() + 2 != replies.size()) {
            answer<Inserted>(call, error != nullptr
                                       ? redis_error("a new session", *error)
                                       : fail(Reason::store_unavailable,
                                              "redis gave up the transaction of a new session"));
        } else if (insertion->limit > 0) {
            check_limit(call, insertion, replies.back().elements.back());
        } else {
            finish_insert(call, *insertion);
        }
    });
    return ticket_of(*call);
}

// Which of the owner's sessions live: those that have ended by themselves are still listed.
void RedisStore::check_limit(const CallPtr<Inserted>& call,
                             const std::shared_ptr<Insertion>& insertion,
                             const RedisReply& members) {
    RedisBatch batch;
    for (const RedisReply& item : members.elements) {
        const auto member = read_owner_member(item.text);
        if (member && member->binding == insertion->meta.binding &&
            member->key != insertion->answer.ref.key) {
            batch.add({"EXISTS", name("s:", member->key)});
            insertion->others.push_back(*member);
        }
    }
    if (insertion->others.empty()) {
        batch.add({"PING"});
    }
    exchange(call, std::move(batch), [this, call, insertion](const Replies& replies) {
        enforce_limit(call, insertion, replies);
    });
}

void RedisStore::enforce_limit(const CallPtr<Inserted>& call,
                               const std::shared_ptr<Insertion>& insertion,
                               const Replies& replies) {
    if (const RedisReply* error = first_error(replies)) {
        RedisBatch undo;
        undo.add({"DEL", insertion->name});
        post(std::move(undo));
        answer<Inserted>(call, redis_error("a look at the user's sessions", *error));
        return;
    }
    std::vector<OwnerMember> living;
    for (std::size_t i = 0; i < insertion->others.size(); ++i) {
        const OwnerMember& other = insertion->others[i];
        const bool replaced = std::find(insertion->ending.begin(), insertion->ending.end(),
                                        other.key) != insertion->ending.end();
        if (replies[i].integer > 0 && !replaced) {
            living.push_back(other);
        } else {
            insertion->leaving.push_back(owner_member(other));
        }
    }
    // Stable: Redis has given them by their scores.
    std::stable_sort(living.begin(), living.end(), [](const OwnerMember& a, const OwnerMember& b) {
        return a.created < b.created;
    });
    for (std::size_t i = 0; i + insertion->limit <= living.size(); ++i) {
        insertion->ending.push_back(living[i].key);
        insertion->leaving.push_back(owner_member(living[i]));
        ++insertion->answer.ended;
    }
    RedisBatch batch;
    for (const Digest& key : insertion->ending) {
        batch.add({"DEL", name("s:", key)});
    }
    const std::string index = owner_name(RecordTable::Tag::sub, insertion->meta.sub_tag);
    for (const std::string& member : insertion->leaving) {
        batch.add({"ZREM", index, member});
    }
    if (batch.names().empty()) {
        finish_insert(call, *insertion);
        return;
    }
    exchange(call, std::move(batch), [this, call, insertion](const Replies& ended) {
        if (const RedisReply* error = first_error(ended)) {
            answer<Inserted>(call, redis_error("the end of older sessions", *error));
        } else {
            finish_insert(call, *insertion);
        }
    });
}

void RedisStore::finish_insert(const CallPtr<Inserted>& call, Insertion& insertion) {
    for (const Digest& key : insertion.ending) {
        drop_copy(key);
    }
    const RecordTable::Meta& meta = insertion.meta;
    const Seconds end = meta.idle_timeout > 0
                            ? std::min(meta.expires, ngx_time() + meta.idle_timeout)
                            : meta.expires;
    if (store_.redis.local_copy > 0) {
        keep_copy(insertion.answer.ref.key, meta, insertion.record.view(), end, true);
    }
    answer<Inserted>(call, std::move(insertion.answer));
}

// ---- end ---------------------------------------------------------------------------------------

SessionStore::Ticket RedisStore::erase(std::vector<Digest> keys, Done<Unit> done) {
    const auto call = open_call(std::move(done));
    RedisBatch batch;
    for (const Digest& key : keys) {
        drop_copy(key);
        const std::string text = name("s:", key);
        batch.add({"GET", text});
        batch.add({"DEL", text});
    }
    if (keys.empty()) {
        answer<Unit>(call, Unit{});
        return 0;
    }
    exchange(call, std::move(batch), [this, call, keys = std::move(keys)](const Replies& replies) {
        const RedisReply* error = nullptr;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            // A copy may have been made meanwhile.
            drop_copy(keys[i]);
            forget_owner(keys[i], replies[2 * i]);
            error = replies[2 * i + 1].is_error() ? &replies[2 * i + 1] : error;
        }
        if (error != nullptr) {
            answer<Unit>(call, redis_error("the end of a session", *error));
        } else {
            answer<Unit>(call, Unit{});
        }
    });
    return ticket_of(*call);
}

// Takes a session that has ended out of its owners' indices. One that stays there does no harm.
void RedisStore::forget_owner(const Digest& key, const RedisReply& value) noexcept try {
    const OpensslErrorGuard guard;
    const auto opened =
        value.is_string() ? sealer_.open(key, value.text) : std::optional<RecordSealer::Opened>();
    if (!opened) {
        return;
    }
    const RecordTable::Meta& meta = opened->meta;
    const std::string member = owner_member({meta.binding, key, meta.created});
    RedisBatch batch;
    if (meta.sid_tag != 0) {
        batch.add({"ZREM", owner_name(RecordTable::Tag::sid, meta.sid_tag), member});
    }
    if (meta.sub_tag != 0) {
        batch.add({"ZREM", owner_name(RecordTable::Tag::sub, meta.sub_tag), member});
    }
    if (!batch.names().empty()) {
        post(std::move(batch));
    }
} catch (...) {
    // It goes with the time.
}

// ---- refresh -----------------------------------------------------------------------------------

SessionStore::Ticket RedisStore::update(const SessionRef& session, Secret record,
                                        Done<RecordTable::Update> done) {
    using Update = RecordTable::Update;
    const auto call = open_call(std::move(done));
    auto fresh = std::make_shared<Secret>(std::move(record));
    RedisBatch batch;
    const std::string text = name("s:", session.key);
    batch.add({"GETEX", text});  // no replica answers it
    batch.add({"PTTL", text});
    exchange(
        call, std::move(batch),
        [this, call, key = session.key, binding = session.binding, fresh](const Replies& replies) {
            const OpensslErrorGuard guard;
            if (const RedisReply* error = first_error(replies)) {
                answer<Update>(call, redis_error("a look at a session", *error));
                return;
            }
            auto opened = replies[0].is_string() ? open_value(key, replies[0])
                                                 : std::optional<RecordSealer::Opened>();
            const Seconds now = ngx_time();
            if (!opened || opened->meta.expires <= now ||
                !equal_constant_time(as_text(opened->meta.binding), as_text(binding))) {
                drop_copy(key);
                answer<Update>(call, Update::missing);
                return;
            }
            const RecordTable::Meta meta = opened->meta;
            const Seconds end = session_end(meta, replies[1].integer, now);
            auto sealed = sealer_.seal(key, meta, fresh->view(), random_);
            if (!sealed) {
                answer<Update>(call, std::move(sealed).error());
                return;
            }
            // XX: what has ended meanwhile stays ended.
            RedisBatch write;
            write.add({"SET", name("s:", key), *sealed, "XX", "KEEPTTL"});
            exchange(call, std::move(write),
                     [this, call, key, meta, end, fresh](const Replies& set) {
                         if (set[0].is_error()) {
                             Error error = redis_error("a refreshed session", set[0]);
                             if (error.reason == Reason::store_full) {
                                 answer<Update>(call, Update::full);
                             } else {
                                 answer<Update>(call, std::move(error));
                             }
                             return;
                         }
                         drop_copy(key);
                         if (!set[0].is_ok()) {
                             answer<Update>(call, Update::missing);
                             return;
                         }
                         if (store_.redis.local_copy > 0) {
                             keep_copy(key, meta, fresh->view(), end, false);
                         }
                         answer<Update>(call, Update::ok);
                     });
        });
    return ticket_of(*call);
}

}  // namespace oidc::ngx
