// SPDX-License-Identifier: Apache-2.0
#include "request/identity_headers.hpp"

#include <algorithm>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"
#include "request/backend_assertion.hpp"
#include "request/variables.hpp"

namespace oidc::ngx {
namespace {

constexpr std::size_t kOwnHeaders = 2;

struct OwnHeader {
    ngx_str_t name;
    ngx_str_t lowcase;
};
OwnHeader assertion_header() noexcept {
    return {ngx_string("X-Oidc-Assertion"), ngx_string("x-oidc-assertion")};
}
OwnHeader return_to_header() noexcept {
    return {ngx_string("X-Oidc-Return-To"), ngx_string("x-oidc-return-to")};
}

// Request headers in the making, in one allocation.
class HeaderBlock {
  public:
    bool reserve(ngx_pool_t* pool, std::size_t n) noexcept {
        elements_ = static_cast<ngx_table_elt_t*>(ngx_palloc(pool, n * sizeof(ngx_table_elt_t)));
        return elements_ != nullptr;
    }
    void add(const ngx_str_t& name, const ngx_str_t& lowcase, ngx_uint_t hash,
             const ngx_str_t& value) noexcept {
        ngx_table_elt_t& element = elements_[size_++];
        element.hash = hash;
        element.key = name;
        element.value = value;
        element.lowcase_key = lowcase.data;
#if (nginx_version >= 1023000)
        element.next = nullptr;
#endif
    }
    void add(const OwnHeader& header, const ngx_str_t& value) noexcept {
        add(header.name, header.lowcase, ngx_hash_key(header.lowcase.data, header.lowcase.len),
            value);
    }
    [[nodiscard]] ngx_table_elt_t* elements() const noexcept {
        return elements_;
    }
    [[nodiscard]] std::size_t size() const noexcept {
        return size_;
    }

  private:
    ngx_table_elt_t* elements_ = nullptr;
    std::size_t size_ = 0;
};

// Puts the block in front of the client's headers. nginx's loops expect no empty part but the
// first, and pushes go to the last one; in front ours is never the last as long as the client sent
// any header at all.
ngx_int_t insert(ngx_http_request_t* r, RequestContext& ctx, const HeaderBlock& block) noexcept {
    ngx_list_t& list = r->headers_in.headers;
    if (list.pool == nullptr) {
        // HTTP/0.9 has no header list.
        if (ngx_list_init(&list, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    if (list.part.nelts == 0) {
        list.part.elts = block.elements();
        list.part.nelts = block.size();
        if (list.last == &list.part) {
            list.nalloc = block.size();
        }
        ctx.identity_part = &list.part;
        return NGX_OK;
    }
    auto* behind = static_cast<ngx_list_part_t*>(ngx_palloc(r->pool, sizeof(ngx_list_part_t)));
    if (behind == nullptr) {
        return NGX_ERROR;
    }
    *behind = list.part;
    list.part = {block.elements(), block.size(), behind};
    if (list.last == &list.part) {
        list.last = behind;
    }
    ctx.identity_part = behind;
    return NGX_OK;
}

// Null data: no memory.
ngx_str_t encoded(ngx_pool_t* pool, std::string_view value, HeaderRule::Encoding encoding) {
    return encoding == HeaderRule::Encoding::percent
               ? copy_to_pool(pool, percent_encode(value))
               : copy_to_pool(pool, base64_encode(value).view());
}

ngx_int_t add_rules(ngx_http_request_t* r, const Decision& decision, const LocConf& location,
                    HeaderBlock& block) {
    for (const HeaderRule& rule : location.header_rules) {
        ngx_str_t value{};
        if (rule.value == nullptr) {
            continue;
        }
        // "Bearer " and nothing behind it is no header either.
        if (rule.tokens.any() && !has_live_tokens(r, decision, rule.tokens)) {
            continue;
        }
        if (!identity_variable(r, decision, rule.variable, value) &&
            ngx_http_complex_value(r, rule.value, &value) != NGX_OK) {
            return NGX_ERROR;
        }
        if (value.len == 0) {
            continue;
        }
        if (rule.encoding != HeaderRule::Encoding::none) {
            value = encoded(r->pool, view(value), rule.encoding);
            if (value.data == nullptr) {
                return NGX_ERROR;
            }
        }
        if (has_control_bytes(view(value))) {
            ngx_str_t name = rule.name;
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "oidc: header \"%V\" is left out, its value has control bytes", &name);
            continue;
        }
        block.add(rule.name, rule.lowcase, rule.hash, value);
    }
    return NGX_OK;
}

Error not_made() {
    return fail(Reason::internal_error, "the identity's headers cannot be made");
}

// Those of the client that go on here.
void add_passed(const RequestContext& ctx, const LocConf& location, HeaderBlock& block) {
    for (const ngx_table_elt_t& header : ctx.passed_headers) {
        const ngx_str_t lowcase{header.key.len, header.lowcase_key};
        if (std::find(location.passed_headers.begin(), location.passed_headers.end(),
                      view(lowcase)) != location.passed_headers.end()) {
            block.add(header.key, lowcase, header.hash, header.value);
        }
    }
}

Status add_identity(ngx_http_request_t* r, RequestContext& ctx, const LocConf& location,
                    HeaderBlock& block) {
    Decision& decision = *ctx.decision;
    ctx.identity_given = location.headers != 0;
    if (ctx.identity_given && add_rules(r, decision, location, block) != NGX_OK) {
        return not_made();
    }
    if (location.assertion == 1) {
        Result<ngx_str_t> value = request_assertion(r, decision);
        if (!value) {
            return std::move(value).error();
        }
        if (value->len != 0) {
            block.add(assertion_header(), *value);
        }
    }
    if (ctx.answer.forwarded_callback && ctx.answer.return_to.len != 0) {
        block.add(return_to_header(), ctx.answer.return_to);
    }
    return Unit{};
}

}  // namespace

void clear_identity(ngx_http_request_t* r, RequestContext& ctx) noexcept {
    ctx.identity_given = false;
    if (ctx.identity_part == nullptr) {
        return;
    }
    ngx_list_t& list = r->headers_in.headers;
    if (ctx.identity_part == &list.part) {
        list.part.nelts = 0;
    } else {
        list.part = *ctx.identity_part;
        if (list.last == ctx.identity_part) {
            list.last = &list.part;
        }
    }
    ctx.identity_part = nullptr;
}

Status set_identity(ngx_http_request_t* r, RequestContext& ctx, const LocConf& location,
                    bool forward) {
    clear_identity(r, ctx);
    const bool identity =
        forward && ctx.authenticated() && (location.headers != 0 || location.assertion == 1);
    if (!identity && ctx.passed_headers.empty()) {
        return Unit{};
    }
    HeaderBlock block;
    const std::size_t most = ctx.passed_headers.size() + location.header_rules.size() + kOwnHeaders;
    if (!block.reserve(r->pool, most)) {
        return not_made();
    }
    if (identity) {
        Status added = add_identity(r, ctx, location, block);
        if (!added) {
            return added;
        }
    }
    add_passed(ctx, location, block);
    if (block.size() != 0 && insert(r, ctx, block) != NGX_OK) {
        return not_made();
    }
    return Unit{};
}

}  // namespace oidc::ngx
