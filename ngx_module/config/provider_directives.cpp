// SPDX-License-Identifier: Apache-2.0
#include "config/provider_directives.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "config/block.hpp"
#include "config/conf.hpp"
#include "config/lint_provider.hpp"
#include "oidc/authz_request.hpp"
#include "oidc/cookie.hpp"
#include "oidc/encode.hpp"
#include "oidc/json.hpp"
#include "oidc/jwk.hpp"
#include "oidc/ptr.hpp"
#include "oidc/server_name.hpp"
#include "oidc/signer.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

constexpr std::size_t kMaxSecret = 4 * 1024;
constexpr std::size_t kMaxClientKey = 64 * 1024;
constexpr std::size_t kMaxJwks = 256 * 1024;
constexpr std::size_t kMaxPem = 4 * 1024 * 1024;
constexpr Seconds kDay = 24 * 3600;
constexpr Seconds kYear = 365 * kDay;

Provider& provider(Block& b) {
    return b.target<Provider>();
}
ProviderConfig& config(Block& b) {
    return b.target<Provider>().config;
}

// ---- client ----------------------------------------------------------------------------------

char* set_client_secret(Block& b) {
    if (b.arg().empty()) {
        return b.error("must not be empty");
    }
    if (b.arg().size() > kMaxSecret) {
        return b.error("is too large");
    }
    config(b).client_secret = Secret(b.arg());
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
    } else if (b.arg() == "tls_client_auth" || b.arg() == "self_signed_tls_client_auth") {
        out = ClientAuth::tls;
    } else if (b.arg() == "none") {
        out = ClientAuth::none;
    } else {
        return b.error(in_quotes(b.arg()) +
                       " is not supported by this version, only \"client_secret_basic\", "
                       "\"client_secret_post\", \"client_secret_jwt\", \"private_key_jwt\", "
                       "\"tls_client_auth\", \"self_signed_tls_client_auth\" and \"none\" are");
    }
    return conf_ok();
}

// client_key FILE [alg=ALG] [kid=ID]
char* set_client_key(Block& b) {
    std::optional<Alg> alg;
    std::string_view kid;
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
        } else {
            return b.invalid(word, "alg=ALGORITHM or kid=ID");
        }
    }
    Secret pem;
    if (char* rv = b.secret_file(pem, kMaxClientKey); rv != conf_ok()) {
        return rv;
    }
    Result<JwsSigner> signer = JwsSigner::from_pem(pem.view(), alg, kid);
    if (!signer) {
        return b.error("is no key to authenticate with: " + signer.error().detail);
    }
    provider(b).client_signer = std::make_shared<JwsSigner>(*std::move(signer));
    provider(b).client_key_named = !kid.empty();
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

// ---- cookies ---------------------------------------------------------------------------------

char* set_cookie_name(Block& b) {
    if (!is_token(b.arg())) {
        return b.invalid(b.arg(), "a cookie name");
    }
    if (b.arg().starts_with(kPendingCookie) || b.arg().starts_with(kFragmentCookie) ||
        b.arg() == kTargetCookie) {
        return b.error(in_quotes(b.arg()) + " is reserved for the module's own use");
    }
    provider(b).cookie_name = b.arg();
    return conf_ok();
}

char* set_cookie_domain(Block& b) {
    std::string domain = ascii_lower(b.arg());
    if (domain.starts_with('.')) {
        domain.erase(0, 1);  // RFC 6265 5.2.3
    }
    if (!is_host_name(domain) || domain.back() == '.') {
        return b.invalid(b.arg(), "a domain name");
    }
    provider(b).cookie_domain = std::move(domain);
    return conf_ok();
}

char* set_cookie_path(Block& b) {
    const std::string_view path = b.arg();
    if (!path.starts_with('/') || std::any_of(path.begin(), path.end(), [](char c) {
            return c <= ' ' || c > '~' || c == ';' || c == ',' || c == '\\' || c == '"';
        })) {
        return b.invalid(path, "a path");
    }
    provider(b).cookie_path = path;
    return conf_ok();
}

char* set_cookie_same_site(Block& b) {
    for (const std::string_view name : {"Lax", "Strict", "None"}) {
        if (equal_nocase(b.arg(), name)) {
            provider(b).cookie_same_site = name;
            return conf_ok();
        }
    }
    return b.invalid(b.arg(), "\"Lax\", \"Strict\" or \"None\"");
}

char* set_clear_cookies(Block& b) {
    if (char* rv = b.words(config(b).clear_cookies); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& name : config(b).clear_cookies) {
        if (!is_token(name)) {
            return b.invalid(name, "a cookie name");
        }
    }
    return conf_ok();
}

// That none is the module's own is judged when all are known.
char* set_strip_cookies(Block& b) {
    std::vector<std::string>& names = provider(b).strip_cookies;
    if (char* rv = b.words(names); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& name : names) {
        const bool open = name.ends_with('*');
        const std::string_view fixed =
            std::string_view(name).substr(0, name.size() - (open ? 1 : 0));
        if (!is_token(fixed) || fixed.find('*') != std::string_view::npos) {
            return b.invalid(name, "a cookie name, or the beginning of one with \"*\" behind it");
        }
    }
    return conf_ok();
}

// ---- logout ----------------------------------------------------------------------------------

char* set_post_logout_param(Block& b) {
    if (!is_token(b.arg()) || b.arg() == "client_id" || b.arg() == "state" ||
        b.arg() == "id_token_hint") {
        return b.invalid(b.arg(), "the name of an argument that is not sent otherwise");
    }
    provider(b).post_logout_param = b.arg();
    return conf_ok();
}

char* set_logout_origins(Block& b) {
    std::vector<std::string>& origins = provider(b).logout_origins;
    if (char* rv = b.words(origins); rv != conf_ok()) {
        return rv;
    }
    for (const std::string& origin : origins) {
        const Result<Url> url = parse_endpoint(origin, "logout_origins", config(b).insecure_http);
        if (!url || url->origin() != origin) {
            return b.invalid(origin,
                             "an origin as browsers write it, as in https://portal.example.com");
        }
    }
    return conf_ok();
}

// ---- sessions --------------------------------------------------------------------------------

char* set_session_store(Block& b) {
    if (!is_simple_name(b.arg())) {
        return b.invalid(b.arg(), "the name of an oidc_session_store");
    }
    provider(b).store_name = b.arg();
    return conf_ok();
}

char* set_idle_timeout(Block& b) {
    if (b.arg() == "off") {
        config(b).session_idle_timeout = 0;
        return conf_ok();
    }
    return b.seconds(config(b).session_idle_timeout, 1, kYear);
}

// on | off [before=time]
char* set_session_refresh(Block& b) {
    constexpr std::string_view kBefore = "before=";
    bool& on = config(b).session_refresh;
    if (b.arg() != "on" && b.arg() != "off") {
        return b.invalid(b.arg(), "\"on\" or \"off\"");
    }
    on = b.arg() == "on";
    if (b.size() == 1) {
        return conf_ok();
    }
    if (!b.arg(1).starts_with(kBefore)) {
        return b.invalid(b.arg(1), "\"before=\" with a time");
    }
    ngx_str_t text = borrow(b.arg(1).substr(kBefore.size()));
    const ngx_int_t before = ngx_parse_time(&text, 1);
    if (before < 1 || before > kDay) {
        return b.invalid(b.arg(1), "\"before=\" with a time between 1s and 1d");
    }
    config(b).session_refresh_before = before;
    return conf_ok();
}

char* set_access_token_lifetime(Block& b) {
    if (b.arg() == "off") {
        config(b).access_token_lifetime = 0;
        return conf_ok();
    }
    return b.seconds(config(b).access_token_lifetime, 1, kYear);
}

char* set_session_limit(Block& b) {
    if (b.arg() == "off") {
        provider(b).session_limit = 0;
        return conf_ok();
    }
    const ngx_int_t limit = ngx_atoi(b.raw().data, b.raw().len);
    if (limit < 1 || limit > 1000) {
        return b.invalid(b.arg(), "\"off\" or a number between 1 and 1000");
    }
    provider(b).session_limit = static_cast<std::size_t>(limit);
    provider(b).session_limit_given = true;
    return conf_ok();
}

char* set_idle_ignore(Block& b) {
    for (std::size_t i = 0; i < b.size(); i++) {
        std::string_view pattern = b.arg(i);
        if (pattern.starts_with('/')) {
            provider(b).idle_ignore_prefixes.emplace_back(pattern);
            continue;
        }
        if (!pattern.starts_with('~')) {
            return b.invalid(pattern, "a URI prefix that starts with \"/\", or \"~regex\"");
        }
        std::array<u_char, NGX_MAX_CONF_ERRSTR> message{};
        ngx_regex_compile_t compile;
        ngx_memzero(&compile, sizeof(compile));
        pattern.remove_prefix(1);
        if (pattern.starts_with('*')) {
            pattern.remove_prefix(1);
            compile.options = NGX_REGEX_CASELESS;
        }
        compile.pattern = copy_to_pool(b.cf()->pool, pattern);
        compile.pool = b.cf()->pool;
        compile.err.data = message.data();
        compile.err.len = message.size();
        if (compile.pattern.len == 0 || compile.pattern.data == nullptr) {
            return b.invalid(b.arg(i), "a URI prefix that starts with \"/\", or \"~regex\"");
        }
        if (ngx_regex_compile(&compile) != NGX_OK) {
            return b.error("is refused: " + std::string(view(compile.err)));
        }
        provider(b).idle_ignore_regexes.push_back(compile.regex);
    }
    return conf_ok();
}

// ---- transport -------------------------------------------------------------------------------

// All objects of a PEM file, which is read now: workers need not be able to. `text` is all of it.
template <auto Read, class Pointer>
char* read_pem(Block& b, std::string& name, std::string& text, std::vector<Pointer>& out,
               const char* wanted) {
    if (char* rv = b.text_file(text, kMaxPem); rv != conf_ok()) {
        return rv;
    }
    const OpensslErrorGuard guard;
    const std::unique_ptr<BIO, Deleter<BIO_free_all>> bio(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    while (bio) {
        Pointer object(Read(bio.get(), nullptr, nullptr, nullptr));
        if (object == nullptr) {
            break;
        }
        out.push_back(std::move(object));
    }
    if (out.empty()) {
        return b.error(std::string("holds no ") + wanted + " in PEM form");
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return b.error(std::string("holds a ") + wanted + " that cannot be read, the one behind " +
                       std::to_string(out.size()) + " good ones");
    }
    return b.file_name(name);
}

char* set_ca_file(Block& b) {
    Transport& transport = provider(b).transport;
    return read_pem<PEM_read_bio_X509>(b, transport.ca_file, transport.trust, transport.authorities,
                                       "certificate");
}

char* set_crl_file(Block& b) {
    Transport& transport = provider(b).transport;
    std::string text;  // read in vain where there is no ca_file
    return read_pem<PEM_read_bio_X509_CRL>(b, transport.crl_file, text, transport.revocation_lists,
                                           "revocation list");
}

// What goes into Basic credentials (RFC 7617): the user is what stands before the first colon.
bool is_credential(std::string_view text, bool user) noexcept {
    return !has_control_bytes(text) && (!user || text.find(':') == std::string_view::npos);
}

// http[s]://[user[:password]@]host[:port]. What was given is not shown: it may hold a password.
char* set_http_proxy(Block& b) {
    Transport& transport = provider(b).transport;
    std::string_view text = b.arg();
    const std::size_t scheme = text.find("://");
    const std::size_t at = text.rfind('@');
    std::string plain(text);
    if (scheme != std::string_view::npos && at != std::string_view::npos && at > scheme) {
        const std::string_view userinfo = text.substr(scheme + 3, at - scheme - 3);
        // They end the host: other readers of this URL, and people, would take another one for it.
        if (userinfo.find_first_of("/?#\\") != std::string_view::npos) {
            return b.error(
                "has one of \"/\", \"?\", \"#\" and \"\\\" before the \"@\", which end the host of "
                "a "
                "URL: write %2F, %3F, %23 and %5C in the user and the password");
        }
        const std::size_t colon = userinfo.find(':');
        const auto user = percent_decode(userinfo.substr(0, colon), false);
        auto password = colon == std::string_view::npos
                            ? std::optional<std::string>("")
                            : percent_decode(userinfo.substr(colon + 1), false);
        if (!user || user->empty() || !password || !is_credential(*user, true) ||
            !is_credential(*password, false)) {
            return b.error(
                "has a user or password that cannot be read, write %40 for \"@\", %3A "
                "for \":\" and %25 for \"%\"");
        }
        transport.proxy_user = *user;
        if (colon != std::string_view::npos) {
            if (!transport.proxy_password.empty()) {
                return b.error(
                    "with a password cannot be combined with "
                    "\"http_proxy_password_file\"");
            }
            transport.proxy_password = Secret(*password);
            cleanse(password->data(), password->size());
        }
        plain.erase(scheme + 3, at - scheme - 2);
    }
    const Result<Url> url = parse_url(plain);
    cleanse(plain.data(), plain.size());
    if (!url || url->path != "/" || !url->query.empty()) {
        return b.error(
            "must be a URL without path, as in http://proxy.example:3128 or "
            "http://user:password@proxy.example:3128");
    }
    transport.http_proxy = url->origin();
    return conf_ok();
}

char* set_proxy_password_file(Block& b) {
    Secret& password = provider(b).transport.proxy_password;
    Secret read;
    if (char* rv = b.secret_file(read, kMaxSecret); rv != conf_ok()) {
        return rv;
    }
    if (!is_credential(read.view(), false)) {
        return b.error("holds control bytes, a password has one line");
    }
    if (!password.empty()) {
        return b.error("cannot be combined with a password in \"http_proxy\"");
    }
    password = std::move(read);
    return conf_ok();
}

// ---- the table -------------------------------------------------------------------------------

constexpr std::size_t kMany = 64;

constexpr BlockDirective kDirectives[] = {
    {"issuer", {}, 1, 1, [](Block& b) { return b.text(config(b).issuer); }},
    {"client_id", {}, 1, 1, [](Block& b) { return b.text(config(b).client_id); }},
    {"client_secret", {}, 1, 1, set_client_secret},
    {"client_secret_file",
     {},
     1,
     1,
     [](Block& b) { return b.secret_file(config(b).client_secret, kMaxSecret); }},
    {"config_url", {}, 1, 1, [](Block& b) { return b.text(config(b).config_url); }},
    {"authorization_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).authorization_endpoint); }},
    {"token_endpoint", {}, 1, 1, [](Block& b) { return b.text(config(b).token_endpoint); }},
    {"userinfo_endpoint", {}, 1, 1, [](Block& b) { return b.text(config(b).userinfo_endpoint); }},
    {"jwks_uri", {}, 1, 1, [](Block& b) { return b.text(config(b).jwks_uri); }},
    {"end_session_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).end_session_endpoint); }},
    {"jwks_file", {}, 1, 1, set_jwks_file},
    {"scope", {}, 1, kMany, set_scope},
    {"scopes", "scope", 1, kMany, set_scope},
    {"resource", {}, 1, kMany, set_resource},
    {"redirect_uri", {}, 1, 1, set_redirect_uri},
    {"callback", {}, 1, 1, set_callback},
    {"response_mode", {}, 1, 1, set_response_mode},
    {"extra_auth_args", {}, 1, 1, set_extra_auth_args},
    {"prompt", {}, 1, kMany, set_prompt},
    {"max_age", {}, 1, 1, set_max_age},
    {"acr_values", {}, 1, kMany, [](Block& b) { return b.words(config(b).acr_values); }},
    {"login_hint", {}, 1, 1, [](Block& b) { return b.complex(provider(b).login_hint); }},
    {"ui_locales", {}, 1, kMany, [](Block& b) { return b.complex(provider(b).ui_locales); }},
    {"claims", {}, 1, 1, set_claims},
    {"pkce", {}, 1, 1, [](Block& b) { return set_toggle(b, config(b).pkce); }},
    {"par", {}, 1, 1, [](Block& b) { return set_toggle(b, config(b).par); }},
    {"request_object", {}, 1, 1, [](Block& b) { return set_toggle(b, config(b).request_object); }},
    {"pushed_authorization_request_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).pushed_authorization_request_endpoint); }},
    {"code_challenge_method", {}, 1, 1, set_code_challenge_method},
    {"token_endpoint_auth_method", {}, 1, 1, set_client_auth},
    {"client_key", {}, 1, 3, set_client_key},
    {"client_certificate",
     {},
     1,
     1,
     [](Block& b) { return b.text_file(provider(b).transport.client_chain, kMaxClientKey); }},
    {"dpop_key", {}, 1, 2, set_dpop_key},
    {"client_assertion_audience", {}, 1, 1, set_assertion_audience},
    {"id_token_signed_response_alg", {}, 1, kMany, set_algs},
    {"trusted_audience",
     {},
     1,
     kMany,
     [](Block& b) { return b.words(config(b).trusted_audience); }},
    {"clock_skew", {}, 1, 1, [](Block& b) { return b.seconds(config(b).clock_skew, 0, 300); }},
    {"userinfo", {}, 1, 1, [](Block& b) { return b.flag(config(b).userinfo); }},
    {"username_claim", {}, 1, kMany, [](Block& b) { return b.words(config(b).username_claim); }},
    {"cookie_name", {}, 1, 1, set_cookie_name},
    {"cookie_domain", {}, 1, 1, set_cookie_domain},
    {"cookie_path", {}, 1, 1, set_cookie_path},
    {"cookie_samesite", {}, 1, 1, set_cookie_same_site},
    {"pre_auth_timeout",
     {},
     1,
     1,
     [](Block& b) { return b.seconds(config(b).pre_auth_timeout, 1, kDay); }},
    {"session_store", {}, 1, 1, set_session_store},
    {"session_timeout",
     {},
     1,
     1,
     [](Block& b) { return b.seconds(config(b).session_timeout, 1, kYear); }},
    {"session_idle_timeout", {}, 1, 1, set_idle_timeout},
    {"session_idle_ignore", {}, 1, kMany, set_idle_ignore},
    {"logout_uri", {}, 1, 1, [](Block& b) { return b.local_path(provider(b).logout_path); }},
    {"post_logout_uri", {}, 1, 1, [](Block& b) { return b.text(config(b).post_logout_uri); }},
    {"post_logout_param", {}, 1, 1, set_post_logout_param},
    {"logout_origins", {}, 1, kMany, set_logout_origins},
    {"logout_token_hint", {}, 1, 1, [](Block& b) { return b.flag(config(b).logout_token_hint); }},
    {"clear_cookies", {}, 1, kMany, set_clear_cookies},
    {"strip_cookies", {}, 1, kMany, set_strip_cookies},
    {"preserve_fragment", {}, 1, 1, [](Block& b) { return b.flag(config(b).preserve_fragment); }},
    {"ssl_trusted_certificate", {}, 1, 1, set_ca_file},
    {"ssl_crl", {}, 1, 1, set_crl_file},
    {"http_proxy", {}, 1, 1, set_http_proxy},
    {"http_proxy_password_file", {}, 1, 1, set_proxy_password_file},
    {"connect_timeout",
     {},
     1,
     1,
     [](Block& b) { return b.msec(provider(b).transport.connect_timeout); }},
    {"read_timeout", {}, 1, 1, [](Block& b) { return b.msec(provider(b).transport.read_timeout); }},
    {"insecure_http", {}, 1, 1, [](Block& b) { return b.flag(config(b).insecure_http); }},
    {"metadata_lifetime",
     {},
     1,
     1,
     [](Block& b) { return b.seconds(config(b).metadata_lifetime, 1, 30 * kDay); }},
    {"jwks_refetch_interval",
     {},
     1,
     1,
     [](Block& b) { return b.seconds(config(b).jwks_refetch_interval, 1, kDay); }},
    {"frontchannel_logout_uri",
     {},
     1,
     1,
     [](Block& b) { return b.local_path(provider(b).frontchannel_path); }},
    {"backchannel_logout_uri",
     {},
     1,
     1,
     [](Block& b) { return b.local_path(provider(b).backchannel_path); }},
    {"revocation_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).revocation_endpoint); }},
    {"revoke_on_logout", {}, 1, 1, [](Block& b) { return b.flag(config(b).revoke_on_logout); }},
    {"logout_hook", {}, 1, 1, [](Block& b) { return b.local_path(provider(b).logout_hook); }},
    {"session_refresh", {}, 1, 2, set_session_refresh},
    {"session_limit", {}, 1, 1, set_session_limit},
    {"access_token_lifetime", {}, 1, 1, set_access_token_lifetime},
};

// What follows from the block, once it is known to be complete.
char* derive(ngx_conf_t* cf, Provider& p, const Block& block) {
    if (p.config.config_url.empty()) {
        p.config.config_url = discovery_url(p.config.issuer);
    }
    const ClientAuth auth = p.config.client_auth;
    if (!p.config.client_secret.empty() &&
        (auth == ClientAuth::automatic || auth == ClientAuth::secret_jwt)) {
        p.config.client_secret_key = std::make_shared<const JwsSigner>(
            JwsSigner::hmac(Alg::HS256, p.config.client_secret.view()));
    }
    if (!p.transport.client_chain.empty()) {
        const Status named =
            p.client_signer->set_certificate(p.transport.client_chain, p.client_key_named);
        if (!named) {
            return conf_error(cf, block.where("client_certificate"),
                              "\"client_certificate\": " + named.error().detail);
        }
    }
    p.client_signer.reset();
    p.config.has_certificate = !p.transport.client_chain.empty();
    if (auth != ClientAuth::tls) {
        p.transport.client_key.clear();  // nobody shows the certificate
    }
    p.transport.insecure_http = p.config.insecure_http;
    if (block.given("http_proxy_password_file") && p.transport.proxy_user.empty()) {
        return conf_error(cf, block.where("http_proxy_password_file"),
                          "\"http_proxy_password_file\" needs a user in \"http_proxy\", as in "
                          "http://user@proxy.example:3128");
    }
    if (block.given("code_challenge_method")) {
        p.config.pkce = Toggle::on;  // beside "pkce off" it was refused
    }

    p.callback_path = p.redirect_uri;
    if (!p.redirect_uri.starts_with('/')) {
        const Result<Url> url =
            parse_endpoint(p.redirect_uri, "redirect_uri", p.config.insecure_http);
        if (!url) {
            return conf_error(cf, block.where("redirect_uri"), url.error().detail);
        }
        if (!url->query.empty() || p.redirect_uri.find('?') != std::string::npos) {
            return conf_error(cf, block.where("redirect_uri"),
                              "\"redirect_uri\" must not have a query");
        }
        p.callback_path = url->path;
        p.redirect_origin = url->origin();
    }
    if (const char* problem = local_path_problem(p.callback_path)) {
        return conf_error(
            cf, block.where("redirect_uri"),
            "\"redirect_uri\" " + std::string(problem) + ", not " + in_quotes(p.callback_path));
    }

    const std::array<std::pair<const char*, const std::string*>, 5> paths = {{
        {"redirect_uri", &p.callback_path},
        {"logout_uri", &p.logout_path},
        {"frontchannel_logout_uri", &p.frontchannel_path},
        {"backchannel_logout_uri", &p.backchannel_path},
        {"logout_hook", &p.logout_hook},
    }};
    for (std::size_t i = 1; i < paths.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (!paths[i].second->empty() && *paths[i].second == *paths[j].second) {
                return conf_error(cf, block.where(paths[i].first),
                                  in_quotes(paths[i].first) + " must not be the path of " +
                                      in_quotes(paths[j].first));
            }
        }
    }

    // A __Host- cookie has no Domain and the path "/" (RFC 6265bis 4.1.3.2).
    const bool narrowed = !p.cookie_domain.empty() || p.cookie_path != "/";
    if (starts_with_nocase(p.cookie_name, "__Host-") && narrowed) {
        return conf_error(cf, block.where("cookie_name"),
                          "\"cookie_name\" with the prefix \"__Host-\" cannot be combined with "
                          "\"cookie_domain\" and \"cookie_path\"");
    }
    p.session_cookie_http = cookie_name_for(p.cookie_name, false, narrowed);
    p.session_cookie_https = cookie_name_for(p.cookie_name, true, narrowed);
    return conf_ok();
}

}  // namespace

char* set_provider(ngx_conf_t* cf, ngx_command_t* /*cmd*/, void* conf) noexcept try {
    auto& main = *static_cast<MainConf*>(conf);
    const std::string name(view(static_cast<ngx_str_t*>(cf->args->elts)[1]));
    if (!is_simple_name(name) || name == "off") {
        return conf_error(cf, "invalid provider name " + in_quotes(name) +
                                  ", it must be of letters, digits, \"-\", \"_\" and \".\", at "
                                  "most 64, and not \"off\"");
    }
    if (const Provider* other = main.find_provider(name)) {
        return conf_error(cf, "duplicate oidc_provider " + in_quotes(name) + ", first defined in " +
                                  shown(other->place));
    }
    auto owned = std::make_unique<Provider>();
    Provider& p = *owned;
    p.place = place_of(cf);
    p.config.name = name;
    p.redirect_uri = "/oidc_callback";

    Block block("oidc_provider", kDirectives, &p);
    if (char* rv = block.parse(cf); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = lint_provider(cf, p, block); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = derive(cf, p, block); rv != conf_ok()) {
        return rv;
    }
    p.index = main.providers.size();
    main.providers.push_back(std::move(owned));
    return conf_ok();
} catch (...) {
    return conf_exception(cf);
}

}  // namespace oidc::ngx
