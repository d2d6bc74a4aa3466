// SPDX-License-Identifier: Apache-2.0
// HTTP to the provider: libcurl's multi interface on nginx's event loop, one loop per worker.
// Nothing here blocks: connects, TLS, name look-ups and timeouts are all events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/http_message.hpp"

namespace oidc::ngx {

class CurlLoop {
  public:
    using Handle = std::uint64_t;  // 0: none
    using Done = std::function<void(HttpOutcome)>;

    // The worker's; null outside workers.
    static CurlLoop* worker() noexcept;
    // To be made in the worker and not in the master, which has no use for libcurl and would hand
    // its state to the workers of every later configuration. Throws std::bad_alloc.
    static std::unique_ptr<CurlLoop> make(ngx_cycle_t* cycle);

    virtual ~CurlLoop() = default;
    // Begins a transfer; `done` is called exactly once, later, from the event loop and never from
    // inside start(), unless the transfer is cancelled first. More than 512 at a time, or than half
    // of worker_connections: idp_busy. A worker that is shutting down waits for the transfers that
    // are not `background`. `transport` is borrowed until the end, and so is `log`, for the debug
    // log; null: the worker's.
    virtual Handle start(HttpRequest request, const Transport& transport, Done done,
                         bool background = false, ngx_log_t* log = nullptr) = 0;
    // Ends a transfer without calling done. A handle that is finished or 0 does nothing.
    virtual void cancel(Handle handle) noexcept = 0;

    struct Counters {
        std::uint64_t requests = 0;
        std::uint64_t connections = 0;  // new ones
        std::uint64_t errors = 0;
    };
    [[nodiscard]] virtual Counters counters() const noexcept = 0;
};

}  // namespace oidc::ngx
