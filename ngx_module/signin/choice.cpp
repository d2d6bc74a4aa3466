// SPDX-License-Identifier: Apache-2.0
#include "signin/choice.hpp"

#include <algorithm>

#include "base/debug_log.hpp"
#include "oidc/provider_choice.hpp"
#include "oidc/uri.hpp"
#include "request/own_cookies.hpp"
#include "request/request_view.hpp"
#include "signin/return_target.hpp"

namespace oidc::ngx {
namespace {

Chosen choose(ngx_http_request_t* r, const RequestContext& ctx, const ProviderGroup& group) {
    std::string variable;
    if (!evaluate(r, group.choose, variable)) {
        variable.clear();
    }
    const Chosen chosen =
        choose_provider(group.choice, {view(r->args), variable, remembered_choice(r, ctx, group)});
    debug_log(r->connection->log, "oidc decision: group \"%s\": %s, chosen by %s",
              group.name.c_str(),
              chosen.option != nullptr ? chosen.option->name.c_str() : "no provider",
              name_of(chosen.by).data());
    return chosen;
}

// Of a group that asks its people: whom they are signed in at is known then.
const ProviderGroup* choosing(const RequestContext& ctx) noexcept {
    return ctx.authenticated() ? nullptr : ctx.group;
}

}  // namespace

LoginPlace login_place(ngx_http_request_t* r, const RequestContext& ctx, Provider& provider) {
    LoginPlace place;
    const ProviderGroup* group = choosing(ctx);
    if (group == nullptr) {
        place.provider = &provider;
        place.return_to = return_target(r, provider);
        return place;
    }
    const Chosen chosen = choose(r, ctx, *group);
    place.provider = group->member_of(chosen.option);
    place.return_to = return_target(r, place.provider != nullptr ? *place.provider : provider);
    if (chosen.by == ChosenBy::argument) {
        place.return_to = guarded_target(r, *place.provider,
                                         without_argument(place.return_to, group->choice.argument));
    }
    if (place.provider == nullptr) {
        std::string target = group->choice_path;
        append_query(target, "return_to", place.return_to);
        place.choice_url = own_url(r, provider, target);
    }
    return place;
}

std::string login_url_here(ngx_http_request_t* r, const RequestContext& ctx,
                           const Provider& provider) {
    const ProviderGroup* group = choosing(ctx);
    if (group == nullptr) {
        return login_url(r, provider);
    }
    const Provider* chosen = group->member_of(choose(r, ctx, *group).option);
    return chosen != nullptr ? login_url(r, *chosen) : own_url(r, provider, group->choice_path);
}

std::string_view remembered_choice(ngx_http_request_t* r, const RequestContext& ctx,
                                   const ProviderGroup& group) noexcept {
    // With login_hosts, which all members share, another host may have set it, for the domain.
    const Provider& any = *group.members.front();
    const bool prefixed = public_https(r, &any) && any.login_hosts.empty();
    return ctx.last_choice[prefixed ? 1 : 0].value;
}

void remember_choice(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider) {
    Seconds longest = 0;
    for (const ProviderGroup* group : srv_conf(r).used_groups) {
        if (group->members.size() > 1 && group->has(provider)) {
            longest = std::max(longest, group->choice.remember);
        }
    }
    if (longest > 0) {
        const bool https = public_https(r, &provider);
        const std::string name = login_cookie_name(provider, kChoiceCookie, https);
        ctx.answer.set_cookies.push_back(set_cookie(
            name, provider.config.name, login_cookie_attributes(provider, name, https), longest));
    }
}

}  // namespace oidc::ngx
