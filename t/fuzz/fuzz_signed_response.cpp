// SPDX-License-Identifier: Apache-2.0
// The JWT of response_mode query.jwt, as its three segments would be: header and payload are the
// input, at a line end.
#include <algorithm>
#include <string>

#include "fuzz.hpp"
#include "oidc/authz_response.hpp"
#include "oidc/encode.hpp"
#include "oidc/signed_response.hpp"

using namespace oidc;
using namespace oidc::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = text_of(data, size);
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view payload = text.substr(std::min(end + 1, text.size()));
    const std::string jwt = base64url_encode(as_bytes(text.substr(0, end))) + "." +
                            base64url_encode(as_bytes(payload)) + ".c2ln";
    const auto response = parse_authz_response("response=" + jwt, ResponseMode::query_jwt);
    if (response) {
        promise(response->jwt.view() == jwt, "what will be verified is what was read");
        promise(response->state.size() <= kMaxState && response->code.size() <= 8192, "bounded");
    }
    ProviderConfig config;
    config.issuer = "https://op.example";
    config.client_id = "espocrm";
    ProviderState provider;
    provider.response_algs = {Alg::RS256, Alg::ES256, Alg::EdDSA};
    promise(!check_signed_response(jwt, config, provider, 0), "nobody has signed it");
    (void)parse_authz_response("response=" + std::string(text), ResponseMode::query_jwt);
    return 0;
}
