// SPDX-License-Identifier: Apache-2.0
#include "config/provider_directives.hpp"

#include <array>
#include <memory>

#include "config/client_directives.hpp"
#include "config/lint_provider.hpp"
#include "config/provider_target.hpp"
#include "config/session_directives.hpp"
#include "config/source_directives.hpp"
#include "config/transport_directives.hpp"
#include "oidc/client_credentials.hpp"
#include "oidc/cookie.hpp"
#include "oidc/shared_signals.hpp"
#include "oidc/state.hpp"
#include "oidc/text.hpp"
#include "oidc/uri.hpp"

namespace oidc::ngx {

namespace {

// ---- the table -------------------------------------------------------------------------------

constexpr std::size_t kMany = 64;

char* set_signals_token_file(Block& b) {
    Secret& token = config(b).signals.token;
    if (char* rv = b.secret_file(token, kMaxSecretFile); rv != conf_ok()) {
        return rv;
    }
    const std::string why = why_no_signal_token(token.view());
    return why.empty() ? conf_ok() : b.error("holds no bearer token: it " + why);
}

constexpr BlockDirective kDirectives[] = {
    {"issuer", {}, 1, 1, [](Block& b) { return b.text(config(b).issuer); }},
    {"issuer_template", {}, 1, kMany, set_issuer_template},
    {"client_id", {}, 1, 1, [](Block& b) { return b.text(config(b).client_id); }},
    {"client_secret", {}, 1, 1, set_client_secret},
    {"client_secret_file", {}, 1, 2, set_client_secret_file},
    {"client_assertion_file", {}, 1, 1, set_client_assertion_file},
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
    {"nonce", {}, 1, 1, [](Block& b) { return b.flag(config(b).nonce); }},
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
    {"client_key", {}, 1, 4, set_client_key},
    {"client_certificate",
     {},
     1,
     1,
     [](Block& b) { return b.text_file(provider(b).transport.client_chain, kMaxClientKey); }},
    {"dpop_key", {}, 1, 2, set_dpop_key},
    {"client_assertion_audience", {}, 1, 1, set_assertion_audience},
    {"id_token_signed_response_alg", {}, 1, kMany, set_algs},
    {"id_token_encryption_key", {}, 1, 6, set_encryption_key},
    {"trusted_audience",
     {},
     1,
     kMany,
     [](Block& b) { return b.words(config(b).trusted_audience); }},
    {"clock_skew", {}, 1, 1, [](Block& b) { return b.seconds(config(b).clock_skew, 0, 300); }},
    {"userinfo", {}, 1, 1, [](Block& b) { return b.flag(config(b).userinfo); }},
    {"userinfo_token_method", {}, 1, 1, set_userinfo_token_method},
    {"username_claim", {}, 1, kMany, [](Block& b) { return b.words(config(b).username_claim); }},
    {"claim_source", {}, 1, kMany, set_claim_source, true},
    {"cookie_name", {}, 1, 1, set_cookie_name},
    {"cookie_domain", {}, 1, 1, set_cookie_domain},
    {"login_hosts", {}, 1, kMany, set_login_hosts},
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
    {"initiate_login_uri",
     {},
     1,
     1,
     [](Block& b) { return b.local_path(provider(b).initiation_path); }},
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
    {"traceparent", {}, 1, 1, set_traceparent},
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
    {"shared_signals_uri",
     {},
     1,
     1,
     [](Block& b) { return b.local_path(provider(b).signals_path); }},
    {"shared_signals_token_file", {}, 1, 1, set_signals_token_file},
    {"shared_signals_issuer", {}, 1, 1, [](Block& b) { return b.text(config(b).signals.issuer); }},
    {"shared_signals_audience",
     {},
     1,
     kMany,
     [](Block& b) { return b.words(config(b).signals.audience); }},
    {"revocation_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).revocation_endpoint); }},
    {"revoke_on_logout", {}, 1, 1, [](Block& b) { return b.flag(config(b).revoke_on_logout); }},
    {"logout_hook", {}, 1, 1, [](Block& b) { return b.local_path(provider(b).logout_hook); }},
    {"introspection_endpoint",
     {},
     1,
     1,
     [](Block& b) { return b.text(config(b).introspection_endpoint); }},
    {"introspection_signed",
     {},
     1,
     1,
     [](Block& b) { return b.flag(config(b).introspection_signed); }},
    {"introspection_cache", {}, 1, 3, set_introspection_cache},
    {"session_refresh", {}, 1, 2, set_session_refresh},
    {"session_limit", {}, 1, 1, set_session_limit},
    {"access_token_lifetime", {}, 1, 1, set_access_token_lifetime},
};

// What follows from the block, once it is known to be complete.
char* derive(ngx_conf_t* cf, Provider& p, const Block& block) {
    if (p.config.config_url.empty()) {
        p.config.config_url = discovery_url(p.config.issuer);
    }
    // The template is nobody's name that an assertion could be for.
    if (!p.config.tenants.empty() && p.config.client_assertion_audience.empty()) {
        p.config.client_assertion_audience = kTokenEndpointAudience;
    }
    const ClientAuth auth = p.config.client_auth;
    for (const RenewedFile& file : p.renewed) {
        p.config.renewed->renews_secret |= file.kind == RenewedKind::secret;
        p.config.renewed->renews_key |= file.kind == RenewedKind::key;
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
        p.redirect_host = ascii_lower(url->host);
    }
    if (const char* problem = local_path_problem(p.callback_path)) {
        return conf_error(
            cf, block.where("redirect_uri"),
            "\"redirect_uri\" " + std::string(problem) + ", not " + in_quotes(p.callback_path));
    }

    if (char* rv = check_login_hosts(cf, p, block); rv != conf_ok()) {
        return rv;
    }

    const std::array<std::pair<const char*, const std::string*>, 7> paths = {{
        {"redirect_uri", &p.callback_path},
        {"initiate_login_uri", &p.initiation_path},
        {"logout_uri", &p.logout_path},
        {"frontchannel_logout_uri", &p.frontchannel_path},
        {"backchannel_logout_uri", &p.backchannel_path},
        {"shared_signals_uri", &p.signals_path},
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
    if (const ProviderGroup* group = main.find_group(name)) {
        return conf_error(cf, "oidc_provider " + in_quotes(name) +
                                  " has the name of an oidc_provider_group, first defined in " +
                                  shown(group->place) + ": \"auth_oidc\" could mean both");
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
