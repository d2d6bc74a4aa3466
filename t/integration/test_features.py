# SPDX-License-Identifier: Apache-2.0
"""Directives and variables on the wire, each at least once."""

import json
import os
import re
import time
import urllib.parse

import pytest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives import hashes

from harness import forge
from harness.cases import case, rows
from harness.forge import b64u_decode
from harness.idp import Idp
from harness.outcome import challenge, passes, reject, unauthorized
from harness.site import Site, query_of


@pytest.fixture(scope="module")
def site(lab):
    http = """
    map $oidc_claim_groups $is_staff { ~(^|,)staff(,|$) 1; default 0; }
    map $uri $which { ~^/dyn/idp/ idp; ~^/dyn/off/ off; ~^/dyn/none/ nosuch; default ""; }
    """
    locations = """
        location /staff/ { auth_oidc_require $is_staff; proxy_pass http://@BACKEND@; }
        location /staff401/ { auth_oidc_require $is_staff error=401; proxy_pass http://@BACKEND@; }
        location /both/ { auth_oidc_require $is_staff $oidc_claim_email; proxy_pass http://@BACKEND@; }
        location /several/ { auth_oidc_require $is_staff; auth_oidc_require $oidc_claim_special error=401;
            proxy_pass http://@BACKEND@; }
        location /vstaff/ { auth_oidc_mode verify; auth_oidc_require $is_staff; proxy_pass http://@BACKEND@; }
        location /dyn/ { auth_oidc $which; proxy_pass http://@BACKEND@; }
        location = /status { auth_oidc off; oidc_status; }
        location = /keys { auth_oidc off; oidc_jwks; }
        location /errors/ { error_page 502 403 400 =418 @oops; proxy_pass http://@BACKEND@; }
        location @oops { auth_oidc off; return 418 "code $oidc_error"; }
    """
    key = os.path.join(lab.folder, "assertion-hs")
    with open(key, "w", encoding="ascii") as f:
        f.write("k" * 40 + "\n")
    os.chmod(key, 0o600)
    with Site(lab, http=http + f"oidc_assertion {{ key_file {key}; }}", locations=locations,
              public=("/public/", "/dyn/off/")) as site:
        yield site


# ---- who gets in -----------------------------------------------------------------------------

@pytest.mark.parametrize("path, groups, status", rows("F-require", {
    "yes": ("/staff/", ["staff"], 200), "no": ("/staff/", ["dev"], 403), "no-401":
    ("/staff401/", ["dev"], 401), "both": ("/both/", ["staff"], 200), "several":
    ("/several/", ["staff"], 401), "delimiter": ("/staff/", ["x,staff"], 403),
    "verify-yes": ("/vstaff/", ["staff"], 200), "verify-no": ("/vstaff/", ["dev"], 403)}))
def test_auth_oidc_require(site, path, groups, status):
    with site.signed_in(groups=groups) as browser:
        for kind in ("navigate", "xhr"):
            answer = browser.get(path + "x", kind=kind)
            assert answer.status == status, answer
            assert answer.from_backend == (status == 200)
            assert not [c for c in answer.set_cookies()]
    answer = site.browser().get(path + "x")
    if path == "/vstaff/":
        assert answer.status in (302, 403) and not answer.from_backend
    else:
        challenge(site, answer)


@pytest.mark.parametrize("path, outcome", rows("F-variable", {
    "idp": ("/dyn/idp/x", "protected"), "off": ("/dyn/off/x", "public"),
    "empty": ("/dyn/other/x", "error"), "unknown": ("/dyn/none/x", "error")}))
def test_auth_oidc_variable(site, path, outcome):
    answer = site.browser().get(path)
    if outcome == "protected":
        challenge(site, answer)
        with site.signed_in() as browser:
            passes(site, browser.get(path), remote_user="jdoe")
    elif outcome == "public":
        passes(site, answer, remote_user=None)
    else:
        assert answer.status == 500 and not answer.from_backend


@case("N-34")
def test_error_page_and_error_variable(site):
    """An operator's own page for refusals of ours."""
    browser = site.browser()
    browser.login("/x")
    unknown = site.browser()
    answer = unknown.get("/errors/x", kind="xhr")
    unauthorized(answer)
    with site.signed_in(groups=[]) as signed:
        passes(site, signed.get("/errors/x"), remote_user="jdoe")


@case("N-34")
def test_error_page_replaces_our_page(make_site):
    site = make_site(server="error_page 502 /oops;", control=False, own_paths=(),
                     locations='location = /oops { auth_oidc off; add_header X-Code $oidc_error always;'
                               ' root @FOLDER@; }', public=("/oops",))
    (site.folder / "oops").write_text("our own page")
    site.idp.claims = lambda c: {**c, "aud": "other"}
    answer = site.browser().try_login("/x")
    assert answer.status == 502 and answer.body == b"our own page", answer
    assert answer.headers.get("x-code") == "id_token_aud"
    assert [r[1] for r in site.refusals()] == ["id_token_aud"]


# ---- the authorization request ---------------------------------------------------------------

@case("A-01")
def test_parameters_of_the_authorization_request(make_site):
    site = make_site(control=False, directives={
        "scope": "email groups", "prompt": "$arg_prompt", "login_hint": "$cookie_last",
        "ui_locales": '"de en"', "claims": "'{\"id_token\":{\"groups\":{\"essential\":true}}}'",
        "extra_auth_args": '"resource=https%3A%2F%2Fapi&kc_idp_hint=$arg_idp"', "max_age": "30m",
        "acr_values": "mfa"})
    browser = site.browser()
    browser.jar.set("last", "jane doe@example.org")
    query = query_of(browser.get("/x?prompt=login&idp=corp").location)
    assert query["scope"].split() == ["openid", "email", "groups"]
    assert query["prompt"] == "login" and query["login_hint"] == "jane doe@example.org"
    assert query["ui_locales"] == "de en" and query["max_age"] == "1800"
    assert json.loads(query["claims"]) == {"id_token": {"groups": {"essential": True}}}
    assert query["resource"] == "https://api" and query["kc_idp_hint"] == "corp"
    assert query["acr_values"] == "mfa"
    empty = query_of(site.browser().get("/x").location)
    assert "prompt" not in empty and "login_hint" not in empty


@pytest.mark.parametrize("text", rows("Q-13", {
    "parameter": "corp%26state%3Devil", "crlf": "a%0d%0aX:%20y", "raw-amp": "a&state=evil",
    "redirect": "a%26redirect_uri%3Dhttps%3A%2F%2Fevil.example"}))
def test_variables_in_the_authorization_request(make_site, text):
    """Whatever a client puts into a variable, our own parameters appear once and are ours."""
    site = make_site(control=False, directives={"login_hint": "$arg_hint",
                                                "extra_auth_args": '"h=$arg_hint"'})
    answer = site.browser().get("/x?hint=" + text)
    if answer.status == 302:
        pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location).query,
                                       keep_blank_values=True)
        for name in ("state", "redirect_uri", "nonce", "client_id", "response_type", "scope"):
            assert len([1 for n, _ in pairs if n == name]) == 1, pairs
        assert dict(pairs)["state"].startswith("ngxoidc1.")
        assert dict(pairs)["redirect_uri"] == site.origin_text + "/oidc_callback"
    else:
        assert answer.status in (400, 500)


@case("A-01")
def test_absolute_redirect_uri(make_site):
    """It names the public origin, too."""
    site = make_site(base_url=False, control=False, start=False)
    uri = site.origin_text + "/cb"
    site.providers = {"idp": (site.idp, {"redirect_uri": uri})}
    site.own_paths = ("/cb",)
    site.nginx.write(site.render())
    site.start()
    browser = site.browser()
    first = browser.start("/x")
    assert query_of(first.location)["redirect_uri"] == uri
    answer = browser.callback(browser.callback_url(first))
    assert answer.location in (site.origin_text + "/x", "/x")
    passes(site, browser.get("/x"), remote_user="jdoe")


@pytest.mark.parametrize("order, user", rows("F-username", {
    "email": ("email", "jdoe@example.org"), "fallback": ("nickname name sub", "John Doe"),
    "sub": ("sub", "u-1001"), "missing": ("nickname", None)}))
def test_username_claim(make_site, order, user):
    site = make_site(directives={"username_claim": order}, control=False, identity=lambda p, c: None)
    browser = site.browser()
    answer = browser.try_login("/x")
    if user is None:
        reject(site, answer, "username_missing")
    else:
        passes(site, browser.get("/x"), remote_user=user)


# ---- client secrets --------------------------------------------------------------------------

@pytest.mark.parametrize("ending", rows("S-04", {"none": "", "newline": "\n", "crlf": "\r\n"}))
def test_client_secret_file(lab, make_site, ending):
    idp = Idp(lab.keys)
    path = lab.folder / "secret"
    path.write_bytes((idp.client_secret + ending).encode())
    path.chmod(0o600)
    site = make_site(idp=idp, directives={"client_secret": None, "client_secret_file": path})
    with site.signed_in():
        pass
    assert idp.complaints == []


@case("S-04")
def test_two_newlines_are_not_one(lab, make_site):
    """One final newline is dropped, no more: the secret is what the file says."""
    idp = Idp(lab.keys)
    path = lab.folder / "secret2"
    path.write_text(idp.client_secret + "\n\n")
    path.chmod(0o600)
    site = make_site(idp=idp, directives={"client_secret": None, "client_secret_file": path},
                     control=False)
    reject(site, site.browser().try_login("/x"), "token_client_auth")


@pytest.mark.kills_workers
@case("F-22")
def test_secret_file_that_goes_away(lab, make_site):
    idp = Idp(lab.keys)
    path = lab.folder / "secret3"
    path.write_text(idp.client_secret)
    path.chmod(0o600)
    site = make_site(idp=idp, directives={"client_secret": None, "client_secret_file": path})
    path.unlink()
    assert site.nginx.reload() is False
    site.allow_log("client_secret_file")
    with site.signed_in():
        pass
    path.write_text("another")
    path.chmod(0o600)
    assert site.nginx.reload()
    site.control.close()
    site.state.pids = site.nginx.worker_pids()
    browser = site.browser()
    reject(site, browser.try_login("/x"), "token_client_auth")


@case("S-02")
def test_secrets_do_not_show(make_site, lab):
    idp = Idp(lab.keys)
    path = lab.folder / "secret4"
    path.write_text(idp.client_secret)
    path.chmod(0o600)
    site = make_site(idp=idp, directives={"client_secret": None, "client_secret_file": path})
    code, out = site.nginx.test("-T")
    assert code == 0 and idp.client_secret not in out
    for pid in [site.nginx.pid, *site.nginx.worker_pids()]:
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                assert idp.client_secret.encode() not in f.read()


# ---- assertion -------------------------------------------------------------------------------

def write_key(lab, alg):
    path = lab.folder / f"assertion-{alg}"
    if alg == "HS256":
        path.write_text("shared-secret-of-at-least-32-characters\n")
        key = None
    else:
        key = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" \
            else ed25519.Ed25519PrivateKey.generate()
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    path.chmod(0o600)
    return path, key


def check_signature(alg, token, jwk):
    data, _, signature = token.rpartition(".")
    signature = b64u_decode(signature)
    if alg == "HS256":
        assert signature == forge.hs_sign(alg, b"shared-secret-of-at-least-32-characters",
                                          data.encode())
    elif alg == "ES256":
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(b64u_decode(jwk["x"]), "big"),
            int.from_bytes(b64u_decode(jwk["y"]), "big"), ec.SECP256R1())
        der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"),
                                         int.from_bytes(signature[32:], "big"))
        numbers.public_key().verify(der, data.encode(), ec.ECDSA(hashes.SHA256()))
    else:
        ed25519.Ed25519PublicKey.from_public_bytes(b64u_decode(jwk["x"])).verify(
            signature, data.encode())


@pytest.mark.parametrize("alg", rows("F-assertion", {a: a for a in ("HS256", "ES256", "EdDSA")}))
def test_assertion(lab, make_site, alg):
    path, _ = write_key(lab, alg)
    site = make_site(
        http=f"oidc_assertion {{ key_file {path}; alg {alg}; audience backend-$host; lifetime 30s; }}",
        locations="location /as/ { auth_oidc_assertion on; proxy_pass http://@BACKEND@; }\n"
                  "location = /keys { auth_oidc off; oidc_jwks; }",
        identity=lambda p, c: None, public=("/public/", "/keys"))
    keys = site.browser().get("/keys", kind="plain")
    assert keys.status == 200 and "json" in keys.headers.get("content-type")
    jwks = keys.json()["keys"]
    assert (jwks == []) == (alg == "HS256")
    if jwks:
        assert "d" not in jwks[0] and jwks[0]["use"] == "sig"
    with site.signed_in(groups=["a,b", "c"], name="Zo\u00eb") as browser:
        seen = set()
        for _ in range(2):
            hit = passes(site, browser.get("/as/x", extra=[("X-Oidc-Assertion", "forged"),
                                                           ("X_Oidc_Assertion", "forged")]))
            (token,) = hit.headers.all("X-Oidc-Assertion")
            header, claims = (json.loads(b64u_decode(p)) for p in token.split(".")[:2])
            assert header["alg"] == alg
            check_signature(alg, token, jwks[0] if jwks else None)
            now = time.time()
            assert claims["iss"] == site.origin_text and claims["aud"] == f"backend-{site.host}"
            assert claims["sub"] == "u-1001" and claims["idp"] == site.idp.issuer
            assert now - 5 < claims["iat"] <= now + 1 and claims["exp"] == claims["iat"] + 30
            assert claims["groups"] == ["a,b", "c"] and claims["name"] == "Zo\u00eb"
            assert claims["email"] == "jdoe@example.org"
            seen.add(claims["jti"])
        assert len(seen) == 2
        assert passes(site, browser.get("/x")).headers.all("X-Oidc-Assertion") == []
    unauthenticated = site.browser().get("/public/x", extra=[("X-Oidc-Assertion", "forged")])
    assert passes(site, unauthenticated).headers.all("X-Oidc-Assertion") == []


@case("U-06")
def test_claims_cannot_replace_those_of_the_assertion(lab, make_site):
    path, _ = write_key(lab, "HS256")
    site = make_site(http=f"oidc_assertion {{ key_file {path}; claims email groups jti idp exp; }}",
                     server="auth_oidc_assertion on;", identity=lambda p, c: None,
                     directives={"userinfo": "on"}, control=False)
    site.idp.claims = lambda c: {**c, "jti": "evil", "idp": "evil"}
    browser = site.browser()
    browser.login("/x")
    (token,) = site.backend.last.headers.all("X-Oidc-Assertion")
    claims = json.loads(b64u_decode(token.split(".")[1]))
    assert claims["idp"] == site.idp.issuer and claims["jti"] != "evil"
    assert claims["exp"] <= time.time() + 61 and claims["aud"] == site.origin_text
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "idp", "email", "groups"}


def claims_by(secret, token):
    """The claims of an assertion that this secret has signed; no other one has."""
    data, _, signature = token.rpartition(".")
    assert b64u_decode(signature) == forge.hs_sign("HS256", secret, data.encode())
    return json.loads(b64u_decode(data.split(".")[1]))


@case("U-13")
def test_each_backend_has_a_key_of_its_own(lab, make_site):
    secrets = {name: f"the secret of backend {name}, long enough".encode() for name in "abc"}
    blocks = {}
    for name, secret in secrets.items():
        path = lab.folder / f"assertion-of-{name}"
        path.write_bytes(secret + b"\n")
        path.chmod(0o600)
        blocks[name] = f"oidc_assertion {{ key_file {path}; audience {name}; }}"
    es256, _ = write_key(lab, "ES256")
    site = make_site(
        http=blocks["a"], server=blocks["b"] + " auth_oidc_assertion on;",
        locations=f"location /c/ {{ {blocks['c']} proxy_pass http://@BACKEND@; }}\n"
                  f"location /c/es/ {{ oidc_assertion {{ key_file {es256}; alg ES256; audience es; }}"
                  "  proxy_pass http://@BACKEND@; }\n"
                  "location /b/to-c/ { rewrite ^ /c/rewritten last; }\n"
                  "location /b/lost/ { error_page 404 = /c/es/lost; return 404; }\n"
                  "location /none/ { auth_oidc_assertion off; proxy_pass http://@BACKEND@; }\n"
                  f"location = /keys {{ auth_oidc off; oidc_jwks; }}\n"
                  f"location = /c/es/keys {{ auth_oidc off; oidc_jwks; oidc_assertion"
                  f" {{ key_file {es256}; alg ES256; }} }}",
        identity=lambda p, c: None, public=("/public/", "/keys", "/c/es/keys"))
    assert site.browser().get("/keys", kind="plain").json()["keys"] == []
    (jwk,) = site.browser().get("/c/es/keys", kind="plain").json()["keys"]
    with site.signed_in() as browser:
        def assertion(path):
            return passes(site, browser.get(path)).headers.all("X-Oidc-Assertion")
        for path, name in (("/x", "b"), ("/c/x", "c"), ("/b/to-c/x", "c"), ("/x", "b")):
            (token,) = assertion(path)
            assert claims_by(secrets[name], token)["aud"] == name
        for path in ("/c/es/x", "/b/lost/x"):
            (token,) = assertion(path)
            check_signature("ES256", token, jwk)
        assert assertion("/none/x") == []


@case("U-14")
def test_an_assertion_that_is_too_large(lab, make_site):
    path, _ = write_key(lab, "HS256")
    site = make_site(
        http=f"oidc_assertion {{ key_file {path}; max_size 1k; }}", identity=lambda p, c: None,
        locations="location /as/ { auth_oidc_assertion on; proxy_pass http://@BACKEND@; }\n"
                  f"location /few/ {{ auth_oidc_assertion on; proxy_pass http://@BACKEND@;"
                  f" oidc_assertion {{ key_file {path}; claims name email; }} }}\n"
                  "location /var/ { proxy_set_header X-Mine $oidc_assertion; proxy_pass http://@BACKEND@; }")
    groups = [f"department-{i:03}-of-many" for i in range(40)]
    with site.signed_in(groups=groups) as browser:
        for count, kind in enumerate(("navigate", "plain"), 1):
            answer = browser.get("/as/x", kind=kind)
            reject(site, answer, "assertion_too_large", 500, refusals=count, consumed=False,
                   html=kind == "navigate")
            log = site.log_since_mark()
            assert '"groups"' in log and "1024" in log, log
            assert "department" not in log + answer.text
        hit = passes(site, browser.get("/var/x", extra=[("X-Mine", "forged")]))
        assert hit.headers.all("X-Mine") == []
        assert "$oidc_assertion: the assertion would have" in site.log_since_mark()
        # What needs no assertion, or less of it, is served.
        assert passes(site, browser.get("/x")).headers.all("X-Oidc-Assertion") == []
        (token,) = passes(site, browser.get("/few/x")).headers.all("X-Oidc-Assertion")
        assert "groups" not in json.loads(b64u_decode(token.split(".")[1]))


# ---- auth_oidc_pass_header -------------------------------------------------------------------

@case("Q-50")
def test_a_header_of_another_application(make_site):
    site = make_site(
        identity=lambda p, c: None, public=("/public/", "/open/"),
        locations="location /open/ { auth_oidc off; auth_oidc_pass_header X-Oidc-Nonce x-oidc-other;"
                  " proxy_pass http://@BACKEND@; location /open/not/ { auth_oidc_pass_header off;"
                  " proxy_pass http://@BACKEND@; } location /open/to/ { rewrite ^ /in/x last; }"
                  " location /open/named/ { return 418; error_page 418 = @named; } }\n"
                  "location /in/ { auth_oidc_pass_header X-Oidc-Nonce; proxy_pass http://@BACKEND@; }\n"
                  "location /maybe/ { auth_oidc_mode verify; auth_oidc_pass_header X-Oidc-Nonce;"
                  " proxy_pass http://@BACKEND@; }\n"
                  "location @named { auth_oidc off; proxy_pass http://@BACKEND@; }")
    sent = [("X-OIDC-nonce", "n1"), ("X-Oidc-Other", "o1"), ("X-Oidc-Assertion", "forged"), ("X_Oidc_Nonce", "n2"),
            ("X-Oidc.Nonce", "n3"), ("X-Oidc-Nonce-", "n4"), ("X-Oidc-Session", "s"), ("Remote-User", "admin")]

    def got(hit):
        return sorted((name.lower(), value) for name, value in hit.headers
                      if re.sub("[^a-z]+", "-", name.lower()).startswith("x-oidc") or value == "admin")

    # What the harness looks for everywhere is what is wanted here.
    site.state.check_hits = False
    anonymous = site.browser()
    for path, want in (("/open/x", [("x-oidc-nonce", "n1"), ("x-oidc-other", "o1")]), ("/open/not/x", []),
                       ("/maybe/x", [("x-oidc-nonce", "n1")]), ("/public/x", []), ("/open/named/x", [])):
        assert got(passes(site, anonymous.get(path, extra=sent))) == want, path
    assert anonymous.get("/open/to/x", extra=sent).status == 302
    with site.signed_in() as browser:
        for path, want in (("/in/x", [("x-oidc-nonce", "n1")]), ("/x", []), ("/open/to/x", [("x-oidc-nonce", "n1")]),
                           ("/maybe/x", [("x-oidc-nonce", "n1")])):
            hit = passes(site, browser.get(path, extra=sent))
            assert got(hit) == want, path
            assert hit.headers.all("Remote-User") == ["jdoe"]
        # Bounded, whatever a client sends, for each name by itself.
        many = [("X-Oidc-Other", str(i)) for i in range(20)] + [("X-Oidc-Nonce", str(i)) for i in range(20)]
        assert got(passes(site, browser.get("/in/x", extra=many))) == [("x-oidc-nonce", str(i)) for i in range(4)]


@case("Q-50")
def test_more_headers_of_another_application(make_site):
    """All that are named, however many."""
    names = [f"X-Oidc-Part{i}" for i in range(9)]
    site = make_site(identity=lambda p, c: None, control=False,
                     locations=f"location /in/ {{ auth_oidc_pass_header {' '.join(names)};"
                               " proxy_pass http://@BACKEND@; }")
    site.state.check_hits = False
    with site.signed_in() as browser:
        hit = passes(site, browser.get("/in/x", extra=[(name, "v") for name in names]))
        assert [name for name in names if hit.headers.all(name) != ["v"]] == []


# ---- forward, fragment, return-to ------------------------------------------------------------

@case("A-01")
def test_forward_with_assertion_and_return_target(lab, make_site):
    path, _ = write_key(lab, "HS256")
    site = make_site(
        directives={"callback": "forward", "redirect_uri": "/oauth-callback.php",
                    "client_secret_file": None},
        http=f"oidc_assertion {{ key_file {path}; }}", own_paths=(), control=False,
        identity=lambda p, c: None,
        locations="location = /oauth-callback.php { auth_oidc_assertion on; fastcgi_pass @FCGI@;\n"
                  "@FCGI_PARAMS@ }")
    browser = site.browser()
    answer = browser.try_login("/?entryPoint=x&a=b#not-sent")
    hit = passes(site, answer, remote_user="jdoe", x_oidc_return_to="/?entryPoint=x&a=b")
    (token,) = hit.headers.all("HTTP_X_OIDC_ASSERTION")
    assert json.loads(b64u_decode(token.split(".")[1]))["sub"] == "u-1001"
    again = browser.get("/oauth-callback.php?return_to=%2Fy")
    hit = passes(site, again, remote_user="jdoe")
    assert hit.headers.all("HTTP_X_OIDC_RETURN_TO") in ([], [""])
    # The application's own page asks for the sign-in, with the route that only it knows.
    route = site.browser().try_login("/oauth-callback.php?return_to=%2F%23Calendar")
    passes(site, route, remote_user="jdoe", x_oidc_return_to="/#Calendar")


@case("Q-01")
def test_fragment_page(make_site):
    """The fragment never reaches a server; a page of ours keeps it in a cookie over the login."""
    site = make_site(directives={"preserve_fragment": "on"}, control=False)
    browser = site.browser()
    page = browser.get("/app?x=1")
    assert page.status == 200 and "no-store" in page.headers.get("cache-control"), page
    policy = page.headers.get("content-security-policy")
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy
    assert "unsafe-inline" not in policy
    (pending,) = [c for c in page.set_cookies() if "LOGIN" in c.name]
    handle = pending.name.split("NGX_OIDC_LOGIN_")[1]
    assert f"NGX_OIDC_FRAGMENT_{handle}" in page.text
    import html
    import re
    found = re.search(r'https?://[^"\'<> ]+/authorize\?[^"\'<> ]+', page.text)
    url = html.unescape(found[0]).replace("\\u0026", "&").replace("\\/", "/")
    # What the script does.
    browser.jar.set(f"__Host-NGX_OIDC_FRAGMENT_{handle}", urllib.parse.quote("#Account/view/1?a=b"))
    target = site.idp.authorize(url)[len(site.origin_text):]
    answer = browser.callback(target)
    assert answer.status in (302, 303), answer
    assert answer.location.endswith("/app?x=1#Account/view/1?a=b"), answer
    assert browser.jar.named("FRAGMENT") == []
    hit = passes(site, browser.get("/app?x=1"))
    assert hit.header("Cookie") is None
    # A fragment that wants to be more than one.
    for evil in ("\r\nSet-Cookie: x=y", "#<script>", "\u0000", "https://evil.example", "#" + "a" * 3000):
        browser = site.browser()
        page = browser.get("/app")
        handle = [c for c in page.set_cookies()][0].name.split("NGX_OIDC_LOGIN_")[1]
        found = re.search(r'https?://[^"\'<> ]+/authorize\?[^"\'<> ]+', page.text)
        url = html.unescape(found[0]).replace("\\u0026", "&").replace("\\/", "/")
        cookie = browser.jar.header("https", site.host, "/oidc_callback")
        target = site.idp.authorize(url)[len(site.origin_text):]
        answer = browser.request("GET", target, cookies=False, headers={
            "Cookie": f"{cookie}; __Host-NGX_OIDC_FRAGMENT_{handle}={urllib.parse.quote(evil)}"})
        assert answer.status in (302, 303) and answer.headers.get("x") is None, answer
        assert answer.location.startswith((site.origin_text + "/app", "/app")), answer
        assert "\r" not in answer.location


# ---- early data, status ----------------------------------------------------------------------

@case("N-16")
def test_early_data_header(make_site):
    """A front end that terminates TLS says so (RFC 8470): 425, and nothing is used up."""
    site = make_site(directives={"logout_uri": "/logout"}, own_paths=("/oidc_callback", "/logout"))
    browser = site.browser()
    first = browser.start("/x")
    target = browser.callback_url(first)
    answer = browser.get(target, headers={"Early-Data": "1"})
    assert answer.status == 425, answer
    assert site.delta("token") == 0
    assert browser.callback(target).status in (302, 303)
    assert browser.get("/logout", headers={"Early-Data": "1"}).status == 425
    passes(site, browser.get("/x"), remote_user="jdoe")


@case("S-03")
def test_status(site):
    with site.signed_in():
        pass
    answer = site.browser().get("/status", kind="plain")
    assert answer.status == 200 and "json" in answer.headers.get("content-type"), answer
    text = answer.text
    status = answer.json()
    assert "idp" in json.dumps(status)
    assert "jdoe" not in text and site.idp.client_secret not in text
    for secret in list(site.state.canaries) + list(site.idp.canaries):
        assert secret not in text
    assert "no-store" in answer.headers.get("cache-control", "")
    refused = site.browser()
    refused.get("/oidc_callback?code=x&state=ngxoidc1.unknown")
    assert "state_unknown" in site.browser().get("/status", kind="plain").text


@case("S-01")
def test_our_own_lines_at_debug_level(make_site):
    """nginx's own debug lines show headers; ours show no secret at any level."""
    site = make_site(level="debug", directives={"userinfo": "on", "logout_uri": "/logout",
                                                "logout_token_hint": "on"},
                     own_paths=("/oidc_callback", "/logout"), control=False)
    browser = site.browser()
    browser.login("/x")
    browser.get("/x")
    site.idp.claims = lambda c: {**c, "nonce": "wrong"}
    site.browser().try_login("/x")
    browser.get("/logout")
    ours = "\n".join(line.split(", client: ")[0] for line in site.nginx.log().splitlines()
                     if "oidc: " in line)
    assert "refused" in ours
    for secret, what in {**site.idp.canaries, **site.state.canaries}.items():
        assert secret not in ours, what
    site.idp.canaries.clear()
    site.state.canaries.clear()
    site.nginx.error_log.write_text("")
    site.state.references.clear()


@case("Q-22")
def test_header_named_like_authorization(make_site):
    """auth_oidc_header may set Authorization: the client's own never gets through then."""
    site = make_site(server='auth_oidc_header Authorization "Bearer $oidc_access_token";',
                     identity=lambda p, c: {})
    site.idp.access_token = "the-access-token"
    browser = site.browser()
    browser.login("/x")
    hit = passes(site, browser.get("/x", headers={"Authorization": "Basic evil"}))
    assert hit.headers.all("Authorization") == ["Bearer the-access-token"]
    public = site.browser().get("/public/x", headers={"Authorization": "Basic evil"})
    assert passes(site, public).headers.all("Authorization") == []


@case("A-27")
def test_login_url_of_a_401(site):
    """The JSON names where a script can send the user; that URL begins a login."""
    browser = site.browser()
    body = unauthorized(browser.get("/api/x?y=1", kind="xhr"))
    target = site.path_of(body["login_url"])
    answer = browser.get(target)
    challenge(site, answer)
