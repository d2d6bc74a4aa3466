# SPDX-License-Identifier: Apache-2.0
"""N-35 and the rest of the configuration: what `nginx -t` refuses, warns about and accepts."""

import json
import os
import re
import socket

import pytest

from harness.cases import case, rows
from harness.forge import Key
from harness.nginx import Nginx

SECRET = "S3CRET-CANARY-5f1d0c"
BASE = "issuer https://idp.example; client_id crm;"
TEMPLATE = 'issuer_template "https://idp.example/{tenantid}/v2.0"'
THERE = "config_url https://idp.example/common;"
PROTECT = "location / { auth_oidc idp; }"


@pytest.fixture(scope="module")
def files(lab):
    """A folder with good and bad files, and a runner of nginx -t in it."""
    folder = lab.folder / "config"
    folder.mkdir()

    def put(name, data, mode=0o600):
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(mode)
        return path
    put("secret", SECRET + "\n")
    put("secret-world", SECRET, 0o644)
    put("secret-group", SECRET, 0o640)
    put("empty", "")
    put("newline", "\n")
    put("nul", SECRET + "\0x")
    put("big", SECRET * 60000)
    put("hs", "h" * 40 + "\n")
    put("hs-short", "short\n")
    put("text", "this is no PEM")
    put("keys", f"{'1f' * 31}00\n")
    put("jwks", json.dumps({"keys": [lab.keys.rsa.jwk()]}))
    put("jwks-empty", '{"keys":[]}')
    put("jwks-bad", "{")
    put("part.conf", "client_id from_include;\n")
    put("ca", lab.pki.ca.file.read_bytes())
    put("ca-broken", lab.pki.ca.file.read_bytes() + b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    put("key", lab.keys.p256.private_pem())
    put("key-world", lab.keys.p256.private_pem(), 0o644)
    put("key-1024", Key.rsa("-", 1024).private_pem())
    put("key-other", lab.keys.p384.private_pem())
    put("key-ed", lab.keys.ed.private_pem())
    put("lines", "one\ntwo\n")
    put("signals", "0123456789abcdef\n")
    put("signals-short", "0123456789abcde")
    put("signals-blank", "0123456789 abcdef")
    put("crl", lab.pki.crl.read_bytes())
    (folder / "link").symlink_to(folder / "secret")
    os.mkfifo(folder / "fifo")
    return Runner(folder, lab)


class Runner:
    def __init__(self, folder, lab):
        self.folder, self.lab, self.n = folder, lab, 0

    def __call__(self, http, main=""):
        """(good, output) of nginx -t for the content of an http block."""
        self.n += 1
        nginx = Nginx(self.folder / f"run{self.n}", http.replace("@F@", str(self.folder)), main=main,
                      status_port=2)
        code, out = nginx.test()
        assert SECRET not in out, "a secret in the messages of nginx -t"
        assert "sanitizer" not in out.lower(), out
        return code == 0, out


def provider(extra="", name="idp", base=BASE):
    return f"oidc_provider {name} {{ {base} {extra} }}\n"


def server(body=PROTECT, lab=None, tls=True, name="crm.example"):
    cert = (f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key {lab.pki.site.key_file};"
            if tls else "")
    return (f"server {{ listen 127.0.0.1:1{' ssl' if tls else ''}; server_name {name}; {cert}\n"
            f"{body} }}\n")


# Zones of caches, for the texts that use one.
CACHES = "".join(f"{module}_cache_path @F@/{module} keys_zone={module}:64k;\n"
                 for module in ("proxy", "fastcgi", "uwsgi", "scgi"))


def two_of_a_server(first, second):
    """Two providers, and a server of their own that uses both."""
    return (provider("redirect_uri /one; " + first, name="one") + provider("redirect_uri /two; " + second, name="two")
            + "server { listen 127.0.0.1:3; oidc_base_url https://b.example;"
              " location /a/ { auth_oidc one; } location /b/ { auth_oidc two; } }\n")


def elsewhere(directives, of_server=""):
    """A provider whose logins end at another server than where they begin."""
    host = "l.crm.example"
    return (provider(f"redirect_uri https://{host}/cb; {directives}", name="one")
            + "".join(f"server {{ listen 127.0.0.1:3; server_name {name}; {of_server} auth_oidc one; }}\n"
                      for name in (host, "a.crm.example")))


P, S = "provider", "server"
SIGNALS_TOKEN = "shared_signals_token_file @F@/signals;"
# name: (part, text, what the message says). Parts: provider (inside the block), server (inside the
# server), http (beside them), or whole (everything).
REFUSED = {
    "missing-client-id": ("whole-provider", "issuer https://idp.example;", '"client_id" is missing'),
    "missing-issuer": ("whole-provider", "client_id x;", '"issuer" is missing'),
    "issuer-http": ("whole-provider", "issuer http://idp.example; client_id x;", "not https"),
    "issuer-http-loopback": ("whole-provider", "issuer http://127.0.0.1:9; client_id x;", "insecure_http"),
    "issuer-http-foreign": ("whole-provider", "issuer http://idp.example; client_id x; insecure_http on;",
                            "not https"),
    "issuer-junk": ("whole-provider", "issuer idp; client_id x;", "issuer"),
    "issuer-query": ("whole-provider", "issuer https://idp.example/?a=b; client_id x;", "query"),
    "issuer-fragment": ("whole-provider", 'issuer "https://idp.example/#a"; client_id x;', "issuer"),
    "issuer-userinfo": ("whole-provider", "issuer https://a:b@idp.example; client_id x;", "issuer"),
    "issuer-empty": ("whole-provider", 'issuer ""; client_id x;', "issuer"),
    "issuer-javascript": ("whole-provider", "issuer javascript:x; client_id x;", "issuer"),
    "template-beside-issuer": ("whole-provider", f"issuer https://idp.example; client_id x; {TEMPLATE} a; {THERE}",
                               '"issuer" and "issuer_template" cannot both be given'),
    "template-without-tenants": ("whole-provider", f"client_id x; {TEMPLATE}; {THERE}", "needs the tenants behind it"),
    "template-without-config-url": ("whole-provider", f"client_id x; {TEMPLATE} a;",
                                    '"issuer_template" needs "config_url"'),
    "template-wildcard": ("whole-provider", f"client_id x; {TEMPLATE} *; {THERE}",
                          'invalid value "*" in "issuer_template"'),
    "template-regex": ("whole-provider", f"client_id x; {TEMPLATE} ~.*; {THERE}", "a pattern would let in whoever"),
    "template-itself": ("whole-provider", f'client_id x; {TEMPLATE} "{{tenantid}}"; {THERE}', "invalid value"),
    "template-slash": ("whole-provider", f"client_id x; {TEMPLATE} a/b; {THERE}", "invalid value"),
    "template-escape": ("whole-provider", f"client_id x; {TEMPLATE} a%2Fb; {THERE}", "invalid value"),
    "template-dots": ("whole-provider", f"client_id x; {TEMPLATE} ..; {THERE}", "invalid value"),
    "template-empty-tenant": ("whole-provider", f'client_id x; {TEMPLATE} ""; {THERE}', "invalid value"),
    "template-tenant-twice": ("whole-provider", f"client_id x; {TEMPLATE} a b a; {THERE}", 'names the tenant "a" twice'),
    "template-twice": ("whole-provider", f"client_id x; {TEMPLATE} a; {TEMPLATE} b; {THERE}", "duplicate"),
    "template-no-placeholder": ("whole-provider", f"client_id x; issuer_template https://idp.example/v2.0 a; {THERE}",
                                'must have "{tenantid}" in the place of the tenant'),
    "template-two-placeholders": (
        "whole-provider", f'client_id x; issuer_template "https://idp.example/{{tenantid}}/{{tenantid}}" a; {THERE}',
        "once, and no other braces"),
    "template-of-a-host": (
        "whole-provider", f'client_id x; issuer_template "https://{{tenantid}}.idp.example/" a; {THERE}', "in the path"),
    "template-query": ("whole-provider",
                       f'client_id x; issuer_template "https://idp.example/{{tenantid}}?a" a; {THERE}', "must not have a query"),
    "template-http": ("whole-provider", f'client_id x; issuer_template "http://idp.example/{{tenantid}}" a; {THERE}',
                      "not https"),
    "template-audience": (
        "whole-provider", f"client_id x; {TEMPLATE} a; {THERE} client_assertion_audience issuer; client_secret s;",
        '"client_assertion_audience issuer" cannot be combined with'),
    "client-id-empty": ("whole-provider", 'issuer https://idp.example; client_id "";', "client_id"),
    "two-secrets": (P, f"client_secret {SECRET}; client_secret_file @F@/secret;", "cannot both be given"),
    "secret-empty": (P, 'client_secret "";', "must not be empty"),
    "secret-file-missing": (P, "client_secret_file @F@/nothing;", "No such file"),
    "secret-file-empty": (P, "client_secret_file @F@/empty;", "is empty"),
    "secret-file-newline": (P, "client_secret_file @F@/newline;", "is empty"),
    "secret-file-nul": (P, "client_secret_file @F@/nul;", "NUL"),
    "secret-file-big": (P, "client_secret_file @F@/big;", "too large"),
    "secret-file-folder": (P, "client_secret_file @F@;", "not a regular file"),
    "secret-file-fifo": (P, "client_secret_file @F@/fifo;", "not a regular file"),
    "unknown-directive": (P, "nonsense on;", 'unknown directive "nonsense"'),
    "duplicate": (P, "scope openid; scope email;", "duplicate"),
    "alias-duplicate": (P, "scope openid; scopes email;", "duplicate"),
    "arguments": (P, "pkce on off;", "invalid number of arguments"),
    "block-inside": (P, "scope { }", 'unexpected "{"'),
    "logout-paths": (P, "logout_uri /x; backchannel_logout_uri /x;", "backchannel_logout_uri"),
    "frontchannel-is-callback": (P, "frontchannel_logout_uri /oidc_callback;", "redirect_uri"),
    "signals-paths": (P, f"backchannel_logout_uri /x; shared_signals_uri /x; {SIGNALS_TOKEN}",
                      '"shared_signals_uri" must not be the path of "backchannel_logout_uri"'),
    "signals-callback": (P, f"shared_signals_uri /oidc_callback; {SIGNALS_TOKEN}", "redirect_uri"),
    "signals-no-path": (P, f"shared_signals_uri signals; {SIGNALS_TOKEN}", "shared_signals_uri"),
    "signals-without-token": (P, "shared_signals_uri /x;", '"shared_signals_uri" needs "shared_signals_token_file"'),
    "signals-token-alone": (P, SIGNALS_TOKEN, '"shared_signals_token_file" needs "shared_signals_uri"'),
    "signals-token-short": (P, "shared_signals_uri /x; shared_signals_token_file @F@/signals-short;",
                            "has 15 bytes, 16 to 4096 are accepted"),
    "signals-token-blank": (P, "shared_signals_uri /x; shared_signals_token_file @F@/signals-blank;",
                            "has characters that no bearer token has"),
    "signals-token-empty": (P, "shared_signals_uri /x; shared_signals_token_file @F@/empty;", "is empty"),
    "signals-token-missing": (P, "shared_signals_uri /x; shared_signals_token_file @F@/nothing;", "No such file"),
    "signals-issuer-alone": (P, "shared_signals_issuer https://x.example;", 'needs "shared_signals_uri"'),
    "signals-audience-alone": (P, "shared_signals_audience x;", 'needs "shared_signals_uri"'),
    "signals-issuer-http": (P, f"shared_signals_uri /x; {SIGNALS_TOKEN} shared_signals_issuer http://x.example;",
                            "shared_signals_issuer"),
    "signals-issuer-template": ("whole-provider", f"client_id x; {TEMPLATE} a; {THERE} "
                                f"shared_signals_uri /x; {SIGNALS_TOKEN} shared_signals_issuer https://x.example;",
                                'cannot be combined with "issuer_template"'),
    "session-refresh": (P, "session_refresh yes;", '"on" or "off"'),
    "session-refresh-before": (P, "session_refresh on before=0;", "before="),
    "session-refresh-argument": (P, "session_refresh on after=1m;", "before="),
    "session-limit": (P, "session_limit 0;", "session_limit"),
    "logout-outside-cookie-path": (P, "cookie_path /app/; logout_uri /logout;", "is not below"),
    "post-logout-param-taken": (P, "post_logout_param client_id;", "not sent otherwise"),
    "post-logout-param-junk": (P, 'post_logout_param "a b";', "not sent otherwise"),
    "logout-origins-path": (P, "logout_origins https://portal.example/;", "an origin"),
    "logout-origins-plain": (P, "logout_origins http://portal.example;", "an origin"),
    "logout-origins-none": (P, "logout_origins *;", "an origin"),
    "session-limit-large": (P, "session_limit 1001;", "between 1 and 1000"),
    "introspection-endpoint-http": (P, "introspection_endpoint http://idp.example/i;", "introspection_endpoint"),
    "introspection-signed": (P, "introspection_signed maybe;", "introspection_signed"),
    "introspection-cache-word": (P, "introspection_cache some;", '"off" or a size'),
    "introspection-cache-small": (P, "introspection_cache 255k;", "at least 256k is needed"),
    "introspection-cache-off": (P, "introspection_cache off time=5s;", 'is "off", or a size with times'),
    "introspection-cache-time": (P, "introspection_cache 1m time=0;", "between 1s and 1h"),
    "introspection-cache-long": (P, "introspection_cache 1m inactive=2h;", "between 1s and 1h"),
    "introspection-cache-what": (P, "introspection_cache 1m life=5s;", '"time=" or "inactive="'),
    "introspection-client": (S, "auth_oidc idp; auth_oidc_bearer auto; auth_oidc_bearer_audience a;",
                             "another way to authenticate the client"),
    "revocation-endpoint-http": (P, "revocation_endpoint http://idp.example/r;",
                                 "revocation_endpoint"),
    "endpoint-http": (P, "token_endpoint http://idp.example/t;", "token_endpoint"),
    "jwks-uri-http": (P, "jwks_uri http://idp.example/t;", "jwks_uri"),
    "config-url-http": (P, "config_url http://idp.example/t;", "config_url"),
    "redirect-uri-http": (P, "redirect_uri http://crm.example/cb;", "redirect_uri"),
    "redirect-uri-relative": (P, "redirect_uri cb;", "redirect_uri"),
    "redirect-uri-query": (P, "redirect_uri /cb?x=1;", "redirect_uri"),
    "redirect-uri-slashes": (P, "redirect_uri //evil/cb;", "redirect_uri"),
    "redirect-uri-dots": (P, "redirect_uri /a/../cb;", "redirect_uri"),
    "callback-value": (P, "callback pass;", '"redirect" or "forward"'),
    "auth-tls-without-certificate": (P, "token_endpoint_auth_method tls_client_auth; client_key @F@/key;",
                                     'needs "client_certificate"'),
    "auth-tls-without-key": (P, "token_endpoint_auth_method self_signed_tls_client_auth;", "needs"),
    "auth-key-missing": (P, "token_endpoint_auth_method private_key_jwt;", '"client_key"'),
    "auth-key-absent": (P, "client_key absent.pem;", "No such file"),
    "auth-key-words": (P, "client_key absent.pem kid=;", "kid=ID"),
    "auth-key-hmac": (P, "client_key absent.pem alg=HS256;", "private key"),
    "auth-key-algorithm": (P, "client_key absent.pem alg=RS1;", "private key"),
    "dpop-key-absent": (P, "dpop_key absent.pem;", "No such file"),
    "dpop-key-no-pem": (P, "dpop_key @F@/text;", "is no key to bind tokens to"),
    "dpop-key-alg": (P, "dpop_key @F@/key alg=HS256;", "private key"),
    "dpop-key-other-alg": (P, "dpop_key @F@/key alg=RS256;", "RSA"),
    "encryption-key-absent": (P, "id_token_encryption_key absent.pem;", "No such file"),
    "encryption-key-no-pem": (P, "id_token_encryption_key @F@/text;", "is no key to decrypt with"),
    "encryption-key-short": (P, "id_token_encryption_key @F@/key-1024;", "1024 bits, at least 2048"),
    "encryption-key-ed25519": (P, "id_token_encryption_key @F@/key-ed;", "neither an RSA nor a P-256"),
    "encryption-key-alg": (P, "id_token_encryption_key @F@/key alg=RSA-OAEP-256;", "no key for RSA-OAEP-256"),
    "encryption-key-rsa1-5": (P, "id_token_encryption_key @F@/key alg=RSA1_5;", "it must be alg= with RSA-OAEP-256"),
    "encryption-key-enc": (P, "id_token_encryption_key @F@/key enc=A192GCM;", "enc= with A128GCM"),
    "encryption-key-twice": (P, "id_token_encryption_key @F@/key kid=a kid=b;", "each once"),
    "encryption-key-words": (P, "id_token_encryption_key @F@/key required=on;", "required=off"),
    "encryption-key-former-absent": (P, "id_token_encryption_key @F@/key former=absent.pem;", "No such file"),
    "encryption-key-former-no-pem": (P, "id_token_encryption_key @F@/key former=@F@/text;", "former key"),
    "encryption-key-former-same": (P, "id_token_encryption_key @F@/key former=@F@/key;", "same key"),
    "encryption-key-signs": (P, "client_key @F@/key; id_token_encryption_key @F@/key;", "must not decrypt"),
    "certificate-without-key": (P, "client_certificate @F@/ca;", 'needs "client_key"'),
    "certificate-of-another-key": (P, "client_key @F@/key; client_certificate @F@/ca;", "another key"),
    "certificate-no-pem": (P, "client_key @F@/key; client_certificate @F@/text;", "no certificate"),
    "auth-secret-jwt-without-secret": (P, "token_endpoint_auth_method client_secret_jwt;", "needs"),
    "auth-secret-jwt-short": (P, "client_secret short; token_endpoint_auth_method client_secret_jwt;", "32"),
    "auth-audience-without": (P, "client_assertion_audience token_endpoint;", "needs"),
    "auth-method-unknown": (P, "token_endpoint_auth_method magic;", "token_endpoint_auth_method"),
    "auth-none-with-secret": (P, f"client_secret {SECRET}; token_endpoint_auth_method none;", "secret"),
    "auth-basic-without-secret": (P, "token_endpoint_auth_method client_secret_basic;", "needs"),
    "challenge-plain": (P, "code_challenge_method plain;", "plain"),
    "challenge-off": (P, "code_challenge_method S256; pkce off;", "pkce"),
    "off-challenge": (P, "pkce off; code_challenge_method S256;", "pkce"),
    "claim-source-unknown": (P, "claim_source registry;", "names no oidc_provider"),
    "claim-source-twice": (P, "claim_source idp; claim_source idp;", "twice"),
    "claim-source-word": (P, "claim_source idp must;", '"endpoint_host=" or "required"'),
    "claim-source-url": (P, "claim_source idp endpoint_host=https://a.example;", "with a host"),
    "claim-source-path": (P, "claim_source idp endpoint_host=a.example/x;", "with a host"),
    "claim-source-no-host": (P, "claim_source idp endpoint_host=;", "with a host"),
    "claim-source-required": ("http", "".join(provider(name=n, base=f"issuer https://{n}.example; client_id x;") for n in "bcdef")
                              + provider("".join(f"claim_source {n} required; " for n in "bcdef"), name="one"),
                              "one required too many"),
    "claim-source-secret": (P, f"client_secret {SECRET}; id_token_signed_response_alg HS256; claim_source idp;",
                            "with a client secret only"),
    "claim-source-issuers": ("http", provider(name="b") + provider("claim_source b; claim_source one;", name="one"),
                             "has the issuer of"),
    "claim-source-hosts": ("http", provider(name="b", base="issuer https://b.example; client_id x;")
                           + provider("claim_source b endpoint_host=a.example; "
                                      "claim_source one endpoint_host=A.example:443;", name="one"),
                           "has the endpoint_host"),
    "userinfo-method-word": (P, "userinfo on; userinfo_token_method query;", '"header" or "body"'),
    "userinfo-method-alone": (P, "userinfo_token_method body;", "needs"),
    "userinfo-method-dpop": (P, "userinfo on; dpop_key @F@/key; userinfo_token_method body;", "RFC 9449"),
    "nonce-without-pkce": (P, "nonce off; pkce off;", "nothing would bind"),
    "nonce-word": (P, "nonce maybe;", "nonce"),
    "alg-none": (P, "id_token_signed_response_alg none;", "none"),
    "alg-none-in-list": (P, "id_token_signed_response_alg RS256 none;", "none"),
    "alg-unknown": (P, "id_token_signed_response_alg RS255;", "RS255"),
    "alg-case": (P, "id_token_signed_response_alg rs256;", "rs256"),
    "alg-hs-without-secret": (P, "id_token_signed_response_alg HS256;", "needs"),
    "skew-too-long": (P, "clock_skew 6m;", "clock_skew"),
    "skew-negative": (P, "clock_skew -1;", "clock_skew"),
    "time-junk": (P, "session_timeout soon;", "session_timeout"),
    "time-overflow": (P, "session_timeout 99999999999999999999s;", "session_timeout"),
    "time-zero": (P, "pre_auth_timeout 0;", "pre_auth_timeout"),
    "cookie-name": (P, 'cookie_name "a b";', "cookie_name"),
    "cookie-name-semicolon": (P, 'cookie_name "a;b";', "cookie_name"),
    "cookie-name-reserved": (P, "cookie_name NGX_OIDC_LOGIN_x;", "reserved"),
    "cookie-name-target": (P, "cookie_name NGX_OIDC_TARGET;", "reserved"),
    "cookie-prefix-domain": (P, "cookie_name __Host-x; cookie_domain crm.example;", "__Host-"),
    "cookie-samesite": (P, "cookie_samesite Loose;", "cookie_samesite"),
    "login-hosts-alone": (P, "login_hosts a.crm.example;", 'needs "cookie_domain"'),
    "login-hosts-by-path": (P, "cookie_domain crm.example; login_hosts a.crm.example;", '"redirect_uri" that is a URL'),
    "login-hosts-outside": (P, "cookie_domain crm.example; redirect_uri https://l.crm.example/cb; login_hosts"
                            " a.crm.example b.notcrm.example;", '"b.notcrm.example" in "login_hosts" is not below'),
    "login-hosts-redirect-outside": (P, "cookie_domain crm.example; redirect_uri https://l.example/cb; login_hosts"
                                     " a.crm.example;", 'the host of "redirect_uri" "l.example" is not below'),
    "login-hosts-forward": (P, "cookie_domain crm.example; redirect_uri https://l.crm.example/cb; login_hosts"
                            " a.crm.example; callback forward;", '"callback forward"'),
    "login-hosts-junk": (P, "login_hosts https://a.crm.example;", "a host name"),
    "login-hosts-port": (P, "login_hosts a.crm.example:8443;", "a host name"),
    "login-hosts-all": (P, "login_hosts *;", "a host name"),
    "login-hosts-base-url": ("http", elsewhere("cookie_domain crm.example; login_hosts a.crm.example;",
                                               "oidc_base_url https://a.crm.example;"), '"oidc_base_url" cannot be combined'),
    "cookie-domain-junk": (P, 'cookie_domain "a;b";', "cookie_domain"),
    "logout-is-callback": (P, "logout_uri /oidc_callback;", "logout_uri"),
    "post-logout-junk": (P, "post_logout_uri javascript:x;", "post_logout_uri"),
    "extra-args-state": (P, "extra_auth_args state=x;", "state"),
    "request-object-without-key": (P, "request_object on;", 'needs "client_key"'),
    "request-object": (P, "request_object signed;", '"on", "off" or "auto"'),
    "par": (P, "par maybe;", '"on", "off" or "auto"'),
    "par-endpoint-http": (P, "pushed_authorization_request_endpoint http://idp.example/p;",
                          "pushed_authorization_request_endpoint"),
    "par-off-with-endpoint": (P, "par off; pushed_authorization_request_endpoint https://idp.example/p;",
                              "cannot be combined"),
    "par-without-metadata": (P, "par on; authorization_endpoint https://idp.example/a; token_endpoint"
                             " https://idp.example/t; jwks_uri https://idp.example/j;", "needs"),
    "response-mode": (P, "response_mode fragment;", '"form_post" or "query.jwt"'),
    "resource-relative": (P, "resource /api;", "absolute URI"),
    "resource-fragment": (P, 'resource "https://api.example/#a";', "absolute URI"),
    "extra-args-escaped": (P, "extra_auth_args st%61te=x;", "state"),
    "prompt-none-and-more": (P, 'prompt "none login";', "prompt"),
    "claims-no-json": (P, "claims nonsense;", "claims"),
    "unknown-variable": (P, "login_hint $nosuchvariable;", "nosuchvariable"),
    "trace-of-all": (P, "traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01;",
                     '"traceparent" must hold a variable, as in "traceparent $http_traceparent"'),
    "trace-of-two": (P, "traceparent $http_traceparent $http_tracestate;", "invalid number of arguments"),
    "ca-missing": (P, "ssl_trusted_certificate @F@/nothing;", "ssl_trusted_certificate"),
    "ca-no-pem": (P, "ssl_trusted_certificate @F@/text;", "ssl_trusted_certificate"),
    "crl-no-pem": (P, "ssl_crl @F@/text;", "ssl_crl"),
    "proxy-junk": (P, "http_proxy proxy;", "http_proxy"),
    "proxy-path": (P, "http_proxy http://proxy.example/x;", "http_proxy"),
    "proxy-empty-user": (P, "http_proxy http://:pw@proxy.example;", "user or password that cannot be read"),
    "proxy-bad-escape": (P, "http_proxy http://u:p%zz@proxy.example;", "user or password that cannot be read"),
    "proxy-control-byte": (P, "http_proxy http://u:p%0a@proxy.example;", "user or password that cannot be read"),
    "proxy-slash-in-user": (P, "http_proxy http://u/:p@proxy.example;", "write %2F, %3F, %23 and %5C"),
    "proxy-slash-in-password": (P, "http_proxy http://u:p/w@proxy.example;", "write %2F, %3F, %23 and %5C"),
    "proxy-query-in-password": (P, 'http_proxy "http://u:?p@proxy.example";', "write %2F, %3F, %23 and %5C"),
    "proxy-fragment-in-password": (P, 'http_proxy "http://u:p#@proxy.example:3128";', "write %2F, %3F, %23 and %5C"),
    "proxy-backslash-in-password": (P, r'http_proxy "http://u:p\\w@proxy.example";', "write %2F, %3F, %23 and %5C"),
    "proxy-at-in-path": (P, "http_proxy http://proxy.example/@x;", "write %2F, %3F, %23 and %5C"),
    "proxy-two-passwords": (P, "http_proxy http://u:p@proxy.example; http_proxy_password_file @F@/secret;",
                            "cannot be combined with a password"),
    "proxy-two-passwords-turned": (P, "http_proxy_password_file @F@/secret; http_proxy http://u:p@proxy.example;",
                                   'cannot be combined with "http_proxy_password_file"'),
    "proxy-password-without-user": (P, "http_proxy http://proxy.example; http_proxy_password_file @F@/secret;",
                                    "needs a user"),
    "proxy-password-lines": (P, "http_proxy http://u@proxy.example; http_proxy_password_file @F@/lines;", "one line"),
    "ca-second-is-broken": (P, "ssl_trusted_certificate @F@/ca-broken;", "behind 1 good"),
    "crl-is-a-ca": (P, "ssl_crl @F@/ca;", "no revocation list"),
    "strip-own": (P, "strip_cookies NGX_OIDC_SESSION;", "cookies of the module itself"),
    "strip-own-spelled-otherwise": (P, "strip_cookies ngx_oidc_session;", "cookies of the module itself"),
    "strip-own-with-prefix": (P, "strip_cookies __Host-NGX_OIDC_SESSION;", "cookies of the module itself"),
    "strip-own-renamed": (P, "cookie_name CRM; strip_cookies CRM;", "cookies of the module itself"),
    "strip-own-login": (P, "strip_cookies NGX_OIDC_LOGIN_1;", "cookies of the module itself"),
    "strip-own-target": (P, "strip_cookies __Host-NGX_OIDC_TARGET;", "cookies of the module itself"),
    "strip-own-by-prefix": (P, "strip_cookies NGX*;", "cookies of the module itself"),
    "strip-own-by-longer-prefix": (P, "strip_cookies NGX_OIDC_FRAGMENT_1*;", "cookies of the module itself"),
    "strip-everything": (P, "strip_cookies *;", "strip_cookies"),
    "strip-junk": (P, 'strip_cookies "a b;c";', "strip_cookies"),
    "strip-star-inside": (P, "strip_cookies a*b;", "strip_cookies"),
    "lifetime-zero": (P, "access_token_lifetime 0;", "access_token_lifetime"),
    "header-encoding": (S, "auth_oidc idp; auth_oidc_header X-A $oidc_user rot13;", '"percent" or "base64"'),
    "jwks-file-empty": (P, "jwks_file @F@/jwks-empty;", "jwks_file"),
    "jwks-file-bad": (P, "jwks_file @F@/jwks-bad;", "jwks_file"),
    "explicit-without-userinfo": (P, "authorization_endpoint https://i.example/a; token_endpoint "
                                  "https://i.example/t; jwks_uri https://i.example/j; userinfo on;",
                                  "userinfo_endpoint"),
    "idle-ignore-regex": (P, 'session_idle_ignore "~(";', "session_idle_ignore"),
    "idle-ignore-text": (P, "session_idle_ignore api;", "session_idle_ignore"),
    "unknown-store": (P, "session_store nowhere;", "nowhere"),
    "flag-value": (P, "userinfo yes;", '"on" or "off"'),
    "duplicate-provider": ("http", provider(), "duplicate oidc_provider"),
    "provider-named-off": ("http", provider(name="off"), "off"),
    "provider-name-junk": ("http", provider(name='"a b"'), "invalid provider name"),
    "store-type": ("http", "oidc_session_store s { type disk; }", "disk"),
    "store-redis-without-key": ("http", "oidc_session_store s { type redis; server 127.0.0.1; }", "key_file"),
    "store-redis-without-server": ("http", "oidc_session_store s { type redis; key_file @F@/keys; }", "server"),
    "store-redis-server-junk": ("http", "oidc_session_store s { type redis; server 127.0.0.1:99999; key_file @F@/keys; }",
                                "invalid port"),
    "store-redis-server-url": ("http", "oidc_session_store s { type redis; server rediss://u:p@127.0.0.1; key_file @F@/keys; }",
                               'a user and a password go into "username" and "password_file"'),
    "store-redis-server-user": ("http", "oidc_session_store s { type redis; server u/:p@127.0.0.1; key_file @F@/keys; }",
                                "no URL"),
    "store-redis-server-path": ("http", "oidc_session_store s { type redis; server 127.0.0.1/x; key_file @F@/keys; }",
                                "127.0.0.1/x"),
    "store-redis-database": ("http", "oidc_session_store s { type redis; database x; }", "database"),
    "store-redis-prefix": ("http", "oidc_session_store s { type redis; prefix \"a b\"; }", "prefix"),
    "store-redis-local-copy": ("http", "oidc_session_store s { type redis; local_copy 2h; }", "local_copy"),
    "store-redis-timeout": ("http", "oidc_session_store s { type redis; timeout never; }", "timeout"),
    "store-redis-username": ("http", "oidc_session_store s { type redis; server 127.0.0.1; key_file @F@/keys; username a; }",
                             "password_file"),
    "store-redis-password-missing": ("http", "oidc_session_store s { type redis; password_file /nowhere/x; }",
                                     "password_file"),
    "store-redis-ssl-name": ("http", "oidc_session_store s { type redis; server 127.0.0.1; key_file @F@/keys; ssl_name a; }",
                             "ssl_name"),
    "store-redis-ssl-ca": ("http", "oidc_session_store s { type redis; server 127.0.0.1; key_file @F@/keys;"
                           " ssl off; ssl_trusted_certificate /x; }", "ssl_trusted_certificate"),
    "store-memory-server": ("http", "oidc_session_store s { type memory; server 127.0.0.1; }", "type redis"),
    "store-cookie-without-key": ("http", "oidc_session_store s { type cookie; }", "key_file"),
    "store-cookie-state-file": ("http", "oidc_session_store s { type cookie; key_file @F@/keys; state_file /x; }",
                                "state_file"),
    "store-state-file-without-key": ("http", "oidc_session_store s { type memory; state_file /x; }", "key_file"),
    "store-key-file-missing": ("http", "oidc_session_store s { type cookie; key_file /nowhere/k; }", "key_file"),
    "store-key-file-junk": ("http", "oidc_session_store s { type cookie; key_file @F@/text; }", "line 1 is no key"),
    "store-small": ("http", "oidc_session_store s { type memory; size 64k; }", "too small"),
    "store-unknown-directive": ("http", "oidc_session_store s { type memory; color red; }", "color"),
    "store-duplicate": ("http", "oidc_session_store s { type memory; } oidc_session_store s { type memory; }",
                        "duplicate"),
    "store-size-junk": ("http", "oidc_session_store s { type memory; size big; }", "size"),
    "claim-set-core": ("http", "oidc_claim_set $uri a;", "uri"),
    "claim-set-no-dollar": ("http", "oidc_claim_set roles a;", "roles"),
    "claim-set-twice": ("http", "oidc_claim_set $r a; oidc_claim_set $r b;", "duplicate"),
    "assertion-short": ("http", "oidc_assertion { key_file @F@/hs-short; }", "32"),
    "assertion-wrong-key": ("http", "oidc_assertion { key_file @F@/hs; alg ES256; }", "ES256"),
    "assertion-pem-without-alg": ("http", "oidc_assertion { key_file @F@/key; }", 'needs "alg ES256"'),
    "assertion-no-key": ("http", "oidc_assertion { alg HS256; }", "key_file"),
    "assertion-alg": ("http", "oidc_assertion { key_file @F@/hs; alg RS256; }", "RS256"),
    "assertion-lifetime": ("http", "oidc_assertion { key_file @F@/hs; lifetime 5m; }", "lifetime"),
    "assertion-twice": ("http", "oidc_assertion { key_file @F@/hs; } oidc_assertion { key_file @F@/hs; }", "duplicate"),
    "assertion-size-small": ("http", "oidc_assertion { key_file @F@/hs; max_size 1023; }", "max_size"),
    "assertion-size-large": ("http", "oidc_assertion { key_file @F@/hs; max_size 1m; }", "max_size"),
    "assertion-size-junk": ("http", "oidc_assertion { key_file @F@/hs; max_size many; }", "max_size"),
    "assertion-in-if": (S, "auth_oidc idp; location / { if ($arg_a) { oidc_assertion { key_file @F@/hs; } } }",
                        "not allowed here"),
    "assertion-twice-in-server": (S, "auth_oidc idp; oidc_assertion { key_file @F@/hs; } oidc_assertion { key_file @F@/hs; }",
                                  "duplicate"),
    "assertion-of-a-sibling": (S, "auth_oidc idp; location /a/ { oidc_assertion { key_file @F@/hs; } }"
                                  " location /b/ { auth_oidc_assertion on; }", "no \"oidc_assertion\" block"),
    "jwks-of-a-sibling": (S, "auth_oidc idp; location /a/ { oidc_assertion { key_file @F@/hs; } }"
                             " location = /k { oidc_jwks; }", "oidc_assertion"),
    "pass-header-ours": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-Assertion;", "set by the module"),
    "pass-header-return-to": (S, "auth_oidc idp; auth_oidc_pass_header x-oidc-return_to;", "set by the module"),
    "pass-header-other": (S, "auth_oidc idp; auth_oidc_pass_header X-Forwarded-For;", "X-Oidc-"),
    "pass-header-no-token": (S, 'auth_oidc idp; auth_oidc_pass_header "X-Oidc-A b";', "X-Oidc-"),
    "pass-header-underscores": (S, "auth_oidc idp; auth_oidc_pass_header X_Oidc_Nonce;", "X-Oidc-"),
    "pass-header-twice": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-A; auth_oidc_pass_header X-Oidc-B;",
                          "duplicate"),
    "pass-header-that-is-set": (S, "auth_oidc idp; auth_oidc_header X-Oidc-A $oidc_user; location /b/"
                                   " { auth_oidc_pass_header X-OIDC-a; }", "auth_oidc_header"),
    "pass-header-that-is-set-later": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-A; location /b/"
                                         " { auth_oidc_header X-Oidc-A $oidc_user; }", "auth_oidc_header"),
    "pass-header-ours-with-a-tail": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-Assertion~;",
                                     "set by the module"),
    "pass-header-ours-with-a-gap": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc--Return!To;",
                                    "set by the module"),
    "pass-header-that-folds-to-what-is-set": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-A~B-; location /b/"
                                                 " { auth_oidc_header X-Oidc-A.B $oidc_user; }",
                                              "auth_oidc_header"),
    "pass-header-that-is-set-spelled": (S, "auth_oidc idp; auth_oidc_pass_header X-Oidc-A_B; location /b/"
                                           " { auth_oidc_header X-Oidc-A-B $oidc_user; }", "auth_oidc_header"),
    "language-word": (S, "auth_oidc idp; oidc_page_language sv;", "must be one of auto, en, de, fr, es, pl, it, nl, pt"),
    "language-region": (S, "auth_oidc idp; oidc_page_language de-AT;", "must be one of"),
    "language-spelled": (S, "auth_oidc idp; oidc_page_language DE;", "must be one of"),
    "language-empty": (S, 'auth_oidc idp; oidc_page_language "";', "must be one of"),
    "language-two": (S, "auth_oidc idp; oidc_page_language de en;", "invalid number of arguments"),
    "language-none": (S, "auth_oidc idp; oidc_page_language;", "invalid number of arguments"),
    "language-twice": (S, "auth_oidc idp; oidc_page_language de; oidc_page_language de;", "duplicate"),
    "bearer-word": (S, "auth_oidc idp; auth_oidc_bearer maybe;", 'must be "on", "introspection", "auto" or "off"'),
    "bearer-twice": (S, "auth_oidc idp; auth_oidc_bearer on; auth_oidc_bearer off;", "duplicate"),
    "bearer-without-audience": (S, "auth_oidc idp; auth_oidc_bearer on;", 'needs "auth_oidc_bearer_audience"'),
    "bearer-without-provider": (S, f"{PROTECT} location /x {{ auth_oidc off; auth_oidc_bearer on; "
                                   "auth_oidc_bearer_audience a; }", "needs a provider here"),
    "bearer-audience-empty": (S, 'auth_oidc idp; auth_oidc_bearer_audience "";', 'what tokens have as "aud"'),
    "bearer-audience-variable": (S, "auth_oidc idp; auth_oidc_bearer_audience $host;", "without variables"),
    "bearer-audience-twice": (S, "auth_oidc idp; auth_oidc_bearer_audience a; auth_oidc_bearer_audience b;", "duplicate"),
    "bearer-scope-words": (S, 'auth_oidc idp; auth_oidc_bearer_scope "a b";', "the name of one scope"),
    "bearer-scope-off": (S, "auth_oidc idp; auth_oidc_bearer_scope a off;", "stands alone"),
    "bearer-scope-twice": (S, "auth_oidc idp; auth_oidc_bearer_scope a; auth_oidc_bearer_scope b;", "duplicate"),
    "bearer-typ": (S, "auth_oidc idp; auth_oidc_bearer_typ any;", 'must be "at+jwt" or "jwt"'),
    "bearer-typ-twice": (S, "auth_oidc idp; auth_oidc_bearer_typ jwt; auth_oidc_bearer_typ jwt;", "duplicate"),
    "bearer-client-id": (S, "auth_oidc idp; auth_oidc_bearer on; auth_oidc_bearer_typ jwt; auth_oidc_bearer_audience a crm;",
                         "cannot tell access tokens from ID tokens"),
    "resource-http": (S, f"{PROTECT} location = /x {{ oidc_resource_metadata http://a.example/; }}", "one https URL"),
    "resource-two": (S, f"{PROTECT} location = /x {{ oidc_resource_metadata https://a.example/ https://b.example/; }}",
                     "one https URL"),
    "resource-where": (S, f"{PROTECT} location = /x {{ oidc_resource_metadata; }}", "needs the URL of the resource"),
    "resource-regex": (S, f"{PROTECT} location ~ ^/x {{ oidc_resource_metadata https://a.example/; }}",
                       "a location of one path"),
    "resource-provider": (S, f"{PROTECT} location = /x {{ oidc_resource_metadata https://a.example/ provider=no; }}",
                          'unknown oidc_provider "no"'),
    "resource-twice": (S, f"{PROTECT} location = /.well-known/oauth-protected-resource {{ oidc_resource_metadata; "
                          "oidc_resource_metadata; }", "duplicate"),
    "csrf-word": (S, "auth_oidc idp; auth_oidc_csrf maybe;", "it must be"),
    "csrf-two-words": (S, "auth_oidc idp; auth_oidc_csrf on off;", "it must be"),
    "csrf-no-origin": (S, "auth_oidc idp; auth_oidc_csrf origins;", "it must be"),
    "csrf-path": (S, "auth_oidc idp; auth_oidc_csrf origins https://portal.example/;", "as browsers write it"),
    "csrf-usual-port": (S, "auth_oidc idp; auth_oidc_csrf origins https://portal.example:443;", "as browsers write it"),
    "csrf-null": (S, "auth_oidc idp; auth_oidc_csrf origins null;", "as browsers write it"),
    "csrf-star": (S, "auth_oidc idp; auth_oidc_csrf origins *;", "as browsers write it"),
    "csrf-twice": (S, "auth_oidc idp; auth_oidc_csrf on; auth_oidc_csrf off;", "duplicate"),
    "unknown-provider": (S, "location / { auth_oidc nobody; }", "nobody"),
    "duplicate-auth": (S, "auth_oidc idp; auth_oidc idp;", "duplicate"),
    "shared-callback": ("whole", "TWO location /a/ { auth_oidc idp; } location /b/ { auth_oidc two; }",
                        "share the callback path"),
    "callback-under-off": (S, "auth_oidc idp; location = /oidc_callback { auth_oidc off; }",
                           'lies under "auth_oidc off"'),
    "callback-under-off-prefix": (S, "auth_oidc idp; location /oidc { auth_oidc off; }",
                                  'lies under "auth_oidc off"'),
    "callback-under-off-regex": (S, "auth_oidc idp; location ~ back$ { auth_oidc off; }",
                                 'lies under "auth_oidc off"'),
    "callback-under-mode-off": (S, "auth_oidc idp; location = /oidc_callback { auth_oidc_mode off; }",
                                'lies under "auth_oidc off"'),
    "mode-off-of-http": ("http", "auth_oidc_mode off;",
                         '"auth_oidc_mode" of an outer level would let everyone into location "/"'),
    "mode-verify-of-server": (S, "auth_oidc idp; auth_oidc_mode verify; location /admin { auth_oidc idp; }",
                              'would let everyone into location "/admin"'),
    "mode-without-provider": (S, "location / { auth_oidc idp; } location /x { auth_oidc_mode require; }",
                              '"auth_oidc_mode" needs a provider in location "/x"'),
    "require-without-provider": (S, "location / { auth_oidc idp; } location /x { auth_oidc_require $uri; }",
                                 '"auth_oidc_require" needs a provider in location "/x"'),
    "max-age-without-provider": (S, "location / { auth_oidc idp; } location /x { auth_oidc_max_age 5m; }",
                                 '"auth_oidc_max_age" needs a provider in location "/x"'),
    "acr-without-provider": (S, "location / { auth_oidc idp; } location @x { auth_oidc_acr_values mfa; }",
                             '"auth_oidc_acr_values" needs a provider in location "@x"'),
    "require-at-a-server": (S, "auth_oidc_require $uri; location /x { auth_oidc idp; }",
                            '"auth_oidc_require" needs a provider in this server'),
    "require-in-a-nested": (S, "location / { auth_oidc idp; location /x { auth_oidc off; location /x/y {"
                            " auth_oidc_require $uri; } } }", 'never asked for in location "/x/y"'),
    "require-beside-off": (S, "auth_oidc idp; location /x { auth_oidc off; auth_oidc_require $uri; }",
                           '"auth_oidc_require" is never asked for in location "/x"'),
    "max-age-under-verify": (S, "auth_oidc idp; auth_oidc_mode verify; location /x { auth_oidc_max_age 5m; }",
                             'by the "auth_oidc_mode verify" of an outer level'),
    "mode-twice": (S, "auth_oidc idp; auth_oidc_mode verify; auth_oidc_mode verify;", "duplicate"),
    "require-with-text": (S, 'auth_oidc idp; auth_oidc_require "is-$uri";', "must be one variable"),
    "require-with-a-blank": (S, 'auth_oidc idp; auth_oidc_require "${uri} $args";', "must be one variable"),
    "require-of-two-in-one": (S, 'auth_oidc idp; auth_oidc_require $uri $uri$args;', "must be one variable"),
    "claim-without-a-word": (S, "auth_oidc idp; auth_oidc_require_claim groups staff dev;",
                             '"auth_oidc_require_claim" needs the names that lead to a claim'),
    "claim-word-first": (S, "auth_oidc idp; auth_oidc_require_claim any groups staff;",
                         '"auth_oidc_require_claim" needs the names that lead to a claim'),
    "claim-without-values": (S, "auth_oidc idp; auth_oidc_require_claim realm_access roles any;",
                             '"auth_oidc_require_claim" needs the names that lead to a claim'),
    "claim-of-two": (S, "auth_oidc idp; auth_oidc_require_claim groups any;",
                     '"auth_oidc_require_claim" needs the names that lead to a claim'),
    "claim-of-one": (S, "auth_oidc idp; auth_oidc_require_claim groups;", "invalid number of arguments"),
    "claim-empty-name": (S, 'auth_oidc idp; auth_oidc_require_claim realm_access "" any x;', 'invalid claim name ""'),
    "claim-control-name": (S, 'auth_oidc idp; auth_oidc_require_claim "a\x1fb" any x;', "invalid claim name"),
    "claim-variable-name": (S, "auth_oidc idp; auth_oidc_require_claim $uri any x;", 'invalid claim name "$uri"'),
    "claim-empty-value": (S, 'auth_oidc idp; auth_oidc_require_claim groups not x "";', "must not be empty"),
    "claim-control-value": (S, 'auth_oidc idp; auth_oidc_require_claim groups not "a\tb";', "no control bytes"),
    "claim-variable": (S, "auth_oidc idp; auth_oidc_require_claim groups not $banned;", "variables are not possible"),
    "claim-dollar": (S, "auth_oidc idp; auth_oidc_require_claim groups any x$y;", "variables are not possible"),
    "claim-regex": (S, 'auth_oidc idp; auth_oidc_require_claim groups any "~(";', "is refused: pcre"),
    "claim-no-regex": (S, "auth_oidc idp; auth_oidc_require_claim groups any ~;", "has no regular expression"),
    "claim-no-caseless": (S, "auth_oidc idp; auth_oidc_require_claim groups any x ~*;", "has no regular expression"),
    "claim-status": (S, "auth_oidc idp; auth_oidc_require_claim groups any x error=401;", '"error=401"'),
    "claim-without-provider": (S, "location / { auth_oidc idp; } location /x { auth_oidc_require_claim a any b; }",
                               '"auth_oidc_require_claim" needs a provider in location "/x"'),
    "claim-at-a-server": (S, "auth_oidc_require_claim a any b; location /x { auth_oidc idp; }",
                          '"auth_oidc_require_claim" needs a provider in this server'),
    "claim-beside-off": (S, "auth_oidc idp; location /x { auth_oidc off; auth_oidc_require_claim a any b; }",
                         '"auth_oidc_require_claim" is never asked for in location "/x"'),
    "claim-inherited": (S, "auth_oidc idp; auth_oidc_require $uri; location /x { auth_oidc off;"
                        " auth_oidc_require_claim a any b; location /x/y { return 200; } }",
                        '"auth_oidc_require_claim" is never asked for in location "/x"'),
    "server-name-regex": ("names", r"~^(?<t>.+)\.example$", "a regular expression in"),
    "server-name-with-regex": ("names", r"crm.example ~^crm\d+$", "a regular expression in"),
    "base-url-path": (S, "oidc_base_url https://crm.example/x; auth_oidc idp;", "oidc_base_url"),
    "base-url-junk": (S, "oidc_base_url crm.example; auth_oidc idp;", "oidc_base_url"),
    "header-host": (S, "auth_oidc idp; auth_oidc_header Host x;", "Host"),
    "header-length": (S, "auth_oidc idp; auth_oidc_header content_length x;", "content_length"),
    "header-cookie": (S, "auth_oidc idp; auth_oidc_header Cookie x;", "Cookie"),
    "header-own": (S, "auth_oidc idp; auth_oidc_header X-Oidc-Assertion x;", "module itself"),
    "header-junk": (S, 'auth_oidc idp; auth_oidc_header "X User" x;', "X User"),
    "header-colon": (S, 'auth_oidc idp; auth_oidc_header "X:Y" x;', "X:Y"),
    "header-twice": (S, "auth_oidc idp; auth_oidc_header X-User a; auth_oidc_header x_user b;", "duplicate"),
    "header-variable": (S, "auth_oidc idp; auth_oidc_header X-User $nosuch;", "nosuch"),
    "require-constant": (S, "auth_oidc idp; auth_oidc_require admin;", "no variable"),
    "require-status": (S, "auth_oidc idp; auth_oidc_require $uri error=500;", "error=500"),
    "require-nothing": (S, "auth_oidc idp; auth_oidc_require error=401;", "at least one"),
    "mode-value": (S, "auth_oidc idp; auth_oidc_mode maybe;", "maybe"),
    "unauthorized-value": (S, "auth_oidc idp; auth_oidc_unauthorized 403;", "403"),
    "assertion-without-block": (S, "auth_oidc idp; auth_oidc_assertion on;", "oidc_assertion"),
    "jwks-without-block": (S, "auth_oidc idp; location = /k { auth_oidc off; oidc_jwks; }", "oidc_assertion"),
}


def assemble(lab, part, text):
    if "_cache" in text and part == S:
        return CACHES + provider() + server(text, lab=lab)
    if part == "whole-provider":
        return provider(base=text) + server(lab=lab)
    if part == P:
        return provider(text) + server(lab=lab)
    if part == "whole-names":
        return provider(text) + server(lab=lab, name="~^(?<t>.+)")
    if part == "names":
        return provider() + server(lab=lab, name=text)
    if part == "http":
        return provider() + text + "\n" + server(lab=lab)
    if text.startswith("TWO "):
        return provider() + provider(name="two") + server(text[4:], lab=lab)
    return provider() + server(text, lab=lab)


@pytest.mark.parametrize("part, text, message", rows("N-35", REFUSED))
def test_refused(files, part, text, message):
    good, out = files(assemble(files.lab, part, text))
    assert not good, out
    (line,) = [li for li in out.splitlines() if "[emerg]" in li][:1]
    assert message in line, out
    if "variable" not in message and "nosuch" not in message:
        assert re.search(r" in \S+nginx\.conf:\d+", line), line


WARNED = {
    "plain-http": ("whole", None, "without TLS"),
    "encryption-key-world": (P, "id_token_encryption_key @F@/key-world;", "can be read by other users"),
    "encryption-key-former-world": (P, "id_token_encryption_key @F@/key-other former=@F@/key-world;",
                                    "can be read by other users"),
    "world-readable": (P, "client_secret_file @F@/secret-world;", "can be read by other users"),
    "insecure-http": ("whole-provider", "issuer http://127.0.0.1:9; client_id x; insecure_http on;",
                      "insecure_http"),
    "return": (S, "auth_oidc idp; location /r { return 200 x; }", '"return"'),
    "return-in-if": (S, "auth_oidc idp; location /r { if ($uri) { return 200 x; } }", '"return"'),
    "return-server": (S, "auth_oidc idp; return 200 x;", '"return" in this server'),
    "return-server-if": (S, "auth_oidc idp; if ($arg_x) { return 403 x; }", '"return" in this server'),
    "return-server-of-a-location": (S, PROTECT + " if ($arg_x) { return 200 x; }", '"return" in this server'),
    "return-server-redirect": (S, "auth_oidc idp; if ($arg_x) { return 301 https://b.example/secret; }",
                               '"return" in this server'),
    "return-under-http": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name b.example; return 200 x; }",
                          '"return" in this server'),
    "return-to-http": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name b.example;"
                       " return 301 http://b.example; }", '"return" in this server'),
    "return-some-to-https": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name b.example;"
                             " if ($arg_x) { return 200 x; } return 301 https://b.example; }", '"return" in this server'),
    "return-plain-with-pages": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name b.example;"
                                " if ($arg_x) { return 301 https://b.example; } }", "without TLS"),
    "auth-request-internal": (S, "auth_oidc idp; location / { auth_request /ask; } location = /ask { internal; }",
                              'asks location "/ask", which inherits auth_oidc'),
    "auth-request-of-server": (S, "auth_oidc idp; auth_request /ask?x=y; location /ask { internal; }",
                               'it needs "auth_oidc off"'),
    "auth-request-from-off": (S, "auth_oidc idp; location / { auth_oidc off; auth_request /o/auth; } location /o { }",
                              'asks location "/o", which inherits auth_oidc'),
    "name-none": ("names", "_", 'redirect URI of this server will be "https://127.0.0.1:1/oidc_callback"'),
    "name-empty": ("names", '""', 'will be "https://127.0.0.1:1/oidc_callback"'),
    "name-address": ("names", "_ 192.0.2.7", 'will be "https://192.0.2.7:1/oidc_callback"'),
    "name-address6": ("names", '"[2001:db8::1]"', 'will be "https://127.0.0.1:1/oidc_callback"'),
    "name-cut": ("names", "crm.*", 'will be "https://127.0.0.1:1/oidc_callback"'),
    "name-plain": ("http", "server { listen *:80; location / { auth_oidc idp; } }",
                   'will be "http://ADDRESS/oidc_callback" with the address that the connection came to'),
    "name-unix": ("http", "server { listen unix:@F@/sock; auth_oidc idp; }", 'will be "http://localhost/oidc_callback"'),
    "satisfy-any": (S, "location / { auth_oidc idp; satisfy any; allow all; }", '"satisfy any"'),
    "unused-provider": ("http", provider(name="two"), "not used"),
    "frontchannel-at-cookies": ("http", "oidc_session_store s { type cookie; key_file @F@/keys; }"
                                + provider("session_store s; frontchannel_logout_uri /front;", name="two"),
                                "ends no session"),
    "status-open": ("http", "server { listen *:81; location /s { oidc_status; } }",
                    '"oidc_status" in location "/s" is open to everyone'),
    "status-open-under-verify": ("http", "server { listen 127.0.0.1:2; listen *:81; oidc_base_url https://b.example;"
                                 " auth_oidc idp; auth_oidc_mode verify; location /s { oidc_status; } }",
                                 '"oidc_status" in location "/s" is open to everyone'),
    "login-elsewhere": ("http", elsewhere(""), 'logins of oidc_provider "one" that begin at "a.crm.example" do not return'),
    "login-elsewhere-beside": ("http", provider("redirect_uri https://l.crm.example/cb;", name="one") +
                               "server { listen 127.0.0.1:3; server_name l.crm.example a.crm.example; auth_oidc one; }",
                               'that begin at "a.crm.example" do not return'),
    "login-elsewhere-listed": ("http", elsewhere("cookie_domain crm.example; login_hosts b.crm.example;"),
                               'name the host in "login_hosts"'),
    "cookie-name-shared": ("http", two_of_a_server("", ""), 'share the session cookie "NGX_OIDC_SESSION"'),
    "cookie-name-shared-on-purpose": ("http", two_of_a_server("cookie_name A;", "cookie_name A;"),
                                      'share the session cookie "A"'),
    "cookie-path-within": ("http", two_of_a_server("cookie_path /a/;", "cookie_path /a/b/;"),
                           'share the session cookie "NGX_OIDC_SESSION"'),
    "proxy-cache": (S, "auth_oidc idp; location /c/ { proxy_cache proxy; proxy_pass http://127.0.0.1:9; }",
                    '"proxy_cache" in location "/c/" gives the pages of one user to another'),
    "proxy-cache-other-key": (S, "auth_oidc idp; location /c/ { proxy_cache proxy; proxy_cache_key $uri$oidc_provider; "
                              "proxy_pass http://127.0.0.1:9; }", '"proxy_cache_key"'),
    "fastcgi-cache-of-server": (S, "auth_oidc idp; fastcgi_cache fastcgi; fastcgi_cache_key $request_uri; location /c/ {"
                                " fastcgi_pass 127.0.0.1:9; }", '"fastcgi_cache" in location "/c/"'),
    "uwsgi-cache": (S, "auth_oidc idp; auth_oidc_mode verify; location /c/ { uwsgi_cache uwsgi; uwsgi_cache_key $uri;"
                    " uwsgi_pass 127.0.0.1:9; }", '"uwsgi_cache" in location "/c/"'),
    "scgi-cache": (S, "auth_oidc idp; location /c/ { scgi_cache scgi; scgi_cache_key $uri; scgi_pass 127.0.0.1:9; }",
                   '"scgi_cache" in location "/c/"'),
    "store-ttl": ("http", "oidc_session_store s { ttl 1h; }", '"ttl" in oidc_session_store has no effect'),
    "store-memory-max-size": ("http", "oidc_session_store s { memory_max_size 1m; }",
                              '"memory_max_size" in oidc_session_store has no effect'),
    "store-prefix": ("http", "oidc_session_store s { prefix x:; }", 'has no effect without "type redis"'),
}


@pytest.mark.parametrize("part, text, message", rows("N-35", {f"warn-{k}": v for k, v in WARNED.items()}))
def test_warned(files, part, text, message):
    http = provider() + server(tls=False) if part == "whole" else assemble(files.lab, part, text)
    good, out = files(http)
    assert good, out
    warnings = [li for li in out.splitlines() if "[warn]" in li]
    assert any(message in li and re.search(r" in \S+nginx\.conf:\d+", li) for li in warnings), out


@case("N-45")
def test_the_redirect_uri_of_a_server_with_several_addresses(files):
    certificate = server(lab=files.lab).partition("crm.example;")[2].partition("\n")[0]
    for listens, uri in (("listen 8080; listen 127.0.0.1:8443 ssl; listen 443 ssl;", "https://ADDRESS/"),
                         ("listen 8080; listen 127.0.0.1:8443 ssl;", "https://127.0.0.1:8443/"),
                         ("listen 127.0.0.1:8080; listen 127.0.0.2:80;", "http://127.0.0.1:8080/")):
        good, out = files(provider("redirect_uri /cb;") + f"server {{ {listens} {certificate} auth_oidc idp; }}")
        assert good and f'the redirect URI of this server will be "{uri}cb"' in out, out


ACCEPTED = {
    "minimal": (P, ""), "include": ("whole-provider", "issuer https://idp.example; include @F@/part.conf;"),
    "signals": (P, f"shared_signals_uri /x; {SIGNALS_TOKEN} shared_signals_issuer https://x.example; "
                   "shared_signals_audience a b;"),
    "secret-file": (P, "client_secret_file @F@/secret;"), "symlink": (P, "client_secret_file @F@/link;"),
    "return-under-off": (S, "auth_oidc idp; location /r { auth_oidc off; return 200 x; }"),
    "redirect-location": (S, "auth_oidc idp; location = /r { auth_oidc off; return 301 /x; }"),
    "callback-own-location": (S, "auth_oidc idp; location = /oidc_callback { auth_oidc idp; }"),
    "verify": (S, "auth_oidc idp; auth_oidc_mode verify;"),
    "mode-off": (S, "auth_oidc idp; auth_oidc_mode off;"),
    "redirect-to-https": ("http", "auth_oidc idp; auth_oidc_max_age 5m; server { listen 127.0.0.1:2; server_name _;"
                          " return 301 https://$host$request_uri; }"),
    "redirect-of-certbot": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name b.example;"
                            " if ($host = b.example) { return 301 https://$host$request_uri; } return 404; }"),
    "redirect-in-a-location": ("http", "auth_oidc idp; server { listen 127.0.0.1:2; server_name _;"
                               " location / { return 308 HTTPS://b.example$request_uri; }"
                               " location /.well-known/ { auth_oidc off; } }"),
    "return-nothing": (S, "auth_oidc idp; if ($arg_x) { return 403; } location /y { return 444; }"),
    "server-level-is-not-reached": (S, "auth_oidc_require $uri; location / { auth_oidc idp; }"),
    "server-if-is-not-reached": (S, "auth_oidc_require $uri; if ($arg_x) { set $y 1; } location / { auth_oidc idp; }"),
    "demands-of-http": ("http", "auth_oidc_max_age 5m; auth_oidc_require $uri;"),
    "off-of-http": ("http", "auth_oidc off; server { listen 127.0.0.1:2; server_name b.example; }"),
    "claims-of-http": ("http", "auth_oidc_require_claim groups any staff;"),
    "claims": (S, r"auth_oidc idp; auth_oidc_require_claim groups any staff 'two words' ~^x-\d+$ ~*^Y \~z;"
               " auth_oidc_require_claim any not all; auth_oidc_require_claim https://a.example/roles all a b;"
               " location /x { auth_oidc_require_claim realm_access roles not banned any; }"),
    "claims-in-verify": (S, "auth_oidc idp; auth_oidc_mode verify; location /x { auth_oidc_require_claim a any b; }"),
    "sessions-by-a-claim": (S, "auth_oidc idp; location = /s { auth_oidc_require_claim groups any admin;"
                            " oidc_sessions; }"),
    "require-of-variables": (S, "auth_oidc idp; auth_oidc_require $uri ${args} $arg_x;"),
    "names-of-one-kind": ("names", "_ .example.com *.example.org"),
    "name-with-base-url": (S, "server_name ~^x; oidc_base_url https://a.example; auth_oidc idp;"),
    "name-with-redirect-uri": ("whole-names", "redirect_uri https://a.example/cb;"),
    "auth-request-off": (S, "auth_oidc idp; location / { auth_request /ask; } location = /ask { internal; auth_oidc off; }"),
    "auth-request-on-purpose": (S, "auth_oidc idp; location / { auth_request /ask; }"
                                " location = /ask { internal; auth_oidc idp; auth_oidc_require $uri; }"),
    "auth-request-of-the-signed-in": (S, "auth_oidc idp; location / { auth_request /ask; } location = /ask { }"),
    "everything": (P, "client_secret s; scope openid email; resource https://api.example urn:x:y; response_mode form_post; par on;"
                   " pushed_authorization_request_endpoint https://idp.example/p; callback forward; prompt login; max_age 1h;"
                   " acr_values a b; login_hint $arg_x; ui_locales de; traceparent $http_traceparent; pkce on; trusted_audience a b;"
                   " clock_skew 2m; userinfo on; username_claim email sub; cookie_name C; cookie_samesite Strict;"
                   " pre_auth_timeout 5m; session_timeout 1h; session_idle_timeout 10m;"
                   " session_idle_ignore /a ~b; logout_uri /out; post_logout_uri /bye; logout_token_hint on;"
                   " clear_cookies a b; preserve_fragment on; ssl_trusted_certificate @F@/ca; ssl_crl @F@/crl;"
                   " http_proxy http://proxy.example:3128; connect_timeout 1s; read_timeout 2s;"
                   " token_endpoint_auth_method client_secret_post; id_token_signed_response_alg RS256 ES256;"
                   " metadata_lifetime 30m; jwks_refetch_interval 5s;"
                   " end_session_endpoint https://idp.example/out; userinfo_endpoint https://idp.example/u;"),
    "status-allowed": ("http", "server { listen *:81; location /s { allow 10.0.0.1; deny all; oidc_status; } }"),
    "status-local": ("http", "server { listen 127.0.0.1:81; listen [::1]:81; listen unix:@F@/s;"
                     " location /s { oidc_status; } }"),
    "status-signed-in": ("http", "server { listen *:81; oidc_base_url https://b.example; auth_oidc idp;"
                         " location /s { oidc_status; } }"),
    "cookie-names-of-two": ("http", two_of_a_server("cookie_name A;", "cookie_name B;")),
    "cookie-paths-of-two": ("http", two_of_a_server("cookie_path /a/;", "cookie_path /b/;")),
    "proxy-cache-by-session": (S, "auth_oidc idp; location /c/ { proxy_cache proxy; proxy_cache_key $oidc_session_id$uri;"
                               " proxy_pass http://127.0.0.1:9; }"),
    "proxy-cache-of-server": (S, "auth_oidc idp; proxy_cache proxy; proxy_cache_key $uri$oidc_user; location /c/ {"
                              " proxy_pass http://127.0.0.1:9; }"),
    "proxy-cache-mapped": (S, "auth_oidc idp; set $who x; location /c/ { proxy_cache proxy; proxy_cache_key $uri$who;"
                           " proxy_pass http://127.0.0.1:9; }"),
    "proxy-cache-public": (S, "auth_oidc idp; location /c/ { auth_oidc off; proxy_cache proxy; proxy_pass http://127.0.0.1:9; }"),
    "proxy-cache-off": (S, "auth_oidc idp; proxy_cache proxy; proxy_cache_key $uri; location /c/ { proxy_cache off;"
                        " proxy_pass http://127.0.0.1:9; }"),
    "proxy-cache-not-kept": (S, "auth_oidc idp; location /c/ { proxy_cache proxy; proxy_no_cache $oidc_user;"
                             " proxy_pass http://127.0.0.1:9; }"),
    "fastcgi-cache-by-claim": (S, "auth_oidc idp; location /c/ { fastcgi_cache fastcgi; fastcgi_cache_key $uri$oidc_claim_sub;"
                               " fastcgi_pass 127.0.0.1:9; }"),
    "proxy-user": (P, "http_proxy http://us%40er:p%3Aw%25@proxy.example:3128;"),
    "proxy-password-escapes": (P, "http_proxy http://us%2Fer:p%3Fw%23%5c@proxy.example:3128;"),
    "proxy-password-file": (P, "http_proxy https://user@proxy.example; http_proxy_password_file @F@/secret;"),
    "strip-cookies": (P, "strip_cookies authelia_session sso-*; access_token_lifetime 15m;"),
    "header-encodings": (S, "auth_oidc idp; auth_oidc_header X-A $oidc_user percent; auth_oidc_header X-B $oidc_user base64;"),
    "aliases": (P, "scopes openid email; code_challenge_method S256;"),
    "template": ("whole-provider", f"client_id x; {TEMPLATE} a 8f7e-0000.b_c~d; {THERE}"),
    "template-without-discovery": (
        "whole-provider", f"client_id x; {TEMPLATE} a; authorization_endpoint https://idp.example/a; "
        "token_endpoint https://idp.example/t; jwks_uri https://idp.example/k;"),
    "ipv6": ("whole-provider", "issuer https://[::1]:8443/x; client_id c;"),
}


@pytest.mark.parametrize("part, text", rows("N-35", {f"good-{k}": v for k, v in ACCEPTED.items()}))
def test_accepted_without_a_word(files, part, text):
    good, out = files(assemble(files.lab, part, text))
    assert good, out
    assert "[warn]" not in out and "[emerg]" not in out, out


@case("N-35")
def test_order_does_not_matter(files):
    good, out = files(server(lab=files.lab) + provider())
    assert good and "[warn]" not in out, out


@case("N-35")
def test_no_network_during_a_test(files):
    """An issuer on a listener of ours: nginx -t never connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        good, out = files(provider(base=f"issuer http://127.0.0.1:{port}; client_id x; insecure_http on;")
                          + server(lab=files.lab))
        assert good, out
        with pytest.raises(TimeoutError):
            listener.accept()


PLUS = {
    "simple": """
    resolver 10.0.0.1;
    oidc_provider my_idp {
        issuer "https://provider.domain";
        client_id "unique_id";
        client_secret "unique_secret";
    }
    server {
        location / { auth_oidc my_idp; proxy_set_header username $oidc_claim_sub;
                     proxy_pass http://127.0.0.1:1; }
    }""",
    "map": """
    oidc_provider my_idp1 { issuer "https://a.example"; client_id a; client_secret a;
        session_timeout 1h; cookie_name MY_A; redirect_uri /cb1; logout_uri /out1; }
    oidc_provider my_idp2 { issuer "https://b.example"; client_id b; client_secret b;
        config_url https://b.example/x/.well-known/openid-configuration; redirect_uri /cb2;
        extra_auth_args "display=page&prompt=login"; post_logout_uri https://b.example/bye;
        logout_token_hint on; pkce on; userinfo on; scope openid profile; }
    map $arg_tenant $idp { a my_idp1; default my_idp2; }
    server { location / { auth_oidc $idp; proxy_pass http://127.0.0.1:1; } }""",
}


@pytest.mark.parametrize("http", rows("N-35", {f"nginx-plus-{k}": v for k, v in PLUS.items()}))
def test_configurations_of_nginx_plus(files, http):
    """What is published for NGINX Plus is understood as it stands."""
    good, out = files(http)
    assert good and "[emerg]" not in out, out


@pytest.mark.kills_workers
@case("N-35")
def test_failed_start_leaves_nothing(make_site):
    """A reload with a bad configuration keeps the old one, sessions included."""
    site = make_site()
    with site.signed_in() as browser:
        text = site.nginx.conf.read_text()
        for bad in ("auth_oidc nobody;", "auth_oidc_header Host x;"):
            site.nginx.conf.write_text(text.replace("auth_oidc idp;", "auth_oidc idp; " + bad, 1))
            assert site.nginx.reload() is False
            assert browser.get("/x").from_backend
        site.nginx.conf.write_text(text)
    site.allow_log(r"nobody|Host|duplicate")


# ---- inheritance -----------------------------------------------------------------------------

LEVELS = {
    # directive text at http, server, location -> what the application sees at /x and /loc/x
    "auth_oidc": ("auth_oidc idp;", "", "auth_oidc off;", "challenge", "open"),
    "auth_oidc-server": ("auth_oidc off;", "auth_oidc idp;", "auth_oidc off;", "challenge", "open"),
    "mode": ("auth_oidc idp; auth_oidc_mode verify;", "", "auth_oidc_mode require;", "open", "challenge"),
    "mode-off": ("auth_oidc idp; auth_oidc_mode off;", "auth_oidc_mode verify;", "auth_oidc_mode off;",
                 "open", "open"),
    "unauthorized": ("auth_oidc idp; auth_oidc_unauthorized 401;", "", "auth_oidc_unauthorized redirect;",
                     "401", "challenge"),
    "base-url": ("auth_oidc idp; oidc_base_url https://one.example;", "", "oidc_base_url https://two.example;",
                 "https://one.example/", "https://two.example/"),
}


@pytest.mark.parametrize("http, srv, loc, outer, inner", rows("N-11", LEVELS))
def test_inheritance_over_levels(make_site, http, srv, loc, outer, inner):
    site = make_site(http=http, server=srv, auth="", base_url=False, control=False, public=("/",),
                     default_locations=False, locations="location / { proxy_pass http://@BACKEND@; }\n"
                     "location /loc/ { " + loc + " proxy_pass http://@BACKEND@; }")
    for path, expected in (("/x", outer), ("/loc/x", inner)):
        answer = site.browser().get(path)
        if expected == "challenge":
            assert answer.status == 302, answer
        elif expected == "open":
            assert answer.from_backend, answer
        elif expected == "401":
            assert answer.status == 401, answer
        else:
            from urllib.parse import quote
            assert answer.status == 302 and "redirect_uri=" + quote(expected, safe="") in answer.location


@case("N-11")
def test_header_inheritance_over_levels(make_site):
    site = make_site(
        http="auth_oidc_header X-A http-a; auth_oidc_header X-B http-b;",
        server="auth_oidc_header X-B server-b; auth_oidc_header X-C server-c;", identity=lambda p, c: {},
        locations="""
        location /loc/ { auth_oidc_header X-C ""; auth_oidc_header X-D loc-d; proxy_pass http://@BACKEND@; }
        location /none/ { auth_oidc_headers off; proxy_pass http://@BACKEND@;
            location /none/again/ { auth_oidc_headers on; proxy_pass http://@BACKEND@; } }
        """)
    with site.signed_in() as browser:
        for path, wanted in (("/x", ("http-a", "server-b", "server-c", None)),
                             ("/loc/x", ("http-a", "server-b", None, "loc-d")),
                             ("/none/x", (None, None, None, None)),
                             ("/none/again/x", ("http-a", "server-b", "server-c", None))):
            answer = browser.get(path, extra=[(f"X-{n}", "spoofed") for n in "ABCD"])
            hit = site.backend.last
            assert answer.from_backend
            found = tuple((hit.headers.all(f"X-{n}") or [None])[0] or None for n in "ABCD")
            assert found == wanted, (path, found)


@case("N-11")
def test_require_inheritance(make_site):
    site = make_site(server="auth_oidc_require $oidc_claim_missing;", control=False,
                     locations="location /in/ { proxy_pass http://@BACKEND@; }\n"
                     "location /own/ { auth_oidc_require $oidc_claim_email; proxy_pass http://@BACKEND@; }")
    browser = site.browser()
    browser.try_login("/own/x")
    assert browser.get("/x").status == 403 and browser.get("/in/x").status == 403
    assert browser.get("/own/x").from_backend


@case("N-35")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_the_owner_of_a_state_files_folder(files):
    """Whoever owns it, or one above it, can put an old file back."""
    outer, inner = files.folder / "states", files.folder / "states" / "inner"
    inner.mkdir(parents=True)

    def warned():
        good, out = files("oidc_session_store s { type memory; key_file @F@/keys;"
                          f" state_file {inner}/file; }}\n" + provider("session_store s;") + server(lab=files.lab))
        assert good, out
        return [li for li in out.splitlines() if "[warn]" in li]
    assert warned() == []
    for folder in (inner, outer):
        os.chown(folder, 65534, -1)
        (line,) = warned()
        assert f'the folder "{folder}" of state_file "{inner}/file" belongs to another user' in line
        os.chown(folder, 0, -1)
    assert warned() == []


# A server that asks nobody to sign in, beside one whose location "/" passes to the same backend.
INSIDE = "proxy_pass http://127.0.0.1:8080;"
BLANKED = "".join(f'proxy_set_header Remote-{name} "";' for name in ("User", "Email", "Name", "Groups"))
CGI = "root /srv/crm; fastcgi_pass unix:/run/php.sock;"
# name: (of the location inside, of the server outside, the directive that is told or None)
AROUND = {
    "same-address": (INSIDE, "location / { proxy_pass http://127.0.0.1:8080; }", "proxy_pass"),
    "another-path": (INSIDE, "location /x { proxy_pass http://127.0.0.1:8080/y; }", "proxy_pass"),
    "explicit-off": (INSIDE, "auth_oidc off; location / { proxy_pass http://127.0.0.1:8080; }", "proxy_pass"),
    "in-if": (INSIDE, "location / { if ($arg_x) { proxy_pass http://127.0.0.1:8080; } }", "proxy_pass"),
    "group": ("proxy_pass http://group;", "location / { proxy_pass http://group; }", "proxy_pass"),
    "group-of-address": ("proxy_pass http://group;", "location / { proxy_pass http://127.0.0.1:8080; }", "proxy_pass"),
    "name": ("proxy_pass http://localhost:8080;", "location / { proxy_pass http://localhost:8080; }", "proxy_pass"),
    "some-blanked": (INSIDE, 'location / { proxy_pass http://127.0.0.1:8080; proxy_set_header Remote-User ""; }', "proxy_pass"),
    "own-header": ("auth_oidc_header X-User $oidc_user; " + INSIDE, "location / { " + BLANKED + INSIDE + " }", "proxy_pass"),
    "verify-inside": ("auth_oidc_mode verify; " + INSIDE, "location / { " + INSIDE + " }", "proxy_pass"),
    "grpc": ("grpc_pass grpc://127.0.0.1:8080;", "location / { grpc_pass grpc://127.0.0.1:8080; }", "grpc_pass"),
    "grpc-and-http": ("grpc_pass grpc://127.0.0.1:8080;", "location / { proxy_pass http://127.0.0.1:8080; }", "proxy_pass"),
    "php-of-one-folder": (CGI, "location / { " + CGI + " }", "fastcgi_pass"),
    "uwsgi": ("uwsgi_pass 127.0.0.1:9;", "location / { uwsgi_pass 127.0.0.1:9; }", "uwsgi_pass"),
    "scgi": ("scgi_pass 127.0.0.1:9;", "location / { scgi_pass 127.0.0.1:9; }", "scgi_pass"),
    # Nothing that leads to that backend, or that a client's header comes through.
    "another-address": (INSIDE, "location / { proxy_pass http://127.0.0.1:8081; }", None),
    "another-group": ("proxy_pass http://group;", "location / { proxy_pass http://other; }", None),
    "variable": (INSIDE, "location / { set $b 127.0.0.1:8080; proxy_pass http://$b; }", None),
    "to-https": (INSIDE, "return 301 https://crm.example$request_uri;", None),
    "files": (INSIDE, "root /srv/www; location /.well-known/ { try_files $uri =404; }", None),
    "status-page": (INSIDE, "location / { stub_status; }", None),
    "of-this-module": (INSIDE, "location / { " + INSIDE + " } location = /s { allow 127.0.0.1; deny all; oidc_status; }", None),
    "verify": (INSIDE, "auth_oidc idp; auth_oidc_mode verify; oidc_base_url https://b.example; location / { " + INSIDE + " }", None),
    "blanked": (INSIDE, "location / { " + BLANKED + INSIDE + " }", None),
    "blanked-in-another-spelling": (INSIDE, "location / { " + BLANKED.replace("Remote-", "REMOTE_") + INSIDE + " }", None),
    "no-headers": (INSIDE, "location / { proxy_pass_request_headers off; " + INSIDE + " }", None),
    "php-of-another-folder": (CGI, "location / { " + CGI.replace("crm", "blog") + " }", None),
    "php-blanked": (CGI, "location / { " + "".join(f'fastcgi_param HTTP_REMOTE_{n} "";' for n in (
        "USER", "EMAIL", "NAME", "GROUPS")) + CGI + " }", None),
    "restricted": (INSIDE, "location / { allow 10.0.0.0/8; deny all; " + INSIDE + " }", None),
    "password": (INSIDE, 'location / { auth_basic x; auth_basic_user_file x; ' + INSIDE + " }", None),
    "identity-by-assertion": ("auth_oidc_headers off; " + INSIDE, "location / { " + INSIDE + " }", None),
    "no-header-inside": ("".join(f'auth_oidc_header Remote-{n} ""; ' for n in ("User", "Email", "Name", "Groups")) + INSIDE,
                         "location / { " + INSIDE + " }", None),
}
GROUPS = "upstream group { server 127.0.0.1:8079; server 127.0.0.1:8080; } upstream other { server 127.0.0.1:8078; }\n"


def told_of_a_way_around(files, inside, *outside, listen="*:8081"):
    http = GROUPS + provider() + server("location / { auth_oidc idp; " + inside + " }", lab=files.lab)
    for n, text in enumerate(outside):
        http += f"server {{ listen {listen}; server_name b{n}.example; {text} }}\n"
    good, out = files(http)
    assert good, out
    return [line for line in out.splitlines() if "leads to the backend of" in line]


@pytest.mark.parametrize("inside, outside, told", rows("N-51", AROUND))
def test_a_way_around_the_sign_in(files, inside, outside, told):
    lines = told_of_a_way_around(files, inside, outside)
    if told is None:
        assert lines == []
        return
    (line,) = lines
    assert "other servers" not in line
    assert f'"{told}" in location' in line and 'the backend of server "crm.example"' in line, line
    assert '"auth_oidc idp" and "auth_oidc_mode verify"' in line, line
    assert re.search(r" in \S+nginx\.conf:\d+", line), line


@case("N-51")
def test_a_way_around_is_told_once(files):
    open_server = "location / { " + INSIDE + " } location /x { " + INSIDE + " }"
    (line,) = told_of_a_way_around(files, INSIDE, open_server, open_server, open_server)
    assert "or blank each; so do other servers" in line
    # Whoever reaches those reaches the backend as well.
    assert told_of_a_way_around(files, INSIDE, open_server, listen="127.0.0.1:8081") == []
    assert told_of_a_way_around(files, INSIDE, open_server, listen="unix:@F@/sock") == []
