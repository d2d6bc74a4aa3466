# SPDX-License-Identifier: Apache-2.0
"""One scenario at each real provider. Not part of `./build.sh test`: `./build.sh providers`."""

import time

import pytest

import obtain
from harness.outcome import button_of, passes
from harness.site import query_of
from django_oauth_toolkit import DjangoOAuthToolkit
from hydra import Hydra
from keycloak import Keycloak
from oidc_provider import OidcProvider
from provider import DUE
from spring import Spring
from zitadel import Zitadel

PROVIDERS = [Keycloak, Hydra, OidcProvider, DjangoOAuthToolkit, Zitadel, Spring]
WHO = {"remote_user": "jane", "remote_name": "Jane Müller",
       "remote_email": "jane.mueller@example.com"}
# Seconds that a logout token, a refresh or the news of a key may be under way: a busy machine is none
# of the things that are tested here.
SOON = 60

# Seconds; the least that the directive takes. The clock is one, so there is no skew to add.
RECENT = 10
LOCATIONS = f"""\
        location = /status {{ auth_oidc off; oidc_status; }}
        location /recent/ {{ auth_oidc_max_age {RECENT}s; proxy_pass http://@BACKEND@; }}
"""


@pytest.fixture(scope="module", params=PROVIDERS, ids=lambda p: f"{p.name} {p.version}")
def provider(request, lab):
    assert all(f"test_{step}" in globals() for step in request.param.gaps), request.param.gaps
    try:
        request.param.obtain()
    except obtain.Unavailable as e:
        pytest.skip(f"cannot be had: {e}")
    return request.param(lab)


@pytest.fixture(scope="module")
def running(provider):
    directives = {"session_refresh": "on", "read_timeout": f"{SOON}s", "clock_skew": "1s",
                  "logout_uri": "/oidc/logout",
                  "logout_token_hint": "on", "post_logout_uri": "/public/bye",
                  "backchannel_logout_uri": "/oidc/backchannel", **provider.directives}
    # The provider would keep its own connection to us for seconds after a test.
    with provider.site(callback=provider.callback, directives=directives, control=False,
                       server="keepalive_timeout 1s;", locations=LOCATIONS) as site:
        yield site


@pytest.fixture
def site(request, running):
    """The site, unless the provider has no means for the step: then it is skipped, visibly."""
    why = running.idp.gaps.get(request.node.originalname.removeprefix("test_"))
    if why:
        pytest.skip(why)
    return running


def signed_in(site):
    browser = site.browser()
    browser.login("/page?x=1")
    passes(site, browser.get("/page"), **WHO)
    return browser


def counters(site, name):
    browser = site.browser()
    answer = browser.get("/status?format=json", kind="none", cookies=False)
    browser.close()
    return answer.json()[name]


def refresh(site, browser):
    """A request of a due session is answered at once and begins a refresh, which succeeds."""
    before = counters(site, "refreshes")
    time.sleep(DUE)
    passes(site, browser.get("/page"), **WHO)
    site.wait(lambda: counters(site, "refreshes") != before, "a refresh", SOON)
    assert counters(site, "refreshes") == {**before, "refreshed": before["refreshed"] + 1}, \
        site.log_since_mark()
    passes(site, browser.get("/page"), **WHO)


def is_over(site, browser):
    answer = browser.get("/page")
    assert answer.from_backend or answer.location.startswith(site.idp.url("authorize") + "?"), answer
    return not answer.from_backend


def ended_by_a_refresh(site, browser, code):
    before = counters(site, "refreshes")["ended"]
    site.wait(lambda: is_over(site, browser), "the end of the session", SOON)
    assert counters(site, "refreshes")["ended"] == before + 1
    assert f"ended it: {code}" in site.log_since_mark()


def test_sign_in(site):
    browser = site.browser()
    answer = browser.try_login("/page?x=1")
    assert answer.from_backend or answer.status in (302, 303), site.log_since_mark()
    passes(site, browser.get("/page?x=1"), **WHO)
    assert not is_over(site, browser)


def test_three_refreshes(site):
    browser = signed_in(site)
    for _ in range(3):
        refresh(site, browser)


def test_recent_sign_in(site):
    """A page that wants one sends the person to the provider, who asks for the password again."""
    browser = signed_in(site)
    time.sleep(RECENT + 2)
    assert not is_over(site, browser)
    passes(site, browser.login("/recent/x"), **WHO)


def test_log_out_here(site):
    """RP-initiated: the session ends at both, and the browser comes back."""
    browser, provider = signed_in(site), site.idp
    assert provider.asks_for_a_password(site) is not provider.remembers_people
    answer = browser.get("/oidc/logout", fetch_site="same-origin")
    assert answer.status in (302, 303), site.log_since_mark()
    assert answer.location.startswith(provider.url("logout") + "?"), answer
    assert query_of(answer.location)["id_token_hint"].count(".") == 2
    back = provider.leave(answer.location, site)
    assert back.location is not None, f"{back.url} {back.status}\n{back.text[:600]}"
    assert back.location.split("?")[0] in (
        site.origin_text + path for path in ("/public/bye", "/signed-out"))
    assert is_over(site, browser)
    assert provider.asks_for_a_password(site)


def test_log_out_there(site):
    """Back-channel: somebody signs the user out at the provider, which tells the module."""
    browser, stays = signed_in(site), site.browser()
    site.idp.end_sessions()
    site.wait(lambda: is_over(site, browser), "the end of the session", SOON)
    assert "back-channel logout at provider" in site.log_since_mark()
    stays.login("/page")
    assert not is_over(site, stays)


def after_a_change_of_key(site, alg):
    """Sessions go on with tokens of the new key, and new ones begin, at once."""
    before = signed_in(site)
    refresh(site, before)
    site.idp.change_key(alg)
    if site.idp.refreshes_name_the_former_key:
        time.sleep(DUE)
        ended_by_a_refresh(site, before, "jwt_key_unknown")
    else:
        refresh(site, before)
    site.idp.somebody_else()
    after = signed_in(site)
    refresh(site, after)


def test_new_key_of_the_same_type(site):
    after_a_change_of_key(site, "RS256")


def test_new_key_of_another_type(site):
    after_a_change_of_key(site, "ES256")


def test_new_key_of_the_same_name(site):
    """Nothing in a token says that it is another one."""
    before = signed_in(site)
    site.idp.replace_key()
    refresh(site, before)
    site.idp.replace_key()
    site.idp.somebody_else()
    signed_in(site)


def test_two_new_keys_at_once(site):
    """The second one comes while the keys have just been fetched for the first."""
    signed_in(site)
    for _ in range(2):
        site.idp.change_key("RS256")
        site.idp.somebody_else()
        signed_in(site)


def test_log_out_there_with_a_new_key(site):
    """The logout token is the first thing that the provider signs with it."""
    browser = signed_in(site)
    site.idp.change_key("RS256")
    site.idp.end_sessions()
    site.wait(lambda: is_over(site, browser), "the end of the session", SOON)
    assert "back-channel logout at provider" in site.log_since_mark()


def log_out_after_a_change_of_key(site, alg):
    """The ID token that the session has was signed with a key that is gone: the provider would refuse
    it, and with it the logout. So the page comes first that says what has ended."""
    browser, provider = signed_in(site), site.idp
    provider.change_key(alg)
    person = provider.somebody_else()
    signed_in(site)  # from which the module has the new key
    provider.this_one(person)
    answer = browser.get("/oidc/logout", fetch_site="same-origin")
    target = button_of(site, answer)
    assert "id_token_hint" not in query_of(target)
    assert is_over(site, browser)
    page = provider.page(target, site)
    assert page.status < 400, f"{page.url} {page.status}\n{page.text[:600]}"


def test_log_out_here_after_a_change_of_key(site):
    log_out_after_a_change_of_key(site, "RS256")


def test_log_out_here_after_a_change_of_type(site):
    log_out_after_a_change_of_key(site, "ES256")


def test_disabled_user(site):
    """The last step: the next refresh ends the session."""
    browser = signed_in(site)
    site.idp.disable_user()
    time.sleep(DUE)
    ended_by_a_refresh(site, browser, "refresh_denied")
