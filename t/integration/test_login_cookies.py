# SPDX-License-Identifier: Apache-2.0
"""Logins under way: however many tabs a browser opens, their cookies stay below what a server takes,
and every tab that still can be is finished."""

import concurrent.futures
import http.client
import random
import string
import subprocess
from urllib.parse import quote

import pytest

from harness.cases import case, rows
from harness.client import SetCookie
from harness.outcome import passes, reject
from harness.site import Site, query_of
from harness.stores import server_side

LIMIT = 4000
FRONT = """server {
    listen 127.0.0.1:@PORT2@;
    server_name _;
    location / {
        proxy_pass https://127.0.0.1:@PORT@;
        proxy_set_header Host $http_host;
        proxy_ssl_server_name on;
        proxy_ssl_name app.test;
        proxy_ssl_session_reuse off;  # nginx frees the last one never, says LeakSanitizer
    }
}
"""


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, servers=FRONT, control=False) as site:
        yield site


def letters(n):
    return "".join(random.Random(n).choices(string.ascii_letters + string.digits, k=n))


def login_bytes(browser):
    """As the cookies of logins stand in a Cookie header, names included."""
    return sum(len(c.name) + 1 + len(c.value) + 2 for c in browser.jar.cookies
               if "SESSION" not in c.name and "app" not in c.name)


def head_bytes(answer):
    return len("HTTP/1.1 302 Moved Temporarily\r\n\r\n") \
        + sum(len(n) + len(v) + 4 for n, v in answer.headers)


def start(site, browser, target, seen):
    """Unseen: sent before any answer has come."""
    answer = browser.start(target, cookies=seen)
    assert login_bytes(browser) <= LIMIT, browser.jar.cookies
    assert head_bytes(answer) < 4096, answer
    return browser.callback_url(answer)


@pytest.mark.parametrize("seen", rows("A-06", {"unseen": False, "seen": True}))
@pytest.mark.parametrize("first", [0, 14, 29])
def test_thirty_tabs(site, seen, first):
    """Whichever is finished first works, and all the others end on their own page."""
    browser = site.browser()
    tabs = [start(site, browser, f"/page/{i}", seen) for i in range(30)]
    assert len(browser.pending()) == 30
    order = [first, *(i for i in range(30) if i != first)]
    for i in order:
        answer = browser.callback(tabs[i])
        assert answer.status == 303, answer
        assert site.path_of(answer.location) == f"/page/{i}", answer
        assert browser.session_cookie
    assert browser.pending() == []
    passes(site, browser.get("/page/0"))
    assert site.refusals() == []
    browser.close()


@case("A-06")
def test_more_tabs_than_slots(site):
    """The oldest go first, and the page says where to start again; never one of the same second."""
    browser = site.browser()
    tabs = [start(site, browser, f"/page/{i}", True) for i in range(35)]
    assert len(browser.pending()) == 30
    answer = browser.callback(tabs[4])
    reject(site, answer, "state_unknown", 400, consumed=False)
    assert "/page/4" in answer.text
    for i in range(5, 35):
        answer = browser.callback(tabs[i])
        assert site.path_of(answer.location) == f"/page/{i}", answer
    # With the session, the lost ones find their page as well.
    for i in range(5):
        answer = browser.callback(tabs[i])
        assert (answer.status, site.path_of(answer.location)) == (303, f"/page/{i}"), answer
    browser.close()


@pytest.mark.parametrize("seen", rows("Q-09", {"unseen": False, "seen": True}))
@pytest.mark.parametrize("size", [800, 1200, 1900])
def test_tabs_of_long_addresses(site, seen, size):
    """A long target is given up before a login is; the last one is kept."""
    browser = site.browser()
    browser.jar.set("app", letters(1000))
    targets = [f"/report?f={i}&q={letters(size)}" for i in range(12)]
    tabs = [start(site, browser, target, seen) for target in targets]
    assert browser.get("/public/x").from_backend
    for i in (11, *range(11)):
        answer = browser.callback(tabs[i])
        assert answer.status == 303, answer
        assert site.path_of(answer.location) == (targets[i] if i == 11 else "/"), answer
    assert login_bytes(browser) == 0, browser.jar.cookies
    hit = passes(site, browser.get("/x"))
    assert hit.header("Cookie") == "app=" + letters(1000)
    browser.close()


@case("Q-09")
def test_a_hundred_tabs_at_once(site):
    browser = site.browser()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def one(i):
            alone = site.browser()
            answer = alone.start(f"/p/{i}/" + letters(i * 19), headers={"X-App": "1"})
            alone.close()
            return answer
        answers = list(pool.map(one, range(100)))
    for answer in answers:
        for cookie in answer.set_cookies():
            browser.jar.store(cookie, "https", site.host, "/")
        assert login_bytes(browser) <= LIMIT
    answer = browser.callback(browser.callback_url(answers[-1]))
    assert answer.status == 303 and browser.session_cookie, answer
    browser.close()


@pytest.mark.parametrize("size", rows("Q-09", {str(n): n for n in (5, 1000, 1500, 1900, 2000)}))
def test_a_stock_proxy_in_front(site, size):
    """nginx's buffer for the head of an answer has 4 kB, its lines of a request 8."""
    browser = site.browser()
    browser.jar.set("app", letters(1000))
    site.state.check_hits = False
    for i in range(32):
        connection = http.client.HTTPConnection("127.0.0.1", site.port2, timeout=20)
        connection.request("GET", f"/r?{i}&" + letters(size), headers={
            "Host": site.authority(site.host), "Accept": "text/html", "Sec-Fetch-Mode": "navigate",
            "Cookie": browser.jar.header("https", site.host, "/")})
        answer = connection.getresponse()
        assert answer.status == 302, (i, answer.status, answer.read())
        for value in answer.msg.get_all("Set-Cookie"):
            browser.jar.store(SetCookie(value), "https", site.host, "/")
        connection.close()
        assert login_bytes(browser) <= LIMIT
    browser.close()


@server_side  # such ID tokens fit into no cookie
@case("L-08")
def test_logouts_through_a_stock_proxy(make_site):
    """Whatever the ID token has, the head of the answer fits, and the browser is told to forget."""
    site = make_site(servers=FRONT, own_paths=("/oidc_callback", "/logout"), directives={
        "logout_uri": "/logout", "logout_token_hint": "on",
        "clear_cookies": " ".join(f"app-cookie-number-{i}" for i in range(4))})
    seen = set()
    for size in (0, 1000, 1400, 1800, 2200, 2600, 4000, 6000):
        site.idp.claims = lambda claims, size=size: {**claims, "pad": letters(size)}
        browser = site.browser()
        browser.login("/x")
        connection = http.client.HTTPConnection("127.0.0.1", site.port2, timeout=20)
        connection.request("GET", "/logout", headers={
            "Host": site.authority(site.host), "Accept": "text/html", "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": browser.jar.header("https", site.host, "/")})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status in (200, 302, 303), (size, answer.status, text)
        deleted = [SetCookie(value) for value in answer.msg.get_all("Set-Cookie")]
        assert any(c.name == site.session_cookie_name and c.deletes for c in deleted), size
        assert len(deleted) == 5
        seen.add(answer.status)
        assert ('name="id_token_hint"' in text) == (answer.status == 200)
        connection.close()
        browser.close()
    assert len(seen) == 2


@case("Q-09")
def test_the_longest_state(make_site):
    """A place that asks for much, a live session, an absolute redirect_uri, a long address."""
    values = " ".join(f"urn:example:level:{i:03d}:{'x' * 20}" for i in range(10))
    site = make_site(locations=f"location /high/ {{ auth_oidc_acr_values {values}; "
                               "proxy_pass http://@BACKEND@; }", control=False)
    browser = site.browser()
    browser.login("/x")
    site.idp.claims = lambda claims: {**claims, "acr": values.split()[3]}
    target = "/high/?q=" + letters(500)
    first = browser.start(target)
    assert head_bytes(first) < 4096
    assert len(query_of(first.location)["state"]) > 512
    answer = browser.callback(browser.callback_url(first))
    assert answer.status == 303 and site.path_of(answer.location) == target, answer
    passes(site, browser.get(target))


@case("A-06")
def test_over_http2(site):
    """Thirty tabs of one connection, and everything that they left in one line."""
    urls = [f"{site.origin_text}/h2/{i}/{letters(1900 if i % 7 == 3 else 9)}" for i in range(30)]
    command = ["curl", "-sS", "--http2", "--parallel", "--parallel-immediate", "--cacert",
               str(site.lab.pki.ca.file), "--resolve", f"{site.host}:{site.port}:127.0.0.1",
               "--max-time", "30", "-H", "Accept: text/html", "-H", "Sec-Fetch-Mode: navigate"]
    for url in urls:
        command += ["-D", "-", "-o", "/dev/null", url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 0, done.stderr
    browser = site.browser()
    states = []
    for line in done.stdout.splitlines():
        name, _, value = line.partition(": ")
        if name.lower() == "set-cookie":
            browser.jar.store(SetCookie(value), "https", site.host, "/")
        elif name.lower() == "location":
            states.append(value)
    assert len(states) == 30 and login_bytes(browser) <= LIMIT
    assert len(browser.pending()) == 30
    browser.jar.set("app", letters(1000))
    for location in (states[0], states[17]):
        target = site.idp.authorize(location)[len(site.origin_text):]
        answer = browser.callback(target)
        assert answer.status == 303, answer
        assert site.path_of(answer.location).startswith(("/h2/", "/")), answer
    browser.close()


# ---- other tabs, when one has signed in -----------------------------------------------------------

def fails(site, browser, target, parameters):
    """The provider sends the tab of `target` back with these parameters."""
    state = query_of(browser.start(target, cookies=True).location)["state"]
    return f"/oidc_callback?{parameters}&state={state}&iss={quote(site.idp.issuer, safe='')}"


@pytest.mark.parametrize("parameters", rows("A-08", {
    "expired": "error=temporarily_unavailable&error_description=authentication_expired",
    "login": "error=login_required", "server": "error=server_error", "denied": "error=access_denied",
    "used-code": "code=made-up",
}))
def test_an_error_in_one_tab_while_another_has_signed_in(make_site, parameters):
    site = make_site(control=False)
    site.idp.on["token"] = None
    browser = site.browser()
    one = browser.callback_url(browser.start("/one"))
    two = fails(site, browser, "/two?a=1", parameters)
    assert browser.callback(one).status == 303
    session = browser.session_cookie
    answer = browser.callback(two)
    assert (answer.status, site.path_of(answer.location)) == (303, "/two?a=1"), answer
    assert browser.session_cookie == session and browser.pending() == []
    passes(site, browser.get("/two?a=1"))
    # Once more, with nothing left of the login but its state.
    answer = browser.callback(two)
    assert (answer.status, site.path_of(answer.location)) == (303, "/two?a=1"), answer
    assert site.refusals() == []
    # In a browser without a session it is what it was.
    other = site.browser()
    answer = other.callback(two)
    assert answer.status == 400 and other.session_cookie is None, answer
    browser.close()


@case("A-08")
def test_a_session_that_is_not_enough_for_the_page(make_site):
    site = make_site(locations="location /admin { auth_oidc_acr_values gold;"
                               " proxy_pass http://@BACKEND@; }", control=False)
    browser = site.browser()
    browser.login("/x")
    back = fails(site, browser, "/admin", "error=server_error")
    reject(site, browser.callback(back), "idp_error")
    assert browser.session_cookie
    browser.close()


EXPIRED = "error=temporarily_unavailable&error_description=authentication_expired"


@case("A-08")
def test_keycloaks_expired_login_begins_anew_once(make_site):
    site = make_site(control=False)
    browser = site.browser()
    answer = browser.callback(fails(site, browser, "/deep?x=1", EXPIRED))
    assert answer.status == 302, answer
    again = query_of(answer.location)
    assert answer.location.startswith(site.idp.url("authorize"))
    assert len(browser.pending()) == 1
    # It works,
    other = site.browser()
    renewed = other.callback(fails(site, other, "/deep?x=1", EXPIRED))
    done = other.callback(other.callback_url(renewed))
    assert (done.status, site.path_of(done.location)) == (303, "/deep?x=1"), done
    # or fails for good.
    answer = browser.callback(f"/oidc_callback?{EXPIRED}&state={again['state']}"
                              f"&iss={quote(site.idp.issuer, safe='')}")
    reject(site, answer, "idp_error")
    assert "/deep?x=1" in answer.text
    browser.close()


@pytest.mark.parametrize("parameters", rows("A-08", {
    "no-description": "error=temporarily_unavailable",
    "other-description": "error=temporarily_unavailable&error_description=authentication_expired.",
    "other-error": "error=server_error&error_description=authentication_expired",
    "login": "error=login_required&error_description=authentication_expired",
}))
def test_nothing_else_begins_anew(site, parameters):
    browser = site.browser()
    reject(site, browser.callback(fails(site, browser, "/deep", parameters)), "idp_error")
    browser.close()
