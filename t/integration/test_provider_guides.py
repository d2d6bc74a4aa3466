# SPDX-License-Identifier: Apache-2.0
"""The blocks of the guides, word by word, at providers that answer as the vendors' documentation says. A test of a
peculiarity says in its first line what deals with it; where that is a line of the block, the block without it fails."""

import re
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.forge import Key
from harness.nginx import ROOT, Nginx
from harness.outcome import button_of, reject
from harness.wire import Reply
from test_auth_oidc_check_paste import parts  # noqa: F401
from vendor import GuideSite, Refused, blocks_of, value_of
from vendors import ALL, Adfs, Auth0, Cognito, Entra, EntraTenants, GitLab, Google, Kanidm, Okta, PocketId, Zitadel

EACH = pytest.mark.parametrize("kind", rows("V-42", {v.page: v for v in ALL}))


@pytest.fixture
def at(lab):
    """at(Vendor, ...): the site of its guide; `change`: the block otherwise."""
    vendors, sites = [], []

    def make(kind, change=None, prepare=None, **arguments):
        vendor = kind(lab)
        vendors.append(vendor)
        if prepare is not None:
            prepare(vendor)
        sites.append(GuideSite(vendor, change, **arguments))
        return sites[-1]
    yield make
    try:
        for site in sites:
            site.stop()
    finally:
        for vendor in vendors:
            vendor.stop()


def without(*lines):
    """The block without the lines that begin so."""
    def change(code):
        for line in lines:
            code, count = re.subn(rf"^ *{re.escape(line)}.*\n", "", code, flags=re.M)
            assert count, f"no line begins with {line}"
        return code
    return change


def with_line(line, place="oidc_provider company {"):
    return lambda code: code.replace(place, f"{place}\n    {line}")


def in_place_of(old, new):
    return lambda code: re.sub(rf"^ *{re.escape(old)}.*\n", f"    {new}\n", code, flags=re.M)


def header(hit, name):
    found = hit.headers.all(name)
    assert len(found) < 2, found
    return found[0].encode("latin-1").decode() if found else None


def signs_out(site, browser):
    """Where the browser ends up."""
    answer = browser.get("/logout", fetch_site="same-origin")
    assert answer.status in (302, 303), answer
    after = browser.get("/x")
    assert after.status == 302 and site.session_cookie_name not in [c.name for c in browser.jar.cookies], after
    if answer.location.startswith(site.origin_text):
        return site.path_of(answer.location)
    back = site.vendor.leave(answer.location)
    return None if back is None else site.path_of(back)


# ---- every guide

@EACH
def test_the_block_loads(at, kind):
    site = at(kind, start=False)
    status, said = site.nginx.test()
    assert status == 0 and "[warn]" not in said, said
    assert value_of(site.code, "issuer") == kind.issuer


@EACH
def test_the_block_signs_in_refreshes_and_signs_out(at, kind):
    """Twice refreshed: a refresh token that is good once is replaced, one that stays is kept."""
    site = at(kind)
    site.vendor.access_lifetime = 2
    browser, hit = site.sign_in("/x?y=1")
    assert header(hit, "Remote-User") and header(hit, "Remote-Email") == "jane@example.com"
    hit = site.refreshed(browser, count=2)
    assert header(hit, "Remote-User") and header(hit, "Remote-Email") == "jane@example.com"
    used = [token for _, token in site.vendor.refreshes]
    assert len(set(used)) == (len(used) if kind.rotates else 1), used
    assert signs_out(site, browser) == "/signed-out"
    page = browser.get("/signed-out")
    assert page.status == 200 and page.text == "You are signed out.\n"
    assert site.vendor.complaints == []


@EACH
def test_who_was_disabled_is_out_at_the_next_refresh(at, kind):
    site = at(kind)
    site.vendor.access_lifetime = 2
    browser, _ = site.sign_in()
    site.vendor.on["token"] = lambda exchange: Reply({"error": "invalid_grant"}, status=400)
    site.wait(lambda: browser.get("/x").status == 302, "the end of the session", timeout=15)
    assert "refresh_denied" in site.log_since_mark()


@EACH
def test_a_key_that_was_changed(at, kind):
    """One fetch of the keys when a token names one that is not known."""
    site = at(kind)
    site.sign_in()
    site.vendor.key = Key.ec("new") if kind.algorithm == "ES256" else Key.rsa("new")
    site.sign_in()


def guide(page):
    return (ROOT / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8")


def claims_for_espocrm(page):
    """(what the page says to enter, whether it speaks of `claims` of the assertion)"""
    own = guide(page).partition("Before EspoCRM\n")[2].partition("\n## ")[0]
    asked = re.findall(r"\*(?:Username|Group) Claim\*(?: `([^`]+)`)?(?:[^`*]*(?:else|or) `([^`]+)`)?", own)
    return {name for pair in asked for name in pair if name}, "`claims`" in own


@EACH
def test_the_block_before_espocrm(kind, lab, tmp_path):
    """The lines of the provider beside those that the site files of EspoCRM include, and the claims for EspoCRM."""
    provider = re.search(r"^oidc_provider company \{\n(.*?)^\}", blocks_of(kind.page)[0], re.M | re.S)[1]
    provider = without("logout_uri", "post_logout_uri")(provider)
    example = (ROOT / "ops/nginx/site-proxy.conf.example").read_text(encoding="utf-8")
    carried = re.search(r"claims +([^;]*);", example)[1].split()
    named, spoken_of = claims_for_espocrm(kind.page)
    assert named and (named <= set(carried) or spoken_of), (named, carried)
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    nginx = Nginx(tmp_path / "nginx", f"""
        oidc_provider espocrm {{ {provider} include {ROOT}/ops/nginx/espocrm/provider.conf; }}
        server {{ listen 127.0.0.1:1 ssl; ssl_certificate {lab.pki.site.cert_file}; auth_oidc espocrm;
                  ssl_certificate_key {lab.pki.site.key_file}; server_name crm.example.com;
                  oidc_assertion {{ key_file {secret}; claims {" ".join(sorted(named | set(carried)))}; }}
                  location / {{ auth_oidc_assertion on; proxy_pass http://127.0.0.1:2; }} }}
        """.replace("/etc/nginx/secrets/www", str(secret)), status_port=2)
    status, said = nginx.test()
    assert status == 0 and "[warn]" not in said, said


def directives(block):
    return {name: " ".join(value.split()) for name, value in re.findall(r"^ +(\w+) +([^;#]+);", block, re.M)}


@EACH
def test_the_block_that_auth_oidc_check_prints(at, kind, parts):
    """It has the guide's lines, but for what only the reader knows, and signs in as it is."""
    printed, made = [], []

    def change(code):
        block = [parts["configuration"].Directive(n, [value_of(code, n)], None, "", 0) for n in ("issuer", "client_id")]
        provider = parts["configuration"].Provider("main", block, "/")
        text = parts["paste"].block_to_paste(provider, kind.default_discovery(made[0], None).json())
        printed.append((directives(text), directives(re.search(r"oidc_provider.*?^\}", code, re.M | re.S)[0])))
        text = text.replace("oidc_provider main {", "oidc_provider company {").replace("secrets/oidc-client",
                                                                                       "secrets/www")
        return re.sub(r"^oidc_provider.*?^\}\n", lambda _: text, code, flags=re.M | re.S)
    site = at(kind, change, made.append)
    ((ours, guide),) = printed
    for name in ("client_secret_file", "extra_auth_args"):
        ours.pop(name, None), guide.pop(name, None)
    assert ours.items() <= guide.items(), (ours, guide)
    assert set(guide) - set(ours) <= {"post_logout_uri"}, (ours, guide)
    # Without "hd" in the request Google does the same.
    browser, hit = site.sign_in()
    assert header(hit, "Remote-User")
    assert browser.get("/logout", fetch_site="same-origin").status in (200, 302, 303)


# ---- Entra ID

@case("V-01")
def test_entra_common(at):
    """metadata_issuer: the braces are no tenant."""
    site = at(Entra)
    site.vendor.metadata = lambda d: {**d, "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}
    reject(site, site.browser().get("/x"), "metadata_issuer", consumed=False)
    assert "{tenantid}" in site.log_since_mark()


@case("V-01")
def test_entra_older_tokens(at):
    site = at(Entra)
    site.vendor.claims = lambda c: {**c, "iss": f"https://sts.windows.net/{Entra.tenant}/", "ver": "1.0"}
    reject(site, site.arrive(site.browser()), "id_token_iss")


@case("V-02")
def test_entra_another_tenant(at):
    """The issuer has the tenant in it."""
    site = at(Entra)
    other = "99990000-0000-0000-0000-000000000000"
    site.vendor.claims = lambda c: {**c, "iss": c["iss"].replace(Entra.tenant, other), "tid": other}
    reject(site, site.arrive(site.browser()), "id_token_iss")


@case("V-03")
def test_entra_keys_without_an_algorithm(at):
    """Keys without alg, with members of Microsoft's own; a code of more than a kilobyte; session_state in the
    callback; an ID token without at_hash and email_verified."""
    site = at(Entra)
    assert "alg" not in site.vendor.default_jwks(None).json()["keys"][0]
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == ",".join(Entra.somebody["groups"])
    assert site.vendor.asked_hosts() == {"login.microsoftonline.com"}, "UserInfo is not needed"


@case("V-04")
def test_entra_too_many_groups(at):
    """The reference to Graph is no list of groups; the line says so, and a rule refuses."""
    site = at(Entra, with_line("auth_oidc_require_claim groups not suspended;", "auth_oidc company;"))

    def overage(claims):
        del claims["groups"]
        return {**claims, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {
            "endpoint": "https://graph.windows.net/t/users/u/getMemberObjects"}}}
    site.vendor.claims = overage
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403
    assert "[warn]" in site.log_since_mark() and "too many for a token" in site.log_since_mark()


@case("V-05")
def test_entra_front_channel(at):
    """sid alone, in a frame that has no cookie of ours."""
    site = at(Entra)
    browser, _ = site.sign_in()
    answer = site.browser().request("GET", f"/oidc/frontchannel?sid={Entra.somebody['sid']}", kind="iframe",
                                    cross_site=True, cookies=False)
    assert answer.status == 200
    assert browser.get("/x").status == 302


def several(at, *changes, **arguments):
    """The guide's block for several tenants."""
    def change(code):
        for one in changes:
            code = one(code)
        return code
    return at(EntraTenants, change if changes else None, number=1, **arguments)


def of_tenant(site, tenant):
    site.vendor.user = {**site.vendor.user, "tid": tenant}


@case("V-44")
@pytest.mark.parametrize("tenant", [EntraTenants.tenant, EntraTenants.other])
def test_entra_several_tenants(at, tenant):
    site = several(at)
    status, said = site.nginx.test()
    assert status == 0 and "[warn]" not in said, said
    of_tenant(site, tenant)
    site.vendor.access_lifetime = 2
    browser, hit = site.sign_in()
    assert header(hit, "Remote-User") == "jane@example.com" and header(hit, "Remote-Tenant") == tenant
    hit = site.refreshed(browser, count=2)
    assert header(hit, "Remote-Tenant") == tenant
    assert signs_out(site, browser) == "/signed-out"
    assert site.vendor.complaints == []


@case("V-44")
def test_entra_a_tenant_that_is_not_listed(at):
    """Whoever has an account at some tenant: 403, and the line names the tenant."""
    site = several(at)
    other = "99990000-0000-0000-0000-000000000000"
    of_tenant(site, other)
    reject(site, site.arrive(site.browser()), "tenant_unlisted", 403)
    assert f'the tenant "{other}"' in site.log_since_mark()


@case("V-44")
def test_entra_keys_of_a_tenant(at):
    """Keys whose issuer is one tenant's, as those for private accounts are, sign for nobody else."""
    site = several(at, start=False)
    site.vendor.key_members = {**Entra.key_members, "issuer": Entra.issuer}
    site.start()
    site.sign_in()
    of_tenant(site, EntraTenants.other)
    reject(site, site.arrive(site.browser()), "jwt_signature")


@case("V-44")
def test_entra_front_channel_of_tenants(at):
    """sid alone, without a cookie of ours: whichever tenant it is of."""
    site = several(at)
    of_tenant(site, EntraTenants.other)
    browser, _ = site.sign_in()
    site.browser().request("GET", f"/oidc/frontchannel?sid={Entra.somebody['sid']}", kind="iframe",
                           cross_site=True, cookies=False)
    assert browser.get("/x").status == 302


@pytest.mark.parametrize("kind", rows("V-06", {k.page: k for k in (Entra, Okta, Auth0, Zitadel)}))
def test_offline_access(at, kind):
    """The scope in the block. Without it there is no refresh token, and a line says so."""
    site = at(kind, lambda code: code.replace(" offline_access;", ";"))
    site.sign_in()
    assert "has given no refresh token" in site.log_since_mark()


@case("V-43")
def test_entra_keys_of_an_application(at):
    """config_url with appid, where claims are mapped for the application."""
    def mapped(vendor):
        vendor.own_key = Key.rsa("of-the-tenant")
    site = at(Entra, None, mapped)
    reject(site, site.arrive(site.browser()), "jwt_key_unknown", status=502)
    line = re.search(r"`(config_url [^`]*\?appid=[^`]*)`", guide("entra"))[1]
    site = at(Entra, with_line(line + ";"), mapped)
    site.sign_in()


# ---- Google

@case("V-07")
def test_google_addresses(at):
    """Endpoints on other hosts; a code with slashes; further arguments of the callback; iss of RFC 9207."""
    site = at(Google)
    site.sign_in()
    assert site.vendor.asked_hosts() == {"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"}


@pytest.mark.parametrize("change", rows("V-07", {
    "access-type": lambda code: code.replace("access_type=offline&", ""), "prompt": without("prompt")}))
def test_google_refresh_tokens(at, change):
    """access_type=offline and prompt consent."""
    site = at(Google, change)
    site.sign_in()
    assert "has given no refresh token" in site.log_since_mark()


@case("V-07")
def test_google_asks_which_account(at):
    site = at(Google, in_place_of("prompt", 'prompt "consent select_account";'))
    assert "prompt=consent%20select_account" in site.browser().get("/x").location.replace("+", "%20")


@case("V-07")
def test_google_knows_no_offline_access(at):
    site = at(Google, lambda code: code.replace("openid profile email", "openid profile email offline_access"))
    with pytest.raises(Refused, match="invalid_scope"):
        site.arrive(site.browser())


@pytest.mark.parametrize("domain", rows("V-08", {"private": None, "other": "example.net"}))
def test_google_accounts_of_others(at, domain):
    """The rule on hd; hd in the request is advice."""
    def others(vendor):
        vendor.claims = lambda c: {**{n: v for n, v in c.items() if n != "hd"}, **({"hd": domain} if domain else {})}
    site = at(Google, prepare=others)
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403
    assert "not_permitted" in site.log_since_mark() and " hd " in site.log_since_mark().replace('"hd"', " hd ")
    site = at(Google, without("auth_oidc_require_claim"), others)
    site.sign_in()


@pytest.mark.parametrize("kind, number", rows("V-09", {
    "google": (Google, "110169484474386276334"), "auth0": (Auth0, "auth0|507f1f77bcf86cd799439020"),
    "cognito": (Cognito, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"),
    "adfs": (Adfs, "7Ur6cSGJYhFR1XpRbp+3ojbVzWkw7oDRm+ZDLTZG5Zk=")}))
def test_no_preferred_username(at, kind, number):
    """username_claim. Without it the application is told the subject, and a line says so."""
    def prepare(vendor):
        vendor.names = ("preferred_username", "sub")
    site = at(kind, without("username_claim"), prepare)
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == number
    assert 'is taken from claim "sub"' in site.log_since_mark()


@pytest.mark.parametrize("kind", rows("V-10", {k.page: k for k in (Google, GitLab, Kanidm)}))
def test_no_end_session_endpoint(at, kind):
    """post_logout_uri, or a page of the module; the session here has ended in either case."""
    site = at(kind)
    browser, _ = site.sign_in()
    before = browser.session_cookie
    assert signs_out(site, browser) == "/signed-out"
    browser.jar.set(site.session_cookie_name, before)
    assert browser.get("/x").status == 302
    site = at(kind, without("post_logout_uri"))
    browser, _ = site.sign_in()
    answer = browser.get("/logout", fetch_site="same-origin")
    assert answer.status == 200 and answer.location is None and browser.get("/x").status == 302


@case("V-07")
def test_google_issuer_without_a_scheme(at):
    site = at(Google)
    site.vendor.claims = lambda c: {**c, "iss": "accounts.google.com"}
    reject(site, site.arrive(site.browser()), "id_token_iss")


# ---- thin ID tokens

@pytest.mark.parametrize("kind", rows("V-11", {k.page: k for k in (Okta, Zitadel)}))
def test_thin_id_tokens(at, kind):
    """userinfo on. Without it the subject is all there is."""
    def prepare(vendor):
        vendor.names = ("preferred_username", "sub")
    site = at(kind)
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == kind.somebody["preferred_username"]
    assert header(hit, "Remote-Name") == "Jane Müller"
    site = at(kind, without("userinfo"), prepare)
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == kind.somebody["sub"] and header(hit, "Remote-Email") is None


# ---- Okta

@case("V-12")
def test_okta_sign_out_without_a_hint(at):
    """logout_token_hint on; and a button where there is no token to send."""
    site = at(Okta, without("logout_token_hint"))
    browser, _ = site.sign_in()
    location = browser.get("/logout", fetch_site="same-origin").location
    with pytest.raises(Refused, match="400"):
        site.vendor.leave(location)
    # As long as a hundred groups make it the token does not fit into an address, and is posted.
    site = at(Okta, prepare=lambda v: v.user.update(groups=[f"{n:03}-" + "g" * 56 for n in range(100)]))
    browser, _ = site.sign_in()
    answer = browser.get("/logout", fetch_site="same-origin")
    assert answer.status == 200 and f'action="{site.vendor.url("logout")}"' in answer.text, answer
    hint = re.search(r'name="id_token_hint" value="([^"]+)"', answer.text)[1]
    assert len(hint) > 8000
    site.vendor.forget(hint)
    site = at(Okta)
    button_of(site, site.browser().get("/logout", fetch_site="same-origin"))


@case("V-13")
def test_okta_groups(at):
    """A scope, and a filter at Okta; what is missing meets no rule."""
    rule = with_line("auth_oidc_require_claim groups any staff;", "auth_oidc company;")
    site = at(Okta, rule)
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "staff,Everyone"
    site = at(Okta, rule, lambda v: v.user.pop("groups"))
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403 and "not_permitted" in site.log_since_mark()


@case("V-14")
def test_okta_demands_dpop(at, tmp_path, lab):
    """dpop_key, with the nonce that the token endpoint asks for. Without it the line says what to do."""
    def demands(vendor):
        vendor.dpop_key = lab.keys.p256
        vendor.dpop_nonces = {"token": "n-1"}
    site = at(Okta, None, demands)
    answer = site.arrive(site.browser())
    reject(site, answer, "token_.*", status=502)
    assert "dpop" in site.log_since_mark().lower()
    site.vendor.complaints.clear()
    key = tmp_path / "dpop.key"
    key.write_text(lab.keys.p256.private_pem())
    key.chmod(0o600)
    site = at(Okta, with_line(f"dpop_key {key};"), demands)
    site.sign_in()
    assert site.vendor.complaints == []


# ---- Auth0

@pytest.mark.parametrize("kind, written", rows("V-15", {
    "auth0": (Auth0, "https://company.eu.auth0.com"), "gitlab": (GitLab, "https://gitlab.example.com/"),
    "zitadel": (Zitadel, "https://company.eu1.zitadel.cloud/"), "okta": (Okta, "https://company.okta.com/"),
    "google": (Google, "https://accounts.google.com/"), "pocket-id": (PocketId, "https://id.example.com/"),
    "kanidm": (Kanidm, "https://idm.example.com/oauth2/openid/www/"), "adfs": (Adfs,
                                                                               "https://adfs.example.com/adfs/")}))
def test_the_final_slash(at, kind, written):
    site = at(kind, in_place_of("issuer", f"issuer {written};"))
    reject(site, site.browser().get("/x"), "metadata_issuer", consumed=False)
    assert f'"{kind.issuer}"' in site.log_since_mark() and f'"{written}"' in site.log_since_mark()


@case("V-16")
def test_auth0_method_of_the_client(at):
    """token_endpoint_auth_method: the metadata offer Basic first. Auth0 calls it access_denied."""
    site = at(Auth0, without("token_endpoint_auth_method"))
    reject(site, site.arrive(site.browser()), "token_client_auth", status=502)
    site.vendor.complaints.clear()


@case("V-17")
def test_auth0_signs_with_the_secret(at):
    site = at(Auth0, prepare=lambda v: setattr(v, "alg", "HS256"))
    reject(site, site.arrive(site.browser()), "jwt_alg", status=502)
    assert "HS256" in site.log_since_mark()


@case("V-18")
def test_auth0_claims_with_urls_for_names(at):
    """oidc_claim_set and auth_oidc_header; a rule takes such a name as well."""
    rule = with_line("auth_oidc_require_claim https://www.example.com/groups any staff;",
                     "auth_oidc_require_claim email_verified any true;")
    site = at(Auth0, rule)
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "staff,admins"
    site.vendor.user["https://www.example.com/groups"] = ["guests"]
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403


@pytest.mark.parametrize("kind, value", rows("V-19", {"auth0": (Auth0, False), "auth0-missing": (Auth0, None)}))
def test_addresses_that_nobody_has_confirmed(at, kind, value):
    """The rule on email_verified."""
    def prepare(vendor):
        vendor.user["email_verified"] = value
    site = at(kind, prepare=prepare)
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403
    site = at(kind, without("auth_oidc_require_claim"), prepare)
    site.sign_in()


@case("V-20")
def test_auth0_older_tenants(at):
    """The two lines of the guide: another endpoint, whose argument is called returnTo."""
    lines = " ".join(blocks_of("auth0")[1].split("\n")).strip()
    v2 = "https://company.eu.auth0.com/v2/logout"

    def older(vendor):
        vendor.metadata = lambda d: {**d, "end_session_endpoint": None}
        vendor.places = {**vendor.places, "logout": v2}
        vendor.end_session = lambda query: query.get("returnTo")
    site = at(Auth0, in_place_of("logout_token_hint", lines), older)
    browser, _ = site.sign_in()
    assert signs_out(site, browser) == "/signed-out"
    assert site.vendor.signed_out[-1]["client_id"] == site.vendor.client_id


@pytest.mark.parametrize("kind", rows("V-21", {k.page: k for k in (Auth0, Zitadel)}))
def test_back_channel_logout(at, kind):
    """By the sid of the ID token."""
    site = at(kind)
    browser, _ = site.sign_in()
    token = site.vendor.logout_token(sub=kind.somebody["sub"], sid=kind.somebody["sid"], jti="j-1")
    body = urllib.parse.urlencode({"logout_token": token}).encode()
    answer = site.browser().request("POST", "/oidc/backchannel", {"Content-Type": "application/x-www-form-urlencoded"},
                                    body, kind="none", cookies=False)
    assert answer.status == 200, answer
    assert browser.get("/x").status == 302


# ---- GitLab

@case("V-22")
def test_gitlab_groups(at):
    """userinfo on: the ID token has the direct ones alone. And the rule keeps out who is in none of the company."""
    site = at(GitLab)
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "company,company/crm"
    site.vendor.user["groups"] = site.vendor.user["groups_direct"] = ["strangers"]
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403
    site = at(GitLab, without("userinfo"))
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403 and '"groups"' in site.log_since_mark()


@case("V-23")
def test_gitlab_id_tokens_of_two_minutes(at):
    """exp is the token's, not the session's; our clock may be a minute off."""
    site = at(GitLab)
    site.vendor.offset = -170
    site.sign_in()
    site.vendor.offset = -200
    reject(site, site.arrive(site.browser()), "id_token_exp")


@pytest.mark.parametrize("kind", rows("V-24", {k.page: k for k in (GitLab, Cognito)}))
def test_scopes_that_are_not_known(at, kind):
    """No offline_access in the block; with it the line names the scope."""
    site = at(kind, lambda code: code.replace("openid profile email;", "openid profile email offline_access;"))
    reject(site, site.arrive(site.browser()), "idp_error", status=400)
    assert "invalid_scope" in site.log_since_mark()


# ---- Zitadel

@case("V-25")
def test_zitadel_audiences(at):
    """azp: the token is for all applications of the project. Not without it, and not when it is another."""
    site = at(Zitadel)
    site.sign_in()
    site.vendor.claims = lambda c: {n: v for n, v in c.items() if n != "azp"}
    reject(site, site.arrive(site.browser()), "id_token_aud", status=502)
    assert Zitadel.project in site.log_since_mark()
    site.vendor.claims = lambda c: {**c, "azp": "259254020357499999"}
    reject(site, site.arrive(site.browser()), "id_token_azp", status=502, refusals=2)


@case("V-26")
def test_zitadel_roles(at):
    """The rule of the guide goes down the object of objects."""
    rule = blocks_of("zitadel")[1].strip()
    site = at(Zitadel, with_line(rule, "auth_oidc company;"))
    site.sign_in()
    other = {"guest": Zitadel.roles["staff"]}
    for name in [n for n in site.vendor.user if n.endswith(":roles")]:
        site.vendor.user[name] = other
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == 403


# ---- Pocket ID

@case("V-27")
def test_pocket_id_sign_out_without_a_hint(at):
    """logout_token_hint on. Without it somebody has to confirm, and nobody comes back."""
    site = at(PocketId, without("logout_token_hint"))
    browser, _ = site.sign_in()
    assert signs_out(site, browser) is None


@case("V-28")
def test_pocket_id_internal_addresses(at):
    """Endpoints without TLS are refused, and the line names the member."""
    site = at(PocketId)
    site.vendor.metadata = lambda d: {**d, "token_endpoint": "http://pocket-id:1411/api/oidc/token"}
    reject(site, site.browser().get("/x"), "metadata_invalid", consumed=False)
    assert "token_endpoint" in site.log_since_mark()


@case("V-29")
def test_pocket_id_another_algorithm(at, lab):
    """The metadata name one; they are fetched again when a token has another."""
    site = at(PocketId)
    site.sign_in()

    def changed(document):
        return {**document, "id_token_signing_alg_values_supported": ["ES256"]}
    site.vendor.metadata, site.vendor.alg, site.vendor.key = changed, "ES256", lab.keys.p256
    site.vendor.jwks_keys = [lab.keys.p256.jwk(use="sig", alg="ES256")]
    site.sign_in()


@case("T-23")
def test_pocket_id_groups_that_may_sign_in(at):
    """access_denied to a refresh: the user is no longer in one of them."""
    site = at(PocketId)
    site.vendor.access_lifetime = 2
    browser, _ = site.sign_in()
    site.vendor.on["token"] = lambda exchange: Reply({"error": "access_denied"}, status=403)
    site.wait(lambda: browser.get("/x").status == 302, "the end of the session", timeout=15)
    assert "refresh_denied" in site.log_since_mark()


# ---- Kanidm

@pytest.mark.parametrize("change, error", rows("V-30", {
    "pkce": (with_line("pkce off;"), "invalid_request"),
    "scope": (lambda code: code.replace("groups_name;", "groups_name phone;"), "access denied")}))
def test_kanidm_is_strict(at, change, error):
    """PKCE is always sent; the block has the scopes of the scope map and no others."""
    site = at(Kanidm, change)
    with pytest.raises(Refused, match=error):
        site.arrive(site.browser())


@case("V-31")
def test_kanidm_es256(at):
    """The algorithms are those of the metadata."""
    site = at(Kanidm, with_line("id_token_signed_response_alg RS256;"))
    browser = site.browser()
    answer = browser.get("/x")
    if answer.status == 302:
        answer = site.arrive(browser)
    reject(site, answer, "jwt_alg|jwks_invalid", status=502, consumed=False)


@case("V-32")
def test_kanidm_groups(at):
    """groups_name: with groups each is there twice, and none by its name."""
    site = at(Kanidm)
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "staff"
    site = at(Kanidm, lambda code: code.replace("groups_name;", "groups;"),
              lambda v: setattr(v, "mapped", (*v.mapped, "groups")))
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "0b9c5c3e-0000-4000-8000-000000000001,staff@idm.example.com"


@case("V-33")
def test_kanidm_repeats_the_nonce(at):
    """The nonce in the ID token of a refresh is that of the sign-in, or the session ends."""
    site = at(Kanidm)
    site.vendor.access_lifetime = 2
    browser, _ = site.sign_in()
    site.refreshed(browser)
    site.vendor.refresh_claims = lambda c: {**c, "nonce": "of-somebody-else"}
    site.wait(lambda: browser.get("/x").status == 302, "the end of the session", timeout=15)
    assert "id_token_nonce" in site.log_since_mark()


# ---- AD FS

@pytest.mark.parametrize("change", rows("V-34", {
    "scope": lambda code: code.replace("openid allatclaims;", "openid;"), "mode": without("response_mode")}))
def test_adfs_claims(at, change):
    """allatclaims and form_post."""
    site = at(Adfs)
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "staff,admins"
    site = at(Adfs, change)
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == "jane@corp.example.com" and header(hit, "Remote-Groups") is None


@case("V-35")
def test_adfs_one_group(at):
    """A text in place of a list: for a rule and for the header a list of one."""
    rule = with_line("auth_oidc_require_claim groups any staff;", "auth_oidc company;")
    site = at(Adfs, rule, lambda v: v.user.update(groups="staff"))
    _, hit = site.sign_in()
    assert header(hit, "Remote-Groups") == "staff"


@case("V-36")
def test_adfs_userinfo(at):
    """UserInfo with sub alone takes nothing away."""
    site = at(Adfs, with_line("userinfo on;"))
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == "jane@corp.example.com" and header(hit, "Remote-Email") == "jane@example.com"


@case("V-36")
def test_adfs_issuer_of_access_tokens(at):
    """A member with an http address that nobody uses refuses nothing."""
    site = at(Adfs)
    assert site.vendor.default_discovery(None).json()["access_token_issuer"].startswith("http://")
    site.sign_in()


# ---- Cognito

@pytest.mark.parametrize("line", rows("V-37", {n: n for n in ("post_logout_param", "post_logout_uri")}))
def test_cognito_sign_out(at, line):
    """post_logout_param and post_logout_uri; client_id goes with them once."""
    site = at(Cognito)
    browser, _ = site.sign_in()
    assert signs_out(site, browser) == "/signed-out"
    site = at(Cognito, without(line))
    browser, _ = site.sign_in()
    location = browser.get("/logout", fetch_site="same-origin").location
    with pytest.raises(Refused, match="400"):
        site.vendor.leave(location)


@case("V-38")
def test_cognito_names_with_colons(at):
    site = at(Cognito, with_line("auth_oidc_require_claim cognito:groups any staff;", "auth_oidc        company;"))
    _, hit = site.sign_in()
    assert header(hit, "Remote-User") == "jane" and header(hit, "Remote-Groups") == "staff,admins"


@pytest.mark.parametrize("value, passes", rows("V-39", {
    "boolean": (True, True), "text": ("true", True), "no": (False, False), "no-text": ("false", False)}))
def test_cognito_email_verified(at, value, passes):
    """A boolean in the ID token, a text at UserInfo: a rule takes both for the same."""
    site = at(Cognito, with_line("auth_oidc_require_claim email_verified any true;", "auth_oidc        company;"),
              lambda v: v.user.update(email_verified=value))
    browser = site.browser()
    browser.onward(site.arrive(browser))
    assert browser.get("/x").status == (200 if passes else 403)


@case("V-40")
def test_cognito_pkce_that_nobody_speaks_of(at):
    site = at(Cognito)
    assert "code_challenge_methods_supported" not in site.vendor.default_discovery(None).json()
    location = site.browser().get("/x").location
    assert "code_challenge_method=S256" in location


@case("V-41")
def test_cognito_later_auth_time(at):
    """A refresh with another auth_time keeps the session."""
    site = at(Cognito)
    site.vendor.access_lifetime = 2
    browser, _ = site.sign_in()
    site.vendor.refresh_claims = lambda c: {**c, "auth_time": c["auth_time"] + 1000}
    site.refreshed(browser, count=2)
