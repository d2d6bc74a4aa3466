# SPDX-License-Identifier: Apache-2.0
"""Whose user of EspoCRM it is, and what a sign-in writes, on a real EspoCRM. See test_extension.py.
"""
import base64
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import threading
import time

import pytest
import test_extension as ext
from test_extension import (AS_WEB, IDP, LAB, OTHER_SESSION, PHP, SESSION, SITE, NewLog, api, assertion, basic,
                            callback, config_values, find_user, in_session, install, request, settings, sign_in,
                            token_row, whoami)

pytestmark = ext.pytestmark


def unique(name):
    return f"{name}-{secrets.token_hex(4)}"


def rows(statement):
    """The rows of a query, columns divided by tabs."""
    out = subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{LAB}/run/mysqld.sock", "espo", "-N",
                          "--default-character-set=utf8mb4", "-e", statement], capture_output=True,
                         check=True).stdout.decode()
    return out.splitlines()


def text(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def everything():
    """All that a sign-in could write about people."""
    return rows("SELECT * FROM user ORDER BY id; SELECT * FROM email_address ORDER BY id;"
                "SELECT * FROM entity_email_address ORDER BY id; SELECT * FROM phone_number ORDER BY id;"
                "SELECT * FROM entity_phone_number ORDER BY id; SELECT * FROM team_user ORDER BY id;"
                "SELECT count(*) FROM auth_token")


def user_of(answer):
    user = whoami(answer.page_data(), answer.secret_cookie())
    assert user.status == 200
    return user.json()["user"]


def refuse(token, reason):
    """Refused with a page and a line, and nothing is written."""
    before = everything()
    with NewLog() as log:
        answer = callback(token)
    assert (answer.status, answer.reason()) == (403, reason), answer.text
    assert f"OidcProxy: Sign-in refused ({reason})" in log.text
    assert everything() == before
    assert answer.secret_cookie() is None and "espo-user-auth" not in answer.text
    answer.log = log.text
    return answer


def put(path, data, user="admin", password="admin"):
    return request("/api/v1/" + path, {"Authorization": "Basic " + basic(user, password),
                                       "Content-Type": "application/json"}, "PUT", json.dumps(data))


def edit_config(code):
    """What EspoCRM lets nobody change but in the file."""
    code = (f"$c = include 'data/config.php'; {code} "
            "file_put_contents('data/config.php', '<?php return ' . var_export($c, true) . ';');")
    subprocess.run([*AS_WEB, PHP, "-r", code], cwd=f"{LAB}/espo", check=True)


def create_user(name, **values):
    return api("POST", "User", {"userName": name, "lastName": "Typed", "type": "regular", **values})


@pytest.fixture(scope="module", autouse=True)
def extension(tmp_path_factory):
    install(tmp_path_factory.mktemp("package"))
    settings(siteUrl=SITE, oidcProxySecret=ext.SECRET, oidcFallback=True, authenticationMethod="Oidc",
             oidcUsernameClaim="preferred_username", oidcLogoutUrl="/oidc/logout")
    settings(oidcProxy=True, oidcGroupClaim="groups")
    yield


@pytest.fixture(autouse=True)
def defaults(extension):
    settings(oidcCreateUser=True, oidcSync=True, oidcSyncTeams=False, oidcAllowAdminUser=False,
             oidcProxyTakeOver="never", oidcProxyProviderIssuer=None, oidcProxyUnverifiedEmail=False,
             oidcAllowRegularUserFallback=False, oidcTeamsIds=[], oidcTeamsNames={}, oidcTeamsColumns={})
    yield


# ---- one user, one subject -------------------------------------------------------------------

def test_the_subject_is_noted_at_the_first_sign_in():
    name = unique("first")
    sign_in(name)
    record = find_user(name)
    assert (record["oidcProxyIssuer"], record["oidcProxySubject"]) == (IDP, "id-of-" + name)
    assert "oidcProxyKey" not in record


@pytest.mark.parametrize("changes", [
    {"sub": "somebody-else"}, {"idp": "https://other.example"}, {"idp": IDP + "/"},
])
def test_another_subject_of_the_same_name(changes):
    name = unique("same")
    sign_in(name)
    for spelling in (name, name.upper(), name.capitalize()):
        for rule in ("never", "username", "email"):
            settings(oidcProxyTakeOver=rule)
            answer = refuse(assertion(spelling, **{"sub": "id-of-" + name, **changes}, given_name="Stolen",
                                      email=f"{name}@example.com"), "other-subject")
            assert "belongs to somebody else" in answer.text
    sign_in(name)


def test_a_subject_is_compared_byte_by_byte():
    name = unique("bytes")
    sign_in(name, sub="Subject-" + name)
    # nothing that the collation of the database takes for the same
    for sub in ("subject-" + name, "Subject-" + name + " ", "Śubject-" + name, "Ｓubject-" + name):
        refuse(assertion(name, sub=sub), "other-subject")
        other = sign_in(unique("other"), sub=sub)
        assert user_of(other)["userName"] != name


def test_who_is_renamed_at_the_provider_stays_who_he_is():
    old, new = unique("old"), unique("new")
    first = user_of(sign_in(old, sub="renamed-" + old))
    answer = sign_in(new, sub="renamed-" + old)
    assert user_of(answer)["id"] == first["id"]
    assert find_user(new) is None
    # the next owner of the old name is somebody else
    refuse(assertion(old, sub="recycled-" + old), "other-subject")
    # and the name of another user does not lead to that one either
    other = unique("other")
    sign_in(other)
    assert user_of(sign_in(other, sub="renamed-" + old))["id"] == first["id"]


def test_a_deleted_user_is_nobodys():
    name = unique("deleted")
    first = user_of(sign_in(name))
    api("DELETE", "User/" + first["id"])
    second = user_of(sign_in(name, sub="the-next-" + name))
    assert second["id"] != first["id"]
    # the deleted one comes back as a new user, under a name that is free
    refuse(assertion(name), "other-subject")
    third = user_of(sign_in(name + "-2", sub="id-of-" + name))
    assert third["id"] not in (first["id"], second["id"])
    settings(oidcCreateUser=False)
    api("DELETE", "User/" + third["id"])
    refuse(assertion(name + "-2", sub="id-of-" + name), "no-user")


@pytest.mark.parametrize("first,second", [
    ("müller", "möller"), ("m__ller", "müller"), ("müller", "m+_ller"),
    ("john_doe", "john+doe"), ("john_doe", "john doe"), ("john doe", "john'doe"),
    ("victim_doe@x.de", "victim+doe@x.de"), ("o'neil", "o%neil"),
    ("straße", "stra??e"), ("straße", "stra__e"), ("jose\u0301", "jose\u0300"),
    ("\u0130stanbul", "__stanbul"), ("\u212aate", "\u212bate"),
    ("a\u200bb", "a___b"), ("用户", "______"), ("😀x", "____x"),
])
def test_names_that_espocrm_maps_onto_each_other(first, second):
    mark = secrets.token_hex(4)
    made = user_of(sign_in(first + mark, sub="1" + mark, email=None))
    settings(oidcProxyTakeOver="username")
    answer = refuse(assertion(second + mark, sub="2" + mark, given_name="Other"),
                    "other-subject" if second + mark == made["userName"] else "name-altered")
    assert "2" + mark in answer.text and IDP in answer.text
    # nor a user whom somebody has typed
    api("PUT", "User/" + made["id"], {"oidcProxyIssuer": None, "oidcProxySubject": None})
    if second + mark != made["userName"]:
        refuse(assertion(second + mark, sub="2" + mark), "name-altered")


def test_names_that_look_alike_are_different_people():
    mark = secrets.token_hex(4)
    people = ["strasse", "straße", "kate", "\u212aate", "istanbul", "\u0130stanbul", "jose", "josé"]
    ids = [user_of(sign_in(name + mark, sub=name + mark, email=None))["id"] for name in people]
    assert len(set(ids)) == len(people)


def test_a_database_that_takes_accents_for_nothing():
    """With another regular expression EspoCRM lets such names in, and the collation finds them."""
    expression = config_values()["userNameRegularExpression"]
    mark = secrets.token_hex(4)
    edit_config("$c['userNameRegularExpression'] = '[<>]';")
    try:
        settings(oidcProxyTakeOver="username")
        for stored, says in (("josé", "jose"), ("strasse", "straße"), ("ärger", "ARGER"), ("ＡＢ", "ab")):
            rows("INSERT INTO user (id, user_name, last_name, type, is_active, password) VALUES "
                 f"({text(secrets.token_hex(8))}, {text(stored + mark)}, 'Typed', 'regular', 1, 'x')")
            assert rows(f"SELECT 1 FROM user WHERE user_name = {text(says + mark)}") == ["1"]
            refuse(assertion(says + mark, sub=says + mark), "name-altered")
            assert user_of(sign_in(stored + mark, sub=stored + mark))["lastName"] == "Family"
    finally:
        edit_config(f"$c['userNameRegularExpression'] = {text(expression)};")


@pytest.mark.parametrize("name", ["system", "System", "SYSTEM"])
def test_the_system_user(name):
    for rule in ("never", "username", "email"):
        settings(oidcProxyTakeOver=rule, oidcAllowAdminUser=True)
        refuse(assertion(name), "user-type")


def test_users_of_other_kinds():
    settings(oidcProxyTakeOver="username")
    for kind, reason in (("api", "user-type"), ("portal", "portal-user")):
        name = unique(kind)
        create_user(name, type=kind, **({"authMethod": "ApiKey"} if kind == "api" else {}))
        refuse(assertion(name), reason)
    name = unique("super")
    user = create_user(name)
    rows(f"UPDATE user SET type = 'super-admin' WHERE id = {text(user['id'])}")
    settings(oidcAllowAdminUser=True)
    refuse(assertion(name), "super-admin")


# ---- users who are there already -------------------------------------------------------------

def test_never_taken_over():
    name = unique("typed")
    user = create_user(name, emailAddress=name + "@example.com")
    answer = refuse(assertion(name), "name-taken")
    assert "id-of-" + name in answer.text
    # an administrator enters what the page says
    api("PUT", "User/" + user["id"], {"oidcProxyIssuer": IDP, "oidcProxySubject": "id-of-" + name})
    assert user_of(sign_in(name))["id"] == user["id"]
    refuse(assertion(name, sub="other"), "other-subject")


def test_taken_over_by_name_once():
    name = unique("typed")
    user = create_user(name)
    settings(oidcProxyTakeOver="username", oidcCreateUser=False)
    with NewLog() as log:
        assert user_of(sign_in(name.upper(), sub="1" + name))["id"] == user["id"]
    assert f"The user '{name}' belongs to subject '1{name}' of '{IDP}' from now on" in log.text
    assert find_user(name)["oidcProxySubject"] == "1" + name
    refuse(assertion(name, sub="2" + name), "other-subject")
    refuse(assertion(name, sub="2" + name, idp="https://other.example"), "other-subject")


def test_taken_over_by_a_verified_address():
    name = unique("typed")
    address = name + "@example.com"
    user = create_user(name, emailAddress=address)
    settings(oidcProxyTakeOver="email", oidcProxyUnverifiedEmail=True)
    for verified in (False, None, "yes"):
        refuse(assertion(name, email=address, email_verified=verified), "name-taken")
    # an address that is not the primary one, or that the collation takes for it, is none
    refuse(assertion(name, email=address.replace("typed", "týped")), "name-taken")
    answer = sign_in("Quite-" + name, sub="by-mail-" + name, email=address.upper())
    assert user_of(answer)["id"] == user["id"]
    assert find_user(name)["oidcProxySubject"] == "by-mail-" + name
    # once
    again = user_of(sign_in(unique("next"), email=address))
    assert again["id"] != user["id"]
    assert find_user(again["userName"])["emailAddress"] is None


def test_an_address_of_two_users():
    address = unique("shared") + "@example.com"
    create_user(unique("one"), emailAddress=address)
    create_user(unique("two"), emailAddress=address)
    settings(oidcProxyTakeOver="email")
    refuse(assertion(unique("three"), email=address), "email-ambiguous")


def test_an_inactive_user_stays_out():
    name = unique("left")
    user = create_user(name, emailAddress=name + "@example.com", isActive=False)
    for rule in ("username", "email"):
        settings(oidcProxyTakeOver=rule)
        refuse(assertion(name), "inactive")
    refuse(assertion(unique("again"), email=name + "@example.com"), "inactive")
    assert find_user(name)["id"] == user["id"] and not find_user(name)["oidcProxySubject"]


# ---- administrators --------------------------------------------------------------------------

def bind(ticket, headers, session=SESSION):
    return request("/api/v1/OidcProxy/bind", in_session({"Content-Type": "application/json", **headers}, session),
                   "POST", json.dumps({"ticket": ticket}))


def by_password(user, password):
    return {"Authorization": "Basic " + basic(user, password), "X-Requested-With": "XMLHttpRequest"}


def refused_data(answer):
    """What the script of a refusal is given."""
    return json.loads(re.search(r"^\}\)\((\{.*\})\);$", answer.text, re.M).group(1))


@pytest.fixture
def boss():
    name = unique("boss")
    yield create_user(name, type="admin", emailAddress=name + "@example.com", password="Pa-ss:wörd1",
                      passwordConfirm="Pa-ss:wörd1")
    settings(oidcAllowAdminUser=False)


def test_an_administrator_is_bound_by_the_password(boss):
    name, password = boss["userName"], "Pa-ss:wörd1"
    settings(oidcAllowAdminUser=True, oidcProxyTakeOver="username")
    answer = refuse(assertion(name, sub="owner-" + name), "admin-unbound")
    data = refused_data(answer)
    assert data["userName"] == name and data["url"] == "/api/v1/OidcProxy/bind"
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    ticket = data["ticket"]

    before = everything()
    assert bind(ticket, {}).status == 401
    assert bind(ticket, by_password(name, "wrong")).status == 401
    assert bind(ticket, by_password("admin", "admin")).status == 403
    assert bind(ticket[:-1] + ("0" if ticket[-1] != "0" else "1"), by_password(name, password)).status == 400
    assert bind(None, by_password(name, password)).status == 400
    # the next person at the browser, with the page of the one before; and past the proxy
    for session in (OTHER_SESSION, None, "", SESSION.upper(), f"{SESSION}, {OTHER_SESSION}"):
        assert bind(ticket, by_password(name, password), session).status == 400, session
    assert everything() == before

    # a session that is open is not enough: another site can use it
    login = request("/api/v1/App/user", in_session({"Espo-Authorization": basic(name, password),
                                                    "Espo-Authorization-By-Token": "false"}, SESSION))
    token = login.json()["token"]
    assert token_row(token) == (True, [SESSION])
    for headers in ({"Cookie": "auth-token=" + token}, by_password(name, token),
                    {"Espo-Authorization": basic(name, token), "Espo-Authorization-By-Token": "true"},
                    {"Espo-Authorization": basic(name, token), **by_password(name, password)}):
        assert bind(ticket, headers).status in (401, 403), headers
    assert not find_user(name)["oidcProxySubject"]

    with NewLog() as log:
        assert bind(ticket, by_password(name, password)).status == 200
    assert f"The user '{name}' belongs to subject 'owner-{name}'" in log.text
    assert user_of(sign_in(name, sub="owner-" + name))["id"] == boss["id"]
    refuse(assertion(name, sub="thief"), "other-subject")
    assert bind(ticket, by_password(name, password)).status == 409
    # what was open before it was bound stays open, in its session
    by_token = {"Espo-Authorization": basic(name, token), "Espo-Authorization-By-Token": "true"}
    assert request("/api/v1/App/user", in_session(by_token, SESSION)).status == 200
    assert request("/api/v1/App/user", in_session(by_token, None)).status == 401
    assert request("/api/v1/App/user", in_session(by_token, OTHER_SESSION)).status == 401
    assert token_row(token)[0] is False
    # the ticket of a refusal where nothing is to be had
    assert "ticket" not in refused_data(refuse(assertion(name, sub="thief"), "other-subject"))


def totp(secret):
    """RFC 6238, as an application of a phone makes it."""
    counter = int(time.time()) // 30
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start:start + 4], 'big') & 0x7fffffff) % 10 ** 6:06d}"


def test_the_form_asks_for_the_second_factor(boss):
    """Headers and answers are those of the form's script."""
    name, password, secret = boss["userName"], "Pa-ss:wörd1", base64.b32encode(secrets.token_bytes(20)).decode()
    settings(oidcAllowAdminUser=True, auth2FA=True, auth2FAMethodList=["Totp"])
    rows("INSERT INTO user_data (id, user_id, auth2_f_a, auth2_f_a_method, auth2_f_a_totp_secret) "
         f"VALUES ('2fa-{boss['id'][:12]}', {text(boss['id'])}, 1, 'Totp', '{secret}')")
    try:
        answer = refuse(assertion(name, sub="owner-" + name), "admin-unbound")
        ticket = refused_data(answer)["ticket"]
        assert "'second-step-required'" in answer.text and "headers['Espo-Authorization-Code']" in answer.text

        def ask(password, code=None):
            headers = by_password(name, password)
            return bind(ticket, headers if code is None else {**headers, "Espo-Authorization-Code": code})

        asked = ask(password)
        assert (asked.status, asked.headers["X-Status-Reason"]) == (401, "second-step-required")
        for wrong in (ask("wrong"), ask("wrong", totp(secret)), ask(password, "000000"), ask(password, "x")):
            assert wrong.status == 401 and wrong.headers["X-Status-Reason"] != "second-step-required"
        assert not find_user(name)["oidcProxySubject"]
        assert ask(password, totp(secret)).status == 200
        assert find_user(name)["oidcProxySubject"] == "owner-" + name
    finally:
        rows(f"DELETE FROM user_data WHERE user_id = {text(boss['id'])}")
        settings(auth2FA=False)


def test_the_form_comes_although_the_token_of_another_session_is_ended(boss):
    """The next person at the browser is refused, and the one before must not be there any more."""
    settings(oidcAllowAdminUser=True)
    former = sign_in(unique("former"))
    cookies = f"auth-token={former.page_data()['token']}; auth-token-secret={former.secret_cookie()}"
    answer = callback(assertion(boss["userName"], sub="next"), session=OTHER_SESSION, Cookie=cookies)
    assert answer.reason() == "admin-unbound"
    assert token_row(former.page_data()["token"])[0] is False
    assert "localStorage.removeItem('espo-user-auth')" in answer.text
    ticket = refused_data(answer)["ticket"]
    password = by_password(boss["userName"], "Pa-ss:wörd1")
    assert bind(ticket, {**password, "Cookie": cookies}, SESSION).status == 400
    assert bind(ticket, {**password, "Cookie": cookies}, OTHER_SESSION).status == 200
    assert callback(assertion(boss["userName"], sub="next"), session=OTHER_SESSION).status == 200


def test_the_administrator_of_the_installation_is_never_taken_over():
    for rule in ("never", "username", "email"):
        settings(oidcProxyTakeOver=rule, oidcAllowAdminUser=True)
        for name in ("admin", "Admin", "ADMIN"):
            refuse(assertion(name, sub="somebody-else"), "admin-unbound")


def test_an_administrator_is_bound_by_another_one(boss):
    settings(oidcAllowAdminUser=True)
    api("PUT", "User/" + boss["id"], {"oidcProxyIssuer": IDP, "oidcProxySubject": "entered"})
    assert user_of(sign_in("whatever", sub="entered"))["id"] == boss["id"]
    settings(oidcAllowAdminUser=False)
    refuse(assertion(boss["userName"], sub="entered"), "admin")
    api("PUT", "User/" + boss["id"], {"oidcProxyIssuer": None, "oidcProxySubject": None})


def test_an_administrator_is_not_found_by_address(boss):
    settings(oidcAllowAdminUser=True, oidcProxyTakeOver="email")
    refuse(assertion(unique("else"), email=boss["emailAddress"]), "admin-unbound")


def test_a_regular_user_is_bound_by_the_password_where_passwords_count():
    name, password = unique("typed"), "Pa-ss:wörd1"
    user = create_user(name, password=password, passwordConfirm=password)
    assert "ticket" not in refused_data(refuse(assertion(name), "name-taken"))
    settings(oidcAllowRegularUserFallback=True)
    ticket = refused_data(refuse(assertion(name), "name-taken"))["ticket"]
    assert bind(ticket, by_password(name, password)).status == 200
    assert user_of(sign_in(name))["id"] == user["id"]


# ---- the fields ------------------------------------------------------------------------------

def test_only_administrators_see_and_change_the_subject():
    name, password = unique("curious"), "Pa-ss:wörd1"
    settings(oidcAllowRegularUserFallback=True)
    sign_in(name)
    user = find_user(name)
    api("PUT", "User/" + user["id"], {"password": password, "passwordConfirm": password})
    own = api("GET", "App/user", None, name, password)["user"]
    assert own["id"] == user["id"] and not [key for key in own if key.startswith("oidcProxy")]
    for path in ("User/" + user["id"], "User?select=oidcProxySubject,oidcProxyIssuer,oidcProxyKey"):
        answer = request("/api/v1/" + path, {"Authorization": "Basic " + basic(name, password)})
        assert "id-of-" not in answer.text and IDP not in answer.text
    # nor in the log of changes
    api("PUT", "User/" + user["id"], {"oidcProxySubject": "id-of-changed-" + name})
    sign_in(name, sub="id-of-changed-" + name)
    assert "id-of-changed-" in json.dumps(api("GET", f"User/{user['id']}/updateStream"))
    for path in (f"User/{user['id']}/updateStream", f"User/{user['id']}/stream", "Stream"):
        assert "id-of-" not in request("/api/v1/" + path, {"Authorization": "Basic " + basic(name, password)}).text
    before = rows(f"SELECT oidc_proxy_issuer, oidc_proxy_subject, oidc_proxy_key FROM user WHERE id = {text(user['id'])}")
    for data in ({"oidcProxySubject": "x"}, {"oidcProxyIssuer": None, "oidcProxySubject": None}, {"oidcProxyKey": None}):
        put("User/" + user["id"], data, name, password)
    # the key belongs to nobody, not to an administrator either
    put("User/" + user["id"], {"oidcProxyKey": "0" * 64})
    assert before == rows("SELECT oidc_proxy_issuer, oidc_proxy_subject, oidc_proxy_key FROM user WHERE "
                          f"id = {text(user['id'])}")


def test_the_panel_of_the_form_is_for_administrators():
    panels = api("GET", "Metadata?key=clientDefs.User.sidePanels")
    for kind in ("detail", "edit"):
        assert "__APPEND__" not in panels[kind]
        panel = [panel for panel in panels[kind] if panel["name"] == "oidcProxy"]
        assert panel and panel[0]["accessDataList"] == [{"isAdminOnly": True}]
    assert [panel["name"] for panel in panels["detail"]][0] != "oidcProxy"


def test_what_an_administrator_may_enter():
    one, two = create_user(unique("one")), create_user(unique("two"))
    mine = {"oidcProxyIssuer": IDP, "oidcProxySubject": unique("s")}
    assert put("User/" + one["id"], {"oidcProxyIssuer": IDP}).status == 400
    assert put("User/" + one["id"], {"oidcProxySubject": "s"}).status == 400
    assert put("User/" + one["id"], {"oidcProxyIssuer": IDP, "oidcProxySubject": "s" * 256}).status == 400
    assert put("User/" + one["id"], mine).status == 200
    assert put("User/" + two["id"], mine).status == 409
    assert put("User/" + one["id"], mine).status == 200
    assert put("User/" + one["id"], {"lastName": "Other"}).status == 200
    assert put("User/" + one["id"], {"oidcProxySubject": None}).status == 400
    # the subject is free again, for a new user as well
    with NewLog() as log:
        assert put("User/" + one["id"], {"oidcProxyIssuer": None, "oidcProxySubject": None}).status == 200
    assert f"The user '{one['userName']}' belongs to no subject from now on" in log.text
    three = create_user(unique("three"), **mine)
    assert user_of(sign_in("x", sub=mine["oidcProxySubject"]))["id"] == three["id"]


def test_a_copy_of_a_user_belongs_to_nobody():
    name = unique("original")
    sign_in(name)
    answer = request("/api/v1/User/action/getDuplicateAttributes",
                     {"Authorization": "Basic " + basic("admin", "admin"), "Content-Type": "application/json"}, "POST",
                     json.dumps({"id": find_user(name)["id"]}))
    assert answer.status == 200, answer.text
    assert not [value for key, value in answer.json().items() if key.startswith("oidcProxy") and value]


def test_a_released_user_is_taken_over_again():
    name = unique("released")
    answer = sign_in(name)
    first = user_of(answer)
    api("PUT", "User/" + first["id"], {"lastName": "Changed"})
    assert user_of(answer)["id"] == first["id"]
    api("PUT", "User/" + first["id"], {"oidcProxyIssuer": None, "oidcProxySubject": None})
    # whoever it belonged to is out
    assert whoami(answer.page_data(), answer.secret_cookie()).status == 401
    refuse(assertion(name), "name-taken")
    settings(oidcProxyTakeOver="username")
    assert user_of(sign_in(name, sub="new-" + name))["id"] == first["id"]
    refuse(assertion(name), "other-subject")


def test_the_provider_is_pinned():
    name = unique("pinned")
    settings(oidcProxyProviderIssuer=IDP)
    sign_in(name)
    for idp in ("https://other.example", IDP + "/", IDP.upper(), "https://idp.example.evil"):
        refuse(assertion(name, idp=idp), "provider")
        refuse(assertion(unique("new"), idp=idp), "provider")


@pytest.mark.parametrize("length", [50, 51, 100, 255, 256])
def test_long_names(length):
    name = unique("long").ljust(length, "x")
    if length <= 50:
        assert user_of(sign_in(name))["userName"] == name
        return
    answer = refuse(assertion(name, sub=unique("s"), email=None), "username-too-long")
    assert "50 characters" in answer.text and f"has {length} characters, EspoCRM allows 50" in answer.log


# ---- a refused sign-in has written nothing ---------------------------------------------------

def test_refused_by_rules_of_espocrm():
    old, new = unique("old"), unique("new")
    sign_in(old)
    typed = create_user(unique("typed"))
    settings(oidcProxyTakeOver="username")
    admin = rows("SELECT id FROM user WHERE user_name = 'admin'")
    rules = [({"maintenanceMode": True}, {"maintenanceMode": False})]
    if "authIpAddressCheck" in api("GET", "Metadata?key=entityDefs.Settings.fields"):  # as of EspoCRM 8.3
        rules.append(({"authIpAddressCheck": True, "authIpAddressWhitelist": ["192.0.2.1"],
                       "authIpAddressCheckExcludedUsersIds": admin}, {"authIpAddressCheck": False}))
    for on, off in rules:
        settings(**on)
        try:
            before = everything()
            for name in (old, new, typed["userName"]):
                answer = callback(assertion(name, given_name="Changed", email=unique("c") + "@example.com"))
                assert (answer.status, answer.reason()) in ((503, "maintenance"), (403, "forbidden")), answer.text
            assert everything() == before
        finally:
            settings(**off)
    assert sign_in(new).status == 200


# ---- what a sign-in writes -------------------------------------------------------------------

def typed_user(name, **values):
    user = create_user(name, **values)
    api("PUT", "User/" + user["id"], {"oidcProxyIssuer": IDP, "oidcProxySubject": "id-of-" + name})
    return user


def test_what_is_not_sent_stays():
    name = unique("keeps")
    typed_user(name, firstName="First", lastName="Last", gender="Neutral", title="Title", salutationName="Dr.",
               phoneNumber="+4915112345678", emailAddress=name + "@example.com",
               emailAddressData=[{"emailAddress": name + "@example.com", "primary": True},
                                 {"emailAddress": "second-" + name + "@example.com", "primary": False}])
    middle = rows("SHOW COLUMNS FROM user LIKE 'middle_name'")
    if middle:
        rows(f"UPDATE user SET middle_name = 'Middle' WHERE user_name = {text(name)}")
    before = everything()
    sign_in(name, email=None, given_name=None, family_name=None)
    # nor does a sign-in with the same values write anything but its token
    sign_in(name, email=name.upper() + "@EXAMPLE.com", given_name=" First ", family_name="Last", gender="NEUTRAL",
            phone_number="+4915112345678")
    assert everything()[:-1] == before[:-1]
    sign_in(name, email="new-" + name + "@example.com", given_name="New", family_name=None)
    record = find_user(name)
    assert (record["firstName"], record["lastName"], record["gender"], record["title"]) == (
        "New", "Last", "Neutral", "Title")
    assert record["phoneNumber"] == "+4915112345678"
    assert {item["emailAddress"] for item in record["emailAddressData"]} >= {
        "new-" + name + "@example.com", "second-" + name + "@example.com"}
    if middle:
        assert rows(f"SELECT middle_name FROM user WHERE user_name = {text(name)}") == ["Middle"]


@pytest.mark.parametrize("says,expected", [
    ("male", "Male"), ("FEMALE", "Female"), ("neutral", "Neutral"), ("diverse", "Neutral"), ("x" * 300, "Neutral"),
])
def test_gender_is_one_of_the_choices(says, expected):
    name = unique("gender")
    typed_user(name, gender="Neutral")
    sign_in(name, gender=says)
    assert find_user(name)["gender"] == expected


def test_texts_that_are_too_long_are_cut():
    name = unique("long")
    sign_in(name, given_name="ü" * 150, family_name="😀" * 101, phone_number="+49 151 12345678")
    record = find_user(name)
    assert (record["firstName"], record["lastName"]) == ("ü" * 100, "😀" * 100)
    sign_in(name, given_name="New\r\nLine" + "y" * 300, family_name="F", phone_number="1" * 300)
    record = find_user(name)
    assert record["firstName"].startswith("New Liney") and len(record["firstName"]) == 100
    assert record["lastName"] == "F"


@pytest.mark.parametrize("number", ["1" * 37, "no number!", "+49<script>", "tel:+1\n2"])
def test_a_number_that_is_none_is_left_out(number):
    name = unique("phone")
    typed_user(name, phoneNumber="+4915112345678")
    with NewLog() as log:
        sign_in(name, phone_number=number)
    assert find_user(name)["phoneNumber"] == "+4915112345678"
    assert "'phoneNumber'" in log.text


@pytest.mark.parametrize("address", [
    "not a mail<script>", "a@", "@b", "a b@example.com", "a@example.com, b@example.com",
    "x" * 300 + "@example.com", "a@b@example.com", "a\n@example.com",
])
def test_an_address_that_is_none_is_left_out(address):
    name = unique("mail")
    typed_user(name, emailAddress=name + "@example.com")
    with NewLog() as log:
        sign_in(name, email=address, given_name="Still")
    record = find_user(name)
    assert (record["emailAddress"], record["firstName"]) == (name + "@example.com", "Still")
    assert "'emailAddress' of the user" in log.text
    # a new user neither
    new = unique("new")
    sign_in(new, email=address)
    assert find_user(new)["emailAddress"] is None


def test_an_address_of_somebody_else_is_left_out():
    name, other = unique("mine"), unique("theirs")
    sign_in(name)
    create_user(other, emailAddress=other + "@example.com",
                emailAddressData=[{"emailAddress": other + "@example.com", "primary": True},
                                  {"emailAddress": "second-" + other + "@example.com", "primary": False}])
    for address in (other + "@example.com", other.upper() + "@EXAMPLE.com", "second-" + other + "@example.com"):
        with NewLog() as log:
            sign_in(name, email=address, given_name="New")
        assert f"the user '{other}' has it" in log.text
        assert find_user(name)["emailAddress"] == name + "@example.com"
    new = unique("new")
    sign_in(new, email=other + "@example.com")
    assert find_user(new)["emailAddress"] is None
    # of somebody who is gone it is free
    api("DELETE", "User/" + find_user(other)["id"])
    sign_in(name, email=other + "@example.com")
    assert find_user(name)["emailAddress"] == other + "@example.com"


@pytest.mark.parametrize("verified", [False, None, "false", 1])
def test_an_address_that_is_not_verified(verified):
    name = unique("mail")
    sign_in(name)
    with NewLog() as log:
        sign_in(name, email="ceo-" + name + "@example.com", email_verified=verified)
    assert find_user(name)["emailAddress"] == name + "@example.com"
    assert "verified" in log.text
    settings(oidcProxyUnverifiedEmail=True)
    sign_in(name, email="ceo-" + name + "@example.com", email_verified=verified)
    assert find_user(name)["emailAddress"] == "ceo-" + name + "@example.com"


def test_nothing_is_synced_where_sync_is_off():
    name = unique("off")
    sign_in(name)
    settings(oidcSync=False)
    before = everything()
    sign_in(name, given_name="New", email="new-" + name + "@example.com")
    assert everything()[:-1] == before[:-1]


def test_teams_stay_while_groups_are_unknown():
    name, mark = unique("groups"), secrets.token_hex(4)
    sales, support, hand = (api("POST", "Team", {"name": team + mark})["id"] for team in ("Sales", "Support", "Hand"))
    settings(oidcTeamsIds=[sales, support], oidcTeamsNames={sales: "Sales", support: "Support"},
             oidcTeamsColumns={sales: {"group": "s"}, support: {"group": "p"}}, oidcSyncTeams=True)
    sign_in(name, groups=["s"])
    user = find_user(name)
    assert user["teamsIds"] == [sales]
    api("PUT", "User/" + user["id"], {"teamsIds": [sales, hand], "teamsColumns": {hand: {"role": "Lead"}}})
    # overage: no list, in one spelling or another
    for claims in ({"groups": None}, {"groups": None, "_claim_names": {"groups": "src1"},
                                      "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
                   {"groups": {"src": 1}}, {"groups": True}, {"groups": None, "hasgroups": True}):
        with NewLog() as log:
            sign_in(name, **claims)
        assert set(find_user(name)["teamsIds"]) == {sales, hand}
        assert "no list of groups in 'groups'" in log.text
    # a list that is empty takes the mapped ones away, and no other
    sign_in(name, groups=[])
    assert find_user(name)["teamsIds"] == [hand]
    assert find_user(name)["teamsColumns"][hand]["role"] == "Lead"
    sign_in(name, groups=["p", "unknown"])
    assert set(find_user(name)["teamsIds"]) == {support, hand}
    # nothing mapped: nothing happens
    settings(oidcTeamsIds=[], oidcTeamsNames={}, oidcTeamsColumns={})
    sign_in(name, groups=["s"])
    assert set(find_user(name)["teamsIds"]) == {support, hand}


# ---- at once ---------------------------------------------------------------------------------

def at_once(tokens):
    barrier, answers = threading.Barrier(len(tokens)), [None] * len(tokens)

    def run(index):
        barrier.wait()
        answers[index] = callback(tokens[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tokens))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("kind", ["new", "typed"])
def test_several_tabs_at_the_first_sign_in(kind):
    settings(oidcProxyTakeOver="username")
    for _ in range(3):
        name = unique("tabs")
        if kind == "typed":
            create_user(name)
        answers = at_once([assertion(name, phone_number="+4915112345678") for _ in range(8)])
        assert [answer.status for answer in answers] == [200] * 8, [answer.reason() for answer in answers]
        assert len({answer.page_data()["userId"] for answer in answers}) == 1
        assert all(user_of(answer)["userName"] == name for answer in answers)
        assert rows(f"SELECT count(*) FROM user WHERE user_name = {text(name)}") == ["1"]
        record = find_user(name)
        assert (record["emailAddress"], record["firstName"]) == (name + "@example.com", "Given")


@pytest.mark.parametrize("kind", ["new", "typed"])
def test_several_subjects_want_the_same_name(kind):
    settings(oidcProxyTakeOver="username")
    for _ in range(3):
        name = unique("rivals")
        if kind == "typed":
            create_user(name)
        answers = at_once([assertion(name, sub=f"{number}-{name}", email=None) for number in range(8)])
        won = [number for number, answer in enumerate(answers) if answer.status == 200]
        assert len(won) == 1
        assert find_user(name)["oidcProxySubject"] == f"{won[0]}-{name}"
        assert {answer.reason() for answer in answers if answer.status != 200} == {"other-subject"}


# ---- upgrade and removal ---------------------------------------------------------------------

def test_subjects_and_settings_over_upgrade_and_removal(tmp_path):
    name = unique("stays")
    user = user_of(sign_in(name))
    edit_config("unset($c['oidcProxyTakeOver']);")
    install(tmp_path, "99.1.0")
    # where it was in use before users belonged to subjects, nobody is locked out
    assert config_values()["oidcProxyTakeOver"] == "username"
    ext.command("extension", "-u", "--name=OIDC Proxy Sign-in")
    edit_config("unset($c['oidcProxyTakeOver']);")
    settings(authenticationMethod="Oidc")
    install(tmp_path)
    settings(oidcProxyTakeOver="username")
    assert user_of(sign_in(name))["id"] == user["id"]
    refuse(assertion(name, sub="other"), "other-subject")
    ext.command("extension", "-u", "--name=OIDC Proxy Sign-in")
