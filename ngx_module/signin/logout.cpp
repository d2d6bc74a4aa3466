// SPDX-License-Identifier: Apache-2.0
#include "signin/logout.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/debug_log.hpp"
#include "oidc/logout.hpp"
#include "oidc/page.hpp"
#include "oidc/revocation.hpp"
#include "oidc/traceparent.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "request/trace.hpp"
#include "shm/counters_zone.hpp"
#include "signin/logout_hook.hpp"
#include "signin/session_end.hpp"

namespace oidc::ngx {
namespace {

// A key that the provider has withdrawn for longer is no longer taken for one of its keys.
constexpr Seconds kHintKeysAge = 60;

// Empty: the request may end the session.
std::string why_not_logout(ngx_http_request_t* r, const Provider& provider) {
    const bool named =
        std::any_of(provider.logout_origins.begin(), provider.logout_origins.end(),
                    [r](const std::string& origin) {
                        return is_navigation_from(request_header(r, "origin"),
                                                  request_header(r, "referer"), origin);
                    });
    if (!named && !is_own_request(r, &provider)) {
        return "the request comes from another site";
    }
    return request_facts(r).sec_purpose.empty() ? "" : "the request is a prefetch";
}

ngx_int_t leave(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                std::string_view end_session_endpoint) {
    const ProviderConfig& config = provider.config;
    if (!ctx.task->ended_session.provider().empty()) {
        counters(r).count_logout(end_session_endpoint.empty() ? LogoutKind::local
                                                              : LogoutKind::rp_initiated);
    }
    const int status = r->method == NGX_HTTP_POST ? NGX_HTTP_SEE_OTHER : NGX_HTTP_MOVED_TEMPORARILY;
    const std::string landing = config.post_logout_uri.starts_with('/')
                                    ? own_url(r, provider, config.post_logout_uri)
                                    : config.post_logout_uri;
    debug_log(r->connection->log, "oidc logout: provider \"%s\": %s", config.name.c_str(),
              end_session_endpoint.empty() ? "over here, the provider has no end_session_endpoint"
                                           : "over here, on to the provider");
    if (!end_session_endpoint.empty()) {
        OpensslRandom random;
        const Result<std::string> state = random_token(random);
        if (!state) {
            return refuse(r, ctx, &provider, state.error(), {});
        }
        const EndSession target =
            end_session({end_session_endpoint, config.client_id, landing,
                         ctx.task->logout_hint.view(), *state, provider.post_logout_param});
        // Providers that ask for a hint answer with a question or an error page without one.
        const bool hint_missing = config.logout_token_hint && ctx.task->logout_hint.empty();
        return target.fields.empty() && !hint_missing
                   ? send_redirect(r, status, target.url)
                   : send_respond(r, end_session_page(target, page_language(r)));
    }
    if (!landing.empty()) {
        return send_redirect(r, status, landing);
    }
    return send_respond(r, signed_out_page("/", page_language(r)));
}

void log_not_revoked(const std::string& provider, const Error& error) {
    NgxLog(ngx_cycle->log)
        .write(LogLevel::warn,
               "the tokens of a session that has ended at provider \"" + provider +
                   "\" are not revoked: " + std::string(reason_info(error.reason).code) + ": " +
                   error.detail);
}

// Asks, and once more when the client has another credential to show.
void ask_to_revoke(const std::shared_ptr<Revocation>& revocation, const Provider& provider,
                   const std::string& trace) {
    CurlLoop* loop = CurlLoop::worker();
    if (loop == nullptr) {
        return;
    }
    FlowPorts ports(ngx_cycle->log);
    Result<HttpRequest> request = revocation->request(ports.ports());
    if (!request) {
        log_not_revoked(provider.config.name, request.error());
        return;
    }
    if (!trace.empty()) {
        request->headers.push_back({std::string(kTraceparent), trace});
    }
    const auto done = [revocation, &provider, trace, url = request->url,
                       endpoint = request->endpoint](const HttpOutcome& outcome) {
        FlowPorts later(ngx_cycle->log);
        if (revocation->again(outcome, later.ports())) {
            ask_to_revoke(revocation, provider, trace);
            return;
        }
        HttpRequest shown;
        shown.url = url;
        shown.endpoint = endpoint;
        const Status status = check_revocation(shown, outcome);
        if (!status) {
            log_not_revoked(provider.config.name, status.error());
        }
    };
    loop->start(*std::move(request), provider.transport, done);
}

// Takes back at the provider what the session held. Nobody waits for it.
void revoke(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider,
            const ProviderReady& state) {
    if (ctx.task->ended_session.provider().empty()) {
        return;
    }
    std::optional<Revocation> revocation =
        Revocation::of(provider.config, state, ctx.task->ended_session, ngx_time());
    if (revocation) {
        ask_to_revoke(std::make_shared<Revocation>(*std::move(revocation)), provider,
                      trace_of(r, provider));
    }
}

// A hint that the provider could not verify any more would end in its error page.
void drop_dead_hint(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider,
                    const ProviderState& state) {
    Secret& hint = ctx.task->logout_hint;
    if (hint.empty()) {
        return;
    }
    if (const Status status = check_hint(hint.view(), provider.config, state); !status) {
        NgxLog(r->connection->log)
            .note(Notice::hint_left_out, LogLevel::notice,
                  "logout at provider \"" + provider.config.name +
                      "\" goes without id_token_hint, its key is no longer published: " +
                      status.error().detail);
        hint.clear();
    }
}

ngx_int_t finish_logout(ngx_http_request_t* r, RequestContext& ctx, const Event& outcome) {
    const Provider& provider = *ctx.task->provider;
    if (const auto* ready = std::get_if<ProviderReady>(&outcome)) {
        revoke(r, ctx, provider, *ready);
        drop_dead_hint(r, ctx, provider, **ready);
        return leave(r, ctx, provider, (*ready)->metadata.end_session_endpoint);
    }
    if (const auto* error = std::get_if<Error>(&outcome)) {
        // The session here has ended all the same; the provider's lasts until it times out.
        NgxLog(r->connection->log)
            .write(LogLevel::warn,
                   "logout at provider \"" + provider.config.name + "\" is local only: " +
                       std::string(reason_info(error->reason).code) + ": " + error->detail);
    }
    return leave(r, ctx, provider, provider.config.end_session_endpoint);
}

ngx_int_t end_and_leave(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    return end_sessions(r, ctx, [r, &ctx, &provider] {
        expire_cookies(r, ctx, provider);
        const bool revokes =
            provider.config.revoke_on_logout && !ctx.task->ended_session.provider().empty();
        const bool endpoint_known =
            !provider.config.end_session_endpoint.empty() || !provider.config.needs_discovery();
        // What has signed the hint may have been replaced since.
        const bool hinted = !ctx.task->logout_hint.empty();
        if (endpoint_known && !revokes && !hinted) {
            return leave(r, ctx, provider, provider.config.end_session_endpoint);
        }
        NeedProvider need;
        need.max_age = hinted ? kHintKeysAge : 0;
        return when_ready(r, ctx, ask_provider(*ctx.task, need), [r, &ctx](const Event& outcome) {
            return finish_logout(r, ctx, outcome);
        });
    });
}

}  // namespace

ngx_int_t handle_logout(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::logout, provider);
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD && r->method != NGX_HTTP_POST) {
        return refuse(r, ctx, &provider, fail(Reason::callback_method, "logout takes GET and POST"),
                      provider.logout_path);
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    const std::string why_not = why_not_logout(r, provider);
    if (!why_not.empty()) {
        return refuse(r, ctx, &provider, fail(Reason::logout_cross_site, why_not),
                      provider.logout_path);
    }
    if (ctx.authenticated()) {
        // The record is the request's own copy and outlives the session.
        task.ended_session = ctx.decision->session;
        if (provider.config.logout_token_hint) {
            task.logout_hint = Secret(ctx.decision->session.id_token());
        }
    }
    return with_logout_hook(r, ctx,
                            [r, &ctx, &provider] { return end_and_leave(r, ctx, provider); });
}

}  // namespace oidc::ngx
