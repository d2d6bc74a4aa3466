// SPDX-License-Identifier: Apache-2.0
// Back-channel logout: the body of the request as it comes, and claims under a good signature. The
// first byte says which: "F" a form body, "C" claims, which are signed here with the published key
// of RFC 8037 A.1; anything else is a token.
#include "fuzz.hpp"
#include "oidc/id_token.hpp"
#include "oidc/json.hpp"
#include "oidc/logout_token.hpp"
#include "signed.hpp"

using namespace oidc;
using namespace oidc::fuzz;

namespace {

constexpr Seconds kNow = 1'700'000'000;
constexpr std::string_view kHeader = R"({"alg":"EdDSA"})";

void check_form(std::string_view body) {
    const Result<std::string> token = parse_logout_form("application/x-www-form-urlencoded", body);
    promise(!token || (!token->empty() && token->size() <= body.size() &&
                       body.find('=') != std::string_view::npos),
            "a token is a part of the body");
}

// Every rule again, read from the claims in another way.
void check_accepted(const Signed& fixed, const LogoutToken& token, std::string_view claims) {
    Result<JsonPtr> json = json_parse_object(claims);
    promise(json.ok(), "accepted claims are an object");
    const json_t* object = json->get();
    const auto text = [object](const char* name) {
        const json_t* value = json_object_get(object, name);
        return std::string(json_is_string(value) ? json_string_value(value) : "");
    };
    promise(text("iss") == fixed.config.issuer, "iss");
    promise(json_object_get(object, "nonce") == nullptr, "no nonce");
    promise(!token.jti.empty() && (!token.sub.empty() || !token.sid.empty()), "jti, sub or sid");
    promise(text("sub") == token.sub.c_str() && text("sid") == token.sid.c_str(), "sub and sid");
    promise(token.remember_until > kNow &&
                token.remember_until <= kNow + kMaxLogoutTokenLife + 2 * fixed.config.clock_skew,
            "remembered for a while");
    const json_t* events = json_object_get(object, "events");
    promise(json_is_object(
                json_object_get(events, "http://schemas.openid.net/event/backchannel-logout")),
            "the event");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Signed fixed;
    const std::string_view input = text_of(data, size);
    const char kind = input.empty() ? '\0' : input.front();
    if (kind == 'F') {
        check_form(input.substr(1));
        return 0;
    }
    const std::string_view claims = kind == 'C' ? input.substr(1) : std::string_view();
    const std::string compact = kind == 'C' ? fixed.sign(kHeader, claims) : std::string(input);
    const PostedTokenExpectation expected{&fixed.config, &fixed.keys, fixed.algs, kNow};
    const Result<LogoutToken> token = validate_logout_token(compact, expected);
    if (!token) {
        (void)logout_token_error(token.error());
        return 0;
    }
    promise(kind == 'C', "a forged token");
    check_accepted(fixed, *token, claims);
    IdTokenExpectation id_token;
    id_token.provider = &fixed.config;
    id_token.keys = &fixed.keys;
    id_token.algs = fixed.algs;
    id_token.nonce = "nonce";
    id_token.now = kNow;
    promise(!validate_id_token(compact, id_token).ok(), "a logout token is no ID token");
    return 0;
}
