// SPDX-License-Identifier: Apache-2.0
#include "request/request_body.hpp"

#include <string>

namespace oidc::ngx {
namespace {

// Adds `size` bytes of what nginx has written into a file: client_body_buffer_size may be small.
bool append_from_file(Secret& body, const ngx_buf_t& buffer, std::size_t size) {
    std::string chunk(size, '\0');
    const ssize_t n =
        ngx_read_file(buffer.file, reinterpret_cast<u_char*>(chunk.data()), size, buffer.file_pos);
    const bool complete = n >= 0 && static_cast<std::size_t>(n) == size;
    if (complete) {
        body.append(chunk);
    }
    cleanse(chunk.data(), chunk.size());
    return complete;
}

// Back into the access phase, where whoever has asked for the body is called again.
void on_body(ngx_http_request_t* r) noexcept {
    RequestContext* ctx = find_context(r);
    if (ctx == nullptr || ctx->task == nullptr) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ctx->task->body_read = true;
    ctx->task->reading_body = false;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

}  // namespace

std::string_view request_content_type(ngx_http_request_t* r) noexcept {
    const ngx_table_elt_t* header = r->headers_in.content_type;
    return header != nullptr ? view(header->value) : std::string_view{};
}

ngx_int_t read_body(ngx_http_request_t* r, RequestTask& task) {
    task.reading_body = true;
    r->request_body_in_single_buf = 1;
    const ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        task.reading_body = false;
        return rc;
    }
    // on_body may have ended the request already; the reading holds a reference of its own.
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

Result<Secret> body_of(ngx_http_request_t* r, std::size_t max, Reason too_large) {
    Secret body;
    if (r->request_body == nullptr) {
        return body;
    }
    for (const ngx_chain_t* link = r->request_body->bufs; link != nullptr; link = link->next) {
        const ngx_buf_t& buffer = *link->buf;
        const bool in_memory = ngx_buf_in_memory(&buffer);
        const auto size = static_cast<std::size_t>(in_memory ? buffer.last - buffer.pos
                                                             : buffer.file_last - buffer.file_pos);
        if (size > max - body.size()) {
            return fail(too_large, "the request is too large");
        }
        if (size == 0) {
            continue;
        }
        if (in_memory) {
            body.append({reinterpret_cast<const char*>(buffer.pos), size});
        } else if (!append_from_file(body, buffer, size)) {
            return fail(Reason::internal_error, "the body of the request cannot be read");
        }
    }
    return body;
}

}  // namespace oidc::ngx
