# SPDX-License-Identifier: Apache-2.0
"""claim_source: aggregated and distributed claims, U-16 to U-22."""

import re
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import passes, reject, sane
from harness.site import Site
from harness.wire import Reply

LOCATIONS = """
    location /claims/ { proxy_set_header X-Dept $oidc_claim_dept; proxy_set_header X-Value $oidc_claim_value;
        proxy_set_header X-Iss $oidc_claim_iss; proxy_set_header X-Sub $oidc_claim_sub;
        proxy_set_header X-Sid $oidc_claim_sid; proxy_pass http://@BACKEND@; }
    location /sales/ { auth_oidc_require_claim dept any sales; proxy_pass http://@BACKEND@; }
"""
TOKEN = "token-for-the-endpoint"


def providers(lab, options="", **directives):
    """The site's own provider, and a source that nobody signs in at."""
    idp, registry = Idp(lab.keys), Idp(lab.keys, client_id="nobody")
    directives = {"userinfo": "on", "read_timeout": "2s",
                  "claim_source": f"registry endpoint_host=127.0.0.1:{registry.port}{options}", **directives}
    return {"idp": (idp, directives), "registry": (registry, {"read_timeout": "1s"})}


@pytest.fixture(scope="module")
def site(lab):
    both = providers(lab)
    with Site(lab, providers=both, locations=LOCATIONS) as site:
        yield site
    for idp, _ in both.values():
        idp.stop()


@pytest.fixture
def make(make_site, lab):
    made = []

    def fresh(options="", **directives):
        both = providers(lab, options, **directives)
        made.extend(idp for idp, _ in both.values())
        return make_site(providers=both, locations=LOCATIONS, control=False)
    yield fresh
    for idp in made:
        idp.stop()


def registry(site):
    return site.providers["registry"][0]


def jwt(site, key=None, header=None, **claims):
    source = registry(site)
    head = {"alg": "RS256", "kid": "rsa-1", "typ": "JWT", **(header or {})}
    said = {k: v for k, v in {"iss": source.issuer, "dept": "sales", **claims}.items() if v is not None}
    if head["alg"] == "none":
        return forge.compact(head, said)
    return forge.signed(head, said, key or source.keys.rsa)


def left_to(source, names=("dept",), more=None):
    """What changes UserInfo so that `names` are said by `source`."""
    return lambda body: {**body, "_claim_names": {n: "src1" for n in names},
                         "_claim_sources": {"src1": source, **(more or {})}}


def endpoint(site, **more):
    return {"endpoint": registry(site).base + "/facts?user=1001", "access_token": TOKEN, **more}


def sign_in(site, change):
    site.idp.userinfo_body = change
    browser = site.browser()
    answer = browser.try_login("/u")
    assert answer.status in (302, 303), f"{answer}\n{site.log_since_mark()}"
    return browser


def dept(site, change, value="sales"):
    browser = sign_in(site, change)
    return passes(site, browser.get("/claims/x"), x_dept=value, remote_user="jdoe")


def left_out(site, change, why):
    """The sign-in goes on without the claim, and the line says why."""
    dept(site, change, None)
    log = site.log_since_mark()
    assert 'of provider "idp" are left out: ' in log and why in log, log


# ---- aggregated

@case("U-16")
def test_aggregated(site):
    browser = sign_in(site, left_to({"JWT": jwt(site)}))
    passes(site, browser.get("/claims/x"), x_dept="sales", x_sub="u-1001")
    passes(site, browser.get("/sales/x"))
    assert "left out" not in site.log_since_mark()
    assert registry(site).count("token") == 0


@case("U-16")
def test_aggregated_in_the_id_token(site):
    token = jwt(site)
    site.idp.claims = lambda c: {**c, "_claim_names": {"dept": "s"}, "_claim_sources": {"s": {"JWT": token}}}
    dept(site, None)


@pytest.mark.parametrize("value, text", rows("U-16", {
    "list": (["a", "b,c"], "a,b%2Cc"), "number": (5, "5"), "true": (True, "true"), "null": (None, None),
    "object": ({"k": "v"}, '{"k":"v"}'), "control": ("a\nb", None), "blank": (" a", None), "empty": ("", None),
}))
def test_values(site, value, text):
    browser = sign_in(site, left_to({"JWT": jwt(site, value=value)}, ("value",)))
    hit = passes(site, browser.get("/claims/x"))
    assert hit.headers.all("X-Value") in ([] if text is None else [text], [text or ""]), hit.headers


@pytest.mark.parametrize("make_jwt, why", rows("U-17", {
    "key": (lambda s: jwt(s, key=forge.Key.rsa("rsa-1")), "jwt_signature"),
    "kid": (lambda s: jwt(s, key=forge.Key.rsa("x"), header={"kid": "x"}), "jwt_key_unknown"),
    "none": (lambda s: jwt(s, header={"alg": "none"}), "jwt_alg"),
    "typ": (lambda s: jwt(s, header={"typ": "at+jwt"}), "jwt_typ"),
    "issuer": (lambda s: jwt(s, iss="https://evil.example"), "no claim_source has the issuer"),
    "own-issuer": (lambda s: jwt(s, iss=s.idp.issuer), "no claim_source has the issuer"),
    "no-issuer": (lambda s: jwt(s, iss=None), "with an iss"),
    "audience": (lambda s: jwt(s, aud="somebody"), "id_token_aud"),
    "expired": (lambda s: jwt(s, exp=int(time.time()) - 3600), "id_token_exp"),
    "future": (lambda s: jwt(s, nbf=int(time.time()) + 3600), "id_token_nbf"),
    "junk": (lambda s: "x.y.z", "no signed one"),
    "number": (lambda s: 5, "JWT"),
}))
def test_jwts_that_do_not_hold(site, make_jwt, why):
    left_out(site, left_to({"JWT": make_jwt(site)}), why)


@case("U-17")
def test_the_keys_of_a_source_change(site):
    """An unknown key leads to one refetch, as for ID tokens."""
    new = forge.Key.rsa("fresh")
    registry(site).jwks_keys = [site.lab.keys.rsa.jwk(), new.jwk()]
    time.sleep(11 * SLOW)  # jwks_refetch_interval, for which others may have asked
    dept(site, left_to({"JWT": jwt(site, key=new, header={"kid": "fresh"})}))


@case("U-18")
def test_protocol_claims(site):
    names = ("dept", "iss", "sub", "aud", "exp", "nonce", "sid", "acr", "amr", "auth_time", "preferred_username")
    token = jwt(site, sub="evil", sid="evil", nonce="evil", acr="evil", amr=["evil"], auth_time=1,
                preferred_username="root")
    hit = dept(site, left_to({"JWT": token}, names))
    assert hit.headers.all("X-Sub") == ["u-1001"] and hit.headers.all("X-Iss") == [site.idp.issuer]
    assert "evil" not in str(hit.headers) and "only the provider itself says them" in site.log_since_mark()


@case("U-18")
def test_what_the_provider_says_stays(site):
    token = jwt(site, groups=["root"], email="root@example.org")
    browser = sign_in(site, left_to({"JWT": token}, ("dept", "groups", "email")))
    passes(site, browser.get("/claims/x"), x_dept="sales", remote_groups="staff,dev",
           remote_email="jdoe@example.org")


@case("U-18")
def test_only_what_is_named(site):
    browser = sign_in(site, left_to({"JWT": jwt(site, value="more")}))
    passes(site, browser.get("/claims/x"), x_dept="sales", x_value=None)


# ---- distributed

def answers(site, make_answer=None):
    registry(site).on["facts"] = make_answer or (lambda x: Reply(jwt(site), ctype="application/jwt"))


@case("U-19")
def test_distributed(site):
    answers(site)
    dept(site, left_to(endpoint(site)))
    request = registry(site).last("facts")
    assert request.method == "GET" and request.query == "user=1001"
    assert request.headers.get("authorization") == f"Bearer {TOKEN}"
    assert TOKEN not in site.log_since_mark() and "user=1001" not in site.log_since_mark()


@case("U-19")
def test_none_of_our_own_secrets(site):
    """Without a token of the provider's for it there is no Authorization."""
    answers(site)
    before = registry(site).count("facts")
    dept(site, left_to(endpoint(site, access_token=None)))
    dept(site, left_to(endpoint(site)))
    secrets = [site.idp.client_secret, registry(site).client_secret, *site.idp.access]
    asked = [r for name, r in registry(site).requests if name == "facts"][before:]
    assert len(asked) == 2 and asked[0].headers.get("authorization") is None
    for request in asked:
        text = f"{request.target} {request.headers} {request.body}"
        assert not any(secret in text for secret in secrets), text


@pytest.mark.parametrize("url, why", rows("U-19", {
    "host": (lambda s: s.lab.trap.https + "/x", "endpoint_host"),
    "plain": (lambda s: s.lab.trap.url + "/x", "endpoint_host"),
    "name": (lambda s: f"http://localhost:{registry(s).port}/facts", "endpoint_host"),
    "userinfo": (lambda s: f"http://127.0.0.1:{registry(s).port}@127.0.0.1:{s.lab.trap.port}/", "no URL"),
    "file": (lambda s: "file:///etc/passwd", "no URL"),
    "empty": (lambda s: "", "no URL"),
    "line": (lambda s: f"http://127.0.0.1:{registry(s).port}/facts\r\nX: y", "no URL"),
}))
def test_other_hosts(site, url, why):
    before = registry(site).count("facts")
    left_out(site, left_to({"endpoint": url(site), "access_token": TOKEN}), why)
    assert registry(site).count("facts") == before


@case("U-19")
def test_a_token_that_is_none(site):
    before = registry(site).count("facts")
    for token in ("a b", "a\r\nX: y", "", 5, ["x"]):
        site.again()
        left_out(site, left_to(endpoint(site, access_token=token)), "access_token cannot be sent")
    assert registry(site).count("facts") == before


@pytest.mark.parametrize("hook, why", rows("U-20", {
    "redirect": (lambda x: Reply(b"", status=302, headers=[("Location", x.idp.url("other"))]), "answered 302"),
    "401": (lambda x: Reply(b"", status=401), "answered 401"),
    "404": (lambda x: Reply(b"", status=404), "answered 404"),
    "slow": (lambda x: x.stall(8), "idp_timeout"),
    "reset": (lambda x: x.rst(), "idp_"),
    "large": (lambda x: Reply(b"x" * 70000, ctype="application/jwt"), "idp_too_large"),
    "json": (lambda x: Reply({"dept": "sales"}), "not application/jwt"),
    "empty": (lambda x: Reply(b"", ctype="application/jwt"), "jwt_malformed"),
    "other-issuer": (lambda x: Reply(forge.signed({"alg": "RS256", "kid": "rsa-1"}, {
        "iss": "https://evil.example", "dept": "sales"}, x.idp.keys.rsa), ctype="application/jwt"), "id_token_iss"),
}))
def test_answers_that_do_not_hold(site, hook, why):
    answers(site, hook)
    begun = time.monotonic()
    left_out(site, left_to(endpoint(site)), why)
    assert time.monotonic() - begun < 8 * SLOW
    assert registry(site).count("other") == 0
    sane(site)


@case("U-21")
def test_a_source_that_is_not_there(site):
    left_out(site, lambda b: {**b, "_claim_names": {"dept": "src9"}, "_claim_sources": {"src1": {}}}, "no such object")


@case("U-21")
def test_twenty_sources(site):
    answers(site)
    before = registry(site).count("facts")
    names = {f"claim{i}": f"s{i}" for i in range(19)}
    dept(site, lambda b: {**b, "_claim_names": {"dept": "first", **names}, "_claim_sources": {
        name: endpoint(site) for name in ("first", *names.values())}})
    assert registry(site).count("facts") == before + 4
    assert "more than 4" in site.log_since_mark()


@case("U-21")
def test_one_claim_of_two_sources(site):
    """What the ID token names counts."""
    answers(site)
    before = registry(site).count("facts")
    token = jwt(site, dept="of-the-token")
    site.idp.claims = lambda c: {**c, "_claim_names": {"dept": "s"}, "_claim_sources": {"s": {"JWT": token}}}
    dept(site, left_to(endpoint(site)), "of-the-token")
    assert registry(site).count("facts") == before


# ---- required, refresh

@case("U-22")
def test_required(make):
    site = make(" required")
    dept(site, left_to({"JWT": jwt(site)}))
    for change in (None, left_to({"JWT": jwt(site, exp=1000)}), left_to({"JWT": "x"})):
        site.again()
        site.idp.userinfo_body = change
        reject(site, site.browser().try_login("/u"), "claim_source_failed", 502)
        log = site.log_since_mark()
        assert 'claim_source "registry" is required' in log
        assert change is None or re.search(r"\[warn\].* are left out: ", log), log


@case("U-22")
def test_refresh(make):
    """Claims follow the source; one that is required puts the refresh off."""
    site = make(" required", session_refresh="on before=60s")
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = sign_in(site, left_to({"JWT": jwt(site)}))
    passes(site, browser.get("/claims/x"), x_dept="sales")
    site.idp.userinfo_body = left_to({"JWT": jwt(site, exp=1000)})
    time.sleep(6)
    passes(site, browser.get("/claims/x"), x_dept="sales")
    site.wait(lambda: "claim_source_failed" in site.log_since_mark(), "the refresh is put off")
    site.idp.userinfo_body = left_to({"JWT": jwt(site, dept="law")})
    time.sleep(8)
    browser.get("/claims/x")
    site.wait(lambda: len(site.idp.refreshes) >= 2, "it is tried again")
    time.sleep(0.5 * SLOW)
    passes(site, browser.get("/claims/x"), x_dept="law")
