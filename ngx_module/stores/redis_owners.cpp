// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_owners.hpp"

#include <algorithm>
#include <charconv>

#include "oidc/encode.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kDigestChars = 43;
// The index of an owner outlives the sessions in it.
constexpr Seconds kMargin = 60;
// Sessions that are dealt with in one exchange.
constexpr std::size_t kStep = 200;
constexpr std::string_view kStepEnd = "199";
// An index can grow while it is worked through, but not for ever.
constexpr unsigned kMaxSteps = 500;
constexpr std::size_t kMaxListed = 2000;

// The absolute end. Its fraction keeps sessions in order that began in the same second.
std::string score(Seconds expires) {
    const ngx_time_t* now = ngx_timeofday();
    const std::string fraction = std::to_string(1000 + now->msec);
    return std::to_string(expires) + "." + fraction.substr(1);
}

}  // namespace

// ---- members -----------------------------------------------------------------------------------

std::string owner_member(const OwnerMember& member) {
    return base64url_encode(member.binding) + "." + base64url_encode(member.key) + "." +
           std::to_string(member.created);
}

std::optional<OwnerMember> read_owner_member(std::string_view text) noexcept {
    OwnerMember out;
    if (text.size() < 2 * kDigestChars + 3 || text[kDigestChars] != '.' ||
        text[2 * kDigestChars + 1] != '.' ||
        !base64url_decode_exact(text.substr(0, kDigestChars), out.binding) ||
        !base64url_decode_exact(text.substr(kDigestChars + 1, kDigestChars), out.key)) {
        return std::nullopt;
    }
    const std::string_view number = text.substr(2 * kDigestChars + 2);
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, out.created);
    if (error != std::errc() || stop != end || out.created < 0) {
        return std::nullopt;
    }
    return out;
}

void RedisOwners::add(RedisBatch& batch, const RecordTable::Meta& meta, const Digest& key) const {
    const std::string member = owner_member({meta.binding, key, meta.created});
    add_to(batch, RecordTable::Tag::sid, meta.sid_tag, meta, member);
    add_to(batch, RecordTable::Tag::sub, meta.sub_tag, meta, member);
}

void RedisOwners::add_to(RedisBatch& batch, RecordTable::Tag which, std::uint64_t tag,
                         const RecordTable::Meta& meta, std::string_view member) const {
    if (tag == 0) {
        return;
    }
    const Seconds now = ngx_time();
    const std::string index = records_.owner_name(which, tag);
    const std::string life = std::to_string(meta.expires - now + kMargin);
    batch.add({"ZREMRANGEBYSCORE", index, "-inf", std::to_string(now)});
    batch.add({"ZADD", index, score(meta.expires), member});
    // Never shorter than it was.
    batch.add({"EXPIRE", index, life, "NX"});
    batch.add({"EXPIRE", index, life, "GT"});
}

void RedisOwners::remove(RedisBatch& batch, const RecordTable::Meta& meta,
                         const Digest& key) const {
    const std::string member = owner_member({meta.binding, key, meta.created});
    if (meta.sid_tag != 0) {
        batch.add({"ZREM", records_.owner_name(RecordTable::Tag::sid, meta.sid_tag), member});
    }
    if (meta.sub_tag != 0) {
        batch.add({"ZREM", records_.owner_name(RecordTable::Tag::sub, meta.sub_tag), member});
    }
}

// ---- the end of all sessions of an owner -------------------------------------------------------

struct RedisOwners::Sweep {
    RecordTable::Tag which{};
    std::uint64_t tag = 0;
    std::string index;
    Ended ended;
    unsigned steps = 0;
};

RedisCalls::Ticket RedisOwners::erase(RecordTable::Tag which, std::uint64_t tag,
                                      RedisCalls::Done<Ended> done) {
    return calls_.open<Ended>(std::move(done), [&](const RedisCalls::CallPtr<Ended>& call) {
        if (tag == 0) {
            calls_.answer<Ended>(call, Ended{});
            return;
        }
        auto work = std::make_shared<Sweep>();
        work->which = which;
        work->tag = tag;
        work->index = records_.owner_name(which, tag);
        copies_.drop_owner(which, tag);
        sweep(call, work);
    });
}

void RedisOwners::sweep(const RedisCalls::CallPtr<Ended>& call,
                        const std::shared_ptr<Sweep>& work) {
    RedisBatch batch;
    batch.add({"ZRANGE", work->index, "0", kStepEnd});
    batch.add({"ZREM", work->index, "-"});  // nobody's; a replica refuses to be asked
    calls_.exchange(call, std::move(batch), [this, call, work](const Replies& replies) {
        if (const RedisReply* error = first_error(replies)) {
            calls_.answer<Ended>(call, redis_error("the list of an owner's sessions", *error));
        } else {
            swept(call, work, replies[0]);
        }
    });
}

void RedisOwners::swept(const RedisCalls::CallPtr<Ended>& call, const std::shared_ptr<Sweep>& work,
                        const RedisReply& members) {
    if (members.elements.empty() || ++work->steps > kMaxSteps) {
        copies_.drop_owner(work->which, work->tag);
        calls_.answer<Ended>(call, work->ended);
        return;
    }
    RedisBatch batch;
    auto keys = std::make_shared<std::vector<Digest>>();
    for (const RedisReply& item : members.elements) {
        if (const auto member = read_owner_member(item.text)) {
            batch.add({"DEL", records_.session_name(member->key)});
            keys->push_back(member->key);
        }
    }
    // These members and no others: a login may be adding its own.
    std::vector<std::string_view> leaving{"ZREM", work->index};
    for (const RedisReply& item : members.elements) {
        leaving.emplace_back(item.text);
    }
    batch.add(leaving);
    calls_.exchange(call, std::move(batch), [this, call, work, keys](const Replies& replies) {
        if (const RedisReply* error = first_error(replies)) {
            calls_.answer<Ended>(call, redis_error("the end of an owner's sessions", *error));
            return;
        }
        for (std::size_t i = 0; i < keys->size(); ++i) {
            lookups_.drop((*keys)[i]);
            work->ended.sessions += replies[i].integer > 0 ? 1 : 0;
        }
        sweep(call, work);
    });
}

// ---- listing -----------------------------------------------------------------------------------

struct RedisOwners::Listing {
    std::string index;
    std::vector<OwnerMember> members;  // of this step
    std::size_t seen = 0;
    List found;
};

RedisCalls::Ticket RedisOwners::list(RecordTable::Tag which, std::uint64_t tag,
                                     RedisCalls::Done<List> done) {
    return calls_.open<List>(std::move(done), [&](const RedisCalls::CallPtr<List>& call) {
        if (tag == 0) {
            calls_.answer<List>(call, List());
            return;
        }
        auto listing = std::make_shared<Listing>();
        listing->index = records_.owner_name(which, tag);
        next(call, listing);
    });
}

void RedisOwners::next(const RedisCalls::CallPtr<List>& call,
                       const std::shared_ptr<Listing>& listing) {
    RedisBatch batch;
    batch.add({"ZRANGE", listing->index, std::to_string(listing->seen),
               std::to_string(listing->seen + kStep - 1)});
    calls_.exchange(call, std::move(batch), [this, call, listing](const Replies& replies) {
        if (replies[0].is_error()) {
            calls_.answer<List>(call, redis_error("the list of an owner's sessions", replies[0]));
        } else {
            members(call, listing, replies[0]);
        }
    });
}

void RedisOwners::members(const RedisCalls::CallPtr<List>& call,
                          const std::shared_ptr<Listing>& listing, const RedisReply& reply) {
    listing->seen += reply.elements.size();
    listing->members.clear();
    RedisBatch look;
    for (const RedisReply& item : reply.elements) {
        if (const auto member = read_owner_member(item.text)) {
            listing->members.push_back(*member);
            const std::string name = records_.session_name(member->key);
            look.add({"GETEX", name});  // no replica answers it
            look.add({"PTTL", name});
        }
    }
    if (reply.elements.empty() || listing->seen > kMaxListed) {
        calls_.answer<List>(call, std::move(listing->found));
        return;
    }
    if (listing->members.empty()) {
        next(call, listing);
        return;
    }
    calls_.exchange(call, std::move(look), [this, call, listing](const Replies& values) {
        listed(*listing, values);
        next(call, listing);
    });
}

void RedisOwners::listed(Listing& listing, const Replies& values) const {
    const Seconds now = ngx_time();
    for (std::size_t i = 0; i < listing.members.size(); ++i) {
        const OwnerMember& member = listing.members[i];
        const long long left = values[2 * i + 1].integer;
        const auto opened = left == -2 ? std::nullopt : records_.open(member.key, values[2 * i]);
        if (!opened) {
            continue;
        }
        const RecordTable::Meta& meta = opened->meta;
        RecordTable::Listed item;
        item.key = member.key;
        item.binding = meta.binding;
        item.created = meta.created;
        item.expires = session_end(meta, left, now);
        // The idle end tells the last use, unless the absolute one comes first.
        item.last_seen = meta.idle_timeout > 0 && item.expires < meta.expires
                             ? std::max(meta.created, item.expires - meta.idle_timeout)
                             : meta.created;
        listing.found.push_back(item);
    }
}

}  // namespace oidc::ngx
