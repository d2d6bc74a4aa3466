// SPDX-License-Identifier: Apache-2.0
#include "oidc/metadata.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "oidc/authz_request.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/id_token.hpp"
#include "oidc/json.hpp"
#include "oidc/uri.hpp"

namespace oidc {
namespace {

constexpr std::size_t kMaxDocument = 256 * 1024;

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

Error invalid(std::string detail, std::string_view fix = "config_url") {
    return fail(Reason::metadata_invalid, std::move(detail), std::string(fix));
}

struct Endpoint {
    const char* name;  // of the directive and of the metadata member
    std::string Metadata::*target;
    const std::string ProviderConfig::*configured;
    bool required;
};

constexpr std::array<Endpoint, 8> kEndpoints = {{
    {"authorization_endpoint", &Metadata::authorization_endpoint,
     &ProviderConfig::authorization_endpoint, true},
    {"token_endpoint", &Metadata::token_endpoint, &ProviderConfig::token_endpoint, true},
    {"jwks_uri", &Metadata::jwks_uri, &ProviderConfig::jwks_uri, true},
    {"userinfo_endpoint", &Metadata::userinfo_endpoint, &ProviderConfig::userinfo_endpoint, false},
    {"end_session_endpoint", &Metadata::end_session_endpoint, &ProviderConfig::end_session_endpoint,
     false},
    {"revocation_endpoint", &Metadata::revocation_endpoint, &ProviderConfig::revocation_endpoint,
     false},
    {"pushed_authorization_request_endpoint", &Metadata::pushed_authorization_request_endpoint,
     &ProviderConfig::pushed_authorization_request_endpoint, false},
    {"introspection_endpoint", &Metadata::introspection_endpoint,
     &ProviderConfig::introspection_endpoint, false},
}};

// Whether something is switched on that cannot do without the endpoint.
bool is_asked_for(const Endpoint& endpoint, const ProviderConfig& config,
                  const Metadata& metadata) {
    return endpoint.required ||
           (endpoint.target == &Metadata::pushed_authorization_request_endpoint &&
            use_par(config, metadata)) ||
           (endpoint.target == &Metadata::userinfo_endpoint && config.userinfo) ||
           (endpoint.target == &Metadata::revocation_endpoint && config.revoke_on_logout) ||
           (endpoint.target == &Metadata::introspection_endpoint && config.introspection);
}

// mtls_endpoint_aliases (RFC 8705 5), for a client that brings a certificate: the address of an
// endpoint that asks for it. Empty: there is none, and the usual one asks.
Result<std::string> alias_value(const Endpoint& endpoint, const json_t* document,
                                const ProviderConfig& config) {
    const json_t* aliases = json_object_get(document, "mtls_endpoint_aliases");
    if (config.client_auth != ClientAuth::tls || aliases == nullptr || json_is_null(aliases)) {
        return std::string();
    }
    if (!json_is_object(aliases)) {
        return invalid("metadata: mtls_endpoint_aliases is no object", endpoint.name);
    }
    const Result<std::optional<std::string_view>> member = json_string(aliases, endpoint.name);
    if (!member) {
        return invalid("metadata: mtls_endpoint_aliases: " + member.error().detail, endpoint.name);
    }
    return std::string(member->value_or(std::string_view()));
}

// Of those that we call ourselves.
bool may_have_alias(const Endpoint& endpoint) {
    return endpoint.target == &Metadata::token_endpoint ||
           endpoint.target == &Metadata::userinfo_endpoint ||
           endpoint.target == &Metadata::revocation_endpoint ||
           endpoint.target == &Metadata::introspection_endpoint ||
           endpoint.target == &Metadata::pushed_authorization_request_endpoint;
}

// The configured value, else the document's; empty: neither has one.
Result<std::string> endpoint_value(const Endpoint& endpoint, const json_t* document,
                                   const ProviderConfig& config, Metadata& metadata) {
    std::vector<std::string>& left_out = metadata.left_out;
    std::string value = config.*endpoint.configured;
    if (value.empty() && may_have_alias(endpoint) && is_asked_for(endpoint, config, metadata)) {
        Result<std::string> alias = alias_value(endpoint, document, config);
        if (!alias) {
            return alias;
        }
        value = *std::move(alias);
    }
    if (value.empty() && document != nullptr) {
        Result<std::optional<std::string_view>> member = json_string(document, endpoint.name);
        if (!member && is_asked_for(endpoint, config, metadata)) {
            return invalid("metadata: " + member.error().detail, endpoint.name);
        }
        if (!member) {
            left_out.push_back(member.error().detail);
            return std::string();
        }
        if (!*member) {
            return std::string();
        }
        value = **member;
    } else if (value.empty()) {
        return std::string();
    }
    Result<Url> url = parse_endpoint(value, endpoint.name, config.insecure_http);
    if (!url) {
        return invalid(std::move(url).error().detail, endpoint.name);
    }
    return value;
}

// Whether the member is there, and one; if so its value is in `out`.
template <class T>
bool read_optional(Result<std::optional<T>> member, T& out, std::vector<std::string>& left_out) {
    if (!member) {
        left_out.push_back(member.error().detail);
        return false;
    }
    if (!*member) {
        return false;
    }
    out = **std::move(member);
    return true;
}

// What the document would have said, for whoever finds that the configured address is wrong.
void note_overridden(const Endpoint& endpoint, const json_t* document, const std::string& used,
                     const ProviderConfig& config, Metadata& metadata) {
    if (document == nullptr || config.*endpoint.configured != used) {
        return;
    }
    const Result<std::optional<std::string_view>> member = json_string(document, endpoint.name);
    if (member && *member && **member != used) {
        metadata.overridden.push_back({endpoint.name, std::string(**member)});
    }
}

// What nobody can sign in without there.
void read_demands(const json_t* document, const ProviderConfig& config, Metadata& metadata) {
    read_optional(json_bool(document, "require_pushed_authorization_requests"),
                  metadata.par_required, metadata.left_out);
    if (metadata.par_required && config.par == Toggle::off) {
        metadata.demands.emplace_back("pushed authorization requests (RFC 9126), and par is off");
    }
    read_optional(json_bool(document, "require_signed_request_object"),
                  metadata.request_object_required, metadata.left_out);
    if (metadata.request_object_required && !use_request_object(config, metadata)) {
        metadata.demands.emplace_back(
            config.request_object == Toggle::off
                ? "signed request objects (RFC 9101), and request_object is off"
                : "signed request objects (RFC 9101), and there is no client_key");
    }
}

Status read_endpoints(const json_t* document, const ProviderConfig& config, Metadata& metadata) {
    for (const Endpoint& endpoint : kEndpoints) {
        const bool keys_given = endpoint.target == &Metadata::jwks_uri && !config.jwks_text.empty();
        // What nobody uses cannot be wrong.
        const bool unused =
            (endpoint.target == &Metadata::revocation_endpoint && !config.revoke_on_logout) ||
            (endpoint.target == &Metadata::introspection_endpoint && !config.introspection) ||
            (endpoint.target == &Metadata::pushed_authorization_request_endpoint &&
             config.par == Toggle::off);
        if (keys_given || unused) {
            continue;
        }
        Result<std::string> value = endpoint_value(endpoint, document, config, metadata);
        if (!value) {
            return std::move(value).error();
        }
        const bool pushed = endpoint.target == &Metadata::pushed_authorization_request_endpoint;
        if (value->empty() && (endpoint.required || (pushed && use_par(config, metadata)))) {
            return invalid(
                std::string(document != nullptr ? "the metadata has no " : "nothing gives a ") +
                    endpoint.name,
                endpoint.name);
        }
        note_overridden(endpoint, document, *value, config, metadata);
        metadata.*endpoint.target = *std::move(value);
    }
    // A query of its own is kept (RFC 6749 section 3.1), unless it would repeat what we add.
    const std::string& url = metadata.authorization_endpoint;
    const std::size_t question = url.find('?');
    if (question != std::string::npos) {
        const std::string_view query = std::string_view(url).substr(question + 1);
        if (Status status = check_extra_auth_args(query); !status) {
            return invalid("authorization_endpoint \"" + url +
                               "\" sets an argument of the authorization request itself",
                           "authorization_endpoint");
        }
    }
    return Unit{};
}

Status check_issuer(const json_t* document, const ProviderConfig& config) {
    Result<std::optional<std::string_view>> issuer = json_string(document, "issuer");
    if (!issuer) {
        return invalid("metadata: " + issuer.error().detail);
    }
    if (!*issuer) {
        return fail(Reason::metadata_issuer, "the metadata has no issuer", "config_url");
    }
    const std::string said(**issuer);
    if (said == config.issuer) {
        return Unit{};
    }
    std::string detail =
        "the metadata is of issuer \"" + said + "\", configured is \"" + config.issuer + "\"";
    if (said + "/" == config.issuer || said == config.issuer + "/") {
        detail += ", they differ in the final slash only";
        return fail(Reason::metadata_issuer, std::move(detail), "issuer " + said);
    }
    return fail(Reason::metadata_issuer, std::move(detail),
                config.tenants.empty() ? "issuer" : "issuer_template");
}

Status read_document(const json_t* document, const ProviderConfig& config, Metadata& metadata) {
    if (Status status = check_issuer(document, config); !status) {
        return status;
    }
    std::vector<std::string>& left_out = metadata.left_out;
    read_optional(json_strings(document, "token_endpoint_auth_methods_supported"),
                  metadata.token_endpoint_auth_methods, left_out);
    read_optional(json_strings(document, "id_token_signing_alg_values_supported"),
                  metadata.id_token_signing_algs, left_out);
    read_optional(json_strings(document, "authorization_signing_alg_values_supported"),
                  metadata.authorization_signing_algs, left_out);
    if (config.introspection) {
        read_optional(json_strings(document, "introspection_endpoint_auth_methods_supported"),
                      metadata.introspection_auth_methods, left_out);
        read_optional(json_strings(document, "introspection_signing_alg_values_supported"),
                      metadata.introspection_signing_algs, left_out);
    }
    metadata.code_challenge_methods_said =
        read_optional(json_strings(document, "code_challenge_methods_supported"),
                      metadata.code_challenge_methods, left_out);
    read_optional(json_bool(document, "authorization_response_iss_parameter_supported"),
                  metadata.response_iss_supported, left_out);
    read_demands(document, config, metadata);
    return Unit{};
}

HttpRequest get(std::string url, std::string_view directive) {
    HttpRequest request;
    request.url = std::move(url);
    request.endpoint = directive;
    request.headers.push_back({"Accept", "application/json"});
    request.max_response = kMaxDocument;
    return request;
}

// A JSON object behind a 200. The media type is not asked for: key sets are often static files
// whose server knows no better, and what is no JSON is found out anyway.
Result<std::string> document_text(const HttpRequest& request, HttpOutcome outcome,
                                  Reason unavailable, Reason unusable) {
    if (!outcome) {
        return std::move(outcome).error();
    }
    if (Status status = refuse_redirect(request, *outcome); !status) {
        return std::move(status).error();
    }
    const std::string where = std::string(request.endpoint) + " \"" + request.url + "\"";
    const std::string fix(request.endpoint);
    if (outcome->status != 200) {
        return fail(unavailable, answered(request, *outcome), fix);
    }
    const std::string_view text = outcome->body.view();
    if (Result<JsonPtr> json = json_parse_object(text, {.max_bytes = kMaxDocument}); !json) {
        return fail(unusable,
                    where + " is no JSON object (content type \"" + outcome->content_type +
                        "\"): " + json.error().detail,
                    fix);
    }
    return std::string(text);
}

// What the metadata say of such answers (RFC 9701 7), else what they are said to sign with.
std::vector<Alg> introspection_algs(const Metadata& metadata, const std::vector<Alg>& others) {
    std::vector<Alg> algs;
    if (metadata.introspection_signing_algs.empty()) {
        std::copy_if(others.begin(), others.end(), std::back_inserter(algs),
                     [](Alg alg) { return !alg_is_symmetric(alg); });
    }
    return algs.empty() ? asymmetric_algs(metadata.introspection_signing_algs) : algs;
}

}  // namespace

Result<Metadata> parse_metadata(const std::string_view* document, const ProviderConfig& config) {
    Metadata metadata;
    JsonPtr json;
    if (document != nullptr) {
        Result<JsonPtr> parsed = json_parse_object(*document, {.max_bytes = kMaxDocument});
        if (!parsed) {
            return invalid("metadata: " + parsed.error().detail);
        }
        json = *std::move(parsed);
        if (Status status = read_document(json.get(), config, metadata); !status) {
            return std::move(status).error();
        }
    }
    if (Status status = read_endpoints(json.get(), config, metadata); !status) {
        return std::move(status).error();
    }
    return metadata;
}

std::string advertised_endpoint(const Metadata& metadata, std::string_view endpoint) {
    const auto& all = metadata.overridden;
    const auto found = std::find_if(all.begin(), all.end(), [endpoint](const auto& overridden) {
        return overridden.endpoint == endpoint;
    });
    return found == all.end() ? std::string() : found->url;
}

std::vector<std::string> internal_endpoints(const Metadata& metadata,
                                            const ProviderConfig& config) {
    std::vector<std::string> found;
    const Result<Url> issuer = parse_url(config.issuer);
    for (const Endpoint& endpoint : kEndpoints) {
        const std::string& value = metadata.*endpoint.target;
        if (value.empty() || value == config.*endpoint.configured) {
            continue;
        }
        const Result<Url> url = parse_url(value);
        if (url && is_internal_host(url->host) && (!issuer || url->host != issuer->host)) {
            found.push_back(std::string(endpoint.name).append(" \"").append(value).append("\""));
        }
    }
    return found;
}

bool use_pkce(const ProviderConfig& config, const Metadata& metadata) noexcept {
    if (!config.nonce) {
        return true;
    }
    switch (config.pkce) {
        case Toggle::on:
            return true;
        case Toggle::off:
            return false;
        case Toggle::automatic:
            break;
    }
    // An empty list says nothing that could be relied on.
    return !metadata.code_challenge_methods_said || metadata.code_challenge_methods.empty() ||
           contains(metadata.code_challenge_methods, "S256");
}

bool use_par(const ProviderConfig& config, const Metadata& metadata) noexcept {
    return config.par == Toggle::on || (config.par == Toggle::automatic && metadata.par_required);
}

bool use_request_object(const ProviderConfig& config, const Metadata& metadata) noexcept {
    return config.client_key != nullptr &&
           (config.request_object == Toggle::on ||
            (config.request_object == Toggle::automatic && metadata.request_object_required));
}

Result<ClientAuth> choose_client_auth(const ProviderConfig& config, const Metadata& metadata) {
    const bool has_secret = !config.client_secret.empty();
    const bool has_key = config.client_key != nullptr;
    const bool has_assertion = file_assertion(config) != nullptr;
    if ((config.client_auth == ClientAuth::automatic ||
         (config.client_auth == ClientAuth::private_key_jwt && !has_key)) &&
        has_assertion) {
        return ClientAuth::file_assertion;
    }
    if (config.client_auth == ClientAuth::file_assertion && !has_assertion) {
        return invalid("token_endpoint_auth_method client_assertion_file needs that directive",
                       "client_assertion_file");
    }
    if (config.client_auth == ClientAuth::private_key_jwt && !has_key) {
        return invalid("token_endpoint_auth_method private_key_jwt needs a client_key",
                       "client_key");
    }
    if (config.client_auth == ClientAuth::tls && !config.has_certificate) {
        return invalid("token_endpoint_auth_method tls_client_auth needs a client_certificate",
                       "client_certificate");
    }
    if (config.client_auth != ClientAuth::automatic) {
        if ((config.client_auth == ClientAuth::basic || config.client_auth == ClientAuth::post ||
             config.client_auth == ClientAuth::secret_jwt) &&
            !has_secret) {
            return invalid("token_endpoint_auth_method needs a client_secret", "client_secret");
        }
        return config.client_auth;
    }
    if (has_key) {
        return ClientAuth::private_key_jwt;
    }
    if (!has_secret) {
        return ClientAuth::none;
    }
    const std::vector<std::string>& methods = metadata.token_endpoint_auth_methods;
    if (contains(methods, "client_secret_basic")) {
        return ClientAuth::basic;
    }
    if (contains(methods, "client_secret_post")) {
        return ClientAuth::post;
    }
    if (contains(methods, "client_secret_jwt") && config.client_secret.size() >= kMinHmacSecret) {
        return ClientAuth::secret_jwt;
    }
    if (contains(methods, "client_secret_jwt")) {
        return invalid(
            "the metadata offers \"client_secret_jwt\" for clients with a secret, which "
            "needs one of at least 32 characters",
            "client_secret");
    }
    if (contains(methods, "private_key_jwt")) {
        return invalid(
            "the metadata offers no method with a secret but \"private_key_jwt\", which needs a "
            "client_key",
            "client_key");
    }
    for (const std::string_view by_tls : {"tls_client_auth", "self_signed_tls_client_auth"}) {
        if (contains(methods, by_tls)) {
            return invalid("the metadata offers no method with a secret but \"" +
                               std::string(by_tls) +
                               "\", which needs a client_certificate and its client_key",
                           "token_endpoint_auth_method");
        }
    }
    return ClientAuth::basic;
}

ClientAuth choose_introspection_auth(const ProviderConfig& config, const Metadata& metadata,
                                     ClientAuth usual) {
    const std::vector<std::string>& methods = metadata.introspection_auth_methods;
    if (config.client_auth != ClientAuth::automatic || methods.empty()) {
        return usual;
    }
    Metadata there;
    there.token_endpoint_auth_methods = methods;
    const Result<ClientAuth> chosen = choose_client_auth(config, there);
    return chosen ? *chosen : usual;
}

HttpRequest metadata_request(const ProviderConfig& config) {
    return get(config.config_url, "config_url");
}

HttpRequest jwks_request(const std::string& jwks_uri, std::string advertised) {
    HttpRequest request = get(jwks_uri, "jwks_uri");
    request.advertised = std::move(advertised);
    return request;
}

Result<std::string> metadata_text(const HttpRequest& request, HttpOutcome outcome) {
    return document_text(request, std::move(outcome), Reason::metadata_unavailable,
                         Reason::metadata_invalid);
}

Result<std::string> jwks_text(const HttpRequest& request, HttpOutcome outcome) {
    return document_text(request, std::move(outcome), Reason::jwks_unavailable,
                         Reason::jwks_invalid);
}

Result<std::shared_ptr<const ProviderState>> make_provider_state(
    const ProviderConfig& config, const std::string_view* metadata_document,
    std::string_view jwks_document, std::uint64_t generation) {
    auto state = std::make_shared<ProviderState>();
    Result<Metadata> metadata = parse_metadata(metadata_document, config);
    if (!metadata) {
        return std::move(metadata).error();
    }
    state->metadata = *std::move(metadata);
    state->authorization_prefix = authorization_prefix(config, state->metadata);
    Result<KeySet> keys =
        KeySet::parse(config.jwks_text.empty() ? jwks_document : config.jwks_text);
    if (!keys) {
        return std::move(keys).error();
    }
    state->keys = *std::move(keys);
    Result<ClientAuth> client_auth = choose_client_auth(config, state->metadata);
    if (!client_auth) {
        return std::move(client_auth).error();
    }
    state->client_auth = *client_auth;
    state->introspection_auth = choose_introspection_auth(config, state->metadata, *client_auth);
    state->algs = allowed_algs(config, state->metadata.id_token_signing_algs);
    state->response_algs = asymmetric_algs(state->metadata.authorization_signing_algs);
    state->introspection_algs = introspection_algs(state->metadata, state->algs);
    state->pkce = use_pkce(config, state->metadata);
    state->par = use_par(config, state->metadata);
    state->request_object = use_request_object(config, state->metadata);
    state->generation = generation;
    return std::shared_ptr<const ProviderState>(std::move(state));
}

}  // namespace oidc
