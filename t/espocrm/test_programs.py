# SPDX-License-Identifier: Apache-2.0
"""Requests of programs, whose access tokens the proxy has verified, on a real EspoCRM. See test_extension.py."""
import json
import time
from pathlib import Path

import pytest
import test_extension as ext
from test_extension import (IDP, LAB, SECRET, SESSION, SITE, NewLog, api, assertion, basic, callback,
                            config_values, find_user, install, request, settings, sign_in, sql)
from test_identity import create_user, everything, put, rows, text, unique

pytestmark = ext.pytestmark

HEADER = "X-Oidc-Api-Assertion"


@pytest.fixture(scope="module", autouse=True)
def extension(tmp_path_factory):
    install(tmp_path_factory.mktemp("package"))
    settings(siteUrl=SITE, oidcProxySecret=SECRET, oidcFallback=True, authenticationMethod="Oidc",
             oidcUsernameClaim="preferred_username", oidcLogoutUrl="/oidc/logout")
    settings(oidcProxy=True)
    yield


@pytest.fixture(autouse=True)
def defaults(extension):
    settings(oidcProxy=True, oidcCreateUser=True, oidcSync=True, oidcAllowAdminUser=False,
             oidcProxyTakeOver="username", oidcProxyProviderIssuer=None)
    yield


def ask(token, path="App/user", method="GET", body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        headers[HEADER] = token
    return request("/api/v1/" + path, {"Content-Type": "application/json", **headers}, method,
                   None if body is None else json.dumps(body))


def said(subject, **changes):
    """What the proxy says of a token: no name, unless the provider puts one into it."""
    return assertion(None, **{"sub": subject, "preferred_username": None, "email": None, "groups": None,
                              "given_name": None, "family_name": None, **changes})


def bound(kind="regular", **values):
    """A user who belongs to a subject, entered by an administrator: (name, subject)"""
    name = unique(kind)
    if kind == "api":
        values = {"authMethod": "ApiKey", **values}
    user = create_user(name, type=kind, **values)
    answer = put("User/" + user["id"], {"oidcProxyIssuer": IDP, "oidcProxySubject": "client-" + name})
    assert answer.status == 200, answer.text
    return name, "client-" + name


def refuse(token, reason, status=401, **headers):
    before = everything()
    with NewLog() as log:
        answer = ask(token, **headers)
    assert answer.status == status, (answer.status, answer.text)
    assert f"OidcProxy: Request of a program refused ({reason}): " in log.text, log.text
    assert everything() == before and answer.headers.get_all("Set-Cookie") is None
    return log.text


# ---- who is let in ---------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["regular", "api"])
def test_the_user_who_belongs_to_the_subject(kind):
    name, sub = bound(kind)
    before = everything()
    for _ in range(2):
        answer = ask(said(sub))
        assert answer.status == 200 and answer.json()["user"]["userName"] == name
        assert answer.headers.get_all("Set-Cookie") is None and not answer.json().get("token")
    assert everything() == before  # the tokens of EspoCRM are counted, too
    assert ask(None).status == 401


def test_the_rights_are_those_of_the_user():
    role = api("POST", "Role", {"name": unique("role"), "data": {"Account": {
        "create": "yes", "read": "all", "edit": "no", "delete": "no", "stream": "no"}}})
    name, sub = bound("api", rolesIds=[role["id"]])
    assert ask(said(sub), "Account").status == 200
    made = ask(said(sub), "Account", "POST", {"name": unique("made by a program")})
    assert made.status == 200 and made.json()["createdById"] == find_user(name)["id"]
    assert ask(said(sub), "Account/" + made.json()["id"], "PUT", {"name": "x"}).status == 403
    assert ask(said(sub), "Contact").status == 403
    assert ask(None, "Account").status == 401


def test_who_has_signed_in_is_bound():
    name = unique("person")
    sign_in(name)
    answer = ask(said("id-of-" + name))
    assert answer.status == 200 and answer.json()["user"]["userName"] == name


def test_nothing_of_the_user_is_written():
    name, sub = bound(lastName="Typed")
    before = everything()
    answer = ask(said(sub, preferred_username="other", given_name="Changed", family_name="Changed",
                      email=unique("c") + "@example.com", groups=["x"]))
    assert answer.status == 200 and answer.json()["user"]["lastName"] == "Typed"
    assert everything() == before


def test_the_second_factor_is_not_asked():
    # as of EspoCRM 9.3 in a file of its own
    kind = "state" if Path(f"{LAB}/espo/data/state.php").exists() else "config"
    version = tuple(int(part) for part in config_values(kind)["version"].split(".")[:2])
    name, sub = bound()
    user = find_user(name)
    settings(auth2FA=True, auth2FAMethodList=["Totp"])
    sql("INSERT INTO user_data (id, user_id, auth2_f_a, auth2_f_a_method, auth2_f_a_totp_secret) "
        f"VALUES ('t2fa', '{user['id']}', 1, 'Totp', 'SECRET')")
    try:
        assert ask(said(sub)).status == (200 if version >= (8, 4) else 401)
    finally:
        sql("DELETE FROM user_data WHERE id = 't2fa'")
        settings(auth2FA=False)


def test_the_auth_log_names_the_method():
    name, sub = bound()
    ask(said(sub))
    found = rows("SELECT username, authentication_method, is_denied, ifnull(auth_token_id, '-') FROM auth_log_record "
                 f"WHERE username = {text(name)}")
    assert found == [f"{name}\tOidcAccessToken\t0\t-"]


# ---- who is not ------------------------------------------------------------------------------

def test_nobody_is_created_or_taken_over():
    name = unique("typed")
    create_user(name, emailAddress=name + "@example.com")
    for rule in ("never", "username", "email"):
        settings(oidcProxyTakeOver=rule)
        for changes in ({}, {"preferred_username": name}, {"email": name + "@example.com", "email_verified": True},
                        {"preferred_username": unique("new")}):
            log = refuse(said("client-" + name, **changes), "no-user")
            assert f"no user belongs to subject 'client-{name}' of '{IDP}'" in log
    refuse(said(name), "no-user")


def test_a_subject_of_another_issuer():
    _, sub = bound()
    for issuer in ("https://other.example", IDP + "/", IDP.upper()):
        refuse(said(sub, idp=issuer), "no-user")
    for changes in ({"idp": None}, {"idp": ""}, {"sub": "x" * 256}):
        refuse(said(sub, **changes), "identity")
    refuse(said(None), "subject")
    settings(oidcProxyProviderIssuer="https://other.example")
    refuse(said(sub), "provider")
    settings(oidcProxyProviderIssuer=IDP)
    assert ask(said(sub)).status == 200


@pytest.mark.parametrize("kind", ["regular", "api"])
def test_inactive_users(kind):
    name, sub = bound(kind)
    user = find_user(name)
    api("PUT", "User/" + user["id"], {"isActive": False})
    refuse(said(sub), "inactive")
    api("PUT", "User/" + user["id"], {"isActive": True})
    assert ask(said(sub)).status == 200


def test_users_of_other_kinds():
    _, sub = bound("portal")
    refuse(said(sub), "portal-user")
    for kind, reason in (("super-admin", "super-admin"), ("system", "user-type"), ("other", "user-type")):
        name, sub = bound()
        rows(f"UPDATE user SET type = {text(kind)} WHERE user_name = {text(name)}")
        settings(oidcAllowAdminUser=True)
        refuse(said(sub), reason)


def test_administrators_where_they_may():
    name, sub = bound("admin")
    refuse(said(sub), "admin")
    settings(oidcAllowAdminUser=True)
    assert ask(said(sub)).json()["user"]["userName"] == name


def test_a_released_user():
    name, sub = bound()
    assert ask(said(sub)).status == 200
    put("User/" + find_user(name)["id"], {"oidcProxyIssuer": None, "oidcProxySubject": None})
    refuse(said(sub), "no-user")


def test_an_api_user_cannot_sign_in():
    _, sub = bound("api")
    answer = callback(said(sub))
    assert (answer.status, answer.reason()) == (403, "user-type")


def test_maintenance_mode():
    _, sub = bound()
    settings(maintenanceMode=True)
    try:
        assert ask(said(sub)).status == 503
    finally:
        settings(maintenanceMode=False)


@pytest.mark.parametrize("values", [{"oidcProxy": False}, {"authenticationMethod": "Espo"}])
def test_while_the_proxy_does_not_sign_in(values):
    _, sub = bound()
    settings(**values)
    try:
        refuse(said(sub), "switch")
    finally:
        settings(oidcProxy=True, authenticationMethod="Oidc")
    assert ask(said(sub)).status == 200


def test_portals():
    _, sub = bound()
    portal = api("POST", "Portal", {"name": unique("portal")})
    with NewLog() as log:
        answer = request(f"/api/v1/portal-access/{portal['id']}/App/user", {HEADER: said(sub)})
    assert answer.status == 401 and "refused (switch)" in log.text


# ---- assertions ------------------------------------------------------------------------------

def test_assertions_that_do_not_hold():
    _, sub = bound()
    now = int(time.time())
    for reason, token in (
            ("signature", said(sub, secret="w" * 40)), ("algorithm", said(sub, header={"alg": "none"})),
            ("audience", said(sub, aud="https://other.example")), ("issuer", said(sub, iss="https://other.example")),
            ("expired", said(sub, iat=now - 120, exp=now - 60)), ("lifetime", said(sub, exp=now + 61)),
            ("not-yet-valid", said(sub, iat=now + 60, exp=now + 90)), ("id", said(sub, jti=None)),
            ("malformed", "spoofed"), ("malformed", "a.b.c"), ("missing", "")):
        refuse(token, reason)


def test_each_assertion_is_for_one_request():
    _, sub = bound()
    token = said(sub)
    assert ask(token).status == 200
    for _ in range(2):
        refuse(token, "replayed")
    # nor does one that was used here sign anybody in, or the other way round
    name = unique("person")
    token = assertion(name)
    assert callback(token).status == 200
    refuse(token, "replayed")


def test_a_session_of_a_browser_is_no_program():
    _, sub = bound()
    refuse(said(sub), "session", X_Oidc_Session=SESSION)
    assert ask(said(sub)).status == 200


def test_the_header_of_the_callback_is_another_one():
    _, sub = bound()
    assert request("/api/v1/App/user", {"X-Oidc-Assertion": said(sub)}).status == 401
    answer = request("/oauth-callback.php", {HEADER: said(sub), "X-Oidc-Session": SESSION})
    assert (answer.status, answer.reason()) == (403, "missing")


def test_beside_other_credentials():
    """EspoCRM takes its own before; the templates let none of them come along."""
    _, sub = bound()
    assert ask(said(sub), Espo_Authorization=basic("admin", "wrong")).status == 401
    assert ask(said(sub), X_Api_Key="0" * 32).status == 401
    assert ask(said(sub), Espo_Authorization_By_Token="true").status == 401
    assert ask(said(sub), X_Another_User="admin").status == 401
    answer = ask(said(sub), Authorization="Basic " + basic("admin", "admin"),
                 Cookie="auth-token=1; auth-token-secret=" + "0" * 32)
    assert answer.status == 200 and answer.json()["user"]["userName"] in sub


def test_what_needs_no_login_goes_on_without():
    with NewLog() as log:
        answer = ask("spoofed", "Settings")
    assert answer.status == 200 and "refused (malformed)" in log.text
    assert "oidcProxyTakeOver" not in answer.json()


def test_many_requests_leave_few_files():
    _, sub = bound()
    directory = Path(f"{LAB}/espo/data/oidc-proxy/jti")
    stale = directory / ("0000000001-" + "0" * 64)
    ext.subprocess.run([*ext.AS_WEB, "touch", stale], check=True)
    for _ in range(400):
        ask(said(sub))
        if not stale.exists():
            break
    assert not stale.exists()


# ---- in EspoCRM's pages ----------------------------------------------------------------------

def test_the_panel_of_api_users():
    panels = api("GET", "Metadata?key=clientDefs.ApiUser.sidePanels")
    for kind in ("detail", "edit"):
        assert panels[kind] == [{**panels[kind][0], "name": "oidcProxy", "accessDataList": [{"isAdminOnly": True}]}]
        assert panels[kind][0]["options"]["fieldList"] == ["oidcProxyIssuer", "oidcProxySubject"]
    assert api("GET", "I18n")["ApiUser"]["labels"]["OIDC Sign-in"] == "OIDC Sign-in"


def test_it_is_no_method_to_choose():
    methods = api("GET", "Metadata")["authenticationMethods"]
    assert methods["OidcAccessToken"]["credentialsHeader"] == HEADER
    assert "settings" not in methods["OidcAccessToken"]
    with NewLog() as log:
        assert request("/api/v1/App/user", {"Espo-Authorization": basic("**oidc", "x")}).status == 401
    assert "authorization code" in log.text
