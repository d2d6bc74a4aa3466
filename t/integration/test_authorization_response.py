# SPDX-License-Identifier: Apache-2.0
"""Group A: what comes back from the authorization endpoint."""

import concurrent.futures
import threading
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.client import Connection
from harness.idp import Idp
from harness.outcome import challenge, no_session, notoken, page, passes, reject, sane, unauthorized
from harness.site import Site, query_of
from harness.stores import STORE

CALLBACK = "/oidc_callback"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, server="large_client_header_buffers 8 160k;") as site:
        yield site


def started(site, target="/x"):
    """A browser that has been sent to the provider, and the response that did it."""
    browser = site.browser()
    return browser, browser.start(target)


@case("A-01")
def test_normal_login(site):
    browser, first = started(site, "/a?b=1")
    query = challenge(site, first)
    assert query["client_id"] == site.idp.client_id
    assert query["redirect_uri"] == site.origin_text + CALLBACK
    assert "openid" in query["scope"].split(" ")
    assert set(query) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
                          "code_challenge", "code_challenge_method"}
    answer = browser.callback(browser.callback_url(first))
    assert answer.status in (302, 303)
    assert site.path_of(answer.location) == "/a?b=1"
    assert site.delta("token") == 1 and site.idp.complaints == []
    assert browser.pending() == []
    assert STORE == "cookie" or len(browser.session_cookie) == 43
    passes(site, browser.get("/a?b=1"), remote_user="jdoe", remote_email="jdoe@example.org",
           remote_name="John Doe", remote_groups="staff,dev")
    assert [h.path for h in site.hits()] == ["/a"]


@case("A-01")
def test_no_two_logins_share_a_secret(site):
    seen = set()
    for _ in range(20):
        browser, first = started(site)
        query = query_of(first.location)
        for name in ("state", "nonce", "code_challenge"):
            assert query[name] not in seen
            seen.add(query[name])
        browser.close()


@case("A-02")
def test_code_without_state(site):
    browser, _ = started(site)
    answer = browser.callback(CALLBACK + "?code=abc")
    reject(site, answer, "state_missing", 400, consumed=False)
    notoken(site)


@pytest.mark.parametrize("state", rows("A-03", {
    "ours-unknown": "ngxoidc1." + "A" * 43,
    "foreign": "deadbeefdeadbeefdeadbeef",
    "html": "ngxoidc1.<script>alert(1)</script>",
    "prefix-only": "ngxoidc1.",
}))
def test_unknown_state(site, state):
    browser, _ = started(site)
    answer = browser.callback(f"{CALLBACK}?code=abc&state={urllib.parse.quote(state)}")
    reject(site, answer, "state_unknown|state_missing", 400, consumed=False)
    notoken(site)
    assert state not in answer.text and "alert(1)" not in answer.text
    assert len(browser.pending()) == 1


@case("A-03")
def test_state_of_another_browser(site):
    """Login CSRF: the victim's browser gets the attacker's callback URL."""
    attacker, first = started(site)
    target = attacker.callback_url(first)
    victim = site.browser()
    reject(site, victim.callback(target), "state_unknown", 400, consumed=False)
    notoken(site)
    assert victim.session_cookie is None
    victim2, _ = started(site)
    reject(site, victim2.callback(target), "state_unknown", 400, consumed=False, refusals=2)
    notoken(site)


@case("A-03")
def test_unknown_state_with_a_live_session(site):
    """An old tab: the user is signed in, so there is nothing to refuse."""
    with site.signed_in() as browser:
        answer = browser.callback(f"{CALLBACK}?code=abc&state=ngxoidc1.{'B' * 43}")
        assert answer.status == 303 and site.path_of(answer.location) == "/"
        passes(site, browser.get("/still"), remote_user="jdoe")
    notoken(site, 1)


@case("A-06")
def test_two_tabs_in_reverse_order(site):
    browser, first = started(site, "/x?tab=1")
    second = browser.start("/y?tab=2")
    assert len(browser.pending()) == 2
    for response, target in ((second, "/y?tab=2"), (first, "/x?tab=1")):
        answer = browser.callback(browser.callback_url(response))
        assert answer.status in (302, 303), answer
        assert site.path_of(answer.location) == target
        passes(site, browser.get(target), remote_user="jdoe")
    assert browser.pending() == []
    assert site.refusals() == []


@case("A-06")
def test_many_tabs(site):
    """The number of pending logins is bounded, the oldest goes first, the newest always works;
    test_login_cookies.py has the rest."""
    browser = site.browser()
    firsts = [browser.start(f"/tab{i}") for i in range(40)]
    assert len(browser.pending()) == 30
    answer = browser.callback(browser.callback_url(firsts[-1]))
    assert site.path_of(answer.location) == "/tab39"


@case("A-06")
def test_reload_and_back_button(site):
    """The callback URL again after the login: the session is there, no error is shown."""
    browser, first = started(site, "/page")
    target = browser.callback_url(first)
    assert browser.callback(target).status in (302, 303)
    again = browser.callback(target)
    assert again.status == 303 and site.path_of(again.location) in ("/", "/page")
    notoken(site, 1)
    assert site.refusals() == []


@case("A-39")
def test_only_a_login_uses_its_state(site):
    """Errors and codes that the provider does not take leave no trace: anybody can send them."""
    browser, first = started(site)
    url = browser.callback_url(first)
    state = urllib.parse.quote(query_of(first.location)["state"])
    iss = urllib.parse.quote(site.idp.issuer, safe="")
    kept = list(browser.jar.cookies)

    def again(target):
        browser.jar.cookies[:] = kept
        return browser.callback(target)
    reject(site, again(f"{CALLBACK}?error=server_error&state={state}&iss={iss}"), "idp_error")
    reject(site, again(f"{CALLBACK}?code=invented&state={state}&iss={iss}"), "code_refused", 400,
           refusals=2)
    answer = again(url)
    assert answer.status == 303 and site.delta("token") == 2, answer
    browser.jar.cookies[:] = kept
    reject(site, browser.callback(url), "state_replayed", refusals=3)
    assert site.delta("token") == 2


@case("A-39")
def test_whoever_leaves_uses_no_state(site):
    """One who hangs up while the code is being exchanged has signed nobody in."""
    browser, first = started(site)
    url = browser.callback_url(first)
    kept = list(browser.jar.cookies)
    asked = threading.Event()
    go_on = threading.Event()

    def slow(exchange):
        asked.set()
        go_on.wait(20)
        return exchange.default()
    site.idp.on["token"] = slow
    gone = site.nginx.access().count('" 499 ')
    state = urllib.parse.quote(query_of(first.location)["state"])
    iss = urllib.parse.quote(site.idp.issuer, safe="")
    with site.connect(site.host) as connection:
        connection.send(f"GET {CALLBACK}?code=invented&state={state}&iss={iss} HTTP/1.1\r\n"
                        f"Host: {site.authority(site.host)}\r\n"
                        f"Cookie: {browser.jar.header('https', site.host, CALLBACK)}\r\n\r\n")
        assert asked.wait(20)
        connection.rst()
    site.wait(lambda: site.nginx.access().count('" 499 ') > gone, "who has gone")
    site.idp.on.clear()
    go_on.set()
    browser.jar.cookies[:] = kept
    answer = browser.callback(url)
    assert answer.status == 303 and browser.session_cookie, answer
    browser.jar.cookies[:] = kept
    reject(site, browser.callback(url), "state_replayed")


@case("A-07")
def test_same_callback_twice_at_once(site):
    browser, first = started(site, "/twice")
    target = browser.callback_url(first)

    def slow(exchange):
        time.sleep(0.3)
        return exchange.default()
    site.idp.on["token"] = slow
    cookie = browser.jar.header("https", site.host, CALLBACK)

    def once(_):
        one = site.browser()
        answer = one.request("GET", target, cross_site=True, cookies=False,
                             headers={"Cookie": cookie})
        one.close()
        return answer
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(once, range(8)))
    sessions = [a for a in answers if any(c.name == site.session_cookie_name and not c.deletes
                                          for c in a.set_cookies())]
    assert site.delta("token") == 1
    assert len(sessions) == 1
    for answer in answers:
        assert answer.status in (302, 303, 400), answer


@case("A-08")
def test_access_denied(site):
    browser, first = started(site)
    query = query_of(first.location)
    site.idp.authorize_response = lambda pairs: [("error", "access_denied"),
                                                 ("error_description", "no <b>way</b>"),
                                                 *pairs[1:]]
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "access_denied", 403)
    notoken(site)
    assert "<b>way" not in answer.text
    again = browser.callback(f"{CALLBACK}?code=x&state={query['state']}"
                             f"&iss={urllib.parse.quote(site.idp.issuer)}")
    reject(site, again, "state_unknown|state_replayed", 400, consumed=False, refusals=2)
    notoken(site)


@pytest.mark.parametrize("error", rows("A-08", {
    "login-required": "login_required", "server-error": "server_error",
    "temporarily": "temporarily_unavailable", "free-text": "My%20own%20error",
}))
def test_other_errors(site, error):
    browser, first = started(site)
    site.idp.authorize_response = lambda pairs: (
        f"error={error}&state={pairs[1][1]}&iss={urllib.parse.quote(site.idp.issuer)}")
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "idp_error|access_denied")
    notoken(site)


ADVICE = {"login_required": "Open your sign-in service in another tab",
          "interaction_required": "Open your sign-in service in another tab",
          "consent_required": "Open your sign-in service in another tab",
          "account_selection_required": "Open your sign-in service in another tab",
          "unmet_authentication_requirements": "Set up a second factor",
          "temporarily_unavailable": "Wait a few minutes", "server_error": "Wait a minute",
          "invalid_request": "who can put it right", "invalid_scope": "who can put it right",
          "unauthorized_client": "who can put it right",
          "unsupported_response_type": "who can put it right",
          "access_denied": "another account", "their_own": "waiting will not help"}


@pytest.mark.parametrize("error", rows("A-08", {f"advice-{k}": k for k in ADVICE}))
def test_advice_that_helps(site, error):
    browser, first = started(site)
    site.idp.authorize_response = lambda pairs: (
        f"error={error}&state={pairs[1][1]}&iss={urllib.parse.quote(site.idp.issuer)}")
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "access_denied" if error == "access_denied" else "idp_error")
    assert ADVICE[error] in answer.text, answer
    assert sum(text in answer.text for text in set(ADVICE.values())) == 1, answer


@case("A-09")
def test_error_text_is_never_html(site):
    script = "%3Cscript%3Ealert(1)%3C/script%3E"
    browser, _ = started(site)
    for query in (f"error=x{script}&error_description={script}&state=bogus",
                  f"error=x&error_description={script}",
                  f"error={script}&state=ngxoidc1.{script}"):
        answer = browser.callback(f"{CALLBACK}?{query}")
        assert answer.status == 400, answer
        page(answer)
        assert "<script" not in answer.text.lower() and "alert(1)" not in answer.text


@case("A-10")
def test_error_and_code_together(site):
    browser, first = started(site)
    site.idp.authorize_response = lambda pairs: [("error", "access_denied"), *pairs]
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "access_denied|callback_malformed|idp_error")
    notoken(site)


@case("A-10")
def test_error_with_a_wrong_issuer(site):
    browser, first = started(site)
    site.idp.authorize_response = lambda pairs: [
        ("error", "access_denied"), pairs[1], ("iss", "https://evil.example")]
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "issuer_mix_up", 400)
    notoken(site)


@case("A-13")
def test_issuer_promised_but_missing(site):
    browser, first = started(site)
    site.idp.authorize_response = lambda pairs: [p for p in pairs if p[0] != "iss"]
    answer = browser.callback(browser.callback_url(first))
    reject(site, answer, "issuer_missing", 400)
    notoken(site)


@pytest.mark.parametrize("change, good", rows("A-14", {
    "right": (lambda iss: iss, True),
    "wrong-host": (lambda iss: "https://evil.example", False),
    "slash": (lambda iss: iss + "/", False),
    "case": (lambda iss: iss.replace("http", "HTTP"), False),
    "empty": (lambda iss: "", False),
    "absent": (None, True),
}))
def test_issuer_not_promised(lab, make_site, change, good):
    idp = Idp(lab.keys)
    idp.send_iss = False
    site = make_site(idp=idp)
    browser, first = started(site)
    if change:
        idp.authorize_response = lambda pairs: [*pairs, ("iss", change(idp.issuer))]
    answer = browser.callback(browser.callback_url(first))
    if good:
        assert answer.status in (302, 303) and browser.session_cookie, answer
    else:
        reject(site, answer, "issuer_mix_up|issuer_missing", 400)
        notoken(site)


@pytest.fixture(scope="module")
def two(lab):
    """Two providers on one server, each with its own callback."""
    a, b = Idp(lab.keys, client_id="client-a"), Idp(lab.keys, client_id="client-b")
    site = Site(
        lab, providers={"a": (a, {"redirect_uri": "/cb_a"}), "b": (b, {"redirect_uri": "/cb_b",
                                                                       "cookie_name": "B_OIDC"})},
        auth="auth_oidc a;", own_paths=("/cb_a", "/cb_b"),
        locations="location /b/ { auth_oidc b; proxy_pass http://@BACKEND@; }")
    with site:
        yield site
    a.stop()
    b.stop()


@case("A-15")
def test_mix_up_between_two_providers(two):
    a, b = two.providers["a"][0], two.providers["b"][0]
    browser = two.browser()
    first = browser.start("/x")
    state = query_of(first.location)["state"]
    # The user is led to B while the pending login is A's; B mints a code, the answer arrives at
    # B's callback, then at A's.
    other = site_start_b(two)
    minted = urllib.parse.parse_qs(urllib.parse.urlsplit(b.authorize(other.location)).query)
    for path, n in (("/cb_b", 1), ("/cb_a", 2)):
        answer = browser.callback(f"{path}?code={minted['code'][0]}&state={state}"
                                  f"&iss={urllib.parse.quote(b.issuer)}")
        reject(two, answer, "state_unknown|issuer_mix_up|state_replayed", 400, refusals=n,
               consumed=False)
    assert two.delta("token", a) == 0 and two.delta("token", b) == 0
    assert browser.session_cookie is None


def site_start_b(two):
    other = two.browser()
    first = other.start("/b/x")
    other.close()
    return first


@case("A-15")
def test_two_providers_side_by_side(two):
    """A session of one provider never opens what is protected by the other."""
    a, b = two.providers["a"][0], two.providers["b"][0]
    browser = two.browser()
    browser.login("/x", idp=a)
    challenge_b = browser.get("/b/x")
    assert challenge_b.status == 302 and challenge_b.location.startswith(b.base)
    # A's cookie value under B's name.
    value = browser.session_cookie
    thief = two.browser()
    thief.jar.set("__Host-B_OIDC", value)
    assert thief.get("/b/x").status == 302
    assert [h.path for h in two.hits()] == ["/x"]


@pytest.mark.parametrize("method", rows("A-16", {"POST-form": "POST"}) + rows("A-29", {
    m: m for m in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "POST")}))
def test_callback_with_other_methods(site, method):
    browser, first = started(site)
    target = browser.callback_url(first)
    query = target.partition("?")[2]
    if method == "POST":
        answer = browser.post(CALLBACK, query.encode(), headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 400, answer
        assert site.refusals()[-1][1] == "callback_malformed", site.refusals()
        no_session(site, answer)
        answer = browser.post(target, b"")
    else:
        answer = browser.request(method, target)
    assert answer.status == 405, answer
    no_session(site, answer)
    notoken(site)
    # The state was not consumed.
    good = browser.callback(target)
    assert good.status in (302, 303), good


@case("A-21")
def test_callback_without_query(site):
    """It is an ordinary protected URL: challenged, not an error, and no loop afterwards."""
    for target in (CALLBACK, CALLBACK + "?", CALLBACK + "?&&", CALLBACK + "?=&=x"):
        browser = site.browser()
        answer = browser.get(target)
        assert answer.status in (302, 400), answer
        notoken(site)
        if answer.status == 302:
            done = browser.callback(browser.callback_url(answer))
            assert site.path_of(done.location) == "/", done
            site.again()
        browser.close()


@pytest.mark.parametrize("with_code", rows("A-22", {"without-code": False, "with-code": True}))
def test_tokens_in_the_query(site, with_code):
    browser, first = started(site)
    target = browser.callback_url(first)
    grant = next(reversed(site.idp.codes.values()))
    site.idp.claims = lambda c: {**c, "x": "front"}
    genuine = site.idp.id_token(grant, "at-front")
    site.idp.claims = None
    # Without a code it is an ordinary request, which nginx logs like any other.
    site.idp.forget(genuine)
    tokens = f"&id_token={genuine}&access_token=at-front&token_type=Bearer"
    if with_code:
        site.idp.user = {**site.idp.user, "preferred_username": "other"}
        answer = browser.callback(target + tokens)
        assert answer.status in (302, 303), answer
        passes(site, browser.get("/x"), remote_user="jdoe")
    else:
        state = query_of(first.location)["state"]
        answer = browser.callback(f"{CALLBACK}?state={state}{tokens}")
        assert answer.status in (302, 400), answer
        no_session(site, answer)
        notoken(site)


@case("A-23")
def test_login_that_took_too_long(make_site):
    site = make_site(directives={"pre_auth_timeout": "1s"})
    browser, first = started(site, "/late")
    cookie = browser.jar.header("https", site.host, CALLBACK)  # a client that keeps it for ever
    target = browser.callback_url(first)
    time.sleep(2.1)
    answer = browser.request("GET", target, cookies=False, headers={"Cookie": cookie})
    reject(site, answer, "state_expired|state_unknown", 400, consumed=False)
    notoken(site)
    assert 'href="/' in answer.text


@pytest.mark.parametrize("extra", rows("A-24", {
    "some": "&session_state=abc.def&scope=openid+email&foo=1&authuser=0&hd=example.org",
    "two-hundred": "".join(f"&p{i}=v{i}" for i in range(200)),
    "odd": "&&=&a&b=&%C3%A9=%20&session_state",
}))
def test_unknown_parameters_are_ignored(site, extra):
    browser, first = started(site, "/extra")
    answer = browser.callback(browser.callback_url(first) + extra)
    assert answer.status in (302, 303), answer
    assert site.path_of(answer.location) == "/extra"


@pytest.mark.parametrize("name", rows("A-24", {n: n for n in ("code", "state", "iss", "error")}))
def test_repeated_parameters(site, name):
    browser, first = started(site)
    target = browser.callback_url(first)
    answer = browser.callback(f"{target}&{name}=second")
    if name == "error":
        reject(site, answer, "callback_malformed|idp_error|access_denied")
    else:
        reject(site, answer, "callback_malformed", 400, consumed=False)
    notoken(site)
    assert browser.session_cookie is None


@case("A-24")
def test_more_parameters_than_anybody_needs(site):
    browser, first = started(site)
    answer = browser.callback(browser.callback_url(first) + "".join(f"&p{i}=v" for i in range(5000)))
    assert answer.status in (302, 303, 400), answer
    sane(site)


@case("A-25")
def test_callback_over_plain_http(make_site):
    site = make_site(server="listen 127.0.0.1:@PORT2@;")
    browser, first = started(site, "/plain")
    target = browser.callback_url(first)
    cookie = browser.jar.header("https", site.host, CALLBACK)
    with Connection("127.0.0.1", site.port2) as plain:
        plain.send(f"GET {target} HTTP/1.1\r\nHost: {site.host}:{site.port2}\r\n"
                   f"Cookie: {cookie}\r\nAccept: text/html\r\n\r\n")
        answer = plain.read_response()
    assert answer.status in (301, 302, 303, 307, 308, 400), answer
    no_session(site, answer)
    assert not [c for c in answer.set_cookies() if not c.deletes]
    notoken(site)
    if answer.location:
        assert answer.location.startswith(site.origin_text)


@case("A-26")
def test_hygiene_of_answers(site):
    browser, first = started(site, "/clean")
    target = browser.callback_url(first)
    code = urllib.parse.parse_qs(target.partition("?")[2])["code"][0]
    answer = browser.callback(target)
    assert "no-store" in answer.headers.get("cache-control")
    assert answer.headers.get("referrer-policy") == "no-referrer"
    assert code not in answer.location and code not in answer.text
    browser2, first = started(site)
    site.idp.on["token"] = lambda x: b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"
    target = browser2.callback_url(first)
    refused = browser2.callback(target)
    page(refused)
    code = urllib.parse.parse_qs(target.partition("?")[2])["code"][0]
    assert code not in refused.text


@pytest.mark.parametrize("kind", rows("A-27", {
    k: k for k in ("image", "script", "iframe", "prefetch", "prerender", "xhr")}))
def test_only_navigations_start_a_login(site, kind):
    browser = site.browser()
    # A frame of our own pages shows a page: Q-11.
    unauthorized(browser.get("/pic.png", kind=kind, fetch_site="cross-site"))
    assert browser.pending() == []
    assert site.hits() == []


@case("A-27")
def test_old_browsers_without_fetch_metadata(site):
    browser = site.browser()
    challenge(site, browser.get("/x", kind="old"))
    unauthorized(site.browser().get("/x", kind="plain"))
    unauthorized(site.browser().get("/x", kind="old",
                                    headers={"X-Requested-With": "XMLHttpRequest"}))


@pytest.mark.parametrize("path", rows("A-28", {
    "slash": "/oidc_callback/", "below": "/oidc_callback/x", "double": "//oidc_callback",
    "dot": "/./oidc_callback", "upper": "/OIDC_CALLBACK", "escaped-question": "/oidc_callback%3f",
    "matrix": "/oidc_callback;x=1", "nul": "/oidc_callback%00", "space": "/oidc_callback%20",
    "parent": "/x/../oidc_callback", "escaped": "/%6fidc_callback", "longer": "/oidc_callback2",
}))
def test_look_alikes_of_the_callback(site, path):
    browser, first = started(site)
    query = browser.callback_url(first).partition("?")[2]
    site.idp.forget(query)  # an ordinary request, logged by nginx like any other
    answer = browser.callback(f"{path}?{query}")
    normalised = path in ("//oidc_callback", "/./oidc_callback", "/x/../oidc_callback",
                          "/%6fidc_callback")
    assert not answer.from_backend
    if normalised:
        assert answer.status in (302, 303, 400), answer
    else:
        notoken(site)
        no_session(site, answer)
        if path.endswith("%00"):
            assert answer.status == 400
        else:
            challenge(site, answer)
    assert site.hits() == []


@pytest.mark.parametrize("state", rows("A-30", {
    "64k": "ngxoidc1." + "a" * 65536, "binary": "%ff%fe%01%02", "empty": "",
    "nul": "ngxoidc1.%00" + "A" * 42, "nul-inside": "ngxoidc1.AAAA%00BBBB",
    "bad-escape": "ngxoidc1.%zz", "cut-escape": "ngxoidc1.%4", "raw-high": "ngxoidc1.\xff\xfe",
    "newline": "ngxoidc1.a%0d%0aSet-Cookie:%20x=y",
}))
def test_states_that_are_no_states(site, state):
    browser, _ = started(site)
    answer = browser.callback(f"{CALLBACK}?code=abc&state={state}")
    assert answer.status == 400, answer
    assert answer.headers.get("set-cookie") is None or "x=y" not in answer.headers.get("set-cookie")
    notoken(site)
    sane(site)


@case("A-30")
def test_huge_code(site):
    browser, first = started(site)
    state = query_of(first.location)["state"]
    answer = browser.callback(f"{CALLBACK}?code={'c' * 65536}&state={state}"
                              f"&iss={urllib.parse.quote(site.idp.issuer)}")
    assert answer.status == 400, answer
    notoken(site)


@case("A-30")
def test_long_and_odd_codes_arrive_unchanged(site):
    code = "4/0A~x.y=%-_" + "z" * 4000
    site.idp.code_format = lambda: code
    browser, first = started(site)
    answer = browser.callback(browser.callback_url(first))
    assert answer.status in (302, 303), answer
    body = urllib.parse.parse_qs(site.idp.last("token").body.decode())
    assert body["code"] == [code]
