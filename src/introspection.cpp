// SPDX-License-Identifier: Apache-2.0
#include "oidc/introspection.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/jwt_claims.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/session.hpp"
#include "oidc/text.hpp"
#include "oidc/token.hpp"

namespace oidc {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kSignedType = "application/token-introspection+jwt";

Error malformed(std::string detail) {
    return fail(Reason::introspection_malformed, "introspection: " + std::move(detail),
                "introspection_endpoint");
}

// An error of another check, of the provider's answer.
Error malformed(Error error) {
    error.reason = Reason::introspection_malformed;
    error.detail.insert(0, "introspection: ");
    return error;
}

Error not_active(std::string detail) {
    return fail(Reason::token_not_active, std::move(detail));
}

// Every answer that is not a 200.
Error status_error(const HttpRequest& request, const HttpResponse& response) {
    const Result<JsonPtr> json = json_answer(response);
    const OauthError error = oauth_error(json ? json->get() : nullptr);
    std::string detail = answered(request, response);
    if (!error.text.empty()) {
        detail += " with " + error.text;
    }
    const bool overloaded = response.status == 429 || response.status >= 500;
    if (!overloaded && is_client_error(response.status, error.code)) {
        return client_auth_error(std::move(detail));
    }
    return fail(Reason::introspection_unavailable, std::move(detail),
                overloaded ? "" : "introspection_endpoint");
}

// RFC 9701 5. The member token_introspection takes the place of the whole.
Result<JsonPtr> read_signed(std::string_view text, const ProviderConfig& config,
                            const ProviderState& provider, Seconds now) {
    static constexpr std::array<std::string_view, 1> kTypes = {"token-introspection+jwt"};
    VerifyOptions options;
    options.allowed = provider.introspection_algs;
    options.keys = &provider.keys;
    options.accepted_typ = kTypes;
    options.typ_required = true;
    options.max_bytes = 2 * kMaxIntrospection;
    options.tenants = &config;
    Result<VerifiedJwt> jwt = verify_jws(text, options);
    if (!jwt) {
        return std::move(jwt).error();  // the flow may ask for newer keys
    }
    constexpr Reason kReason = Reason::introspection_malformed;
    const json_t* claims = jwt->payload.get();
    if (Status status = check_issuer(claims, config, kReason); !status) {
        return malformed(std::move(status).error());
    }
    if (auto audience = check_audience(claims, config, kReason); !audience) {
        return malformed(std::move(audience).error());
    }
    const auto iat = json_time(claims, "iat");
    const auto exp = json_time(claims, "exp");
    if (!iat || !exp) {
        return malformed(!iat ? iat.error().detail : exp.error().detail);
    }
    if (!*iat) {
        return malformed(missing_claim(kReason, "iat"));
    }
    if (Status status = check_not_future("iat", *iat, now, config, kReason); !status) {
        return malformed(std::move(status).error());
    }
    if (Status status = check_not_expired(*exp, now, config, kReason); !status) {
        return malformed(std::move(status).error());
    }
    json_t* answer = json_object_get(claims, "token_introspection");
    if (!json_is_object(answer)) {
        return malformed("the signed answer has no object token_introspection");
    }
    return JsonPtr(json_incref(answer));
}

Result<JsonPtr> read_answer(const HttpResponse& response, const ProviderConfig& config,
                            const ProviderState& provider, Seconds now) {
    if (response.content_type == kSignedType) {
        return read_signed(response.body.view(), config, provider, now);
    }
    if (response.content_type != kJsonType) {
        return malformed("content type " + in_quotes(response.content_type) + " is neither " +
                         std::string(kJsonType) + " nor " + std::string(kSignedType));
    }
    if (config.introspection_signed) {
        return malformed("the answer is not signed, and introspection_signed is on");
    }
    Result<JsonPtr> json =
        json_parse_object(response.body.view(), {kMaxIntrospection, kMaxIntrospectionDepth});
    if (!json) {
        return malformed(json.error().detail);
    }
    return json;
}

// What is no text is a provider's fault.
Result<std::string_view> text_of(const json_t* claims, const char* name) {
    const auto text = json_string(claims, name);
    if (!text) {
        return malformed(text.error().detail);
    }
    return text->value_or(std::string_view{});
}

// Refresh and ID tokens are "active" as well, and no key to an API.
Status check_use(const json_t* claims) {
    const auto type = text_of(claims, "token_type");
    const auto use = text_of(claims, "token_use");
    if (!type || !use) {
        return !type ? type.error() : use.error();
    }
    constexpr std::array<std::string_view, 3> kTypes = {"bearer", "dpop", "access_token"};
    if (!type->empty() && std::none_of(kTypes.begin(), kTypes.end(), [&](std::string_view known) {
            return equal_nocase(*type, known);
        })) {
        return not_active("its token_type is " + in_quotes(*type) + ", no access token's");
    }
    if (!use->empty() && *use != "access_token") {
        return not_active("its token_use is " + in_quotes(*use) + ", not \"access_token\"");
    }
    return Unit{};
}

Result<AccessToken> read_claims(JsonPtr claims, const ProviderConfig& config, Seconds now) {
    const json_t* active = json_object_get(claims.get(), "active");
    if (!json_is_boolean(active)) {
        return malformed("\"active\" is " + (active == nullptr ? "missing" : json_text(active)) +
                         ", neither true nor false");
    }
    if (!json_is_true(active)) {
        return not_active("the provider says that it is not active");
    }
    if (Status status = check_use(claims.get()); !status) {
        return std::move(status).error();
    }
    if (Status status = check_token_kind(claims.get()); !status) {
        return std::move(status).error();
    }
    json_object_del(claims.get(), "active");
    const bool says_dpop = equal_nocase(*text_of(claims.get(), "token_type"), "dpop");
    const bool has_audience = json_object_get(claims.get(), "aud") != nullptr;
    constexpr std::array<std::string_view, 5> kOptional = {"iss", "exp", "iat", "client_id", "aud"};
    Result<AccessToken> token = read_access_token(std::move(claims), config, now, kOptional);
    if (!token) {
        return token;
    }
    if (says_dpop && token->binding.jkt.empty()) {
        return fail(Reason::access_token_binding,
                    "its token_type is DPoP, and no \"jkt\" in \"cnf\" says to which key it is "
                    "bound");
    }
    if (has_audience && token->audiences.empty()) {
        return fail(Reason::access_token_aud, "aud names nobody");
    }
    if (!has_audience && !token->client_id.empty()) {
        token->audiences.push_back(token->client_id);
    }
    return token;
}

// A claim of a record as it was in the answer.
JsonPtr claim_of(const SessionView::Entry& claim) {
    const std::string json = claim.json.empty() ? json_quote(claim.text) : std::string(claim.json);
    Result<JsonPtr> whole = json_parse_object("{\"value\":" + json + "}");
    return JsonPtr(whole ? json_incref(json_object_get(whole->get(), "value")) : nullptr);
}

// The thumbprints of "cnf", which were looked at when the record was made. False: it has none.
bool read_binding(const json_t* cnf, TokenBinding& binding) {
    for (const auto& [name, out] : {std::pair{"jkt", &binding.jkt}, {"x5t#S256", &binding.x5t}}) {
        const auto text = json_string(cnf, name);
        *out = text && *text ? std::string(**text) : std::string();
    }
    return !binding.jkt.empty() || !binding.x5t.empty();
}

// False: it has none.
bool read_audiences(const json_t* aud, std::vector<std::string>& audiences) {
    if (json_is_string(aud)) {
        audiences.emplace_back(json_string_value(aud), json_string_length(aud));
        return true;
    }
    std::size_t i = 0;
    json_t* one = nullptr;
    json_array_foreach(const_cast<json_t*>(aud), i, one) {
        if (!json_is_string(one)) {
            return false;
        }
        audiences.emplace_back(json_string_value(one), json_string_length(one));
    }
    return !audiences.empty();
}

}  // namespace

bool is_verdict(Reason reason) noexcept {
    switch (reason) {
        case Reason::token_not_active:
        case Reason::access_token_typ:
        case Reason::access_token_iss:
        case Reason::access_token_aud:
        case Reason::access_token_exp:
        case Reason::access_token_iat:
        case Reason::access_token_claim:
        case Reason::access_token_binding:
            return true;
        default:
            return false;
    }
}

Digest introspection_key(const ProviderConfig& config, std::string_view token) {
    // Of lists and of how long they are, so that no two have the same text.
    std::string read;
    const auto add = [&read](const std::vector<std::string>& list) {
        read.append(std::to_string(list.size())).append(":");
        for (const std::string& text : list) {
            read.append(std::to_string(text.size())).append(":").append(text);
        }
    };
    add(config.username_claim);
    for (const auto& path : config.claim_paths) {
        add(path);
    }
    if (!config.tenants.empty()) {
        add(config.tenants);
    }
    read += config.keep_access_token ? "+" : "-";
    read += config.introspection_signed ? "+" : "-";
    return sha256_fields(
        {"introspection", config.name, config.issuer, config.client_id, read, token});
}

Error introspection_error(Error error) {
    if (is_verdict(error.reason)) {
        return error;
    }
    Reason reason = Reason::introspection_unavailable;
    switch (error.reason) {
        case Reason::introspection_unavailable:
        case Reason::introspection_malformed:
            return error;
        case Reason::jwt_malformed:
        case Reason::jwt_encrypted:
        case Reason::jwt_alg:
        case Reason::jwt_crit:
        case Reason::jwt_typ:
        case Reason::jwt_key_unknown:
        case Reason::jwt_signature:
            error.fix.clear();  // of ID tokens
            [[fallthrough]];
        case Reason::session_too_large:
            reason = Reason::introspection_malformed;
            break;
        default:
            break;
    }
    error.detail.insert(0, std::string(reason_info(error.reason).code) + ": ");
    error.reason = reason;
    return error;
}

Result<HttpRequest> Question::begin(std::shared_ptr<const ProviderState> provider, Ports ports) {
    provider_ = std::move(provider);
    if (provider_->metadata.introspection_endpoint.empty()) {
        return fail(Reason::introspection_unavailable,
                    "neither the metadata nor the configuration gives an introspection_endpoint",
                    "introspection_endpoint");
    }
    if (provider_->introspection_auth == ClientAuth::none) {
        return fail(Reason::introspection_unavailable,
                    "the client has nothing to authenticate itself with", "client_secret");
    }
    client_.begin(config_, provider_->introspection_auth, ports.clock.now());
    return request(ports);
}

Result<HttpRequest> Question::request(Ports ports) const {
    const std::array<FormField, 2> fields = {
        {{"token", token_.view()}, {"token_type_hint", "access_token"}}};
    auto request = client_request_by(provider_->introspection_auth, config_, *provider_,
                                     provider_->metadata.introspection_endpoint,
                                     "introspection_endpoint", fields, ports, client_.credential());
    if (!request) {
        return request;
    }
    request->max_response = kMaxIntrospection;
    if (config_.introspection_signed) {
        for (Header& header : request->headers) {
            if (header.name == "Accept") {
                header.value = kSignedType;
            }
        }
    }
    return request;
}

bool Question::again(const HttpOutcome& outcome, Ports ports) {
    return client_.again(config_, provider_->introspection_auth, outcome, ports);
}

Result<AccessToken> parse_introspection(const HttpRequest& request, const HttpOutcome& outcome,
                                        const ProviderConfig& config, const ProviderState& provider,
                                        Seconds now) {
    if (!outcome) {
        return outcome.error();
    }
    if (Status status = refuse_redirect(request, *outcome); !status) {
        return std::move(status).error();
    }
    if (outcome->status != 200) {
        return status_error(request, *outcome);
    }
    Result<JsonPtr> answer = read_answer(*outcome, config, provider, now);
    if (!answer) {
        return std::move(answer).error();
    }
    return read_claims(*std::move(answer), config, now);
}

std::optional<AccessTokenRecord> open_token_record(std::string_view record) {
    AccessTokenRecord token;
    token.record = Secret(record);
    const auto view = SessionView::open(token.record.view());
    if (!view) {
        return std::nullopt;
    }
    token.exp = view->access_expires();
    // One that cannot be read is no record: without it the token would be bound to nothing.
    for (std::uint32_t i = 0; i < view->claim_count(); ++i) {
        const SessionView::Entry claim = view->claim_at(i);
        if ((claim.name == "cnf" && !read_binding(claim_of(claim).get(), token.binding)) ||
            (claim.name == "aud" && !read_audiences(claim_of(claim).get(), token.audiences))) {
            return std::nullopt;
        }
    }
    if (const auto client = view->claim("client_id"); token.audiences.empty() && client) {
        token.audiences.emplace_back(*client);
    }
    return token;
}

}  // namespace oidc
