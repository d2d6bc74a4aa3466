// SPDX-License-Identifier: Apache-2.0
// Discovery documents.
#include "fuzz.hpp"
#include "oidc/metadata.hpp"
#include "oidc/uri.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view document = text_of(data, size);
    ProviderConfig config;
    config.issuer = "https://op.example";
    config.client_id = "client";
    config.client_secret = Secret("secret");
    const auto state = make_provider_state(config, &document, R"({"keys":[]})", 1);
    if (!state) {
        return 0;
    }
    const Metadata& m = (*state)->metadata;
    for (const std::string* url : {&m.authorization_endpoint, &m.token_endpoint, &m.jwks_uri}) {
        promise(parse_endpoint(*url, "x", false).ok(), "required endpoints are https URLs");
    }
    for (const std::string* url : {&m.userinfo_endpoint, &m.end_session_endpoint}) {
        promise(url->empty() || parse_endpoint(*url, "x", false).ok(), "optional ones as well");
    }
    promise(document.find("https://op.example") != std::string_view::npos ||
                document.find("\\") != std::string_view::npos,
            "the issuer is in it");
    promise(!(*state)->algs.empty(), "some algorithm is allowed");
    for (const Alg alg : (*state)->algs) {
        promise(!alg_is_symmetric(alg), "metadata never allows a shared secret");
    }
    return 0;
}
