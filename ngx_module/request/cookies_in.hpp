// SPDX-License-Identifier: Apache-2.0
// The one place that knows how nginx keeps the Cookie headers of a request.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// Calls visit(ngx_table_elt_t&) for each Cookie header.
template <class Visit>
void for_each_cookie_header(ngx_http_request_t* r, Visit&& visit) {
#if (nginx_version >= 1023000)
    for (ngx_table_elt_t* h = r->headers_in.cookie; h != nullptr; h = h->next) {
        visit(*h);
    }
#else
    auto** headers = static_cast<ngx_table_elt_t**>(r->headers_in.cookies.elts);
    for (ngx_uint_t i = 0; i < r->headers_in.cookies.nelts; ++i) {
        visit(*headers[i]);
    }
#endif
}

// Drops nginx's pointers to the Cookie headers for which drop(header) is true.
template <class Drop>
void forget_cookie_headers(ngx_http_request_t* r, Drop&& drop) {
#if (nginx_version >= 1023000)
    ngx_table_elt_t** link = &r->headers_in.cookie;
    while (*link != nullptr) {
        if (drop(**link)) {
            *link = (*link)->next;
        } else {
            link = &(*link)->next;
        }
    }
#else
    auto** headers = static_cast<ngx_table_elt_t**>(r->headers_in.cookies.elts);
    ngx_uint_t kept = 0;
    for (ngx_uint_t i = 0; i < r->headers_in.cookies.nelts; ++i) {
        if (!drop(*headers[i])) {
            headers[kept++] = headers[i];
        }
    }
    r->headers_in.cookies.nelts = kept;
#endif
}

}  // namespace oidc::ngx
