// SPDX-License-Identifier: Apache-2.0
#include "oidc/claim_source.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "oidc/encode.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

// Of one object. Those that are not asked have a line each, those beyond have one together.
constexpr std::size_t kMostNamed = 2 * kMostClaimSources;
constexpr Seconds kMostSeconds = 10;
constexpr std::size_t kMaxJwt = 64 * 1024;

// What only the provider says: who the user is, and what is true of the login or of one token.
constexpr std::array<std::string_view, 21> kNotOfSources{
    "iss",     "sub",       "aud",    "exp",          "nbf",
    "iat",     "jti",       "nonce",  "azp",          "sid",
    "acr",     "auth_time", "amr",    "cnf",          "c_hash",
    "at_hash", "client_id", "events", "_claim_names", "_claim_sources",
    "s_hash",
};

Error failure(std::string detail) {
    return fail(Reason::claim_source_failed, std::move(detail));
}

// Of its own words: which check it was, and what was compared.
std::string why(const Error& error) {
    std::string text(error.reason == Reason::claim_source_failed ? ""
                                                                 : reason_info(error.reason).code);
    text.append(text.empty() || error.detail.empty() ? "" : ": ").append(error.detail);
    return text;
}

// iss of a JWT that nobody has verified yet, to know by whose keys it is to be.
std::optional<std::string> claimed_issuer(std::string_view jwt) {
    const std::size_t begin = jwt.find('.');
    const std::size_t end = begin == std::string_view::npos ? begin : jwt.find('.', begin + 1);
    if (end == std::string_view::npos || jwt.size() > kMaxJwt) {
        return std::nullopt;
    }
    const auto payload = base64url_decode(jwt.substr(begin + 1, end - begin - 1));
    if (!payload) {
        return std::nullopt;
    }
    const Result<JsonPtr> claims = json_parse_object(*payload);
    if (!claims) {
        return std::nullopt;
    }
    const auto iss = json_string(claims->get(), "iss");
    return iss && *iss ? std::optional<std::string>(**iss) : std::nullopt;
}

// What may stand behind "Bearer " (RFC 6750 2.1), at a length that any server takes.
bool is_bearer_token(std::string_view text) {
    return !text.empty() && text.size() <= kMaxJwt / 8 &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alnum(c) || std::string_view("-._~+/=").find(c) != std::string_view::npos;
           });
}

bool is_of_provider(const std::string& name, const ProviderConfig& config) {
    return std::find(kNotOfSources.begin(), kNotOfSources.end(), name) != kNotOfSources.end() ||
           contains(config.username_claim, name);
}

// It is no longer said elsewhere.
void forget(json_t* object, const std::string& name) {
    json_t* names = json_object_get(object, "_claim_names");
    json_object_del(names, name.c_str());
    if (json_object_size(names) == 0) {
        json_object_del(object, "_claim_names");
    }
}

Status check_times(const json_t* claims, const ProviderConfig& issuer, Seconds now) {
    const auto exp = json_time(claims, "exp");
    if (!exp) {
        return fail(Reason::id_token_exp, exp.error().detail);
    }
    if (Status status = check_not_expired(*exp, now, issuer, Reason::id_token_exp); !status) {
        return status;
    }
    for (const char* name : {"nbf", "iat"}) {
        const Reason reason = name[0] == 'n' ? Reason::id_token_nbf : Reason::id_token_iat;
        const auto time = json_time(claims, name);
        if (!time) {
            return fail(reason, time.error().detail);
        }
        if (Status status = check_not_future(name, *time, now, issuer, reason); !status) {
            return status;
        }
    }
    return Unit{};
}

}  // namespace

ClaimSources::ClaimSources(const ProviderConfig& config, Ports ports, bool refresh)
    : config_(config), ports_(ports), refresh_(refresh) {}

std::optional<ClaimSources::Wait> ClaimSources::start(json_t* id_token, json_t* userinfo,
                                                      std::vector<std::string> said) {
    if (config_.claim_sources.empty() || (id_token == nullptr && userinfo == nullptr)) {
        return std::nullopt;
    }
    asked_ = true;
    held_.assign(config_.claim_sources.size(), false);
    failures_.assign(config_.claim_sources.size(), {});
    objects_ = {id_token, userinfo};
    said_ = std::move(said);
    collect(id_token);
    collect(userinfo);
    deadline_ = ports_.clock.now() + kMostSeconds;
    return next();
}

void ClaimSources::collect(json_t* object) {
    const std::size_t first = left_.size();
    std::size_t beyond = 0;
    const char* name = nullptr;
    json_t* value = nullptr;
    json_object_foreach(json_object_get(object, "_claim_names"), name, value) {
        if (!json_is_string(value)) {
            continue;
        }
        const std::string source = json_string_value(value);
        const auto begin = left_.begin() + static_cast<std::ptrdiff_t>(first);
        auto at = std::find_if(begin, left_.end(),
                               [&source](const Left& left) { return left.source == source; });
        if (at == left_.end() && left_.size() - first == kMostNamed) {
            ++beyond;
            continue;
        }
        if (at == left_.end()) {
            left_.push_back({object, source, {}});
            at = std::prev(left_.end());
        }
        at->names.emplace_back(name);
    }
    if (beyond != 0) {
        unknown_failure_ = "more than " + std::to_string(kMostClaimSources) + " are not asked";
        ports_.log.note(Notice::claim_source, LogLevel::warn,
                        std::to_string(beyond) + " claims of further sources of provider " +
                            in_quotes(config_.name) + " are left out: " + unknown_failure_);
    }
}

std::optional<ClaimSources::Wait> ClaimSources::next() {
    for (; at_ < left_.size(); ++at_) {
        if (!needs_source(left_[at_])) {
            continue;
        }
        forget_source();
        Status found =
            ++tried_ > kMostClaimSources
                ? failure("more than " + std::to_string(kMostClaimSources) + " are not asked")
            : ports_.clock.now() >= deadline_ ? failure("no time is left")
                                              : find_source();
        if (!found) {
            note_failure(why(found.error()));
            continue;
        }
        stage_ = Stage::keys;
        return need_provider(0, NeedProvider::Cause::first_use);
    }
    stage_ = Stage::idle;
    return std::nullopt;
}

// Leaves the names that the source is to be asked for. The others are no longer names of claims
// that exist elsewhere, except those that no source may say.
bool ClaimSources::needs_source(Left& left) {
    std::vector<std::string> wanted;
    std::vector<std::string> refused;
    for (std::string& name : left.names) {
        if (is_of_provider(name, config_)) {
            refused.push_back(std::move(name));
        } else if (!is_said(name)) {
            wanted.push_back(std::move(name));
        } else {
            // UserInfo names what the ID token has named: it says the same then.
            json_t* value = json_object_get(objects_[0], name.c_str());
            if (left.object != objects_[0] && contains(taken_, name) && value != nullptr) {
                json_object_set(left.object, name.c_str(), value);
            }
            forget(left.object, name);
        }
    }
    if (!refused.empty()) {
        ports_.log.note(Notice::claim_source, LogLevel::warn,
                        "claims " + in_quotes(refused) + " of source " + in_quotes(left.source) +
                            " of provider " + in_quotes(config_.name) +
                            " are left out, only the provider itself says them");
    }
    left.names = std::move(wanted);
    return !left.names.empty();
}

// Nothing of the one before may count for the next.
void ClaimSources::forget_source() {
    found_.reset();
    jwt_.clear();
    endpoint_.clear();
    access_token_.clear();
}

bool ClaimSources::is_said(const std::string& name) const {
    return contains(said_, name) ||
           std::any_of(objects_.begin(), objects_.end(), [&name](const json_t* object) {
               const json_t* value = json_object_get(object, name.c_str());
               return value != nullptr && !json_is_null(value);
           });
}

Status ClaimSources::find_source() {
    const Left& left = left_[at_];
    const json_t* source =
        json_object_get(json_object_get(left.object, "_claim_sources"), left.source.c_str());
    if (!json_is_object(source)) {
        return failure("_claim_sources has no such object");
    }
    const auto jwt = json_string(source, "JWT");
    const auto endpoint = json_string(source, "endpoint");
    if (!jwt || !endpoint) {
        return failure(jwt ? endpoint.error().detail : jwt.error().detail);
    }
    if (*jwt) {
        return find_by_issuer(**jwt);
    }
    return *endpoint ? find_by_host(**endpoint, source)
                     : failure("it has neither a JWT nor an endpoint");
}

Status ClaimSources::find_by_issuer(std::string_view jwt) {
    const std::optional<std::string> issuer = claimed_issuer(jwt);
    if (!issuer) {
        return failure("its JWT is no signed one of at most 64k with an iss");
    }
    for (std::size_t i = 0; i < config_.claim_sources.size(); ++i) {
        if (is_issuer(*config_.claim_sources[i].issuer, *issuer)) {
            found_ = i;
            jwt_ = Secret(jwt);
            return Unit{};
        }
    }
    return failure("no claim_source has the issuer " + in_quotes(*issuer));
}

Status ClaimSources::find_by_host(std::string_view endpoint, const json_t* source) {
    const Result<Url> url = parse_url(endpoint);
    if (!url) {
        return failure("its endpoint is no URL that can be used");
    }
    const std::string host = ascii_lower(url->host) + ":" + std::to_string(url->port);
    for (std::size_t i = 0; i < config_.claim_sources.size(); ++i) {
        if (contains(config_.claim_sources[i].hosts, host)) {
            found_ = i;
        }
    }
    if (!found_) {
        return failure("no claim_source has the endpoint_host " + in_quotes(host));
    }
    if (!parse_endpoint(endpoint, "endpoint", this->source().issuer->insecure_http)) {
        return failure("its endpoint at " + in_quotes(host) + " is not of https");
    }
    const auto token = json_string(source, "access_token");
    if (!token || (*token && !is_bearer_token(**token))) {
        return failure("its access_token cannot be sent");
    }
    endpoint_ = endpoint;
    if (*token) {
        access_token_ = Secret(**token);
    }
    request_ = {};
    request_.url = url->origin();
    request_.endpoint = "claim_source";
    return Unit{};
}

ClaimSources::Wait ClaimSources::need_provider(std::uint64_t newer_than,
                                               NeedProvider::Cause cause) {
    NeedProvider need;
    need.newer_than = newer_than;
    need.cause = cause;
    need.source = *found_ + 1;
    return need;
}

std::optional<ClaimSources::Wait> ClaimSources::resume(Event event) {
    const Stage stage = std::exchange(stage_, Stage::idle);
    auto* error = std::get_if<Error>(&event);
    if (stage == Stage::idle) {
        return std::nullopt;
    }
    if (error != nullptr) {
        return failed(*error);
    }
    if (auto* ready = std::get_if<ProviderReady>(&event);
        stage != Stage::answer && ready != nullptr && *ready != nullptr) {
        provider_ = std::move(*ready);
        if (stage == Stage::keys && !endpoint_.empty()) {
            return fetch();
        }
        stage_ = stage;
        return read();
    }
    if (auto* response = std::get_if<HttpResponse>(&event);
        stage == Stage::answer && response != nullptr) {
        return on_answer(std::move(*response));
    }
    return failed(unexpected_event());
}

// With the token that came for this endpoint, or none: never with one of ours.
ClaimSources::Wait ClaimSources::fetch() {
    HttpRequest request;
    request.url = endpoint_;
    request.endpoint = request_.endpoint;
    request.headers.push_back({"Accept", "application/jwt"});
    if (!access_token_.empty()) {
        request.authorization.reserve(access_token_.size() + 7);
        request.authorization.append("Bearer ");
        request.authorization.append(access_token_.view());
        access_token_.clear();
    }
    request.max_response = kMaxJwt;
    request.max_seconds = std::max<Seconds>(deadline_ - ports_.clock.now(), 1);
    stage_ = Stage::answer;
    return Fetch{std::move(request), *found_ + 1};
}

std::optional<ClaimSources::Wait> ClaimSources::on_answer(HttpOutcome outcome) {
    if (outcome->status != 200) {
        return failed(failure(answered(request_, *outcome)));
    }
    if (outcome->content_type != "application/jwt") {
        return failed(failure(answered(request_, *outcome) + " with content type " +
                              in_quotes(outcome->content_type) + ", not application/jwt"));
    }
    jwt_ = std::move(outcome->body);
    stage_ = Stage::answer;
    return read();
}

std::optional<ClaimSources::Wait> ClaimSources::read() {
    const Stage stage = std::exchange(stage_, Stage::idle);
    Result<JsonPtr> claims = verify();
    if (!claims) {
        const Error& error = claims.error();
        if (stage != Stage::newer_keys && worth_refetching(error, jwt_.view(), *source().issuer)) {
            stage_ = Stage::newer_keys;
            // Whoever can put a JWT into an answer of the provider could use up the source's tries.
            return need_provider(provider_->generation, NeedProvider::Cause::outsider);
        }
        return failed(error);
    }
    held_[*found_] = true;
    take(claims->get());
    ++at_;
    return next();
}

Result<JsonPtr> ClaimSources::verify() const {
    static constexpr std::array<std::string_view, 1> kTyp{"jwt"};
    const ProviderConfig& issuer = *source().issuer;
    std::vector<Alg> algs;
    std::copy_if(provider_->algs.begin(), provider_->algs.end(), std::back_inserter(algs),
                 [](Alg alg) { return !alg_is_symmetric(alg); });
    VerifyOptions options;
    options.allowed = algs;
    options.keys = &provider_->keys;
    options.accepted_typ = kTyp;
    options.max_bytes = kMaxJwt;
    options.tenants = &issuer;
    Result<VerifiedJwt> jwt = verify_jws(jwt_.view(), options);
    if (!jwt) {
        return std::move(jwt).error();
    }
    const json_t* claims = jwt->payload.get();
    if (Status status = check_issuer(claims, issuer, Reason::id_token_iss); !status) {
        return std::move(status).error();
    }
    // RFC 8725 3.12.
    if (json_object_get(claims, "events") != nullptr) {
        return fail(Reason::jwt_typ, "the token has \"events\", it was made to say something else");
    }
    const json_t* aud = json_object_get(claims, "aud");
    if (aud != nullptr && !json_is_null(aud)) {
        if (const auto audience = check_audience(claims, config_, Reason::id_token_aud);
            !audience) {
            return audience.error();
        }
    }
    const auto azp = json_string(claims, "azp");
    if (!azp || (*azp && **azp != config_.client_id)) {
        return fail(Reason::id_token_azp,
                    azp ? "is " + in_quotes(**azp) + ", not our client_id" : azp.error().detail);
    }
    if (Status status = check_times(claims, issuer, ports_.clock.now()); !status) {
        return std::move(status).error();
    }
    return std::move(jwt->payload);
}

// A claim that is not there is one that nobody says.
void ClaimSources::take(const json_t* claims) {
    const Left& left = left_[at_];
    for (const std::string& name : left.names) {
        json_t* value = json_object_get(claims, name.c_str());
        if (value != nullptr && !json_is_null(value)) {
            json_object_set(left.object, name.c_str(), value);
            taken_.push_back(name);
        }
        forget(left.object, name);
    }
}

std::optional<ClaimSources::Wait> ClaimSources::failed(const Error& error) {
    note_failure(why(error));
    ++at_;
    return next();
}

void ClaimSources::note_failure(const std::string& why) {
    const Left& left = left_[at_];
    std::string& kept = found_ ? failures_[*found_] : unknown_failure_;
    if (kept.empty()) {
        kept = why;
    }
    ports_.log.note(Notice::claim_source, LogLevel::warn,
                    "claims " + in_quotes(left.names) + " of source " + in_quotes(left.source) +
                        " of provider " + in_quotes(config_.name) + " are left out: " + why);
}

Status ClaimSources::verdict() const {
    for (std::size_t i = 0; asked_ && i < config_.claim_sources.size(); ++i) {
        const TrustedSource& source = config_.claim_sources[i];
        const std::string& why = failures_[i].empty() ? unknown_failure_ : failures_[i];
        const bool missing = !held_[i] && !(refresh_ && why.empty());
        if (source.required && (missing || !failures_[i].empty())) {
            return fail(Reason::claim_source_failed,
                        "claim_source " + in_quotes(source.issuer->name) + " is required, " +
                            (why.empty() ? "and the provider names no source of it" : why),
                        "claim_source");
        }
    }
    return Unit{};
}

}  // namespace oidc
