# SPDX-License-Identifier: Apache-2.0
"""issuer_template: several tenants of one provider, each an issuer of its own. Everybody here has the same `sub`."""

import json
import time
import urllib.parse

import pytest

from harness import forge
from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, reject, sane
from harness.site import Site
from harness.stores import server_side
from test_sessions_admin import ask

ONE = "8f7e0000-0000-0000-0000-000000000001"
TWO = "8f7e0000-0000-0000-0000-000000000002"
THREE = "99990000-0000-0000-0000-000000000003"  # not in the list
SUB = "the-same-sub"
LISTED = (ONE, TWO)
LOCATIONS = """\
        location = /admin/sessions { auth_oidc off; allow 127.0.0.1; deny all; oidc_sessions; }
        location = /.well-known/oauth-protected-resource { auth_oidc off; oidc_resource_metadata provider=idp; }
"""
OWN = ("/oidc_callback", "/oidc/backchannel", "/oidc/frontchannel", "/oidc/login", "/logout", "/admin/sessions")


class Tenants(Idp):
    """`user["tid"]` is the tenant that somebody signs in at."""

    def __init__(self, keys):
        super().__init__(keys)
        self.template = self.issuer = self.base + "/{tenantid}/v2.0"

    def of(self, tenant):
        return self.template.replace("{tenantid}", tenant)

    def reset(self):
        super().reset()
        self.user = {**self.user, "sub": SUB, "tid": ONE}
        self.claims = self.tokens
        self.send_iss = False

    def answer_as(self, tenant):
        """RFC 9207: the response names the issuer of this tenant."""
        self.authorize_response = lambda answer: [*answer, ("iss", self.of(tenant))]

    def tokens(self, claims):
        return {**claims, "iss": self.of(claims["tid"])}


def directives(idp, *tenants, **more):
    return {"issuer": None, "issuer_template": f'"{idp.template}" {" ".join(tenants or LISTED)}',
            "config_url": idp.base + "/.well-known/openid-configuration", "logout_uri": "/logout",
            "backchannel_logout_uri": "/oidc/backchannel", "frontchannel_logout_uri": "/oidc/frontchannel",
            "initiate_login_uri": "/oidc/login", "id_token_signed_response_alg": "RS256", **more}


@pytest.fixture
def make(lab):
    sites = []

    def make(*tenants, **arguments):
        idp = Tenants(lab.keys)
        more = arguments.pop("directives", {})
        sites.append(Site(lab, idp=idp, directives=directives(idp, *tenants, **more), locations=LOCATIONS,
                          own_paths=OWN, public=("/public/", "/admin/sessions", "/.well-known/oauth-protected-resource"), **arguments))
        return sites[-1]
    yield make
    for site in sites:
        site.stop()
        site.idp.stop()


@pytest.fixture(scope="module")
def site(lab):
    idp = Tenants(lab.keys)
    with Site(lab, idp=idp, directives=directives(idp), locations=LOCATIONS, own_paths=OWN,
              public=("/public/", *OWN[5:])) as site:
        yield site
    idp.stop()


def arrive(site):
    """A sign-in until the answer to the callback."""
    browser = site.browser()
    return browser, browser.callback(browser.callback_url(browser.start("/x")))


def alive(site, browser):
    passes(site, browser.get("/x"))


def dead(site, browser):
    for _ in range(4):
        challenge(site, browser.get("/x"))


@case("I-43")
@pytest.mark.parametrize("tenant", LISTED)
def test_a_listed_tenant(site, tenant):
    with site.signed_in(tid=tenant) as browser:
        alive(site, browser)
    sane(site)


@case("I-43")
def test_a_tenant_that_is_not_listed(site):
    """A page, and a line that names the tenant."""
    site.idp.user = {**site.idp.user, "tid": THREE}
    _, answer = arrive(site)
    reject(site, answer, "tenant_unlisted", 403)
    assert f'is of the tenant "{THREE}", which is not in the list' in site.log_since_mark()


OTHERS = {
    "other-tid": {"tid": TWO}, "tid-in-capitals": {"tid": ONE.upper()}, "tid-empty": {"tid": ""},
    "tid-no-text": {"tid": [ONE]}, "template-as-iss": {"iss": "{tenantid}"},
    "slash": {"iss": f"x/{ONE}"}, "slash-behind": {"iss": f"{ONE}/v2.0/x"}, "dots": {"iss": f"x/../{ONE}"},
    "percent": {"iss": ONE.replace("-", "%2D")}, "empty": {"iss": ""}, "blank": {"iss": ONE + " "},
    "list": {"iss": [ONE]}, "control": {"iss": ONE + "\n"},
}


@pytest.mark.parametrize("change", rows("I-44", OTHERS))
def test_tokens_of_nobody(site, change):
    idp = site.idp

    def claims(c):
        iss = change.get("iss", ONE)
        return {**c, "tid": ONE, **change, "iss": [idp.of(ONE)] if isinstance(iss, list) else idp.of(iss)}
    idp.claims = claims
    _, answer = arrive(site)
    reject(site, answer, "id_token_iss", 502)
    sane(site)


UNLISTED = {"another": THREE, "capitals": ONE.upper(), "prefix": ONE[:-1], "longer": ONE + "0", "common": "common"}


@pytest.mark.parametrize("tenant", rows("I-44", UNLISTED))
def test_tenants_of_others(site, tenant):
    site.idp.user = {**site.idp.user, "tid": tenant}
    _, answer = arrive(site)
    reject(site, answer, "tenant_unlisted", 403)
    assert f'is of the tenant "{tenant}"' in site.log_since_mark()


@case("I-44")
def test_the_response_is_of_another_tenant(site):
    """RFC 9207: the tenant that the response names is that of the ID token."""
    site.idp.answer_as(ONE)
    browser = site.browser()
    browser.login("/x")
    site.idp.answer_as(TWO)
    _, answer = arrive(site)
    reject(site, answer, "id_token_iss")
    assert "is not that of the response" in site.log_since_mark()


@case("I-44")
@pytest.mark.parametrize("tenant", [THREE, "{tenantid}"])
def test_the_response_is_of_nobody(site, tenant):
    site.idp.answer_as(tenant)
    _, answer = arrive(site)
    reject(site, answer, "issuer_mix_up", 400)
    assert site.delta("token") == 0


@case("D-43")
def test_metadata_of_one_tenant(make):
    site = make(start=False, control=False)
    site.idp.metadata = lambda d: {**d, "issuer": site.idp.of(ONE)}
    site.start()
    reject(site, site.browser().get("/x"), "metadata_issuer", consumed=False)


@case("J-19")
def test_keys_of_one_tenant(make):
    """A key that names an issuer verifies nobody's tokens but that issuer's."""
    site = make(start=False)
    idp = site.idp
    idp.jwks_keys = [{**idp.key.jwk(), "issuer": idp.of(ONE)}]
    site.start()
    with site.signed_in(tid=ONE) as browser:
        alive(site, browser)
    idp.user = {**idp.user, "tid": TWO}
    _, answer = arrive(site)
    reject(site, answer, "jwt_signature")
    assert f'is of the issuer "{idp.of(ONE)}"' in site.log_since_mark()


@case("J-19")
def test_keys_of_all_tenants(make):
    site = make(start=False)
    site.idp.jwks_keys = [{**site.idp.key.jwk(), "issuer": site.idp.template}]
    site.start()
    for tenant in LISTED:
        with site.signed_in(tid=tenant) as browser:
            alive(site, browser)


# ---- the same sub twice is two people ---------------------------------------------------------

def deliver(site, tenant, **claims):
    token = site.idp.logout_token(iss=site.idp.of(tenant), jti=forge.b64u(time.time_ns().to_bytes(8, "big")),
                                  events={forge.LOGOUT_EVENT: {}}, **claims)
    browser = site.browser()
    answer = browser.request("POST", "/oidc/backchannel", kind="none", cookies=False,
                             body=urllib.parse.urlencode({"logout_token": token}).encode(),
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    browser.close()
    return answer


@case("L-36")
@pytest.mark.parametrize("by", [{"sub": SUB}, {"sid": "s-1"}])
def test_logout_tokens_of_the_other_tenant(site, by):
    with site.signed_in(tid=ONE, sid="s-1") as one, site.signed_in(tid=TWO, sid="s-1") as two:
        assert deliver(site, TWO, **by).status == 200
        alive(site, one)
        dead(site, two)
        refused = deliver(site, THREE, **by)
        assert refused.status == 400 and "logout_token_iss" in site.log_since_mark()
        assert deliver(site, ONE, tid=TWO, **by).status == 400
        alive(site, one)
        assert deliver(site, ONE, tid=ONE, **by).status == 200
        dead(site, one)


def frame(site, **arguments):
    answer = site.browser().request("GET", "/oidc/frontchannel?" + urllib.parse.urlencode(arguments), kind="iframe",
                                    cross_site=True, cookies=False)
    assert answer.status == 200, answer


@case("L-37")
@server_side
def test_front_channel(site):
    with site.signed_in(tid=ONE, sid="s-a") as one, site.signed_in(tid=TWO, sid="s-a") as two, \
            site.signed_in(tid=TWO, sid="s-b") as alone:
        frame(site, sid="s-a", iss=site.idp.of(THREE))
        frame(site, sid="s-a", iss=site.idp.template)
        alive(site, one), alive(site, two)
        frame(site, sid="s-a", iss=site.idp.of(TWO))
        alive(site, one)
        dead(site, two)
        # Entra ID sends sid alone.
        frame(site, sid="s-b")
        dead(site, alone)
        alive(site, one)


@case("L-38")
@server_side
def test_session_limit(make):
    site = make(directives={"session_limit": "1"})
    with site.signed_in(tid=ONE) as one, site.signed_in(tid=TWO) as two:
        alive(site, one), alive(site, two)
        with site.signed_in(tid=TWO) as again:
            dead(site, two)
            alive(site, one), alive(site, again)


@case("L-39")
@server_side
def test_administrators_name_the_tenant(site):
    with site.signed_in(tid=ONE) as one, site.signed_in(tid=TWO) as two:
        assert ask(site, sub=SUB).status == 400
        # Of a tenant that has left the list sessions may be there that are to be ended.
        assert ask(site, sub=SUB, iss=site.idp.of(THREE)).json()["sessions"] == []
        assert ask(site, sub=SUB, iss=site.idp.of("x/y")).status == 404
        assert ask(site, sub=SUB, iss=site.idp.template).status == 404
        body = ask(site, sub=SUB, iss=site.idp.of(TWO)).json()
        assert len(body["sessions"]) == 1 and body["iss"] == site.idp.of(TWO), body
        assert ask(site, "DELETE", sub=SUB, iss=site.idp.of(TWO)).json()["ended"] == 1
        alive(site, one)
        dead(site, two)
        assert f'of the issuer "{site.idp.of(TWO)}"' in site.log_since_mark()


@case("L-39")
def test_another_tenant_is_another_user(make):
    """clear_cookies when the user changes."""
    site = make(directives={"clear_cookies": "APP"})
    browser = site.browser()
    browser.login("/x")
    for tenant, cleared in ((ONE, False), (TWO, True)):
        site.idp.user = {**site.idp.user, "tid": tenant}
        answer = browser.callback(browser.callback_url(
            browser.get(f"/oidc/login?iss={urllib.parse.quote(site.idp.of(tenant), safe='')}")))
        assert any(c.name == "APP" and c.deletes for c in answer.set_cookies()) is cleared, answer


@case("C-43")
def test_a_tenant_leaves_the_list(make):
    site = make(control=False)
    with site.signed_in(tid=ONE) as one, site.signed_in(tid=TWO) as two:
        alive(site, one), alive(site, two)
        site.providers["idp"][1].update(directives(site.idp, TWO))
        site.reload()
        alive(site, two)
        dead(site, one)


# ---- what goes on -----------------------------------------------------------------------------

@case("T-30")
@pytest.mark.parametrize("tenant, code", [(TWO, "id_token_iss"), (THREE, "tenant_unlisted")])
def test_a_refresh_that_answers_with_another_tenant(make, tenant, code):
    site = make(directives={"session_refresh": "on before=60s"})
    idp = site.idp
    idp.refresh_tokens = True
    idp.token_body = idp.refresh_body = lambda body: {**body, "expires_in": 10}
    with site.signed_in(tid=ONE) as browser:
        time.sleep(6)
        alive(site, browser)
        site.wait(lambda: len(idp.refreshes) == 1, "a refresh")
        time.sleep(0.3 * SLOW)
        alive(site, browser)
        idp.refresh_claims = lambda c: {**c, "iss": idp.of(tenant), "tid": tenant}
        time.sleep(6)
        browser.get("/x")
        site.wait(lambda: len(idp.refreshes) == 2, "another refresh")
        site.wait(lambda: browser.get("/x").status == 302, "the end of the session")
        assert f"ended it: {code}" in site.log_since_mark()


@case("I-43")
def test_the_assertion_names_the_tenant(make, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    site = make(server=f"oidc_assertion {{ key_file {secret}; }} auth_oidc_assertion on; "
                       "auth_oidc_header X-Tenant $oidc_claim_tid; auth_oidc_header X-Iss $oidc_claim_iss;",
                identity=lambda path, claims: None)
    for tenant in LISTED:
        with site.signed_in(tid=tenant) as browser:
            hit = passes(site, browser.get("/x"), X_Tenant=tenant, X_Iss=site.idp.of(tenant))
            claims = json.loads(forge.b64u_decode(hit.headers.get("x-oidc-assertion").split(".")[1]))
            assert claims["idp"] == site.idp.of(tenant) and claims["sub"] == SUB


@case("I-43")
def test_resource_metadata(site):
    answer = site.browser().get("/.well-known/oauth-protected-resource")
    assert answer.json()["authorization_servers"] == [site.idp.of(t) for t in LISTED], answer


@case("A-41")
@pytest.mark.parametrize("tenant, status", [(ONE, 303), (TWO, 303), (THREE, 400), ("{tenantid}", 400)])
def test_logins_that_others_begin(site, tenant, status):
    answer = site.browser().get("/oidc/login?iss=" + urllib.parse.quote(site.idp.of(tenant), safe=""))
    assert answer.status == status, answer
    assert ("initiation_issuer" in site.log_since_mark()) is (status == 400)
