# SPDX-License-Identifier: Apache-2.0
"""What browsers do at one vhost: pages with a session, logins, logouts; over a pool of connections
that all users share. Whatever is not as it should be becomes a note; whether what was broken at the
time excuses it is judged elsewhere (judge.py)."""

import asyncio
import re
import urllib.parse

from .child import tell
from .idp import make_code
from .wire import Lost, connect, now

HOST = "chaos.example"
COOKIE = "__Host-NGX_OIDC_SESSION"
TIMEOUT = 20  # longer than all of the module's own
SLOW = 3      # what no answer takes, whatever was killed meanwhile
MAX_NOTES = 500_000  # of one store and process, which an hour of outages does not reach
NAVIGATE = ("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
            "Sec-Fetch-Site: {site}\r\n")
SCRIPT = "Accept: */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n" \
         "Sec-Fetch-Site: same-origin\r\n"
PARAMETER = {name: re.compile(rb"[?&]" + name + rb"=([^&]+)")
             for name in (b"state", b"nonce", b"code_challenge")}


class LoginFailed(Exception):
    def __init__(self, stage, answer, began, t0):
        super().__init__(f"{stage}: {answer}")
        self.stage, self.answer, self.began, self.t0 = stage, answer, began, t0

    def note(self, client):
        client.note("login", self.t0, began=self.began, stage=self.stage,
                    status=self.answer.status, answer=repr(self.answer),
                    reference=reference(self.answer))


class Session:
    __slots__ = ("user", "login", "cookies", "expected", "ending", "text")

    def __init__(self, user, login, cookies):
        self.user, self.login, self.cookies = user, login, cookies
        self.ending = False
        # As the application of stack.py echoes it: no cookie of the module's is forwarded.
        self.expected = (f"{user}|{user}@users.example|staff,team-{user}|{login}|other=1"
                         ).encode()
        self.write()

    def write(self):
        self.text = "Cookie: other=1" + "".join(f"; {n}={v}" for n, v in self.cookies.items()) \
            + "\r\n"


class Client:
    def __init__(self, store, port, rng, secrets, slow=1):
        self.store, self.port, self.rng, self.slow = store, port, rng, slow
        self.secrets = secrets
        self.idle = []
        self.patience = 60 * slow  # seconds that a login or logout is tried again
        self.fresh = 0.1  # share of requests on a new connection
        self.counts = {"requests": 0, "connections": 0, "retried": 0, "logins": 0, "logouts": 0,
                       "refused": 0, "anonymous": 0, "worst": 0.0}
        self.notes = 0
        self.serial = 0

    def note(self, kind, t0, **detail):
        self.notes += 1
        if self.notes < MAX_NOTES:
            tell(note=kind, store=self.store, t0=t0, t=now(), **detail)
        elif self.notes == MAX_NOTES:
            tell(note="overflow", store=self.store, t0=t0, t=now())

    def secret(self, value):
        if len(value) >= 16:
            self.secrets.write(value + "\n")

    # ---- connections -------------------------------------------------------------------------

    async def take(self, fresh):
        while self.idle and not fresh:
            connection = self.idle.pop(self.rng.randrange(len(self.idle)))
            if connection.open:
                return connection
        if fresh and len(self.idle) > 30:
            self.idle.pop(0).close()
        self.counts["connections"] += 1
        return await connect(self.port)

    def close(self):
        while self.idle:
            self.idle.pop().close()

    async def once(self, data, fresh=None):
        """One try."""
        if fresh is None:
            fresh = self.rng.random() < self.fresh
        connection = await self.take(fresh)
        try:
            response = await connection.ask(data, TIMEOUT * self.slow)
        except Lost:
            connection.close()
            raise
        if connection.open:
            self.idle.append(connection)
        self.counts["requests"] += 1
        return response

    async def ask(self, data, what):
        """Tried again on a new connection when the first one dies, as a browser does. More than
        once, because a request that waits for a stalled Redis can lose several workers; every loss
        must have been a kill (judge.py). None when that does not help."""
        began = t0 = now()
        for attempt in range(12):
            try:
                response = await self.once(data, fresh=True if attempt else None)
            except Lost as e:
                self.note("connection", t0, what=what, reason=e.reason, worker=e.worker,
                          reused=e.reused, partial=e.partial, attempt=attempt)
                self.counts["retried"] += 1
                t0 = now()
                continue
            took = now() - began
            self.counts["worst"] = max(self.counts["worst"], took)
            if took > SLOW * self.slow:
                self.note("slow", began, what=what, seconds=round(took, 2))
            return response
        self.note("gave up", began, what=what)
        return None

    # ---- pages -------------------------------------------------------------------------------

    async def visit(self, session, what="page"):
        """True: the application was reached as the right user."""
        number = self.rng.randrange(10 ** 6)
        head = f"Host: {HOST}\r\n{SCRIPT}{session.text}"
        if self.rng.random() < 0.05:
            body = "x" * self.rng.randrange(1, 3000)
            data = (f"POST /form/{number} HTTP/1.1\r\n{head}"
                    f"Content-Length: {len(body)}\r\n\r\n{body}")
        else:
            data = f"GET /page/{number} HTTP/1.1\r\n{head}\r\n"
        t0 = now()
        response = await self.ask(data.encode(), what)
        if response is None:
            return False
        self.keep_cookies(session, response, t0)
        if response.status == 200:
            if response.body == session.expected:
                return True
            self.note("identity", t0, what=what, expected=session.expected.decode(),
                      found=response.body[:300].decode("latin-1"))
            return False
        if not session.ending:
            kind = "session" if response.status in (301, 302, 303, 307, 401, 403) else "status"
            self.note(kind, t0, what=what, status=response.status, user=session.user,
                      answer=repr(response))
        return False

    def keep_cookies(self, session, response, t0):
        if b"Set-Cookie" not in response.head or session.ending:
            return
        for name, value, deleted in response.set_cookies():
            if not name.startswith(COOKIE):
                continue
            if deleted and name == COOKIE:
                self.note("cookie", t0, status=response.status)
            elif deleted:
                session.cookies.pop(name, None)
            else:
                session.cookies[name] = value
                self.secret(value)
        session.write()

    async def stranger(self, text, what):
        """A request that must not reach the application; True: it was refused for certain."""
        t0 = now()
        data = f"GET /page/0 HTTP/1.1\r\nHost: {HOST}\r\n{SCRIPT}{text}\r\n"
        response = await self.ask(data.encode(), what)
        if response is None:
            return False
        self.counts["anonymous"] += 1
        if response.status == 401:
            return True
        self.note("let in" if response.status == 200 else "status", t0, what=what,
                  status=response.status, answer=repr(response))
        return False

    def forged(self, session):
        """The session's cookie with one character changed, not the last: that has unused bits."""
        cookies = dict(session.cookies)
        name = self.rng.choice(sorted(cookies))
        value = cookies[name]
        at = self.rng.randrange(len(value) - 1)
        other = self.rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        cookies[name] = value[:at] + (other if other != value[at] else "~") + value[at + 1:]
        return "Cookie: " + "; ".join(f"{n}={v}" for n, v in cookies.items()) + "\r\n"

    # ---- logins ------------------------------------------------------------------------------

    async def login(self, user, bad="", pause=0.0, check=True):
        """A new session. Raises LoginFailed, or Lost when a connection ended. `bad`: what is wrong
        with the provider's answer; the session must then be refused, and None is returned."""
        self.serial += 1
        login = f"{self.store}-{self.serial}"
        began = t0 = now()
        response = await self.once(
            (f"GET /start/{self.serial} HTTP/1.1\r\nHost: {HOST}\r\n"
             f"{NAVIGATE.format(site='none')}\r\n").encode())
        where = response.header(b"Location")
        if response.status not in (302, 303) or not where or b"nonce=" not in where:
            raise LoginFailed("start", response, began, t0)
        state, nonce, challenge = (
            urllib.parse.unquote(PARAMETER[n].search(where)[1].decode())
            for n in (b"state", b"nonce", b"code_challenge"))
        pending = {n: v for n, v, deleted in response.set_cookies() if not deleted}
        for value in pending.values():
            self.secret(value)
        self.secret(nonce)
        if pause:
            await asyncio.sleep(pause)
        code = make_code(user=user, login=login, nonce=nonce, challenge=challenge, bad=bad)
        query = urllib.parse.urlencode({"code": code, "state": state})
        cookies = "; ".join(f"{n}={v}" for n, v in pending.items())
        t0 = now()
        response = await self.once(
            (f"GET /oidc_callback?{query} HTTP/1.1\r\nHost: {HOST}\r\n"
             f"{NAVIGATE.format(site='cross-site')}Cookie: {cookies}\r\n\r\n").encode())
        found = {n: v for n, v, deleted in response.set_cookies()
                 if n.startswith(COOKIE) and not deleted}
        if bad:
            if found or response.status not in (400, 403, 502):
                if found:
                    self.note("let in", t0, what=f"a login with a bad {bad}",
                              status=response.status, answer=repr(response))
                else:
                    raise LoginFailed("refusal", response, began, t0)
            self.counts["refused"] += 1
            return None
        if response.status not in (302, 303) or not found:
            raise LoginFailed("callback", response, began, t0)
        for value in found.values():
            self.secret(value)
        session = Session(user, login, found)
        self.counts["logins"] += 1
        if check:
            await self.visit(session, "page after login")
        return session

    async def sign_in(self, user, bad="", pause=0.0):
        """Until it has worked: an interrupted login begins anew."""
        began = now()
        while now() - began < self.patience:
            t0 = now()
            try:
                return await self.login(user, bad, pause)
            except Lost as e:
                self.note("login connection", t0, reason=e.reason, worker=e.worker,
                          reused=e.reused, partial=e.partial)
            except LoginFailed as e:
                e.note(self)
                await asyncio.sleep(self.rng.uniform(0.1, 0.5))
        self.note("login stuck", began, user=user)
        return None

    async def log_out(self, session):
        """True once it is certain that the session has ended, and has been seen to be dead."""
        session.ending = True
        data = (f"GET /logout HTTP/1.1\r\nHost: {HOST}\r\n{NAVIGATE.format(site='same-origin')}"
                f"{session.text}\r\n").encode()
        began = now()
        while now() - began < self.patience:
            t0 = now()
            response = await self.ask(data, "logout")
            if response is not None and response.status in (200, 302, 303):
                break
            if response is not None:
                self.note("status", t0, what="logout", status=response.status,
                          answer=repr(response))
            await asyncio.sleep(self.rng.uniform(0.2, 0.6))
        else:
            self.note("gave up", began, what="logout")
            return False
        self.counts["logouts"] += 1
        return await self.stranger(session.text, "session after logout")


def reference(response):
    """Of a refused login, as on its page and in the log."""
    found = re.search(rb"<code>([0-9A-Za-z_-]+)</code>", response.body)
    return found[1].decode() if found else None


