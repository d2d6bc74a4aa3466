#include "oidc/flow.hpp"

#include <array>
#include <type_traits>
#include <utility>

#include "oidc/claims.hpp"
#include "oidc/encode.hpp"
#include "oidc/jws.hpp"
#include "oidc/uri.hpp"
#include "oidc/userinfo.hpp"

namespace oidc {
namespace {

Step refuse(Error error) {
    return Refuse{std::move(error)};
}

// A bug of the adapter; denied like everything that is not understood.
Step unexpected() {
    return refuse(fail(Reason::internal_error, "an event that no step asked for"));
}

// Wanted and impossible: said before the browser or the code goes anywhere.
Status check_userinfo_endpoint(const ProviderConfig& config, const ProviderState& provider) {
    if (config.userinfo && provider.metadata.userinfo_endpoint.empty()) {
        return fail(Reason::metadata_invalid,
                    "userinfo is on, but neither the metadata nor the configuration gives a "
                    "userinfo_endpoint",
                    "userinfo_endpoint");
    }
    return Unit{};
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find_first_of("?#"));
}

// The callback itself with a response in its query, which is used up by now: going back there
// after the login would only begin another one.
bool is_old_callback(std::string_view return_to, std::string_view redirect_uri) {
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
    Result<AuthzResponse> response = parse_authz_response(query);
    return !response || response->is_response();
}

// What error messages need of a request that has gone out, without its credentials.
HttpRequest without_secrets(const HttpRequest& request) {
    HttpRequest copy;
    copy.method = request.method;
    copy.url = request.url;
    copy.endpoint = request.endpoint;
    return copy;
}

HttpResponse copy_of(const HttpResponse& response) {
    return {response.status, response.content_type, response.location, response.retry_after,
            response.body.clone()};
}

}  // namespace

// ---- LoginFlow -------------------------------------------------------------------------------

LoginFlow::LoginFlow(const ProviderConfig& config, const Aead& aead, Ports ports, Input input)
    : config_(config), aead_(aead), ports_(ports), input_(std::move(input)) {}

Step LoginFlow::start() {
    return NeedProvider{};
}

Step LoginFlow::resume(Event event) {
    if (auto* error = std::get_if<Error>(&event)) {
        return refuse(std::move(*error));
    }
    auto* ready = std::get_if<ProviderReady>(&event);
    if (ready == nullptr || *ready == nullptr) {
        return unexpected();
    }
    const ProviderState& provider = **ready;
    if (Status status = check_userinfo_endpoint(config_, provider); !status) {
        return refuse(std::move(status).error());
    }
    const bool old_callback = is_old_callback(input_.return_to, input_.redirect_uri);
    Result<PendingLogin> login = new_pending_login(
        old_callback ? std::string_view("/") : input_.return_to, provider.pkce, ports_);
    if (!login) {
        return refuse(std::move(login).error());
    }
    login->redirect_uri = input_.redirect_uri;
    login->session_key = input_.session_key;
    Result<std::string> sealed = seal_pending(*login, aead_, input_.binding, ports_.random);
    if (!sealed) {
        return refuse(std::move(sealed).error());
    }
    const std::string handle = pending_handle(login->state, login->created);
    StartLogin step;
    step.authorization_url = authorization_url(config_, provider, *login, input_.parameters);
    step.cookie_name.append(kPendingCookie).append(handle);
    step.cookie_value = *std::move(sealed);
    if (config_.preserve_fragment) {
        step.fragment_cookie_name.append(kFragmentCookie).append(handle);
    }
    return step;
}

// ---- CallbackFlow ----------------------------------------------------------------------------

CallbackFlow::CallbackFlow(const ProviderConfig& config, Ports ports, PendingLogin login,
                           AuthzResponse response)
    : config_(config), ports_(ports), login_(std::move(login)), response_(std::move(response)) {}

CallbackFlow::~CallbackFlow() = default;

Step CallbackFlow::start() {
    return NeedProvider{};
}

Step CallbackFlow::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::done);
    if (auto* error = std::get_if<Error>(&event)) {
        return refuse(std::move(*error));
    }
    if (auto* ready = std::get_if<ProviderReady>(&event)) {
        if (*ready == nullptr) {
            return unexpected();
        }
        switch (stage) {
            case Stage::provider:
                return on_provider(std::move(*ready));
            case Stage::keys:
                provider_ = std::move(*ready);
                return check_id_token();
            case Stage::userinfo_keys:
                provider_ = std::move(*ready);
                return on_userinfo(std::move(*userinfo_response_));
            default:
                return unexpected();
        }
    }
    if (auto* response = std::get_if<HttpResponse>(&event)) {
        if (stage == Stage::token) {
            return on_token(std::move(*response));
        }
        if (stage == Stage::userinfo) {
            return on_userinfo(std::move(*response));
        }
        return unexpected();
    }
    if (stage == Stage::store) {
        return LoggedIn{std::move(session_id_), std::move(record_), login_.return_to,
                        id_token_->sub, expires_};
    }
    return unexpected();
}

// The response of the browser is judged here and not earlier, because RFC 9207 needs the metadata,
// for errors as well. With both an error and a code it is an error: the code is never sent.
Step CallbackFlow::on_provider(ProviderReady provider) {
    provider_ = std::move(provider);
    if (Status status = check_response_iss(response_, config_, provider_->metadata); !status) {
        return refuse(std::move(status).error());
    }
    if (!response_.error.empty()) {
        return refuse(response_error(response_));
    }
    if (response_.code.empty()) {
        return refuse(fail(Reason::callback_malformed, "neither code nor error"));
    }
    if (Status status = check_userinfo_endpoint(config_, *provider_); !status) {
        return refuse(std::move(status).error());
    }
    HttpRequest request = token_request(config_, *provider_, response_.code.view(),
                                        login_.redirect_uri, login_.verifier.view());
    login_.verifier.clear();
    request_ = without_secrets(request);
    stage_ = Stage::token;
    return Fetch{std::move(request)};
}

Step CallbackFlow::on_token(HttpOutcome outcome) {
    Result<TokenResponse> tokens = parse_token_response(*request_, std::move(outcome));
    if (!tokens) {
        return refuse(std::move(tokens).error());
    }
    tokens_ = *std::move(tokens);
    return check_id_token();
}

Step CallbackFlow::check_id_token() {
    IdTokenExpectation expected;
    expected.provider = &config_;
    expected.keys = &provider_->keys;
    expected.algs = provider_->algs;
    expected.nonce = login_.nonce;
    expected.access_token = tokens_.access_token.view();
    expected.code = response_.code.view();
    expected.now = ports_.clock.now();
    const std::string_view compact = tokens_.id_token.view();
    Result<IdToken> id_token = validate_id_token(compact, expected);
    if (!id_token) {
        if (!keys_refetched_ && worth_refetching_keys(id_token.error(), compact)) {
            keys_refetched_ = true;
            stage_ = Stage::keys;
            return NeedProvider{provider_->generation};
        }
        return refuse(std::move(id_token).error());
    }
    id_token_ = *std::move(id_token);
    response_.code.clear();
    if (!config_.userinfo) {
        return finish();
    }
    if (Status status = check_userinfo_endpoint(config_, *provider_); !status) {
        return refuse(std::move(status).error());  // the metadata changed meanwhile
    }
    HttpRequest request = userinfo_request(*provider_, tokens_.access_token.view());
    request_ = without_secrets(request);
    stage_ = Stage::userinfo;
    return Fetch{std::move(request)};
}

Step CallbackFlow::on_userinfo(HttpOutcome outcome) {
    const bool is_signed = outcome.ok() && outcome->content_type == "application/jwt";
    if (is_signed && !keys_refetched_) {
        userinfo_response_ = copy_of(*outcome);
    }
    Result<UserInfo> info = parse_userinfo(*request_, std::move(outcome), config_, *provider_,
                                           id_token_->sub, ports_.clock.now());
    if (!info) {
        if (is_signed && !keys_refetched_ &&
            worth_refetching_keys(info.error(), userinfo_response_->body.view())) {
            keys_refetched_ = true;
            stage_ = Stage::userinfo_keys;
            return NeedProvider{provider_->generation};
        }
        return refuse(std::move(info).error());
    }
    userinfo_response_.reset();
    userinfo_ = std::move(info->claims);
    userinfo_text_ = std::move(info->text);
    return finish();
}

Step CallbackFlow::finish() {
    const json_t* claims = id_token_->claims.get();
    Session session;
    session.claims = collect_claims(claims, userinfo_.get(), config_.claim_paths, ports_.log);
    Result<std::string> user = username(session.claims, config_.username_claim);
    if (!user) {
        return refuse(std::move(user).error());
    }
    session.username = *std::move(user);
    session.provider = config_.name;
    session.sub = id_token_->sub;
    session.sid = id_token_->sid;
    session.created = ports_.clock.now();
    if (Result<std::optional<std::int64_t>> auth_time = json_time(claims, "auth_time"); auth_time) {
        session.auth_time = auth_time->value_or(0);
    }
    if (config_.keep_id_token || config_.logout_token_hint) {
        session.id_token = std::move(tokens_.id_token);
    }
    if (config_.keep_access_token) {
        session.access_token = std::move(tokens_.access_token);
    }
    if (config_.keep_userinfo) {
        session.userinfo = Secret(userinfo_text_);
    }
    Result<Secret> record = encode_session(session);
    if (!record) {
        return refuse(std::move(record).error());
    }
    std::array<std::uint8_t, kSessionIdBytes> id{};
    if (!ports_.random.fill(id)) {
        return refuse(fail(Reason::internal_error, "no randomness for a session id"));
    }
    session_id_ = Secret(as_text(id));
    cleanse(id.data(), id.size());
    record_ = *std::move(record);
    expires_ = session.created + config_.session_timeout;
    tokens_ = {};
    stage_ = Stage::store;
    return StoreSession{session_id_.clone(), record_.clone(), login_.session_key, expires_,
                        config_.session_idle_timeout};
}

}  // namespace oidc
