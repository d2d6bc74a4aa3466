// SPDX-License-Identifier: Apache-2.0
#include "oidc/config.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "oidc/text.hpp"

namespace oidc {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 13> kAlgNames{
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
};
static_assert(static_cast<std::size_t>(Alg::HS512) + 1 == kAlgNames.size());

}  // namespace

std::string_view alg_name(Alg alg) noexcept {
    const auto index = static_cast<std::size_t>(alg);
    return index < kAlgNames.size() ? kAlgNames[index] : std::string_view{};
}

std::optional<Alg> alg_from_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kAlgNames.size(); ++i) {
        if (kAlgNames[i] == name) {
            return static_cast<Alg>(i);
        }
    }
    return std::nullopt;
}

bool alg_is_symmetric(Alg alg) noexcept {
    return alg == Alg::HS256 || alg == Alg::HS384 || alg == Alg::HS512;
}

std::string_view response_mode_name(ResponseMode mode) noexcept {
    switch (mode) {
        case ResponseMode::form_post:
            return "form_post";
        case ResponseMode::query_jwt:
            return "query.jwt";
        case ResponseMode::query:
            break;
    }
    return "query";
}

bool is_simple_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return is_base64url(c) || c == '.';
    });
}

std::string discovery_url(std::string_view issuer) {
    if (issuer.ends_with('/')) {
        issuer.remove_suffix(1);
    }
    std::string url(issuer);
    url += "/.well-known/openid-configuration";
    return url;
}

}  // namespace oidc
