// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where $oidc_access_token and $oidc_id_token go.
#include <string_view>

#include "base/ngx.hpp"
#include "config/conf.hpp"
#include "oidc/token_life.hpp"

namespace oidc::ngx {

// The tokens that a text with variables names itself.
TokenUse tokens_in(std::string_view text);

// The tokens that somebody reads, in the whole configuration.
TokenUse tokens_read(ngx_conf_t* cf) noexcept;

// Notes for every level which tokens its backend may be given, and what its auth_request asks: by
// the headers of this module, by auth_oidc_require, and by the directives of other modules that
// take a text or a list of names and texts (proxy_set_header, fastcgi_param and their like). A
// variable that the configuration makes, as with `map`, may hold either. Once all levels are
// merged.
void note_token_use(ngx_conf_t* cf, MainConf& main);

}  // namespace oidc::ngx
