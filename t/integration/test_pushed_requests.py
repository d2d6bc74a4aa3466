# SPDX-License-Identifier: Apache-2.0
"""Pushed authorization requests (RFC 9126)."""

import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.forge import Key
from harness.idp import Idp
from harness.outcome import page, passes, reject
from harness.site import Site, query_of
from harness.wire import Reply
from test_client_assertion import make


def form_of(request):
    pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def begun(site, browser, target="/x"):
    """The pushed parameters, after a look at what the browser was given."""
    first = browser.start(target)
    shown = query_of(first.location)
    assert set(shown) == {"client_id", "request_uri"}, first
    form = form_of(site.idp.last("par"))
    for name in ("state", "nonce", "code_challenge", "redirect_uri"):
        assert form[name] not in first.location
    assert form["response_type"] == "code" and form["code_challenge_method"] == "S256"
    assert form["redirect_uri"] == site.origin_text + "/oidc_callback"
    return first, form


def counts(site):
    return site.idp.count("par")


@pytest.mark.parametrize("method", rows("P-01", {m: m for m in ("client_secret_basic", "client_secret_post")}))
def test_demanded_by_the_metadata(lab, make_site, method):
    idp = Idp(lab.keys)
    idp.par_required, idp.auth_methods = True, (method,)
    site = make_site(idp=idp, control=False, directives={
        "scope": "email", "max_age": "30m", "login_hint": '"jane doe"', "resource": "https://a.example urn:x:y",
        "extra_auth_args": '"display=page&x=a+b"'})
    idp.claims = lambda c: {**c, "auth_time": c["iat"]}
    browser = site.browser()
    first = browser.start("/x?y=z")
    assert set(query_of(first.location)) == {"client_id", "request_uri"}
    request = idp.last("par")
    pairs = urllib.parse.parse_qsl(request.body.decode())
    form = dict(pairs)
    assert form["scope"] == "openid email" and form["max_age"] == "1800" and form["login_hint"] == "jane doe"
    assert [v for n, v in pairs if n == "resource"] == ["https://a.example", "urn:x:y"]
    assert form["display"] == "page" and form["x"] == "a b" and form["client_id"] == idp.client_id
    assert ("client_secret" in form) == (method == "client_secret_post")
    answer = browser.callback(browser.callback_url(first))
    assert browser.onward(answer) == "/x?y=z"
    passes(site, browser.get("/x?y=z"), remote_user="jdoe")
    assert site.refusals() == [] and counts(site) == 1


@case("P-01")
def test_by_a_client_with_a_key(lab, make_site):
    site = make(lab, make_site, Key.ec("-"), "ES256", par="on")
    browser = site.browser()
    first, form = begun(site, browser)
    assert "client_assertion" in form and len(site.idp.assertions) == 1
    assert browser.callback(browser.callback_url(first)).status == 303
    assert len(site.idp.assertions) == 2, "each request has one of its own"


@case("P-01")
def test_by_a_public_client(lab, make_site):
    idp = Idp(lab.keys)
    idp.auth_methods = ("none",)
    site = make_site(idp=idp, control=False, directives={
        "par": "on", "client_secret": None, "token_endpoint_auth_method": "none"})
    browser = site.browser()
    first, _ = begun(site, browser)
    assert browser.callback(browser.callback_url(first)).status == 303


@case("P-01")
def test_when_requests_are_pushed(lab, make_site):
    site = make_site(control=False)
    site.browser().start("/x")
    assert counts(site) == 0, "offered, and not demanded"
    idp = Idp(lab.keys)
    idp.par_required = True
    off = make_site(idp=idp, control=False, directives={"par": "off"})
    assert "request_uri" not in query_of(off.browser().start("/x").location)
    assert "pushed authorization requests (RFC 9126), and par is off" in off.nginx.log()
    on = make_site(control=False, directives={"par": "on"})
    for kind in ("xhr", "image", "prefetch"):
        assert on.browser().get("/x", kind=kind).status == 401
    assert on.browser().post("/x", b"a=b").status == 401
    assert counts(on) == 0, "only for who goes to the provider"


@case("P-01")
def test_a_long_target_and_a_step_up(make_site):
    site = make_site(control=False, directives={"par": "on"}, locations="""
        location /strong/ { auth_oidc_acr_values mfa; proxy_pass http://@BACKEND@; }""")
    browser = site.browser()
    target = "/x?q=" + "a" * 1500
    first, _ = begun(site, browser, target)
    assert browser.onward(browser.callback(browser.callback_url(first))) == target
    site.idp.claims = lambda c: {**c, "acr": "mfa"}
    first, form = begun(site, browser, "/strong/x")
    assert form["acr_values"] == "mfa"
    assert browser.onward(browser.callback(browser.callback_url(first))) == "/strong/x"


@case("P-01")
def test_with_satisfy_any_nobody_waits(make_site):
    site = make_site(control=False, directives={"par": "on"}, server="satisfy any; deny all;")
    site.browser().get("/x")
    answer = site.browser().get("/x")
    assert answer.status == 401 and counts(site) == 0, answer


def error(code, status=400):
    return lambda b: Reply({"error": code, "error_description": "it says why"}, status=status)


FAILURES = {
    "invalid-request": (error("invalid_request"), "par_error", 502, "it says why"),
    "scope": (error("invalid_scope"), "par_error", 502, "scope"),
    "target": (error("invalid_target"), "par_error", 502, "check resource"),
    "redirect-uri": (error("invalid_redirect_uri"), "par_error", 502, "check redirect_uri"),
    "error-in-a-200": (error("invalid_request", 200), "par_error", 502, "invalid_request"),
    "client": (error("invalid_client", 401), "token_client_auth", 502, "invalid_client"),
    "unauthorized": (error("unauthorized_client"), "token_client_auth", 502, "unauthorized_client"),
    "401": (lambda b: Reply(b"", status=401), "token_client_auth", 502, "answered 401"),
    "403": (lambda b: Reply(b"", status=403), "token_client_auth", 502, "answered 403"),
    "404": (lambda b: Reply(b"", status=404), "par_status", 502, "check pushed_authorization_request_endpoint"),
    "413": (lambda b: Reply(b"", status=413), "par_status", 502, "answered 413"),
    "429": (lambda b: Reply({"error": "invalid_client"}, status=429, headers=[("Retry-After", "7")]),
            "par_status", 502, "retry after"),
    "500": (lambda b: Reply({"error": "server_error"}, status=500), "par_status", 502, "answered 500"),
    "204": (lambda b: Reply(b"", status=204), "par_status", 502, "answered 204"),
    "redirect": (lambda b: Reply(b"", status=307, headers=[("Location", "/elsewhere")]), "idp_redirect", 502,
                 "pushed_authorization_request_endpoint"),
    "html": (lambda b: Reply("<html>", status=201, ctype="text/html"), "par_malformed", 502, "content type"),
    "list": (lambda b: Reply("[1]", status=201), "par_malformed", 502, ""),
    "empty": (lambda b: {}, "par_malformed", 502, "no request_uri"),
    "number": (lambda b: {**b, "request_uri": 7}, "par_malformed", 502, "no request_uri"),
    "null": (lambda b: {**b, "request_uri": None}, "par_malformed", 502, "no request_uri"),
    "no-uri": (lambda b: {**b, "request_uri": "abc"}, "par_malformed", 502, "absolute"),
    "blank": (lambda b: {**b, "request_uri": "urn:a b"}, "par_malformed", 502, "absolute"),
    "line": (lambda b: {**b, "request_uri": "urn:a\r\nX: y"}, "par_malformed", 502, "absolute"),
    "nul": (lambda b: {**b, "request_uri": "urn:a\0b"}, "par_malformed", 502, ""),
    "fragment": (lambda b: {**b, "request_uri": "urn:a#b"}, "par_malformed", 502, "absolute"),
    "long": (lambda b: {**b, "request_uri": "urn:" + "a" * 600}, "par_malformed", 502, "512"),
    "huge": (lambda b: {**b, "x": "x" * 2000000}, "idp_too_large", 502, ""),
}


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives={"par": "on", "read_timeout": "2s"}, control=False) as site:
        yield site


def refused(site, answer, code, status, words):
    """No fallback to a request that the browser brings: a page, and no login under way."""
    reject(site, answer, code, status, consumed=False)
    page(answer)
    assert answer.set_cookies() == [] and words in site.refusals()[-1][2], site.refusals()


@pytest.mark.parametrize("change, code, status, words", rows("P-02", FAILURES))
def test_failures(site, change, code, status, words):
    site.idp.par_body = change
    browser = site.browser()
    refused(site, browser.get("/x"), code, status, words)
    site.idp.complaints.clear()
    site.idp.par_body = None
    assert browser.login("/x").from_backend, "the next one is made anew"


@pytest.mark.parametrize("how, code, status", rows("P-02", {
    "stall": (lambda x: x.stall(), "idp_timeout", 504), "cut": (lambda x: b"HTTP/1.1 201 Created\r\nContent-Le",
                                                              "idp_http|par_malformed", 502),
    "garbage": (lambda x: b"\0\1\2", "idp_http|idp_connect", 502)}))
def test_failures_of_the_connection(site, how, code, status):
    site.idp.on["par"] = how
    begin = time.monotonic()
    refused(site, site.browser().get("/x"), code, status, "")
    assert time.monotonic() - begin < 5
    site.idp.on.clear()
    assert site.browser().login("/x").from_backend


@case("P-02")
def test_a_browser_that_does_not_wait(site):
    """Nothing is left of it; whoever comes next is served."""
    site.idp.on["par"] = lambda x: x.stall()
    with site.connect() as connection:
        connection.send(f"GET /x HTTP/1.1\r\nHost: {site.authority()}\r\nSec-Fetch-Mode: navigate\r\n\r\n")
        site.wait(lambda: site.delta("par") >= 1, "the pushed request")
        connection.rst()
    site.idp.on.clear()
    assert site.browser().login("/x").from_backend


@case("P-02")
def test_what_was_pushed_is_good_once(site):
    """A second use is the provider's to refuse: what it then says ends on a page."""
    browser = site.browser()
    first, form = begun(site, browser)
    url = browser.callback_url(first)
    assert browser.callback(url).status == 303
    answer = browser.callback("/oidc_callback?" + urllib.parse.urlencode({
        "error": "invalid_request_uri", "state": form["state"], "iss": site.idp.issuer}))
    assert not answer.from_backend


@case("P-02")
def test_no_endpoint(lab, make_site):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "pushed_authorization_request_endpoint": None}
    site = make_site(idp=idp, control=False, directives={"par": "on"})
    answer = site.browser().get("/x")
    reject(site, answer, "metadata_invalid", 502, consumed=False)
    assert "pushed_authorization_request_endpoint" in site.refusals()[-1][2]
    other = make_site(idp=idp, control=False, directives={
        "par": "on", "pushed_authorization_request_endpoint": idp.url("par")})
    assert other.browser().login("/x").from_backend
