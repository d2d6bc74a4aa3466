// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_lookups.hpp"

#include <algorithm>
#include <cstring>

#include "oidc/ptr.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {

RedisLookups::Find RedisLookups::find(const Query& query, Found& out) noexcept try {
    bool failed = false;
    if (!session_key(query.cookie, out.ref.key, failed)) {
        return failed ? Find::failed : Find::missing;
    }
    out.ref.binding = *query.binding;
    RedisCopies::Copy copy;
    if (copies_.find(out.ref.key, out.ref.binding, query.touch, query.pool, copy)) {
        if (copy.moved != 0) {
            move_end(out.ref.key, copy.moved);
        }
        out.view = copy.view;
        out.expires = copy.end;
        return Find::found;
    }
    return calls_.pool() == nullptr ? Find::unavailable : Find::waiting;
} catch (...) {
    return Find::failed;
}

void RedisLookups::move_end(const Digest& key, Seconds end) {
    RedisBatch batch;
    batch.add({"PEXPIRE", records_.session_name(key), milliseconds(end - ngx_time())});
    calls_.post(std::move(batch));
}

// ---- asking ------------------------------------------------------------------------------------

RedisCalls::Ticket RedisLookups::ask(const Query& query,
                                     RedisCalls::Done<std::optional<Found>> done) {
    return calls_.open<std::optional<Found>>(std::move(done),
                                             [&](const Asker& asker) { join(asker, query); });
}

// With `local_copy 0` a question of another request may be older than the end of the session. The
// pool of a request that waits is no other's.
bool RedisLookups::may_join(const Fetch& fetch, const Query& query) noexcept {
    const Waiting& first = fetch.askers.front();
    return fetch.keep || (first.pool == query.pool && first.asker->waits());
}

// Providers of a group ask for the same session, each for its own.
void RedisLookups::join(const Asker& asker, const Query& query) {
    const auto waiting = [&] { return Waiting{asker, query.pool, *query.binding, query.touch}; };
    Digest key;
    bool failed = false;
    if (!session_key(query.cookie, key, failed)) {
        calls_.answer<std::optional<Found>>(
            asker, failed ? Result<std::optional<Found>>(
                                fail(Reason::internal_error, "the session has no key"))
                          : Result<std::optional<Found>>(std::optional<Found>()));
        return;
    }
    if (const auto it = fetches_.find(key); it != fetches_.end() && may_join(*it->second, query)) {
        it->second->askers.push_back(waiting());
        return;
    }
    const auto fetch = std::make_shared<Fetch>();
    fetch->key = key;
    fetch->keep = copies_.enabled();
    fetch->askers.push_back(waiting());
    fetches_.insert_or_assign(key, fetch);
    try {
        send(fetch);
    } catch (...) {
        fetches_.erase(key);
        throw;
    }
}

void RedisLookups::send(const FetchPtr& fetch) {
    RedisBatch batch;
    const std::string name = records_.session_name(fetch->key);
    batch.add({"GETEX", name});  // counts as a write: no replica answers it
    batch.add({"PTTL", name});
    calls_.send(std::move(batch), [this, fetch](const Result<RedisCalls::Replies>& replies) {
        fetched(fetch, replies);
    });
}

void RedisLookups::fetched(const FetchPtr& fetch,
                           const Result<RedisCalls::Replies>& replies) noexcept {
    if (const auto it = fetches_.find(fetch->key); it != fetches_.end() && it->second == fetch) {
        fetches_.erase(it);
    }
    Answer answer;
    try {
        answer = read(*fetch, replies);
    } catch (...) {
        answer.find = Find::failed;
    }
    for (const Waiting& waiting : std::exchange(fetch->askers, {})) {
        if (!waiting.asker->waits()) {
            continue;  // its pool may be gone
        }
        Result<std::optional<Found>> result = Error{Reason::internal_error, {}, {}};
        try {
            result = found_of(answer, fetch->key, waiting);
        } catch (...) {
            // No memory: that is what it says.
        }
        calls_.answer<std::optional<Found>>(waiting.asker, std::move(result));
    }
}

RedisLookups::Answer RedisLookups::read(const Fetch& fetch,
                                        const Result<RedisCalls::Replies>& replies) {
    Answer answer;
    if (!replies || first_error(*replies) != nullptr || replies->size() != 2) {
        return answer;
    }
    const RedisReply& value = (*replies)[0];
    const long long left = (*replies)[1].integer;  // milliseconds; -1: no end, -2: no key
    answer.find = Find::missing;
    auto opened = left == -2 ? std::nullopt : records_.open_or_tell(fetch.key, value);
    if (!opened || !SessionView::open(opened->record)) {
        return answer;
    }
    const RecordTable::Meta& meta = opened->meta;
    bool wanted = false;
    bool used = false;
    for (const Waiting& waiting : fetch.askers) {
        const bool bound = is_bound(meta, waiting.binding);
        wanted = wanted || bound;
        used = used || (bound && waiting.touch);
    }
    if (!wanted) {
        return answer;
    }
    const Seconds now = ngx_time();
    Seconds end = session_end(meta, left, now);
    // At most one write a second, however many requests there are.
    const Seconds moved = touched_end(meta, now);
    const bool touch = used && meta.idle_timeout > 0 && moved > end;
    if (touch) {
        move_end(fetch.key, moved);
        end = moved;
    }
    if (fetch.keep) {
        copies_.keep(fetch.key, meta, opened->record, end, touch);
    }
    if (end > now) {
        answer.find = Find::found;
        answer.expires = end;
        answer.opened = *std::move(opened);
    }
    return answer;
}

// The answer in the pool of the one who asked.
Result<std::optional<SessionStore::Found>> RedisLookups::found_of(const Answer& answer,
                                                                  const Digest& key,
                                                                  const Waiting& waiting) {
    switch (answer.find) {
        case Find::missing:
            return std::optional<Found>();
        case Find::found:
            break;
        case Find::failed:
            return fail(Reason::internal_error, "no memory");
        default:
            return fail(Reason::store_unavailable, "redis does not answer");
    }
    if (!is_bound(answer.opened.meta, waiting.binding)) {
        return std::optional<Found>();  // of another provider
    }
    const std::string_view record = answer.opened.record;
    auto* copy = static_cast<char*>(ngx_pnalloc(waiting.pool, record.size()));
    if (copy == nullptr) {
        return fail(Reason::internal_error, "no memory");
    }
    std::memcpy(copy, record.data(), record.size());
    const auto view = SessionView::open({copy, record.size()});
    if (!view) {
        return std::optional<Found>();  // written by another version
    }
    Found found;
    found.ref.key = key;
    found.ref.binding = waiting.binding;
    found.view = *view;
    found.expires = answer.expires;
    return std::optional<Found>(std::move(found));
}

void RedisLookups::drop(const Digest& key) noexcept {
    copies_.drop(key);
    // What is being read may be older than this.
    for (auto it = fetches_.begin(); it != fetches_.end();) {
        if (it->first == key) {
            it->second->keep = false;
            it = fetches_.erase(it);
        } else {
            ++it;
        }
    }
}

}  // namespace oidc::ngx
