# SPDX-License-Identifier: Apache-2.0
"""Group Q, second half, N-29 and N-30: nobody but us says who the user is."""

import base64
import json
import subprocess
from urllib.parse import unquote

import pytest

from harness.cases import case, rows
from harness.client import Connection, Headers, Response
from harness.invariants import default_identity
from harness.outcome import challenge, passes, sane, unauthorized
from harness.site import FCGI, Site
from harness.stores import STORE
from harness.wire import Reply

LOOSE = "underscores_in_headers on; ignore_invalid_headers off; large_client_header_buffers 8 64k;"
# Of a claim that must be kept: the cookie store has room for little.
LARGEST = 5000 if STORE == "cookie" else 100000
NAMES = ("Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Oidc-Assertion",
         "X-Oidc-Return-To", "X-Oidc-Anything")


@pytest.fixture(scope="module")
def site(lab):
    locations = """
        location /own/ { proxy_set_header Host $host; proxy_pass http://@BACKEND@; }
        location /off/ { auth_oidc_headers off; proxy_pass http://@BACKEND@; }
        location /any/ { satisfy any; allow 127.0.0.1; deny all; proxy_pass http://@BACKEND@; }
        location /if/ { if ($arg_x) { set $y 1; } proxy_pass http://@BACKEND@; }
        location /fcgi-public/ { auth_oidc off; fastcgi_pass @FCGI@;
@FCGI_PARAMS@        }
        location /fcgi-own/ { fastcgi_pass @FCGI@; fastcgi_param HTTP_REMOTE_USER $oidc_user;
            fastcgi_param HTTP_REMOTE_EMAIL $oidc_claim_email;
@FCGI_PARAMS@        }
    """

    def identity(path, claims):
        if path.startswith("/off/"):
            return {}
        if path.startswith("/fcgi-own/"):
            return None  # the parameter is written twice, the test looks at it
        return default_identity(path, claims)
    with Site(lab, server=LOOSE, locations=locations, identity=identity,
              public=("/public/", "/fcgi-public/"), verify=("/verify/", "/any/")) as site:
        yield site


def spellings(name):
    under, dots = name.replace("-", "_"), name.replace("-", ".")
    return [name, name.lower(), name.upper(), under, under.upper(), dots, dots.lower(),
            name.swapcase(), under.swapcase(), dots.upper(), name + "[x]", under + "[", name + "_",
            name.replace("-", "__")]


def spoofed(value="admin"):
    return [(spelling, value) for name in NAMES for spelling in spellings(name)]


LOCATIONS = {"protected": "/x", "public": "/public/x", "verify": "/verify/x", "own": "/own/x",
             "off": "/off/x", "satisfy-any": "/any/x", "if": "/if/x?x=1", "fastcgi": "/fcgi/x",
             "fastcgi-public": "/fcgi-public/x"}


def clean(site, response):
    """The spoofed value is nowhere in what the application got."""
    assert response.from_backend, response
    hit = next(h for h in reversed(site.hits()) if h.test_id == response.fields["X-Test-Id"])
    assert b"admin" not in hit.raw, hit.raw
    return hit


@pytest.mark.parametrize("target", rows("Q-17", LOCATIONS) + rows("N-30", {
    k: v for k, v in LOCATIONS.items() if "fastcgi" in k}))
@pytest.mark.parametrize("signed_in", (True, False), ids=("session", "anonymous"))
def test_every_spelling_is_removed(site, target, signed_in):
    if signed_in:
        with site.signed_in() as browser:
            clean(site, browser.get(target, extra=spoofed()))
            for pair in spoofed()[::3]:
                clean(site, browser.get(target, extra=[pair]))
    else:
        browser = site.browser()
        answer = browser.get(target, extra=spoofed())
        if target.split("/")[1] in ("public", "verify", "any", "fcgi-public"):
            clean(site, answer)
        else:
            challenge(site, answer)


@pytest.mark.parametrize("name", rows("Q-17", {
    "trailing-underscore": "Remote-User_", "leading-space": " Remote-User", "tab": "Remote-User\t",
    "space": "Remote User", "plus": "Remote+User", "slash": "Remote/User", "high": "Remote\xadUser",
}))
def test_names_that_only_look_alike(site, name):
    """Names outside the folding of CGI and PHP stay foreign headers; nothing breaks."""
    with site.signed_in() as browser:
        answer = browser.get("/x", extra=[(name, "admin")])
        assert answer.status in (200, 400), answer
        if answer.from_backend:
            passes(site, answer, remote_user="jdoe")
    sane(site)


@pytest.mark.parametrize("times", rows("Q-18", {"0": 0, "1": 1, "2": 2, "50": 50}))
def test_repeated_headers(site, times):
    with site.signed_in() as browser:
        for target in ("/x", "/fcgi/x"):
            hit = clean(site, browser.get(target, extra=[
                ("rEmOtE-uSeR" if i % 2 else "Remote-User", "admin") for i in range(times)]))
            assert hit.identity()["remote-user"] == ["jdoe"]


def curl(site, target, *options):
    """One HTTP/2 request."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "--http2", "--cacert", str(site.lab.pki.ca.file), "--resolve",
         f"{site.host}:{site.port}:127.0.0.1", "--path-as-is", "--max-time", "20", *options,
         site.origin_text + target], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    assert line.startswith("HTTP/2 "), line
    headers = Headers([tuple(f.split(": ", 1)) for f in fields if ": " in f])
    return Response(int(line.split()[1]), "", headers, body, ("GET", target, {}))


@case("Q-18")
def test_repeated_headers_over_http2(site):
    with site.signed_in() as browser:
        site.state.check_hits = False
        options = []
        for name, value in spoofed():
            options += ["-H", f"{name}: {value}"]
        cookie = f"{site.session_cookie_name}={browser.session_cookie}"
        answer = curl(site, "/h2", *options, "-H", f"Cookie: {cookie}")
        assert answer.status == 200, answer
        hit = site.backend.last
        assert hit.target == "/h2" and b"admin" not in hit.raw
        assert hit.identity() == {"remote-user": ["jdoe"], "remote-email": ["jdoe@example.org"],
                                  "remote-name": ["John Doe"], "remote-groups": ["staff,dev"]}
        assert browser.session_cookie.encode() not in hit.raw
        # Cookie crumbs: HTTP/2 may split the header.
        answer = curl(site, "/crumbs", "-H", "Cookie: a=1", "-H", f"Cookie: {cookie}",
                      "-H", "Cookie: b=2")
        assert answer.status == 200, answer
        assert site.backend.last.headers.all("Cookie") == ["a=1; b=2"]
        anonymous = curl(site, "/h2", *options, "-H", "Accept: text/html")
        assert anonymous.status == 302


@case("Q-19")
def test_public_location_with_a_session(site):
    """`auth_oidc off` forwards no identity, not even a true one."""
    with site.signed_in() as browser:
        hit = clean(site, browser.get("/public/x", extra=spoofed()))
        assert hit.identity() == {}
        assert hit.header("Cookie") is None, "our cookie is of no use there"


@case("Q-19")
def test_verify_mode(site):
    browser = site.browser()
    hit = clean(site, browser.get("/verify/x", extra=spoofed()))
    assert hit.identity() == {}
    browser.login("/x")
    passes(site, browser.get("/verify/x"), remote_user="jdoe")
    for method in ("POST", "PUT"):
        passes(site, browser.request(method, "/verify/x", body=b"x"), remote_user="jdoe")
    stale = site.browser()
    stale.jar.set(site.session_cookie_name, "A" * 43)
    assert clean(site, stale.get("/verify/x")).identity() == {}


@case("Q-20")
def test_satisfy_any(site):
    browser = site.browser()
    hit = clean(site, browser.get("/any/x", extra=spoofed()))
    assert hit.identity() == {}
    with site.signed_in() as signed:
        passes(site, signed.get("/any/x", extra=spoofed()), remote_user="jdoe")


@pytest.mark.parametrize("extra", rows("Q-21", {
    "connection": [("Connection", "Remote-User, close")],
    "te": [("TE", "trailers"), ("Trailer", "Remote-User")],
}))
def test_hop_by_hop_tricks(site, extra):
    with site.signed_in() as browser:
        passes(site, browser.get("/x", extra=extra), remote_user="jdoe")


@case("Q-21")
def test_trailers(site):
    with site.signed_in() as browser:
        cookie = f"{site.session_cookie_name}={browser.session_cookie}"
        site.state.check_hits = False
        answer = site.raw(f"POST /x HTTP/1.1\r\nHost: {site.host}\r\nCookie: {cookie}\r\n"
                          "Transfer-Encoding: chunked\r\nTrailer: Remote-User\r\n\r\n"
                          "3\r\nabc\r\n0\r\nRemote-User: admin\r\n\r\n")
        assert answer.status in (200, 400), answer
        if answer.status == 200:
            hit = site.backend.last
            assert b"admin" not in hit.raw and hit.headers.all("Remote-User") == ["jdoe"]


CREDENTIALS = {"Authorization-Basic": ("Authorization", "Basic YWRtaW46YWRtaW4="),
               "Authorization-Bearer": ("Authorization", "Bearer junk"),
               "Espo": ("Espo-Authorization", "YWRtaW46YWRtaW4="),
               "Espo-By-Token": ("Espo-Authorization-By-Token", "true"),
               "Api-Key": ("X-Api-Key", "0123456789"),
               "Hmac": ("X-Hmac-Authorization", "x"), "Cgi-Auth": ("Http-Espo-Cgi-Auth", "Basic x"),
               "Redirect-Cgi-Auth": ("Redirect-Http-Espo-Cgi-Auth", "Basic x"),
               "Cookie": ("Cookie", "auth-token=abcdef"), "PHP-AUTH": ("PHP-AUTH-USER", "x")}


@pytest.mark.parametrize("pair", rows("Q-22", {k: (v,) for k, v in CREDENTIALS.items()}))
def test_credentials_of_the_application(site, pair):
    """None of them stands in for a session; with one they reach the application unchanged."""
    name, value = pair
    challenge(site, site.browser().get("/x", extra=[pair]))
    unauthorized(site.browser().get("/api/v1/App/user", kind="xhr", extra=[pair]))
    assert site.hits() == []
    with site.signed_in() as browser:
        for target in ("/x", "/fcgi/x"):
            if name == "Cookie":
                browser.jar.set("auth-token", "abcdef")
                answer = browser.get(target)
            else:
                answer = browser.get(target, extra=[pair])
            hit = passes(site, answer, remote_user="jdoe")
            if hit.kind == "http":
                assert hit.headers.all(name) == [value]
            else:
                assert hit.headers.all("HTTP_" + name.upper().replace("-", "_")) == [value]


@case("Q-22")
def test_other_headers_stay_byte_for_byte(site):
    extra = [("X-One", "a  b\t c"), ("x-two", "\xe9\xff"), ("X-One", "second"), ("Empty", ""),
             ("Referer", "https://app.test/\"<x>"), ("If-None-Match", '"abc"'), ("X_Under", "1"),
             ("X.Dot", "2"), ("Remote-Users", "not ours"), ("XOidc-A", "1"), ("Remote-Address", "z")]
    with site.signed_in() as browser:
        hit = passes(site, browser.get("/x?a=%20&b", extra=extra), remote_user="jdoe")
        wanted = [(n, v) for n, v in extra]
        names = {n for n, _ in wanted}
        assert [(n, v) for n, v in hit.headers if n in names] == wanted
        assert hit.target == "/x?a=%20&b"


GROUPS = {"comma": ["x,admin"], "dn": ["cn=admins,ou=groups,dc=example", "staff"],
          "escape": ["a%2Cb", "50%"], "mixed": ["a,b", "a%2Cb", "a%252Cb"], "empty-element": ["", "a"],
          "blank": ["a", " b ", "c"], "quotes": ['a"b', "c;d", "e|f"], "one": ["admin"],
          "numbers": [1, True, 2.5]}


@pytest.mark.parametrize("groups", rows("Q-23", {k: (v,) for k, v in GROUPS.items()}))
def test_no_group_can_pretend_to_be_two(site, groups):
    with site.signed_in(groups=groups) as browser:
        hit = passes(site, browser.get("/x"))
        if groups == ["", "a"]:
            return
        values = hit.headers.all("Remote-Groups")
        assert len(values) == 1
        parts = [unquote(p) for p in values[0].split(",")]
        texts = [g if isinstance(g, str) else json.dumps(g) for g in groups]
        assert [p.strip() for p in parts] == [t.strip() for t in texts]


OUTER_BLANKS = {"mail": ("email", "admin@example.com "), "name": ("name", " John"), "blank": ("name", " "),
                "group": ("groups", ["admins "]), "first": ("groups", [" admins", "staff"]),
                "last": ("groups", ["staff", "admins "])}


@pytest.mark.parametrize("claim, value", rows("Q-41", OUTER_BLANKS))
def test_outer_blanks(site, claim, value):
    """A header would lose them, and a backend would see somebody else's."""
    header = {"email": "Remote-Email", "name": "Remote-Name", "groups": "Remote-Groups"}[claim]
    site.state.check_hits = False
    with site.signed_in(**{claim: value}) as browser:
        for target in ("/x", "/own/x", "/fcgi/x", "/fcgi-own/x"):
            hit = passes(site, browser.get(target), remote_user="jdoe" if target == "/x" else "jdoe")
            name = "HTTP_" + header.upper().replace("-", "_") if hit.kind == "fastcgi" else header
            assert [v for v in hit.headers.all(name) if v] == [], target
    assert f'claim "{claim}" has outer blanks' in site.log_since_mark()


@case("Q-41")
def test_outer_blanks_of_a_user_name(site):
    site.idp.user = {**site.idp.user, "preferred_username": "admin "}
    answer = site.browser().try_login("/x")
    assert answer.status == 502 and site.refusals()[-1][1] == "username_missing", answer


@pytest.mark.parametrize("text", rows("Q-14", {
    "latin": "Zo\u00eb", "cjk": "\u6f22\u5b57", "emoji": "\U0001f600 ok", "rtl": "\u202eabc\u202c",
    "combining": "e\u0301", "c1": "a\u0085b", "nbsp": "a\u00a0b",
}))
def test_values_beyond_ascii(site, text):
    with site.signed_in(preferred_username=text, name=text, groups=[text]) as browser:
        passes(site, browser.get("/x"), remote_user=text, remote_name=text, remote_groups=text)
        passes(site, browser.get("/fcgi/x"), remote_user=text, remote_name=text)


@pytest.mark.parametrize("byte", rows("Q-14", {f"{b:02x}": b for b in (
    1, 8, 9, 10, 13, 27, 31, 127)}))
def test_control_bytes_never_reach_a_header(site, byte):
    text = f"a{chr(byte)}Remote-Email: admin@x"
    with site.signed_in(name=text, groups=["a", text], email=text) as browser:
        for target in ("/x", "/fcgi/x"):
            hit = passes(site, browser.get(target, extra=[("Remote-Name", "spoofed")]),
                         remote_user="jdoe", remote_name=None, remote_groups=None,
                         remote_email=None)
            assert b"admin" not in hit.raw and b"spoofed" not in hit.raw


@case("Q-14")
def test_control_bytes_in_the_username(site):
    """It names somebody: neither half of it is taken, nor the next claim, which names somebody else."""
    site.idp.user = {**site.idp.user, "preferred_username": "admin\n"}
    answer = site.browser().try_login("/x")
    assert answer.status == 502 and site.refusals()[-1][1] == "username_missing", answer
    assert "a user name must not have control bytes" in site.log_since_mark()


@pytest.mark.parametrize("size", rows("Q-15", {"4k": 4096, "40k": 40000, "200k": 200000,
                                               "1m": 1 << 20}))
@pytest.mark.parametrize("target", ("/x", "/fcgi/x"), ids=("http", "fastcgi"))
def test_large_claims(site, size, target):
    site.idp.user = {**site.idp.user, "name": "n" * size}
    browser = site.browser()
    answer = browser.try_login(target)
    if answer.status not in (302, 303):
        assert answer.status in (500, 502) and size > LARGEST, answer
        assert site.refusals()
    else:
        answer = browser.get(target)
        if answer.from_backend:
            passes(site, answer, remote_name="n" * size)
        else:
            assert size > 4096 and answer.status in (500, 502), answer
    browser.close()
    site.allow_log(r"\[alert\].*fastcgi.*(too big|exceed)")
    sane(site)


@case("N-29")
def test_location_that_cancels_inherited_header_lines(site):
    with site.signed_in() as browser:
        hit = clean(site, browser.get("/own/x", extra=spoofed()))
        assert hit.headers.all("Remote-User") == ["jdoe"]
        assert hit.header("Host") == site.host


@case("N-30")
def test_explicit_fastcgi_params(site):
    """A configuration that also writes the parameter itself: every copy is ours."""
    with site.signed_in() as browser:
        hit = clean(site, browser.get("/fcgi-own/x", extra=spoofed() + [
            ("HTTP-REMOTE-USER", "x"), ("REDIRECT_REMOTE_USER", "y")]))
        assert set(hit.headers.all("HTTP_REMOTE_USER")) == {"jdoe"}
        assert set(hit.headers.all("HTTP_REMOTE_EMAIL")) == {"jdoe@example.org"}


@pytest.fixture(scope="module")
def custom(lab):
    server = LOOSE + """
        auth_oidc_header X-Forwarded-User $oidc_user;
        auth_oidc_header X-Mail $oidc_claim_email;
        auth_oidc_header X-Fixed "a $oidc_provider b";
        auth_oidc_header X-Never $oidc_claim_nothing;
    """
    locations = """
        location /inner/ { auth_oidc_header X-Mail "inner $oidc_claim_email";
                           auth_oidc_header X-More $oidc_claim_name; proxy_pass http://@BACKEND@; }
        location /blank/ { auth_oidc_header X-Mail ""; proxy_pass http://@BACKEND@; }
    """
    with Site(lab, server=server, locations=locations, identity=lambda p, c: {}) as site:
        yield site


@case("Q-17")
def test_configured_headers(custom):
    site = custom
    spoof = [(s, "admin") for n in ("X-Forwarded-User", "X-Mail", "X-Fixed", "X-Never", "X-More")
             for s in spellings(n)] + spoofed()
    base = {"x_forwarded_user": "jdoe", "x_mail": "jdoe@example.org", "x_fixed": "a idp b",
            "x_never": None, "x_more": None, "remote_user": None}
    with site.signed_in() as browser:
        for target, changes in (("/x", {}), ("/inner/x", {"x_mail": "inner jdoe@example.org",
                                                          "x_more": "John Doe"}),
                                ("/blank/x", {"x_mail": None})):
            answer = browser.get(target, extra=spoof)
            clean(site, answer)
            passes(site, answer, **{**base, **changes})
        answer = browser.get("/public/x", extra=spoof)
        clean(site, answer)
        passes(site, answer, **{k: None for k in base})


@case("Q-19")
def test_server_without_the_module(make_site):
    """A server that does not use the module is not touched: its headers are its own business."""
    site = make_site(server="", servers="""
    server { listen 127.0.0.1:@PORT2@; server_name other.test; location / { proxy_pass http://@BACKEND@; } }
    """)
    from harness.client import Connection
    site.state.check_hits = False
    with Connection("127.0.0.1", site.port2) as c:
        c.send(b"GET /x HTTP/1.1\r\nHost: other.test\r\nRemote-User: theirs\r\n"
               b"Cookie: __Host-NGX_OIDC_SESSION=abc\r\n\r\n")
        assert c.read_response().status == 200
    assert site.backend.last.header("Remote-User") == "theirs"


assert "HTTP_" not in FCGI  # the parameters of the tests' own template name no header


# ---- CGI's REMOTE_USER -----------------------------------------------------------------------

CGI_LOCATIONS = """
        location /cgi/ { fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param AUTH_USER $remote_user if_not_empty; fastcgi_param LOGON_USER "x${remote_user}y";
@FCGI_PARAMS@        }
        location /cgi-public/ { auth_oidc off; fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-verify/ { auth_oidc_mode verify; fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-quiet/ { auth_oidc_headers off; fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-early/ { if ($remote_user = admin) { return 418; } fastcgi_pass @FCGI@;
            fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-basic/ { auth_oidc off; auth_basic realm; auth_basic_user_file @FOLDER@/users; fastcgi_pass @FCGI@;
            fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-either/ { satisfy any; auth_basic realm; auth_basic_user_file @FOLDER@/users; fastcgi_pass @FCGI@;
            fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-any/ { auth_oidc off; satisfy any; allow all; auth_basic realm; auth_basic_user_file @FOLDER@/users;
            fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /cgi-perhaps/ { auth_oidc off; auth_basic $realm; auth_basic_user_file @FOLDER@/users;
            fastcgi_pass @FCGI@; fastcgi_param REMOTE_USER $remote_user;
@FCGI_PARAMS@        }
        location /proxied/ { proxy_set_header X-User $remote_user; proxy_pass http://@BACKEND@; }
        location /include/ { ssi on; ssi_types *; proxy_pass http://@BACKEND@; }
"""


@pytest.fixture(scope="module")
def cgi(lab):
    with Site(lab, locations=CGI_LOCATIONS, http="map $arg_realm $realm { default off; on realm; }\n"
              "log_format users '$remote_user|$uri'; ", server="access_log logs/users users;",
              servers="server { listen 127.0.0.1:@PORT2@; auth_oidc off; location / { fastcgi_pass @FCGI@;"
              " fastcgi_param REMOTE_USER $remote_user;\n@FCGI_PARAMS@ } }",
              public=("/public/", "/cgi-public/", "/cgi-basic/", "/cgi-any/", "/cgi-perhaps/", "/cgi-either/"),
              verify=("/verify/", "/cgi-verify/"), start=False) as site:
        (site.folder / "users").write_text("admin:{PLAIN}x\n")
        site.start()
        yield site


BASIC = "Basic YWRtaW46eA=="  # admin:x
CREDENTIALS = {"basic": BASIC, "case": "bAsIc YWRtaW46eA==", "blanks": "Basic   YWRtaW46eA==", "no-colon": "Basic YWRtaW4=",
               "broken": "Basic ????", "empty": "Basic ", "bearer": "Bearer admin", "none": None}


def remote_user(site, answer):
    """REMOTE_USER as the application got it, beside an Authorization that nobody has touched."""
    hit = passes(site, answer)
    sent = answer.fields.get("Authorization")
    assert (hit.headers.all("HTTP_AUTHORIZATION") or [None])[0] == (sent.strip() if sent else None)
    return (hit.headers.all("REMOTE_USER") or [""])[0]


@pytest.mark.parametrize("credentials", rows("N-44", CREDENTIALS))
def test_remote_user_is_verified_or_empty(cgi, credentials):
    site = cgi
    site.state.check_hits = False
    headers = {"Authorization": credentials}
    with site.signed_in() as browser:
        for path, user in (("/cgi/x", "jdoe"), ("/cgi-verify/x", "jdoe"), ("/cgi-public/x", ""), ("/cgi-quiet/x", ""),
                           ("/cgi-early/x", "jdoe"), ("/cgi-any/x", ""), ("/cgi-perhaps/x", ""), ("/cgi-either/x", "jdoe")):
            assert remote_user(site, browser.get(path, headers=headers)) == user, path
        browser.get("/cgi/x", headers=headers)
        hit = site.backend.last
        assert hit.headers.all("AUTH_USER") == ["jdoe"] and hit.headers.all("LOGON_USER") == ["xjdoey"]
        browser.get("/proxied/x", headers=headers)
        assert site.backend.last.headers.all("X-User") == ["jdoe"]
    browser = site.browser()
    for path in ("/cgi-public/x", "/cgi-verify/x", "/cgi-any/x", "/cgi-perhaps/x"):
        assert remote_user(site, browser.get(path, headers=headers)) == "", path
    challenge(site, browser.get("/cgi/x", headers=headers))
    log = site.wait(lambda: (site.folder / "logs" / "users").read_text(), "access log")
    assert "jdoe|/cgi/x" in log and "-|/cgi-public/x" in log and "admin|/cgi" not in log.replace("admin|/cgi-basic", "")


@case("N-44")
def test_remote_user_of_auth_basic(cgi):
    """Who auth_basic has checked is verified; where something else may have let the request in, nobody is."""
    site = cgi
    site.state.check_hits = False
    browser = site.browser()
    good, bad = {"Authorization": BASIC}, {"Authorization": "Basic YWRtaW46eQ=="}
    assert remote_user(site, browser.get("/cgi-basic/x", headers=good)) == "admin"
    assert browser.get("/cgi-basic/x", headers=bad).status == 401
    assert remote_user(site, browser.get("/cgi-either/x", headers=good)) == "admin"
    assert not browser.get("/cgi-either/x", headers=bad).from_backend
    assert browser.get("/cgi-perhaps/x?realm=on", headers=bad).status == 401


@case("N-44")
def test_remote_user_of_another_server(cgi):
    """A server without the module is nginx's own affair."""
    site = cgi
    site.state.check_hits = False
    with Connection("127.0.0.1", site.port2, None, "other.test") as connection:
        connection.send(f"GET /x HTTP/1.1\r\nHost: other.test\r\nAuthorization: {BASIC}\r\n\r\n".encode())
        assert connection.read_response("GET").from_backend
    assert site.backend.last.headers.all("REMOTE_USER") == ["admin"]


# ---- encodings ---------------------------------------------------------------------------------

@pytest.mark.parametrize("name", rows("Q-44", {
    "latin": "Zo\u00eb M\u00fcller", "cjk": "\u6f22\u5b57, \u5b57", "percent": "100% a+b", "plain": "John Doe"}))
def test_encoded_values(make_site, name):
    site = make_site(control=False, identity=lambda p, c: None, locations="""
        location /percent/ { auth_oidc_header X-Name $oidc_claim_name percent; proxy_pass http://@BACKEND@; }
        location /base64/ { auth_oidc_header X-Name "<$oidc_claim_name>" base64; fastcgi_pass @FCGI@;
@FCGI_PARAMS@        }
        location /raw/ { auth_oidc_header X-Name $oidc_claim_name; proxy_pass http://@BACKEND@; }
        location /none/ { auth_oidc_header X-Name $oidc_claim_nothing base64; proxy_pass http://@BACKEND@; }
    """)
    with site.signed_in(name=name) as browser:
        (percent,) = passes(site, browser.get("/percent/x")).headers.all("X-Name")
        assert percent.isascii() and " " not in percent and unquote(percent) == name
        (encoded,) = passes(site, browser.get("/base64/x")).headers.all("HTTP_X_NAME")
        assert base64.b64decode(encoded, validate=True).decode() == f"<{name}>"
        (raw,) = passes(site, browser.get("/raw/x")).headers.all("X-Name")
        assert raw.encode("latin-1").decode() == name
        assert passes(site, browser.get("/none/x")).headers.all("X-Name") == []


# ---- cookies of others -------------------------------------------------------------------------

STRIPPED = ("authelia_session", "Authelia_Session", "__Host-authelia_session", "__secure-AUTHELIA_SESSION",
            "sso-a", "SSO-", "__Secure-sso-long")


@case("Q-43")
def test_cookies_that_stay_here(make_site):
    site = make_site(control=False, directives={"strip_cookies": "authelia_session sso-*"},
                     locations="location /fcgi-open/ { auth_oidc off; fastcgi_pass @FCGI@;\n@FCGI_PARAMS@        }",
                     public=("/public/", "/fcgi-open/"))
    with site.signed_in() as browser:
        own = f"{site.session_cookie_name}={browser.session_cookie}"
        for target in ("/x", "/public/x", "/verify/x", "/fcgi/x", "/fcgi-open/x"):
            for i, name in enumerate(STRIPPED):
                cookie = f"a=1; {name}=secret{i}; {own}; xauthelia_session=2; authelia_session2=3;  sso=4; {name}=again"
                hit = passes(site, browser.get(target, headers={"Cookie": cookie}))
                sent = hit.headers.all("HTTP_COOKIE" if hit.kind == "fastcgi" else "Cookie")
                assert sent == ["a=1; xauthelia_session=2; authelia_session2=3;  sso=4"], (target, name, sent)
            hit = passes(site, browser.get(target, headers={"Cookie": f"authelia_session=x; {own}"}))
            assert hit.headers.all("HTTP_COOKIE" if hit.kind == "fastcgi" else "Cookie") in ([], [""]), target


# What a browser keeps under our name, or sends back so.
DISGUISES = ("={n}=evil; Path=/", " = {n}=evil; Path=/", "=\t{n} = evil", "{n}; Path=/", "={n}", "{n}=evil", "  {n} =evil")


@pytest.mark.parametrize("line", rows("Q-42", {str(i): d for i, d in enumerate(DISGUISES)}))
def test_cookies_of_a_backend_in_disguise(site, line):
    names = ("NGX_OIDC_SESSION", "__Host-NGX_OIDC_SESSION", "NGX_OIDC_LOGIN_1", "NGX_OIDC_TARGET")
    kept = ("=other=1; Path=/", "=x", "app=NGX_OIDC_SESSION=1; Path=/")
    with site.signed_in() as browser:
        for name in names:
            site.backend.answers["/set"] = Reply(b"", headers=[
                ("Set-Cookie", text) for text in (line.format(n=name), *kept)])
            answer = browser.get("/set")
            assert answer.headers.all("Set-Cookie") == list(kept), name
            assert f'cookie "{name}" is dropped' in site.log_since_mark()
