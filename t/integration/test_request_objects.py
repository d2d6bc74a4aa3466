# SPDX-License-Identifier: Apache-2.0
"""Signed request objects (RFC 9101), by value and pushed."""

import pytest

from harness.cases import case, rows
from harness.forge import Key
from harness.idp import Idp
from harness.outcome import passes
from harness.site import query_of
from test_client_assertion import KEYS, key_file, make


def login(site, browser, target="/x?y=1"):
    first = browser.start(target)
    answer = browser.callback(browser.callback_url(first))
    assert browser.onward(answer) == target
    passes(site, browser.get(target), remote_user="jdoe")
    return query_of(first.location)


@pytest.mark.parametrize("alg", rows("P-10", {a: a for a in KEYS}))
def test_by_value(lab, make_site, alg):
    words = " alg=PS384" if alg == "PS384" else ""
    site = make(lab, make_site, KEYS[alg](), alg, words, request_object="on", scope="email", max_age="30m",
                claims="'{\"id_token\":{\"groups\":null}}'", resource="https://a.example urn:x:y",
                extra_auth_args="iss=evil&aud=evil&display=page")
    site.idp.claims = lambda c: {**c, "auth_time": c["iat"]}
    shown = login(site, site.browser())
    assert set(shown) == {"client_id", "response_type", "scope", "request"}
    (grant,) = site.idp.codes.values()
    params = grant["params"]
    assert params["max_age"] == "1800" and params["display"] == "page"
    assert params["claims"] == '{"id_token": {"groups": null}}'
    assert grant["resource"] == ["https://a.example", "urn:x:y"]
    login(site, site.browser())
    assert len(site.idp.request_objects) == 2 and site.refusals() == []


@case("P-10")
def test_pushed(lab, make_site):
    site = make(lab, make_site, Key.ec("-"), "ES256", request_object="on", par="on")
    assert set(login(site, site.browser())) == {"client_id", "request_uri"}
    assert len(site.idp.request_objects) == 1 and site.idp.count("par") == 1


@pytest.mark.parametrize("given, signs", rows("P-10", {"auto": (None, True), "off": ("off", False)}))
def test_demanded_by_the_metadata(lab, make_site, given, signs):
    idp = Idp(lab.keys)
    idp.request_object_required = True
    key = Key.ec("-")
    idp.client_keys, idp.auth_methods = [("k", "ES256", key)], ("private_key_jwt",)
    site = make_site(idp=idp, control=False, directives={
        "client_secret": None, "client_key": f"{key_file(lab, 'demanded', key)} kid=k", "request_object": given})
    shown = query_of(site.browser().start("/x").location)
    assert ("request" in shown) == signs
    assert ("signed request objects (RFC 9101), and request_object is off" in site.nginx.log()) != signs


@case("P-10")
def test_without_a_key_the_demand_is_said(lab, make_site):
    idp = Idp(lab.keys)
    idp.request_object_required = True
    site = make_site(idp=idp, control=False)
    assert "request" not in query_of(site.browser().start("/x").location)
    assert "signed request objects (RFC 9101), and there is no client_key" in site.nginx.log()


@case("P-10")
def test_beside_a_secret(lab, make_site):
    """The key signs requests; the client is known by its secret."""
    key = Key.ec("-")
    idp = Idp(lab.keys)
    idp.client_keys = [("k", "ES256", key)]
    site = make_site(idp=idp, control=False, directives={
        "client_key": f"{key_file(lab, 'beside', key)} kid=k", "request_object": "on",
        "token_endpoint_auth_method": "client_secret_basic"})
    login(site, site.browser())
    assert site.idp.last("token").headers.get("authorization").startswith("Basic ")
    assert len(idp.request_objects) == 1 and not idp.assertions


@case("P-10")
def test_a_refused_object_is_explained(lab, make_site):
    site = make(lab, make_site, Key.ec("-"), "ES256", request_object="on")
    site.idp.authorize_response = lambda a: [("error", "invalid_request_object")] + [
        x for x in a if x[0] in ("state", "iss")]
    answer = site.browser().try_login("/x")
    assert answer.status == 400 and site.refusals()[-1][1] == "idp_error"
    assert "check client_key" in site.refusals()[-1][2]
