// SPDX-License-Identifier: Apache-2.0
#include "request/respond.hpp"

#include <array>

#include "base/ports_ngx.hpp"
#include "base/refusal_log.hpp"
#include "oidc/encode.hpp"
#include "oidc/page.hpp"
#include "oidc/text.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "shm/counters_zone.hpp"

namespace oidc::ngx {
namespace {

void hide_headers(ngx_http_request_t* r, std::string_view name) noexcept {
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* headers = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (headers[i].hash != 0 && equal_nocase(view(headers[i].key), name)) {
                headers[i].hash = 0;
            }
        }
    }
}

// An invisible header that `expires` then writes to instead of adding a visible one.
ngx_table_elt_t* push_decoy(ngx_http_request_t* r, const ngx_str_t& name) noexcept {
    auto* decoy = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (decoy != nullptr) {
        *decoy = {};
        decoy->key = name;
        decoy->value = ngx_string("");
    }
    return decoy;
}

bool set_decoys(ngx_http_request_t* r) noexcept {
    if (r->headers_out.expires == nullptr) {
        r->headers_out.expires = push_decoy(r, ngx_string("Expires"));
    }
#if (nginx_version >= 1023000)
    if (r->headers_out.cache_control == nullptr) {
        r->headers_out.cache_control = push_decoy(r, ngx_string("Cache-Control"));
    }
    return r->headers_out.expires != nullptr && r->headers_out.cache_control != nullptr;
#else
    ngx_array_t& list = r->headers_out.cache_control;
    if (list.elts == nullptr &&
        ngx_array_init(&list, r->pool, 1, sizeof(ngx_table_elt_t*)) != NGX_OK) {
        return false;
    }
    if (list.nelts == 0) {
        auto** element = static_cast<ngx_table_elt_t**>(ngx_array_push(&list));
        ngx_table_elt_t* decoy = push_decoy(r, ngx_string("Cache-Control"));
        if (element == nullptr || decoy == nullptr) {
            return false;
        }
        *element = decoy;
    }
    return r->headers_out.expires != nullptr;
#endif
}

bool set_content_type(ngx_http_request_t* r, std::string_view type) noexcept {
    const ngx_str_t copy = copy_to_pool(r->pool, type);
    if (copy.data == nullptr) {
        return false;
    }
    const std::size_t semicolon = type.find(';');
    r->headers_out.content_type = copy;
    r->headers_out.content_type_len = semicolon == std::string_view::npos ? copy.len : semicolon;
    r->headers_out.content_type_lowcase = nullptr;
    return true;
}

// What an earlier handler may have left, for instance before an X-Accel-Redirect.
void clear_head(ngx_http_request_t* r) noexcept {
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_location(r);
    ngx_http_clear_etag(r);
    if (r->headers_out.content_encoding != nullptr) {
        r->headers_out.content_encoding->hash = 0;
        r->headers_out.content_encoding = nullptr;
    }
    if (r->headers_out.refresh != nullptr) {
        r->headers_out.refresh->hash = 0;
        r->headers_out.refresh = nullptr;
    }
    ngx_str_null(&r->headers_out.content_type);
    ngx_str_null(&r->headers_out.charset);
    ngx_str_null(&r->headers_out.status_line);
    r->headers_out.content_type_len = 0;
    r->headers_out.override_charset = nullptr;
    r->allow_ranges = 0;
    r->disable_not_modified = 1;
    r->err_status = 0;
}

bool make_reference(ngx_http_request_t* r, RequestContext& ctx) {
    std::array<std::uint8_t, 8> bytes{};
    OpensslRandom random;
    if (!random.fill(bytes)) {
        return false;
    }
    ctx.answer.reference = copy_to_pool(r->pool, hex_encode(bytes));
    return ctx.answer.reference.data != nullptr;
}

}  // namespace

bool is_set_cookie(const ngx_table_elt_t& header) noexcept {
    return header.hash != 0 && equal_nocase(view(header.key), kSetCookie);
}

ngx_table_elt_t* push_header(ngx_http_request_t* r, std::string_view name,
                             std::string_view value) noexcept {
    if (has_control_bytes(value)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "oidc: a response header with control bytes is not sent");
        return nullptr;
    }
    const ngx_str_t key = copy_to_pool(r->pool, name);
    const ngx_str_t text = copy_to_pool(r->pool, value);
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (header == nullptr) {
        return nullptr;
    }
    *header = {};
    if (key.data == nullptr || text.data == nullptr) {
        return nullptr;
    }
    header->hash = 1;
    header->key = key;
    header->value = text;
    return header;
}

bool set_cache_control(ngx_http_request_t* r, std::string_view value) noexcept {
    hide_headers(r, "Cache-Control");
    hide_headers(r, "Expires");
    hide_headers(r, "Pragma");
    return set_decoys(r) && push_header(r, "Cache-Control", value) != nullptr;
}

bool set_response_head(ngx_http_request_t* r, const Respond& respond) noexcept {
    clear_head(r);
    r->headers_out.status = static_cast<ngx_uint_t>(respond.status);
    r->headers_out.content_length_n = static_cast<off_t>(respond.body.size());
    for (const Header& header : respond.headers) {
        bool ok = true;
        if (equal_nocase(header.name, "Content-Type")) {
            ok = set_content_type(r, header.value);
        } else if (equal_nocase(header.name, "Cache-Control")) {
            ok = set_cache_control(r, header.value);
        } else if (equal_nocase(header.name, "Location")) {
            r->headers_out.location = push_header(r, header.name, header.value);
            ok = r->headers_out.location != nullptr;
        } else if (!equal_nocase(header.name, kSetCookie)) {
            ok = push_header(r, header.name, header.value) != nullptr;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

ngx_int_t send_body(ngx_http_request_t* r, std::string_view body) noexcept {
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    const ngx_str_t copy = copy_to_pool(r->pool, body);
    if (buffer == nullptr || copy.data == nullptr) {
        return NGX_ERROR;
    }
    buffer->pos = copy.data;
    buffer->last = copy.data + copy.len;
    buffer->memory = copy.len != 0 ? 1 : 0;
    buffer->last_buf = r == r->main ? 1 : 0;
    buffer->last_in_chain = 1;
    ngx_chain_t out{buffer, nullptr};
    return ngx_http_output_filter(r, &out);
}

ngx_int_t send_answer(ngx_http_request_t* r, const Respond& respond) noexcept try {
    // The answer is final: no "100 Continue" that would invite the body.
    r->expect_tested = 1;
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    RequestContext* ctx = find_context(r);
    for (const Header& header : respond.headers) {
        if (ctx != nullptr && equal_nocase(header.name, kSetCookie)) {
            ctx->answer.set_cookies.push_back(header.value);
        }
    }
    if (!set_response_head(r, respond)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return send_body(r, respond.body);
} catch (...) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t send_respond(ngx_http_request_t* r, const Respond& respond) noexcept {
    const ngx_int_t rc = send_answer(r, respond);
    // NGX_OK would mean "access granted" to the phase engine, so the request ends here.
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

ngx_int_t begin_refusal(ngx_http_request_t* r, RequestContext& ctx, std::string_view what,
                        const Provider* provider, const Error& error, int status) {
    const ReasonInfo& info = reason_info(error.reason);
    if (!make_reference(r, ctx)) {
        return NGX_ERROR;
    }
    const bool outsider =
        info.outsider || (error.reason == Reason::not_permitted && !ctx.authenticated());
    log_refusal(r->connection->log, what, provider != nullptr ? provider->config.name : "", error,
                view(ctx.answer.reference), outsider);
    counters(r).count_refusal(error.reason);
    ctx.answer.error_code = info.code.data();
    const bool others_may_grant =
        satisfy_any(r) && (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN);
    return others_may_grant || has_error_page(r, status) ? status : NGX_OK;
}

ngx_int_t refuse(ngx_http_request_t* r, RequestContext& ctx, const Provider* provider,
                 const Error& error, std::string_view start_again, int status) {
    return refuse(r, ctx, provider, error, start_again, status, {});
}

ngx_int_t refuse(ngx_http_request_t* r, RequestContext& ctx, const Provider* provider,
                 const Error& error, std::string_view start_again, int status,
                 std::string_view told) {
    const ReasonInfo& info = reason_info(error.reason);
    const RequestTask::Kind kind = task_kind(ctx);
    if (status == 0) {
        status = info.status;
    }
    const char* what = kind == RequestTask::Kind::logout ? "logout" : "login";
    const ngx_int_t rc = begin_refusal(r, ctx, what, provider, error, status);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (kind != RequestTask::Kind::logout && kind != RequestTask::Kind::backchannel &&
        error.reason != Reason::not_permitted && error.reason != Reason::cross_origin_request &&
        error.reason != Reason::assertion_too_large) {
        counters(r).count_refused_login();
    }
    if (rc != NGX_OK) {
        return rc;
    }
    const PageForm form = page_form(request_facts(r));
    Respond page = error_page(error.reason, view(ctx.answer.reference), start_again, form,
                              page_language(r, form), error.advice, told, begun_origin(ctx));
    page.status = status;
    if (status == NGX_HTTP_NOT_ALLOWED) {
        const bool any_form =
            kind == RequestTask::Kind::logout || kind == RequestTask::Kind::initiation;
        page.headers.push_back({"Allow", any_form ? "GET, HEAD, POST"
                                         : provider != nullptr && provider->config.response_mode ==
                                                                      ResponseMode::form_post
                                             ? "GET, POST"
                                             : "GET"});
    }
    return send_respond(r, page);
}

ngx_int_t send_redirect(ngx_http_request_t* r, int status, std::string_view location) {
    if (location.empty()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return send_respond(r, redirect(status, location));
}

ngx_int_t send_onward(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider,
                      std::string_view target) {
    const std::string origin = begun_origin(ctx);
    if (provider.strict_cookie()) {
        return send_respond(r, onward_page(target, page_language(r), origin));
    }
    return send_redirect(
        r, NGX_HTTP_SEE_OTHER,
        origin.empty() ? own_url(r, provider, target) : std::string(origin).append(target));
}

ngx_int_t send_too_early(ngx_http_request_t* r) {
    Respond respond;
    respond.status = 425;
    respond.headers.push_back({"Content-Type", "text/plain"});
    respond.body = "Too Early\n";
    add_common_headers(respond);
    return send_respond(r, respond);
}

}  // namespace oidc::ngx
