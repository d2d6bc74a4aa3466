# SPDX-License-Identifier: Apache-2.0
"""The application behind nginx: it believes what nginx tells it about the user, and shows it.

Only /oauth-callback.php asks for more than a header: there the signed assertion is verified, as an
application does that makes a session of its own from it.
"""

import base64
import hashlib
import hmac
import html
import http.server
import json
import threading
import time
import urllib.parse

IDENTITY_HEADERS = ("Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups")


class Unverified(Exception):
    """Why an assertion was not believed."""


def _decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verify_assertion(token, secret, audience, issuer, now=None):
    """The claims of an HS256 assertion, or Unverified."""
    now = time.time() if now is None else now
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        given = _decode(signature)
    except (ValueError, TypeError) as error:
        raise Unverified("not a JWT") from error
    if header.get("alg") != "HS256":
        raise Unverified(f"algorithm {header.get('alg')} instead of HS256")
    expected = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(expected, given):
        raise Unverified("the signature is wrong")
    if claims.get("aud") != audience:
        raise Unverified("made for another audience")
    if claims.get("iss") != issuer:
        raise Unverified("made by another origin")
    if not claims.get("iat", now + 1) - 5 <= now < claims.get("exp", 0):
        raise Unverified("not valid now")
    if claims["exp"] - claims["iat"] > 60:
        raise Unverified("valid for longer than a minute")
    return claims


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; background: #f3f5f8; color: #1d2733; margin: 0 }
main { max-width: 46rem; margin: 3rem auto; padding: 2rem 2.5rem; background: #fff;
  border-radius: 12px; box-shadow: 0 4px 24px rgba(20, 40, 80, .1) }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
.path { color: #5a6675; margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-top: 1px solid #e3e8ef; font-weight: normal; overflow-wrap: anywhere }
th { width: 11rem; color: #5a6675 } code { font-size: .92em }
.mark { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; font-size: .9rem;
  margin-bottom: .6rem }
.good { background: #d9f2e1; color: #14572b } .bad { background: #fbe0e3; color: #8c1525 }
a { color: #2257bf } nav { margin-top: 2rem } nav a { margin-right: 1.5rem }
"""


def _page(title, body):
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><main>{body}</main></body></html>
"""


def _table(rows):
    cells = (f"<tr><th>{html.escape(name)}</th><td><code>{html.escape(str(value))}</code></td></tr>"
             for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        identity = {name: self._header(name) for name in IDENTITY_HEADERS}
        record = {"path": url.path, "query": url.query, "identity": identity,
                  "cookies": self._header("Cookie")}
        if url.path == "/oauth-callback.php":
            page = self._callback(record)
        elif url.path == "/signed-out":
            page = _page("Signed out", "<h1>You are signed out</h1>"
                         '<nav><a href="/">Sign in again</a></nav>')
        else:
            page = self._protected(record)
        self.server.records.append(record)
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _header(self, name):
        # http.server reads header bytes as Latin-1; names of people come as UTF-8.
        value = self.headers.get(name)
        return value and value.encode("latin-1").decode("utf-8", "replace")

    def _headline(self, record):
        identity = record["identity"]
        name = identity["Remote-Name"] or identity["Remote-User"] or "nobody"
        return f"<h1>Hello, {html.escape(name)}</h1>"

    def _identity(self, record):
        rows = [(name, value) for name, value in record["identity"].items() if value is not None]
        return "<h2>What nginx says about you</h2>" + _table(rows)

    def _protected(self, record):
        path = html.escape(record["path"])
        return _page("Protected page", f"""{self._headline(record)}
<p class="path">This is <code>{path}</code>, a protected page.</p>{self._identity(record)}
<nav><a href="/oauth-callback.php">See the assertion</a><a href="/logout">Sign out</a></nav>""")

    def _callback(self, record):
        server = self.server
        token = self._header("X-Oidc-Assertion")
        record["return_to"] = self._header("X-Oidc-Return-To")
        try:
            if token is None:
                raise Unverified("there is none")
            claims = verify_assertion(token, server.secret, server.audience, server.audience)
            record["assertion"] = claims
            verdict = '<span class="mark good">verified</span>' + _table(
                (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
                for name, value in claims.items())
        except Unverified as error:
            record["assertion_error"] = str(error)
            verdict = f'<span class="mark bad">not verified: {html.escape(str(error))}</span>'
        onward = ""
        if record["return_to"]:
            target = html.escape(record["return_to"])
            onward = f'<a href="{target}">Continue to <code>{target}</code></a>'
        return _page("Signed in", f"""{self._headline(record)}
<p class="path">The sign-in has reached <code>/oauth-callback.php</code>.</p>
{self._identity(record)}<h2>The signed assertion</h2>{verdict}
<nav>{onward}<a href="/">Home</a><a href="/logout">Sign out</a></nav>""")

    def log_message(self, *unused):
        """nginx keeps the log."""


class Backend:
    """Listens on a free port of 127.0.0.1; `records` holds what reached it, oldest first."""

    def __init__(self, secret, audience):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.secret = secret
        self._server.audience = audience
        self._server.records = self.records = []
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
