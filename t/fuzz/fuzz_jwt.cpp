// SPDX-License-Identifier: Apache-2.0
// Compact JWS and ID tokens under known keys: nobody forges one, and what verifies was signed by
// the keys of the corpus.
#include <array>

#include "fuzz.hpp"
#include "oidc/encode.hpp"
#include "oidc/id_token.hpp"
#include "oidc/jws.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

// The RSA key of RFC 7515 A.2, the EC key of A.3 and the Ed25519 key of RFC 8037 A.4.
constexpr std::string_view kJwks = R"({"keys":[
{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},
{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";

struct Fixed {
    KeySet keys;
    ProviderConfig config;
    std::array<Alg, 5> algs = {Alg::RS256, Alg::PS256, Alg::ES256, Alg::EdDSA, Alg::HS256};

    Fixed() {
        Result<KeySet> parsed = KeySet::parse(kJwks);
        promise(parsed.ok() && parsed->size() == 3, "the keys are good");
        keys = *std::move(parsed);
        config.issuer = "joe";
        config.client_id = "client";
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixed fixed;
    const std::string_view compact = text_of(data, size);
    VerifyOptions options;
    options.allowed = fixed.algs;
    options.keys = &fixed.keys;
    options.shared_secret = &fixed.config.client_secret;  // empty: a public client
    const Result<VerifiedJwt> jwt = verify_jws(compact, options);
    if (!jwt) {
        (void)worth_refetching(jwt.error(), compact, {});
    } else {
        promise(!alg_is_symmetric(jwt->alg), "an empty secret verifies nothing");
        // What the published keys have signed in their standards; the private halves of two are
        // published as well, but no fuzzer signs by accident.
        const std::string_view payload = compact.substr(compact.find('.') + 1);
        const auto bytes = base64url_decode(payload.substr(0, payload.find('.')));
        promise(bytes && bytes->find("\"iss\":\"joe\"") != std::string::npos, "a forged token");
    }
    IdTokenExpectation expected;
    expected.provider = &fixed.config;
    expected.keys = &fixed.keys;
    expected.algs = fixed.algs;
    expected.nonce = "nonce";
    expected.now = 1'300'819'000;
    promise(!validate_id_token(compact, expected).ok(), "a token without nonce and audience");
    return 0;
}
