// SPDX-License-Identifier: Apache-2.0
#pragma once
// What nginx and its modules keep to themselves, read for what `nginx -t` says. None of it is an
// interface. Where something is laid out in another way than is known here the answer is nothing,
// and whoever asked must not complain then.
#include <optional>
#include <string_view>

#include "base/ngx.hpp"

namespace oidc::ngx {

// The location of the server that takes `uri`; null: none does. Once nginx has built its trees.
std::optional<const ngx_http_core_loc_conf_t*> find_location(const ngx_http_core_srv_conf_t& server,
                                                             std::string_view uri) noexcept;

// A `return` answers here before anybody is asked to sign in. One with a 4xx or 5xx status and no
// text gives nothing away and does not count.
std::optional<bool> answers_by_return(ngx_conf_t* cf,
                                      const ngx_http_core_loc_conf_t& location) noexcept;

// `allow`, `deny`, `auth_basic` or `auth_request` say who may come here.
std::optional<bool> has_access_control(ngx_conf_t* cf,
                                       const ngx_http_core_loc_conf_t& location) noexcept;

}  // namespace oidc::ngx
