# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-check on a running nginx: redirect URIs, buffers, session stores."""

import os

import pytest

from harness.cases import case, rows
from harness.nginx import run_once
from harness.redis_server import RedisServer, find
from test_auth_oidc_check import check, make_idp, run  # noqa: F401


def dump(site):
    done = run_once(site.folder, site.nginx.conf, "-T")
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_site(site, *arguments, text=None, env=None):
    """With what this nginx -T prints."""
    text = text or dump(site)
    # The made-up state and code leave a line each; the provider complains of the code.
    site.allow_log("state_unknown")
    result = run("--dump", "-", "--resolve", f"app.test:{site.port}:127.0.0.1", *arguments, stdin=text,
                 env=env)
    site.idp.complaints.clear()
    for secret in site.idp.canaries:
        assert secret not in result.output
    return result


@case("F-42")
def test_a_running_site(lab, make_site):
    site = make_site()
    result = check_site(site)
    assert result.code == 0, result.output
    assert "answered by the module" in result.text("redirect URI over IPv4")
    assert "does not know the certificate's authority" in result.text("TLS")
    assert f"{site.origin_text}/oidc_callback" in result.text("authorization_endpoint")
    # Where the authority is known nothing has to be said.
    env = {**os.environ, "SSL_CERT_FILE": str(lab.pki.ca.file)}
    result = check_site(site, env=env)
    assert result.code == 0 and not result.text("TLS"), result.output


@pytest.mark.parametrize("arguments, words", rows("F-42", {
    "forward": ({"directives": {"callback": "forward"}}, "answered by the module"),
    "own-path": ({"directives": {"redirect_uri": "/sign/in"}, "own_paths": ("/sign/in",)},
                 "/sign/in is answered by the module"),
    "server-name": ({"base_url": ""}, "https://app.test:"),
    "denied": ({"locations": "location = /oidc_callback { deny all; }"}, "403 by nginx"),
}))
def test_sites(make_site, arguments, words):
    site = make_site(control=False, **arguments)
    if words == "403 by nginx":
        site.allow_log("access forbidden by rule")
    result = check_site(site)
    assert words in result.text("redirect URI over IPv4"), result.output
    assert result.code == (1 if words == "403 by nginx" else 0), result.output


@case("F-42")
def test_a_redirect_uri_that_leads_elsewhere(lab, make_site):
    """The name leads to another server, to nothing, to a certificate of another name, to plain http."""
    site = make_site(control=False, servers="""
        server { listen 127.0.0.1:@PORT2@ ssl; @CERT@ server_name app.test; return 301 https://app.test/; }
    """)
    other = f"app.test:{site.port2}"
    text = dump(site)
    moved = text.replace(f"oidc_base_url https://app.test:{site.port};", f"oidc_base_url https://{other};")
    result = check_site(site, "--resolve", f"{other}:127.0.0.1", text=moved)
    assert "another server answers" in result.text("redirect URI over IPv4"), result.output
    for origin, words in ((f"http://app.test:{site.idp.port}", "not as the module does"),
                          (f"https://wrong.example:{site.port}", "another name"),
                          (f"https://app.test:{site.idp.port}", "TLS")):
        moved = text.replace(f"oidc_base_url https://app.test:{site.port};", f"oidc_base_url {origin};")
        host = origin.partition("://")[2]
        result = check_site(site, "--resolve", f"{host}:127.0.0.1", text=moved)
        assert result.checks("wrong") == {"redirect URI over IPv4"}, result.output
        assert words in result.text("redirect URI over IPv4"), result.output
    moved = text.replace(f"oidc_base_url https://app.test:{site.port};", "oidc_base_url https://app.invalid;")
    assert "does not resolve" in check_site(site, text=moved).text("names")
    moved = text.replace(f"oidc_base_url https://app.test:{site.port};", "").replace(
        "server_name app.test alt.test;", "server_name _;")
    assert "give oidc_base_url" in check_site(site, text=moved).text("redirect URI")


@case("F-42")
def test_redirect_uris_over_ipv6(make_site):
    site = make_site(control=False, listen="listen 127.0.0.1:@PORT@ ssl; listen [::1]:@PORT@ ssl;",
                     base_url="oidc_base_url https://localhost:@PORT@;")
    result = check_site(site, "--resolve", f"localhost:{site.port}:::1")
    # The certificate is not for that name: the connection is what counts here.
    assert "another name" in result.text("redirect URI over IPv6"), result.output
    site2 = make_site(control=False)
    result = check_site(site2, "--resolve", f"app.test:{site2.port}:::1")
    assert "refused" in result.text("redirect URI over IPv6") and result.code == 1, result.output


@pytest.mark.parametrize("http, server, wrong", rows("F-43", {
    "default": ("", "", False), "small": ("large_client_header_buffers 4 4k;", "", True),
    "few": ("large_client_header_buffers 1 16k;", "", True),
    "server-wins": ("large_client_header_buffers 4 4k;", "large_client_header_buffers 4 8k;", False),
}))
def test_header_sizes(lab, make_idp, http, server, wrong):  # noqa: F811
    text = http + "server { listen 127.0.0.1:1; server_name a.invalid; auth_oidc main; " + server + " }"
    result = check(make_idp(), lab, http=text)
    assert ("header sizes" in result.checks("wrong")) == wrong, result.output
    assert ("header sizes" in result.checks("ok")) == (not wrong), result.output


@pytest.mark.parametrize("http, server, front, wrong", rows("F-43", {
    "cookie-default": ("", "", "", "16k"),
    "cookie-enough": ("", "large_client_header_buffers 4 16k;", "", None),
    "cookie-proxy": ("large_client_header_buffers 4 16k;", "",
                     "server { listen 1; location / { proxy_pass http://127.0.0.1:81/; } }", "proxy_buffer_size 4k"),
    "cookie-upstream": ("large_client_header_buffers 4 16k; upstream u { server localhost:81; }", "",
                        "server { listen 1; location / { proxy_pass http://u; } }", "proxy_buffer_size 4k"),
    "cookie-proxy-enough": ("large_client_header_buffers 4 16k; proxy_buffer_size 16k;", "",
                            "server { listen 1; location / { proxy_pass http://127.0.0.1:81/; } }", None),
    "cookie-elsewhere": ("large_client_header_buffers 4 16k;", "",
                         "server { listen 1; location / { proxy_pass http://127.0.0.1:82/; } }", None),
}))
def test_header_sizes_of_sessions_in_cookies(lab, make_idp, tmp_path, http, server, front, wrong):  # noqa: F811
    keys = tmp_path / "keys"
    keys.write_text("0" * 64)
    keys.chmod(0o600)
    text = f"oidc_session_store c {{ type cookie; key_file {keys}; }} {http} {front}" \
        f"server {{ listen 127.0.0.1:81; server_name a.invalid; auth_oidc main; {server} }}"
    result = check(make_idp(), lab, http=text, session_store="c")
    assert ("header sizes" in result.checks("wrong")) == bool(wrong), result.output
    assert wrong is None or wrong in result.text("header sizes"), result.output


# ---- Redis

def store(lab, make_idp, tmp_path, server, **directives):  # noqa: F811
    keys = tmp_path / "keys"
    keys.write_text("0" * 64)
    keys.chmod(0o600)
    lines = "".join(f"{k} {v}; " for k, v in directives.items())
    return check(make_idp(), lab, session_store="r", http=f"oidc_session_store r {{ type redis; "
                 f"key_file {keys}; server {server}; {lines} }}")


needs_redis = pytest.mark.skipif(find() is None, reason="there is no redis-server")


@needs_redis
@case("F-44")
def test_redis(lab, make_idp, tmp_path):  # noqa: F811
    password = tmp_path / "password"
    password.write_text("r3dis-canary-password\n")
    password.chmod(0o600)
    with RedisServer(tmp_path, options=["requirepass r3dis-canary-password",
                                        "user small on >r3dis-canary-password ~oidc:* -@all +ping",
                                        "user other on >r3dis-canary-password ~x:* +@all"]) as redis:
        for server in (redis.address, f"unix:{redis.socket}"):
            name = f"server {server}"
            result = store(lab, make_idp, tmp_path, server, password_file=password, database=1)
            assert result.code == 0 and "may read and write" in result.text(name), result.output
            assert "r3dis" not in result.output
        name = f"server {redis.address}"
        for directives, words in (
                ({}, "NOAUTH"), ({"username": "nobody", "password_file": password}, "WRONGPASS"),
                ({"username": "small", "password_file": password}, "NOPERM"),
                ({"username": "other", "password_file": password}, "NOPERM")):
            result = store(lab, make_idp, tmp_path, redis.address, **directives)
            assert result.checks("wrong") == {name} and words in result.text(name), result.output
            assert "r3dis" not in result.output
        redis.do("REPLICAOF", "127.0.0.1", "1")
        result = store(lab, make_idp, tmp_path, redis.address, password_file=password)
        assert result.checks("wrong") == {"redis"} and "replica" in result.text(name), result.output


@needs_redis
@case("F-44")
def test_redis_without_a_password(lab, make_idp, tmp_path):  # noqa: F811
    password = tmp_path / "password"
    password.write_text("r3dis-canary-password")
    password.chmod(0o600)
    with RedisServer(tmp_path) as redis:
        name = f"server {redis.address}"
        assert store(lab, make_idp, tmp_path, redis.address).code == 0
        result = store(lab, make_idp, tmp_path, redis.address, password_file=password)
        assert "no password" in result.text(name) and result.code == 1, result.output
        assert "r3dis" not in result.output
        result = store(lab, make_idp, tmp_path, redis.address, ssl="on")
        assert "TLS" in result.text(name) and result.code == 1, result.output
    result = store(lab, make_idp, tmp_path, redis.address)
    assert "refused" in result.text(name) and result.code == 1


@needs_redis
@case("F-44")
def test_redis_over_tls(lab, make_idp, tmp_path):  # noqa: F811
    try:
        server = RedisServer(tmp_path, leaf=lab.pki.idp)
    except AssertionError:
        pytest.skip("this redis-server speaks no TLS")
    with server as redis:
        good = store(lab, make_idp, tmp_path, redis.address, ssl="on",
                     ssl_trusted_certificate=lab.pki.ca.file)
        assert good.code == 0, good.output
        bad = store(lab, make_idp, tmp_path, redis.address, ssl="on", ssl_name="other.example",
                    ssl_trusted_certificate=lab.pki.ca.file)
        assert "another name" in bad.text(f"server {redis.address}") and bad.code == 1, bad.output


@case("F-44")
def test_what_is_no_redis(lab, make_idp, tmp_path):  # noqa: F811
    idp = make_idp()
    for server, words in ((f"127.0.0.1:{idp.port}", "no answer"),
                          ("unix:/no/such/socket", "No such file"), ("redis.invalid", "does not resolve")):
        result = store(lab, make_idp, tmp_path, server)
        assert words in result.text(f"server {server}") and result.code == 1, result.output
