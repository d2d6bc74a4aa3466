// SPDX-License-Identifier: Apache-2.0
#include "config/client_directives.hpp"

#include <algorithm>
#include <optional>

#include "config/provider_target.hpp"
#include "oidc/authz_request.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jwe.hpp"
#include "oidc/jwk.hpp"
#include "oidc/signer.hpp"
#include "oidc/tenants.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kMaxJwks = 256 * 1024;

void keep_renewed(Block& b, RenewedFile file) {
    if (config(b).renewed == nullptr) {
        config(b).renewed = std::make_shared<RenewedCredentials>();
    }
    provider(b).renewed.push_back(std::move(file));
}

}  // namespace

// ---- client ----------------------------------------------------------------------------------

char* set_client_secret(Block& b) {
    if (b.arg().empty()) {
        return b.error("must not be empty");
    }
    if (b.arg().size() > kMaxSecretFile) {
        return b.error("is too large");
    }
    config(b).client_secret = Secret(b.arg());
    return conf_ok();
}

// client_secret_file FILE [watch]
char* set_client_secret_file(Block& b) {
    if (b.size() == 1) {
        return b.secret_file(config(b).client_secret, kMaxSecretFile);
    }
    if (b.arg(1) != "watch") {
        return b.invalid(b.arg(1), "\"watch\"");
    }
    RenewedFile file;
    file.kind = RenewedFile::Kind::secret;
    file.directive = "client_secret_file";
    Secret text;
    if (char* rv = b.renewed_file(text, file, kMaxSecretFile); rv != conf_ok()) {
        return rv;
    }
    // What the method needs is judged at the end of the block.
    Result<Secret> secret = read_client_secret(text.view(), ClientAuth::automatic);
    if (!secret) {
        return b.error(in_quotes(file.path) + " cannot be used: " + secret.error().detail);
    }
    config(b).client_secret = *std::move(secret);
    keep_renewed(b, std::move(file));
    return conf_ok();
}

// Always watched: an assertion lives for minutes or hours.
char* set_client_assertion_file(Block& b) {
    RenewedFile file;
    file.kind = RenewedFile::Kind::assertion;
    file.directive = "client_assertion_file";
    Secret text;
    if (char* rv = b.renewed_file(text, file, kMaxFileAssertion); rv != conf_ok()) {
        return rv;
    }
    Result<FileAssertion> assertion = read_file_assertion(text.view());
    if (!assertion) {
        return b.error(in_quotes(file.path) + " is no assertion: " + assertion.error().detail);
    }
    if (assertion->expires != 0 && assertion->expires <= ngx_time()) {
        conf_warn(b.cf(), "\"client_assertion_file\" " + in_quotes(file.path) +
                              " has an assertion that expired at " +
                              std::to_string(assertion->expires) +
                              ", nobody can sign in until it is renewed");
    }
    keep_renewed(b, std::move(file));
    config(b).renewed->assertion = *std::move(assertion);
    return conf_ok();
}

char* set_client_auth(Block& b) {
    ClientAuth& out = config(b).client_auth;
    if (b.arg() == "client_secret_basic") {
        out = ClientAuth::basic;
    } else if (b.arg() == "client_secret_post") {
        out = ClientAuth::post;
    } else if (b.arg() == "client_secret_jwt") {
        out = ClientAuth::secret_jwt;
    } else if (b.arg() == "private_key_jwt") {
        out = ClientAuth::private_key_jwt;
    } else if (b.arg() == "client_assertion_file") {
        out = ClientAuth::file_assertion;
    } else if (b.arg() == "tls_client_auth" || b.arg() == "self_signed_tls_client_auth") {
        out = ClientAuth::tls;
    } else if (b.arg() == "none") {
        out = ClientAuth::none;
    } else {
        return b.error(in_quotes(b.arg()) +
                       " is not supported by this version, only \"client_secret_basic\", "
                       "\"client_secret_post\", \"client_secret_jwt\", \"private_key_jwt\", "
                       "\"client_assertion_file\", \"tls_client_auth\", "
                       "\"self_signed_tls_client_auth\" and \"none\" are");
    }
    return conf_ok();
}

// client_key FILE [alg=ALG] [kid=ID] [watch]
char* set_client_key(Block& b) {
    std::optional<Alg> alg;
    std::string_view kid;
    bool watch = false;
    for (std::size_t i = 1; i < b.size(); ++i) {
        const std::string_view word = b.arg(i);
        if (word.starts_with("kid=") && word.size() > 4 && kid.empty()) {
            kid = word.substr(4);
        } else if (word.starts_with("alg=") && !alg) {
            alg = alg_from_name(word.substr(4));
            if (!alg || alg_is_symmetric(*alg)) {
                return b.invalid(word.substr(4),
                                 "an algorithm that signs with a private key: RS256, PS256, "
                                 "ES256, EdDSA or a longer one of these");
            }
        } else if (word == "watch" && !watch) {
            watch = true;
        } else {
            return b.invalid(word, "alg=ALGORITHM, kid=ID or \"watch\"");
        }
    }
    if (watch && !kid.empty()) {
        return b.error(
            "cannot have \"kid=\" with \"watch\": two keys of one name cannot be told apart, and "
            "without \"kid=\" each is named by its thumbprint");
    }
    RenewedFile file;
    file.kind = RenewedFile::Kind::key;
    file.directive = "client_key";
    file.alg = alg;
    Secret pem;
    if (char* rv =
            watch ? b.renewed_file(pem, file, kMaxClientKey) : b.secret_file(pem, kMaxClientKey);
        rv != conf_ok()) {
        return rv;
    }
    Result<JwsSigner> signer = JwsSigner::from_pem(pem.view(), alg, kid);
    if (!signer) {
        return b.error("is no key to authenticate with: " + signer.error().detail);
    }
    provider(b).client_signer = std::make_shared<JwsSigner>(*std::move(signer));
    provider(b).client_key_named = !kid.empty();
    if (watch) {
        keep_renewed(b, std::move(file));
    }
    config(b).client_key = provider(b).client_signer;
    provider(b).transport.client_key = std::move(pem);
    return conf_ok();
}

// dpop_key FILE [alg=ALG]
char* set_dpop_key(Block& b) {
    std::optional<Alg> alg;
    if (b.size() > 1) {
        const std::string_view word = b.arg(1);
        alg = word.starts_with("alg=") ? alg_from_name(word.substr(4)) : std::nullopt;
        if (!alg || alg_is_symmetric(*alg)) {
            return b.invalid(word, "alg= with an algorithm that signs with a private key");
        }
    }
    Secret pem;
    if (char* rv = b.secret_file(pem, kMaxClientKey); rv != conf_ok()) {
        return rv;
    }
    Result<JwsSigner> signer = JwsSigner::from_pem(pem.view(), alg);
    if (!signer) {
        return b.error("is no key to bind tokens to: " + signer.error().detail);
    }
    config(b).dpop_key = std::make_shared<const JwsSigner>(*std::move(signer));
    return conf_ok();
}

// introspection_cache off | SIZE [time=TIME] [inactive=TIME]
char* set_introspection_cache(Block& b) {
    Provider& p = provider(b);
    if (b.arg() == "off") {
        p.introspection_size = 0;
        return b.size() == 1 ? conf_ok() : b.error("is \"off\", or a size with times");
    }
    const ssize_t size = ngx_parse_size(&b.raw());
    if (size == NGX_ERROR) {
        return b.invalid(b.arg(), "\"off\" or a size");
    }
    if (static_cast<std::size_t>(size) < kMinIntrospectionCache) {
        return b.error("of " + std::string(b.arg()) + " is too small, at least 256k is needed");
    }
    p.introspection_size = static_cast<std::size_t>(size);
    struct Time {
        std::string_view prefix;
        Seconds& out;
    };
    for (std::size_t i = 1; i < b.size(); ++i) {
        bool known = false;
        for (const Time& time : {Time{"time=", p.introspection_time},
                                 Time{"inactive=", p.introspection_inactive_time}}) {
            if (!b.arg(i).starts_with(time.prefix)) {
                continue;
            }
            ngx_str_t text = borrow(b.arg(i).substr(time.prefix.size()));
            const ngx_int_t value = ngx_parse_time(&text, 1);
            if (value < 1 || value > 3600) {
                return b.invalid(b.arg(i),
                                 in_quotes(time.prefix) + " with a time between 1s and 1h");
            }
            time.out = value;
            known = true;
        }
        if (!known) {
            return b.invalid(b.arg(i), "\"time=\" or \"inactive=\"");
        }
    }
    return conf_ok();
}

// The list is mandatory: whoever has an account at any tenant could sign in without one.
char* set_issuer_template(Block& b) {
    const std::string_view text = b.arg();
    if (const std::string why = why_no_template(text); !why.empty()) {
        return b.error(why);
    }
    std::vector<std::string>& tenants = config(b).tenants;
    for (std::size_t i = 1; i < b.size(); ++i) {
        const std::string_view tenant = b.arg(i);
        if (!is_tenant_name(tenant)) {
            return b.invalid(tenant,
                             "a tenant as tokens name it, of letters, digits, \"-\", \".\", \"_\" "
                             "and \"~\"; a pattern would let in whoever has an account anywhere");
        }
        if (std::find(tenants.begin(), tenants.end(), tenant) != tenants.end()) {
            return b.error("names the tenant " + in_quotes(tenant) + " twice");
        }
        tenants.emplace_back(tenant);
    }
    config(b).issuer = text;
    return conf_ok();
}

// "issuer" (RFC 7523 leaves more open, and attacks have used that), or what a provider wants.
char* set_assertion_audience(Block& b) {
    std::string& out = config(b).client_assertion_audience;
    if (b.arg() == "issuer") {
        out.clear();
        return conf_ok();
    }
    return b.text(out);
}

// ---- the authorization request ---------------------------------------------------------------

char* set_scope(Block& b) {
    std::vector<std::string>& scope = config(b).scope;
    if (char* rv = b.words(scope); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& token : scope) {
        // RFC 6749 3.3
        if (std::any_of(token.begin(), token.end(),
                        [](char c) { return c < 0x21 || c > 0x7e || c == '"' || c == '\\'; })) {
            return b.invalid(token, "a scope token of RFC 6749");
        }
    }
    if (std::find(scope.begin(), scope.end(), "openid") == scope.end()) {
        scope.insert(scope.begin(), "openid");
    }
    return conf_ok();
}

char* set_resource(Block& b) {
    std::vector<std::string>& resource = config(b).resource;
    if (char* rv = b.words(resource); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& uri : resource) {
        if (!is_resource(uri)) {
            return b.invalid(uri, "an absolute URI without fragment (RFC 8707)");
        }
    }
    return conf_ok();
}

char* set_redirect_uri(Block& b) {
    provider(b).redirect_uri = b.arg();  // judged at the end of the block
    return b.arg().empty() ? b.error("must not be empty") : conf_ok();
}

char* set_callback(Block& b) {
    if (b.arg() != "redirect" && b.arg() != "forward") {
        return b.invalid(b.arg(), "\"redirect\" or \"forward\"");
    }
    config(b).callback_forward = b.arg() == "forward";
    return conf_ok();
}

char* set_response_mode(Block& b) {
    for (const ResponseMode mode :
         {ResponseMode::query, ResponseMode::form_post, ResponseMode::query_jwt}) {
        if (b.arg() == response_mode_name(mode)) {
            config(b).response_mode = mode;
            return conf_ok();
        }
    }
    return b.invalid(b.arg(), "\"query\", \"form_post\" or \"query.jwt\"");
}

char* set_userinfo_token_method(Block& b) {
    if (b.arg() != "header" && b.arg() != "body") {
        return b.invalid(b.arg(), "\"header\" or \"body\"");
    }
    config(b).userinfo_token_method = b.arg() == "body" ? TokenMethod::body : TokenMethod::header;
    return conf_ok();
}

char* set_extra_auth_args(Block& b) {
    auto*& value = provider(b).extra_auth_args;
    if (char* rv = b.complex(value); rv != conf_ok()) {
        return rv;
    }
    if (value->lengths == nullptr) {
        const Status status = check_extra_auth_args(view(value->value));
        if (!status) {
            return b.error("is refused: " + status.error().detail);
        }
    }
    return conf_ok();
}

char* set_prompt(Block& b) {
    auto*& value = provider(b).prompt;
    if (char* rv = b.complex(value); rv != conf_ok()) {
        return rv;
    }
    const std::string_view text = view(value->value);
    if (value->lengths == nullptr && text != "none" &&
        (" " + std::string(text) + " ").find(" none ") != std::string::npos) {
        return b.error("\"none\" cannot be combined with other values");
    }
    return conf_ok();
}

// One that is the same for all requests would make one trace of them.
char* set_traceparent(Block& b) {
    auto*& value = provider(b).traceparent;
    if (char* rv = b.complex(value); rv != conf_ok()) {
        return rv;
    }
    return value->lengths == nullptr
               ? b.error("must hold a variable, as in \"traceparent $http_traceparent\"")
               : conf_ok();
}

char* set_claims(Block& b) {
    auto*& value = provider(b).claims;
    if (char* rv = b.complex(value); rv != conf_ok()) {
        return rv;
    }
    if (value->lengths == nullptr && !json_parse_object(view(value->value))) {
        return b.error("must be a JSON object");
    }
    return conf_ok();
}

char* set_max_age(Block& b) {
    Seconds value = 0;
    char* rv = b.seconds(value, 0, kYear);
    config(b).max_age = value;
    return rv;
}

char* set_toggle(Block& b, Toggle& out) {
    if (b.arg() == "on") {
        out = Toggle::on;
    } else if (b.arg() == "off") {
        out = Toggle::off;
    } else if (b.arg() == "auto") {
        out = Toggle::automatic;
    } else {
        return b.invalid(b.arg(), "\"on\", \"off\" or \"auto\"");
    }
    return conf_ok();
}

char* set_code_challenge_method(Block& b) {
    if (b.arg() != "S256") {
        return b.error(in_quotes(b.arg()) + " is not supported, only \"S256\" is");
    }
    return conf_ok();
}

// ---- tokens ----------------------------------------------------------------------------------

char* set_algs(Block& b) {
    std::vector<std::string> names;
    if (char* rv = b.words(names); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& name : names) {
        const std::optional<Alg> alg = alg_from_name(name);
        if (!alg) {
            return b.error(in_quotes(name) + " is not supported" +
                           (equal_nocase(name, "none") ? ", tokens must be signed" : ""));
        }
        config(b).id_token_algs.push_back(*alg);
    }
    return conf_ok();
}

namespace {

// The words behind the file of id_token_encryption_key.
struct EncryptionWords {
    std::optional<JweAlg> alg;
    std::optional<JweEnc> enc;
    std::string_view kid;
    std::string_view former;
    bool optional = false;
};

// False: no such word, or a second one of it.
bool take_word(std::string_view word, EncryptionWords& out) {
    const std::string_view name = word.substr(0, word.find('='));
    const std::string_view value = word.substr(std::min(word.size(), name.size() + 1));
    if (name == "alg" && !out.alg) {
        out.alg = jwe_alg_from_name(value);
        return out.alg.has_value();
    }
    if (name == "enc" && !out.enc) {
        out.enc = jwe_enc_from_name(value);
        return out.enc.has_value();
    }
    if (word == "required=off" && !out.optional) {
        out.optional = true;
        return true;
    }
    std::string_view* const text = name == "kid"      ? &out.kid
                                   : name == "former" ? &out.former
                                                      : nullptr;
    if (text == nullptr || !text->empty() || value.empty()) {
        return false;
    }
    *text = value;
    return true;
}

}  // namespace

// id_token_encryption_key FILE [alg=ALG] [enc=ENC] [kid=ID] [former=FILE] [required=off]
char* set_encryption_key(Block& b) {
    EncryptionWords words;
    for (std::size_t i = 1; i < b.size(); ++i) {
        if (!take_word(b.arg(i), words)) {
            return b.invalid(b.arg(i),
                             "alg= with RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW or ECDH-ES+A256KW, "
                             "enc= with A128GCM, A256GCM, A128CBC-HS256 or A256CBC-HS512, kid=ID, "
                             "former=FILE or required=off, each once");
        }
    }
    Secret pem;
    if (char* rv = b.secret_file(pem, kMaxClientKey); rv != conf_ok()) {
        return rv;
    }
    Result<JweDecrypter> decrypter =
        JweDecrypter::from_pem(pem.view(), words.alg, words.enc, words.kid);
    if (!decrypter) {
        return b.error("is no key to decrypt with: " + decrypter.error().detail);
    }
    if (!words.former.empty()) {
        if (char* rv = b.secret_file(words.former, pem, kMaxClientKey); rv != conf_ok()) {
            return rv;
        }
        if (const Status added = decrypter->add_former(pem.view()); !added) {
            return b.error("has a former key that cannot be used: " + added.error().detail);
        }
    }
    config(b).decrypter = std::make_shared<const JweDecrypter>(*std::move(decrypter));
    config(b).encryption_required = !words.optional;
    return conf_ok();
}

char* set_jwks_file(Block& b) {
    std::string& text = config(b).jwks_text;
    if (char* rv = b.text_file(text, kMaxJwks); rv != conf_ok()) {
        return rv;
    }
    const Result<KeySet> keys = KeySet::parse(text);
    if (!keys) {
        return b.error("is no JWKS document: " + keys.error().detail);
    }
    if (keys->size() == 0) {
        return b.error("holds no key that can verify a signature");
    }
    return conf_ok();
}

}  // namespace oidc::ngx
