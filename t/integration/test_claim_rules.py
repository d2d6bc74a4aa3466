# SPDX-License-Identifier: Apache-2.0
"""auth_oidc_require_claim: rules on claims at http, server and location, without a map."""

import re
import time

import pytest

from harness.cases import case, rows
from harness.outcome import challenge, passes, unauthorized
from harness.site import Site
from harness.wire import Reply

MANY = [f"group{n}" for n in range(500)]
RULES = {
    "any": "groups any staff admin",
    "all": "groups all staff dev",
    "not": "groups not banned suspended",
    "regex": r"groups any ~^team-\d+$",
    "caseless": "groups any ~*^Team-",
    "notregex": "groups not ~^ext-",
    "mixed": r"groups all staff ~^team-",
    "deep": "realm_access roles any admin",
    "text": "department any Sales",
    "number": "level any 3 4",
    "boolean": "email_verified any true",
    "blank": 'department any "Human Resources"',
    "tilde": r"department any \~odd",
    "mail": r'email any ~@example\.org$',
    "word": "any any x",
    "long": "groups any " + " ".join(MANY),
}
LOCATIONS = "".join(f"        location /{name}/ {{ auth_oidc_require_claim {rule}; proxy_pass http://@BACKEND@; }}\n"
                    for name, rule in RULES.items()) + """\
        location /two/ {
            auth_oidc_require_claim groups any staff;
            auth_oidc_require_claim email_verified any true;
            proxy_pass http://@BACKEND@;
            location /two/inner/ { proxy_pass http://@BACKEND@; }
            location /two/other/ { auth_oidc_require_claim groups any dev; proxy_pass http://@BACKEND@; }
        }
        location /verify/staff/ {
            auth_oidc_mode verify; auth_oidc_require_claim groups not banned; proxy_pass http://@BACKEND@;
        }
        location /page/ { auth_oidc_require_claim groups any staff; error_page 403 /public/403;
            proxy_pass http://@BACKEND@; }
        location /beside/ { auth_oidc_require $oidc_claim_email; auth_oidc_require_claim groups any staff;
            proxy_pass http://@BACKEND@; }
        location /strong/ { auth_oidc_acr_values gold; auth_oidc_require_claim groups any staff;
            proxy_pass http://@BACKEND@; }
        location /ssi/ { ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
        location /public/ssi/ { auth_oidc off; ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
        location /asked/ { auth_request /any/check; proxy_pass http://@BACKEND@; }
        location /moved/ { try_files /nothing /any/x; }
"""


@pytest.fixture(scope="module")
def site(lab):
    # A list of 500 groups is more than a claim's header holds.
    with Site(lab, locations=LOCATIONS, server="auth_oidc_headers off;", verify=("/verify/",),
              identity=lambda path, claims: {}) as site:
        yield site


def forbidden(site, browser, target, *words, secret=()):
    """A page for people and JSON for scripts say the same as the log, and no value of the claim."""
    for kind in ("navigate", "xhr"):
        mark = len(site.refusals())
        answer = browser.get(target, kind=kind)
        assert answer.status == 403 and not answer.from_backend, answer
        assert answer.headers.get("cache-control") == "no-store" and not answer.set_cookies()
        (_, code, detail), = site.refusals()[mark:]
        assert code == "not_permitted" and "auth_oidc_require_claim is not met for" in detail, detail
        told = answer.json()["detail"] if kind == "xhr" else answer.text.replace("&quot;", '"').replace("&#34;", '"')
        for word in words:
            assert word in told and word in detail, (word, told, detail)
        for text in secret:
            assert text not in answer.text and text not in detail, (text, answer, detail)


@pytest.mark.parametrize("rule, claims, met", rows("N-52", {
    "any": ("any", {"groups": ["dev", "admin"]}, True),
    "any-text": ("any", {"groups": "staff"}, True),
    "any-not": ("any", {"groups": ["dev"]}, False),
    "any-joined": ("any", {"groups": ["x,staff"]}, False),
    "any-joined-text": ("any", {"groups": "staff,admin"}, False),
    "any-case": ("any", {"groups": ["Staff"]}, False),
    "any-part": ("any", {"groups": ["staffing"]}, False),
    "any-empty": ("any", {"groups": []}, False),
    "any-missing": ("any", {"groups": None}, False),
    "any-object": ("any", {"groups": {"staff": True}}, False),
    "any-nested": ("any", {"groups": [["staff"]]}, False),
    "any-among-objects": ("any", {"groups": ["staff", {}]}, False),
    "all": ("all", {"groups": ["x", "dev", "staff"]}, True),
    "all-not": ("all", {"groups": ["dev"]}, False),
    "not": ("not", {"groups": ["dev"]}, True),
    "not-empty": ("not", {"groups": []}, True),
    "not-there": ("not", {"groups": ["dev", "banned"]}, False),
    "not-missing": ("not", {"groups": None}, False),
    "not-object": ("not", {"groups": {}}, False),
    "regex": ("regex", {"groups": ["x", "team-12"]}, True),
    "regex-not": ("regex", {"groups": ["team-12x", "xteam-12"]}, False),
    "regex-case": ("regex", {"groups": ["Team-1"]}, False),
    "caseless": ("caseless", {"groups": ["TEAM-1"]}, True),
    "notregex": ("notregex", {"groups": ["staff"]}, True),
    "notregex-there": ("notregex", {"groups": ["staff", "ext-1"]}, False),
    "mixed": ("mixed", {"groups": ["team-1", "staff"]}, True),
    "mixed-not": ("mixed", {"groups": ["team-1"]}, False),
    "deep": ("deep", {"realm_access": {"roles": ["admin"]}}, True),
    "deep-not": ("deep", {"realm_access": {"roles": ["user"]}}, False),
    "deep-flat": ("deep", {"realm_access": "admin"}, False),
    "deep-array": ("deep", {"realm_access": [{"roles": ["admin"]}]}, False),
    "deep-joined": ("deep", {"realm_access roles": ["admin"], "realm_access.roles": ["admin"],
                             "realm_access\x1froles": ["admin"]}, False),
    "text": ("text", {"department": "Sales"}, True),
    "text-json": ("text", {"department": '"Sales"'}, False),
    "text-blank": ("text", {"department": "Sales "}, False),
    "text-lines": ("text", {"department": "x\nSales"}, False),
    "number": ("number", {"level": 4}, True),
    "number-text": ("number", {"level": "3"}, True),
    "number-real": ("number", {"level": 3.0}, True),
    "number-not": ("number", {"level": 34}, False),
    "boolean": ("boolean", {"email_verified": True}, True),
    "boolean-text": ("boolean", {"email_verified": "true"}, True),
    "boolean-not": ("boolean", {"email_verified": False}, False),
    "boolean-one": ("boolean", {"email_verified": 1}, False),
    "blank": ("blank", {"department": "Human Resources"}, True),
    "tilde": ("tilde", {"department": "~odd"}, True),
    "tilde-not": ("tilde", {"department": "odd"}, False),
    "mail": ("mail", {"email": "a@example.org"}, True),
    "mail-not": ("mail", {"email": "a@example.org.evil.net"}, False),
    "mail-dot": ("mail", {"email": "a@exampleXorg"}, False),
    "word": ("word", {"any": "x"}, True),
    "long": ("long", {"groups": ["x", "group499"]}, True),
    "long-both": ("long", {"groups": ["x", *MANY[400:]]}, True),
    "long-not": ("long", {"groups": ["group500"]}, False)}))
def test_rules(site, rule, claims, met):
    with site.signed_in(**claims) as browser:
        # The second and third time it may be remembered.
        for _ in range(3):
            if met:
                assert browser.get(f"/{rule}/x").from_backend
            else:
                forbidden(site, browser, f"/{rule}/x")


@case("N-53")
def test_what_is_told(site):
    with site.signed_in(groups=["secretgroup"]) as browser:
        forbidden(site, browser, "/any/x", 'claim "groups" does not say what is demanded',
                  'demanded: any of "staff", "admin"', secret=("secretgroup",))
        forbidden(site, browser, "/deep/x", 'claim "realm_access roles" is not in the session',
                  'demanded: any of "admin"')
        forbidden(site, browser, "/long/x", '"group7" and 492 more', secret=("secretgroup",))
    with site.signed_in(groups={"secretgroup": 1}) as browser:
        forbidden(site, browser, "/not/x", "neither a text, number or boolean nor a list of these",
                  'demanded: none of "banned", "suspended"', secret=("secretgroup",))


@case("N-52")
def test_levels(site):
    with site.signed_in(groups=["staff"], email_verified=True) as browser:
        assert browser.get("/two/x").from_backend and browser.get("/two/inner/x").from_backend
        # The rules of an inner level take the place of the outer ones.
        forbidden(site, browser, "/two/other/x", 'any of "dev"')
        assert browser.get("/moved/x").from_backend
    with site.signed_in(groups=["staff"], email_verified=False) as browser:
        forbidden(site, browser, "/two/x", 'claim "email_verified"')
        forbidden(site, browser, "/two/inner/x", 'claim "email_verified"')
    with site.signed_in(groups=["dev"], email_verified=True) as browser:
        forbidden(site, browser, "/two/x", 'claim "groups"')
        assert browser.get("/two/other/x").from_backend
        forbidden(site, browser, "/moved/x", 'claim "groups"')
        answer = browser.get("/page/x")
        assert answer.status == 403 and answer.from_backend, answer  # an error_page of the site
    with site.signed_in(groups=["staff"], email=None) as browser:
        answer = browser.get("/beside/x")
        assert answer.status == 403 and "detail" not in answer.text
    with site.signed_in(groups=["dev"]) as browser:
        forbidden(site, browser, "/beside/x", 'any of "staff"')


@case("N-52")
def test_nobody_meets_a_rule(site):
    browser = site.browser()
    challenge(site, browser.get("/any/x"))
    unauthorized(browser.get("/not/x", kind="xhr"))
    # Not even that something is not there, where everyone else is let through.
    answer = browser.get("/verify/staff/x", kind="xhr")
    assert answer.status == 403 and "detail" not in answer.json(), "names of groups are nobody's business"
    assert "banned" not in browser.get("/verify/staff/x").text
    assert "no sign-in counts here" in site.refusals()[-1][2], site.refusals()
    with site.signed_in(groups=["dev"]) as signed:
        assert signed.get("/verify/staff/x").from_backend
    with site.signed_in(groups=["banned"]) as signed:
        forbidden(site, signed, "/verify/staff/x", 'none of "banned"')


@case("N-52")
def test_step_up_comes_first(site):
    with site.signed_in(groups=["dev"]) as browser:
        query = challenge(site, browser.get("/strong/x"))
        assert query["acr_values"] == "gold"
        answer = browser.get("/strong/x", kind="xhr")
        assert answer.status == 401 and answer.json()["error"] == "insufficient_user_authentication", answer
    with site.signed_in(groups=["dev"], acr="gold") as browser:
        forbidden(site, browser, "/strong/x", 'any of "staff"')
    with site.signed_in(groups=["staff"], acr="gold") as browser:
        assert browser.get("/strong/x").from_backend


@case("N-52")
def test_rules_hold_for_subrequests(site):
    site.allow_log("auth_oidc_require_claim is not met there")
    site.state.check_hits = False
    for page, inner in (("/ssi/a", "/any/secret"), ("/ssi/v", "/verify/staff/secret"),
                        ("/public/ssi/a", "/any/secret"), ("/public/ssi/v", "/verify/staff/secret")):
        site.backend.answers[page] = Reply(f'<!--#include virtual="{inner}" -->', ctype="text/html")
    pages = [p for p in site.backend.answers if "ssi" in p]
    for groups, member in ((["staff"], True), (["banned"], False), (None, False)):
        with site.signed_in(groups=groups) as browser:
            for page in pages:
                mark = len(site.hits())
                assert browser.get(page).status == 200
                reached = [h.path for h in site.hits()[mark:]]
                assert any(p.endswith("/secret") for p in reached) == member, (page, groups, reached)
            assert browser.get("/asked/x").status == (200 if member else 403)
    for page in pages:
        mark = len(site.hits())
        site.browser().get(page)
        assert not [h for h in site.hits()[mark:] if h.path.endswith("/secret")]
    assert 'subrequest to "/any/secret" is refused, auth_oidc_require_claim is not met there' in site.log_since_mark()


@case("N-52")
def test_a_reload_judges_sessions_anew(make_site):
    """A session is judged by the rules of now, whatever it has met before."""
    def rule(text):
        return f"location /r/ {{ auth_oidc_require_claim {text}; proxy_pass http://@BACKEND@; }}"
    site = make_site(locations=rule("groups any staff"), control=False)
    with site.signed_in(groups=["staff", "dev"], nested={"deep": [1]}) as browser:
        for text, met in (("groups any staff", True), ("groups any admin", False), ("groups not staff", False),
                          ("groups any staff", True), ("groups any ~^dev$", True), ("groups all staff dev", True),
                          ("other any staff", False), ("nested deep any 1", True), ("nested deep any 2", False)):
            assert site.reload(locations=rule(text))
            for _ in range(3):
                assert browser.get("/r/x").status == (200 if met else 403), text


@case("N-52")
def test_at_http_and_server(make_site):
    site = make_site(http="auth_oidc_require_claim groups any staff;", control=False, own_paths=(),
                     locations="location /free/ { auth_oidc_require_claim groups not banned;"
                               " proxy_pass http://@BACKEND@; }")
    with site.signed_in(target="/free/x", groups=["dev"]) as browser:
        forbidden(site, browser, "/x", 'any of "staff"')
        assert browser.get("/free/x").from_backend
    assert site.reload(http="auth_oidc_require_claim groups any staff;",
                       server="auth_oidc_require_claim groups any dev;")
    with site.signed_in(groups=["dev"]) as browser:
        passes(site, browser.get("/x"), remote_user="jdoe")


@case("N-52")
def test_a_refresh_takes_a_group_away(make_site):
    site = make_site(directives={"session_refresh": "on before=60s", "userinfo": "on"}, control=False,
                     locations="location /r/ { auth_oidc_require_claim groups any staff; proxy_pass http://@BACKEND@; }")
    site.idp.refresh_tokens, site.idp.rotate = True, True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    site.idp.user = {**site.idp.user, "groups": ["staff"]}
    browser = site.browser()
    browser.login("/r/x")
    assert browser.get("/r/x").from_backend
    site.idp.userinfo_body = lambda body: {**body, "groups": ["dev"]}
    site.idp.claims = lambda claims: {**claims, "groups": ["dev"]}
    time.sleep(6)
    browser.get("/r/x")
    site.wait(lambda: len(site.idp.refreshes) >= 1, "a refresh")
    site.wait(lambda: browser.get("/r/x").status == 403, "the group is gone", timeout=10)
    assert re.search(r'any of "staff"', site.log_since_mark())
