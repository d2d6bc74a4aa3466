// SPDX-License-Identifier: Apache-2.0
// What oidc_provider says about the client, the authorization request and the tokens.
#pragma once

#include "config/block.hpp"
#include "oidc/config.hpp"

namespace oidc::ngx {

char* set_client_secret(Block& b);
char* set_client_secret_file(Block& b);
char* set_client_assertion_file(Block& b);
char* set_client_auth(Block& b);
char* set_client_key(Block& b);
char* set_dpop_key(Block& b);
char* set_introspection_cache(Block& b);
char* set_encryption_key(Block& b);
char* set_assertion_audience(Block& b);
char* set_issuer_template(Block& b);
char* set_scope(Block& b);
char* set_resource(Block& b);
char* set_redirect_uri(Block& b);
char* set_callback(Block& b);
char* set_response_mode(Block& b);
char* set_userinfo_token_method(Block& b);
char* set_extra_auth_args(Block& b);
char* set_prompt(Block& b);
char* set_claims(Block& b);
char* set_traceparent(Block& b);
char* set_max_age(Block& b);
char* set_toggle(Block& b, Toggle& out);
char* set_code_challenge_method(Block& b);
char* set_algs(Block& b);
char* set_jwks_file(Block& b);

}  // namespace oidc::ngx
