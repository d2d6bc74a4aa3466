// SPDX-License-Identifier: Apache-2.0
#include "oidc/dpop.hpp"

#include <string>
#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"

namespace oidc {

Status add_dpop_proof(HttpRequest& request, const JwsSigner& key, std::string_view access_token,
                      std::string_view nonce, Ports ports) {
    const auto jti = random_token(ports.random, 16);
    if (!jti) {
        return jti.error();
    }
    const std::string_view url(request.url);
    std::string claims = R"({"jti":")" + *jti + R"(","htm":")" +
                         (request.method == HttpRequest::Method::post ? "POST" : "GET") +
                         R"(","htu":)" + json_quote(url.substr(0, url.find_first_of("?#"))) +
                         R"(,"iat":)" + std::to_string(ports.clock.now());
    if (!access_token.empty()) {
        claims += R"(,"ath":")" + base64url_encode(sha256(access_token)) + "\"";
    }
    if (!nonce.empty()) {
        claims += R"(,"nonce":)" + json_quote(nonce);
    }
    Result<std::string> proof = key.sign_with_key("dpop+jwt", claims + "}");
    if (!proof) {
        return std::move(proof).error();
    }
    request.headers.push_back({"DPoP", *std::move(proof)});
    return Unit{};
}

}  // namespace oidc
