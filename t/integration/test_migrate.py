# SPDX-License-Identifier: Apache-2.0
"""Moving in: what tools/migrate makes of the configurations of others loads, keeps out whom they kept out, and says what
is not in it. So do the examples of docs/migration that have a rule; test_guides.py has the rest of those pages."""

import re
import shutil
import subprocess
import sys

import pytest

from harness.nginx import ROOT, Nginx
from harness.outcome import passes
from harness.pasted import files_of_the_guides, here  # noqa: F401
from harness.site import Site

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


def config(more):
    """OAUTH2_PROXY and a rule about who may come in, without which oauth2-proxy does not start."""
    return OAUTH2_PROXY + ("" if "email" in more.lower() and "domains" in more.lower() else 'email_domains = ["*"]\n') + more


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


class Moved(Site):
    """A site whose whole configuration is what was made of another one, at the provider of the tests."""

    def __init__(self, lab, code, **arguments):
        self.code = code
        super().__init__(lab, own_paths=("/oidc_callback", "/oauth2/callback", "/secure/redirect_uri"), control=False, **arguments)

    def render(self, **_):
        for name, text in (("client", self.idp.client_secret), ("sessions", "0123456789abcdef" * 4)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        code = self.code
        for pattern, here_ in ((r"(?m)^ *ssl_certificate(?:_key)? .*\n", ""), (r"CHANGE-ME|www\.example\.com", "app.test"),
                               (r"listen +443 ssl;", "listen 127.0.0.1:@PORT@ ssl; @CERT@ oidc_base_url @ORIGIN@;"),
                               (r"issuer +\S+;", f"issuer {self.idp.issuer}; insecure_http on;"),
                               (r"client_id +\S+;", f"client_id {self.idp.client_id};"),
                               (r"client_secret +\S+;", f'client_secret "{self.idp.client_secret}";'),
                               (r"/etc/nginx/secrets/sessions", "@FOLDER@/sessions"),
                               (r"/etc/nginx/secrets/\w+", "@FOLDER@/client"),
                               (r"state_file \S+;", ""), (r"127\.0\.0\.1:8080", "@BACKEND@")):
            code = re.sub(pattern, here_, code)
        return self.fill(code)


def refused(site, target="/x", **user):
    """Somebody who signs in well at the provider, and is no friend of the house."""
    browser = site.browser()
    site.idp.user = {**site.idp.user, **user}
    browser.login(target, follow=False)
    answer = browser.get(target)
    assert answer.status == 403 and "not_permitted" in site.log_since_mark() and site.hits() == [], answer


@pytest.mark.parametrize("more, let_in, kept_out", [
    ('email_domains = ["example.com"]', {"email": "jdoe@example.com"}, {"email": "jdoe@example.com.example.net"}),
    ('allowed_groups = ["a.b", "c$"]', {"groups": ["x", "c$"]}, {"groups": ["aXb", "c$d"]}),
    ("", {"email_verified": True}, {"email_verified": False}),
])
def test_who_comes_in_with_what_oauth2_proxy_became(lab, tmp_path, more, let_in, kept_out):
    code = migrate(tmp_path, "oauth2-proxy", config("set_xauthrequest = true\n" + more))[1]
    with Moved(lab, code, identity=lambda path, claims: {}) as site:
        with site.signed_in("/x", **let_in) as browser:
            passes(site, browser.get("/x"), X_Auth_Request_User=site.idp.user["preferred_username"])
    with Moved(lab, code, identity=lambda path, claims: {}) as site:
        refused(site, **kept_out)


def test_who_comes_in_with_what_nginx_plus_became(lab, tmp_path):
    code = migrate(tmp_path, "nginx-plus", PLUS)[1]
    with Moved(lab, code) as site:
        with site.signed_in("/admin/x", realm_access={"roles": ["admin"]}) as browser:
            passes(site, browser.get("/admin/x"), Remote_User="jdoe")
    with Moved(lab, code) as site:
        with site.signed_in("/x", realm_access={"roles": ["clerk"]}) as browser:
            passes(site, browser.get("/x"))
            answer = browser.get("/admin/x")
            assert answer.status == 403 and not answer.from_backend and "not_permitted" in site.log_since_mark()


def example(page):
    """The configuration of a page that says who may come in."""
    text = (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8")
    (found,) = [code for code in re.findall(r"^```nginx\n(.*?)^```", text, re.M | re.S)
                if re.search(r"^ +auth_oidc_require", code, re.M) and "oidc_provider" in code]
    return found


RULES = {"oauth2-proxy": ({"email": "jdoe@example.com"}, {"email": "jdoe@example.com.example.net"}),
         "mod-auth-openidc": ({"groups": ["x", "staff"]}, {"groups": ["x", "staffing"]}),
         "nginx-plus": ({"realm_access": {"roles": ["admin"]}}, {"realm_access": {"roles": ["clerk"]}})}


def test_every_example_with_a_rule_is_tried():
    pages = {path.stem for path in (ROOT / "docs" / "migration").glob("*-*.md")}
    told = {page for page in pages if re.search(r"```nginx\n(?:(?!```)[\s\S])*\n +auth_oidc_require",
                                                (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8"))}
    assert told == set(RULES)


@pytest.mark.parametrize("page", RULES)
def test_an_example_keeps_out_whom_its_rule_keeps_out(lab, page):
    let_in, kept_out = RULES[page]
    # Without headers of its own it gets those of the module.
    told = {} if "auth_oidc_header" not in example(page) else {"identity": lambda path, claims: {}}
    with Moved(lab, example(page), **told) as site:
        with site.signed_in("/x", **let_in) as browser:
            passes(site, browser.get("/x"))
    with Moved(lab, example(page), **told) as site:
        refused(site, **kept_out)


def test_what_was_open_to_everybody_still_is(lab):
    """`/public/` of docs/migration/mod-auth-openidc.md, where the server has a rule."""
    with Moved(lab, example("mod-auth-openidc"), public=("/public/",), identity=lambda path, claims: {}) as site:
        assert site.browser().get("/public/x").from_backend


@pytest.mark.parametrize("more, has, hasnt", [
    ("", ["type cookie;", "redirect_uri /oauth2/callback;", "auth_oidc_require $is_verified;"], ["session_refresh"]),
    ('email_domains = ["*"]\ninsecure_oidc_allow_unverified_email = true', [], ["auth_oidc_require"]),
    ('insecure_oidc_allow_unverified_email = "1"', [], ["auth_oidc_require"]),
    ('insecure_oidc_allow_unverified_email = "false"', ["auth_oidc_require $is_verified;"], []),
    ('email_domains = ["example.com", ".example.org"]', [r"auth_oidc_require_claim email any ~*@example\.com$ ~*@.+\.example\.org$;"], []),
    ('allowed_groups = ["a.b", "c d", "e$f", "~g"]',
     [r'auth_oidc_require_claim groups any a.b "c d" ~^e\$f$ ~^\~g$;'], ["$may_come_in", "left out"]),
    ('allowed_groups = ["a b$", "c"]\noidc_groups_claim = "realm_access.roles"\nset_xauthrequest = true',
     [r'auth_oidc_require_claim realm_access roles any "~^a\\ b\\$$" c;', "oidc_claim_set $groups realm_access roles;",
      "X-Auth-Request-Groups $groups;"], []),
    ('allowed_roles = ["admin"]', ["auth_oidc_require_claim realm_access roles any admin;"], []),
    ('google_groups = ["x@y"]\n[google]\n', ["auth_oidc_require $may_come_in_0;", "Until then nobody does."], ["auth_oidc_require $may_come_in_1"]),
    ('cookie_refresh = "1h"\ncookie_expire = "168h0m0s"', ["session_refresh on;", "session_timeout 168h;"], []),
    ('resource = "https://api.example.com"\nauth_request_response_mode = "form_post"\nprompt = ""',
     ["resource https://api.example.com;", "response_mode form_post;"], ["prompt"]),
    ('set_xauthrequest = true', ["auth_oidc_header X-Auth-Request-User $oidc_user;"], ["X-Forwarded-User"]),
    ('skip_auth_routes = ["^/health$", "GET=^/x"]', ['location ~ "^/health$" { auth_oidc off;'], ["^/x"]),
    ('redis_connection_url = "rediss://u:topsecret@127.0.0.1:6379/3"', ["type redis;", "ssl on;", "database 3;"],
     ["topsecret"]),
    ("prefer_email_to_user = false", [], ["username_claim"]),
    ('prefer_email_to_user = true\nuser_id_claim = "upn"', ["    username_claim upn;\n", "auth_oidc_header X-Forwarded-Email $email;"],
     ["username_claim email", "$is_verified"]),
    ('user_id_claim = "upn"\nemail_domains = ["example.com"]', [r"auth_oidc_require_claim upn any ~*@example\.com$;"], []),
    ("allowed_groups = []\ncookie_csrf_expire = \"15m\"", ["pre_auth_timeout 15m;"], ["auth_oidc_require_claim"]),
    ('allowed_groups = "Domain Users,b"', ['groups any "Domain Users" b;'], []),
    ('prompt = "login consent"\napproval_prompt = "consent"', ['prompt "login consent";'], ["prompt consent;"]),
    ('approval_prompt = "consent"', ["prompt consent;"], []),
    ('client_secret_file = "/etc/nginx/secrets/x"', ["client_secret_file /etc/nginx/secrets/x;"], ["put the client secret there"]),
    ("pass_access_token = true", ["auth_oidc_header X-Forwarded-User $oidc_user;",
                                  "auth_oidc_header X-Forwarded-Access-Token $oidc_access_token;"], ["X-Auth"]),
    ("pass_access_token = true\npass_user_headers = false", ["X-Forwarded-Access-Token"], ["X-Forwarded-User"]),
    ("set_xauthrequest = true\npass_user_headers = true", ["X-Auth-Request-Email", "X-Forwarded-Email"], []),
    ("skip_auth_routes = '^/a\\\"b\\.c$,^/d{2}$'", [r'location ~ "^/a\\\"b\\.c$" {', 'location ~ "^/d{2}$" {'], []),
    ('cookie_samesite = "lax"\ncookie_domains = [".example.com"]', ["cookie_samesite Lax;", "cookie_domain example.com;"],
     []),
])
def test_oauth2_proxy(lab, files, tmp_path, more, has, hasnt):
    status, out, said = migrate(tmp_path, "oauth2-proxy", config(more))
    assert status == 0, said
    assert [text for text in has if text not in out] == [], out
    assert [text for text in hasnt if text in out] == [], out
    assert "hunter2" not in out + said and "abcdefghijklmnop" not in out + said and "topsecret" not in said
    loads(lab, files, tmp_path, out)


def test_what_is_left_out_is_said(tmp_path):
    status, out, said = migrate(tmp_path, "oauth2-proxy",
                                config('banner = "hi"\nnew_option = 3\nbasic_auth_password = "geheim"\n'))
    assert status == 0 and "banner" not in out
    assert re.search(r"^left out: banner = hi \(`error_page`\): nginx's own", said, re.M), said
    assert "left out: new-option = 3: unknown option" in said and "geheim" not in said


@pytest.mark.parametrize("more", ["", 'email_domains = ""\n', "email_domains = []\n", 'allowed_groups = ["staff"]\n'])
def test_a_rule_outside_of_the_file_closes_the_site(lab, tmp_path, more):
    """oauth2-proxy does not start without one: it is on its command line, or in OAUTH2_PROXY_EMAIL_DOMAINS."""
    status, out, said = migrate(tmp_path, "oauth2-proxy", OAUTH2_PROXY + more)
    assert status == 0 and re.search("^left out: email-domain = not in this file.* nobody comes in there", said, re.M), said
    assert "Until then nobody does." in out
    with Moved(lab, out, identity=lambda path, claims: {}) as site:
        refused(site, groups=["staff"])


def test_options_are_known_in_any_letter_case(tmp_path):
    status, out, said = migrate(tmp_path, "oauth2-proxy", OAUTH2_PROXY + 'Email_Domains = ["example.com"]\nCOOKIE_EXPIRE = "1h"\n')
    assert (status, said) == (0, "") and r"auth_oidc_require_claim email any ~*@example\.com$;" in out and "session_timeout 1h;" in out
    status, out, said = migrate(tmp_path, "oauth2-proxy", config('Email_Domains = ["example.com"]\nemail_domains = ["*"]\n'))
    assert (status, out) == (1, "") and "email-domain is there more than once" in said


@pytest.mark.parametrize("url, has", [
    ("redis://u:topsecret@[::1]:6379/1", ["server [::1]:6379;", "username u;", "database 1;"]),
    ("rediss://u%40x:topsecret@cache.internal", ["server cache.internal;", "username u@x;", "ssl on;"]),
    ("redis://:topsecret@127.0.0.1:6379/0?dial_timeout=3s", ["server 127.0.0.1:6379;", "database 0;"]),
    ("unix:///run/redis.sock", ["server unix:/run/redis.sock;"]),
    ("unix://u:topsecret@/run/redis.sock?db=2", ["server unix:/run/redis.sock;", "username u;", "database 2;"]),
    *((url, ["server CHANGE-ME;"]) for url in (
        "redis://u:top/secret@h:6379/1", "redis://u:1/2topsecret@h", "redis://u:1#topsecret@h/1", "redis://u:1?topsecret@h/1",
        "redis://:topsecret@", "redis://topsecret:x", "topsecret@127.0.0.1", "redis://u:topsecret@h:port", "redis://[topsecret@h",
        "redis://u:topsecret@h/x", "unix://u:topsecret/run/x", "http://topsecret", "redis://u:topsecret@h:", "redis://a$topsecret@h")),
])
def test_the_address_of_redis(lab, files, tmp_path, url, has):
    """Of a password nothing is shown, however little it is escaped; no other server or user takes the place of one."""
    status, out, said = migrate(tmp_path, "oauth2-proxy", config(f'redis_connection_url = "{url}"\n'))
    assert status == 0, said
    code = out[:out.index("}")]
    assert [text for text in has if text not in code] == [] and ("username" in code) == ("username" in str(has)), code
    assert ("left out: redis-connection-url = it is no address" in said) == ("CHANGE-ME" in str(has)), said
    assert "left out: redis-connection-url = what is behind" in said or "dial" not in url
    assert "topsecret" not in out + said and "secret@" not in out + said, out + said
    if "CHANGE-ME" not in code:
        loads(lab, files, tmp_path, out)


def test_no_secret_is_shown(tmp_path):
    status, out, said = migrate(tmp_path, "oauth2-proxy", config(
        'github_token = "topsecret1"\nredis_sentinel_connection_urls = ["redis://:topsecret2@h1:26379"]\n'
        'backend_logout_url = "https://u:top/secret3@auth.example.com/"\nextra_jwt_issuers = ["https://u:topsecret4@a=x"]\n'
        'signature_key = "sha1:topsecret5"\nBasic_Auth_Password = "topsecret6"\nunknown = { password = "topsecret7" }\n'))
    assert status == 0 and "topsecret" not in out + said and "secret3" not in said, out + said
    for option, what in (("github-token", "…"), ("redis-sentinel-connection-urls", "…"), ("signature-key", "…"), ("unknown", "…"),
                         ("backend-logout-url", "https://…@auth.example.com/"), ("extra-jwt-issuers", "https://…@a=x")):
        assert f"left out: {option} = {what}" in said, said


@pytest.mark.parametrize("line, option, hasnt", [
    ('cookie_expire = "0s"', "cookie-expire = 0s", "session_timeout"),
    ('cookie_expire = "1.5h"', "cookie-expire = 1.5h", "session_timeout"),
    ('cookie_refresh = "0s"', "", "session_refresh"),
    ('approval_prompt = "force"', "approval-prompt = force", "prompt"),
    ('prompt = "login"\napproval_prompt = "consent"', "approval-prompt = consent", "consent"),
])
def test_what_has_no_such_value_here(tmp_path, line, option, hasnt):
    status, out, said = migrate(tmp_path, "oauth2-proxy", config(line))
    assert status == 0 and hasnt not in out and (f"left out: {option} (" in said if option else not said), out + said


@pytest.mark.parametrize("value, backend, rest", [
    ('["http://127.0.0.1:8081/app/", "http://127.0.0.1:8082/"]', "http://127.0.0.1:8082", ["http://127.0.0.1:8081/app/"]),
    ('["http://u:topsecret@127.0.0.1:8081/app/?x"]', "http://127.0.0.1:8081", ["/app/?x of http://127.0.0.1:8081"]),
    ('"http://127.0.0.1:8081,file:///var/www#/static/"', "http://127.0.0.1:8081", ["file:///var/www#/static/"]),
    ('["static://202"]', "http://127.0.0.1:8080", ["static://202"]),
    ('["https://[::1]:8443/", "http://x;y/"]', "https://[::1]:8443", ["http://x;y/"]),
])
def test_upstreams(lab, files, tmp_path, value, backend, rest):
    """Scheme and host of the one that `/` went to, and a word about each other."""
    text = re.sub("upstreams = .*", f"upstreams = {value}", config(""))
    status, out, said = migrate(tmp_path, "oauth2-proxy", text)
    assert status == 0 and f"location / {{ proxy_pass {backend}; }}" in out and "topsecret" not in out + said, out
    assert re.findall(r"^left out: upstream = (.*?) \(", said, re.M) == rest, said
    loads(lab, files, tmp_path, out)


@pytest.mark.parametrize("value, wanted", [
    ("true", r"^left out: skip-jwt-bearer-tokens = True \(`auth_oidc_bearer`\): With "), ("false", "")])
def test_tokens_of_programs_have_a_place(tmp_path, value, wanted):
    """They are not let in without an audience, which the file does not say; so the program names the directive."""
    status, out, said = migrate(tmp_path, "oauth2-proxy", config(f"skip_jwt_bearer_tokens = {value}\n"))
    assert status == 0 and "auth_oidc_bearer" not in out
    assert re.search(wanted, said, re.M) if wanted else not said, said


def test_nginx_plus(lab, files, tmp_path):
    status, out, said = migrate(tmp_path, "nginx-plus", PLUS)
    assert status == 0 and "auth_oidc_require $is_admin;" in out and "oidc_claim_set $roles realm_access roles;" in out
    assert "state_file /var/lib/nginx/oidc/oidc;" in out and re.search(r"^left out: status_zone of line 14 = www", said, re.M), said
    loads(lab, files, tmp_path, out)


def test_what_is_told_of_the_day_after_mod_auth_openidc(lab):
    """Headers of its prefix are nobody's business until a line names them, in every spelling; an old logout link is no
    logout; the cookie that is left in browsers is kept back."""
    code = example("mod-auth-openidc")
    more = code.replace("    auth_oidc_header  X-Remote-User", """    auth_oidc_header  OIDC-CLAIM-email $oidc_claim_email;
    auth_oidc_header  OIDC-CLAIM-none  "";
    auth_oidc_header  X-Remote-User""").replace("    logout_uri", "    strip_cookies mod_auth_openidc_*;\n    logout_uri")
    sent = [("OIDC-CLAIM-email", "boss@example.com"), ("OIDC_CLAIM_none", "x"), ("OIDC-CLAIM-none", "x"),
            ("Remote-User", "boss")]
    old = {"Cookie": "mod_auth_openidc_session=x; theirs=y"}
    for text, email, none, cookie in ((code, ["boss@example.com"], ["x"], "mod_auth_openidc_session=x; theirs=y"),
                                      (more, ["jdoe@example.com"], [], "theirs=y")):
        with Moved(lab, text, identity=lambda path, claims: {}) as site:
            site.state.check_hits = False
            with site.signed_in("/x", groups=["staff"], email="jdoe@example.com") as browser:
                hit = passes(site, browser.get("/x", extra=sent))
                assert hit.headers.all("OIDC-CLAIM-email") == email and hit.headers.all("OIDC-CLAIM-none") == none
                assert hit.headers.all("Remote-User") == [] and hit.headers.all("X-Remote-User") == ["jdoe"]
                link = "/secure/redirect_uri?logout=https%3A%2F%2Fapp.test%2F"
                assert browser.onward(browser.get(link, fetch_site="same-origin")) == "/"
                passes(site, browser.get("/x"))
                answer = site.browser().get(link)
                assert answer.status == 400 and "callback_malformed" in site.log_since_mark(), answer
            hit = passes(site, site.browser().get("/public/x", headers=old, cookies=False))
            assert hit.headers.all("Cookie") == [cookie]


def before(page):
    """What the page has of the other program."""
    (found,) = re.findall(r"^```text\n(.*?)^```", (ROOT / "docs" / "migration" / f"{page}.md").read_text(encoding="utf-8"),
                          re.M | re.S)
    return found


def test_what_nginx_plus_became_of_the_page(lab, files, tmp_path):
    """The block of the page, which has several directives in a line and one-line blocks."""
    status, out, said = migrate(tmp_path, "nginx-plus", before("nginx-plus"))
    assert status == 0 and not re.search(r"auth_(jwt|require)|keyval|status_zone", re.sub("#.*", "", out)), out
    assert re.findall(r"^left out: (.*?) = (.*?) \(", said, re.M) == [
        ("keyval_zone of line 1", "timeout=8h"), ("status_zone of line 14", "www"),
        ("auth_jwt of line 16", "off token=$oidc_id_token")], said
    loads(lab, files, tmp_path, out)
    with Moved(lab, out) as site:
        with site.signed_in("/x", realm_access={"roles": ["admin"]}) as browser:
            passes(site, browser.get("/x"), Remote_User="jdoe")
    with Moved(lab, out) as site:
        refused(site, realm_access={"roles": ["clerk"]})


TALK = "oidc_provider company { issuer https://auth.example.com; client_id www; client_secret s; }\n"
SERVER = "server { listen 443 ssl; server_name www.example.com; auth_oidc company; %s }\n"
STORE = "oidc_session_store oidc {\n    type memory;\n    size 1m;\n    key_file /etc/nginx/secrets/sessions; " \
        "# openssl rand -hex 32\n    state_file /var/lib/nginx/oidc/oidc;\n}"
QUOTES = 'map $uri $x { "auth_require $y;" 1; default \'}status_zone a;\'; }   # auth_require $z; {\n'


@pytest.mark.parametrize("text, wanted, said", [
    # A directive in three lines, and another one behind it.
    ("keyval_zone zone=oidc:1m\n  state=/x/y.json  sync\n  timeout=1h; " + TALK + SERVER % "", STORE + " " + TALK + SERVER % "",
     ["keyval_zone = sync", "keyval_zone = timeout=1h"]),
    # A zone of something else.
    (TALK + "keyval_zone zone=limits:1m;\nkeyval $arg_a $limit zone=limits;\n" + SERVER % "",
     TALK + "# left out: keyval_zone zone=limits:1m;\n# left out: keyval $arg_a $limit zone=limits;\n" + SERVER % "",
     ["keyval_zone = zone=limits:1m", "keyval = $arg_a $limit zone=limits"]),
    # Comments and quotes are none of its business.
    (TALK + QUOTES + SERVER % "", TALK + QUOTES + SERVER % "", []),
    # In the middle of a line it goes without a comment, which would take the rest of the line with it.
    (TALK + SERVER % "status_zone a; location /x { status_zone b; auth_require $oidc_user; }",
     TALK + SERVER % " location /x {  auth_oidc_require $oidc_user; }", ["status_zone = a", "status_zone = b"]),
    # Blocks, with what is in them.
    (TALK + "match up {\n    status 200;\n}    # is it?\n" + SERVER % "",
     TALK + "# left out: match up {\n#     status 200;\n# }    # is it?\n" + SERVER % "", ["match = up"]),
    # A status that is none of ours: refused as before.
    (TALK + SERVER % "auth_require $oidc_user error=404;", TALK + SERVER % "auth_oidc_require $oidc_user;",
     ["auth_require = error=404"]),
    (TALK + SERVER % "auth_require\n$oidc_user\nerror=401;", TALK + SERVER % "auth_oidc_require\n$oidc_user\nerror=401;", []),
    (TALK + SERVER % "'auth_require' $oidc_user;", TALK + SERVER % "auth_oidc_require $oidc_user;", []),
    # There the two are inherited each by itself, here one takes the place of both.
    (TALK + SERVER % "auth_require $oidc_user; location /a {\n    auth_jwt_require $oidc_claim_a;\n} "
                     "location /b { auth_require $oidc_claim_b; location /b/c { auth_jwt_require $oidc_claim_c; } }",
     TALK + SERVER % "auth_oidc_require $oidc_user; location /a {\n    auth_oidc_require $oidc_user;\n"
                     "    auth_oidc_require $oidc_claim_a;\n} location /b { auth_oidc_require $oidc_claim_b; "
                     "location /b/c { auth_oidc_require $oidc_claim_b; auth_oidc_require $oidc_claim_c; } }", []),
    # The token of the session itself: whoever is signed in has it.
    (TALK + SERVER % 'location /x { auth_jwt "" token=$oidc_id_token; auth_jwt_require $oidc_user; }',
     TALK + SERVER % "location /x {  auth_oidc_require $oidc_user; }", ["auth_jwt =  token=$oidc_id_token"]),
])
def test_directives_of_nginx_plus(lab, files, tmp_path, text, wanted, said):
    status, out, told = migrate(tmp_path, "nginx-plus", text)
    assert status == 0 and out == wanted, out
    assert re.findall(r"^left out: (\w+) of line \d+( = .*?) \(", told, re.M) == [
        tuple(re.split("(?= = )", one, maxsplit=1)) for one in said], told
    loads(lab, files, tmp_path, out)


CLOSED = """
server {
    listen      443 ssl;
    server_name www.example.com;
    auth_oidc   company;
    location / { proxy_pass http://127.0.0.1:8080; }
    location /api/ {
        allow all;
        auth_jwt "api"; auth_jwt_key_request /keys; auth_jwt_require $oidc_user;
        proxy_pass http://127.0.0.1:8080;
        location /api/in/ { allow 127.0.0.1; proxy_pass http://127.0.0.1:8080; }
    }
    location /one/ { auth_oidc off; allow all; auth_jwt "one" token=$arg_token; proxy_pass http://127.0.0.1:8080; }
    location /off/ { auth_oidc off; auth_jwt "" token=$oidc_id_token; proxy_pass http://127.0.0.1:8080; }
}
"""


def test_where_a_token_was_asked_for_nobody_comes_in(lab, files, tmp_path):
    """A location whose rule has no counterpart is closed, also to whoever is signed in, and what is below it."""
    status, out, said = migrate(tmp_path, "nginx-plus", TALK + CLOSED)
    assert status == 0 and said.count("nobody comes in there until you have written it") == 3, said
    loads(lab, files, tmp_path, out)
    with Moved(lab, out) as site:
        with site.signed_in("/x") as browser:
            passes(site, browser.get("/x"))
            for path in ("/api/x", "/api/in/x", "/one/x", "/off/x"):
                for visitor in (browser, site.browser()):
                    answer = visitor.get(path)
                    assert answer.status == 403 and not answer.from_backend, (path, answer)


INHERITED = """
map $arg_who $who { default off; }
server {
    listen      443 ssl;
    server_name www.example.com;
    auth_oidc   company;
    auth_jwt    "x" token=$oidc_id_token;
    location / { proxy_pass http://127.0.0.1:8080; }
    location /api/ { auth_oidc off; proxy_pass http://127.0.0.1:8080; location /api/in/ { allow all; proxy_pass http://127.0.0.1:8080; } }
    location /v/ {
        auth_oidc $who;
        allow all;
        proxy_pass http://127.0.0.1:8080;
    }
    location /open/ { auth_oidc off; auth_jwt off; proxy_pass http://127.0.0.1:8080; }
    location /d/ {
        auth_oidc company; auth_jwt "d" token=$oidc_id_token;
        proxy_pass http://127.0.0.1:8080;
        location /d/e/ { auth_oidc off; proxy_pass http://127.0.0.1:8080; }
    }
}
"""


def test_where_the_token_of_the_session_is_asked_for_without_one_nobody_comes_in(lab, files, tmp_path):
    """auth_jwt is inherited there: with auth_oidc off its token is empty, and the answer 401."""
    status, out, said = migrate(tmp_path, "nginx-plus", TALK + INHERITED)
    assert status == 0 and re.findall(r"^left out: auth_oidc of line \d+ = (\S+) .*; nobody comes in there", said, re.M) == [
        "off", "$who", "off"], said
    loads(lab, files, tmp_path, out)
    with Moved(lab, out, public=("/open/",)) as site:
        assert site.browser().get("/open/x").from_backend
        with site.signed_in("/x") as browser:
            for path in ("/x", "/d/x"):
                passes(site, browser.get(path))
            for path in ("/api/x", "/api/in/x", "/v/x", "/v/x?who=company", "/d/e/x"):
                for visitor in (browser, site.browser()):
                    answer = visitor.get(path)
                    assert answer.status == 403 and not answer.from_backend, (path, answer)


@pytest.mark.parametrize("program, text, message", [
    ("oauth2-proxy", "client_id = ", "migrate: "), ("oauth2-proxy", 'client_id = "a$b"', "cannot be written"),
    ("nginx-plus", "server {", 'a "}" too many or too few'), ("nginx-plus", "server { } }", 'a "}" too many or too few'),
    ("nginx-plus", "listen 1", 'no ";" or block after "listen"'), ("nginx-plus", "a 'b", "no closing '"),
    ("traefik", "", "invalid choice: 'traefik'")])
def test_what_cannot_be_read_is_an_error(tmp_path, program, text, message):
    status, out, said = migrate(tmp_path, program, text)
    assert status == (2 if program == "traefik" else 1) and not out and message in said and "Traceback" not in said


def test_in_a_package_the_remarks_lie_beside_it(tmp_path):
    """As the package's links have it: a command that leads to the program, with the tables and no documents."""
    share, commands = tmp_path / "share", tmp_path / "sbin"
    (share / "migration").mkdir(parents=True)
    commands.mkdir()
    shutil.copy(ROOT / "tools" / "migrate", share / "migrate")
    for page in ("oauth2-proxy", "nginx-plus"):
        shutil.copy(ROOT / "docs" / "migration" / f"{page}.md", share / "migration")
    (commands / "auth-oidc-migrate").symlink_to("../share/migrate")
    shutil.copytree(ROOT / "ops" / "auth_oidc_check", share / "auth_oidc_check")
    for program, text, said in (
            ("oauth2-proxy", config('banner = "hi"\n'), "left out: banner = hi (`error_page`): nginx's own"),
            ("nginx-plus", PLUS, "left out: status_zone of line 14 = www")):
        (tmp_path / "given").write_text(text)
        done = subprocess.run([sys.executable, commands / "auth-oidc-migrate", program, tmp_path / "given"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and said in done.stderr, done.stderr
    assert not list(share.rglob("__pycache__")), "root has left files in the package's folder"
