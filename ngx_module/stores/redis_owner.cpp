// What concerns all sessions of an owner, and what is not about one session at all: leases and
// values that are used once.
#include "stores/redis_owner.hpp"

#include <algorithm>
#include <charconv>

#include "oidc/encode.hpp"
#include "oidc/ptr.hpp"
#include "stores/redis_store.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kDigestChars = 43;
// Sessions that are dealt with in one exchange.
constexpr std::size_t kStep = 200;
constexpr std::string_view kStepEnd = "199";
// An index can grow while it is worked through, but not for ever.
constexpr unsigned kMaxSteps = 500;
constexpr std::size_t kMaxListed = 2000;

}  // namespace

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

// ---- the end of all sessions of an owner -------------------------------------------------------

struct RedisStore::Sweep {
    RecordTable::Tag which{};
    std::uint64_t tag = 0;
    std::string index;
    Ended ended;
    unsigned steps = 0;
};

SessionStore::Ticket RedisStore::erase_owner(RecordTable::Tag which, std::uint64_t tag,
                                             Done<Ended> done) {
    const auto call = open_call(std::move(done));
    if (tag == 0) {
        answer<Ended>(call, Ended{});
        return 0;
    }
    auto work = std::make_shared<Sweep>();
    work->which = which;
    work->tag = tag;
    work->index = owner_name(which, tag);
    copies().erase_tagged(which, tag, nullptr, ngx_time());
    sweep(call, work);
    return ticket_of(*call);
}

void RedisStore::sweep(const CallPtr<Ended>& call, const std::shared_ptr<Sweep>& work) {
    RedisBatch batch;
    batch.add({"ZRANGE", work->index, "0", kStepEnd});
    batch.add({"ZREM", work->index, "-"});  // nobody's; a replica refuses to be asked
    exchange(call, std::move(batch), [this, call, work](const Replies& replies) {
        if (const RedisReply* error = first_error(replies)) {
            answer<Ended>(call, redis_error("the list of an owner's sessions", *error));
        } else {
            swept(call, work, replies[0]);
        }
    });
}

void RedisStore::swept(const CallPtr<Ended>& call, const std::shared_ptr<Sweep>& work,
                       const RedisReply& members) {
    if (members.elements.empty() || ++work->steps > kMaxSteps) {
        copies().erase_tagged(work->which, work->tag, nullptr, ngx_time());
        answer<Ended>(call, work->ended);
        return;
    }
    RedisBatch batch;
    auto keys = std::make_shared<std::vector<Digest>>();
    for (const RedisReply& item : members.elements) {
        if (const auto member = read_owner_member(item.text)) {
            batch.add({"DEL", name("s:", member->key)});
            keys->push_back(member->key);
        }
    }
    // These members and no others: a login may be adding its own.
    std::vector<std::string_view> leaving{"ZREM", work->index};
    for (const RedisReply& item : members.elements) {
        leaving.emplace_back(item.text);
    }
    batch.add(leaving);
    exchange(call, std::move(batch), [this, call, work, keys](const Replies& replies) {
        if (const RedisReply* error = first_error(replies)) {
            answer<Ended>(call, redis_error("the end of an owner's sessions", *error));
            return;
        }
        for (std::size_t i = 0; i < keys->size(); ++i) {
            drop_copy((*keys)[i]);
            work->ended.sessions += replies[i].integer > 0 ? 1 : 0;
        }
        sweep(call, work);
    });
}

// ---- listing -----------------------------------------------------------------------------------

struct RedisStore::Listing {
    std::string index;
    std::vector<OwnerMember> members;  // of this step
    std::size_t seen = 0;
    std::vector<RecordTable::Listed> found;
};

SessionStore::Ticket RedisStore::list_owner(RecordTable::Tag which, std::uint64_t tag,
                                            Done<std::vector<RecordTable::Listed>> done) {
    const auto call = open_call(std::move(done));
    auto listing = std::make_shared<Listing>();
    listing->index = owner_name(which, tag);
    if (tag == 0) {
        answer<std::vector<RecordTable::Listed>>(call, std::vector<RecordTable::Listed>());
        return 0;
    }
    list(call, listing);
    return ticket_of(*call);
}

void RedisStore::list(const CallPtr<std::vector<RecordTable::Listed>>& call,
                      const std::shared_ptr<Listing>& listing) {
    using List = std::vector<RecordTable::Listed>;
    RedisBatch batch;
    batch.add({"ZRANGE", listing->index, std::to_string(listing->seen),
               std::to_string(listing->seen + kStep - 1)});
    exchange(call, std::move(batch), [this, call, listing](const Replies& replies) {
        const RedisReply& members = replies[0];
        if (members.is_error()) {
            answer<List>(call, redis_error("the list of an owner's sessions", members));
            return;
        }
        listing->seen += members.elements.size();
        listing->members.clear();
        RedisBatch look;
        for (const RedisReply& item : members.elements) {
            if (const auto member = read_owner_member(item.text)) {
                listing->members.push_back(*member);
                const std::string key = name("s:", member->key);
                look.add({"GETEX", key});  // no replica answers it
                look.add({"PTTL", key});
            }
        }
        if (members.elements.empty() || listing->seen > kMaxListed) {
            answer<List>(call, std::move(listing->found));
            return;
        }
        if (listing->members.empty()) {
            list(call, listing);
            return;
        }
        exchange(call, std::move(look), [this, call, listing](const Replies& values) {
            listed(*listing, values);
            list(call, listing);
        });
    });
}

void RedisStore::listed(Listing& listing, const Replies& values) {
    const OpensslErrorGuard guard;
    const Seconds now = ngx_time();
    for (std::size_t i = 0; i < listing.members.size(); ++i) {
        const OwnerMember& member = listing.members[i];
        const RedisReply& value = values[2 * i];
        const long long left = values[2 * i + 1].integer;
        const auto opened = value.is_string() ? sealer_.open(member.key, value.text)
                                              : std::optional<RecordSealer::Opened>();
        if (!opened || opened->meta.expires <= now || left == -2) {
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

// ---- does it live ------------------------------------------------------------------------------

SessionStore::Ticket RedisStore::alive(const SessionRef& session, Done<bool> done) {
    const auto call = open_call(std::move(done));
    if (store_.redis.local_copy > 0 && copies().alive(session.key, session.binding, ngx_time())) {
        answer<bool>(call, true);
        return 0;
    }
    // Every session of ours has an end.
    RedisBatch batch;
    batch.add({"GETEX", name("s:", session.key)});  // no replica answers it
    batch.add({"PTTL", name("s:", session.key)});
    exchange(call, std::move(batch), [this, call](const Replies& replies) {
        if (const RedisReply* error = first_error(replies)) {
            answer<bool>(call, redis_error("a look at a session", *error));
        } else {
            answer<bool>(call, replies[1].integer > 0);
        }
    });
    return ticket_of(*call);
}

// ---- used once ---------------------------------------------------------------------------------

SessionStore::Ticket RedisStore::use_once(const Digest& digest, Seconds until, Done<bool> done) {
    const auto call = open_call(std::move(done));
    const Seconds left = std::max<Seconds>(until - ngx_time(), 1);
    RedisBatch batch;
    batch.add({"SET", name("u:", digest), "1", "NX", "PX", std::to_string(left * 1000)});
    batch.once();
    exchange(call, std::move(batch), [this, call](const Replies& replies) {
        if (replies[0].is_error()) {
            answer<bool>(call, redis_error("a value that is used once", replies[0]));
        } else {
            answer<bool>(call, replies[0].is_ok());
        }
    });
    return ticket_of(*call);
}

// ---- leases ------------------------------------------------------------------------------------

SessionStore::Lease RedisStore::try_lease(const SessionRef& session, const SessionView& /*view*/,
                                          Seconds seconds) noexcept {
    if (pool_ == nullptr || pool_->is_down()) {
        return Lease::refused;
    }
    // One worker of this node asks, as long as there is a copy that can say so.
    const Seconds now = ngx_time();
    const bool mine = store_.redis.local_copy == 0 ||
                      copies().lease(session.key, session.binding, now, seconds) ||
                      !copies().alive(session.key, session.binding, now);
    return mine ? Lease::asking : Lease::refused;
}

SessionStore::Ticket RedisStore::confirm_lease(const SessionRef& session, Seconds seconds,
                                               Done<bool> done) {
    const auto call = open_call(std::move(done));
    RedisBatch batch;
    batch.add({"SET", name("l:", session.key), "1", "NX", "PX", std::to_string(seconds * 1000)});
    batch.once();
    const Seconds until = ngx_time() + seconds;
    exchange(
        call, std::move(batch), [this, call, key = session.key, until](const Replies& replies) {
            if (replies[0].is_error()) {
                answer<bool>(call, redis_error("a lease", replies[0]));
                return;
            }
            if (replies[0].is_ok()) {
                // Those that were never given back, because their worker went away meanwhile.
                std::erase_if(
                    leases_, [now = ngx_time()](const auto& lease) { return lease.second <= now; });
                leases_[key] = until;
            }
            answer<bool>(call, replies[0].is_ok());
        });
    return ticket_of(*call);
}

void RedisStore::release(const SessionRef& session, Seconds not_before) noexcept try {
    const Seconds now = ngx_time();
    const auto lease = leases_.find(session.key);
    const Seconds margin = static_cast<Seconds>(store_.redis.timeout / 1000) + 1;
    const bool mine = lease != leases_.end() && lease->second - margin > now;
    if (lease != leases_.end()) {
        leases_.erase(lease);
    }
    // Other nodes may still have copies of what the session was before, with a refresh token that
    // has been used: nobody refreshes it before these have gone.
    const Seconds rest = std::max<Seconds>(not_before - now, store_.redis.local_copy + 1);
    const std::string text = name("l:", session.key);
    RedisBatch batch;
    if (mine) {
        batch.add({"PEXPIRE", text, std::to_string(rest * 1000)});
    } else {
        // It has run out, and may be somebody else's by now.
        batch.add({"SET", text, "1", "NX", "PX", std::to_string(rest * 1000)});
    }
    post(std::move(batch));
    copies().release(session.key, session.binding, now + rest, now);
} catch (...) {
    // The lease ends by itself.
}

}  // namespace oidc::ngx
