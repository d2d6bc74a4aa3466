# SPDX-License-Identifier: Apache-2.0
"""nginx's own access rules hold for sign-in as well: for the way to the provider, and for every
endpoint of ours."""

import re
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, passes, unauthorized
from harness.site import Site
from harness.wire import Reply

PATHS = {"callback": "/oidc_callback", "logout": "/logout", "frontchannel": "/oidc/front",
         "backchannel": "/oidc/back"}
OWN = tuple(PATHS.values())
DIRECTIVES = {"logout_uri": PATHS["logout"], "frontchannel_logout_uri": PATHS["frontchannel"],
              "backchannel_logout_uri": PATHS["backchannel"]}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ALLOW, DENY = "allow 127.0.0.1; deny all;", "allow 192.0.2.1; deny all;"
BASIC = 'auth_basic "x"; auth_basic_user_file @FOLDER@/users;'
PASSWORD = [("Authorization", "Basic dTpw")]
STATUS = "location = /metrics { auth_oidc off; satisfy any; allow all; auth_request off; oidc_status; }\n"
KINDS = ("navigate", "xhr", "image", "iframe", "prefetch", "old", "none")


def at_endpoints(text):
    return "".join(f"location = {path} {{ {text} }}\n" for path in OWN)


@pytest.fixture
def make(lab):
    made = []

    def make(server="", locations="", directives=None, **more):
        site = Site(lab, directives={**DIRECTIVES, **(directives or {})}, server=server, control=False,
                    locations=locations + STATUS, own_paths=OWN, public=("/public/", "/metrics", "/ask"),
                    start=False, **more)
        made.append(site)
        (site.folder / "users").write_text("u:{PLAIN}p\n")
        (site.folder / "users").chmod(0o644)
        site.start()
        return site
    yield make
    while made:
        made.pop().stop()


def metric(site, name):
    text = site.browser().get("/metrics?format=prometheus", kind="none").text
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)
    assert values, text
    return sum(map(float, values))


def ask(site, browser, name, sid="", **kw):
    """What the endpoint is for: of a login that has succeeded, of a session that is to end."""
    if name == "callback":
        return browser.callback(browser.callback_url(browser.start("/start/x")), **kw)
    if name == "backchannel":
        body = urllib.parse.urlencode({"logout_token": site.idp.logout_token(sid=sid)}).encode()
        return browser.post(PATHS[name], body=body, kind="none", cookies=False, headers=FORM, **kw)
    query = urllib.parse.urlencode({"iss": site.idp.issuer, "sid": sid})
    return browser.get(PATHS[name] + (f"?{query}" if name == "frontchannel" else ""), **kw)


DONE = {"callback": 303, "logout": 302, "frontchannel": 200, "backchannel": 200}


def denied(site, answer, status=403):
    """By nginx, without a trace of ours."""
    assert answer.status == status and answer.by_nginx, f"{answer}\n{site.log_since_mark()}"
    assert answer.set_cookies() == [] and answer.location is None, answer
    assert site.refusals() == [], site.log_since_mark()
    if status == 403:
        assert "access forbidden by rule" in site.log_since_mark()


# The login begins where the rule does not hold: the way to the callback has rules of its own.
OPEN_START = "location /start/ { allow all; proxy_pass http://@BACKEND@; }\n"


def with_session(site, extra=()):
    site.idp.claims = lambda claims: {**claims, "sid": "s-1"}
    browser = site.browser()
    answer = browser.callback(browser.callback_url(browser.start("/start/x")), extra=extra)
    assert answer.status == 303 and browser.session_cookie, answer
    return browser


def has_session(site, browser, cookie):
    return browser.get("/start/x", headers={
        "Cookie": f"{site.session_cookie_name}={cookie}"}).from_backend


# Rules of a location, of the server, of a location around them: who sends the request is denied.
RULES = {
    "location": ("", lambda path: f"location = {path} {{ {DENY} }}", 403),
    "prefix": ("", lambda path: f"location ^~ {path} {{ {DENY} }}", 403),
    "regex": ("", lambda path: f"location ~ ^{path}$ {{ {DENY} }}", 403),
    "nested": ("", lambda path: f"location {path[:-1]} {{ {DENY} location = {path} {{ }} }}", 403),
    "limit-except": ("", lambda path: f"location = {path} {{ limit_except PUT {{ deny all; }} }}", 403),
    "password": ("", lambda path: f"location = {path} {{ {BASIC} }}", 401),
    "both": ("", lambda path: f"location = {path} {{ {ALLOW} {BASIC} }}", 401),
    "auth-oidc-off": ("", lambda path: f"location = {path} {{ auth_oidc off; {DENY} }}", 403),
}


@pytest.mark.parametrize("rule", rows("N-47", {k: k for k in RULES}))
def test_an_endpoint_that_is_denied(make, rule):
    """Nothing is done there: no session begins, none ends, nothing is counted."""
    server, location, status = RULES[rule]
    for name, path in PATHS.items():
        if rule == "auth-oidc-off" and name == "callback":
            continue  # nginx -t refuses that
        site = make(server, OPEN_START + location(path))
        browser = site.browser() if name == "callback" else with_session(site)
        cookie = browser.session_cookie
        logins = metric(site, "oidc_logins_total")
        site.again()
        denied(site, ask(site, browser, name, "s-1"), status)
        assert site.delta("token") == 0
        assert metric(site, "oidc_logins_total") == logins
        assert metric(site, "oidc_logouts_total") == 0
        if cookie:
            assert has_session(site, browser, cookie)
        else:
            assert browser.session_cookie is None


ALLOWED = {
    "location": ("", lambda path: f"location = {path} {{ {ALLOW} }}", ()),
    "server": (ALLOW, lambda path: "", ()),
    "not-where-the-server-denies": (DENY, lambda path: at_endpoints(ALLOW), ()),
    "limit-except": ("", lambda path: f"location = {path} {{ limit_except GET POST {{ deny all; }} }}", ()),
    "password": (BASIC, lambda path: "", PASSWORD),
    "any": ("satisfy any; deny all;", lambda path: "", ()),
}


@pytest.mark.parametrize("rule", rows("N-47", {"allowed-" + k: k for k in ALLOWED}))
def test_an_endpoint_that_is_allowed(make, rule):
    server, location, extra = ALLOWED[rule]
    start = OPEN_START.replace("allow all;", "satisfy all; allow all; auth_basic off;")
    for name, path in PATHS.items():
        site = make(server, start + location(path))
        browser = site.browser() if name == "callback" else with_session(site, extra)
        answer = ask(site, browser, name, "s-1", extra=extra)
        assert answer.status == DONE[name], f"{answer}\n{site.log_since_mark()}"
        if name == "callback":
            assert browser.session_cookie
        else:
            assert metric(site, "oidc_logouts_total") == 1


DENIED_PAGES = {"server": (DENY, ""), "location": ("", f"location /x {{ {DENY} }}"),
                "geo": ("", "location /x { if ($outsider) { return 403; } }"),
                "password": (BASIC, "")}


@pytest.mark.parametrize("rule", rows("N-48", {k: k for k in DENIED_PAGES}))
def test_nobody_who_is_denied_is_sent_to_the_provider(make, rule):
    server, locations = DENIED_PAGES[rule]
    site = make(server, locations, http="geo $outsider { default 0; 127.0.0.1 1; }\n")
    browser = site.browser()
    for kind in KINDS:
        for method in ("GET", "POST", "PUT"):
            answer = browser.request(method, "/x", kind=kind, body=b"" if method != "GET" else None)
            assert answer.status == (401 if rule == "password" else 403), answer
            assert answer.set_cookies() == [] and answer.location is None, answer
            assert answer.by_nginx, answer
    assert site.delta("authorize") == 0 and site.hits() == [] and site.refusals() == []
    assert metric(site, "oidc_challenges_total") == metric(site, "oidc_login_redirects_total") == 0
    if rule == "password":
        challenge(site, browser.get("/x", extra=PASSWORD))
        unauthorized(browser.get("/x", kind="xhr", extra=PASSWORD))


@case("N-48")
def test_a_session_does_not_help_who_is_denied(make):
    site = make("", OPEN_START + f"location /x {{ {DENY} proxy_pass http://@BACKEND@; }}")
    browser = with_session(site)
    site.again()
    denied(site, browser.get("/x"))
    assert has_session(site, browser, browser.session_cookie)


@case("N-48")
def test_step_up_and_plain_pages_after_the_rules(make):
    """More than is wanted of a session, an error page of nginx's 403: the rule is heard first."""
    site = make("error_page 403 /refused;", OPEN_START + f"""
        location /stronger/ {{ auth_oidc_acr_values gold; {DENY} proxy_pass http://@BACKEND@; }}
        location /closed/ {{ {DENY} proxy_pass http://@BACKEND@; }}
        location = /refused {{ allow all; proxy_pass http://@BACKEND@; }}
        location /named/ {{ error_page 403 @refused; {DENY} proxy_pass http://@BACKEND@; }}
        location @refused {{ allow all; proxy_pass http://@BACKEND@; }}
        location /on-purpose/ {{ error_page 403 = @sign_in; {DENY} proxy_pass http://@BACKEND@; }}
        location @sign_in {{ allow all; proxy_pass http://@BACKEND@; }}""")
    for path in ("/stronger/x", "/closed/x", "/named/x"):
        denied(site, site.browser().get(path))
    # Another status was asked for in its place.
    challenge(site, site.browser().get("/on-purpose/x"))
    browser = with_session(site)
    answer = browser.get("/stronger/x")
    assert answer.status == 403 and answer.from_backend, answer  # the error page, for a user
    assert answer.set_cookies() == []


# A refusal of nginx's, and the page that answers it, which is protected itself. A status of None: by
# `=` the page is asked for in place of the refusal.
PAGES = {
    "deny": ("error_page 403 @page;", DENY, "allow all;", 403),
    "deny-path": ("error_page 403 /page;", DENY, "allow all;", 403),
    "deny-other-status": ("error_page 403 =404 @page;", DENY, "allow all;", 404),
    "password": ("error_page 401 @page;", BASIC, "auth_basic off;", 401),
    "limit": ("error_page 429 @page;", "limit_req zone=none; limit_req_status 429;", "", 429),
    "missing": ("error_page 404 @page;", "auth_oidc off; root @FOLDER@;", "auth_oidc idp;", 404),
    "backend-down": ("error_page 502 @page;", "auth_oidc off; proxy_pass http://unix:@FOLDER@/none;",
                     "auth_oidc idp;", 502),
    "deny-asked": ("error_page 403 = @page;", DENY, "allow all;", None),
    "deny-asked-200": ("error_page 403 =200 @page;", DENY, "allow all;", None),
    "password-asked": ("error_page 401 = @page;", BASIC, "auth_basic off;", None),
    "deny-asked-denied-there": ("error_page 403 = @page;", DENY, DENY, 403),
}


@pytest.mark.parametrize("pages", rows("N-50", {k: k for k in PAGES}))
def test_a_refusal_is_no_way_to_sign_in(make, pages):
    """Unless `=` puts the page in its place: then the rules of the page count, and nothing else."""
    error_page, refused, there, status = PAGES[pages]
    site = make("", OPEN_START + f"""
        location /refused/ {{ {error_page} {refused} }}
        location {"=" if "/page" in error_page else ""} {"/page" if "/page" in error_page else "@page"}
            {{ {there} proxy_pass http://@BACKEND@; }}""",
                http="limit_req_zone all zone=none:64k rate=1r/m;\n")
    if pages == "missing":
        site.allow_log("No such file")
    if pages == "backend-down":
        site.allow_log("unix:.*none failed")
    browser = site.browser()
    if pages == "limit":
        challenge(site, browser.get("/refused/x"))  # within the rate
    site.again()
    answer = browser.get("/refused/x")
    if status is None:
        challenge(site, answer)
        # Whoever has signed in sees the page, and not what was refused.
        browser.callback(browser.callback_url(answer))
        page = browser.get("/refused/x")
        assert page.status == 200 and page.from_backend and site.hits()[-1].path == "/refused/x", page
        return
    for kind in ("navigate", "xhr", "old"):
        answer = browser.get("/refused/x", kind=kind)
        assert answer.status == status and answer.by_nginx, f"{answer}\n{site.log_since_mark()}"
        assert answer.set_cookies() == [] and answer.location is None, answer
    assert (answer.headers.get("www-authenticate") is not None) == (status == 401), answer
    assert site.delta("authorize") == 0 and site.hits() == [] and site.refusals() == []


@pytest.mark.parametrize("server, extra", rows("N-50", {
    "address": ("satisfy any; allow all;", []), "password": ("satisfy any; " + BASIC, PASSWORD),
    "nobody": ("satisfy any; deny all;", None)}))
def test_an_error_page_for_whom_satisfy_any_lets_in(make, server, extra):
    """Whoever is in by another rule sees the page; nobody else is sent to sign in by it."""
    site = make(server, """
        error_page 403 404 502 /page; location = /page { proxy_pass http://@BACKEND@; }
        location /missing/ { auth_oidc off; allow all; root @FOLDER@; }
        location /down/ { auth_oidc off; allow all; proxy_pass http://unix:@FOLDER@/none; }""")
    site.allow_log("No such file")
    site.allow_log("unix:.*none failed")
    site.state.check_hits = False  # who is in by another rule has no session
    for path, status in (("/missing/x", 404), ("/down/x", 502)):
        answer = site.browser().get(path, extra=extra or [])
        assert answer.location is None and answer.set_cookies() == [], answer
        if extra is None:
            assert answer.status in (401, 403) and answer.by_nginx, answer
        else:
            assert answer.status == status and answer.from_backend, f"{answer}\n{site.log_since_mark()}"


@case("N-49")
def test_auth_request_asks_about_who_is_signed_in(make):
    """It comes after the way to the provider and after the callback, with the identity, and never for
    somebody who is not signed in."""
    site = make(BASIC + "auth_request /ask;", """
        location = /ask { internal; auth_oidc off; proxy_set_header X-Who $oidc_claim_sub;
                          proxy_pass http://@BACKEND@; }""")
    site.state.check_hits = False
    site.backend.answers["/ask"] = Reply(b"", status=403)
    browser = site.browser()
    assert browser.get("/x").status == 401  # the password
    answer = browser.get("/x", extra=PASSWORD)
    challenge(site, answer)
    assert browser.get(browser.callback_url(answer), cross_site=True, extra=PASSWORD).status == 303
    assert site.hits() == []
    assert browser.get("/x", extra=PASSWORD).status == 403
    assert [(h.path, h.header("X-Who")) for h in site.hits()] == [("/ask", "u-1001")]
    site.backend.answers["/ask"] = Reply(b"", status=200)
    passes(site, browser.get("/x", extra=PASSWORD), remote_user="jdoe")


@case("N-49")
def test_auth_request_and_a_forwarded_callback(make):
    """The callback goes on to the application, so it is asked about, as the new user."""
    site = make("auth_request /ask;", """
        location = /oidc_callback { auth_oidc idp; proxy_pass http://@BACKEND@; }
        location = /ask { internal; auth_oidc off; proxy_set_header X-Who $oidc_claim_sub;
                          proxy_pass http://@BACKEND@; }""", directives={"callback": "forward"})
    site.state.check_hits = False
    for status in (403, 200):
        site.again()
        site.state.check_hits = False
        site.backend.answers["/ask"] = Reply(b"", status=status)
        browser = site.browser()
        answer = browser.try_login("/x")
        assert site.hits()[0].path == "/ask" and site.hits()[0].header("X-Who") == "u-1001"
        assert answer.from_backend == (status == 200), answer


@case("N-47")
def test_a_forwarded_callback_after_the_rules(make):
    for text, good in ((ALLOW, True), (DENY, False)):
        site = make("", OPEN_START + f"location = /oidc_callback {{ {text} proxy_pass http://@BACKEND@; }}",
                    directives={"callback": "forward"})
        browser = site.browser()
        answer = browser.callback(browser.callback_url(browser.start("/start/x")))
        assert answer.from_backend == good
        if good:
            passes(site, answer, remote_user="jdoe")
            # Neither a response nor anything to answer: a page like any other.
            passes(site, browser.get("/oidc_callback"), remote_user="jdoe")
            site.state.check_hits = False  # it carries no identity
            passes(site, browser.get("/oidc_callback?code=x&state=theirs"), remote_user=None)
        else:
            denied(site, answer)
            assert site.delta("token") == 0


@case("N-47")
def test_who_waits_is_answered_once(make):
    """The provider's documents and its token endpoint are waited for in the second part of the phase."""
    site = make(ALLOW, OPEN_START)
    def late(exchange):
        time.sleep(0.3)
        return exchange.default()
    site.idp.on["token"] = late
    with_session(site)
    assert site.delta("token") == 1 and metric(site, "oidc_logins_total") == 1


@pytest.mark.parametrize("place", rows("N-35", {"own": True, "inherited": False, "forward": None}))
def test_nginx_t_says_that_auth_request_is_not_asked(make, place):
    own = "auth_request /ask;" if place is not False else ""
    site = make("auth_request /ask;" if place is False else "",
                f"location = {PATHS['callback']} {{ {own} proxy_pass http://@BACKEND@; }}"
                "location = /ask { internal; auth_oidc off; }",
                directives={"callback": "forward"} if place is None else None)
    code, out = site.nginx.test()
    said = f'"auth_request" in location "{PATHS["callback"]}" is not asked' in out
    assert code == 0 and said == (place is True), out
