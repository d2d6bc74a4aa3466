// SPDX-License-Identifier: Apache-2.0
#include "signin/callback.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/ports_ngx.hpp"
#include "oidc/encode.hpp"
#include "oidc/former_state.hpp"
#include "oidc/http_message.hpp"
#include "oidc/page.hpp"
#include "oidc/uri.hpp"
#include "request/own_cookies.hpp"
#include "request/request_body.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "shm/login_zone.hpp"
#include "signin/admission.hpp"
#include "signin/decide.hpp"
#include "signin/login.hpp"
#include "signin/unauthenticated.hpp"

namespace oidc::ngx {
namespace {

constexpr Seconds kFutureTolerance = 60;

// Where the login began, if that is known by now.
std::string origin_of_login(const RequestContext& ctx) {
    return ctx.task == nullptr || ctx.task->start_again.empty() ? "/" : ctx.task->start_again;
}

ngx_int_t refuse_callback(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                          const Error& error) {
    return refuse(r, ctx, &provider, error, origin_of_login(ctx));
}

// A login that cannot be finished any more. Whoever has a session is sent on; without one the page
// says why, and never starts over by itself: a browser that keeps no cookies would go round for
// ever. So would one whose session is not enough where the login began (`demanding`).
ngx_int_t stale(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                const Error& error, bool demanding) {
    if (!ctx.authenticated() || demanding) {
        return refuse_callback(r, ctx, provider, error);
    }
    return send_onward(r, ctx, provider, origin_of_login(ctx));
}

// "#..." as the browser stored it before the login, or empty.
std::string read_fragment(const RequestContext& ctx, std::string_view cookie_name,
                          std::string_view return_to) {
    for (const CookiePair& cookie : ctx.cookies.fragments) {
        if (cookie.name != cookie_name) {
            continue;
        }
        std::optional<std::string> fragment = percent_decode(cookie.value, false);
        if (!fragment || fragment->empty()) {
            return {};
        }
        if (fragment->front() != '#') {
            fragment->insert(0, 1, '#');
        }
        std::string target(return_to);
        target.append(*fragment);
        return is_safe_return_target(target) ? *std::move(fragment) : std::string();
    }
    return {};
}

void expire_login_cookie(RequestContext& ctx, const Provider& provider, std::string_view name,
                         bool https) {
    ctx.answer.set_cookies.push_back(
        delete_cookie(name, login_cookie_attributes(provider, name, https)));
}

// The login that a response belongs to.
struct Begun {
    std::optional<PendingLogin> login;      // nullopt: neither state nor cookie opens here
    const PendingCookie* cookie = nullptr;  // that binds it to this browser; null: it has none
    std::string target_cookie;              // that the login has used; empty: none
};

Begun find_begun(const RequestContext& ctx, const Provider& provider,
                 const std::vector<PendingCookie>& pending, const std::string& state,
                 const Aead& aead, const Digest& binding, bool https) {
    Begun begun;
    if (is_former_state(state)) {
        begun.cookie = find_former(pending, state);
        if (begun.cookie != nullptr) {
            begun.login = open_former(begun.cookie->value, aead, binding);
        }
        if (begun.login && !equal_constant_time(begun.login->state, state)) {
            // That login is not the one that this response ends: it goes on.
            begun = {};
        }
        return begun;
    }
    begun.login = open_state(state, aead, binding);
    if (!begun.login) {
        return begun;
    }
    const std::string name = login_cookie_name(provider, kTargetCookie, https);
    std::string_view target;
    for (const CookiePair& cookie : ctx.cookies.targets) {
        target = cookie.name == name ? cookie.value : target;
    }
    if (join_target(*begun.login, target, aead)) {
        begun.target_cookie = name;
    }
    if (!begun.login->host.empty() && !provider.is_login_host(begun.login->host)) {
        // It was one when the login began, before a reload.
        begun.login->host.clear();
        begun.login->return_to = "/";
    }
    begun.cookie = take_cookie(*begun.login, pending);
    return begun;
}

// A response to a login of ours.
ngx_int_t complete(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                   AuthzResponse response) {
    const Digest* binding = binding_of(r, provider);
    const MetadataCache* cache = MetadataCache::worker();
    if (binding == nullptr || cache == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const bool https = public_https(r, &provider);
    const std::vector<PendingCookie> pending = usable_pending(ctx, provider, https);
    Begun begun = find_begun(ctx, provider, pending, response.state, pending_aead(provider, *cache),
                             *binding, https);
    std::optional<PendingLogin>& login = begun.login;
    const PendingCookie* cookie = begun.cookie;
    // Whether the session that the browser has by now, if any, would be sent to the provider again.
    bool demanding = is_step_up_state(response.state);
    const Seconds now = ngx_time();
    if (login) {
        RequestTask& task = begin_task(r, ctx, RequestTask::Kind::callback, provider);
        task.start_again = login->return_to;
        task.begun_at = login->host;
        demanding = ctx.authenticated() && shortfall(ctx.decision->session, login->demand, now,
                                                     provider.config.clock_skew) != Shortfall::none;
        task.overtaken = ctx.authenticated() && !demanding;
    }
    if (cookie == nullptr) {
        return stale(r, ctx, provider,
                     fail(Reason::state_unknown,
                          pending.empty() ? "the browser sent no cookie of a login under way; it "
                                            "refuses cookies, or the login began at another host"
                                          : "no cookie of a login under way belongs to this state"),
                     demanding);
    }
    expire_login_cookie(ctx, provider, cookie->name, https);
    if (!begun.target_cookie.empty()) {
        expire_login_cookie(ctx, provider, begun.target_cookie, https);
    }
    const std::string fragment_name =
        login_cookie_name(provider, std::string(kFragmentCookie).append(cookie->handle), https);
    if (provider.config.preserve_fragment) {
        expire_login_cookie(ctx, provider, fragment_name, https);
    }
    if (!login) {
        return stale(r, ctx, provider,
                     fail(Reason::state_unknown, "the cookie of the login does not open here"),
                     demanding);
    }
    const Seconds expires = login->created + provider.config.pre_auth_timeout;
    if (now >= expires || login->created > now + kFutureTolerance) {
        return stale(
            r, ctx, provider,
            fail(Reason::state_expired,
                 "the login began " + std::to_string(now - login->created) + " seconds ago",
                 "pre_auth_timeout"),
            demanding);
    }
    // Of a sealed state there may be other spellings; what it holds is one. An error exchanges
    // nothing, and anybody can write one: it takes no place among the states that were used.
    const std::string& once = is_former_state(response.state) ? login->state : login->nonce;
    if (!response.code.empty()) {
        LoginZone& zone = *LoginZone::of(*main_conf(r).login_zone);
        if (!ctx.task->used_state.take(zone, once, expires, now)) {
            return stale(r, ctx, provider,
                         fail(Reason::state_replayed, "the state has been used before"), demanding);
        }
    }
    ctx.task->fragment = read_fragment(ctx, fragment_name, login->return_to);
    return begin_callback(r, ctx, provider, *std::move(login), std::move(response));
}

// The backend's business, for users only; a response to somebody else's request without identity.
ngx_int_t pass_on(ngx_http_request_t* r, RequestContext& ctx, Provider& provider, bool response) {
    ctx.foreign_callback = response;
    const bool signed_in = ctx.authenticated();
    ctx.insufficient = signed_in && !is_sufficient(*ctx.decision, loc_conf(r));
    if (!response && signed_in && is_cross_origin(r, provider)) {
        return refuse_cross_origin(r, ctx, provider);
    }
    return signed_in && !ctx.insufficient ? admit(r, ctx) : challenge(r, ctx, provider);
}

// What no login of ours has brought about, on a path that is only there for responses.
ngx_int_t other_response(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                         const AuthzResponse& response) {
    if (!response.is_response()) {
        return stale(r, ctx, provider,
                     fail(Reason::callback_malformed, "the callback has neither code nor error"),
                     false);
    }
    return refuse_callback(r, ctx, provider,
                           response.state.empty()
                               ? fail(Reason::state_missing, "the response has no state")
                               : fail(Reason::state_unknown, "the state is not one of ours"));
}

// A response that would be forwarded to where auth_oidc names another provider, or none. The login
// can still be finished at the right place.
ngx_int_t wrong_place(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider,
                      std::string_view state) {
    return stale(r, ctx, provider,
                 fail(Reason::state_unknown,
                      "the login was for provider \"" + provider.config.name +
                          "\", which auth_oidc does not name here",
                      "auth_oidc"),
                 is_step_up_state(state));
}

bool is_posted_form(ngx_http_request_t* r, const Provider& provider) noexcept {
    return provider.config.response_mode == ResponseMode::form_post && r->method == NGX_HTTP_POST &&
           is_form(request_content_type(r));
}

// A provider's page has had the browser post the response. Nothing that is SameSite came with it,
// so the browser brings it once more, sealed, by a GET of our own, which is judged.
ngx_int_t receive_form(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::callback, provider);
    if (task.reading_body) {
        return NGX_DONE;
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (r->headers_in.content_length_n > static_cast<off_t>(kMaxResponseForm)) {
        return refuse_callback(
            r, ctx, provider,
            fail(Reason::callback_too_large,
                 "the form has more than " + std::to_string(kMaxResponseForm) + " bytes"));
    }
    if (!task.body_read) {
        return read_body(r, task);
    }
    const Result<Secret> body = body_of(r, kMaxResponseForm, Reason::callback_too_large);
    if (!body) {
        return refuse_callback(r, ctx, provider, body.error());
    }
    const Result<AuthzResponse> response =
        parse_response_form(request_content_type(r), body->view());
    if (!response) {
        return refuse_callback(r, ctx, provider, response.error());
    }
    if (!is_our_state(response->state)) {
        return provider.config.callback_forward ? pass_on(r, ctx, provider, response->is_response())
                                                : other_response(r, ctx, provider, *response);
    }
    if (is_insecure_detour(r, provider)) {
        return refuse_callback(
            r, ctx, provider,
            fail(Reason::callback_not_https, "the response came over plain http", "redirect_uri"));
    }
    const Digest* binding = binding_of(r, provider);
    const MetadataCache* cache = MetadataCache::worker();
    if (binding == nullptr || cache == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    OpensslRandom random;
    const Result<std::string> sealed =
        seal_response(*response, pending_aead(provider, *cache), *binding, random);
    if (!sealed) {
        return refuse_callback(r, ctx, provider, sealed.error());
    }
    const std::string target =
        std::string(provider.callback_path).append("?").append(kSealedResponse).append("=");
    return send_redirect(r, NGX_HTTP_SEE_OTHER, own_url(r, provider, target + *sealed));
}

// Opens what receive_form() has sealed. An error: the request is refused.
Status open_posted(ngx_http_request_t* r, const Provider& provider, AuthzResponse& response) {
    const Digest* binding = binding_of(r, provider);
    const MetadataCache* cache = MetadataCache::worker();
    if (binding == nullptr || cache == nullptr) {
        return fail(Reason::internal_error, "the server has no binding for this provider");
    }
    Result<AuthzResponse> opened =
        open_response(response.sealed, pending_aead(provider, *cache), *binding);
    if (!opened) {
        return std::move(opened).error();
    }
    response = *std::move(opened);
    return Unit{};
}

}  // namespace

ngx_int_t find_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                        bool& found) {
    if (ctx.response == nullptr) {
        ctx.response = std::make_unique<Result<AuthzResponse>>(parse_authz_response({}));
    }
    const Result<AuthzResponse>& response = *ctx.response;
    found = true;
    if (!provider.config.callback_forward || !response || !response->sealed.empty() ||
        is_our_state(response->state)) {
        return NGX_OK;
    }
    // Another provider's user is nobody here, and its callback is a path like any other.
    Asked asked;
    if (select_provider(r, loc_conf(r), asked) != NGX_OK) {
        return NGX_ERROR;
    }
    found = asked.accepts(provider) && (response->is_response() || is_posted_form(r, provider));
    return NGX_OK;
}

bool is_for_backend(const RequestContext& ctx, const Provider& provider) noexcept {
    const Result<AuthzResponse>& response = *ctx.response;
    return provider.config.callback_forward && response && response->sealed.empty() &&
           !is_our_state(response->state);
}

ngx_int_t handle_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    Result<AuthzResponse>& response = *ctx.response;
    if (!response) {
        return refuse_callback(r, ctx, provider, response.error());
    }
    const bool forward = provider.config.callback_forward;
    const bool by_form = provider.config.response_mode == ResponseMode::form_post;
    if (by_form && r->method == NGX_HTTP_POST) {
        return receive_form(r, ctx, provider);
    }
    if (by_form && is_our_state(response->state)) {
        return refuse_callback(
            r, ctx, provider,
            fail(Reason::callback_method,
                 "the response came in the query; the provider was asked to have it posted",
                 "response_mode"));
    }
    if (!response->sealed.empty()) {
        if (Status opened = open_posted(r, provider, *response); !opened) {
            return refuse_callback(r, ctx, provider, opened.error());
        }
    }
    if (!is_our_state(response->state)) {
        return forward ? pass_on(r, ctx, provider, true)
                       : other_response(r, ctx, provider, *response);
    }
    Asked asked{&provider, nullptr};
    if (forward && select_provider(r, loc_conf(r), asked) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!asked.accepts(provider)) {
        return wrong_place(r, ctx, provider, response->state);
    }
    if (r->method != NGX_HTTP_GET) {
        return refuse_callback(r, ctx, provider,
                               fail(Reason::callback_method, "a response must come with GET",
                                    r->method == NGX_HTTP_POST ? "response_mode" : ""));
    }
    if (is_insecure_detour(r, provider)) {
        return refuse_callback(
            r, ctx, provider,
            fail(Reason::callback_not_https, "the response came over plain http", "redirect_uri"));
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (!response->is_response()) {
        return refuse_callback(r, ctx, provider,
                               fail(Reason::callback_malformed, "a state without code or error"));
    }
    return complete(r, ctx, provider, *std::move(response));
}

}  // namespace oidc::ngx
