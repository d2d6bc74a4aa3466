// SPDX-License-Identifier: Apache-2.0
#include "oidc/client_credentials.hpp"

#include <algorithm>
#include <utility>

#include "oidc/client_assertion.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jwe.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/signer.hpp"
#include "oidc/text.hpp"

namespace oidc {
namespace {

Error malformed(std::string detail) {
    return fail(Reason::malformed, std::move(detail));
}

bool is_space(char c) noexcept {
    return is_blank(c) || c == '\n' || c == '\r';
}

// One segment of a JWT that is a JSON object.
Result<JsonPtr> read_object(std::string_view segment, const char* what) {
    auto text = base64url_decode(segment);
    if (segment.empty() || !text) {
        return malformed(std::string("its ") + what + " is not base64url");
    }
    Result<JsonPtr> object = json_parse_object(*text);
    cleanse(text->data(), text->size());
    if (!object) {
        return malformed(std::string("its ") + what + " is no JSON object");
    }
    return object;
}

// Null and empty are never the same as anything.
bool same_key(const JwsSigner* a, const JwsSigner* b) {
    return a != nullptr && b != nullptr && a->thumbprint() == b->thumbprint();
}

const char* file_of(ClientAuth auth) noexcept {
    switch (auth) {
        case ClientAuth::private_key_jwt:
            return "client_key";
        case ClientAuth::file_assertion:
            return "client_assertion_file";
        default:
            return "client_secret_file";
    }
}

// What is between "{"keys":[" and "]}".
std::string_view keys_of(std::string_view jwks) noexcept {
    constexpr std::string_view kBegin = R"({"keys":[)";
    constexpr std::string_view kEnd = "]}";
    return jwks.size() < kBegin.size() + kEnd.size()
               ? std::string_view{}
               : jwks.substr(kBegin.size(), jwks.size() - kBegin.size() - kEnd.size());
}

void publish_former(RenewedCredentials& renewed, const JwsSigner& key, Seconds since) {
    renewed.published = key.jwks();
    renewed.published_until = since + kFormerKeyPublished;
}

}  // namespace

// ---- the rule --------------------------------------------------------------------------------

void FormerTimes::changed(Seconds since, Seconds head_start) noexcept {
    ends_ = since + kFormerLife;
    former_first_ = head_start == 0 ? 0 : since + head_start;
    worked_ = false;
    ++generation_;
}

void FormerTimes::ended() noexcept {
    ends_ = 0;
    former_first_ = 0;
}

void FormerTimes::accepted(Credential which, bool after_refusal, Seconds now) noexcept {
    if (which == Credential::current) {
        worked_ = true;
        former_first_ = 0;
    } else if (after_refusal) {
        former_first_ = now + kFormerFirst;
    }
}

FormerTimes* RenewedCredentials::times_of(ClientAuth auth) noexcept {
    switch (auth) {
        case ClientAuth::automatic:
        case ClientAuth::basic:
        case ClientAuth::post:
        case ClientAuth::secret_jwt:
            return renews_secret ? &secret_times : nullptr;
        case ClientAuth::private_key_jwt:
            return renews_key ? &key_times : nullptr;
        case ClientAuth::file_assertion:
            return assertion.text.empty() ? nullptr : &assertion_times;
        case ClientAuth::tls:
        case ClientAuth::none:
            break;
    }
    return nullptr;
}

bool refuses_credential(const HttpResponse& response) {
    // What is given out is not read twice; too many requests and broken servers say nothing of the
    // client.
    if (response.status < 400 || response.status == 429 || response.status >= 500) {
        return false;
    }
    const Result<JsonPtr> json = json_answer(response);
    const std::string code = oauth_error(json ? json->get() : nullptr).code;
    // Keycloak calls it unauthorized_client.
    return code == "invalid_client" ||
           (response.status == 401 && (code.empty() || code == "unauthorized_client"));
}

Credential ClientTry::begin(const ProviderConfig& config, ClientAuth auth, Seconds now) noexcept {
    second_ = false;
    credential_ = Credential::current;
    if (const FormerTimes* times =
            config.renewed != nullptr ? config.renewed->times_of(auth) : nullptr) {
        credential_ = times->first(now);
        generation_ = times->generation();
    }
    return credential_;
}

bool ClientTry::again(const ProviderConfig& config, ClientAuth auth, const HttpOutcome& outcome,
                      Ports ports) {
    FormerTimes* times = config.renewed != nullptr ? config.renewed->times_of(auth) : nullptr;
    if (times == nullptr || !outcome) {
        return false;
    }
    const Seconds now = ports.clock.now();
    // Another change while the answer was on its way: what was tried is the current one no more.
    const bool changed = times->generation() != generation_;
    if (outcome->status >= 200 && outcome->status < 300) {
        if (!changed) {
            times->accepted(credential_, second_, now);
        }
        if (second_ && credential_ == Credential::former) {
            ports.log.note(Notice::former_credential, LogLevel::warn,
                           "provider " + in_quotes(config.name) + " refuses the renewed " +
                               file_of(auth) + " and accepts the one before, which is tried for " +
                               std::to_string(kFormerLife) +
                               " seconds after the change: change it at the provider as well");
        }
        return false;
    }
    if (second_ || !refuses_credential(*outcome)) {
        return false;
    }
    const Credential other =
        changed || credential_ == Credential::former ? Credential::current : Credential::former;
    if (other == Credential::former) {
        const Seconds expires = config.renewed->former_assertion.expires;
        if (!times->has_former(now) ||
            (auth == ClientAuth::file_assertion && expires != 0 && expires <= now)) {
            return false;
        }
    }
    second_ = true;
    credential_ = other;
    generation_ = times->generation();
    return true;
}

Error ClientTry::told(Error error) const {
    if (second_ && error.reason == Reason::token_client_auth) {
        error.detail += ", with the renewed credential and with the one before";
    }
    return error;
}

// ---- files -----------------------------------------------------------------------------------

Result<Secret> read_client_secret(std::string_view text, ClientAuth auth) {
    if (text.ends_with('\n')) {
        text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
    }
    if (text.empty()) {
        return malformed("it is empty");
    }
    if (auth == ClientAuth::secret_jwt && text.size() < kMinHmacSecret) {
        return malformed("client_secret_jwt needs a secret of at least " +
                         std::to_string(kMinHmacSecret) + " characters");
    }
    return Secret(text);
}

Result<FileAssertion> read_file_assertion(std::string_view text) {
    text = trim(text, is_space);
    if (text.empty()) {
        return malformed("it is empty");
    }
    if (text.size() > kMaxFileAssertion) {
        return malformed("it has more than " + std::to_string(kMaxFileAssertion) + " bytes");
    }
    const auto dots = std::count(text.begin(), text.end(), '.');
    if (dots != 2) {
        return malformed("it has " + std::to_string(dots + 1) +
                         " parts with dots between them, a signed JWT has 3");
    }
    const std::size_t first = text.find('.');
    const std::size_t second = text.rfind('.');
    const Result<JsonPtr> header = read_object(text.substr(0, first), "header");
    if (!header) {
        return header.error();
    }
    const Result<JsonPtr> claims =
        read_object(text.substr(first + 1, second - first - 1), "payload");
    if (!claims) {
        return claims.error();
    }
    const std::string_view signature = text.substr(second + 1);
    if (signature.empty() ||
        !std::all_of(signature.begin(), signature.end(), [](char c) { return is_base64url(c); })) {
        return malformed("its signature is not base64url");
    }
    const auto alg = json_string(header->get(), "alg");
    if (!alg || !*alg || (*alg)->empty() || equal_nocase(**alg, "none")) {
        return malformed("it is not signed, its header has no \"alg\" or \"none\"");
    }
    const auto exp = json_time(claims->get(), "exp");
    if (!exp) {
        return malformed("its \"exp\" is no time");
    }
    return FileAssertion{Secret(text), exp->value_or(0)};
}

// ---- changes ---------------------------------------------------------------------------------

bool renew_secret(ProviderConfig& config, Secret fresh, Seconds since) {
    if (equal_constant_time(config.client_secret.view(), fresh.view())) {
        return false;
    }
    RenewedCredentials& renewed = *config.renewed;
    const bool back = equal_constant_time(renewed.former_secret.view(), fresh.view());
    if (back || !renewed.secret_times.keeps_former(since)) {
        renewed.former_secret = std::move(config.client_secret);
    }
    config.client_secret = std::move(fresh);
    renewed.secret_times.changed(since);
    return true;
}

bool renew_key(ProviderConfig& config, std::shared_ptr<const JwsSigner> fresh, Seconds since) {
    if (same_key(config.client_key.get(), fresh.get())) {
        return false;
    }
    RenewedCredentials& renewed = *config.renewed;
    std::shared_ptr<const JwsSigner> former =
        same_key(renewed.former_key.get(), fresh.get()) || !renewed.key_times.keeps_former(since)
            ? config.client_key
            : renewed.former_key;
    if (former != nullptr) {
        publish_former(renewed, *former, since);  // before anything is moved: it may throw
    }
    renewed.former_key = std::move(former);
    config.client_key = std::move(fresh);
    renewed.key_times.changed(since, kKeyHeadStart);
    return true;
}

bool renew_assertion(ProviderConfig& config, FileAssertion fresh, Seconds since) {
    RenewedCredentials& renewed = *config.renewed;
    if (equal_constant_time(renewed.assertion.text.view(), fresh.text.view())) {
        return false;
    }
    renewed.former_assertion = std::move(renewed.assertion);
    renewed.assertion = std::move(fresh);
    renewed.assertion_times.changed(since);
    return true;
}

void drop_ended(ProviderConfig& config, Seconds now) noexcept {
    RenewedCredentials& renewed = *config.renewed;
    if (!renewed.secret_times.has_former(now)) {
        renewed.secret_times.ended();
        renewed.former_secret.clear();
    }
    if (!renewed.key_times.has_former(now)) {
        renewed.key_times.ended();
        renewed.former_key.reset();
    }
    if (now >= renewed.published_until) {
        renewed.published.clear();
    }
    if (!renewed.assertion_times.has_former(now)) {
        renewed.assertion_times.ended();
        renewed.former_assertion.text.clear();
    }
}

void forget_former(ProviderConfig& config, RenewedKind kind) noexcept {
    RenewedCredentials& renewed = *config.renewed;
    switch (kind) {
        case RenewedKind::secret:
            renewed.secret_times.ended();
            renewed.former_secret.clear();
            break;
        case RenewedKind::key:
            renewed.key_times.ended();
            renewed.former_key.reset();
            renewed.published.clear();
            break;
        case RenewedKind::assertion:
            renewed.assertion_times.ended();
            renewed.former_assertion.text.clear();
            break;
    }
}

// ---- use -------------------------------------------------------------------------------------

const JwsSigner& signing_key(const ProviderConfig& config, Seconds now) noexcept {
    const RenewedCredentials* renewed = config.renewed.get();
    return renewed != nullptr && renewed->former_key != nullptr &&
                   renewed->key_times.first(now) == Credential::former
               ? *renewed->former_key
               : *config.client_key;
}

bool publishes_keys(const ProviderConfig& config) noexcept {
    return config.client_key != nullptr || config.decrypter != nullptr;
}

std::string published_keys(const ProviderConfig& config, Seconds now) {
    std::string keys;
    const auto add = [&keys](std::string_view more) {
        keys.append(keys.empty() || more.empty() ? "" : ",").append(more);
    };
    if (config.client_key != nullptr) {
        add(keys_of(config.client_key->jwks()));
    }
    const RenewedCredentials* renewed = config.renewed.get();
    if (renewed != nullptr && !renewed->published.empty() && now < renewed->published_until) {
        add(keys_of(renewed->published));
    }
    if (config.decrypter != nullptr) {
        add(config.decrypter->jwk());
    }
    return R"({"keys":[)" + keys + "]}";
}

}  // namespace oidc
