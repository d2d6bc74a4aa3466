# SPDX-License-Identifier: Apache-2.0
"""Browserless sign-in: from the URL of a protected page through the provider and back.

A driver gets a cookie_client.CookieClient and the URL to begin at: a protected page, or the
provider's authorization endpoint. It returns the reply that a browser would show in the end.

    reply = sign_in(client, "https://localhost:8443/", "john", "password")
    reply = sign_in_glewlwyd(client, url, "john", "password", scopes="openid profile")
"""

import html.parser
import json
import urllib.parse

MAX_HOPS = 20


class SignInError(Exception):
    """The sign-in did not come to an end; the message says at which page."""


class Form:
    def __init__(self, action, method):
        self.action = action
        self.method = method.upper()
        self.fields = {}
        self.password_field = None
        self.text_field = None


class _FormParser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []
        self._open = None

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self._open = Form(given.get("action") or "", given.get("method") or "get")
            self.forms.append(self._open)
        elif tag == "input" and self._open is not None and given.get("name"):
            self._add_input(given["name"], given.get("type") or "text", given.get("value") or "")

    def _add_input(self, name, kind, value):
        if kind in ("submit", "button", "checkbox", "radio"):
            return
        self._open.fields[name] = value
        if kind == "password":
            self._open.password_field = name
        elif kind in ("text", "email") and self._open.text_field is None:
            self._open.text_field = name

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None


def forms_of(reply):
    parser = _FormParser()
    parser.feed(reply.text)
    return parser.forms


def submit(client, reply, form, **fields):
    """Sends a form of the page `reply` with some fields filled in."""
    target = urllib.parse.urljoin(reply.url, form.action) if form.action else reply.url
    values = {**form.fields, **fields}
    if form.method == "POST":
        return client.post_form(target, values, initiator=reply.url)
    parts = urllib.parse.urlsplit(target)
    target = parts._replace(query=urllib.parse.urlencode(values)).geturl()
    return client.get(target, initiator=reply.url)


def follow(client, reply, until=None):
    """Follows redirects as a browser does. `until(url)` true: that target is not requested, the
    redirect itself is returned."""
    for _ in range(MAX_HOPS):
        target = reply.location
        if target is None or (until is not None and until(target)):
            return reply
        if reply.status in (307, 308) and reply.method != "GET":
            raise SignInError(f"{reply.url} asks to repeat a {reply.method}")
        reply = client.get(target, initiator=reply.initiator)
    raise SignInError(f"more than {MAX_HOPS} redirects, last at {reply.url}")


def login_form(reply):
    """The page's form with a password field, or None."""
    return next((form for form in forms_of(reply) if form.password_field), None)


def sign_in(client, url, username, password, until=None):
    """Signs in at a provider with an HTML login page: all personas of the npm provider. Comes back
    at once when the provider, or the protected site, already knows the client."""
    reply = follow(client, client.get(url), until)
    form = login_form(reply)
    if form is not None:
        names = {form.password_field: password}
        if form.text_field:  # whoever is known and only has to prove it again is not asked who he is
            names[form.text_field] = username
        reply = submit(client, reply, form, **names)
        if login_form(reply) is not None:
            raise SignInError(f"{reply.url} refuses user \"{username}\"")
    return finish(client, reply, until)


def finish(client, reply, until=None):
    """Redirects, and pages that send themselves: response_mode form_post, sign-out."""
    for _ in range(MAX_HOPS):
        reply = follow(client, reply, until)
        form = next((f for f in forms_of(reply) if _sends_itself(reply, f)), None)
        if reply.location is not None or form is None:
            return reply
        if until is not None and until(urllib.parse.urljoin(reply.url, form.action)):
            return reply  # response_mode form_post
        extra = {"logout": "yes"} if 'name="logout"' in reply.text else {}
        reply = submit(client, reply, form, **extra)
    raise SignInError(f"no end of self-sending forms at {reply.url}")


def _sends_itself(reply, form):
    return form.method == "POST" and form.password_field is None and ".submit()" in reply.text


def sign_out(client, url, until=None):
    """RP-initiated logout by a link of the site, through the provider's page and back."""
    return finish(client, client.get(url, initiator=url), until)


def _api(client, method, url, body):
    reply = client.request(
        method,
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Accept": "application/json"},
        initiator=url,
    )
    if reply.status != 200:
        raise SignInError(f"{method} {url} was answered {reply.status}")
    return reply


def sign_in_glewlwyd(client, url, username, password, scopes="openid", until=None):
    """Signs in at glewlwyd, whose login page is an application of its own: the calls it makes."""
    reply = follow(client, client.get(url), until)
    parts = urllib.parse.urlsplit(reply.url)
    if not parts.path.endswith("/login.html"):
        return finish(client, reply, until)
    query = dict(urllib.parse.parse_qsl(parts.query))
    api = urllib.parse.urljoin(reply.url, "api")
    _api(client, "POST", f"{api}/auth/", {"username": username, "password": password})
    _api(client, "PUT", f"{api}/auth/grant/{query['client_id']}", {"scope": scopes})
    back = query["callback_url"]
    back += ("&" if "?" in back else "?") + "g_continue"
    return finish(client, client.get(back, initiator=reply.url), until)
