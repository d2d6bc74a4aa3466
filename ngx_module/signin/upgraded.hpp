// SPDX-License-Identifier: Apache-2.0
// Connections that outlive their request: a WebSocket, or whatever else was switched to, is closed
// when the session that opened it ends.
//
// Each worker keeps a list of its own. The store is asked about every entry about every two
// seconds, in turns of bounded work, by a timer that runs only while the list is not empty;
// sessions that this worker ends are looked at once. Traffic on such a connection is no use of the
// session.
#pragma once

#include <memory>
#include <span>

#include "base/ngx.hpp"
#include "request/decision.hpp"

namespace oidc::ngx {

class Upgraded {
  public:
    // The worker's; null outside workers.
    static Upgraded* worker() noexcept;
    static std::unique_ptr<Upgraded> make(ngx_log_t* log);

    virtual ~Upgraded() = default;
    // The request has been answered with 101 for the session of `decision`, and is watched until it
    // ends. Costs the request its answer when there is no memory.
    virtual ngx_int_t watch(ngx_http_request_t* r, const Decision& decision) noexcept = 0;
    // This worker has ended these sessions: their connections close.
    virtual void ended(std::span<const Digest> keys) noexcept = 0;
    // It has ended others, which ones it cannot say: the store is asked now.
    virtual void look_now() noexcept = 0;
};

// The same for callers that need not know whether there is a worker.
void close_upgraded(std::span<const Digest> keys) noexcept;
void look_at_upgraded() noexcept;

}  // namespace oidc::ngx
