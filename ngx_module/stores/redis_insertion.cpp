// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_insertion.hpp"

#include <algorithm>

#include "stores/session_ids.hpp"

namespace oidc::ngx {

namespace {

// Members of an owner that are looked at to keep a limit, oldest first.
constexpr std::string_view kLastMember = "1000";

}  // namespace

struct RedisInsertion::Work {
    RecordTable::Meta meta;
    Secret record;
    Inserted answer;
    std::string name;
    std::vector<Digest> ending;  // the sessions that this one replaces, and those over the limit
    std::vector<std::string> leaving;  // members of the owner's index
    std::vector<OwnerMember> others;
    std::size_t limit = 0;
};

RedisCalls::Ticket RedisInsertion::insert(SessionStore::NewSession session,
                                          RedisCalls::Done<Inserted> done) {
    return calls_.open<Inserted>(std::move(done),
                                 [&](const CallPtr& call) { begin(call, std::move(session)); });
}

void RedisInsertion::begin(const CallPtr& call, SessionStore::NewSession session) {
    const auto work = std::make_shared<Work>();
    const Seconds now = ngx_time();
    bool failed = false;
    work->answer.cookie = session_cookie_value(session.id);
    work->answer.ref.binding = session.meta.binding;
    Digest& key = work->answer.ref.key;
    if (!session_key(work->answer.cookie.view(), key, failed)) {
        calls_.answer<Inserted>(call, fail(Reason::internal_error, "the session has no key"));
        return;
    }
    RecordTable::Meta& meta = work->meta;
    meta = session.meta;
    meta.created = meta.created == 0 ? now : meta.created;
    const Seconds life = touched_end(meta, now) - now;
    auto sealed = records_.seal(key, meta, session.record.view());
    if (!sealed || life <= 0) {
        calls_.answer<Inserted>(call,
                                sealed ? fail(Reason::internal_error, "the session is over already")
                                       : std::move(sealed).error());
        return;
    }
    work->record = std::move(session.record);
    work->name = records_.session_name(key);
    work->limit = meta.sub_tag == 0 ? 0 : session.limit;
    work->ending = std::move(session.replaces);
    std::erase(work->ending, key);
    // All or nothing: nobody's session ends for one that Redis has no memory for.
    RedisBatch batch;
    batch.add({"MULTI"});
    batch.add({"SET", work->name, *sealed, "PX", milliseconds(life)});
    owners_.add(batch, meta, key);
    if (work->limit > 0) {
        batch.add(
            {"ZRANGE", records_.owner_name(RecordTable::Tag::sub, meta.sub_tag), "0", kLastMember});
    } else {
        for (const Digest& former : work->ending) {
            batch.add({"DEL", records_.session_name(former)});
        }
    }
    batch.add({"EXEC"});
    calls_.exchange(call, std::move(batch), [this, call, work](const Replies& replies) {
        const RedisReply* error = first_error(replies);
        // One result for each command between MULTI and EXEC.
        if (error != nullptr || replies.back().elements.size() + 2 != replies.size()) {
            calls_.answer<Inserted>(
                call, error != nullptr ? redis_error("a new session", *error)
                                       : fail(Reason::store_unavailable,
                                              "redis gave up the transaction of a new session"));
        } else if (work->limit > 0 &&
                   replies.back().elements.back().elements.size() > work->limit) {
            look_at_owner(call, work, replies.back().elements.back());
        } else if (work->limit > 0) {
            end_others(call, work);
        } else {
            finish(call, *work);
        }
    });
}

// Which of the owner's sessions live: those that have ended by themselves are still listed.
void RedisInsertion::look_at_owner(const CallPtr& call, const WorkPtr& work,
                                   const RedisReply& members) {
    RedisBatch batch;
    for (const RedisReply& item : members.elements) {
        const auto member = read_owner_member(item.text);
        if (member && member->binding == work->meta.binding &&
            member->key != work->answer.ref.key) {
            batch.add({"EXISTS", records_.session_name(member->key)});
            work->others.push_back(*member);
        }
    }
    if (work->others.empty()) {
        batch.add({"PING"});
    }
    calls_.exchange(call, std::move(batch), [this, call, work](const Replies& replies) {
        enforce_limit(call, work, replies);
    });
}

void RedisInsertion::enforce_limit(const CallPtr& call, const WorkPtr& work,
                                   const Replies& replies) {
    if (const RedisReply* error = first_error(replies)) {
        RedisBatch undo;
        undo.add({"DEL", work->name});
        calls_.post(std::move(undo));
        calls_.answer<Inserted>(call, redis_error("a look at the user's sessions", *error));
        return;
    }
    std::vector<OwnerMember> living;
    for (std::size_t i = 0; i < work->others.size(); ++i) {
        const OwnerMember& other = work->others[i];
        const bool replaced =
            std::find(work->ending.begin(), work->ending.end(), other.key) != work->ending.end();
        if (replies[i].integer > 0 && !replaced) {
            living.push_back(other);
        } else {
            work->leaving.push_back(owner_member(other));
        }
    }
    // Stable: Redis has given them by their scores.
    std::stable_sort(living.begin(), living.end(), [](const OwnerMember& a, const OwnerMember& b) {
        return a.created < b.created;
    });
    for (std::size_t i = 0; i + work->limit <= living.size(); ++i) {
        work->ending.push_back(living[i].key);
        work->leaving.push_back(owner_member(living[i]));
        ++work->answer.ended;
    }
    end_others(call, work);
}

void RedisInsertion::end_others(const CallPtr& call, const WorkPtr& work) {
    RedisBatch batch;
    for (const Digest& key : work->ending) {
        batch.add({"DEL", records_.session_name(key)});
    }
    const std::string index = records_.owner_name(RecordTable::Tag::sub, work->meta.sub_tag);
    for (const std::string& member : work->leaving) {
        batch.add({"ZREM", index, member});
    }
    if (batch.names().empty()) {
        finish(call, *work);
        return;
    }
    calls_.exchange(call, std::move(batch), [this, call, work](const Replies& ended) {
        if (const RedisReply* error = first_error(ended)) {
            calls_.answer<Inserted>(call, redis_error("the end of older sessions", *error));
        } else {
            finish(call, *work);
        }
    });
}

void RedisInsertion::finish(const CallPtr& call, Work& work) {
    for (const Digest& key : work.ending) {
        lookups_.drop(key);
    }
    copies_.keep(work.answer.ref.key, work.meta, work.record.view(),
                 touched_end(work.meta, ngx_time()), true);
    calls_.answer<Inserted>(call, std::move(work.answer));
}

}  // namespace oidc::ngx
