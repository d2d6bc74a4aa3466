# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-check: what a provider gets wrong is said by one line, and no secret is."""

import ast
import base64
import email.utils
import importlib
import json
import os
import pwd
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.forge import Key
from harness.idp import Idp
from harness.nginx import ROOT
from harness.ports import free_port
from harness.proxy import Proxy
from harness.wire import abort, Reply

PROGRAM = ROOT / "ops" / "auth-oidc-check"


class Result:
    def __init__(self, done):
        self.code, self.output = done.returncode, done.stdout + done.stderr
        try:
            self.data = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(self.output) from None
        self.lines = self.data["checks"]
        assert self.data["exit"] == self.code, self.output
        # What is not as it should be comes with what to do about it.
        assert all(x["fix"] for x in self.lines if x["status"] in ("wrong", "unknown")), self.output

    def of(self, status):
        return [line for line in self.lines if line["status"] == status]

    def checks(self, status):
        return {line["check"] for line in self.of(status)}

    def text(self, check):
        return "\n".join(f"{x['status']}: {x['text']}; {x['fix']}"
                         for x in self.lines if x["check"] == check)


def run(*arguments, stdin=None, env=None):
    done = subprocess.run([os.environ.get("CHECK_PYTHON", sys.executable), str(PROGRAM), "--json", *map(str, arguments)], input=stdin,
                          capture_output=True, text=True, timeout=60, env=env, check=False)
    return Result(done)


def block(idp, lab, **changes):
    values = {"issuer": idp.issuer, "client_id": f'"{idp.client_id}"',
              "client_secret": f'"{idp.client_secret}"', "scope": "openid profile",
              "redirect_uri": "https://app.test/oidc_callback"}
    if idp.leaf is None:
        values["insecure_http"] = "on"
    else:
        values["ssl_trusted_certificate"] = lab.pki.ca.file
    values.update(changes)
    lines = "\n".join(f"        {k} {v};" for k, v in values.items() if v is not None)
    return f"    oidc_provider main {{\n{lines}\n    }}\n"


def whole(provider, http="", user="root"):
    return f"user {user};\nhttp {{\n{provider}\n{http}\n}}\n"


def check(idp, lab, *arguments, http="", user="root", **changes):
    """The provider alone: no server uses it, so no redirect URI is asked."""
    result = run("--dump", "-", *arguments, stdin=whole(block(idp, lab, **changes), http, user))
    for canary in idp.canaries:
        for shape in (canary, urllib.parse.quote_plus(canary), base64.b64encode(canary.encode()).decode()):
            assert shape not in result.output, idp.canaries[canary]
    return result


@pytest.fixture
def make_idp(lab):
    made = []

    def make(**arguments):
        made.append(Idp(lab.keys, **arguments))
        return made[-1]
    yield make
    for idp in made:
        idp.stop()


def calls(tree):
    """(the name of what is called, the call)"""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


@case("F-40")
def test_no_trouble_without_advice():
    """Where it is said, at the latest in its third argument; report.py demands that there is one."""
    at = {"Trouble": 1, "ConfigurationError": 1, "wrong": 2, "unknown": 2}
    found = 0
    for file in (PROGRAM, *sorted((ROOT / "ops/auth_oidc_check").glob("*.py"))):
        for name, call in calls(ast.parse(file.read_text())):
            if name in at:
                found += 1
                assert len(call.args) > at[name], f"{file.name}:{call.lineno}"
                assert getattr(call.args[at[name]], "value", "-") != "", f"{file.name}:{call.lineno}"
    assert found > 90


@case("F-40")
def test_a_good_provider(lab, make_idp):
    result = check(make_idp(leaf=lab.pki.idp), lab)
    assert result.code == 0, result.output
    assert result.checks("ok") >= {"names", "TLS", "certificate", "metadata", "keys",
                                   "authorization_endpoint", "client authentication"}, result.output


# What the provider does, what is wrong then, and words of the line.
def metadata(**members):
    return lambda idp: setattr(idp, "metadata", lambda d: {**d, **members})


def answers(endpoint, *arguments, **named):
    return lambda idp: idp.on.__setitem__(endpoint, lambda _: Reply(*arguments, **named))


def token_error(error, status=400):
    return answers("token", {"error": error}, status=status)


def keys(*made):
    return lambda idp: setattr(idp, "jwks_keys", list(made))


SMALL = Key.rsa("small", bits=1024).jwk()
OFF_CURVE = {**Key.ec("off").jwk(), "x": Key.ec("other").jwk()["x"]}
RSA = Key.rsa("rsa").jwk()


@pytest.mark.parametrize("fault, wrong, words", rows("F-40", {
    "issuer-slash": (lambda i: setattr(i, "metadata", lambda d: {**d, "issuer": i.issuer + "/"}),
                     "metadata", "final slash only"),
    "issuer-other": (metadata(issuer="https://other.example"), "metadata", "https://other.example"),
    "issuer-none": (metadata(issuer=None), "metadata", "no issuer"),
    "issuer-template": (metadata(issuer="https://login.example/{tenantid}/v2.0"), "metadata",
                        "your own tenant"),
    "metadata-404": (answers("discovery", {}, status=404), "metadata", "answers 404"),
    "metadata-redirect": (answers("discovery", b"", status=301, headers=[
        ("Location", "https://www.example/x?secret=1")]), "metadata", "301 to https://www.example/x,"),
    "metadata-html": (answers("discovery", "<html>", ctype="text/html"), "metadata", "no JSON object"),
    "metadata-list": (answers("discovery", "[1]"), "metadata", "no JSON object"),
    "metadata-large": (answers("discovery", json.dumps({"x": "y" * 262144})), "metadata", "larger than 256 kB"),
    "jwks-large": (answers("jwks", json.dumps({"x": "y" * 262144})), "keys", "larger than 256 kB"),
    "metadata-deep": (answers("discovery", "[" * 100000), "metadata", "no JSON object"),
    "no-par": (metadata(require_pushed_authorization_requests=True, pushed_authorization_request_endpoint=None),
               "pushed_authorization_request_endpoint", "give pushed_authorization_request_endpoint"),
    "request-object": (metadata(require_signed_request_object=True), "metadata", "signed request objects"),
    "no-token-endpoint": (metadata(token_endpoint=None), "token_endpoint", "give token_endpoint"),
    "token-endpoint-number": (metadata(token_endpoint=7), "token_endpoint", "than a string"),
    "endpoint-bracket": (metadata(token_endpoint="https://[::1"), "token_endpoint", "is no URL"),
    "http-endpoint": (metadata(jwks_uri="http://192.0.2.1/jwks"), "jwks_uri", "not https"),
    "jwks-500": (answers("jwks", {}, status=404), "keys", "answers 404"),
    "jwks-empty": (keys(), "keys", "no keys at all"),
    "jwks-without-keys": (answers("jwks", {}), "keys", "no keys at all"),
    "jwks-small": (keys(SMALL), "keys", "1024 bits"),
    "jwks-secret": (keys({"kty": "oct", "k": "AAAA"}), "keys", "a secret, which nobody may publish"),
    "jwks-other-curve": (keys({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), "keys", "curve 'secp256k1'"),
    "jwks-x25519": (keys({"kty": "OKP", "crv": "X25519", "x": "AA"}), "keys", "curve 'X25519'"),
    "jwks-encryption": (keys({**RSA, "use": "enc"}), "keys", "not meant for signatures"),
    "jwks-off-curve": (keys(OFF_CURVE), "keys", "no point of P-256"),
    "jwks-curve-list": (keys({"kty": "EC", "crv": ["P-256"]}, {"kty": ["RSA"]}, 7), "keys", "curve ['P-256']"),
    "jwks-alg": (keys({**RSA, "alg": "ES256"}), "keys", "does not fit"),
    "only-hs": (metadata(id_token_signing_alg_values_supported=["HS256"]), "keys", "name HS256"),
    "keys-of-other-alg": (lambda i: (metadata(id_token_signing_alg_values_supported=["ES256"])(i),
                                     keys(RSA)(i)), "keys", "accepted are ES256"),
    "invalid-client": (token_error("invalid_client", 401), "client authentication", "invalid_client"),
    "invalid-client-400": (token_error("invalid_client"), "client authentication", "invalid_client"),
    "unauthorized-client": (token_error("unauthorized_client"), "client authentication",
                            "authorization code grant"),
    "unsupported-grant": (token_error("unsupported_grant_type"), "client authentication",
                          "register the client for the authorization code grant"),
    "any-code": (answers("token", {"access_token": "a"}), "client authentication", "any code"),
    "token-redirect": (answers("token", b"", status=307, headers=[("Location", "/token/")]),
                       "client authentication", "307 to /token/"),
    "token-405": (answers("token", b"", status=405), "client authentication", "answers 405"),
    "token-html": (answers("token", "<html>", ctype="text/html", status=404), "client authentication", "answers 404"),
    "no-iss": (lambda i: setattr(i, "authorize_response", lambda a: [("error", "login_required")]),
               "authorization_endpoint", "without iss, which its metadata promise"),
    "methods": (lambda i: setattr(i, "auth_methods", ("private_key_jwt",)), "client authentication",
                "private_key_jwt"),
}))
def test_a_fault_of_the_provider(lab, make_idp, fault, wrong, words):
    idp = make_idp()
    fault(idp)
    result = check(idp, lab)
    assert result.code == 1 and result.checks("wrong") == {wrong}, result.output
    assert words in result.text(wrong), result.output


@pytest.mark.parametrize("fault, words", rows("F-40", {
    "server-error": (token_error("server_error"), "400 server_error; try again later"),
    "slow-down": (token_error("slow_down"), "400 slow_down; try again later"),
    "invalid-request": (token_error("invalid_request"), "cannot be told whether the client is known"),
    "token-403": (answers("token", b"", status=403), "cannot be told whether the client is known"),
    "token-503": (answers("token", b"", status=503), "answers 503; try again later"),
    "token-429": (answers("token", b"", status=429), "answers 429; try again later"),
}))
def test_a_token_endpoint_that_does_not_tell(lab, make_idp, fault, words):
    idp = make_idp()
    fault(idp)
    result = check(idp, lab)
    assert result.code == 2 and result.checks("unknown") == {"client authentication"}, result.output
    assert words in result.text("client authentication"), result.output


@pytest.mark.parametrize("words, changes, wrong", rows("F-40", {
    "pinned-without-key": ("none for ES256", {"id_token_signed_response_alg": "RS256 ES256"}, "keys"),
    "pinned-hs-public": ("there is no client_secret", {"id_token_signed_response_alg": "HS256",
                                              "client_secret": None}, "keys"),
    "secret": ("invalid_client", {"client_secret": '"not the one; {"'}, "client authentication"),
    "public": ("invalid_client", {"client_secret": None}, "client authentication"),
    "client-id": ("invalid_client", {"client_id": "somebody"}, "client authentication"),
    "method": ("needs a client_secret", {"client_secret": None, "token_endpoint_auth_method":
                                         "client_secret_post"}, "client authentication"),
    "method-key": ("needs a client_key", {"token_endpoint_auth_method": "private_key_jwt"}, "client authentication"),
    "method-assertion": ("needs that directive", {"token_endpoint_auth_method": "client_assertion_file"},
                         "client authentication"),
    "callback": ("knows the client", {}, None),
    "userinfo": ("without a token", {"userinfo": "on"}, "userinfo_endpoint"),
    "config-url": ("answers 404", {"config_url": "http://127.0.0.1:@PORT@/nowhere"}, "metadata"),
    "port": ("refused", {"issuer": "http://127.0.0.1:@CLOSED@"}, "metadata"),
    "name": ("does not resolve", {"issuer": "https://idp.invalid"}, "names"),
    "plain": ("not https", {"insecure_http": None}, "issuer"),
    "user-in-issuer": ("https://***@idp.example/x\" is no URL", {"issuer": "https://u:issu3r-canary@idp.example/x"},
                       "issuer"),
    "port-of-issuer": ("correct its host or port", {"issuer": "https://idp.example:70000"}, "issuer"),
    "bracket-of-issuer": ("correct its host or port", {"issuer": "https://[::1"}, "issuer"),
    "ca-file": ("No such file", {"ssl_trusted_certificate": "/no/such/file"}, "authorities"),
    "ca-empty": ("no certificates", {"ssl_trusted_certificate": "/dev/null"}, "authorities"),
    "proxy": ("http_proxy", {"http_proxy": "http://u:pr0xy-canary@127.0.0.1:@CLOSED@"}, "metadata"),
    "proxy-socks": ("no URL of http or https", {"http_proxy": "socks5://u:pr0xy-canary@127.0.0.1:1"}, "http_proxy"),
    "proxy-port": ("is no URL", {"http_proxy": "http://u:pr0xy-canary@127.0.0.1:70000"}, "http_proxy"),
    "jwks-file": ("no JSON object", {"jwks_file": "/etc/passwd"}, "keys"),
}))
def test_a_fault_of_the_configuration(lab, make_idp, words, changes, wrong):
    idp = make_idp()
    idp.jwks_keys = [lab.keys.rsa.jwk()]
    idp.canaries |= {"pr0xy-canary": "proxy password", "issu3r-canary": "password in an address"}
    idp.on["userinfo"] = lambda _: Reply({"sub": "u-1"})
    if words == "there is no client_secret":
        idp.auth_methods = ("none",)
    marks = {"@PORT@": str(idp.port), "@CLOSED@": str(free_port())}
    for mark, text in marks.items():
        changes = {k: v and v.replace(mark, text) for k, v in changes.items()}
    result = check(idp, lab, **changes)
    wrongs = result.checks("wrong")
    if changes.get("issuer", "").startswith("https://idp.invalid"):
        wrongs.discard("metadata")  # which cannot be fetched for the same reason
    assert wrongs == ({wrong} if wrong else set()), result.output
    assert words in result.text(wrong) if wrong else result.code == 0, result.output


AUTHORIZATION = rows("F-40", {
    "login-required": ([("error", "login_required")], None, "knows the client"),
    "scope": ([("error", "invalid_scope")], "wrong", "not all registered"),
    "flow": ([("error", "unauthorized_client")], "wrong", "authorization code flow"),
    "resource": ([("error", "invalid_target")], "wrong", "resource: the provider does not know"),
    "other-error": ([("error", "somebody_elses")], None, "the provider's log says more"),
    "busy": ([("error", "temporarily_unavailable")], "unknown", "try again later"),
    "other-issuer": ([("error", "login_required"), ("iss", "https://other.example")], "wrong",
                     "https://other.example"),
})


@pytest.mark.parametrize("answer, status, words", AUTHORIZATION)
def test_the_answer_to_a_sign_in(lab, make_idp, answer, status, words):
    idp = make_idp()
    idp.authorize_response = lambda a: answer + [x for x in a if x[0] in ("state", "iss") and
                                                 x[0] not in dict(answer)]
    result = check(idp, lab)
    assert words in result.text("authorization_endpoint"), result.output
    assert result.checks(status or "wrong") == ({"authorization_endpoint"} if status else set())
    asked = dict(urllib.parse.parse_qsl(idp.last("authorize").query))
    assert asked["prompt"] == "none" and asked["redirect_uri"] == "https://app.test/oidc_callback"
    assert not idp.last("authorize").headers.get("cookie")


@case("F-40")
def test_what_else_a_sign_in_asks_for(lab, make_idp):
    """As in the module's request; what a request decides is left out."""
    idp = make_idp()
    changes = {"resource": "https://a.example https://b.example", "acr_values": "mfa hw", "nonce": "off",
               "claims": """'{"id_token":{"groups":null}}'""", "pkce": "auto",
               "extra_auth_args": '"kc_idp_hint=corp&state=mine&request=x&resource=https%3A%2F%2Fc.example"'}
    metadata(code_challenge_methods_supported=["plain"])(idp)
    for par in ("off", "on"):
        assert check(idp, lab, par=par, **changes).code == 0
        request = idp.last("authorize" if par == "off" else "par")
        pairs = urllib.parse.parse_qsl(request.query if par == "off" else request.body.decode())
        assert [v for n, v in pairs if n == "resource"] == ["https://a.example", "https://b.example"]
        asked = dict(pairs)
        assert asked["acr_values"] == "mfa hw" and asked["claims"] == '{"id_token":{"groups":null}}'
        assert asked["kc_idp_hint"] == "corp" and asked["state"] != "mine" and "request" not in asked
        assert "nonce" not in asked and asked["code_challenge_method"] == "S256"
    check(idp, lab, extra_auth_args='"hint=$arg_hint&x=1"', claims="$claims")
    assert "$" not in idp.last("authorize").query and "x=1" in idp.last("authorize").query


@pytest.mark.parametrize("reply, status, words", rows("F-40", {
    "page-400": (Reply("<p>redirect_uri", status=400, ctype="text/html"), "wrong", "register both"),
    "page-404": (Reply("", status=404), "wrong", "answers 404"),
    "slash": (Reply("", status=301, headers=[("Location", "/authorize/")]), "wrong", "301 to /authorize/"),
    "slash-302": (Reply("", status=302, headers=[("Location", "/authorize/?x=1")]), "wrong", "is not followed"),
    "login-page": (Reply("<form>", ctype="text/html"), "note", "shows at a sign-in only"),
    "to-a-login": (Reply("", status=302, headers=[("Location", "/flow")]), "note", "shows at a sign-in only"),
    "to-nowhere": (Reply("", status=302, headers=[("Location", "https://[/")]), "note", "shows at a sign-in only"),
    "broken": (Reply("", status=503), "unknown", "answers 503"),
}))
def test_the_authorization_endpoint(lab, make_idp, reply, status, words):
    idp = make_idp()
    idp.on["authorize"] = lambda _: reply
    result = check(idp, lab)
    assert words in result.text("authorization_endpoint"), result.output
    for other in ("wrong", "unknown"):
        assert result.checks(other) == ({"authorization_endpoint"} if other == status else set())


@case("F-40")
def test_an_endpoint_whose_slash_is_missing(lab, make_idp):
    """The line has the address that the metadata have."""
    idp = make_idp()
    idp.on["token"] = lambda _: Reply("", status=405)
    result = check(idp, lab, token_endpoint=idp.base + "/token/")
    assert result.checks("wrong") == {"client authentication"}, result.output
    assert f"the metadata have {idp.base}/token" in result.text("client authentication")


@case("F-40")
def test_an_introspection_endpoint_that_is_configured(lab, make_idp):
    idp = make_idp()
    assert "introspection_endpoint" not in check(idp, lab).output
    result = check(idp, lab, introspection_endpoint=idp.base + "/introspect")
    assert "introspection_endpoint" in result.checks("ok"), result.output
    result = check(idp, lab, introspection_endpoint=idp.base + "/nowhere")
    assert result.checks("wrong") == {"introspection_endpoint"}, result.output
    assert f"the metadata have {idp.base}/introspect" in result.text("introspection_endpoint")


@pytest.mark.parametrize("http, asked", rows("F-40", {
    "bearer-location": ("auth_oidc main; location /api/ { auth_oidc_bearer introspection; }", True),
    "bearer-inherited": ("auth_oidc_bearer auto; location /api/ { auth_oidc main; }", True),
    "bearer-http": ("auth_oidc main; } auth_oidc_bearer auto; server { listen 1;", True),
    "bearer-map": ("auth_oidc $p; auth_oidc_bearer auto; } map $host $p { default main; } server {", True),
    "bearer-jwt": ("auth_oidc main; auth_oidc_bearer on;", False),
    "bearer-off": ("auth_oidc main; auth_oidc_bearer introspection; location / { auth_oidc_bearer off; }", True),
    "bearer-elsewhere": ("auth_oidc main; location /api/ { auth_oidc off; auth_oidc_bearer auto; }", False),
    "bearer-of-another": ("auth_oidc main; location /api/ { auth_oidc other; auth_oidc_bearer auto; }", False),
}))
def test_who_is_asked_about_access_tokens(lab, make_idp, http, asked):
    """The metadata name the endpoint; it is looked at where a location asks."""
    http = f"server {{ listen 127.0.0.1:1; server_name a.invalid; {http} }}"
    idp = make_idp()
    result = check(idp, lab, http=http)
    assert ("introspection_endpoint" in result.checks("ok")) == asked, result.output
    assert bool(idp.count("introspect")) == asked and not idp.introspected
    metadata(introspection_endpoint=None)(idp)
    result = check(idp, lab, http=http)
    assert ("give introspection_endpoint" in result.text("introspection_endpoint")) == asked, result.output


@pytest.mark.parametrize("offset, status", rows("F-40", {
    "clock-right": (0, "ok"), "clock-near": (-50, "ok"), "clock-ahead": (75, "wrong"),
    "clock-behind": (-4000, "wrong"),
}))
def test_the_clock(lab, make_idp, tmp_path, offset, status):
    idp = make_idp()

    def dated(exchange):
        reply = exchange.default()
        reply.headers.append(("Date", email.utils.formatdate(time.time() + offset, usegmt=True)))
        return reply
    idp.on["discovery"] = dated
    result = check(idp, lab)
    assert "clock" in result.checks(status), result.output
    assert result.checks("wrong") == ({"clock"} if status == "wrong" else set())
    # Where nothing is discovered the first answer tells: that of the keys, else of an endpoint.
    idp, keys_file = make_idp(leaf=lab.pki.idp), tmp_path / "jwks"
    keys_file.write_text(json.dumps({"keys": [RSA]}))
    idp.on = {"jwks": dated, "authorize": dated}
    by_hand = {n: idp.url(e) for n, e in (("authorization_endpoint", "authorize"), ("token_endpoint", "token"))}
    for where in ({"jwks_uri": idp.url("jwks")}, {"jwks_file": keys_file}):
        result = check(idp, lab, **by_hand, **where)
        assert not idp.count("discovery") and "is verified" in result.text("TLS"), result.output
        assert result.text("clock").count("the provider's is") == 1 and "clock" in result.checks(status), result.output


@pytest.mark.parametrize("bad, words", rows("F-40", {
    "tls-expired": ("expired", "renew it"), "tls-future": ("not-yet-valid", "clock of this machine"),
    "tls-other-host": ("other-host", "another name"), "tls-self-signed": ("self-signed", "ssl_trusted"),
    "tls-unknown": ("unknown-ca", "ssl_trusted_certificate"), "tls-cn": ("cn-only", "another name"),
    "tls-gap": ("missing-intermediate", "whole chain"), "tls-usage": ("client-usage", "refused"),
    "tls-wildcard": ("partial-wildcard", "another name"),
}))
def test_certificates(lab, make_idp, bad, words):
    result = check(make_idp(leaf=lab.pki.bad[bad]), lab)
    assert result.checks("wrong") == {"metadata"}, result.output
    assert words in result.text("metadata"), result.output


@case("F-40")
def test_a_revoked_certificate(lab, make_idp):
    result = check(make_idp(leaf=lab.pki.revoked), lab, ssl_crl=lab.pki.crl)
    assert "revoked" in result.text("metadata") and result.checks("wrong") == {"metadata"}
    assert check(make_idp(leaf=lab.pki.idp), lab, ssl_crl=lab.pki.crl).code == 0


@case("F-40")
def test_a_certificate_that_ends_soon(lab, make_idp):
    idp = make_idp(leaf=lab.pki.idp)
    result = check(idp, lab, "--days", 60)
    assert result.checks("wrong") == {"certificate"} and "renew" in result.text("certificate")


@case("F-40")
def test_a_port_that_speaks_no_tls(lab, make_idp):
    idp = make_idp()
    result = check(idp, lab, issuer=idp.issuer.replace("http://127.0.0.1", "https://localhost"),
                   ssl_trusted_certificate=lab.pki.ca.file)
    assert "TLS" in result.text("metadata") and result.checks("wrong") == {"metadata"}


class Peer:
    """A port at which `serve` is given each connection; `reply`: these bytes after the first that come."""

    def __init__(self, serve=None, reply=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve or (lambda sock: (sock.recv(65536), sock.sendall(reply), sock.close()))
        self.kept = []  # a connection that nobody closes stays open
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                self.kept.append(sock)
                self.serve(sock)
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.kept:
            sock.close()


CUT = rows("F-40", {
    "handshake-closed": (lambda sock: (sock.recv(65536), sock.close()), "the TLS handshake was cut off"),
    "handshake-reset": (lambda sock: (sock.recv(1), abort(sock)), "the TLS handshake was cut off"),
    "handshake-silent": (lambda sock: None, "no TLS handshake in time"),
})


@pytest.mark.parametrize("serve, words", CUT)
def test_a_handshake_that_is_cut_off(lab, make_idp, serve, words):
    """By the provider, by its proxy, and inside the proxy's own TLS."""
    with Peer(serve) as peer:
        changes = {"issuer": f"https://localhost:{peer.port}", "connect_timeout": "1s"}
        idp = make_idp(leaf=lab.pki.idp)
        with Proxy(leaf=lab.pki.idp) as proxy:
            for more in ({}, {"http_proxy": f"https://localhost:{proxy.port}"}):
                result = check(idp, lab, **changes, **more)
                assert result.checks("wrong") == {"metadata"} and words in result.text("metadata"), result.output
        result = check(idp, lab, http_proxy=f"https://localhost:{peer.port}", connect_timeout="1s")
        assert result.checks("wrong") == {"metadata"} and words in result.text("metadata"), result.output
        assert f"http_proxy localhost:{peer.port}" in result.text("metadata")


@pytest.mark.parametrize("reply, words", rows("F-40", {
    "proxy-403": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "it answers 403; allow it there"),
    "proxy-502": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it answers 502"),
    "proxy-none": (b"SSH-2.0-x\r\n\r\n", "no answer of a proxy"), "proxy-closed": (b"", "no answer of a proxy"),
}))
def test_a_proxy_that_does_not_let_through(lab, make_idp, reply, words):
    idp = make_idp(leaf=lab.pki.idp)
    with Peer(reply=reply) as peer:
        result = check(idp, lab, http_proxy=f"http://localhost:{peer.port}")
    assert result.checks("wrong") == {"metadata"} and words in result.text("metadata"), result.output
    assert f"does not lead to localhost:{idp.port}" in result.text("metadata") and not idp.connections


@case("F-40")
def test_a_slow_provider(lab, make_idp):
    """An answer has read_timeout, not what is left of connect_timeout."""
    idp = make_idp(leaf=lab.pki.idp)
    idp.on["discovery"] = lambda e: time.sleep(1.5) or e.default()
    assert check(idp, lab, connect_timeout="1s", read_timeout="20s").code == 0


@case("F-40")
def test_a_provider_that_says_nothing(lab, make_idp):
    idp = make_idp()
    idp.on["discovery"] = lambda e: e.stall()
    started = time.monotonic()
    assert "no answer in 1" in check(idp, lab, read_timeout="1s").text("metadata")
    idp.on["discovery"] = lambda e: e.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 9000)
    assert "no answer in 1" in check(idp, lab, read_timeout="1s").text("metadata")
    assert time.monotonic() - started < 20
    idp.on["discovery"] = lambda e: e.rst()
    assert "no HTTP answer" in check(idp, lab).text("metadata")


@case("F-40")
def test_what_goes_to_the_token_endpoint(lab, make_idp):
    for method in ("client_secret_basic", "client_secret_post"):
        idp = make_idp(client_id="a b:c", client_secret="s: %+\u00fc secret")
        idp.auth_methods = (method,)
        result = check(idp, lab)
        assert result.code == 0, result.output
        assert idp.count("token") == 1 and "made-up code" in result.text("client authentication")
        assert check(idp, lab, "--no-client-authentication").code == 0 and idp.count("token") == 1
        assert set(idp.complaints) == {"token request: invalid_grant"}


@case("F-40")
def test_no_secret_is_printed(lab, make_idp):
    """Not even when the provider sends it back in each place that is shown."""
    idp = make_idp(client_secret="c4nary-" + "x" * 30)
    secret = idp.client_secret
    idp.on["token"] = lambda _: Reply({"error": secret, "error_description": secret}, status=400)
    idp.on["jwks"] = lambda _: Reply("", status=301, headers=[("Location", "/" + secret)])
    idp.metadata = lambda d: {**d, "issuer": secret + "\x1b[31m"}
    assert "***" in check(idp, lab).text("metadata")
    idp.metadata = None
    result = check(idp, lab)
    assert "***" in result.text("keys") and result.code == 1


@pytest.mark.parametrize("content, mode, status, words", rows("F-40", {
    "file": (lambda s: s, 0o600, "ok", "mode 0600"),
    "file-newline": (lambda s: s + "\n", 0o400, "ok", "readable"),
    "file-two-newlines": (lambda s: s + "\n\n", 0o600, "wrong", "more than one newline"),
    "file-crlf": (lambda s: s + "\r\n", 0o600, "wrong", "carriage return"),
    "file-blank": (lambda s: " " + s, 0o600, "wrong", "a blank"),
    "file-lines": (lambda s: "x\n" + s, 0o600, "wrong", "more than one line"),
    "file-bom": (lambda s: "\ufeff" + s, 0o600, "wrong", "byte order mark"),
    "file-empty": (lambda s: "\n", 0o600, "wrong", "empty"),
    "file-nul": (lambda s: s + "\0", 0o600, "wrong", "NUL"),
    "file-others": (lambda s: s, 0o644, "wrong", "mode 0644"),
    "file-group": (lambda s: s, 0o640, "note", "by its group as well (mode 0640)"),
}))
def test_secret_files(lab, make_idp, tmp_path, content, mode, status, words):
    idp = make_idp()
    file = tmp_path / "secret"
    file.write_bytes(content(idp.client_secret).encode())
    file.chmod(mode)
    result = check(idp, lab, client_secret=None, client_secret_file=file)
    assert words in result.text("client_secret_file"), result.output
    assert "client_secret_file" in result.checks(status)


@case("F-40")
def test_secret_files_that_are_none(lab, make_idp, tmp_path):
    idp = make_idp()
    for path, words in ((tmp_path / "absent", "No such file"), (tmp_path, "")):
        result = check(idp, lab, client_secret=None, client_secret_file=path)
        assert "client_secret_file" in result.checks("wrong") and words in result.text("client_secret_file")
        assert "client authentication" in result.checks("unknown")
        result = check(idp, lab, client_secret=None, client_secret_file=path,
                       token_endpoint_auth_method="client_secret_post")
        assert "could not be read" in result.text("client authentication"), result.output


LOADED = """
import os, runpy, sys
os.setuid = lambda _: before.update(sys.modules)
before = {}
sys.argv.pop(0)
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("loaded:", *sorted(set(sys.modules) - set(before)), file=sys.stderr)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@case("F-40")
def test_nothing_is_loaded_as_another_user(lab, make_idp):
    """Who may not be able to read it."""
    idp = make_idp(leaf=lab.pki.idp)
    text = whole(block(idp, lab, userinfo="on", logout_uri="/logout"), "resolver 127.0.0.1:1;" + """
        server { listen 127.0.0.1:1 ssl; server_name a.invalid; auth_oidc main; }""")
    done = subprocess.run([sys.executable, "-c", LOADED, str(PROGRAM), "--json", "--dump", "-"], input=text,
                          capture_output=True, text=True, timeout=60, check=False)
    assert '"check": "clock"' in done.stdout and done.stderr == "loaded:\n", done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@case("F-40")
def test_the_network_is_the_workers(lab, make_idp, tmp_path):
    """Secrets and authorities that root alone can read, asked for by another user."""
    idp = make_idp(leaf=lab.pki.idp)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    for name, text in (("secret", idp.client_secret), ("ca", lab.pki.ca.file.read_text())):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    seen = []

    def look(sock):
        seen.append(peer_uid(sock))
    idp.on_connect = look
    result = check(idp, lab, user="nobody", client_secret=None, client_secret_file=folder / "secret",
                   ssl_trusted_certificate=folder / "ca")
    assert result.code == 0, result.output
    assert set(seen) - {None} == {pwd.getpwnam("nobody").pw_uid}
    result = check(idp, lab, user="no-such-user")
    assert result.code == 2 and "no-such-user" in result.output


ESTABLISHED = "01"


def peer_uid(sock):
    """Whose the other end of a connection on this machine is; None: it was closed meanwhile, and
    what has been closed is nobody's, which the kernel writes as 0."""
    mine, other = sock.getsockname()[1], sock.getpeername()[1]
    for line in open("/proc/net/tcp", encoding="ascii").read().splitlines()[1:]:
        fields = line.split()
        ports = [int(fields[at].split(":")[1], 16) for at in (1, 2)]
        if ports == [other, mine] and fields[3] == ESTABLISHED:
            return int(fields[7])
    return None


@case("F-40")
def test_what_cannot_be_checked(tmp_path):
    for arguments, words in ((["--dump", tmp_path / "absent"], "No such file"),
                             (["--nginx", tmp_path / "absent"], "No such file"),
                             (["--nginx", "/bin/false"], "nginx -T fails")):
        result = run(*arguments)
        assert result.code == 2 and words in result.output
    for text, words in (("http { }", "--issuer a provider that is in none"), ("http {", "no closing"),
                        ("", "no oidc_provider")):
        result = run("--dump", "-", stdin=text)
        assert result.code == 2 and words in result.output


@case("F-40")
def test_a_fault_of_the_program(monkeypatch):
    """It takes one check, not the others, and says where it is."""
    monkeypatch.syspath_prepend(str(ROOT / "ops"))
    report = importlib.import_module("auth_oidc_check.report")
    whole_report = report.Report()
    about = report.About(whole_report, "provider main")
    assert about.attempt("keys", lambda: {}["c4nary"]) is None
    line, = whole_report.lines
    assert line["status"] == "unknown" and line["fix"] == "please report it"
    assert re.fullmatch(r"KeyError in test_auth_oidc_check\.py:\d+", line["text"])


@case("F-40")
def test_proxies(lab, make_idp, tmp_path):
    idp = make_idp(leaf=lab.pki.idp)
    password = tmp_path / "password"
    password.write_text("pr0xy-canary\n")
    password.chmod(0o600)
    for leaf in (None, lab.pki.idp):
        with Proxy(leaf=leaf, users=("u@x:pr0xy-canary",)) as proxy:
            where = f"{'https' if leaf else 'http'}://u%40x@localhost:{proxy.port}"
            result = check(idp, lab, http_proxy=where, http_proxy_password_file=password)
            assert result.code == 0, result.output
            assert set(h.splitlines()[0] for h in proxy.heads) == {
                f"CONNECT localhost:{idp.port} HTTP/1.1"}
            result = check(idp, lab, http_proxy=where.replace("u%40x", "u%40x:wr0ng-canary"))
            assert result.checks("wrong") == {"metadata"}, result.output
            assert "refuses the credentials" in result.text("metadata")
            assert "canary" not in result.output and "cHIweHk" not in result.output
    with Proxy(leaf=lab.pki.bad["other-host"]) as proxy:
        result = check(idp, lab, http_proxy=f"https://localhost:{proxy.port}")
        assert "another name" in result.text("metadata") and not proxy.heads, result.output
    with Proxy() as proxy:
        bad = make_idp(leaf=lab.pki.bad["unknown-ca"])
        result = check(bad, lab, http_proxy=f"http://localhost:{proxy.port}")
        assert "the certificate is refused" in result.text("metadata"), result.output


class NameServer:
    """Answers for A with `address`, for all else with nothing."""

    def __init__(self, address):
        self.address = address
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            kind = int.from_bytes(data[-4:-2], "big")
            answer = b""
            if self.address and kind == 1:
                answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x0a\0\x04" + socket.inet_aton(self.address)
            self.sock.sendto(data[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if answer else b"\0\0")
                             + b"\0\0\0\0" + data[12:] + answer, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


@case("F-40")
def test_the_resolver(lab, make_idp):
    """nginx's resolver is asked as well; the module does without it, so it makes nothing wrong."""
    idp = make_idp(leaf=lab.pki.idp)
    for address, issuer, words in (("192.0.2.7", None, "localhost is 192.0.2.7"),
                                   (None, None, "has no localhost"),
                                   ("192.0.2.7", "https://idp.invalid", "the system has not")):
        with NameServer(address) as server:
            changes = {"issuer": issuer} if issuer else {}
            result = check(idp, lab, http=f"resolver 127.0.0.1:{server.port} valid=10s ipv6=off;", **changes)
        assert words in result.text("names"), result.output
        assert bool(issuer) == (result.code == 1), result.output


@case("F-40")
def test_a_resolver_that_is_silent(lab, make_idp):
    idp = make_idp(leaf=lab.pki.idp)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        result = check(idp, lab, http=f"resolver 127.0.0.1:{port};")
    assert result.code == 0 and f"resolver 127.0.0.1:{port} does not answer" in result.text("names"), result.output


@case("F-40")
def test_every_kind_of_key(lab, make_idp):
    """One algorithm pinned after the other: each finds its own key, and no other one."""
    own = {"RS256": lab.keys.rsa, "PS512": lab.keys.rsa, "ES256": lab.keys.p256, "ES384": lab.keys.p384,
           "ES512": lab.keys.p521, "EdDSA": lab.keys.ed}
    for alg, key in own.items():
        idp = make_idp()
        idp.jwks_keys = [key.jwk()]
        assert check(idp, lab, id_token_signed_response_alg=alg).code == 0, alg
        idp.jwks_keys = [k.jwk() for k in own.values() if k is not key]
        result = check(idp, lab, id_token_signed_response_alg=alg)
        assert result.checks("wrong") == {"keys"} and f"accepted are {alg}" in result.text("keys"), alg


@case("F-40", "P-01")
def test_requests_that_are_pushed(lab, make_idp):
    """As the module does it; without them, only what would be refused is said."""
    idp = make_idp()
    idp.par_required = True
    result = check(idp, lab)
    assert result.code == 0 and "takes a sign-in" in \
        result.text("pushed_authorization_request_endpoint"), result.output
    assert idp.count("par") == 1 and set(dict(urllib.parse.parse_qsl(idp.last("authorize").query))) == {
        "client_id", "request_uri"}
    idp.complaints.clear()
    idp.on["par"] = lambda _: Reply({"error": "invalid_redirect_uri"}, status=400)
    result = check(idp, lab)
    assert result.checks("wrong") == {"authorization_endpoint"}, result.output
    assert "invalid_redirect_uri" in result.text("authorization_endpoint")
    result = check(idp, lab, par="off")
    assert "par is off" in result.text("metadata") and idp.count("par") == 2, result.output


@case("F-40", "P-10")
def test_what_the_provider_does_not_offer(lab, make_idp, tmp_path):
    idp = make_idp()
    idp.metadata = lambda d: {**d, "response_modes_supported": ["query", "fragment"],
                              "request_parameter_supported": False}
    assert check(idp, lab).code == 0
    result = check(idp, lab, response_mode="form_post")
    assert "no response_mode form_post, but query, fragment" in result.text("metadata"), result.output
    key = tmp_path / "client.key"
    key.write_text(lab.keys.p256.private_pem())
    key.chmod(0o600)
    result = check(idp, lab, client_key=key, request_object="on",
                   token_endpoint_auth_method="client_secret_basic")
    assert "takes no request objects" in result.text("metadata"), result.output
    result = check(idp, lab, dpop_key=key)
    assert result.code == 0 and "does not say that it knows DPoP" in result.text("metadata"), result.output


@pytest.mark.parametrize("members, changes, words", rows("F-40", {
    "offer-dpop": ({"dpop_signing_alg_values_supported": ["RS256"]}, {"dpop_key": "@KEY@"}, "takes no ES256 of dpop_key"),
    "offer-dpop-fits": ({"dpop_signing_alg_values_supported": ["RS256", "ES256"]}, {"dpop_key": "@KEY@"}, None),
    "offer-request": ({"request_object_signing_alg_values_supported": ["PS256"]}, {
        "client_key": "@KEY@", "request_object": "on", "token_endpoint_auth_method": "client_secret_basic"},
                      "takes no ES256 of client_key, but PS256"),
    "offer-jarm": ({"authorization_signing_alg_values_supported": ["HS256", "none"]}, {"response_mode": "query.jwt"},
                   "with HS256, none alone"),
    "offer-jarm-fits": ({}, {"response_mode": "query.jwt"}, None),
    "offer-introspection": ({"introspection_signing_alg_values_supported": ["HS256"]}, {"introspection_signed": "on"},
                            "introspection_signed asks for with HS256 alone"),
    "offer-introspection-unsaid": ({"introspection_signing_alg_values_supported": None}, {"introspection_signed": "on"},
                                   "note: the provider does not say that it signs answers"),
    "offer-logout": ({"frontchannel_logout_supported": True}, {"backchannel_logout_uri": "/b",
                                                               "frontchannel_logout_uri": "/f"},
                     "note: the provider does not say that it uses backchannel_logout_uri"),
}))
def test_what_the_metadata_offer(lab, make_idp, tmp_path, members, changes, words):
    key = tmp_path / "key"
    key.write_text(lab.keys.p256.private_pem())
    key.chmod(0o600)
    idp = make_idp()
    metadata(**members)(idp)
    result = check(idp, lab, http="server { listen 127.0.0.1:1; server_name a.invalid; auth_oidc main; "
                   "auth_oidc_bearer auto; }", **{n: t.replace("@KEY@", str(key)) for n, t in changes.items()})
    assert ("metadata" in result.checks("wrong")) == bool(words and not words.startswith("note")), result.output
    assert (words or "is of issuer") in result.text("metadata"), result.output
    assert "frontchannel" not in result.text("metadata")


@case("F-40", "I-21")
def test_how_the_provider_encrypts(lab, make_idp, tmp_path):
    idp = make_idp()
    key = tmp_path / "decrypt.key"
    key.write_text(lab.keys.p256.private_pem())
    key.chmod(0o600)
    result = check(idp, lab, id_token_encryption_key=key)
    assert result.code == 0 and "does not say with which alg it encrypts" in result.text("metadata"), result.output
    for algs, encs, words, told in (
            (["RSA-OAEP", "RSA1_5"], ["A256GCM"], "", "with no alg of RSA-OAEP-256, ECDH-ES"),
            (["ECDH-ES"], ["A192GCM"], "", "with no enc of A128GCM"),
            (["ECDH-ES"], ["A256GCM"], " alg=ECDH-ES+A128KW", "with no alg of ECDH-ES+A128KW, but ECDH-ES"),
            (["ECDH-ES"], ["A128GCM"], " enc=A256GCM", "with no enc of A256GCM, but A128GCM"),
            (["RSA1_5", "ECDH-ES"], ["A192GCM", "A256GCM"], " alg=ECDH-ES enc=A256GCM", None)):
        idp.metadata = lambda d, a=algs, e=encs: {**d, "id_token_encryption_alg_values_supported": a,
                                                  "id_token_encryption_enc_values_supported": e}
        result = check(idp, lab, id_token_encryption_key=f"{key}{words}")
        assert result.code == (1 if told else 0), result.output
        assert told is None or told in result.text("metadata"), result.output


@case("F-40", "P-03")
def test_a_client_that_signs(lab, make_idp, tmp_path):
    idp = make_idp()
    idp.auth_methods = ("client_secret_jwt",)
    for directives in ({}, {"token_endpoint_auth_method": "client_secret_jwt"}):
        result = check(idp, lab, **directives)
        assert result.code == 0 and "the client is known" in result.text("client authentication"), result.output
    for directives in ({}, {"token_endpoint_auth_method": "client_secret_jwt"}):
        result = check(idp, lab, client_secret='"' + "x" * 31 + '"', **directives)
        assert "at least 32 characters" in result.text("client authentication") and result.code == 1, result.output
    idp.assertion_audience = "urn:other"
    assert check(idp, lab).code == 1
    assert check(idp, lab, client_assertion_audience="urn:other",
                 token_endpoint_auth_method="client_secret_jwt").code == 0
    key = tmp_path / "client.key"
    key.write_text(lab.keys.p256.private_pem())
    key.chmod(0o600)
    idp.auth_methods = ("private_key_jwt",)
    idp.client_keys, idp.assertion_audience = [("named", "ES256", lab.keys.p256)], None
    result = check(idp, lab, client_secret=None, client_key=f"{key} kid=named")
    assert result.code == 0 and "the client is known" in result.text("client authentication"), result.output
