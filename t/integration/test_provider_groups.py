# SPDX-License-Identifier: Apache-2.0
"""Several providers at one location: oidc_provider_group (A-50 to A-57)."""

import html
import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import Nginx
from harness.outcome import challenge, notoken, passes, reject, unauthorized
from harness.ports import free_port
from harness.site import Site, query_of
from harness.stores import STORE, own_clock

from test_bearer import AUDIENCE, ask, token

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STORE_LINES = {} if STORE != "memory" else {"session_store": "together"}
SHARED = "" if STORE != "memory" else "oidc_session_store together { type memory; }\n"
OWN = ("/cb-staff", "/cb-partners", "/cb-third", "/oidc_choice", "/logout", "/bc-staff", "/bc-partners", "/bc-third")
LAST = "__Host-NGX_OIDC_PROVIDER"


def group(name="everybody", more="", providers=("staff", "partners")):
    options = {"staff": 'provider staff "Company <account>" logo=/logos/staff.svg domain=example.com;',
               "partners": 'provider partners "Partners" domain=.example.org;', "third": "provider third;"}
    return f"oidc_provider_group {name} {{ {' '.join(options[p] for p in providers)} {more} }}\n"


def make(lab, more="", http="", locations="", directives=None, **kw):
    idps = {name: Idp(lab.keys, client_id=f"client-{name}") for name in ("staff", "partners", "third")}
    providers = {name: (idp, {"redirect_uri": f"/cb-{name}", "logout_uri": "/logout" if name != "third" else None,
                              "backchannel_logout_uri": f"/bc-{name}", "session_refresh": "on",
                              **STORE_LINES, **(directives or {})}) for name, idp in idps.items()}
    site = Site(lab, providers=providers, auth="auth_oidc everybody;", control=False, own_paths=OWN,
                http=SHARED + group(more=more) + http,
                locations=locations + "location /third/ { auth_oidc third; proxy_pass http://@BACKEND@; }\n"
                "        location /staff/ { auth_oidc staff; proxy_pass http://@BACKEND@; }\n"
                f"        location /robots/ {{ auth_oidc staff; auth_oidc_bearer on; auth_oidc_bearer_audience {AUDIENCE};"
                " proxy_pass http://@BACKEND@; }\n", **kw)
    site.idps = idps
    return site


@pytest.fixture(scope="module")
def site(lab):
    site = make(lab)
    with site:
        yield site
    for idp in site.idps.values():
        idp.stop()


@pytest.fixture(autouse=True)
def own_hits(site):
    """The hits are looked at by the tests: there is a header more than elsewhere."""
    site.state.check_hits = False


def to_choice(site, answer, target):
    """Sent to the page of the choice, from where it goes on to `target`."""
    assert answer.status == 302 and not answer.set_cookies(), f"{answer}\n{site.log_since_mark()}"
    path = site.path_of(answer.location)
    assert path.partition("?")[0] == "/oidc_choice", answer
    assert query_of(path) == {"return_to": target}, answer
    return path


def choice(answer):
    """The page: its buttons as {name: title}, and its other fields."""
    assert answer.status == 200 and not answer.from_backend, answer
    assert "no-store" in answer.headers.get("cache-control") and not answer.set_cookies(), answer
    assert "default-src 'none'" in answer.headers.get("content-security-policy")
    found = re.findall(r'<button class="choice" name="provider" value="([^"]*)">(.*?)</button>', answer.text)
    return {name: html.unescape(re.sub("<[^>]*>", "", text)) for name, text in found}


def post(browser, site_origin=None, target="/oidc_choice", **fields):
    headers = {**FORM, "Origin": site_origin} if site_origin else FORM
    return browser.post(target, urllib.parse.urlencode(fields).encode(), headers=headers, fetch_site="same-origin")


def at(site, name, first):
    """The redirect leads to this provider; its parameters."""
    query = challenge(site, first)
    assert first.location.startswith(site.idps[name].base + "/"), first
    return query


def login(site, name, target="/x", browser=None, **user):
    """Signs in at one of them, by the page."""
    browser = browser or site.browser()
    idp = site.idps[name]
    saved = idp.user
    idp.user = {**saved, **user}
    try:
        first = post(browser, provider=name, return_to=target)
        at(site, name, first)
        done = browser.callback(browser.callback_url(first))
    finally:
        idp.user = saved
    assert browser.session_cookie, f"{done}\n{site.log_since_mark()}"
    assert browser.onward(done) == target
    return browser


# ---- choosing --------------------------------------------------------------------------------

@case("A-50")
def test_nothing_is_chosen(site):
    browser = site.browser()
    answer = browser.get(to_choice(site, browser.get("/deep?x=1&y=%2f"), "/deep?x=1&y=%2f"))
    assert choice(answer) == {"staff": "Company <account>", "partners": "Partners"}
    assert 'value="/deep?x=1&amp;y=%2f"' in answer.text
    assert '<img src="/logos/staff.svg" alt="">' in answer.text
    assert "img-src 'self'" in answer.headers.get("content-security-policy")
    first = post(browser, provider="partners", return_to="/deep?x=1&y=%2f#frag")
    assert first.status == 303
    at(site, "partners", first)
    done = browser.callback(browser.callback_url(first))
    assert browser.onward(done) == "/deep?x=1&y=%2f#frag"
    hit = passes(site, browser.get("/deep?x=1"), remote_user="jdoe", remote_provider="partners")
    assert hit.headers.all("Cookie") == []


@case("A-50")
def test_programs_get_401(site):
    body = unauthorized(site.browser().get("/api", kind="xhr"))
    assert body["login_url"] == site.origin_text + "/oidc_choice"
    browser = site.browser()
    assert choice(browser.get("/oidc_choice"))
    assert browser.request("HEAD", "/oidc_choice").status == 200
    answer = browser.request("PUT", "/oidc_choice", body=b"")
    reject(site, answer, "callback_method", 405, consumed=False)
    assert answer.headers.get("allow") == "GET, HEAD, POST"


@case("A-50")
def test_the_argument_chooses_and_goes(site):
    browser = site.browser()
    first = browser.get("/x?a=1&provider=partners&b=2")
    at(site, "partners", first)
    done = browser.callback(browser.callback_url(first))
    assert browser.onward(done) == "/x?a=1&b=2"
    # With a session it is the application's.
    hit = passes(site, browser.get("/x?provider=staff"), remote_provider="partners")
    assert hit.target == "/x?provider=staff"


FOREIGN = {"other": "other", "third": "third", "group": "everybody", "empty": "", "case": "Staff",
           "header": "staff%0d%0aSet-Cookie:%20a=b", "escape": "%zz", "twice": "staff&provider=staff",
           "long": "x" * 65, "path": "../staff", "blank": "staff%20"}


@pytest.mark.parametrize("value", rows("A-53", FOREIGN))
def test_arguments_that_name_no_member(site, value):
    browser = site.browser()
    answer = browser.get(f"/x?provider={value}")
    assert "a=b" not in str(answer.headers.all("Set-Cookie"))
    to_choice(site, answer, f"/x?provider={value}")


@pytest.mark.parametrize("value", rows("A-53", {**FOREIGN, "twice": "staff,partners"}))
def test_cookies_that_are_forged(site, value):
    browser = site.browser()
    to_choice(site, browser.get("/x", headers={"Cookie": f"{LAST}={value}"}), "/x")
    page = browser.get("/oidc_choice", headers={"Cookie": f"{LAST}={value}"})
    assert "used last" not in page.text


@case("A-53")
def test_a_cookie_of_another_spelling(site):
    """A sibling domain could have set it."""
    to_choice(site, site.browser().get("/x", headers={"Cookie": "NGX_OIDC_PROVIDER=staff"}), "/x")


@pytest.mark.parametrize("form", rows("A-53", {
    "third": "provider=third", "twice": "provider=staff&provider=staff", "nothing": "",
    "control": "provider=staff%0a"}))
def test_forms_that_name_no_member(site, form):
    browser = site.browser()
    answer = browser.post("/oidc_choice", (form + "&return_to=/x").encode(), headers=FORM, fetch_site="same-origin")
    assert choice(answer) and 'value="/x"' in answer.text
    assert site.refusals() == []


@case("A-53")
def test_forms_of_other_sites(site):
    for fields in ({"fetch_site": "cross-site"}, {"fetch_site": "same-site"},
                   {"kind": "plain", "headers": {**FORM, "Origin": "https://evil.example"}}):
        answer = site.browser().post("/oidc_choice", b"provider=staff&return_to=/x",
                                     **{"headers": FORM, **fields})
        assert choice(answer), answer
    big = site.browser().post("/oidc_choice", b"provider=staff&x=" + b"y" * 9000, headers=FORM,
                              fetch_site="same-origin")
    assert choice(big)


@pytest.mark.parametrize("target", rows("A-53", {
    "elsewhere": "https://evil.example/", "scheme-less": "//evil.example/", "backslash": "/\\evil.example",
    "callback": "/cb-staff?code=a&state=b", "logout": "/logout", "itself": "/oidc_choice", "escaped": "/%6cogout"}))
def test_targets_that_are_no_page_of_ours(site, target):
    browser = site.browser()
    page = browser.get("/oidc_choice?" + urllib.parse.urlencode({"return_to": target}))
    assert choice(page) and 'name="return_to" value="/"' in page.text
    first = post(browser, provider="staff", return_to=target)
    assert browser.onward(browser.callback(browser.callback_url(first))) == "/"


# ---- e-mail addresses ------------------------------------------------------------------------

@pytest.mark.parametrize("email, name", rows("A-51", {
    "exact": ("jane@example.com", "staff"), "case": (" Jane@EXAMPLE.com ", "staff"),
    "below": ("jane@a.example.org", "partners"), "itself": ("jane@example.org", "partners")}))
def test_addresses_choose(site, email, name):
    query = at(site, name, post(site.browser(), email=email, return_to="/x"))
    assert query["login_hint"] == email.strip()


@pytest.mark.parametrize("email", rows("A-51", {
    "unknown": "jane@unknown.example", "below": "jane@a.example.com", "suffix": "jane@example.com.evil.example",
    "none": "jane", "empty": "", "script": "<script>@unknown.example", "long": "x" * 300 + "@example.com"}))
def test_addresses_that_lead_nowhere(site, email):
    browser = site.browser()
    answer = post(browser, email=email, return_to="/x?y")
    assert choice(answer) and 'value="/x?y"' in answer.text
    assert 'role="alert">No sign-in service belongs to this address.' in answer.text
    assert "<script>@" not in answer.text and "jane@" not in answer.text
    assert site.refusals() == []


# ---- whose session it is ---------------------------------------------------------------------

@case("A-54")
def test_sessions_of_any_member(site):
    for name in ("staff", "partners"):
        browser = login(site, name)
        passes(site, browser.get("/x"), remote_user="jdoe", remote_provider=name)


@case("A-54")
def test_a_session_of_another_provider_is_none(site):
    """Its cookie has the same name, and it is in the same store."""
    browser = site.browser()
    browser.login("/third/x", idp=site.idps["third"])
    passes(site, browser.get("/third/x"), remote_provider="third")
    to_choice(site, browser.get("/x"), "/x")
    unauthorized(browser.get("/x", kind="xhr"))
    # One of the group opens its own location, and no other's.
    staff, partners = login(site, "staff"), login(site, "partners")
    passes(site, staff.get("/staff/x"), remote_provider="staff")
    at(site, "staff", partners.get("/staff/x"))
    at(site, "third", staff.get("/third/x"))


@case("A-54")
def test_people_with_the_same_name_stay_two(site):
    seen = []
    for name in ("staff", "partners"):
        browser = login(site, name, sub="u-1", preferred_username="admin")
        hit = passes(site, browser.get("/x"), remote_user="admin", remote_provider=name)
        seen.append(hit.headers.all("Remote-Provider"))
    assert seen[0] != seen[1]
    hit = passes(site, browser.get("/x", headers={"Remote-Provider": "staff"}), remote_provider="partners")
    assert hit.headers.all("Remote_Provider") == []


@case("A-54")
def test_one_session_for_each_browser(site):
    browser = login(site, "staff", sub="u-1")
    old = browser.session_cookie
    login(site, "partners", browser=browser, sub="u-1")
    passes(site, browser.get("/x"), remote_provider="partners")
    thief = site.browser()
    thief.jar.set(site.session_cookie_name, old)
    assert not thief.get("/x").from_backend
    assert not thief.get("/staff/x").from_backend


@case("A-54")
def test_two_sessions_of_two_members_are_none(site):
    a, b = login(site, "staff").session_cookie, login(site, "partners").session_cookie
    name = site.session_cookie_name
    site.allow_log("carries two different sessions")
    answer = site.browser().get("/x", kind="xhr", headers={"Cookie": f"{name}={a}; {name}={b}"})
    unauthorized(answer)


@own_clock
@case("A-54")
def test_two_sessions_of_two_members_renew_none(other):
    """Each is due to be renewed in its cookie."""
    site = other(directives={"session_idle_timeout": "10m", "session_refresh": "off"}, clock="all")
    site.allow_log("carries two different sessions")
    a, b = login(site, "staff").session_cookie, login(site, "partners").session_cookie
    name = site.session_cookie_name
    site.set_clock(120)
    for one in (a, b):
        answer = site.browser().get("/x", headers={"Cookie": f"{name}={one}"})
        assert answer.from_backend and bool(answer.set_cookies()) == (STORE == "cookie"), answer
    for one, two in ((a, b), (b, a)):
        answer = site.browser().get("/x", kind="xhr", headers={"Cookie": f"{name}={one}; {name}={two}"})
        unauthorized(answer)
        assert answer.set_cookies() == [], answer
    assert site.log_since_mark().count("carries two different sessions") == 2
    site.set_clock(0)


@case("A-54")
def test_the_logout_is_that_of_the_session(site):
    for name in ("partners", "staff"):
        browser = login(site, name)
        answer = browser.get("/logout", fetch_site="same-origin")
        where = answer.location or html.unescape(re.findall(r'href="([^"]+)"', answer.text)[0])
        assert where.startswith(site.idps[name].base + "/"), answer
        assert browser.session_cookie is None
        assert not browser.get("/x").from_backend


@case("A-54")
def test_a_provider_ends_its_own_sessions(site):
    """The same sub at both: the logout token of one is nothing to the other."""
    browsers = {name: login(site, name, sub="u-both") for name in ("staff", "partners")}
    token = site.idps["partners"].logout_token(sub="u-both")
    body = urllib.parse.urlencode({"logout_token": token}).encode()
    wrong = site.browser().post("/bc-staff", body, kind="none", cookies=False, headers=FORM)
    assert wrong.status == 400, wrong
    answer = site.browser().post("/bc-partners", body, kind="none", cookies=False, headers=FORM)
    assert answer.status == 200, answer
    passes(site, browsers["staff"].get("/x"), remote_provider="staff")
    at(site, "partners", browsers["partners"].get("/x?provider=partners"))


@case("A-54")
def test_tokens_are_refreshed_at_their_own_provider(site):
    staff, partners = site.idps["staff"], site.idps["partners"]
    partners.refresh_tokens = True
    partners.token_body = lambda body: {**body, "expires_in": 1}
    browser = login(site, "partners")
    old = site.delta("token", partners)
    site.wait(lambda: browser.get("/x").from_backend and site.delta("token", partners) > old, "a refresh")
    notoken(site, idp=staff)
    passes(site, browser.get("/x"), remote_provider="partners")


# ---- memory ----------------------------------------------------------------------------------

@case("A-52")
def test_the_last_one_is_remembered(site):
    browser = login(site, "partners")
    (cookie,) = browser.jar.named("NGX_OIDC_PROVIDER")
    assert (cookie.name, cookie.value) == (LAST, "partners")
    browser.get("/logout", fetch_site="same-origin")
    at(site, "partners", browser.get("/x"))
    # Another one by its address, which shows the page always.
    page = browser.get("/oidc_choice?return_to=/x")
    assert choice(page)["partners"] == "Partners used last"
    at(site, "staff", browser.get("/x?provider=staff"))
    at(site, "partners", browser.get("/x"))
    login(site, "staff", browser=browser)
    (cookie,) = browser.jar.named("NGX_OIDC_PROVIDER")
    assert cookie.value == "staff"


@case("A-52")
def test_a_login_that_fails_is_not_remembered(site):
    browser = site.browser()
    first = post(browser, provider="staff", return_to="/x")
    state = query_of(first.location)["state"]
    browser.callback(f"/cb-staff?error=access_denied&state={state}")
    assert browser.jar.named("NGX_OIDC_PROVIDER") == []


# ---- mix-up ----------------------------------------------------------------------------------

@case("A-55")
def test_a_login_ends_at_its_own_provider(site):
    """A state of one at the callback of the other, with a code of the other (RFC 9700 4.4)."""
    browser = site.browser()
    state = query_of(post(browser, provider="staff", return_to="/x").location)["state"]
    other = site.browser()
    first = post(other, provider="partners", return_to="/x")
    minted = urllib.parse.parse_qs(site.idps["partners"].authorize(first.location).partition("?")[2])
    for n, path in enumerate(("/cb-partners", "/cb-staff"), 1):
        answer = browser.callback(f"{path}?code={minted['code'][0]}&state={state}"
                                  f"&iss={urllib.parse.quote(site.idps['partners'].issuer)}")
        reject(site, answer, "state_unknown|issuer_mix_up|state_replayed", 400, refusals=n, consumed=False)
    for name in ("staff", "partners"):
        notoken(site, idp=site.idps[name])
    assert browser.session_cookie is None


# ---- other configurations --------------------------------------------------------------------

@pytest.fixture
def other(lab):
    made = []

    def build(**kw):
        made.append(make(lab, **kw))
        made[-1].state.check_hits = False
        return made[-1]
    yield build
    for one in made:
        one.stop()
        for idp in one.idps.values():
            idp.stop()


@case("A-50")
def test_chosen_by_variable_default_and_without_memory(other):
    site = other(more="choose $wanted; default staff; remember off; argument idp; choice_uri /choose;",
                 http='map "$host$uri" $wanted { ~^alt\\.test partners; ~/p/ partners; ~/nobody/ other; }\n')
    at(site, "staff", site.browser().get("/x"))
    at(site, "partners", site.browser().get("/p/x"))
    at(site, "staff", site.browser().get("/nobody/x"))
    at(site, "partners", site.browser().get("/x?idp=partners"))
    at(site, "staff", site.browser().get("/x?provider=partners"))
    page = site.browser().get("/choose")
    assert set(choice(page)) == {"staff", "partners"}
    browser = site.browser()
    first = post(browser, target="/choose", provider="partners", return_to="/x")
    assert browser.onward(browser.callback(browser.callback_url(first))) == "/x"
    assert browser.jar.named("NGX_OIDC_PROVIDER") == []
    passes(site, browser.get("/nobody/x"), remote_provider="partners")


@case("A-50")
def test_one_member_needs_no_page(lab):
    idp = Idp(lab.keys)
    with Site(lab, providers={"staff": (idp, {"redirect_uri": "/cb-staff", **STORE_LINES})}, control=False,
              auth="auth_oidc everybody;", own_paths=OWN, http=SHARED + group(providers=("staff",))) as site:
        site.state.check_hits = False
        challenge(site, site.browser().get("/x"))
        # No endpoint either: an address like any other.
        challenge(site, site.browser().get("/oidc_choice"))
    idp.stop()


@case("A-56")
def test_a_provider_that_is_down_hurts_no_other(other):
    site = other()
    site.idps["staff"].refuse()
    login(site, "partners")
    answer = post(site.browser(), provider="staff", return_to="/x")
    reject(site, answer, "idp_connect|metadata_unavailable", (502, 503), consumed=False)


@case("A-56")
def test_forwarded_callbacks_and_foreign_ones(other):
    site = other(directives={"callback": "forward", "logout_uri": None},
                 locations="location = /cb-third { auth_oidc third; proxy_pass http://@BACKEND@; }\n        ")
    browser = site.browser()
    first = post(browser, provider="partners", return_to="/x")
    hit = passes(site, browser.callback(browser.callback_url(first)), remote_provider="partners")
    assert hit.headers.all("X-Oidc-Return-To") == ["/x"]
    # Another application's response, at the callback of the other member: any session of the group.
    assert browser.callback("/cb-staff?code=1&page=any").from_backend
    assert not site.browser().callback("/cb-staff?code=1&page=any").from_backend
    assert not browser.callback("/cb-third?code=1&page=any").from_backend
    body = unauthorized(site.browser().get("/x", kind="xhr"))
    assert body["login_url"] == site.origin_text + "/oidc_choice"


@case("A-56")
def test_what_asks_for_sessions(other):
    """oidc_session_info, subrequests and step-up, each with a session of the second member."""
    site = other(locations="""location = /me { oidc_session_info; }
        location /strong/ { auth_oidc_acr_values gold; proxy_pass http://@BACKEND@; }
        location = /ask { internal; auth_oidc everybody; proxy_pass http://@BACKEND@; }
        location = /ask-third { internal; auth_oidc third; proxy_pass http://@BACKEND@; }
        location /asking/ { auth_request /ask; proxy_pass http://@BACKEND@; }
        location /wrong/ { auth_request /ask-third; proxy_pass http://@BACKEND@; }
        """)
    site.allow_log("is refused, its main request has no session there")
    nobody = site.browser().get("/me", kind="xhr").json()
    assert nobody["provider"] is None and nobody["login_url"] == site.origin_text + "/oidc_choice"
    browser = login(site, "partners")
    me = browser.get("/me", kind="xhr").json()
    assert me["provider"] == "partners" and me["logout_url"] == site.origin_text + "/logout"
    passes(site, browser.get("/asking/x"), remote_provider="partners")
    assert browser.get("/wrong/x").status == 403
    query = at(site, "partners", browser.get("/strong/x"))
    assert query["acr_values"] == "gold"
    # Also where the browser remembers, or asks for, another one.
    at(site, "partners", browser.get("/strong/x?provider=staff"))


# ---- nginx -t --------------------------------------------------------------------------------

A = "oidc_provider a { issuer https://a.example; client_id c; redirect_uri /a; session_store s; MORE }\n"
B = "oidc_provider b { issuer https://b.example; client_id c; redirect_uri /b; session_store s; OTHER }\n"
C = B.replace("oidc_provider b", "oidc_provider c").replace("/b;", "/c;")
BOTH = "provider a; provider b;"
DOMAIN = "cookie_domain x.example;"
HOSTS = {"a": A.replace(" /a;", " https://x.example/a;"), "b": B.replace(" /b;", " https://x.example/b;"), "base": ""}
BEARER = "auth_oidc_bearer on; auth_oidc_bearer_audience x;"
BAD = {
    "unknown": ("provider a; provider x;", {}, 'unknown oidc_provider "x" in oidc_provider_group "g"'),
    "twice": ("provider a; provider a;", {}, '"provider" names "a" twice'),
    "empty": ("", {}, 'oidc_provider_group "g" has no "provider"'),
    "default": (BOTH + "default x;", {}, '"default" "x" is no "provider"'),
    "name": (BOTH, {"name": "a"}, 'has the name of an oidc_provider, first defined in'),
    "off": (BOTH, {"name": "off"}, 'invalid name "off" of an oidc_provider_group'),
    "later": (BOTH, {"name": "b", "first": True}, 'has the name of an oidc_provider_group, first defined in'),
    "doubled": (BOTH + "} oidc_provider_group g { provider a;", {}, 'duplicate oidc_provider_group "g"'),
    "store": (BOTH, {"b": B.replace("session_store s;", "")}, 'needs the same "session_store" in'),
    "cookie": (BOTH, {"other": "cookie_name X;"}, 'needs the same "cookie_name" in'),
    "path": (BOTH, {"more": "cookie_path /a;"}, 'needs the same "cookie_path" in'),
    "samesite": (BOTH, {"more": "cookie_samesite Strict;"}, 'needs the same "cookie_samesite" in'),
    "constant": (BOTH + "choose a;", {}, '"choose" holds no variable'),
    "argument": (BOTH + 'argument "a b";', {}, 'invalid value "a b" in "argument" directive'),
    "remember": (BOTH + "remember 1s;", {}, "a time between 60s and"),
    "title": ('provider a ""; provider b;', {}, "needs a title of 1 to 100 bytes"),
    "logo": ("provider a A logo=https://x.example/a.png; provider b;", {}, "has no logo that is a path of this site"),
    "logo-quote": ("provider a A 'logo=data:image/png;x\"y'; provider b;", {}, "has no logo that is a path"),
    "logos": ("provider a A logo=/a.png logo=/b.png; provider b;", {}, "has two logos"),
    "parameter": ("provider a A colour=red; provider b;", {}, 'has the unknown parameter "colour=red"'),
    "domain": ("provider a A domain=example; provider b;", {}, "has no domain of e-mail addresses"),
    "domains": ("provider a A domain=x.example; provider b B domain=X.example;", {},
                'names the domain "x.example" once more'),
    "shared": (BOTH + "choice_uri /b;", {}, 'share the path "/b" on this server, give the group its own "choice_uri"'),
    "bearer": (BOTH, {"server": BEARER}, '"auth_oidc" names the oidc_provider_group "g" here: name a provider'),
    "bearer-below": (BOTH, {"server": f"location /x {{ {BEARER} }}"}, 'names the oidc_provider_group "g" here'),
    "bearer-asking": (BOTH, {"server": BEARER.replace(" on", " introspection")}, "takes the tokens of one provider"),
    "bearer-variable": (BOTH, {"server": f"set $who a; location /x {{ auth_oidc $who; {BEARER} }}"},
                        '"auth_oidc" could name the oidc_provider_group "g" here'),
    "callback": (BOTH, {"other": "frontchannel_logout_uri /a;"}, "share the callback, login or logout path"),
    "logout": (BOTH, {"more": "logout_uri /out;", "other": "logout_uri /bye;"}, 'needs the same "logout_uri" in'),
    "logout-of-one": (BOTH, {"more": "logout_uri /out;"}, 'needs the same "logout_uri" in'),
    "origin": (BOTH, {"b": B.replace(" /b;", " https://x.example/b;")}, 'of one origin, in "redirect_uri" of'),
    "origins": (BOTH, {"a": A.replace(" /a;", " https://y.example/a;"), "b": B.replace(" /b;", " https://x.example/b;")},
                'of one origin, in "redirect_uri" of'),
    "login-hosts": (BOTH, {**HOSTS, "more": f"{DOMAIN} login_hosts p.x.example;", "other": DOMAIN},
                    'needs the same "login_hosts" in'),
    "too-many": (" ".join(f"provider p{n};" for n in range(17)), {},
                 '"provider" is one more than the 16 that an oidc_provider_group takes'),
    "many": (" ".join(f"provider p{n};" for n in range(16)), {}, 'unknown oidc_provider "p0"'),
    "groups": (BOTH + "} oidc_provider_group h { provider b; provider c;", {"b": B + C},
               'oidc_provider "b" is in oidc_provider_group "g" and in oidc_provider_group "h"'),
}


def judged(tmp_path, block, a=A, b=B, more="", other="", name="g", first=False, server="",
           base="oidc_base_url https://x.example;"):
    providers = a.replace("MORE", more) + b.replace("OTHER", other)
    group_text = f"oidc_provider_group {name} {{ {block} }}\n"
    http = "oidc_session_store s { type memory; }\n" + (
        group_text + providers if first else providers + group_text)
    http += ("server { listen 127.0.0.1:1; server_name x.example; "
             f"{base} auth_oidc g; {server} }}")
    nginx = Nginx(tmp_path, http, status_port=free_port())
    code, out = nginx.test()
    nginx.remove()
    return code, out


@case("K-12")
def test_tokens_of_one_of_the_group(site):
    """At a place of its own: the other's tokens and people are nobody's there."""
    passes(site, ask(site, token(site), "/robots/x"), Remote_User="robot", Remote_Provider="staff")
    partners = site.idps["partners"]
    for text in (token(site, iss=partners.issuer, key=partners.key), token(site, iss=partners.issuer)):
        answer = ask(site, text, "/robots/x")
        assert answer.status == 401 and not answer.from_backend, answer
        assert answer.json()["error"] in ("access_token_iss", "access_token_signature"), answer
    assert login(site, "partners").request("GET", "/robots/x", kind="none").status == 401
    # With a token for one of them the group is asked for a session still.
    to_choice(site, site.browser().get("/x", headers={"Authorization": f"Bearer {token(site)}"}), "/x")


@case("K-12")
def test_tokens_beside_a_group(lab, tmp_path):
    """Where one provider is named, and not where the group is and no token is taken."""
    code, out = judged(tmp_path, BOTH, server=f"location /a {{ auth_oidc a; {BEARER} }}"
                                              "location /off { auth_oidc off; }"
                                              "location /g { auth_oidc_bearer off; }")
    assert code == 0 and "[warn]" not in out, out


@pytest.mark.parametrize("name", rows("A-57", {n: n for n in BAD}))
def test_groups_that_cannot_be_meant(lab, tmp_path, name):
    block, changes, message = BAD[name]
    code, out = judged(tmp_path, block, **changes)
    assert code != 0 and message in out and "[emerg]" in out, out


@case("A-57")
def test_what_a_group_allows(lab, tmp_path):
    """A shared logout, a logo inside, a provider that comes later; nothing to say about it."""
    block = 'provider a "Ä" logo=data:image/svg+xml;base64,PHN2Zz4= domain=.x.example; provider b;'
    code, out = judged(tmp_path, block.replace("logo=data", "'logo=data").replace("4= ", "4=' "),
                                   more="logout_uri /logout;", other="logout_uri /logout;", first=True)
    assert code == 0 and "[warn]" not in out, out
    # The order of the hosts is nothing that differs.
    code, out = judged(tmp_path, BOTH, **HOSTS, more=f"{DOMAIN} login_hosts p.x.example q.x.example;",
                       other=f"{DOMAIN} login_hosts q.x.example p.x.example;")
    assert code == 0, out


@case("A-57")
def test_a_backend_that_cannot_tell_is_warned_of(lab, tmp_path):
    for server, warned in (("auth_oidc_header X-User $oidc_user;", True),
                           ("auth_oidc_header X-User $oidc_user; auth_oidc_header X-P $oidc_provider;", False),
                           ("auth_oidc_header X-User $oidc_user; auth_oidc_headers off;", False),
                           ("location /v { auth_oidc $who; auth_oidc_header X-User $oidc_user; }", True),
                           ("location /v { auth_oidc $who; auth_oidc_header X-User $oidc_user;"
                            " auth_oidc_header X-P $oidc_provider; }", False),
                           ("location /v { auth_oidc a; auth_oidc_header X-User $oidc_user; }", False),
                           ("", False)):
        server = "set $who a; " + server
        code, out = judged(tmp_path, BOTH, server=server)
        assert code == 0 and ("says of which provider" in out) == warned, out


@case("A-57")
def test_a_group_that_nobody_uses(lab, tmp_path):
    code, out = judged(tmp_path, BOTH + "} oidc_provider_group h { provider c;", b=B + C)
    assert code == 0 and 'oidc_provider_group "h" is not used by any auth_oidc' in out, out
