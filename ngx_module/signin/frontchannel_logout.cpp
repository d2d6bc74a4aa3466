// SPDX-License-Identifier: Apache-2.0
#include "signin/frontchannel_logout.hpp"

#include <string>
#include <utility>
#include <vector>

#include "base/ports_ngx.hpp"
#include "oidc/logout.hpp"
#include "oidc/page.hpp"
#include "oidc/tenants.hpp"
#include "oidc/uri.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/logout_hook.hpp"
#include "signin/session_end.hpp"
#include "signin/upgraded.hpp"
#include "stores/session_ids.hpp"

namespace oidc::ngx {
namespace {

// What the provider's page names.
struct Named {
    std::string sid;
    std::vector<std::string> issuers;  // whose sid it may be; empty: none that may be meant
};

Named named_session(ngx_http_request_t* r, const Provider& provider) {
    Named named;
    Argument sid = decoded_argument(view(r->args), "sid");
    named.issuers = issuers_meant_by(provider.config, view(r->args));
    if (!sid.value || sid.value->empty() || named.issuers.empty() ||
        !why_not_frontchannel(view(r->args), named.issuers.front(), *sid.value, false).empty()) {
        return {};
    }
    named.sid = *std::move(sid.value);
    return named;
}

// Those of the issuers, one after the other: the last one first. `any`: some have ended already.
ngx_int_t end_named(ngx_http_request_t* r, RequestContext& ctx, Named named, bool any) {
    if (named.issuers.empty()) {
        if (any) {
            look_at_upgraded();
            counters(r).count_logout(LogoutKind::frontchannel);
        }
        return send_respond(r, frontchannel_page(page_language(r)));
    }
    RequestTask& task = *ctx.task;
    const std::uint64_t tag = sid_tag(*task.provider, named.issuers.back(), named.sid);
    named.issuers.pop_back();
    return when_ready(r, ctx, end_owned(task, RecordTable::Tag::sid, tag),
                      [r, &ctx, named = std::move(named), any](const Event& event) {
                          if (const auto* error = std::get_if<Error>(&event)) {
                              return refuse(r, ctx, ctx.task->provider, *error, {});
                          }
                          log_ended(*ctx.task, "front channel");
                          return end_named(r, ctx, named, any || ended_any(*ctx.task));
                      });
}

}  // namespace

ngx_int_t handle_frontchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    begin_task(r, ctx, RequestTask::Kind::logout, provider);
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        const Error error =
            fail(Reason::callback_method, "a front-channel logout must come with GET");
        Respond respond = backchannel_refusal(error);
        respond.headers.push_back({"Allow", "GET, HEAD"});
        return refuse_provider(r, ctx, "logout", error, respond);
    }
    if (ctx.authenticated()) {
        const bool nameless =
            is_framed(request_header(r, "sec-fetch-dest")) || is_own_request(r, &provider);
        const SessionView& session = ctx.decision->session;
        const std::string why_not = why_not_frontchannel(
            view(r->args), issuer_of(provider.config, session), session.sid(), nameless);
        if (!why_not.empty()) {
            NgxLog(r->connection->log)
                .write(LogLevel::notice, "front-channel logout at provider \"" +
                                             provider.config.name + "\" ends nothing: " + why_not);
            return send_respond(r, frontchannel_page(page_language(r)));
        }
        return with_logout_hook(r, ctx, [r, &ctx, &provider] {
            return end_sessions(r, ctx, [r, &ctx, &provider] {
                counters(r).count_logout(LogoutKind::frontchannel);
                expire_cookies(r, ctx, provider);
                return send_respond(r, frontchannel_page(page_language(r)));
            });
        });
    }
    Named named = named_session(r, provider);
    // A store without records could only note that whoever has this sid is signed out, and the sid
    // is anybody's choice: notes without end.
    if (named.issuers.empty() || provider.store->type == Store::Type::cookie) {
        return send_respond(r, frontchannel_page(page_language(r)));
    }
    // The frame of another site comes without our cookie, which is SameSite.
    return end_named(r, ctx, std::move(named), false);
}

}  // namespace oidc::ngx
