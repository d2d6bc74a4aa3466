// SPDX-License-Identifier: Apache-2.0
#include "oidc/jws.hpp"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <vector>

#include "oidc/encode.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

struct Header {
    Alg alg{};
    std::string kid;
};

struct Segments {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signing_input;  // header "." payload
};

Error malformed(std::string detail) {
    return fail(Reason::jwt_malformed, "the token " + std::move(detail));
}

Result<Segments> split(std::string_view compact, std::size_t max_bytes) {
    if (compact.size() > max_bytes) {
        return malformed("is " + std::to_string(compact.size()) + " bytes long, at most " +
                         std::to_string(max_bytes) + " are accepted");
    }
    const auto dots = std::count(compact.begin(), compact.end(), '.');
    if (dots == 4) {
        return fail(Reason::jwt_encrypted,
                    "the token is encrypted (five segments), turn its encryption off at the "
                    "provider, or give the key for it",
                    "id_token_encryption_key");
    }
    if (dots != 2) {
        return malformed("has " + std::to_string(dots + 1) + " segments instead of 3");
    }
    const std::size_t first = compact.find('.');
    const std::size_t second = compact.find('.', first + 1);
    return Segments{compact.substr(0, first), compact.substr(first + 1, second - first - 1),
                    compact.substr(second + 1), compact.substr(0, second)};
}

Result<std::string> decode_segment(std::string_view segment, const char* what) {
    auto text = base64url_decode(segment);
    if (segment.empty() || !text) {
        return malformed(std::string("has a ") + what + " that is not base64url");
    }
    return *std::move(text);
}

Result<JsonPtr> parse_object(std::string_view text, const char* what) {
    auto object = json_parse_object(text);
    if (!object.ok()) {
        return malformed(std::string("has a ") + what +
                         " that is refused: " + object.error().detail);
    }
    return object;
}

Result<JsonPtr> parse_header(std::string_view segment) {
    const auto text = decode_segment(segment, "header");
    if (!text.ok()) {
        return text.error();
    }
    return parse_object(*text, "header");
}

std::string join(std::span<const Alg> algs) {
    std::string text;
    for (const Alg alg : algs) {
        text += text.empty() ? "" : ", ";
        text += alg_name(alg);
    }
    return text.empty() ? "none" : text;
}

// A string member of the header. Unlike in a payload, null is a wrong type: nothing here is
// optional in the sense of "unknown".
Result<std::optional<std::string_view>> header_text(const json_t* header, const char* name) {
    const json_t* value = json_object_get(header, name);
    if (value == nullptr) {
        return std::optional<std::string_view>{};
    }
    if (!json_is_string(value)) {
        return fail(Reason::jwt_malformed,
                    std::string("\"") + name + "\" of the token's header is not a string");
    }
    return std::optional<std::string_view>(
        std::string_view(json_string_value(value), json_string_length(value)));
}

Result<Alg> check_alg(const json_t* header, std::span<const Alg> allowed) {
    const auto name = header_text(header, "alg");
    if (!name.ok() || !*name) {
        return fail(Reason::jwt_alg, "\"alg\" of the token's header is missing or not a string");
    }
    const auto alg = alg_from_name(**name);
    if (alg && std::find(allowed.begin(), allowed.end(), *alg) != allowed.end()) {
        return *alg;
    }
    return fail(
        Reason::jwt_alg,
        "alg \"" + std::string(**name) + "\" is not allowed (allowed: " + join(allowed) + ")",
        alg ? "id_token_signed_response_alg" : "");
}

Status check_typ(const json_t* header, std::span<const std::string_view> accepted, bool required) {
    const auto typ = header_text(header, "typ");
    if (!typ.ok()) {
        return fail(Reason::jwt_typ, typ.error().detail);
    }
    if (!*typ) {
        return required ? Status(fail(Reason::jwt_typ, "the token's header has no typ"))
                        : Status(Unit{});
    }
    const std::string name = ascii_lower(**typ);
    constexpr std::string_view kPrefix = "application/";  // RFC 7515 4.1.9
    const std::string_view plain =
        name.starts_with(kPrefix) ? std::string_view(name).substr(kPrefix.size()) : name;
    if (std::find(accepted.begin(), accepted.end(), plain) == accepted.end()) {
        return fail(Reason::jwt_typ, "typ \"" + std::string(**typ) + "\" is not accepted here");
    }
    return Unit{};
}

Result<Header> check_header(std::string_view segment, const VerifyOptions& options) {
    const auto object = parse_header(segment);
    if (!object.ok()) {
        return object.error();
    }
    const json_t* header = object->get();
    const auto alg = check_alg(header, options.allowed);
    if (!alg.ok()) {
        return alg.error();
    }
    // RFC 7515 4.1.11: what we would have to understand, we do not. RFC 7797: neither.
    for (const char* name : {"crit", "b64"}) {
        if (json_object_get(header, name) != nullptr) {
            return fail(Reason::jwt_crit, std::string("the token's header has \"") + name + "\"");
        }
    }
    if (const auto typ = check_typ(header, options.accepted_typ, options.typ_required); !typ.ok()) {
        return typ.error();
    }
    const auto kid = header_text(header, "kid");
    if (!kid.ok()) {
        return kid.error();
    }
    return Header{*alg, std::string(kid->value_or(std::string_view{}))};
}

// Bytes of a signature under this key; 0 never fits.
std::size_t signature_bytes(const Jwk& key) {
    switch (key.type) {
        case Jwk::Type::rsa:
            return cjose_jwk_get_keysize(key.cjose.get(), nullptr) / 8;
        case Jwk::Type::ec_p256:
        case Jwk::Type::ed25519:
            return 64;
        case Jwk::Type::ec_p384:
            return 96;
        case Jwk::Type::ec_p521:
            return 132;
    }
    return 0;
}

// Straight over OpenSSL: cjose would copy the client secret and free the copy without wiping it.
Status verify_hmac(Alg alg, const Segments& token, std::string_view signature,
                   const Secret* secret) {
    const EVP_MD* md = digest_of(alg);
    const auto md_size = static_cast<std::size_t>(EVP_MD_get_size(md));
    // RFC 7518 3.2. An empty secret would let everyone sign.
    if (secret == nullptr || secret->size() < md_size) {
        return fail(Reason::jwt_alg,
                    "alg \"" + std::string(alg_name(alg)) +
                        "\" needs a client secret of at least " + std::to_string(md_size) +
                        " bytes",
                    "client_secret");
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int size = 0;
    const ByteView input = as_bytes(token.signing_input);
    if (HMAC(md, secret->view().data(), static_cast<int>(secret->size()), input.data(),
             input.size(), mac.data(), &size) == nullptr) {
        return fail(Reason::internal_error, "computing a HMAC failed");
    }
    if (!equal_constant_time(as_text(ByteView(mac.data(), size)), signature)) {
        return fail(Reason::jwt_signature,
                    "the signature was not made with the configured client secret",
                    "check client_secret; a provider that signs HS256 with a secret that no client "
                    "has (Keycloak) must be set to RS256 or ES256 for this client");
    }
    return Unit{};
}

// cjose knows no EdDSA.
bool verify_ed25519(const Segments& token, std::string_view signature, const Jwk& key) {
    const MdCtxPtr ctx(EVP_MD_CTX_new());
    const ByteView input = as_bytes(token.signing_input);
    return ctx && EVP_DigestVerifyInit(ctx.get(), nullptr, nullptr, nullptr, key.pkey.get()) == 1 &&
           EVP_DigestVerify(ctx.get(), as_bytes(signature).data(), signature.size(), input.data(),
                            input.size()) == 1;
}

// cjose reads the algorithm from the token itself. Our parser has refused duplicate members, so it
// reads the one that was checked; the comparison makes that sure.
bool verify_cjose(std::string_view compact, Alg alg, const Jwk& key) {
    const JwsPtr jws(cjose_jws_import(compact.data(), compact.size(), nullptr));
    if (!jws) {
        return false;
    }
    const char* seen = cjose_header_get(cjose_jws_get_protected(jws.get()), "alg", nullptr);
    return seen != nullptr && alg_name(alg) == seen &&
           cjose_jws_verify(jws.get(), key.cjose.get(), nullptr);
}

// The key that verifies.
Result<const Jwk*> verify_public(std::string_view compact, const Header& header,
                                 const Segments& token, std::string_view signature,
                                 const KeySet* keys) {
    const auto candidates =
        keys == nullptr ? std::vector<const Jwk*>{} : keys->candidates(header.alg, header.kid);
    const std::string wanted =
        "alg \"" + std::string(alg_name(header.alg)) +
        (header.kid.empty() ? "\" (the token has no kid)" : "\" and kid \"" + header.kid + "\"");
    if (candidates.empty()) {
        const std::size_t usable = keys == nullptr ? 0 : keys->size();
        const std::size_t ignored = keys == nullptr ? 0 : keys->ignored();
        std::string detail = "no key of the provider fits " + wanted + "; it publishes " +
                             std::to_string(usable) + " usable keys and " +
                             std::to_string(ignored) + " others";
        if (ignored > 0) {
            detail += ", of which " + keys->first_ignored();
        }
        return fail(Reason::jwt_key_unknown, std::move(detail));
    }
    for (const Jwk* key : candidates) {
        // The length is checked here because cjose splits an ECDSA signature of any length in two.
        if (signature.size() != signature_bytes(*key)) {
            continue;
        }
        if (key->type == Jwk::Type::ed25519 ? verify_ed25519(token, signature, *key)
                                            : verify_cjose(compact, header.alg, *key)) {
            return key;
        }
    }
    return fail(Reason::jwt_signature,
                "none of the provider's keys for " + wanted +
                    " verifies the signature; keys tried: " + std::to_string(candidates.size()));
}

// A key of one tenant makes nobody of another.
Status check_key_issuer(const Jwk& key, const json_t* payload, const ProviderConfig* tenants) {
    if (tenants == nullptr || tenants->tenants.empty() || key.issuer.empty() ||
        key.issuer == tenants->issuer) {
        return Unit{};
    }
    const auto iss = json_string(payload, "iss");
    if (iss.ok() && *iss == key.issuer) {
        return Unit{};
    }
    return fail(Reason::jwt_signature,
                "the key that verifies the signature, kid " + in_quotes(key.kid) +
                    ", is of the issuer " + in_quotes(key.issuer) + ", the token is " +
                    (iss.ok() && *iss ? "of " + in_quotes(**iss) : std::string("of none")));
}

}  // namespace

const EVP_MD* digest_of(Alg alg) noexcept {
    switch (alg) {
        case Alg::RS256:
        case Alg::PS256:
        case Alg::ES256:
        case Alg::HS256:
            return EVP_sha256();
        case Alg::RS384:
        case Alg::PS384:
        case Alg::ES384:
        case Alg::HS384:
            return EVP_sha384();
        default:
            return EVP_sha512();
    }
}

Result<VerifiedJwt> verify_jws(std::string_view compact, const VerifyOptions& options) {
    const OpensslErrorGuard guard;
    const auto token = split(compact, options.max_bytes);
    if (!token.ok()) {
        return token.error();
    }
    const auto header = check_header(token->header, options);
    if (!header.ok()) {
        return header.error();
    }
    // Both are decoded before any library sees them: cjose's decoder is lenient.
    const auto text = decode_segment(token->payload, "payload");
    const auto signature = decode_segment(token->signature, "signature");
    if (!text.ok() || !signature.ok()) {
        return text.ok() ? signature.error() : text.error();
    }
    const Jwk* key = nullptr;
    Status verdict = Unit{};
    if (alg_is_symmetric(header->alg)) {
        verdict = verify_hmac(header->alg, *token, *signature, options.shared_secret);
        if (!verdict.ok() && options.former_secret != nullptr &&
            verify_hmac(header->alg, *token, *signature, options.former_secret).ok()) {
            verdict = Unit{};
        }
    } else if (auto verified = verify_public(compact, *header, *token, *signature, options.keys)) {
        key = *verified;
    } else {
        verdict = std::move(verified).error();
    }
    if (!verdict.ok()) {
        return verdict.error();
    }
    auto payload = parse_object(*text, "payload");
    if (!payload.ok()) {
        return payload.error();
    }
    if (key != nullptr) {
        if (Status fits = check_key_issuer(*key, payload->get(), options.tenants); !fits) {
            return std::move(fits).error();
        }
    }
    return VerifiedJwt{header->alg, header->kid, *std::move(payload)};
}

bool worth_refetching(const Error& error, std::string_view compact,
                      const ProviderConfig& config) noexcept {
    switch (error.reason) {
        case Reason::jwt_key_unknown:
            return true;
        case Reason::id_token_iss:
        case Reason::logout_token_iss:
        case Reason::signal_iss:
            return config.needs_discovery();
        case Reason::jwt_alg:
            if (!config.id_token_algs.empty() || !config.needs_discovery()) {
                return false;  // what is allowed comes from the configuration
            }
            break;
        case Reason::jwt_signature:
            break;
        default:
            return false;
    }
    try {
        const auto header = parse_header(compact.substr(0, compact.find('.')));
        if (!header.ok()) {
            return false;
        }
        const auto alg = header_text(header->get(), "alg");
        const auto known = alg.ok() && *alg ? alg_from_name(**alg) : std::nullopt;
        return known && !alg_is_symmetric(*known);
    } catch (...) {
        return false;
    }
}

Result<std::string> half_hash(Alg alg, std::string_view value) {
    const OpensslErrorGuard guard;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(value.data(), value.size(), digest.data(), &size, digest_of(alg), nullptr) !=
        1) {
        return fail(Reason::internal_error, "computing a hash failed");
    }
    return base64url_encode(ByteView(digest.data(), size / 2));
}

}  // namespace oidc
