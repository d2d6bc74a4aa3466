# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-check on a running nginx: redirect URIs, buffers, session stores."""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import run_once
from harness.pki import DAY
from harness.redis_server import RedisServer, find
from harness.site import Site
from test_auth_oidc_check import block, check, CUT, make_idp, Peer, PROGRAM, run, whole  # noqa: F401
from test_provider_groups import SHARED, STORE_LINES


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
    "form": ({"directives": {"response_mode": "form_post"}}, "answered by the module"),
    "jwt": ({"directives": {"response_mode": "query.jwt"}}, "answered by the module"),
    "own-path": ({"directives": {"redirect_uri": "/sign/in"}, "own_paths": ("/sign/in",)},
                 "/sign/in is answered by the module"),
    "absolute": ({"directives": {"redirect_uri": "@ORIGIN@/cb"}, "own_paths": ("/cb",),
                  "base_url": "oidc_base_url https://alt.test:@PORT@;"}, "/cb is answered by the module"),
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


@pytest.mark.parametrize("change, noted", rows("F-42", {
    "own-certificate": ("ssl_certificate @OWN@;", False), "another-certificate": ("ssl_certificate @OTHER@;", True),
    "one-of-two": ("ssl_certificate @OTHER@; ssl_certificate @OWN@;", False), "of-http": ("", True),
    "data": ("ssl_certificate 'data:@PEM@';", True),
    "of-a-name-in-capitals": ("ssl_certificate @OTHER@; } server { server_name APP.test; ssl_certificate @OWN@;", False),
    "of-a-better-name": ("ssl_certificate @OTHER@; } server { server_name app.test; ssl_certificate @OWN@;", False),
    "of-no-name": ("ssl_certificate @OTHER@; } server { server_name ''; ssl_certificate @OWN@;", True),
    "another-form": ("ssl_certificate 'data:@TRUSTED@';", False), "no-form": ("ssl_certificate /etc/passwd;", False),
    "other-and-none": ("ssl_certificate @OTHER@; ssl_certificate /absent;", False),
    "by-variable": ("ssl_certificate $ssl_server_name;", False), "not-there": ("ssl_certificate /absent;", False),
}))
def test_whose_certificate(lab, make_site, change, noted):
    """Another nginx with the module answers as this one does: its certificate tells them apart."""
    site = make_site(control=False)
    own, other = str(lab.pki.site.cert_file), str(lab.pki.idp.cert_file)
    for mark, text in (("@OWN@", own), ("@OTHER@", other), ("@PEM@", lab.pki.idp.cert_file.read_text()),
                       ("@TRUSTED@", lab.pki.idp.cert_file.read_text().replace(" CERT", " TRUSTED CERT"))):
        change = change.replace(mark, text)
    text = dump(site).replace(f"ssl_certificate {own};", change).replace("app.test alt.test;", "*.test;")
    result = check_site(site, text=text.replace("http {", f"http {{ ssl_certificate {other};"))
    assert result.code == 0 and ("shows another certificate" in result.text("TLS")) == noted, result.output
    assert not noted or "was not reloaded" in result.text("TLS")


@pytest.mark.parametrize("name, leads_there", rows("F-42", {
    "exact": ("app.test", True), "dot": (".app.test", True), "dot-above": (".test", True), "star": ("*.test", True),
    "star-below": ("*.app.test", False), "dot-of-another": (".p.test", False), "end-alone": ("*.p.test", False),
}))
def test_which_server_a_name_leads_to(lab, make_site, name, leads_there):
    """As nginx compares them; the certificate is looked for there."""
    site = make_site(control=False)
    other = f"server {{ listen 1 ssl; server_name {name}; ssl_certificate {lab.pki.idp.cert_file}; }}"
    text = dump(site).replace("app.test alt.test;", "elsewhere.invalid;").replace("http {", f"http {{ {other}", 1)
    result = check_site(site, text=text)
    assert ("shows another certificate" in result.text("TLS")) == leads_there, result.output


@pytest.fixture
def several(lab):
    """A site of a group: both its providers sign people in, a third one does not."""
    idps = {n: Idp(lab.keys, client_id=f"client-{n}") for n in ("staff", "partners", "third")}
    providers = {n: (idp, {"redirect_uri": f"/cb-{n}", "logout_uri": "/logout", **STORE_LINES})
                 for n, idp in idps.items()}
    with Site(lab, providers=providers, auth="auth_oidc both;", control=False, own_paths=("/cb-staff", "/cb-partners"),
              http=SHARED + "oidc_provider_group both { provider staff; provider partners; }\n"
                   "map $host $which { default both; a.test third; }\nmap $host $any { default $host; }\n") as site:
        site.idps = idps
        yield site
    for idp in idps.values():
        idp.stop()


@pytest.mark.parametrize("auth, asked", rows("F-42", {
    "group": ("auth_oidc both;", {"staff", "partners"}), "one-of-a-group": ("auth_oidc partners;", {"partners"}),
    "location-of-a-group": ("auth_oidc third; location = /x { auth_oidc both; }", {"staff", "partners", "third"}),
    "map": ("auth_oidc $which;", {"staff", "partners", "third"}), "map-braces": ("auth_oidc ${which};", None),
    "set": ("set $w both; auth_oidc $w;", {"staff", "partners"}), "unknown-values": ("auth_oidc $any;", None),
    "name-of-the-server": ("auth_oidc $server_name;", set()),
}))
def test_a_site_of_several_providers(several, auth, asked):
    """Each provider that auth_oidc may mean has its redirect URI tried."""
    asked = {"staff", "partners", "third"} if asked is None else asked
    text = dump(several).replace("auth_oidc both;", auth, 1)
    result = check_site(several, text=text)
    for idp in several.idps.values():
        idp.complaints.clear()
    told = result.text("redirect URI over IPv4")
    if several.parts["auth"] == auth:
        assert result.code == 0, result.output
    assert {n for n in several.idps if f"/cb-{n} " in told} == asked, result.output
    assert ("header sizes" in result.checks("ok")) == bool(asked), result.output
    assert result.text("sites").count("no auth_oidc names it") == 3 - len(asked), result.output


@pytest.mark.parametrize("server, redirect_uri, written", rows("F-42", {
    "letters": ("listen 443 ssl; server_name A.Example.com;", None, "https://a.example.com/oidc_callback"),
    "regex-first": ("listen 443 ssl; server_name ~^A B.invalid;", None, "https://b.invalid/oidc_callback"),
    "base-port": ("oidc_base_url https://a.invalid:443;", "/cb", "https://a.invalid/cb"),
    "base-http-port": ("oidc_base_url HTTP://a.invalid:80/;", "/cb", "http://a.invalid/cb"),
    "base-other-port": ("oidc_base_url https://A.invalid:80;", "/cb", "https://A.invalid:80/cb"),
    "absolute-port": ("oidc_base_url https://b.invalid;", "https://A.invalid:443/cb", "https://A.invalid:443/cb"),
    "range": ("listen 8000-8010; server_name a.invalid;", "/cb", "http://a.invalid:8000/cb"),
    "range-of-an-address": ("listen 127.0.0.1:79-80; server_name a.invalid;", "/cb", "http://a.invalid/cb"),
    "address": ("listen 127.0.0.1 ssl; server_name a.invalid;", "/cb", "https://a.invalid:80/cb"),
    "quic": ("listen 80; listen [::]:443 quic; server_name a.invalid;", "/cb", "https://a.invalid/cb"),
    "usual-port": ("listen 8443 ssl; listen 443 ssl; server_name a.invalid;", "/cb", "https://a.invalid/cb"),
    "unusual-ports": ("listen 80; listen 8443 ssl; listen 9443 ssl; server_name a.invalid;", "/cb", "https://a.invalid:8443/cb"),
}))
def test_a_redirect_uri_as_the_module_writes_it(lab, make_idp, server, redirect_uri, written):  # noqa: F811
    idp = make_idp()
    result = check(idp, lab, http=f"server {{ {server} auth_oidc main; }}", redirect_uri=redirect_uri)
    asked = dict(urllib.parse.parse_qsl(idp.last("authorize").query))
    assert asked["redirect_uri"] == written, result.output


@pytest.mark.parametrize("server, redirect_uri, words", rows("F-42", {
    "own": ("server_name a.invalid;", "https://[bad", "redirect_uri: \"https://[bad\" is no URL"),
    "own-port": ("server_name a.invalid;", "https://a.invalid:x/cb", "correct its host or port"),
    "base": ("oidc_base_url https://[bad;", "/cb", "is no URL"),
    "base-host": ("oidc_base_url https://;", "/cb", "is no URL of http or https"),
}))
def test_a_redirect_uri_that_is_no_address(lab, make_idp, server, redirect_uri, words):  # noqa: F811
    """The rest is tried all the same."""
    idp = make_idp()
    result = check(idp, lab, http=f"server {{ listen 1; {server} auth_oidc main; }}", redirect_uri=redirect_uri)
    wrong, = result.of("wrong")
    assert words in f"{wrong['check']}: {wrong['text']}; {wrong['fix']}", result.output
    assert result.checks("ok") >= {"metadata", "client authentication", "header sizes"}


@case("F-42")
def test_bytes_that_are_not_utf_8(lab, make_idp):  # noqa: F811
    idp = make_idp()
    for server, secret in (("ssl_certificate 'data:\udcff';", idp.client_secret),
                           ("ssl_certificate 'x\udcff';", "x\udcff\udc80")):
        text = block(idp, lab, client_secret=f'"{secret}"', redirect_uri=None)
        text = whole(text, f"server {{ listen 1 ssl; server_name a.invalid; {server} auth_oidc main; }}")
        done = subprocess.run([sys.executable, str(PROGRAM), "--json", "--dump", "-"], capture_output=True, timeout=60,
                              input=text.encode("utf-8", "surrogateescape"), check=False)
        checks = {x["check"]: x for x in json.loads(done.stdout)["checks"]}
        assert "fault" not in checks and checks["header sizes"]["status"] == "ok", done.stdout
        assert b"\xff" not in done.stdout


@case("F-42")
def test_a_redirect_uri_of_several_sites(make_site):
    """As with login_hosts: it is tried once."""
    site = make_site(control=False, directives={"redirect_uri": "@ORIGIN@/cb"}, own_paths=("/cb",),
                     locations="} server { listen 127.0.0.1:@PORT@ ssl; @CERT@ server_name x.app.test; auth_oidc idp;")
    result = check_site(site)
    assert result.code == 0 and result.text("redirect URI over IPv4").count("answered by the module") == 1, result.output
    assert {x["about"] for x in result.lines if x["check"] == "header sizes"} == {"site app.test", "site x.app.test"}


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


@pytest.mark.parametrize("serve, words", CUT)
def test_a_redirect_uri_at_which_the_handshake_is_cut_off(make_site, serve, words):
    site = make_site(control=False)
    text = dump(site)
    with Peer(serve) as peer:
        result = check_site(site, "--resolve", f"app.test:{peer.port}:127.0.0.1",
                            text=text.replace(f"app.test:{site.port};", f"app.test:{peer.port};"))
    assert result.checks("wrong") == {"redirect URI over IPv4"}, result.output
    assert words in result.text("redirect URI over IPv4"), result.output


@case("F-42")
def test_a_callback_that_the_application_answers(make_site):
    """In a server without the module; where the module is it answers, whatever callback and auth_oidc_mode say."""
    site = make_site(control=False, directives={"callback": "forward"}, server="auth_oidc_mode verify;", servers="""
        server { listen 127.0.0.1:@PORT2@ ssl; @CERT@ server_name app.test; location / { proxy_pass http://@BACKEND@; } }
    """)
    site.state.check_hits = False
    assert check_site(site).code == 0
    result = check_site(site, "--resolve", f"app.test:{site.port2}:127.0.0.1",
                        text=dump(site).replace(f"https://app.test:{site.port};", f"https://app.test:{site.port2};"))
    assert result.checks("wrong") == {"redirect URI over IPv4"}, result.output
    assert "answers 200, not as the module does" in result.text("redirect URI over IPv4"), result.output


@case("F-42")
def test_redirect_uris_over_ipv6(make_site):
    site = make_site(control=False, listen="listen 127.0.0.1:@PORT@ ssl; listen [::1]:@PORT@ ssl;",
                     base_url="oidc_base_url https://localhost:@PORT@;")
    result = check_site(site, "--resolve", f"localhost:{site.port}:::1")
    # The certificate is not for that name: the connection is what counts here.
    assert "another name" in result.text("redirect URI over IPv6"), result.output
    site = make_site(control=False, listen="listen 127.0.0.1:@PORT@ ssl; listen [::1]:@PORT@ ssl;")
    for addresses, families in (("[::1]", {"IPv6"}), ("127.0.0.1,::1", {"IPv4", "IPv6"})):
        result = check_site(site, "--resolve", f"app.test:{site.port}:{addresses}")
        assert result.code == 0, result.output
        assert {c[-4:] for c in result.checks("ok") if c.startswith("redirect URI")} == families, result.output
    site2 = make_site(control=False)
    result = check_site(site2, "--resolve", f"app.test:{site2.port}:::1")
    assert "refused" in result.text("redirect URI over IPv6") and result.code == 1, result.output


@pytest.mark.parametrize("http, server, wrong", rows("F-43", {
    "default": ("", "", False), "small": ("large_client_header_buffers 4 4k;", "", True),
    "few": ("large_client_header_buffers 1 16k;", "", True),
    "few-and-large": ("large_client_header_buffers 1 32k;", "", False),
    "many-and-small": ("large_client_header_buffers 64 4k;", "", True),
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
    "cookie-few-and-large": ("", "large_client_header_buffers 2 64k;", "", None),
    "cookie-proxy-of-a-location": ("large_client_header_buffers 4 16k; proxy_buffer_size 16k;", "",
                                   "server { listen 1; location / { "
                                   "proxy_buffer_size 8k; proxy_pass http://127.0.0.1:81$uri; } }",
                                   "proxy_buffer_size 8k"),
    "cookie-proxy-by-name": ("large_client_header_buffers 4 16k; server { listen 81; server_name b.invalid; }", "",
                             "server { listen 1; location / { proxy_pass http://A.invalid:81/; } }", "proxy_buffer_size 4k"),
    "cookie-proxy-to-a-variable": ("large_client_header_buffers 4 16k;", "",
                                   "server { listen 1; location / { proxy_pass http://127.0.0.1:$p/; } }", None),
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


@pytest.mark.parametrize("listen, other, noted", rows("F-43", {
    "port-of-two": ("81", "server { listen 81; server_name b.invalid; }", True),
    "port-of-a-range": ("81", "server { listen 80-90; server_name b.invalid; }", True),
    "port-of-one": ("81", "server { listen 82; }", None), "port-of-another-address": ("192.0.2.1:81", "", False),
    "port-of-loopback": ("127.0.0.1:81", "", None),
    "port-of-localhost": ("localhost:81", "", None), "port-of-the-other-loopback": ("[::1]:81", "", False),
    "port-of-all": ("[::]:81", "server { listen 81; }", True),
}))
def test_a_proxy_that_may_mean_another_server(lab, make_idp, tmp_path, listen, other, noted):  # noqa: F811
    """Wrong (None) where it can mean this one alone."""
    keys = tmp_path / "keys"
    keys.write_text("0" * 64)
    keys.chmod(0o600)
    result = check(make_idp(), lab, session_store="c", http=f"""oidc_session_store c {{ type cookie; key_file {keys}; }}
        large_client_header_buffers 4 16k; {other} server {{ listen 1; location / {{ proxy_pass http://127.0.0.1:81; }} }}
        server {{ listen {listen}; server_name a.invalid; auth_oidc main; }}""")
    assert ("header sizes" in result.checks("wrong")) == (noted is None), result.output
    assert ("header sizes" in result.checks("note")) == bool(noted), result.output
    assert not noted or "another server listens on that port" in result.text("header sizes")


@case("F-43")
def test_sizes_that_are_none(lab, make_idp):  # noqa: F811
    """A line of their own, and the rest is tried."""
    servers = "".join(f"server {{ listen 1; server_name {n}.invalid; auth_oidc main; large_client_header_buffers {v}; }}"
                      for n, v in (("a", "4 8g"), ("b", "x 8k"), ("c", "4 8k")))
    result = check(make_idp(), lab, http=servers)
    told = {x["about"]: x["status"] for x in result.lines if x["check"] == "header sizes"}
    assert told == {"site a.invalid": "unknown", "site b.invalid": "unknown", "site c.invalid": "ok"}, result.output


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


@needs_redis
@case("F-44")
def test_a_database_that_is_not_there(lab, make_idp, tmp_path):  # noqa: F811
    with RedisServer(tmp_path) as redis:
        result = store(lab, make_idp, tmp_path, redis.address, database=999)
    assert result.code == 1 and "has no database 999" in result.text(f"server {redis.address}"), result.output


@pytest.mark.parametrize("serve, words", CUT)
def test_a_redis_that_cuts_the_handshake_off(lab, make_idp, tmp_path, serve, words):  # noqa: F811
    with Peer(serve) as peer:
        result = store(lab, make_idp, tmp_path, f"127.0.0.1:{peer.port}", ssl="on",
                       ssl_trusted_certificate=lab.pki.ca.file)
    assert result.code == 1 and words in result.text(f"server 127.0.0.1:{peer.port}"), result.output


@case("F-44")
def test_what_is_no_redis(lab, make_idp, tmp_path):  # noqa: F811
    idp = make_idp()
    for server, words in ((f"127.0.0.1:{idp.port}", "no answer"),
                          ("unix:/no/such/socket", "No such file"), ("redis.invalid", "does not resolve")):
        result = store(lab, make_idp, tmp_path, server)
        assert words in result.text(f"server {server}") and result.code == 1, result.output


class Answering:
    """A server that says the same to whatever it is asked, a reply for each command."""

    def __init__(self, *replies):
        self.replies = replies
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            connection, _ = self.socket.accept()
            with connection:
                for reply in self.replies:
                    connection.recv(4096)
                    connection.sendall(reply.encode() + b"\r\n")
                connection.recv(4096)
        except OSError:
            pass

    def close(self):
        self.socket.close()


HELLO = "*4\r\n$7\r\nversion\r\n$5\r\n{}\r\n$4\r\nrole\r\n$6\r\nmaster"


@pytest.mark.parametrize("replies, status, words", rows("F-44", {
    "5": (["-ERR unknown command 'HELLO'"], "wrong", "older than Redis 6"),
    "6": ([HELLO.format("6.2.1")], "wrong", "version 6.2.1"),
    "7": ([HELLO.format("7.0.1"), "+PONG", "$-1"], "ok", "may read and write"),
    "loading": (["-LOADING Redis is loading the dataset in memory"], "unknown", "wait until it has read its data"),
    "read-only": ([HELLO.format("7.0.1"), "+PONG", "-READONLY You can't write against a read only replica."], "wrong",
                  "it is a replica"),
    "no-permission": ([HELLO.format("7.0.1"), "+PONG", "-NOPERM no"], "wrong", "the rights in"),
    "secret": (["-ERR r3dis-said"], "wrong", "refuses: ERR; Redis' log"),
}))
def test_what_a_redis_answers(lab, make_idp, tmp_path, replies, status, words):  # noqa: F811
    server = Answering(*replies)
    try:
        result = store(lab, make_idp, tmp_path, server.address)
    finally:
        server.close()
    text = result.text(f"server {server.address}")
    assert text.startswith(f"{status}: ") and words in text, result.output
    assert "r3dis-said" not in result.output


@needs_redis
@case("F-44")
def test_the_certificate_of_a_redis_ends(lab, make_idp, tmp_path):  # noqa: F811
    try:
        server = RedisServer(tmp_path, leaf=lab.pki.ca.issue("redis-soon", end=5 * DAY, dns=["localhost"],
                                                             ips=["127.0.0.1"]))
    except RuntimeError:
        pytest.skip("this redis-server speaks no TLS")
    with server as redis:
        result = store(lab, make_idp, tmp_path, redis.address, ssl="on", ssl_trusted_certificate=lab.pki.ca.file)
    assert result.code == 1 and "renew it" in result.text("certificate"), result.output
    assert "ok: ssl_trusted_certificate is good for" in result.text("certificate"), result.output


@case("F-42")
def test_the_certificate_of_a_site_ends(lab, make_site):
    env = {**os.environ, "SSL_CERT_FILE": str(lab.pki.ca.file)}
    site = make_site(control=False)
    result = check_site(site, "--days", 100000, env=env)
    assert "over IPv4 ends in" in result.text("certificate"), result.output
    # An authority that the server sends counts, known here or not.
    pki = lab.pki
    chained = pki.intermediate.issue("site-chained", end=300 * DAY, dns=["app.test"], chain=[pki.intermediate])
    site = make_site(control=False, servers=f"""
        server {{ listen 127.0.0.1:@PORT2@ ssl; server_name app.test; auth_oidc idp; oidc_base_url https://app.test:@PORT2@;
                  ssl_certificate {chained.cert_file}; ssl_certificate_key {chained.key_file}; }}
    """)
    for authorities in (env, None):
        result = check_site(site, "--days", 60, "--resolve", f"app.test:{site.port2}:127.0.0.1", env=authorities)
        assert "over IPv4 hangs on the authority middle ca" in result.text("certificate"), result.output
