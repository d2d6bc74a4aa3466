# SPDX-License-Identifier: Apache-2.0
"""Logins that begin at one host of a domain and end at another (login_hosts)."""

import re
import urllib.parse
import uuid

import pytest

from cookie_client import CookieClient
from harness.cases import case, rows
from harness.client import Response, SetCookie
from harness.idp import Idp
from harness.site import query_of
from harness.stores import STORE
from harness.wire import Headers

LOGIN, A, B, OTHER = "login.app.test", "a.app.test", "b.app.test", "c.app.test"
DIRECTIVES = {"cookie_domain": "app.test", "redirect_uri": f"https://{LOGIN}:@PORT@/oidc_callback",
              "login_hosts": f"{A} {B}", "logout_uri": "/logout"}
SERVER = """
    server {
        listen 127.0.0.1:@PORT@ ssl;
        server_name *.app.test;
        @CERT@
        auth_oidc idp;
        location / { proxy_pass http://@BACKEND@; }
        location /strong { auth_oidc_acr_values gold; proxy_pass http://@BACKEND@; }
    }
"""


@pytest.fixture(name="hosts")
def hosts_(make_site):
    def make(**directives):
        attributes = {"path": "/", "domain": "app.test", "httponly": "", "secure": "",
                      "samesite": directives.get("cookie_samesite", "Lax")}
        site = make_site(names=LOGIN, base_url=None, servers=SERVER, control=False,
                         session_cookie="NGX_OIDC_SESSION",
                         cookie_attrs=lambda c: attributes if "SESSION" in c.name else {**attributes, "samesite": "Lax"},
                         directives={**DIRECTIVES, **directives})
        site.names += [A, B]  # where answers may lead
        return site
    return make


class Person:
    """A browser that knows all hosts."""

    def __init__(self, site):
        self.site = site
        self.client = CookieClient(ca_file=site.lab.pki.ca.file,
                                   connect_to={h: "127.0.0.1" for h in (LOGIN, A, B, OTHER, "evil.test")},
                                   trace=self.seen)

    def seen(self, reply):
        """What holds after every test looks at these requests too."""
        if any(reply.url.startswith(idp.base) for idp, _ in self.site.providers.values()):
            return
        response = Response(reply.status, "", Headers(reply.header_list), reply.body, (reply.method, reply.url, {}))
        self.site.observe(response, list(reply.sent.items()))

    def url(self, host, path="/"):
        return f"https://{host}:{self.site.port}{path}"

    def get(self, host, path="/", **headers):
        return self.client.get(self.url(host, path), headers={"X-Test-Id": uuid.uuid4().hex, **headers})

    def to_callback(self, start):
        """The callback's URL for the login that an answer has begun."""
        assert start.status == 302 and start.location.startswith(self.site.idp.url("authorize")), start.text
        callback = self.client.get(start.location).location
        assert callback.startswith(self.url(LOGIN, "/oidc_callback?")), callback
        return callback

    def finish(self, start):
        return self.client.get(self.to_callback(start), initiator=self.site.idp.base + "/")

    def user(self, host, path="/"):
        reply = self.get(host, path)
        return reply.status if reply.header("X-Backend") is None else self.site.hits()[-1].headers.get("remote-user")


@case("C-41")
def test_a_login_returns_to_the_host_where_it_began(hosts):
    site = hosts()
    for host, path in ((A, "/deep?x=1&y=%2F"), (B, "/"), (LOGIN, "/here")):
        person = Person(site)
        start = person.get(host, path)
        assert query_of(start.location)["redirect_uri"] == person.url(LOGIN, "/oidc_callback")
        [cookie] = [SetCookie(c) for c in start.headers("Set-Cookie")]
        assert cookie.name.startswith("NGX_OIDC_LOGIN_") and cookie.attrs["domain"] == "app.test"
        assert "secure" in cookie.attrs and "httponly" in cookie.attrs
        done = person.finish(start)
        assert (done.status, done.location) == (303, person.url(host, path)), done.text
        for other in (A, B, LOGIN):
            assert person.user(other) == "jdoe", other
        # Nothing of the login is left in the browser.
        assert "NGX_OIDC_LOGIN_" not in person.client.jar.header("https", LOGIN, "/oidc_callback")
    assert site.delta("token") == 3 and site.refusals() == []


@case("C-41")
def test_a_long_target(hosts):
    site = hosts()
    person = Person(site)
    path = "/long?" + "q" * 700
    done = person.finish(person.get(A, path))
    assert done.location == person.url(A, path)


@case("C-41")
def test_the_fragment_is_kept(hosts):
    site = hosts(preserve_fragment="on")
    person = Person(site)
    page = person.get(A, "/deep")
    assert page.status == 200 and 'data-domain="app.test"' in page.text
    [url] = re.findall(r'data-url="([^"]*)"', page.text)
    [name] = re.findall(r'data-cookie="([^"]*)"', page.text)
    assert name.startswith("NGX_OIDC_FRAGMENT_")
    # What the script does.
    person.client.jar.store(SetCookie(f"{name}=%23Account%2F1; Path=/; SameSite=Lax; Secure; Domain=app.test"),
                            "https", A, "/")
    callback = person.client.get(url.replace("&amp;", "&")).location
    done = person.client.get(callback, initiator=site.idp.base + "/")
    assert done.location == person.url(A, "/deep#Account/1"), done.text
    assert "NGX_OIDC_FRAGMENT_" not in person.client.jar.header("https", LOGIN, "/")


@pytest.mark.parametrize("host", rows("C-42", {"unlisted": OTHER, "foreign": "evil.test"}))
def test_no_open_redirect(hosts, host):
    """A host that is not in the list is none of ours, whoever put it into the request."""
    site = hosts()
    person = Person(site)
    if host == OTHER:
        start = person.get(OTHER, "/deep")
    else:
        start = person.client.get(person.url(A, "/deep"), headers={"Host": f"{host}:{site.port}"})
    done = person.finish(start)
    assert done.location == person.url(LOGIN, "/deep"), done.text


@case("C-42")
def test_a_host_that_is_no_name_of_the_server(make_site):
    """In the list, but not served here: it may belong to somebody else below the domain."""
    site = make_site(names=LOGIN, base_url=None, control=False, session_cookie="NGX_OIDC_SESSION",
                     cookie_attrs=lambda c: {"path": "/", "domain": "app.test", "httponly": "", "secure": "",
                                             "samesite": "Lax"},
                     directives={**DIRECTIVES, "login_hosts": ".app.test"})
    person = Person(site)
    done = person.finish(person.get(A, "/phish"))
    assert done.location == person.url(LOGIN, "/phish"), done.text


@case("C-42")
def test_a_host_of_kilobytes(hosts):
    site = hosts(login_hosts=".app.test")
    person = Person(site)
    start = person.client.get(person.url(A, "/x"), headers={"Host": f"{'a.' * 1200}app.test:{site.port}"})
    assert start.status == 302 and site.refusals() == [], start.text


@case("C-42")
def test_a_host_that_has_left_the_list(hosts):
    site = hosts()
    person = Person(site)
    callback = person.to_callback(person.get(A, "/deep?" + "q" * 700))
    site.reload(providers={"idp": (site.idp, {**DIRECTIVES, "login_hosts": B})})
    done = person.client.get(callback, initiator=site.idp.base + "/")
    assert done.location == person.url(LOGIN, "/"), done.text


@case("C-42")
def test_another_browsers_login(hosts):
    """Without the login's cookie nobody is signed in, and the page leads back to where it began."""
    site = hosts()
    callback = Person(site).to_callback(Person(site).get(A, "/deep"))
    refused = Person(site).client.get(callback)
    assert refused.status == 400 and site.refusals()[-1][1] == "state_unknown"
    assert f'href="{Person(site).url(A, "/deep")}"' in refused.text
    assert not refused.headers("Set-Cookie")


@case("C-41")
def test_a_refusal_leads_back(hosts):
    site = hosts()
    person = Person(site)
    start = person.get(A, "/deep?x=1")
    state = query_of(start.location)["state"]
    query = urllib.parse.urlencode({"error": "access_denied", "state": state, "iss": site.idp.issuer})
    refused = person.get(LOGIN, f"/oidc_callback?{query}")
    assert refused.status == 403 and site.refusals()[-1][1] == "access_denied"
    assert f'href="{person.url(A, "/deep?x=1")}"' in refused.text


@case("C-41")
def test_a_login_that_begins_anew(hosts):
    """Keycloak's authentication_expired, at the host of the callback."""
    site = hosts()
    person = Person(site)
    state = query_of(person.get(A, "/deep?x=1").location)["state"]
    query = urllib.parse.urlencode({"error": "temporarily_unavailable", "error_description": "authentication_expired",
                                    "state": state, "iss": site.idp.issuer})
    again = person.get(LOGIN, f"/oidc_callback?{query}")
    assert person.finish(again).location == person.url(A, "/deep?x=1")


@case("C-41")
def test_another_tab_has_signed_in(hosts):
    site = hosts()
    person = Person(site)
    first, second = person.get(A, "/one"), person.get(B, "/two")
    assert person.finish(first).location == person.url(A, "/one")
    state = query_of(second.location)["state"]
    query = urllib.parse.urlencode({"error": "login_required", "state": state, "iss": site.idp.issuer})
    assert person.get(LOGIN, f"/oidc_callback?{query}").location == person.url(B, "/two")


@case("C-41")
def test_a_place_that_asks_for_more(hosts):
    site = hosts()
    person = Person(site)
    person.finish(person.get(A, "/x"))
    site.idp.claims = lambda c: {**c, "acr": "gold"}
    done = person.finish(person.get(A, "/strong"))
    assert done.location == person.url(A, "/strong")
    assert person.user(A, "/strong") == "jdoe"


@case("C-42")
def test_each_host_is_an_origin_of_its_own(hosts):
    """The guard against cross-origin requests, and logout."""
    site = hosts()
    person = Person(site)
    person.finish(person.get(A, "/x"))

    def post(host, origin):
        return person.client.request("POST", person.url(host, "/save"), b"x=1", {
            "X-Test-Id": uuid.uuid4().hex, "Origin": person.url(origin, "").rstrip("/"), "Sec-Fetch-Site": "same-origin" if host == origin else "same-site",
            "Content-Type": "application/x-www-form-urlencoded"})
    assert post(A, A).header("X-Backend")
    assert post(A, B).status == 403 and post(A, LOGIN).status == 403
    out = person.client.get(person.url(A, "/logout"), initiator=person.url(A, "/x"))
    assert out.status in (200, 302, 303)
    for host in (A, B, LOGIN):
        assert person.get(host, "/x").status == 302


@case("C-41")
def test_strict_cookies(hosts):
    site = hosts(cookie_samesite="Strict")
    person = Person(site)
    page = person.finish(person.get(A, "/deep"))
    assert page.status == 200
    [target] = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', page.text)
    assert target == person.url(A, "/deep")


@case("C-41", "A-52")
def test_what_a_group_remembers_is_of_the_domain(make_site, lab):
    """The login ends at another host than the next one begins at."""
    idps = {name: Idp(lab.keys, client_id=f"client-{name}") for name in ("staff", "partners")}
    store = {"session_store": "together"} if STORE == "memory" else {}
    shared = "oidc_session_store together { type memory; }\n" if STORE == "memory" else ""
    providers = {name: (idp, {**DIRECTIVES, **store, "redirect_uri": f"https://{LOGIN}:@PORT@/cb-{name}"})
                 for name, idp in idps.items()}
    site = make_site(names=LOGIN, base_url=None, control=False, session_cookie="NGX_OIDC_SESSION",
                     providers=providers, auth="auth_oidc everybody;", own_paths=("/cb-staff", "/cb-partners"),
                     cookie_attrs=lambda c: {"path": "/", "domain": "app.test", "httponly": "", "secure": "",
                                             "samesite": "Lax"},
                     http=shared + "oidc_provider_group everybody { provider staff; provider partners; }\n",
                     servers=SERVER.replace("auth_oidc idp;", "auth_oidc everybody;"))
    site.names += [A, B]
    site.state.check_hits = False  # there is a header more than elsewhere
    person = Person(site)
    assert person.get(A, "/x").location == person.url(A, "/oidc_choice?return_to=%2Fx")
    start = person.get(A, "/x?provider=partners")
    assert start.location.startswith(idps["partners"].base + "/")
    callback = person.client.get(start.location).location
    done = person.client.get(callback, initiator=idps["partners"].base + "/")
    assert (done.status, done.location) == (303, person.url(A, "/x")), done.text
    [cookie] = [c for c in map(SetCookie, done.headers("Set-Cookie")) if c.name.endswith("NGX_OIDC_PROVIDER")]
    assert (cookie.name, cookie.value, cookie.attrs["domain"]) == ("NGX_OIDC_PROVIDER", "partners", "app.test")
    assert "secure" in cookie.attrs and "httponly" in cookie.attrs
    person.client.get(person.url(B, "/logout"), initiator=person.url(B, "/x"))
    assert person.get(B, "/y").location.startswith(idps["partners"].base + "/")
    for idp in idps.values():
        idp.stop()
