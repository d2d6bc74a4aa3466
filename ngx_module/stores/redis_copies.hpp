// SPDX-License-Identifier: Apache-2.0
// RedisCopies: what a node has read from Redis, or written there, in its shared memory. Its workers
// may go on with that for `local_copy` seconds.
#pragma once

#include "config/conf.hpp"
#include "oidc/session.hpp"
#include "shm/session_zone.hpp"

namespace oidc::ngx {

class RedisCopies {
  public:
    // `local_copy` 0: there are none.
    RedisCopies(ngx_shm_zone_t* zone, Seconds local_copy) noexcept
        : zone_(zone), life_(local_copy) {}

    struct Copy {
        SessionView view;  // borrows the pool
        Seconds end = 0;   // of the session
        // Not 0: Redis must be told that the session now lives until then.
        Seconds moved = 0;
    };
    // False: none. `touch` moves the idle end, once in the life of a copy. Throws std::bad_alloc.
    bool find(const Digest& key, const Digest& binding, bool touch, ngx_pool_t* pool, Copy& out);
    // `touched`: the session has just been used. Without room for it, every request asks Redis.
    void keep(const Digest& key, const RecordTable::Meta& meta, std::string_view record,
              Seconds end, bool touched);
    void drop(const Digest& key) noexcept;
    void drop_owner(RecordTable::Tag which, std::uint64_t tag) noexcept;

    [[nodiscard]] bool enabled() const noexcept { return life_ > 0; }
    // Seconds that other nodes may go on with what they have.
    [[nodiscard]] Seconds life() const noexcept { return life_; }
    [[nodiscard]] bool has(const Digest& key, const Digest& binding) const noexcept;
    // One caller of this node at a time may ask Redis for the lease of a session.
    bool lease(const Digest& key, const Digest& binding, Seconds seconds) noexcept;
    void release(const Digest& key, const Digest& binding, Seconds not_before) noexcept;

    [[nodiscard]] RecordTable::Stats stats() const noexcept;

  private:
    [[nodiscard]] SessionZone& zone() const noexcept {
        return *static_cast<SessionZone*>(zone_->data);
    }
    ngx_shm_zone_t* zone_;
    Seconds life_;
};

}  // namespace oidc::ngx
