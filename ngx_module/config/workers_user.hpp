// SPDX-License-Identifier: Apache-2.0
// Whether the workers can read the files that they look at again: the master starts as root, they
// run as the user of nginx's directive `user`.
#pragma once

#include "config/conf.hpp"

namespace oidc::ngx {

// Looks when all of the configuration is known, `user` may stand anywhere in it: nginx sets up the
// zones then. A file that cannot be read, or a folder that cannot be entered, is an error of the
// configuration. `zone` is any zone of ours; call it once for a configuration.
void check_with_zone(ngx_conf_t* cf, ngx_shm_zone_t& zone, const MainConf& main) noexcept;

}  // namespace oidc::ngx
