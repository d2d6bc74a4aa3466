// SPDX-License-Identifier: Apache-2.0
#include "oidc/id_token.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "oidc/client_credentials.hpp"
#include "oidc/encode.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/text.hpp"

namespace oidc {

namespace {

// The claims of one verified token against what is expected of it.
class Checks {
  public:
    Checks(json_t* claims, Alg alg, const IdTokenExpectation& expected)
        : claims_(claims),
          alg_(alg),
          expected_(expected),
          provider_(*expected.provider),
          refresh_(expected.refresh) {}

    Status run() {
        using Check = Status (Checks::*)();
        // The order of OIDC Core 3.1.3.7, so that the first mismatch is the telling one.
        constexpr std::array<Check, 13> kAll{
            &Checks::kind,    &Checks::issuer,     &Checks::audience,  &Checks::azp,
            &Checks::expiry,  &Checks::not_before, &Checks::issued,    &Checks::nonce,
            &Checks::subject, &Checks::hashes,     &Checks::auth_time, &Checks::acr,
            &Checks::session,
        };
        for (const Check check : kAll) {
            if (auto verdict = (this->*check)(); !verdict.ok()) {
                return verdict;
            }
        }
        return Unit{};
    }

    [[nodiscard]] std::string_view iss() const { return iss_; }
    [[nodiscard]] std::string_view sub() const { return sub_; }
    [[nodiscard]] std::string_view sid() const { return sid_; }
    [[nodiscard]] Seconds exp() const { return exp_; }
    [[nodiscard]] std::vector<std::string>& left_out() { return left_out_; }

  private:
    static Status ok() { return Unit{}; }

    // What nobody asked for does not fail a login by its type: it goes, and the log says so.
    void leave_out(const char* name, const Error& why) {
        left_out_.push_back(why.detail);
        json_object_del(claims_, name);
    }

    // RFC 8725 3.12: a logout token must not pass for an ID token.
    Status kind() {
        const json_t* events = json_object_get(claims_, "events");
        if (events == nullptr || json_is_null(events)) {
            return ok();
        }
        if (!json_is_object(events)) {
            return fail(Reason::id_token_claim, "\"events\" is not an object");
        }
        if (json_object_get(events, kBackchannelLogoutEvent) != nullptr) {
            return fail(Reason::jwt_typ, "the token is a logout token, not an ID token");
        }
        return ok();
    }

    Status issuer() {
        if (Status status = check_issuer(claims_, provider_, Reason::id_token_iss); !status) {
            return status;
        }
        iss_ = **json_string(claims_, "iss");
        if (!expected_.iss.empty() && iss_ != expected_.iss) {
            return fail(Reason::id_token_iss, "iss " + in_quotes(iss_) + " is not that of the " +
                                                  (refresh_ != nullptr ? "session" : "response") +
                                                  ", " + in_quotes(expected_.iss));
        }
        return ok();
    }

    Status audience() {
        auto audiences = check_audience(claims_, provider_, Reason::id_token_aud);
        if (!audiences.ok()) {
            return std::move(audiences).error();
        }
        audiences_ = *std::move(audiences);
        return ok();
    }

    Status azp() {
        return check_azp(claims_, audiences_, alg_, provider_, Reason::id_token_azp,
                         Reason::id_token_aud);
    }

    Status expiry() {
        const auto exp = json_time(claims_, "exp");
        if (!exp.ok()) {
            return fail(Reason::id_token_exp, exp.error().detail);
        }
        if (!*exp) {
            return missing_claim(Reason::id_token_exp, "exp");
        }
        exp_ = **exp;
        return check_not_expired(exp_, expected_.now, provider_, Reason::id_token_exp);
    }

    Status not_before() {
        const auto nbf = json_time(claims_, "nbf");
        if (!nbf.ok()) {
            return fail(Reason::id_token_nbf, nbf.error().detail);
        }
        return check_not_future("nbf", *nbf, expected_.now, provider_, Reason::id_token_nbf);
    }

    // How old a token may be is left to exp: it came over TLS from the token endpoint just now,
    // bound to this login by its nonce. A refreshed one is not older than the one before.
    Status issued() {
        const auto iat = json_time(claims_, "iat");
        if (!iat.ok()) {
            return fail(Reason::id_token_iat, iat.error().detail);
        }
        if (!*iat) {
            return missing_claim(Reason::id_token_iat, "iat");
        }
        if (refresh_ != nullptr && **iat + provider_.clock_skew < refresh_->iat) {
            return time_error(Reason::id_token_iat, "iat", **iat,
                              "is before that of the last id token", expected_.now, provider_);
        }
        return check_not_future("iat", *iat, expected_.now, provider_, Reason::id_token_iat);
    }

    Status nonce() {
        const auto nonce = json_string(claims_, "nonce");
        if (!nonce.ok()) {
            return fail(Reason::id_token_nonce, nonce.error().detail);
        }
        if (!*nonce) {
            if (refresh_ != nullptr || !provider_.nonce) {
                return ok();
            }
            Error error = missing_claim(Reason::id_token_nonce, "nonce");
            error.fix = "nonce";
            return error;
        }
        if (!equal_constant_time(**nonce, expected_.nonce)) {
            return fail(Reason::id_token_nonce, refresh_ != nullptr
                                                    ? "nonce is not the one of the login"
                                                    : "nonce is not the one of the pending login");
        }
        return ok();
    }

    Status subject() {
        const auto sub = json_string(claims_, "sub");
        if (!sub.ok()) {
            return fail(Reason::id_token_sub, sub.error().detail);
        }
        if (!*sub) {
            return missing_claim(Reason::id_token_sub, "sub");
        }
        sub_ = **sub;
        if (refresh_ != nullptr && sub_ != refresh_->sub) {
            return fail(Reason::id_token_sub, "sub " + in_quotes(sub_) +
                                                  " is not that of the session, " +
                                                  in_quotes(refresh_->sub));
        }
        return check_subject(sub_, Reason::id_token_sub);
    }

    Status hashes() {
        auto verdict = hash("at_hash", expected_.access_token, Reason::id_token_at_hash);
        return verdict.ok() ? hash("c_hash", expected_.code, Reason::id_token_c_hash)
                            : std::move(verdict);
    }

    Status hash(const char* name, std::string_view value, Reason reason) {
        const auto claim = json_string(claims_, name);
        if (!claim.ok() && value.empty()) {
            leave_out(name, claim.error());
            return ok();
        }
        if (!claim.ok()) {
            return fail(reason, claim.error().detail);
        }
        if (!*claim || value.empty()) {
            return ok();
        }
        const auto wanted = half_hash(alg_, value);
        if (!wanted.ok()) {
            return wanted.error();
        }
        // Which hash belongs to EdDSA is not written anywhere: SHA-512 is Ed25519's own and what
        // most do, glewlwyd takes SHA-256.
        if (alg_ == Alg::EdDSA && equal_constant_time(**claim, *half_hash(Alg::RS256, value))) {
            return ok();
        }
        if (!equal_constant_time(**claim, *wanted)) {
            return fail(reason, std::string(name) + " " + in_quotes(**claim) + " is not the hash " +
                                    in_quotes(*wanted) + " of what came with the token");
        }
        return ok();
    }

    Status auth_time() {
        const auto at = json_time(claims_, "auth_time");
        const bool wanted = refresh_ == nullptr && (provider_.max_age || expected_.wants_auth_time);
        if (!at.ok() && !wanted) {
            leave_out("auth_time", at.error());
            return ok();
        }
        if (!at.ok()) {
            return fail(Reason::id_token_auth_time, at.error().detail);
        }
        if (refresh_ != nullptr) {
            // max_age was a condition of the login. 12.2 asks for the login's time; providers send
            // a later one when the user has proved himself again elsewhere, which does no harm: the
            // session keeps its own.
            if (*at && **at < refresh_->auth_time) {
                return fail(Reason::id_token_auth_time, "auth_time " + std::to_string(**at) +
                                                            " is before that of the login, " +
                                                            std::to_string(refresh_->auth_time));
            }
            return ok();
        }
        if (!provider_.max_age) {
            return ok();
        }
        if (!*at) {
            return fail(Reason::id_token_auth_time,
                        "the token has no auth_time, which max_age needs", "max_age");
        }
        if (expected_.now > **at + *provider_.max_age + provider_.clock_skew) {
            auto error = time_error(Reason::id_token_auth_time, "auth_time", **at, "is too old",
                                    expected_.now, provider_);
            error.detail += ", max_age " + std::to_string(*provider_.max_age);
            error.fix = "max_age";
            return error;
        }
        // Otherwise it would satisfy any max_age for ever.
        if (**at > expected_.now + provider_.clock_skew) {
            return time_error(Reason::id_token_auth_time, "auth_time", **at, "is in the future",
                              expected_.now, provider_);
        }
        return ok();
    }

    // One method as a text is meant as a list of one.
    void wrap_amr() {
        json_t* amr = json_object_get(claims_, "amr");
        JsonPtr list(json_is_string(amr) ? json_array() : nullptr);
        if (list && json_array_append(list.get(), amr) == 0) {
            json_object_set(claims_, "amr", list.get());
        }
    }

    Status acr() {
        const auto& wanted = provider_.acr_values;
        const bool asked = !wanted.empty() || expected_.wants_acr;
        if (asked) {
            wrap_amr();
        }
        const auto acr = json_string(claims_, "acr");
        const auto amr = json_strings(claims_, "amr");
        if (asked && (!acr.ok() || !amr.ok())) {
            return fail(Reason::id_token_acr, acr.ok() ? amr.error().detail : acr.error().detail);
        }
        if (!acr.ok()) {
            leave_out("acr", acr.error());
        }
        if (!amr.ok()) {
            leave_out("amr", amr.error());
        }
        if (wanted.empty() || (*acr && contains(wanted, **acr))) {
            return ok();
        }
        if (refresh_ != nullptr && !*acr && !*amr) {
            return ok();  // what the login has shown still holds
        }
        const std::vector<std::string> methods = amr->value_or(std::vector<std::string>{});
        for (const std::string& method : methods) {
            if (contains(wanted, method)) {
                return ok();
            }
        }
        return fail(Reason::id_token_acr,
                    (*acr ? "acr " + in_quotes(**acr) : std::string("no acr")) + " and amr " +
                        in_quotes(methods) + " satisfy none of " + in_quotes(wanted),
                    "acr_values");
    }

    Status session() {
        const auto sid = json_string(claims_, "sid");
        const auto jti = json_string(claims_, "jti");
        if (!jti.ok()) {
            leave_out("jti", jti.error());
        }
        if (sid.ok()) {
            sid_ = sid->value_or(std::string_view{});
        } else {
            leave_out("sid", sid.error());
        }
        return ok();
    }

    json_t* claims_;
    Alg alg_;
    const IdTokenExpectation& expected_;
    const ProviderConfig& provider_;
    const RefreshExpectation* refresh_;  // null: a login
    std::vector<std::string> audiences_;
    std::string_view iss_;
    std::string_view sub_;
    std::string_view sid_;
    Seconds exp_ = 0;
    std::vector<std::string> left_out_;
};

}  // namespace

Result<IdToken> validate_id_token(std::string_view compact, const IdTokenExpectation& expected) {
    constexpr std::array<std::string_view, 1> kTyp{"jwt"};
    VerifyOptions options;
    options.allowed = expected.algs;
    options.keys = expected.keys;
    options.shared_secret = &expected.provider->client_secret;
    options.former_secret = former_secret(*expected.provider);
    options.accepted_typ = kTyp;
    options.tenants = expected.provider;
    auto jwt = verify_jws(compact, options);
    if (!jwt.ok()) {
        return jwt.error();
    }
    Checks checks(jwt->payload.get(), jwt->alg, expected);
    if (auto verdict = checks.run(); !verdict.ok()) {
        return verdict.error();
    }
    return IdToken{jwt->alg,
                   std::move(jwt->payload),
                   std::string(checks.iss()),
                   std::string(checks.sub()),
                   std::string(checks.sid()),
                   checks.exp(),
                   std::move(checks.left_out())};
}

std::vector<Alg> allowed_algs(const ProviderConfig& provider,
                              std::span<const std::string> advertised) {
    if (!provider.id_token_algs.empty()) {
        return provider.id_token_algs;
    }
    return asymmetric_algs(advertised);
}

std::vector<Alg> asymmetric_algs(std::span<const std::string> advertised) {
    std::vector<Alg> algs;
    for (const std::string& name : advertised) {
        const auto alg = alg_from_name(name);
        if (alg && !alg_is_symmetric(*alg) &&
            std::find(algs.begin(), algs.end(), *alg) == algs.end()) {
            algs.push_back(*alg);
        }
    }
    if (algs.empty()) {
        algs.push_back(Alg::RS256);  // OIDC Core 3.1.3.7 (7)
    }
    return algs;
}

}  // namespace oidc
