// SPDX-License-Identifier: Apache-2.0
#include "oidc/logout_token.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "oidc/client_credentials.hpp"
#include "oidc/encode.hpp"
#include "oidc/http_message.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// The claims of one verified token.
class Checks {
  public:
    Checks(const json_t* claims, Alg alg, const LogoutTokenExpectation& expected)
        : claims_(claims), alg_(alg), now_(expected.now), provider_(*expected.provider) {}

    Result<LogoutToken> run() {
        using Check = Status (Checks::*)();
        constexpr std::array<Check, 7> kAll{&Checks::issuer,     &Checks::audience, &Checks::times,
                                            &Checks::identifier, &Checks::events,   &Checks::whom,
                                            &Checks::nonce};
        for (const Check check : kAll) {
            if (auto verdict = (this->*check)(); !verdict.ok()) {
                return std::move(verdict).error();
            }
        }
        return std::move(token_);
    }

  private:
    Status issuer() {
        if (Status status = check_issuer(claims_, provider_, Reason::logout_token_iss); !status) {
            return status;
        }
        return text("iss", Reason::logout_token_iss, token_.iss, /*required=*/true);
    }

    Status audience() {
        auto audiences = check_audience(claims_, provider_, Reason::logout_token_aud);
        if (!audiences.ok()) {
            return std::move(audiences).error();
        }
        return check_azp(claims_, *audiences, alg_, provider_, Reason::logout_token_aud,
                         Reason::logout_token_aud);
    }

    Status times() {
        const auto exp = json_time(claims_, "exp");
        const auto nbf = json_time(claims_, "nbf");
        const auto iat = json_time(claims_, "iat");
        if (!exp.ok()) {
            return fail(Reason::logout_token_exp, exp.error().detail);
        }
        if (!nbf.ok() || !iat.ok()) {
            return fail(Reason::logout_token_iat,
                        nbf.ok() ? iat.error().detail : nbf.error().detail);
        }
        if (!*iat) {
            return missing_claim(Reason::logout_token_iat, "iat");
        }
        for (const auto& status :
             {check_not_expired(*exp, now_, provider_, Reason::logout_token_exp),
              check_not_future("nbf", *nbf, now_, provider_, Reason::logout_token_iat),
              check_not_future("iat", *iat, now_, provider_, Reason::logout_token_iat)}) {
            if (!status) {
                return status;
            }
        }
        const Seconds last = **iat + (*exp ? kMaxLogoutTokenLife : kMaxLogoutTokenAge);
        if (now_ >= last + provider_.clock_skew) {
            return time_error(Reason::logout_token_iat, "iat", **iat, "is too long ago", now_,
                              provider_);
        }
        token_.remember_until = std::min(last, exp->value_or(last)) + provider_.clock_skew;
        return Unit{};
    }

    Status identifier() {
        return text("jti", Reason::logout_token_jti, token_.jti, /*required=*/true);
    }

    Status events() {
        const json_t* events = json_object_get(claims_, "events");
        if (!json_is_object(events)) {
            return fail(Reason::logout_token_events, events == nullptr
                                                         ? "the token has no events"
                                                         : "\"events\" is not an object");
        }
        if (!json_is_object(json_object_get(events, kBackchannelLogoutEvent))) {
            return fail(
                Reason::logout_token_events,
                "\"events\" has no object \"" + std::string(kBackchannelLogoutEvent) + "\"");
        }
        return Unit{};
    }

    Status whom() {
        for (const auto& status : {text("sub", Reason::logout_token_sub, token_.sub, false),
                                   text("sid", Reason::logout_token_sub, token_.sid, false)}) {
            if (!status) {
                return status;
            }
        }
        if (token_.sub.empty() && token_.sid.empty()) {
            return fail(Reason::logout_token_sub, "the token has neither sub nor sid");
        }
        return token_.sub.empty() ? Status(Unit{})
                                  : check_subject(token_.sub, Reason::logout_token_sub);
    }

    // Whatever its value: an ID token must not pass (2.4).
    Status nonce() {
        if (json_object_get(claims_, "nonce") != nullptr) {
            return fail(Reason::logout_token_nonce, "the token has a nonce");
        }
        return Unit{};
    }

    // A string that is not empty.
    Status text(const char* name, Reason reason, std::string& target, bool required) {
        const auto value = json_string(claims_, name);
        if (!value.ok()) {
            return fail(reason, value.error().detail);
        }
        if (!*value) {
            return required ? Status(missing_claim(reason, name)) : Status(Unit{});
        }
        if ((*value)->empty()) {
            return fail(reason, std::string(name) + " is empty");
        }
        target = **value;
        return Unit{};
    }

    const json_t* claims_;
    Alg alg_;
    Seconds now_;
    const ProviderConfig& provider_;
    LogoutToken token_;
};

}  // namespace

Result<std::string> parse_logout_form(std::string_view content_type, std::string_view body) {
    if (!is_form(content_type)) {
        return fail(Reason::logout_malformed, "content type \"" + std::string(content_type) +
                                                  "\" is not application/x-www-form-urlencoded");
    }
    if (body.size() > kMaxLogoutForm) {
        return fail(Reason::logout_too_large, "the body has " + std::to_string(body.size()) +
                                                  " bytes, at most " +
                                                  std::to_string(kMaxLogoutForm) + " are accepted");
    }
    Argument token = decoded_argument(body, "logout_token");
    if (token.count != 1) {
        return fail(Reason::logout_malformed, "the body has " + std::to_string(token.count) +
                                                  " parameters logout_token, one is expected");
    }
    if (!token.value || token.value->empty()) {
        return fail(Reason::logout_malformed, !token.value ? "bad escape in parameter logout_token"
                                                           : "parameter logout_token is empty");
    }
    return *std::move(token.value);
}

Result<LogoutToken> validate_logout_token(std::string_view compact,
                                          const LogoutTokenExpectation& expected) {
    constexpr std::array<std::string_view, 2> kTyp{"logout+jwt", "jwt"};
    VerifyOptions options;
    options.allowed = expected.algs;
    options.keys = expected.keys;
    options.shared_secret = &expected.provider->client_secret;
    options.former_secret = former_secret(*expected.provider);
    options.accepted_typ = kTyp;
    options.tenants = expected.provider;
    auto jwt = verify_jws(compact, options);
    if (!jwt.ok()) {
        return std::move(jwt).error();
    }
    return Checks(jwt->payload.get(), jwt->alg, expected).run();
}

Error logout_token_error(Error error) {
    switch (error.reason) {
        case Reason::jwt_malformed:
        case Reason::jwt_encrypted:
        case Reason::jwt_decryption:
        case Reason::jwt_crit:
            error.reason = Reason::logout_token_malformed;
            break;
        case Reason::jwt_alg:
            error.reason = Reason::logout_token_alg;
            break;
        case Reason::jwt_typ:
            error.reason = Reason::logout_token_typ;
            break;
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
            error.reason = Reason::logout_token_signature;
            break;
        default:
            break;
    }
    return error;
}

}  // namespace oidc
