// SPDX-License-Identifier: Apache-2.0
#include "oidc/logout_token.hpp"

#include <algorithm>
#include <array>
#include <utility>

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
    Checks(const json_t* claims, Alg alg, const PostedTokenExpectation& expected)
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
        if (!exp.ok()) {
            return fail(Reason::logout_token_exp, exp.error().detail);
        }
        if (auto status = check_not_expired(*exp, now_, provider_, Reason::logout_token_exp);
            !status) {
            return status;
        }
        const auto last = check_made(claims_, *exp ? kMaxLogoutTokenLife : kMaxLogoutTokenAge, now_,
                                     provider_, Reason::logout_token_iat);
        if (!last) {
            return last.error();
        }
        token_.remember_until = std::min(*last, exp->value_or(*last)) + provider_.clock_skew;
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

    Status text(const char* name, Reason reason, std::string& target, bool required) {
        return take_text(claims_, name, reason, required, target);
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
                                          const PostedTokenExpectation& expected) {
    constexpr std::array<std::string_view, 2> kTyp{"logout+jwt", "jwt"};
    auto jwt = verify_posted(compact, expected, kTyp, false);
    if (!jwt.ok()) {
        return std::move(jwt).error();
    }
    return Checks(jwt->payload.get(), jwt->alg, expected).run();
}

Error logout_token_error(Error error) {
    constexpr PostedReasons kReasons{Reason::logout_token_malformed, Reason::logout_token_alg,
                                     Reason::logout_token_typ, Reason::logout_token_signature};
    return posted_error(std::move(error), kReasons);
}

}  // namespace oidc
