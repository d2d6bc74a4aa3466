#!/usr/bin/env python3
"""A stand-in for the nginx module, for browser tests of the extension alone.

Usage: proxy.py PORT BACKEND_PORT SECRET. Every callback gets an assertion of the user that is in the file named by
PROXY_USER_FILE; with an empty file, none. /oidc/logout answers with a page.
"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, BACKEND, SECRET = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ORIGIN = f"http://127.0.0.1:{PORT}"
USER_FILE = Path(os.environ["PROXY_USER_FILE"])
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assertion(user):
    now = int(time.time())
    claims = {"iss": ORIGIN, "aud": ORIGIN, "sub": "id-" + user, "iat": now, "exp": now + 60,
              "jti": secrets.token_urlsafe(16), "idp": "https://idp.example", "groups": ["sales"],
              "preferred_username": user, "email": user + "@example.com", "given_name": user.title(),
              "family_name": "Tester"}
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + "." + encode(json.dumps(claims).encode())
    return text + "." + encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def forward(self):
        if self.path.startswith("/oidc/logout"):
            self.answer(200, [("Content-Type", "text/html")], b"<p id=signed-out>signed out</p>")
            return
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in HOP and not name.lower().startswith("x-oidc-")}
        headers["Host"] = f"127.0.0.1:{PORT}"
        user = USER_FILE.read_text().strip()
        if self.path.split("?")[0] == "/oauth-callback.php" and user:
            headers["X-Oidc-Assertion"] = assertion(user)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        backend = http.client.HTTPConnection("127.0.0.1", BACKEND, timeout=60)
        backend.request(self.command, self.path, body, headers)
        response = backend.getresponse()
        self.answer(response.status, response.getheaders(), response.read())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = forward


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
