# SPDX-License-Identifier: Apache-2.0
"""ops/nginx and ops/check-vhost, on a stub of EspoCRM over FastCGI and HTTP."""

import base64
import json
import re
import socket
import ssl
import subprocess
import time

import pytest

from harness.nginx import has_http2_directive
from harness.ports import free_port
from harness.vhost import BEARER_SWITCH, HAS_IPV6, OPS, SWITCHES, VhostSite, WEB_SOCKET, substitute
from harness.wire import Reply

VARIANTS = ("fpm", "proxy")
OPEN, PROTECTED, CLOSED = "open", "protected", "closed"
ID = "5f1e0c2ab3d4e5f67"
KEY = "0123456789abcdef0123456789abcdef"
PAGE_DATA = {"web-forms", "opt-in", "campaigns", "event-confirmation", "password-recovery"}
BY_NGINX = re.compile(r"<hr><center>(nginx|freenginx|Angie)")
LOGO = PAGE_DATA | {"logo-image"}

# (method, URL, the switches that open it or a verdict that none changes)
TABLE = [
    ("GET", "/", PROTECTED), ("GET", "/index.php", PROTECTED),
    ("GET", "/client/lib/espo.js", OPEN), ("GET", "/client/fonts/a.woff2?r=1", OPEN),
    ("GET", "/client/.git/config", CLOSED), ("GET", "/client/x.php", CLOSED),
    ("GET", "/client/%2e/x.php", CLOSED), ("GET", "/.env", CLOSED),
    ("GET", "/robots.txt", OPEN), ("GET", "/favicon.ico", CLOSED), ("GET", "/signed-out", OPEN),
    ("GET", "/install/", CLOSED), ("GET", "/install/index.php", CLOSED),
    ("GET", "/nothing.php", CLOSED), ("GET", "/oauth-callback.php/x", CLOSED),
    ("GET", "/oauth-callback.php", PROTECTED), ("GET", "/oauth-callback.php?code=1", PROTECTED),
    ("GET", "/oauth/callback/", PROTECTED), ("GET", "/oauth/callback?code=1", PROTECTED),
    ("GET", "/?entryPoint=oauthCallback", PROTECTED),
    ("GET", "/?entryPoint=loginAs&anotherUser=a", PROTECTED),
    ("GET", f"/?entryPoint=avatar&id={ID}", PROTECTED),
    ("GET", f"/?entryPoint=download&id={ID}", PROTECTED),
    ("GET", f"/?entryPoint=attachment&id={ID}", PROTECTED),
    ("GET", "/api/v1/App/user", PROTECTED), ("GET", "/api/v1/", PROTECTED),
    ("GET", "/api/v1/Oidc/authorizationData", PROTECTED),
    ("POST", "/api/v1/Oidc/backchannelLogout", CLOSED),
    ("POST", "/api/v1/Oidc/%62ackchannelLogout", CLOSED),
    ("POST", f"/api/v1/portal-access/{ID}/Oidc/backchannelLogout", CLOSED),
    ("GET", WEB_SOCKET, PROTECTED),
    ("GET", "/api/v1/Settings", PAGE_DATA), ("GET", "/api/v1/I18n?default=true", PAGE_DATA),
    ("PUT", "/api/v1/Settings", PROTECTED), ("GET", "/api/v1/Settings/1", PROTECTED),
    ("POST", f"/api/v1/LeadCapture/{KEY}", {"lead-capture"}),
    ("OPTIONS", f"/api/v1/LeadCapture/{KEY}", {"lead-capture"}),
    ("GET", f"/api/v1/LeadCapture/{KEY}", PROTECTED),
    ("POST", f"/api/v1/LeadCapture/{KEY}/x", PROTECTED),
    ("GET", f"/?entryPoint=leadCaptureForm&id={ID}", {"web-forms"}),
    ("POST", f"/api/v1/LeadCapture/form/{ID}", {"web-forms"}),
    ("GET", f"/?entryPoint=confirmOptIn&id={ID}", {"opt-in"}),
    ("GET", f"/?entryPoint=campaignUrl&id={ID}&queueItemId={ID}", {"campaigns"}),
    ("GET", f"/?entryPoint=campaignUrl&id={ID}&uid={ID}&hash={KEY}", {"campaigns"}),
    ("HEAD", f"/?entryPoint=campaignUrl&id={ID}&uid={ID}", {"campaigns"}),
    ("GET", f"/?entryPoint=campaignUrl&id={ID}&emailAddress=a%2Bb%40example.com&hash={KEY}",
     {"campaigns"}),
    ("GET", f"/?entryPoint=campaignTrackOpened&id={ID}", {"campaigns"}),
    ("GET", f"/?entryPoint=unsubscribe&id={ID}", {"campaigns"}),
    ("GET", f"/?entryPoint=unsubscribe&emailAddress=a%40example.com&hash={KEY}", {"campaigns"}),
    ("GET", f"/?entryPoint=subscribeAgain&id={ID}", {"campaigns"}),
    ("GET", f"/?entryPoint=subscribeAgain&emailAddress=a%40example.com&hash={KEY}", {"campaigns"}),
    ("POST", f"/api/v1/Campaign/unsubscribe/{ID}", {"campaigns"}),
    ("DELETE", f"/api/v1/Campaign/unsubscribe/{ID}", {"campaigns"}),
    ("POST", f"/api/v1/Campaign/unsubscribe/a%40example.com/{KEY}", {"campaigns"}),
    ("GET", f"/api/v1/Campaign/{ID}", PROTECTED),
    ("GET", f"/?entryPoint=eventConfirmation&action=accept&uid={ID}", {"event-confirmation"}),
    ("GET", f"/?entryPoint=changePassword&id={ID}", {"password-recovery"}),
    ("POST", "/api/v1/User/passwordChangeRequest", {"password-recovery"}),
    ("POST", "/api/v1/User/changePasswordByRequest", {"password-recovery"}),
    ("GET", "/?entryPoint=logoImage", LOGO), ("GET", f"/?entryPoint=LogoImage&id={ID}", LOGO),
    ("GET", "/portal/", {"portal"}), ("GET", f"/portal/{ID}/", {"portal"}),
    ("GET", f"/portal/{ID}?entryPoint=avatar&id=1", {"portal"}),
    ("GET", "/portal/oauth-callback.php?code=1", {"portal"}),
    ("GET", f"/api/v1/portal-access/{ID}/App/user", {"portal"}),
    ("PUT", f"/api/v1/portal-access/{ID}/Case/1?a[0]=1&a[1]=2", {"portal"}),
]

# What PHP and nginx would read differently: never open, whichever switches are on.
MISREAD = [
    f"/?entryPoint=campaignUrl&id={ID}&entryPoint=avatar", "/?entry%50oint=avatar",
    "/?entryPoint=logoImage&entry%50oint=avatar", f"/?entryPoint=campaignUrl&id={ID}&id=1",
    "/?entryPoint=logoImage&entryPoint[]=avatar", "/?entryPoint=logoImage%00",
    "/?entryPoint=logoImage&entry.Point=avatar", f"/index.php?entryPoint=confirmOptIn&id={ID}",
    f"/?a=1&entryPoint=confirmOptIn&id={ID}", f"//?entryPoint=confirmOptIn&id={ID}",
    "/api/v1/LeadCapture/../Account", "/api/v1/LeadCapture/%2e%2e/Account",
    "/api/v1/LeadCapture/..%2fAccount", "/api/v1//LeadCapture/x", "/portal/../index.php",
    "/portal/%2e%2e/index.php", "/portal/..%2findex.php", "/api/v1/portal-access/../Account",
    f"/api/v1/portal-access/{ID}/../../Account", f"/api/v1/portal-access%2f{ID}/Account",
    "/client/../index.php", "/client/%2e%2e/index.php", "/client/..%2findex.php",
    "/client/..%5cindex.php", "/client//../index.php", "/client/..;/index.php",
    "/index.php/api/v1/Account", "/client/x.php/y", "/client/%252e%252e/index.php",
    "/client\\..\\index.php", "/client/..\\index.php", f"/portal/{ID}\\..\\..\\index.php",
    "/api/v1/LeadCapture\\..\\Account", f"/api/v1/portal-access/{ID}/;/Account",
    f"/api/v1/portal-access/{ID}/%0a/Account", f"/api/v1/portal-access/{ID}/a%2Fb",
    f"/api/v1/portal-access/{ID}/\\a",
]


def verdict(site, response, hits):
    if hits:
        return OPEN
    if response.status == 401 and response.headers.get("www-authenticate"):
        return PROTECTED  # a program gets its token elsewhere, or another one
    if response.status == 401 and (response.request[0] == "HEAD"
                                   or response.json()["error"] == "login_required"):
        return PROTECTED
    if response.status in (403, 404, 405) and response.by_nginx:
        return CLOSED
    if response.status == 200 and site.variant == "fpm" or b"signed out" in response.body:
        return OPEN  # a file, or the page of the vhost itself
    raise AssertionError(response)


def ask(site, method, target, headers=None, browser=None, **kw):
    """(verdict, response, what reached EspoCRM)"""
    browser = browser or site.browser()
    before = len(site.hits())
    body = b"{}" if method in ("POST", "PUT", "DELETE") else None
    response = browser.request(method, target, headers, body, **{"kind": "plain", **kw})
    hits = site.hits()[before:]
    return verdict(site, response, hits), response, hits


def header(hit, name):
    """Values of a request header as EspoCRM sees them, over FastCGI or HTTP."""
    name = "HTTP_" + name.upper().replace("-", "_") if hit.kind == "fastcgi" else name
    return hit.headers.all(name)


def session_of(hit):
    """The name of the session, as EspoCRM is told it."""
    names = hit.identity().get("x-oidc-session", [])
    assert len(names) <= 1, hit
    return names[0] if names else None


def identity(hit):
    """What EspoCRM is told about the user. The name of the session says nothing of one."""
    assert re.fullmatch("[0-9a-f]{16}", session_of(hit) or "0" * 16), hit
    others = ("x-oidc-session", "x-oidc-websocket")
    return {name: values for name, values in hit.identity().items() if name not in others}


def check_vhost(site, *arguments, switches=None):
    command = [OPS / "check-vhost", site.origin_text, "--json",
               "--cacert", site.lab.pki.ca.file, "--http-port", site.port2]
    for port in (site.port, site.port2):
        command += ["--resolve", f"{site.host}:{port}:127.0.0.1"]
    for switch in site.switches if switches is None else switches:
        command += ["--open", switch]
    done = subprocess.run([str(c) for c in [*command, *arguments]], capture_output=True, text=True,
                          timeout=120, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def wrong(result):
    return {(r["method"], r["url"]): r["verdict"] for r in result["urls"] if not r["good"]}


@pytest.fixture(scope="module", params=VARIANTS)
def closed(request, lab):
    with VhostSite(lab, request.param) as site:
        yield site


@pytest.fixture(scope="module", params=VARIANTS)
def opened(request, lab):
    with VhostSite(lab, request.param, SWITCHES) as site:
        yield site


# ---- configuration ---------------------------------------------------------------------------

def accepted(lab, variant, *arguments, kind=VhostSite, **named):
    """nginx -t; the messages but for what the laboratory itself causes."""
    site = kind(lab, variant, *arguments, start=False, **named)
    try:
        code, text = site.nginx.test()
    finally:
        site.stop(check=False)
    messages = [line for line in text.splitlines() if "insecure_http" not in line
                and "syntax is ok" not in line and "test is successful" not in line]
    assert code == 0 and not messages, text


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("switch", ["none", "all", *SWITCHES])
def test_templates_are_accepted(lab, variant, switch):
    accepted(lab, variant, {"none": (), "all": SWITCHES}.get(switch, (switch,)))


def test_site_files_listen_at_every_address():
    for path in (OPS / "nginx" / "site-fpm.conf.example", OPS / "nginx" / "site-proxy.conf.example",
                 OPS / "compose" / "nginx" / "site.conf.template"):
        lines = re.findall(r"^ *(# )?listen +(\[::\]:)?(.*)$", path.read_text(), re.M)
        four, six = ([(mark, rest) for mark, v6, rest in lines if bool(v6) == want]
                     for want in (False, True))
        assert four == six and len(four) >= 3, path


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_other_form_of_http2(lab, variant):
    """What a site file says about versions of nginx is so: here is the form for the other ones."""
    old = has_http2_directive()
    form = [(r"^ *http2 +on;$", ""), (r"(?<=ssl);$", " http2;")] if old \
        else [(r"(?<=ssl) http2;", ";"), (r"# (?=http2 +on;$)", "")]
    site = VhostSite(lab, variant, edit=lambda text: substitute(text, form), start=False)
    try:
        code, text = site.nginx.test()
    finally:
        site.stop(check=False)
    if old:
        assert code == 0 and 'the "listen ... http2" directive is deprecated' in text, text
    else:
        assert code == 1 and 'unknown directive "http2"' in text, text


def test_every_template_is_used():
    """Each file below ops/nginx/espocrm is included by another one or by a site file."""
    folder = OPS / "nginx"
    text = "".join(p.read_text() for p in folder.rglob("*.conf*"))
    for path in (folder / "espocrm").rglob("*.conf"):
        name = f"espocrm/{path.relative_to(folder / 'espocrm')}"
        assert f"include {name};" in " ".join(text.split()) or f"{name}`" in text, path


@pytest.mark.parametrize("variant", VARIANTS)
def test_behind_another_proxy(lab, variant):
    def edit(text):
        names = ("set_real_ip_from", "real_ip_header", "oidc_base_url", r"set \$espocrm_scheme",
                 r"set \$espocrm_port")
        return substitute(text, [(rf"# (?={name}\b)", "") for name in names])
    accepted(lab, variant, edit=edit)


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_sites_of_one_nginx(lab, variant):
    """A test system beside the real one: each has /oauth-callback.php as its callback."""
    def edit(text):
        start = text.index("oidc_provider espocrm {")
        provider = text[start:text.index("}", start) + 1]
        server = text[text.rindex("server {"):]
        second = (provider + "\n" + server).replace("oidc_provider espocrm", "oidc_provider two")
        second = substitute(second, [("auth_oidc espocrm;", "auth_oidc two;"),
                                     (r"server_name +\S+;", "server_name alt.test;")])
        return text + second
    accepted(lab, variant, edit=edit)


# ---- open, protected, closed -----------------------------------------------------------------

@pytest.mark.parametrize("switch", ["none", "all", *SWITCHES])
@pytest.mark.parametrize("variant", VARIANTS)
def test_switches_open_what_they_say(lab, variant, switch):
    switches = {"none": (), "all": SWITCHES}.get(switch, (switch,))
    with VhostSite(lab, variant, switches) as site:
        for method, target, rule in TABLE:
            expected = rule
            if isinstance(rule, set):
                expected = OPEN if rule & set(switches) else PROTECTED
            found, response, hits = ask(site, method, target)
            assert found == expected, f"{method} {target}: {found}, not {expected}\n{response}"
            for hit in hits:
                assert hit.method == method and hit.target == target
        for target in MISREAD:
            for method in ("GET", "POST"):
                found, response, _ = ask(site, method, target)
                assert found != OPEN, f"{method} {target}\n{response}"

        # Seen from outside it is the same.
        mark = len(site.hits())
        code, result, problem = check_vhost(site)
        assert code == 0, (wrong(result), result["other"], problem)
        sign_out = {"/?entryPoint=oidcProxySignOut": "/oidc/espocrm-sign-out"}
        reached = {(h.method, sign_out.get(h.target, h.target)) for h in site.hits()[mark:]}
        said = {(r["method"], r["url"]) for r in result["urls"] if r["verdict"] == OPEN}
        own = {("GET", "/signed-out")} | ({("GET", "/client/img/favicon.ico"),
                                           ("GET", "/robots.txt")} if variant == "fpm" else set())
        assert said - own == reached


def test_api_keys_alone_open_the_api(opened):
    for name in ("X-Api-Key", "X-Hmac-Authorization"):
        for target in ("/api/v1/Account", "/api/v1/Account?maxSize=1&select=a%2Cb"):
            found, _, hits = ask(opened, "GET", target, {
                name: KEY, "Cookie": "auth-token=1; auth-token-secret=2",
                "Authorization": "Basic YTpi", "Espo-Authorization-By-Token": "true",
                "Http-Espo-Cgi-Auth": "Basic YTpi", "X-Another-User": "admin",
                "Redirect-Http-Espo-Cgi-Auth": "Basic YTpi"})
            assert found == OPEN
            assert header(hits[0], name) == [KEY]
            for dropped in ("Cookie", "Authorization", "Espo-Authorization",
                            "Espo-Authorization-By-Token", "Http-Espo-Cgi-Auth",
                            "Redirect-Http-Espo-Cgi-Auth", "X-Another-User"):
                assert header(hits[0], dropped) == [], dropped
    for target, headers in (
            ("/api/v1/Account", {"X-Api-Key": KEY, "Espo-Authorization": "YTpi"}),
            ("/api/v1/Account", {"X-Hmac-Authorization": KEY, "Espo-Authorization": "YTpi"}),
            ("/api/v1/Account", {"X-Api-Key": ""}), ("/api/v1/Account", {"X_Api_Key": KEY}),
            ("/", {"X-Api-Key": KEY}), ("/oauth-callback.php", {"X-Api-Key": KEY}),
            (f"/?entryPoint=download&id={ID}", {"X-Api-Key": KEY}),
            ("/index.php", {"X-Api-Key": "0 /api/v1/"}),
            ("/api/v1/../index.php", {"X-Api-Key": KEY}), (WEB_SOCKET, {"X-Api-Key": KEY})):
        assert ask(opened, "GET", target, headers)[0] != OPEN, (target, headers)
    # An empty header first does not hide a second one.
    found, _, hits = ask(opened, "GET", "/api/v1/Account", {"X-Api-Key": KEY},
                         extra=[("Espo-Authorization", ""), ("Espo-Authorization", "YTpi")])
    assert found == PROTECTED or header(hits[0], "Espo-Authorization") == []
    for target in ("/api/v1/Oidc/backchannelLogout", "/install/"):
        assert ask(opened, "POST", target, {"X-Api-Key": KEY})[0] == CLOSED


# What EspoCRM answers without a login, to whoever has an account or none, whatever key comes along.
WITHOUT_LOGIN = [
    ("GET", "Settings", "page-data"), ("HEAD", "Settings", ""), ("GET", "%53ettings", ""),
    ("GET", "Settings?a=b", ""), ("GET", "settings/", ""), ("GET", "I18n", "page-data"),
    ("GET", "I18n?default=true", "page-data"), ("GET", "I18n?a=1", ""),
    ("GET", "Oidc/authorizationData", ""), ("GET", "Oidc/%61uthorizationData", ""),
    ("POST", "User/passwordChangeRequest", "password-recovery"),
    ("POST", "User/password%43hangeRequest", ""), ("POST", "User/passwordChangeRequest?x", ""),
    ("POST", "User/changePasswordByRequest", "password-recovery"),
    ("POST", f"LeadCapture/{KEY}", "lead-capture"), ("OPTIONS", f"LeadCapture/{KEY}", "lead-capture"),
    ("POST", f"Lead%43apture/{KEY}", ""), ("POST", f"LeadCapture/form/{ID}", "web-forms"),
    ("POST", f"LeadCapture/f%6frm/{ID}", ""), ("POST", f"LeadCapture/form/{ID}?a=b", ""),
    ("POST", f"Campaign/unsubscribe/{ID}", "campaigns"),
    ("DELETE", f"Campaign/unsubscribe/{ID}", "campaigns"),
    ("POST", f"Campaign/uns%75bscribe/{ID}", ""),
    ("DELETE", f"Campaign/unsubscribe/a%40example.com/{KEY}", "campaigns")]
# What looks like it and needs an account.
WITH_LOGIN = [("GET", f"LeadCapture/{ID}"), ("PUT", f"LeadCapture/{ID}"), ("GET", "LeadCapture"),
              ("POST", "LeadCapture"), ("DELETE", f"LeadCapture/{ID}"), ("GET", f"Campaign/{ID}"),
              ("POST", "LeadCapture/action/generateNewApiKey"), ("GET", f"User/{ID}"),
              ("GET", "App/user"), ("GET", "SettingsX"), ("GET", "Settings1/2"), ("POST", "Lead")]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("others", [(), ("password-recovery",), ("lead-capture", "campaigns")])
def test_a_key_opens_no_other_switch(lab, variant, others):
    with VhostSite(lab, variant, ["api-keys", *others]) as site:
        features = {"page-data"} & {"page-data" for s in others if s in PAGE_DATA} | set(others)
        for name in ("X-Api-Key", "X-Hmac-Authorization"):
            for method, path, feature in WITHOUT_LOGIN:
                found, response, hits = ask(site, method, "/api/v1/" + path, {name: "anything"})
                assert (found == OPEN) == (feature in features), (method, path, response)
            for method, path in WITH_LOGIN:
                found, response, hits = ask(site, method, "/api/v1/" + path, {name: KEY})
                assert found == OPEN and header(hits[0], name) == [KEY], (method, path, response)


# ---- EspoCRM as an OAuth server --------------------------------------------------------------

METADATA = ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/",
            f"/.well-known/oauth-protected-resource/api/v1/Mcp/{ID}"]
TOKEN_PATHS = ["/oauth/token", "/oauth/token/", "/oauth/token/revoke", "/oauth/token/revoke/"]
CONSENT = ["/oauth/authorize", f"/oauth/authorize/?client_id={ID}&state=1"]
BEARER = {"Authorization": f"Bearer {KEY}.-_~+/=="}
MCP = f"/api/v1/Mcp/{ID}"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("switches", [(), ("api-keys",), ("mcp",), ("oauth-server",),
                                      ("mcp", "oauth-server", "api-keys")])
def test_oauth_server(lab, variant, switches):
    """What programs need of it is open; its page of consent is for people who signed in."""
    on = {"mcp", "oauth-server"} & set(switches)
    with VhostSite(lab, variant, switches) as site:
        for target in METADATA:
            for method in ("GET", "HEAD", "POST") if on else ("GET", "POST"):
                found, response, hits = ask(site, method, target, BEARER)
                expected = OPEN if on and method != "POST" else CLOSED
                assert found == expected, (method, target, response)
                assert all(header(hit, "Authorization") == [] for hit in hits)
        for target in TOKEN_PATHS:
            basic = {"Authorization": "Basic YTpi", "Cookie": "auth-token=1; auth-token-secret=2"}
            found, response, hits = ask(site, "POST", target, basic)
            assert found == (OPEN if on else CLOSED), (target, response)
            for hit in hits:
                assert header(hit, "Authorization") == ["Basic YTpi"], hit
                assert header(hit, "Cookie") == [] and identity(hit) == {}
                if hit.kind == "fastcgi":
                    assert hit.headers.all("SCRIPT_FILENAME") == ["/srv/php/public/oauth/index.php"]
            _, _, hits = ask(site, "POST", target, BEARER)
            assert all(header(hit, "Authorization") == [] for hit in hits)
            assert ask(site, "GET", target)[0] == (PROTECTED if on else CLOSED)
            assert ask(site, "POST", target, {"Espo-Authorization": "YTpi"})[0] != OPEN
        for target in (*CONSENT, "/oauth/authorize?grant_type=x"):
            for method in ("GET", "POST"):
                assert ask(site, method, target, BEARER)[0] == (PROTECTED if on else CLOSED), target
        for target in ("/.well-known/other", "/.well-known/oauth-other", "/.well-known/index.php",
                       "/oauth/", "/oauth/other", "/oauth/token/other", "/oauth/index.php",
                       "/.well-known/oauth-protected-resource/api/v1/Account",
                       "/.well-known/oauth-protected-resource/../index.php",
                       "/.well-known/oauth-authorization-server?entryPoint=avatar",
                       "/.well-known/oauth-authorization-server%2f..%2f..%2findex.php"):
            for method in ("GET", "POST"):
                assert ask(site, method, target, BEARER)[0] in (CLOSED, PROTECTED), (method, target)
        for target in ("/oauth/token?a=b", "/oauth/%74oken", "/oauth/token/../token",
                       "//oauth/token"):
            assert ask(site, "POST", target)[0] != OPEN, target


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("switches", [(), ("api-keys",), ("mcp",), ("oauth-server",),
                                      ("mcp", "api-keys")])
def test_tokens_of_the_oauth_server(lab, variant, switches):
    others = {"Cookie": "auth-token=1; auth-token-secret=2", "Espo-Authorization-By-Token": "true",
              "X-Another-User": "admin", "Http-Espo-Cgi-Auth": "Basic YTpi"}
    with VhostSite(lab, variant, switches) as site:
        for method, target, rule in (
                ("GET", "/api/v1/Account", {"oauth-server"}), ("GET", MCP, {"oauth-server"}),
                ("DELETE", "/api/v1/Account/1", {"oauth-server"}),
                ("GET", "/api/v1/Account?select=a%2Cb", {"oauth-server"}),
                ("POST", MCP, {"oauth-server", "mcp"}),
                ("POST", MCP + "/x?a=1", {"oauth-server", "mcp"}),
                ("POST", "/api/v1/Mcp", {"oauth-server"}),
                ("POST", "/api/v1/McpOther/1", {"oauth-server"})):
            found, response, hits = ask(site, method, target, {**BEARER, **others})
            assert found == (OPEN if rule & set(switches) else PROTECTED), (target, response)
            for hit in hits:
                assert header(hit, "Authorization") == [BEARER["Authorization"]]
                assert identity(hit) == {}
                assert all(header(hit, name) == [] for name in others), hit
        # Neither is it a ticket for other credentials, nor other credentials for it.
        for target, headers in (
                (MCP, {**BEARER, "Espo-Authorization": "YTpi"}),
                (MCP, {"Authorization": "Basic YTpi"}), (MCP, {"Authorization": f"bearer {KEY}"}),
                (MCP, {"Authorization": "Bearer "}), (MCP, {"Authorization": f"Bearer {KEY} {KEY}"}),
                (MCP, {"Authorization": f"Bearer {KEY}, Basic YTpi"}),
                ("/", BEARER), ("/oauth-callback.php", BEARER),
                (f"/?entryPoint=download&id={ID}", BEARER), ("/api/v1/../index.php", BEARER),
                (f"/api/v1/portal-access/{ID}/App/user", BEARER),
                ("/api/v1//Mcp/x", BEARER), ("/api/v1/Mcp/../Account", BEARER),
                ("/api/v1/Oidc/backchannelLogout", BEARER)):
            for method in ("GET", "POST"):
                found, response, _ = ask(site, method, target, headers)
                assert found != OPEN, (method, target, headers, response)
        for method, path, _ in WITHOUT_LOGIN:
            assert ask(site, method, "/api/v1/" + path, BEARER)[0] != OPEN, (method, path)
        # A key that is not open does not come along with a token, and the other way round.
        for target in (MCP, "/api/v1/Account"):
            _, _, hits = ask(site, "POST", target, {**BEARER, "X-Api-Key": KEY})
            token_open = "oauth-server" in switches or "mcp" in switches and target == MCP
            for hit in hits:
                key, token = header(hit, "X-Api-Key"), header(hit, "Authorization")
                assert key == ([KEY] if "api-keys" in switches else [])
                assert token == ([BEARER["Authorization"]] if token_open else [])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("switches", [(), ("api-keys",), ("mcp",), ("oauth-server",)])
@pytest.mark.parametrize("name", ["X-Api-Key", "X-Hmac-Authorization"])
def test_keys_at_the_endpoints_of_mcp(lab, variant, switches, name):
    """The MCP extension before 10.1: its clients are API users."""
    others = {"Cookie": "auth-token=1; auth-token-secret=2", "Espo-Authorization-By-Token": "true",
              "X-Another-User": "admin"}
    with VhostSite(lab, variant, switches) as site:
        for method, target, rule in (
                ("POST", MCP, {"mcp", "api-keys"}), ("POST", MCP + "?a=1", {"mcp", "api-keys"}),
                ("GET", MCP, {"api-keys"}), ("DELETE", MCP, {"api-keys"}),
                ("POST", "/api/v1/Mcp", {"api-keys"}), ("POST", "/api/v1/McpEndpoint", {"api-keys"}),
                ("POST", "/api/v1/Account", {"api-keys"})):
            found, response, hits = ask(site, method, target, {name: KEY, **others})
            assert found == (OPEN if rule & set(switches) else PROTECTED), (method, target, response)
            for hit in hits:
                assert header(hit, name) == [KEY] and identity(hit) == {}
                assert all(header(hit, other) == [] for other in (*others, "Authorization")), hit
        for target, headers in ((MCP, {name: KEY, "Espo-Authorization": "YTpi"}),
                                (MCP, {name: ""}), ("/", {name: KEY}),
                                ("/api/v1//Mcp/x", {name: KEY}),
                                ("/api/v1/Mcp/../Account", {name: KEY}),
                                ("/api/v1/%4dcp/x/../../Account", {name: KEY})):
            assert ask(site, "POST", target, headers)[0] != OPEN, (target, headers)
        # with another's password in place of the key's owner
        _, _, hits = ask(site, "POST", MCP, {name: KEY, "Authorization": "Basic YTpi"})
        assert all(header(hit, "Authorization") == [] for hit in hits)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_program_learns_where_it_gets_a_token(lab, variant):
    with VhostSite(lab, variant, ["mcp"]) as site:
        for headers in ({}, {"Authorization": "Basic YTpi"}):
            found, answer, _ = ask(site, "POST", MCP, headers)
            assert found == PROTECTED and answer.by_nginx
            assert answer.headers.all("www-authenticate") == [
                f'Bearer resource_metadata="{site.origin_text}/.well-known/oauth-protected-resource"']
            assert answer.headers.all("cache-control") == ["no-store"]
            assert answer.headers.get("strict-transport-security")
        browser = site.browser()
        site.sign_in(browser)
        # The page of somebody who signed in gets through, as ever.
        found, _, hits = ask(site, "POST", MCP, {"Espo-Authorization": "YTpi"}, browser)
        assert found == OPEN and session_of(hits[0])


def test_the_page_of_consent_comes_after_the_sign_in(opened):
    browser = opened.browser()
    answer = opened.sign_in(browser, CONSENT[1])
    assert answer.from_backend
    assert identity(opened.hits()[-1])["x-oidc-return-to"] == [CONSENT[1]]
    for target in CONSENT:
        found, _, hits = ask(opened, "GET", target, BEARER, browser, kind="navigate")
        assert found == OPEN and hits[0].target == target and identity(hits[0]) == {}
        assert session_of(hits[0])
        if hits[0].kind == "fastcgi":
            assert hits[0].headers.all("SCRIPT_NAME") == ["/oauth/index.php"]


def test_the_callback_page_is_not_compressed(closed):
    """It holds EspoCRM's token beside what a link brings."""
    site = closed
    packed = {"Accept-Encoding": "gzip"}
    page = Reply("x" * 5000, ctype="text/html")
    refused = Reply("no", status=401, ctype="text/html")
    browser = site.browser()
    site.sign_in(browser)
    for target, answers in (("/oauth-callback.php", {"/oauth-callback.php": page}),
                            ("/?entryPoint=download&id=1",
                             {"/": refused, "/oauth-callback.php": page})):
        site.backend.answers.update(answers)
        answer = browser.get(target, headers=packed)
        assert answer.body == b"x" * 5000 and answer.headers.get("content-encoding") is None, answer
        hit = site.hits()[-1]
        assert hit.path == "/oauth-callback.php"
        assert header(hit, "Accept-Encoding") in ([], [""])
        site.backend.reset()
    site.backend.answers["/"] = page
    assert browser.get("/", headers=packed).headers.get("content-encoding") == "gzip"
    site.backend.reset()


@pytest.mark.parametrize("variant", VARIANTS)
def test_api_keys_need_their_switch(lab, variant):
    """Other public features do not let a key through to EspoCRM."""
    with VhostSite(lab, variant, [s for s in SWITCHES if s != "api-keys"]) as site:
        found, _, hits = ask(site, "POST", f"/api/v1/LeadCapture/{KEY}", {"X-Api-Key": KEY})
        assert found == OPEN and header(hits[0], "X-Api-Key") == []
        assert ask(site, "GET", "/api/v1/Account", {"X-Api-Key": KEY})[0] == PROTECTED


def test_public_requests_bring_no_credentials(opened):
    credentials = {"Cookie": "auth-token=1; auth-token-secret=2", "Authorization": "Basic YTpi",
                   "Http-Espo-Cgi-Auth": "Basic YTpi", "Redirect-Http-Espo-Cgi-Auth": "Basic YTpi"}
    for method, target, rule in TABLE:
        if not isinstance(rule, set) or "portal" in rule:
            continue
        found, _, hits = ask(opened, method, target, credentials)
        assert found == OPEN, target
        for name in credentials:
            assert header(hits[0], name) == [], (target, name)
        # As a page of a signed-in user it is not public.
        assert ask(opened, method, target, {"Espo-Authorization": "YTpi"})[0] == PROTECTED
    found, _, hits = ask(opened, "GET", f"/api/v1/portal-access/{ID}/App/user", {
        **credentials, "Espo-Authorization": "YTpi"})
    assert found == OPEN and header(hits[0], "Espo-Authorization") == ["YTpi"]
    assert header(hits[0], "Cookie") == ["auth-token=1; auth-token-secret=2"]
    assert header(hits[0], "Authorization") == ["Basic YTpi"]


# ---- identity --------------------------------------------------------------------------------

def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


SPOOFED = {"X-Oidc-Assertion": "spoofed", "X-Oidc-Return-To": "/spoofed",
           "X-Oidc-Api-Assertion": "spoofed", "Remote-User": "admin",
           "Remote-Groups": "admins", "X-Oidc-Sub": "admin"}


def test_identity_only_at_the_callback(opened):
    site = opened
    browser = site.browser()
    answer = site.sign_in(browser, "/?entryPoint=download&id=1")
    hit = site.hits()[-1]
    assert answer.from_backend and hit.path == "/oauth-callback.php"
    assert set(identity(hit)) == {"x-oidc-assertion", "x-oidc-return-to"}
    claims = claims_of(identity(hit)["x-oidc-assertion"][0])
    assert claims["preferred_username"] == "jdoe" and claims["aud"] == site.origin_text
    assert identity(hit)["x-oidc-return-to"] == ["/?entryPoint=download&id=1"]

    found, _, hits = ask(site, "GET", "/oauth-callback.php?return_to=%2F", SPOOFED, browser)
    assert found == OPEN and set(identity(hits[0])) == {"x-oidc-assertion"}
    assert identity(hits[0])["x-oidc-assertion"] != ["spoofed"]

    others = [(m, t) for m, t, rule in TABLE if rule != CLOSED] + [
        ("POST", "/oauth/callback/"), ("GET", "/portal/oauth-callback.php"),
        ("GET", "/?entryPoint=OauthCallback"), ("GET", "/index.php?entryPoint=oauthCallback")]
    for method, target in others:
        if target.startswith("/oauth-callback.php") and "code=" not in target:
            continue
        for headers in ({}, SPOOFED, {"X_Oidc_Assertion": "spoofed"},
                        {"X-Api-Key": KEY, **SPOOFED}):
            _, _, hits = ask(site, method, target, headers, browser)
            for hit in hits:
                assert identity(hit) == {}, (method, target, identity(hit))


def test_callbacks_of_others_pass_without_identity(closed):
    browser = closed.browser()
    closed.sign_in(browser)
    for target in ("/oauth-callback.php?code=theirs", "/oauth-callback.php?error=x&state=theirs",
                   "/oauth/callback/?code=theirs", "/oauth/callback?code=theirs",
                   "/portal/oauth-callback.php?code=theirs",
                   "/?entryPoint=oauthCallback&code=theirs"):
        found, _, hits = ask(closed, "GET", target, browser=browser, kind="navigate",
                             cross_site=True)
        assert found == OPEN and hits[0].target == target and identity(hits[0]) == {}


def test_own_cookies_never_reach_espocrm(opened):
    site = opened
    browser = site.browser()
    site.sign_in(browser)
    browser.get("/", jar=browser.jar)
    browser.jar.set("auth-token", "1")
    for name in ("__Host-NGX_OIDC_LOGIN_" + "a" * 30, "NGX_OIDC_SESSION"):
        browser.jar.set(name, "planted")
    mark = len(site.hits())
    for method, target, rule in TABLE:
        if rule != CLOSED:
            ask(site, method, target, browser=browser)
    browser.get("/?entryPoint=download&id=1")
    hits = site.hits()[mark:]
    assert len(hits) > 30
    for hit in hits:
        assert b"NGX_OIDC" not in hit.raw, hit
        assert header(hit, "Cookie") in ([], ["auth-token=1"]), hit
    assert any(header(hit, "Cookie") for hit in hits)


def test_what_espocrm_sees_of_the_request(closed):
    site = closed
    browser = site.browser()
    site.sign_in(browser)
    _, _, hits = ask(site, "GET", "/api/v1/App/user?x=1", {
        "X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1",
        "X-Forwarded-Host": "evil.example", "Forwarded": "for=192.0.2.1", "Proxy": "http://evil",
        "Espo-Authorization": "YTpi", "Authorization": "Basic YTpi",
        "X-Oidc-Authorization-Nonce": "n"}, browser)
    hit = hits[0]
    assert header(hit, "X-Forwarded-Proto") == ["https"]
    assert header(hit, "X-Forwarded-For") == header(hit, "X-Real-IP") == ["127.0.0.1"]
    for name in ("X-Forwarded-Host", "Forwarded", "Proxy", "X-Oidc-Authorization-Nonce"):
        assert header(hit, name) == [], name
    assert header(hit, "Host") == [site.authority()]
    assert header(hit, "Espo-Authorization") == ["YTpi"]
    assert header(hit, "Authorization") == ["Basic YTpi"]
    if hit.kind == "fastcgi":
        for name, value in (("HTTPS", "on"), ("REQUEST_SCHEME", "https"), ("QUERY_STRING", "x=1"),
                            ("SCRIPT_FILENAME", "/srv/php/public/api/v1/index.php"),
                            ("SCRIPT_NAME", "/api/v1/index.php"), ("REMOTE_ADDR", "127.0.0.1"),
                            ("REQUEST_URI", "/api/v1/App/user?x=1")):
            assert hit.headers.all(name) == [value], name


@pytest.mark.parametrize("target, script", [
    ("/", "/index.php"), ("/index.php?a=1", "/index.php"),
    ("/oauth/callback", "/oauth/callback/index.php"),
    ("/portal", "/portal/index.php"), (f"/portal/{ID}/", "/portal/index.php"),
    ("/portal/oauth-callback.php", "/portal/oauth-callback.php"),
    ("/api/v1/portal-access/x/I18n", "/api/v1/portal-access/index.php")])
def test_scripts(lab, target, script):
    with VhostSite(lab, "fpm", ["portal"]) as site:
        browser = site.browser()
        site.sign_in(browser)
        _, _, hits = ask(site, "GET", target, browser=browser)
        assert hits[0].headers.all("SCRIPT_FILENAME") == ["/srv/php/public" + script]
        assert hits[0].headers.all("SCRIPT_NAME") == [script]


@pytest.mark.parametrize("target", ["/oauth/callback", "/oauth/callback/?code=1"])
def test_external_accounts_return_where_there_is_one_script_for_all(lab, target):
    with VhostSite(lab, "fpm") as site:
        browser = site.browser()
        site.sign_in(browser)
        (site.folder / "crm" / "public" / "oauth" / "callback" / "index.php").unlink()
        for asked in (target, target + "&x=1" if "?" in target else target + "?x=1"):
            found, _, hits = ask(site, "GET", asked, browser=browser)
            assert found == OPEN and identity(hits[0]) == {} and hits[0].target == asked
            assert hits[0].headers.all("SCRIPT_FILENAME") == ["/srv/php/public/oauth/index.php"]
            assert hits[0].headers.all("SCRIPT_NAME") == ["/oauth/index.php"]
            assert ask(site, "GET", asked)[0] == PROTECTED


# ---- sign-in, sign-out, sessions -------------------------------------------------------------

def test_page_load_and_script_without_session(closed):
    browser = closed.browser()
    page = browser.get("/")
    assert page.status == 200 and "data-url=" in page.text and not page.from_backend
    for target in ("/api/v1/App/user", "/api/v1/Account"):
        assert browser.get(target).status == 401  # also as a page load
    assert browser.get("/", kind="xhr").json()["login_url"].endswith("/oauth-callback.php")


def test_link_to_a_file_in_a_browser_that_espocrm_does_not_know(closed):
    site = closed
    browser = site.browser()
    site.sign_in(browser)
    site.backend.answers["/"] = lambda hit: Reply(
        "no", status=401, headers=[("WWW-Authenticate", 'Basic realm=""')])
    target = "/?entryPoint=download&id=1"
    mark = len(site.hits())
    answer = browser.get(target, headers={"X-Oidc-Return-To": "/spoofed"})
    asked, signed_in = site.hits()[mark:]
    assert answer.status == 200 and answer.from_backend
    assert asked.target == target and identity(asked) == {}
    assert signed_in.target == "/oauth-callback.php" and signed_in.query == ""
    assert identity(signed_in)["x-oidc-return-to"] == [target]
    assert claims_of(identity(signed_in)["x-oidc-assertion"][0])["preferred_username"] == "jdoe"
    # A picture is no place to sign in.
    mark = len(site.hits())
    assert browser.get(target, kind="image").status == 401
    assert len(site.hits()) == mark + 1
    site.backend.reset()


def test_sign_out(closed):
    site = closed
    browser = site.browser()
    site.sign_in(browser)
    answer = browser.get("/oidc/logout", fetch_site="same-origin")
    assert answer.status == 302
    assert "post_logout_redirect_uri=" in answer.location and "signed-out" in answer.location
    page = browser.get("/signed-out")
    assert page.status == 200 and "You are signed out." in page.text
    assert page.headers.all("cache-control") == ["no-store"]
    assert "default-src 'none'" in page.headers.get("content-security-policy")
    assert ask(site, "GET", "/api/v1/App/user", browser=browser)[0] == PROTECTED


@pytest.mark.parametrize("variant", VARIANTS)
def test_polling_keeps_no_session_alive(lab, variant):
    def edit(text):
        return substitute(text, [(r"session_idle_timeout 2h", "session_idle_timeout 2s")])
    polls = ("/api/v1/Notification/action/notReadCount", "/api/v1/PopupNotification/action/grouped")
    with VhostSite(lab, variant, edit=edit) as site:
        browser = site.browser()
        site.sign_in(browser)
        end = time.monotonic() + 3.2
        while time.monotonic() < end:  # work keeps it alive
            assert ask(site, "GET", "/api/v1/Account", browser=browser)[0] == OPEN
            time.sleep(0.4)
        end = time.monotonic() + 20
        while ask(site, "GET", polls[0], browser=browser)[0] == OPEN:
            assert time.monotonic() < end, "the session lives on"
            assert ask(site, "GET", polls[1], browser=browser)[0] != CLOSED
            time.sleep(0.4)


# What says that nobody has asked, and what else no person asks for.
UNATTENDED = [("/api/v1/Stream?x=1", {"X-Espo-Unattended": "1"}),
              ("/?entryPoint=image&id=1", {"X-Espo-Unattended": "1"}),
              ("/?entryPoint=avatar&id=1", {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"})]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_nobody_has_asked_for_keeps_no_session_alive(lab, variant):
    def edit(text):
        return substitute(text, [(r"session_idle_timeout 2h", "session_idle_timeout 2s")])
    with VhostSite(lab, variant, edit=edit) as site:
        browser = site.browser()
        site.sign_in(browser)
        for other in ({"X-Espo-Unattended": "0"}, {"X-Espo-Unattended": ""}, {"Sec-Fetch-Dest": "empty"}):
            end = time.monotonic() + 2.4
            while time.monotonic() < end:  # no mark
                assert ask(site, "GET", "/api/v1/Stream", other, browser)[0] == OPEN
                time.sleep(0.4)
        end = time.monotonic() + 20
        while ask(site, "GET", "/wss?authToken=0&userId=0", UPGRADE, browser)[0] == OPEN:
            assert time.monotonic() < end, "the session lives on"
            for target, headers in UNATTENDED:
                assert ask(site, "GET", target, headers, browser)[0] != CLOSED
            time.sleep(0.4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_mark_changes_nothing_else(lab, variant):
    def told(hit):
        """All that EspoCRM gets, but the mark, and what differs from request to request."""
        names = re.compile("unattended|test.id$|^REMOTE_PORT$", re.I)
        return sorted(line for line in hit.headers if not names.search(line[0]))
    with VhostSite(lab, variant) as site:
        browser = site.browser()
        site.sign_in(browser)
        for method, target in (("GET", "/api/v1/Account?a=%3F&b=%20c"), ("POST", "/api/v1/x/a%20b/%3Fc"),
                               ("GET", "/?entryPoint=download&id=1"), ("DELETE", "/api/v1/Account/1")):
            mark = {"X-Espo-Unattended": "1"}
            (_, _, (plain,)), (found, _, (marked,)) = (
                ask(site, method, target, headers, browser) for headers in ({}, mark))
            assert found == OPEN and told(marked) == told(plain)
            assert (marked.method, marked.target) == (plain.method, plain.target)
            assert session_of(marked) == session_of(plain)
            assert ask(site, method, target, mark)[0] == PROTECTED
        for target in ("/unattended/api/v1/Account", "/unattended/", "/api/v1/index.php", "/install/"):
            assert ask(site, "GET", target, {"X-Espo-Unattended": "1"}, browser)[0] == CLOSED


# ---- WebSocket -------------------------------------------------------------------------------

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-Fetch-Mode": "websocket"}


def handshake(browser, target=WEB_SOCKET, **headers):
    return browser.get(target, kind="plain", headers={**UPGRADE, **headers})


def asked_first(site):
    """EspoCRM, which looks at the token and leads on, or does not."""
    def answer(hit):
        if hit.query != "entryPoint=oidcProxyWebSocket":
            return None
        arguments, = header(hit, "X-Oidc-Websocket")
        if "s3cr3t" not in arguments:
            return Reply("no", status=401)
        return Reply("", headers=[("X-Accel-Redirect", "/wss/admitted?" + arguments)])
    site.backend.answers["/"] = answer
    site.backend.answers["/index.php"] = answer


def test_websocket(closed):
    site = closed
    target = "/wss?authToken=s3cr3t&userId=1"
    asked_first(site)
    for kind in ("plain", "navigate"):
        answer = site.browser().get(target, kind=kind, headers=UPGRADE)
        assert answer.status == 401 and not answer.from_backend and not answer.set_cookies()
    browser = site.browser()
    site.sign_in(browser)
    browser.jar.set("auth-token", "s3cr3t")
    mark = len(site.hits())
    answer = handshake(browser, target)
    asked, hit = site.hits()[mark:]
    assert asked.query == "entryPoint=oidcProxyWebSocket"
    assert header(asked, "X-Oidc-Websocket") == ["authToken=s3cr3t&userId=1"]
    assert header(asked, "Cookie") == ["auth-token=s3cr3t"] and session_of(asked)
    if asked.kind == "fastcgi":
        assert asked.headers.all("SCRIPT_FILENAME") == ["/srv/php/public/index.php"]
        assert asked.headers.all("REQUEST_URI") == ["/?entryPoint=oidcProxyWebSocket"]
    assert answer.status == 101 and hit.target == target
    assert hit.headers.all("Upgrade") == ["websocket"] and hit.headers.all("Cookie") == []
    assert "s3cr3t" not in site.nginx.access() and "s3cr3t" not in site.nginx.log()
    site.backend.reset()


def test_websocket_that_espocrm_refuses(closed):
    site = closed
    asked_first(site)
    browser = site.browser()
    site.sign_in(browser)
    mark = len(site.hits())
    assert handshake(browser, "/wss?authToken=other&userId=1").status == 401
    assert [h.query for h in site.hits()[mark:]] == ["entryPoint=oidcProxyWebSocket"]
    # The way in behind it is nobody's, and nobody can tell EspoCRM other arguments.
    mark = len(site.hits())
    for target in ("/wss/admitted?authToken=s3cr3t&userId=1", "/wss/", "/wss/x"):
        assert handshake(browser, target).status == 404
    for target in ("/wss", "/wss?", "/wss?authToken=s3cr3t", "/wss?userId=1&authToken=s3cr3t",
                   "/wss?authToken=s3cr3t&userId=1&userId=2", "/wss?authToken=%73&userId=1",
                   "/wss?authToken=s3cr3t&userId=1&", "/wss?authToken[]=s3cr3t&userId=1",
                   "/wss?a=1&authToken=s3cr3t&userId=1"):
        assert handshake(browser, target).status == 400, target
    assert browser.request("POST", WEB_SOCKET, UPGRADE, b"x", kind="plain").status == 400
    assert site.hits()[mark:] == []
    answer = handshake(browser, "/wss?authToken=other&userId=1",
                       X_Oidc_Websocket="authToken=s3cr3t&userId=1",
                       **{"X-Oidc-Websocket": "authToken=s3cr3t&userId=1"})
    assert answer.status == 401
    assert header(site.hits()[-1], "X-Oidc-Websocket") == ["authToken=other&userId=1"]
    site.backend.reset()


# ---- the session of each request -------------------------------------------------------------

SPELLINGS = ("X-Oidc-Session", "x-oidc-session", "X_Oidc_Session", "X-Oidc_Session",
             "X.Oidc.Session", "X-Oidc-Session[0]")


def test_each_request_tells_its_session_and_no_client_does(opened):
    site = opened
    first, second = site.browser(), site.browser()
    names = []
    for browser in (first, second):
        site.sign_in(browser)
        mark = len(site.hits())
        for method, target, rule in [("GET", "/oauth-callback.php?return_to=%2F", PROTECTED), *TABLE]:
            public = isinstance(rule, set) or rule in (OPEN, CLOSED)
            # the module tells nothing about the answer of somebody else's provider
            public = public or target.startswith("/oauth-callback.php?code=")
            for headers in ({}, {name: "0123456789abcdef" for name in SPELLINGS}):
                _, _, hits = ask(site, method, target, headers, browser)
                for hit in hits:
                    assert "0123456789abcdef" not in str(hit.headers.all("HTTP_X_OIDC_SESSION"))
                    assert (session_of(hit) is None) == public, (method, target)
        told = {session_of(hit) for hit in site.hits()[mark:]} - {None}
        assert len(told) == 1
        names += told
    assert names[0] != names[1]
    # nobody is signed in, or the way is public: no session, whatever the client says
    for method, target, _ in TABLE:
        for extra in ({}, {"X-Api-Key": KEY}):
            headers = {name: names[0] for name in SPELLINGS}
            _, _, hits = ask(site, method, target, {**headers, **extra})
            assert all(session_of(hit) is None for hit in hits), (method, target)
            assert all(names[0].encode() not in hit.raw for hit in hits), (method, target)


def test_sign_out_of_espocrm_without_a_session(closed):
    site = closed
    target, secret = "/oidc/espocrm-sign-out", "auth-token-secret=" + KEY
    browser = site.browser()
    for name, value in (("auth-token-secret", KEY), ("auth-token", "t0ken")):
        browser.jar.set(name, value)
    mark = len(site.hits())
    answer = browser.get(target, kind="plain", headers={
        "Sec-Fetch-Site": "same-origin", "Espo-Authorization": "YTpi",
        "Authorization": "Basic YTpi", "X-Api-Key": KEY, "X-Another-User": "admin", "Http-Espo-Cgi-Auth": "Basic YTpi", **SPOOFED})
    hit, = site.hits()[mark:]
    assert answer.from_backend and hit.query == "entryPoint=oidcProxySignOut"
    assert set(header(hit, "Cookie")[0].split("; ")) == {"auth-token=t0ken", secret}
    for name in ("Espo-Authorization", "Authorization", "X-Api-Key", "X-Another-User",
                 "Http-Espo-Cgi-Auth", "Remote-User"):
        assert header(hit, name) == [], name
    assert hit.identity() == {}
    if hit.kind == "fastcgi":
        assert hit.headers.all("SCRIPT_FILENAME") == ["/srv/php/public/index.php"]
        assert hit.headers.all("REQUEST_METHOD") == ["GET"]

    mark = len(site.hits())
    for fetch_site in ("cross-site", "same-site"):
        answer = browser.get(target, kind="plain", headers={"Sec-Fetch-Site": fetch_site})
        assert answer.status == 404
    for cookies in ("", "auth-token-secret=", "auth-token-secret=" + KEY[1:], secret + "0",
                    "x-" + secret, "a=" + secret, "auth-token-secret=" + KEY.upper(),
                    "auth-token=" + KEY):
        answer = site.browser().get(target, kind="plain", headers={"Cookie": cookies})
        assert answer.status == 404, cookies
    for method in ("POST", "PUT", "HEAD", "OPTIONS"):
        body = b"x" if method in ("POST", "PUT") else None
        answer = browser.request(method, target, {"Cookie": secret}, body, kind="plain")
        assert answer.status == 404, method
    assert site.hits()[mark:] == []


# ---- where EspoCRM's API begins --------------------------------------------------------------

ODD_API = [
    "/api/v1/index.php", "/api/v1/index.php/Settings", "/api/v1/INDEX.php/x", "/api/v1/index.phpx",
    "/api/v1/Index.Php?x=1", "/api/v1/index.php%2fSettings", "/api/v1/%69ndex.php/Settings",
    "/api/%76%31/Settings", "/%61pi/v1/Settings", "/api/v1/../v1/Settings", "/x/../api/v1/Settings",
    "/api//v1/Settings", "//api/v1/Settings", "/api/./v1/Settings", "/api/v1/%2e/Settings",
    "/%2fapi/v1/Settings", "/api%2fv1/Settings", "/api/v1%2fSettings", "/api/v1/Se%74tings",
    "/api/v1/%70ortal-access/x/Settings", "/api/v1/portal%2daccess/x/Settings",
    "/api/v1/portal-access/index.php/Settings", "/api/v1/portal-access/INDEX.PHPx/Settings",
    "/api/v1/portal-access/%78/Settings", "/api/v1/portal-access//x/Settings",
    "/api/v1/Portal-Access/x/Settings", "/api/v1/portal-access/../Settings",
    "/api/v1/portal-access/x/../../Settings", "/api/v1\\Settings", "/api/v1;/Settings",
]
PLAIN_API = ["/api/v1/", "/api/v1/?a=%2e%2e", "/api/v1/Settings", "/api/v1/App/user",
             "/api/v1/Account?where%5B0%5D%5Btype%5D=x", "/api/v1/Account/5f1e/opportunities",
             "/api/v1/Campaign/unsubscribe/a%40example.com/abc", "/api/v1/I18n?default=true",
             "/api/v1/CIndex.php", "/api/v1/EmailAddress/search?q=index.php",
             "/api/v1/GlobalSearch?q=%25", "/api/v1/Account/action/index.php"]


def test_the_start_of_the_api_is_spelled_in_one_way(opened):
    """What a request is named by, EspoCRM keeps for all requests that follow."""
    site = opened
    browser = site.browser()
    site.sign_in(browser)
    for target in ODD_API:
        for who, headers in ((browser, {}), (None, {"X-Api-Key": KEY}),
                             (None, {"X-Hmac-Authorization": KEY}), (None, {})):
            for method in ("GET", "POST", "OPTIONS"):
                before = len(site.hits())
                body = b"" if method == "POST" else None
                response = (who or site.browser()).request(method, target, headers, body, kind="plain")
                assert site.hits()[before:] == [], (method, target, response)
    for target in PLAIN_API:
        found, _, hits = ask(site, "GET", target, browser=browser)
        assert found == OPEN and hits[0].target == target
        # What EspoCRM answers to everybody is for a switch of its own, whatever comes with it.
        assert (ask(site, "GET", target, {"X-Api-Key": KEY})[0] == OPEN) is ("/unsubscribe/" not in target), target
    portal = f"/api/v1/portal-access/{ID}/App/user?x=%2f"
    assert ask(site, "GET", portal)[0] == OPEN


# ---- the rest of the vhost -------------------------------------------------------------------

def test_files(closed):
    site = closed
    for target in ("/client/lib/espo.js?r=1", "/client/fonts/a.woff2"):
        answer = site.browser().get(target, kind="script")
        assert answer.headers.get("cache-control") == "max-age=315360000"
        assert "set-cookie" not in [n.lower() for n, _ in answer.headers]
    assert site.browser().post("/client/lib/espo.js", kind="plain").status == 405
    if site.variant == "fpm":  # with a web server behind, types and sizes are its own
        for target, ctype in (("/client/lib/espo.js", "application/javascript; charset=utf-8"),
                              ("/client/res/templates.tpl", "text/plain; charset=utf-8"),
                              ("/client/fonts/a.woff2", "font/woff2")):
            answer = site.browser().get(target, kind="script",
                                        headers={"Accept-Encoding": "gzip"})
            assert answer.headers.get("content-type") == ctype
            if not target.endswith("woff2"):
                assert answer.headers.get("content-encoding") == "gzip"


def test_compression(closed):
    site = closed
    browser = site.browser()
    site.sign_in(browser)
    site.backend.answers["/api/v1/Metadata"] = Reply({"text": "x" * 5000})
    answer = browser.get("/api/v1/Metadata", kind="xhr", headers={"Accept-Encoding": "gzip"})
    assert answer.headers.get("content-encoding") == "gzip" and len(answer.body) < 1000
    site.backend.reset()


def test_response_headers(closed):
    site = closed
    browser = site.browser()
    site.sign_in(browser)
    site.backend.answers["/"] = Reply("page", ctype="text/html", headers=[
        ("Strict-Transport-Security", "max-age=1"), ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "script-src 'self'"), ("Referrer-Policy", "no-referrer"),
        ("X-Powered-By", "PHP")])
    answer = browser.get("/")
    assert answer.from_backend
    for name, value in (("Strict-Transport-Security", ["max-age=31536000"]),
                        ("X-Content-Type-Options", ["nosniff"]), ("X-Powered-By", []),
                        ("Content-Security-Policy", ["script-src 'self'"]),
                        ("Referrer-Policy", ["no-referrer"])):
        assert answer.headers.all(name) == value, name
    site.backend.reset()
    plain = browser.get("/api/v1/App/user", kind="xhr")
    refused = site.browser().get("/install/")
    for answer in (plain, refused):
        assert answer.headers.all("Referrer-Policy") == ["same-origin"]
        assert answer.headers.all("X-Content-Type-Options") == ["nosniff"]


def test_uploads(closed):
    browser = closed.browser()
    closed.sign_in(browser)
    answer = browser.request("POST", "/api/v1/Attachment", kind="xhr", body=b"x" * 3_000_000)
    assert answer.from_backend and len(closed.hits()[-1].body) == 3_000_000
    answer = browser.request("POST", "/api/v1/Attachment", {"Content-Length": str(51 << 20)},
                             kind="xhr")
    assert answer.status == 413
    browser.close()


def test_http_leads_to_https(closed):
    with socket.create_connection(("127.0.0.1", closed.port2), 10) as sock:
        sock.sendall(b"GET /a?b=c HTTP/1.0\r\nHost: evil.example\r\n\r\n")
        text = sock.recv(4096).decode()
    assert " 301 " in text.splitlines()[0]
    assert f"Location: https://{closed.host}/a?b=c" in text


CHALLENGE = "/.well-known/acme-challenge/"

# Of an ACME client's folder only answers to challenges are given out, in the one spelling they have.
NO_CHALLENGES = [CHALLENGE + path for path in (
    "", ".hidden", "sub/x", "sub", "x.php", "to_ken-1?x=1", "to_ken-1/", "to_ken%2d1", "./to_ken-1",
    "sub/../to_ken-1", "../other", "..%2fother", "%2e%2e/other", "../../outside", "none",
    "../../../crm/public/robots.txt", "..;/other", "to_ken-1%00", "../../install/index.php",
    "../../index.php", "../../api/v1/App/user", "../../client/lib/espo.js")] + [
    "/.well-known/other", "/.well-known/", "//.well-known/acme-challenge/to_ken-1",
    "/client/../.well-known/acme-challenge/to_ken-1", "/.well-known//acme-challenge/to_ken-1",
    "/.WELL-KNOWN/acme-challenge/to_ken-1", "/%2ewell-known/acme-challenge/to_ken-1"]


def plainly(site, method, target):
    """(status line, body) on the port of http://"""
    with socket.create_connection(("127.0.0.1", site.port2), 10) as sock:
        sock.sendall(f"{method} {target} HTTP/1.0\r\nHost: {site.host}\r\n"
                     "Content-Length: 0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: sock.recv(4096), b"")).partition(b"\r\n\r\n")
    return head.decode(), body.decode()


def test_renewals_of_the_certificate(closed):
    site = closed
    before = len(site.hits())
    for headers in ({}, {"Cookie": "a=b"}, {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}):
        answer = site.browser().get(CHALLENGE + "to_ken-1", headers=headers, kind="plain")
        assert (answer.status, answer.text) == (200, "to_ken-1.thumb"), answer
        assert answer.headers.get("content-type").startswith("text/plain")
        assert answer.headers.get("set-cookie") is None
    head, body = plainly(site, "GET", CHALLENGE + "to_ken-1")
    assert " 200 " in head.splitlines()[0] and body == "to_ken-1.thumb"
    assert site.browser().post(CHALLENGE + "to_ken-1", kind="plain").status == 405
    assert " 405 " in plainly(site, "POST", CHALLENGE + "to_ken-1")[0]
    for target in NO_CHALLENGES:
        answer = site.browser().get(target, kind="plain")
        assert answer.status in (400, 401, 404) or target.endswith("/espo.js"), (target, answer)
        for text in (answer.text, plainly(site, "GET", target)[1]):
            assert not any(word in text for word in (
                "thumb", "hidden", "below", "other", "outside", "User-agent", "<?php")), target
        status = plainly(site, "GET", target)[0].splitlines()[0]
        assert " 404 " in status or " 301 " in status or " 400 " in status, (target, status)
    assert all(hit.target.startswith(CHALLENGE + "../../client/") for hit in site.hits()[before:])
    # Nor is a file of EspoCRM with such a name anything to read.
    assert site.browser().get(CHALLENGE + "absent", kind="plain").by_nginx


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1")
def test_each_address_is_the_same_site(closed):
    """IPv4 and IPv6, with HTTP/2 at both; http:// leads to https:// at both."""
    context = ssl.create_default_context(cafile=str(closed.lab.pki.ca.file))
    for address in ("127.0.0.1", "::1"):
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection((address, closed.port), 10) as raw, \
                context.wrap_socket(raw, server_hostname=closed.host) as sock:
            assert sock.selected_alpn_protocol() == "h2", address
        head = f" HTTP/1.0\r\nHost: {closed.authority()}\r\n\r\n".encode()
        context.set_alpn_protocols(["http/1.1"])
        for path, said in (("/api/v1/App/user", b" 401 "), ("/install/", b" 404 "),
                           ("/robots.txt", b" 200 ")):
            with socket.create_connection((address, closed.port), 10) as raw, \
                    context.wrap_socket(raw, server_hostname=closed.host) as sock:
                sock.sendall(f"GET {path}".encode() + head)
                assert said in sock.recv(4096).splitlines()[0], (address, path)
        with socket.create_connection((address, closed.port2), 10) as sock:
            sock.sendall(b"GET /a?b=c" + head)
            text = sock.recv(4096).decode()
        assert " 301 " in text.splitlines()[0]
        assert f"Location: https://{closed.host}/a?b=c" in text


# ---- portals behind a provider of their own --------------------------------------------------

@pytest.mark.parametrize("variant", VARIANTS)
def test_portal_with_a_provider_of_its_own(lab, variant):
    def edit(text):
        start = text.index("oidc_provider espocrm {")
        provider = text[start:text.index("}", start) + 1]
        portal = substitute(provider, [
            ("oidc_provider espocrm", "oidc_provider espocrm_portal"),
            (r"include +espocrm/provider\.conf", "include espocrm/portal-provider.conf")])
        text = substitute(text, [(rf"# include espocrm/{variant}/portal-sign-in\.conf;",
                                  f"include espocrm/{variant}/portal-sign-in.conf;")])
        return portal + "\n" + text
    urls = ("/portal/", f"/portal/{ID}/", f"/api/v1/portal-access/{ID}/App/user")
    accepted(lab, variant, edit=edit)
    with VhostSite(lab, variant, edit=edit) as site:
        staff, stranger = site.browser(), site.browser()
        site.sign_in(staff)
        for target in urls:
            assert ask(site, "GET", target)[0] == PROTECTED
            assert ask(site, "GET", target, browser=staff)[0] == PROTECTED
        closed_url = f"/api/v1/portal-access/{ID}/Oidc/backchannelLogout"
        assert ask(site, "POST", closed_url, browser=staff)[0] == CLOSED
        first = stranger.get("/portal/")
        answer = stranger.callback(stranger.callback_url(first))
        assert answer.status in (302, 303) and answer.location.endswith("/portal/")
        for target in urls:
            found, _, hits = ask(site, "GET", target, browser=stranger)
            assert found == OPEN and identity(hits[0]) == {}
            assert b"NGX_OIDC" not in hits[0].raw
        assert ask(site, "GET", "/api/v1/App/user", browser=stranger)[0] == PROTECTED
        mark = {"X-Espo-Unattended": "1"}
        for browser, expected in ((None, PROTECTED), (staff, PROTECTED), (stranger, OPEN)):
            assert ask(site, "GET", urls[-1], mark, browser)[0] == expected
        assert ask(site, "POST", closed_url, mark, stranger)[0] == CLOSED
        nonce_arrives(site, urls, stranger)
        assert check_vhost(site)[0] == 0
    with VhostSite(lab, variant, ["portal"]) as site:
        nonce_arrives(site, urls)


def nonce_arrives(site, targets, browser=None):
    """EspoCRM's own sign-in of portal users needs it, whether the page asked or somebody."""
    site.state.check_hits = False  # it looks like an identity
    for target in targets:
        for mark in ({}, {"X-Espo-Unattended": "1"}):
            found, _, hits = ask(site, "GET", target, {"X-Oidc-Authorization-Nonce": "n", **mark}, browser)
            assert found == OPEN
            assert header(hits[0], "X-Oidc-Authorization-Nonce") == ["n"], (target, mark)


# ---- the way in while the provider is down -----------------------------------------------------

ADMIN, STRANGER = "127.0.0.7", "127.0.0.8"


class BreakGlass(VhostSite):
    """The site with the block for emergencies in force, for the address ADMIN."""

    def __init__(self, lab, variant, **arguments):
        self.emergency_port = free_port()
        super().__init__(lab, variant, edit=self.open_door, **arguments)

    def open_door(self, text):
        start = text.index("# server {")
        block = text[start:text.index("# }", start) + 3]
        opened = substitute(block, [("^# ?", ""), (r"192\.0\.2\.10;", f"{ADMIN};"),
                                    (r"listen +8444 ssl;", f"listen 127.0.0.1:{self.emergency_port} ssl;"),
                                    (r"listen +\[::\]:8444 ssl;",
                                     f"listen [::1]:{self.emergency_port} ssl;" if HAS_IPV6 else ""),
                                    (r"/var/log/nginx/", f"{self.folder}/logs/")])
        return text.replace(block, opened)

    def knock(self, source, method, target, headers=(), address="127.0.0.1"):
        """(status, headers and body, what reached EspoCRM)"""
        before = len(self.hits())
        with socket.create_connection((address, self.emergency_port), 10,
                                      source_address=(source, 0)) as raw, \
                self.context.wrap_socket(raw, server_hostname=self.host) as sock:
            fields = "".join(f"{n}: {v}\r\n" for n, v in headers)
            sock.sendall(f"{method} {target} HTTP/1.0\r\nHost: {self.host}:{self.emergency_port}\r\n"
                         f"{fields}Content-Length: 0\r\n\r\n".encode())
            text = b"".join(iter(lambda: sock.recv(4096), b"")).decode("latin-1")
        return int(text.split()[1]), text, self.hits()[before:]

    def log(self):
        return (self.folder / "logs" / "espocrm-break-glass.log").read_text()


@pytest.fixture(scope="module", params=VARIANTS)
def emergency(request, lab):
    with BreakGlass(lab, request.param) as site:
        site.state.check_hits = False  # nobody has a session here, that is the point
        yield site


def test_break_glass_is_accepted_and_closed_by_default(lab, closed):
    accepted(lab, closed.variant, kind=BreakGlass)
    text = (OPS / "nginx" / f"site-{closed.variant}.conf.example").read_text()
    assert "8444" not in re.sub(r"^ *#.*", "", text, flags=re.M)
    assert "break-glass" not in re.sub(r"^ *#.*", "", text, flags=re.M)


def test_break_glass_while_the_provider_is_down(lab, closed):
    """From its own start on, without the provider's documents: the site refuses, the door opens."""
    site = BreakGlass(lab, closed.variant, start=False)
    site.idp.refuse()
    site.start()
    try:
        site.state.check_hits = False
        assert site.browser().get("/").status == 502
        for method, target, script in (
                ("GET", "/?signIn=password", "/index.php"), ("GET", "/", "/index.php"),
                ("GET", "/api/v1/App/user", "/api/v1/index.php"),
                ("POST", "/api/v1/Account", "/api/v1/index.php"),
                (("GET", f"/?entryPoint=download&id={ID}", "/index.php"))):
            status, text, hits = site.knock(ADMIN, method, target, [("Espo-Authorization", "YTpi"),
                                                                    ("Authorization", "Basic YTpi"),
                                                                    ("Cookie", "auth-token=a")])
            assert status == 200 and hits[0].target == target, text
            if site.variant == "fpm":
                assert hits[0].headers.get("SCRIPT_NAME") == script
            assert header(hits[0], "Espo-Authorization") == ["YTpi"]
            assert header(hits[0], "Cookie") == ["auth-token=a"]
            assert header(hits[0], "X-Real-IP") == [ADMIN]
        for target in ("/oauth-callback.php", "/oidc/logout"):
            status, text, hits = site.knock(ADMIN, "GET", target)
            assert status == 302 and not hits
            assert f"Location: https://{site.host}:{site.emergency_port}/?signIn=password\r\n" in text
        assert site.knock(ADMIN, "GET", "/client/lib/espo.js")[0] == 200
    finally:
        site.stop(check=False)


def test_break_glass_is_closed_from_elsewhere(emergency):
    site = emergency
    sources = [(STRANGER, "127.0.0.1")] + ([("::1", "::1")] if HAS_IPV6 else [])
    for source, address in sources:
        for target in ("/", "/?signIn=password", "/api/v1/App/user", "/index.php", "/client/lib/espo.js",
                       "/oauth-callback.php", "/oidc/logout", "/portal/", "/api/v1/index.php/x", "/none", "/install/",
                       "/?entryPoint=logoImage", "/.env", "/signed-out", "/robots.txt"):
            for headers in ([], [("X-Forwarded-For", ADMIN), ("X-Real-IP", ADMIN),
                                 ("Forwarded", f"for={ADMIN}"), ("X-Api-Key", KEY)]):
                status, text, hits = site.knock(source, "GET", target, headers, address)
                assert status in (403, 404) and not hits and BY_NGINX.search(text), (target, text)
    for target in ("/install/", "/install/index.php", "/.env", "/web.config", "/client/.git/config",
                   "/client/x.php", "/api/v1/index.php/Settings", "/api/%76%31/Settings", "/none.php",
                   "/wss?authToken=1&userId=1", "/wss/admitted", "/oidc/logout/",
                   "/oidc/espocrm-sign-out", "/data/config.php"):
        status, text, hits = site.knock(ADMIN, "GET", target)
        assert status == 404 and not hits, (target, text)
    assert site.knock(ADMIN, "POST", "/api/v1/Oidc/backchannelLogout")[0] == 404


def test_break_glass_takes_no_identity(emergency):
    """Neither one that a request brings, nor that of a session of the site."""
    site = emergency
    browser = site.browser()
    site.sign_in(browser)
    cookie = browser.jar.header("https", site.host, "/", False, True)
    assert "NGX_OIDC_SESSION" in cookie
    forged = [*SPOOFED.items(), ("X-Oidc-Session", "0123456789abcdef"),
              ("x-oidc-session", "0123456789abcdef"), ("X_Oidc_Session", "0123456789abcdef"),
              ("X-Oidc-Websocket", "authToken=1"), ("X-OIDC-Assertion", "spoofed"),
              ("X_Oidc_Assertion", "spoofed"), ("Cookie", f"auth-token=a; {cookie}")]
    for target in ("/", "/?signIn=password", "/api/v1/App/user", "/index.php", "/oauth/callback/",
                   "/portal/oauth-callback.php", "/?entryPoint=oauthCallback",
                   "/?entryPoint=oidcProxyWebSocket"):
        status, text, hits = site.knock(ADMIN, "GET", target, forged)
        assert status == 200 and len(hits) == 1, text
        assert hits[0].identity() == {}, target
        assert b"spoofed" not in hits[0].raw and b"0123456789abcdef" not in hits[0].raw
        assert b"NGX_OIDC" not in hits[0].raw and header(hits[0], "Cookie") == ["auth-token=a"]
    assert site.knock(ADMIN, "GET", "/oauth-callback.php", forged)[2] == []


def test_each_use_of_break_glass_is_logged(emergency):
    site = emergency
    for source, target, status in ((ADMIN, "/api/v1/App/user?secret=1", 200),
                                   (STRANGER, "/api/v1/App/user?secret=1", 403),
                                   (STRANGER, "/nothing.php", 404), (ADMIN, "/install/", 404)):
        site.knock(source, "GET", target, [("Espo-Authorization", "YTpi"), ("User-Agent", "it is me")])
        line = f'{source} {status} GET {target.split("?")[0]} "it is me"'
        deadline = time.monotonic() + 10
        while line not in site.log() and time.monotonic() < deadline:
            time.sleep(0.05)  # nginx logs after the answer
        assert line in site.log()
    assert "secret" not in site.log() and "YTpi" not in site.log()


# ---- check-vhost on vhosts that are wrong ----------------------------------------------------

def judged(lab, switches=(), variant="fpm", **arguments):
    """What check-vhost finds wrong: {(method, URL): verdict}; it must find something."""
    with VhostSite(lab, variant, switches, **arguments) as site:
        site.state.check_hits = False  # these vhosts let strangers in, that is the point
        code, result, problem = check_vhost(site)
    assert code == 1 and not result["good"], problem
    return wrong(result)


def replaced(file, old, new):
    def change(folder):
        path = folder / file
        text = path.read_text()
        assert old in text, f"{old} is not in {file}"
        path.write_text(text.replace(old, new))
    return change


@pytest.mark.parametrize("variant", VARIANTS)
def test_check_vhost_sees_an_open_installer(lab, variant):
    found = judged(lab, variant=variant, templates=replaced(
        "common.conf", "location ^~ /install { return 404; }",
        "location ^~ /install { auth_oidc off; include espocrm/%s/pass.conf; }" % variant))
    assert found == {("GET", "/install/"): OPEN, ("GET", "/install/index.php"): OPEN}


def test_check_vhost_sees_an_open_back_channel_logout(lab):
    found = judged(lab, templates=replaced(
        "common.conf", "backchannelLogout { return 404; }",
        "backchannelLogout { auth_oidc off; include espocrm/fpm/pass.conf; }"))
    assert found[("POST", "/api/v1/Oidc/backchannelLogout")] == OPEN


def test_check_vhost_sees_keys_that_cover_passwords(lab):
    found = judged(lab, ["api-keys"], templates=replaced(
        "http.conf", r'[^|]*\|1\|1\|"  public', r'[^|]*\|[01]\|1\|"  public'))
    assert found == {("GET", "/api/v1/App/user"): OPEN}


def test_check_vhost_sees_tokens_that_open_too_much(lab):
    found = judged(lab, ["mcp"], templates=replaced(
        "http.conf", r'mcp,[^|]*\|[^|]*\|1\|.\|mcp$"',
        r'mcp,[^|]*\|[^|]*\|[01]\|.\|(?:mcp|oauth-server)$"'))
    assert found == {("GET", "/api/v1/Account"): OPEN, ("GET", "/api/v1/App/user"): OPEN}
    found = judged(lab, ["mcp"], templates=replaced(
        "http.conf", r'mcp,[^|]*\|[^|]*\|1\|1\|mcp-without-token$"',
        r'mcp,[^|]*\|[^|]*\|1\|1\|"'))
    assert found[("GET", "/api/v1/Account")] == OPEN
    found = judged(lab, ["oauth-server"], templates=replaced(
        "http.conf", '_bearer$espocrm_odd_path$espocrm_without_login ',
        '_bearer${espocrm_odd_path}0 '))
    assert ("POST", "/api/v1/User/passwordChangeRequest") in found


def test_check_vhost_sees_an_open_page_of_consent(lab):
    found = judged(lab, ["oauth-server"], templates=replaced(
        "http.conf", '"~^00 POST /oauth/token(?:/revoke)?/?$"', '"~^00 [A-Z]+ /oauth/"'))
    assert found[("POST", "/oauth/authorize")] == OPEN
    found = judged(lab, ["mcp"], templates=replaced(
        "http.conf", r'"~^/oauth/(?:authorize|token(?:/revoke)?)/?$"',
        r'"~^/oauth/token(?:/revoke)?$"'))
    assert found == {(m, u): CLOSED for m, u in (
        ("GET", "/oauth/authorize?client_id=0123456789checkvhost"), ("POST", "/oauth/authorize"))}


def test_check_vhost_sees_half_matched_arguments(lab):
    """As with $arg_entryPoint, which is the first argument, while PHP takes the last."""
    found = judged(lab, ["campaigns"], templates=replaced(
        "http.conf", r'"~^00 (?:GET|HEAD) /\?entryPoint=campaignTrackOpened&id=\w+$"',
        r'"~^0[01] (?:GET|HEAD) /\?entryPoint=campaignUrl\b"'))
    assert any("&entryPoint=avatar" in url for (_, url), v in found.items() if v == OPEN)
    assert ("GET", "/?entryPoint=campaignTrackOpened&id=0123456789checkvhost") in found


def test_check_vhost_sees_paths_that_climb(lab):
    def change(folder):
        replaced("http.conf", r'"~^0[01] [A-Z]+ /api/v1/portal-access/[\w-]+/"',
                 r'"~^[01][01] [A-Z]+ /api/v1/portal-access/"')(folder)
        replaced("fpm.conf", "    if ($espocrm_odd_api) { return 404; }\n", "")(folder)
    found = judged(lab, ["portal", "lead-capture"], templates=change)
    assert found[("GET", "/api/v1/portal-access/../Account")] == OPEN


def test_check_vhost_sees_an_api_that_begins_anywhere(lab):
    def change(folder):
        replaced("fpm.conf", "    if ($espocrm_odd_api) { return 404; }\n", "")(folder)
    with VhostSite(lab, "fpm", ["api-keys"], templates=change) as site:
        site.state.check_hits = False
        code, result, _ = check_vhost(site)
    assert code == 1
    bad = {(r["note"], r["url"], r["verdict"]) for r in result["urls"] if not r["good"]}
    # A key is heard at some, a session would be at all.
    assert {url for note, url, found in bad if note.startswith("API key")} == {
        "/api/v1/" + path for path in (
            "index.php/Settings", "INDEX.php/x", "index.phpx", "index.php/App/user",
            "%70ortal-access/0123456789checkvhost/Settings")}
    assert {(url, found) for note, url, found in bad if not note.startswith("API key")} == {
        (url, PROTECTED) for url in (
            "/api/v1/index.php/Settings", "/api/v1/INDEX.php/x", "/api/v1/index.phpx",
            "/api/v1/index.php/App/user", "/api/v1/%70ortal-access/0123456789checkvhost/Settings",
            "/api/%76%31/Settings", "/%61pi/v1/Settings", "/api//v1/Settings",
            "/x/../api/v1/Settings",
            "/api/v1/portal-access/index.php/0123456789checkvhost/Settings")}


def test_check_vhost_sees_a_key_that_opens_other_switches(lab):
    found = judged(lab, ["api-keys"], templates=replaced(
        "http.conf", '"~^100 /api/v1/(?!portal-access/)" 1;',
        '"~^10[01] /api/v1/(?!portal-access/)" 1;'))
    assert set(found.values()) == {OPEN}
    for method, path in (("POST", "User/passwordChangeRequest"), ("GET", "Settings"),
                         ("POST", "User/password%43hangeRequest"), ("GET", "I18n"),
                         ("POST", "LeadCapture/0123456789abcdef0123456789abcdef"),
                         ("GET", "Oidc/authorizationData")):
        assert (method, "/api/v1/" + path) in found


def test_check_vhost_sees_challenges_that_lead_to_espocrm(lab):
    def change(folder):
        replaced("acme.conf", "    try_files    $uri =404;\n",
                 "    include espocrm/fpm/pass.conf;\n")(folder)
        path = folder / "acme.conf"
        path.write_text(re.sub(r"    if .*\n", "", path.read_text()))
    found = judged(lab, templates=change)
    assert found[("GET", CHALLENGE + "check-vhost")] == OPEN


@pytest.mark.parametrize("variant", VARIANTS)
def test_check_vhost_sees_that_nobody_can_sign_in(lab, variant):
    """The provider is down, or its certificate is not trusted: nothing is open, and it says so."""
    site = VhostSite(lab, variant, start=False)
    site.idp.refuse()
    site.start()
    try:
        code, result, _ = check_vhost(site)
    finally:
        site.stop(check=False)
    assert code == 1 and not wrong(result)
    assert list(bad(result)) == ["a page load leads to the provider"]
    assert bad(result).popitem()[1].startswith("502; ")


# ---- check-vhost and the addresses of a name -------------------------------------------------

ELSEWHERE = ["127.0.0.2"] + (["::1"] if HAS_IPV6 else [])


def former(address, lab, port, plain_port, backend, certificate=None):
    """The vhost that was there before: the same name, at an address of its own, open."""
    host = f"[{address}]" if ":" in address else address
    leaf = certificate or lab.pki.site
    way = f"location / {{ proxy_pass http://127.0.0.1:{backend}; }}"
    return f"""
server {{ listen {host}:{port} ssl; server_name app.test;
    ssl_certificate {leaf.cert_file}; ssl_certificate_key {leaf.key_file}; {way} }}
server {{ listen {host}:{plain_port}; server_name app.test; {way} }}
"""


class TwoVhosts(VhostSite):
    """The site, and another one of its name at `other`: with TLS, without, or both."""

    def __init__(self, lab, other, parts=(True, True), certificate=None):
        self.other, self.parts_of_other, self.certificate = other, parts, certificate
        super().__init__(lab, "fpm", edit=self.beside)
        self.state.check_hits = False

    def beside(self, text):
        text = re.sub(r"^ *listen +\[::1\].*\n", "", text, flags=re.M)
        servers = former(self.other, self.lab, self.port, self.port2, self.backend.port,
                         self.certificate).strip().split("\nserver")
        chosen = [s for s, wanted in zip((servers[0], "server" + servers[1]),
                                         self.parts_of_other) if wanted]
        return text + "\n" + "\n".join(chosen)


def check_addresses(site, *addresses, arguments=()):
    command = [OPS / "check-vhost", site.origin_text, "--json", "--break-glass-port", "0",
               "--cacert", site.lab.pki.ca.file, "--http-port", site.port2, *arguments]
    for address in addresses:
        command += ["--address", address]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def bad(result):
    return {o["what"]: o["is"] for o in result["other"] if not o["good"]}


@pytest.mark.parametrize("other", ELSEWHERE)
def test_check_vhost_sees_a_former_vhost_at_another_address(lab, other):
    place = f"[{other}]" if ":" in other else other
    with TwoVhosts(lab, other) as site:
        code, result, _ = check_addresses(site, "127.0.0.1", other)
        assert code == 1 and not result["good"] and not result["unasked"]
        assert result["addresses"] == [f"127.0.0.1:{site.port}", f"{place}:{site.port}"]
        assert all(r["good"] for r in result["urls"] if r["address"] == "127.0.0.1")
        there = {r["url"]: r["verdict"] for r in result["urls"] if r["address"] == other}
        assert there["/api/v1/App/user"] == there["/"] == OPEN
        found = bad(result)
        told = found.pop(f"{place}:{site.port} is the same server")
        assert "another server answers there" in told and "is open" in told
        assert "/index.php: 200" in found[f"http:// leads to https:// at {place}:{site.port2}"] \
            or found[f"http:// leads to https:// at {place}:{site.port2}"].startswith("200")
        assert f"http:// leads to https:// at 127.0.0.1:{site.port2}" not in found
        # By the addresses of the name, as --resolve gives them.
        both = [f"{site.host}:{site.port}:127.0.0.1,{place}"]
        code, again, _ = check_addresses(site, arguments=("--resolve", *both))
        assert code == 1 and again["addresses"] == result["addresses"]
        code, alone, _ = check_addresses(site, "127.0.0.1")
        assert code == 0 and alone["addresses"] == [f"127.0.0.1:{site.port}"]


def test_check_vhost_sees_a_former_vhost_without_tls(lab):
    """It redirects the front page and lets the rest through, as old ones do."""
    with TwoVhosts(lab, "127.0.0.2", (False, True)) as site:
        code, result, _ = check_addresses(site, "127.0.0.1", "127.0.0.2")
    assert code == 1
    assert f"http:// leads to https:// at 127.0.0.2:{site.port2}" in bad(result)
    assert [u["address"] for u in result["unasked"]] == [f"127.0.0.2:{site.port}"]


def test_check_vhost_says_which_address_was_not_asked(closed):
    code, result, _ = check_addresses(closed, "127.0.0.1", "127.0.0.3")
    assert code == 2 and not result["good"] and not wrong(result) and not bad(result)
    assert [u["address"] for u in result["unasked"]] == [f"127.0.0.3:{closed.port}"]
    assert "refused" in result["unasked"][0]["why"]
    if HAS_IPV6:
        code, result, _ = check_addresses(closed, "127.0.0.1", "[::1]")
        assert code == 0 and len(result["addresses"]) == 2, (wrong(result), bad(result))


def test_check_vhost_at_a_server_that_cannot_prove_its_name(lab, tmp_path):
    """The former vhost's certificate has run out or was its own: it is asked all the same, and is
    given no key."""
    (tmp_path / "key").write_text(KEY[::-1])
    with TwoVhosts(lab, "127.0.0.2", (True, False), self_signed(tmp_path)) as site:
        before = len(site.hits())
        code, result, _ = check_addresses(site, "127.0.0.1", "127.0.0.2", arguments=(
            "--api-key-file", tmp_path / "key"))
        assert code == 1 and "CERTIFICATE_VERIFY_FAILED" in bad(result)[
            f"127.0.0.2:{site.port} proves its name"]
        assert f"127.0.0.2:{site.port} is the same server" in bad(result)
        hits = site.hits()[before:]
        assert hits and not any(KEY[::-1].encode() in hit.raw for hit in hits)


def self_signed(folder):
    class Leaf:
        cert_file, key_file = folder / "own.crt", folder / "own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=app.test", "-keyout",
                    Leaf.key_file, "-out", Leaf.cert_file], capture_output=True, check=True,
                   timeout=60)
    return Leaf


def test_check_vhost_with_an_api_key(opened, tmp_path):
    site, secret = opened, KEY[::-1]
    (tmp_path / "key").write_text(secret + "\n")
    key = ("--api-key-file", tmp_path / "key")
    code, result, _ = check_vhost(site)
    assert code == 0 and any("--api-key-file" in text for text in result["untested"])
    code, result, _ = check_vhost(site, *key)
    assert code == 0 and not any("--api-key-file" in text for text in result["untested"])
    assert secret not in json.dumps(result)
    with_key = [r for r in result["urls"] if r["group"] == "API key that was given"]
    assert len(with_key) > 20 and with_key[-1]["url"] == "/api/v1/App/user"
    assert {h.target for h in site.hits() if secret.encode() in h.raw} >= {"/api/v1/App/user"}
    # EspoCRM does not know the key, or its API is gone.
    site.backend.answers["/api/v1/App/user"] = Reply({}, status=404)
    code, result, _ = check_vhost(site, *key)
    assert code == 1 and wrong(result) == {("GET", "/api/v1/App/user"): OPEN}
    site.backend.reset()
    for content in ("", "a b", "\u00e4"):
        (tmp_path / "key").write_text(content)
        code, result, problem = check_vhost(site, *key)
        assert code == 2 and result is None and "--api-key-file" in problem


def test_check_vhost_and_break_glass(emergency):
    """It is closed from elsewhere; from an address that it lets in, it is open."""
    port = ("--break-glass-port", emergency.emergency_port)
    code, result, _ = check_vhost(emergency, *port)
    assert code == 0, bad(result)
    said, = (o for o in result["other"] if "break-glass" in o["what"])
    assert said["good"] and "403 by nginx" in said["is"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_check_vhost_sees_an_open_break_glass(lab, variant):
    class Open(BreakGlass):
        def open_door(self, text):
            return super().open_door(text).replace(f"{ADMIN};", "all;")
    with Open(lab, variant) as site:
        site.state.check_hits = False
        code, result, _ = check_vhost(site, "--break-glass-port", site.emergency_port)
        assert code == 1 and not wrong(result)
        (what, told), = bad(result).items()
        assert "break-glass" in what and "GET /" in told and "allow" in told


@pytest.mark.parametrize("variant", VARIANTS)
def test_check_vhost_sees_a_vhost_without_sign_in(lab, variant):
    found = judged(lab, variant=variant, edit=lambda text: substitute(
        text, [(r"^ +auth_oidc espocrm;", "    auth_oidc off;"),
               (r"include +espocrm/provider\.conf;", "redirect_uri /none;")]))
    for url in ("/", "/api/v1/App/user", "/oauth-callback.php", "/?entryPoint=avatar&id="
                "0123456789checkvhost"):
        assert found[("GET", url)] == OPEN, url


STOCK = """
    auth_oidc off;
    set $dir %s;
    root $dir/public;
    index index.php;
    client_max_body_size 50M;
    location /client { root $dir; }
    location = /oauth-callback.php { auth_oidc espocrm; fastcgi_pass @FCGI@;
        @PARAMS@ }
    location ~ \\.php$ { fastcgi_pass @FCGI@; @PARAMS@ }
    location /api/v1/portal-access { if (!-e $request_filename) {
        rewrite ^/api/v1/(.*)$ /api/v1/portal-access/index.php last; } }
    location /api/v1/ { auth_oidc espocrm; if (!-e $request_filename) {
        rewrite ^/api/v1/(.*)$ /api/v1/index.php last; } }
    location / { auth_oidc espocrm; if (!-e $request_filename) {
        rewrite ^(.*)$ /index.php last; } }
}
"""


def test_check_vhost_sees_rewrites_around_the_sign_in(lab):
    """The configuration of EspoCRM's manual with auth_oidc put where it seems to belong: the
    rewrite ends in the PHP location, which has none."""
    def edit(text):
        start = text.rindex("    auth_oidc espocrm;")
        root = text[text.index("set $espocrm_root ") + len("set $espocrm_root "):].split(";")[0]
        address = text[text.index("set $espocrm_backend ")
                       + len("set $espocrm_backend "):].split(";")[0]
        params = ("fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; "
                  "fastcgi_param QUERY_STRING $query_string; "
                  "fastcgi_param REQUEST_METHOD $request_method; "
                  "fastcgi_param REQUEST_URI $request_uri;")
        return text[:start] + (STOCK % root).replace("@FCGI@", address).replace("@PARAMS@", params)
    found = judged(lab, edit=edit)
    for method, url in (("GET", "/api/v1/App/user"), ("GET", "/install/index.php"),
                        ("GET", "/index.php"), ("POST", "/api/v1/Oidc/backchannelLogout")):
        assert found[(method, url)] == OPEN, url


def test_check_vhost_sees_wrong_switches(lab):
    with VhostSite(lab, "fpm", ["campaigns"]) as site:
        code, result, _ = check_vhost(site, switches=())
        assert code == 1 and set(wrong(result).values()) == {OPEN}
        assert all("campaign" in url or "subscribe" in url or "ogoImage" in url
                   or url.endswith(("ettings", "/I18n", "default=true")) for _, url in wrong(result))
        code, result, _ = check_vhost(site, switches=("campaigns", "portal"))
        assert code == 1 and set(wrong(result).values()) == {PROTECTED}
        assert all("portal" in url for _, url in wrong(result))


def test_check_vhost_sees_missing_headers_and_redirects(lab):
    def edit(text):
        return substitute(text, [(r"return 301 [^;]+;", "return 200 here;")])
    with VhostSite(lab, "fpm", edit=edit, templates=replaced(
            "headers.conf", "add_header Strict-Transport-Security $espocrm_hsts always;",
            "")) as site:
        code, result, _ = check_vhost(site)
        assert code == 1 and not wrong(result)
        assert set(bad(result)) == {
            "Strict-Transport-Security", "http:// leads to https://"}


def test_check_vhost_output(closed):
    command = [str(OPS / "check-vhost"), closed.origin_text, "--cacert",
               str(closed.lab.pki.ca.file), "--http-port", "0",
               "--resolve", f"{closed.host}:{closed.port}:127.0.0.1"]

    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60,
                              check=False)
    done = run()
    assert done.returncode == 0 and "WRONG" not in done.stdout
    assert "ok    protected GET     /api/v1/App/user  (401 login_required)" in done.stdout
    assert "as they should be" in done.stdout.splitlines()[-1]
    assert "not tested" in done.stdout and "ipAddressServerParam" in done.stdout
    assert "--api-key-file" in done.stdout
    done = run("--open", "portal", "--quiet")
    assert done.returncode == 1 and " ok " not in done.stdout
    assert "WRONG protected GET     /portal/  (401 login_required, should be open)" in done.stdout


@pytest.mark.parametrize("arguments, message", [
    (["https://127.0.0.1:1"], "cannot be checked"),
    (["https://127.0.0.1:1", "--open", "everything"], "no such switch: everything"),
    (["https://127.0.0.1:1", "--open", "bearer,mcp"], "bearer excludes mcp: nginx does not start"),
    (["https://127.0.0.1:1", "--open", "oauth-server,mcp", "--open", "bearer"],
     "bearer excludes oauth-server and mcp"),
    (["127.0.0.1"], "not an address of a site"), (["https://a.example/crm"], "not an address"),
    (["https://a.example", "--resolve", "a"], "not HOST:PORT:ADDRESS"),
    (["https://a.example", "--address", "a.example"], "a.example"),
    (["https://a.example", "--resolve", "a:1:b"], "'b'"),
    (["https://a.example", "--api-key-file", "/nonexistent"], "--api-key-file"),
    (["http://a.example", "--api-key-file", __file__], "--api-key-file"),
    (["https://a.example", "--cacert", "/nonexistent"], "--cacert"), ([], "URL")])
def test_check_vhost_that_cannot_check(arguments, message):
    done = subprocess.run([str(OPS / "check-vhost"), *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_check_vhost_and_templates_name_the_same_switches():
    done = subprocess.run([str(OPS / "check-vhost"), "--help"], capture_output=True, text=True,
                          timeout=60, check=True)
    listed = " ".join(done.stdout.split()).split("the site includes:")[1].split("--")[0]
    assert {s.strip() for s in listed.replace("- ", "-").split(",")} \
        == {*SWITCHES, BEARER_SWITCH}
