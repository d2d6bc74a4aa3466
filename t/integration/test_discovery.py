# SPDX-License-Identifier: Apache-2.0
"""Group D: the provider's metadata."""

import gzip
import json
import time

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import challenge, page, passes, reject, sane
from harness.site import query_of
from harness.wire import Reply


def cold(lab, make_site, metadata=None, hook=None, **kw):
    """A site whose provider has not been asked yet."""
    idp = Idp(lab.keys)
    idp.metadata = metadata
    if hook:
        idp.on["discovery"] = hook
    return make_site(idp=idp, control=False, **kw)


def refused(site, code):
    """The first request of a cold site: a page, never a redirect to the provider."""
    answer = site.browser().get("/d")
    assert answer.status in (502, 503, 504), f"{answer}\n{site.log_since_mark()}"
    assert not answer.set_cookies() and answer.location is None
    page(answer)
    import re
    assert re.fullmatch(code, site.refusals()[-1][1]), site.log_since_mark()
    xhr = site.browser().get("/d", kind="xhr")
    assert xhr.status in (401, 502, 503, 504) and not xhr.from_backend
    return answer


def works(site):
    browser = site.browser()
    passes(site, browser.login("/d"), remote_user="jdoe")


@pytest.mark.parametrize("change", rows("D-02", {
    "host": lambda i: "https://evil.example", "slash": lambda i: i + "/", "case":
    lambda i: i.replace("http", "HTTP"), "path": lambda i: i + "/realm", "empty": lambda i: "",
    "number": lambda i: 5, "null": lambda i: None, "array": lambda i: [i], "https":
    lambda i: i.replace("http:", "https:"), "blank": lambda i: i + " ",
}))
def test_issuer_differs(lab, make_site, change):
    site = cold(lab, make_site, lambda d: {**d, "issuer": change(d["issuer"])})
    refused(site, "metadata_issuer|metadata_invalid")


@case("D-02")
def test_issuer_difference_is_explained(lab, make_site):
    site = cold(lab, make_site, lambda d: {**d, "issuer": d["issuer"] + "/"})
    refused(site, "metadata_issuer")
    detail = site.refusals()[-1][2]
    assert site.idp.issuer + "/" in detail and "issuer" in detail


BAD = {"missing": None, "empty": "", "number": 5, "array": ["x"], "object": {}, "true": True}


@pytest.mark.parametrize("name, value", rows("D-03", {
    f"{name}-{kind}": (name, value) for name in ("authorization_endpoint", "token_endpoint",
                                                 "jwks_uri") for kind, value in BAD.items()}))
def test_endpoint_missing_or_of_a_wrong_type(lab, make_site, name, value):
    site = cold(lab, make_site, lambda d: {**d, name: value})
    refused(site, "metadata_invalid")
    assert name in site.refusals()[-1][2]
    # Not kept as good (waited for in some of the cases only, it takes the retry interval).
    if value is not None:
        return
    site.idp.metadata = None
    site.wait(lambda: site.browser().get("/d").status == 302, "recovery", 15)


URLS = {"http-foreign": "http://idp.example/x", "relative": "/authorize", "scheme-relative":
        "//evil.example/x", "javascript": "javascript:alert(1)", "data": "data:text/html,x",
        "crlf": "https://idp.example/x\r\nX: y", "space": "https://idp.example/a b", "nul":
        "https://idp.example/\u0000x", "userinfo": "https://a@idp.example/", "password":
        "https://a:b@idp.example/", "fragment": "https://idp.example/x#y", "64k":
        "https://idp.example/" + "a" * 65536, "tab": "https://idp\t.example/", "backslash":
        "https:\\\\idp.example\\", "no-host": "https:///x", "port": "https://idp.example:99999/",
        "high": "https://idp.ex\u00e4mple/", "file": "file:///etc/passwd", "ftp": "ftp://idp.example/",
        "blank-scheme": " https://idp.example/"}


@pytest.mark.parametrize("name, value", rows("D-04", {
    f"{name}-{kind}": (name, value) for name in ("authorization_endpoint", "token_endpoint")
    for kind, value in URLS.items()}))
def test_endpoint_values(lab, make_site, name, value):
    site = cold(lab, make_site, lambda d: {**d, name: value})
    refused(site, "metadata_invalid|metadata_unavailable|idp_too_large|too_large")
    assert "\nX: y" not in site.log_since_mark()


@pytest.mark.parametrize("name", rows("D-04", {n: n for n in ("userinfo_endpoint",
                                                              "end_session_endpoint")}))
def test_optional_endpoint_values(lab, make_site, name):
    """A bad optional endpoint is refused, or is not used; nobody is ever sent there."""
    site = cold(lab, make_site, lambda d: {**d, name: "javascript:alert(1)"},
                directives={"logout_uri": "/logout"}, own_paths=("/oidc_callback", "/logout"))
    answer = site.browser().get("/d")
    if answer.status == 302:
        browser = site.browser()
        browser.login("/d")
        left = browser.get("/logout")
        assert "javascript" not in (left.location or "")
    else:
        assert answer.status == 502


@case("D-01")
def test_well_known_url(lab, make_site):
    for path in ("", "/", "/realms/x", "/application/o/espo/"):
        idp = Idp(lab.keys, path=path)
        site = make_site(idp=idp, directives={"issuer": idp.issuer})
        works(site)
        request = idp.last("discovery")
        assert request.path == path.rstrip("/") + "/.well-known/openid-configuration"
        assert request.method == "GET" and request.headers.get("authorization") is None
        assert request.headers.get("cookie") is None


@case("D-01")
def test_config_url(lab, make_site):
    idp = Idp(lab.keys)
    idp.endpoints = {}
    idp.on["elsewhere"] = lambda x: idp.default_discovery(x.request)
    site = make_site(idp=idp, directives={"config_url": idp.base + "/elsewhere"}, control=False)
    works(site)
    assert idp.count("discovery") == 0 and idp.count("elsewhere") == 1


@case("D-01")
def test_explicit_endpoints_need_no_discovery(lab, make_site):
    idp = Idp(lab.keys)
    site = make_site(idp=idp, directives={
        "authorization_endpoint": idp.url("authorize"), "token_endpoint": idp.url("token"),
        "jwks_uri": idp.url("jwks")})
    works(site)
    assert idp.count("discovery") == 0


@case("D-01")
def test_explicit_endpoints_win_over_metadata(lab, make_site):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "token_endpoint": lab.trap.https + "/token"}
    site = make_site(idp=idp, directives={"token_endpoint": idp.url("token")}, control=False)
    works(site)


GONE = {"301": (301, [("Location", "/new")]), "302-nowhere": (302, []), "404": (404, []), "405": (405, []), "410": (410, [])}
TYPED = {"token": "token_endpoint", "userinfo": "userinfo_endpoint", "jwks": "jwks_uri"}


@pytest.mark.parametrize("endpoint, directive, status, headers", rows("D-41", {
    f"{e}-{name}": (e, d, *answer) for e, d in TYPED.items() for name, answer in GONE.items()}))
def test_an_endpoint_that_was_typed_in_has_moved(lab, make_site, endpoint, directive, status, headers):
    """The line has what the metadata says."""
    idp = Idp(lab.keys)
    idp.on["old"] = lambda x: Reply(b"", status=status, headers=headers)
    site = make_site(idp=idp, directives={directive: idp.base + "/old", "userinfo": "on"}, control=False)
    browser = site.browser()
    if endpoint == "jwks":  # no login begins without keys
        browser.get("/x")
    else:
        browser.try_login("/x")
    assert f"the issuer's metadata has {idp.url(endpoint)}" in site.log_since_mark(), site.log_since_mark()


@case("D-41")
def test_an_endpoint_of_the_metadata_has_moved(lab, make_site):
    """There is nothing else to name."""
    idp = Idp(lab.keys)
    idp.on["token"] = lambda x: Reply(b"", status=404)
    site = make_site(idp=idp, control=False)
    site.browser().try_login("/x")
    assert "answered 404" in site.log_since_mark() and "metadata has" not in site.log_since_mark()


@case("D-42")
def test_what_a_provider_demands_and_nobody_can_do(lab, make_site):
    idp = Idp(lab.keys)
    idp.metadata = lambda d: {**d, "require_pushed_authorization_requests": True,
                              "require_signed_request_object": True}
    site = make_site(idp=idp, directives={"par": "off"})  # an exception may hold for this client
    log = site.nginx.log()
    for what in ("pushed authorization requests (RFC 9126), and par is off",
                 "signed request objects (RFC 9101), and there is no client_key"):
        assert f'provider "idp" demands of its clients: {what}' in log, log


@pytest.mark.parametrize("status", rows("D-07", {str(s): s for s in (301, 302, 303, 307, 308)}))
def test_redirects_are_not_followed(lab, make_site, status):
    site = cold(lab, make_site, hook=lambda x: Reply(b"", status=status, headers=[
        ("Location", lab.trap.url + "/.well-known/openid-configuration")]))
    refused(site, "idp_redirect")
    detail = site.refusals()[-1][2]
    assert lab.trap.url in detail and "config_url" in detail


@case("D-07")
def test_missing_slash_of_a_seed_url(lab, make_site):
    """A provider that redirects to the URL with a final slash: the log says what to configure."""
    idp = Idp(lab.keys, path="/application/o/espo/")
    idp.on["discovery"] = lambda x: Reply(b"", status=301, headers=[
        ("Location", "/application/o/espo/x/")])
    site = make_site(idp=idp, directives={"issuer": idp.issuer}, control=False)
    refused(site, "idp_redirect")
    assert idp.origin + "/application/o/espo/x/" in site.refusals()[-1][2]


def endless(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"issuer\":\"")
    try:
        for _ in range(4000):
            exchange.send(b"a" * 16384)
    except OSError:
        pass


@pytest.mark.parametrize("hook, code", rows("D-08", {
    "endless": (endless, "idp_too_large"),
    "large": (lambda x: Reply(b" " * (20 << 20)), "idp_too_large"),
    "slow": (lambda x: x.drip(x.default().bytes(), 0.2), "idp_timeout"),
    "silent": (lambda x: x.stall(20), "idp_timeout"),
    "gzip": (lambda x: Reply(gzip.compress(b" " * (50 << 20)), headers=[
        ("Content-Encoding", "gzip")]), "idp_[a-z_]+|metadata_invalid"),
}))
def test_oversized_and_slow_documents(lab, make_site, hook, code):
    site = cold(lab, make_site, hook=hook, directives={"read_timeout": "1s"})
    start = time.monotonic()
    answer = refused(site, code)
    assert time.monotonic() - start < 15
    if code == "idp_timeout":
        assert answer.status == 504
    sane(site)


@pytest.mark.parametrize("body", rows("D-08", {
    "html": b"<html>", "array": b"[]", "empty": b"", "cut": b'{"issuer":', "null": b"null",
    "deep": b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "nul": b'{"issuer":"a\0b"}',
    "bom": b"\xef\xbb\xbf{}", "latin": b'{"issuer":"\xe9"}', "twice":
    b'{"issuer":"a","issuer":"b"}',
}))
def test_documents_that_are_none(lab, make_site, body):
    site = cold(lab, make_site, hook=lambda x: Reply(body))
    refused(site, "metadata_invalid|metadata_issuer")


@pytest.mark.parametrize("status", rows("D-08", {str(s): s for s in (404, 500, 401, 204)}))
def test_error_statuses(lab, make_site, status):
    site = cold(lab, make_site, hook=lambda x: Reply(b"", status=status))
    refused(site, "metadata_unavailable|metadata_invalid|idp_http")


@case("D-06")
def test_stale_metadata_is_used(make_site):
    site = make_site(clock="all")
    before = site.delta("discovery")
    site.idp.on["discovery"] = lambda x: Reply(b"", status=500)
    site.idp.on["jwks"] = lambda x: Reply(b"", status=500)
    site.set_clock(3 * 3600)
    works(site)
    site.wait(lambda: site.delta("discovery") > before, "refresh")
    for _ in range(10):
        works(site)
    # A dead provider is not asked again by every request.
    assert site.delta("discovery") <= before + 3
    site.set_clock(0)


@case("D-09")
def test_metadata_changes(make_site):
    site = make_site(clock="all")
    moved = {"authorize": "v2/authorize", "token": "v2/token"}
    idp = site.idp
    idp.on["v2/token"] = lambda x: idp.default_token(x.request)
    idp.endpoints = moved
    works_at = lambda: site.browser().get("/d").location.split("?")[0]  # noqa: E731
    assert works_at().endswith("/authorize")
    site.set_clock(2 * 3600)

    def new_endpoint():
        return site.browser().get("/d").location.startswith(idp.base + "/v2/authorize")
    site.wait(new_endpoint, "new endpoints", 10)
    works(site)
    assert idp.count("v2/token") == 1
    # A changed issuer is refused; what was good stays in use.
    idp.metadata = lambda d: {**d, "issuer": "https://evil.example",
                              "authorization_endpoint": "https://evil.example/authorize"}
    site.set_clock(4 * 3600)
    for _ in range(5):
        assert new_endpoint()
    site.wait(lambda: "metadata_issuer" in site.log_since_mark(), "refusal in the log")
    site.set_clock(0)


@pytest.mark.parametrize("methods, outcome", rows("D-10", {
    "absent": (None, "basic"), "empty": ([], "basic"), "unknown": (["x", "y"], "basic"),
    "unknown-and-post": (["x", "client_secret_post"], "post"),
    "secret-jwt": (["private_key_jwt", "client_secret_jwt"], "jwt"),
    "private-key-jwt": (["private_key_jwt"], "error"), "wrong-type": ("client_secret_post", "any"),
}))
def test_token_endpoint_auth_methods(lab, make_site, methods, outcome):
    site = cold(lab, make_site, lambda d: {**d, "token_endpoint_auth_methods_supported": methods})
    if outcome == "error":
        refused(site, "metadata_invalid")
        assert "client_key" in site.refusals()[-1][2]
        return
    answer = site.browser().get("/d")
    if outcome == "any" and answer.status == 502:
        return
    site.idp.auth_methods = (*site.idp.auth_methods, "client_secret_jwt")
    works(site)
    used = site.idp.last("token").headers.get("authorization")
    assert outcome == "any" or (used is not None) == (outcome == "basic")


@pytest.mark.parametrize("methods, s256", rows("D-11", {
    "absent": (None, True), "plain": (["plain"], False), "both": (["plain", "S256"], True),
    "empty": ([], True),
}))
def test_code_challenge_methods(lab, make_site, methods, s256):
    """Absent: S256 is sent. A list without S256: none, as documented; never `plain`."""
    site = cold(lab, make_site, lambda d: {**d, "code_challenge_methods_supported": methods})
    query = query_of(site.browser().get("/d").location)
    assert query.get("code_challenge_method") in (("S256",) if s256 else (None,)), query
    works(site)


@pytest.mark.parametrize("directives, methods", rows("D-11", {
    "on-plain": ({"pkce": "on"}, ["plain"]),
    "method-plain": ({"code_challenge_method": "S256"}, ["plain"]),
    "method-beside-auto": ({"pkce": "auto", "code_challenge_method": "S256"}, ["plain"]),
    "method-before-auto": ({"code_challenge_method": "S256", "pkce": "auto"}, ["plain"]),
    "method-absent": ({"code_challenge_method": "S256"}, None),
    "method-empty": ({"code_challenge_method": "S256"}, []),
}))
def test_pkce_is_never_downgraded(lab, make_site, directives, methods):
    """`pkce on`, also in the words of other modules: whatever the metadata lists."""
    site = cold(lab, make_site, lambda d: {**d, "code_challenge_methods_supported": methods},
                directives=directives)
    query = query_of(site.browser().get("/d").location)
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43, query
    works(site)
    assert b"code_verifier" in site.idp.last("token").body


@pytest.mark.parametrize("methods", rows("I-35", {"none": None, "empty": [], "plain": ["plain"]}))
def test_without_nonce(lab, make_site, methods):
    """A provider that never gives it back, and that does not say that it takes S256."""
    site = cold(lab, make_site, lambda d: {**d, "code_challenge_methods_supported": methods}, directives={"nonce": "off"})
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k != "nonce"}
    browser = site.browser()
    asked = query_of(browser.start("/i").location)
    assert "nonce" not in asked and asked["code_challenge_method"] == "S256", asked
    passes(site, browser.login("/i"), remote_user="jdoe")
    assert b"code_verifier" in site.idp.last("token").body, "PKCE is what binds the code"
    for count, nonce in enumerate(("A" * 43, "", 5), 1):
        site.idp.claims = lambda c, nonce=nonce: {**c, "nonce": nonce}
        reject(site, site.browser().try_login("/i"), "id_token_nonce", 502, refusals=count)


@case("D-11")
def test_pkce_off(lab, make_site):
    off = cold(lab, make_site, directives={"pkce": "off"})
    assert "code_challenge" not in query_of(off.browser().get("/d").location)
    works(off)
    assert b"code_verifier" not in off.idp.last("token").body


@pytest.mark.parametrize("alg", rows("D-12", {a: a for a in ("none", "HS256")}))
def test_advertised_algorithms_do_not_widen(lab, make_site, alg):
    site = cold(lab, make_site, lambda d: {
        **d, "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]})
    from harness import forge
    site.idp.make_token = lambda h, c: (
        forge.signed({**h, "alg": alg}, c, site.idp.client_secret) if alg != "none"
        else forge.compact({"alg": "none"}, c))
    browser = site.browser()
    reject(site, browser.try_login("/d"), "jwt_alg", 502)


@pytest.mark.parametrize("algs", rows("D-12", {"only-hs": (["HS256", "none"],), "empty": ([],),
                                               "absent": (None,), "unknown": (["XX512"],)}))
def test_advertised_algorithms_without_one_of_ours(lab, make_site, algs):
    """RS256 remains, or nothing; never more."""
    site = cold(lab, make_site, lambda d: {**d, "id_token_signing_alg_values_supported": algs})
    answer = site.browser().get("/d")
    if answer.status == 302:
        works(site)


@pytest.mark.parametrize("url", rows("D-13", {
    "metadata-service": "http://169.254.169.254/latest", "private": "http://10.0.0.1/token",
    "zero": "http://0.0.0.0/token", "internal-name": "http://intranet/token", "v6-mapped":
    "http://[::ffff:192.0.2.1]/token"}))
def test_insecure_http_reaches_loopback_only(lab, make_site, url):
    site = cold(lab, make_site, lambda d: {**d, "token_endpoint": url})
    refused(site, "metadata_invalid")


@case("D-13")
def test_internal_addresses_in_the_metadata_are_logged(lab, make_site):
    site = cold(lab, make_site, lambda d: {**d, "userinfo_endpoint": "https://169.254.169.254/me"})
    works(site)
    assert site.log_since_mark().count(
        'names an internal address: userinfo_endpoint "https://169.254.169.254/me"') == 1
    plain = cold(lab, make_site, lambda d: d)
    works(plain)
    assert "names an internal address" not in plain.log_since_mark()


@case("D-03")
def test_additional_members_are_ignored(lab, make_site):
    site = cold(lab, make_site, lambda d: {**d, "x": {"y": [1]}, "mtls_endpoint_aliases": {
        "token_endpoint": lab.trap.https}, "registration_endpoint": "javascript:x",
        "require_pushed_authorization_requests": False})
    works(site)
    assert json is not None
    challenge(site, site.browser().get("/d"))
