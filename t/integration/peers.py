# SPDX-License-Identifier: Apache-2.0
"""The options of the programs that people come from: read from the program itself where it can be had, else as a list
of one version. For test_guides.py.

Registries have oauth2-proxy (the Go proxy, by `go`) and mod_auth_openidc (Debian). The reference of NGINX Plus
(github.com/nginx/nginx.org), nginx-oidc (kjdev) and lua-resty-openidc (zmartzone) are in none of those: they are read
where their source is unpacked in build/peers/nginx.org, build/peers/nginx-oidc and build/peers/lua-resty-openidc. What
was read last is recorded with its version, and stands for those that cannot be read. Authelia and authentik say at many
places what they do: of these two there is only the list, which a person has made.
"""

import json
import os
import re
import shutil
import subprocess

from harness.nginx import ROOT

OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.3"


class Unavailable(Exception):
    """The program cannot be had here; the message says why."""


def run(*command, **options):
    if not shutil.which(command[0]):
        raise Unavailable(f"there is no {command[0]}" + (", which Debian has in golang-go" if command[0] == "go" else ""))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took too long") from None
    if done.returncode != 0:
        raise Unavailable((done.stderr or done.stdout).strip()[-300:] or f"{command[0]} has failed")
    return done.stdout


def oauth2_proxy(folder):
    """The flags in the module's source, as the Go proxy has it."""
    try:
        told = json.loads(run("go", "mod", "download", "-json", OAUTH2_PROXY, cwd=folder, env={
            **os.environ, "GOMODCACHE": str(ROOT / "build" / "peers"), "GOFLAGS": "-modcacherw"}))
    except ValueError:
        raise Unavailable("go does not say where the module is") from None
    if "Dir" not in told:
        raise Unavailable(told.get("Error", "no folder"))
    found = set()
    for path in sorted(run("find", told["Dir"], "-name", "*.go", "-not", "-name", "*_test.go").split()):
        with open(path, encoding="utf-8") as file:
            found |= set(re.findall(r'[fF]lagSet\.\w+\("([\w-]+)"', file.read()))
    return found


def mod_auth_openidc(folder):
    """The directives that the configuration file of Debian's package explains."""
    run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "libapache2-mod-auth-openidc", cwd=folder)
    (package,) = folder.glob("libapache2-mod-auth-openidc_*.deb")
    run("dpkg-deb", "-x", str(package), str(folder / "tree"))
    # mods-available in Debian 12, conf-available in 13.
    (file,) = (folder / "tree/etc/apache2").rglob("auth_openidc.conf")
    text = file.read_text(encoding="utf-8")
    return set(re.findall(r"^\s*#?\s*(OIDC[A-Z]\w+)", text, re.M))


def unpacked(name, pattern, folder=ROOT / "build" / "peers"):
    """The text of the files of a source that somebody has unpacked."""
    paths = sorted((folder / name).glob(pattern))
    if not paths:
        raise Unavailable(f"no registry has its source and build/peers/{name} has not either; a recorded list of its "
                          "options was compared")
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def options_of_nginx_oidc(text):
    """What its tables of commands have (a variable's row goes on in another way), and the words of its store's block."""
    words = re.findall(r'ngx_strcmp\(value\[0\]\.data, "(\w+)"\)', text)
    return set(re.findall(r'\{ ngx_string\("(\w+)"\),\s*NGX_', text)) | set(words)


def options_of_lua_resty_openidc(text):
    return set(re.findall(r"\bopts\.([a-z_]+)", text))


def options_of_nginx_plus(text):
    return set(re.findall(r'<directive name="(\w+)"', text))


def nginx_plus(_):
    """Its sign-in, and the modules that people use with it."""
    return set().union(*[options_of_nginx_plus(unpacked("nginx.org", f"xml/en/docs/http/ngx_http_{module}_module.xml"))
                         for module in ("oidc", "auth_jwt", "auth_require", "keyval")])


def nginx_oidc(_):
    return options_of_nginx_oidc(unpacked("nginx-oidc", "src/*.c"))


def lua_resty_openidc(_):
    return options_of_lua_resty_openidc(unpacked("lua-resty-openidc", "lib/resty/openidc.lua"))


# Shown with the tests that are skipped, so that nobody takes these lists for the programs themselves.
NOT_READ = {
    "forward-auth": "no registry has Authelia or authentik; the lists of 4.39 and 2025.10 were compared"}

READ = {"oauth2-proxy": oauth2_proxy, "mod-auth-openidc": mod_auth_openidc, "nginx-plus": nginx_plus,
        "nginx-oidc": nginx_oidc, "lua-resty-openidc": lua_resty_openidc}
# The fewest that each has: a reader that finds less has lost its way.
LEAST = {"oauth2-proxy": 100, "mod-auth-openidc": 100, "nginx-plus": 30, "nginx-oidc": 30, "lua-resty-openidc": 50}

RECORDED = {
    # Read from nginx/nginx.org at 3924a7f8334b (2026-07-21): ngx_http_oidc_module, 20 directives as of R36 (nginx 1.29.3),
    # then ngx_http_auth_jwt_module, ngx_http_auth_require_module and ngx_http_keyval_module.
    "nginx-plus": """
        oidc_provider auth_oidc issuer client_id client_secret config_url cookie_name extra_auth_args
        frontchannel_logout_uri logout_uri post_logout_uri logout_token_hint pkce redirect_uri scope session_store
        session_timeout ssl_crl ssl_trusted_certificate userinfo
        auth_jwt auth_jwt_claim_set auth_jwt_header_set auth_jwt_key_cache auth_jwt_key_file auth_jwt_key_request
        auth_jwt_leeway auth_jwt_type auth_jwt_require auth_require keyval keyval_zone""".split(),
    # Read from v7.15.3, 172.
    "oauth2-proxy": """
        acr-values allow-query-semicolons allowed-group allowed-role alpha-config api-route approval-prompt
        auth-logging auth-logging-format auth-request-response-mode authenticated-emails-file azure-graph-group-field
        azure-tenant backend-logout-url banner basic-auth-password bearer-token-login-fallback bitbucket-repository
        bitbucket-team client-id client-secret client-secret-file code-challenge-method config config-test
        convert-config-to-alpha cookie-csrf-expire cookie-csrf-per-request cookie-csrf-per-request-limit
        cookie-csrf-samesite cookie-domain cookie-expire cookie-httponly cookie-name cookie-path cookie-refresh
        cookie-samesite cookie-secret cookie-secret-file cookie-secure custom-sign-in-logo custom-templates-dir
        disable-keep-alives display-htpasswd-form email-domain encode-state entra-id-allowed-tenant
        entra-id-federated-token-auth errors-to-info-log exclude-logging-path extra-jwt-issuers flush-interval footer
        force-code-challenge-method force-https force-json-errors gcp-healthchecks github-org github-repo github-team
        github-token github-user gitlab-group gitlab-project google-admin-api-user-scope google-admin-email
        google-group google-service-account-json google-target-principal google-use-application-default-credentials
        google-use-organization-id htpasswd-file htpasswd-user-group http-address https-address
        insecure-oidc-allow-unverified-email insecure-oidc-skip-issuer-verification insecure-oidc-skip-nonce jwt-key
        jwt-key-file keycloak-group logging-compress logging-filename logging-local-time logging-max-age
        logging-max-backups logging-max-size login-url metrics-address metrics-secure-address metrics-tls-cert-file
        metrics-tls-key-file oidc-audience-claim oidc-email-claim oidc-enabled-signing-alg oidc-extra-audience
        oidc-groups-claim oidc-issuer-url oidc-jwks-url oidc-public-key-file pass-access-token
        pass-authorization-header pass-basic-auth pass-host-header pass-user-headers ping-path ping-user-agent
        prefer-email-to-user profile-url prompt provider provider-ca-file provider-display-name proxy-prefix
        proxy-websockets pubjwk-url ready-path real-client-ip-header redeem-url redirect-url redis-ca-path
        redis-cluster-connection-urls redis-connection-idle-timeout redis-connection-url
        redis-insecure-skip-tls-verify redis-password redis-sentinel-connection-urls redis-sentinel-master-name
        redis-sentinel-password redis-use-cluster redis-use-sentinel redis-username relative-redirect-url
        request-id-header request-logging request-logging-format resource reverse-proxy scope session-cookie-minimal
        session-store-type set-authorization-header set-basic-auth set-xauthrequest show-debug-on-error signature-key
        silence-ping-logging skip-auth-preflight skip-auth-regex skip-auth-route skip-auth-strip-headers
        skip-claims-from-profile-url skip-jwt-bearer-tokens skip-oidc-discovery skip-provider-button
        ssl-insecure-skip-verify ssl-upstream-insecure-skip-verify standard-logging standard-logging-format
        tls-cert-file tls-cipher-suite tls-key-file tls-min-version trusted-ip trusted-proxy-ip upstream
        upstream-timeout use-system-trust-store user-id-claim validate-url version whitelist-domain""".split(),
    # Read from Debian 12's package, 2.4.12.3-2+deb12u5, 129, and from auth_openidc.conf of OpenIDC/mod_auth_openidc at
    # 1deff3d91057 (2026-08-21), 146.
    "mod-auth-openidc": """
        OIDCAuthNHeader OIDCAuthRequestParams OIDCBlackListedClaims OIDCCABundlePath OIDCCacheDir OIDCCacheEncrypt
        OIDCCacheFileCleanInterval OIDCCacheShmEntrySizeMax OIDCCacheShmMax OIDCCacheType OIDCCertBoundAccessTokens
        OIDCClaimDelimiter OIDCClaimPrefix OIDCClientContact OIDCClientID OIDCClientJwksUri OIDCClientName
        OIDCClientSecret OIDCClientTokenEndpointCert OIDCClientTokenEndpointKey OIDCClientTokenEndpointKeyPassword
        OIDCCookie OIDCCookieDomain OIDCCookieHTTPOnly OIDCCookiePath OIDCCookieSameSite OIDCCryptoPassphrase
        OIDCDPoPMode OIDCDebugMaskSecrets OIDCDefaultLoggedOutURL OIDCDefaultURL OIDCDiscoverIssuersAllowed
        OIDCDiscoverURL OIDCFilterClaimsExpr OIDCHTMLErrorTemplate OIDCHTTPTimeoutLong OIDCHTTPTimeoutShort
        OIDCIDTokenAudValues OIDCIDTokenEncryptedResponseAlg OIDCIDTokenEncryptedResponseEnc OIDCIDTokenIatSlack
        OIDCIDTokenSignedResponseAlg OIDCInfoHook OIDCJWKSRefreshInterval OIDCLogoutRequestParams
        OIDCLogoutXFrameOptions OIDCMemCacheConnectionsHMax OIDCMemCacheConnectionsMin OIDCMemCacheConnectionsSMax
        OIDCMemCacheConnectionsTTL OIDCMemCacheServers OIDCMetadataDir OIDCMetricsData OIDCMetricsPublish
        OIDCOAuthAcceptTokenAs OIDCOAuthAccessTokenBindingPolicy OIDCOAuthClientID OIDCOAuthClientSecret
        OIDCOAuthDecryptSharedKeys OIDCOAuthIntrospectionClientAuthBearerToken OIDCOAuthIntrospectionEndpoint
        OIDCOAuthIntrospectionEndpointAuth OIDCOAuthIntrospectionEndpointCert OIDCOAuthIntrospectionEndpointKey
        OIDCOAuthIntrospectionEndpointKeyPassword OIDCOAuthIntrospectionEndpointMethod
        OIDCOAuthIntrospectionEndpointParams OIDCOAuthIntrospectionTokenParamName OIDCOAuthRemoteUserClaim
        OIDCOAuthSSLValidateServer OIDCOAuthServerMetadataURL OIDCOAuthTokenExpiryClaim
        OIDCOAuthTokenIntrospectionInterval OIDCOAuthVerifyAudience OIDCOAuthVerifyCertFiles OIDCOAuthVerifyIssuer
        OIDCOAuthVerifyJwksUri OIDCOAuthVerifySharedKeys OIDCOutgoingProxy OIDCPKCEMethod OIDCPassAccessToken
        OIDCPassClaimsAs OIDCPassCookies OIDCPassIDTokenAs OIDCPassRefreshToken OIDCPassUserInfoAs
        OIDCPathAuthRequestParams OIDCPathScope OIDCPreservePost OIDCPreservePostTemplates OIDCPrivateKeyFiles
        OIDCProfile OIDCProviderAuthRequestMethod OIDCProviderAuthorizationEndpoint
        OIDCProviderBackChannelLogoutSupported OIDCProviderCheckSessionIFrame OIDCProviderEndSessionEndpoint
        OIDCProviderIssuer OIDCProviderJwksUri OIDCProviderMetadataRefreshInterval OIDCProviderMetadataURL
        OIDCProviderPushedAuthorizationRequestEndpoint OIDCProviderRegistrationEndpointJson
        OIDCProviderRevocationEndpoint OIDCProviderSignedJwksUri OIDCProviderTokenEndpoint
        OIDCProviderTokenEndpointAuth OIDCProviderTokenEndpointParams OIDCProviderUserInfoEndpoint
        OIDCProviderVerifyCertFiles OIDCPublicKeyFiles OIDCRedirectURI OIDCRedirectURLsAllowed
        OIDCRedisCacheConnectTimeout OIDCRedisCacheDatabase OIDCRedisCachePassword OIDCRedisCacheServer
        OIDCRedisCacheTimeout OIDCRedisCacheUsername OIDCRefreshAccessTokenBeforeExpiry OIDCRemoteUserClaim
        OIDCRequestObject OIDCResponseMode OIDCResponseType OIDCSSLValidateServer OIDCScope
        OIDCSessionCacheFallbackToCookie OIDCSessionCookieChunkSize OIDCSessionInactivityTimeout
        OIDCSessionMaxDuration OIDCSessionType OIDCStateCookiePrefix OIDCStateInputHeaders OIDCStateMaxNumberOfCookies
        OIDCStateTimeout OIDCStripCookies OIDCTokenBindingPolicy OIDCTraceParent OIDCUnAuthAction OIDCUnAutzAction
        OIDCUserInfoClaimsExpr OIDCUserInfoEncryptedResponseAlg OIDCUserInfoEncryptedResponseEnc
        OIDCUserInfoRefreshInterval OIDCUserInfoSignedResponseAlg OIDCUserInfoTokenMethod OIDCValidateIssuer
        OIDCWhiteListedClaims OIDCXForwardedHeaders""".split(),
    # Read from the source at e25dce5b8ecf (0.2.0 and later, 2026-03-05), 34; and of the changelogs up to 0.7
    # cookie_domain, pre_auth_timeout, oidc_cleanup_interval and auth_oidc_bearer*.
    "nginx-oidc": """
        auth_oidc auth_oidc_mode oidc_provider issuer client_id client_secret session_store redirect_uri config_url
        cookie_name scopes extra_auth_args clock_skew pkce code_challenge_method session_timeout logout_uri
        post_logout_uri logout_token_hint userinfo oidc_session_store type ttl prefix size memory_max_size hostname
        port database password connect_timeout command_timeout oidc_base_url oidc_status cookie_domain
        pre_auth_timeout oidc_cleanup_interval auth_oidc_bearer auth_oidc_bearer_audience
        auth_oidc_bearer_typ""".split(),
    # Read from lib/resty/openidc.lua of 1.8.0, at fabf64e29062 (2025-04-08), 57.
    "lua-resty-openidc": """
        accept_none_alg accept_unsupported_alg access_token_expires_in access_token_expires_leeway
        auth_accept_token_as auth_accept_token_as_header_name authorization_params cache_segment client_id
        client_jwt_assertion_expires_in client_rsa_private_key client_rsa_private_key_id client_secret discovery
        discovery_expires_in display force_reauthorize http_request_decorator iat_slack introspection_cache_ignore
        introspection_enable_negative_cache introspection_endpoint introspection_endpoint_auth_method
        introspection_expiry_claim introspection_interval introspection_params introspection_token_param_name
        jwk_expires_in jwt_verification_cache_ignore keepalive lifecycle local_redirect_uri_path logout_path
        pass_cookies post_logout_redirect_uri prompt proxy_opts public_key redirect_after_logout_uri
        redirect_after_logout_with_id_token_hint redirect_uri redirect_uri_path redirect_uri_scheme
        refresh_session_interval renew_access_token_on_expiry response_mode revoke_tokens_on_logout scope secret
        session_contents ssl_verify symmetric_key timeout token_endpoint_auth_method
        token_signing_alg_values_expected use_nonce use_pkce""".split(),
    # Authelia 4.39: server.endpoints.authz, access_control, session.cookies, and what nginx is told and tells.
    # authentik 2025.10: the fields of a proxy provider that are not every provider's, headers and paths of its outpost.
    "forward-auth": """
        implementation authn_strategies AuthRequest ForwardAuth ExtAuthz Legacy CookieSession HeaderAuthorization
        HeaderProxyAuthorization HeaderAuthRequestProxyAuthorization HeaderLegacy schemes scheme_basic_cache_lifespan
        Remote-User Remote-Groups Remote-Name Remote-Email authelia_url rd rm X-Original-URL X-Original-Method
        default_policy domain domain_regex policy bypass deny one_factor two_factor subject networks methods resources
        query operator key value name same_site expiration inactivity remember_me default_redirection_url
        mode proxy forward_single forward_domain external_host internal_host internal_host_ssl_validation
        skip_path_regex intercept_header_auth basic_auth_enabled basic_auth_user_attribute
        basic_auth_password_attribute certificate cookie_secret cookie_domain access_token_validity
        refresh_token_validity authentication_flow authorization_flow invalidation_flow property_mappings
        jwt_federation_sources jwt_federation_providers X-authentik-username X-authentik-groups
        X-authentik-entitlements X-authentik-email X-authentik-name X-authentik-uid X-authentik-jwt
        X-authentik-meta-jwks X-authentik-meta-outpost X-authentik-meta-provider X-authentik-meta-app
        X-authentik-meta-version additionalHeaders X-Original-URI /outpost.goauthentik.io
        /outpost.goauthentik.io/auth/nginx /outpost.goauthentik.io/start /outpost.goauthentik.io/callback
        /outpost.goauthentik.io/sign_out /outpost.goauthentik.io/ping""".split(),
}
