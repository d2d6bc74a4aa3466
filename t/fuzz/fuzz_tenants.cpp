// SPDX-License-Identifier: Apache-2.0
// A template, a line end, a tenant, a line end, and the iss of a token.
#include <algorithm>

#include "fuzz.hpp"
#include "oidc/tenants.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = text_of(data, size);
    const auto line = [&input] {
        const std::size_t end = std::min(input.find('\n'), input.size());
        const std::string taken(input.substr(0, end));
        input.remove_prefix(std::min(end + 1, input.size()));
        return taken;
    };
    ProviderConfig config;
    config.issuer = line();
    config.tenants = {line()};
    const std::string_view iss = input;
    // nginx -t refuses all others.
    if (!why_no_template(config.issuer).empty() || !is_tenant_name(config.tenants.front())) {
        return 0;
    }
    const std::vector<std::string> all = issuers_of(config);
    promise(all.size() == 1 && is_issuer(config, all.front()), "each tenant has its issuer");
    promise(is_issuer(config, iss) == (iss == all.front()), "nobody else is it");
    promise(!is_issuer(config, config.issuer), "the template is nobody's name");
    const auto tenant = tenant_of(config, iss);
    promise(
        !tenant || config.issuer.size() - kTenantPlaceholder.size() + tenant->size() == iss.size(),
        "the tenant stands between what is fixed");
    const Result<Url> provider = parse_url(config.issuer);
    const Result<Url> one = parse_url(all.front());
    promise(provider.ok() == one.ok(), "a tenant makes no URL of what is none");
    promise(!provider || provider->origin() == one->origin(), "and stays at the provider");
    return 0;
}
