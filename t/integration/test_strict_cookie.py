# SPDX-License-Identifier: Apache-2.0
"""`cookie_samesite Strict`: the cookie comes with what our own pages ask for, and nobody goes round."""

import shutil
import subprocess

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, passes
from harness.site import Site
from harness.wire import Reply

CHROMIUM = shutil.which("chromium")


def attributes(cookie):
    own = "Strict" if "SESSION" in cookie.name else "Lax"
    return {"path": "/", "httponly": "", "secure": "", "samesite": own}


def make(lab, **more):
    return Site(lab, directives={"cookie_samesite": "Strict"}, cookie_attrs=attributes, control=False,
                **{"locations": "location /any/ { satisfy any; deny all; proxy_pass http://@BACKEND@; }",
                   **more})


@pytest.fixture(scope="module")
def site(lab):
    with make(lab) as site:
        yield site


NO_METADATA = {"Sec-Fetch-Site": None, "Sec-Fetch-Mode": None, "Sec-Fetch-Dest": None, "Sec-Fetch-User": None}


def walk(site, browser, target, cross_site, headers=None, limit=9):
    """As a browser goes, from an address or a link on: (steps, the application's answer). A redirect is
    part of the navigation that began it, what a page of ours asks for is a navigation of our own."""
    steps = []
    fetch_site = "cross-site" if cross_site else "none"
    while True:
        answer = browser.get(target, cross_site=cross_site, fetch_site=fetch_site, headers=headers)
        if answer.from_backend and answer.status == 200:
            return steps, answer
        assert len(steps) < limit, steps
        if answer.status == 200:
            steps.append("page")
            target, cross_site, fetch_site = browser.onward(answer), False, "same-origin"
        elif answer.location.split("?")[0] in site.authorization_endpoints():
            steps.append("provider")
            # Somebody presses a button there.
            target, cross_site, fetch_site = browser.callback_url(answer), True, "cross-site"
        else:
            steps.append("redirect")
            target = site.path_of(answer.location)


def sessions(site):
    return {c.value for _, a in site.state.exchanges.values() for c in a.set_cookies()
            if c.name == site.session_cookie_name and not c.deletes}


WALKS = {
    "address": (False, False, ["provider", "page"]),
    "link": (True, False, ["page", "provider", "page"]),
    "address-with-session": (False, True, []),
    "link-with-session": (True, True, ["page"]),
}


@pytest.mark.parametrize("name", rows("C-29", {k: k for k in WALKS}))
@pytest.mark.parametrize("path", ["/x", "/x?a=1&b=%22%3E", "/any/x"])
def test_every_way_ends_at_the_page(site, path, name):
    cross_site, signed_in, expected = WALKS[name]
    browser = site.browser()
    if signed_in:
        browser.login("/start")
    before = sessions(site)
    steps, answer = walk(site, browser, path, cross_site)
    assert steps == expected
    assert passes(site, answer, remote_user="jdoe").target == path
    assert len(sessions(site) - before) == (0 if signed_in else 1)


@pytest.mark.parametrize("signed_in", rows("C-29", {"old-without": False, "old-with-session": True}))
def test_browsers_without_fetch_metadata(site, signed_in):
    """They do not say where a request comes from: a login more, and no circle."""
    browser = site.browser()
    if signed_in:
        browser.login("/start")
    steps, answer = walk(site, browser, "/x", True, NO_METADATA)
    assert steps == ["provider", "page"]
    passes(site, answer, remote_user="jdoe")


@case("C-29")
def test_what_is_no_navigation_of_another_site(site):
    browser = site.browser()
    for fetch_site in ("none", "same-origin", "same-site"):
        challenge(site, browser.get("/x", fetch_site=fetch_site))
    # It carries a cookie, so it would carry a live one.
    dead = f"{site.session_cookie_name}={'A' * 43}"
    challenge(site, browser.get("/x", fetch_site="cross-site", headers={"Cookie": dead}))
    assert browser.get("/x", kind="xhr", fetch_site="cross-site").status == 401
    assert browser.post("/x", body=b"a", fetch_site="cross-site").status == 401


@case("C-29")
def test_the_page(site):
    answer = site.browser().get("/x?a='\"><script>", fetch_site="cross-site")
    assert answer.status == 200 and answer.set_cookies() == []
    assert answer.headers.get("cache-control") == "no-store"
    policy = answer.headers.get("content-security-policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "<script" not in answer.text
    for target in ("//evil.example/", "/%5cevil.example", "/.//evil.example"):
        page = site.browser().get(target, fetch_site="cross-site")
        assert "evil" not in page.text or page.status != 200, page


@case("C-29")
def test_forwarded_callbacks(lab):
    """The application redirects after its own sign-in: that goes on from the provider's page, too. And the
    response that another application has asked for finds its user."""
    with Site(lab, directives={"cookie_samesite": "Strict", "callback": "forward",
                               "redirect_uri": "/oauth-callback.php"}, cookie_attrs=attributes,
              control=False, own_paths=("/oauth-callback.php",)) as site:
        site.backend.answers["/oauth-callback.php"] = Reply(
            b"", status=302, headers=[("Location", "/x")])
        browser = site.browser()
        steps, answer = walk(site, browser, "/x", False)
        assert steps == ["provider", "redirect", "page"]
        passes(site, answer, remote_user="jdoe")
        del site.backend.answers["/oauth-callback.php"]
        site.state.check_hits = False
        theirs = "/oauth-callback.php?code=theirs&state=of-another"
        steps, answer = walk(site, browser, theirs, True)
        assert steps == ["page"] and passes(site, answer).target == theirs


@case("C-29")
def test_lax_needs_no_page(make_site):
    site = make_site(control=False)
    browser = site.browser()
    steps, answer = walk(site, browser, "/x", False)
    assert steps == ["provider", "redirect"] and answer.from_backend
    assert walk(site, browser, "/x", True)[0] == []


@case("C-29")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_chromium(lab):
    """A real browser, and a page of the provider that goes on by itself."""
    with make(lab) as site:
        def sign_in(exchange):
            url = site.idp.authorize(exchange.request.query)
            return Reply(f"<script>location = {url!r}</script>", ctype="text/html")
        site.idp.on["authorize"] = sign_in
        site.backend.answers["/x"] = Reply("<p id=done>signed in</p>", ctype="text/html")
        shown = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
             f"--user-data-dir={site.folder / 'chromium'}", "--virtual-time-budget=15000",
             "--host-resolver-rules=MAP app.test 127.0.0.1", "--dump-dom", site.origin() + "/x"],
            capture_output=True, text=True, timeout=120, check=False)
        site.state.check_hits = False
        assert "signed in" in shown.stdout, shown.stdout + shown.stderr[-2000:]
        assert site.delta("token") == 1, site.log_since_mark()
