// SPDX-License-Identifier: Apache-2.0
// What is unwise in levels that meet: warnings only, once all of them are merged.
#pragma once

#include "config/conf.hpp"

namespace oidc::ngx {

// What is kept for everybody and was for one.
void lint_caches(ngx_conf_t* cf, const MainConf& main);
// Ways around the sign-in to a backend that goes by our headers.
void lint_backends(ngx_conf_t* cf, const MainConf& main);

}  // namespace oidc::ngx
