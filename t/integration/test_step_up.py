# SPDX-License-Identifier: Apache-2.0
"""auth_oidc_max_age and auth_oidc_acr_values: locations that ask more of a login than the provider's
block does."""

import time

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, page, passes, reject
from harness.site import Site

LOCATIONS = """\
        location /admin/ {
            auth_oidc_acr_values gold mfa;
            proxy_pass http://@BACKEND@;
            location /admin/any/ { auth_oidc_acr_values off; proxy_pass http://@BACKEND@; }
            location /admin/fresh/ { auth_oidc_max_age 30s; proxy_pass http://@BACKEND@; }
        }
        location /fresh/ { auth_oidc_max_age 5m; proxy_pass http://@BACKEND@; }
        location /verify/gold/ {
            auth_oidc_mode verify;
            auth_oidc_acr_values gold;
            proxy_pass http://@BACKEND@;
        }
        location /401/ {
            auth_oidc_acr_values gold;
            error_page 401 = /public/401;
            proxy_pass http://@BACKEND@;
        }
        location /ssi { ssi on; ssi_silent_errors on; root @FOLDER@/html; }
        location /moved/ { try_files /nothing /admin/x; }
"""
# Whoever is in verify mode with a session that is not enough has no identity.
ERROR = "insufficient_user_authentication"


def identity(path, claims):
    from harness.invariants import default_identity
    if path.startswith("/verify/gold/") and claims.get("acr") != "gold":
        return {}
    return default_identity(path, claims)


@pytest.fixture(scope="module")
def site(lab):
    site = Site(lab, locations=LOCATIONS, identity=identity, start=False)
    html = site.folder / "html" / "ssi"
    html.mkdir(parents=True)
    (html / "index.html").write_text('[<!--# include virtual="/admin/part" -->]')
    site.start()
    with site:
        yield site


def claims(site, **more):
    """The provider says this of its next logins; None takes a member away."""
    def change(found):
        out = {"auth_time": int(time.time()) + site.idp.offset, **found, **more}
        return {k: v for k, v in out.items() if v is not None}
    site.idp.claims = change


def signed_in(site, forwarded=True, **more):
    claims(site, **more)
    browser = site.browser()
    if forwarded:
        browser.login("/x")
    else:
        browser.try_login("/x")
    return browser


def step_up(site, browser, target, code=None, **more):
    """The target leads to the provider and back to where it was, with another session."""
    former = browser.session_cookie
    answer = browser.get(target)
    query = challenge(site, answer)
    claims(site, **more)
    back = browser.callback(browser.callback_url(answer))
    if code is not None:
        reject(site, back, code)
        assert browser.session_cookie == former
        return query
    assert back.status == 303 and site.path_of(back.location) == target, \
        f"{back}\n{site.log_since_mark()}"
    assert browser.session_cookie not in (None, former)
    assert browser.get(target).from_backend
    return query


def insufficient(answer, acr_values=None, max_age=None, person=False):
    assert answer.status == 401 and not answer.from_backend, answer
    if person:
        page(answer)
        assert "did not arrive" in answer.text and ">Sign in</a>" in answer.text, answer
    else:
        body = answer.json()
        assert body["error"] == ERROR and body["message"], answer
        assert body.get("acr_values") == acr_values and body.get("max_age") == max_age, answer
    told = answer.headers.get("www-authenticate")
    # A scheme for which browsers open a dialog would be Basic, Digest, NTLM or Negotiate.
    wanted = f'Bearer error="{ERROR}"'
    wanted += f', acr_values="{acr_values}"' if acr_values else ""
    wanted += f', max_age="{max_age}"' if max_age else ""
    assert told == wanted, answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert not answer.set_cookies(), answer


@case("I-40")
def test_acr(site):
    browser = signed_in(site, acr="silver")
    former = browser.session_cookie
    query = step_up(site, browser, "/admin/users?q=1", acr="gold")
    assert query["acr_values"] == "gold mfa" and "max_age" not in query
    # The weaker session has ended.
    other = site.browser()
    challenge(site, other.get("/x", headers={"Cookie": f"{site.session_cookie_name}={former}"}))
    # The stronger one is good everywhere.
    for target in ("/x", "/admin/", "/admin/any/x"):
        passes(site, browser.get(target), remote_user="jdoe")


@case("I-40")
def test_amr_counts_as_well(site):
    browser = signed_in(site, amr=["pwd"])
    step_up(site, browser, "/admin/x", amr=["pwd", "mfa"])
    passes(site, browser.get("/admin/x"))


@case("I-40")
def test_max_age(site):
    browser = signed_in(site, auth_time=int(time.time()) - 3600)
    passes(site, browser.get("/x"))
    query = step_up(site, browser, "/fresh/x")
    assert query["max_age"] == "300" and "acr_values" not in query
    passes(site, browser.get("/fresh/y"))


@case("I-40")
def test_inheritance(site):
    """An inner location adds to the outer one's demand, `off` takes it away."""
    browser = signed_in(site, acr="gold", auth_time=int(time.time()) - 3600)
    passes(site, browser.get("/admin/x"))
    passes(site, browser.get("/admin/any/x"))
    query = step_up(site, browser, "/admin/fresh/x", acr="mfa")
    assert query["acr_values"] == "gold mfa" and query["max_age"] == "30"
    plain = signed_in(site, acr=None)
    passes(site, plain.get("/admin/any/x"))


@case("I-40")
def test_the_first_login_asks_for_it(site):
    """Nobody has to sign in twice."""
    browser = site.browser()
    answer = browser.get("/admin/fresh/x")
    query = challenge(site, answer)
    assert query["acr_values"] == "gold mfa" and query["max_age"] == "30"
    claims(site, acr="gold")
    back = browser.callback(browser.callback_url(answer))
    assert site.path_of(back.location) == "/admin/fresh/x", back
    assert browser.get("/admin/fresh/x").from_backend


UNWILLING = {
    "no-acr": ("/admin/x", {}, "id_token_acr"),
    "other-acr": ("/admin/x", {"acr": "silver"}, "id_token_acr"),
    "other-amr": ("/admin/x", {"amr": ["pwd"]}, "id_token_acr"),
    "no-auth-time": ("/fresh/x", {"auth_time": None}, "id_token_auth_time"),
    "old": ("/fresh/x", {"auth_time": 1_000_000_000}, "id_token_auth_time"),
    "future": ("/fresh/x", {"auth_time": 4_000_000_000}, "id_token_auth_time"),
    "text": ("/fresh/x", {"auth_time": "now"}, "id_token_auth_time"),
    "half": ("/admin/fresh/x", {"acr": "gold", "auth_time": 1_000_000_000}, "id_token_auth_time"),
}


@pytest.mark.parametrize("target, more, code", rows("I-40", UNWILLING))
def test_a_provider_that_does_not_deliver(site, target, more, code):
    """A page with a reason, and no loop; the session that was there goes on."""
    browser = signed_in(site, auth_time=int(time.time()) - 3600)
    step_up(site, browser, target, code, **more)
    passes(site, browser.get("/x"), remote_user="jdoe")
    assert "auth_oidc_" in site.log_since_mark() or more.get("auth_time") == "now"


@case("A-23")
def test_a_step_up_that_cannot_be_finished_is_no_loop(site):
    """The browser loses the cookie of the login: with a session it would be sent on, to where it is
    sent to the provider again."""
    browser = signed_in(site)
    answer = browser.get("/admin/x")
    url = browser.callback_url(answer)
    browser.jar.cookies = [c for c in browser.jar.cookies if "LOGIN" not in c.name]
    reject(site, browser.callback(url), "state_unknown", consumed=False)
    passes(site, browser.get("/x"))


@case("A-07")
def test_the_same_callback_again(site):
    browser = signed_in(site)
    answer = browser.get("/admin/x")
    pending = browser.pending()[0]
    claims(site, acr="gold")
    url = browser.callback_url(answer)
    assert browser.callback(url).status == 303
    browser.jar.set(pending.name, pending.value)
    # The session is enough by now.
    again = browser.callback(url)
    assert again.status == 303 and site.path_of(again.location) == "/admin/x", again


@case("Q-11")
def test_requests_that_cannot_follow_a_login(site):
    browser = signed_in(site, auth_time=int(time.time()) - 3600)
    insufficient(browser.get("/admin/x", kind="xhr"), acr_values="gold mfa")
    insufficient(browser.post("/admin/x", b"a=1", kind="xhr"), acr_values="gold mfa")
    insufficient(browser.post("/admin/x", b"a=1"), acr_values="gold mfa", person=True)
    insufficient(browser.get("/fresh/x", kind="xhr"), max_age=300)
    insufficient(browser.get("/admin/fresh/x", kind="xhr"), "gold mfa", 30)
    insufficient(browser.get("/admin/x", kind="xhr", headers={
        "Upgrade": "websocket", "Connection": "Upgrade"}), acr_values="gold mfa")
    assert f"err={ERROR}" in site.nginx.access()
    passes(site, browser.get("/x", kind="xhr"))
    answer = browser.get("/401/x", kind="xhr")
    assert answer.status == 401 or answer.from_backend, answer


@case("Q-11")
def test_without_a_session_nothing_changes(site):
    body = site.browser().get("/admin/x", kind="xhr")
    assert body.status == 401 and body.json()["error"] == "login_required"
    assert body.headers.get("www-authenticate") is None


@case("Q-19")
def test_verify_mode(site):
    """Everyone is let through; who is not signed in as asked has no identity."""
    browser = signed_in(site, acr="silver")
    passes(site, browser.get("/verify/gold/x"), remote_user=None)
    passes(site, browser.get("/verify/x"), remote_user="jdoe")
    gold = signed_in(site, acr="gold")
    passes(site, gold.get("/verify/gold/x"), remote_user="jdoe")


@case("N-08")
def test_subrequests(site):
    """For a subrequest there is no session that is not enough."""
    browser = signed_in(site, acr="silver")
    page = browser.get("/ssi/index.html")
    assert page.status == 200 and b"target" not in page.body, page
    assert "no session there that is sufficient" in site.log_since_mark()
    gold = signed_in(site, acr="gold")
    assert b'"/admin/part"' in gold.get("/ssi/index.html").body


@case("N-04")
def test_internal_redirects(site):
    browser = signed_in(site, acr="silver")
    query = challenge(site, browser.get("/moved/x"))
    assert query["acr_values"] == "gold mfa"
    gold = signed_in(site, acr="gold")
    passes(site, gold.get("/moved/x"), remote_user="jdoe")


@case("C-28")
def test_another_user(site):
    """It is a login of that user."""
    browser = signed_in(site)
    answer = browser.get("/admin/x")
    site.idp.user = {**site.idp.user, "sub": "u-2", "preferred_username": "bob"}
    claims(site, acr="gold")
    browser.callback(browser.callback_url(answer))
    passes(site, browser.get("/admin/x"), remote_user="bob")


@case("I-40")
def test_the_providers_own_demand(make_site):
    """The stricter of the two is asked for, both are checked."""
    site = make_site(directives={"max_age": "10m", "acr_values": "silver gold"},
                     locations=LOCATIONS, control=False)
    claims(site, acr="silver")
    browser = site.browser()
    assert challenge(site, browser.get("/x"))["max_age"] == "600"
    browser.login("/x")
    query = challenge(site, browser.get("/admin/x"))
    assert query["acr_values"] == "gold" and query["max_age"] == "600"
    query = challenge(site, site.browser().get("/fresh/x"))
    assert query["acr_values"] == "silver gold" and query["max_age"] == "300"
    answer = browser.get("/admin/x")
    claims(site, amr=["mfa"])  # is enough for the location alone
    reject(site, browser.callback(browser.callback_url(answer)), "id_token_acr")


@case("A-01")
def test_a_forwarded_callback(make_site):
    """The callback's own location can ask for more than the page that the login was for."""
    locations = """\
        location = /cb { auth_oidc_acr_values gold; proxy_pass http://@BACKEND@; }
"""
    site = make_site(directives={"redirect_uri": "/cb", "callback": "forward"}, control=False,
                     locations=locations, own_paths=("/cb",), identity=lambda path, found: (
                         None if path == "/cb" else identity(path, found)))
    claims(site, acr="silver")
    browser = site.browser()
    answer = browser.try_login("/x")
    assert answer.status == 502 and site.refusals()[-1][1] == "id_token_acr", answer
    assert not [h for h in site.hits() if h.path == "/cb"]
    # The session itself is good where it was asked for.
    passes(site, browser.get("/x"))
    claims(site, acr="gold")
    browser = site.browser()
    answer = browser.try_login("/x")
    assert answer.from_backend, answer
    # ?return_to= of somebody who is signed in too weakly leads to the provider, and back there.
    weak = signed_in(site, acr="silver", forwarded=False)
    answer = weak.get("/cb?return_to=%2Fy")
    assert challenge(site, answer)["acr_values"] == "gold"
    claims(site, acr="gold")
    answer = weak.callback(weak.callback_url(answer))
    assert answer.from_backend and site.backend.last.header("x-oidc-return-to") == "/y"


@case("C-24")
def test_a_refresh_that_takes_the_second_factor_away(make_site):
    site = make_site(directives={"session_refresh": "on before=1h"}, locations=LOCATIONS,
                     control=False)
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda b: {**b, "expires_in": 10}
    site.idp.refresh_claims = lambda c: {**c, "acr": "silver"}
    site.idp.claims = lambda c: {"acr": "gold", **c}
    browser = site.browser()
    browser.login("/admin/x")
    site.wait(lambda: browser.get("/admin/x", kind="xhr").status == 401, "the refreshed acr",
              timeout=20)
    challenge(site, browser.get("/admin/x"))


BAD = {"none": ("auth_oidc_max_age", ""), "zero": ("auth_oidc_max_age 0", "10s"),
       "short": ("auth_oidc_max_age 9s", "10s"), "text": ("auth_oidc_max_age soon", "10s"),
       "long": ("auth_oidc_max_age 366d", "10s"),
       "twice": ("auth_oidc_max_age 1m; auth_oidc_max_age 2m", "is duplicate"),
       "acr-none": ("auth_oidc_acr_values", ""), "acr-empty": ('auth_oidc_acr_values ""', "invalid"),
       "acr-blank": ('auth_oidc_acr_values "a b"', "invalid"),
       "acr-quote": ("auth_oidc_acr_values 'a\"'", "invalid"),
       "acr-off": ("auth_oidc_acr_values a off", "invalid"),
       "acr-twice": ("auth_oidc_acr_values a; auth_oidc_acr_values b", "is duplicate"),
       "acr-long": (f"auth_oidc_acr_values {'a' * 513}", "512")}


@pytest.mark.parametrize("text, message", rows("I-40", BAD))
def test_what_the_configuration_refuses(make_site, text, message):
    site = make_site(locations=f"location /a {{ {text}; }}\n", start=False, control=False)
    status, out = site.nginx.test()
    assert status != 0 and message in out and "directive" in out or "is duplicate" in out \
        or "512" in out, out
