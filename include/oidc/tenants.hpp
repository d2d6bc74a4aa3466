// SPDX-License-Identifier: Apache-2.0
// The issuers of one provider that serves several tenants (issuer_template): the metadata name one
// with a placeholder, each token the one of its tenant. Nobody but the tenants that are listed is
// meant, and each is an issuer of its own: equal subjects of two of them are two people.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/session.hpp"

namespace oidc {

inline constexpr std::string_view kTenantPlaceholder = "{tenantid}";

// What a tenant may be called: 1 to 128 unreserved characters (RFC 3986 2.3), and not "." or "..".
bool is_tenant_name(std::string_view text) noexcept;

// Why no issuer can be made of it, as a text behind the directive's name; empty: the placeholder
// stands there once, in the path, and no other brace, query or fragment.
std::string why_no_template(std::string_view text);

// The issuer, byte for byte; of several tenants the one of a tenant that is listed, never the
// template itself.
bool is_issuer(const ProviderConfig& config, std::string_view iss) noexcept;

// What stands in the placeholder's place, listed or not. nullopt: `iss` has not the template's
// shape, or there is no template.
std::optional<std::string_view> tenant_of(const ProviderConfig& config,
                                          std::string_view iss) noexcept;

// All of them, in the order of the list.
std::vector<std::string> issuers_of(const ProviderConfig& config);

// Who has said who the session's user is; of several tenants the one of its tokens. Empty: nobody
// that is known (never of a session that a login has begun).
std::string_view issuer_of(const ProviderConfig& config, const SessionView& session) noexcept;

// The session is of an issuer that still counts: its tenant may have left the list.
inline bool is_admitted(const ProviderConfig& config, const SessionView& session) noexcept {
    return config.tenants.empty() || is_issuer(config, issuer_of(config, session));
}

// Whose sid a front-channel logout with these arguments means: the issuer that its iss names, any
// of them when it names none; nobody's when it names another.
std::vector<std::string> issuers_meant_by(const ProviderConfig& config, std::string_view arguments);

}  // namespace oidc
