// SPDX-License-Identifier: Apache-2.0
#include "request/token_headers.hpp"

#include "oidc/text.hpp"
#include "request/bearer_state.hpp"

namespace oidc::ngx {
namespace {

bool is_authorization(const ngx_table_elt_t& header) noexcept {
    return equal_nocase(view(header.key), "authorization");
}

bool is_proof(const ngx_table_elt_t& header) noexcept {
    return equal_nocase(view(header.key), "dpop");
}

}  // namespace

void keep_token_headers(ngx_http_request_t* r, RequestContext& ctx) {
    for (const ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr;
         part = part->next) {
        const auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            const bool authorization = is_authorization(headers[i]);
            if (!authorization && !is_proof(headers[i])) {
                continue;
            }
            if (ctx.bearer == nullptr) {
                ctx.bearer = std::make_unique<BearerState>();
            }
            auto& kept = authorization ? ctx.bearer->authorization : ctx.bearer->proofs;
            kept.push_back(view(headers[i].value));
        }
    }
}

bool is_token_header(const ngx_table_elt_t& header) noexcept {
    return is_authorization(header) || is_proof(header);
}

}  // namespace oidc::ngx
