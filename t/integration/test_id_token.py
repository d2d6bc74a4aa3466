# SPDX-License-Identifier: Apache-2.0
"""Group I: the claims of the ID token."""

import json
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.outcome import passes, reject, sane
from harness.site import Site, query_of

LEEWAY = 60


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, server="proxy_buffer_size 64k; proxy_buffers 8 64k;") as site:
        yield site


def attempt(site, claims=None, header=None, make=None):
    site.idp.claims, site.idp.header, site.idp.make_token = claims, header, make
    browser = site.browser()
    answer = browser.try_login("/i")
    return browser, answer


def accepted(site, browser, answer, **identity):
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    passes(site, browser.get("/i"), **identity)
    browser.close()


def raw_claim(name, text):
    """The claim's value as raw JSON text, for what json.dumps cannot say."""
    def make(header, claims):
        idp = raw_claim.idp
        claims = {k: v for k, v in claims.items() if k != name}
        payload = json.dumps(claims)[:-1] + f', "{name}": {text}}}'
        return forge.signed(header, payload, idp.key, idp.alg)
    return make


def check(site, code, **kw):
    browser, answer = attempt(site, **kw)
    browser.close()
    reject(site, answer, code, 502)


def dropped(name):
    return lambda c: c.pop(name) and c


@pytest.mark.parametrize("change", rows("I-23", {
    "other-host": lambda i: "https://evil.example", "slash": lambda i: i + "/",
    "upper-host": lambda i: i.replace("127.0.0.1", "LOCALHOST"),
    "https": lambda i: i.replace("http:", "https:"), "upper-scheme":
    lambda i: i.replace("http", "HTTP"), "no-port": lambda i: i.rpartition(":")[0],
    "prefix": lambda i: i[:-1], "suffix": lambda i: i + "0", "path": lambda i: i + "/x",
    "array": lambda i: [i], "object": lambda i: {"a": i}, "missing": None, "null": lambda i: None,
    "empty": lambda i: "", "blank": lambda i: i + " ", "number": lambda i: 1,
    "query": lambda i: i + "?",
}))
def test_issuer(site, change):
    if change is None:
        check(site, "id_token_iss|id_token_claim", claims=dropped("iss"))
    else:
        check(site, "id_token_iss|id_token_claim",
              claims=lambda c: {**c, "iss": change(c["iss"])})


@case("I-23")
def test_issuer_mismatch_is_explained(site):
    check(site, "id_token_iss", claims=lambda c: {**c, "iss": c["iss"] + "/"})
    detail = site.refusals()[-1][2]
    assert f"{site.idp.issuer}/" in detail and "issuer" in detail


@pytest.mark.parametrize("aud", rows("I-24", {
    "other": "other-client", "prefix": "client-", "suffix": "client-11", "case": "Client-1",
    "blank": "client-1 ", "empty": "", "missing": "MISSING",
}) + rows("I-25", {
    "empty-array": ([],), "words": "client-1 other", "object": ({},), "number": 7,
    "nested": ([["client-1"]],), "null-inside": (["client-1", None],), "null": (None,),
    "object-key": ({"client-1": 1},), "others": (["a", "b"],), "mixed": (["client-1", 7],),
}))
def test_audience_refused(site, aud):
    def change(claims):
        claims["aud"] = aud
        if aud == "MISSING":
            del claims["aud"]
    check(site, "id_token_aud|id_token_claim|id_token_azp", claims=change)


@case("I-25")
def test_audience_array_of_one(site):
    browser, answer = attempt(site, claims=lambda c: {**c, "aud": ["client-1"]})
    accepted(site, browser, answer, remote_user="jdoe")


@pytest.mark.parametrize("aud, azp, good", rows("I-26", {
    "no-azp": (["client-1", "other"], None, False),
    "azp-us": (["client-1", "other"], "client-1", True),
    "azp-other": (["client-1", "other"], "other", False),
    "single-azp-us": ("client-1", "client-1", True),
    "single-azp-other": ("client-1", "other", False),
    "azp-number": ("client-1", 5, False), "azp-array": ("client-1", ["client-1"], False),
    "azp-empty": ("client-1", "", False),
    "not-for-us": (["other", "third"], "client-1", False),
    "us-twice": (["client-1", "client-1"], "client-1", True),
}))
def test_authorized_party(site, aud, azp, good):
    def change(claims):
        claims["aud"] = aud
        if azp is not None:
            claims["azp"] = azp
    if good:
        browser, answer = attempt(site, claims=change)
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_azp|id_token_aud|id_token_claim", claims=change)


@case("I-26")
def test_trusted_audience(make_site):
    site = make_site(directives={"trusted_audience": "other third"}, control=False)
    browser, answer = attempt(site, claims=lambda c: {**c, "aud": ["client-1", "other"]})
    accepted(site, browser, answer, remote_user="jdoe")
    check(site, "id_token_aud|id_token_azp",
          claims=lambda c: {**c, "aud": ["client-1", "fourth"]})
    browser, answer = attempt(site, claims=lambda c: {**c, "aud": ["other"]})
    reject(site, answer, "id_token_aud", refusals=2)


@pytest.mark.parametrize("offset, good", rows("I-28", {
    "hour": (3600, False), "leeway": (30, True), "past": (-3600, True),
}))
def test_not_before(site, offset, good):
    change = lambda c: {**c, "nbf": int(time.time()) + offset}  # noqa: E731
    if good:
        browser, answer = attempt(site, claims=change)
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_nbf", claims=change)


@pytest.mark.parametrize("offset, good", rows("I-29", {"hour": (-3600, False)}) + rows("I-31", {
    "inside": (-LEEWAY + 8, True), "outside": (-LEEWAY - 8, False)}))
def test_expiry(site, offset, good):
    change = lambda c: {**c, "exp": int(time.time()) + offset,  # noqa: E731
                        "iat": int(time.time()) - 4000}
    if good:
        browser, answer = attempt(site, claims=change)
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_exp", claims=change)


@pytest.mark.parametrize("skew, offset, good", rows("I-31", {
    "zero-past": ("0s", -2, False), "zero-future": ("0s", 30, True),
    "five-minutes-inside": ("5m", -290, True), "five-minutes-outside": ("5m", -310, False)}))
def test_configured_leeway(make_site, skew, offset, good):
    site = make_site(directives={"clock_skew": skew}, control=False)
    change = lambda c: {**c, "exp": int(time.time()) + offset,  # noqa: E731
                        "iat": int(time.time()) - 4000}
    if good:
        browser, answer = attempt(site, claims=change)
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_exp", claims=change)


@pytest.mark.parametrize("text", rows("I-30", {
    "missing": "MISSING", "null": "null", "string": '"1"', "future-string": '"9999999999"',
    "true": "true", "zero": "0", "negative": "-1", "1e300": "1e300",
    "2-63": "9223372036854775808", "minus-2-63": "-9223372036854775808", "array": "[9999999999]",
    "object": "{}", "1e400": "1e400", "2-64-future": "18446744073709551616",
}))
def test_expiry_of_odd_types(site, text):
    raw_claim.idp = site.idp
    if text == "MISSING":
        check(site, "id_token_exp|id_token_claim", claims=dropped("exp"))
    else:
        check(site, "id_token_exp|id_token_claim|jwt_malformed", make=raw_claim("exp", text))
    sane(site)


@case("I-30")
def test_fractional_expiry(site):
    raw_claim.idp = site.idp
    browser, answer = attempt(site, make=raw_claim("exp", f"{int(time.time()) + 100}.5"))
    accepted(site, browser, answer, remote_user="jdoe")


@pytest.mark.parametrize("value, good", rows("I-32", {
    "missing": ("MISSING", False), "future": (3600, False), "leeway": (30, True),
    "string": ("STRING", False),
}))
def test_issued_at(site, value, good):
    def change(claims):
        if value == "MISSING":
            del claims["iat"]
        elif value == "STRING":
            claims["iat"] = str(claims["iat"])
        else:
            claims["iat"] = int(time.time()) + value
    if good:
        browser, answer = attempt(site, claims=change)
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_iat|id_token_claim", claims=change)


WRONG = {"null": None, "true": True, "number": 5, "real": 1.5, "string": "x", "array": [],
         "array-of-array": [[]], "object": {}}


@pytest.mark.parametrize("name", rows("I-33", {n: n for n in (
    "iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash", "c_hash", "auth_time",
    "acr", "amr", "sid", "jti")}))
def test_registered_claims_of_every_type(site, name):
    """None of them crashes, none opens a session that a good value would not have opened."""
    required = ("iss", "sub", "aud", "exp", "iat", "nonce")
    n = 0
    for kind, value in WRONG.items():
        browser, answer = attempt(site, claims=lambda c: {**c, name: value})
        assert answer.status in (302, 303, 502), (name, kind, answer)
        if answer.status == 502:
            n += 1
        elif name in required:
            # Those that are no wrong types: a string subject, a numeric date.
            assert (name, kind) in (("sub", "string"), ("iat", "number"), ("iat", "real"))
        browser.close()
    assert len(site.refusals()) == n
    if name in ("nbf", "azp", "at_hash"):
        assert n >= 5, "wrongly typed values must not be skipped"
    if name in ("auth_time", "acr", "amr", "sid", "jti"):
        assert n == 0, "nobody asked for it"
        assert f'json member "{name}" is not' in site.log_since_mark().replace("\\x22", '"')
    sane(site)


@pytest.mark.parametrize("name, value, right", rows("I-33", {
    "amr-text": ("amr", "pwd", ["pwd"]), "acr-number": ("acr", 1, "1"), "acr-list": ("acr", ["1"], "1"),
    "time-text": ("auth_time", "1700000000", 1700000000), "sid-number": ("sid", 17, "17"),
}))
def test_a_claim_of_a_wrong_type_is_no_claim(make_site, name, value, right):
    site = make_site(locations=f"location /c {{ proxy_set_header X-Claim $oidc_claim_{name};"
                               " proxy_pass http://@BACKEND@; }", control=False)
    for given, shown in ((value, None), (right, str(right if isinstance(right, int) else right[0]
                                                    if isinstance(right, list) else right))):
        site.idp.claims = lambda c: {**c, name: given}
        browser = site.browser()
        browser.login("/c")
        assert site.backend.last.header("X-Claim") == shown
        browser.close()
    assert site.log_since_mark().count("nobody asked for it") == 1
    assert site.refusals() == []


@case("I-33")
def test_claims_that_are_asked_for(make_site):
    site = make_site(directives={"acr_values": "mfa"}, control=False)
    for value, good in ((["mfa"], True), ("mfa", True), ("pwd mfa", False), (5, False), ([5], False)):
        site.idp.claims = lambda c: {**c, "amr": value}
        browser, answer = attempt(site, claims=site.idp.claims)
        assert (answer.status in (302, 303)) == good, (value, answer)
        browser.close()
    assert {code for _, code, _ in site.refusals()} == {"id_token_acr"}


@pytest.mark.parametrize("change", rows("I-34", {
    "missing": lambda c: c.pop("nonce") and c, "empty": lambda c: {**c, "nonce": ""},
    "wrong": lambda c: {**c, "nonce": "A" * 43}, "suffix": lambda c: {**c, "nonce": c["nonce"] + "x"},
    "prefix": lambda c: {**c, "nonce": c["nonce"][:-1]}, "number": lambda c: {**c, "nonce": 5},
    "array": lambda c: {**c, "nonce": [c["nonce"]]}, "case":
    lambda c: {**c, "nonce": c["nonce"].swapcase()}, "nul":
    lambda c: {**c, "nonce": c["nonce"] + "\u0000"},
}))
def test_nonce(site, change):
    check(site, "id_token_nonce|id_token_claim|jwt_malformed", claims=change)


@case("I-34")
def test_nonce_of_another_login(site):
    first = site.browser().start("/other")
    nonce = query_of(first.location)["nonce"]
    check(site, "id_token_nonce", claims=lambda c: {**c, "nonce": nonce})


@pytest.mark.parametrize("value", rows("I-36", {
    "missing": "MISSING", "empty": "", "null": (None,), "number": 5, "too-long": "s" * 300,
    "blanks": "   ", "crlf": "a\r\nRemote-User: admin", "nul": "a\u0000b", "newline": "a\n",
    "array": (["a"],), "c1-umlaut": "zoë\x01", "leading-blank": " a", "del": "a\x7f", "256": "s" * 256,
}))
def test_subject_refused(site, value):
    def change(claims):
        claims["sub"] = value
        if value == "MISSING":
            del claims["sub"]
    check(site, "id_token_sub|id_token_claim|jwt_malformed", claims=change)


@pytest.mark.parametrize("value", rows("I-36", {
    "255": "s" * 255, "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "mail": "a@b.c",
    "punctuation": "auth0|a/b=c+d;e,f %&<>\"'", "inner-blank": "a b", "umlaut": "müller",
    "mail-utf8": "josé.garcía@example.org", "han": "漢字", "emoji": "\U0001f600", "255-utf8": "ü" * 127,
}))
def test_subject_accepted(site, value):
    site.idp.user = {"sub": value}
    browser, answer = attempt(site)
    accepted(site, browser, answer, remote_user=value)


def at_hash(site, change):
    def claims(c):
        good = forge.half_hash(site.idp.alg, site.idp.access_value)
        return {**c, "at_hash": change(good)}
    return claims


@pytest.mark.parametrize("change, good", rows("I-37", {
    "right": (lambda h: h, True), "wrong": (lambda h: forge.b64u(b"x" * 16), False),
    "short": (lambda h: h[:-2], False), "long": (lambda h: h + "AA", False),
    "empty": (lambda h: "", False), "number": (lambda h: 5, False),
    "padded": (lambda h: h + "==", False),
}))
def test_access_token_hash(site, change, good):
    if good:
        browser, answer = attempt(site, claims=at_hash(site, change))
        accepted(site, browser, answer, remote_user="jdoe")
    else:
        check(site, "id_token_at_hash|id_token_claim", claims=at_hash(site, change))


@pytest.mark.parametrize("alg", rows("I-37", {a: a for a in (
    "RS384", "PS512", "ES256", "ES512", "EdDSA")}))
def test_access_token_hash_of_other_algorithms(site, alg):
    site.idp.alg, site.idp.key = alg, site.lab.keys.for_alg(alg)
    browser, answer = attempt(site, claims=at_hash(site, lambda h: h))
    accepted(site, browser, answer, remote_user="jdoe")


@case("I-37")
def test_code_hash(site):
    browser, answer = attempt(site, claims=lambda c: {
        **c, "c_hash": forge.half_hash("RS256", site.idp.code_value)})
    accepted(site, browser, answer, remote_user="jdoe")
    check(site, "id_token_c_hash", claims=lambda c: {
        **c, "c_hash": forge.half_hash("RS256", "another")})


@pytest.mark.parametrize("text", rows("I-38", {
    "sub-twice": '"sub":"evil","sub":"%s"', "aud-twice": '"aud":"client-1","aud":"client-1"',
    "nonce-twice": '"nonce":"x","nonce":"%s"', "iss-escaped": '"\\u0069ss":"x","x":"%s"',
    "email-twice": '"email":"a@b","email":"admin@b","x":"%s"',
}))
def test_duplicate_claims(site, text):
    def make(header, claims):
        part = text % claims.get("sub", "") if "%s" in text else text
        payload = json.dumps(claims)[:-1] + "," + part + "}"
        return forge.signed(header, payload, site.idp.key)
    check(site, "jwt_malformed", make=make)


@pytest.mark.parametrize("change", rows("I-39", {
    "invalid": b'"name":"\xff\xfe"', "overlong": b'"name":"\xc0\xaf"', "surrogate":
    b'"name":"\xed\xa0\x80"', "escaped-lone": b'"name":"\\ud800"', "cut": b'"name":"\xc3"',
    "invalid-sub": b'"x":"\xff"',
}))
def test_payload_that_is_not_utf8(site, change):
    def make(header, claims):
        claims.pop("name", None)
        payload = json.dumps(claims).encode()[:-1] + b"," + change + b"}"
        return forge.signed(header, payload, site.idp.key)
    check(site, "jwt_malformed", make=make)


@pytest.mark.parametrize("name", rows("I-39", {n: n for n in ("email", "preferred_username")}))
def test_nul_in_a_claim(site, name):
    """Refused, or the claim is dropped; never cut at the NUL."""
    browser, answer = attempt(site, claims=lambda c: {**c, name: "admin\u0000@evil"})
    if answer.status in (302, 303):
        hit = passes(site, browser.get("/i"))
        assert b"admin" not in hit.raw
    else:
        reject(site, answer, "jwt_malformed")


@pytest.fixture(scope="module")
def strict(lab):
    with Site(lab, directives={"max_age": "1h", "acr_values": "gold silver"},
              control=False) as site:
        yield site


def stepped_up(**over):
    return lambda c: {k: v for k, v in {**c, "auth_time": int(time.time()) - 10,
                                        "acr": "gold", **over}.items() if v != "MISSING"}


@pytest.mark.parametrize("over, code", rows("I-40", {
    "good": ({}, None), "second-acr": ({"acr": "silver"}, None),
    "amr": ({"acr": "MISSING", "amr": ["pwd", "gold"]}, None),
    "no-auth-time": ({"auth_time": "MISSING"}, "id_token_auth_time"),
    "old-auth-time": ({"auth_time": 1000}, "id_token_auth_time"),
    "text-auth-time": ({"auth_time": "9999999999"}, "id_token_auth_time|id_token_claim"),
    "null-auth-time": ({"auth_time": None}, "id_token_auth_time"),
    "future-auth-time": ({"auth_time": 4102444800}, "id_token_auth_time"),
    "no-acr": ({"acr": "MISSING"}, "id_token_acr"),
    "other-acr": ({"acr": "bronze"}, "id_token_acr"),
    "acr-array": ({"acr": ["gold"]}, "id_token_acr|id_token_claim"),
    "acr-words": ({"acr": "gold silver"}, "id_token_acr"),
    "other-amr": ({"acr": "MISSING", "amr": ["pwd"]}, "id_token_acr"),
}))
def test_max_age_and_acr(strict, over, code):
    browser, answer = attempt(strict, claims=stepped_up(**over))
    if code is None:
        accepted(strict, browser, answer, remote_user="jdoe")
    else:
        reject(strict, answer, code, (403, 502))


@case("I-40")
def test_max_age_and_acr_are_requested(strict):
    from harness.site import query_of
    query = query_of(strict.browser().start("/i").location)
    assert query["max_age"] == "3600" and query["acr_values"] == "gold silver"


@pytest.mark.parametrize("change", rows("I-41", {
    "1m-token": lambda c: {**c, "padding": "p" * 800000},
    "10000-claims": lambda c: {**c, **{f"c{i}": i for i in range(10000)}},
    "1m-claim": lambda c: {**c, "name": "n" * 1000000},
    "deep": lambda c: {**c, "x": json.loads("[" * 200 + "]" * 200)},
}))
def test_size_limits(site, change):
    browser, answer = attempt(site, claims=change)
    browser.close()
    reject(site, answer, "too_large|jwt_malformed|token_malformed|idp_too_large|session_too_large",
           (502, 500))
    sane(site)


@case("I-42")
def test_template_issuer_is_not_accepted(make_site, lab):
    """A metadata issuer with a placeholder matches nothing but itself."""
    from harness.idp import Idp
    idp = Idp(lab.keys, path="/{tenantid}/v2.0")
    idp.issuer = idp.origin + "/8f7e/v2.0"
    idp.metadata = lambda d: {**d, "issuer": idp.origin + "/{tenantid}/v2.0"}
    site = make_site(idp=idp, directives={
        "issuer": f'"{idp.origin}/8f7e/v2.0"', "config_url":
        f'"{idp.origin}/{{tenantid}}/v2.0/.well-known/openid-configuration"'}, control=False)
    answer = site.browser().get("/i")
    assert answer.status in (502, 503), answer
    assert "metadata_issuer" in site.log_since_mark()
