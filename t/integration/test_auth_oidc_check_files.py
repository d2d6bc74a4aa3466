# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-check: files of keys and certificates, how long each is good for, and clients that have no secret."""

import base64
import hashlib
import importlib
import json
import os
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.cases import case, rows
from harness.forge import signed
from harness.nginx import ROOT
from harness.pki import DAY
from harness.proxy import Proxy
from harness.wire import Reply
from test_auth_oidc_check import PROGRAM, block, check, make_idp, whole  # noqa: F401 - a fixture

KEYS = {"ES256": "p256", "ES384": "p384", "ES512": "p521", "RS256": "rsa", "PS256": "rsa", "EdDSA": "ed"}


def put(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def thumbprint(jwk):
    members = {k: jwk[k] for k in ("crv", "e", "kty", "n", "x", "y") if k in jwk}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", rows("F-40", {a: a for a in KEYS}))
def test_a_client_with_a_key(lab, make_idp, tmp_path, alg):
    """The made-up code goes with an assertion as the module makes it."""
    idp = make_idp()
    idp.auth_methods = ("private_key_jwt",)
    key = getattr(lab.keys, KEYS[alg])
    idp.client_keys = [(thumbprint(key.jwk()), alg, key)]
    file = put(tmp_path / "client.key", key.private_pem())
    result = check(idp, lab, client_secret=None, client_key=f"{file} alg={alg}")
    assert result.code == 0, result.output
    assert "the client is known" in result.text("client authentication")
    assert idp.count("token") == 1 and key.private_pem() not in result.output
    # Another key is one that the provider does not know.
    other = lab.keys.p384 if KEYS[alg] != "p384" else lab.keys.p256
    put(file, other.private_pem())
    result = check(idp, lab, client_secret=None, client_key=file)
    assert result.code == 1 and "proves itself by" in result.text("client authentication"), result.output


@case("F-40")
def test_a_client_with_an_assertion_of_a_file(lab, make_idp, tmp_path):
    idp = make_idp()
    idp.auth_methods = ("private_key_jwt",)
    key = lab.keys.p256
    idp.client_keys = [("k", "ES256", key)]

    def assertion(exp):
        now = int(time.time())
        claims = {"iss": idp.client_id, "sub": idp.client_id, "aud": idp.issuer, "iat": now, "exp": exp,
                  "jti": os.urandom(16).hex()}
        return signed({"alg": "ES256", "kid": "k"}, claims, key)
    file = tmp_path / "assertion"
    text = assertion(int(time.time()) + 50)
    put(file, text + "\n", 0o644)
    result = check(idp, lab, client_secret=None, client_assertion_file=file)
    assert result.code == 0 and "good for" in result.text("client_assertion_file"), result.output
    assert text not in result.output
    put(file, assertion(int(time.time()) - 60))
    result = check(idp, lab, client_secret=None, client_assertion_file=file)
    assert result.code == 1 and "ended" in result.text("client_assertion_file"), result.output
    put(file, "no token")
    result = check(idp, lab, client_secret=None, client_assertion_file=file)
    assert result.code == 1 and "holds no JWT" in result.text("client_assertion_file"), result.output


@pytest.mark.parametrize("name", rows("F-40", {n: n for n in ("client_key", "dpop_key", "id_token_encryption_key",
                                                              "client_certificate", "client_assertion_file")}))
def test_files_that_cannot_be_read(lab, make_idp, tmp_path, name):
    changes = {name: tmp_path / "nothing"}
    if name == "client_certificate":
        changes["client_key"] = put(tmp_path / "key", lab.keys.p256.private_pem())
    result = check(make_idp(), lab, **changes)
    assert result.code == 1 and "No such file" in result.text(name), result.output
    put(tmp_path / "nothing", "")
    assert "empty" in check(make_idp(), lab, **changes).text(name)


@pytest.mark.parametrize("name", rows("F-40", {n: n for n in ("client_key", "dpop_key", "id_token_encryption_key")}))
def test_keys_that_are_none(lab, make_idp, tmp_path, name):
    file = put(tmp_path / "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    result = check(make_idp(), lab, "--no-client-authentication", **{name: file})
    assert result.code == 1 and "openssl cannot read it" in result.text(name), result.output
    put(file, lab.keys.p256.private_pem(), 0o644)
    result = check(make_idp(), lab, "--no-client-authentication", **{name: file})
    assert result.code == 1 and "others can read it" in result.text(name), result.output


@pytest.mark.parametrize("words", rows("F-40", {
    "key-x25519": ["X25519"], "key-ed448": ["ED448"], "key-x448": ["X448"], "key-rsa-pss": ["RSA-PSS"],
    "key-secp256k1": ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    "key-explicit": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
}))
def test_keys_of_another_kind(lab, make_idp, tmp_path, words):
    """Some are as long as one of those that sign."""
    file = tmp_path / "key"
    subprocess.run(["openssl", "genpkey", "-out", file, "-algorithm", *words], check=True, capture_output=True,
                   timeout=60)
    file.chmod(0o600)
    result = check(make_idp(), lab, "--no-client-authentication", client_key=file)
    assert "wrong: it is neither an RSA, a P-256" in result.text("client_key") and result.code == 1, result.output


@case("F-40")
def test_a_key_whose_public_half_is_short(lab, make_idp, tmp_path):
    """Of a point there may be x alone (SEC 1, 2.3.3); what names the key has y as well."""
    idp, key = make_idp(), lab.keys.p256
    idp.auth_methods = ("private_key_jwt",)
    idp.client_keys = [(thumbprint(key.jwk()), "ES256", key)]
    file = put(tmp_path / "key", key.private_pem())
    subprocess.run(["openssl", "ec", "-in", file, "-out", file, "-conv_form", "compressed"], check=True,
                   capture_output=True, timeout=60)
    result = check(idp, lab, client_secret=None, client_key=file)
    assert result.code == 0 and "the client is known" in result.text("client authentication"), result.output


@case("F-40")
def test_an_openssl_that_comes_to_no_end(monkeypatch):
    """It is there: that is not said to be missing."""
    monkeypatch.syspath_prepend(str(ROOT / "ops"))
    module = importlib.import_module("auth_oidc_check.openssl")

    def told(fault):
        def run(*_, **__):
            raise fault
        monkeypatch.setattr(module.subprocess, "run", run)
        with pytest.raises(module.Trouble) as caught:
            module.openssl("pkey")
        return caught.value.text
    assert told(subprocess.TimeoutExpired("openssl", 20)) == "openssl has not come to an end"
    assert told(FileNotFoundError()) == "there is no program openssl to look with"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("name", rows("F-40", {n: n for n in ("client_secret_file", "client_key")}))
def test_renewed_files_are_the_workers(lab, make_idp, tmp_path, name):
    idp = make_idp()
    text = idp.client_secret if name == "client_secret_file" else lab.keys.p256.private_pem()
    folder = tmp_path / "watched"
    folder.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    file = put(folder / "file", text, 0o600)
    changes = {"client_secret": None, name: f"{file} watch"}
    result = check(idp, lab, "--no-client-authentication", user="nobody", **changes)
    assert result.code == 1 and "cannot be read by the workers' user" in result.text(name), result.output
    file.chmod(0o644)
    result = check(idp, lab, "--no-client-authentication", user="nobody", **changes)
    assert "cannot be read" not in result.text(name), result.output


@pytest.mark.parametrize("content, alg, words", rows("F-40", {
    "assertion-absent": (None, "HS256", "No such file"), "assertion-short": ("0" * 31, "HS256", "less than 32 characters"),
    "assertion-secret": ("0" * 32, "HS256", None), "assertion-lines": ("0" * 32 + "\nx", "HS256", "more than one line"),
    "assertion-key": (lambda keys: keys.p256.private_pem(), "ES256", None),
    "assertion-no-key": ("0" * 32, "EdDSA", "openssl cannot read it"),
}))
def test_the_key_of_assertions(lab, make_idp, tmp_path, content, alg, words):
    file = tmp_path / "assertion"
    if content:
        put(file, content if isinstance(content, str) else content(lab.keys))
    one = f"oidc_assertion {{ key_file {file}; alg {alg}; }}"
    result = check(make_idp(), lab, http=f"{one} server {{ listen 1; {one} }}")
    told = [x for x in result.of("wrong") if x["about"] == "oidc_assertion"]
    assert len(told) == bool(words) and result.code == bool(words), result.output
    assert not words or words in told[0]["text"], result.output


# ---- how long each is good for

@case("F-40")
def test_each_certificate_is_told_once(lab, make_idp):
    """Also of endpoints that lie elsewhere."""
    soon = lab.pki.ca.issue("soon", end=5 * DAY, dns=["localhost"])
    one, other = make_idp(leaf=lab.pki.idp), make_idp(leaf=soon)
    one.metadata = lambda d: {**d, "token_endpoint": other.url("token"), "end_session_endpoint": other.url("logout")}
    other.client_id, other.client_secret = one.client_id, one.client_secret
    result = check(one, lab, logout_uri="/logout")
    lines = result.text("certificate").splitlines()
    assert sum(f"localhost:{other.port} ends in" in x for x in lines) == 1, result.output
    assert sum(f"localhost:{one.port} is good" in x for x in lines) == 1
    assert result.code == 1


@case("F-40")
def test_an_authority_that_the_server_sends_ends(lab, make_idp):
    long = lab.pki.intermediate.issue("long", end=300 * DAY, dns=["localhost"], chain=[lab.pki.intermediate])
    idp = make_idp(leaf=long)
    words = f"of localhost:{idp.port} hangs on the authority middle ca, which ends in 30.0 days"
    assert "middle ca" not in check(idp, lab).output
    result = check(idp, lab, "--days", "60")
    assert words in result.text("certificate") and f"of localhost:{idp.port} is good for" in result.text("certificate")
    with Proxy(leaf=lab.pki.idp) as proxy:
        result = check(idp, lab, "--days", "60", http_proxy=f"https://localhost:{proxy.port}")
    assert words in result.text("certificate"), result.output


@case("F-40")
def test_authorities_and_revocation_lists_end(lab, make_idp, tmp_path):
    idp = make_idp(leaf=lab.pki.idp)
    result = check(idp, lab, ssl_crl=lab.pki.crl)
    assert result.code == 0, result.output
    assert "ssl_trusted_certificate is good for" in result.text("certificate")
    assert "ssl_crl is good for" in result.text("certificate")
    result = check(idp, lab, "--days", "100000", ssl_crl=lab.pki.crl)
    assert result.code == 1
    assert "wrong: ssl_trusted_certificate ends in" in result.text("certificate"), result.output
    assert "ok: ssl_crl is good for" in result.text("certificate"), result.output
    soon = lab.pki.ca.issue("soon-ca", end=5 * DAY, dns=["localhost"])
    both = tmp_path / "both"
    both.write_bytes(lab.pki.ca.file.read_bytes() + soon.cert_file.read_bytes())
    result = check(idp, lab, ssl_trusted_certificate=both)
    assert result.code == 0 and "others stay good" in result.text("certificate"), result.output


@case("F-40", "P-05")
def test_a_client_with_a_certificate(lab, make_idp, tmp_path):
    idp = make_idp(leaf=lab.pki.idp)
    leaf = lab.pki.ca.issue("client", usage=ExtendedKeyUsageOID.CLIENT_AUTH, common="client-1")
    key = put(tmp_path / "key", leaf.key_file.read_text())
    changes = {"client_secret": None, "client_certificate": leaf.cert_file, "client_key": key,
               "token_endpoint_auth_method": "tls_client_auth"}
    idp.client_ca, idp.client_certificate = lab.pki.ca.file, leaf.cert.public_bytes(Encoding.DER)
    idp.auth_methods = ("tls_client_auth",)
    result = check(idp, lab, **changes)
    assert result.code == 0 and "the client is known" in result.text("client authentication"), result.output
    assert "client_certificate is good for" in result.text("certificate")
    put(key, lab.keys.p256.private_pem())
    result = check(idp, lab, **changes)
    assert result.code == 1 and "do not fit together" in result.text("client authentication"), result.output


@case("F-40", "P-05")
def test_endpoints_that_ask_for_a_certificate(lab, make_idp, tmp_path):
    """By the addresses of mtls_endpoint_aliases, where the configuration gives none."""
    idp = make_idp(leaf=lab.pki.idp)
    leaf = lab.pki.ca.issue("client", usage=ExtendedKeyUsageOID.CLIENT_AUTH, common="client-1")
    changes = {"client_secret": None, "client_certificate": leaf.cert_file,
               "client_key": put(tmp_path / "key", leaf.key_file.read_text()), "userinfo": "on", "revoke_on_logout": "on",
               "token_endpoint_auth_method": "tls_client_auth", "par": "on"}
    idp.client_ca, idp.client_certificate = lab.pki.ca.file, leaf.cert.public_bytes(Encoding.DER)
    idp.auth_methods, idp.aliases = ("tls_client_auth",), ("token", "userinfo", "revoke", "par")
    result = check(idp, lab, **changes)
    assert result.code == 0, result.output
    for name, check_name in (("token", "client authentication"), ("userinfo", "userinfo_endpoint"),
                             ("revoke", "revocation_endpoint"), ("par", "pushed_authorization_request_endpoint")):
        assert idp.last(name).certificate and f"/mtls/{name} " in result.text(check_name), result.output
    assert f"{idp.base}/token " in check(idp, lab, **changes, token_endpoint=idp.url("token")).text("client authentication")
    idp.metadata = lambda d: {**d, "mtls_endpoint_aliases": ["x"]}
    result = check(idp, lab, **changes)
    assert "mtls_endpoint_aliases of the metadata is no object" in result.text("token_endpoint"), result.output


@case("F-40")
def test_userinfo_by_post(lab, make_idp):
    idp = make_idp()
    idp.on["userinfo"] = lambda e: Reply({}, status=401 if e.request.method == "POST" else 405)
    assert "answers 405" in check(idp, lab, userinfo="on").text("userinfo_endpoint")
    assert check(idp, lab, userinfo="on", userinfo_token_method="body").code == 0


# ---- what is printed

@case("F-40")
def test_quiet_and_plain(lab, make_idp):
    idp = make_idp()
    text = whole(block(idp, lab))

    def plain(*arguments):
        return subprocess.run([sys.executable, str(PROGRAM), "--dump", "-", *arguments], input=text,
                              capture_output=True, text=True, timeout=60, check=False)
    done = plain()
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok      provider main: ", "note    ")) for line in lines), done.stdout
    done = plain("--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    idp.jwks_keys = []
    done = plain("--quiet")
    assert done.returncode == 1 and done.stdout.startswith("WRONG   provider main: keys: "), done.stdout


# ---- endpoints that only a logout asks

@pytest.mark.parametrize("endpoint, reply, wrong", rows("F-40", {
    "end-session-404": ("logout", Reply({}, status=404), "answers 404"),
    "end-session-moved": ("logout", Reply(b"", status=301, ctype=None, headers=[("Location", "https://x.example/l")]),
                          "301 to https://x.example/l, which is not followed"),
    "end-session-500": ("logout", Reply({}, status=500), "answers 500"),
    "end-session-page": ("logout", Reply(b"<html>", status=200, ctype="text/html"), None),
    "end-session-refuses": ("logout", Reply({}, status=400), None),
    "revocation-404": ("revoke", Reply({}, status=404), None),
    "revocation-410": ("revoke", Reply("<html>", status=410, ctype="text/html"), None),
    "revocation-404-error": ("revoke", Reply({"error": "invalid_request"}, status=404), None),
    "revocation-moved": ("revoke", Reply(b"", status=302, ctype=None, headers=[("Location", "/elsewhere")]), "302 to"),
    "revocation-method": ("revoke", Reply({}, status=405), None),
}))
def test_endpoints_of_a_logout(lab, make_idp, endpoint, reply, wrong):
    idp = make_idp()
    idp.on[endpoint] = lambda _: reply
    name = {"logout": "end_session_endpoint", "revoke": "revocation_endpoint"}[endpoint]
    result = check(idp, lab, logout_uri="/logout", revoke_on_logout="on")
    assert (wrong or "answers ") in result.text(name), result.output
    assert (result.code != 0) == bool(wrong), result.output
    # Where nothing asks it nobody looks.
    assert name not in {line["check"] for line in check(idp, lab).lines}


ROUTE = {"error": "invalid_request", "error_description": "unrecognized route or not allowed method"}


@pytest.mark.parametrize("reply, said, configured, status, words", rows("F-40", {
    "post-alone": (Reply(ROUTE, status=404), "@BASE@/revoke", None, "ok", "404 invalid_request to GET"),
    "post-alone-elsewhere": (Reply(ROUTE, status=404), "https://other.example/", "@BASE@/revoke", "ok", "invalid_request"),
    "page": (Reply("<html>", status=404, ctype="text/html"), "@BASE@/revoke", None, "note", "the metadata name it"),
    "page-of-both": (Reply("", status=410), "@BASE@/revoke", "@BASE@/revoke", "note", "the metadata name it"),
    "page-elsewhere": (Reply("", status=404), "https://other.example/", "@BASE@/revoke", "wrong", "have https://other.example/"),
    "page-of-none": (Reply("", status=410), None, "@BASE@/revoke", "wrong", "correct revocation_endpoint"),
    "framework": (Reply({"error": "Not Found"}, status=404), None, "@BASE@/revoke", "wrong", "answers 404"),
    "odd-error": (Reply({"error": ["x"]}, status=404), None, "@BASE@/revoke", "wrong", "answers 404"),
    "list": (Reply("[1]", status=404), "@BASE@/revoke", None, "note", "answers 404"),
}))
def test_a_404_to_get(lab, make_idp, reply, said, configured, status, words):
    """Providers that route POST alone answer so, and nothing else is asked."""
    idp = make_idp()
    idp.on["revoke"] = lambda _: reply
    said, configured = (x and x.replace("@BASE@", idp.base) for x in (said, configured))
    idp.metadata = lambda d: {**d, "revocation_endpoint": said}
    result = check(idp, lab, revoke_on_logout="on", revocation_endpoint=configured)
    name = "revocation_endpoint"
    assert name in result.checks(status) and words in result.text(name), result.output
    assert result.checks("wrong") == ({name} if status == "wrong" else set()), result.output
