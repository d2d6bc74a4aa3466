// SPDX-License-Identifier: Apache-2.0
#include "signin/frontchannel_logout.hpp"

#include "base/ports_ngx.hpp"
#include "oidc/logout.hpp"
#include "oidc/page.hpp"
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

// The sid that the provider's page names; empty: none that may be meant.
std::string named_sid(ngx_http_request_t* r, const Provider& provider) {
    const Argument sid = decoded_argument(view(r->args), "sid");
    return sid.value && !sid.value->empty() &&
                   why_not_frontchannel(view(r->args), provider.config.issuer, *sid.value, false)
                       .empty()
               ? *sid.value
               : std::string();
}

}  // namespace

ngx_int_t handle_frontchannel(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::logout, provider);
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        return logout_not_allowed(r, ctx, "a front-channel logout must come with GET", "GET, HEAD");
    }
    if (ctx.authenticated()) {
        const bool nameless =
            is_framed(request_header(r, "sec-fetch-dest")) || is_own_request(r, &provider);
        const std::string why_not = why_not_frontchannel(view(r->args), provider.config.issuer,
                                                         ctx.decision->session.sid(), nameless);
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
    const std::string sid = named_sid(r, provider);
    // A store without records could only note that whoever has this sid is signed out, and the sid
    // is anybody's choice: notes without end.
    if (sid.empty() || provider.store->type == Store::Type::cookie) {
        return send_respond(r, frontchannel_page(page_language(r)));
    }
    // The frame of another site comes without our cookie, which is SameSite.
    return when_ready(r, ctx, end_owned(task, RecordTable::Tag::sid, sid_tag(provider, sid)),
                      [r, &ctx](const Event& event) {
                          if (const auto* error = std::get_if<Error>(&event)) {
                              return refuse(r, ctx, ctx.task->provider, *error, {});
                          }
                          log_ended(*ctx.task, "front channel");
                          if (ended_any(*ctx.task)) {
                              look_at_upgraded();
                              counters(r).count_logout(LogoutKind::frontchannel);
                          }
                          return send_respond(r, frontchannel_page(page_language(r)));
                      });
}

}  // namespace oidc::ngx
