// Refreshes of sessions (session_refresh): in the background of the requests that find them due,
// one at a time for each session over all workers.
#pragma once

#include <memory>

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

class Refresher {
  public:
    // The worker's; null outside workers.
    static Refresher* worker() noexcept;
    static std::unique_ptr<Refresher> make();

    virtual ~Refresher() = default;
    // The authenticated request of `ctx` goes on with what its session says now. When the session
    // is due and nobody works on it, a refresh begins that no request waits for, so that none can
    // break it off: a refresh token that was used must not be lost.
    virtual void begin(ngx_http_request_t* r, const RequestContext& ctx) noexcept = 0;
};

}  // namespace oidc::ngx
