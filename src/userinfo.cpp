// SPDX-License-Identifier: Apache-2.0
#include "oidc/userinfo.hpp"

#include <array>
#include <utility>

#include "oidc/client_credentials.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jws.hpp"
#include "oidc/oauth_error.hpp"

namespace oidc {
namespace {

Error malformed(std::string detail) {
    return fail(Reason::userinfo_malformed, "userinfo: " + std::move(detail));
}

bool is_json_type(std::string_view type) {
    return type == "application/json" ||
           (type.starts_with("application/") && type.ends_with("+json"));
}

// A string or a list of strings, one of which is `wanted`.
bool names(const json_t* value, std::string_view wanted) {
    if (json_is_string(value)) {
        return wanted == std::string_view(json_string_value(value), json_string_length(value));
    }
    std::size_t index = 0;
    const json_t* entry = nullptr;
    json_array_foreach(value, index, entry) {
        if (json_is_string(entry) && names(entry, wanted)) {
            return true;
        }
    }
    return false;
}

// iss, aud and times of a signed response, each when it is there (OIDC Core 5.3.2).
Status check_signed(const json_t* claims, const ProviderConfig& config, Seconds now,
                    const std::string& issuer) {
    const json_t* iss = json_object_get(claims, "iss");
    if (iss != nullptr && !names(iss, issuer)) {
        return malformed("iss is " + json_text(iss) + ", expected \"" + issuer + "\"");
    }
    const json_t* aud = json_object_get(claims, "aud");
    if (aud != nullptr && !names(aud, config.client_id)) {
        return malformed("aud is " + json_text(aud) + ", expected \"" + config.client_id + "\"");
    }
    Result<std::optional<std::int64_t>> exp = json_time(claims, "exp");
    Result<std::optional<std::int64_t>> nbf = json_time(claims, "nbf");
    if (!exp || !nbf) {
        return malformed(!exp ? exp.error().detail : nbf.error().detail);
    }
    if (*exp && **exp + config.clock_skew <= now) {
        return malformed("expired at " + std::to_string(**exp) + ", now is " + std::to_string(now));
    }
    if (*nbf && **nbf - config.clock_skew > now) {
        return malformed("not valid before " + std::to_string(**nbf) + ", now is " +
                         std::to_string(now));
    }
    return Unit{};
}

Result<JsonPtr> read_jwt(std::string_view text, const ProviderConfig& config,
                         const ProviderState& provider, Seconds now, const std::string& issuer) {
    static constexpr std::array<std::string_view, 1> kTypes = {"jwt"};
    VerifyOptions options;
    options.allowed = provider.algs;
    options.keys = &provider.keys;
    options.shared_secret = &config.client_secret;
    options.former_secret = former_secret(config);
    options.accepted_typ = kTypes;
    options.max_bytes = 256 * 1024;
    options.tenants = &config;
    Result<VerifiedJwt> jwt = verify_jws(text, options);
    if (!jwt) {
        Error error = std::move(jwt).error();
        error.detail.insert(0, "userinfo: ");
        return error;
    }
    if (Status status = check_signed(jwt->payload.get(), config, now, issuer); !status) {
        return std::move(status).error();
    }
    return std::move(jwt->payload);
}

Result<JsonPtr> read_claims(const HttpResponse& response, const ProviderConfig& config,
                            const ProviderState& provider, Seconds now, const std::string& issuer) {
    if (response.content_type == "application/jwt") {
        return read_jwt(response.body.view(), config, provider, now, issuer);
    }
    if (!is_json_type(response.content_type)) {
        return malformed("content type \"" + response.content_type +
                         "\" is neither application/json nor application/jwt");
    }
    Result<JsonPtr> json = json_parse_object(response.body.view());
    if (!json) {
        return malformed(json.error().detail);
    }
    return json;
}

Status check_sub(const json_t* claims, std::string_view expected) {
    Result<std::optional<std::string_view>> sub = json_string(claims, "sub");
    if (!sub || !*sub) {
        return fail(Reason::userinfo_sub,
                    "userinfo has no sub, expected \"" + std::string(expected) + "\"");
    }
    if (expected.empty() || **sub != expected) {
        return fail(Reason::userinfo_sub, "sub of userinfo is \"" + std::string(**sub) +
                                              "\", that of the id token \"" +
                                              std::string(expected) + "\"");
    }
    return Unit{};
}

}  // namespace

Status check_userinfo_endpoint(const ProviderConfig& config, const ProviderState& provider) {
    if (config.userinfo && provider.metadata.userinfo_endpoint.empty()) {
        return fail(Reason::metadata_invalid,
                    "userinfo is on, but neither the metadata nor the configuration gives a "
                    "userinfo_endpoint",
                    "userinfo_endpoint");
    }
    return Unit{};
}

HttpRequest userinfo_request(const ProviderState& provider, std::string_view access_token,
                             std::string_view scheme, TokenMethod method) {
    HttpRequest request;
    request.url = provider.metadata.userinfo_endpoint;
    request.endpoint = "userinfo_endpoint";
    request.advertised = advertised_endpoint(provider.metadata, request.endpoint);
    request.headers.push_back({"Accept", "application/json, application/jwt"});
    // A token may be bound to the certificate (RFC 8705 3).
    request.client_certificate = provider.client_auth == ClientAuth::tls;
    if (method == TokenMethod::body) {
        request.method = HttpRequest::Method::post;
        request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
        request.body.append("access_token=");
        append_form_encoded(request.body, access_token);
        return request;
    }
    request.authorization.reserve(access_token.size() + 7);
    request.authorization.append(scheme);
    request.authorization.append(" ");
    request.authorization.append(access_token);
    return request;
}

Result<UserInfo> parse_userinfo(const HttpRequest& request, HttpOutcome outcome,
                                const ProviderConfig& config, const ProviderState& provider,
                                std::string_view expected_sub, Seconds now,
                                std::string_view expected_iss) {
    if (!outcome) {
        return std::move(outcome).error();
    }
    const HttpResponse& response = *outcome;
    if (Status status = refuse_redirect(request, response); !status) {
        return std::move(status).error();
    }
    if (response.status != 200) {
        std::string detail = answered(request, response);
        if (const OauthError error = challenge_error(response.authenticate); !error.text.empty()) {
            detail += " with " + error.text;
        }
        const bool denied = response.status == 401 || response.status == 403;
        return fail(denied ? Reason::userinfo_denied : Reason::userinfo_status, std::move(detail),
                    denied                   ? "scope"
                    : response.status == 404 ? "userinfo_endpoint"
                                             : "");
    }
    Result<JsonPtr> claims =
        read_claims(response, config, provider, now,
                    expected_iss.empty() ? config.issuer : std::string(expected_iss));
    if (!claims) {
        return std::move(claims).error();
    }
    if (Status status = check_sub(claims->get(), expected_sub); !status) {
        return std::move(status).error();
    }
    UserInfo info;
    if (config.keep_userinfo) {
        info.text = json_text(claims->get());
    }
    info.claims = *std::move(claims);
    return info;
}

}  // namespace oidc
