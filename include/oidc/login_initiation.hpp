// SPDX-License-Identifier: Apache-2.0
// A login that another site begins (OpenID Connect Core 1.0, section 4): a provider's portal, or
// whoever links there.
#pragma once

#include <string>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct LoginInitiation {
    std::string iss;
    std::string login_hint;       // empty: none
    std::string target_link_uri;  // as it came, to be judged by target_on_origin(); empty: none
};

// What a form that begins a login may have.
inline constexpr std::size_t kMaxInitiationForm = 8 * 1024;

// Reads iss, login_hint and target_link_uri from a query or a form; all other arguments are
// ignored. iss has to be the issuer, byte for byte: a link for another provider's users would only
// lead them to the wrong one. Errors: initiation_malformed (iss missing; one of the three twice,
// not decodable, with a control byte, or too long: 1,024 bytes of login_hint, 2,048 of the others)
// and initiation_issuer. The values of the other two are in no error.
Result<LoginInitiation> parse_login_initiation(std::string_view arguments,
                                               const ProviderConfig& config);

// The path on our origin that a target_link_uri names: an absolute URL of `origin`
// (scheme://host[:port]), or such a path itself. Empty: it is none, or no safe one
// (is_safe_return_target). Borrows `target_link_uri`.
std::string_view target_on_origin(std::string_view target_link_uri,
                                  std::string_view origin) noexcept;

}  // namespace oidc
