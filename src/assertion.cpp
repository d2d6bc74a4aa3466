// SPDX-License-Identifier: Apache-2.0
#include "oidc/assertion.hpp"

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
        return bad_key(text.starts_with("-----BEGIN ")
                           ? "it holds a PEM key, which needs \"alg ES256\" or \"alg EdDSA\""
                           : "the HS256 key file must hold one line of text");
    }
    if (text.size() < kMinSecretChars) {
        return bad_key("the HS256 secret has " + std::to_string(text.size()) +
                       " characters, at least " + std::to_string(kMinSecretChars) + " are needed");
    }
    return Secret(text);
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
    if (alg == Alg::HS256) {
        const auto secret = read_secret(key_text);
        if (!secret.ok()) {
            return secret.error();
        }
        return AssertionSigner(JwsSigner::hmac(alg, secret->view()));
    }
    if (alg != Alg::ES256 && alg != Alg::EdDSA) {
        return bad_key("alg " + std::string(alg_name(alg)) +
                       " cannot sign assertions, use HS256, ES256 or EdDSA");
    }
    auto signer = JwsSigner::from_pem(key_text, alg);
    if (!signer) {
        return bad_key(std::move(signer).error().detail);
    }
    return AssertionSigner(*std::move(signer));
}

Result<std::string> AssertionSigner::sign(const SessionView& session, const Content& content,
                                          Random& random) const {
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

    Result<std::string> token = signer_.sign(json);
    if (token && content.max_size != 0 && token->size() > content.max_size) {
        return too_large(token->size(), content.max_size, largest);
    }
    return token;
}

}  // namespace oidc
