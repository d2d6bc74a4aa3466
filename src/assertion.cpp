// SPDX-License-Identifier: Apache-2.0
#include "oidc/assertion.hpp"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <span>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

constexpr std::size_t kMinSecretChars = 32;
constexpr Seconds kMaxLifetime = 60;
constexpr std::size_t kP256Bytes = 32;

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using BnPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

// What the assertion says itself.
constexpr std::array<std::string_view, 7> kOwnClaims{"iss", "aud", "sub", "iat",
                                                     "exp", "jti", "idp"};
// What a JWT library would read as a rule for this token although it was one for the ID token.
constexpr std::array<std::string_view, 7> kIdTokenRules{"nbf",    "azp",    "nonce", "at_hash",
                                                        "c_hash", "s_hash", "cnf"};

bool is_one_of(std::span<const std::string_view> list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

Error bad_key(std::string detail) {
    return fail(Reason::malformed, std::move(detail), "oidc_assertion");
}

Result<Secret> read_secret(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
        if (text.ends_with('\r')) {
            text.remove_suffix(1);
        }
    }
    if (has_control_bytes(text)) {
        return bad_key("the HS256 key file must hold one line of text");
    }
    if (text.size() < kMinSecretChars) {
        return bad_key("the HS256 secret has " + std::to_string(text.size()) +
                       " characters, at least " + std::to_string(kMinSecretChars) + " are needed");
    }
    return Secret(text);
}

// Instead of OpenSSL's default, which asks on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

Result<PkeyPtr> read_pem(std::string_view text) {
    const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    PkeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                    : nullptr);
    if (!key) {
        return bad_key("the key file is not a PEM private key without passphrase");
    }
    return key;
}

std::optional<std::string> coordinate(const EVP_PKEY* key, const char* name) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) {
        return std::nullopt;
    }
    const BnPtr number(raw);
    std::array<unsigned char, kP256Bytes> bytes{};
    if (BN_bn2binpad(number.get(), bytes.data(), bytes.size()) != static_cast<int>(bytes.size())) {
        return std::nullopt;
    }
    return base64url_encode(bytes);
}

// The members of the public JWK that RFC 7638 hashes, in its order and form, without braces.
Result<std::string> public_members(Alg alg, const EVP_PKEY* key) {
    if (alg == Alg::EdDSA) {
        std::array<unsigned char, 32> bytes{};
        std::size_t size = bytes.size();
        if (EVP_PKEY_is_a(key, "ED25519") != 1 ||
            EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) != 1) {
            return bad_key("the key file holds no Ed25519 key, which EdDSA needs");
        }
        return R"("crv":"Ed25519","kty":"OKP","x":")" + base64url_encode(bytes) + "\"";
    }
    std::array<char, 64> group{};
    std::size_t size = 0;
    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1 ||
        std::string_view(group.data(), size) != SN_X9_62_prime256v1) {
        return bad_key("the key file holds no P-256 key, which ES256 needs");
    }
    const auto x = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X);
    const auto y = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y);
    if (!x || !y) {
        return bad_key("the public key of the key file cannot be computed");
    }
    return R"("crv":"P-256","kty":"EC","x":")" + *x + R"(","y":")" + *y + "\"";
}

// ECDSA as JOSE has it: r and s with fixed length, one after the other (RFC 7518 3.4).
std::optional<std::string> raw_ecdsa(ByteView der) {
    const unsigned char* at = der.data();
    const EcdsaSigPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::array<unsigned char, 2 * kP256Bytes> raw{};
    const auto half = static_cast<int>(kP256Bytes);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), half) != half ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + kP256Bytes, half) != half) {
        return std::nullopt;
    }
    return std::string(as_text(raw));
}

std::optional<std::string> sign_public(Alg alg, EVP_PKEY* key, std::string_view input) {
    const MdCtxPtr ctx(EVP_MD_CTX_new());
    const EVP_MD* md = alg == Alg::ES256 ? EVP_sha256() : nullptr;
    std::array<unsigned char, 128> signature{};
    std::size_t size = signature.size();
    if (!ctx || EVP_DigestSignInit(ctx.get(), nullptr, md, nullptr, key) != 1 ||
        EVP_DigestSign(ctx.get(), signature.data(), &size, as_bytes(input).data(), input.size()) !=
            1) {
        return std::nullopt;
    }
    const ByteView bytes(signature.data(), size);
    return alg == Alg::ES256 ? raw_ecdsa(bytes) : std::string(as_text(bytes));
}

std::optional<std::string> sign_hs256(std::string_view secret, std::string_view input) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(input).data(),
             input.size(), mac.data(), &size) == nullptr) {
        return std::nullopt;
    }
    return std::string(as_text(ByteView(mac.data(), size)));
}

void add_member(std::string& json, std::string_view name, std::string_view value) {
    json += json.empty() ? '{' : ',';
    json += json_quote(name);
    json += ':';
    json += value;
}

struct Part {
    std::string_view name;
    std::size_t size = 0;
};

void add_claim(std::string& json, const SessionView::Entry& claim) {
    add_member(json, claim.name, claim.json.empty() ? json_quote(claim.text) : claim.json);
}

// Returns what takes most of them.
Part add_claims(std::string& json, const SessionView& session,
                const std::vector<std::string>* names) {
    Part largest;
    const std::uint32_t count = session.claim_count();
    for (std::uint32_t i = 0; i < count; ++i) {
        const SessionView::Entry claim = session.claim_at(i);
        // A path with its separator is a copy of something inside another claim.
        const bool wanted =
            names != nullptr
                ? std::find(names->begin(), names->end(), claim.name) != names->end()
                : !is_one_of(kIdTokenRules, claim.name) && !has_control_bytes(claim.name);
        if (wanted && !is_one_of(kOwnClaims, claim.name)) {
            const std::size_t before = json.size();
            add_claim(json, claim);
            if (json.size() - before > largest.size) {
                largest = {claim.name, json.size() - before};
            }
        }
    }
    return largest;
}

Error too_large(std::size_t size, std::size_t max, const Part& largest) {
    std::string detail = "the assertion would have " + std::to_string(size) +
                         " bytes, more than max_size " + std::to_string(max);
    if (!largest.name.empty()) {
        detail.append("; the claim \"").append(largest.name).append("\" takes ");
        detail += std::to_string(largest.size) + " before encoding";
    }
    return fail(Reason::assertion_too_large, std::move(detail), "claims of oidc_assertion");
}

}  // namespace

Result<AssertionSigner> AssertionSigner::create(Alg alg, std::string_view key_text) {
    const OpensslErrorGuard guard;
    AssertionSigner signer;
    signer.alg_ = alg;
    std::string header = R"({"alg":")" + std::string(alg_name(alg)) + R"(","typ":"JWT")";
    signer.jwks_ = R"({"keys":[]})";
    if (alg == Alg::HS256) {
        auto secret = read_secret(key_text);
        if (!secret.ok()) {
            return secret.error();
        }
        signer.secret_ = *std::move(secret);
    } else if (alg == Alg::ES256 || alg == Alg::EdDSA) {
        auto key = read_pem(key_text);
        if (!key.ok()) {
            return key.error();
        }
        signer.key_ = *std::move(key);
        const auto members = public_members(alg, signer.key_.get());
        if (!members.ok()) {
            return members.error();
        }
        // RFC 7638: the same key has the same kid on every node and after every restart.
        const std::string kid = base64url_encode(sha256("{" + *members + "}"));
        header += R"(,"kid":")" + kid + "\"";
        signer.jwks_ = R"({"keys":[{)" + *members + R"(,"kid":")" + kid +
                       R"(","use":"sig","alg":")" + std::string(alg_name(alg)) + R"("}]})";
    } else {
        return bad_key("alg " + std::string(alg_name(alg)) +
                       " cannot sign assertions, use HS256, ES256 or EdDSA");
    }
    signer.header_ = base64url_encode(as_bytes(header + "}"));
    return signer;
}

Result<std::string> AssertionSigner::sign(const SessionView& session, const Content& content,
                                          Random& random) const {
    const OpensslErrorGuard guard;
    const auto jti = random_token(random, 16);
    if (!jti.ok()) {
        return jti.error();
    }
    const Seconds lifetime = std::clamp<Seconds>(content.lifetime, 1, kMaxLifetime);
    std::string json;
    add_member(json, "iss", json_quote(content.issuer));
    add_member(json, "aud", json_quote(content.audience));
    add_member(json, "sub", json_quote(session.sub()));
    add_member(json, "iat", std::to_string(content.now));
    add_member(json, "exp", std::to_string(content.now + lifetime));
    add_member(json, "jti", json_quote(*jti));
    add_member(json, "idp", json_quote(content.idp));
    const Part largest = add_claims(json, session, content.claim_names);
    json += '}';

    std::string token = header_ + "." + base64url_encode(as_bytes(json));
    const auto signature = alg_ == Alg::HS256 ? sign_hs256(secret_.view(), token)
                                              : sign_public(alg_, key_.get(), token);
    if (!signature) {
        return fail(Reason::internal_error, "signing the assertion failed");
    }
    token += '.';
    token += base64url_encode(as_bytes(*signature));
    if (content.max_size != 0 && token.size() > content.max_size) {
        return too_large(token.size(), content.max_size, largest);
    }
    return token;
}

}  // namespace oidc
