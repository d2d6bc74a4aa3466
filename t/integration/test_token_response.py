# SPDX-License-Identifier: Apache-2.0
"""Group T: the token endpoint."""

import base64
import json
import re
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import no_session, passes, reject, sane
from harness.site import Site, query_of
from harness.stores import server_side
from harness.wire import Reply


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab) as site:
        yield site


def attempt(site, hook=None, body=None):
    """A login with the token endpoint's answer replaced (`hook`) or changed (`body`)."""
    if hook:
        site.idp.on["token"] = hook
    site.idp.token_body = body
    browser = site.browser()
    answer = browser.try_login("/t")
    browser.close()
    return browser, answer


def good(site, answer, browser):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    assert browser.session_cookie
    page = browser.get("/t")
    browser.close()
    passes(site, page, remote_user="jdoe")


def reordered(exchange):
    body = exchange.default().json()
    return Reply(json.dumps(dict(reversed(body.items()))).encode())



def with_type(ctype, change=lambda text: text):
    def hook(exchange):
        return Reply(change(exchange.default().body.decode()).encode(), ctype=ctype)
    return hook


@pytest.mark.parametrize("hook, body", rows("T-01", {
    "minimal": (None, lambda b: {k: b[k] for k in ("access_token", "token_type", "id_token")}),
    "extra-members": (None, lambda b: {**b, "x": {"y": [1, 2, {"z": None}]}, "scope": "openid"}),
    "reordered": (reordered, None),
    "escapes": (with_type("application/json", lambda t: t.replace("Bearer", "B\\u0065arer")), None),
    "utf8": (None, lambda b: {**b, "note": "Zoë 漢字"}),
    "charset": (with_type("application/json;charset=utf-8"), None),
    "charset-space": (with_type("Application/JSON; charset=\"UTF-8\""), None),
    "white-space": (with_type("application/json", lambda t: "\r\n\t " + t + " \n"), None),
}))
def test_legal_answers(site, hook, body):
    browser, answer = attempt(site, hook, body)
    good(site, answer, browser)


@pytest.mark.parametrize("value, accepted", rows("T-02", {
    "lower": ("bearer", True), "upper": ("BEARER", True), "missing": (None, False),
    "mac": ("mac", False), "dpop": ("DPoP", False), "number": (5, False), "null": ("NULL", False),
    "prefix": ("Bearerx", False),
}))
def test_token_type(site, value, accepted):
    def change(body):
        if value is None:
            del body["token_type"]
        else:
            body["token_type"] = None if value == "NULL" else value
    browser, answer = attempt(site, body=change)
    if accepted:
        good(site, answer, browser)
    else:
        reject(site, answer, "token_type|token_malformed", 502)


@pytest.mark.parametrize("change", rows("T-02", {
    "b2c": lambda b: {"id_token": b["id_token"], "token_type": "Bearer", "not_before": 1},
    "no-type": lambda b: {"id_token": b["id_token"]},
    "null": lambda b: {**b, "access_token": None, "token_type": None},
    "empty": lambda b: {**b, "access_token": "", "token_type": "N_A"},
}))
def test_no_access_token(make_site, change):
    """Azure AD B2C with the scope openid alone: enough where nothing needs an access token."""
    site = make_site(control=False)
    site.idp.claims = lambda c: {k: v for k, v in c.items() if k != "at_hash"}
    browser, answer = attempt(site, body=change)
    good(site, answer, browser)
    needs = make_site(directives={"userinfo": "on"}, control=False)
    _, answer = attempt(needs, body=change)
    reject(needs, answer, "token_malformed", 502)
    assert "check scope" in needs.log_since_mark()


@pytest.mark.parametrize("token", rows("T-14", {
    "space": "r t", "quote": 'r"t', "backslash": "r\\t", "all": "".join(map(chr, range(0x20, 0x7f))),
}))
def test_refresh_tokens_of_every_character(make_site, token):
    """RFC 6749 A.17; sent back as it came."""
    site = make_site(directives={"session_refresh": "on"}, control=False)
    browser, answer = attempt(site, body=lambda b: {**b, "refresh_token": token, "expires_in": 1})
    assert answer.status in (302, 303), answer
    time.sleep(5.1)
    browser.get("/t")
    site.wait(lambda: site.delta("token") == 2, "refresh")
    sent = urllib.parse.parse_qs(site.idp.last("token").body.decode())
    assert sent["refresh_token"] == [token]
    browser.close()


@case("T-03")
def test_no_id_token(site):
    _, answer = attempt(site, body=lambda b: b.pop("id_token") and b)
    reject(site, answer, "token_no_id_token", 502)


@pytest.mark.parametrize("status", rows("T-05", {str(s): s for s in (500, 502, 503, 429, 404)}))
def test_error_statuses(site, status):
    _, answer = attempt(site, lambda x: Reply(
        "<html><script>alert(1)</script>", status=status, ctype="text/html",
        headers=[("Retry-After", "7")]))
    reject(site, answer, "token_status|token_malformed|idp_http|idp_busy", (502, 503))
    assert site.delta("token") == 1
    assert "alert" not in answer.text


@pytest.mark.parametrize("reply", rows("T-06", {
    "html": Reply("<html>hello</html>", ctype="text/html"),
    "html-as-json": Reply("<html>hello</html>"),
    "form": Reply("access_token=x&token_type=bearer&id_token=y",
                  ctype="application/x-www-form-urlencoded"),
}) + rows("T-07", {
    "empty": Reply(b""),
    "204": Reply(b"", status=204),
    "blank": Reply(b" \n"),
}))
def test_answers_that_are_no_json(site, reply):
    _, answer = attempt(site, lambda x: reply)
    reject(site, answer, "token_malformed|token_status", 502)


@case("T-06")
def test_json_declared_as_text(site):
    """Documented policy: the answer has to say that it is JSON (RFC 6749 5.1)."""
    _, answer = attempt(site, with_type("text/plain"))
    reject(site, answer, "token_malformed", 502)


@pytest.mark.parametrize("text", rows("T-08", {
    "array": "[]", "string": '"x"', "number": "1", "null": "null", "true": "true",
    "array-of-answer": '[{"id_token":"x"}]',
}))
def test_top_level_types(site, text):
    _, answer = attempt(site, lambda x: Reply(text))
    reject(site, answer, "token_malformed", 502)
    sane(site)


ODD = {"number": 7, "object": {"a": 1}, "array": ["x"], "null": None, "true": True, "empty": ""}


@pytest.mark.parametrize("name, value", rows("T-09", {
    f"{name}-{kind}": (name, value) for name in ("id_token", "access_token")
    for kind, value in ODD.items() if name == "id_token" or kind not in ("null", "empty")}))
def test_members_of_wrong_types(site, name, value):
    _, answer = attempt(site, body=lambda b: {**b, name: value})
    reject(site, answer, "token_malformed|token_no_id_token|jwt_malformed", 502)


@pytest.mark.parametrize("name, value", rows("T-09", {
    f"optional-{name}-{kind}": (name, value) for name in ("refresh_token", "scope")
    for kind, value in (("number", 7), ("array", ["x"]))}))
def test_optional_members_of_wrong_types(site, name, value):
    browser, answer = attempt(site, body=lambda b: {**b, name: value})
    if answer.status in (302, 303):
        good(site, answer, browser)
    else:
        reject(site, answer, "token_malformed", 502)


def doubled(first, second):
    def hook(exchange):
        token = json.loads(exchange.default().body)["id_token"]
        values = {"GOOD": token, "EVIL": token[:-20] + "A" * 20}
        return Reply('{"access_token":"at-x","token_type":"Bearer",'
                     f'"id_token":"{values[first]}","id_token":"{values[second]}"}}')
    return hook


@pytest.mark.parametrize("hook", rows("T-10", {
    "good-evil": doubled("GOOD", "EVIL"), "evil-good": doubled("EVIL", "GOOD"),
    "good-good": doubled("GOOD", "GOOD"),
}))
def test_duplicate_members(site, hook):
    _, answer = attempt(site, hook)
    reject(site, answer, "token_malformed", 502)


@pytest.mark.parametrize("change", rows("T-11", {
    "garbage": lambda t: t + b"x", "two-objects": lambda t: t + t, "bom": lambda t: b"\xef\xbb\xbf" + t,
    "nul-inside": lambda t: t[:20] + b"\0" + t[20:], "nul-after": lambda t: t + b"\0",
    "cut": lambda t: t[:-1], "comment": lambda t: b"/**/" + t, "single-quotes":
    lambda t: t.replace(b'"', b"'"), "deep": lambda t: t[:-1] + b',"x":' + b"[" * 5000
    + b"]" * 5000 + b"}",
}))
def test_broken_json(site, change):
    _, answer = attempt(site, lambda x: Reply(change(x.default().body)))
    reject(site, answer, "token_malformed", 502)


@pytest.mark.parametrize("text", rows("T-12", {
    "nul": "at\\u0000rest", "lone-high": "at\\ud800", "lone-low": "at\\udc00x",
    "bad-utf8": "at\xff\xfe",
}))
def test_access_token_with_bad_characters(site, text):
    def hook(exchange):
        body = exchange.default().body
        return Reply(re.sub(rb'"access_token": ?"[^"]*"',
                            lambda _: b'"access_token":"' + text.encode("latin-1") + b'"', body))
    _, answer = attempt(site, hook)
    reject(site, answer, "token_malformed", 502)


@pytest.mark.parametrize("value", rows("T-13", {
    "missing": "MISSING", "zero": "0", "negative": "-1", "fraction": "1.5", "string": '"3600"',
    "huge": "1e300", "2-63": "9223372036854775808", "array": "[1]", "true": "true",
    "2-62": "4611686018427387904", "null": "null",
}))
def test_expires_in(site, value):
    def hook(exchange):
        body = exchange.default().body.decode()
        replacement = "" if value == "MISSING" else f'"expires_in": {value}, '
        return Reply(re.sub(r'"expires_in": 300, ', replacement, body))
    browser, answer = attempt(site, hook)
    if value in ("MISSING", "0", '"3600"', "null") or answer.status in (302, 303):
        good(site, answer, browser)
    else:
        reject(site, answer, "token_malformed", 502)


@pytest.mark.parametrize("value", rows("T-14", {
    "crlf": "at\r\nX-Evil: 1", "lf": "at\nx", "cr": "at\rx", "space": "at x", "tab": "at\tx",
    "high": "at\u0080x", "latin": "zoë", "del": "at\x7fx",
    "quote": 'at"x', "backslash": "at\\x", "leading-quote": '"at"',
}))
def test_access_token_outside_its_grammar(make_site, value):
    site = make_site(directives={"userinfo": "on"}, control=False)
    _, answer = attempt(site, body=lambda b: {**b, "access_token": value})
    reject(site, answer, "token_malformed", 502)
    assert site.delta("userinfo") == 0


@case("T-14")
def test_access_token_with_odd_characters(make_site):
    """Other printable characters are legal and travel unchanged."""
    site = make_site(directives={"userinfo": "on"},
                     locations='location /at { proxy_set_header X-At $oidc_access_token;'
                               ' proxy_pass http://@BACKEND@; }', control=False)
    site.idp.access_token = token = "a.t-_~+/=:!#$&'()*,;@[]^`{|}%"
    browser = site.browser()
    browser.login("/at")
    assert site.idp.last("userinfo").headers.get("authorization") == "Bearer " + token
    assert site.backend.last.header("X-At") == token


@server_side  # such tokens fit into no cookie
@pytest.mark.parametrize("name", rows("T-15", {n: n for n in ("access_token", "refresh_token")}))
def test_64k_tokens(make_site, name):
    site = make_site(control=False, locations='location /at { proxy_set_header X-At '
                     '$oidc_access_token; proxy_pass http://@BACKEND@; }')
    site.idp.refresh_tokens = True
    browser = site.browser()
    site.idp.token_body = lambda b: {**b, name: "t" * 65536}
    answer = browser.try_login("/t")
    good(site, answer, browser)


@case("T-15")
def test_64k_id_token(site):
    site.idp.claims = lambda c: {**c, "padding": "p" * 45000}
    browser, answer = attempt(site)
    if answer.status in (302, 303):
        good(site, answer, browser)
    else:
        reject(site, answer, "too_large|jwt_malformed|token_malformed|session_too_large")
    sane(site)


@case("T-16")
def test_error_with_status_200(site):
    _, answer = attempt(site, lambda x: Reply({"error": "x", "error_description": "y"}))
    reject(site, answer, "token_error|token_malformed", 502)


@case("T-16")
def test_error_beside_tokens(site):
    _, answer = attempt(site, body=lambda b: {**b, "error": "x"})
    reject(site, answer, "token_error|token_malformed", 502)


@case("T-18")
def test_shape_of_the_token_request(site):
    verifiers = set()
    for _ in range(3):
        browser = site.browser()
        first = browser.start("/t")
        browser.callback(browser.callback_url(first))
        request = site.idp.last("token")
        form = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
        fields = dict(form)
        assert len(fields) == len(form)
        assert request.method == "POST" and request.query == ""
        assert request.headers.get("content-type") == "application/x-www-form-urlencoded"
        assert "application/json" in request.headers.get("accept")
        assert request.headers.get("host") == f"127.0.0.1:{site.idp.port}"
        assert request.headers.get("cookie") is None
        assert request.headers.get("expect") is None
        assert set(fields) == {"grant_type", "code", "redirect_uri", "code_verifier"}
        assert fields["grant_type"] == "authorization_code"
        assert fields["redirect_uri"] == query_of(first.location)["redirect_uri"]
        assert 43 <= len(fields["code_verifier"]) <= 128
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", fields["code_verifier"])
        verifiers.add(fields["code_verifier"])
        assert request.headers.get("accept-encoding") in (None, "identity")
    assert len(verifiers) == 3
    assert site.idp.complaints == []


@pytest.mark.parametrize("secret, client_id", rows("T-18", {
    "colon": ("pa:ss", "client"), "space-plus": ("a b+c", "cli ent"), "percent": ("50%&=?#/", "c%1"),
    "unicode": ("pässwörd-漢", "client-ü"), "quotes": ("a'b~(c)*!", "id.with-all_~"),
}))
def test_form_encoding_of_basic_credentials(lab, make_site, secret, client_id):
    """RFC 6749 2.3.1: both halves are form-encoded before they are joined."""
    idp = Idp(lab.keys, client_secret=secret, client_id=client_id)
    site = make_site(idp=idp, directives={"client_id": f'"{client_id}"'}, control=False)
    browser = site.browser()
    browser.login("/t")
    header = idp.last("token").headers.get("authorization")
    decoded = base64.b64decode(header[6:]).decode("ascii")
    user, _, password = decoded.partition(":")
    assert urllib.parse.unquote_plus(user) == client_id
    assert urllib.parse.unquote_plus(password) == secret
    assert idp.complaints == []


@pytest.mark.parametrize("method, advertised, used", rows("T-18", {
    "basic": ("client_secret_basic", ("client_secret_basic",), "client_secret_basic"),
    "post": ("client_secret_post", ("client_secret_post",), "client_secret_post"),
    "post-advertised-only": (None, ("client_secret_post",), "client_secret_post"),
    "basic-preferred": (None, ("client_secret_post", "client_secret_basic"),
                        "client_secret_basic"),
    "none": ("none", ("none",), "none"),
}))
def test_client_authentication_methods(lab, make_site, method, advertised, used):
    idp = Idp(lab.keys)
    idp.auth_methods = advertised
    directives = {"token_endpoint_auth_method": method}
    if used == "none":
        directives["client_secret"] = None
    site = make_site(idp=idp, directives=directives, control=False)
    idp.auth_methods = advertised
    browser = site.browser()
    browser.login("/t")
    request = idp.last("token")
    form = dict(urllib.parse.parse_qsl(request.body.decode()))
    assert (request.headers.get("authorization") is not None) == (used == "client_secret_basic")
    assert ("client_secret" in form) == (used == "client_secret_post")
    assert ("client_id" in form) == (used != "client_secret_basic")
    assert idp.complaints == []


@pytest.mark.parametrize("reply", rows("T-19", {
    "401": Reply({"error": "invalid_client"}, status=401,
                 headers=[("WWW-Authenticate", 'Basic realm="x"')]),
    "400": Reply({"error": "invalid_client", "error_description": "bad secret"}, status=400),
    "403-glewlwyd": Reply({"error": "unauthorized_client"}, status=403),
    "401-empty": Reply(b"", status=401),
}))
def test_client_refused(site, reply):
    _, answer = attempt(site, lambda x: reply)
    reject(site, answer, "token_client_auth", 502)
    log = site.log_since_mark()
    assert "client_secret" in log or "token_endpoint_auth_method" in log
    assert site.idp.client_secret not in log
    assert site.idp.client_secret not in answer.text


@pytest.mark.parametrize("error", rows("T-19", {
    "glewlwyd": "invalid_code", "scope": "invalid_scope",
    "hostile": "x\r\ny <script>\u001b[31m" + "z" * 5000,
}))
def test_other_oauth_errors(site, error):
    _, answer = attempt(site, lambda x: Reply({"error": error, "error_description": error},
                                              status=400))
    reject(site, answer, "token_error|token_malformed", 502)
    assert "<script" not in answer.text
    log = site.log_since_mark()
    assert "\x1b" not in log and "\r" not in log
    assert max(len(line) for line in log.splitlines()) < 4000


@pytest.mark.parametrize("status", rows("T-29", {str(s): s for s in (200, 400, 401, 403)}))
def test_a_code_that_the_provider_does_not_know(site, status):
    """Anybody can invent one: it is no fault of the provider, in no page, line or metric."""
    browser, answer = attempt(site, lambda x: Reply({"error": "invalid_grant"}, status=status))
    reject(site, answer, "code_refused", 400)
    assert "Start again" in answer.text and "Wait" not in answer.text
    assert "check redirect_uri" in site.log_since_mark()
    assert browser.session_cookie is None


@case("T-29")
def test_busy_providers_are_busy(site):
    for status in (429, 500, 503):
        site.again()
        _, answer = attempt(site, lambda x: Reply({"error": "invalid_grant"}, status=status))
        reject(site, answer, "token_status", 502)


@case("T-25")
def test_narrowed_scope(site):
    browser, answer = attempt(site, body=lambda b: {**b, "scope": "openid"})
    good(site, answer, browser)


@case("T-05")
def test_redirect_from_the_token_endpoint(site):
    """Never followed: the code and the secret would go somewhere else."""
    for status in (301, 302, 303, 307, 308):
        site.again()
        _, answer = attempt(site, lambda x: Reply(
            b"", status=status, headers=[("Location", site.lab.trap.url + "/token")]))
        reject(site, answer, "idp_redirect", 502)
        log = site.log_since_mark()
        assert "token_endpoint" in log and site.lab.trap.url in log
    no_session(site, answer)
