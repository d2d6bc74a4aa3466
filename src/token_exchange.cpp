// SPDX-License-Identifier: Apache-2.0
#include "oidc/token_exchange.hpp"

#include <algorithm>
#include <utility>

#include "oidc/dpop.hpp"
#include "oidc/jwe.hpp"
#include "oidc/jws.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/text.hpp"
#include "oidc/token_life.hpp"
#include "oidc/userinfo.hpp"

namespace oidc {
namespace {

using Progress = TokenExchange::Progress;

// RFC 6749 5.1 leaves out expires_in "if documented otherwise", which no program can read; whoever
// has can say it with access_token_lifetime.
constexpr Seconds kAssumedLifetime = 3600;
constexpr std::uint32_t kMostRefetches = 3;

bool is_nonce_error(const HttpResponse& response) {
    const Result<JsonPtr> json = json_answer(response);
    return json && oauth_error(json->get()).code == "use_dpop_nonce";
}

HttpResponse copy_of(const HttpResponse& response) {
    return {response.status,     response.content_type, response.location,    response.retry_after,
            response.dpop_nonce, response.body.clone(), response.authenticate};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
}

// Ahead of the end, but not in the first half of a short life.
Seconds refresh_time(std::optional<Seconds> expires_in, Seconds before, Seconds now) {
    const Seconds lifetime = expires_in.value_or(kAssumedLifetime);
    return now + std::max({kShortestTokenLife, lifetime - before, lifetime / 2});
}

}  // namespace

std::optional<Step> TokenExchange::waits_for(Progress& progress) {
    if (auto* fetch = std::get_if<Fetch>(&progress)) {
        return std::move(*fetch);
    }
    if (auto* provider = std::get_if<NeedProvider>(&progress)) {
        return *provider;
    }
    return std::nullopt;
}

TokenExchange::TokenExchange(const ProviderConfig& config, Ports ports,
                             ExchangeExpectation expectation)
    : config_(config),
      ports_(ports),
      expectation_(std::move(expectation)),
      sources_(config, ports, expectation_.grant == Grant::refresh) {}

Progress TokenExchange::start(ProviderReady provider, TokenGrant grant) {
    provider_ = std::move(provider);
    if (Status status = check_userinfo_endpoint(config_, *provider_); !status) {
        return std::move(status).error();
    }
    grant_ = std::move(grant);
    client_.begin(config_, provider_->client_auth, ports_.clock.now());
    return ask_token({});
}

// Each request is made anew: assertions of the client and proofs are good once.
Progress TokenExchange::ask_token(std::string_view nonce) {
    const std::string_view credential = grant_.credential.view();
    Result<HttpRequest> request =
        expectation_.grant == Grant::refresh
            ? refresh_request(config_, *provider_, credential, ports_, client_.credential())
            : token_request(config_, *provider_, credential, grant_.redirect_uri,
                            grant_.verifier.view(), ports_, client_.credential());
    if (!request) {
        return std::move(request).error();
    }
    return send(*std::move(request), {}, nonce, Stage::token);
}

Progress TokenExchange::send(HttpRequest request, std::string_view access_token,
                             std::string_view nonce, Stage stage) {
    if (config_.dpop_key) {
        if (Status status = add_dpop_proof(request, *config_.dpop_key, access_token, nonce, ports_);
            !status) {
            return std::move(status).error();
        }
    }
    request_ = without_secrets(request);
    stage_ = stage;
    return Fetch{std::move(request)};
}

// RFC 9449 8 and 9: the server refuses a proof without its nonce, which comes with the refusal.
// Once for each endpoint, or one that is never content would be asked for ever.
bool TokenExchange::wants_nonce(const HttpOutcome& outcome, Stage stage) {
    bool& asked = stage == Stage::token ? token_nonce_ : userinfo_nonce_;
    if (!config_.dpop_key || !outcome || outcome->dpop_nonce.empty() || asked) {
        return false;
    }
    const bool refused =
        stage == Stage::token
            ? (outcome->status == 400 || outcome->status == 401) && is_nonce_error(*outcome)
            : outcome->status == 401;
    asked = refused;
    return refused;
}

Progress TokenExchange::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::idle);
    retry_after_.reset();
    if (stage == Stage::sources) {
        return on_sources(sources_.resume(std::move(event)));
    }
    if (auto* error = std::get_if<Error>(&event)) {
        return std::move(*error);
    }
    if (auto* ready = std::get_if<ProviderReady>(&event); ready != nullptr && *ready != nullptr) {
        return on_provider(stage, std::move(*ready));
    }
    if (auto* response = std::get_if<HttpResponse>(&event)) {
        retry_after_ = retry_after_seconds(response->retry_after, ports_.clock.now());
        if (stage == Stage::token) {
            return on_token(std::move(*response));
        }
        if (stage == Stage::userinfo) {
            return on_userinfo(std::move(*response));
        }
    }
    return unexpected_event();
}

Progress TokenExchange::on_provider(Stage stage, ProviderReady provider) {
    if (stage != Stage::keys && stage != Stage::userinfo_keys) {
        return unexpected_event();
    }
    last_renewed_ = provider->generation != provider_->generation;
    keys_renewed_ = keys_renewed_ || last_renewed_;
    provider_ = std::move(provider);
    return stage == Stage::keys ? check_id_token() : on_userinfo(*std::move(userinfo_response_));
}

Progress TokenExchange::on_token(HttpOutcome outcome) {
    if (outcome && !outcome->dpop_nonce.empty()) {
        nonce_ = outcome->dpop_nonce;
    }
    if (wants_nonce(outcome, Stage::token) ||
        client_.again(config_, provider_->client_auth, outcome, ports_)) {
        return ask_token(nonce_);
    }
    grant_ = {};
    Result<TokenResponse> tokens = parse_token_response(request_, std::move(outcome),
                                                        expectation_.grant, token_needs(config_));
    if (!tokens) {
        return client_.told(std::move(tokens).error());
    }
    tokens_ = *std::move(tokens);
    log_left_out(tokens_.left_out);
    if (tokens_.id_token.empty()) {
        return ask_userinfo();
    }
    Status opened = check_encrypted(tokens_.id_token.view(), config_);
    if (opened) {
        opened = open(tokens_.id_token, kMaxEncryptedToken);
    }
    return opened ? check_id_token() : Progress(std::move(opened).error());
}

// Once: what was inside takes the place of `token`, and is what an id_token_hint has to be.
Status TokenExchange::open(Secret& token, std::size_t max_bytes) {
    auto inside = open_token(token.view(), config_, max_bytes, ports_.random);
    if (!inside) {
        return std::move(inside).error();
    }
    if (*inside) {
        token = **std::move(inside);
    }
    return Unit{};
}

void TokenExchange::log_left_out(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        ports_.log.write(LogLevel::warn, "left out of what provider \"" + config_.name +
                                             "\" sent, nobody asked for it: " + line);
    }
}

// Again after newer ones that do not fit either: another sign-in may have had them fetched just
// before the provider changed its keys.
bool TokenExchange::may_refetch() const noexcept {
    return refetches_ == 0 || (last_renewed_ && refetches_ < kMostRefetches);
}

// Nothing: the error stands.
std::optional<Progress> TokenExchange::newer_keys(const Error& error, std::string_view compact,
                                                  Stage stage) {
    if (!may_refetch() || !worth_refetching(error, compact, config_)) {
        return std::nullopt;
    }
    ++refetches_;
    stage_ = stage;
    return NeedProvider{provider_->generation, error.reason == Reason::jwt_key_unknown
                                                   ? NeedProvider::Cause::key_unknown
                                                   : NeedProvider::Cause::misfit};
}

Progress TokenExchange::check_id_token() {
    const RefreshExpectation refresh{expectation_.sub, expectation_.auth_time, expectation_.iat};
    IdTokenExpectation expected;
    expected.provider = &config_;
    expected.keys = &provider_->keys;
    expected.algs = provider_->algs;
    expected.nonce = expectation_.nonce;
    expected.iss = expectation_.iss;
    expected.access_token = tokens_.access_token.view();
    expected.code = expectation_.code.view();
    expected.now = ports_.clock.now();
    expected.wants_auth_time = expectation_.wants_auth_time;
    expected.wants_acr = expectation_.wants_acr;
    expected.refresh = expectation_.grant == Grant::refresh ? &refresh : nullptr;
    const std::string_view compact = tokens_.id_token.view();
    Result<IdToken> id_token = validate_id_token(compact, expected);
    if (!id_token) {
        if (auto newer = newer_keys(id_token.error(), compact, Stage::keys)) {
            return *std::move(newer);
        }
        Error error = std::move(id_token).error();
        if (error.reason == Reason::id_token_iss && config_.needs_discovery()) {
            error.detail += ", which is the one of " + in_quotes(config_.config_url);
        }
        return error;
    }
    id_token_ = *std::move(id_token);
    log_left_out(id_token_->left_out);
    expectation_.code.clear();
    return ask_userinfo();
}

Progress TokenExchange::ask_userinfo(std::string_view nonce) {
    if (!config_.userinfo) {
        return ask_sources();
    }
    if (Status status = check_userinfo_endpoint(config_, *provider_); !status) {
        return std::move(status).error();  // the metadata changed meanwhile
    }
    const std::string_view token = tokens_.access_token.view();
    return send(userinfo_request(*provider_, token, config_.dpop_key ? "DPoP" : "Bearer",
                                 config_.userinfo_token_method),
                token, nonce, Stage::userinfo);
}

Progress TokenExchange::on_userinfo(HttpOutcome outcome) {
    if (wants_nonce(outcome, Stage::userinfo)) {
        return ask_userinfo(outcome->dpop_nonce);
    }
    const bool is_signed = outcome.ok() && outcome->content_type == "application/jwt";
    if (is_signed && outcome->status == 200) {
        if (Status opened = open(outcome->body, kMaxEncryptedUserinfo); !opened) {
            Error error = std::move(opened).error();
            error.detail.insert(0, "userinfo: ");
            return error;
        }
    }
    if (is_signed && may_refetch()) {
        userinfo_response_ = copy_of(*outcome);
    }
    const std::string_view sub = id_token_ ? id_token_->sub : expectation_.sub;
    const std::string_view iss = id_token_ ? id_token_->iss : expectation_.iss;
    Result<UserInfo> info = parse_userinfo(request_, std::move(outcome), config_, *provider_, sub,
                                           ports_.clock.now(), iss);
    if (!info) {
        if (is_signed && userinfo_response_) {
            if (auto newer = newer_keys(info.error(), userinfo_response_->body.view(),
                                        Stage::userinfo_keys)) {
                return *std::move(newer);
            }
        }
        return std::move(info).error();
    }
    userinfo_response_.reset();
    userinfo_ = std::move(info->claims);
    userinfo_text_ = std::move(info->text);
    return ask_sources();
}

Progress TokenExchange::ask_sources() {
    if (id_token_) {
        return on_sources(sources_.start(id_token_->claims.get(), userinfo_.get()));
    }
    return on_sources(sources_.start(nullptr, userinfo_.get(), std::move(expectation_.said)));
}

Progress TokenExchange::on_sources(std::optional<ClaimSources::Wait> wait) {
    if (!wait) {
        Status verdict = sources_.verdict();
        return verdict ? Progress(Checked{}) : Progress(std::move(verdict).error());
    }
    stage_ = Stage::sources;
    if (auto* need = std::get_if<NeedProvider>(&*wait)) {
        return *need;
    }
    return std::get<Fetch>(std::move(*wait));
}

void TokenExchange::give_tokens(Session& session, bool checked) {
    const Seconds now = ports_.clock.now();
    std::optional<Seconds> lifetime = tokens_.expires_in;
    if (!lifetime && config_.access_token_lifetime != 0) {
        lifetime = config_.access_token_lifetime;
    }
    if (config_.keep_refresh_token || config_.session_refresh) {
        if (!tokens_.refresh_token.empty()) {
            session.refresh_token = std::move(tokens_.refresh_token);
        }
        if (!tokens_.scope.empty()) {
            session.scope = std::move(tokens_.scope);
        } else if (session.scope.empty()) {
            session.scope = joined(config_.scope);  // RFC 6749 5.1: what was asked for
        }
    }
    // Without a refresh token, what there is to revoke is the access token.
    if (config_.keep_access_token || (config_.revoke_on_logout && session.refresh_token.empty())) {
        session.access_token = std::move(tokens_.access_token);
    }
    session.access_expires = lifetime ? now + *lifetime : 0;
    session.refresh_failures = 0;
    session.refresh_at = config_.session_refresh && !session.refresh_token.empty()
                             ? refresh_time(lifetime, config_.session_refresh_before, now)
                             : 0;
    if (checked) {
        session.id_token_stays = !id_token_ || id_token_->exp <= now;
        if (!tokens_.id_token.empty() && (config_.keep_id_token || config_.logout_token_hint)) {
            session.id_token = std::move(tokens_.id_token);
        }
        if (userinfo_ && config_.keep_userinfo) {
            session.userinfo = Secret(userinfo_text_);
        }
    }
    tokens_ = {};
}

}  // namespace oidc
