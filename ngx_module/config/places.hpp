// SPDX-License-Identifier: Apache-2.0
// Where something stands in the configuration, for messages about it.
#pragma once

#include <string>

#include "config/conf.hpp"

namespace oidc::ngx {

// Of the server's block; none for the http level.
Place place_of(const ngx_http_core_srv_conf_t& server);
// `place`, or that of the server when it is none.
Place or_server(const Place& place, const ngx_http_core_srv_conf_t& server);
std::string label(const Provider& provider);
std::string location_label(const ngx_http_core_loc_conf_t& location);
// Of the configurations of one level, by module.
const ngx_http_core_loc_conf_t& core_of(void* const* level) noexcept;

}  // namespace oidc::ngx
