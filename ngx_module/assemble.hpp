// SPDX-License-Identifier: Apache-2.0
// The composition root: makes the configuration, and, when it is read, what it asks for.
#pragma once

#include "base/ngx.hpp"

namespace oidc::ngx {

// For nginx. Null: no memory, an error was logged.
void* create_main_conf(ngx_conf_t* cf) noexcept;
void* create_srv_conf(ngx_conf_t* cf) noexcept;
void* create_loc_conf(ngx_conf_t* cf) noexcept;
// After the http block was read, before servers and locations are merged.
char* init_main_conf(ngx_conf_t* cf, void* conf) noexcept;
// Everything that needs the whole configuration; makes the stores and registers the shared zones.
char* finish_configuration(ngx_conf_t* cf);

}  // namespace oidc::ngx
