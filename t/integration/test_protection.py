# SPDX-License-Identifier: Apache-2.0
"""N-41 and what stands around it: a configuration that reads as closed is closed, or is refused.

t/unit/test_protection.cpp goes through every combination of four levels; here nginx itself reads and serves them: at http
every `auth_oidc` with every mode and each demand alone, at server these and single demands, in a location every combination
with each demand. What is refused is told by nginx -t for a sample."""

import itertools
import os
import random

import pytest

from harness.cases import case, rows
from harness.client import Connection
from harness.idp import Idp
from harness.nginx import MODULE, Nginx
from harness.outcome import challenge, notoken, passes, unauthorized
from harness.ports import free_port
from harness.site import Site
from harness.wire import Reply

PROVIDER = "oidc_provider idp { issuer https://idp.example; client_id crm; }\n"
NOTHING = (None, None, None)
WORDS = {"name": "auth_oidc idp;", "off": "auth_oidc off;", "variable": "auth_oidc $wanted;"}
DEMANDS = {"require": "auth_oidc_require $oidc_user;", "max_age": "auth_oidc_max_age 5m;",
           "acr_values": "auth_oidc_acr_values mfa;"}
PLAIN = [(a, m, None) for a in (None, *WORDS) for m in (None, "require", "verify", "off")]
HTTP = PLAIN + [(None, None, d) for d in DEMANDS]
SERVER = [(a, m, d) for a, m, _ in PLAIN for d in (None, "require", "max_age")] + [(None, None, "acr_values")]
LOCATION = [(a, m, d) for a, m, _ in PLAIN for d in (None, *DEMANDS)]


def text(level):
    auth, mode, demand = level
    return " ".join(filter(None, [WORDS.get(auth), mode and f"auth_oidc_mode {mode};", DEMANDS.get(demand)]))


def reads_closed(levels):
    """The innermost level that says anything about it; `off` and `verify` are words for open."""
    for auth, mode, demand in reversed(levels):
        if auth == "off" or mode in ("verify", "off"):
            return False
        if auth or mode or demand:
            return True
    return False


def expected_refusal(levels):
    """What is left out of the configurations that nginx is to serve."""
    provider = mode = None
    at = dict.fromkeys(("provider", "mode", *DEMANDS), 0)
    for i, (auth, m, demand) in enumerate(levels, 1):
        if auth:
            provider, at["provider"] = auth, i
        if m:
            mode, at["mode"] = m, i
        if demand:
            at[demand] = i
    named = provider in ("name", "variable")
    if named and mode in ("verify", "off") and at["mode"] < at["provider"]:
        return True
    asked = [at[d] for d in DEMANDS] + [at["mode"] if mode != "off" else 0]
    if not named or mode == "off":
        off = max(at["provider"] if provider == "off" else 0, at["mode"] if mode == "off" else 0)
        return any(a and a >= off for a in asked)
    return mode == "verify" and max(at["max_age"], at["acr_values"]) > at["mode"]


def main_text(folder, http, servers):
    user = "user root;" if os.getuid() == 0 else ""
    return f"""load_module {MODULE};
{user} daemon off; worker_processes 1; error_log logs/error.log warn; pid nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off; server_names_hash_max_size 4096; keepalive_requests 100000;
    map $host $wanted {{ default idp; }}
    root {folder};
    {PROVIDER}
    {http}
    {servers}
}}
"""


@pytest.fixture(scope="module")
def folder(lab):
    made = lab.folder / "protection"
    made.mkdir()
    (made / "open").write_text("reached")
    return made


_numbers = itertools.count(1)


def nginx_for(folder, http, servers):
    nginx = Nginx(folder / f"run{next(_numbers)}", "", workers=1)
    nginx.conf.write_text(main_text(folder, http, servers))
    return nginx


def ask_all(port, requests):
    """{request: reached} of many requests for (host, path), none of which navigates."""
    out = {}
    with Connection("127.0.0.1", port, None, "x") as connection:
        for host, path in requests:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode())
            answer = connection.read_response("GET")
            assert answer.status in (200, 401, 403), (host, path, answer)
            out[host, path] = answer.status == 200
            assert (answer.body == b"reached") == (answer.status == 200)
    return out


@pytest.mark.parametrize("http", rows("N-41", {
    "-".join(x or "none" for x in level): (level,) for level in HTTP}))
def test_what_reads_as_closed_is_closed(folder, http):
    """Nobody without a session gets in at any level, unless `off` or `verify` is written there."""
    port = free_port()
    servers, wanted = [], {}
    for i, server in enumerate(SERVER):
        host = f"s{i}.example"
        head = f"server {{ listen 127.0.0.1:{port}; server_name {host}; {text(server)}"
        content = f"alias {folder}/open;"
        if not expected_refusal((http, server)):
            servers.append(f"{head.replace(host, 'own.' + host)} }}")
            wanted["own." + host, "/open"] = (http, server)
        body = ["location / { auth_oidc off; }",
                "location = /oidc_callback { auth_oidc idp; auth_oidc_mode require; }"]
        for j, location in enumerate(LOCATION):
            levels = (http, server, location)
            if not expected_refusal(levels):
                body.append(f"location /l{j} {{ {text(location)} if ($arg_i) {{ set $x 1; }} {content}\n"
                            f"    location /l{j}/in {{ {content} }} }}")
                for path in (f"/l{j}", f"/l{j}?i=1", f"/l{j}/in"):
                    wanted[host, path] = levels
        servers.append(f"{head} {' '.join(body)} }}")
    assert len(wanted) > 100
    nginx = nginx_for(folder, text(http), "\n".join(servers))
    nginx.start([port])
    try:
        reached = ask_all(port, wanted)
    finally:
        assert nginx.stop()
    for key, levels in wanted.items():
        assert not (reached[key] and reads_closed(levels)), levels
    assert any(reached.values())
    assert not all(reached.values()) or http[:2] in ((None, None), ("off", None))
    nginx.remove()


@case("N-41")
def test_what_would_be_open_is_refused(folder):
    refused = [levels for levels in itertools.product(HTTP, SERVER, LOCATION) if expected_refusal(levels)]
    alone = [x for x in refused if sum(level != NOTHING for level in x) == 1]
    sample = alone + random.Random(41).sample(refused, 80)
    assert len(refused) > 10000 and len(alone) > 20
    for http, server, location in sample:
        nginx = nginx_for(folder, text(http), "server { listen 127.0.0.1:1; server_name a.example; "
                          f"{text(server)} location / {{ {text(location)} }} }}")
        code, out = nginx.test()
        assert code != 0 and "[emerg]" in out and "auth_oidc" in out, (http, server, location, out)
        nginx.remove()


@pytest.mark.parametrize("words", rows("N-41", {w.split()[0]: w for w in (
    *WORDS.values(), *DEMANDS.values(), "auth_oidc_mode require;")}))
def test_inside_if(folder, words):
    """nginx itself takes none of them there, nor in limit_except."""
    for block in ("if ($arg_x)", "limit_except GET"):
        nginx = nginx_for(folder, "", "server { listen 127.0.0.1:1; server_name a.example; auth_oidc idp; "
                          f"location / {{ {block} {{ {words} }} }} }}")
        code, out = nginx.test()
        assert code != 0 and "is not allowed here" in out, out
        nginx.remove()


# ---- the variable of auth_oidc ---------------------------------------------------------------

@case("N-42")
def test_only_off_opens(make_site):
    site = make_site(control=False, http="""
        map $arg_p $wanted { idp idp; off off; unknown nobody; case Off; blank " "; }
        map $uri $quiet { default off; /quiet/x ""; }""", public=("/off/", "/quiet/open"),
                     locations="""
        location /off/ { auth_oidc $wanted; proxy_pass http://@BACKEND@; }
        location /two/ { auth_oidc "$wanted$quiet"; proxy_pass http://@BACKEND@; }
        location /quiet/ { auth_oidc $quiet; proxy_pass http://@BACKEND@; }
        location /ssi/ { auth_oidc off; ssi on; ssi_types *; proxy_pass http://@BACKEND@; }""")
    site.allow_log("names the unknown provider")
    browser = site.browser()
    for target in ("/off/x", "/off/x?p=unknown", "/off/x?p=case", "/off/x?p=blank", "/two/x?p=idp",
                   "/two/x?p=off", "/quiet/x"):
        for kind in ("navigate", "xhr"):
            assert browser.get(target, kind=kind).status == 500, target
    assert 'auth_oidc names the unknown provider "", only "off" switches it off' in site.log_since_mark()
    assert site.hits() == []
    challenge(site, browser.get("/off/x?p=idp"))
    assert browser.get("/off/x?p=off").from_backend and browser.get("/quiet/open").from_backend
    # The same for subrequests.
    site.state.check_hits = False
    site.backend.answers["/ssi/x"] = Reply('<!--#include virtual="/quiet/x" -->', ctype="text/html")
    browser.get("/ssi/x")
    assert not [h for h in site.hits() if h.path == "/quiet/x"]


FROM_CLIENT = ("$arg_p", "$http_x_provider", "$cookie_provider", "${arg_p}", "a$arg_p", "$Arg_P", "$host", "$uri",
               "$request_uri", "$document_uri", "$args", "$query_string", "$http_host", "$request_method",
               "$remote_addr", "$ssl_server_name", "$content_type", "$remote_user", "$is_args", "$limit_rate",
               "$1", "$tenant", "$part", "$oidc_provider", "$oidc_claim_idp", "$ssl_client_s_dn", "$uid_got", "$proxy_host",
               "$http_set")
CONFIGURED = ("$mapped", "$by_address", "$split", "$chosen", "$server_name", "$asked", "$mapped$chosen")
SOURCES = """map $arg_p $mapped { default idp; } geo $by_address { default idp; }
split_clients $remote_addr $split { * idp; }\n"""
SERVER_TEXT = r"""server { listen 127.0.0.1:1; server_name idp ~^(?<tenant>.+)\.example$; oidc_base_url https://a.example;
    set $chosen idp; set $http_set idp;
    location / { auth_oidc VALUE; auth_request /ask; auth_request_set $asked $upstream_http_x; }
    location ~ ^/x/(?<part>.*)$ { auth_oidc off; if ($uri ~ (a)) { set $q 1; } }
    location = /ask { internal; auth_oidc off; } location = /oidc_callback { auth_oidc idp; } }"""


@pytest.mark.parametrize("value", rows("N-42", {f"no-{v}": v for v in FROM_CLIENT}))
def test_a_client_does_not_choose_the_provider(folder, value):
    nginx = nginx_for(folder, SOURCES, SERVER_TEXT.replace("VALUE", f'"{value}"'))
    code, out = nginx.test()
    name = value[value.index("$"):].replace("{", "").replace("}", "")
    assert code != 0 and f'"auth_oidc" cannot take its value from "{name}"' in out and "nginx.conf:" in out, out
    nginx.remove()


@pytest.mark.parametrize("value", rows("N-42", {f"yes-{v}": v for v in CONFIGURED}))
def test_the_configuration_chooses_the_provider(folder, value):
    for http, place in (("", value), (f"auth_oidc {value};", "off")):
        nginx = nginx_for(folder, SOURCES + http, SERVER_TEXT.replace("VALUE", place))
        code, out = nginx.test()
        assert code == 0, out
        nginx.remove()


@case("N-42")
def test_an_unknown_variable_is_nginxs_to_refuse(folder):
    nginx = nginx_for(folder, "", SERVER_TEXT.replace("VALUE", "$nosuch"))
    code, out = nginx.test()
    assert code != 0 and 'unknown "nosuch" variable' in out, out
    nginx.remove()


# ---- forwarded callbacks ---------------------------------------------------------------------

@pytest.fixture(scope="module")
def tenants(lab):
    """Two providers on one server, of which the host's name chooses one."""
    idps = [Idp(lab.keys), Idp(lab.keys)]
    providers = {
        "customers": (idps[0], {"callback": "forward", "redirect_uri": "/cb-customers"}),
        "staff": (idps[1], {"callback": "forward", "redirect_uri": "/cb-staff"})}
    with Site(lab, providers=providers, auth="auth_oidc $wanted;", base_url=False, control=False, own_paths=(),
              http="""map "$host$arg_case" $wanted { ~^app\\.test customers; alt.test staff;
                      alt.testoff off; alt.testnone ""; }""", default_locations=False,
              locations="location / { proxy_pass http://@BACKEND@; }") as site:
        yield site
    for idp in idps:
        idp.stop()


def begun(site):
    """A login at app.test, of somebody who is known to `customers` alone, and its response."""
    browser = site.browser()
    first = browser.start("/x")
    return browser, browser.callback_url(first)


def at_the_other(site, browser, target, **kw):
    """The same request with the same cookies, at alt.test."""
    cookies = browser.jar.header("https", "app.test", "/cb-customers")
    return site.browser("alt.test").get(target, headers={"Cookie": cookies}, **kw)


@pytest.mark.parametrize("other, status", rows("N-43", {
    "provider": ("", 400), "off": ("&case=off", 400), "empty": ("&case=none", 500)}))
def test_forwarded_callback_of_another_provider(tenants, other, status):
    site = tenants
    site.allow_log("names the unknown provider")
    site.state.check_hits = False  # the forwarded callback carries the target
    browser, target = begun(site)
    answer = at_the_other(site, browser, target + "&page=any" + other)
    assert not answer.from_backend and answer.status == status, answer
    assert not [c for c in answer.set_cookies() if "SESSION" in c.name]
    assert site.hits() == []
    notoken(site)
    if status == 400:
        assert 'the login was for provider "customers", which auth_oidc does not name here' in site.log_since_mark()
    # It can still be finished where it began, and the session is nobody at the other.
    passes(site, browser.callback(target), remote_user="jdoe")
    mark = len(site.hits())
    answer = at_the_other(site, browser, target.replace("ngxoidc1.", "ngxoidc1.x") + other)
    assert answer.status == (500 if status == 500 else 303) and len(site.hits()) == mark, answer
    if status != 500:
        assert answer.location == site.origin("alt.test") + "/"


@case("N-43")
def test_foreign_callback_at_another_provider(tenants):
    """There the path is an ordinary one."""
    site = tenants
    site.state.check_hits = False
    browser, target = begun(site)
    assert browser.callback(target).from_backend
    mark = len(site.hits())
    for query in ("?code=1&page=any", "?error=x&state=y", "?page=any", ""):
        challenge(site, at_the_other(site, browser, "/cb-customers" + query))
        unauthorized(at_the_other(site, browser, "/cb-customers" + query, kind="xhr"))
    assert len(site.hits()) == mark
    # At home it is the application's.
    assert browser.get("/cb-customers?code=1&page=any").from_backend
    assert site.backend.last.identity() == {}


# ---- subrequests -----------------------------------------------------------------------------

@case("N-08")
def test_requirements_hold_for_subrequests(make_site):
    site = make_site(control=False, http="map $oidc_claim_groups $is_admin { ~(^|,)admin(,|$) 1; default 0; }",
                     verify=("/open/", "/verify/"), public=("/public/",), locations="""
        location /ssi/ { ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
        location /public/ssi/ { auth_oidc off; ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
        location /admin/ { auth_oidc_require $is_admin; proxy_pass http://@BACKEND@; }
        location /asked/ { auth_request /admin/check; proxy_pass http://@BACKEND@; }
        location /mirrored/ { mirror /admin/mirror; proxy_pass http://@BACKEND@; }
        location /open/ { auth_oidc_mode verify; auth_oidc_require $is_admin; proxy_pass http://@BACKEND@; }
        location /401/ { auth_oidc_require $is_admin error=401; proxy_pass http://@BACKEND@; }
        """)
    site.allow_log("auth_oidc_require is not met")
    site.state.check_hits = False
    for page, inner in (("/ssi/a", "/admin/secret"), ("/ssi/v", "/open/secret"), ("/ssi/e", "/401/secret"),
                        ("/public/ssi/a", "/admin/secret"), ("/public/ssi/v", "/open/secret")):
        site.backend.answers[page] = Reply(f'<!--#include virtual="{inner}" -->', ctype="text/html")
    pages = list(site.backend.answers)
    for groups, admin in ((["staff"], False), (["admin"], True), (["xadmin", "administrators"], False)):
        with site.signed_in(groups=groups) as browser:
            for page in pages:
                mark = len(site.hits())
                assert browser.get(page).status == 200
                reached = [h.path for h in site.hits()[mark:]]
                assert any(p.endswith("/secret") for p in reached) == admin, (page, groups, reached)
            assert browser.get("/admin/secret").from_backend == admin
            assert browser.get("/asked/x").status == (200 if admin else 403)
            mark = len(site.hits())
            assert browser.get("/mirrored/x").from_backend
            if admin:
                site.wait(lambda m=mark: any(h.path == "/admin/mirror" for h in site.hits()[m:]), "mirrored request")
    for page in ("/public/ssi/a", "/public/ssi/v"):
        mark = len(site.hits())
        assert site.browser().get(page).status == 200
        assert not [h for h in site.hits()[mark:] if h.path.endswith("/secret")]
    mirrored = [h for h in site.hits() if h.path == "/admin/mirror"]
    assert len(mirrored) == 1
    assert 'subrequest to "/admin/secret" is refused, auth_oidc_require is not met there' in site.log_since_mark()


@pytest.mark.parametrize("value, status", rows("F-require", {
    "true": (True, 200), "text": ("yes", 200), "one": (1, 200), "no-0": (0, 403), "no-false": (False, 403),
    "no-False": ("False", 403), "no-FALSE": ("FALSE", 403), "no-empty": ("", 403), "no-null": (None, 403)}))
def test_values_of_a_requirement(requiring, value, status):
    site = requiring
    with site.signed_in(email_verified=value) as browser:
        assert browser.get("/verified/x").status == status


@pytest.fixture(scope="module")
def requiring(lab):
    with Site(lab, control=False, locations="location /verified/ { auth_oidc_require $oidc_claim_email_verified;"
              " proxy_pass http://@BACKEND@; }") as site:
        yield site


# ---- one server on http and https ------------------------------------------------------------

@pytest.mark.parametrize("base_url", rows("N-46", {"by-name": "", "base-url": "oidc_base_url @ORIGIN@;"}))
def test_one_server_on_http_and_https(make_site, base_url):
    site = make_site(control=False, base_url=base_url or False,
                     listen="listen 127.0.0.1:@PORT2@; listen 127.0.0.1:@PORT@ ssl;", locations="""
        location /any/ { satisfy any; deny all; proxy_pass http://@BACKEND@; }""")

    def plain(target, kind="text/html", method="GET", extra=""):
        with Connection("127.0.0.1", site.port2, None, "app.test") as connection:
            connection.send(f"{method} {target} HTTP/1.1\r\nHost: app.test:{site.port2}\r\nAccept: {kind}\r\n"
                            f"{extra}\r\n".encode())
            return connection.read_response(method)
    for target in ("/x?y=%20z", "/any/x"):
        for method in ("GET", "HEAD"):
            answer = plain(target, method=method)
            assert answer.status == 302 and answer.location == site.origin() + target, answer
            assert not answer.set_cookies() and "no-store" in answer.headers.get("cache-control"), answer
    answer = plain("/x", kind="*/*")
    assert answer.status == 401 and answer.json()["login_url"].startswith("https://"), answer
    # A proxy in front that ends TLS is believed: its browser is on https.
    answer = plain("/x", extra="X-Forwarded-Proto: https\r\n")
    assert answer.location.startswith(site.idp.url("authorize")) and "__Host-" in answer.set_cookies()[0].name, answer
    with site.signed_in() as browser:
        # The session is that of the https site; a cookie without the prefix is none.
        cookie = f"Cookie: NGX_OIDC_SESSION={browser.session_cookie}\r\n"
        assert plain("/x", extra=cookie).location == site.origin() + "/x"
        assert plain("/x", kind="*/*", extra=cookie).status == 401
    assert len(site.hits()) == 1


@case("N-46")
def test_the_port_of_the_https_site(make_site):
    """Of several the usual one; what came over TLS stays where it is."""
    site = make_site(control=False, base_url=False, listen="listen 127.0.0.1:@PORT2@; "
                     "listen 127.0.0.1:@PORT@ ssl; listen 127.0.0.2:@PORT2@ ssl;")
    challenge(site, site.browser().get("/x"))
    with Connection("127.0.0.1", site.port2, None, "app.test") as connection:
        connection.send(b"GET /x HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\n\r\n")
        answer = connection.read_response("GET")
        assert answer.location in (site.origin() + "/x", f"https://app.test:{site.port2}/x"), answer
