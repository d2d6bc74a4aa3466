// SPDX-License-Identifier: Apache-2.0
#include "config/source_directives.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/places.hpp"
#include "config/provider_target.hpp"
#include "oidc/claim_source.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

constexpr std::string_view kHost = "endpoint_host=";

// "host:port"; empty: it is none.
std::string authority(std::string_view host) {
    const Result<Url> url = parse_url("https://" + std::string(host));
    if (!url || url->path != "/" || !url->query.empty() || host.find_first_of("/?") != host.npos) {
        return {};
    }
    return ascii_lower(url->host) + ":" + std::to_string(url->port);
}

char* refuse(ngx_conf_t* cf, const Provider& p, const Provider::ClaimSource& option,
             std::string_view why) {
    return conf_error(
        cf, option.place,
        "\"claim_source " + option.name + "\" of " + label(p) + " " + std::string(why));
}

bool share_an_issuer(const ProviderConfig& one, const ProviderConfig& other) {
    const std::vector<std::string> issuers = issuers_of(other);
    return std::any_of(issuers.begin(), issuers.end(),
                       [&one](const std::string& issuer) { return is_issuer(one, issuer); });
}

char* resolve(ngx_conf_t* cf, const MainConf& main, Provider& p) {
    std::size_t required = 0;
    for (const Provider::ClaimSource& option : p.source_options) {
        Provider* source = main.find_provider(option.name);
        if (source == nullptr) {
            return refuse(cf, p, option,
                          "names no oidc_provider: write one with the issuer that signs the "
                          "claims");
        }
        const std::vector<Alg>& algs = source->config.id_token_algs;
        if (!algs.empty() && std::all_of(algs.begin(), algs.end(), alg_is_symmetric)) {
            return refuse(cf, p, option,
                          "signs with a client secret only, by its "
                          "\"id_token_signed_response_alg\": claims of others need a key that it "
                          "publishes");
        }
        for (const TrustedSource& other : p.config.claim_sources) {
            if (share_an_issuer(*other.issuer, source->config)) {
                return refuse(cf, p, option,
                              "has the issuer of \"claim_source " + other.issuer->name +
                                  "\": which of the two a JWT is of could not be told");
            }
            for (const std::string& host : option.hosts) {
                if (std::find(other.hosts.begin(), other.hosts.end(), host) != other.hosts.end()) {
                    return refuse(cf, p, option,
                                  "has the endpoint_host " + in_quotes(host) +
                                      " of \"claim_source " + other.issuer->name +
                                      "\": whose claims come from there could not be told");
                }
            }
        }
        required += option.required ? 1U : 0U;
        if (required > kMostClaimSources) {
            return refuse(cf, p, option,
                          "is one required too many: " + std::to_string(kMostClaimSources) +
                              " sources are asked for one sign-in");
        }
        source->is_source = true;
        p.sources.push_back(source);
        p.config.claim_sources.push_back({&source->config, option.hosts, option.required});
    }
    return conf_ok();
}

}  // namespace

// claim_source NAME [endpoint_host=HOST[:PORT] ...] [required]
char* set_claim_source(Block& b) {
    Provider::ClaimSource option;
    option.name = b.arg();
    option.place = place_of(b.cf());
    std::vector<Provider::ClaimSource>& all = provider(b).source_options;
    if (std::any_of(all.begin(), all.end(), [&option](const Provider::ClaimSource& other) {
            return other.name == option.name;
        })) {
        return b.error("names " + in_quotes(option.name) + " twice, give it all its hosts in one");
    }
    for (std::size_t i = 1; i < b.size(); ++i) {
        const std::string_view word = b.arg(i);
        if (word == "required") {
            option.required = true;
            continue;
        }
        if (!word.starts_with(kHost)) {
            return b.invalid(word, "\"endpoint_host=\" or \"required\"");
        }
        std::string host = authority(word.substr(kHost.size()));
        if (host.empty()) {
            return b.invalid(word, "\"endpoint_host=\" with a host, and a port that is not 443");
        }
        option.hosts.push_back(std::move(host));
    }
    all.push_back(std::move(option));
    return conf_ok();
}

char* resolve_claim_sources(ngx_conf_t* cf, MainConf& main) {
    for (const auto& p : main.providers) {
        if (char* rv = resolve(cf, main, *p); rv != conf_ok()) {
            return rv;
        }
    }
    return conf_ok();
}

}  // namespace oidc::ngx
