# SPDX-License-Identifier: Apache-2.0
"""Shared Signals: a transmitter pushes security events, which end sessions as logout tokens do."""

import re
import time

import pytest

from harness import forge
from harness.cases import case, rows
from harness.idp import Idp
from harness.outcome import challenge, passes, sane
from harness.site import Site
from harness.stores import STORE
from harness.wire import Reply

PATH = "/oidc/signals"
TYPE = "application/secevent+jwt"
BEARER = "push-7yGkFz0oXsB3qWc1"
REVOKED = "caep/event-type/session-revoked"
DISABLED = "risc/event-type/account-disabled"
# The cookie store does not know how many there were.
ENDED_ONE = "ended the sessions" if STORE == "cookie" else "ended 1 sessions"
ENDED_NONE = "ended the sessions" if STORE == "cookie" else "ended 0 sessions"


@pytest.fixture(scope="module")
def bearer_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("signals") / "bearer"
    file.write_text(BEARER + "\n")
    file.chmod(0o600)
    return file


def directives(bearer_file, **more):
    return {"id_token_signed_response_alg": "RS256", "shared_signals_uri": PATH,
            "shared_signals_token_file": str(bearer_file), **more}


@pytest.fixture(scope="module")
def site(lab, bearer_file):
    with Site(lab, directives=directives(bearer_file, backchannel_logout_uri="/oidc/backchannel"),
              own_paths=("/oidc_callback", PATH, "/oidc/backchannel"),
              locations="location = /metrics { oidc_status; auth_oidc off; }") as site:
        site.state.canaries[BEARER] = "what the transmitter brings"
        yield site


def send(site, body, content_type=TYPE, method="POST", bearer=f"Bearer {BEARER}", path=PATH):
    """A request of the transmitter: no cookie, nothing of a browser."""
    browser = site.browser()
    headers = {"Content-Type": content_type, "Authorization": bearer}
    answer = browser.request(method, path, kind="none", cookies=False,
                             body=body.encode() if isinstance(body, str) else body,
                             headers={k: v for k, v in headers.items() if v is not None})
    browser.close()
    return answer


def deliver(site, event=REVOKED, **claims):
    return send(site, site.idp.security_event(event, **claims))


def accepted(answer):
    assert answer.status == 202, answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert answer.body == b"" and not answer.set_cookies(), answer


def refused(site, answer, code, err="invalid_request", status=400):
    assert answer.status == status, f"{answer}\n{site.log_since_mark()}"
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert answer.headers.get("content-type") == "application/json", answer
    assert answer.headers.get("content-language") == "en", answer
    body = answer.json()
    assert set(body) == {"err", "description"} and body["err"] == err and body["description"], answer
    if code:
        log = site.log_since_mark()
        assert f'oidc: shared signal at provider "idp" refused: {code}' in log, log


def alive(site, browser):
    passes(site, browser.get("/x"))


def dead(site, browser):
    """On a few connections of its own, so that every worker says so."""
    for _ in range(4):
        other = site.browser()
        challenge(site, other.get("/x", headers={
            "Cookie": f"{site.session_cookie_name}={browser.session_cookie}"}))
        other.close()


def counted(site, result):
    text = site.browser().get("/metrics?format=prometheus", kind="none").text
    return int(re.search(rf'^oidc_shared_signals_total{{result="{result}"}} (\d+)$', text, re.M)[1])


def iss_sub(site, sub="u-1001", iss=None):
    return {"format": "iss_sub", "iss": iss or site.idp.issuer, "sub": sub}


# ---- what ends ---------------------------------------------------------------------------------

@pytest.mark.parametrize("event", rows("L-43", {
    "session-revoked": REVOKED, "credential-change": "caep/event-type/credential-change",
    "account-disabled": DISABLED, "account-purged": "risc/event-type/account-purged",
    "sessions-revoked": "risc/event-type/sessions-revoked",
    "credential-compromise": "risc/event-type/credential-compromise"}))
def test_an_event_ends_the_sessions_of_its_user(site, event):
    before = counted(site, "ended")
    with site.signed_in() as browser, site.signed_in(sub="other") as other:
        accepted(deliver(site, event))
        dead(site, browser)
        alive(site, other)
        assert counted(site, "ended") == before + 1
        assert f'shared signal at provider "idp" {ENDED_ONE}: {forge.SECURITY_EVENTS}{event}' in site.log_since_mark()
        sane(site)


@case("L-43")
def test_every_session_of_the_user_and_a_new_one_afterwards(site):
    with site.signed_in(sub="many", sid="sig-1") as one, site.signed_in(sub="many") as two:
        accepted(deliver(site, sub_id=iss_sub(site, "many")))
        dead(site, one)
        dead(site, two)
    with site.signed_in(sub="many") as again:
        alive(site, again)


@case("L-43")
def test_several_events_of_one_token(site):
    events = {forge.SECURITY_EVENTS + name: {} for name in (REVOKED, DISABLED, "caep/event-type/other")}
    with site.signed_in(sub="several") as browser:
        accepted(send(site, site.idp.security_event(events, sub_id=iss_sub(site, "several"))))
        dead(site, browser)
        log = site.log_since_mark()
        assert log.count(ENDED_ONE) == 1 and "is of a type that ends nothing" in log, log


@pytest.mark.parametrize("event, line, result", rows("L-43", {
    "verification": ("ssf/event-type/verification", "is about the stream", "stream"),
    "stream-updated": ("ssf/event-type/stream-updated", "is about the stream", "stream"),
    "unknown": ("caep/event-type/device-compliance-change", "is of a type that ends nothing", "ignored")}))
def test_events_that_end_nothing(site, event, line, result):
    before = counted(site, result)
    with site.signed_in(sub="stream-1") as browser:
        accepted(deliver(site, event, sub_id={"format": "opaque", "id": "stream-1"}))
        alive(site, browser)
        assert line in site.log_since_mark() and counted(site, result) == before + 1


SUBJECTS = {
    "opaque": lambda site: {"format": "opaque", "id": "su-1"},
    "user": lambda site: {"format": "complex", "user": iss_sub(site, "su-1")},
    "user-and-tenant": lambda site: {"format": "complex", "user": iss_sub(site, "su-1"),
                                     "tenant": {"format": "opaque", "id": "t"}},
    "aliases": lambda site: {"format": "aliases", "identifiers": [
        {"format": "email", "email": "su@example.com"}, iss_sub(site, "su-1")]},
}


@pytest.mark.parametrize("subject", rows("L-45", SUBJECTS))
def test_subjects_of_a_user(site, subject):
    with site.signed_in(sub="su-1") as browser, site.signed_in(sub="su-2") as other:
        accepted(deliver(site, sub_id=subject(site)))
        dead(site, browser)
        alive(site, other)


@case("L-45")
def test_a_session_of_the_user_alone(site):
    with site.signed_in(sub="two", sid="two-1") as one, site.signed_in(sub="two", sid="two-2") as two:
        accepted(deliver(site, sub_id={"format": "complex", "user": iss_sub(site, "two"),
                                       "session": {"format": "opaque", "id": "two-1"}}))
        dead(site, one)
        alive(site, two)


@pytest.mark.parametrize("top, inside", rows("L-48", {"inside": (False, True), "both": (True, True)}))
def test_the_subject_where_drafts_had_it(site, top, inside):
    subject = iss_sub(site, "draft")
    with site.signed_in(sub="draft") as browser:
        events = {forge.SECURITY_EVENTS + DISABLED: {"subject": subject} if inside else {}}
        accepted(send(site, site.idp.security_event(events, sub_id=subject if top else None)))
        dead(site, browser)


UNMATCHED = {
    "email": lambda site: {"format": "email", "email": "john@mail.example"},
    "account": lambda site: {"format": "account", "uri": "acct:john@mail.example"},
    "other-issuer": lambda site: iss_sub(site, iss="https://evil.example"),
    "issuer-with-slash": lambda site: iss_sub(site, iss=site.idp.issuer + "/"),
    "device": lambda site: {"format": "complex", "device": {"format": "opaque", "id": "u-1001"}},
    "session-of-another": lambda site: {"format": "complex", "user": iss_sub(site, iss="https://evil.example"),
                                        "session": {"format": "opaque", "id": "un-1"}},
}


@pytest.mark.parametrize("subject", rows("L-46", UNMATCHED))
def test_who_is_not_found_is_said(site, subject):
    before = counted(site, "unmatched")
    with site.signed_in(sid="un-1") as browser:
        accepted(deliver(site, sub_id=subject(site)))
        alive(site, browser)
        line = [x for x in site.log_since_mark().splitlines() if "unmatched, nothing has ended" in x]
        assert len(line) == 1 and "[warn]" in line[0] and "john" not in line[0], line
        assert counted(site, "unmatched") == before + 1


@case("L-43")
def test_nobody_is_signed_in(site):
    accepted(deliver(site, sub_id=iss_sub(site, "nobody-here")))
    assert ENDED_NONE in site.log_since_mark()


@case("L-59")
def test_a_session_of_another_client_stays(site, make_site, bearer_file):
    with site.signed_in(sub="both") as browser:
        second = make_site(directives=directives(bearer_file), own_paths=("/oidc_callback", PATH))
        with second.signed_in(sub="both") as there:
            accepted(send(second, second.idp.security_event(REVOKED, sub_id=iss_sub(second, "both"))))
            dead(second, there)
            alive(site, browser)


@case("L-59")
def test_the_logout_token_of_the_same_provider_still_counts(site):
    with site.signed_in(sub="lt", sid="lt-1") as browser:
        answer = send(site, "logout_token=" + site.idp.logout_token(sub="lt"),
                      "application/x-www-form-urlencoded", bearer=None, path="/oidc/backchannel")
        assert answer.status == 200, answer
        dead(site, browser)


# ---- what is refused ---------------------------------------------------------------------------

BAD_HEADER = {
    "L-50-none": ({"alg": "none"}, {"alg": "none"}, "signal_alg", "invalid_key"),
    "L-50-hs256": ({}, {"alg": "HS256"}, "signal_alg", "invalid_key"),
    "L-50-es256": ({}, {"alg": "ES256", "key": "p256"}, "signal_alg", "invalid_key"),
    "L-50-other-key": ({"kid": "rsa-1"}, {"key": "rsa2"}, "signal_signature", "invalid_key"),
    "L-50-crit": ({"crit": ["x"], "x": 1}, {}, "signal_malformed", "invalid_request"),
    "L-51-absent": ({"typ": None}, {}, "signal_typ", "invalid_request"),
    "L-51-jwt": ({"typ": "JWT"}, {}, "signal_typ", "invalid_request"),
    "L-51-logout": ({"typ": "logout+jwt"}, {}, "signal_typ", "invalid_request"),
    "L-51-access": ({"typ": "at+jwt"}, {}, "signal_typ", "invalid_request"),
}


@pytest.mark.parametrize("header, options, code, err", [pytest.param(*v, id=k) for k, v in BAD_HEADER.items()])
def test_token_by_its_header(site, header, options, code, err):
    options = {k: getattr(site.lab.keys, v) if k == "key" else v for k, v in options.items()}
    with site.signed_in() as browser:
        refused(site, send(site, site.idp.security_event(REVOKED, header, **options)), code, err)
        alive(site, browser)
        sane(site)


@case("L-50")
def test_the_public_key_is_no_secret(site):
    """HS256 with the provider's public key, as text that anybody can fetch."""
    with site.signed_in() as browser:
        for secret in (site.idp.key.public_pem(), site.idp.key.public_der()):
            token = site.idp.security_event(REVOKED, {"kid": site.idp.key.kid}, alg="HS256", key=secret)
            refused(site, send(site, token), "signal_alg", "invalid_key")
        alive(site, browser)


EVENT = forge.SECURITY_EVENTS + REVOKED
BAD_CLAIMS = {
    "L-44-missing": ({"events": None}, "signal_events", "invalid_request"),
    "L-44-array": ({"events": [EVENT]}, "signal_events", "invalid_request"),
    "L-44-string": ({"events": {EVENT: "x"}}, "signal_events", "invalid_request"),
    "L-44-many": ({"events": {f"urn:{i}": {} for i in range(9)}}, "signal_events", "invalid_request"),
    "L-47-missing": ({"sub_id": None}, "signal_subject", "invalid_request"),
    "L-47-text": ({"sub_id": "u-1001"}, "signal_subject", "invalid_request"),
    "L-47-no-format": ({"sub_id": {"iss": "x", "sub": "u-1001"}}, "signal_subject", "invalid_request"),
    "L-47-half": ({"sub_id": {"format": "iss_sub", "sub": "u-1001"}}, "signal_subject", "invalid_request"),
    "L-48-differ": ({"events": {EVENT: {"subject": {"format": "opaque", "id": "u-1001"}}}}, "signal_subject",
                    "invalid_request"),
    "L-49-sub": ({"sub": "u-1001"}, "signal_subject", "invalid_request"),
    "L-49-exp": ({"exp": 600}, "signal_exp", "invalid_request"),
    "L-52-other": ({"aud": "client-2"}, "signal_aud", "invalid_audience"),
    "L-52-missing": ({"aud": None}, "signal_aud", "invalid_audience"),
    "L-52-empty": ({"aud": []}, "signal_aud", "invalid_audience"),
    "L-53-other": ({"iss": "https://evil.example"}, "signal_iss", "invalid_issuer"),
    "L-53-missing": ({"iss": None}, "signal_iss", "invalid_issuer"),
    "L-55-missing": ({"iat": None}, "signal_iat", "invalid_request"),
    "L-55-future": ({"iat": 600}, "signal_iat", "invalid_request"),
    "L-55-old": ({"iat": -4000}, "signal_iat", "invalid_request"),
    "L-56-missing": ({"jti": None}, "signal_jti", "invalid_request"),
    "L-56-number": ({"jti": 7}, "signal_jti", "invalid_request"),
}


@pytest.mark.parametrize("claims, code, err", [pytest.param(*v, id=k) for k, v in BAD_CLAIMS.items()])
def test_token_by_its_claims(site, claims, code, err):
    now = int(time.time())
    claims = {k: v + now if k in ("iat", "exp") and v is not None else v for k, v in claims.items()}
    with site.signed_in() as browser:
        token = site.idp.security_event(claims.pop("events", REVOKED), **claims)
        refused(site, send(site, token), code, err)
        alive(site, browser)
        sane(site)


@case("L-49")
def test_a_member_twice(site):
    """Which of the two holds nobody knows."""
    with site.signed_in() as browser:
        sub_id = forge.dump(iss_sub(site)).decode()
        payload = (f'{{"iss":"{site.idp.issuer}","aud":"{site.idp.client_id}","iat":{int(time.time())},'
                   f'"jti":"twice","sub_id":{sub_id},"sub_id":{sub_id},"events":{{"{EVENT}":{{}}}}}}')
        head = {"alg": "RS256", "typ": "secevent+jwt", "kid": site.idp.key.kid}
        refused(site, send(site, forge.signed(head, payload, site.idp.key)), "signal_malformed")
        alive(site, browser)


@case("L-51")
def test_tokens_of_other_kinds(site):
    """No ID token and no logout token is a security event, nor is one of these a logout token."""
    seen = []
    site.idp.make_token = lambda h, c: seen.append(forge.signed(h, c, site.idp.key)) or seen[-1]
    with site.signed_in(sid="kind-1") as browser:
        refused(site, send(site, seen[-1]), "signal_typ")
        refused(site, send(site, site.idp.logout_token(sub="u-1001", sid="kind-1")), "signal_typ")
        events = {EVENT: {}, forge.LOGOUT_EVENT: {}}
        token = site.idp.security_event(events, sub="u-1001")
        answer = send(site, "logout_token=" + token, "application/x-www-form-urlencoded", bearer=None,
                      path="/oidc/backchannel")
        assert answer.status == 400 and "logout_token_typ" in site.log_since_mark(), answer
        alive(site, browser)


@case("L-56")
def test_the_same_token_again(site):
    """It is answered as if it had not come before, and ends nobody's new session."""
    token = site.idp.security_event(REVOKED, sub_id=iss_sub(site, "again"))
    before = counted(site, "repeated")
    with site.signed_in(sub="again") as browser:
        accepted(send(site, token))
        dead(site, browser)
    with site.signed_in(sub="again") as browser:
        for _ in range(4):
            accepted(send(site, token))
        alive(site, browser)
        assert "was used before, nothing has ended" in site.log_since_mark()
        assert counted(site, "repeated") == before + 4
        # Another one about the same user does.
        accepted(deliver(site, sub_id=iss_sub(site, "again")))
        dead(site, browser)


@pytest.mark.parametrize("bearer", rows("L-57", {
    "none": (None,), "empty": "Bearer", "other": "Bearer push-7yGkFz0oXsB3qWc2", "shorter": f"Bearer {BEARER[:-1]}",
    "longer": f"Bearer {BEARER}1", "basic": "Basic dXNlcjpwYXNz", "scheme": f"DPoP {BEARER}", "bare": BEARER}))
def test_who_brings_no_token_or_another(site, bearer):
    with site.signed_in() as browser:
        refused(site, send(site, site.idp.security_event(REVOKED), bearer=bearer), "signal_bearer",
                "authentication_failed")
        alive(site, browser)


@pytest.mark.parametrize("method", rows("L-58", {
    "get": "GET", "head": "HEAD", "put": "PUT", "delete": "DELETE", "options": "OPTIONS"}))
def test_other_methods(site, method):
    answer = send(site, b"", None, method)
    assert answer.status == 405 and answer.headers.get("allow") == "POST", answer


BAD_REQUESTS = {
    "no-body": (b"", TYPE, "signal_malformed", 400), "no-type": (b"TOKEN", None, "signal_malformed", 400),
    "jwt": (b"TOKEN", "application/jwt", "signal_malformed", 400),
    "json": (b'{"set":"TOKEN"}', "application/json", "signal_malformed", 400),
    "form": (b"logout_token=TOKEN", "application/x-www-form-urlencoded", "signal_malformed", 400),
    "newline": (b"TOKEN\n", TYPE, "signal_malformed", 400), "nul": (b"TOKEN\0", TYPE, "signal_malformed", 400),
    "twice": (b"TOKENTOKEN", TYPE, "signal_malformed", 400), "dots": (b"..", TYPE, "signal_malformed", 400),
    "five-parts": (b"a.b.c.d.e", TYPE, "signal_malformed", 400),
    "large": (b"x" * 70_000, TYPE, "signal_too_large", 413),
    "megabyte": (b"x" * 1_000_000, TYPE, "signal_too_large", 413),
}


@pytest.mark.parametrize("body, content_type, code, status", rows("L-58", BAD_REQUESTS))
def test_bad_requests(site, body, content_type, code, status):
    with site.signed_in() as browser:
        token = site.idp.security_event(REVOKED).encode()
        refused(site, send(site, body.replace(b"TOKEN", token), content_type), code, status=status)
        alive(site, browser)
        sane(site)


@case("L-58")
def test_a_body_that_is_told_too_late(site):
    """Chunked, so that nobody says how much comes."""
    body = b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
    browser = site.browser()
    answer = browser.request("POST", PATH, kind="none", cookies=False, body=body, headers={
        "Content-Type": TYPE, "Authorization": f"Bearer {BEARER}", "Transfer-Encoding": "chunked"})
    browser.close()
    refused(site, answer, "signal_too_large", status=413)


@case("L-58")
def test_deep_nesting(site):
    deep = "{}"
    for _ in range(3000):
        deep = f'{{"a":{deep}}}'
    payload = (f'{{"iss":"{site.idp.issuer}","aud":"{site.idp.client_id}","iat":{int(time.time())},'
               f'"jti":"deep","sub_id":{deep},"events":{{"{EVENT}":{{}}}}}}')
    head = {"alg": "RS256", "typ": "secevent+jwt", "kid": site.idp.key.kid}
    refused(site, send(site, forge.signed(head, payload, site.idp.key)), "signal_malformed")
    sane(site)


# ---- the provider is away ----------------------------------------------------------------------

@case("L-60")
def test_the_keys_are_not_known_yet(make_site, bearer_file):
    """A security event is the first thing that comes after a start."""
    site = make_site(directives=directives(bearer_file), own_paths=("/oidc_callback", PATH), control=False)
    accepted(deliver(site))


@case("L-60")
def test_the_provider_is_away(make_site, bearer_file):
    """Nothing is taken for heard: the same token counts when it comes again."""
    site = make_site(directives=directives(bearer_file), own_paths=("/oidc_callback", PATH), control=False)
    site.idp.on["jwks"] = lambda x: Reply(b"", status=500)
    token = site.idp.security_event(REVOKED)
    answer = send(site, token)
    assert answer.status in (502, 503) and answer.body == b"", answer
    assert "no-store" in answer.headers.get("cache-control"), answer
    assert 'shared signal at provider "idp" refused: jwks_unavailable' in site.log_since_mark()
    del site.idp.on["jwks"]
    site.wait(lambda: send(site, token).status == 202, "the keys are fetched", 30)
    assert ENDED_NONE in site.log_since_mark() and "was used before" not in site.log_since_mark()


# ---- settings ----------------------------------------------------------------------------------

@case("L-52")
def test_an_audience_of_its_own(make_site, bearer_file):
    site = make_site(directives=directives(bearer_file, shared_signals_audience='"https://app.test/signals"'),
                     own_paths=("/oidc_callback", PATH))
    with site.signed_in() as browser:
        refused(site, deliver(site), "signal_aud", "invalid_audience")
        alive(site, browser)
        accepted(deliver(site, aud=["x", "https://app.test/signals"]))
        dead(site, browser)


@case("L-54")
def test_an_issuer_that_differs_in_its_slash(lab, make_site, bearer_file):
    idp = Idp(lab.keys)
    site = make_site(idp=idp, directives=directives(bearer_file, shared_signals_issuer=f'"{idp.issuer}/"'),
                     own_paths=("/oidc_callback", PATH))
    with site.signed_in() as browser:
        refused(site, deliver(site), "signal_iss", "invalid_issuer")
        alive(site, browser)
        accepted(deliver(site, iss=idp.issuer + "/", sub_id=iss_sub(site, iss=idp.issuer + "/")))
        dead(site, browser)
