// SPDX-License-Identifier: Apache-2.0
#include "oidc/crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "oidc/encode.hpp"

namespace oidc {

OpensslErrorGuard::~OpensslErrorGuard() {
    // Looking is cheaper than clearing, and nearly always all that is needed.
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

namespace {

constexpr std::uint8_t kSealVersion = 1;
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kSealOverhead = 1 + kNonceSize + kTagSize;
// Far below INT_MAX, which the EVP functions take, and far above every session.
constexpr std::size_t kMaxSealed = 16 * 1024 * 1024;
constexpr std::size_t kMaxRing = 8;
// Authenticated with every sealed text: the purpose, and the version of the format.
constexpr std::string_view kSealPurpose = "oidc aead v1";

using KdfPtr = std::unique_ptr<EVP_KDF, Deleter<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, Deleter<EVP_KDF_CTX_free>>;

void append_field(std::string& out, std::string_view field) {
    std::array<char, 8> big_endian{};
    auto size = static_cast<std::uint64_t>(field.size());
    for (std::size_t i = big_endian.size(); i > 0; --i, size >>= 8) {
        big_endian[i - 1] = static_cast<char>(size & 255);
    }
    out.append(big_endian.data(), big_endian.size()).append(field);
}

std::string joined_aad(std::initializer_list<std::string_view> fields) {
    std::string aad;
    aad.reserve(128);
    append_field(aad, kSealPurpose);
    for (const std::string_view field : fields) {
        append_field(aad, field);
    }
    return aad;
}

const unsigned char* bytes_of(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// Decrypts to `plain`, which has cipher.size() bytes. What stands there after a failure is not
// authentic and must not be used.
bool gcm_open(const EVP_CIPHER* method, const AeadKey& key, std::string_view nonce,
              std::string_view aad, std::string_view cipher, std::string_view tag,
              unsigned char* plain) noexcept {
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    std::array<unsigned char, kTagSize> expected{};
    std::copy_n(bytes_of(tag), kTagSize, expected.begin());
    int length = 0;
    int last = 0;
    return ctx != nullptr && EVP_CIPHER_get_iv_length(method) == static_cast<int>(kNonceSize) &&
           EVP_DecryptInit_ex2(ctx.get(), method, key.data(), bytes_of(nonce), nullptr) == 1 &&
           EVP_DecryptUpdate(ctx.get(), nullptr, &length, bytes_of(aad),
                             static_cast<int>(aad.size())) == 1 &&
           EVP_DecryptUpdate(ctx.get(), plain, &length, bytes_of(cipher),
                             static_cast<int>(cipher.size())) == 1 &&
           length == static_cast<int>(cipher.size()) &&
           EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagSize),
                               expected.data()) == 1 &&
           EVP_DecryptFinal_ex(ctx.get(), plain + length, &last) == 1 && last == 0;
}

// Writes plain.size() bytes to `cipher` and kTagSize bytes to `tag`. `ctx` has its key already.
bool gcm_seal(EVP_CIPHER_CTX* ctx, const unsigned char* nonce, std::string_view aad,
              std::string_view plain, unsigned char* cipher, unsigned char* tag) noexcept {
    int length = 0;
    int last = 0;
    return EVP_EncryptInit_ex2(ctx, nullptr, nullptr, nonce, nullptr) == 1 &&
           EVP_EncryptUpdate(ctx, nullptr, &length, bytes_of(aad), static_cast<int>(aad.size())) ==
               1 &&
           EVP_EncryptUpdate(ctx, cipher, &length, bytes_of(plain),
                             static_cast<int>(plain.size())) == 1 &&
           length == static_cast<int>(plain.size()) &&
           EVP_EncryptFinal_ex(ctx, cipher + length, &last) == 1 && last == 0 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagSize), tag) == 1;
}

}  // namespace

Sha256::Sha256() {
    const OpensslErrorGuard guard;
    md_.reset(EVP_MD_fetch(nullptr, "SHA256", nullptr));
    ctx_.reset(EVP_MD_CTX_new());
}

#if OPENSSL_VERSION_MAJOR == 3 && !defined(OPENSSL_NO_DEPRECATED_3_0)
// Every authenticated request comes through here, and the EVP interface costs some 800
// instructions around a compression of 2,000. Where the direct one is no longer offered, EVP it is.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
bool Sha256::digest(ByteView data, Digest& out) noexcept {
    SHA256_CTX ctx;
    return SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, data.data(), data.size()) == 1 &&
           SHA256_Final(out.data(), &ctx) == 1;
}
#pragma GCC diagnostic pop
#else
bool Sha256::digest(ByteView data, Digest& out) noexcept {
    unsigned length = 0;
    const bool done = md_ != nullptr && ctx_ != nullptr &&
                      EVP_DigestInit_ex2(ctx_.get(), md_.get(), nullptr) == 1 &&
                      EVP_DigestUpdate(ctx_.get(), data.data(), data.size()) == 1 &&
                      EVP_DigestFinal_ex(ctx_.get(), out.data(), &length) == 1 &&
                      length == out.size();
    if (!done) {
        ERR_clear_error();
    }
    return done;
}
#endif

Digest sha256(std::string_view data) {
    // One for each thread, because to fetch the method costs more than to hash. Never destroyed:
    // OpenSSL may be gone before the thread's objects are.
    thread_local auto* const shared = new Sha256;
    Digest out{};
    if (!shared->digest(as_bytes(data), out)) {
        throw std::runtime_error("SHA-256 failed");
    }
    return out;
}

Digest sha256_fields(std::initializer_list<std::string_view> fields) {
    std::string input;
    for (const std::string_view field : fields) {
        append_field(input, field);
    }
    const Digest out = sha256(input);
    cleanse(input.data(), input.size());
    return out;
}

bool hmac_sha256(ByteView key, ByteView data, Digest& out) noexcept {
    const OpensslErrorGuard guard;
    unsigned int size = 0;
    return HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
                out.data(), &size) != nullptr &&
           size == out.size();
}

Result<AeadKey> derive_key(ByteView input_key, std::string_view label) {
    if (input_key.empty()) {
        return fail(Reason::internal_error, "key derivation from an empty key");
    }
    const OpensslErrorGuard guard;
    const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const KdfCtxPtr ctx(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
    // OSSL_PARAM has no pointers to const; the KDF only reads them.
    std::string digest = "SHA256";
    auto* key = const_cast<std::uint8_t*>(input_key.data());
    auto* info = const_cast<char*>(label.data());
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, input_key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, label.size()),
        OSSL_PARAM_construct_end(),
    };
    AeadKey out{};
    if (ctx == nullptr || EVP_KDF_derive(ctx.get(), out.data(), out.size(), params) != 1) {
        cleanse(out.data(), out.size());
        return fail(Reason::internal_error, "HKDF failed");
    }
    return out;
}

Aead::Aead(std::span<const AeadKey> ring) : ring_(ring.begin(), ring.end()) {
    if (ring_.empty() || ring_.size() > kMaxRing) {
        throw std::invalid_argument("a key ring has 1 to 8 keys");
    }
    const OpensslErrorGuard guard;
    method_.reset(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
    CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    if (method_ != nullptr && ctx != nullptr &&
        EVP_CIPHER_get_iv_length(method_.get()) == static_cast<int>(kNonceSize) &&
        EVP_EncryptInit_ex2(ctx.get(), method_.get(), ring_.front().data(), nullptr, nullptr) ==
            1) {
        sealing_ = std::move(ctx);
    }
}

Aead::~Aead() {
    for (AeadKey& key : ring_) {
        cleanse(key.data(), key.size());
    }
}

Result<std::string> Aead::seal(std::string_view plain, std::initializer_list<std::string_view> aad,
                               Random& random) const {
    if (plain.size() > kMaxSealed) {
        return fail(Reason::internal_error, "text too large to seal");
    }
    std::string out(kSealOverhead + plain.size(), '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    bytes[0] = kSealVersion;
    if (!random.fill({bytes + 1, kNonceSize})) {
        return fail(Reason::internal_error, "no randomness");
    }
    const OpensslErrorGuard guard;
    unsigned char* const cipher = bytes + 1 + kNonceSize;
    if (sealing_ == nullptr || !gcm_seal(sealing_.get(), bytes + 1, joined_aad(aad), plain, cipher,
                                         cipher + plain.size())) {
        return fail(Reason::internal_error, "AES-256-GCM failed");
    }
    return out;
}

std::optional<Secret> Aead::open(std::string_view sealed,
                                 std::initializer_list<std::string_view> aad) const {
    if (sealed.size() < kSealOverhead || sealed.size() - kSealOverhead > kMaxSealed ||
        static_cast<std::uint8_t>(sealed.front()) != kSealVersion || method_ == nullptr) {
        return std::nullopt;
    }
    const std::size_t size = sealed.size() - kSealOverhead;
    const std::string_view nonce = sealed.substr(1, kNonceSize);
    const std::string_view cipher = sealed.substr(1 + kNonceSize, size);
    const std::string_view tag = sealed.substr(1 + kNonceSize + size);
    const std::string joined = joined_aad(aad);
    // One byte more than needed, so that data() is never null: a null output means "this is AAD".
    std::vector<unsigned char, CleansingAllocator<unsigned char>> plain(size + 1);
    const OpensslErrorGuard guard;
    for (const AeadKey& key : ring_) {
        if (gcm_open(method_.get(), key, nonce, joined, cipher, tag, plain.data())) {
            return Secret(as_text({plain.data(), size}));
        }
    }
    return std::nullopt;
}

Result<std::string> random_token(Random& random, std::size_t bytes) {
    std::vector<std::uint8_t, CleansingAllocator<std::uint8_t>> buffer(bytes);
    if (bytes == 0 || !random.fill(buffer)) {
        return fail(Reason::internal_error, "no randomness");
    }
    return base64url_encode(buffer);
}

}  // namespace oidc
