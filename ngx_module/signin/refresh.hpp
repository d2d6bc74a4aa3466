// Refreshes of sessions (session_refresh): in the background of the requests that find them due,
// one at a time for each session over all workers.
#pragma once

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

class Refresher {
  public:
    // Null until init_process, and after exit_process.
    static Refresher* worker() noexcept;
    static ngx_int_t init_process() noexcept;
    static void exit_process() noexcept;

    virtual ~Refresher() = default;
    // The authenticated request of `ctx` goes on with what its session says now. When the session
    // is due and nobody works on it, a refresh begins that no request waits for, so that none can
    // break it off: a refresh token that was used must not be lost.
    virtual void begin(ngx_http_request_t* r, const RequestContext& ctx) noexcept = 0;
};

}  // namespace oidc::ngx
