// SPDX-License-Identifier: Apache-2.0
#include "signin/choice_page.hpp"

#include <string>
#include <utility>

#include "oidc/http_message.hpp"
#include "oidc/page.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/uri.hpp"
#include "request/request_body.hpp"
#include "request/request_task.hpp"
#include "request/request_view.hpp"
#include "request/respond.hpp"
#include "signin/choice.hpp"
#include "signin/login.hpp"
#include "signin/return_target.hpp"

namespace oidc::ngx {
namespace {

ngx_int_t show(ngx_http_request_t* r, const RequestContext& ctx, const ProviderGroup& group,
               std::string_view return_to, bool email_unknown = false) {
    ChoicePage page;
    page.choice = &group.choice;
    page.action = group.choice_path;
    page.return_to = return_to;
    page.last = group.choice.remember > 0 ? remembered_choice(r, ctx, group) : std::string_view();
    page.email_unknown = email_unknown;
    return send_respond(r, choice_page(page, page_language(r)));
}

// The page that the query names.
std::string asked_target(ngx_http_request_t* r, const Provider& provider) {
    const Argument target = decoded_argument(view(r->args), "return_to");
    return target.count == 1 && target.value ? guarded_target(r, provider, *target.value) : "/";
}

ngx_int_t take_form(ngx_http_request_t* r, RequestContext& ctx, const ProviderGroup& group,
                    RequestTask& task) {
    // Another site has no say in where people sign in, and with which address.
    if (!is_own_request(r, task.provider) || !is_form(request_content_type(r)) ||
        r->headers_in.content_length_n > static_cast<off_t>(kMaxChoiceForm)) {
        return show(r, ctx, group, "/");
    }
    if (!task.body_read) {
        return read_body(r, task);
    }
    const Result<Secret> body = body_of(r, kMaxChoiceForm, Reason::initiation_malformed);
    if (!body) {
        return refuse(r, ctx, task.provider, body.error(), "/");
    }
    const ChoiceForm form = parse_choice_form(body->view());
    const std::string return_to = guarded_target(r, *task.provider, form.return_to);
    const ProviderOption* option = form.provider.empty() ? option_of_email(group.choice, form.email)
                                                         : group.choice.find(form.provider);
    if (option == nullptr) {
        return show(r, ctx, group, return_to, form.provider.empty() && group.choice.by_email());
    }
    return begin_login(r, ctx, *group.member_of(option), return_to,
                       form.provider.empty() ? std::string_view(form.email) : std::string_view());
}

}  // namespace

ngx_int_t handle_choice(ngx_http_request_t* r, RequestContext& ctx, Provider& provider) {
    const Endpoint* endpoint = find_endpoint(r);
    if (endpoint == nullptr || endpoint->group == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const ProviderGroup& group = *endpoint->group;
    if (ctx.task != nullptr && ctx.task->reading_body) {
        return NGX_DONE;
    }
    if (is_plain_side(r, provider)) {
        std::string target = group.choice_path;
        append_query(target, "return_to", asked_target(r, provider));
        return send_redirect(r, NGX_HTTP_SEE_OTHER, own_url(r, provider, target));
    }
    switch (r->method) {
        case NGX_HTTP_GET:
        case NGX_HTTP_HEAD:
            return show(r, ctx, group, asked_target(r, provider));
        case NGX_HTTP_POST:
            if (is_early_data(r)) {
                return send_too_early(r);
            }
            return take_form(r, ctx, group,
                             begin_task(r, ctx, RequestTask::Kind::initiation, provider));
        default:
            begin_task(r, ctx, RequestTask::Kind::initiation, provider);
            return refuse(r, ctx, &provider,
                          fail(Reason::callback_method, "the choice takes GET and POST"), "/");
    }
}

}  // namespace oidc::ngx
