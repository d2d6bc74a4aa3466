# SPDX-License-Identifier: Apache-2.0
"""`callback forward`: the application's own page receives the login (group A)."""

import urllib.parse

import pytest

from harness.cases import case
from harness.outcome import notoken, passes
from harness.site import Site, query_of
from harness.wire import Reply


def started(site, target="/x"):
    """A browser that has been sent to the provider, and the response that did it."""
    browser = site.browser()
    return browser, browser.start(target)


@pytest.fixture(scope="module")
def forward(lab):
    with Site(lab, directives={"callback": "forward", "redirect_uri": "/oauth-callback.php"},
              own_paths=(), locations="location = /oauth-callback.php {\n"
              "            fastcgi_pass @FCGI@;\n@FCGI_PARAMS@        }\n",
              control=False) as site:
        yield site


@case("A-01")
def test_forwarded_callback(forward):
    site = forward
    browser, first = started(site, "/deep?x=1")
    target = browser.callback_url(first)
    answer = browser.callback(target + "&session_state=abc&keep=me&also=%20this")
    hit = passes(site, answer, remote_user="jdoe", remote_email="jdoe@example.org")
    assert hit.kind == "fastcgi" and hit.method == "GET"
    assert hit.headers.all("HTTP_X_OIDC_RETURN_TO") == ["/deep?x=1"]
    assert hit.header("QUERY_STRING") == "keep=me&also=%20this"
    assert hit.header("REQUEST_URI") == "/oauth-callback.php?keep=me&also=%20this"
    code = urllib.parse.parse_qs(target.partition("?")[2])["code"][0]
    assert code.encode() not in hit.raw
    assert query_of(first.location)["state"].encode() not in hit.raw
    assert "no-store" in answer.headers.get("cache-control")
    assert browser.session_cookie and browser.pending() == []
    passes(site, browser.get("/deep?x=1"), remote_user="jdoe")


@case("A-01")
def test_forwarded_callback_on_a_keepalive_connection(forward):
    """Nothing of one request's answer leaks into the next one on the same connection."""
    site = forward
    browser, first = started(site, "/one")
    answer = browser.callback(browser.callback_url(first))
    assert answer.from_backend and answer.set_cookies()
    second = browser.get("/two")
    assert second.from_backend and not second.set_cookies()


@case("A-01")
def test_cookies_that_the_application_sets_at_sign_in_stay(lab):
    """clear_cookies ends what another user left, never what this answer brings."""
    with Site(lab, directives={"callback": "forward", "redirect_uri": "/oauth-callback.php",
                               "clear_cookies": "auth-token auth-token-secret"},
              own_paths=(), locations="location = /oauth-callback.php {\n"
              "            fastcgi_pass @FCGI@;\n@FCGI_PARAMS@        }\n",
              control=False) as site:
        browser, first = started(site, "/x")
        site.backend.answers["/oauth-callback.php"] = Reply(
            b"", headers=[("Set-Cookie", "auth-token-secret=fresh; path=/; HttpOnly")])
        answer = browser.callback(browser.callback_url(first))
        lines = [line for line in answer.headers.all("Set-Cookie") if line.startswith("auth-token")]
        assert sorted(line.partition(";")[0] for line in lines) == [
            "auth-token-secret=fresh", "auth-token="], lines


@case("A-02")
def test_foreign_callback_is_the_backends(forward):
    """`code` without a state of ours belongs to another login of the application."""
    site = forward
    stranger = site.browser()
    query = "?code=theirs&state=their-state"
    answer = stranger.callback("/oauth-callback.php" + query)
    assert not answer.from_backend and answer.status in (302, 400, 401), answer
    with site.signed_in() as browser:
        for query in ("?code=theirs&state=their-state", "?code=theirs", "?error=access_denied",
                      "?error=x&state=other"):
            answer = browser.callback("/oauth-callback.php" + query)
            assert answer.from_backend, answer
            hit = site.backend.last
            assert hit.header("REQUEST_URI") == "/oauth-callback.php" + query
            assert hit.identity() == {}, hit.identity()
        # Without code and error it is an ordinary request, with the identity.
        answer = browser.get("/oauth-callback.php?return_to=%2Fx")
        passes(site, answer, remote_user="jdoe")
    site.state.check_hits = False  # asserted above: foreign callbacks carry no identity


@case("A-21")
def test_forwarded_callback_without_parameters(forward):
    site = forward
    browser = site.browser()
    first = browser.start("/oauth-callback.php?return_to=%2Fx")
    answer = browser.callback(browser.callback_url(first))
    assert answer.from_backend or answer.status in (302, 303), answer
    passes(site, browser.get("/oauth-callback.php?return_to=%2Fx"), remote_user="jdoe")


@case("A-03")
def test_forwarded_unknown_state_of_ours(forward):
    site = forward
    browser = site.browser()
    answer = browser.callback(f"/oauth-callback.php?code=abc&state=ngxoidc1.{'C' * 43}")
    assert answer.status in (302, 303, 400) and not answer.from_backend, answer
    notoken(site)
    assert site.hits() == []


@case("A-29")
def test_forwarded_callback_with_other_methods(forward):
    site = forward
    browser, first = started(site)
    target = browser.callback_url(first)
    for method in ("POST", "HEAD", "PUT"):
        answer = browser.request(method, target, body=b"" if method != "HEAD" else None)
        assert answer.status == 405 and not answer.from_backend, answer
    notoken(site)
    assert browser.callback(target).from_backend
