# SPDX-License-Identifier: Apache-2.0
"""tools/migrate: what it makes of the configurations of others loads, keeps out whom they kept out, and says what is
not in it."""

import re
import subprocess
import sys

import pytest

from harness.nginx import ROOT, Nginx
from harness.pasted import files_of_the_guides, here  # noqa: F401

OAUTH2_PROXY = """
provider = "oidc"
oidc_issuer_url = "https://auth.example.com"
client_id = "www"
client_secret = "hunter2hunter2"
redirect_url = "https://www.example.com/oauth2/callback"
cookie_secret = "abcdefghijklmnop"
scope = "openid email"
upstreams = ["http://127.0.0.1:8080/"]
"""

PLUS = """
keyval_zone zone=oidc:8m state=/var/lib/nginx/state/oidc.json timeout=8h;
auth_jwt_claim_set $roles realm_access roles;
map $roles $is_admin { ~admin 1; default 0; }
oidc_provider company {
    issuer        https://auth.example.com;
    client_id     www;
    client_secret s;
    session_store oidc;
}
server {
    listen      443 ssl;
    server_name www.example.com;
    status_zone www;
    auth_oidc   company;
    location / { proxy_pass http://127.0.0.1:8080; }
    location /admin/ {
        auth_require $is_admin;
        proxy_pass http://127.0.0.1:8080;
    }
}
"""


def migrate(tmp_path, program, text):
    file = tmp_path / "given"
    file.write_text(text)
    done = subprocess.run([sys.executable, ROOT / "tools" / "migrate", program, file], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def loads(lab, files, tmp_path, text):
    text = here(text.replace("CHANGE-ME", "www.example.com"), lab, files)
    status, out = Nginx(tmp_path / "nginx", text, status_port=2).test()
    assert status == 0 and "[warn]" not in out, f"{text}\n{out}"


@pytest.mark.parametrize("more, has, hasnt", [
    ("", ["type cookie;", "redirect_uri /oauth2/callback;", "auth_oidc_require $is_verified;"], ["session_refresh"]),
    ('email_domains = ["*"]\ninsecure_oidc_allow_unverified_email = true', [], ["auth_oidc_require"]),
    ('email_domains = ["example.com", ".example.org"]', [r"~*@example\.com$ 1;", r"~*@.+\.example\.org$ 1;"], []),
    ('allowed_groups = ["a.b", "c d"]', [r'"~(^|,)a\.b(,|$)" 1;', r'"~(^|,)c\ d(,|$)" 1;'], []),
    ('google_groups = ["x@y"]\n[google]\n', ["auth_oidc_require $may_come_in_0;", "Until then nobody does."], []),
    ('cookie_refresh = "1h"\ncookie_expire = "168h0m0s"', ["session_refresh on;", "session_timeout 168h;"], []),
    ('set_xauthrequest = true', ["auth_oidc_header X-Auth-Request-User $oidc_user;"], ["X-Forwarded-User"]),
    ('skip_auth_routes = ["^/health$", "GET=^/x"]', ['location ~ "^/health$" { auth_oidc off;'], ["^/x"]),
    ('redis_connection_url = "rediss://u:topsecret@127.0.0.1:6379/3"', ["type redis;", "ssl on;", "database 3;"],
     ["topsecret"]),
    ('cookie_samesite = "lax"\ncookie_domains = [".example.com"]', ["cookie_samesite Lax;", "cookie_domain example.com;"],
     []),
])
def test_oauth2_proxy(lab, files, tmp_path, more, has, hasnt):
    status, out, said = migrate(tmp_path, "oauth2-proxy", OAUTH2_PROXY + more)
    assert status == 0, said
    assert [text for text in has if text not in out] == [], out
    assert [text for text in hasnt if text in out] == [], out
    assert "hunter2" not in out + said and "abcdefghijklmnop" not in out + said and "topsecret" not in said
    loads(lab, files, tmp_path, out)


def test_what_is_left_out_is_said(tmp_path):
    status, out, said = migrate(tmp_path, "oauth2-proxy",
                                OAUTH2_PROXY + 'banner = "hi"\nnew_option = 3\nbasic_auth_password = "geheim"\n')
    assert status == 0 and "banner" not in out
    assert re.search(r"^left out: banner = hi \(`error_page`\): nginx's own", said, re.M), said
    assert "left out: new-option = 3: unknown option" in said and "geheim" not in said


def test_nginx_plus(lab, files, tmp_path):
    status, out, said = migrate(tmp_path, "nginx-plus", PLUS)
    assert status == 0 and "auth_oidc_require $is_admin;" in out and "oidc_claim_set $roles realm_access roles;" in out
    assert "state_file /var/lib/nginx/oidc/oidc;" in out and re.search(r"^left out: status_zone = www", said, re.M), said
    loads(lab, files, tmp_path, out)


@pytest.mark.parametrize("program, text, message", [
    ("oauth2-proxy", "client_id = ", "migrate: "), ("oauth2-proxy", 'client_id = "a$b"', "cannot be written"),
    ("traefik", "", "Usage:")])
def test_what_cannot_be_read_is_an_error(tmp_path, program, text, message):
    status, out, said = migrate(tmp_path, program, text)
    assert status == 1 and not out and message in said and "Traceback" not in said
