# SPDX-License-Identifier: Apache-2.0
"""Group N: which location decides, and what is reached around the access phase."""

import posixpath
import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, passes, sane, unauthorized
from harness.site import Site
from harness.wire import Reply

ESPO = """
        index index.php;
        location / { try_files $uri $uri/ =404; }
        location /api/v1/ {
            if (!-e $request_filename) { rewrite ^/api/v1/(.*)$ /api/v1/index.php last; }
        }
        location /api/v1/portal-access {
            if (!-e $request_filename) { rewrite ^/api/v1/(.*)$ /api/v1/portal-access/index.php last; }
        }
        location /portal/ { try_files $uri $uri/ /portal/index.php?$query_string; }
        location ~ \\.php$ {
            fastcgi_pass @FCGI@;
            fastcgi_index index.php;
@FCGI_PARAMS@        }
        location ~ /(\\.htaccess|\\.git|config\\.php|application)$ { deny all; }
        location ^~ /client/ { auth_oidc off; }
        location = /health { auth_oidc off; proxy_pass http://@BACKEND@; }
"""

ESPO_URLS = ["/", "/index.php", "/index.php/", "/index.php/x", "/index.php?x=1", "//index.php",
             "/./index.php", "/x/../index.php", "/%69ndex.php", "/INDEX.PHP", "/index.PHP",
             "/index.php.", "/index.php%20", "/index.php%00", "/index.php;x",
             "/api/v1/App/user", "/api/v1/index.php/App/user", "/api/v1/index.php", "/api/v1/",
             "/api/v1", "/api/v1/Settings", "/api/v1/I18n", "/api/v1/LeadCapture/x",
             "/api/v1/User/passwordChangeRequest", "/api/v1/Oidc/authorizationData",
             "/api/v1/portal-access/x/App/user", "/api/v1/portal-access/index.php",
             "/portal/", "/portal/index.php", "/portal/x", "/install/", "/install/index.php",
             "/?entryPoint=image&id=x", "/?entryPoint=LeadCaptureForm", "/?entryPoint=ChangePassword",
             "/index.php?entryPoint=download", "/cron.php", "/oauth-callback.php", "/data/config.php",
             "/public/../index.php", "/client/../index.php", "/client/%2e%2e/index.php",
             "/client/..%2findex.php", "/health/../index.php", "/health/", "/client.php",
             "/websocket.php", "/api/v1/../../index.php", "/.git/config.php"]


@pytest.fixture(scope="module")
def espo(lab):
    with Site(lab, default_locations=False, server="root @FOLDER@/www;", locations=ESPO,
              public=("/health",), control=False, start=False) as site:
        www = site.folder / "www"
        for name in ("index.php", "cron.php", "oauth-callback.php", "api/v1/index.php",
                     "api/v1/portal-access/index.php", "portal/index.php", "install/index.php",
                     "client/app.js", "data/config.php", "websocket.php"):
            path = www / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("content")
        site.start()
        yield site


@case("N-01")
def test_the_applications_own_configuration(espo):
    """`auth_oidc` at the server: no PHP is reached without a session, by whatever URL."""
    site = espo
    browser = site.browser()
    for url in ESPO_URLS:
        for kind, extra in (("navigate", {}), ("xhr", {}), ("plain", {
                "User-Agent": "kube-probe/1.29"}), ("plain", {"User-Agent": "GoogleHC/1.0"})):
            answer = browser.get(url, kind=kind, headers=extra)
            assert not answer.from_backend and b"content" != answer.body, (url, answer)
            assert answer.status in (302, 400, 401, 403, 404), (url, answer)
    assert site.hits() == []
    assert browser.get("/health").from_backend
    assert browser.get("/client/app.js").body == b"content"
    with site.signed_in("/index.php") as signed:
        for url in ("/", "/index.php", "/api/v1/App/user", "/api/v1/portal-access/x/App/user",
                    "/portal/x", "/cron.php"):
            hit = passes(site, signed.get(url), remote_user="jdoe")
            assert hit.kind == "fastcgi"


SPELLINGS = {
    "parent": "/public/../api", "encoded-dots": "/public/%2e%2e/api",
    "encoded-slash": "/public/..%2fapi", "both": "/public/%2e%2e%2fapi", "matrix": "/public/..;/api",
    "dot": "/./api", "double": "//api", "double-public": "/public//../api", "nul": "/api%00",
    "nul-public": "/public%00/../api", "hash": "/public%23/../api", "query": "/api?x=/public/",
    "backslash": "/public\\..\\api", "upper": "/PUBLIC/x", "trailing-dot": "/public./x",
    "trailing-space": "/public%20/x", "raw-space": "/public /../api", "overlong":
    "/public/%c0%ae%c0%ae/api", "double-encoded": "/public/%252e%252e/api", "unicode":
    "/public/\u2025/api".encode().decode("latin-1"), "tab": "/public/%09/../../api",
    "three-up": "/public/../../api", "slash-dot": "/public/.//../api", "encoded-public":
    "/%70ublic/../api", "prefix": "/publicx", "no-slash": "/public", "fragment": "/api#/public/",
    "question": "/api%3f/public/", "semicolon": "/api;/public/x",
}


@pytest.fixture(scope="module", params=["merge_slashes on;", "merge_slashes off;"],
                ids=["merged", "unmerged"])
def spelled(lab, request):
    locations = """
        location ~ ^/re/public/ { auth_oidc off; proxy_pass http://@BACKEND@; }
        location ~* \\.php$ { proxy_pass http://@BACKEND@; }
        location = /exact { auth_oidc off; proxy_pass http://@BACKEND@; }
        location ^~ /strong/ { auth_oidc off; proxy_pass http://@BACKEND@; }
    """
    with Site(lab, server=request.param, locations=locations) as site:
        yield site


def served(target, merge):
    """The resource that a decoder behind us would serve for a raw target. Without merge_slashes
    an empty segment is a segment (RFC 3986 5.2.4), for nginx as for what is behind it."""
    path = target.partition("?")[0].partition("#")[0]
    path = urllib.parse.unquote(path, "latin-1")
    if merge:
        return posixpath.normpath(re.sub("/+", "/", path))
    out = []
    for part in path.split("/")[1:]:
        if part == "..":
            del out[-1:]
        elif part != ".":
            out.append(part)
    return "/" + "/".join(out)


@pytest.mark.parametrize("target", rows("N-02", SPELLINGS) + rows("N-03", {
    "regex-" + k: v.replace("/public", "/re/public") for k, v in SPELLINGS.items()
    if v.startswith("/public")}) + rows("N-03", {
        "php-in-public": "/public/x.php", "php-info": "/x.php/public/", "exact-slash": "/exact/",
        "exact-query": "/exact?/../api", "exact-parent": "/exact/../api",
        "strong-parent": "/strong/../api", "strong-encoded": "/strong/%2e%2e/api"}))
def test_decision_and_served_resource_agree(spelled, target):
    site = spelled
    site.state.check_hits = False
    for kind in ("navigate", "xhr"):
        browser = site.browser()
        answer = browser.get(target, kind=kind)
        browser.close()
        assert answer.status in (200, 301, 302, 400, 401, 404), answer
        if answer.status == 301:  # nginx adds the slash of a directory
            assert answer.location == site.origin_text + target + "/"
    open_to_all = ("/public/", "/re/public/", "/exact", "/strong/")
    for hit in site.hits():
        resource = served(hit.path, "merge_slashes on" in site.parts["server"])
        assert (resource + "/").startswith(open_to_all), (hit.target, resource)


@pytest.fixture(scope="module")
def site(lab):
    locations = """
        location /rw-in/ { auth_oidc off; rewrite ^/rw-in/(.*)$ /private/$1 last; }
        location /rw-out/ { rewrite ^/rw-out/(.*)$ /public/$1 last; }
        location /rw-break/ { rewrite ^/rw-break/(.*)$ /private/$1 break; proxy_pass http://@BACKEND@; }
        location /try-in/ { auth_oidc off; try_files /nothing /private/tried; }
        location /try-named/ { auth_oidc off; try_files /nothing @app; }
        location @app { proxy_pass http://@BACKEND@; }
        location @open { auth_oidc off; proxy_pass http://@BACKEND@; }
        location /try-open/ { auth_oidc off; try_files /nothing @open; }
        location /err-in/ { auth_oidc off; error_page 404 /private/err; return 404; }
        location /err-code/ { auth_oidc off; error_page 404 =200 /private/err; return 404; }
        location /accel/ { auth_oidc off; proxy_pass http://@BACKEND@; }
        location /internal/ { internal; proxy_pass http://@BACKEND@; }
        location /idx/ { auth_oidc off; index /private/index; root @FOLDER@; }
        location /ssi/ { auth_oidc off; ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
        location /addition/ { auth_oidc off; add_before_body /private/head; addition_types *;
                              proxy_pass http://@BACKEND@; }
        location /mirror/ { auth_oidc off; mirror /private/mirrored; proxy_pass http://@BACKEND@; }
        location /authreq/ { auth_oidc off; auth_request /private/ask; proxy_pass http://@BACKEND@; }
        location /protected-authreq/ { auth_request /public/ask; proxy_pass http://@BACKEND@; }
        location /return/ { return 200 "returned"; }
        location /if/ { if ($arg_r) { return 200 "returned"; } if ($arg_o) { set $o 1; }
                        proxy_pass http://@BACKEND@; }
        location /outer/ {
            proxy_pass http://@BACKEND@;
            location /outer/in/ { proxy_pass http://@BACKEND@; }
            location /outer/open/ { auth_oidc off; proxy_pass http://@BACKEND@;
                location /outer/open/closed/ { auth_oidc idp; proxy_pass http://@BACKEND@; } }
            location /outer/verify/ { auth_oidc_mode verify; proxy_pass http://@BACKEND@;
                location /outer/verify/require/ { auth_oidc_mode require; proxy_pass http://@BACKEND@; } }
            location /outer/modeoff/ { auth_oidc_mode off; proxy_pass http://@BACKEND@; }
        }
        location /limit/ { limit_except GET { deny all; } proxy_pass http://@BACKEND@; }
        location /redirecting/ { auth_oidc_unauthorized redirect; proxy_pass http://@BACKEND@; }
        location /never-redirect/ { auth_oidc_unauthorized 401; proxy_pass http://@BACKEND@; }
        location /intercept/ { proxy_intercept_errors on; error_page 401 403 = @login;
                               proxy_pass http://@BACKEND@; }
        location @login { proxy_pass http://@BACKEND@; }
        location /errpage/ { error_page 401 403 /public/denied; proxy_pass http://@BACKEND@;
                             auth_oidc_unauthorized 401; }
        location /errnamed/ { error_page 401 = @open; proxy_pass http://@BACKEND@;
                             auth_oidc_unauthorized 401; }
        location /slice/ { slice 16; proxy_set_header Range $slice_range; proxy_pass http://@BACKEND@; }
    """
    with Site(lab, locations=locations,
              public=("/public/", "/ssi/", "/addition/", "/mirror/", "/authreq/", "/accel/",
                      "/try-open/", "/outer/open/", "/outer/modeoff/"),
              verify=("/verify/", "/outer/verify/")) as site:
        yield site


@pytest.mark.parametrize("target", rows("N-04", {n: f"/{n}/x" for n in (
    "rw-in", "rw-break", "try-in", "try-named", "err-in", "err-code", "idx")}))
def test_internal_redirects_into_protected_locations(site, target):
    if target == "/idx/x":
        target = "/idx/"
    browser = site.browser()
    answer = browser.get(target)
    assert not answer.from_backend, answer
    if target != "/err-in/x":
        challenge(site, answer)
    assert site.hits() == []
    with site.signed_in() as signed:
        answer = signed.get(target)
        hit = passes(site, answer, remote_user="jdoe")
        assert hit.path.startswith(("/private/", "/try-named/", "/rw-break/"))


@pytest.mark.parametrize("target", rows("N-04", {"rw-out": "/rw-out/x", "try-open": "/try-open/x"}))
def test_internal_redirects_into_public_locations(site, target):
    site.state.check_hits = target != "/try-open/x"
    assert site.browser().get(target).from_backend
    with site.signed_in() as signed:
        hit = passes(site, signed.get(target))
        assert hit.identity() == {}


@case("N-07")
def test_x_accel_redirect(site):
    site.backend.answers["/accel/x"] = Reply(b"", headers=[("X-Accel-Redirect", "/private/file")])
    site.backend.answers["/accel/i"] = Reply(b"", headers=[("X-Accel-Redirect", "/internal/file")])
    site.backend.answers["/file"] = Reply(b"", headers=[("X-Accel-Redirect", "/internal/file")])
    browser = site.browser()
    challenge(site, browser.get("/accel/x"))
    challenge(site, browser.get("/accel/i"))
    assert {h.path for h in site.hits()} == {"/accel/x", "/accel/i"}
    with site.signed_in() as signed:
        passes(site, signed.get("/accel/x"), remote_user="jdoe")
        passes(site, signed.get("/file"), remote_user="jdoe")
        assert site.backend.last.path == "/internal/file"
        assert signed.get("/internal/x").status == 404


@case("N-08")
def test_subrequests_from_public_locations(site):
    """nginx runs no access phase for subrequests. What reaches a protected location this way
    carries no identity, and never one that the client has claimed."""
    site.state.check_hits = False
    site.backend.answers["/ssi/x"] = Reply('<!--#include virtual="/private/included" -->',
                                           ctype="text/html")
    spoof = [("Remote-User", "admin"), ("X-Oidc-Assertion", "admin")]
    browser = site.browser()
    for target in ("/ssi/x", "/addition/x", "/mirror/x", "/authreq/x"):
        answer = browser.get(target, extra=spoof)
        assert answer.status in (200, 401, 403, 500), answer
    site.wait(lambda: any(h.path == "/mirror/x" for h in site.hits()), "mirrored request")
    for hit in site.hits():
        assert b"admin" not in hit.raw and hit.identity() == {}, hit.raw
    sane(site)


@case("N-08")
def test_auth_request_beside_us(site):
    browser = site.browser()
    challenge(site, browser.get("/protected-authreq/x"))
    with site.signed_in() as signed:
        site.state.check_hits = False
        assert signed.get("/protected-authreq/x").from_backend
        assert site.backend.last.headers.all("Remote-User") == ["jdoe"]
        site.backend.answers["/public/ask"] = Reply(b"", status=403)
        assert signed.get("/protected-authreq/x").status == 403


@case("N-10")
def test_return_is_not_protected(site):
    """`return` answers before the access phase: documented, and nginx -t warns."""
    browser = site.browser()
    assert browser.get("/return/x").body == b"returned"
    assert browser.get("/if/x?r=1").body == b"returned"
    challenge(site, browser.get("/if/x"))
    challenge(site, browser.get("/if/x?o=1"))
    with site.signed_in() as signed:
        passes(site, signed.get("/if/x?o=1"), remote_user="jdoe")


@case("N-11")
@pytest.mark.parametrize("path, rule", [
    ("/outer/x", "protected"), ("/outer/in/x", "protected"), ("/outer/open/x", "public"),
    ("/outer/open/closed/x", "closed"), ("/outer/verify/x", "verify"),
    ("/outer/verify/require/x", "required"), ("/outer/modeoff/x", "public")])
def test_inheritance(site, path, rule):
    if rule in ("closed", "required"):
        site.state.check_hits = False
    browser = site.browser()
    answer = browser.get(path)
    if rule in ("public", "verify"):
        passes(site, answer, remote_user=None)
    else:
        challenge(site, answer)
    with site.signed_in() as signed:
        passes(site, signed.get(path), remote_user=None if rule == "public" else "jdoe")


@case("N-11")
def test_limit_except(site):
    with site.signed_in() as signed:
        passes(site, signed.get("/limit/x"), remote_user="jdoe")
        assert signed.post("/limit/x", b"x").status == 403
    assert site.browser().post("/limit/x", b"x").status in (401, 403)
    challenge(site, site.browser().get("/limit/x"))


@case("N-11")
def test_unauthorized_policy(site):
    browser = site.browser()
    challenge(site, browser.get("/redirecting/x", kind="xhr"))
    challenge(site, browser.get("/redirecting/x", kind="plain"))
    assert browser.post("/redirecting/x", b"a").status == 401
    assert browser.get("/redirecting/x", kind="prefetch").status == 401
    unauthorized(browser.get("/never-redirect/x"))


@case("N-34")
def test_backend_that_refuses(site):
    for status in (401, 403):
        site.backend.answers["/intercept/x"] = Reply(b"no", status=status, headers=[
            ("WWW-Authenticate", 'Basic realm="EspoCRM"')])
        with site.signed_in() as signed:
            answer = signed.get("/intercept/x")
            assert answer.status == status and answer.from_backend, answer
    challenge(site, site.browser().get("/intercept/x"))


@case("N-34")
def test_error_pages_of_our_denials(site):
    """A denial stays a denial; the page behind it may be public, protected content never is."""
    site.state.check_hits = False
    answer = site.browser().get("/errpage/x")
    assert answer.status == 401, answer
    assert all(h.path == "/public/denied" for h in site.hits())
    answer = site.browser().get("/errnamed/x")
    for hit in site.hits():
        assert hit.identity() == {}
    with site.signed_in() as signed:
        assert signed.get("/errpage/x").from_backend


@case("N-21")
def test_ranges(site):
    site.backend.answers["/range"] = lambda hit: Reply(b"0123456789" * 10, headers=[
        ("Accept-Ranges", "bytes")])
    answer = site.browser().get("/range", headers={"Range": "bytes=0-3"})
    challenge(site, answer)
    answer = site.browser().get("/range", kind="xhr", headers={"Range": "bytes=0-3"})
    assert answer.status == 401 and answer.headers.get("content-range") is None
    answer.json()
    with site.signed_in() as signed:
        assert signed.get("/range", headers={"Range": "bytes=0-3"}).status in (200, 206)
        refused = signed.get("/oidc_callback?code=x&state=foreign", headers={"Range": "bytes=0-3"})
        assert refused.status in (400, 303) and refused.headers.get("content-range") is None


@case("N-22")
def test_conditional_requests(site):
    for headers in ({"If-None-Match": "*"}, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
                    {"If-None-Match": '"x"', "Range": "bytes=0-1"}):
        challenge(site, site.browser().get("/x", headers=headers))
        unauthorized(site.browser().get("/x", kind="xhr", headers=headers))
        refused = site.browser().get("/oidc_callback?code=x&state=y", headers=headers)
        assert refused.status == 400


NESTED = """
    satisfy {satisfy};
    {acl}
    {basic}
    proxy_pass http://@BACKEND@;
"""
ALLOW, DENY = "allow 127.0.0.1; deny all;", "deny all;"


@pytest.fixture(scope="module")
def satisfied(lab):
    blocks = []
    for satisfy in ("any", "all"):
        for acl_name, acl in (("allow", ALLOW), ("deny", DENY), ("none", "")):
            for basic in ("basic", "open"):
                auth = 'auth_basic "x"; auth_basic_user_file @FOLDER@/htpasswd;' \
                    if basic == "basic" else ""
                blocks.append(f"location /{satisfy}-{acl_name}-{basic}/ {{" + NESTED.format(
                    satisfy=satisfy, acl=acl, basic=auth) + "}")
    with Site(lab, locations="\n".join(blocks), verify=("/any-", "/all-"), start=False,
              control=False) as site:
        (site.folder / "htpasswd").write_text("u:{PLAIN}p\n")
        (site.folder / "htpasswd").chmod(0o644)
        site.start()
        yield site


@pytest.mark.parametrize("satisfy", ("any", "all"))
@pytest.mark.parametrize("acl", ("allow", "deny", "none"))
@pytest.mark.parametrize("basic", ("basic", "open"))
@pytest.mark.parametrize("who", ("anonymous", "password", "session", "both"))
@case("N-09")
def test_satisfy(satisfied, satisfy, acl, basic, who):
    site = satisfied
    target = f"/{satisfy}-{acl}-{basic}/x"
    extra = [("Authorization", "Basic dTpw")] if who in ("password", "both") else []
    browser = site.browser()
    if who in ("session", "both"):
        browser.login("/x")
    answer = browser.get(target, extra=extra)
    granted = {"oidc": who in ("session", "both")}
    if acl != "none":
        granted["acl"] = acl == "allow"
    if basic == "basic":
        granted["basic"] = who in ("password", "both")
    good = any(granted.values()) if satisfy == "any" else all(granted.values())
    assert answer.from_backend == good, (granted, answer)
    if not good:
        assert answer.status in (302, 401, 403), answer
        assert not answer.from_backend
    elif granted["oidc"]:
        passes(site, answer, remote_user="jdoe")
    else:
        passes(site, answer, remote_user=None)
