// SPDX-License-Identifier: Apache-2.0
#include "config/places.hpp"

#include <cstring>

#include "oidc/text.hpp"

namespace oidc::ngx {

Place place_of(const ngx_http_core_srv_conf_t& server) {
    if (server.file_name == nullptr) {
        return {};
    }
    return {{ngx_strlen(server.file_name), server.file_name}, server.line};
}

Place or_server(const Place& place, const ngx_http_core_srv_conf_t& server) {
    return place.line != 0 ? place : place_of(server);
}

std::string location_label(const ngx_http_core_loc_conf_t& location) {
    return location.name.len == 0 ? std::string("this server")
                                  : "location " + in_quotes(view(location.name));
}

std::string label(const Provider& provider) {
    return "oidc_provider " + in_quotes(provider.config.name);
}

const ngx_http_core_loc_conf_t& core_of(void* const* level) noexcept {
    return *static_cast<const ngx_http_core_loc_conf_t*>(level[ngx_http_core_module.ctx_index]);
}

}  // namespace oidc::ngx
