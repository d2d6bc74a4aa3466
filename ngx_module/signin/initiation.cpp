// SPDX-License-Identifier: Apache-2.0
#include "signin/initiation.hpp"

#include <string>
#include <utility>

#include "base/debug_log.hpp"
#include "base/ports_ngx.hpp"
#include "oidc/challenge.hpp"
#include "oidc/http_message.hpp"
#include "oidc/login_initiation.hpp"
#include "oidc/page.hpp"
#include "oidc/uri.hpp"
#include "request/request_body.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/login.hpp"
#include "signin/return_target.hpp"

namespace oidc::ngx {
namespace {

// Where the login will end. Somebody who was led here wants in, so a target that is not ours only
// costs the way to it.
std::string initiated_target(ngx_http_request_t* r, const Provider& provider,
                             const LoginInitiation& initiation) {
    if (initiation.target_link_uri.empty()) {
        return "/";
    }
    const ngx_str_t origin = public_origin(r, &provider);
    const std::string_view target = target_on_origin(initiation.target_link_uri, view(origin));
    if (target.empty()) {
        NgxLog(r->connection->log)
            .write(LogLevel::info, "login begun elsewhere at provider \"" + provider.config.name +
                                       "\": target_link_uri is no page of " +
                                       std::string(view(origin)) + ", it will end at \"/\"");
        return "/";
    }
    return guarded_target(r, provider, target);
}

// What came over plain http, for the address of the same over https.
std::string repeated(const Provider& provider, const LoginInitiation& initiation) {
    std::string target = provider.initiation_path;
    append_query(target, "iss", initiation.iss);
    if (!initiation.login_hint.empty()) {
        append_query(target, "login_hint", initiation.login_hint);
    }
    if (!initiation.target_link_uri.empty()) {
        append_query(target, "target_link_uri", initiation.target_link_uri);
    }
    return target;
}

// Images, frames, scripts and prefetches begin none: nobody would see the provider's page.
bool is_seen(ngx_http_request_t* r) noexcept {
    RequestFacts facts = request_facts(r);
    facts.get = true;  // a form is as good
    return should_redirect(
        facts.sec_fetch_mode.empty() ? Unauthorized::redirect : Unauthorized::automatic, facts);
}

ngx_int_t begin(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                std::string_view arguments) {
    Result<LoginInitiation> initiation = parse_login_initiation(arguments, provider.config);
    if (!initiation) {
        return refuse(r, ctx, &provider, initiation.error(), "/");
    }
    if (is_plain_side(r, provider)) {
        return send_redirect(r, NGX_HTTP_SEE_OTHER,
                             own_url(r, provider, repeated(provider, *initiation)));
    }
    // The session that the browser has is replaced, so its cookie has to come along.
    if (provider.strict_cookie() && is_from_another_site(request_header(r, "sec-fetch-site"))) {
        const std::string again = repeated(provider, *initiation);
        if (is_safe_return_target(again)) {
            debug_log(r->connection->log,
                      "oidc decision: once more from a page of ours, for the cookie");
            return send_respond(r, onward_page(again, page_language(r)));
        }
    }
    std::string target = initiated_target(r, provider, *initiation);
    return begin_login(r, ctx, provider, std::move(target), initiation->login_hint);
}

ngx_int_t begin_by_form(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                        RequestTask& task) {
    const auto refuse_form = [&](Reason reason, const std::string& detail) {
        return refuse(r, ctx, &provider, fail(reason, detail), "/");
    };
    if (!is_form(request_content_type(r))) {
        return refuse_form(Reason::initiation_malformed,
                           "a form must be application/x-www-form-urlencoded");
    }
    if (r->headers_in.content_length_n > static_cast<off_t>(kMaxInitiationForm)) {
        return refuse_form(
            Reason::initiation_malformed,
            "the form has more than " + std::to_string(kMaxInitiationForm) + " bytes");
    }
    if (!task.body_read) {
        return read_body(r, task);
    }
    const Result<Secret> body = body_of(r, kMaxInitiationForm, Reason::initiation_malformed);
    if (!body) {
        return refuse(r, ctx, &provider, body.error(), "/");
    }
    return begin(r, ctx, provider, body->view());
}

}  // namespace

ngx_int_t handle_initiation(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    RequestTask& task = begin_task(r, ctx, RequestTask::Kind::initiation, provider);
    if (task.reading_body) {
        return NGX_DONE;
    }
    if (is_early_data(r)) {
        return send_too_early(r);
    }
    if (!is_seen(r)) {
        return refuse(r, ctx, &provider,
                      fail(Reason::initiation_malformed,
                           "a login is begun by a page that the user sees, not by a frame, an "
                           "image, a script or a prefetch"),
                      "/");
    }
    switch (r->method) {
        case NGX_HTTP_GET:
        case NGX_HTTP_HEAD:
            return begin(r, ctx, provider, view(r->args));
        case NGX_HTTP_POST:
            return begin_by_form(r, ctx, provider, task);
        default:
            return refuse(r, ctx, &provider,
                          fail(Reason::callback_method, "a login is begun with GET or POST"), "/");
    }
}

}  // namespace oidc::ngx
