// SPDX-License-Identifier: Apache-2.0
#include "oidc/dpop_proof.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "oidc/crypto.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jwk.hpp"
#include "oidc/jws.hpp"
#include "oidc/private_key.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::array<Alg, 10> kAlgs{Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384,
                                    Alg::PS512, Alg::ES256, Alg::ES384, Alg::ES512, Alg::EdDSA};
constexpr std::size_t kMaxJti = 256;

Error invalid(std::string detail) {
    return fail(Reason::dpop_proof_invalid, "the proof " + std::move(detail));
}

// The members that RFC 7638 3.2 hashes, in its order; null: no key of ours.
std::span<const char* const> members_of(std::string_view kty) noexcept {
    static constexpr std::array<const char*, 3> kRsa{"e", "kty", "n"};
    static constexpr std::array<const char*, 4> kEc{"crv", "kty", "x", "y"};
    static constexpr std::array<const char*, 3> kOkp{"crv", "kty", "x"};
    if (kty == "RSA") {
        return kRsa;
    }
    if (kty == "EC") {
        return kEc;
    }
    return kty == "OKP" ? std::span<const char* const>(kOkp) : std::span<const char* const>();
}

// The public key of the header as JSON members, of which the thumbprint is made.
Result<std::string> key_members(std::string_view proof) {
    const auto text = base64url_decode(proof.substr(0, proof.find('.')));
    const auto header = text ? json_parse_object(*text) : fail(Reason::malformed);
    if (!header.ok()) {
        return invalid("has no header that can be read");
    }
    const json_t* jwk = json_object_get(header->get(), "jwk");
    if (!json_is_object(jwk)) {
        return invalid("has no key in its header");
    }
    // RFC 9449 4.3 (7), and no shared secret.
    for (const char* secret : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
        if (json_object_get(jwk, secret) != nullptr) {
            return invalid("has a key in its header that is not public");
        }
    }
    const auto kty = json_string(jwk, "kty");
    const auto names = members_of(kty.ok() ? kty->value_or("") : std::string_view());
    std::string members;
    for (const char* name : names) {
        const auto value = json_string(jwk, name);
        if (!value.ok() || !*value) {
            return invalid("has a key in its header without \"" + std::string(name) + "\"");
        }
        members.append(members.empty() ? "" : ",").append(json_quote(name)).append(":");
        members.append(json_quote(**value));
    }
    return names.empty() ? Result<std::string>(invalid("has a key of an unknown kind"))
                         : Result<std::string>(std::move(members));
}

// RFC 3986 6.2.2: escapes in one form, those of unreserved characters undone.
std::string normal_path(std::string_view path) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool escape = path[i] == '%' && i + 2 < path.size();
        const int high = escape ? hex_value(path[i + 1]) : -1;
        const int low = escape ? hex_value(path[i + 2]) : -1;
        if (high < 0 || low < 0) {
            out += path[i];
            continue;
        }
        const auto byte = static_cast<char>(high * 16 + low);
        if (is_alnum(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~') {
            out += byte;
        } else {
            out += '%';
            out += kDigits[static_cast<std::size_t>(high)];
            out += kDigits[static_cast<std::size_t>(low)];
        }
        i += 2;
    }
    return out;
}

// Scheme, host, port and path in one form; empty: no such URL.
std::string normal_url(std::string_view text) {
    const Result<Url> url = parse_url(text.substr(0, text.find_first_of("?#")));
    return url ? ascii_lower(url->origin()) + normal_path(url->path) : std::string();
}

Status check_url(std::string_view htu, std::span<const std::string_view> urls) {
    const std::string said = normal_url(htu);
    for (const std::string_view url : urls) {
        if (!said.empty() && said == normal_url(url)) {
            return Unit{};
        }
    }
    const std::string_view own = urls.empty() ? std::string_view() : urls.front();
    return invalid("is of " + in_quotes(htu) + ", the request goes to " +
                   in_quotes(own.substr(0, own.find('?'))));
}

Result<std::string_view> text(const json_t* claims, const char* name) {
    const auto value = json_string(claims, name);
    if (!value.ok() || !*value) {
        return invalid(value.ok() ? "has no " + std::string(name)
                                  : "is refused: " + value.error().detail);
    }
    return **value;
}

Result<Seconds> issued(const json_t* claims, const DpopProofExpectation& expected) {
    const auto iat = json_time(claims, "iat");
    if (!iat.ok() || !*iat) {
        return invalid(iat.ok() ? "has no iat" : "is refused: " + iat.error().detail);
    }
    const Seconds age = expected.now - **iat;
    if (age > kMaxDpopProofAge + expected.clock_skew || -age > expected.clock_skew) {
        return fail(Reason::dpop_proof_invalid,
                    "the proof has iat " + std::to_string(**iat) + ", now is " +
                        std::to_string(expected.now) + " and clock_skew " +
                        std::to_string(expected.clock_skew),
                    "clock_skew");
    }
    return **iat;
}

Result<DpopProof> check_claims(const json_t* claims, const DpopProofExpectation& expected) {
    const auto htm = text(claims, "htm");
    const auto htu = text(claims, "htu");
    const auto ath = text(claims, "ath");
    const auto jti = text(claims, "jti");
    for (const auto* member : {&htm, &htu, &ath, &jti}) {
        if (!member->ok()) {
            return member->error();
        }
    }
    if (*htm != expected.method) {
        return invalid("is of the method " + in_quotes(*htm) + ", the request is " +
                       in_quotes(expected.method));
    }
    if (Status same = check_url(*htu, expected.urls); !same) {
        return std::move(same).error();
    }
    const auto iat = issued(claims, expected);
    if (!iat) {
        return iat.error();
    }
    if (!equal_constant_time(*ath, base64url_encode(sha256(expected.access_token)))) {
        return invalid("is of another access token");
    }
    if (jti->empty() || jti->size() > kMaxJti) {
        return invalid("has a jti of " + std::to_string(jti->size()) +
                       " bytes, 1 to 256 are taken");
    }
    return DpopProof{sha256_fields({"dpop proof", expected.jkt, *jti}),
                     *iat + kMaxDpopProofAge + expected.clock_skew + 1};
}

}  // namespace

std::span<const Alg> dpop_algs() noexcept {
    return kAlgs;
}

Result<DpopProof> validate_dpop_proof(std::string_view proof,
                                      const DpopProofExpectation& expected) {
    if (proof.size() > kMaxDpopProof) {
        return invalid("is longer than " + std::to_string(kMaxDpopProof) + " bytes");
    }
    const auto members = key_members(proof);
    if (!members) {
        return members.error();
    }
    if (!equal_constant_time(jwk_thumbprint(*members), expected.jkt)) {
        return fail(Reason::access_token_binding,
                    "the token is bound to another key than that of the proof");
    }
    // Nothing but what was hashed, so that no member of the client's chooses what it is good for.
    const auto keys = KeySet::parse("{\"keys\":[{" + *members + "}]}");
    if (!keys || keys->size() != 1) {
        return invalid("has a key in its header that cannot be used");
    }
    constexpr std::array<std::string_view, 1> kTyp{"dpop+jwt"};
    VerifyOptions options;
    options.allowed = kAlgs;
    options.keys = &*keys;
    options.accepted_typ = kTyp;
    options.typ_required = true;
    options.max_bytes = kMaxDpopProof;
    const auto jwt = verify_jws(proof, options);
    if (!jwt) {
        return invalid("is refused: " + jwt.error().detail);
    }
    return check_claims(jwt->payload.get(), expected);
}

}  // namespace oidc
