// SPDX-License-Identifier: Apache-2.0
// RenewedFiles: a timer of the worker that looks whether files of providers were renewed, and puts
// what they hold in the place of what was read before. No request ever waits for a file.
#pragma once

#include "base/worker_event.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

class RenewedFiles {
  public:
    // Looks at once, since a worker that takes the place of one that died is made of what the
    // master read long ago, and then every ten seconds. What such a worker finds changed has no one
    // before: what was in use last it cannot know. Without such files it does nothing. The
    // timer keeps no worker that shuts down.
    RenewedFiles(MainConf& conf, ngx_log_t* log) noexcept;
    RenewedFiles(const RenewedFiles&) = delete;
    RenewedFiles& operator=(const RenewedFiles&) = delete;

  private:
    static void on_timer(ngx_event_t* event) noexcept;
    void look(MainConf& conf) noexcept;

    WorkerEvent timer_;
    ngx_log_t* log_;
};

}  // namespace oidc::ngx
