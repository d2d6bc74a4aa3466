// SPDX-License-Identifier: Apache-2.0
#include "oidc/refresh_flow.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "oidc/claims.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

constexpr Seconds kFirstDelay = 5;
constexpr Seconds kLongestDelay = 300;
constexpr Seconds kLongestRetryAfter = 3600;

ExchangeExpectation expectation(const ProviderConfig& config, const SessionView& session,
                                const std::vector<Claim>& claims) {
    ExchangeExpectation expected;
    for (const Claim& claim : claims) {
        if (claim.source == ClaimSource::id_token && !config.claim_sources.empty()) {
            expected.said.push_back(claim.name);
        }
    }
    expected.grant = Grant::refresh;
    expected.nonce = session.claim("nonce").value_or(std::string_view{});
    if (!config.tenants.empty()) {
        expected.iss = issuer_of(config, session);
    }
    expected.sub = session.sub();
    expected.auth_time = session.auth_time();
    expected.iat = session.time_claim("iat");
    return expected;
}

// The claim that the user name was taken from: the first that says it. None, when a thin ID token
// has dropped it: the next claim in line must not make the user somebody else.
std::vector<std::string> username_claim_of(const Session& session, const ProviderConfig& config) {
    for (const std::string& name : config.username_claim) {
        for (const Claim& claim : session.claims) {
            if (claim.name == name && claim.text == session.username) {
                return {name};
            }
        }
    }
    return {};
}

// A provider that disables a user may answer as before, and name nobody (Authelia). An ID token
// that is thinner than the login's says nothing.
bool came_from_userinfo(const std::vector<Claim>& claims, const std::vector<std::string>& names) {
    return std::any_of(claims.begin(), claims.end(), [&names](const Claim& claim) {
        return claim.source != ClaimSource::id_token && !names.empty() &&
               claim.name == names.front();
    });
}

// The words of `before` that `now` lacks.
std::string lost_words(std::string_view before, std::string_view now) {
    std::string lost;
    const std::string padded = " " + std::string(now) + " ";
    while (!before.empty()) {
        const std::string_view word = before.substr(0, before.find(' '));
        before.remove_prefix(std::min(before.size(), word.size() + 1));
        if (!word.empty() && padded.find(" " + std::string(word) + " ") == std::string::npos) {
            lost.append(lost.empty() ? "" : " ").append(word);
        }
    }
    return lost;
}

}  // namespace

bool ends_session(Reason reason) noexcept {
    switch (reason) {
        case Reason::refresh_denied:
        case Reason::jwt_not_encrypted:
        case Reason::jwt_alg:
        case Reason::jwt_crit:
        case Reason::jwt_typ:
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
        case Reason::id_token_iss:
        case Reason::id_token_aud:
        case Reason::id_token_azp:
        case Reason::id_token_exp:
        case Reason::id_token_nbf:
        case Reason::id_token_iat:
        case Reason::id_token_nonce:
        case Reason::id_token_sub:
        case Reason::id_token_at_hash:
        case Reason::id_token_c_hash:
        case Reason::id_token_auth_time:
        case Reason::id_token_acr:
        case Reason::id_token_claim:
        case Reason::tenant_unlisted:
        case Reason::userinfo_denied:
        case Reason::userinfo_sub:
        case Reason::username_missing:
        // What is new about the user cannot be kept, and what is old must not be.
        case Reason::session_too_large:
            return true;
        default:
            return false;
    }
}

Seconds refresh_backoff(std::uint32_t failures, std::optional<Seconds> retry_after,
                        Random& random) noexcept {
    const std::uint32_t doublings = std::min<std::uint32_t>(failures == 0 ? 0 : failures - 1, 10);
    Seconds delay = std::min(kFirstDelay << doublings, kLongestDelay);
    if (retry_after) {
        delay = std::max(delay, std::min(*retry_after, kLongestRetryAfter));
    }
    std::array<std::uint8_t, 2> noise{};
    if (random.fill(noise)) {
        delay += delay * (noise[0] * 256 + noise[1]) / (4 * 65536);
    }
    return delay;
}

RefreshFlow::RefreshFlow(const ProviderConfig& config, Ports ports, const SessionView& session)
    : config_(config),
      ports_(ports),
      session_(read_session(session)),
      exchange_(config, ports, expectation(config, session, session_.claims)) {}

Step RefreshFlow::start() {
    return NeedProvider{};
}

Step RefreshFlow::resume(Event event) {
    switch (std::exchange(stage_, Stage::done)) {
        case Stage::provider: {
            if (auto* error = std::get_if<Error>(&event)) {
                return postpone(std::move(*error));
            }
            auto* ready = std::get_if<ProviderReady>(&event);
            if (ready == nullptr || *ready == nullptr || session_.refresh_token.empty()) {
                return Refuse{unexpected_event()};
            }
            TokenGrant grant{session_.refresh_token.clone(), {}, {}};
            return go_on(exchange_.start(std::move(*ready), std::move(grant)));
        }
        case Stage::exchange:
            return go_on(exchange_.resume(std::move(event)));
        case Stage::done:
            break;
    }
    return Refuse{unexpected_event()};
}

Step RefreshFlow::go_on(TokenExchange::Progress progress) {
    if (std::optional<Step> step = TokenExchange::waits_for(progress)) {
        stage_ = Stage::exchange;
        return *std::move(step);
    }
    auto* error = std::get_if<Error>(&progress);
    return error == nullptr ? finish() : failed(std::move(*error));
}

Step RefreshFlow::failed(Error error) {
    // The keys were not asked for again, or came as they were: the next try may know the key.
    const bool keys_are_old = error.reason == Reason::jwt_key_unknown && !exchange_.keys_renewed();
    if (ends_session(error.reason) && !keys_are_old) {
        return RefreshEnded{std::move(error)};
    }
    return postpone(std::move(error));
}

// With the tokens that have come all the same: where refresh tokens are used once, the old one is
// worth nothing any more.
Step RefreshFlow::postpone(Error error) {
    const std::uint32_t failures = std::min(session_.refresh_failures, UINT32_MAX - 1) + 1;
    if (exchange_.has_tokens()) {
        exchange_.give_tokens(session_, false);
    }
    session_.refresh_failures = failures;
    session_.refresh_at =
        ports_.clock.now() + refresh_backoff(failures, exchange_.retry_after(), ports_.random);
    Result<Secret> record = encode_session(session_);
    if (!record) {
        return RefreshEnded{std::move(record).error()};
    }
    return RefreshPostponed{*std::move(record), session_.refresh_at, std::move(error)};
}

Step RefreshFlow::finish() {
    const IdToken* id_token = exchange_.id_token();
    const json_t* userinfo = exchange_.userinfo();
    std::vector<Claim> claims;
    if (id_token != nullptr) {
        claims = collect_claims(id_token->claims.get(), userinfo, config_.claim_paths, ports_.log);
        keep_login_claims(claims, session_.claims);
    } else if (userinfo != nullptr) {
        claims = replace_userinfo(session_.claims, userinfo, config_.claim_paths, ports_.log);
    }
    if (!claims.empty()) {
        const std::vector<std::string> from = username_claim_of(session_, config_);
        if (!username_source(claims, from).empty()) {
            Result<std::string> user = username(claims, from);
            if (!user) {
                return failed(std::move(user).error());
            }
            session_.username = *std::move(user);
        } else if (userinfo != nullptr && came_from_userinfo(session_.claims, from)) {
            return failed(
                fail(Reason::username_missing, "userinfo has no " + in_quotes(from.front()) +
                                                   " any more, which the user name came from"));
        }
        session_.claims = std::move(claims);
    }
    const std::string scope = session_.scope;
    exchange_.give_tokens(session_, true);
    note_scope(scope);
    Result<Secret> record = encode_session(session_);
    if (!record) {
        return failed(std::move(record).error());
    }
    return Refreshed{*std::move(record), session_.access_expires};
}

// Fewer scopes than before are no failure, but somebody may wonder why an API refuses the token.
void RefreshFlow::note_scope(const std::string& before) const {
    const std::string lost = lost_words(before, session_.scope);
    if (!lost.empty()) {
        ports_.log.write(LogLevel::notice, "a refresh at provider \"" + config_.name +
                                               "\" has taken away scope \"" + lost + "\"");
    }
}

}  // namespace oidc
