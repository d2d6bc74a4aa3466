// SPDX-License-Identifier: Apache-2.0
// RedisLeases: who refreshes a session, over all workers and nodes.
#pragma once

#include <map>

#include "stores/redis_calls.hpp"
#include "stores/redis_copies.hpp"
#include "stores/redis_records.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class RedisLeases {
  public:
    // Borrows all three. `timeout`: of each command, in milliseconds.
    RedisLeases(RedisCalls& calls, const RedisRecords& records, RedisCopies& copies,
                ngx_msec_t timeout) noexcept
        : calls_(calls), records_(records), copies_(copies), timeout_(timeout) {}

    // As SessionStore.
    SessionStore::Lease try_lease(const SessionRef& session, Seconds seconds) noexcept;
    RedisCalls::Ticket confirm(const SessionRef& session, Seconds seconds,
                               RedisCalls::Done<bool> done);
    void release(const SessionRef& session, Seconds not_before) noexcept;

  private:
    RedisCalls& calls_;
    const RedisRecords& records_;
    RedisCopies& copies_;
    ngx_msec_t timeout_;
    // When the leases of this worker end, by its own clock.
    std::map<Digest, Seconds> leases_;
};

}  // namespace oidc::ngx
