// SPDX-License-Identifier: Apache-2.0
// Provider metadata (Discovery 1.0 section 3, RFC 8414) and what is made of it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/config.hpp"
#include "oidc/http_message.hpp"
#include "oidc/jwk.hpp"
#include "oidc/result.hpp"

namespace oidc {

struct Metadata {
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string userinfo_endpoint;                         // empty: none
    std::string jwks_uri;                                  // empty with jwks_file
    std::string end_session_endpoint;                      // empty: none
    std::vector<std::string> token_endpoint_auth_methods;  // empty: not said
    std::vector<std::string> id_token_signing_algs;
    std::vector<std::string> authorization_signing_algs;  // of JARM
    std::vector<std::string> code_challenge_methods;
    bool code_challenge_methods_said = false;
    bool response_iss_supported = false;  // RFC 9207
    // RFC 7009; empty: none, or revoke_on_logout is off and nobody asks for it.
    std::string revocation_endpoint;
    std::string pushed_authorization_request_endpoint;  // RFC 9126; empty: none, or par is off
    // RFC 7662; empty: none, or nobody asks for it.
    std::string introspection_endpoint;
    std::vector<std::string> introspection_auth_methods;  // empty: not said
    std::vector<std::string> introspection_signing_algs;  // RFC 9701
    bool par_required = false;
    bool request_object_required = false;  // RFC 9101
    // Why members were taken for absent, a sentence each, for the log.
    std::vector<std::string> left_out;
    // What the provider demands of all its clients and this module cannot do, for the log.
    std::vector<std::string> demands;
    // What the document has for endpoints that are configured otherwise.
    struct Overridden {
        std::string_view endpoint;
        std::string url;
    };
    std::vector<Overridden> overridden;
};

// Empty: the document has none, or the same as is configured.
std::string advertised_endpoint(const Metadata& metadata, std::string_view endpoint);

// Parses a discovery document and applies the explicit endpoints of `config` over it. The issuer
// is compared byte for byte (Discovery 4.3). With a null document (no discovery) everything comes
// from `config`. An optional member of the wrong JSON type counts as absent, see left_out, unless
// the configuration asks for what it says. Errors: metadata_invalid, metadata_issuer.
Result<Metadata> parse_metadata(const std::string_view* document, const ProviderConfig& config);

// The endpoints that the document itself puts on an internal host (is_internal_host) other than the
// issuer's, as `directive "URL"`: a public provider has no reason to name one.
std::vector<std::string> internal_endpoints(const Metadata& metadata, const ProviderConfig& config);

// S256 always without nonce; else unless switched off, or the metadata lists methods without S256
// and pkce is automatic.
bool use_pkce(const ProviderConfig& config, const Metadata& metadata) noexcept;

// Switched on, or automatic and demanded by the metadata.
bool use_par(const ProviderConfig& config, const Metadata& metadata) noexcept;

// Likewise, where there is a client_key.
bool use_request_object(const ProviderConfig& config, const Metadata& metadata) noexcept;

// The configured one; else an assertion of a file, else a key, else none without a secret, else
// basic if advertised or nothing is said, else post, else secret_jwt. Error: metadata_invalid with
// fix "token_endpoint_auth_method" when only methods that need a key are advertised.
Result<ClientAuth> choose_client_auth(const ProviderConfig& config, const Metadata& metadata);

// The same at the introspection endpoint: another method only when the configuration leaves the
// choice to the metadata, which list methods of that endpoint without the usual one (RFC 8414 2).
ClientAuth choose_introspection_auth(const ProviderConfig& config, const Metadata& metadata,
                                     ClientAuth usual);

HttpRequest metadata_request(const ProviderConfig& config);
// `advertised`: see HttpRequest.
HttpRequest jwks_request(const std::string& jwks_uri, std::string advertised = {});
// Status, redirects and content; the returned text is what is cached.
Result<std::string> metadata_text(const HttpRequest& request, HttpOutcome outcome);
Result<std::string> jwks_text(const HttpRequest& request, HttpOutcome outcome);

// Everything that a login needs to know of the provider; immutable, shared by the flows of a
// worker.
struct ProviderState {
    Metadata metadata;
    std::string authorization_prefix;  // of authorization_url()
    KeySet keys;
    std::vector<Alg> algs;                // resolved allow-list
    std::vector<Alg> response_algs;       // of signed responses
    std::vector<Alg> introspection_algs;  // of signed answers about tokens
    ClientAuth client_auth = ClientAuth::basic;
    ClientAuth introspection_auth = ClientAuth::basic;  // at introspection_endpoint
    bool pkce = true;
    bool par = false;
    bool request_object = false;
    std::uint64_t generation = 0;  // from 1, grows with every change of the documents
};

// `metadata_document` null: no discovery. Errors as parse_metadata, choose_client_auth, KeySet.
Result<std::shared_ptr<const ProviderState>> make_provider_state(
    const ProviderConfig& config, const std::string_view* metadata_document,
    std::string_view jwks_document, std::uint64_t generation = 0);

}  // namespace oidc
