// SPDX-License-Identifier: Apache-2.0
// What programs bring. The first byte says which: "H" the value of an Authorization header, "C"
// claims of an access token and "P" claims of a proof, which are signed here with the published key
// of RFC 8037 A.1; anything else is a token and a proof as they come.
#include <array>

#include "fuzz.hpp"
#include "oidc/access_token.hpp"
#include "oidc/bearer.hpp"
#include "oidc/dpop_proof.hpp"
#include "oidc/id_token.hpp"
#include "oidc/json.hpp"
#include "oidc/session.hpp"
#include "signed.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr Seconds kNow = 1'700'000'000;
// RFC 8037 A.3.
constexpr std::string_view kThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
constexpr std::string_view kUrl = "https://api.example/a";

class NoLog : public Log {
  public:
    void write(LogLevel /*level*/, std::string_view /*text*/) noexcept override {}
};

void check_header(std::string_view value) {
    const std::array<std::string_view, 1> headers{value};
    const auto found = read_bearer(headers, {});
    promise(!found || !*found ||
                (!(*found)->token.empty() && value.find((*found)->token) != std::string_view::npos),
            "a token is a part of the header");
    if (found && *found && check_b64token((*found)->token)) {
        promise((*found)->token.size() <= kMaxAccessToken &&
                    (*found)->token.find_first_of(" \",\\") == std::string_view::npos,
                "a token is one word");
    }
}

Result<AccessToken> validate(const Signed& fixed, std::string_view token, AccessTokenTyp typ) {
    return validate_access_token(token, {&fixed.config, &fixed.keys, fixed.algs, kNow, typ});
}

// Every rule again, read in another way.
void check_accepted(const Signed& fixed, const AccessToken& token, std::string_view compact) {
    const json_t* claims = token.claims.get();
    const json_t* iss = json_object_get(claims, "iss");
    promise(json_is_string(iss) && fixed.config.issuer == json_string_value(iss), "iss");
    promise(!token.sub.empty() && !token.client_id.empty(), "somebody");
    promise(token.exp + fixed.config.clock_skew > kNow, "alive");
    const json_t* cnf = json_object_get(claims, "cnf");
    promise((cnf != nullptr) == (!token.binding.jkt.empty() || !token.binding.x5t.empty()),
            "no binding is lost");
    NoLog log;
    const auto record = make_access_token_record(token, compact, fixed.config, log);
    promise(!record || SessionView::open(record->record.view()).has_value(), "a record reads back");
    IdTokenExpectation id_token;
    id_token.provider = &fixed.config;
    id_token.keys = &fixed.keys;
    id_token.algs = fixed.algs;
    id_token.nonce = "nonce";
    id_token.now = kNow;
    promise(!validate_id_token(compact, id_token).ok(), "an access token is no ID token");
}

void check_proof(std::string_view proof, bool ours) {
    const std::array<std::string_view, 1> urls{kUrl};
    const auto verdict = validate_dpop_proof(proof, {"GET", urls, "token", kThumbprint, kNow, 60});
    promise(!verdict || (ours && verdict->remember_until > kNow), "a forged proof");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Signed fixed;
    const std::string_view input = text_of(data, size);
    const char kind = input.empty() ? '\0' : input.front();
    const std::string_view rest = input.empty() ? input : input.substr(1);
    if (kind == 'H') {
        check_header(rest);
    } else if (kind == 'P') {
        check_proof(
            fixed.sign(R"({"alg":"EdDSA","typ":"dpop+jwt","jwk":)" + std::string(kSignedJwk) + "}",
                       rest),
            true);
    } else if (kind == 'C') {
        const std::string compact = fixed.sign(R"({"alg":"EdDSA","typ":"at+jwt"})", rest);
        for (const AccessTokenTyp typ : {AccessTokenTyp::at_jwt, AccessTokenTyp::jwt}) {
            const auto token = validate(fixed, compact, typ);
            if (token) {
                check_accepted(fixed, *token, compact);
            }
        }
    } else {
        (void)is_jwt(input);
        promise(!validate(fixed, input, AccessTokenTyp::jwt).ok(), "a forged token");
        check_proof(input, false);
    }
    return 0;
}
