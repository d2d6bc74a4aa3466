# SPDX-License-Identifier: Apache-2.0
"""Drives the modules of a plan, and says what came of each: by the suite, and by what was seen here."""

import dataclasses
import html
import re
import time
import urllib.parse

from login_drivers import SignInError
from party import LOGOUT, SIGNED_OUT, Party
from plans import BEGUN, IN, LIFE, LOGOUT_TOKENS, WANTED, by_end, quoted
from suite import SuiteError

SUBJECT = "user-subject-1234531"
PAGE = "/page?x=1"


@dataclasses.dataclass
class Verdict:
    """`result` is the suite's word, or FAILED when something else was wrong; `seen`: what the relying party
    did; `why` says what was wrong, or why the suite has not passed it."""

    module: str
    result: str
    seen: str
    why: str = ""


class Wrong(Exception):
    """The relying party did not behave as it must, whatever the suite says."""


def must(condition, text):
    if not condition:
        raise Wrong(text)


class Drive:
    def __init__(self, suite, place, plan, log=None):
        self.suite, self.place, self.plan = suite, place, plan
        self.say = log or (lambda text: None)

    def modules(self, part=None):
        """The verdicts, one after the other; `part`: of modules with this in their name."""
        plan_id, found = self.suite.plan(self.plan.name, self.plan.variant, self.plan.configuration(self.place))
        for name, variant in found:
            if self.plan.only in (None, name) and (part or "") in name:
                yield self.module(plan_id, name, variant)

    def module(self, plan_id, name, variant):
        seen, why, module = "", "", None
        try:
            module = self.suite.module(plan_id, name, variant)
            if not module.over:
                issuer = module.running["exposed"]["issuer"]
                more = self.register(issuer) if self.plan.dynamic else {}
                with Party(self.place, issuer, {**self.plan.provider(self.place), **more}) as party:
                    try:
                        seen = getattr(self, self.plan.what)(module, party)
                        module.wait()
                        faults = party.faults()
                        must(not faults, f"nginx's log: {faults[:1]}")
                    except (Wrong, SignInError, SuiteError, OSError) as e:
                        why = f"{e}"
                        self.say(f"{why}\n{party.log[-3000:]}")
            return self.verdict(module, seen, why)
        except (SuiteError, RuntimeError) as e:
            return Verdict(name, "FAILED", seen, str(e))
        finally:
            if module is not None and not module.over:
                module.cancel()

    @staticmethod
    def verdict(module, seen, why):
        info = module.info()
        result = info.get("result") or "UNKNOWN"
        if info["status"] != "FINISHED":
            result = "FAILED"
        if why:
            return Verdict(module.name, "FAILED", seen, why)
        if result == "SKIPPED":
            return Verdict(module.name, result, seen, module.skipped_because())
        if result in ("PASSED", "REVIEW"):
            return Verdict(module.name, result, seen)
        return Verdict(module.name, result, seen, "; ".join(text for _, text in module.complaints()[:3]))

    # ---- registration ----------------------------------------------------------------------------

    def register(self, issuer):
        """Dynamic registration, as an administrator does it before nginx is configured."""
        metadata = self.suite.call("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        client = self.suite.call("POST", metadata["registration_endpoint"], {
            "client_name": "ngx_http_auth_oidc_module", "redirect_uris": [self.place.origin + "/oidc_callback"],
            "grant_types": ["authorization_code"], "response_types": ["code"], "application_type": "web",
            "contacts": ["admin@example.com"], "token_endpoint_auth_method": "client_secret_basic",
            "initiate_login_uri": self.place.origin + "/oidc/initiate"})
        return {"client_id": quoted(client["client_id"]), "client_secret": quoted(client["client_secret"])}

    # ---- what a module wants ---------------------------------------------------------------------

    def login(self, module, party):
        """A sign-in; two where the keys change between them."""
        wanted = by_end(WANTED, module.name, IN)
        seen = self.sign_in(module, party, wanted)
        if module.name.endswith("signing-key-rotation"):
            party.browser = party.new_browser()
            seen = self.sign_in(module, party, wanted, times=2)
        if seen == IN and self.plan.fapi and not module.over:
            self.use_the_token(module, party)
        return seen

    def sign_in(self, module, party, wanted, times=1):
        reply = party.open(PAGE)
        if BEGUN in wanted:
            # Metadata and keys are fetched for the first page already; the suite ends beside it.
            if module.ends(5):
                must(reply.location and reply.location.startswith(party.issuer), f"no way to the provider: {reply.status}")
                return BEGUN
        return self.judge(party, party.go_on(reply), wanted, times)

    def judge(self, party, reply, wanted, times=1):
        hits = party.hits("/page")
        if reply.header("X-Backend") is not None:
            must(reply.url == party.origin + PAGE, f"ended at {reply.url}")
            must(len(hits) == times, f"{len(hits)} requests at the application")
            who = hits[-1].headers.all("Remote-User")
            must(who == [SUBJECT], f"the application was told {who}")
            seen = IN
        else:
            must(400 <= reply.status < 600, f"{reply.url} was answered {reply.status}")
            must(not hits, "the application was asked though nobody is signed in")
            must(party.refusals, f"{reply.url} was answered {reply.status}, and no reason is in the log")
            must(not [c for c in party.browser.jar.cookies if c.name.endswith("NGX_OIDC_SESSION")], "there is a session")
            seen = party.refusals[-1]
        must(re.fullmatch(wanted, seen), f"{seen} in place of {wanted}")
        return seen if seen == IN else f"refused: {seen}"

    def use_the_token(self, module, party):
        """FAPI modules end with a request to a resource. That is the application's business."""
        url = module.running["exposed"]["accounts_endpoint"]
        reply = party.call_resource(url, self.plan.variant["sender_constrain"])
        must(reply.status == 200, f"the resource answered {reply.status} {reply.text[:200]}")

    def initiated(self, module, party):
        """The suite names the address at which the login is to begin."""
        end = time.monotonic() + 20 * self.suite.patience
        while not (urls := module.running["browser"]["urls"]):
            must(time.monotonic() < end, "the suite names no address to begin at")
            time.sleep(0.3)
        module.visited(urls[0])
        reply = party.go_on(party.browser.get(urls[0], initiator=party.issuer))
        # The login ends at the front page: the address has no target_link_uri.
        must(reply.header("X-Backend") is not None and reply.url == f"{party.origin}/", f"ended at {reply.url} {reply.status}")
        must(party.hits("/")[-1].headers.all("Remote-User") == [SUBJECT], "the application was told somebody else")
        return IN

    def refresh(self, module, party):
        self.judge(party, party.go_on(party.open(PAGE)), IN)
        time.sleep(LIFE / 2 + 1)
        # The request that finds it due is answered at once.
        must(party.open("/due").header("X-Backend") is not None, "the session ended before the refresh")
        module.wait()
        bad = re.search("invalid-(issuer|sub)", module.name)
        if not bad:
            must(party.has_session(), "the session did not outlive the refresh")
            return f"{IN}, refreshed"
        code = {"issuer": "id_token_iss", "sub": "id_token_sub"}[bad[1]]
        must(party.wait_for_log(f"ended it: {code}"), f"no {code} at the refresh")
        must(not party.has_session(), "the session outlives the refresh")
        return f"refused at the refresh: {code}"

    # ---- logouts ---------------------------------------------------------------------------------

    def logout(self, module, party):
        self.judge(party, party.go_on(party.open(PAGE)), IN)
        if module.name.endswith("opinitlogout"):
            return self.logout_there(module, party)
        reply = party.clicks(LOGOUT)
        must(reply.location, f"{LOGOUT} was answered {reply.status}")
        reply = party.go_on(reply, until=lambda url: url.startswith(party.origin + SIGNED_OUT))
        if reply.location is None:
            must("frontchannel" in module.name, f"{reply.url} was answered {reply.status}")
            back = self.look_at_frame(party, reply)
        else:
            back = reply.location
        must(back.startswith(party.origin + SIGNED_OUT), f"the way back leads to {back}")
        must(party.browser.get(back, initiator=party.issuer).status == 200, "no page after the logout")
        must(not party.has_session(), "the session is still there")
        return self.judge_logout_token(module, party)

    @staticmethod
    def judge_logout_token(module, party):
        if "backchannel" not in module.name:
            return "signed out"
        code = by_end(LOGOUT_TOKENS, module.name, None)
        pattern = "back-channel logout at provider" if code is None else code
        must(party.wait_for_log(pattern), f"no {pattern} in the log")
        return "signed out" if code is None else f"signed out; logout token refused: {code}"

    def logout_there(self, module, party):
        """The session is there until the frame ends it."""
        end = time.monotonic() + 30 * self.suite.patience
        while not (urls := module.running["browser"]["urls"]):
            must(time.monotonic() < end, "the suite names no page to go to")
            time.sleep(0.3)
        must(party.has_session(), "the session ended too early")
        module.visited(urls[0])
        self.look_at_frame(party, party.browser.get(urls[0], initiator=urls[0]))
        must(not party.has_session(), "the frame has not ended the session")
        return "signed out by the frame"

    @staticmethod
    def look_at_frame(party, page):
        """What a browser does with the provider's page: it loads the frame, then tells of it. Returns where the
        page leads. The suite writes the frame's address into its script as it would into HTML, and `sid`
        without an encoding; neither is ours to mend but on the way."""
        def text(name):
            found = re.search(name + r"\s*=\s*'((?:[^'\\]|\\.)*)'", page.text)
            return found and re.sub(r"\\(.)", r"\1", html.unescape(found[1]))
        frame, told = text(r"iframe\.src"), text("let url")
        must(frame and told, f"no frame on {page.url}")
        address, _, query = frame.partition("?")
        issuer, _, sid = query.removeprefix("iss=").partition("&sid=")
        frame = f"{address}?{urllib.parse.urlencode({'iss': issuer, 'sid': sid})}"
        reply = party.browser.get(frame, {"Sec-Fetch-Dest": "iframe"}, initiator=page.url)
        must(reply.status == 200, f"the frame was answered {reply.status}")
        party.browser.get(f"{told}?loaded=true", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
                          initiator=page.url)
        return text(r"window\.location\.href")
