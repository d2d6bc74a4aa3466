// SPDX-License-Identifier: Apache-2.0
// RedisSessions: what becomes of sessions that are in Redis: a new record, the end, and whether
// they live.
#pragma once

#include <memory>
#include <vector>

#include "stores/redis_calls.hpp"
#include "stores/redis_lookups.hpp"
#include "stores/redis_owners.hpp"
#include "stores/redis_records.hpp"

namespace oidc::ngx {

class RedisSessions {
  public:
    // Borrows all five.
    RedisSessions(RedisCalls& calls, RedisRecords& records, RedisCopies& copies,
                  RedisLookups& lookups, const RedisOwners& owners) noexcept
        : calls_(calls), records_(records), copies_(copies), lookups_(lookups), owners_(owners) {}

    // As SessionStore.
    RedisCalls::Ticket erase(std::vector<Digest> keys, RedisCalls::Done<Unit> done);
    RedisCalls::Ticket alive(const SessionRef& session, RedisCalls::Done<bool> done);
    RedisCalls::Ticket update(const SessionRef& session, Secret record,
                              RedisCalls::Done<RecordTable::Update> done);

  private:
    using Update = RecordTable::Update;
    using Replies = RedisCalls::Replies;
    struct Replacement;

    void forget_owner(const Digest& key, const RedisReply& value) noexcept;
    void write(const RedisCalls::CallPtr<Update>& call,
               const std::shared_ptr<Replacement>& replacement, const Replies& read);
    void written(const RedisCalls::CallPtr<Update>& call, const Replacement& replacement,
                 const RedisReply& reply);

    RedisCalls& calls_;
    RedisRecords& records_;
    RedisCopies& copies_;
    RedisLookups& lookups_;
    const RedisOwners& owners_;
};

}  // namespace oidc::ngx
