// SPDX-License-Identifier: Apache-2.0
#include "request/waiting.hpp"

namespace oidc::ngx {

ngx_int_t park_request(ngx_http_request_t* r) noexcept {
    r->write_event_handler = ngx_http_core_run_phases;
    if (r != r->main) {
        return NGX_AGAIN;
    }
    ngx_event_t* read = r->connection->read;
    if (read->ready) {
        if (!read->posted) {
            ngx_post_event(read, &ngx_posted_events);
        }
    } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
        return NGX_ERROR;
    }
    r->read_event_handler = ngx_http_test_reading;
    return NGX_AGAIN;
}

void wake_request(ngx_http_request_t* r) noexcept {
    r->read_event_handler = ngx_http_block_reading;
    if (!r->connection->write->posted) {
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }
}

}  // namespace oidc::ngx
