# SPDX-License-Identifier: Apache-2.0
"""The EspoCRM extension on a real EspoCRM; `./build.sh browser ESPOCRM_DIR=...` runs it.

ESPOCRM_LAB names the directory that lab.sh was started with (LAB), ESPOCRM_PORT its port. Without
it: skipped.
The tests run in the order of the file: installation first, removal last.
"""
import base64
import hashlib
import hmac
import html
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

LAB = os.environ.get("ESPOCRM_LAB")
PORT = int(os.environ.get("ESPOCRM_PORT", "8391"))
PHP = os.environ.get("ESPOCRM_PHP", "php")
SITE = f"http://127.0.0.1:{PORT}"
ROOT = Path(__file__).resolve().parents[2]
SESSION = "5e55100000000001"  # as the proxy names it
OTHER_SESSION = "5e55100000000002"
SECRET = "k" * 8 + "a-secret-of-the-tests-0123456789"
IDP = "https://idp.example"
STOCK_TEXT = "If this window is not closed automatically"
DOORS = ("/oauth-callback.php", "/oauth/callback/", "/portal/oauth-callback.php",
         "/?entryPoint=oauthCallback", "/?entryPoint=OauthCallback")
LANGUAGES = ("en_US", "de_DE", "fr_FR", "es_ES", "es_MX", "pl_PL", "it_IT", "nl_NL", "pt_BR", "pt_PT")
if LAB and not Path(f"{LAB}/espo/public/oauth/callback/index.php").exists():
    DOORS = tuple(door for door in DOORS if door != "/oauth/callback/")  # as of EspoCRM 9.1

pytestmark = pytest.mark.skipif(not LAB, reason="ESPOCRM_LAB is not set: no EspoCRM to test with")


# ---- tools -----------------------------------------------------------------------------------

class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode(errors="replace")  # or a picture

    def json(self):
        return json.loads(self.text)

    def page_data(self):
        match = re.search(r"^\}\)\((\{.*\})\);$", self.text, re.M)
        data = json.loads(match.group(1))
        for name in {"auth", "token"} & set(data):
            data[name] = unmask(data[name])
        return data

    def reason(self):
        match = re.search(r'<p>[^<]+ <code>([a-z-]+)</code></p>', self.text)
        return match.group(1) if match else None

    def secret_cookie(self):
        values = [value.split(";")[0].split("=", 1)[1] for value in self.headers.get_all("Set-Cookie") or []
                  if value.startswith("auth-token-secret=")]
        return values[-1] if values else None  # as a browser takes it


def unmask(text):
    """What Mask.php has made of a text, undone."""
    data = bytes.fromhex(text)
    half = len(data) // 2
    return bytes(a ^ b for a, b in zip(data[:half], data[half:])).decode()


def request(path, headers=None, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, headers or {})
    return Answer(connection.getresponse())


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def api(method, path, data=None, user="admin", password="admin"):
    answer = request("/api/v1/" + path, {"Authorization": "Basic " + basic(user, password),
                                         "Content-Type": "application/json"},
                     method, None if data is None else json.dumps(data))
    assert answer.status == 200, (method, path, answer.status, answer.headers.items(), answer.text)
    return answer.json()


def settings(**values):
    api("PUT", "Settings/1", values)


def encode(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assertion(user="alice", secret=SECRET, header=None, **changes):
    now = int(time.time())
    claims = {"iss": SITE, "aud": SITE, "sub": "id-of-" + str(user), "iat": now, "exp": now + 60,
              "jti": secrets.token_urlsafe(16), "idp": IDP,
              "preferred_username": user, "email": f"{user}@example.com", "email_verified": True,
              "given_name": "Given", "family_name": "Family", "groups": ["sales"]}
    claims.update(changes)
    claims = {name: value for name, value in claims.items() if value is not None}
    text = encode(header or {"alg": "HS256", "typ": "JWT"}) + "." + encode(claims)
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return text + "." + encode(mac)


def in_session(headers, session):
    return headers if session is None else {"X-Oidc-Session": session, **headers}


def callback(token=None, path="/oauth-callback.php", session=SESSION, **headers):
    if token is not None:
        headers["X-Oidc-Assertion"] = token
    return request(path, in_session(headers, session))


def whoami(data, secret_cookie, session=SESSION):
    """The user that the state of a signed-in page stands for."""
    return request("/api/v1/App/user", in_session({
        "Authorization": "Basic " + data["auth"], "Espo-Authorization": data["auth"],
        "Espo-Authorization-By-Token": "true",
        "Cookie": f"auth-token={data['token']}; auth-token-secret={secret_cookie}"}, session))


def sign_in(user="alice", **claims):
    answer = callback(assertion(user, **claims))
    assert answer.status == 200, answer.text
    return answer


def find_user(name):
    where = f"where[0][type]=equals&where[0][attribute]=userName&where[0][value]={quote(name)}"
    found = api("GET", "User?" + quote(where, safe="=&"))["list"]
    return api("GET", "User/" + found[0]["id"]) if found else None


# The account that lab.sh runs PHP as.
AS_WEB = []
if os.geteuid() == 0:
    AS_WEB = ["setpriv", "--reuid=www-data", "--regid=www-data", "--init-groups"]


def command(*arguments):
    return subprocess.run([*AS_WEB, PHP, "command.php", *arguments], cwd=f"{LAB}/espo",
                          capture_output=True, text=True, check=False).stdout


def install(directory, version=None):
    """Packs the extension, with another version if asked for, and installs it."""
    source = Path(directory) / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "espocrm", source)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["version"] = version or manifest["version"]
    (source / "manifest.json").write_text(json.dumps(manifest))
    package = subprocess.run(["python3", source / "pack.py", directory], capture_output=True,
                             text=True, check=True).stdout.strip()
    os.chmod(package, 0o644)
    target = f"{LAB}/run/extension.zip"
    shutil.copy(package, target)
    os.chmod(target, 0o644)
    output = command("extension", "--file=" + target)
    return output, manifest


def log_text():
    return "".join(path.read_text() for path in sorted(Path(f"{LAB}/espo/data/logs").glob("*.log")))


class NewLog:
    """What EspoCRM logs within a `with`."""

    def __enter__(self):
        self.before = len(log_text())
        return self

    def __exit__(self, *_):
        self.text = log_text()[self.before:]


def config_values(kind="config"):
    code = f"echo json_encode(include 'data/{kind}.php');"
    return json.loads(subprocess.run([PHP, "-r", code], cwd=f"{LAB}/espo", capture_output=True,
                                     text=True, check=True).stdout)


# ---- installation and settings ---------------------------------------------------------------

def test_installs_and_changes_nothing_before_it_is_switched_on(tmp_path):
    output, manifest = install(tmp_path)
    assert f"v{manifest['version']} is installed" in output
    # what an earlier run may have left
    settings(siteUrl=SITE, oidcProxy=False, oidcProxySecret=None, authenticationMethod="Espo", oidcClientId=None,
             oidcTokenEndpoint=None)
    assert STOCK_TEXT in callback(assertion()).text
    settings(authenticationMethod="Oidc", oidcUsernameClaim="preferred_username", oidcCreateUser=True,
             oidcSync=True, oidcFallback=True, oidcLogoutUrl="/oidc/logout", oidcGroupClaim="groups",
             oidcAllowAdminUser=False)
    assert STOCK_TEXT in callback(assertion()).text


def put_settings(**values):
    """The status, and the text that the page shows for a refusal."""
    answer = request("/api/v1/Settings/1", {"Authorization": "Basic " + basic("admin", "admin"),
                                            "Content-Type": "application/json"},
                     "PUT", json.dumps(values))
    if answer.status == 200:
        return 200, None
    told = answer.json()["messageTranslation"]
    return answer.status, (told["scope"], told["label"])


def secret_state(user="admin", password="admin"):
    return request("/api/v1/OidcProxy/state", {"Authorization": "Basic " + basic(user, password)})


def test_cannot_be_switched_on_without_a_secret_or_a_way_back():
    def refused(label):
        return 400, ("Settings", label)

    assert secret_state().json()["secret"] == "none"
    assert put_settings(oidcProxy=True) == refused("oidcProxyNeedsSecret")
    assert put_settings(oidcProxy=True, oidcProxySecret="x" * 31) == refused("oidcProxySecretTooShort")
    assert put_settings(oidcProxy=True, oidcProxySecret=SECRET, oidcFallback=False) == refused("oidcProxyNeedsFallback")
    assert put_settings(oidcProxy=True, oidcProxyPublicKeys="no key") == refused("oidcProxyKeysUnreadable")
    assert put_settings(oidcProxySecret="x" * 31) == (200, None)  # while it is off
    assert secret_state().json()["secret"] == "short"
    assert put_settings(oidcProxy=True) == refused("oidcProxySecretTooShort")
    assert put_settings(oidcProxy=True, oidcProxySecret=SECRET) == (200, None)
    assert put_settings(oidcFallback=False) == refused("oidcProxyNeedsFallback")
    assert put_settings(oidcProxySecret="short") == refused("oidcProxySecretTooShort")
    assert put_settings(oidcProxySecret=None) == refused("oidcProxyNeedsSecret")
    answer = secret_state()
    assert answer.json()["secret"] == "stored" and SECRET not in answer.text


def test_each_text_of_an_error_of_the_settings_is_there():
    texts = api("GET", "I18n")["Settings"]["messages"]
    for name in ("oidcProxyNeedsSecret", "oidcProxySecretTooShort", "oidcProxyNeedsFallback", "oidcProxyKeysUnreadable",
                 "oidcProxySecretStored", "oidcProxySecretNone"):
        assert texts[name]


def test_the_switch_is_the_first_of_the_settings():
    settings_of = api("GET", "Metadata")["authenticationMethods"]["Oidc"]["settings"]
    rows = [[cell and cell["name"] for cell in row] for row in settings_of["layout"]["rows"]]
    if not Path(f"{LAB}/espo/application/Espo/Core/Utils/Metadata/AdditionalBuilder.php").exists():
        pytest.skip("EspoCRM before 8.4 keeps its own rows first")
    assert rows[0] == ["oidcProxy", "oidcProxyAutoSignIn"]
    names = [name for row in rows for name in row if name]
    assert len(names) == len(set(names)) and "oidcClientId" in names
    assert names.index("oidcProxySecret") < names.index("oidcClientId") < names.index("oidcUsernameClaim")


def test_only_administrators_see_the_state_of_the_secret():
    if not find_user("plain"):
        api("POST", "User", {"userName": "plain", "lastName": "Plain", "password": "Plain-Password-1"})
    settings(oidcAllowRegularUserFallback=True)
    try:
        assert secret_state("plain", "Plain-Password-1").status == 403
    finally:
        settings(oidcAllowRegularUserFallback=False)
    assert secret_state("admin", "wrong").status == 401


def test_the_secret_never_reaches_a_browser():
    assert config_values("config-internal")["oidcProxySecret"] == SECRET
    assert "oidcProxySecret" not in config_values()
    for headers in ({}, {"Authorization": "Basic " + basic("admin", "admin")}):
        answer = request("/api/v1/Settings", headers)
        assert answer.status == 200
        assert SECRET not in answer.text and "oidcProxySecret" not in answer.text
        assert answer.json()["oidcProxy"] is True


def test_public_keys_in_place_of_the_secret():
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM,
                                        serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()
    numbers = key.public_key().public_numbers()
    jwks = json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
                                 "x": encode(numbers.x.to_bytes(32, "big")),
                                 "y": encode(numbers.y.to_bytes(32, "big"))}]})

    def signed(user):
        claims = assertion(user).split(".")[1]
        text = encode({"alg": "ES256", "typ": "JWT", "kid": "k1"}) + "." + claims
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    for wrong in (private, "no key", pem + private, '{"keys":[]}'):
        assert put_settings(oidcProxyPublicKeys=wrong) == (400, ("Settings", "oidcProxyKeysUnreadable"))
    assert callback(signed("carol")).reason() == "algorithm"
    for text in (pem, jwks):
        assert put_settings(oidcProxyPublicKeys=text, oidcProxySecret=None) == (200, None)
        assert callback(signed("carol")).status == 200
        # whoever knew the secret, or the public keys, makes no assertion any more
        assert callback(assertion("carol")).reason() == "algorithm"
        assert callback(assertion("carol", secret=text)).reason() == "algorithm"
        header = {"alg": "ES256", "typ": "JWT", "kid": "k1"}
        assert callback(assertion("carol", header=header)).reason() == "signature"
    assert put_settings(oidcProxyPublicKeys=None) == (400, ("Settings", "oidcProxyNeedsSecret"))
    assert put_settings(oidcProxyPublicKeys=None, oidcProxySecret=SECRET) == (200, None)
    assert callback(assertion("carol")).status == 200


# ---- sign-in ---------------------------------------------------------------------------------

def test_first_sign_in_creates_the_user_and_the_token_works():
    team = api("POST", "Team", {"name": "Sales"})
    other = api("POST", "Team", {"name": "Support"})
    settings(oidcTeamsIds=[team["id"], other["id"]],
             oidcTeamsNames={team["id"]: "Sales", other["id"]: "Support"},
             oidcTeamsColumns={team["id"]: {"group": "sales"}, other["id"]: {"group": "support"}},
             oidcSyncTeams=True)
    answer = sign_in("alice")
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy).group(1)
    assert "default-src 'none'" in policy and f'<script nonce="{nonce}">' in answer.text
    data = answer.page_data()
    assert data["target"] == "/"
    user = whoami(data, answer.secret_cookie())
    assert user.status == 200 and user.json()["user"]["userName"] == "alice"
    assert whoami(data, "0" * 32).status == 401
    record = find_user("alice")
    assert (record["emailAddress"], record["firstName"], record["lastName"]) == (
        "alice@example.com", "Given", "Family")
    assert list(record["teamsNames"].values()) == ["Sales"]


def test_the_token_is_never_compressed_beside_what_a_link_brings():
    """Nor does its length say anything where somebody compresses the page after all."""
    first, second = sign_in("alice"), sign_in("alice")
    for answer in (first, second):
        data = answer.page_data()
        assert data["token"] not in answer.text and data["auth"] not in answer.text
        assert "no-transform" in answer.headers["Cache-Control"]
    ini = Path(f"{LAB}/espo/public/.user.ini")
    ini.write_text("zlib.output_compression = 1\n")
    ini.chmod(0o644)
    try:
        packed = {"Accept-Encoding": "gzip"}
        for _ in range(50):  # PHP looks at the file once in a second
            if request("/", packed).headers["Content-Encoding"] == "gzip":
                break
            time.sleep(.1)
        else:
            pytest.fail("PHP compresses nothing")
        answer = callback(assertion("alice"), **packed)
        assert answer.status == 200 and answer.headers["Content-Encoding"] is None
        assert answer.page_data()["target"] == "/"
        assert callback("x.y.z", **packed).reason() == "malformed"
    finally:
        ini.unlink()


def test_next_sign_in_syncs_profile_and_teams():
    sign_in("alice", email="new@example.com", groups=["support"])
    record = find_user("alice")
    assert record["emailAddress"] == "new@example.com"
    assert list(record["teamsNames"].values()) == ["Support"]


def test_missing_claims_keep_the_profile_and_the_teams():
    with NewLog() as log:
        sign_in("alice", email=None, given_name=None, family_name=None, groups=None)
    record = find_user("alice")
    assert (record["emailAddress"], record["firstName"], record["lastName"]) == (
        "new@example.com", "Given", "Family")
    assert list(record["teamsNames"].values()) == ["Support"]
    assert "no list of groups in 'groups'" in log.text


def test_a_new_user_gets_a_last_name_from_name():
    sign_in("nina", given_name=None, family_name=None, name="Nina van Dijk")
    record = find_user("nina")
    assert (record["firstName"], record["lastName"]) == ("Nina van", "Dijk")


def test_valid_token_of_the_same_user_is_used_again():
    first = sign_in("alice")
    data, secret = first.page_data(), first.secret_cookie()
    cookies = f"auth-token={data['token']}; auth-token-secret={secret}"
    again = callback(assertion("alice"), Cookie=cookies)
    assert again.status == 200
    assert again.page_data()["token"] == data["token"]
    assert again.secret_cookie() is None
    assert whoami(data, secret).status == 200
    # a wrong secret, and somebody else's browser
    forged = callback(assertion("alice"), Cookie=f"auth-token={data['token']}; auth-token-secret=x")
    assert forged.page_data()["token"] != data["token"]
    bob = callback(assertion("bob"), Cookie=cookies)
    assert bob.page_data()["token"] != data["token"]
    assert whoami(bob.page_data(), bob.secret_cookie()).json()["user"]["userName"] == "bob"


def test_auth_log_has_one_record_for_each_sign_in():
    before = api("GET", "AuthLogRecord?maxSize=1")["total"]
    answer = sign_in("alice")
    cookies = f"auth-token={answer.page_data()['token']}; auth-token-secret={answer.secret_cookie()}"
    callback(assertion("alice"), Cookie=cookies)
    record = api("GET", "AuthLogRecord?maxSize=2&orderBy=requestTime&order=desc&attributeSelect="
                 "username,isDenied,authenticationMethod")
    # each API call of these tests with a password leaves one as well
    mine = [item for item in record["list"] if item["username"] == "alice"]
    assert mine and mine[0]["authenticationMethod"] == "Oidc" and not mine[0]["isDenied"]
    assert api("GET", "AuthLogRecord?maxSize=1")["total"] - before <= 5


def test_request_credentials_do_not_count():
    answer = callback(assertion("alice"), **{
        "X-Another-User": "bob", "Espo-Authorization": basic("admin", "admin"),
        "Authorization": "Basic " + basic("admin", "admin")})
    assert whoami(answer.page_data(), answer.secret_cookie()).json()["user"]["userName"] == "alice"


# ---- the session of the proxy ----------------------------------------------------------------

class Browser:
    """What a browser holds after a sign-in; the page of EspoCRM may drop the token's cookie."""

    def __init__(self, user="alice", session=SESSION, answer=None):
        answer = answer or callback(assertion(user), session=session)
        assert answer.status == 200, answer.text
        self.data, self.secret, self.session = answer.page_data(), answer.secret_cookie(), session

    def cookies(self, with_token=True):
        token = f"auth-token={self.data['token']}; " if with_token else ""
        return f"{token}auth-token-secret={self.secret}"

    def status(self, session=...):
        return whoami(self.data, self.secret, self.session if session is ... else session).status

    def callback(self, user, session, with_token=True, **more):
        return callback(assertion(user), session=session, Cookie=self.cookies(with_token), **more)

    def row(self):
        return token_row(self.data["token"])


def query(statement):
    done = subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{LAB}/run/mysqld.sock", "-N", "-B",
                           "espo", "-e", statement], check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def token_row(token):
    assert re.fullmatch("[0-9a-f]{32}", token)
    (active, sessions), = query("SELECT is_active, IFNULL(oidc_proxy_sessions, '') FROM auth_token "
                                f"WHERE token = '{token}'")
    return active == "1", sessions.split()


def entries(browser):
    """Each way that a token of EspoCRM can be used."""
    auth = browser.data["auth"]
    token = browser.data["token"]
    yield "/api/v1/App/user", {"Authorization": "Basic " + auth, "Espo-Authorization": auth,
                               "Espo-Authorization-By-Token": "true"}
    yield "/api/v1/Account", {"Espo-Authorization": auth}
    yield "/api/v1/Account", {"Authorization": "Basic " + auth}
    yield "/api/v1/App/user", {"Espo-Authorization": basic("admin", token)}
    yield "/api/v1/Account", {}  # by the cookies
    yield "/?entryPoint=avatar&id=" + browser.data["userId"], {}
    yield "/?entryPoint=download&id=none", {}
    yield "/?entryPoint=attachment&id=none", {}


ENTRIES = range(8)


@pytest.mark.parametrize("number", ENTRIES)
def test_a_token_that_comes_with_another_session_is_ended(number):
    browser = Browser()
    assert browser.row() == (True, [SESSION])
    path, headers = list(entries(browser))[number]
    headers["Cookie"] = browser.cookies()
    assert request(path, in_session(headers, OTHER_SESSION)).status == 401, (path, headers)
    assert browser.row()[0] is False and browser.status() == 401


@pytest.mark.parametrize("session", [None, "", SESSION.upper(), SESSION[:-1], SESSION + "0", "_" * 16,
                                     f"{SESSION} {OTHER_SESSION}", f"{SESSION}, {SESSION}", "*", "%"])
def test_a_token_that_comes_without_its_session_is_refused(session):
    browser = Browser()
    for path, headers in entries(browser):
        headers["Cookie"] = browser.cookies()
        assert request(path, in_session(headers, session)).status == 401, (path, headers)
    assert browser.status() == 200, "a request that tells no session has ended the token"


def test_every_use_of_a_token_works_in_its_session():
    browser = Browser()
    for path, headers in entries(browser):
        if headers.get("Espo-Authorization") == basic("admin", browser.data["token"]):
            continue  # somebody else's name
        headers["Cookie"] = browser.cookies()
        # the files do not exist
        answer = request(path, in_session(headers, SESSION)).status
        assert answer in ((404,) if path.endswith("&id=none") else (200, 403)), (path, headers, answer)


def test_the_end_of_a_token_is_logged_without_it():
    browser = Browser()
    with NewLog() as log:
        assert browser.status(OTHER_SESSION) == 401
    line, = [line for line in log.text.splitlines() if "OidcProxy" in line]
    assert f"another session of the proxy ({OTHER_SESSION})" in line and "is ended" in line
    assert browser.data["token"] not in log.text and browser.secret not in log.text


def test_a_new_sign_in_of_the_same_user_takes_the_token_over():
    browser = Browser("alice")
    again = browser.callback("alice", OTHER_SESSION)
    assert again.page_data()["token"] == browser.data["token"] and again.secret_cookie() is None
    assert browser.row() == (True, [OTHER_SESSION, SESSION])
    # in both: a request of the former session may still be on its way
    assert browser.status(OTHER_SESSION) == browser.status(SESSION) == 200
    third = "5e55100000000003"
    assert browser.status(third) == 401 and browser.row()[0] is False


def test_a_token_that_the_page_has_dropped_is_found_by_its_secret():
    browser = Browser("alice")
    again = browser.callback("alice", OTHER_SESSION, with_token=False)
    assert again.page_data()["token"] == browser.data["token"] and again.secret_cookie() is None
    assert browser.status(OTHER_SESSION) == 200


def test_only_so_many_sessions_are_kept():
    browser = Browser("alice", "0" * 16)
    for number in range(1, 12):
        assert browser.callback("alice", f"{number:016x}").status == 200
    assert browser.row() == (True, [f"{number:016x}" for number in range(11, 3, -1)])


@pytest.mark.parametrize("with_token", [True, False])
def test_a_callback_with_another_identity_ends_the_token(with_token):
    browser = Browser("alice")
    other = browser.callback("bob", OTHER_SESSION, with_token)
    assert other.status == 200 and other.page_data()["token"] != browser.data["token"]
    assert browser.row()[0] is False
    assert Browser(answer=other, session=OTHER_SESSION).status() == 200


@pytest.mark.parametrize("with_token", [True, False])
@pytest.mark.parametrize("user,secret,reason", [
    ("admin", SECRET, "admin"), ("bob", "w" * 40, "signature"), (None, SECRET, "username-claim")])
def test_a_refused_callback_ends_the_token_of_another_session(user, secret, reason, with_token):
    browser = Browser("alice")
    answer = callback(assertion(user, secret=secret), session=OTHER_SESSION,
                      Cookie=browser.cookies(with_token))
    assert answer.reason() == reason
    assert browser.row()[0] is False and browser.status() == 401
    gone = [value.split(";")[0] for value in answer.headers.get_all("Set-Cookie")]
    assert gone == ["auth-token=deleted", "auth-token-secret=deleted"]
    assert "localStorage.removeItem('espo-user-auth')" in answer.text


def test_a_refused_callback_in_the_session_of_the_token_leaves_it():
    browser = Browser("alice")
    answer = browser.callback("admin", SESSION)
    assert answer.reason() == "admin" and answer.headers["Set-Cookie"] is None
    assert "espo-user-auth" not in answer.text
    assert browser.status() == 200


@pytest.mark.parametrize("with_token", [True, False])
def test_the_door_to_the_password_form_ends_the_token_of_another_session(with_token):
    browser = Browser("alice")
    target = {"X-Oidc-Return-To": "/?signIn=password"}
    assert browser.callback("alice", SESSION, with_token, **target).headers["Set-Cookie"] is None
    assert browser.status() == 200
    answer = browser.callback("alice", OTHER_SESSION, with_token, **target)
    assert answer.status == 303 and len(answer.headers.get_all("Set-Cookie")) == 2
    assert browser.row()[0] is False and browser.status() == 401


def password_sign_in(session, cookies="", **headers):
    return request("/api/v1/App/user", in_session({
        "Espo-Authorization": basic("admin", "admin"), "Espo-Authorization-By-Token": "false",
        "Espo-Authorization-Create-Token-Secret": "true", "Cookie": cookies, **headers}, session))


def test_a_sign_in_with_a_password_belongs_to_its_session_too():
    alice = Browser("alice", OTHER_SESSION)
    answer = password_sign_in(SESSION, alice.cookies())
    assert answer.status == 200
    assert alice.row()[0] is False, "the token that the browser held is still good"
    token = answer.json()["token"]
    assert token_row(token) == (True, [SESSION])
    data = {"auth": basic("admin", token), "token": token}
    assert whoami(data, answer.secret_cookie()).status == 200
    assert whoami(data, answer.secret_cookie(), OTHER_SESSION).status == 401
    assert token_row(token)[0] is False


def test_no_request_opens_a_session_of_php():
    answer = sign_in("alice")
    answers = [answer, *(request("/api/v1/" + path, in_session({
        "Espo-Authorization": answer.page_data()["auth"], "Espo-Authorization-By-Token": "true",
        "Cookie": f"auth-token-secret={answer.secret_cookie()}"}, SESSION)) for path in ("App/user", "Stream"))]
    assert [it.status for it in answers] == [200] * 3
    assert not [it for it in answers if "PHPSESSID" in str(it.headers.get_all("Set-Cookie"))]


def test_an_administrator_as_another_user():
    answer = password_sign_in(SESSION, **{"X-Another-User": "bob"})
    assert answer.status == 200 and answer.json()["user"]["userName"] == "bob"
    assert token_row(answer.json()["token"]) == (True, [SESSION])


def test_a_token_from_before_is_refused_until_its_user_signs_in():
    """Made by an earlier version, or while the vhost was an earlier one."""
    browser = Browser("alice")
    query(f"UPDATE auth_token SET oidc_proxy_sessions = NULL WHERE token = '{browser.data['token']}'")
    assert browser.status() == 401 and browser.row() == (True, [])
    assert browser.callback("alice", SESSION).page_data()["token"] == browser.data["token"]
    assert browser.status() == 200


def test_without_sessions_everything_is_as_before():
    """Another vhost, without the module: passwords, as ever."""
    answer = password_sign_in(None)
    data = {"auth": basic("admin", answer.json()["token"]), "token": answer.json()["token"]}
    assert whoami(data, answer.secret_cookie(), None).status == 200
    assert whoami(data, answer.secret_cookie()).status == 401


def test_a_vhost_that_tells_no_session_is_told_so():
    with NewLog() as log:
        answer = callback(assertion("alice"), session=None)
    assert (answer.status, answer.reason()) == (403, "session-missing")
    assert "X-Oidc-Session" in answer.text and answer.secret_cookie() is None
    assert "OidcProxy: Sign-in refused (session-missing)" in log.text


def test_tokens_are_bound_before_the_switch():
    """Whoever switches the sign-in on stays signed in."""
    settings(oidcProxy=False)
    answer = password_sign_in(SESSION)
    data = {"auth": basic("admin", answer.json()["token"]), "token": answer.json()["token"]}
    assert whoami(data, answer.secret_cookie(), OTHER_SESSION).status == 200
    settings(oidcProxy=True)
    assert whoami(data, answer.secret_cookie()).status == 200
    assert whoami(data, answer.secret_cookie(), OTHER_SESSION).status == 401


def handshake(browser, arguments=None, session=..., cookies=None, **headers):
    if arguments is None:
        arguments = f"authToken={browser.data['token']}&userId={browser.data['userId']}"
    session = browser.session if session is ... else session
    cookies = browser.cookies() if cookies is None else cookies
    answer = request("/?entryPoint=oidcProxyWebSocket", in_session(
        {"X-Oidc-Websocket": arguments, "Cookie": cookies, **headers}, session))
    return answer.status, answer.headers["X-Accel-Redirect"]


def test_websocket_handshake():
    browser = Browser("alice")
    arguments = f"authToken={browser.data['token']}&userId={browser.data['userId']}"
    assert handshake(browser) == (200, "/wss/admitted?" + arguments)
    bob = Browser("bob")
    for wrong in (arguments.replace("userId=", "userId=0"), f"{arguments}&userId=1", "", "x",
                  f"authToken={browser.data['token']}&userId={bob.data['userId']}",
                  f"authToken={bob.data['token']}&userId={bob.data['userId']}",
                  arguments.replace("authToken=", "authToken=%30"), "&" + arguments,
                  f"userId={browser.data['userId']}&authToken={browser.data['token']}"):
        assert handshake(browser, wrong) == (401, None), wrong
    assert handshake(browser, cookies="") == (401, None)
    assert handshake(browser, session=None) == (401, None)
    assert browser.status() == 200
    assert handshake(browser, session=OTHER_SESSION) == (401, None)
    assert browser.row()[0] is False


def test_sign_out_without_a_session():
    browser = Browser("alice")
    for cookies in ("", "auth-token-secret=" + "0" * 32, "auth-token-secret=%",
                    f"auth-token={browser.data['token']}",
                    f"auth-token={browser.data['token']}; auth-token-secret={'0' * 32}"):
        assert request("/?entryPoint=oidcProxySignOut", {"Cookie": cookies}).status == 204
        assert browser.status() == 200, cookies
    answer = request("/?entryPoint=oidcProxySignOut", {"Cookie": browser.cookies(with_token=False)})
    assert answer.status == 204 and len(answer.headers.get_all("Set-Cookie")) == 2
    assert browser.row()[0] is False and browser.status() == 401


# ---- where it goes ---------------------------------------------------------------------------

@pytest.mark.parametrize("header,argument,expected", [
    ("/#Account/view/1", None, "/#Account/view/1"),
    (None, "/#Calendar", "/#Calendar"),
    ("/oauth-callback.php?return_to=" + quote("/#Lead", safe=""), None, "/#Lead"),
    ("/?entryPoint=download&id=1", "/#Lead", "/?entryPoint=download&id=1"),
    ("//evil.example/", None, "/"),
    (None, "https://evil.example/", "/"),
    (None, "/oidc/logout", "/"),
    (None, "/oauth-callback.php", "/"),
])
def test_target(header, argument, expected):
    headers = {"X-Oidc-Return-To": header} if header else {}
    path = "/oauth-callback.php" + (f"?return_to={quote(argument, safe='')}" if argument else "")
    assert callback(assertion(), path, **headers).page_data()["target"] == expected


def test_target_cannot_leave_the_script():
    answer = callback(assertion(), **{"X-Oidc-Return-To": "/</script><script>alert(1)</script>'\""})
    assert "alert(1)</script>" not in answer.text


def test_password_form_signs_nobody_in():
    target = "/?signIn=password"
    answer = callback(assertion(), **{"X-Oidc-Return-To": target})
    assert (answer.status, answer.headers["Location"]) == (303, target)
    assert answer.secret_cookie() is None and answer.text == ""


# ---- refusals --------------------------------------------------------------------------------

@pytest.mark.parametrize("reason,make", [
    ("missing", lambda: None),
    ("malformed", lambda: "nonsense"),
    ("malformed", lambda: "a.b.c"),
    ("signature", lambda: assertion(secret="w" * 40)),
    ("signature", lambda: assertion()[:-3] + "AAA"),
    ("algorithm", lambda: assertion(header={"alg": "none"})),
    ("algorithm", lambda: assertion(header={"alg": "HS512"})),
    ("issuer", lambda: assertion(iss="https://evil.example")),
    ("audience", lambda: assertion(aud="https://evil.example")),
    ("subject", lambda: assertion(sub=None)),
    ("expired", lambda: assertion(iat=int(time.time()) - 100, exp=int(time.time()) - 40)),
    ("not-yet-valid", lambda: assertion(iat=int(time.time()) + 100, exp=int(time.time()) + 140)),
    ("lifetime", lambda: assertion(exp=int(time.time()) + 3600)),
    ("id", lambda: assertion(jti=None)),
    ("identity", lambda: assertion(idp=None)),
    ("identity", lambda: assertion(idp=["https://idp.example"])),
    ("identity", lambda: assertion(sub="s" * 256)),
    ("username-claim", lambda: assertion("stranger", preferred_username=None)),
    ("username-claim", lambda: assertion("stranger", preferred_username=["alice"])),
    ("username-claim", lambda: assertion("stranger", preferred_username="alice\n")),
])
def test_refused_with_a_page_and_a_log_line(reason, make):
    with NewLog() as log:
        answer = callback(make())
    assert (answer.status, answer.reason()) == (403, reason)
    assert STOCK_TEXT not in answer.text
    assert "espo-user-auth" not in answer.text and answer.secret_cookie() is None
    assert f"OidcProxy: Sign-in refused ({reason}):" in log.text
    assert SECRET not in log.text and SECRET not in answer.text


def who(answer):
    match = re.search(r'<p id="who">(.*?)</p>', answer.text)
    return html.unescape(match.group(1)) if match else None


@pytest.mark.parametrize("reason,make,name", [
    ("signature", lambda: assertion("eve", secret="w" * 40), None),
    ("expired", lambda: assertion("eve", iat=int(time.time()) - 100, exp=int(time.time()) - 40), "eve"),
    ("username-claim", lambda: assertion("eve", preferred_username=None), "eve@example.com"),
    ("no-user", lambda: assertion('<b>"eve"</b> {issuer}'), '<b>"eve"</b> {issuer}'),
])
def test_a_refusal_says_who_has_come(reason, make, name):
    settings(oidcCreateUser=False)
    try:
        answer = callback(make())
    finally:
        settings(oidcCreateUser=True)
    assert (answer.status, answer.reason()) == (403, reason)
    assert who(answer) == (name and f"You have signed in at {IDP} as {name}.")
    assert "<b>" not in answer.text


@pytest.mark.parametrize("header,language,title", [
    (None, "en-US", "Sign-in failed"),
    ("ja", "en-US", "Sign-in failed"),
    ("de-AT,de;q=0.9,en;q=0.8", "de-DE", "Anmeldung fehlgeschlagen"),
    ("fr", "fr-FR", "Échec de la connexion"),
    ("es-ES", "es-ES", "No se pudo iniciar sesión"),
    ("pl", "pl-PL", "Logowanie nie powiodło się"),
    ("it", "it-IT", "Accesso non riuscito"),
    ("nl", "nl-NL", "Aanmelden mislukt"),
    ("pt", "pt-PT", "Não foi possível iniciar sessão"),
    ("pt-BR", "pt-BR", "Não foi possível entrar"),
])
def test_a_refusal_speaks_the_language_of_the_browser(header, language, title):
    headers = {"Accept-Language": header} if header else {}
    answer = callback(assertion("eve", iss="https://evil.example"), **headers)
    assert f'<html lang="{language}">' in answer.text
    assert f"<title>{title}</title>" in answer.text
    assert "eve" in who(answer)


def test_assertion_is_usable_once():
    token = assertion()
    assert callback(token).status == 200
    answer = callback(token)
    assert (answer.status, answer.reason()) == (403, "replayed")


def test_a_log_line_stays_a_line():
    with NewLog() as log:
        callback(assertion(iss="https://x\n[2026-01-01] OidcProxy: forged"))
    assert "\n[2026-01-01] OidcProxy: forged" not in log.text


@pytest.mark.parametrize("door", DOORS)
def test_every_door_wants_an_assertion(door):
    plain = {"X-Oidc-Sub": "alice", "Remote-User": "admin", "X_Oidc_Sub": "alice"}
    answer = callback(None, door, **plain)
    assert (answer.status, answer.reason()) == (403, "missing")
    assert callback(assertion(secret="w" * 40), door).reason() == "signature"
    assert callback(assertion("alice"), door).status == 200


def test_the_api_takes_no_identity():
    for name in ("**oidcProxy", "**oidc", "alice"):
        answer = request("/api/v1/App/user", {
            "X-Oidc-Assertion": assertion("alice"), "Espo-Authorization": basic(name, "-"),
            "Espo-Authorization-By-Token": "false"})
        assert answer.status == 401, name
    assert request("/api/v1/App/user", {"X-Oidc-Assertion": assertion("alice")}).status == 401


@pytest.mark.parametrize("arguments", ["code=abc&state=s1", "error=access_denied", "code="])
def test_popups_of_external_accounts_get_the_stock_page(arguments):
    for token in (None, assertion()):
        for door in DOORS:
            answer = callback(token, door + ("&" if "?" in door else "?") + arguments)
            assert answer.status == 200 and STOCK_TEXT in answer.text


# ---- the test of the settings ----------------------------------------------------------------

def probe(token, ticket=None, session=SESSION):
    headers = {"X-Espo-Oidc-Proxy-Test": secret_state().json()["ticket"] if ticket is None else ticket}
    return callback(token, session=session, **headers)


def findings(data, session=SESSION, user=("admin", "admin"), language=None):
    """What the button says, worst first: pairs of state and text."""
    headers = {"Authorization": "Basic " + basic(*user), "Content-Type": "application/json"}
    answer = request("/api/v1/OidcProxy/test", in_session(headers, session), "POST", json.dumps(data))
    return answer.status, [(item["state"], item["text"]) for item in answer.json()["checks"]] if answer.status == 200 else []


def test_a_probe_says_what_a_sign_in_would_make_of_the_assertion_and_makes_none():
    answer = probe(assertion("prober"))
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get_all("Set-Cookie") is None and "espo-user-auth" not in answer.text
    data = answer.json()
    assert (data["reason"], data["name"], data["issuer"], data["hasUsername"]) == (None, "prober", IDP, True)
    assert data["length"] == len(assertion("prober")) and 0 <= data["age"] < 60
    assert find_user("prober") is None
    for token, reason in ((None, "missing"), (assertion(secret="w" * 40), "signature"),
                          (assertion(iss="https://evil.example"), "issuer")):
        data = probe(token).json()
        assert data["reason"] == reason and data["detail"] and SECRET not in json.dumps(data)


def test_a_probe_needs_the_ticket_of_an_administrator():
    ticket = secret_state().json()["ticket"]
    expires, signature = ticket.split(".")
    for wrong in ("", "x", expires, f"{int(expires) + 1}.{signature}", ticket[:-1]):
        answer = probe(assertion("prober"), wrong)
        assert (answer.status, answer.text) == (403, "{}"), wrong
        assert answer.secret_cookie() is None
    assert find_user("prober") is None


def test_the_button_says_what_is_wrong():
    good = {"url": SITE + "/#Admin/authentication", "clock": int(time.time()),
            "probe": {"status": 200, "data": probe(assertion("prober")).json()}}
    status, found = findings(good)
    assert status == 200
    texts = [text for _, text in found]
    assert [state for state, _ in found if state == "error"] == [], found
    assert f"The assertion of the proxy arrives and is genuine. It names prober of {IDP}." in texts
    assert "A Proxy Secret is stored." in texts
    by_name = "Existing Users is “Same username”"
    assert not any(by_name in text for text in texts)
    settings(oidcProxyTakeOver="username")
    try:
        assert any(state == "warning" and by_name in text for state, text in findings(good)[1])
    finally:
        settings(oidcProxyTakeOver="never")
    status, found = findings({**good, "url": "https://elsewhere.example/", "clock": 5,
                              "probe": {"status": 200, "data": probe(assertion(secret="w" * 40)).json()}}, None)
    assert [state for state, _ in found][:3] == ["error"] * 3
    text = " ".join(text for state, text in found if state != "ok")
    for words in ("opened at https://elsewhere.example", "without “X-Oidc-Session”", "differ by", "Proxy Secret must equal"):
        assert words in text
    assert "{" not in text and SECRET not in text
    for odd in ({}, {"url": [], "clock": "x", "probe": "x"}, {"probe": {"status": "x", "data": []}}, []):
        assert findings(odd)[0] == 200


def test_the_button_speaks_the_language_of_the_administrator():
    admin = find_user("admin")
    told = {}
    try:
        for language in LANGUAGES:
            api("PUT", f"Preferences/{admin['id']}", {"language": language})
            told[language] = findings({"url": SITE})[1]
    finally:
        api("PUT", f"Preferences/{admin['id']}", {"language": ""})
    assert len({tuple(text for _, text in found) for found in told.values()}) >= len(LANGUAGES) - 1
    assert not [text for found in told.values() for _, text in found if re.search(r"[{}]", text)]


def test_only_administrators_can_test():
    settings(oidcAllowRegularUserFallback=True)
    try:
        assert findings({}, None, ("plain", "Plain-Password-1"))[0] == 403
    finally:
        settings(oidcAllowRegularUserFallback=False)
    assert findings({}, user=("admin", "wrong"))[0] == 401


# ---- EspoCRM's own rules ---------------------------------------------------------------------

def refused(user, reason, status=403):
    with NewLog() as log:
        answer = callback(assertion(user))
    assert (answer.status, answer.reason()) == (status, reason), answer.text
    assert f"OidcProxy: Sign-in refused ({reason})" in log.text


def test_inactive_user():
    record = find_user("bob")
    api("PUT", "User/" + record["id"], {"isActive": False})
    refused("bob", "inactive")
    api("PUT", "User/" + record["id"], {"isActive": True})
    sign_in("bob")


def test_unknown_user_when_users_are_not_created():
    settings(oidcCreateUser=False)
    refused("nobody", "no-user")
    settings(oidcCreateUser=True)


def test_admin_only_where_allowed():
    refused("admin", "admin")
    settings(oidcAllowAdminUser=True)
    # nor by name, see test_identity.py
    refused("admin", "admin-unbound")
    settings(oidcAllowAdminUser=False)


def test_portal_user():
    if not find_user("customer"):
        api("POST", "User", {"userName": "customer", "lastName": "Customer", "type": "portal"})
    refused("customer", "portal-user")


def test_maintenance_mode():
    settings(maintenanceMode=True)
    try:
        refused("alice", "maintenance", 503)
    finally:
        settings(maintenanceMode=False)
    sign_in("alice")


def test_username_that_does_not_fit():
    refused("u" * 51, "username-too-long")


def sql(statement):
    subprocess.run(["mariadb", "--no-defaults", "-uroot", f"-S{LAB}/run/mysqld.sock", "espo", "-e",
                    statement], check=True)


def test_user_with_second_factor_is_not_asked_again():
    # as of EspoCRM 9.3 in a file of its own
    kind = "state" if Path(f"{LAB}/espo/data/state.php").exists() else "config"
    version = tuple(int(part) for part in config_values(kind)["version"].split(".")[:2])
    record = find_user("alice")
    settings(auth2FA=True, auth2FAMethodList=["Totp"])
    sql("INSERT INTO user_data (id, user_id, auth2_f_a, auth2_f_a_method, auth2_f_a_totp_secret) "
        f"VALUES ('t2fa', '{record['id']}', 1, 'Totp', 'SECRET')")
    try:
        if version >= (8, 4):
            sign_in("alice")
        else:
            refused("alice", "second-step")
    finally:
        sql("DELETE FROM user_data WHERE id = 't2fa'")
        settings(auth2FA=False)


def test_password_of_an_administrator_works_beside_it():
    assert request("/api/v1/App/user", {"Espo-Authorization": basic("admin", "admin")}).status == 200
    assert request("/api/v1/App/user", {"Espo-Authorization": basic("admin", "no")}).status == 401


def test_used_ids_are_forgotten_in_time():
    directory = Path(f"{LAB}/espo/data/oidc-proxy/jti")
    stale = directory / ("0000000001-" + "0" * 64)
    subprocess.run([*AS_WEB, "touch", stale], check=True)
    sign_in("alice")
    assert not stale.exists()
    assert all(int(path.name.split("-")[0]) >= time.time() - 1 for path in directory.iterdir())


def test_no_sign_in_where_ids_cannot_be_stored():
    directory = Path(f"{LAB}/espo/data/oidc-proxy/jti")
    shutil.rmtree(directory)
    directory.touch()
    try:
        refused("alice", "storage")
    finally:
        directory.unlink()
    sign_in("alice")


# ---- the end of a session under an open page ---------------------------------------------------

def page_of(answer, session=SESSION):
    return whoami(answer.page_data(), answer.secret_cookie(), session).json()


def test_the_page_is_told_what_to_say_in_the_language_of_the_user():
    user = find_user("alice")
    told = {}
    try:
        for language in LANGUAGES:
            api("PUT", f"Preferences/{user['id']}", {"language": language})
            params = page_of(sign_in("alice"))["appParams"]["oidcProxySession"]
            assert params["language"] == language.replace("_", "-")
            assert all(params["texts"].values())
            assert params["texts"]["signedOutAfter"].count("{time}") == 1
            told[language] = params["texts"]["ended"]
    finally:
        api("PUT", f"Preferences/{user['id']}", {"language": ""})
    assert len(set(told.values())) == len(LANGUAGES) - 1, told  # the two kinds of Spanish are one


def test_the_page_is_told_nothing_while_the_proxy_does_not_sign_in():
    settings(oidcProxy=False)
    try:
        params = api("GET", "App/user")["appParams"]
        assert params["oidcProxySession"] is None and params["oidcProxy"] is False
    finally:
        settings(oidcProxy=True)
    assert api("GET", "App/user")["appParams"]["oidcProxySession"]["texts"]["signIn"] == "Sign in again"


def test_a_sign_of_life_needs_a_user():
    answer = sign_in("alice")
    data = answer.page_data()
    headers = in_session({"Espo-Authorization": data["auth"], "Espo-Authorization-By-Token": "true",
                          "Cookie": f"auth-token-secret={answer.secret_cookie()}"}, SESSION)
    alive = request("/api/v1/OidcProxy/alive", headers)
    assert (alive.status, alive.text) == (200, "true")
    assert request("/api/v1/OidcProxy/alive").status == 401
    assert request("/api/v1/OidcProxy/alive", {**headers, "X-Oidc-Session": OTHER_SESSION}).status == 401


def test_a_window_that_was_opened_to_sign_in_closes_itself():
    closing = callback(assertion(), "/oauth-callback.php?return_to=" + quote("/?oidcProxyWindow=close", safe=""))
    assert closing.status == 200
    assert closing.page_data()["closing"] == "You are signed in again. You can close this window."
    assert callback(assertion()).page_data()["closing"] == ""


# ---- the composition -------------------------------------------------------------------------

def test_first_settings_of_the_composition():
    """ops/compose/espocrm/settings.php: once, with the issuer of the provider."""
    script = Path(f"{LAB}/run/settings.php")
    shutil.copy(ROOT / "ops/compose/espocrm/settings.php", script)
    script.chmod(0o644)

    def run(host, secret):
        return subprocess.run([*AS_WEB, "env", f"AUTH_HOST={host}", PHP, script, f"{LAB}/espo"], input=secret,
                              capture_output=True, text=True, check=False)

    def forget():
        code = ("foreach (['config', 'config-internal'] as $n) { $c = include \"data/$n.php\"; "
                "unset($c['oidcProxySecret'], $c['oidcProxyProviderIssuer']); "
                "file_put_contents(\"data/$n.php\", '<?php return ' . var_export($c, true) . ';'); }")
        subprocess.run([*AS_WEB, PHP, "-r", code], cwd=f"{LAB}/espo", check=True)
    assert "set up before" in run("idp.example", SECRET).stdout
    forget()
    try:
        assert run("", SECRET).returncode == 1 and run("idp.example", "short").returncode == 1
        done = run("idp.example", SECRET)
        assert done.stdout == "The sign-in by the proxy is on.\n", done
        assert config_values()["oidcProxyProviderIssuer"] == IDP
        assert sign_in("alice").status == 200
        assert callback(assertion("alice", idp="https://other.example")).reason() == "provider"
        assert callback(assertion("admin")).reason() == "admin-unbound"
    finally:
        settings(oidcProxySecret=SECRET, oidcProxyProviderIssuer=None, oidcAllowAdminUser=False)


# ---- upgrade and removal ---------------------------------------------------------------------

def test_upgrade_keeps_everything(tmp_path):
    output, _ = install(tmp_path, "99.0.0")
    assert "v99.0.0 is installed" in output
    assert config_values()["authenticationMethod"] == "Oidc"
    sign_in("alice")


def test_uninstall_brings_the_stock_method_back_and_locks_nobody_out():
    output = command("extension", "-u", "--name=OIDC Proxy Sign-in")
    assert "uninstalled" in output
    assert STOCK_TEXT in callback(assertion()).text
    espo = Path(LAB) / "espo"
    assert not (espo / "custom/Espo/Modules/OidcProxy").exists()
    assert not (espo / "client/custom/modules/oidc-proxy").exists()
    assert not (espo / "data/oidc-proxy").exists()
    # the stock method has no client here: only passwords are left
    assert config_values()["authenticationMethod"] == "Espo"
    assert request("/api/v1/App/user", {"Espo-Authorization": basic("admin", "admin")}).status == 200
    handler = request("/api/v1/Metadata?key=authenticationMethods.Oidc.login.handler",
                      {"Authorization": "Basic " + basic("admin", "admin")})
    assert handler.text == "handlers/login/oidc"


def test_uninstall_leaves_a_stock_method_that_is_set_up(tmp_path):
    install(tmp_path)
    settings(authenticationMethod="Oidc", oidcClientId="c", oidcTokenEndpoint="https://idp.example/t")
    sign_in("alice")
    command("extension", "-u", "--name=OIDC Proxy Sign-in")
    assert config_values()["authenticationMethod"] == "Oidc"
    assert request("/api/v1/App/user", {"Espo-Authorization": basic("admin", "admin")}).status == 200
    assert STOCK_TEXT in callback(assertion()).text
