// SPDX-License-Identifier: Apache-2.0
// Programs beside people: how a request carries an access token (RFC 6750, RFC 9449 7.1), what it
// is answered when the token is not enough, and how clients find out what a place asks for (RFC
// 9728).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/http_message.hpp"
#include "oidc/result.hpp"

namespace oidc {

enum class TokenScheme : std::uint8_t { bearer, dpop };

struct BearerCredentials {
    TokenScheme scheme{};
    std::string_view token;  // borrowed
};

// The values of a request's Authorization headers, and its query. nullopt: it brings no token, or
// one of another scheme, such as Basic, which is somebody else's. Errors: bearer_malformed (several
// headers of which one is ours, nothing behind the scheme, a token in the query as well: RFC 6750
// 2). A token in the query alone, or in a body, is none. What the token is made of is not looked
// at.
Result<std::optional<BearerCredentials>> read_bearer(std::span<const std::string_view> headers,
                                                     std::string_view query);

// It is a b64token (RFC 6750 2.1) of at most kMaxAccessToken bytes. Errors: bearer_malformed.
Status check_b64token(std::string_view token);

// What a place asks of tokens, for whoever has none, or one that is not enough.
struct BearerDemand {
    std::span<const std::string> scope;
    std::string metadata_url;  // of oidc_resource_metadata; empty: none
    // The value of WWW-Authenticate. `error` null: no token came, so nothing was wrong with it.
    // RFC 6750 3, RFC 9449 7.1, RFC 9728 5.1. `scheme` is that of the request.
    [[nodiscard]] std::string challenge(const Error* error,
                                        TokenScheme scheme = TokenScheme::bearer) const;
};

// What the standards call it: invalid_request, invalid_token, invalid_dpop_proof,
// insufficient_scope.
std::string_view bearer_error(Reason reason) noexcept;

// The answer to a token that is not enough: the JSON of error_page() with the challenge; an error
// that is not of the token's (the provider is away) has none.
Respond bearer_refusal(const Error& error, std::string_view reference, const BearerDemand& demand,
                       TokenScheme scheme);

// The path of the metadata for a resource without query, and the other way round (RFC 9728 3.1):
// "/.well-known/oauth-protected-resource/mcp" and "/mcp". nullopt: no such path.
inline constexpr std::string_view kResourceMetadataPath = "/.well-known/oauth-protected-resource";
std::optional<std::string_view> resource_of_metadata(std::string_view path) noexcept;

// `path` is `prefix`, or lies below it.
bool is_below(std::string_view path, std::string_view prefix) noexcept;

// RFC 9728 2.
struct ProtectedResource {
    std::string resource;
    std::vector<std::string> authorization_servers;
    std::span<const std::string> scopes;  // empty: not said
    bool certificates = false;            // tokens may be bound to one
    [[nodiscard]] std::string json() const;
};

}  // namespace oidc
