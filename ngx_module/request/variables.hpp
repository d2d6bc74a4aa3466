// SPDX-License-Identifier: Apache-2.0
// The module's variables: views of the request's session.
//
// None is cached by nginx: a value asked for in the rewrite phase is empty because nobody has been
// authenticated yet, and an internal redirect may lead to another provider; a cached value would be
// wrong after either. Values only change in the access phase, never while nginx computes the length
// of a text and then copies it.
#pragma once

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "request/decision.hpp"

namespace oidc::ngx {

// Registers them, in preconfiguration.
ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

// Registers the variable of an oidc_claim_set. False after a message.
bool add_claim_set_variable(ngx_conf_t* cf, const ClaimSet& set);

// $remote_user is the verified user from now on, or who auth_basic has checked, in every server
// that uses the module. In postconfiguration.
void take_remote_user(ngx_conf_t* cf, MainConf& main) noexcept;

// The value of the variable at `index` when it is $oidc_user or a claim of ours: what nginx's
// script engine would find, at a fraction of its cost. False: another variable, evaluate it.
bool identity_variable(ngx_http_request_t* r, const Decision& decision, ngx_int_t index,
                       ngx_str_t& out) noexcept;

// The session has these tokens, and they have not ended. Those that have are logged.
bool has_live_tokens(ngx_http_request_t* r, const Decision& decision, TokenUse tokens);

}  // namespace oidc::ngx
