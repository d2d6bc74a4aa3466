# SPDX-License-Identifier: Apache-2.0
"""response_mode query.jwt: signed authorization responses (JARM)."""

import base64
import json
import time
import urllib.parse

import pytest

from harness import forge
from harness.cases import case, rows
from harness.forge import Key
from harness.idp import Idp
from harness.outcome import notoken, passes, reject
from harness.site import Site, query_of

MODE = {"response_mode": "query.jwt"}


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=MODE, control=False) as site:
        yield site


def started(site, target="/x?y=1"):
    browser = site.browser()
    first = browser.start(target)
    assert query_of(first.location)["response_mode"] == "query.jwt"
    return browser, first


@pytest.mark.parametrize("alg", rows("P-11", {a: a for a in ("RS256", "PS256", "ES256", "EdDSA")}))
def test_sign_in(site, lab, alg):
    site.idp.alg, site.idp.key = alg, lab.keys.for_alg(alg)
    browser, first = started(site)
    target = browser.callback_url(first)
    assert list(query_of("https://x" + target)) == ["response"]
    assert browser.onward(browser.callback(target)) == "/x?y=1"
    passes(site, browser.get("/x?y=1"), remote_user="jdoe")
    assert site.refusals() == []
    jwt = target.partition("=")[2]
    logs = "".join(p.read_text("utf-8", "replace") for p in (site.folder / "logs").glob("*.log"))
    assert jwt not in logs and jwt.split(".")[1] not in logs


def claims(**changes):
    return lambda idp: setattr(idp, "response_claims", lambda c: {**c, **changes})


def header(**changes):
    return lambda idp: setattr(idp, "response_header", lambda h: {**h, **changes})


def made(make):
    return lambda idp: setattr(idp, "make_response", lambda h, c: make(idp, h, c))


def unsigned(_idp, head, body):
    return forge.b64u(json.dumps({**head, "alg": "none"})) + "." + forge.b64u(json.dumps(body)) + "."


def by_secret(idp, head, body):
    return forge.signed({**head, "alg": "HS256"}, body, idp.client_secret, "HS256")


def by_public_key(idp, head, body):
    return forge.signed({**head, "alg": "HS256"}, body, json.dumps(idp.key.jwk()), "HS256")


def by_a_stranger(_idp, head, body):
    return forge.signed(head, body, Key.rsa(head["kid"]), "RS256")


def cut(_idp, head, body):
    return forge.signed(head, body, _idp.key, "RS256")[:-20]


HOSTILE = {
    "iss": (claims(iss="https://other.example"), "issuer_mix_up"),
    "iss-slash": (lambda i: claims(iss=i.issuer + "/")(i), "issuer_mix_up"),
    "iss-missing": (claims(iss=None), "issuer_mix_up"),
    "iss-number": (claims(iss=7), "callback_malformed"),
    "aud": (claims(aud="another-client"), "response_aud"),
    "aud-list": (claims(aud=["another-client"]), "response_aud"),
    "aud-missing": (claims(aud=None), "response_aud"),
    "aud-object": (claims(aud={"client-1": 1}), "response_aud"),
    "exp": (claims(exp=int(time.time()) - 3600), "response_exp"),
    "exp-missing": (claims(exp=None), "response_exp"),
    "exp-text": (claims(exp="4102444800"), "response_exp"),
    "none": (made(unsigned), "response_signature"),
    "hs256": (made(by_secret), "response_signature"),
    "public-key": (made(by_public_key), "response_signature"),
    "stranger": (made(by_a_stranger), "response_signature"),
    "cut": (made(cut), "response_signature|callback_malformed"),
    "kid": (header(kid="unknown"), "response_signature"),
    "typ": (header(typ="logout+jwt"), "response_signature"),
    "crit": (header(crit=["exp"]), "callback_malformed"),
    "code-list": (claims(code=["a", "b"]), "callback_malformed"),
    "control": (claims(error_description="a\nb", error="x"), "callback_malformed"),
    "code-long": (claims(code="c" * 9000), "callback_malformed|"),
}


@pytest.mark.parametrize("spoil, code", rows("P-11", HOSTILE))
def test_hostile_responses(site, spoil, code):
    browser, first = started(site)
    spoil(site.idp)
    answer = browser.callback(browser.callback_url(first))
    notoken(site)
    if answer.status == 414:
        return  # nginx's own bound
    reject(site, answer, code, 400, consumed=code.startswith(("r", "i")))
    site.idp.reset()
    assert browser.login("/again").from_backend


@case("P-11")
def test_no_code_of_a_refused_response_is_lost(site):
    """The right response still comes to its end after a forged one, whose state is the same."""
    browser, first = started(site)
    good = browser.callback_url(first)
    site.idp.make_response = lambda h, c: by_a_stranger(site.idp, h, c)
    forged = browser.callback_url(first)
    cookies = list(browser.jar.cookies)
    reject(site, browser.callback(forged), "response_signature", 400)
    browser.jar.cookies = cookies
    assert browser.callback(good).status == 303


@case("P-11")
def test_a_response_that_is_not_signed(site):
    browser, first = started(site)
    state = query_of(first.location)["state"]
    for query in (f"code=c&state={state}", f"error=access_denied&state={state}"):
        cookies = list(browser.jar.cookies)
        answer = browser.callback(f"/oidc_callback?{query}&iss={urllib.parse.quote(site.idp.issuer)}")
        reject(site, answer, "response_unsigned", 400, refusals=len(site.refusals()) or 1)
        browser.jar.cookies = cookies
    assert len(site.refusals()) == 2
    # What stands beside the signed response counts for nothing.
    target = browser.callback_url(first) + "&code=evil&error=evil&state=evil&iss=evil"
    assert browser.callback(target).status == 303
    notoken(site, 1)


BODIES = {"empty": "", "word": "x", "dots": "..", "one-dot": "a.b", "five": "a.b.c.d.e", "junk": "%00.%ff.x",
          "list": f"e30.{forge.b64u('[1]')}.x", "deep": f"e30.{forge.b64u('[' * 5000)}.x",
          "twice": "a&response=b", "long": "a." + "b" * 7000 + ".c"}


@pytest.mark.parametrize("text", rows("P-11", BODIES))
def test_what_is_no_jwt(site, text):
    answer = site.browser().callback(f"/oidc_callback?response={text}")
    assert answer.status in (400, 302), answer
    assert not answer.from_backend
    notoken(site)


@case("P-11")
def test_another_token_of_the_provider(site):
    """An ID token has iss, aud and exp as well; it is no response."""
    browser, first = started(site)
    token = site.idp.id_token({"params": {"nonce": "n" * 43}, "user": dict(site.idp.user)})
    answer = browser.callback(f"/oidc_callback?response={token}")
    assert answer.status == 400 and site.refusals()[-1][1] == "callback_malformed"
    notoken(site)
    assert browser.callback(browser.callback_url(first)).status == 303


@case("P-11")
def test_a_response_for_another_browser(site):
    browser, first = started(site)
    target = browser.callback_url(first)
    reject(site, site.browser().callback(target), "state_unknown", 400, consumed=False)
    assert browser.callback(target).status == 303
    answer = browser.callback(target)
    assert answer.status in (303, 400) and not answer.from_backend
    notoken(site, 1)


@case("P-11")
def test_mix_up_of_two_providers(lab, make_site):
    """Each signs with keys of its own; a response of one does not end a login at the other."""
    one, two = Idp(lab.keys), Idp(lab.keys)
    site = make_site(control=False, own_paths=("/cb/one", "/cb/two"), providers={
        "idp": (one, {**MODE, "redirect_uri": "/cb/one"}), "two": (two, {**MODE, "redirect_uri": "/cb/two"})},
        locations="location /two/ { auth_oidc two; proxy_pass http://@BACKEND@; }")
    browser = site.browser()
    first = browser.start("/x")
    # The attacker's provider answers with the state of the login at the honest one.
    evil = two.signed_response({"code": "c", "state": query_of(first.location)["state"], "iss": two.issuer})
    reject(site, browser.callback(f"/cb/one?response={evil}"), "issuer_mix_up|response_signature", 400)
    answer = browser.callback(f"/cb/two?response={evil}")
    assert answer.status == 400 and not answer.from_backend
    notoken(site, idp=one)
    notoken(site, idp=two)


@case("P-11")
def test_keys_that_have_changed(lab, make_site):
    site = make_site(control=False, directives=MODE)
    assert site.browser().login("/x").from_backend
    new = Key.rsa("new")
    site.idp.key, site.idp.jwks_keys = new, [new.jwk()]
    assert site.browser().login("/x").from_backend
    assert site.refusals() == []


@case("P-11")
def test_forwarded_as_any_other(make_site):
    site = make_site(control=False, own_paths=("/oauth-callback.php",), directives={
        **MODE, "callback": "forward", "redirect_uri": "/oauth-callback.php"})
    browser, first = started(site)
    hit = passes(site, browser.callback(browser.callback_url(first)), remote_user="jdoe")
    assert hit.target == "/oauth-callback.php" and hit.header("X-Oidc-Return-To") == "/x?y=1"
    site.state.check_hits = False  # asserted here: foreign callbacks carry no identity
    hit = passes(site, browser.get("/oauth-callback.php?code=c&state=other"), remote_user=None)
    assert hit.target == "/oauth-callback.php?code=c&state=other"


@case("P-11")
def test_errors_are_signed_as_well(site):
    browser, first = started(site)
    site.idp.authorize_response = lambda a: [("error", "access_denied")] + [x for x in a if x[0] == "state"]
    reject(site, browser.callback(browser.callback_url(first)), "access_denied", 403)


@case("P-11")
def test_a_signed_response_where_none_was_asked_for(make_site):
    site = make_site(control=False)
    browser = site.browser()
    first = browser.start("/x")
    jwt = site.idp.signed_response({"code": "c", "state": query_of(first.location)["state"]})
    answer = browser.callback(f"/oidc_callback?response={jwt}")
    site.idp.forget(jwt)
    assert answer.status in (302, 400) and not answer.from_backend
    notoken(site)
