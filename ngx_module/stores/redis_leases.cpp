// SPDX-License-Identifier: Apache-2.0
#include "stores/redis_leases.hpp"

#include <algorithm>

namespace oidc::ngx {

SessionStore::Lease RedisLeases::try_lease(const SessionRef& session, Seconds seconds) noexcept {
    using Lease = SessionStore::Lease;
    if (calls_.is_down()) {
        return Lease::refused;
    }
    // One worker of this node asks, as long as there is a copy that can say so.
    const bool mine = !copies_.enabled() || copies_.lease(session.key, session.binding, seconds) ||
                      !copies_.has(session.key, session.binding);
    return mine ? Lease::asking : Lease::refused;
}

RedisCalls::Ticket RedisLeases::confirm(const SessionRef& session, Seconds seconds,
                                        RedisCalls::Done<bool> done) {
    return calls_.open<bool>(std::move(done), [&](const RedisCalls::CallPtr<bool>& call) {
        RedisBatch batch;
        batch.add(
            {"SET", records_.lease_name(session.key), "1", "NX", "PX", milliseconds(seconds)});
        batch.once();
        const Seconds until = ngx_time() + seconds;
        const auto asked = [this, call, key = session.key,
                            until](const RedisCalls::Replies& replies) {
            if (replies[0].is_error()) {
                calls_.answer<bool>(call, redis_error("a lease", replies[0]));
                return;
            }
            if (replies[0].is_ok()) {
                // Those that were never given back, because their worker went away meanwhile.
                std::erase_if(
                    leases_, [now = ngx_time()](const auto& lease) { return lease.second <= now; });
                leases_[key] = until;
            }
            calls_.answer<bool>(call, replies[0].is_ok());
        };
        calls_.exchange(call, std::move(batch), asked);
    });
}

void RedisLeases::release(const SessionRef& session, Seconds not_before) noexcept try {
    const Seconds now = ngx_time();
    const auto lease = leases_.find(session.key);
    const Seconds margin = static_cast<Seconds>(timeout_ / 1000) + 1;
    const bool mine = lease != leases_.end() && lease->second - margin > now;
    if (lease != leases_.end()) {
        leases_.erase(lease);
    }
    // Other nodes may still have copies of what the session was before, with a refresh token that
    // has been used: nobody refreshes it before these have gone.
    const Seconds rest = std::max<Seconds>(not_before - now, copies_.life() + 1);
    const std::string name = records_.lease_name(session.key);
    RedisBatch batch;
    if (mine) {
        batch.add({"PEXPIRE", name, milliseconds(rest)});
    } else {
        // It has run out, and may be somebody else's by now.
        batch.add({"SET", name, "1", "NX", "PX", milliseconds(rest)});
    }
    calls_.post(std::move(batch));
    copies_.release(session.key, session.binding, now + rest);
} catch (...) {
    // The lease ends by itself.
}

}  // namespace oidc::ngx
