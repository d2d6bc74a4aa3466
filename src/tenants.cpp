// SPDX-License-Identifier: Apache-2.0
#include "oidc/tenants.hpp"

#include <algorithm>

#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxTenantName = 128;

struct Around {
    std::string_view before;
    std::string_view after;
};

// Precondition: the placeholder is there.
Around around_placeholder(std::string_view text) noexcept {
    const std::size_t at = text.find(kTenantPlaceholder);
    return {text.substr(0, at), text.substr(at + kTenantPlaceholder.size())};
}

}  // namespace

bool is_tenant_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxTenantName && text != "." && text != ".." &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_base64url(c) || c == '.' || c == '~'; });
}

std::string why_no_template(std::string_view text) {
    const std::size_t at = text.find(kTenantPlaceholder);
    if (at == std::string_view::npos) {
        return "must have \"" + std::string(kTenantPlaceholder) +
               "\" in the place of the tenant, as the metadata of the provider have it";
    }
    const Around around = around_placeholder(text);
    for (const std::string_view part : {around.before, around.after}) {
        if (part.find_first_of("{}") != std::string_view::npos) {
            return "must have \"" + std::string(kTenantPlaceholder) +
                   "\" once, and no other braces";
        }
    }
    if (text.find_first_of("?#") != std::string_view::npos) {
        return "must not have a query or a fragment";
    }
    const std::size_t authority = around.before.find("://");
    if (authority == std::string_view::npos ||
        around.before.find('/', authority + 3) == std::string_view::npos) {
        return "must have \"" + std::string(kTenantPlaceholder) +
               "\" in the path: another host would be another provider";
    }
    return {};
}

bool is_issuer(const ProviderConfig& config, std::string_view iss) noexcept {
    if (config.tenants.empty()) {
        return iss == config.issuer;
    }
    const std::optional<std::string_view> tenant = tenant_of(config, iss);
    return tenant &&
           std::find(config.tenants.begin(), config.tenants.end(), *tenant) != config.tenants.end();
}

std::optional<std::string_view> tenant_of(const ProviderConfig& config,
                                          std::string_view iss) noexcept {
    if (config.tenants.empty()) {
        return std::nullopt;
    }
    const Around around = around_placeholder(config.issuer);
    if (iss.size() <= around.before.size() + around.after.size() ||
        !iss.starts_with(around.before) || !iss.ends_with(around.after)) {
        return std::nullopt;
    }
    iss.remove_prefix(around.before.size());
    iss.remove_suffix(around.after.size());
    return iss;
}

std::vector<std::string> issuers_of(const ProviderConfig& config) {
    if (config.tenants.empty()) {
        return {config.issuer};
    }
    const Around around = around_placeholder(config.issuer);
    std::vector<std::string> issuers;
    issuers.reserve(config.tenants.size());
    for (const std::string& tenant : config.tenants) {
        issuers.push_back(std::string(around.before).append(tenant).append(around.after));
    }
    return issuers;
}

std::string_view issuer_of(const ProviderConfig& config, const SessionView& session) noexcept {
    return config.tenants.empty() ? std::string_view(config.issuer)
                                  : session.claim("iss").value_or(std::string_view{});
}

std::vector<std::string> issuers_meant_by(const ProviderConfig& config,
                                          std::string_view arguments) {
    Argument iss = decoded_argument(arguments, "iss");
    if (iss.count == 0) {
        return issuers_of(config);
    }
    std::vector<std::string> named;
    if (iss.count == 1 && iss.value && is_issuer(config, *iss.value)) {
        named.push_back(*std::move(iss.value));
    }
    return named;
}

}  // namespace oidc
