# SPDX-License-Identifier: Apache-2.0
"""The blocks of docs/migration/proxy-managers.md, in folders that are laid out as in the images: which file includes
which, in what order, and what the managers themselves write around the lines of a host. The images are not at hand."""

import re
import urllib.request

import pytest

from harness import blocks
from harness.nginx import MODULE, run_once
from harness.outcome import challenge, passes
from harness.site import Site

PAGE = [block for block in blocks.of("docs/migration/proxy-managers.md") if block.language == "nginx"]
PLACED = {block.part: block.code for block in PAGE if block.test == "test_proxy_managers.py"}


def test_every_block_has_its_place():
    assert len(PAGE) == len(PLACED) == 7


# ---- what is around them

NPM = """
error_log stderr warn;
pid nginx.pid;
include modules/*.conf;
include data/nginx/custom/root_top[.]conf;
events { include data/nginx/custom/events[.]conf; }
http {
    access_log off;
    proxy_set_header X-Forwarded-Scheme $scheme;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_cache_path cache levels=1:2 keys_zone=public-cache:1m;
    map $http_x_forwarded_proto $x_forwarded_proto { https https; http http; default $scheme; }
    set_real_ip_from 172.16.0.0/12;
    real_ip_header X-Real-IP;
    include data/nginx/custom/http_top[.]conf;
    include conf.d/*.conf;
    include data/nginx/proxy_host/*.conf;
    include data/nginx/custom/http[.]conf;
}
include data/nginx/custom/root[.]conf;
"""

# A host with a certificate by HTTP, forced https, websockets, an access list, and a custom location.
NPM_HOST = """
server {
    set $forward_scheme http;
    set $server "127.0.0.1";
    set $port 8080;
    listen 127.0.0.1:@PLAIN@;
    listen 127.0.0.1:@PORT@ ssl;
    server_name www.example.com;
    location ^~ /.well-known/acme-challenge/ {
        auth_basic off;
        auth_request off;
        allow all;
        default_type text/plain;
        root @ACME@;
    }
    location = /.well-known/acme-challenge/ { return 404; }
    @CERT@
    set $test "";
    if ($scheme = http) { set $test H; }
    if ($test = H) { return 301 https://$host$request_uri; }
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_http_version 1.1;
@ADVANCED@
    location /custom {
        proxy_set_header Host $host;
        proxy_pass http://127.0.0.1:8080;
        allow all;
        satisfy all;
    }
    location / {
        allow all;
        satisfy all;
        include conf.d/include/proxy.conf;
    }
    include data/nginx/custom/server_proxy[.]conf;
}
"""

NPM_PROXY = """
add_header X-Served-By $host;
proxy_set_header Host $host;
proxy_set_header X-Forwarded-Proto $x_forwarded_proto;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Real-IP $remote_addr;
proxy_pass $forward_scheme://$server:$port$request_uri;
"""

SWAG = """
error_log stderr warn;
pid nginx.pid;
include etc/nginx/modules/*.conf;
events { }
http {
    access_log off;
    include config/nginx/resolver.conf;
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    proxy_cache_path cache keys_zone=lsio-proxy:1m;
    include config/nginx/site-confs/*.conf;
}
"""

SWAG_PROXY = """
proxy_http_version 1.1;
proxy_redirect http:// $scheme://;
proxy_cache_bypass $cookie_session;
proxy_no_cache $cookie_session;
proxy_set_header Connection $connection_upgrade;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Host $host;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Real-IP $remote_addr;
"""

SWAG_DEFAULT = """
server { listen 127.0.0.1:1 default_server; location / { return 301 https://$host$request_uri; } }
include config/nginx/proxy-confs/*.subdomain.conf;
"""


def cert(lab):
    return f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key {lab.pki.site.key_file};"


def laid_out(folder, files):
    """nginx -t on these files: (status, what it says)."""
    secret = folder / "secret"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("/usr/lib/nginx/modules/ngx_http_auth_oidc_module.so", MODULE)
        text = re.sub(r"/(?:data|config/nginx)/secrets/\w+", str(secret), text)
        (folder / name).write_text(text.replace("/config/nginx/", "config/nginx/"))
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    (folder / "logs").mkdir(exist_ok=True)
    done = run_once(folder, folder / "nginx.conf", "-t")
    return done.returncode, done.stdout + done.stderr


def npm_files(lab, **left_out):
    host = NPM_HOST.replace("@ADVANCED@", PLACED["npm advanced"]).replace("@CERT@", cert(lab))
    host = host.replace("@PLAIN@", "2").replace("@PORT@", "1").replace("@ACME@", "acme")
    files = {"nginx.conf": NPM, "conf.d/include/proxy.conf": NPM_PROXY, "conf.d/default.conf": "",
             "data/nginx/custom/root_top.conf": PLACED["npm root_top"],
             "data/nginx/custom/http_top.conf": PLACED["npm http_top"],
             "data/nginx/proxy_host/1.conf": host}
    return {name: text for name, text in files.items() if name.rpartition("/")[2] not in left_out.get("without", ())}


def test_nginx_proxy_manager(lab, tmp_path):
    status, said = laid_out(tmp_path, npm_files(lab))
    assert status == 0, said
    (warned,) = [line for line in said.splitlines() if "[warn]" in line]
    assert '"return" in this server' in warned, said


@pytest.mark.parametrize("without, told", [("root_top.conf", 'unknown directive "oidc_provider"'),
                                           ("http_top.conf", "company")])
def test_a_file_that_is_missing_is_said(lab, tmp_path, without, told):
    status, said = laid_out(tmp_path, npm_files(lab, without=[without]))
    assert status != 0 and told in said, said


def test_swag(lab, tmp_path):
    subdomain = PLACED["swag subdomain"]
    assert "listen      [::]:443 ssl;" in subdomain
    subdomain = re.sub(r" *listen +\[::\]:443 ssl;\n", "", subdomain).replace("443 ssl", "127.0.0.1:1 ssl")
    status, said = laid_out(tmp_path, {
        "nginx.conf": SWAG, "etc/nginx/modules/50_http_auth_oidc.conf": PLACED["swag modules"],
        "config/nginx/resolver.conf": "resolver 127.0.0.11 valid=30s;\n", "config/nginx/ssl.conf": cert(lab) + "\n",
        "config/nginx/proxy.conf": SWAG_PROXY, "config/nginx/site-confs/00-company.conf": PLACED["swag provider"],
        "config/nginx/site-confs/default.conf": SWAG_DEFAULT.replace("127.0.0.1:1 ", "127.0.0.1:2 "),
        "config/nginx/proxy-confs/www.subdomain.conf": subdomain})
    assert status == 0 and "[warn]" not in said, said


# ---- and they sign people in

class Managed(Site):
    """`text`: of the http block, with the names of the page."""

    def __init__(self, lab, text, **arguments):
        self.text = text
        super().__init__(lab, control=False, default_locations=False, **arguments)

    def render(self, **_):
        secret = self.folder / "secret"
        secret.write_text(self.idp.client_secret)
        secret.chmod(0o600)
        code = re.sub(r"issuer +\S+;", f"issuer {self.idp.issuer}; insecure_http on;", self.text)
        code = re.sub(r"client_id +\S+;", f"client_id {self.idp.client_id};", code)
        code = re.sub(r"/\w[\w/]*/secrets/www", str(secret), code)
        code = code.replace("https://www.example.com", "@ORIGIN@").replace("www.example.com", "app.test")
        return self.fill(code)


def test_behind_a_manager(lab):
    """The manager ends TLS, and asks the second nginx as it would ask an application."""
    block = PLACED["behind"].replace("listen           8443;", "listen 127.0.0.1:@PORT2@;")
    assert "http://app:8080" in block and "127.0.0.1:@PORT2@" in block
    block = block.replace("http://app:8080", "http://@BACKEND@").replace("172.16.0.0/12", "127.0.0.1")
    front = """
    map $http_x_forwarded_proto $x_forwarded_proto { https https; http http; default $scheme; }
    server {
        listen 127.0.0.1:@PORT@ ssl;
        @CERT@
        server_name www.example.com;
        access_log off;                 # it would have the code of the callback, as the page says
        location / {""" + NPM_PROXY.replace("$forward_scheme://$server:$port", "http://127.0.0.1:@PORT2@") + """ }
    }
    """
    with Managed(lab, block + front) as site:
        challenge(site, site.browser().get("/x"))
        with site.signed_in("/x", preferred_username="jdoe") as browser:
            hit = passes(site, browser.get("/x", extra=[("Remote-User", "admin")]), Remote_User="jdoe")
            assert hit.headers.all("X-Forwarded-Proto") == ["https"]
            answer = browser.get("/logout", fetch_site="same-origin")
            assert answer.status in (200, 302), answer
            challenge(site, browser.get("/x"))


def test_inside_nginx_proxy_manager(lab, tmp_path):
    """Every location of the host is closed, but the one of the certificate's authority, over http as over https."""
    (tmp_path / ".well-known/acme-challenge").mkdir(parents=True)
    (tmp_path / ".well-known/acme-challenge/token").write_text("proof")
    (tmp_path / "secret.txt").write_text("secret")
    host = NPM_HOST.replace("@ADVANCED@", PLACED["npm advanced"]).replace("@ACME@", str(tmp_path)).replace(
        "@PLAIN@", "@PORT2@").replace('"127.0.0.1"', '"127.0.0.1"; set $upstream @BACKEND@').replace(
        "set $port 8080;", "").replace("http://127.0.0.1:8080", "http://@BACKEND@")
    proxy = NPM_PROXY.replace("$forward_scheme://$server:$port", "http://$upstream")
    text = "map $http_x_forwarded_proto $x_forwarded_proto { https https; http http; default $scheme; }\n" \
        + PLACED["npm http_top"] + re.sub(r"include +conf\.d/include/proxy\.conf;", lambda _: proxy, host).replace(
            "include data/nginx/custom/server_proxy[.]conf;", "")
    with Managed(lab, text) as site:
        site.state.check_hits = False
        for path in ("/", "/custom", "/x.css", "/.well-known/acme-challengex",
                     "/.well-known/acme-challenge/../../secret.txt", "/.well-known/acme-challenge/..%2f../secret.txt",
                     "/%2ewell-known/x"):
            challenge(site, site.browser().get(path))
        assert site.browser().get("/public/x").from_backend
        for path in ("/.well-known/acme-challenge/token", "/%2ewell-known/acme-challenge/token"):
            assert site.browser().get(path).text == "proof"
        # Over http nginx leads everything but the test of the manager to https; nothing else is told there.
        plain = f"http://127.0.0.1:{site.port2}"
        request = urllib.request.Request(plain + "/custom", headers={"Host": "app.test"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.build_opener(Stay).open(request, timeout=30)
        assert refused.value.code == 301
        with site.signed_in("/custom", preferred_username="jdoe") as browser:
            for path in ("/", "/custom"):
                passes(site, browser.get(path, extra=[("Remote-User", "admin")]), Remote_User="jdoe")
            passes(site, browser.get("/public/x", extra=[("Remote-User", "admin")]), Remote_User=None)


def test_inside_swag(lab):
    """The site of the page, with the files of the image that it includes; the name of the container is an address."""
    site = PLACED["swag subdomain"]
    for name, text in (("ssl", "@CERT@"), ("proxy", SWAG_PROXY), ("resolver", "")):
        site, count = re.subn(rf" *include +/config/nginx/{name}\.conf;", lambda _, text=text: text, site)
        assert count == 1, name
    for old, new in (("listen      [::]:443 ssl;", ""), ("listen      443 ssl;", "listen 127.0.0.1:@PORT@ ssl;"),
                     ("server_name www.*;", "server_name app.*;"), ("http://$upstream_app:8080", "http://$upstream_app"),
                     ("$upstream_app app;", "$upstream_app @BACKEND@;")):
        assert old in site, old
        site = site.replace(old, new)
    upgrade = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"
    with Managed(lab, upgrade + PLACED["swag provider"] + site) as site:
        for path in ("/", "/x", "/api/x"):
            challenge(site, site.browser().get(path))
        with site.signed_in("/x?y=1", preferred_username="jdoe") as browser:
            passes(site, browser.get("/x?y=1", extra=[("Remote-User", "admin")]), Remote_User="jdoe")
            answer = browser.get("/logout", fetch_site="same-origin")
            assert answer.status in (200, 302), answer
            challenge(site, browser.get("/x"))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_, **__):
        return None
