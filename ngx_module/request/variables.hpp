// The module's nginx variables.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"

namespace oidc::ngx {

struct RequestContext;

// In preconfiguration.
ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

// Registers the variable of an oidc_claim_set. False after a message.
bool add_claim_set_variable(ngx_conf_t* cf, const ClaimSet& set);

// The value of the variable at `index` when it is $oidc_user or a claim of ours: what nginx's
// script engine would find, at a fraction of its cost. False: another variable, evaluate it.
bool identity_variable(ngx_http_request_t* r, const RequestContext& ctx, ngx_int_t index,
                       ngx_str_t& out) noexcept;

}  // namespace oidc::ngx
