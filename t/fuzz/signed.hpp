// SPDX-License-Identifier: Apache-2.0
// A provider whose private key is the published one of RFC 8037 A.1, for targets that are given
// claims under a good signature.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz.hpp"
#include "oidc/config.hpp"
#include "oidc/encode.hpp"
#include "oidc/jwk.hpp"
#include "oidc/ptr.hpp"

namespace oidc::fuzz {

inline constexpr std::string_view kSignedJwk =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

struct Signed {
    KeySet keys;
    ProviderConfig config;
    std::array<Alg, 1> algs = {Alg::EdDSA};
    PkeyPtr key;

    Signed() {
        constexpr std::string_view kPrivate = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        Result<KeySet> parsed = KeySet::parse("{\"keys\":[" + std::string(kSignedJwk) + "]}");
        const auto bytes = base64url_decode(kPrivate);
        promise(parsed.ok() && bytes.has_value(), "the keys are good");
        keys = *std::move(parsed);
        key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_bytes(*bytes).data(),
                                               bytes->size()));
        promise(key != nullptr, "the private key is good");
        config.issuer = "https://op.example";
        config.client_id = "client";
    }
    [[nodiscard]] std::string sign(std::string_view header, std::string_view claims) const {
        std::string token =
            base64url_encode(as_bytes(header)) + "." + base64url_encode(as_bytes(claims));
        const MdCtxPtr ctx(EVP_MD_CTX_new());
        std::array<unsigned char, 64> signature{};
        std::size_t size = signature.size();
        promise(EVP_DigestSignInit(ctx.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestSign(ctx.get(), signature.data(), &size, as_bytes(token).data(),
                                   token.size()) == 1,
                "signing works");
        return token + "." + base64url_encode(ByteView(signature.data(), size));
    }
};

}  // namespace oidc::fuzz
