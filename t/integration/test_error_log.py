# SPDX-License-Identifier: Apache-2.0
"""What a stock nginx, whose error_log names no level, has of the pages that people see."""

import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.site import Site, query_of
from harness.wire import Reply

CALLBACK = "/oidc_callback"
DIRECTIVES = {"logout_uri": "/logout", "read_timeout": "2s", "userinfo": "on"}


def make(lab, **more):
    return Site(lab, level="error", directives=DIRECTIVES, own_paths=(CALLBACK, "/logout"),
                locations="location /closed { auth_oidc_require $never; proxy_pass http://@BACKEND@; }",
                http="map $uri $never { default 0; }\n", control=False, **more)


@pytest.fixture(scope="module")
def site(lab):
    with make(lab) as site:
        yield site


def answered(site, browser, **changes):
    """The callback of a login that was begun, with other arguments."""
    first = browser.start("/x")
    state = query_of(first.location)["state"]
    iss = urllib.parse.quote(site.idp.issuer, safe="")
    arguments = {"code": "c", "state": state, "iss": iss, **changes}
    query = "&".join(f"{k}={v}" for k, v in arguments.items() if v)
    return browser.callback(f"{CALLBACK}?{query}")


def by_token(hook):
    def do(site, browser):
        site.idp.on["token"] = hook
        return browser.try_login("/x")
    return do


def by_claims(**changes):
    def do(site, browser):
        site.idp.claims = lambda claims: {**claims, **changes}
        return browser.try_login("/x")
    return do


def used_twice(_site, browser):
    url = browser.callback_url(browser.start("/x"))
    browser.callback(url)
    browser.jar.cookies.clear()
    return browser.callback(url)


def not_permitted(_site, browser):
    browser.login("/x")
    return browser.get("/closed")


def down(site, browser):
    first = browser.start("/x")
    url = browser.callback_url(first)
    site.idp.refuse()
    try:
        return browser.callback(url)
    finally:
        site.idp.listen()


PAGES = {
    "callback_malformed": lambda s, b: answered(s, b, state="%zz"),
    "callback_method": lambda s, b: b.request("PUT", b.callback_url(b.start("/x"))),
    "state_missing": lambda s, b: answered(s, b, state=""),
    "state_unknown": lambda s, b: answered(s, b, state="ngxoidc1." + "B" * 43),
    "state_replayed|state_unknown": used_twice,
    "issuer_mix_up": lambda s, b: answered(s, b, iss="https%3A%2F%2Fother.example"),
    "access_denied": lambda s, b: answered(s, b, code="", error="access_denied"),
    "idp_error": lambda s, b: answered(s, b, code="", error="invalid_scope"),
    "logout_cross_site": lambda s, b: b.get("/logout", cross_site=True),
    "not_permitted": not_permitted,
    "idp_connect": down,
    "token_status": by_token(lambda x: Reply(b"", status=500)),
    "token_malformed": by_token(lambda x: Reply(b"<html>", ctype="text/html")),
    "code_refused": lambda s, b: answered(s, b),
    "token_client_auth": by_token(lambda x: Reply({"error": "invalid_client"}, status=401)),
    "id_token_nonce": by_claims(nonce="wrong"),
    "id_token_aud": by_claims(aud="somebody"),
    "username_missing": by_claims(preferred_username=None, sub=None),
}


@pytest.mark.parametrize("code", rows("F-26", {k.partition("|")[0]: k for k in PAGES}))
def test_the_reference_of_a_page_is_in_the_log(site, code):
    answer = PAGES[code](site, site.browser())
    assert answer.status >= 400 and not answer.from_backend, answer
    reference = re.search(r"<code>([^<]+)</code>", answer.text)
    assert reference, answer
    lines = [li for li in site.nginx.log().splitlines() if reference[1] in li]
    assert len(lines) == 1 and "[error]" in lines[0], lines
    assert re.search(rf"refused: ({code}|id_token_sub)\b", lines[0]), lines


@case("F-27")
def test_outsiders_do_not_fill_the_log(lab):
    with make(lab, workers=1) as site:
        seen = []
        for i in range(37):
            state = "ngxoidc1." + f"{i:043d}"
            answer = site.browser().callback(f"{CALLBACK}?code=abc&state={state}")
            assert answer.status == 400, answer
            seen.append(re.search(r"<code>([^<]+)</code>", answer.text)[1])
        # Another reason has lines of its own.
        answer = site.browser().get("/logout", cross_site=True)
        assert re.search(r"<code>([^<]+)</code>", answer.text)[1] in site.nginx.log()
        log = site.nginx.log()
        assert [r in log for r in seen] == [True] * 10 + [False] * 27
        assert log.count("refused: state_unknown") == 10
        assert "more refusals" not in log
        # The number comes after the minute, or when the worker ends.
        site.reload()
        site.wait(lambda: "more refusals" in site.nginx.log(), "the number")
        assert '27 more refusals of "state_unknown" within a minute' in site.nginx.log()


@case("F-27")
def test_invented_codes_do_not_fill_the_log(lab):
    """A login of one's own and a code of one's own, without an account."""
    with make(lab, workers=1) as site:
        for _ in range(14):
            assert answered(site, site.browser()).status == 400
        assert site.nginx.log().count("refused: code_refused") == 10
        site.reload()
        site.wait(lambda: '4 more refusals of "code_refused"' in site.nginx.log(), "the number")


@case("F-27")
def test_whoever_logs_at_info_has_all_lines(lab):
    with Site(lab, own_paths=(CALLBACK,), workers=1, control=False) as site:
        for i in range(15):
            site.browser().callback(f"{CALLBACK}?code=abc&state=ngxoidc1.{i:043d}")
        lines = [li for li in site.nginx.log().splitlines() if "refused: state_unknown" in li]
        assert [("[error]" in li) for li in lines] == [True] * 10 + [False] * 5
        assert all("[info]" in li for li in lines[10:]), lines
