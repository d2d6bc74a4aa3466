// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the value of a variable comes from.
#include <string_view>

#include "base/ngx.hpp"

namespace oidc::ngx {

// Those that are known now were not made by the configuration. In preconfiguration.
void note_built_in_variables(ngx_conf_t* cf) noexcept;

// What a client sends may become the variable's value as it is: a built-in variable, a header,
// cookie or argument, or what a regular expression has cut out. Values that the configuration
// spells, as by `map`, `geo` and `set`, are not; what it computes of a request there is its own
// affair. An unknown variable is nginx's to refuse. Once all directives are read.
bool is_from_client(ngx_conf_t* cf, std::string_view name);

// The configuration makes the variable, as with `map` and `set`, so that it may hold whatever other
// variables hold. Once all directives are read.
bool is_made_here(ngx_conf_t* cf, std::string_view name);

}  // namespace oidc::ngx
