// SPDX-License-Identifier: Apache-2.0
#include "oidc/token.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "oidc/client_assertion.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/oauth_error.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr Seconds kMaxExpiresIn = 10LL * 365 * 86400;

void add(Secret& body, std::string_view name, std::string_view value) {
    if (!body.empty()) {
        body.append("&");
    }
    body.append(name);
    body.append("=");
    append_form_encoded(body, value);
}

// The one before may have ended since it was chosen.
const Secret& secret_of(const ProviderConfig& config, Credential credential) {
    const Secret* former = credential == Credential::former ? former_secret(config) : nullptr;
    return former != nullptr ? *former : config.client_secret;
}

const JwsSigner& key_of(const ProviderConfig& config, Credential credential) {
    return credential == Credential::former && config.renewed->former_key != nullptr
               ? *config.renewed->former_key
               : *config.client_key;
}

// RFC 7521 4.2. The client id is not needed with it, but some providers look the client up by it.
Status add_assertion(Secret& body, ClientAuth auth, const ProviderConfig& config,
                     const ProviderState& provider, Ports ports, Credential credential) {
    const bool by_key = auth == ClientAuth::private_key_jwt;
    if (by_key && !config.client_key) {
        return fail(Reason::internal_error, "there is no key to authenticate the client with");
    }
    const Secret& secret = secret_of(config, credential);
    if (!by_key && secret.size() < kMinHmacSecret) {
        return client_auth_error("client_secret_jwt needs a secret of at least " +
                                 std::to_string(kMinHmacSecret) + " characters");
    }
    const Result<std::string> assertion =
        by_key
            ? client_assertion(config, provider, key_of(config, credential), ports)
            : client_assertion(config, provider, JwsSigner::hmac(Alg::HS256, secret.view()), ports);
    if (!assertion) {
        return assertion.error();
    }
    add(body, "client_assertion_type", kJwtBearer);
    add(body, "client_assertion", *assertion);
    return Unit{};
}

// A provider would refuse it, and say less.
Status add_file_assertion(Secret& body, const ProviderConfig& config, Ports ports,
                          Credential credential) {
    const RenewedCredentials& renewed = *config.renewed;
    const FileAssertion& assertion =
        credential == Credential::former && !renewed.former_assertion.text.empty()
            ? renewed.former_assertion
            : renewed.assertion;
    const Seconds now = ports.clock.now();
    if (assertion.expires != 0 && assertion.expires + config.clock_skew <= now) {
        return fail(Reason::token_client_auth,
                    "the assertion of client_assertion_file expired at " +
                        std::to_string(assertion.expires) + ", now is " + std::to_string(now) +
                        ": whoever renews the file has stopped",
                    "client_assertion_file");
    }
    add(body, "client_assertion_type", kJwtBearer);
    add(body, "client_assertion", assertion.text.view());
    return Unit{};
}

Secret basic_credentials(const ProviderConfig& config, const Secret& secret) {
    Secret pair;
    pair.reserve(3 * (config.client_id.size() + secret.size()) + 1);
    append_form_encoded(pair, config.client_id);
    pair.append(":");
    append_form_encoded(pair, secret.view());
    const Secret encoded = base64_encode(pair.view());
    Secret value;
    value.reserve(encoded.size() + 6);
    value.append("Basic ");
    value.append(encoded.view());
    return value;
}

Error malformed(std::string detail) {
    return fail(Reason::token_malformed, "token response: " + std::move(detail));
}

// An error of the OAuth protocol that is not about the client.
Error grant_error(const std::string& code, Grant grant, std::string detail) {
    // RFC 6749 5.2 does not have access_denied, but rules of a provider that a user no longer meets
    // are told by it (Pocket ID's groups, Auth0's Actions).
    if (code == "invalid_grant" || (grant == Grant::refresh && code == "access_denied")) {
        // A code is what the browser says it is: used, too old, invented.
        return grant == Grant::refresh
                   ? fail(Reason::refresh_denied, std::move(detail))
                   : fail(Reason::code_refused, std::move(detail), "redirect_uri");
    }
    return fail(Reason::token_error, std::move(detail), std::string(directive_of(code)));
}

// Every answer that is not a 200. `object` is null without a JSON body.
Error status_error(const HttpRequest& request, const HttpResponse& response, const json_t* object,
                   Grant grant) {
    const OauthError error = oauth_error(object);
    std::string detail = answered(request, response);
    if (!error.text.empty()) {
        detail += " with " + error.text;
    }
    // Too many requests and broken servers say nothing about the client (Authelia's 429 carries an
    // OAuth error as well).
    if (response.status == 429 || response.status >= 500) {
        return fail(Reason::token_status, std::move(detail));
    }
    // Some providers refuse a used code with 403, and one is told apart by its code only.
    if (is_client_error(response.status, error.code)) {
        return client_auth_error(std::move(detail));
    }
    if (!error.code.empty()) {
        return grant_error(error.code, grant, std::move(detail));
    }
    return fail(Reason::token_status, std::move(detail), std::string(request.endpoint));
}

// A token as the provider gave it. What jansson holds of it is wiped: its memory is freed as it is.
Result<Secret> take_token(json_t* object, const char* name) {
    const json_t* member = json_object_get(object, name);
    if (member == nullptr || json_is_null(member)) {
        return Secret();
    }
    if (!json_is_string(member)) {
        return malformed(std::string(name) + " is no string");
    }
    const std::string_view text(json_string_value(member), json_string_length(member));
    Secret token(text);
    cleanse(const_cast<char*>(text.data()), text.size());
    return token;
}

// Visible ASCII without quotation marks: it goes into an Authorization header.
bool is_token_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

// *VSCHAR as RFC 6749 has it, with the space. Such a token travels in forms alone.
bool is_vschar_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Seconds clamp_seconds(double value) {
    if (!(value > 0)) {
        return 0;
    }
    return value >= static_cast<double>(kMaxExpiresIn) ? kMaxExpiresIn
                                                       : static_cast<Seconds>(value);
}

// A number, or one in a string (Entra's older endpoints); clamped to what can be added to a time.
Result<std::optional<Seconds>> read_expires_in(const json_t* object) {
    const json_t* member = json_object_get(object, "expires_in");
    if (member == nullptr || json_is_null(member)) {
        return std::optional<Seconds>();
    }
    if (json_is_number(member)) {
        return std::optional<Seconds>(clamp_seconds(json_number_value(member)));
    }
    if (json_is_string(member)) {
        const std::string_view text(json_string_value(member), json_string_length(member));
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc::result_out_of_range && end == text.data() + text.size()) {
            return std::optional<Seconds>(text.front() == '-' ? 0 : kMaxExpiresIn);
        }
        if (error == std::errc() && end == text.data() + text.size()) {
            return std::optional<Seconds>(clamp_seconds(static_cast<double>(value)));
        }
    }
    return fail(Reason::malformed, "expires_in is no number");
}

// Text, or a list of words as some providers send it; anything else is of no use and ignored.
std::string read_scope(const json_t* object) {
    const json_t* member = json_object_get(object, "scope");
    if (json_is_string(member)) {
        return {json_string_value(member), json_string_length(member)};
    }
    std::string text;
    std::size_t index = 0;
    const json_t* word = nullptr;
    json_array_foreach(member, index, word) {
        if (json_is_string(word)) {
            text.append(text.empty() ? "" : " ").append(json_string_value(word));
        }
    }
    return text;
}

Status check_token_type(const json_t* object, bool dpop) {
    const json_t* member = json_object_get(object, "token_type");
    if (!json_is_string(member)) {
        return fail(Reason::token_type, "the token response has no token_type");
    }
    const std::string type(json_string_value(member), json_string_length(member));
    if (!equal_nocase(type, dpop ? "dpop" : "bearer")) {
        return fail(
            Reason::token_type,
            "token_type is \"" + type + "\", expected \"" + (dpop ? "DPoP" : "Bearer") + "\"",
            dpop ? "dpop_key" : "");
    }
    return Unit{};
}

Result<Secret> read_token(json_t* object, const char* name, bool (*is_text)(std::string_view)) {
    Result<Secret> token = take_token(object, name);
    if (token && !is_text(token->view())) {
        return malformed(std::string(name) + " has characters that no token may have");
    }
    return token;
}

Error no_access_token(const TokenNeeds& needs) {
    if (needs.access_token.empty()) {
        return malformed("there is no token in it");
    }
    Error error = malformed("there is no access_token, which " + needs.access_token + " needs");
    error.fix =
        "check scope: some providers (Azure AD B2C) give one only when their client id is in it";
    return error;
}

Result<TokenResponse> read_tokens(json_t* object, Grant grant, const TokenNeeds& needs) {
    Result<Secret> id_token = read_token(object, "id_token", is_token_text);
    Result<Secret> access_token = read_token(object, "access_token", is_token_text);
    Result<Secret> refresh_token = read_token(object, "refresh_token", is_vschar_text);
    if (!id_token || !access_token) {
        return !id_token ? std::move(id_token).error() : std::move(access_token).error();
    }
    TokenResponse tokens;
    if (!refresh_token && needs.refresh_token) {
        return std::move(refresh_token).error();
    }
    if (refresh_token) {
        tokens.refresh_token = *std::move(refresh_token);
    } else {
        tokens.left_out.push_back(refresh_token.error().detail);
    }
    tokens.id_token = *std::move(id_token);
    tokens.access_token = *std::move(access_token);
    if (!tokens.access_token.empty()) {
        if (Status status = check_token_type(object, needs.dpop); !status) {
            return std::move(status).error();
        }
    }
    if (const Result<std::optional<Seconds>> expires_in = read_expires_in(object); expires_in) {
        tokens.expires_in = *expires_in;
    } else {
        tokens.left_out.push_back("token response: " + expires_in.error().detail);
    }
    tokens.scope = read_scope(object);
    if (tokens.id_token.empty() && grant == Grant::code) {
        return fail(Reason::token_no_id_token, "the token response has no id_token", "scope");
    }
    if (tokens.access_token.empty() &&
        (!needs.access_token.empty() ||
         (tokens.id_token.empty() && tokens.refresh_token.empty()))) {
        return no_access_token(needs);
    }
    return tokens;
}

// For whom the access token is (RFC 8707 2.2).
void add_resources(std::vector<FormField>& fields, const ProviderConfig& config) {
    for (const std::string& resource : config.resource) {
        fields.push_back({"resource", resource});
    }
}

Result<HttpRequest> form_by(ClientAuth auth, const ProviderConfig& config,
                            const ProviderState& provider, std::string_view url,
                            std::string_view endpoint, std::string_view form, Ports ports,
                            Credential credential) {
    HttpRequest request;
    request.method = HttpRequest::Method::post;
    request.url = url;
    request.endpoint = endpoint;
    request.advertised = advertised_endpoint(provider.metadata, endpoint);
    request.headers.push_back({"Accept", "application/json"});
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    request.body.reserve(form.size() + 256 +
                         3 * (config.client_id.size() + config.client_secret.size()));
    request.body.append(form);
    const auto add_client_id = [&] {
        if (!query_argument(form, "client_id")) {
            add(request.body, "client_id", config.client_id);
        }
    };
    switch (auth) {
        case ClientAuth::basic:
        case ClientAuth::automatic:  // resolved long ago; the default of OIDC Core 9
            request.authorization = basic_credentials(config, secret_of(config, credential));
            break;
        case ClientAuth::post:
            add_client_id();
            add(request.body, "client_secret", secret_of(config, credential).view());
            break;
        case ClientAuth::secret_jwt:
        case ClientAuth::private_key_jwt:
            add_client_id();
            if (Status status =
                    add_assertion(request.body, auth, config, provider, ports, credential);
                !status) {
                return std::move(status).error();
            }
            break;
        case ClientAuth::file_assertion:
            add_client_id();
            if (Status status = add_file_assertion(request.body, config, ports, credential);
                !status) {
                return std::move(status).error();
            }
            break;
        case ClientAuth::tls:
            add_client_id();
            request.client_certificate = true;
            break;
        case ClientAuth::none:
            add_client_id();
            break;
    }
    return request;
}

Secret encoded(std::span<const FormField> fields) {
    Secret form;
    std::size_t size = 0;
    for (const FormField& field : fields) {
        size += field.name.size() + 3 * field.value.size() + 2;
    }
    form.reserve(size);
    for (const FormField& field : fields) {
        add(form, field.name, field.value);
    }
    return form;
}

}  // namespace

TokenNeeds token_needs(const ProviderConfig& config) {
    TokenNeeds needs;
    needs.access_token = config.userinfo            ? "userinfo"
                         : config.keep_access_token ? "$oidc_access_token"
                                                    : "";
    needs.dpop = config.dpop_key != nullptr;
    needs.refresh_token = config.keep_refresh_token || config.session_refresh;
    return needs;
}

Result<HttpRequest> client_form(const ProviderConfig& config, const ProviderState& provider,
                                std::string_view url, std::string_view endpoint,
                                std::string_view form, Ports ports, Credential credential) {
    return form_by(provider.client_auth, config, provider, url, endpoint, form, ports, credential);
}

Result<HttpRequest> client_request(const ProviderConfig& config, const ProviderState& provider,
                                   std::string_view url, std::string_view endpoint,
                                   std::span<const FormField> fields, Ports ports,
                                   Credential credential) {
    return client_request_by(provider.client_auth, config, provider, url, endpoint, fields, ports,
                             credential);
}

Result<HttpRequest> client_request_by(ClientAuth auth, const ProviderConfig& config,
                                      const ProviderState& provider, std::string_view url,
                                      std::string_view endpoint, std::span<const FormField> fields,
                                      Ports ports, Credential credential) {
    const Secret form = encoded(fields);
    return form_by(auth, config, provider, url, endpoint, form.view(), ports, credential);
}

Result<HttpRequest> token_request(const ProviderConfig& config, const ProviderState& provider,
                                  std::string_view code, std::string_view redirect_uri,
                                  std::string_view verifier, Ports ports, Credential credential) {
    std::vector<FormField> fields = {
        {"grant_type", "authorization_code"}, {"code", code}, {"redirect_uri", redirect_uri}};
    if (!verifier.empty()) {
        fields.push_back({"code_verifier", verifier});
    }
    add_resources(fields, config);
    return client_request(config, provider, provider.metadata.token_endpoint, "token_endpoint",
                          fields, ports, credential);
}

Result<HttpRequest> refresh_request(const ProviderConfig& config, const ProviderState& provider,
                                    std::string_view refresh_token, Ports ports,
                                    Credential credential) {
    std::vector<FormField> fields = {{"grant_type", "refresh_token"},
                                     {"refresh_token", refresh_token}};
    add_resources(fields, config);
    return client_request(config, provider, provider.metadata.token_endpoint, "token_endpoint",
                          fields, ports, credential);
}

Result<TokenResponse> parse_token_response(const HttpRequest& request, HttpOutcome outcome,
                                           Grant grant, const TokenNeeds& needs) {
    if (!outcome) {
        return std::move(outcome).error();
    }
    const HttpResponse& response = *outcome;
    if (Status status = refuse_redirect(request, response); !status) {
        return std::move(status).error();
    }
    const Result<JsonPtr> json = json_answer(response);
    if (response.status != 200) {
        return status_error(request, response, json ? json->get() : nullptr, grant);
    }
    if (!json) {
        return malformed(json.error().detail);
    }
    if (const OauthError error = oauth_error(json->get()); !error.text.empty()) {
        std::string detail = answered(request, response) + " with " + error.text;
        if (is_client_error(response.status, error.code)) {
            return client_auth_error(std::move(detail));
        }
        return grant_error(error.code, grant, std::move(detail));
    }
    return read_tokens(json->get(), grant, needs);
}

}  // namespace oidc
