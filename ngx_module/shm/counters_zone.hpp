// SPDX-License-Identifier: Apache-2.0
// CountersZone: what oidc_status counts, for all workers. Of one size whatever the configuration
// says, so that every reload and upgrade goes on with it.
#pragma once

#include <optional>

#include "base/ngx.hpp"
#include "oidc/metrics.hpp"
#include "shm/shared_zone.hpp"

namespace oidc::ngx {

class CountersZone : private ZoneBase {
  public:
    // Registers the zone; its data is a CountersZone in cf->pool. Null: an error was logged.
    static ngx_shm_zone_t* add(ngx_conf_t* cf) noexcept;
    static CountersZone& of(const ngx_shm_zone_t& zone) noexcept;
    // The zone of the running configuration; null without one.
    static CountersZone* running() noexcept;

    // Each counts an event by one atomic addition: any worker, no lock held by the caller.
    void count_login() noexcept;
    void count_refused_login() noexcept;
    // A request without a session was asked to sign in, by a redirect or by 401.
    void count_challenge() noexcept;
    // A browser was sent to the provider.
    void count_redirect() noexcept;
    void count_refusal(Reason reason) noexcept;
    // A session has ended before its time, or several at once by the same message.
    void count_logout(LogoutKind kind) noexcept;
    void count_refresh(RefreshResult result) noexcept;
    // A security event was accepted, or its token again.
    void count_signal(SignalResult result) noexcept;
    // A request to the provider is over, after so many microseconds on a monotonic clock; nullopt:
    // it was never sent. `connections`: how many were opened for it.
    void count_request(IdpEndpoint endpoint, std::optional<std::uint64_t> microseconds,
                       std::optional<IdpFailure> failure, std::uint64_t connections) noexcept;
    // Of a session store that is asked over a connection: an answer after so many microseconds, a
    // failure, a new connection, a change of the server.
    void count_store_answer(std::uint64_t microseconds) noexcept;
    void count_store_failure(StoreFailure failure) noexcept;
    void count_store_connection() noexcept;
    void count_store_failover() noexcept;

    void read(Counters& out) noexcept;

  private:
    friend struct CountersZoneInit;
    Counters* counters_ = nullptr;  // in shared memory
};

// The zone of the request's configuration. Precondition: some server uses the module.
CountersZone& counters(ngx_http_request_t* r) noexcept;

}  // namespace oidc::ngx
