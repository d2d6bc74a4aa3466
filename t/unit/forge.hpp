// SPDX-License-Identifier: Apache-2.0
// A token forge without a JOSE library's safety: any header bytes, any payload bytes, any key for
// any algorithm. Keys are made in the test.
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "oidc/config.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jwk.hpp"
#include "oidc/jws.hpp"
#include "oidc/ptr.hpp"

namespace oidc::unit {

inline std::string b64(std::string_view bytes) {
    return base64url_encode(as_bytes(bytes));
}

inline void must(bool ok, const char* what) {
    if (!ok) {
        throw std::runtime_error(what);
    }
}

inline const EVP_MD* forge_md(Alg alg) {
    const std::string_view name = alg_name(alg);
    return name.ends_with("256")   ? EVP_sha256()
           : name.ends_with("384") ? EVP_sha384()
                                   : EVP_sha512();
}

inline std::string forge_hmac(Alg alg, std::string_view secret, std::string_view input) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    must(HMAC(forge_md(alg), secret.data(), static_cast<int>(secret.size()), as_bytes(input).data(),
              input.size(), mac, &size) != nullptr,
         "HMAC");
    return std::string(reinterpret_cast<char*>(mac), size);
}

class ForgeKey {
  public:
    static ForgeKey rsa(unsigned bits = 2048) {
        return ForgeKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
    }
    static ForgeKey ec(const char* curve) {
        return ForgeKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
    }
    static ForgeKey ed25519() { return ForgeKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

    // One key of each kind for the whole run, because making them is slow.
    static const ForgeKey& for_alg(Alg alg) {
        static const ForgeKey rsa_key = rsa();
        static const ForgeKey p256 = ec("P-256");
        static const ForgeKey p384 = ec("P-384");
        static const ForgeKey p521 = ec("P-521");
        static const ForgeKey ed = ed25519();
        switch (alg) {
            case Alg::ES256:
                return p256;
            case Alg::ES384:
                return p384;
            case Alg::ES512:
                return p521;
            case Alg::EdDSA:
                return ed;
            default:
                return rsa_key;
        }
    }

    // The JOSE signature over `input`, by the rules of `alg` as far as the key can. `salt` is the
    // length of a PSS salt, -1: that of the hash.
    [[nodiscard]] std::string sign(Alg alg, std::string_view input, int salt = -1) const {
        const MdCtxPtr ctx(EVP_MD_CTX_new());
        EVP_PKEY_CTX* pctx = nullptr;
        const EVP_MD* md = is("ED25519") ? nullptr : forge_md(alg);
        must(EVP_DigestSignInit(ctx.get(), &pctx, md, nullptr, key_.get()) == 1, "sign init");
        if (is("RSA") && alg_name(alg).starts_with("PS")) {
            must(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(
                         pctx, salt < 0 ? RSA_PSS_SALTLEN_DIGEST : salt) == 1,
                 "pss");
        }
        std::string signature(2048, '\0');
        std::size_t size = signature.size();
        auto* out = reinterpret_cast<unsigned char*>(signature.data());
        must(EVP_DigestSign(ctx.get(), out, &size, as_bytes(input).data(), input.size()) == 1,
             "sign");
        signature.resize(size);
        return is("EC") ? raw_ecdsa(signature) : signature;
    }

    // A public JWK. `more` are further members as JSON text with a leading comma.
    [[nodiscard]] std::string jwk(std::string_view kid = {}, std::string_view more = {}) const {
        std::string json = "{" + members();
        if (!kid.empty()) {
            json += ",\"kid\":" + json_quote(kid);
        }
        return json.append(more).append("}");
    }

    // The members that make the public key.
    [[nodiscard]] std::string members() const {
        if (is("RSA")) {
            return R"("kty":"RSA","n":")" + b64(number(OSSL_PKEY_PARAM_RSA_N)) + R"(","e":")" +
                   b64(number(OSSL_PKEY_PARAM_RSA_E)) + "\"";
        }
        if (is("EC")) {
            return R"("kty":"EC","crv":")" + curve() + R"(","x":")" +
                   b64(number(OSSL_PKEY_PARAM_EC_PUB_X, coordinate_bytes())) + R"(","y":")" +
                   b64(number(OSSL_PKEY_PARAM_EC_PUB_Y, coordinate_bytes())) + "\"";
        }
        std::string x(32, '\0');
        std::size_t size = x.size();
        must(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()),
                                         &size) == 1,
             "raw public key");
        return R"("kty":"OKP","crv":"Ed25519","x":")" + b64(x) + "\"";
    }

    // An integer of the key, big-endian, padded to `width` bytes when given.
    [[nodiscard]] std::string number(const char* name, std::size_t width = 0) const {
        BIGNUM* value = nullptr;
        must(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1, name);
        const auto bytes = static_cast<std::size_t>(BN_num_bytes(value));
        std::string out(width > bytes ? width : bytes, '\0');
        BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()),
                     static_cast<int>(out.size()));
        BN_free(value);
        return out;
    }

    [[nodiscard]] std::string private_pem() const {
        return pem([this](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
    }
    [[nodiscard]] std::string encrypted_pem(const char* passphrase) const {
        return pem([this, passphrase](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key_.get(), EVP_aes_256_cbc(), nullptr, 0, nullptr,
                                            const_cast<char*>(passphrase));
        });
    }
    [[nodiscard]] std::string public_pem() const {
        return pem([this](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key_.get()); });
    }
    // A certificate that this key has signed for itself, PEM.
    [[nodiscard]] std::string certificate(const char* name = "client") const {
        const std::unique_ptr<X509, Deleter<X509_free>> made(X509_new());
        X509_NAME* subject = X509_get_subject_name(made.get());
        must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                        reinterpret_cast<const unsigned char*>(name), -1, -1,
                                        0) == 1 &&
                 X509_set_issuer_name(made.get(), subject) == 1 &&
                 X509_gmtime_adj(X509_getm_notBefore(made.get()), 0) != nullptr &&
                 X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600) != nullptr &&
                 X509_set_pubkey(made.get(), key_.get()) == 1 &&
                 X509_sign(made.get(), key_.get(), is("ED25519") ? nullptr : EVP_sha256()) > 0,
             "certificate");
        return pem([&made](BIO* bio) { return PEM_write_bio_X509(bio, made.get()); });
    }
    [[nodiscard]] EVP_PKEY* get() const { return key_.get(); }

  private:
    explicit ForgeKey(EVP_PKEY* key) : key_(key) { must(key != nullptr, "keygen"); }
    [[nodiscard]] bool is(const char* type) const { return EVP_PKEY_is_a(key_.get(), type) == 1; }
    [[nodiscard]] std::size_t coordinate_bytes() const {
        return static_cast<std::size_t>((EVP_PKEY_get_bits(key_.get()) + 7) / 8);
    }
    [[nodiscard]] std::string curve() const {
        switch (EVP_PKEY_get_bits(key_.get())) {
            case 256:
                return "P-256";
            case 384:
                return "P-384";
            default:
                return "P-521";
        }
    }
    [[nodiscard]] std::string raw_ecdsa(std::string_view der) const {
        const unsigned char* at = as_bytes(der).data();
        ECDSA_SIG* sig = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
        must(sig != nullptr, "der");
        const auto half = static_cast<int>(coordinate_bytes());
        std::string raw(2 * coordinate_bytes(), '\0');
        auto* out = reinterpret_cast<unsigned char*>(raw.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half);
        ECDSA_SIG_free(sig);
        return raw;
    }
    template <class Write>
    static std::string pem(Write write) {
        BIO* bio = BIO_new(BIO_s_mem());
        must(write(bio) == 1, "pem");
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio, &data);
        std::string text(data, static_cast<std::size_t>(size));
        BIO_free(bio);
        return text;
    }

    PkeyPtr key_;
};

// header and payload are raw bytes, by custom JSON.
inline std::string forge_token(std::string_view header, std::string_view payload, Alg alg,
                               const ForgeKey& key) {
    const std::string input = b64(header) + "." + b64(payload);
    return input + "." + b64(key.sign(alg, input));
}
inline std::string forge_hs_token(std::string_view header, std::string_view payload, Alg alg,
                                  std::string_view secret) {
    const std::string input = b64(header) + "." + b64(payload);
    return input + "." + b64(forge_hmac(alg, secret, input));
}
// A JWE of RSA-OAEP-256 and A256GCM around any bytes, for the public half of an RSA key. The header
// may say something else.
inline std::string forge_jwe(std::string_view header, std::string_view plain, const ForgeKey& key) {
    const std::string cek = "an A256GCM key of 32 bytes, here";
    const std::string iv = "twelve bytes";
    const std::string head = b64(header);
    const PkeyCtxPtr wrap(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    std::string wrapped(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
    std::size_t size = wrapped.size();
    const auto raw = [](std::string& text) {
        return reinterpret_cast<unsigned char*>(text.data());
    };
    must(EVP_PKEY_encrypt_init(wrap.get()) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(wrap.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_oaep_md(wrap.get(), EVP_sha256()) == 1 &&
             EVP_PKEY_encrypt(wrap.get(), raw(wrapped), &size, as_bytes(cek).data(), cek.size()) ==
                 1,
         "wrap");
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    std::string sealed(plain.size() + 1, '\0');
    std::string tag(16, '\0');
    int length = 0;
    int last = 0;
    must(EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, as_bytes(cek).data(),
                            as_bytes(iv).data()) == 1 &&
             EVP_EncryptUpdate(ctx.get(), nullptr, &length, as_bytes(head).data(),
                               static_cast<int>(head.size())) == 1 &&
             EVP_EncryptUpdate(ctx.get(), raw(sealed), &length, as_bytes(plain).data(),
                               static_cast<int>(plain.size())) == 1 &&
             EVP_EncryptFinal_ex(ctx.get(), raw(sealed), &last) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data()) == 1,
         "seal");
    sealed.resize(plain.size());
    return head + "." + b64(wrapped) + "." + b64(iv) + "." + b64(sealed) + "." + b64(tag);
}
// {"alg":…,"typ":"JWT","kid":…}, kid left out when empty.
inline std::string forge_header(std::string_view alg, std::string_view kid = {}) {
    std::string json = R"({"alg":)" + json_quote(alg) + R"(,"typ":"JWT")";
    if (!kid.empty()) {
        json += ",\"kid\":" + json_quote(kid);
    }
    return json + "}";
}
inline std::string forge_jwks(std::initializer_list<std::string> keys) {
    std::string json;
    for (const std::string& key : keys) {
        json += (json.empty() ? "" : ",") + key;
    }
    return "{\"keys\":[" + json + "]}";
}

// The payload of a JWT of ours, after its signature was verified with what others have: the
// signer's JWKS, or `secret`. `kid`, when given, gets the header's.
template <class Signer>
JsonPtr verified(const Signer& signer, std::string_view token, std::string_view secret,
                 std::string* kid = nullptr, std::string_view typ = "jwt") {
    const auto keys = KeySet::parse(signer.jwks());
    must(keys.ok(), "jwks");
    const Secret shared(secret);
    const Alg allowed[] = {signer.alg()};
    const std::string_view typs[] = {typ};
    VerifyOptions options;
    options.allowed = allowed;
    options.keys = &*keys;
    options.shared_secret = &shared;
    options.accepted_typ = typs;
    auto jwt = verify_jws(token, options);
    must(jwt.ok(), jwt.ok() ? "" : jwt.error().detail.c_str());
    must(ERR_peek_error() == 0, "an error is left in OpenSSL's queue");
    if (kid != nullptr) {
        *kid = jwt->kid;
    }
    return std::move(jwt->payload);
}

// A member of an object as JSON text.
inline std::string member_text(const JsonPtr& object, const char* name) {
    const json_t* value = json_object_get(object.get(), name);
    return value == nullptr ? "(absent)" : json_text(value);
}

}  // namespace oidc::unit
