// SPDX-License-Identifier: Apache-2.0
#include "signin/unauthenticated.hpp"

#include <algorithm>

#include "base/debug_log.hpp"
#include "oidc/page.hpp"
#include "oidc/uri.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/counters_zone.hpp"
#include "signin/bearer.hpp"
#include "signin/choice.hpp"
#include "signin/login.hpp"
#include "signin/return_target.hpp"

namespace oidc::ngx {
namespace {

// The request has been refused, and an error_page without `=` keeps the status: it answers the
// refusal and is no page that was asked for. `error_page 403 = @sign_in` leaves it to the location.
bool is_refused(ngx_http_request_t* r) noexcept {
    return r->internal && r->err_status >= NGX_HTTP_BAD_REQUEST;
}

// A refusal is being answered by an error_page that is protected itself: neither a login nor a
// second error page.
ngx_int_t plain_refusal(ngx_http_request_t* r) noexcept {
    r->error_page = 1;
    if (!is_refused(r)) {
        return NGX_HTTP_UNAUTHORIZED;
    }
    // Under `satisfy any` nginx asks the other modules after these two alone.
    return satisfy_any(r) && r->err_status != NGX_HTTP_UNAUTHORIZED
               ? NGX_HTTP_FORBIDDEN
               : static_cast<ngx_int_t>(r->err_status);
}

// A cookie of a session, be it alive or not.
bool brings_session(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider) {
    const std::string& name = session_cookie_name(r, provider);
    const auto presented = ctx.cookies.presented();
    return std::any_of(presented.begin(), presented.end(),
                       [&name](const CookiePair& cookie) { return cookie.name == name; });
}

// The response to another application is its own to have, with the session that it needs.
std::string same_page(ngx_http_request_t* r, const RequestContext& ctx, const Provider& provider) {
    const std::string_view target = view(r->unparsed_uri);
    return ctx.foreign_callback && is_safe_return_target(target) ? std::string(target)
                                                                 : return_target(r, provider);
}

}  // namespace

ngx_int_t challenge(ngx_http_request_t* r, RequestContext& ctx, Provider& endpoint_of) {
    // A session that is not enough may be of another provider of the group.
    Provider& provider = ctx.authenticated() ? *ctx.decision->provider : endpoint_of;
    if (is_refused(r) || (r->internal && ctx.answer.error_code != nullptr)) {
        return plain_refusal(r);
    }
    if (satisfy_any(r)) {
        // Another module may still grant; the header filter answers when none does.
        ctx.answer.late_challenge = true;
        debug_log(r->connection->log, "oidc decision: left to what else `satisfy any` asks");
        return NGX_HTTP_UNAUTHORIZED;
    }
    counters(r).count_challenge();
    if (is_redirected(r)) {
        if (const std::optional<Respond> detour = before_login(r, ctx, provider)) {
            return send_respond(r, *detour);
        }
        const LoginPlace place = login_place(r, ctx, provider);
        if (place.provider == nullptr) {
            debug_log(r->connection->log, "oidc decision: to the choice of a provider");
            return send_redirect(r, NGX_HTTP_MOVED_TEMPORARILY, place.choice_url);
        }
        debug_log(r->connection->log, "oidc decision: a login begins");
        return begin_login(r, ctx, *place.provider, place.return_to);
    }
    debug_log(r->connection->log, "oidc decision: 401, the request is not sent to the provider");
    Respond answer = unauthorized(r, ctx, provider);
    if (has_error_page(r, NGX_HTTP_UNAUTHORIZED)) {
        return NGX_HTTP_UNAUTHORIZED;
    }
    return send_respond(r, answer);
}

bool is_redirected(ngx_http_request_t* r) noexcept {
    RequestFacts facts = request_facts(r);
    facts.get = facts.get || facts.head;  // the same decision for both
    return should_redirect(static_cast<Unauthorized>(loc_conf(r).unauthorized), facts);
}

std::optional<Respond> before_login(ngx_http_request_t* r, const RequestContext& ctx,
                                    const Provider& provider) {
    if (is_plain_side(r, provider)) {
        // Its cookies would not come back over plain http, and its session must not begin there.
        debug_log(r->connection->log, "oidc decision: to the same page over https");
        return redirect(NGX_HTTP_MOVED_TEMPORARILY,
                        own_url(r, provider, return_target(r, provider)));
    }
    // After the page the browser says that the request comes from us, with or without a session.
    if (provider.strict_cookie() && r->method == NGX_HTTP_GET &&
        !brings_session(r, ctx, provider) &&
        is_from_another_site(request_header(r, "sec-fetch-site"))) {
        debug_log(r->connection->log,
                  "oidc decision: once more from a page of ours, for the cookie");
        return onward_page(same_page(r, ctx, provider), page_language(r));
    }
    return std::nullopt;
}

Respond unauthorized(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider) {
    const LocConf& location = loc_conf(r);
    const auto policy = static_cast<Unauthorized>(location.unauthorized);
    const PageForm form =
        policy == Unauthorized::status_401 ? PageForm::json : page_form(request_facts(r));
    const std::string page = form == PageForm::json ? std::string() : page_before(r, provider);
    const Language language = page_language(r, form);
    const LoginDemand* demand = location.step_up;
    if (ctx.insufficient && demand != nullptr) {
        ctx.answer.error_code = reason_info(Reason::insufficient_user_authentication).code.data();
        return insufficient_authentication(strictest(provider.config, *demand), page, form,
                                           language);
    }
    ctx.answer.error_code = reason_info(Reason::login_required).code.data();
    Respond answer = login_required(login_url_here(r, ctx, provider), page, form, language);
    if (location.takes_tokens()) {
        answer.headers.push_back(
            {"WWW-Authenticate", bearer_demand(r, provider).challenge(nullptr)});
    }
    return answer;
}

}  // namespace oidc::ngx
