// SPDX-License-Identifier: Apache-2.0
#include "oidc/private_key.hpp"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"

namespace oidc {

namespace {

constexpr int kMinRsaBits = 2048;

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using BnPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

constexpr std::array<EcCurve, 3> kCurves{{{Alg::ES256, SN_X9_62_prime256v1, "P-256", 32},
                                          {Alg::ES384, SN_secp384r1, "P-384", 48},
                                          {Alg::ES512, SN_secp521r1, "P-521", 66}}};

Error bad_key(std::string detail) {
    return fail(Reason::malformed, std::move(detail));
}

// Instead of OpenSSL's default, which asks on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

std::optional<std::string> number(const EVP_PKEY* key, const char* name, std::size_t bytes) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) {
        return std::nullopt;
    }
    const BnPtr value(raw);
    std::vector<unsigned char> out(
        std::max(bytes, static_cast<std::size_t>(BN_num_bytes(value.get()))));
    if (BN_bn2binpad(value.get(), out.data(), static_cast<int>(out.size())) < 0) {
        return std::nullopt;
    }
    return base64url_encode(out);
}

Error not_computed() {
    return bad_key("the public key of the key file cannot be computed");
}

Result<std::string> rsa_members(const EVP_PKEY* key) {
    const auto e = number(key, OSSL_PKEY_PARAM_RSA_E, 1);
    const auto n = number(key, OSSL_PKEY_PARAM_RSA_N, 1);
    if (!e || !n) {
        return not_computed();
    }
    return R"("e":")" + *e + R"(","kty":"RSA","n":")" + *n + "\"";
}

Result<std::string> ec_members(const EcCurve& curve, const EVP_PKEY* key) {
    const auto x = number(key, OSSL_PKEY_PARAM_EC_PUB_X, curve.bytes);
    const auto y = number(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve.bytes);
    if (!x || !y) {
        return not_computed();
    }
    return R"("crv":")" + std::string(curve.crv) + R"(","kty":"EC","x":")" + *x + R"(","y":")" +
           *y + "\"";
}

Result<std::string> ed25519_members(const EVP_PKEY* key) {
    std::array<unsigned char, 32> bytes{};
    std::size_t size = bytes.size();
    if (EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) != 1) {
        return not_computed();
    }
    return R"("crv":"Ed25519","kty":"OKP","x":")" + base64url_encode(bytes) + "\"";
}

}  // namespace

const EcCurve* ec_curve_of(const EVP_PKEY* key) {
    std::array<char, 64> group{};
    std::size_t size = 0;
    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) {
        return nullptr;
    }
    const std::string_view name(group.data(), size);
    const auto* found = std::find_if(kCurves.begin(), kCurves.end(),
                                     [name](const EcCurve& c) { return c.group == name; });
    return found == kCurves.end() ? nullptr : found;
}

const EcCurve& ec_curve_of(Alg alg) {
    return *std::find_if(kCurves.begin(), kCurves.end(),
                         [alg](const EcCurve& c) { return c.alg == alg; });
}

Result<PkeyPtr> read_private_key(std::string_view pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    PkeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                    : nullptr);
    if (!key) {
        return bad_key("the key file is not a PEM private key without passphrase");
    }
    return key;
}

Status check_rsa_key(const EVP_PKEY* key, std::string_view user) {
    if (EVP_PKEY_is_a(key, "RSA") != 1) {
        return bad_key("the key file holds no RSA key, which " + std::string(user) + " needs");
    }
    if (EVP_PKEY_get_bits(key) < kMinRsaBits) {
        return bad_key("the RSA key of the key file has " + std::to_string(EVP_PKEY_get_bits(key)) +
                       " bits, at least " + std::to_string(kMinRsaBits) + " are needed");
    }
    return Unit{};
}

Result<std::string> public_members(const EVP_PKEY* key) {
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        return rsa_members(key);
    }
    if (EVP_PKEY_is_a(key, "ED25519") == 1) {
        return ed25519_members(key);
    }
    const EcCurve* curve = ec_curve_of(key);
    return curve == nullptr ? bad_key("the key file holds a key of another kind")
                            : ec_members(*curve, key);
}

std::string jwk_thumbprint(std::string_view members) {
    return base64url_encode(sha256("{" + std::string(members) + "}"));
}

}  // namespace oidc
