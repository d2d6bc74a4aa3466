// SPDX-License-Identifier: Apache-2.0
// Who is asking: the session that a request's cookies name at the provider of its location.
#pragma once

#include <vector>

#include "base/ngx.hpp"
#include "request/request_ctx.hpp"

namespace oidc::ngx {

// The location asks nobody to sign in.
bool is_off(const LocConf& location) noexcept;

// Whom auth_oidc names: nobody, a provider, or a group of which any will do.
struct Asked {
    Provider* provider = nullptr;
    const ProviderGroup* group = nullptr;
    [[nodiscard]] bool nobody() const noexcept { return provider == nullptr && group == nullptr; }
    [[nodiscard]] bool accepts(const Provider& other) const noexcept {
        return group != nullptr ? group->has(other) : provider == &other;
    }
    // The one, or the first of the group.
    [[nodiscard]] Provider& first() const noexcept {
        return group != nullptr ? *group->members.front() : *provider;
    }
};

// Whom auth_oidc names here; nobody: no authentication. NGX_ERROR: an error was logged, the caller
// denies.
ngx_int_t select_provider(ngx_http_request_t* r, const LocConf& location, Asked& out);

// The request is somebody's use of the session; what session_idle_ignore names and
// oidc_session_info are not: they neither keep it alive nor have it refreshed.
bool is_use(ngx_http_request_t* r, const Provider& provider) noexcept;

// Takes the decision about this provider: looks for a live session, once per request; `out` is it.
// NGX_AGAIN: the store has to be waited for (wait_for_decision); the phase runs again when it has
// answered. NGX_HTTP_SERVICE_UNAVAILABLE: the store cannot say. NGX_ERROR: the caller denies.
ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, Provider& provider,
                 Decision*& out) noexcept;
// The same about whoever is asked for: of a group the decision about the provider that has the
// session, or about the first one when nobody has.
ngx_int_t decide(ngx_http_request_t* r, RequestContext& ctx, const Asked& asked,
                 Decision*& out) noexcept;
// Ends the phase until then. The return value of the handler.
ngx_int_t wait_for_decision(ngx_http_request_t* r, RequestContext& ctx) noexcept;

// Whether the session is what the location asks for (auth_oidc_max_age, auth_oidc_acr_values).
bool is_sufficient(const Decision& decision, const LocConf& location) noexcept;

// The keys of the sessions that the browser's cookies name, alive or not, also at the others of its
// groups.
std::vector<Digest> presented_keys(ngx_http_request_t* r, const RequestContext& ctx,
                                   const Provider& provider);

}  // namespace oidc::ngx
