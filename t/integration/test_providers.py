# SPDX-License-Identifier: Apache-2.0
"""Sign-in at real OpenID providers: oidc-provider as itself, as Authelia and as authentik, and
glewlwyd. The claims that reach the application are compared after every test (INV-2)."""

import urllib.parse

import pytest

import glewlwyd
import op_process
from harness.cases import case, rows
from harness.outcome import passes, reject
from harness.site import query_of
from login_drivers import follow, submit, forms_of
from real_provider import GlewlwydProvider, NpmProvider

needs_npm = pytest.mark.skipif(
    not op_process.installed(), reason="npm ci has not been run in t/integration/op")
needs_glewlwyd = pytest.mark.skipif(not glewlwyd.installed(), reason="glewlwyd is not installed")

# What the guides for EspoCRM register.
AUTHELIA_GUIDE = {"token_endpoint_auth_method": "client_secret_basic",
                  "scope": "openid profile email"}
AUTHELIA = {"scope": "openid profile email", "userinfo": "on"}
AUTHENTIK = {"scope": "openid profile email"}


def check_login(site, target="/page?x=1"):
    browser = site.browser()
    page = browser.login(target)
    passes(site, page, remote_user="jane", remote_name="Jane Müller",
           remote_email="jane.mueller@example.com")
    return browser


@needs_npm
@pytest.mark.parametrize("alg", rows("OP-plain", {
    "rs256": "RS256", "ps256": "PS256", "es256": "ES256", "eddsa": "EdDSA"}))
def test_plain(lab, alg):
    client = {"id_token_signed_response_alg": alg}
    with NpmProvider(lab, "plain").site(client, directives={"userinfo": "on"}) as site:
        check_login(site)


@needs_npm
def test_plain_signed_userinfo(lab):
    client = {"userinfo_signed_response_alg": "ES256"}
    with NpmProvider(lab, "plain").site(client, directives={"userinfo": "on"}) as site:
        check_login(site)


@needs_npm
def test_plain_public_client(lab):
    client = {"token_endpoint_auth_method": "none", "client_secret": None}
    directives = {"userinfo": "on", "client_secret": None,
                  "token_endpoint_auth_method": "none"}
    with NpmProvider(lab, "plain").site(client, directives=directives) as site:
        check_login(site)


@needs_npm
@pytest.mark.parametrize("alg", rows("P-03", {"ps256": "PS256", "es256": "ES256", "eddsa": "EdDSA"}))
def test_plain_client_with_a_key(lab, tmp_path, alg):
    key = lab.keys.for_alg(alg)
    file = tmp_path / "client.key"
    file.write_text(key.private_pem())
    file.chmod(0o600)
    client = {"token_endpoint_auth_method": "private_key_jwt", "client_secret": None,
              "token_endpoint_auth_signing_alg": alg, "jwks": {"keys": [key.jwk()]}}
    directives = {"userinfo": "on", "client_secret": None, "client_key": f"{file} alg={alg} kid={key.kid}"}
    with NpmProvider(lab, "plain").site(client, directives=directives) as site:
        check_login(site)


@needs_npm
@case("A-17")
def test_plain_form_post(lab):
    """The fields of the provider's own page, posted from its site."""
    with NpmProvider(lab, "plain").site(control=False, directives={"userinfo": "on", "response_mode": "form_post"}) as site:
        browser = site.browser()
        path, _, body = browser.callback_url(browser.start("/page?x=1")).partition("?")
        answer = browser.post(path, body.encode(), cross_site=True, headers={
            "Content-Type": "application/x-www-form-urlencoded", "Origin": site.idp.base})
        assert answer.status == 303, answer
        assert browser.onward(browser.callback(site.path_of(answer.location))) == "/page?x=1"
        passes(site, browser.get("/page?x=1"), remote_user="jane", remote_name="Jane Müller")


@needs_npm
@pytest.mark.parametrize("method", rows("P-01", {m: m for m in ("client_secret_basic", "client_secret_post")}))
def test_plain_pushed_requests(lab, method):
    """A client that the provider lets in with pushed requests alone."""
    client = {"require_pushed_authorization_requests": True, "token_endpoint_auth_method": method}
    directives = {"userinfo": "on", "par": "on", "token_endpoint_auth_method": method}
    provider = NpmProvider(lab, "plain")
    with provider.site(client, directives=directives) as site:
        check_login(site)
        assert [r for r in provider.requests() if r[1] == "/request" and r[2] == 201], provider.requests()


@needs_npm
@pytest.mark.parametrize("par", rows("P-10", {"by-value": "off", "pushed": "on"}))
def test_plain_request_objects(lab, tmp_path, par):
    """A client whose requests the provider takes signed alone."""
    key = lab.keys.for_alg("ES256")
    file = tmp_path / "client.key"
    file.write_text(key.private_pem())
    file.chmod(0o600)
    client = {"require_signed_request_object": True, "request_object_signing_alg": "ES256",
              "jwks": {"keys": [key.jwk()]}}
    directives = {"userinfo": "on", "client_key": f"{file} kid={key.kid}", "request_object": "on", "par": par,
                  "token_endpoint_auth_method": "client_secret_basic"}
    with NpmProvider(lab, "plain").site(client, directives=directives) as site:
        check_login(site)


@needs_npm
@pytest.mark.parametrize("alg", rows("P-11", {"rs256": "RS256", "es256": "ES256"}))
def test_plain_signed_responses(lab, alg):
    client = {"authorization_signed_response_alg": alg}
    with NpmProvider(lab, "plain").site(client, directives={"userinfo": "on", "response_mode": "query.jwt"}) as site:
        check_login(site)


@needs_npm
@pytest.mark.parametrize("alg, enc", rows("I-21", {
    "rsa": ("RSA-OAEP-256", "A256GCM"), "rsa-cbc": ("RSA-OAEP-256", "A256CBC-HS512"), "ec": ("ECDH-ES", "A128CBC-HS256")}))
def test_plain_encrypted_tokens(lab, tmp_path, alg, enc):
    """ID token and UserInfo, signed and then encrypted."""
    key = lab.keys.p384 if alg == "ECDH-ES" else lab.keys.rsa2
    file = tmp_path / "decrypt.key"
    file.write_text(key.private_pem())
    file.chmod(0o600)
    client = {"jwks": {"keys": [key.jwk(use="enc")]}, "userinfo_signed_response_alg": "RS256"}
    for what in ("id_token", "userinfo"):
        client |= {f"{what}_encrypted_response_alg": alg, f"{what}_encrypted_response_enc": enc}
    directives = {"userinfo": "on", "id_token_encryption_key": f"{file} kid={key.kid} alg={alg} enc={enc}"}
    with NpmProvider(lab, "plain").site(client, directives=directives) as site:
        check_login(site)


@needs_npm
@case("P-09")
def test_plain_resource(lab):
    directives = {"resource": "https://api.example"}
    with NpmProvider(lab, "plain").site(directives=directives) as site:
        check_login(site)
    with NpmProvider(lab, "plain").site(control=False, directives={"resource": "https://other.example"}) as site:
        reject(site, site.browser().try_login("/page"), "idp_error", 400)
        assert "check resource" in site.refusals()[-1][2]


@needs_npm
def test_plain_client_secret_jwt(lab):
    client = {"token_endpoint_auth_method": "client_secret_jwt"}
    directives = {"userinfo": "on", "token_endpoint_auth_method": "client_secret_jwt"}
    with NpmProvider(lab, "plain").site(client, directives=directives) as site:
        check_login(site)


@needs_npm
def test_authelia_guide(lab):
    """As the guide registers it: Basic, three scopes, EspoCRM's callback."""
    directives = {**AUTHELIA, "callback": "forward"}
    provider = NpmProvider(lab, "authelia")
    with provider.site(AUTHELIA_GUIDE, "/oauth-callback.php", directives=directives) as site:
        browser = site.browser()
        answer = browser.try_login("/page?x=1")
        hit = passes(site, answer, remote_user="jane", remote_name="Jane Müller",
                     remote_groups=None)
        assert hit.target == "/oauth-callback.php", hit.target
        assert hit.header("X-Oidc-Return-To") == "/page?x=1"
        passes(site, browser.get("/page?x=1"), remote_user="jane")


@needs_npm
def test_authelia_before_4_39(lab):
    """Claims in the ID token, no userinfo asked."""
    provider = NpmProvider(lab, "authelia", idToken="full")
    with provider.site(AUTHELIA_GUIDE, directives={"scope": "openid profile email"}) as site:
        check_login(site)
        assert not [r for r in provider.requests() if r[1] == "/api/oidc/userinfo"]


@needs_npm
def test_authelia_other_client_authentication(lab):
    """Authelia refuses every method but the registered one; the log names the directive."""
    directives = {**AUTHELIA, "token_endpoint_auth_method": "client_secret_post"}
    with NpmProvider(lab, "authelia").site(AUTHELIA_GUIDE, control=False,
                                           directives=directives) as site:
        answer = site.browser().try_login("/")
        reject(site, answer, status=502)
        assert "token_endpoint_auth_method" in site.log_since_mark()


@needs_npm
def test_authelia_unregistered_scope(lab):
    directives = {**AUTHELIA, "scope": "openid profile email phone"}
    with NpmProvider(lab, "authelia").site(AUTHELIA_GUIDE, control=False,
                                           directives=directives) as site:
        reject(site, site.browser().try_login("/"))
        assert "invalid_scope" in site.log_since_mark()


@needs_npm
def test_authentik_guide(lab):
    """Issuer with path and final slash, no iss parameter, sub = user name, groups in profile."""
    directives = {**AUTHENTIK, "callback": "forward", "username_claim": "sub"}
    provider = NpmProvider(lab, "authentik")
    with provider.site(callback="/oauth-callback.php", directives=directives) as site:
        browser = site.browser()
        answer = browser.try_login("/page?x=1")
        hit = passes(site, answer, remote_user="jane", remote_groups="sales,staff")
        assert hit.target == "/oauth-callback.php", hit.target
        passes(site, browser.get("/page?x=1"), remote_user="jane", remote_groups="sales,staff")


@needs_npm
def test_authentik_token_endpoint_without_its_slash(lab):
    """As an earlier edition of authentik's page had it: no redirect, but 405."""
    provider, path = NpmProvider(lab, "authentik"), "/application/o/token"
    directives = {**AUTHENTIK, "token_endpoint": provider.base + path}
    with provider.site(control=False, directives=directives) as site:
        reject(site, site.browser().try_login("/"), "token_status", status=502)
        assert f'token_endpoint "{provider.base}{path}" answered 405' in site.log_since_mark()
        site.wait(lambda: ("POST", path, 405) in provider.requests(), "the provider's log line")
        assert not [r for r in provider.requests() if r[1] == path + "/"]


@needs_npm
def test_authentik_jwks_without_its_slash(lab):
    """The keys are fetched before anybody is sent to the provider."""
    provider, path = NpmProvider(lab, "authentik"), "/application/o/espocrm/jwks"
    directives = {**AUTHENTIK, "jwks_uri": provider.base + path}
    with provider.site(control=False, directives=directives) as site:
        reject(site, site.browser().get("/"), "jwks_unavailable", status=503, consumed=False)
        assert f'jwks_uri "{provider.base}{path}" answered 404' in site.log_since_mark()


@needs_npm
def test_authentik_without_signing_key(lab):
    """HS256 by the client secret and `{}` as key set: only where the algorithm is named."""
    client = {"id_token_signed_response_alg": "HS256"}
    directives = {**AUTHENTIK, "id_token_signed_response_alg": "HS256"}
    with NpmProvider(lab, "authentik", keys=[]).site(client, directives=directives) as site:
        check_login(site)


@needs_npm
def test_authentik_without_signing_key_not_named(lab):
    client = {"id_token_signed_response_alg": "HS256"}
    with NpmProvider(lab, "authentik", keys=[]).site(client, control=False,
                                                     directives=AUTHENTIK) as site:
        reject(site, site.browser().get("/"), status=502, consumed=False)


@needs_npm
def test_cancelled_at_the_provider(lab):
    provider = NpmProvider(lab, "plain")
    with provider.site(directives={"userinfo": "on"}) as site:
        browser, client = site.browser(), provider.client()
        page = follow(client, client.get(browser.start("/").location))
        refused = submit(client, page, forms_of(page)[0], cancel="yes")
        refused = follow(client, refused, until=lambda u: u.startswith(site.origin_text))
        target = refused.location[len(site.origin_text):]
        reject(site, browser.callback(target), "access_denied", status=403)


LOGOUT = {"logout_uri": "/logout", "logout_token_hint": "on", "post_logout_uri": "/public/bye"}


@needs_npm
@pytest.mark.parametrize("persona", rows("OP-logout", {
    "plain": "plain", "authentik": "authentik"}))
def test_logout(lab, persona):
    provider = NpmProvider(lab, persona)
    directives = {**AUTHENTIK, "userinfo": "on", **LOGOUT}
    with provider.site(directives=directives) as site:
        browser = check_login(site)
        answer = browser.get("/logout", fetch_site="same-origin")
        assert answer.status in (302, 303), answer
        assert answer.location.startswith(provider.url("logout") + "?"), answer
        sent = query_of(answer.location)
        assert sent["id_token_hint"].count(".") == 2
        back = provider.leave(answer.location, site)
        assert urllib.parse.urlsplit(back.location).path == "/public/bye"
        assert browser.get("/page").status == 302


@needs_npm
def test_logout_at_authelia(lab):
    """Authelia has no end-session endpoint: the session here ends, the page is our own."""
    directives = {**AUTHELIA, "logout_uri": "/logout"}
    with NpmProvider(lab, "authelia").site(AUTHELIA_GUIDE, directives=directives) as site:
        browser = check_login(site)
        answer = browser.get("/logout", fetch_site="same-origin")
        assert answer.location is None and answer.status == 200, answer
        assert browser.get("/page").status == 302


@needs_glewlwyd
@pytest.mark.parametrize("alg", rows("OP-glewlwyd", {
    "rs256": "RS256", "es256": "ES256"}))
def test_glewlwyd(lab, alg):
    """Bearer in lower case, session_state in the callback, two slashes in every endpoint."""
    provider = GlewlwydProvider(lab, alg)
    with provider.site(directives={"userinfo": "on", **LOGOUT}) as site:
        browser = check_login(site)
        answer = browser.get("/logout", fetch_site="same-origin")
        assert answer.location.startswith(provider.url("logout") + "?"), answer
        assert browser.get("/page").status == 302


@needs_glewlwyd
def test_glewlwyd_eddsa(lab):
    """Its at_hash for EdDSA is made with SHA-256, where others take SHA-512; both count."""
    with GlewlwydProvider(lab, "EdDSA").site() as site:
        check_login(site)


@needs_glewlwyd
def test_glewlwyd_client_secret_post(lab):
    client = {"token_endpoint_auth_method": "client_secret_post"}
    directives = {"token_endpoint_auth_method": "client_secret_post"}
    with GlewlwydProvider(lab, "RS256").site(client, directives=directives) as site:
        check_login(site)
