// SPDX-License-Identifier: Apache-2.0
#include "oidc/jwe.hpp"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <vector>

#include "oidc/encode.hpp"
#include "oidc/jwk.hpp"
#include "oidc/private_key.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

constexpr int kMaxRsaBits = 4096;
constexpr std::size_t kMaxHeaderChars = 16 * 1024;
constexpr std::size_t kMaxPartyChars = 512;  // apu, apv
constexpr int kMaxHeaderDepth = 8;
constexpr std::size_t kWrapOverhead = 8;  // RFC 3394
constexpr std::size_t kAesBlock = 16;

// In the order of the enumerations.
constexpr std::array<std::string_view, 4> kAlgNames{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW",
                                                    "ECDH-ES+A256KW"};
struct Content {
    std::string_view name;
    const char* cipher;       // OpenSSL's name
    std::size_t key;          // bytes; of CBC the HMAC's half and the cipher's
    std::size_t iv;           // bytes
    std::size_t tag;          // bytes
    const EVP_MD* (*hash)();  // of the HMAC; null: GCM
};
constexpr std::array<Content, 4> kContents{{
    {"A128GCM", "AES-128-GCM", 16, 12, 16, nullptr},
    {"A256GCM", "AES-256-GCM", 32, 12, 16, nullptr},
    {"A128CBC-HS256", "AES-128-CBC", 32, 16, 16, EVP_sha256},
    {"A256CBC-HS512", "AES-256-CBC", 64, 16, 32, EVP_sha512},
}};

const Content& content_of(JweEnc enc) {
    return kContents[static_cast<std::size_t>(enc)];
}

using Bytes = std::vector<unsigned char, CleansingAllocator<unsigned char>>;
using KdfPtr = std::unique_ptr<EVP_KDF, Deleter<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, Deleter<EVP_KDF_CTX_free>>;

Error malformed(std::string detail) {
    return fail(Reason::jwt_malformed, "the encrypted token " + std::move(detail));
}

Error bad_key(std::string detail) {
    return fail(Reason::malformed, std::move(detail));
}

int length_of(std::string_view text) {
    return static_cast<int>(text.size());
}

// ---- segments --------------------------------------------------------------------------------

// Still encoded.
using Segments = std::array<std::string_view, 5>;  // header, key, iv, ciphertext, tag

Result<Segments> split(std::string_view compact, std::size_t max_bytes) {
    if (compact.size() > max_bytes) {
        return malformed("is " + std::to_string(compact.size()) + " bytes long, at most " +
                         std::to_string(max_bytes) + " are accepted");
    }
    if (!is_encrypted(compact)) {
        return malformed("has not five segments");
    }
    Segments segments;
    for (std::string_view& segment : segments) {
        segment = compact.substr(0, compact.find('.'));
        compact.remove_prefix(std::min(compact.size(), segment.size() + 1));
    }
    return segments;
}

// Of exactly so many bytes, which is known before anything is decoded.
Result<std::string> decode(std::string_view segment, std::size_t bytes, const char* what) {
    std::string out(bytes, '\0');
    if (!base64url_decode_exact(segment,
                                {reinterpret_cast<std::uint8_t*>(out.data()), out.size()})) {
        return malformed(std::string("has ") + what + " that is not " + std::to_string(bytes) +
                         " bytes of base64url");
    }
    return out;
}

Result<std::string> decode_ciphertext(std::string_view segment, const Content& content) {
    auto text = base64url_decode(segment);
    if (segment.empty() || !text) {
        return malformed("has a ciphertext that is not base64url");
    }
    if (content.hash != nullptr && text->size() % kAesBlock != 0) {
        return malformed("has a ciphertext of " + std::to_string(text->size()) +
                         " bytes, which are no whole blocks");
    }
    return *std::move(text);
}

// ---- header ----------------------------------------------------------------------------------

// A string member; null is a wrong type, as in the header of a JWS.
Result<std::optional<std::string_view>> header_text(const json_t* header, const char* name) {
    const json_t* value = json_object_get(header, name);
    if (value == nullptr) {
        return std::optional<std::string_view>{};
    }
    if (!json_is_string(value)) {
        return malformed("has \"" + std::string(name) + "\" in its header, which is not a string");
    }
    return std::optional(std::string_view(json_string_value(value), json_string_length(value)));
}

// "apu" and "apv" (RFC 7518 4.6.1.2): names that both sides hash.
Result<std::string> party(const json_t* header, const char* name) {
    const auto text = header_text(header, name);
    if (!text) {
        return text.error();
    }
    if (!*text) {
        return std::string();
    }
    auto bytes = (*text)->size() > kMaxPartyChars ? std::nullopt : base64url_decode(**text);
    if (!bytes) {
        return malformed("has \"" + std::string(name) + "\" that is not base64url, or too long");
    }
    return *std::move(bytes);
}

Status check_cty(const json_t* header) {
    const auto cty = header_text(header, "cty");
    if (!cty) {
        return cty.error();
    }
    // RFC 7519 5.2 wants it, and providers leave it out. What is inside has to be one anyway.
    if (*cty && !equal_nocase(**cty, "JWT") && !equal_nocase(**cty, "application/jwt")) {
        return fail(Reason::jwt_typ,
                    "cty " + in_quotes(**cty) + " of the encrypted token is not JWT");
    }
    return Unit{};
}

Result<JweEnc> check_enc(const json_t* header, std::optional<JweEnc> allowed) {
    const auto name = header_text(header, "enc");
    const auto enc = name && *name ? jwe_enc_from_name(**name) : std::nullopt;
    if (enc && (!allowed || *allowed == *enc)) {
        return *enc;
    }
    std::string wanted = allowed ? std::string(jwe_enc_name(*allowed)) : std::string();
    for (const Content& content : kContents) {
        if (!allowed) {
            wanted.append(wanted.empty() ? "" : ", ").append(content.name);
        }
    }
    return fail(Reason::jwt_alg,
                (name && *name ? "enc " + in_quotes(**name) : std::string("a missing enc")) +
                    " of the encrypted token is not allowed (allowed: " + wanted + ")",
                "id_token_encryption_key");
}

// ---- the content's key -----------------------------------------------------------------------

// RFC 7518 4.3: OAEP with SHA-256, for both of its hashes.
bool decrypt_rsa(EVP_PKEY* key, std::string_view encrypted, Bytes& out) {
    out.resize(encrypted.size());
    std::size_t size = out.size();
    const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    if (!ctx || EVP_PKEY_decrypt_init(ctx.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx.get(), EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx.get(), EVP_sha256()) != 1 ||
        EVP_PKEY_decrypt(ctx.get(), out.data(), &size, as_bytes(encrypted).data(),
                         encrypted.size()) != 1) {
        return false;
    }
    out.resize(size);
    return true;
}

bool agree(EVP_PKEY* key, EVP_PKEY* peer, Bytes& out) {
    const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    std::size_t size = 0;
    if (!ctx || EVP_PKEY_derive_init(ctx.get()) != 1 ||
        EVP_PKEY_derive_set_peer(ctx.get(), peer) != 1 ||
        EVP_PKEY_derive(ctx.get(), nullptr, &size) != 1) {
        return false;
    }
    out.resize(size);
    return EVP_PKEY_derive(ctx.get(), out.data(), &size) == 1 && size == out.size();
}

void append_number(std::string& out, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((value >> shift) & 255U));
    }
}

void append_counted(std::string& out, std::string_view text) {
    append_number(out, text.size());
    out.append(text);
}

// RFC 7518 4.6.2: the Concat KDF of SP 800-56A, which OpenSSL calls SSKDF.
bool concat_kdf(const Bytes& secret, std::string_view algorithm, std::string_view apu,
                std::string_view apv, std::size_t bytes, Bytes& out) {
    std::string info;
    append_counted(info, algorithm);
    append_counted(info, apu);
    append_counted(info, apv);
    append_number(info, bytes * 8);
    const KdfPtr kdf(EVP_KDF_fetch(nullptr, "SSKDF", nullptr));
    const KdfCtxPtr ctx(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    std::string digest = "SHA256";
    // OSSL_PARAM has no pointers to const; the KDF only reads them.
    const std::array<OSSL_PARAM, 4> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                          const_cast<unsigned char*>(secret.data()), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
        OSSL_PARAM_construct_end(),
    };
    out.resize(bytes);
    return ctx && EVP_KDF_derive(ctx.get(), out.data(), out.size(), params.data()) == 1;
}

// RFC 3394. Its check value makes a wrong key fail here.
bool unwrap(const Bytes& key, std::string_view wrapped, Bytes& out) {
    const CipherPtr cipher(
        EVP_CIPHER_fetch(nullptr, key.size() == 16 ? "AES-128-WRAP" : "AES-256-WRAP", nullptr));
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    out.resize(wrapped.size());
    int length = 0;
    int last = 0;
    if (!cipher || !ctx) {
        return false;
    }
    EVP_CIPHER_CTX_set_flags(ctx.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_DecryptInit_ex2(ctx.get(), cipher.get(), key.data(), nullptr, nullptr) != 1 ||
        EVP_DecryptUpdate(ctx.get(), out.data(), &length, as_bytes(wrapped).data(),
                          length_of(wrapped)) != 1 ||
        EVP_DecryptFinal_ex(ctx.get(), out.data() + length, &last) != 1) {
        return false;
    }
    out.resize(static_cast<std::size_t>(length) + static_cast<std::size_t>(last));
    return true;
}

// Bytes of the key that wraps the content's; 0: that is agreed upon itself.
std::size_t wrapping_bytes(JweAlg alg) noexcept {
    switch (alg) {
        case JweAlg::ECDH_ES_A128KW:
            return 16;
        case JweAlg::ECDH_ES_A256KW:
            return 32;
        default:
            return 0;
    }
}

// What the sender of an ECDH-ES token says of it.
struct Agreement {
    PkeyPtr epk;
    std::string apu;
    std::string apv;
};

// The content's key: agreed upon itself, or wrapped with what was agreed upon.
bool open_agreed(EVP_PKEY* key, const Agreement& with, JweAlg alg, const Content& content,
                 std::string_view encrypted, Bytes& out) {
    Bytes secret;
    if (!agree(key, with.epk.get(), secret)) {
        return false;
    }
    const std::size_t wrapping = wrapping_bytes(alg);
    if (wrapping == 0) {
        return concat_kdf(secret, content.name, with.apu, with.apv, content.key, out);
    }
    Bytes wrapper;
    return concat_kdf(secret, jwe_alg_name(alg), with.apu, with.apv, wrapping, wrapper) &&
           unwrap(wrapper, encrypted, out);
}

// ---- the content -----------------------------------------------------------------------------

struct Sealed {
    std::string_view header;  // as it came: what is authenticated beside the content
    std::string iv;
    std::string ciphertext;
    std::string tag;
};

Result<Sealed> decode_sealed(const Segments& segments, const Content& content) {
    auto iv = decode(segments[2], content.iv, "an initialization vector");
    auto ciphertext = decode_ciphertext(segments[3], content);
    auto tag = decode(segments[4], content.tag, "an authentication tag");
    if (!iv || !ciphertext || !tag) {
        return !iv           ? std::move(iv).error()
               : !ciphertext ? std::move(ciphertext).error()
                             : std::move(tag).error();
    }
    return Sealed{segments[0], *std::move(iv), *std::move(ciphertext), *std::move(tag)};
}

// The tag has its full size, whatever the token says: cjose took the length from there
// (CVE-2023-37464), and one byte is guessed.
bool open_gcm(const EVP_CIPHER* cipher, const Bytes& key, Sealed& sealed, Bytes& plain) {
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    int length = 0;
    int last = 0;
    if (!ctx || EVP_CIPHER_get_iv_length(cipher) != length_of(sealed.iv) ||
        EVP_DecryptInit_ex2(ctx.get(), cipher, key.data(), as_bytes(sealed.iv).data(), nullptr) !=
            1 ||
        EVP_DecryptUpdate(ctx.get(), nullptr, &length, as_bytes(sealed.header).data(),
                          length_of(sealed.header)) != 1 ||
        EVP_DecryptUpdate(ctx.get(), plain.data(), &length, as_bytes(sealed.ciphertext).data(),
                          length_of(sealed.ciphertext)) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, length_of(sealed.tag),
                            sealed.tag.data()) != 1 ||
        EVP_DecryptFinal_ex(ctx.get(), plain.data() + length, &last) != 1) {
        return false;
    }
    plain.resize(static_cast<std::size_t>(length) + static_cast<std::size_t>(last));
    return true;
}

// RFC 7518 5.2.2.2: the HMAC first, over everything, so that no padding is ever looked at that the
// sender has not made.
bool open_cbc(const EVP_CIPHER* cipher, const Content& content, const Bytes& key, Sealed& sealed,
              Bytes& plain) {
    std::string input(sealed.header);
    input.append(sealed.iv).append(sealed.ciphertext);
    append_number(input, 0);
    append_number(input, sealed.header.size() * 8);
    const std::size_t half = content.key / 2;
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int mac_size = 0;
    if (HMAC(content.hash(), key.data(), static_cast<int>(half), as_bytes(input).data(),
             input.size(), mac.data(), &mac_size) == nullptr ||
        mac_size < content.tag ||
        !equal_constant_time(as_text(ByteView(mac.data(), content.tag)), sealed.tag)) {
        return false;
    }
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    int length = 0;
    int last = 0;
    if (!ctx ||
        EVP_DecryptInit_ex2(ctx.get(), cipher, key.data() + half, as_bytes(sealed.iv).data(),
                            nullptr) != 1 ||
        EVP_DecryptUpdate(ctx.get(), plain.data(), &length, as_bytes(sealed.ciphertext).data(),
                          length_of(sealed.ciphertext)) != 1 ||
        EVP_DecryptFinal_ex(ctx.get(), plain.data() + length, &last) != 1) {
        return false;
    }
    plain.resize(static_cast<std::size_t>(length) + static_cast<std::size_t>(last));
    return true;
}

// False: `plain` is nothing that may be looked at.
bool open_content(const Content& content, const Bytes& key, Sealed& sealed, Bytes& plain) {
    const CipherPtr cipher(EVP_CIPHER_fetch(nullptr, content.cipher, nullptr));
    plain.resize(sealed.ciphertext.size() + kAesBlock);  // for what OpenSSL may want
    return cipher &&
           (content.hash == nullptr ? open_gcm(cipher.get(), key, sealed, plain)
                                    : open_cbc(cipher.get(), content, key, sealed, plain));
}

}  // namespace

std::string_view jwe_alg_name(JweAlg alg) noexcept {
    return kAlgNames[static_cast<std::size_t>(alg)];
}

std::optional<JweAlg> jwe_alg_from_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kAlgNames.size(); ++i) {
        if (kAlgNames[i] == name) {
            return static_cast<JweAlg>(i);
        }
    }
    return std::nullopt;
}

std::string_view jwe_enc_name(JweEnc enc) noexcept {
    return content_of(enc).name;
}

std::optional<JweEnc> jwe_enc_from_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kContents.size(); ++i) {
        if (kContents[i].name == name) {
            return static_cast<JweEnc>(i);
        }
    }
    return std::nullopt;
}

bool is_encrypted(std::string_view compact) noexcept {
    return std::count(compact.begin(), compact.end(), '.') == 4;
}

// ---- JweDecrypter ----------------------------------------------------------------------------

struct JweDecrypter::Header {
    JweAlg alg{};
    JweEnc enc{};
    const Key* key = nullptr;
    Agreement agreement;  // of ECDH-ES
    [[nodiscard]] bool is_rsa() const noexcept { return alg == JweAlg::RSA_OAEP_256; }
};

Result<JweDecrypter::Key> JweDecrypter::read_key(std::string_view pem, std::optional<JweAlg> alg) {
    auto pkey = read_private_key(pem);
    if (!pkey) {
        return std::move(pkey).error();
    }
    Key key;
    if (const EcCurve* curve = ec_curve_of(pkey->get())) {
        key.crv = curve->crv;
    } else if (EVP_PKEY_is_a(pkey->get(), "RSA") != 1) {
        return bad_key("the key file holds neither an RSA nor a P-256, P-384 or P-521 key");
    } else if (Status good = check_rsa_key(pkey->get(), "RSA-OAEP-256"); !good) {
        return std::move(good).error();
    } else if (EVP_PKEY_get_bits(pkey->get()) > kMaxRsaBits) {
        return bad_key("the RSA key of the key file has " +
                       std::to_string(EVP_PKEY_get_bits(pkey->get())) + " bits, at most " +
                       std::to_string(kMaxRsaBits) + " are accepted");
    } else {
        key.bytes = static_cast<std::size_t>(EVP_PKEY_get_size(pkey->get()));
    }
    if (alg && (*alg == JweAlg::RSA_OAEP_256) != key.crv.empty()) {
        return bad_key("the key file holds no key for " + std::string(jwe_alg_name(*alg)));
    }
    auto members = public_members(pkey->get());
    if (!members) {
        return std::move(members).error();
    }
    key.pkey = *std::move(pkey);
    key.members = *std::move(members);
    key.kid = jwk_thumbprint(key.members);
    return key;
}

Result<JweDecrypter> JweDecrypter::from_pem(std::string_view pem, std::optional<JweAlg> alg,
                                            std::optional<JweEnc> enc, std::string_view kid) {
    const OpensslErrorGuard guard;
    auto key = read_key(pem, alg);
    if (!key) {
        return std::move(key).error();
    }
    JweDecrypter decrypter;
    decrypter.key_ = *std::move(key);
    if (!kid.empty()) {
        decrypter.key_.kid = kid;
    }
    decrypter.alg_ = decrypter.key_.crv.empty() ? std::optional(JweAlg::RSA_OAEP_256) : alg;
    decrypter.enc_ = enc;
    decrypter.jwk_ = "{" + decrypter.key_.members + R"(,"kid":)" + json_quote(decrypter.key_.kid) +
                     R"(,"use":"enc")";
    if (decrypter.alg_) {  // else the provider chooses
        decrypter.jwk_ += R"(,"alg":")" + std::string(jwe_alg_name(*decrypter.alg_)) + "\"";
    }
    decrypter.jwk_ += "}";
    return decrypter;
}

Status JweDecrypter::add_former(std::string_view pem) {
    const OpensslErrorGuard guard;
    auto key = read_key(pem, std::nullopt);
    if (!key) {
        return std::move(key).error();
    }
    if (key->kid == thumbprint()) {
        return bad_key("it is the same key");
    }
    former_ = *std::move(key);
    return Unit{};
}

bool JweDecrypter::has(std::string_view thumbprint) const {
    return this->thumbprint() == thumbprint || (former_ && former_->kid == thumbprint);
}

std::string JweDecrypter::thumbprint() const {
    return jwk_thumbprint(key_.members);
}

Result<JweAlg> JweDecrypter::check_alg(const json_t* header) const {
    const auto name = header_text(header, "alg");
    const auto alg = name && *name ? jwe_alg_from_name(**name) : std::nullopt;
    const auto can = [alg](const Key& key) {
        return (*alg == JweAlg::RSA_OAEP_256) == key.crv.empty();
    };
    // A former key may be of another kind, and had another algorithm then.
    if (alg && ((can(key_) && (!alg_ || *alg_ == *alg)) || (former_ && can(*former_)))) {
        return *alg;
    }
    const std::string wanted =
        alg_ ? std::string(jwe_alg_name(*alg_)) : "ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A256KW";
    return fail(Reason::jwt_alg,
                (name && *name ? "alg " + in_quotes(**name) : std::string("a missing alg")) +
                    " of the encrypted token is not allowed (allowed: " + wanted + ")",
                "id_token_encryption_key");
}

Result<const JweDecrypter::Key*> JweDecrypter::key_of(const std::optional<std::string_view>& kid,
                                                      JweAlg alg) const {
    const Key* key = nullptr;
    if (!kid || *kid == key_.kid) {
        key = &key_;
    } else if (former_ && *kid == former_->kid) {
        key = &*former_;
    } else {
        return fail(Reason::jwt_decryption,
                    "the token is encrypted for the key " + in_quotes(*kid) + ", ours is " +
                        in_quotes(key_.kid),
                    "id_token_encryption_key");
    }
    if ((alg == JweAlg::RSA_OAEP_256) != key->crv.empty() ||
        (key == &key_ && alg_ && *alg_ != alg)) {
        return fail(Reason::jwt_alg,
                    "alg " + in_quotes(jwe_alg_name(alg)) +
                        " of the encrypted token does not fit the key " + in_quotes(key->kid),
                    "id_token_encryption_key");
    }
    return key;
}

Result<JweDecrypter::Header> JweDecrypter::check_header(std::string_view segment) const {
    const auto text = segment.size() > kMaxHeaderChars ? std::nullopt : base64url_decode(segment);
    if (!text) {
        return malformed("has a header that is not base64url, or too long");
    }
    const auto object = json_parse_object(*text, {kMaxHeaderChars, kMaxHeaderDepth});
    if (!object) {
        return malformed("has a header that is refused: " + object.error().detail);
    }
    const json_t* members = object->get();
    const auto alg = check_alg(members);
    if (!alg) {
        return alg.error();
    }
    const auto enc = check_enc(members, enc_);
    if (!enc) {
        return enc.error();
    }
    // RFC 7516 4.1.13: what we would have to understand, we do not. RFC 8725 3.6: a few bytes that
    // become a gigabyte.
    for (const char* name : {"crit", "zip"}) {
        if (json_object_get(members, name) != nullptr) {
            return fail(Reason::jwt_crit,
                        std::string("the encrypted token's header has \"") + name + "\"");
        }
    }
    if (Status status = check_cty(members); !status) {
        return std::move(status).error();
    }
    const auto kid = header_text(members, "kid");
    if (!kid) {
        return kid.error();
    }
    const auto key = key_of(*kid, *alg);
    if (!key) {
        return key.error();
    }
    Header header;
    header.alg = *alg;
    header.enc = *enc;
    header.key = *key;
    if (header.is_rsa()) {
        return header;
    }
    auto epk = public_ec_key(json_object_get(members, "epk"), (*key)->crv);
    auto apu = party(members, "apu");
    auto apv = party(members, "apv");
    if (!epk || !apu || !apv) {
        return !epk   ? malformed("has an \"epk\" that is refused: " + epk.error().detail)
               : !apu ? std::move(apu).error()
                      : std::move(apv).error();
    }
    header.agreement = {*std::move(epk), *std::move(apu), *std::move(apv)};
    return header;
}

Result<Secret> JweDecrypter::open(std::string_view compact, std::size_t max_bytes,
                                  Random& random) const {
    const OpensslErrorGuard guard;
    const auto segments = split(compact, max_bytes);
    if (!segments) {
        return segments.error();
    }
    const auto header = check_header((*segments)[0]);
    if (!header) {
        return header.error();
    }
    const Content& content = content_of(header->enc);
    const std::size_t key_bytes = header->is_rsa()                   ? header->key->bytes
                                  : wrapping_bytes(header->alg) == 0 ? 0
                                                                     : content.key + kWrapOverhead;
    const auto encrypted_key = decode((*segments)[1], key_bytes, "an encrypted key");
    auto sealed = decode_sealed(*segments, content);
    if (!encrypted_key || !sealed) {
        return !encrypted_key ? encrypted_key.error() : std::move(sealed).error();
    }

    // RFC 7516 11.5: a key that does not come out is replaced by one that nobody knows, and what
    // is found out about the token in the end is the same.
    Bytes substitute(content.key);
    if (!random.fill(substitute)) {
        return fail(Reason::internal_error, "no randomness to open a token");
    }
    EVP_PKEY* ours = header->key->pkey.get();
    Bytes key;
    const bool came_out = header->is_rsa() ? decrypt_rsa(ours, *encrypted_key, key)
                                           : open_agreed(ours, header->agreement, header->alg,
                                                         content, *encrypted_key, key);
    if (!came_out || key.size() != content.key) {
        key = std::move(substitute);
    }
    Bytes plain;
    if (!open_content(content, key, *sealed, plain)) {
        return fail(Reason::jwt_decryption,
                    "the token cannot be decrypted with the key " + in_quotes(header->key->kid),
                    "id_token_encryption_key");
    }
    const std::string_view inside = as_text({plain.data(), plain.size()});
    if (std::count(inside.begin(), inside.end(), '.') != 2) {
        return malformed("holds no signed token (" +
                         std::string(is_encrypted(inside) ? "another encrypted one is inside"
                                                          : "have the provider sign it as well") +
                         ")");
    }
    return Secret(inside);
}

// ---- of a provider ---------------------------------------------------------------------------

Result<std::optional<Secret>> open_token(std::string_view token, const ProviderConfig& config,
                                         std::size_t max_bytes, Random& random) {
    if (config.decrypter == nullptr || !is_encrypted(token)) {
        return std::optional<Secret>();
    }
    auto inside = config.decrypter->open(token, max_bytes, random);
    if (!inside) {
        return std::move(inside).error();
    }
    return std::optional<Secret>(*std::move(inside));
}

Status check_encrypted(std::string_view id_token, const ProviderConfig& config) {
    if (config.encryption_required && !is_encrypted(id_token)) {
        return fail(Reason::jwt_not_encrypted,
                    "the ID token is not encrypted, as \"id_token_encryption_key\" demands; have "
                    "the provider encrypt it for this client, or say required=off there",
                    "id_token_encryption_key");
    }
    return Unit{};
}

}  // namespace oidc
