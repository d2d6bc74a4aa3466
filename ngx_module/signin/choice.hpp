// SPDX-License-Identifier: Apache-2.0
// Which provider of a group a login goes to (oidc_provider_group).
#pragma once

#include <string>
#include <string_view>

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// Where somebody who has to sign in is sent.
struct LoginPlace {
    Provider* provider = nullptr;  // null: to the choice
    std::string return_to;         // from the provider
    std::string choice_url;
};

// At this request's location. `provider` where auth_oidc names no group, or the session is not
// enough: it is its provider that can better it.
LoginPlace login_place(ngx_http_request_t* r, const RequestContext& ctx, Provider& provider);

// A URL on our origin that starts a login of this location: of `provider`, or of whichever of the
// group is chosen.
std::string login_url_here(ngx_http_request_t* r, const RequestContext& ctx,
                           const Provider& provider);

// The name that the browser's cookie says; whatever it is.
std::string_view remembered_choice(ngx_http_request_t* r, const RequestContext& ctx,
                                   const ProviderGroup& group) noexcept;
// Somebody has signed in at `provider`: the next time the browser is sent there.
void remember_choice(ngx_http_request_t* r, RequestContext& ctx, const Provider& provider);

}  // namespace oidc::ngx
