// SPDX-License-Identifier: Apache-2.0
#include "oidc/jwk.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <bit>

#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

constexpr std::size_t kMaxKeys = 100;
constexpr std::size_t kMaxCandidates = 8;
constexpr std::size_t kMinRsaBits = 2048;
constexpr std::size_t kMaxRsaBits = 8192;
// Room for the largest modulus in base64url and for a few needless leading zero bytes.
constexpr std::size_t kMaxMemberChars = 1400;
constexpr std::size_t kEd25519Bytes = 32;

struct Curve {
    std::string_view name;  // "crv"
    Jwk::Type type;
    std::size_t bytes;  // of one coordinate
    cjose_jwk_ec_curve id;
    const char* group;
};
constexpr std::array<Curve, 3> kCurves{{
    {"P-256", Jwk::Type::ec_p256, 32, CJOSE_JWK_EC_P_256, "P-256"},
    {"P-384", Jwk::Type::ec_p384, 48, CJOSE_JWK_EC_P_384, "P-384"},
    {"P-521", Jwk::Type::ec_p521, 66, CJOSE_JWK_EC_P_521, "P-521"},
}};

// A string member; nullopt when it is absent, null or of another type.
std::optional<std::string_view> text_member(const json_t* entry, const char* name) {
    auto value = json_string(entry, name);
    return value.ok() ? *value : std::nullopt;
}

Error unfit(std::string why) {
    return fail(Reason::jwks_invalid, std::move(why));
}

Result<std::string> bytes_member(const json_t* entry, const char* name) {
    const auto text = text_member(entry, name);
    if (!text || text->empty()) {
        return unfit(in_quotes(name) + " is missing or no text");
    }
    if (text->size() > kMaxMemberChars) {
        return unfit(in_quotes(name) + " is too long");
    }
    auto bytes = base64url_decode(*text);
    if (!bytes) {
        return unfit(in_quotes(name) + " is not base64url");
    }
    return *std::move(bytes);
}

// An unsigned integer without leading zeros. RFC 7518 section 2 asks for the shortest form, but
// providers exist that put the sign byte of their big-integer type in front.
Result<std::string> integer_member(const json_t* entry, const char* name) {
    auto bytes = bytes_member(entry, name);
    if (bytes) {
        bytes->erase(0, bytes->find_first_not_of('\0'));
    }
    return bytes;
}

// For messages; never a member that holds key material.
std::string shown(const json_t* entry, const char* name) {
    const auto text = text_member(entry, name);
    return text ? in_quotes(*text) : std::string("missing or no text");
}

std::size_t bit_length(std::string_view integer) {
    return integer.empty() ? 0
                           : 8 * (integer.size() - 1) +
                                 std::bit_width(static_cast<unsigned char>(integer.front()));
}

bool is_odd(std::string_view integer) {
    return !integer.empty() && (static_cast<unsigned char>(integer.back()) & 1U) != 0;
}

std::uint8_t* bytes_of(std::string& text) {
    return reinterpret_cast<std::uint8_t*>(text.data());
}

Status made(bool done) {
    return done ? Status(Unit{}) : unfit("the library refuses it");
}

Status load_rsa(const json_t* entry, Jwk& key) {
    auto n = integer_member(entry, "n");
    auto e = integer_member(entry, "e");
    if (!n || !e) {
        return !n ? std::move(n).error() : std::move(e).error();
    }
    const std::size_t bits = bit_length(*n);
    if (bits < kMinRsaBits || bits > kMaxRsaBits) {
        return unfit("\"n\" has " + std::to_string(bits) + " bits, " + std::to_string(kMinRsaBits) +
                     " to " + std::to_string(kMaxRsaBits) + " are accepted");
    }
    if (!is_odd(*n)) {
        return unfit("\"n\" is even");
    }
    // At most 32 bits: the time of a verification grows with the exponent.
    if (!is_odd(*e) || bit_length(*e) < 2 || e->size() > 4) {
        return unfit("\"e\" is even, 1 or larger than 32 bits");
    }
    cjose_jwk_rsa_keyspec spec{};
    spec.n = bytes_of(*n);
    spec.nlen = n->size();
    spec.e = bytes_of(*e);
    spec.elen = e->size();
    key.type = Jwk::Type::rsa;
    key.cjose.reset(cjose_jwk_create_RSA_spec(&spec, nullptr));
    return made(key.cjose != nullptr);
}

// Full public-key validation (SP 800-56A 5.6.2.3): coordinates in range and on the curve. Null: no
// point of it.
PkeyPtr point_of(const Curve& curve, std::string_view x, std::string_view y) {
    std::string point("\x04");  // uncompressed
    point.append(x).append(y);
    std::array<OSSL_PARAM, 3> params{
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(curve.group),
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end(),
    };
    const PkeyCtxPtr maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* raw = nullptr;
    if (x.size() != curve.bytes || y.size() != curve.bytes || !maker ||
        EVP_PKEY_fromdata_init(maker.get()) != 1 ||
        EVP_PKEY_fromdata(maker.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.data()) != 1) {
        return nullptr;
    }
    PkeyPtr pkey(raw);
    const PkeyCtxPtr checker(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey.get(), nullptr));
    return checker && EVP_PKEY_public_check(checker.get()) == 1 ? std::move(pkey) : nullptr;
}

Error no_point(const Curve& curve) {
    return unfit("\"x\" and \"y\" are no point of " + std::string(curve.name));
}

Status load_ec(const json_t* entry, Jwk& key) {
    const auto name = text_member(entry, "crv");
    auto x = bytes_member(entry, "x");
    auto y = bytes_member(entry, "y");
    if (!x || !y) {
        return !x ? std::move(x).error() : std::move(y).error();
    }
    for (const Curve& curve : kCurves) {
        if (curve.name != name) {
            continue;
        }
        if (!point_of(curve, *x, *y)) {
            return no_point(curve);
        }
        cjose_jwk_ec_keyspec spec{};
        spec.crv = curve.id;
        spec.x = bytes_of(*x);
        spec.xlen = x->size();
        spec.y = bytes_of(*y);
        spec.ylen = y->size();
        key.type = curve.type;
        key.cjose.reset(cjose_jwk_create_EC_spec(&spec, nullptr));
        return made(key.cjose != nullptr);
    }
    return unfit("\"crv\" is " + shown(entry, "crv") + ", none of P-256, P-384 and P-521");
}

// RFC 8037. cjose does not know these keys.
Status load_okp(const json_t* entry, Jwk& key) {
    auto x = bytes_member(entry, "x");
    if (!x) {
        return std::move(x).error();
    }
    if (text_member(entry, "crv") != "Ed25519" || x->size() != kEd25519Bytes) {
        return unfit("it is no key of Ed25519");
    }
    key.type = Jwk::Type::ed25519;
    key.pkey.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()));
    return made(key.pkey != nullptr);
}

Status load_material(const json_t* entry, Jwk& key) {
    const auto kty = text_member(entry, "kty");
    if (kty == "RSA") {
        return load_rsa(entry, key);
    }
    if (kty == "EC") {
        return load_ec(entry, key);
    }
    return kty == "OKP" ? load_okp(entry, key)
                        : unfit("\"kty\" is " + shown(entry, "kty") + ", not RSA, EC or OKP");
}

// "use" and "key_ops" (RFC 7517 4.2, 4.3) allow verifying, and it is no secret.
bool meant_for_verifying(const json_t* entry) {
    const auto use = json_string(entry, "use");
    const auto operations = json_strings(entry, "key_ops");
    if (!use.ok() || !operations.ok() || (*use && **use != "sig") ||
        text_member(entry, "kty") == "oct") {
        return false;
    }
    if (!*operations) {
        return true;
    }
    for (const std::string& operation : **operations) {
        if (operation == "verify") {
            return true;
        }
    }
    return false;
}

// Error: why this entry cannot verify any signature that we accept. The key is built from its
// public members alone, so that nothing else of the entry reaches a library.
Result<Jwk> load(const json_t* entry) {
    if (!json_is_object(entry)) {
        return unfit("it is no object");
    }
    if (!meant_for_verifying(entry)) {
        return unfit("it is not meant for signatures");
    }
    Jwk key;
    const auto kid = json_string(entry, "kid");
    const auto alg = json_string(entry, "alg");
    if (!kid.ok() || !alg.ok()) {
        return unfit(kid.ok() ? alg.error().detail : kid.error().detail);
    }
    if (*kid) {
        key.kid = **kid;
    }
    const json_t* issuer = json_object_get(entry, "issuer");
    if (issuer != nullptr && !json_is_null(issuer)) {
        // What is no text is nobody's issuer.
        key.issuer = json_string_length(issuer) != 0
                         ? std::string(text_member(entry, "issuer").value_or(""))
                         : json_text(issuer);
    }
    if (Status loaded = load_material(entry, key); !loaded) {
        return std::move(loaded).error();
    }
    if (*alg) {
        key.alg = alg_from_name(**alg);
        if (!key.alg || !key.may_verify(*key.alg)) {
            return unfit("alg " + in_quotes(**alg) +
                         (key.alg ? " does not fit it" : " is no algorithm"));
        }
    }
    return key;
}

}  // namespace

bool Jwk::may_verify(Alg wanted) const noexcept {
    if (alg && *alg != wanted) {
        return false;
    }
    switch (wanted) {
        case Alg::RS256:
        case Alg::RS384:
        case Alg::RS512:
        case Alg::PS256:
        case Alg::PS384:
        case Alg::PS512:
            return type == Type::rsa;
        case Alg::ES256:
            return type == Type::ec_p256;
        case Alg::ES384:
            return type == Type::ec_p384;
        case Alg::ES512:
            return type == Type::ec_p521;
        case Alg::EdDSA:
            return type == Type::ed25519;
        case Alg::HS256:
        case Alg::HS384:
        case Alg::HS512:
            break;  // a published key is no shared secret
    }
    return false;
}

Result<PkeyPtr> public_ec_key(const json_t* jwk, std::string_view crv) {
    const OpensslErrorGuard guard;
    if (!json_is_object(jwk) || text_member(jwk, "kty") != "EC" || text_member(jwk, "crv") != crv) {
        return unfit("it is no key of " + std::string(crv));
    }
    const auto x = bytes_member(jwk, "x");
    const auto y = bytes_member(jwk, "y");
    if (!x || !y) {
        return !x ? x.error() : y.error();
    }
    for (const Curve& curve : kCurves) {
        if (curve.name == crv) {
            PkeyPtr key = point_of(curve, *x, *y);
            return key ? Result<PkeyPtr>(std::move(key)) : no_point(curve);
        }
    }
    return unfit("\"crv\" is none of P-256, P-384 and P-521");
}

Result<KeySet> KeySet::parse(std::string_view text) {
    const OpensslErrorGuard guard;
    auto document = json_parse_object(text);
    if (!document.ok()) {
        return fail(Reason::jwks_invalid, "the jwks document: " + document.error().detail,
                    "jwks_uri");
    }
    KeySet set;
    const json_t* keys = json_object_get(document->get(), "keys");
    if (keys == nullptr) {
        return set;
    }
    if (!json_is_array(keys)) {
        return fail(Reason::jwks_invalid, "\"keys\" of the jwks document is not an array",
                    "jwks_uri");
    }
    const std::size_t count = json_array_size(keys);
    if (count > kMaxKeys) {
        return fail(Reason::jwks_invalid, "the jwks document has " + std::to_string(count) +
                                              " keys, at most " + std::to_string(kMaxKeys) +
                                              " are accepted");
    }
    for (std::size_t i = 0; i < count; ++i) {
        const json_t* entry = json_array_get(keys, i);
        if (auto key = load(entry)) {
            set.keys_.push_back(std::move(*key));
        } else {
            set.ignore(i, entry, key.error());
        }
    }
    return set;
}

void KeySet::ignore(std::size_t index, const json_t* entry, const Error& why) {
    ++ignored_;
    const bool signing = json_is_object(entry) && meant_for_verifying(entry);
    if (!first_ignored_.empty() && (ignored_a_signing_key_ || !signing)) {
        return;
    }
    ignored_a_signing_key_ = signing;
    const auto kid = text_member(entry, "kid");
    first_ignored_ = (kid ? "key " + in_quotes(*kid)
                          : "key " + std::to_string(index + 1) + ", which has no kid,") +
                     " is left out: " + why.detail;
}

std::vector<const Jwk*> KeySet::candidates(Alg alg, std::string_view kid) const {
    std::vector<const Jwk*> found;
    const auto add = [&](std::string_view wanted) {
        for (const Jwk& key : keys_) {
            if (found.size() < kMaxCandidates && key.may_verify(alg) &&
                (kid.empty() || key.kid == wanted)) {
                found.push_back(&key);
            }
        }
    };
    add(kid);
    if (!kid.empty()) {
        add({});
    }
    return found;
}

}  // namespace oidc
