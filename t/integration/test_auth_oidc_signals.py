# SPDX-License-Identifier: Apache-2.0
"""ops/auth-oidc-signals: the stream at a transmitter of Shared Signals."""

import http.server
import json
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import urllib.parse

import pytest

from harness import forge
from harness.cases import case, rows
from harness.ports import free_port
from test_shared_signals import BEARER, PATH, TYPE, bearer_file, counted, send, site  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "ops" / "auth-oidc-signals"
API_TOKEN = "api-Zk3mQ8vT1nB6xL0c"
SECRETS = (API_TOKEN, BEARER)
PUSH = "urn:ietf:rfc:8935"
ENDPOINT = "https://crm.example" + PATH


class Transmitter:
    """SSF 1.0, section 8, for one receiver. `answers`: by (method, path), instead of the right one."""

    def __init__(self, path="", tls=None, **configuration):
        self.streams, self.requests, self.answers, self.verified = {}, [], {}, []
        self.status = "enabled"
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_args):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                where = urllib.parse.urlsplit(self.path)
                owner.requests.append((self.command, self.path, dict(self.headers), body))
                status, data = owner.answers.get((self.command, where.path)) or owner.reply(
                    self.command, where.path, dict(urllib.parse.parse_qsl(where.query)),
                    json.loads(body) if body else None, self.headers)
                text = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            do_GET = do_POST = do_DELETE = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert_file, tls.key_file)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.base = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}"
        self.issuer = self.base + path
        self.well_known = "/.well-known/ssf-configuration" + path
        self.configuration = {
            "spec_version": "1_0", "issuer": self.issuer, "delivery_methods_supported": [PUSH, "urn:ietf:rfc:8936"],
            "configuration_endpoint": f"{self.base}/ssf/streams", "status_endpoint": f"{self.base}/ssf/status",
            "verification_endpoint": f"{self.base}/ssf/verify", **configuration}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, method, path, query, data, headers):
        if (method, path) == ("GET", self.well_known):
            return 200, {k: v for k, v in self.configuration.items() if v is not None}
        if headers.get("Authorization") != f"Bearer {API_TOKEN}":
            return 401, {"err": "authentication_failed", "description": "no such token"}
        if path == "/ssf/streams" and method == "POST":
            if self.streams:
                return 409, {"err": "stream_exists"}
            self.streams["s-1"] = {"stream_id": "s-1", "iss": self.issuer, "aud": "client-1",
                                   "events_delivered": data["events_requested"][:5], **data}
            return 201, self.streams["s-1"]
        stream = self.streams.get(query.get("stream_id") or (data or {}).get("stream_id"))
        if path == "/ssf/streams" and method == "GET":
            return 200, list(self.streams.values())
        if stream is None:
            return 404, None
        if path == "/ssf/streams":
            del self.streams[stream["stream_id"]]
            return 204, None
        if path == "/ssf/status":
            return 200, {"stream_id": stream["stream_id"], "status": self.status, "reason": "by hand"}
        self.verified.append(data)
        return 204, None

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def make():
    made = []

    def start(*args, **kw):
        made.append(Transmitter(*args, **kw))
        return made[-1]
    yield start
    for each in made:
        each.stop()


@pytest.fixture
def files(tmp_path):
    for name, text in (("api", API_TOKEN), ("push", BEARER)):
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def run(command, transmitter, files, *more, issuer=None, endpoint=ENDPOINT, http=True):
    args = [command, "--issuer", issuer or transmitter.issuer, "--api-token-file", files / "api", *more]
    if command == "create":
        args += ["--endpoint", endpoint, "--push-token-file", files / "push"]
    if http:
        args.append("--insecure-http")
    done = subprocess.run([sys.executable, PROGRAM, *args], capture_output=True, text=True, timeout=60, check=False)
    done.said = done.stdout + done.stderr
    assert not any(secret in done.said for secret in SECRETS), "a secret is printed"
    assert "Traceback" not in done.said and "please report" not in done.said, done.said
    return done


def good(*args, **kw):
    done = run(*args, **kw)
    assert done.returncode == 0, done.said
    return done.stdout


def bad(*args, **kw):
    done = run(*args, **kw)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith("WRONG   "), done.said
    assert re.search(r"; \S.*$", done.stderr), done.stderr
    return done.stderr


@pytest.mark.parametrize("path", rows("F-49", {"host": "", "path": "/tenant/one"}))
def test_the_life_of_a_stream(make, files, path):
    transmitter = make(path)
    said = good("create", transmitter, files, "--description", "crm")
    stream = transmitter.streams["s-1"]
    assert stream["delivery"] == {"method": PUSH, "endpoint_url": ENDPOINT, "authorization_header": f"Bearer {BEARER}"}
    assert stream["description"] == "crm" and len(stream["events_requested"]) == 6
    # What the transmitter leaves out is said, and the block can be pasted.
    assert "will not be sent: https://schemas.openid.net/secevent/risc/event-type/credential-compromise" in said
    for line in (f"shared_signals_uri        {PATH};", f"shared_signals_token_file {files}/push;",
                 f"shared_signals_issuer     {transmitter.issuer};", "shared_signals_audience   client-1;"):
        assert line in said, said
    assert transmitter.requests[0][1] == "/.well-known/ssf-configuration" + path
    assert "Authorization" not in transmitter.requests[0][2]

    said = good("status", transmitter, files)
    for line in ("stream  s-1", f"to      {ENDPOINT}", "is      enabled, by hand"):
        assert line in said.splitlines(), said
    good("verify", transmitter, files)
    assert [x["stream_id"] for x in transmitter.verified] == ["s-1"] and len(transmitter.verified[0]["state"]) > 10
    assert "deleted s-1" in good("delete", transmitter, files, "--stream", "s-1")
    assert not transmitter.streams and "there is no stream" in bad("status", transmitter, files)


@case("F-49")
def test_over_tls(make, files, lab):
    transmitter = make(tls=lab.pki.idp)
    good("create", transmitter, files, "--cacert", str(lab.pki.ca.file), http=False)
    refused = bad("status", transmitter, files, http=False)
    assert "the certificate is refused" in refused and "--cacert" in refused and "ssl_trusted" not in refused


@case("F-49")
def test_what_it_makes_is_what_nginx_takes(make, files, site):  # noqa: F811
    """The transmitter pushes by what create has told it."""
    transmitter = make()
    good("create", transmitter, files, endpoint=site.origin() + PATH)
    delivery = transmitter.streams["s-1"]["delivery"]
    assert delivery["endpoint_url"] == site.origin() + PATH
    good("verify", transmitter, files)
    before = counted(site, "stream")
    token = site.idp.security_event(
        {forge.SECURITY_EVENTS + "ssf/event-type/verification": {"state": transmitter.verified[0]["state"]}},
        sub_id={"format": "opaque", "id": "s-1"})
    answer = send(site, token, TYPE, bearer=delivery["authorization_header"])
    assert answer.status == 202 and counted(site, "stream") == before + 1, answer
    assert "is about the stream" in site.log_since_mark()


REFUSALS = {
    "api-token": (lambda t: t.answers.update({("POST", "/ssf/streams"): (401, {"err": "authentication_failed"})}),
                  "answers 401 (authentication_failed)", "--api-token-file is not accepted"),
    "scope": (lambda t: t.answers.update({("POST", "/ssf/streams"): (403, None)}), "answers 403", "scope"),
    "there-already": (lambda t: t.streams.update({"s-0": {"stream_id": "s-0"}}), "answers 409", "delete it first"),
    "busy": (lambda t: t.answers.update({("POST", "/ssf/streams"): (429, None)}), "answers 429", "too many"),
    "echo": (lambda t: t.answers.update({("POST", "/ssf/streams"): (400, {"description": f"Bearer {BEARER} is bad"})}),
             "Bearer *** is bad", "log"),
    "no-id": (lambda t: t.answers.update({("POST", "/ssf/streams"): (201, {"stream_id": 7})}), "no stream_id",
              "status"),
    "no-json": (lambda t: t.answers.update({("POST", "/ssf/streams"): (201, b"<html>")}), "no stream_id", "status"),
    "no-event": (lambda t: t.answers.update({("POST", "/ssf/streams"): (
        201, {"stream_id": "s-1", "events_delivered": []})}), "sends none", "allow them"),
    "other-issuer": (lambda t: t.configuration.update(issuer="https://evil.example"), "of another issuer", "--issuer"),
    "slash": (lambda t: t.configuration.update(issuer=t.issuer + "/"), "of another issuer", "last slash"),
    "no-push": (lambda t: t.configuration.update(delivery_methods_supported=["urn:ietf:rfc:8936"]),
                "does not push", PUSH),
    "no-endpoint": (lambda t: t.configuration.update(configuration_endpoint=None), "has no configuration_endpoint",
                    "by hand"),
    "plain-endpoint": (lambda t: t.configuration.update(configuration_endpoint="http://evil.example/x"),
                       "is not https", "no token goes over http"),
    "configuration-404": (lambda t: t.answers.update({("GET", t.well_known): (404, None)}), "answers 404", "SSF"),
    "configuration-list": (lambda t: t.answers.update({("GET", t.well_known): (200, [])}), "no JSON object", "what"),
    "redirect": (lambda t: t.answers.update({("GET", t.well_known): (302, None)}), "answers 302", "SSF"),
}


@pytest.mark.parametrize("change, what, fix", rows("F-51", REFUSALS))
def test_what_a_transmitter_does_wrong(make, files, change, what, fix):
    transmitter = make()
    change(transmitter)
    said = bad("create", transmitter, files)
    assert what in said.partition("; ")[0] and fix in said, said


@case("F-51")
def test_a_stream_that_does_not_run(make, files):
    transmitter = make()
    good("create", transmitter, files)
    transmitter.status = "paused"
    done = run("status", transmitter, files)
    assert done.returncode == 1 and "is      paused, by hand" in done.stdout and "enable it" in done.stderr, done.said
    transmitter.streams["s-2"] = {**transmitter.streams["s-1"], "stream_id": "s-2"}
    for command in ("verify", "delete"):
        assert "name one by --stream: s-1, s-2" in bad(command, transmitter, files)
    assert len(transmitter.streams) == 2 and not transmitter.verified
    assert "there is no such stream" in bad("delete", transmitter, files, "--stream", "s-9")
    good("delete", transmitter, files, "--stream", "s-2")
    assert list(transmitter.streams) == ["s-1"]


BAD_FILES = {
    "missing": ("push", None, "No such file"), "empty": ("push", "", "it is empty"),
    "lines": ("push", "a\nb\n", "more than one line"), "short": ("push", "0123456789\n", "less than 16"),
    "header": ("push", f"Bearer {BEARER}\n", "holds no bearer token"), "same": ("push", API_TOKEN, "the same token"),
    "api": ("api", "x y\n", "holds no bearer token"),
}


@pytest.mark.parametrize("name, text, what", rows("F-51", BAD_FILES))
def test_files_of_tokens(make, files, name, text, what):
    transmitter = make()
    if text is None:
        (files / name).unlink()
    else:
        (files / name).write_text(text)
    assert what in bad("create", transmitter, files)
    assert not transmitter.streams


@pytest.mark.parametrize("args, what", rows("F-51", {
    "no-endpoint": (["create", "--issuer", "https://x.example", "--api-token-file", "f"], "needs --endpoint"),
    "endpoint-of-status": (["status", "--issuer", "https://x.example", "--api-token-file", "f", "--endpoint", ENDPOINT],
                           "is for create"),
    "command": (["make", "--issuer", "https://x.example", "--api-token-file", "f"], "invalid choice")}))
def test_wrong_arguments(args, what):
    done = subprocess.run([sys.executable, PROGRAM, *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and what in done.stderr, done.stderr


@pytest.mark.parametrize("issuer, endpoint, what", rows("F-51", {
    "http": ("http://transmitter.example", ENDPOINT, "is not https"),
    "endpoint-http": (None, "http://crm.example/x", "is not https"),
    "endpoint-query": (None, ENDPOINT + "?a=b", "has a query"),
    "user": ("https://a:b@transmitter.example", ENDPOINT, "is no URL")}))
def test_addresses(make, files, issuer, endpoint, what):
    assert what in bad("create", make(), files, issuer=issuer, endpoint=endpoint)
