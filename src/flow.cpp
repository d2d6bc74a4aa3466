// SPDX-License-Identifier: Apache-2.0
#include "oidc/flow.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "oidc/claims.hpp"
#include "oidc/encode.hpp"
#include "oidc/jws.hpp"
#include "oidc/pushed_request.hpp"
#include "oidc/request_object.hpp"
#include "oidc/signed_response.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"
#include "oidc/userinfo.hpp"

namespace oidc {
namespace {

// A proxy in front may have no more than 4k for the head of our answer (nginx's proxy_buffer_size).
// Of these, the address of the provider and what is left of a long target.
constexpr std::size_t kMaxLoginHead = 3500;

Step refuse(Error error) {
    return Refuse{std::move(error)};
}

Step unexpected() {
    return refuse(unexpected_event());
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find_first_of("?#"));
}

// The callback itself with a response in its query, which is used up by now: going back there
// after the login would only begin another one.
bool is_old_callback(std::string_view return_to, std::string_view redirect_uri, ResponseMode mode) {
    const std::string_view path = path_of(return_to);
    const std::size_t authority = redirect_uri.find("://");
    const std::size_t slash = redirect_uri.find('/', authority + 3);
    if (authority == std::string_view::npos || slash == std::string_view::npos ||
        path != path_of(redirect_uri.substr(slash))) {
        return false;
    }
    std::string_view query = return_to.substr(path.size());
    query = query.substr(0, query.find('#'));
    if (query.starts_with('?')) {
        query.remove_prefix(1);
    }
    Result<AuthzResponse> response = parse_authz_response(query, mode);
    return !response || response->is_response();
}

ExchangeExpectation expectation(const ProviderConfig& config, const PendingLogin& login,
                                const AuthzResponse& response) {
    ExchangeExpectation expected;
    if (!config.tenants.empty()) {
        expected.iss = response.iss;
    }
    expected.nonce = login.nonce;
    expected.code = response.code.clone();
    expected.wants_auth_time = login.demand.max_age.has_value();
    expected.wants_acr = !login.demand.acr_values.empty();
    return expected;
}

// Judged by the record, which the place itself will read: a session that passes here passes there.
Status check_demand(std::string_view record, const LoginDemand& demand, Seconds now,
                    const ProviderConfig& config) {
    const std::optional<SessionView> session = SessionView::open(record);
    if (!session) {
        return fail(Reason::internal_error, "the new session cannot be read");
    }
    const Shortfall lacks = shortfall(*session, demand, now, config.clock_skew);
    return lacks == Shortfall::none ? Status(Unit{})
                                    : shortfall_error(lacks, *session, demand, now);
}

}  // namespace

// ---- LoginFlow -------------------------------------------------------------------------------

LoginFlow::LoginFlow(const ProviderConfig& config, const Aead& aead, Ports ports, Input input)
    : config_(config), aead_(aead), ports_(ports), input_(std::move(input)) {}

Step LoginFlow::start() {
    return NeedProvider{};
}

Step LoginFlow::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::done);
    if (auto* error = std::get_if<Error>(&event)) {
        // A request that was pushed twice hurts nobody: one of the two is never used.
        if (stage == Stage::pushed && error->unanswered && !std::exchange(pushed_again_, true)) {
            return push();
        }
        return refuse(std::move(*error));
    }
    if (auto* ready = std::get_if<ProviderReady>(&event);
        stage == Stage::provider && ready != nullptr && *ready != nullptr) {
        return on_provider(std::move(*ready));
    }
    if (auto* response = std::get_if<HttpResponse>(&event);
        stage == Stage::pushed && response != nullptr) {
        return on_pushed(std::move(*response));
    }
    return unexpected();
}

Step LoginFlow::on_provider(ProviderReady ready) {
    const ProviderState& provider = *ready;
    if (Status status = check_userinfo_endpoint(config_, provider); !status) {
        return refuse(std::move(status).error());
    }
    const bool old_callback =
        is_old_callback(input_.return_to, input_.redirect_uri, config_.response_mode);
    Result<PendingLogin> login =
        new_pending_login(old_callback ? std::string_view("/") : input_.return_to, provider.pkce,
                          ports_, strictest(config_, input_.demand));
    if (!login) {
        return refuse(std::move(login).error());
    }
    login->redirect_uri = input_.redirect_uri;
    login->host = input_.host;
    login->session_key = input_.session_key;
    login->slot = input_.slot;
    login->renewed = input_.renewed;
    if (provider.par && input_.at_once) {
        return refuse(fail(Reason::internal_error, "the request must be pushed, which takes time"));
    }
    Result<StartLogin> step = begin(provider, *std::move(login));
    if (!step) {
        return refuse(std::move(step).error());
    }
    if (!provider.par) {
        return *std::move(step);
    }
    login_ = *std::move(step);
    provider_ = std::move(ready);
    client_.begin(config_, provider_->client_auth, ports_.clock.now());
    return push();
}

Step LoginFlow::push() {
    Result<HttpRequest> request =
        push_request(config_, *provider_, login_.authorization_url, ports_, client_.credential());
    if (!request) {
        return refuse(std::move(request).error());
    }
    request_ = without_secrets(*request);
    stage_ = Stage::pushed;
    return Fetch{*std::move(request)};
}

// Whatever went wrong: the browser never brings itself what was to be pushed.
Step LoginFlow::on_pushed(HttpOutcome outcome) {
    if (client_.again(config_, provider_->client_auth, outcome, ports_)) {
        return push();
    }
    Result<std::string> request_uri = parse_pushed_response(request_, std::move(outcome));
    if (!request_uri) {
        return refuse(client_.told(std::move(request_uri).error()));
    }
    login_.authorization_url = pushed_url(config_, *provider_, *request_uri);
    return std::move(login_);
}

Result<StartLogin> LoginFlow::begin(const ProviderState& provider, PendingLogin login) {
    StartLogin step;
    std::size_t room = max_target_value(config_.preserve_fragment);
    for (;;) {
        Result<SealedLogin> sealed =
            seal_pending(login, input_.serial, aead_, input_.binding, ports_.random, room);
        if (!sealed) {
            return std::move(sealed).error();
        }
        step.authorization_url = authorization_url(config_, provider, login, input_.parameters);
        if (provider.request_object) {
            Result<std::string> url =
                request_object_url(config_, provider, step.authorization_url, provider.par, ports_);
            if (!url) {
                return std::move(url).error();
            }
            step.authorization_url = *std::move(url);
        }
        step.cookie_value = std::move(sealed->cookie_value);
        step.target_cookie_value = std::move(sealed->target_value);
        // The address that the browser gets, of a pushed request the longest.
        const std::size_t url =
            provider.par ? pushed_url(config_, provider, std::string(kMaxRequestUri, 'x')).size()
                         : step.authorization_url.size();
        if (step.target_cookie_value.empty() ||
            url + step.target_cookie_value.size() <= kMaxLoginHead) {
            break;
        }
        room = 0;  // the target is given up
    }
    step.cookie_name.append(kPendingCookie).append({&login.slot, 1});
    if (config_.preserve_fragment) {
        step.fragment_cookie_name.append(kFragmentCookie).append({&login.slot, 1});
    }
    return step;
}

// ---- CallbackFlow ----------------------------------------------------------------------------

CallbackFlow::CallbackFlow(const ProviderConfig& config, Ports ports, PendingLogin login,
                           AuthzResponse response)
    : config_(config),
      ports_(ports),
      login_(std::move(login)),
      response_(std::move(response)),
      exchange_(config, ports, expectation(config, login_, response_)) {}

CallbackFlow::~CallbackFlow() = default;

Step CallbackFlow::start() {
    return NeedProvider{};
}

Step CallbackFlow::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::done);
    switch (stage) {
        case Stage::provider:
        case Stage::keys:
            if (auto* ready = std::get_if<ProviderReady>(&event);
                ready != nullptr && *ready != nullptr) {
                return on_provider(std::move(*ready), stage == Stage::provider);
            }
            break;
        case Stage::exchange:
            return go_on(exchange_.resume(std::move(event)));
        case Stage::store:
            if (std::holds_alternative<StoreDone>(event)) {
                return LoggedIn{std::move(session_id_), std::move(record_), login_.return_to, sub_,
                                expires_};
            }
            break;
        case Stage::done:
            break;
    }
    auto* error = std::get_if<Error>(&event);
    return error == nullptr ? unexpected() : refuse(std::move(*error));
}

// The response of the browser is judged here and not earlier, because RFC 9207 needs the metadata,
// for errors as well. With both an error and a code it is an error: the code is never sent.
Step CallbackFlow::on_provider(ProviderReady provider, bool first) {
    if (config_.response_mode == ResponseMode::query_jwt) {
        if (response_.jwt.empty()) {
            return refuse(fail(Reason::response_unsigned,
                               "the response is not signed; the provider was asked for query.jwt",
                               "response_mode"));
        }
        const std::string_view jwt = response_.jwt.view();
        if (Status status = check_signed_response(jwt, config_, *provider, ports_.clock.now());
            !status) {
            if (first && worth_refetching(status.error(), jwt, config_)) {
                stage_ = Stage::keys;
                return NeedProvider{provider->generation, NeedProvider::Cause::outsider};
            }
            return refuse(signed_response_error(std::move(status).error()));
        }
        response_.jwt.clear();
    }
    if (Status status = check_response_iss(response_, config_, provider->metadata); !status) {
        return refuse(std::move(status).error());
    }
    if (!response_.error.empty()) {
        Error error = response_error(response_);
        if (is_authentication_expired(response_) && !login_.renewed) {
            return RenewLogin{login_.demand, std::move(error)};
        }
        return refuse(std::move(error));
    }
    if (response_.code.empty()) {
        return refuse(fail(Reason::callback_malformed, "neither code nor error"));
    }
    if (!config_.nonce && login_.verifier.empty()) {
        // It began before a reload.
        return refuse(fail(Reason::state_unknown,
                           "the login began without PKCE, which \"nonce off\" needs", "nonce"));
    }
    TokenGrant grant{std::move(response_.code), login_.redirect_uri, std::move(login_.verifier)};
    return go_on(exchange_.start(std::move(provider), std::move(grant)));
}

Step CallbackFlow::go_on(TokenExchange::Progress progress) {
    if (std::optional<Step> step = TokenExchange::waits_for(progress)) {
        stage_ = Stage::exchange;
        return *std::move(step);
    }
    auto* error = std::get_if<Error>(&progress);
    if (error == nullptr) {
        return finish();
    }
    // The code may have been used and never goes again. Whoever is signed in at the provider has a
    // new one at once.
    if (error->unanswered && !login_.renewed) {
        return RenewLogin{login_.demand, std::move(*error)};
    }
    return refuse(std::move(*error));
}

// Nothing else would say why the tokens of this session end for good.
void CallbackFlow::note_refresh_token(const Session& session) const {
    if (!config_.session_refresh || !session.refresh_token.empty()) {
        return;
    }
    const bool asked = std::find(config_.scope.begin(), config_.scope.end(), "offline_access") !=
                       config_.scope.end();
    ports_.log.note(Notice::no_refresh_token, LogLevel::warn,
                    "provider " + in_quotes(config_.name) +
                        " has given no refresh token, so its sessions are not refreshed: " +
                        (asked ? "allow them for this client at the provider"
                               : "most providers want \"offline_access\" in scope, or a setting of "
                                 "the client"));
}

Step CallbackFlow::finish() {
    const IdToken& id_token = *exchange_.id_token();
    const json_t* claims = id_token.claims.get();
    Session session;
    session.claims = collect_claims(claims, exchange_.userinfo(), config_.claim_paths, ports_.log);
    Result<std::string> user = username(session.claims, config_.username_claim);
    if (!user) {
        return refuse(std::move(user).error());
    }
    session.username = *std::move(user);
    note_username(session.claims, config_.username_claim, config_.name, ports_.log);
    session.provider = config_.name;
    session.sub = id_token.sub;
    session.sid = id_token.sid;
    session.created = ports_.clock.now();
    if (Result<std::optional<std::int64_t>> auth_time = json_time(claims, "auth_time"); auth_time) {
        session.auth_time = auth_time->value_or(0);
    }
    exchange_.give_tokens(session, true);
    note_refresh_token(session);
    Result<Secret> record = encode_session(session);
    if (!record) {
        return refuse(std::move(record).error());
    }
    if (Status status = check_demand(record->view(), login_.demand, session.created, config_);
        !status) {
        return refuse(std::move(status).error());
    }
    std::array<std::uint8_t, kSessionIdBytes> id{};
    if (!ports_.random.fill(id)) {
        return refuse(fail(Reason::internal_error, "no randomness for a session id"));
    }
    session_id_ = Secret(as_text(id));
    cleanse(id.data(), id.size());
    record_ = *std::move(record);
    sub_ = session.sub;
    expires_ = session.created + config_.session_timeout;
    stage_ = Stage::store;
    return StoreSession{session_id_.clone(), record_.clone(), login_.session_key, expires_,
                        config_.session_idle_timeout};
}

}  // namespace oidc
