// SPDX-License-Identifier: Apache-2.0
#include "config/lint_provider.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/places.hpp"
#include "oidc/client_assertion.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/cookie.hpp"
#include "oidc/jwe.hpp"
#include "oidc/signer.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

char* check_urls(ngx_conf_t* cf, const ProviderConfig& c, const Block& block) {
    struct Entry {
        std::string_view name;
        const std::string& url;
    };
    const std::array<Entry, 11> entries{
        {{c.tenants.empty() ? "issuer" : "issuer_template", c.issuer},
         {"config_url", c.config_url},
         {"authorization_endpoint", c.authorization_endpoint},
         {"token_endpoint", c.token_endpoint},
         {"userinfo_endpoint", c.userinfo_endpoint},
         {"jwks_uri", c.jwks_uri},
         {"end_session_endpoint", c.end_session_endpoint},
         {"revocation_endpoint", c.revocation_endpoint},
         {"pushed_authorization_request_endpoint", c.pushed_authorization_request_endpoint},
         {"introspection_endpoint", c.introspection_endpoint},
         {"shared_signals_issuer", c.signals.issuer}}};
    for (const Entry& entry : entries) {
        if (entry.url.empty()) {
            continue;
        }
        const Result<Url> url = parse_endpoint(entry.url, entry.name, c.insecure_http);
        if (!url) {
            return conf_error(cf, block.where(entry.name), url.error().detail);
        }
    }
    if (c.issuer.find('?') != std::string::npos) {
        return conf_error(cf, block.where("issuer"), "\"issuer\" must not have a query");
    }
    const std::string& after = c.post_logout_uri;
    if (after.starts_with('/') ? !is_safe_return_target(after) : !after.empty()) {
        const Result<Url> url = parse_endpoint(after, "post_logout_uri", c.insecure_http);
        if (!url) {
            return conf_error(cf, block.where("post_logout_uri"), url.error().detail);
        }
    }
    return conf_ok();
}

char* check_signals(ngx_conf_t* cf, const Provider& p, const Block& block) {
    constexpr std::string_view kUri = "shared_signals_uri";
    constexpr std::string_view kFile = "shared_signals_token_file";
    if (block.given(kUri) && !block.given(kFile)) {
        return conf_error(cf, block.where(kUri),
                          "\"shared_signals_uri\" needs \"shared_signals_token_file\": what the "
                          "transmitter shows that it is the one");
    }
    for (const std::string_view name : {kFile, std::string_view("shared_signals_issuer"),
                                        std::string_view("shared_signals_audience")}) {
        if (block.given(name) && !block.given(kUri)) {
            return conf_error(cf, block.where(name),
                              in_quotes(name) + " needs \"shared_signals_uri\"");
        }
    }
    if (block.given("shared_signals_issuer") && !p.config.tenants.empty()) {
        return conf_error(cf, block.where("shared_signals_issuer"),
                          "\"shared_signals_issuer\" cannot be combined with \"issuer_template\"");
    }
    return conf_ok();
}

char* check_tenants(ngx_conf_t* cf, const ProviderConfig& c, const Block& block) {
    if (!block.given("issuer_template")) {
        return conf_ok();
    }
    const Place place = block.where("issuer_template");
    if (c.tenants.empty()) {
        return conf_error(cf, place,
                          "\"issuer_template\" needs the tenants behind it whose users are meant; "
                          "for one alone there is \"issuer\"");
    }
    if (block.given("client_assertion_audience") && c.client_assertion_audience.empty()) {
        return conf_error(cf, block.where("client_assertion_audience"),
                          "\"client_assertion_audience issuer\" cannot be combined with "
                          "\"issuer_template\", which is nobody's name; \"token_endpoint\" is the "
                          "default with it");
    }
    if (c.config_url.empty() && c.needs_discovery()) {
        return conf_error(cf, place,
                          "\"issuer_template\" needs \"config_url\": where the metadata of all "
                          "tenants are cannot be told from it; with Entra ID as "
                          "https://login.microsoftonline.com/organizations/v2.0/.well-known/"
                          "openid-configuration");
    }
    return conf_ok();
}

char* check_client(ngx_conf_t* cf, const Provider& p, const Block& block) {
    const ProviderConfig& c = p.config;
    const bool renews_key =
        std::any_of(p.renewed.begin(), p.renewed.end(),
                    [](const RenewedFile& f) { return f.kind == RenewedFile::Kind::key; });
    const Place method = block.where("token_endpoint_auth_method");
    if (c.client_auth == ClientAuth::none && !c.client_secret.empty()) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method none\" cannot be combined with a client "
                          "secret");
    }
    const bool has_file = file_assertion(c) != nullptr;
    const bool by_file =
        has_file &&
        (c.client_auth == ClientAuth::automatic || c.client_auth == ClientAuth::file_assertion ||
         (c.client_auth == ClientAuth::private_key_jwt && c.client_key == nullptr));
    if (has_file && !by_file) {
        return conf_error(cf, block.where("client_assertion_file"),
                          "\"client_assertion_file\" is for \"token_endpoint_auth_method "
                          "client_assertion_file\", which is the default with it");
    }
    if (c.client_auth == ClientAuth::file_assertion && !has_file) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method client_assertion_file\" needs "
                          "\"client_assertion_file\"");
    }
    if (c.client_auth == ClientAuth::private_key_jwt && c.client_key == nullptr && !by_file) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method private_key_jwt\" needs \"client_key\"");
    }
    const bool by_key =
        c.client_key != nullptr && !by_file &&
        (c.client_auth == ClientAuth::automatic || c.client_auth == ClientAuth::private_key_jwt);
    const bool by_tls = c.client_auth == ClientAuth::tls;
    if (by_tls && !(block.given("client_certificate") && block.given("client_key"))) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method\" with a certificate needs "
                          "\"client_certificate\" and \"client_key\"");
    }
    if (by_tls && !c.client_secret.empty()) {
        return conf_error(
            cf, method,
            "\"token_endpoint_auth_method\" with a certificate cannot be combined with "
            "a client secret");
    }
    if (c.client_key != nullptr && !by_key && !by_tls && c.request_object != Toggle::on) {
        return conf_error(
            cf, block.where("client_key"),
            "\"client_key\" is for \"token_endpoint_auth_method\" private_key_jwt, "
            "tls_client_auth and self_signed_tls_client_auth, and for \"request_object "
            "on\"");
    }
    if (c.client_key != nullptr && c.decrypter != nullptr &&
        c.decrypter->has(c.client_key->thumbprint())) {
        return conf_error(cf, block.where("id_token_encryption_key"),
                          "\"id_token_encryption_key\" is the key of \"client_key\": a key that "
                          "signs must not decrypt");
    }
    if (renews_key && block.given("client_certificate")) {
        return conf_error(cf, block.where("client_key"),
                          "\"client_key\" with \"watch\" cannot be combined with "
                          "\"client_certificate\", the two could never be renewed in one moment: "
                          "leave \"watch\" away and reload");
    }
    if (c.client_key == nullptr && block.given("client_certificate")) {
        return conf_error(cf, block.where("client_certificate"),
                          "\"client_certificate\" needs \"client_key\"");
    }
    if (c.client_key == nullptr && c.request_object == Toggle::on) {
        return conf_error(cf, block.where("request_object"),
                          "\"request_object on\" needs \"client_key\"");
    }
    const bool makes_assertions = by_key || c.client_auth == ClientAuth::secret_jwt;
    if (block.given("client_assertion_audience") && !makes_assertions) {
        return conf_error(cf, block.where("client_assertion_audience"),
                          "\"client_assertion_audience\" needs \"client_key\" or "
                          "\"token_endpoint_auth_method client_secret_jwt\"");
    }
    if ((c.client_auth == ClientAuth::basic || c.client_auth == ClientAuth::post ||
         c.client_auth == ClientAuth::secret_jwt) &&
        c.client_secret.empty()) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method\" needs \"client_secret\" or "
                          "\"client_secret_file\"");
    }
    if (c.client_auth == ClientAuth::secret_jwt && c.client_secret.size() < kMinHmacSecret) {
        return conf_error(cf, method,
                          "\"token_endpoint_auth_method client_secret_jwt\" needs a secret of at "
                          "least 32 characters (RFC 7518 3.2)");
    }
    if (c.client_secret.empty() &&
        std::any_of(c.id_token_algs.begin(), c.id_token_algs.end(), alg_is_symmetric)) {
        return conf_error(cf, block.where("id_token_signed_response_alg"),
                          "\"id_token_signed_response_alg\" with an HS algorithm needs "
                          "\"client_secret\" or \"client_secret_file\"");
    }
    if (c.pkce == Toggle::off && block.given("code_challenge_method")) {
        return conf_error(cf, block.where("code_challenge_method"),
                          "\"code_challenge_method\" cannot be combined with \"pkce off\"");
    }
    if (c.pkce == Toggle::off && !c.nonce) {
        return conf_error(cf, block.where("nonce"),
                          "\"nonce off\" cannot be combined with \"pkce off\": nothing would bind "
                          "the code to the browser");
    }
    return conf_ok();
}

// A name as in server_name, whether all that it stands for lies in the cookie's domain.
bool is_in_domain(std::string_view name, std::string_view domain) {
    name.remove_prefix(name.starts_with("*.") ? 2 : name.starts_with('.') ? 1 : 0);
    return name == domain || (name.size() > domain.size() && name.ends_with(domain) &&
                              name[name.size() - domain.size() - 1] == '.');
}

}  // namespace

char* check_login_hosts(ngx_conf_t* cf, const Provider& p, const Block& block) {
    if (p.login_hosts.empty()) {
        return conf_ok();
    }
    const Place place = block.where("login_hosts");
    if (p.cookie_domain.empty() || p.redirect_origin.empty()) {
        return conf_error(cf, place,
                          "\"login_hosts\" needs \"cookie_domain\" and a \"redirect_uri\" that is "
                          "a URL, on the host that the logins end at");
    }
    if (p.config.callback_forward) {
        return conf_error(cf, place,
                          "\"login_hosts\" cannot be combined with \"callback forward\": the page "
                          "that was asked for is at another host");
    }
    const auto outside = std::find_if(
        p.login_hosts.begin(), p.login_hosts.end(),
        [&p](const std::string& name) { return !is_in_domain(name, p.cookie_domain); });
    if (outside != p.login_hosts.end()) {
        return conf_error(cf, place,
                          in_quotes(*outside) +
                              " in \"login_hosts\" is not below "
                              "\"cookie_domain\" " +
                              in_quotes(p.cookie_domain));
    }
    if (!is_in_domain(p.redirect_host, p.cookie_domain)) {
        return conf_error(cf, block.where("redirect_uri"),
                          "the host of \"redirect_uri\" " + in_quotes(p.redirect_host) +
                              " is not below \"cookie_domain\" " + in_quotes(p.cookie_domain) +
                              ", which \"login_hosts\" needs");
    }
    return conf_ok();
}

char* lint_provider(ngx_conf_t* cf, Provider& p, const Block& block) {
    const ProviderConfig& c = p.config;
    const bool tenants = block.given("issuer_template");
    for (const std::string_view name : {"issuer", "client_id"}) {
        if (!block.given(name) && !(tenants && name == "issuer")) {
            return conf_error(cf, p.place, in_quotes(name) + " is missing in " + label(p));
        }
    }
    const auto exclusive = [&](std::string_view a, std::string_view b) {
        return conf_error(
            cf, p.place,
            in_quotes(a) + " and " + in_quotes(b) + " cannot both be given in " + label(p));
    };
    if (block.given("issuer") && tenants) {
        return exclusive("issuer", "issuer_template");
    }
    if (char* rv = check_tenants(cf, c, block); rv != conf_ok()) {
        return rv;
    }
    if (block.given("client_secret") && block.given("client_secret_file")) {
        return exclusive("client_secret", "client_secret_file");
    }
    if (block.given("jwks_uri") && block.given("jwks_file")) {
        return exclusive("jwks_uri", "jwks_file");
    }
    if (char* rv = check_urls(cf, c, block); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_client(cf, p, block); rv != conf_ok()) {
        return rv;
    }
    if (char* rv = check_signals(cf, p, block); rv != conf_ok()) {
        return rv;
    }
    if (!p.logout_path.empty() && !is_cookie_path(p.logout_path, p.cookie_path)) {
        return conf_error(cf, block.where("logout_uri"),
                          "\"logout_uri\" " + in_quotes(p.logout_path) +
                              " is not below \"cookie_path\" " + in_quotes(p.cookie_path) +
                              ", so browsers would not send there the session that is to end");
    }
    if (c.userinfo && !c.needs_discovery() && c.userinfo_endpoint.empty()) {
        return conf_error(cf, block.where("userinfo"),
                          "\"userinfo\" needs \"userinfo_endpoint\" when all other endpoints are "
                          "given, no metadata is fetched then");
    }
    if (c.userinfo_token_method == TokenMethod::body && c.dpop_key) {
        return conf_error(cf, block.where("userinfo_token_method"),
                          "\"userinfo_token_method body\" cannot be combined with \"dpop_key\", "
                          "whose tokens go into the header (RFC 9449 7.1)");
    }
    if (c.userinfo_token_method == TokenMethod::body && !c.userinfo) {
        return conf_error(cf, block.where("userinfo_token_method"),
                          "\"userinfo_token_method\" needs \"userinfo on\"");
    }
    if (c.par == Toggle::on && !c.needs_discovery() &&
        c.pushed_authorization_request_endpoint.empty()) {
        return conf_error(cf, block.where("par"),
                          "\"par on\" needs \"pushed_authorization_request_endpoint\" when all "
                          "other endpoints are given, no metadata is fetched then");
    }
    if (c.par == Toggle::off && !c.pushed_authorization_request_endpoint.empty()) {
        return conf_error(cf, block.where("pushed_authorization_request_endpoint"),
                          "\"pushed_authorization_request_endpoint\" cannot be combined with \"par "
                          "off\"");
    }
    if (c.insecure_http) {
        conf_warn(cf, block.where("insecure_http"),
                  "\"insecure_http\" is on: tokens and secrets of " + label(p) +
                      " may travel unencrypted, for laboratories only");
    }
    return conf_ok();
}

void lint_providers(ngx_conf_t* cf, const MainConf& main) {
    for (const auto& group : main.groups) {
        if (!group->used) {
            conf_warn(
                cf, group->place,
                "oidc_provider_group " + in_quotes(group->name) + " is not used by any auth_oidc");
        }
    }
    for (const auto& p : main.providers) {
        if (!p->used && !p->is_source) {
            conf_warn(cf, p->place, label(*p) + " is not used by any auth_oidc");
        }
        if (!p->frontchannel_path.empty() && p->store->type == Store::Type::cookie &&
            p->cookie_same_site != "None") {
            conf_warn(cf, p->place,
                      "\"frontchannel_logout_uri\" of " + label(*p) +
                          " ends no session: with \"type cookie\" it takes the session's cookie, "
                          "which browsers do not send from the provider's page; use "
                          "\"backchannel_logout_uri\" or another store");
        }
    }
}

}  // namespace oidc::ngx
