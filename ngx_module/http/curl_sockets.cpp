// SPDX-License-Identifier: Apache-2.0
#include "http/curl_sockets.hpp"

#include <fcntl.h>

namespace oidc::ngx {

ngx_connection_t* CurlSockets::adopt(curl_socket_t fd) {
    ngx_connection_t* connection = ngx_get_connection(fd, log_);
    if (connection == nullptr) {
        return nullptr;
    }
    try {
        connections_.insert(connection);
    } catch (...) {
        ngx_free_connection(connection);
        connection->fd = static_cast<ngx_socket_t>(-1);
        throw;
    }
    connection->data = owner_;
    connection->read->handler = on_ready_;
    connection->write->handler = on_ready_;
    connection->read->log = log_;
    connection->write->log = log_;
    return connection;
}

bool CurlSockets::watch(ngx_connection_t* connection, int what) noexcept {
    const bool want_read = (what & CURL_POLL_IN) != 0;
    const bool want_write = (what & CURL_POLL_OUT) != 0;
    ngx_event_t* read = connection->read;
    ngx_event_t* write = connection->write;
    // Level-triggered: libcurl does not read until EAGAIN.
    if (want_read && !read->active &&
        ngx_add_event(read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        return false;
    }
    if (want_write && !write->active &&
        ngx_add_event(write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        return false;
    }
    if (!want_read && read->active && ngx_del_event(read, NGX_READ_EVENT, 0) != NGX_OK) {
        return false;
    }
    return want_write || !write->active || ngx_del_event(write, NGX_WRITE_EVENT, 0) == NGX_OK;
}

void CurlSockets::release(ngx_connection_t* connection) noexcept {
    connections_.erase(connection);
    // libcurl closes a socket whose connect timed out without telling, and tells afterwards; the
    // kernel has then forgotten the events by itself.
    const bool closed = fcntl(connection->fd, F_GETFD) == -1;
    for (ngx_event_t* event : {connection->read, connection->write}) {
        if (event->active) {
            ngx_del_event(event, event->write ? NGX_WRITE_EVENT : NGX_READ_EVENT,
                          closed ? NGX_CLOSE_EVENT : 0);
        }
        if (event->posted) {
            ngx_delete_posted_event(event);
        }
    }
    // The descriptor is libcurl's; only nginx's record of it goes.
    ngx_free_connection(connection);
    connection->fd = static_cast<ngx_socket_t>(-1);
}

void CurlSockets::clear() noexcept {
    while (!connections_.empty()) {
        release(*connections_.begin());
    }
}

}  // namespace oidc::ngx
