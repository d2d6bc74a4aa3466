// SPDX-License-Identifier: Apache-2.0
// RedisOwners: the indices in Redis of the sessions of an owner, by sid and by sub.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stores/redis_calls.hpp"
#include "stores/redis_lookups.hpp"
#include "stores/redis_records.hpp"

namespace oidc::ngx {

// A member of an index: BINDING.KEY.CREATED.
struct OwnerMember {
    Digest binding{};
    Digest key{};
    Seconds created = 0;
};

std::string owner_member(const OwnerMember& member);
// nullopt: not written by owner_member().
std::optional<OwnerMember> read_owner_member(std::string_view text) noexcept;

class RedisOwners {
  public:
    // Borrows all four.
    RedisOwners(RedisCalls& calls, const RedisRecords& records, RedisCopies& copies,
                RedisLookups& lookups) noexcept
        : calls_(calls), records_(records), copies_(copies), lookups_(lookups) {}

    // Adds the commands that put a session into the indices of its tags, or take it out.
    void add(RedisBatch& batch, const RecordTable::Meta& meta, const Digest& key) const;
    void remove(RedisBatch& batch, const RecordTable::Meta& meta, const Digest& key) const;

    // As SessionStore.
    RedisCalls::Ticket erase(RecordTable::Tag which, std::uint64_t tag,
                             RedisCalls::Done<SessionStore::Ended> done);
    RedisCalls::Ticket list(RecordTable::Tag which, std::uint64_t tag,
                            RedisCalls::Done<std::vector<RecordTable::Listed>> done);

  private:
    using List = std::vector<RecordTable::Listed>;
    using Ended = SessionStore::Ended;
    using Replies = RedisCalls::Replies;
    struct Sweep;
    struct Listing;

    void add_to(RedisBatch& batch, RecordTable::Tag which, std::uint64_t tag,
                const RecordTable::Meta& meta, std::string_view member) const;
    void sweep(const RedisCalls::CallPtr<Ended>& call, const std::shared_ptr<Sweep>& work);
    void swept(const RedisCalls::CallPtr<Ended>& call, const std::shared_ptr<Sweep>& work,
               const RedisReply& members);
    void next(const RedisCalls::CallPtr<List>& call, const std::shared_ptr<Listing>& listing);
    void members(const RedisCalls::CallPtr<List>& call, const std::shared_ptr<Listing>& listing,
                 const RedisReply& reply);
    void listed(Listing& listing, const Replies& values) const;

    RedisCalls& calls_;
    const RedisRecords& records_;
    RedisCopies& copies_;
    RedisLookups& lookups_;
};

}  // namespace oidc::ngx
