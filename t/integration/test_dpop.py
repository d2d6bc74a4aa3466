# SPDX-License-Identifier: Apache-2.0
"""Tokens that are bound to a key (DPoP, RFC 9449)."""

import hashlib
import json

import pytest

from harness import forge
from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import passes, reject
from harness.site import query_of
from harness.wire import Reply
from test_client_assertion import KEYS, key_file


def make(lab, make_site, alg="ES256", words="", **directives):
    key = KEYS[alg]()
    idp = Idp(lab.keys)
    idp.dpop_key = key
    return make_site(idp=idp, control=False, directives={
        "dpop_key": f"{key_file(lab, f'dpop-{id(key)}', key)}{words}", "userinfo": "on", **directives})


def nonces(**wanted):
    return lambda idp: setattr(idp, "dpop_nonces", wanted)


@pytest.mark.parametrize("alg", rows("P-04", {a: a for a in KEYS}))
def test_sign_in(lab, make_site, alg):
    site = make(lab, make_site, alg, " alg=PS384" if alg == "PS384" else "")
    browser = site.browser()
    first = browser.start("/x")
    jwk = {k: v for k, v in site.idp.dpop_key.jwk().items() if k not in ("use", "kid", "alg")}
    thumbprint = hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    assert query_of(first.location)["dpop_jkt"] == forge.b64u(thumbprint)
    assert browser.callback(browser.callback_url(first)).status == 303
    passes(site, browser.get("/x"), remote_user="jdoe")
    assert len(site.idp.dpop_jti) == 2 and site.refusals() == []


@pytest.mark.parametrize("set_nonces, proofs", rows("P-05", {
    "token": (nonces(token="n-1"), 3), "userinfo": (nonces(userinfo="n~2!"), 3),
    "both": (nonces(token="n-1", userinfo="n-2"), 4)}))
def test_nonces(lab, make_site, set_nonces, proofs):
    """A request is made anew, with the nonce, an id of its own and a new assertion of the client."""
    site = make(lab, make_site, token_endpoint_auth_method="client_secret_jwt")
    site.idp.auth_methods = ("client_secret_jwt",)
    set_nonces(site.idp)
    assert site.browser().login("/x").from_backend
    assert len(site.idp.dpop_jti) == proofs and site.refusals() == []


@case("P-05")
def test_refresh(lab, make_site):
    site = make(lab, make_site, session_refresh="on")
    site.idp.refresh_tokens = site.idp.rotate = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in() as browser:
        site.idp.dpop_nonces = {"token": "later", "userinfo": "later-still"}
        site.wait(lambda: browser.get("/x").from_backend and site.idp.refreshes, "a refresh", 20)
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert site.refusals() == []


def challenge(nonce, status=400, **headers):
    return lambda x: Reply({"error": "use_dpop_nonce"}, status=status, headers=[("DPoP-Nonce", nonce)] if nonce else [])


@pytest.mark.parametrize("hook, requests", rows("P-05", {
    "endless": (challenge("again"), 2), "no-nonce": (challenge(""), 1), "blank": (challenge("a b"), 1),
    "quote": (challenge('a"b'), 1), "long": (challenge("n" * 2000), 1), "401": (challenge("again", 401), 2),
    "503": (challenge("again", 503), 1)}))
def test_challenges_that_lead_nowhere(lab, make_site, hook, requests):
    site = make(lab, make_site)
    site.idp.on["token"] = hook
    reject(site, site.browser().try_login("/x"), "token_.*", 502)
    assert site.idp.count("token") == requests
    site.idp.on.clear()
    assert site.browser().login("/x").from_backend


@case("P-05")
def test_endless_challenges_of_userinfo(lab, make_site):
    site = make(lab, make_site)
    site.idp.on["userinfo"] = lambda x: Reply(b"", status=401, headers=[("DPoP-Nonce", "again")])
    reject(site, site.browser().try_login("/x"), "userinfo_denied", 502)
    assert site.idp.count("userinfo") == 2


@pytest.mark.parametrize("kind", rows("P-07", {k: k for k in ("Bearer", "bearer", "mac", "N_A")}))
def test_a_token_that_is_not_bound(lab, make_site, kind):
    site = make(lab, make_site)
    site.idp.token_type = kind
    reject(site, site.browser().try_login("/x"), "token_type", 502)
    assert "check dpop_key" in site.refusals()[-1][2] and site.idp.count("userinfo") == 0


@case("P-07")
def test_any_spelling(lab, make_site):
    site = make(lab, make_site)
    site.idp.token_type = "dpop"
    assert site.browser().login("/x").from_backend


@case("P-08")
def test_a_demand_without_a_key(make_site):
    site = make_site(control=False)
    site.idp.on["token"] = challenge("n")
    reject(site, site.browser().try_login("/x"), "token_error", 502)
    assert site.idp.count("token") == 1 and "use_dpop_nonce" in site.refusals()[-1][2]
    site.idp.on.clear()
    site.idp.token_type = "DPoP"
    reject(site, site.browser().try_login("/x"), "token_type", 502, refusals=2)
    site.idp.token_type = None
    assert site.browser().login("/x").from_backend


@case("P-04")
def test_pushed_and_signed(lab, make_site):
    """The code is bound to the key as well."""
    site = make(lab, make_site, par="on")
    browser = site.browser()
    first = browser.start("/x")
    assert b"&dpop_jkt=" in site.idp.last("par").body
    assert browser.callback(browser.callback_url(first)).status == 303
