# SPDX-License-Identifier: Apache-2.0
"""The switch `bearer` of ops/nginx: programs with access tokens of the provider at EspoCRM's API."""

import secrets
import time

import pytest

from harness import forge
from harness.cases import case
from harness.vhost import BEARER_SWITCH as BEARER, SWITCHES, VhostSite
from harness.wire import Reply

from test_ops_nginx import (CLOSED, ID, KEY, MCP, MISREAD, OPEN, PROTECTED, TABLE, VARIANTS, WITHOUT_LOGIN, accepted,
                            ask, bad, check_vhost, claims_of, header, identity, replaced, session_of, wrong)

AUDIENCE = "https://crm.example.com/api/v1"
ASSERTION = "x-oidc-api-assertion"
COMPATIBLE = tuple(s for s in SWITCHES if s not in ("oauth-server", "mcp"))


def token(site, header=None, **changes):
    now = int(time.time())
    said = {"iss": site.idp.issuer, "aud": AUDIENCE, "sub": "robot", "client_id": "robot-client",
            "iat": now, "exp": now + 300, "jti": secrets.token_hex(8), **changes}
    head = {"alg": "RS256", "typ": "at+jwt", "kid": site.idp.key.kid, **(header or {})}
    text = forge.signed(head, {k: v for k, v in said.items() if v is not None}, site.idp.key)
    site.state.tokens[text], site.state.token_paths = said, ("/api/v1/",)
    return text


def with_token(site, headers=None, **changes):
    return {"Authorization": "Bearer " + token(site, **changes), **(headers or {})}


@pytest.fixture(scope="module", params=VARIANTS)
def bearer(request, lab):
    with VhostSite(lab, request.param, [BEARER]) as site:
        yield site


@pytest.fixture(scope="module", params=VARIANTS)
def beside(request, lab):
    """Beside all other switches that may be on."""
    with VhostSite(lab, request.param, [BEARER, *COMPATIBLE]) as site:
        yield site


# ---- configuration ---------------------------------------------------------------------------

@case("N-54")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_switch_is_accepted(lab, variant):
    accepted(lab, variant, (BEARER,))
    accepted(lab, variant, (BEARER, *COMPATIBLE))


@case("N-55")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("others", [("oauth-server",), ("mcp",), ("mcp", "oauth-server")])
@pytest.mark.parametrize("turned", [False, True])
def test_nginx_does_not_start_beside_the_oauth_server(lab, variant, others, turned):
    def edit(text):
        line = f"    include espocrm/{variant}/bearer.conf;\n"
        first = text.index("    include espocrm/public/")
        return text[:first] + line + text[first:].replace(line, "") if turned else text
    said = refused_by_nginx(lab, variant, (BEARER, *others), edit)
    excluded = [f'duplicate location "/bearer-excludes-{other}" in ' for other in others]
    assert any(text in said for text in excluded), said


@case("N-55")
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_audience_is_needed(lab, variant):
    def edit(text):
        return text.replace(f"auth_oidc_bearer_audience {AUDIENCE};", "")
    assert "auth_oidc_bearer_audience" in refused_by_nginx(lab, variant, (BEARER,), edit)

@case("N-57")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cause", ["limit", "backend"])
def test_another_423_vouches_for_nobody(lab, variant, cause):
    """error_page takes every 423 of its location, not the gate's alone; a session is none of a token."""
    def edit(text):
        if cause == "backend":
            kind = "fastcgi" if variant == "fpm" else "proxy"
            return text.replace("auth_oidc espocrm;", f"auth_oidc espocrm;\n    {kind}_intercept_errors on;", 1)
        return "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;\n" + text.replace(
            "auth_oidc espocrm;", "auth_oidc espocrm;\n    limit_req zone=z burst=9 nodelay; limit_req_status 423;", 1)
    with VhostSite(lab, variant, [BEARER], edit=edit) as site:
        browser = site.browser()
        site.sign_in(browser)
        if cause == "backend":
            site.backend.answers["/api/v1/Account"] = lambda hit: Reply({"x": 1}, status=423)
        statuses = set()
        for _ in range(12):
            statuses.add(browser.request("GET", "/api/v1/Account", {"X-Oidc-Session": "x"}, kind="plain").status)
        assert 404 in statuses, statuses
        assert not [hit for hit in site.hits() if ASSERTION in identity(hit)]



def refused_by_nginx(lab, variant, switches, edit):
    site = VhostSite(lab, variant, switches, edit=edit, start=False)
    try:
        code, text = site.nginx.test()
    finally:
        site.stop(check=False)
    assert code == 1, text
    return text


# ---- programs --------------------------------------------------------------------------------

OTHER_CREDENTIALS = {
    "Cookie": "auth-token=1; auth-token-secret=2", "Espo-Authorization": "YTpi",
    "Espo-Authorization-By-Token": "true", "Espo-Authorization-Create-Token-Secret": "true",
    "Espo-Authorization-Code": "1", "X-Another-User": "admin", "X-Api-Key": KEY, "X-Hmac-Authorization": KEY,
    "Http-Espo-Cgi-Auth": "Basic YTpi", "Redirect-Http-Espo-Cgi-Auth": "Basic YTpi"}


def told(hit):
    """What EspoCRM is told by the assertion, which is all that it is told."""
    assert set(identity(hit)) == {ASSERTION} and session_of(hit) is None, hit
    assert len(identity(hit)[ASSERTION]) == 1
    for name in ("Authorization", "DPoP", *OTHER_CREDENTIALS):
        assert header(hit, name) == [], (name, hit)
    return claims_of(identity(hit)[ASSERTION][0])


@case("N-54")
def test_a_program_is_vouched_for_request_by_request(bearer):
    ids = set()
    headers = with_token(bearer)
    for method, target in (
            ("GET", "/api/v1/Account"), ("GET", "/api/v1/Account?maxSize=1&select=a%2Cb"), ("HEAD", "/api/v1/App/user"),
            ("POST", "/api/v1/Account"), ("PUT", "/api/v1/Account/1"), ("PATCH", "/api/v1/Account/1"),
            ("DELETE", "/api/v1/Account/1"), ("OPTIONS", "/api/v1/Account"), ("GET", "/api/v1/"), ("POST", MCP),
            *((m, "/api/v1/" + path) for m, path, _ in WITHOUT_LOGIN if "%" not in path)):
        found, response, hits = ask(bearer, method, target, headers)
        assert found == OPEN and response.set_cookies() == [], (method, target, response)
        assert (hits[0].method, hits[0].target) == (method, target)
        said = told(hits[0])
        assert (said["sub"], said["idp"]) == ("robot", bearer.idp.issuer)
        assert said["iss"] == said["aud"] == bearer.origin_text
        assert abs(said["iat"] - time.time()) < 10 and said["exp"] - said["iat"] == 60
        assert said["jti"] not in ids
        ids.add(said["jti"])
        if hits[0].kind == "fastcgi":
            assert hits[0].headers.all("SCRIPT_NAME") == ["/api/v1/index.php"]
    assert len(ids) > 20


@case("N-54")
def test_the_token_alone_counts(beside):
    site = beside
    browser = site.browser()
    site.sign_in(browser)
    for extra in ({}, OTHER_CREDENTIALS, {"X-Espo-Unattended": "1"}, *({n: v} for n, v in OTHER_CREDENTIALS.items())):
        for who in (browser, None):
            for target in ("/api/v1/App/user", f"/api/v1/LeadCapture/{KEY}"):
                found, response, hits = ask(site, "POST", target, with_token(site, extra), who)
                assert found == OPEN and told(hits[0])["sub"] == "robot", (extra, response)
                headers = with_token(site, extra, aud="https://other.example")
                refused(site, ask(site, "POST", target, headers, who))


def refused(site, asked, error="invalid_token"):
    found, response, hits = asked
    assert found == PROTECTED and not hits, response
    assert response.status == 401 and response.set_cookies() == [], response
    assert response.headers.get("www-authenticate").startswith(f'Bearer error="{error}"'), response


@case("N-54")
@pytest.mark.parametrize("changes", [
    {"aud": "https://crm.example.com"}, {"aud": AUDIENCE + "/"}, {"aud": None}, {"aud": []}, {"aud": "espocrm"},
    {"iss": "https://other.example"}, {"exp": 1}, {"sub": None}, {"sub": ""}, {"client_id": None}, {"iat": None},
    {"nbf": 2 ** 31}, {"header": {"typ": "JWT"}}, {"header": {"typ": None}}, {"header": {"kid": "other"}}])
def test_a_wrong_token_is_refused(bearer, changes):
    browser = bearer.browser()
    bearer.sign_in(browser)
    for who in (None, browser):
        refused(bearer, ask(bearer, "GET", "/api/v1/App/user", with_token(bearer, **changes), who))


@case("N-54")
def test_what_is_no_token_is_refused(bearer):
    site = bearer
    good = token(site)
    browser = site.browser()
    site.sign_in(browser)
    parts = good.split(".")
    for who in (None, browser):
        for value, status in ((KEY, 401), ("a.b.c", 401), (".".join(parts[:2]) + ".", 401),
                              (".".join(parts[:2]) + "." + "A" * len(parts[2]), 401), ("", 400),
                              (f"{good} {good}", 400), (f"{good}, Basic YTpi", 400), (f'"{good}"', 400)):
            for scheme in ("Bearer", "bearer", "BEARER"):
                before = len(site.hits())
                answer = (who or site.browser()).request(
                    "GET", "/api/v1/App/user", {"Authorization": f"{scheme} {value}"}, kind="plain")
                assert (answer.status, len(site.hits())) == (status, before), (value, answer)
        for target, headers in (
                (f"/api/v1/App/user?access_token={good}", {"Authorization": f"Bearer {good}"}),
                ("/api/v1/App/user", {"Authorization": f"DPoP {good}"})):
            before = len(site.hits())
            answer = (who or site.browser()).request("GET", target, headers, kind="plain")
            assert answer.status in (400, 401) and len(site.hits()) == before, answer
    site.state.check_hits = False  # it knows the usual spelling alone
    # In the query alone a token is none.
    assert ask(site, "GET", f"/api/v1/App/user?access_token={good}")[0] == PROTECTED
    for scheme in ("bearer", "BEARER", "Bearer\t", "Bearer  "):
        found, _, hits = ask(site, "GET", "/api/v1/App/user", {"Authorization": f"{scheme} {good}"})
        assert found == OPEN and told(hits[0])["sub"] == "robot"
    for first, second in ((f"Bearer {good}", "Basic YTpi"), ("Basic YTpi", f"Bearer {good}"),
                          (f"Bearer {good}", f"Bearer {good}")):
        before = len(site.hits())
        answer = browser.request("GET", "/api/v1/App/user", {}, kind="plain",
                                 extra=[("Authorization", first), ("Authorization", second)])
        assert answer.status == 400 and len(site.hits()) == before, answer


@case("N-54")
def test_where_programs_learn_of_the_provider(bearer):
    path = "/.well-known/oauth-protected-resource/api/v1"
    answer = bearer.browser().request("GET", path, kind="plain")
    assert answer.status == 200 and answer.headers.get("strict-transport-security")
    said = answer.json()
    assert said["resource"] == bearer.origin_text + "/api/v1"
    assert said["authorization_servers"] == [bearer.idp.issuer]
    _, refusal, _ = ask(bearer, "GET", "/api/v1/Account", with_token(bearer, aud="x"))
    assert f'resource_metadata="{bearer.origin_text}{path}"' in refusal.headers.get("www-authenticate")
    for other in ("/", "/x", "/Mcp/1", "%2f..%2f"):
        assert ask(bearer, "GET", path + other)[0] in (PROTECTED, CLOSED)


@case("N-54")
def test_a_scope_that_the_site_asks_for(lab):
    def edit(text):
        audience = "    auth_oidc_bearer_audience"
        return text.replace(audience, "    auth_oidc_bearer_scope crm;\n" + audience)
    with VhostSite(lab, "fpm", [BEARER], edit=edit) as site:
        _, _, hits = ask(site, "GET", "/api/v1/Account", with_token(site, scope="mail crm"))
        assert told(hits[0])["sub"] == "robot"
        answer = site.browser().request("GET", "/api/v1/Account", with_token(site, scope="mail"), kind="plain")
        assert answer.status == 403 and 'scope="crm"' in answer.headers.get("www-authenticate")


# ---- and nowhere else ------------------------------------------------------------------------

ELSEWHERE = [
    "/", "/index.php", "/oauth-callback.php", "/oauth/callback/", "/?entryPoint=oauthCallback",
    f"/?entryPoint=download&id={ID}", "/wss?authToken=a&userId=1", "/portal/", f"/api/v1/portal-access/{ID}/App/user",
    "/api/v1", "/api/v2/Account", "/api/v1/../index.php", "/api/v1/..%2findex.php", "/api/v1//Account",
    "/api/v1/./Account", "/api/v1/index.php/Account", "/api/v1/%69ndex.php/Account", "/api/%76%31/Account",
    f"/api/v1/%70ortal-access/{ID}/App/user", f"/api/v1/x/..%2f../portal-access/{ID}/App/user", "/API/v1/Account",
    "/api/v1;/Account", "/api/v1/Account;x", "/api/v1\\Account", "/x/../api/v1/Account", "//api/v1/Account",
    "/unattended/api/v1/Account", "/api/v1/Oidc/backchannelLogout", "/install/",
    "/.well-known/oauth-protected-resource"]


@case("N-54")
def test_a_token_opens_the_api_alone(bearer):
    for headers in (with_token(bearer), with_token(bearer, OTHER_CREDENTIALS)):
        for target in (*ELSEWHERE, *MISREAD):
            for method in ("GET", "POST"):
                before = len(bearer.hits())
                answer = bearer.browser().request(method, target, headers, kind="plain")
                assert answer.status in (400, 401, 403, 404) and len(bearer.hits()) == before, (method, target, answer)


@case("N-54")
def test_a_session_is_not_vouched_for(beside):
    """Its requests come with EspoCRM's own token: another site could have a browser send them."""
    site = beside
    browser = site.browser()
    site.sign_in(browser)
    assert set(identity(site.hits()[-1])) & {ASSERTION} == set()
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearertoken"}, {"Authorization": ""},
                    {"Authorization": "Token Bearer x"}, {"Authorization": "Bearer,x"}, {"Espo-Authorization": "YTpi"},
                    {"X-Espo-Unattended": "1"}, {"DPoP": token(site)}, {"X-Api-Key": KEY}):
        for method, target, rule in TABLE:
            _, _, hits = ask(site, method, target, headers, browser)
            assert all(ASSERTION not in identity(hit) for hit in hits), (method, target, headers)
    for target in ELSEWHERE:
        before = len(site.hits())
        browser.request("GET", target, with_token(site), kind="plain")
        for hit in site.hits()[before:]:
            assert ASSERTION not in identity(hit), hit


SPELLINGS = ("X-Oidc-Api-Assertion", "x-oidc-api-assertion", "X_Oidc_Api_Assertion", "X.Oidc.Api.Assertion",
             "X-OIDC-API-ASSERTION", "X-Oidc_Api-Assertion", "X-Oidc-Api-Assertion[0]")


@case("N-54")
@pytest.mark.parametrize("switches", [(), (BEARER,), (BEARER, *COMPATIBLE), SWITCHES])
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_client_vouches_for_itself(lab, variant, switches):
    """Whichever switches are on: what a client sends under the name of the assertion goes nowhere."""
    with VhostSite(lab, variant, switches) as site:
        browser = site.browser()
        site.sign_in(browser)
        extra = [(name, "spoofed") for name in SPELLINGS]
        mark = len(site.hits())
        for who in (None, browser):
            for headers in ({}, {"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, with_token(site)):
                for method, target, _ in (*TABLE, ("POST", MCP, None), ("GET", "/api/v1/Account", None)):
                    ask(site, method, target, headers, who, extra=extra)
        hits = site.hits()[mark:]
        assert len(hits) > 20
        for hit in hits:
            assert b"spoofed" not in hit.raw, hit
            assert header(hit, "X-Oidc-Api-Assertion[0]") == []
            if ASSERTION in identity(hit):
                assert BEARER in switches and told(hit)["sub"] == "robot"


@case("N-54")
@pytest.mark.parametrize("variant", VARIANTS)
def test_without_the_switch_a_token_is_none(lab, variant):
    with VhostSite(lab, variant) as site:
        for target in ("/api/v1/Account", "/api/v1/App/user", "/"):
            found, response, hits = ask(site, "GET", target, with_token(site))
            assert found == PROTECTED and not hits and response.headers.get("www-authenticate") is None
        browser = site.browser()
        site.sign_in(browser)
        _, _, hits = ask(site, "GET", "/api/v1/Account", with_token(site), browser)
        assert ASSERTION not in identity(hits[0]) and session_of(hits[0])


# ---- seen from outside -----------------------------------------------------------------------

@case("N-56")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("others", [(), COMPATIBLE])
def test_check_vhost(lab, variant, others):
    with VhostSite(lab, variant, [BEARER, *others]) as site:
        mark = len(site.hits())
        code, result, problem = check_vhost(site)
        assert code == 0, (wrong(result), bad(result), problem)
        said = next(o for o in result["other"] if "access tokens" in o["what"])
        assert said["is"].startswith('401 Bearer error="invalid_token"')
        assert all(ASSERTION not in identity(hit) for hit in site.hits()[mark:])
        # It is on, and not said so.
        code, result, _ = check_vhost(site, switches=others)
        assert code == 1 and set(bad(result)) == {"the API takes no access tokens of the provider"}


@case("N-56")
def test_check_vhost_sees_that_it_is_off(lab):
    with VhostSite(lab, "fpm") as site:
        assert check_vhost(site)[0] == 0
        code, result, _ = check_vhost(site, switches=(BEARER,))
        assert code == 1 and not wrong(result)
        assert bad(result) == {"the API takes access tokens of the provider, and not a made-up one":
                               "401 without WWW-Authenticate"}


@case("N-56")
@pytest.mark.parametrize("variant", VARIANTS)
def test_check_vhost_sees_tokens_that_nobody_verifies(lab, variant):
    with VhostSite(lab, variant, [BEARER], templates=replaced(
            f"{variant}/bearer.conf", "auth_oidc_bearer       on;", "auth_oidc off;")) as site:
        site.state.check_hits = False
        code, result, _ = check_vhost(site)
        assert code == 1 and wrong(result)[("GET", "/api/v1/Account")] == OPEN
        assert "the API takes access tokens of the provider, and not a made-up one" in bad(result)


@case("N-56")
def test_check_vhost_sees_tokens_that_go_to_espocrm(lab):
    """As with oauth-server, whose tokens EspoCRM looks at."""
    with VhostSite(lab, "fpm", ["oauth-server"]) as site:
        code, result, _ = check_vhost(site, switches=(BEARER,))
        assert code == 1 and wrong(result)[("GET", "/api/v1/Account")] == OPEN
        assert wrong(result)[("POST", "/oauth/token")] == OPEN
