// SPDX-License-Identifier: Apache-2.0
// RedisInsertion: sessions that begin in Redis, with the end of those that they replace and of
// those that are too many.
#pragma once

#include <memory>

#include "stores/redis_calls.hpp"
#include "stores/redis_lookups.hpp"
#include "stores/redis_owners.hpp"
#include "stores/redis_records.hpp"

namespace oidc::ngx {

class RedisInsertion {
  public:
    // Borrows all five.
    RedisInsertion(RedisCalls& calls, RedisRecords& records, RedisCopies& copies,
                   RedisLookups& lookups, const RedisOwners& owners) noexcept
        : calls_(calls), records_(records), copies_(copies), lookups_(lookups), owners_(owners) {}

    // As SessionStore.
    RedisCalls::Ticket insert(SessionStore::NewSession session,
                              RedisCalls::Done<SessionStore::Inserted> done);

  private:
    using Inserted = SessionStore::Inserted;
    using Replies = RedisCalls::Replies;
    using CallPtr = RedisCalls::CallPtr<Inserted>;
    struct Work;
    using WorkPtr = std::shared_ptr<Work>;

    void begin(const CallPtr& call, SessionStore::NewSession session);
    void look_at_owner(const CallPtr& call, const WorkPtr& work, const RedisReply& members);
    void enforce_limit(const CallPtr& call, const WorkPtr& work, const Replies& replies);
    void end_others(const CallPtr& call, const WorkPtr& work);
    void finish(const CallPtr& call, Work& work);

    RedisCalls& calls_;
    RedisRecords& records_;
    RedisCopies& copies_;
    RedisLookups& lookups_;
    const RedisOwners& owners_;
};

}  // namespace oidc::ngx
