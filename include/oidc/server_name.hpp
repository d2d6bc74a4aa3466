// SPDX-License-Identifier: Apache-2.0
// Names of hosts, and the names of nginx's server_name that they belong to. All in lower case.
#pragma once

#include <string_view>

namespace oidc {

// What may stand as the host of a URL of ours and in a cookie's Domain: letters, digits, "-" and
// ".", no dot at the start and no two together.
bool is_host_name(std::string_view name) noexcept;

// A pattern of server_name, as below, with which a public URL can be made: no IPv4 address, and not
// what stands for no name ("_", "").
bool names_public_host(std::string_view pattern) noexcept;

// `pattern` as server_name writes it: a name, "*.name" for all below it, ".name" for both. Names
// that end in ".*" and regular expressions match nothing: what they let through is not known to be
// ours.
bool matches_server_name(std::string_view host, std::string_view pattern) noexcept;

}  // namespace oidc
