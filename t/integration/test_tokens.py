# SPDX-License-Identifier: Apache-2.0
"""Tokens that a backend is given never are those that have ended: T-41 to T-45, L-41."""

import concurrent.futures
import html
import os
import re
import signal
import threading
import time

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, unauthorized
from harness.site import Site, query_of
from harness.wire import Reply

DIRECTIVES = {"session_refresh": "on before=60s", "logout_uri": "/logout", "read_timeout": "3s",
              "session_idle_ignore": "/header/poll/"}
LOCATIONS = """\
        location /header/ { auth_oidc_header X-Token "Bearer $oidc_access_token";
            proxy_pass http://@BACKEND@; }
        location /proxy/ { proxy_set_header X-Token "Bearer ${oidc_access_token}"; proxy_pass http://@BACKEND@; }
        location /mapped/ { proxy_set_header X-Token $bearer; proxy_pass http://@BACKEND@; }
        location /cgi/ { fastcgi_param HTTP_X_TOKEN $bearer; fastcgi_pass @FCGI@;
@FCGI_PARAMS@        }
        location /body/ { proxy_set_body "token=$oidc_access_token"; proxy_method POST;
            proxy_pass http://@BACKEND@; }
        location /verified/ { auth_oidc_mode verify; auth_oidc_header X-Token "Bearer $oidc_access_token";
            proxy_pass http://@BACKEND@; }
        location /id/ { auth_oidc_header X-Token "Bearer $oidc_id_token"; proxy_pass http://@BACKEND@; }
        location /moved/ { try_files /no-such /header/moved; }
"""
HTTP = 'map $oidc_access_token $bearer { "" ""; default "Bearer $oidc_access_token"; }'
# Those that give the access token away, by how.
GIVES = ("header", "proxy", "mapped", "cgi", "verified", "moved")


def no_identity(path, claims):
    return None  # other headers than the usual ones


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, locations=LOCATIONS, http=HTTP, identity=no_identity,
              own_paths=("/oidc_callback", "/logout"), verify=("/verify/", "/verified/")) as site:
        yield site


def token(hit):
    """The token that the application was given; empty: none."""
    values = hit.headers.all("HTTP_X_TOKEN" if hit.kind == "fastcgi" else "X-Token")
    assert len(values) <= 1, values
    return values[0].removeprefix("Bearer").strip() if values else ""


def ended(site, refresh=True, life=2, **more):
    """A browser whose access token has just ended, and that token."""
    site.idp.refresh_tokens, site.idp.rotate = refresh, True
    site.idp.token_body = lambda body: {**body, "expires_in": life, **more}
    browser = site.browser()
    browser.login("/x")
    first = list(site.idp.access)[-1]
    time.sleep(life + 0.1)
    return browser, first


# ---- what is waited for -------------------------------------------------------------------------

@pytest.mark.parametrize("place", rows("T-41", {name: name for name in GIVES}))
def test_the_request_waits(site, place):
    browser, first = ended(site)
    hit = passes(site, browser.get(f"/{place}/a"))
    assert len(site.idp.refreshes) == 1
    assert token(hit) in site.idp.access and token(hit) != first
    # The next ones have the same, and ask nobody.
    assert token(passes(site, browser.get(f"/{place}/b"))) == token(hit)
    assert len(site.idp.refreshes) == 1


@pytest.mark.parametrize("method", rows("T-41", {m: m for m in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")}))
def test_writes_wait_with_their_body(site, method):
    browser, first = ended(site)
    body = b"x" * 70000
    hit = passes(site, browser.request(method, "/header/a", kind="xhr", body=body))
    assert token(hit) not in ("", first) and hit.body == body
    assert len(site.idp.refreshes) == 1


@case("T-41")
def test_a_body_that_holds_the_token(site):
    browser, first = ended(site)
    hit = passes(site, browser.get("/body/a"))
    sent = hit.body.decode().removeprefix("token=")
    assert sent in site.idp.access and sent != first


@case("T-41")
def test_many_requests_at_once(site):
    """A page after a pause: every request has the new token, of one refresh."""
    browser, first = ended(site)
    cookie = f"{site.session_cookie_name}={browser.session_cookie}"

    def ask(i):
        other = site.browser()
        try:
            return other.get(f"/header/{i}", headers={"Cookie": cookie})
        finally:
            other.close()
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(60)))
    assert [answer for answer in answers if not answer.from_backend] == [], site.log_since_mark()
    given = {token(hit) for hit in site.hits() if hit.path.startswith("/header/")}
    assert len(given) == 1 and first not in given and "" not in given, given
    assert len(site.idp.refreshes) == 1


ENDS = {"navigation": "navigate", "script": "xhr"}


@pytest.mark.parametrize("kind", rows("T-41", ENDS))
def test_a_refresh_that_ends_the_session_refuses_the_request(site, kind):
    browser, _ = ended(site)
    site.idp.refresh_body = lambda _: Reply({"error": "invalid_grant"}, status=400)
    answer = browser.request("GET", "/header/a", kind=kind)
    if kind == "navigate":
        challenge(site, answer)
    else:
        unauthorized(answer)
    assert [hit for hit in site.hits() if hit.path == "/header/a"] == []
    assert "refresh_denied" in site.log_since_mark()


@case("T-41")
def test_a_slow_provider_is_waited_for_within_bounds(site):
    browser, first = ended(site)
    site.idp.on["token"] = lambda x: (time.sleep(1.0), x.default())[1]
    begin = time.monotonic()
    hit = passes(site, browser.get("/header/a"))
    assert 0.9 < time.monotonic() - begin < 2.9 * SLOW
    assert token(hit) not in ("", first)


@case("T-41")
def test_the_client_goes_away_while_its_request_waits(site):
    browser, first = ended(site)
    gate = threading.Event()
    site.idp.on["token"] = lambda x: (gate.wait(10), x.default())[1]
    with site.connect() as connection:
        connection.send(f"GET /header/gone HTTP/1.1\r\nHost: {site.authority()}\r\n"
                        f"Cookie: {site.session_cookie_name}={browser.session_cookie}\r\n\r\n")
        site.wait(lambda: site.delta("token") == 2, "refresh")
    gate.set()
    site.wait(lambda: len(site.idp.refreshes) == 1)
    hit = passes(site, browser.get("/header/a"))
    assert token(hit) not in ("", first) and len(site.idp.refreshes) == 1
    assert [h for h in site.hits() if h.path == "/header/gone"] == []


# ---- the ID token -------------------------------------------------------------------------------

def ended_id_token(site, refresh_body=None):
    """The ID token ends long before the access token."""
    site.idp.refresh_tokens = True
    site.idp.claims = lambda c: {**c, "exp": int(time.time()) + 1}
    site.idp.refresh_body = refresh_body
    browser = site.browser()
    browser.login("/x")
    time.sleep(2.1)
    return browser


@case("T-41")
def test_an_id_token_that_a_refresh_brings(site):
    browser = ended_id_token(site)
    site.idp.claims = None
    first = passes(site, browser.get("/id/a"))
    assert token(first).count(".") == 2 and len(site.idp.refreshes) == 1
    assert token(passes(site, browser.get("/id/b"))) == token(first)
    assert len(site.idp.refreshes) == 1


@case("T-42")
def test_an_id_token_that_no_refresh_brings(site):
    browser = ended_id_token(site, lambda body: {**body, "id_token": None})
    for n in range(4):
        assert token(passes(site, browser.get(f"/id/{n}"))) == ""
    assert len(site.idp.refreshes) == 1  # nobody waits for another
    assert "the ID token of" in site.log_since_mark()


# ---- what cannot be had -------------------------------------------------------------------------

@pytest.mark.parametrize("place", rows("T-42", {name: name for name in GIVES}))
def test_without_a_refresh_token_nothing_is_given(site, place):
    browser, _ = ended(site, refresh=False)
    for _ in range(3):
        hit = passes(site, browser.get(f"/{place}/a"))
        assert token(hit) == ""
    if place in ("header", "verified", "moved"):  # nothing is better than "Bearer "
        assert hit.headers.all("X-Token") == []
    assert "the access token of \"jdoe\" is left out, it has ended" in site.log_since_mark()
    assert "no refresh token" in site.log_since_mark()


@case("T-42")
def test_the_line_is_bounded(site):
    browser, _ = ended(site, refresh=False)
    for n in range(25):
        passes(site, browser.get(f"/proxy/{n}"))
    lines = [line for line in site.log_since_mark().splitlines() if "is left out, it has ended" in line]
    assert len(lines) >= 25
    assert sum("[warn]" in line for line in lines) <= 20  # ten a minute and worker


@case("T-42")
def test_requests_that_are_no_use_get_none(site):
    browser, _ = ended(site)
    hit = passes(site, browser.get("/header/poll/a"))
    assert token(hit) == "" and site.idp.refreshes == []
    assert token(passes(site, browser.get("/header/a"))) != ""


FAILURES = {"down": lambda x: x.rst(), "503": lambda x: Reply(b"", status=503, ctype=None)}


@pytest.mark.parametrize("failure", rows("T-42", FAILURES))
def test_a_provider_that_fails(site, failure):
    browser, first = ended(site)
    site.idp.on["token"] = failure
    begin = time.monotonic()
    for n in range(5):
        assert token(passes(site, browser.get(f"/header/{n}"))) == ""
    assert time.monotonic() - begin < 3 * SLOW
    assert site.log_since_mark().count("failed for now") == 1
    del site.idp.on["token"]
    time.sleep(7)  # the first pause
    assert token(passes(site, browser.get("/header/again"))) not in ("", first)


@case("T-42")
def test_a_provider_that_does_not_answer(site):
    browser, _ = ended(site)
    site.idp.on["token"] = lambda x: x.stall(20)
    begin = time.monotonic()
    assert token(passes(site, browser.get("/header/a"))) == ""
    assert 2.5 < time.monotonic() - begin < 6 * SLOW
    begin = time.monotonic()
    assert token(passes(site, browser.get("/header/b"))) == ""
    assert time.monotonic() - begin < 2 * SLOW  # the pause after a failure


@pytest.mark.kills_workers
@case("T-42")
def test_a_worker_that_dies_in_a_refresh(make_site):
    """Its lease stays for a while: one request waits for nothing, no further one does."""
    site = make_site(directives=DIRECTIVES, locations=LOCATIONS, http=HTTP, identity=no_identity, workers=1,
                     own_paths=("/oidc_callback", "/logout"), verify=("/verify/", "/verified/"), control=False)
    browser, first = ended(site)
    gate = threading.Event()
    site.idp.on["token"] = lambda x: (gate.wait(30), x.default())[1]
    with site.connect() as connection:
        connection.send(f"GET /header/dies HTTP/1.1\r\nHost: {site.authority()}\r\n"
                        f"Cookie: {site.session_cookie_name}={browser.session_cookie}\r\n\r\n")
        site.wait(lambda: site.delta("token") == 2, "refresh")
        site.allow_log(r"exited on signal 9")
        (pid,) = site.nginx.worker_pids()
        os.kill(pid, signal.SIGKILL)
    gate.set()
    site.wait(lambda: site.nginx.worker_pids() not in ([], [pid]), "another worker")
    site.state.pids, site.state.lost_connections = site.nginx.worker_pids(), 10000

    def ask(path):
        begin = time.monotonic()
        assert token(passes(site, browser.get(path))) == ""
        return time.monotonic() - begin
    assert 2.5 < ask("/header/a") < 6 * SLOW
    assert max(ask(f"/header/{n}") for n in range(3)) < 2 * SLOW
    # Another session is waited for as ever.
    site.idp.on.clear()
    other, first = ended(site)
    assert token(passes(site, other.get("/header/a"))) not in ("", first)


# ---- all others ---------------------------------------------------------------------------------

@case("T-43")
def test_places_without_tokens_do_not_wait(site):
    browser, first = ended(site, life=6)
    gate = threading.Event()
    site.idp.on["token"] = lambda x: (gate.wait(10), x.default())[1]
    begin = time.monotonic()
    for n in range(5):
        passes(site, browser.get(f"/x{n}"), remote_user="jdoe")
    passes(site, browser.get("/fcgi/x"))
    assert time.monotonic() - begin < 1.5 * SLOW
    site.wait(lambda: site.delta("token") == 2, "refresh in the background")
    gate.set()
    assert token(passes(site, browser.get("/header/a"))) not in ("", first)
    assert len(site.idp.refreshes) == 1


@case("T-43")
def test_a_token_that_lives_is_given_at_once(site):
    """Due and not ended: the refresh is in the background, with the old token."""
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 12}
    browser = site.browser()
    browser.login("/x")
    first = list(site.idp.access)[-1]
    time.sleep(6.5)
    gate = threading.Event()
    site.idp.on["token"] = lambda x: (gate.wait(10), x.default())[1]
    begin = time.monotonic()
    assert token(passes(site, browser.get("/header/a"))) == first
    assert time.monotonic() - begin < 1.5 * SLOW
    gate.set()
    site.wait(lambda: len(site.idp.refreshes) == 1)


# ---- what the provider leaves out ----------------------------------------------------------------

def site_of(make_site, **directives):
    return make_site(directives={**DIRECTIVES, **directives}, locations=LOCATIONS, http=HTTP,
                     identity=no_identity, own_paths=("/oidc_callback", "/logout"),
                     verify=("/verify/", "/verified/"), control=False)


@case("T-44")
def test_a_lifetime_that_is_configured(make_site):
    site = site_of(make_site, access_token_lifetime="2s")
    browser, first = ended(site, expires_in=None)
    assert token(passes(site, browser.get("/header/a"))) not in ("", first)
    # What the answer says is believed.
    site.idp.token_body = lambda body: {**body, "expires_in": 300}
    other = site.browser()
    other.login("/x")
    given = list(site.idp.access)[-1]
    time.sleep(2.1)
    assert token(passes(site, other.get("/header/a"))) == given


@case("T-44")
def test_without_a_lifetime_a_token_is_good_for_ever(make_site):
    site = site_of(make_site)
    browser, first = ended(site, expires_in=None)
    assert token(passes(site, browser.get("/header/a"))) == first and site.idp.refreshes == []


@case("T-45")
def test_a_provider_that_gives_no_refresh_token(site):
    site.browser().login("/x")
    assert re.search(r'\[warn\].*provider "idp" has given no refresh token, so its sessions are not refreshed: '
                     r'most providers want "offline_access"', site.log_since_mark())
    site.again()
    site.idp.refresh_tokens = True
    site.browser().login("/x")
    assert "no refresh token" not in site.log_since_mark()


@pytest.mark.parametrize("typed", rows("L-41", {"metadata": False, "typed-in": True}))
def test_a_hint_whose_key_has_gone(lab, make_site, typed):
    """The provider would refuse the logout: it asks the user without a hint."""
    idp = Idp(lab.keys)
    typed_in = {"end_session_endpoint": idp.url("logout")} if typed else {}
    site = make_site(idp=idp, directives={"logout_uri": "/logout", "logout_token_hint": "on", **typed_in},
                     own_paths=("/oidc_callback", "/logout"), control=False)
    first, second = site.browser(), site.browser()
    first.login("/x")
    second.login("/x")
    query = query_of(first.get("/logout").location)
    site.idp.forget(query["id_token_hint"])
    site.idp.key = lab.keys.rsa2
    site.idp.jwks_keys = [lab.keys.rsa2.jwk()]
    third = site.browser()
    third.login("/x")  # fetches the new keys
    answer = second.get("/logout")
    assert answer.status == 200 and "signed out here" in answer.text
    query = query_of(html.unescape(re.search(r'href="([^"]+)"', answer.text)[1]))
    assert "id_token_hint" not in query and query["client_id"] == site.idp.client_id
    assert "goes without id_token_hint, its key is no longer published" in site.log_since_mark()
    query = query_of(third.get("/logout").location)
    site.idp.forget(query["id_token_hint"])


def old_documents(site):
    """A site whose documents are older than those of a logout may be, and a browser with a session."""
    browser = site.browser()
    browser.login("/x")
    site.set_clock(90)
    return browser


@pytest.mark.parametrize("change", rows("L-41", {"another-key": "rsa2", "another-type": "p256", "same": None}))
def test_a_hint_whose_key_has_gone_unseen(lab, make_site, change):
    """Nobody has signed in since the provider has changed its keys: the logout looks itself."""
    site = make_site(directives={"logout_uri": "/logout", "logout_token_hint": "on"}, clock="all",
                     own_paths=("/oidc_callback", "/logout"), control=False)
    browser, other = old_documents(site), site.browser()
    if change:
        site.idp.key, site.idp.alg = getattr(lab.keys, change), "ES256" if change == "p256" else "RS256"
        site.idp.jwks_keys = [site.idp.key.jwk()]
    before = site.delta("jwks")
    answer = browser.get("/logout")
    assert site.delta("jwks") == before + 1
    if change:
        assert answer.status == 200 and "signed out here" in answer.text, answer
        assert "goes without id_token_hint, its key is no longer published" in site.log_since_mark()
    else:
        site.idp.forget(query_of(answer.location)["id_token_hint"])
    # Fresh ones are not fetched once more.
    other.login("/x")
    site.idp.forget(query_of(other.get("/logout").location)["id_token_hint"])
    assert site.delta("jwks") == before + 1


@pytest.mark.parametrize("failure", rows("L-41", {"stalls": lambda x: x.stall(20), "down": lambda x: x.rst(),
                                                  "503": lambda x: Reply(b"", status=503, ctype=None)}))
def test_a_logout_does_not_wait_long_for_keys(make_site, failure):
    """What is known serves: the session has ended here, and the provider is asked as before."""
    site = make_site(directives={"logout_uri": "/logout", "logout_token_hint": "on", "read_timeout": "15s"},
                     clock="all", own_paths=("/oidc_callback", "/logout"), control=False)
    second = site.browser()
    second.login("/x")
    first = old_documents(site)
    site.idp.on["jwks"] = failure
    for browser in (first, second):
        begin = time.monotonic()
        query = query_of(browser.get("/logout").location)
        assert time.monotonic() - begin < 5 * SLOW
        site.idp.forget(query["id_token_hint"])
        assert browser.get("/x").status == 302
    site.idp.on.clear()


# ---- subrequests ---------------------------------------------------------------------------------

ASKING = """\
        location = /ask { internal; auth_oidc off; proxy_set_header X-Token $bearer; proxy_pass http://@BACKEND@; }
        location = /ask-protected { internal; auth_oidc idp; proxy_set_header X-Token "Bearer $oidc_access_token";
            proxy_pass http://@BACKEND@; }
        location /asks/ { auth_request /ask; proxy_pass http://@BACKEND@; }
        location /asks-protected/ { auth_request /ask-protected; proxy_pass http://@BACKEND@; }
        location /asks-files/ { auth_request /ask; root @FOLDER@; }
        location /asks-not/ { auth_request /none; proxy_pass http://@BACKEND@; }
        location = /none { internal; auth_oidc off; proxy_pass http://@BACKEND@; }
        location /pages/ { ssi on; ssi_types text/plain; root @FOLDER@; }
        location /mirrored/ { mirror /copy; proxy_pass http://@BACKEND@; }
        location = /copy { internal; proxy_set_header X-Token $bearer; proxy_pass http://@BACKEND@; }
"""


@pytest.fixture
def asking(make_site):
    site = make_site(directives=DIRECTIVES, locations=LOCATIONS + ASKING, http=HTTP, identity=no_identity, control=False,
                     own_paths=("/oidc_callback", "/logout"), verify=("/verify/", "/verified/"))
    for folder in ("pages", "asks-files"):
        (site.folder / folder).mkdir()
        (site.folder / folder).chmod(0o755)
        (site.folder / folder / "x").write_text('a <!--# include virtual="/mapped/part" --> b')
        (site.folder / folder / "x").chmod(0o644)
    return site


def given(site, path):
    hits = [hit for hit in site.hits() if hit.path == path]
    assert len(hits) == 1, [hit.path for hit in site.hits()]
    return token(hits[0])


@pytest.mark.parametrize("place, asked", rows("T-46", {
    "off": ("asks", "/ask"), "protected": ("asks-protected", "/ask-protected"), "files": ("asks-files", "/ask")}))
def test_what_auth_request_asks_is_given_a_token_that_lives(asking, place, asked):
    asking.state.check_hits = False
    browser, first = ended(asking)
    answer = browser.get(f"/{place}/x")
    assert answer.status == 200, answer
    assert given(asking, asked) in asking.idp.access and given(asking, asked) != first
    assert len(asking.idp.refreshes) == 1


@case("T-46")
def test_a_refresh_that_ends_the_session_refuses_before_auth_request(asking):
    browser, _ = ended(asking)
    asking.idp.refresh_body = lambda _: Reply({"error": "invalid_grant"}, status=400)
    asking.again()
    challenge(asking, browser.get("/asks/x"))
    assert asking.hits() == []


@case("T-46")
def test_an_auth_request_without_a_token_waits_for_nothing(asking):
    asking.state.check_hits = False
    browser, _ = ended(asking, life=6)
    gate = threading.Event()
    asking.idp.on["token"] = lambda x: (gate.wait(10), x.default())[1]
    begin = time.monotonic()
    assert browser.get("/asks-not/x").from_backend
    assert time.monotonic() - begin < 1.5 * SLOW
    gate.set()


@pytest.mark.parametrize("place, part", rows("T-46", {"ssi": ("pages", "/mapped/part"), "mirror": ("mirrored", "/copy")}))
def test_other_subrequests_do_not_wait_and_are_given_nothing(asking, place, part):
    asking.state.check_hits = False
    browser, first = ended(asking, life=6)
    gate = threading.Event()
    asking.idp.on["token"] = lambda x: (gate.wait(10), x.default())[1]
    assert browser.get(f"/{place}/x").status == 200
    asking.wait(lambda: [hit for hit in asking.hits() if hit.path == part], "the subrequest")
    assert given(asking, part) == ""
    assert "the access token of \"jdoe\" is left out, it has ended" in asking.log_since_mark()
    gate.set()
    # The refresh has begun behind it, for the next one.
    asking.wait(lambda: len(asking.idp.refreshes) == 1, "refresh")
    assert token(passes(asking, browser.get("/header/a"))) not in ("", first)


# ---- nothing behind the word ---------------------------------------------------------------------

AUTHORIZATION = """\
        location /ours/ { proxy_pass http://@BACKEND@; auth_oidc_header Authorization "Bearer $oidc_access_token"; }
        location /ours-id/ { proxy_pass http://@BACKEND@; auth_oidc_header Authorization "Bearer $oidc_id_token"; }
        location /ours-open/ { auth_oidc_mode verify; proxy_pass http://@BACKEND@;
            auth_oidc_header Authorization "Bearer $oidc_access_token"; }
        location /ours-cgi/ { auth_oidc_header Authorization "Bearer $oidc_access_token"; fastcgi_pass @FCGI@;
@FCGI_PARAMS@        }
"""
MAPPED = """\
        location /map/ { proxy_set_header Authorization $bearer; proxy_pass http://@BACKEND@; }
        location /map-open/ { auth_oidc_mode verify; proxy_set_header Authorization $bearer; proxy_pass http://@BACKEND@; }
"""


def authorization(hit):
    return hit.headers.all("HTTP_AUTHORIZATION" if hit.kind == "fastcgi" else "Authorization")


WAYS = {"header": (AUTHORIZATION, ("/ours/a", "/ours-cgi/a"), ("/ours-open/a",)),
        "map": (MAPPED, ("/map/a",), ("/map-open/a",))}


@pytest.mark.parametrize("locations, closed, open_", rows("T-47", WAYS))
def test_no_word_without_a_token(make_site, locations, closed, open_):
    site = make_site(directives={**DIRECTIVES, "session_refresh": "off"}, locations=locations, http=HTTP,
                     identity=no_identity, control=False, verify=("/verify/", *open_))
    own = [("Authorization", "Bearer of-the-client")]
    site.state.check_hits = False
    for path in open_:  # nobody is signed in
        assert authorization(passes(site, site.browser().get(path, extra=own))) == []
    browser, first = ended(site, refresh=False, life=1)
    for path in closed + open_:
        assert authorization(passes(site, browser.get(path, extra=own))) == [], path
    if "ours-id" in locations:
        site.idp.claims = lambda claims: {**claims, "exp": int(time.time()) + 1}
        other = site.browser()
        other.login("/x")
        time.sleep(2.1)
        assert authorization(passes(site, other.get("/ours-id/a", extra=own))) == []
        site.idp.claims = None
    site.idp.token_body = lambda body: {**body, "expires_in": 300}
    fresh = site.browser()
    fresh.login("/x")
    for path in closed + open_:
        assert authorization(passes(site, fresh.get(path, extra=own))) == ["Bearer " + list(site.idp.access)[-1]]


@case("T-47")
def test_a_session_from_before_the_token_was_asked_for(make_site):
    """It holds none: the header is absent, as for nobody."""
    site = make_site(directives={"session_refresh": "off"}, identity=no_identity, control=False)
    browser = site.browser()
    browser.login("/x")
    assert site.reload(locations=AUTHORIZATION + MAPPED, http=HTTP)
    site.state.check_hits = False
    for path in ("/ours/a", "/ours-id/a", "/ours-cgi/a", "/map/a"):
        assert authorization(passes(site, browser.get(path))) == [], path
