// SPDX-License-Identifier: Apache-2.0
// Refreshes of sessions (session_refresh): in the background of the requests that find them due,
// one at a time for each session over all workers. A request may wait for the end of one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/session.hpp"
#include "stores/session_store.hpp"

namespace oidc::ngx {

class Refresher {
  public:
    // The worker's; null outside workers.
    static Refresher* worker() noexcept;
    static std::unique_ptr<Refresher> make();

    virtual ~Refresher() = default;
    // An authenticated request goes on with what its session says now. When nobody works on that, a
    // refresh begins that no request waits for, so that none can break it off: a refresh token that
    // was used must not be lost. `view` is copied, `log` used during the call. `trace` is of the
    // request, see FlowRunner::set_trace.
    virtual void begin(Provider& provider, const SessionRef& session, const SessionView& view,
                       std::string trace, ngx_log_t* log) noexcept = 0;

    using Ticket = std::uint64_t;
    // The same for a request that waits. `ended` is called once, when this worker has carried out
    // a refresh of the session and its store knows what came of it; never inside the call. Of what
    // other workers do nobody tells: look again. Throws when memory is out.
    virtual Ticket wait(Provider& provider, const SessionRef& session, const SessionView& view,
                        std::string trace, ngx_log_t* log, std::function<void()> ended) = 0;
    // `ended` is not called any more. The refresh goes on.
    virtual void forget(Ticket ticket) noexcept = 0;

    // A request has waited as long as it may and nothing came: whoever refreshes the session may
    // be dead, and leaves a lease that lasts. None is worth holding for it for a while.
    virtual void give_up(const SessionRef& session) noexcept = 0;
    [[nodiscard]] virtual bool is_given_up(const SessionRef& session) const noexcept = 0;
};

}  // namespace oidc::ngx
