# SPDX-License-Identifier: Apache-2.0
"""oidc_sessions: the sessions of a user, for administrators."""

import re
import secrets
import subprocess
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import challenge, passes, sane
from harness.site import Site
from harness.stores import server_side

LOCATIONS = """\
        location = /admin/sessions {
            auth_oidc off;
            allow 127.0.0.1;
            deny all;
            oidc_sessions;
        }
        location = /closed { auth_oidc off; deny all; oidc_sessions; }
        location = /status { auth_oidc off; oidc_status; }
"""
OWN = ("/oidc_callback", "/admin/sessions", "/status")


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, locations=LOCATIONS, own_paths=OWN, public=("/public/", "/admin/sessions"),
              directives={"session_idle_timeout": "1h", "session_limit": "100"}) as site:
        yield site


def ask(site, method="GET", path="/admin/sessions", kind="plain", headers=None, **arguments):
    query = urllib.parse.urlencode(arguments, doseq=True)
    browser = site.browser()
    answer = browser.request(method, path + ("?" + query if query else ""), kind=kind,
                             headers=headers)
    browser.close()
    assert not answer.from_backend, answer
    if not answer.by_nginx:
        assert answer.headers.get("cache-control") == "no-store", answer
        assert answer.headers.get("content-type") == "application/json", answer
        assert answer.headers.get("access-control-allow-origin") is None
    for cookie in site.state.sessions:
        assert cookie not in answer.text
    return answer


def listed(site, sub, **more):
    answer = ask(site, sub=sub, **more)
    assert answer.status == 200, f"{answer}\n{site.log_since_mark()}"
    body = answer.json()
    assert set(body) == {"provider", "sub", "sessions"} and body["sub"] == sub, body
    for session in body["sessions"]:
        assert set(session) == {"id", "created", "last_seen", "expires"}, session
        assert re.fullmatch("[0-9a-f]{16}", session["id"])
    return body["sessions"]


def refused(answer, status, error):
    assert answer.status == status, answer
    assert answer.json()["error"] == error and answer.json()["message"], answer


def alive(site, browser):
    passes(site, browser.get("/x"))


def dead(site, browser):
    for _ in range(4):
        other = site.browser()
        challenge(site, other.get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={browser.session_cookie}"}))
        other.close()


@case("L-09")
@server_side
def test_the_list(site):
    before = int(time.time())
    with site.signed_in(sub="lisa") as one, site.signed_in(sub="lisa") as two, \
            site.signed_in(sub="lis"):
        sessions = listed(site, "lisa")
        assert len(sessions) == 2
        for session in sessions:
            assert before - 1 <= session["created"] <= time.time() + 1
            assert session["created"] <= session["last_seen"] <= time.time() + 1
            assert session["created"] < session["expires"] <= session["created"] + 3602
        assert [s["created"] for s in sessions] == sorted(s["created"] for s in sessions)
        assert listed(site, "nobody") == [] == listed(site, "LISA")
        assert listed(site, "lisa", provider="idp") == sessions
        # Asking is no use of a session.
        time.sleep(1.1)
        for now, was in zip(listed(site, "lisa"), sessions, strict=True):
            # Redis counts in its own milliseconds.
            assert now["id"] == was["id"] and now["created"] == was["created"]
            assert abs(now["expires"] - was["expires"]) <= 1, (now, was)
            assert abs(now["last_seen"] - was["last_seen"]) <= 1, (now, was)
        one.get("/x")
        alive(site, two)
        assert [s["last_seen"] for s in listed(site, "lisa")] > [s["last_seen"] for s in sessions]


@case("L-09")
@server_side
def test_the_id_is_the_one_of_the_log(make_site):
    site = make_site(locations=LOCATIONS, own_paths=OWN, public=("/admin/sessions",), control=False,
                     root="add_header X-Session $oidc_session_id;")
    with site.signed_in(sub="ida") as browser:
        seen = browser.get("/x").headers.get("x-session")
        session, = listed(site, "ida")
        assert session["id"] == seen
        # Without an idle timeout nobody writes down when a session was used.
        assert session["last_seen"] is None


@case("L-23")
@server_side
def test_ending_one(site):
    with site.signed_in(sub="otto") as one, site.signed_in(sub="otto") as two:
        first, second = [s["id"] for s in listed(site, "otto")]
        assert first != second
        answer = ask(site, "DELETE", sub="otto", id=first)
        assert answer.status == 200, answer
        assert answer.json() == {"provider": "idp", "sub": "otto", "ended": 1}
        assert [s["id"] for s in listed(site, "otto")] == [second]
        fates = [b.get("/x").from_backend for b in (one, two)]
        assert sorted(fates) == [False, True]
        lines = [li for li in site.log_since_mark().splitlines() if "oidc_sessions ended" in li]
        assert len(lines) == 1 and "[notice]" in lines[0] and '"otto"' in lines[0] \
            and first in lines[0] and '"idp"' in lines[0], lines
        # Again, and by another user's name.
        assert ask(site, "DELETE", sub="otto", id=first).json()["ended"] == 0
        assert ask(site, "DELETE", sub="ott", id=second).json()["ended"] == 0
        assert len(listed(site, "otto")) == 1


@case("L-09")
@server_side
def test_ending_all(site):
    with site.signed_in(sub="anna") as one, site.signed_in(sub="anna") as two, \
            site.signed_in(sub="annabel") as other:
        start = ask(site, path="/status").json()
        answer = ask(site, "DELETE", sub="anna")
        assert answer.status == 200 and answer.json()["ended"] == 2, answer
        dead(site, one)
        dead(site, two)
        alive(site, other)
        assert listed(site, "anna") == []
        assert ask(site, "DELETE", sub="anna").json()["ended"] == 0
        status = ask(site, path="/status").json()
        assert status["logouts_by_kind"]["admin"] == start["logouts_by_kind"]["admin"] + 1
        assert status["logouts"] == start["logouts"] + 1
        sane(site)


@case("L-09")
@server_side
def test_many_sessions(site):
    """More than the store lists in one step."""
    browsers = []
    for _ in range(70):
        site.idp.user = {**site.idp.user, "sub": "max"}
        browsers.append(site.browser())
        browsers[-1].try_login("/x")
    assert len({s["id"] for s in listed(site, "max")}) == 70
    assert ask(site, "DELETE", sub="max").json()["ended"] == 70
    dead(site, browsers[0])


FOREIGN = {"cross-site": {"Sec-Fetch-Site": "cross-site"}, "same-site": {"Sec-Fetch-Site": "same-site"},
           "origin": {"Origin": "https://evil.example"}, "null": {"Origin": "null"},
           "referer": {"Referer": "https://evil.example/"}}


@pytest.mark.parametrize("headers", rows("L-02", {k: (v,) for k, v in FOREIGN.items()}))
def test_other_sites_learn_and_end_nothing(site, headers):
    with site.signed_in(sub="carl") as browser:
        for method in ("GET", "DELETE"):
            refused(ask(site, method, headers=headers, sub="carl"), 403, "cross_site")
        alive(site, browser)


@case("L-02")
@server_side
def test_own_requests(site):
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
                    {"Origin": site.origin_text}, {"Referer": site.origin_text + "/x"}):
        assert ask(site, headers=headers, sub="x").status == 200


BAD = {"no-sub": {}, "empty-sub": {"sub": ""}, "two-subs": {"sub": ["a", "b"]},
       "long-sub": {"sub": "a" * 256}, "nul": {"sub": "a\0"}, "newline": {"sub": "a\nb"},
       "empty-provider": {"sub": "a", "provider": ""}, "id-of-get": {"sub": "a", "id": "0" * 16}}


@pytest.mark.parametrize("arguments", rows("L-22", {k: (v,) for k, v in BAD.items()}))
def test_bad_requests(site, arguments):
    refused(ask(site, **arguments), 400, "invalid_request")


@pytest.mark.parametrize("bad", rows("L-22", {
    "short": "0" * 15, "long": "0" * 17, "upper": "A" * 16, "text": "x" * 16, "all": "*"}))
def test_bad_ids(site, bad):
    with site.signed_in(sub="dora") as browser:
        refused(ask(site, "DELETE", sub="dora", id=bad), 400, "invalid_request")
        refused(ask(site, "DELETE", sub="dora", id=["0" * 16, "1" * 16]), 400, "invalid_request")
        refused(ask(site, "DELETE", sub="dora", id=""), 400, "invalid_request")
        alive(site, browser)


@case("L-22")
def test_other_methods_and_providers(site):
    for method in ("POST", "PUT", "PATCH", "OPTIONS"):
        answer = ask(site, method, sub="a")
        refused(answer, 405, "invalid_method")
        assert answer.headers.get("allow") == "GET, HEAD, DELETE"
    refused(ask(site, sub="a", provider="other"), 404, "unknown_provider")


@case("L-22")
@server_side
def test_head_has_no_body(site):
    head = site.browser().request("HEAD", "/admin/sessions?sub=a", kind="plain")
    assert head.status == 200 and head.body == b"", head


@case("L-22")
@server_side
def test_http2(site):
    with site.signed_in(sub="hugo") as browser:
        for method, text in (("GET", '"sessions":[{"id":"'), ("DELETE", '"ended":1')):
            done = subprocess.run(
                ["curl", "-sS", "--http2", "-X", method, "--cacert", str(site.lab.pki.ca.file),
                 "--resolve", f"{site.host}:{site.port}:127.0.0.1", "-w", "%{http_version}",
                 site.origin_text + "/admin/sessions?sub=hugo"],
                capture_output=True, text=True, timeout=30 * SLOW, check=True)
            assert text in done.stdout and done.stdout.endswith("}\n2"), done.stdout
        dead(site, browser)


@case("L-22")
@server_side
def test_a_body_is_not_read(site):
    answer = site.browser().request("DELETE", "/admin/sessions?sub=none", body=b"x" * 100_000,
                                    kind="plain")
    assert answer.status == 200 and answer.json()["ended"] == 0, answer


@case("S-03")
def test_who_is_let_in(site):
    assert ask(site, path="/closed", sub="a").status == 403


@case("A-15")
@server_side
def test_several_providers(lab, make_site):
    """Each has its own users."""
    first, second = Idp(lab.keys), Idp(lab.keys)
    providers = {"one": (first, {}), "two": (second, {
        "redirect_uri": "/cb2", "cookie_name": "SECOND"})}
    site = make_site(providers=providers, auth="auth_oidc one;", control=False, own_paths=OWN,
                     locations=LOCATIONS, public=("/admin/sessions",))
    browser = site.browser()
    browser.login("/x", idp=first)
    refused(ask(site, sub="u-1001"), 400, "invalid_request")
    assert len(listed(site, "u-1001", provider="one")) == 1
    assert listed(site, "u-1001", provider="two") == []
    assert ask(site, "DELETE", sub="u-1001", provider="two").json()["ended"] == 0
    alive(site, browser)
    assert ask(site, "DELETE", sub="u-1001", provider="one").json()["ended"] == 1
    dead(site, browser)


@case("L-26")
def test_a_store_without_lists(make_site):
    """Sessions in cookies can be ended without being known; which ones there are, nobody can say."""
    site = make_site(directives={"session_store": "c"}, locations=LOCATIONS, own_paths=OWN, start=False,
                     public=("/admin/sessions",), control=False,
                     http="oidc_session_store c { type cookie; key_file @FOLDER@/ring; }\n")
    ring = site.folder / "ring"
    ring.write_text(secrets.token_hex(32) + "\n")
    ring.chmod(0o600)
    site.start()
    with site.signed_in(sub="cora") as browser, site.signed_in(sub="other") as other:
        refused(ask(site, sub="cora"), 501, "store_unsupported")
        refused(ask(site, "DELETE", sub="cora", id="0" * 16), 501, "store_unsupported")
        alive(site, browser)
        time.sleep(1.1)  # the store tells logins and logouts apart by the second
        answer = ask(site, "DELETE", sub="cora")
        assert answer.status == 200 and answer.json()["ended"] is None, answer
        dead(site, browser)
        alive(site, other)
        assert ask(site, path="/status").json()["logouts_by_kind"]["admin"] == 1


OPEN = {"nothing": ("auth_oidc off;", False), "session": ("", False),
        "basic-off": ("auth_oidc off; auth_basic off;", False),
        "request-off": ("auth_oidc off; auth_request off;", False),
        "verify": ("auth_oidc_mode verify; auth_oidc_require $oidc_claim_admin;", False),
        "allow": ("auth_oidc off; allow 127.0.0.1; deny all;", True),
        "allow-6": ("auth_oidc off; allow ::1;", True),
        "basic": ('auth_oidc off; auth_basic "x"; auth_basic_user_file none;', True),
        "request": ("auth_oidc off; auth_request /check;", True),
        "require": ("auth_oidc_require $oidc_claim_admin;", True)}


@pytest.mark.parametrize("text, good", rows("S-03", OPEN))
def test_the_configuration_says_who_may_use_it(make_site, text, good):
    site = make_site(start=False, control=False, locations=f"location = /s {{ {text} oidc_sessions; }}\n")
    status, out = site.nginx.test()
    assert (status == 0) == good, out
    if not good:
        assert '"oidc_sessions" in location "/s" is open to everyone' in out and "nginx.conf:" in out


@case("S-03")
def test_rules_of_the_server_count(make_site):
    site = make_site(start=False, control=False, server="allow 127.0.0.1; deny all;",
                     locations="location = /s { auth_oidc off; oidc_sessions; }\n")
    status, out = site.nginx.test()
    assert status == 0, out


@case("S-03")
@server_side
def test_with_a_claim(make_site):
    """An administrator who is signed in at the same site ends the own session as well."""
    site = make_site(control=False, own_paths=("/oidc_callback", "/s"), locations="""\
        location = /s { auth_oidc_require $admin; oidc_sessions; }
""", http='map $oidc_claim_groups $admin { default 0; "~(^|,)admins(,|$)" 1; }\n')
    with site.signed_in() as user:
        assert user.get("/s?sub=u-1001", kind="xhr").status == 403
    with site.signed_in(sub="boss", groups=["staff", "admins"]) as boss:
        answer = boss.get("/s?sub=boss", kind="xhr")
        assert len(answer.json()["sessions"]) == 1, answer
        answer = boss.request("DELETE", "/s?sub=boss", kind="xhr")
        assert answer.json()["ended"] == 1, answer
        challenge(site, boss.get("/x"))
