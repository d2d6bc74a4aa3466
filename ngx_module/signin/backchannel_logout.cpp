// Logouts that the provider begins: Front-Channel Logout 1.0 and Back-Channel Logout 1.0.
#include <algorithm>

#include "oidc/encode.hpp"
#include "oidc/logout.hpp"
#include "oidc/logout_token.hpp"
#include "oidc/page.hpp"
#include "oidc/record_table.hpp"
#include "oidc/uri.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/access.hpp"
#include "signin/login.hpp"
#include "signin/logout.hpp"
#include "signin/logout_hook.hpp"
#include "signin/upgraded.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

// The sid that the provider's page names, when it names itself as well; else empty.
std::string named_sid(ngx_http_request_t* r, const Provider& provider) {
    int count = 0;
    const auto argument = query_argument(view(r->args), "sid", &count);
    const auto sid = argument && count == 1 ? percent_decode(*argument, true) : std::nullopt;
    return sid && !sid->empty() &&
                   why_not_frontchannel(view(r->args), provider.config.issuer, *sid).empty()
               ? *sid
               : std::string();
}

ngx_int_t method_not_allowed(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                             const char* detail, const char* allow) {
    const Error error = fail(Reason::callback_method, detail);
    counters(r).count_refusal(error.reason);
    ctx.error_code = reason_info(error.reason).code.data();
    log_refusal(r->connection->log, "logout", provider.config.name, error, "-");
    Respond respond = backchannel_refusal(error);
    respond.headers.push_back({"Allow", allow});
    return send_respond(r, respond);
}

std::string_view content_type(ngx_http_request_t* r) noexcept {
    const ngx_table_elt_t* header = r->headers_in.content_type;
    return header != nullptr ? view(header->value) : std::string_view{};
}

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

// The body as one piece; an error when it is larger than anything that a logout token comes in.
Result<Secret> body_of(ngx_http_request_t* r) {
    Secret body;
    if (r->request_body == nullptr) {
        return body;
    }
    for (const ngx_chain_t* link = r->request_body->bufs; link != nullptr; link = link->next) {
        const ngx_buf_t& buffer = *link->buf;
        const bool in_memory = ngx_buf_in_memory(&buffer);
        const auto size = static_cast<std::size_t>(in_memory ? buffer.last - buffer.pos
                                                             : buffer.file_last - buffer.file_pos);
        if (size > kMaxLogoutForm - body.size()) {
            return fail(Reason::logout_too_large, "the request is too large");
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

// Back into the access phase, where handle_backchannel is called again.
void on_body(ngx_http_request_t* r) {
    RequestContext* ctx = find_context(r);
    if (ctx == nullptr) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ctx->body_read = true;
    ctx->reading_body = false;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

ngx_int_t read_body(ngx_http_request_t* r, RequestContext& ctx) {
    ctx.reading_body = true;
    r->request_body_in_single_buf = 1;
    const ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx.reading_body = false;
        return rc;
    }
    // on_body may have ended the request already; the reading holds a reference of its own.
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

// True when the outcome is there already.
bool end_owned(ngx_http_request_t* r, RequestContext& ctx, RecordTable::Tag which,
               std::uint64_t tag) {
    const Provider& provider = *ctx.provider;
    return ask_store(r, ctx, ctx.ended, [&](auto done) {
        return provider.store->sessions().erase_owner(which, tag, std::move(done));
    });
}

bool ended_any(const RequestContext& ctx) noexcept {
    return !ctx.ended.counted || ctx.ended.sessions > 0;
}

ngx_int_t accept_backchannel(ngx_http_request_t* r, RequestContext& ctx) {
    look_at_upgraded();
    counters(r).count_logout(LogoutKind::backchannel);
    const std::string count =
        ctx.ended.counted ? std::to_string(ctx.ended.sessions) + " sessions" : "the sessions";
    NgxLog(r->connection->log)
        .write(LogLevel::info, "back-channel logout at provider \"" + ctx.provider->config.name +
                                   "\" ended " + count);
    return send_respond(r, backchannel_page());
}

}  // namespace

ngx_int_t handle_frontchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    ctx.task = RequestContext::Task::logout;
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        return method_not_allowed(r, ctx, provider, "a front-channel logout must come with GET",
                                  "GET, HEAD");
    }
    ctx.provider = &provider;
    if (ctx.authenticated) {
        const std::string why_not =
            why_not_frontchannel(view(r->args), provider.config.issuer, ctx.session.sid());
        if (!why_not.empty()) {
            NgxLog(r->connection->log)
                .write(LogLevel::notice, "front-channel logout at provider \"" +
                                             provider.config.name + "\" ends nothing: " + why_not);
            return send_respond(r, frontchannel_page());
        }
        return with_logout_hook(r, ctx, provider, [r, &ctx, &provider] {
            return end_sessions(r, ctx, provider, [r, &ctx, &provider] {
                counters(r).count_logout(LogoutKind::frontchannel);
                expire_cookies(r, ctx, provider);
                return send_respond(r, frontchannel_page());
            });
        });
    }
    const std::string sid = named_sid(r, provider);
    if (sid.empty()) {
        return send_respond(r, frontchannel_page());
    }
    // The frame of another site comes without our cookie, which is SameSite.
    return when_ready(r, ctx, end_owned(r, ctx, RecordTable::Tag::sid, sid_tag(provider, sid)),
                      [r, &ctx](const Event& event) {
                          if (const auto* error = std::get_if<Error>(&event)) {
                              return refuse(r, ctx, ctx.provider, *error, {});
                          }
                          look_at_upgraded();
                          if (ended_any(ctx)) {
                              counters(r).count_logout(LogoutKind::frontchannel);
                          }
                          return send_respond(r, frontchannel_page());
                      });
}

ngx_int_t handle_backchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    ctx.task = RequestContext::Task::backchannel;
    ctx.provider = &provider;
    if (ctx.reading_body) {
        return NGX_DONE;
    }
    if (r->method != NGX_HTTP_POST) {
        return method_not_allowed(r, ctx, provider, "a back-channel logout must come with POST",
                                  "POST");
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (r->headers_in.content_length_n > static_cast<off_t>(kMaxLogoutForm)) {
        return refuse_backchannel(r, ctx, provider,
                                  fail(Reason::logout_too_large, "the request is too large"));
    }
    if (!ctx.body_read) {
        return read_body(r, ctx);
    }
    const Result<Secret> body = body_of(r);
    if (!body) {
        return refuse_backchannel(r, ctx, provider, body.error());
    }
    Result<std::string> token = parse_logout_form(content_type(r), body->view());
    if (!token) {
        return refuse_backchannel(r, ctx, provider, token.error());
    }
    return begin_backchannel(r, ctx, provider, *std::move(token));
}

ngx_int_t refuse_backchannel(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                             const Error& error) {
    counters(r).count_refusal(error.reason);
    ctx.error_code = reason_info(error.reason).code.data();
    log_refusal(r->connection->log, "logout", provider.config.name, error, "-");
    return send_respond(r, backchannel_refusal(error));
}

ngx_int_t finish_backchannel(ngx_http_request_t* r, RequestContext& ctx, const EndSessions& end) {
    const Provider& provider = *ctx.provider;
    const auto which = end.sid.empty() ? RecordTable::Tag::sub : RecordTable::Tag::sid;
    const std::uint64_t tag =
        end.sid.empty() ? sub_tag(provider, end.sub) : sid_tag(provider, end.sid);
    const bool asked = ask_store(r, ctx, ctx.first_use, [&](auto done) {
        return provider.store->sessions().use_once(end.jti_digest, end.remember_until,
                                                   std::move(done));
    });
    ctx.task = RequestContext::Task::backchannel;
    return when_ready(r, ctx, asked, [r, &ctx, which, tag](const Event& used) {
        if (const auto* error = std::get_if<Error>(&used)) {
            return refuse_backchannel(r, ctx, *ctx.provider, *error);
        }
        if (!ctx.first_use) {
            return refuse_backchannel(
                r, ctx, *ctx.provider,
                fail(Reason::logout_token_replayed, "the token was used before"));
        }
        return when_ready(r, ctx, end_owned(r, ctx, which, tag), [r, &ctx](const Event& event) {
            const auto* error = std::get_if<Error>(&event);
            return error != nullptr ? refuse_backchannel(r, ctx, *ctx.provider, *error)
                                    : accept_backchannel(r, ctx);
        });
    });
}

}  // namespace oidc::ngx
