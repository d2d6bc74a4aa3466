// SPDX-License-Identifier: Apache-2.0
// A login: the browser goes to the provider, and comes back with a code. Stores the session.
#pragma once

#include <string>
#include <string_view>

#include "oidc/authz_response.hpp"
#include "oidc/crypto.hpp"
#include "oidc/http_message.hpp"
#include "oidc/state.hpp"
#include "provider/metadata_cache.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// No session: to the provider, and back to `return_to` one day. `login_hint` takes the place of the
// configured one; empty: it does not.
ngx_int_t begin_login(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                      std::string return_to, std::string_view login_hint = {});
// The same as a finished answer, if the provider's metadata is at hand; for `satisfy any`.
bool login_answer_at_once(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                          std::string return_to, Respond& out);

// The browser is back with a response to a login of ours, which has been consumed.
ngx_int_t begin_callback(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                         PendingLogin login, AuthzResponse response);

// Seals and opens logins under way: with the key file of the provider's store when it has one, so
// that every node can end what another began, else with this machine's own key.
const Aead& pending_aead(const Provider& provider, const MetadataCache& cache) noexcept;

}  // namespace oidc::ngx
