// SPDX-License-Identifier: Apache-2.0
// CurlSockets: libcurl's sockets among the connections of nginx's event loop. The descriptors are
// libcurl's, which opens and closes them; nginx watches them.
#pragma once

#include <curl/curl.h>

#include <set>

#include "base/ngx.hpp"

namespace oidc::ngx {

class CurlSockets {
  public:
    // `on_ready` finds `owner` as the data of the event's connection.
    CurlSockets(void* owner, ngx_event_handler_pt on_ready, ngx_log_t* log) noexcept
        : owner_(owner), on_ready_(on_ready), log_(log) {}
    ~CurlSockets() { clear(); }
    CurlSockets(const CurlSockets&) = delete;
    CurlSockets& operator=(const CurlSockets&) = delete;

    // Null: no connection is free. To make room nginx may close idle connections of browsers, and
    // so end requests. Throws std::bad_alloc.
    ngx_connection_t* adopt(curl_socket_t fd);
    // From now on for what libcurl waits for (CURL_POLL_*). False: nginx cannot.
    static bool watch(ngx_connection_t* connection, int what) noexcept;
    void release(ngx_connection_t* connection) noexcept;
    // All of them.
    void clear() noexcept;

  private:
    void* owner_;
    ngx_event_handler_pt on_ready_;
    ngx_log_t* log_;
    std::set<ngx_connection_t*> connections_;
};

}  // namespace oidc::ngx
