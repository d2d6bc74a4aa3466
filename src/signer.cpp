// SPDX-License-Identifier: Apache-2.0
#include "oidc/signer.hpp"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <vector>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/private_key.hpp"

namespace oidc {

namespace {

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

enum class Family : std::uint8_t { rsa, ec, ed25519, hmac };

Family family_of(Alg alg) noexcept {
    switch (alg) {
        case Alg::ES256:
        case Alg::ES384:
        case Alg::ES512:
            return Family::ec;
        case Alg::EdDSA:
            return Family::ed25519;
        case Alg::HS256:
        case Alg::HS384:
        case Alg::HS512:
            return Family::hmac;
        default:
            return Family::rsa;
    }
}

bool is_pss(Alg alg) noexcept {
    return alg == Alg::PS256 || alg == Alg::PS384 || alg == Alg::PS512;
}

Error bad_key(std::string detail) {
    return fail(Reason::malformed, std::move(detail));
}

// Instead of OpenSSL's default, which asks on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

// All of a PEM text, in its order.
std::vector<X509Ptr> read_certificates(std::string_view text) {
    std::vector<X509Ptr> chain;
    const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    while (bio) {
        X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
        if (!certificate) {
            break;
        }
        chain.push_back(std::move(certificate));
    }
    return chain;
}

// Empty: OpenSSL failed.
std::string der_of(X509* certificate) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    if (size <= 0) {
        return {};
    }
    std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
}

std::optional<Alg> natural_alg(const EVP_PKEY* key) {
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        return Alg::RS256;
    }
    if (EVP_PKEY_is_a(key, "ED25519") == 1) {
        return Alg::EdDSA;
    }
    const EcCurve* curve = ec_curve_of(key);
    return curve == nullptr ? std::nullopt : std::optional(curve->alg);
}

// malformed: no key that `alg` signs with.
Status check_kind(Alg alg, const EVP_PKEY* key) {
    switch (family_of(alg)) {
        case Family::rsa:
            return check_rsa_key(key, alg_name(alg));
        case Family::ec: {
            const EcCurve& wanted = ec_curve_of(alg);
            return ec_curve_of(key) == &wanted
                       ? Status(Unit{})
                       : bad_key("the key file holds no " + std::string(wanted.crv) +
                                 " key, which " + std::string(alg_name(alg)) + " needs");
        }
        case Family::ed25519:
            return EVP_PKEY_is_a(key, "ED25519") == 1
                       ? Status(Unit{})
                       : bad_key("the key file holds no Ed25519 key, which EdDSA needs");
        case Family::hmac:
            break;
    }
    return bad_key(std::string(alg_name(alg)) + " needs a secret, no private key");
}

// ECDSA as JOSE has it: r and s with fixed length, one after the other (RFC 7518 3.4).
std::optional<std::string> raw_ecdsa(ByteView der, std::size_t bytes) {
    const unsigned char* at = der.data();
    const EcdsaSigPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::vector<unsigned char> raw(2 * bytes);
    const auto half = static_cast<int>(bytes);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), half) != half ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + bytes, half) != half) {
        return std::nullopt;
    }
    return std::string(as_text(raw));
}

std::optional<std::string> sign_public(Alg alg, EVP_PKEY* key, std::string_view input) {
    const MdCtxPtr ctx(EVP_MD_CTX_new());
    EVP_PKEY_CTX* method = nullptr;  // the context's own
    std::vector<unsigned char> signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
    std::size_t size = signature.size();
    // Ed25519 hashes by itself, and wants to be told nothing.
    const EVP_MD* digest = family_of(alg) == Family::ed25519 ? nullptr : digest_of(alg);
    if (!ctx || EVP_DigestSignInit(ctx.get(), &method, digest, nullptr, key) != 1 ||
        (is_pss(alg) && (EVP_PKEY_CTX_set_rsa_padding(method, RSA_PKCS1_PSS_PADDING) != 1 ||
                         EVP_PKEY_CTX_set_rsa_pss_saltlen(method, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
        EVP_DigestSign(ctx.get(), signature.data(), &size, as_bytes(input).data(), input.size()) !=
            1) {
        return std::nullopt;
    }
    const ByteView bytes(signature.data(), size);
    return family_of(alg) == Family::ec ? raw_ecdsa(bytes, ec_curve_of(alg).bytes)
                                        : std::string(as_text(bytes));
}

std::optional<std::string> sign_hmac(Alg alg, std::string_view secret, std::string_view input) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int size = 0;
    if (HMAC(digest_of(alg), secret.data(), static_cast<int>(secret.size()), as_bytes(input).data(),
             input.size(), mac.data(), &size) == nullptr) {
        return std::nullopt;
    }
    return std::string(as_text(ByteView(mac.data(), size)));
}

}  // namespace

JwsSigner::JwsSigner(Alg alg) : alg_(alg), jwks_(R"({"keys":[]})") {}

std::string JwsSigner::header_of(std::string_view typ) const {
    std::string header =
        R"({"alg":")" + std::string(alg_name(alg_)) + R"(","typ":")" + std::string(typ) + "\"";
    if (!kid_.empty()) {
        header += R"(,"kid":)" + json_quote(kid_);
    }
    if (!x5t_.empty()) {
        header += R"(,"x5t#S256":")" + x5t_ + "\"";
    }
    return base64url_encode(as_bytes(header + "}"));
}

JwsSigner JwsSigner::hmac(Alg alg, std::string_view secret) {
    JwsSigner signer(alg);
    signer.secret_ = Secret(secret);
    signer.header_ = signer.header_of("JWT");
    return signer;
}

Result<JwsSigner> JwsSigner::from_pem(std::string_view pem, std::optional<Alg> alg,
                                      std::string_view kid) {
    const OpensslErrorGuard guard;
    auto key = read_private_key(pem);
    if (!key) {
        return std::move(key).error();
    }
    if (!alg) {
        alg = natural_alg(key->get());
    }
    if (!alg) {
        return bad_key(
            "the key file holds neither an RSA, a P-256, P-384, P-521 nor an Ed25519 key");
    }
    if (Status fits = check_kind(*alg, key->get()); !fits) {
        return std::move(fits).error();
    }
    const auto members = public_members(key->get());
    if (!members) {
        return members.error();
    }
    const std::string name = kid.empty() ? jwk_thumbprint(*members) : std::string(kid);
    JwsSigner signer(*alg);
    signer.key_ = *std::move(key);
    signer.members_ = *members;
    signer.kid_ = name;
    signer.header_ = signer.header_of("JWT");
    signer.jwks_ = R"({"keys":[{)" + *members + R"(,"kid":)" + json_quote(name) +
                   R"(,"use":"sig","alg":")" + std::string(alg_name(*alg)) + R"("}]})";
    return signer;
}

Result<std::string> JwsSigner::sign_with_key(std::string_view typ, std::string_view claims) const {
    const std::string header = R"({"alg":")" + std::string(alg_name(alg_)) + R"(","typ":")" +
                               std::string(typ) + R"(","jwk":{)" + members_ + "}}";
    return signed_with(base64url_encode(as_bytes(header)), claims);
}

std::string JwsSigner::thumbprint() const {
    return jwk_thumbprint(members_);
}

Status JwsSigner::set_certificate(std::string_view pem, bool keep_kid) {
    const OpensslErrorGuard guard;
    const auto chain = read_certificates(pem);
    if (chain.empty()) {
        return bad_key("the file holds no certificate in PEM form");
    }
    if (!key_ || X509_check_private_key(chain.front().get(), key_.get()) != 1) {
        return bad_key("the first certificate is of another key than client_key");
    }
    std::string members;
    for (const X509Ptr& certificate : chain) {
        const std::string der = der_of(certificate.get());
        if (der.empty()) {
            return bad_key("a certificate of the file cannot be read");
        }
        if (members.empty()) {
            x5t_ = base64url_encode(sha256(der));
            members = R"("x5t#S256":")" + x5t_ + R"(","x5c":[)";
        } else {
            members += ",";
        }
        members.append("\"").append(base64_encode(der).view()).append("\"");
    }
    jwks_.insert(jwks_.size() - 3, "," + members + "]");  // before "}]}"
    if (!keep_kid) {
        kid_.clear();
    }
    header_ = header_of("JWT");
    return Unit{};
}

Result<std::string> JwsSigner::sign(std::string_view claims) const {
    return signed_with(header_, claims);
}

Result<std::string> JwsSigner::sign_as(std::string_view typ, std::string_view claims) const {
    return signed_with(header_of(typ), claims);
}

Result<std::string> JwsSigner::signed_with(std::string_view header, std::string_view claims) const {
    const OpensslErrorGuard guard;
    std::string token(header);
    token.append(".").append(base64url_encode(as_bytes(claims)));
    const auto signature =
        key_ ? sign_public(alg_, key_.get(), token) : sign_hmac(alg_, secret_.view(), token);
    if (!signature) {
        return fail(Reason::internal_error, "signing a JWT failed");
    }
    token += '.';
    token += base64url_encode(as_bytes(*signature));
    return token;
}

}  // namespace oidc
