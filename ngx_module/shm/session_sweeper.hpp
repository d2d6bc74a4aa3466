// SPDX-License-Identifier: Apache-2.0
// SessionSweeper: a timer that drops the expired sessions of a zone, one slice at a time.
#pragma once

#include "base/worker_event.hpp"
#include "shm/session_zone.hpp"

namespace oidc::ngx {

class SessionSweeper {
  public:
    // Starts the timer, which keeps no worker that shuts down. Borrows `zone`.
    SessionSweeper(SessionZone& zone, ngx_log_t* log) noexcept;
    SessionSweeper(const SessionSweeper&) = delete;
    SessionSweeper& operator=(const SessionSweeper&) = delete;

  private:
    static void on_turn(ngx_event_t* event) noexcept;

    SessionZone& zone_;
    WorkerEvent event_;
    ngx_msec_t interval_;
    std::size_t slice_;  // buckets of one turn
};

}  // namespace oidc::ngx
