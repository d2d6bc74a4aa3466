# SPDX-License-Identifier: Apache-2.0
"""The options of the programs that people come from: read from the program itself where a registry has it, else
as a list of one version. For test_guides.py."""

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
        raise Unavailable(f"there is no {command[0]}")
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


READ = {"oauth2-proxy": oauth2_proxy, "mod-auth-openidc": mod_auth_openidc}

RECORDED = {
    # The reference of ngx_http_oidc_module, NGINX Plus R36, and what people use with it.
    "nginx-plus": """
        oidc_provider auth_oidc issuer client_id client_secret config_url cookie_name extra_auth_args
        frontchannel_logout_uri logout_uri post_logout_uri logout_token_hint pkce redirect_uri scope session_store
        session_timeout ssl_crl ssl_trusted_certificate userinfo keyval_zone auth_require auth_jwt_claim_set
        auth_jwt auth_jwt_require""".split(),
    # Its reference, version 0.2.0, and the changelogs up to 0.7.
    "nginx-oidc": """
        auth_oidc auth_oidc_mode oidc_provider issuer client_id client_secret session_store redirect_uri config_url
        cookie_name scopes extra_auth_args clock_skew pkce code_challenge_method session_timeout logout_uri
        post_logout_uri logout_token_hint userinfo oidc_session_store type ttl prefix size memory_max_size hostname
        port database password connect_timeout command_timeout oidc_base_url oidc_status cookie_domain
        pre_auth_timeout oidc_cleanup_interval auth_oidc_bearer auth_oidc_bearer_audience
        auth_oidc_bearer_typ""".split(),
    # What lib/resty/openidc.lua of 1.8.0 reads of its options.
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
}
