# SPDX-License-Identifier: Apache-2.0
"""What must hold after every test, whatever it was about (INV-1 to INV-13)."""

import json
import re
import time
import urllib.parse
from collections import Counter

from .forge import b64u_decode
from .nginx import SLOW

FORBIDDEN = re.compile(
    r"\[alert\]|\[emerg\]|exited on signal|open socket #|AddressSanitizer|LeakSanitizer|"
    r"runtime error:|was locked by|stale global SSL error")
OURS = ("NGX_OIDC_",)
REFERENCE = re.compile(r"Reference for your administrator: <code>([^<]+)</code>")
SEVERE = re.compile(r"\[(?:error|crit)\] ")
TOLD = re.compile(r"\[(?:error|crit)\] [^\n]* refused: (?P<code>[a-z_]+)")
# "2026/01/01 12:00:00 [debug] 12#12: *3 oidc decision: ..."
OWN_LINE = re.compile(r"\[\w+\] \d+#\d+: (?:\*\d+ )?oidc\b")
RETURN_TO_PATHS = ("/oauth-callback.php", "/oidc_callback")


class State:
    def __init__(self):
        self.started = False
        self.log_start = 0
        self.hits_start = 0
        self.counts = {}
        self.pids = []
        self.exchanges = {}   # X-Test-Id -> (request pairs, response)
        self.sessions = {}    # session cookie value -> claims as the provider gave them
        self.tokens = {}      # access token of a program -> its claims
        self.token_paths = ()  # where it counts, and nothing else does
        self.posted = {}      # sealed response -> code
        self.references = []  # of the pages that people saw
        self.ended = set()
        self.canaries = {}
        self.allowed_log = []
        self.only_our_lines = False  # in a debug log nginx shows all headers
        self.check_workers = True
        self.check_hits = True
        self.trap = 0
        self.lost_connections = 0


# ---- every response --------------------------------------------------------------------------

def observe(site, response, pairs):
    """INV-6, INV-7 and INV-8 on a response of the browser model; remembers sessions."""
    state = site.state
    test_id = next((v for n, v in pairs if n == "X-Test-Id"), None)
    state.exchanges[test_id] = (pairs, response)
    ours = [c for c in response.set_cookies() if any(o in c.name for o in OURS)
            or c.name == site.session_cookie_name]
    for cookie in ours:
        if not cookie.deletes and len(cookie.value) >= 16:  # the last chunk may be one letter
            state.canaries[cookie.value] = f"cookie {cookie.name[:24]}"
        check_cookie(site, cookie)
    remember_posted(site, response)
    if not response.from_backend:
        state.references += REFERENCE.findall(response.text)
    if response.location is not None and not response.from_backend:
        check_location(site, response)
    if is_our_answer(site, response, ours):
        cache = (response.headers.get("cache-control") or "").lower()
        good = ("no-store",) if not response.from_backend else ("no-store", "private", "no-cache")
        assert any(g in cache for g in good), f"INV-8: cacheable answer of ours\n{response}"
    remember_session(site, response, pairs)


def check_cookie(site, cookie):
    attrs = dict(cookie.attrs)
    attrs.pop("max-age", None)
    expected = site.cookie_attrs
    if expected is None:
        expected = {"path": "/", "httponly": "", "samesite": "Lax"}
        if site.tls:
            expected["secure"] = ""
            assert cookie.name.startswith("__Host-"), f"INV-7: {cookie.text}"
    if callable(expected):
        expected = expected(cookie)
    if "FRAGMENT" in cookie.name:
        expected = {**expected}
        expected.pop("httponly", None)
        attrs.pop("httponly", None)
    assert attrs == expected, f"INV-7: {cookie.text}"


def check_location(site, response):
    location = response.location
    allowed = [site.origin(n) + "/" for n in site.names]
    for idp, directives in site.providers.values():
        allowed += [idp.url("authorize"), idp.url("logout"), idp.base + "/authorize"]
        allowed += [directives[k].strip('"') for k in
                    ("authorization_endpoint", "end_session_endpoint", "post_logout_uri")
                    if k in directives and directives[k].startswith("http")]
    parsed = urllib.parse.urlsplit(location)
    good = any(location == a or location.startswith(a if a.endswith("/") else a + "?")
               for a in allowed)
    if not parsed.scheme and not parsed.netloc:
        good = re.match(r"/(?![/\\])", location) is not None
    assert good, f"INV-6: foreign Location\n{response}"


def is_our_answer(site, response, our_cookies):
    if our_cookies:
        return True
    if response.from_backend or response.by_nginx:
        return False
    path = response.request[1].partition("?")[0]
    if path in site.own_paths:
        return True
    return response.status in (302, 303, 401, 403, 502, 503, 504)


def code_of(site, response):
    """The code of a callback, however its response has come; None: it has none."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(response.request[1]).query))
    if "code" in query:
        return query["code"]
    if "oidc_response" in query:  # response_mode form_post
        return site.state.posted.get(query["oidc_response"])
    try:  # response_mode query.jwt
        return json.loads(b64u_decode(query["response"].split(".")[1])).get("code")
    except (KeyError, IndexError, ValueError, AttributeError):
        return None


def remember_posted(site, response):
    """Which code a sealed response has: what the browser had posted."""
    sealed = re.search(r"[?]oidc_response=([\w-]+)$", response.location or "")
    if response.request[0] == "POST" and sealed and not response.from_backend:
        form = dict(urllib.parse.parse_qsl(response.sent.decode("utf-8", "replace")))
        site.state.posted[sealed[1]] = form.get("code")


def remember_session(site, response, pairs):
    state = site.state
    for cookie in response.set_cookies():
        if cookie.name != site.session_cookie_name:
            continue
        if cookie.deletes:
            state.ended |= set(cookie_values(pairs, cookie.name))
            continue
        code = code_of(site, response)
        claims = {}
        for idp, _ in site.providers.values():
            grant = idp.codes.get(code) if code else None
            if grant is not None:
                claims = {**grant.get("userinfo", {}), **grant.get("claims", {})}
        if code is None:
            # A session cookie that is renewed on the way: the same session.
            for former in cookie_values(pairs, cookie.name):
                claims = state.sessions.get(former, claims)
        state.sessions[cookie.value] = claims


def cookie_values(pairs, name):
    out = []
    for n, v in pairs:
        if n.lower() == "cookie":
            for part in v.split(";"):
                key, eq, value = part.strip(" \t").partition("=")
                if eq and key.rstrip(" \t") == name:
                    out.append(value.strip(" \t"))
    return out


# ---- claims as text --------------------------------------------------------------------------

def claim_text(value):
    """The documented rendering of a claim in a header; None: no header."""
    import json

    def scalar(v):
        return v if isinstance(v, str) else json.dumps(v)
    if value is None or value == "":
        return None
    if isinstance(value, list) and all(not isinstance(v, (list, dict)) and v is not None
                                       for v in value):
        text = ",".join(scalar(v).replace("%", "%25").replace(",", "%2C") for v in value)
        text = re.sub(" *, *", lambda m: m[0].replace(" ", "%20"), text)
    elif isinstance(value, (list, dict)):
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    else:
        text = scalar(value)
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        return None
    return text or None


def default_identity(_path, claims):
    user = claim_text(claims.get("preferred_username")) or claim_text(claims.get("sub"))
    return {"remote-user": user, "remote-email": claim_text(claims.get("email")),
            "remote-name": claim_text(claims.get("name")),
            "remote-groups": claim_text(claims.get("groups"))}


# ---- after every test ------------------------------------------------------------------------

def begin(site, reset=True):
    state = site.state
    state.started = True
    state.log_start = site.nginx.log_size()
    state.hits_start = len(site.backend.hits)
    state.pids = site.nginx.worker_pids()
    state.check_workers = True
    state.check_hits = True
    state.allowed_log = []
    state.references = []
    state.trap = site.lab.trap.connections
    for idp, _ in site.providers.values():
        if reset:
            idp.reset()
        for endpoint in ("discovery", "jwks", "authorize", "token", "userinfo", "logout"):
            state.counts[(id(idp), endpoint)] = idp.count(endpoint)
        idp.complaints.clear()
    if reset:
        site.backend.reset()


def end(site):
    """Problems found, as texts."""
    state = site.state
    problems = []
    problems += check_log(site, site.nginx.log(state.log_start))
    problems += check_references(site)
    if site.nginx.worker_pids() != state.pids:
        # nginx never takes back what a dead worker had counted.
        state.lost_connections = 10000
    if state.check_workers and site.nginx.worker_pids() != state.pids:
        problems.append(f"INV-4: workers {state.pids} became {site.nginx.worker_pids()}")
    problems += [f"sanitizer:\n{r}" for r in site.nginx.sanitizer_reports()]
    if site.lab.trap.connections != state.trap:
        problems.append("INV-3: a connection to a host that nobody configured")
        state.trap = site.lab.trap.connections
    if state.check_hits:
        problems += check_hits(site)
    problems += check_control(site)
    site.close_browsers()
    problems += check_connections(site)
    for idp, _ in site.providers.values():
        idp.reset()
    return problems


def check_log(site, text):
    problems = []
    for line in text.splitlines():
        if FORBIDDEN.search(line) and not any(p.search(line) for p in site.state.allowed_log):
            problems.append(f"INV-4: {line}")
    return problems + check_canaries(site, text, "error log")


def check_references(site):
    """INV-13: whatever page showed a reference, an error_log without a level has its line; beyond ten
    of a reason within a minute the lines are told of by their number."""
    if not site.state.references:
        return []
    whole = site.nginx.log()
    told = Counter(m["code"] for m in TOLD.finditer(whole))
    problems = []
    for reference in site.state.references:
        line = next((li for li in whole.splitlines() if f", reference {reference}" in li), "")
        code = re.search(r" refused: ([a-z_]+)", line)
        many = told[code[1]] if code else max(told.values(), default=0)
        if not SEVERE.search(line) and many < 10:
            problems.append(f"INV-13: a page's reference {reference} is in no line of level error: {line}")
    return problems


def own_lines(text):
    """The lines of an error log that the module has written."""
    return [line for line in text.splitlines() if OWN_LINE.search(line)]


def check_canaries(site, text, where):
    """INV-5. nginx itself writes the request line into its lines; the module has taken the code out
    of it by then."""
    if where == "error log" and site.state.only_our_lines:
        text = "\n".join(own_lines(text))
    canaries = dict(site.state.canaries)
    for idp, _ in site.providers.values():
        canaries.update(idp.canaries)
    problems = []
    for secret, what in canaries.items():
        if secret in text:
            line = next((li for li in text.splitlines() if secret in li), secret)
            problems.append(f"INV-5: {what} in the {where}: {line[:600]}")
    return problems


def policy(site, path):
    if any(path.startswith(p) for p in site.public):
        return "public"
    if any(path.startswith(p) for p in site.verify):
        return "verify"
    return "protected"


def check_hits(site):
    """INV-1 and INV-2 for everything that reached the application."""
    state = site.state
    problems = []
    for hit in site.hits():
        rule = policy(site, hit.path)
        pairs, response = state.exchanges.get(hit.test_id, (None, None))
        claims = None
        if pairs is not None:
            values = cookie_values(pairs, site.session_cookie_name)
            values += [c.value for c in response.set_cookies()
                       if c.name == site.session_cookie_name and not c.deletes]
            live = [v for v in values if v in state.sessions]
            claims = state.sessions[live[-1]] if live else None
            token = next((v.partition(" ")[2] for n, v in pairs if n == "Authorization"), None)
            if token in state.tokens and hit.path.startswith(state.token_paths):
                claims = state.tokens[token]
        if rule == "protected" and claims is None:
            problems.append(f"INV-1: {hit!r} reached the application without a session")
            continue
        expected = {}
        if claims is not None and rule != "public":
            expected = (site.identity or default_identity)(hit.path, claims)
            if expected is None:
                continue
        problems += compare_identity(hit, expected)
    return problems


def compare_identity(hit, expected):
    problems = []
    found = hit.identity()
    wanted = {k: [v.encode().decode("latin-1")] for k, v in expected.items() if v is not None}
    if len(found.get("x-oidc-return-to", [])) == 1 and hit.path in RETURN_TO_PATHS:
        found.pop("x-oidc-return-to")  # goes with a forwarded callback; tests look at its value
    for name, values in found.items():
        if name not in wanted and values != [""]:
            problems.append(f"INV-2: {hit!r} has {name}: {values}")
    for name, values in wanted.items():
        # Blanks around a value are no part of it on the wire.
        if [v.strip() for v in found.get(name, [])] != [v.strip() for v in values]:
            problems.append(f"INV-2: {hit!r} has {name}: {found.get(name)}, not {values}")
    return problems


def check_control(site):
    """INV-12: a session from before the test still works."""
    if site.control is None:
        return []
    try:
        response = site.control.get("/control")
    except OSError as e:
        return [f"INV-12: {e!r}"]
    finally:
        site.control.close()
    if not response.from_backend:
        return [f"INV-12: the control session is gone\n{response}"]
    return []


def check_connections(site):
    """INV-9: nginx holds no client connection once the clients have gone."""
    end_time = time.monotonic() + 5 * SLOW
    active = None
    while time.monotonic() < end_time:
        active = site.nginx.stub_status()
        if active <= 1 + site.state.lost_connections:
            return []
        time.sleep(0.02)
    return [f"INV-9: {active - 1} client connections left"]


def at_exit(site, in_time):
    problems = []
    if not in_time:
        problems.append("nginx did not end after SIGQUIT")
    text = site.nginx.log()
    problems += [p for p in check_log(site, text) if "INV-5" in p]
    tail = site.nginx.log(site.state.log_start)
    problems += [p for p in check_log(site, tail) if "INV-4" in p]
    problems += check_canaries(site, site.nginx.access(), "access log")
    problems += [f"sanitizer:\n{r}" for r in site.nginx.sanitizer_reports()]
    return problems
