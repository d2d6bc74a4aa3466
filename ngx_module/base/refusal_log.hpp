// SPDX-License-Identifier: Apache-2.0
// The lines of refused logins and logouts, bounded where outsiders bring them about.
#pragma once

#include <string_view>

#include "base/ngx.hpp"
#include "base/worker_event.hpp"
#include "oidc/log_throttle.hpp"
#include "oidc/result.hpp"

namespace oidc::ngx {

// One line at the reason's level: `oidc: <what> at provider "<name>" refused: <code>: <detail>;
// <fix>, reference <ref>`. `what` is "login" or "logout". What an outsider has brought about goes
// to level info when there were many such lines, with a line that says how many.
void log_refusal(ngx_log_t* log, std::string_view what, std::string_view provider,
                 const Error& error, std::string_view reference, bool outsider) noexcept;

// Bounds the lines of refusals that outsiders bring about. One in a worker, made after the fork.
class RefusalLog {
  public:
    RefusalLog() noexcept;
    // Writes what was held back.
    ~RefusalLog();
    RefusalLog(const RefusalLog&) = delete;
    RefusalLog& operator=(const RefusalLog&) = delete;
    // False: this line is one too many of its reason.
    bool pass(Reason reason) noexcept;

  private:
    static void on_timer(ngx_event_t* event) noexcept;
    void write_held(bool all) noexcept;

    LogThrottle<Reason> throttle_;
    WorkerEvent timer_;
};

}  // namespace oidc::ngx
