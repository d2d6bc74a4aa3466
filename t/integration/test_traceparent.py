# SPDX-License-Identifier: Apache-2.0
"""The trace of a request, in what is asked of the provider for it: `traceparent`."""

import re
import secrets
import threading
import time
import urllib.parse

import pytest

from harness.cases import case, rows
from harness.idp import Idp
from harness.nginx import SLOW
from harness.outcome import passes
from harness.site import Site

LOCATIONS = """\
    location /api/ { auth_oidc_bearer introspection; auth_oidc_bearer_audience robot-client;
                     auth_oidc_header Remote-User $oidc_user; proxy_pass http://@BACKEND@; }
    location /token/ { proxy_set_header X-Token $oidc_access_token; proxy_pass http://@BACKEND@; }
"""
DIRECTIVES = {"traceparent": "$http_traceparent", "userinfo": "on", "par": "on", "logout_uri": "/logout",
              "session_refresh": "on before=60s", "revoke_on_logout": "on", "introspection_cache": "off",
              "read_timeout": "3s"}
OPTIONS = {"locations": LOCATIONS, "public": ("/public/", "/api/"), "own_paths": ("/oidc_callback", "/logout")}
GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def site(lab):
    with Site(lab, directives=DIRECTIVES, **OPTIONS) as site:
        yield site


def trace():
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def of(value):
    return {"headers": {"traceparent": value}}


def sent(site, endpoint):
    """What each request to the endpoint carried, of the test so far."""
    with site.idp.lock:
        return [request.headers.all("traceparent") for name, request in site.idp.requests if name == endpoint]


def form(request):
    return dict(urllib.parse.parse_qsl(request.body.decode()))


def sign_in(site, first, second):
    browser = site.browser()
    begun = browser.start("/x", **first)
    answer = browser.callback(browser.callback_url(begun), **second)
    assert answer.status == 303, answer
    return browser


@case("X-48")
def test_a_sign_in(make_site):
    """Each request to the provider has the trace of the request that it is made for; the documents have none, also
    when it is this sign-in that has them fetched."""
    site = make_site(directives={**DIRECTIVES, "metadata_lifetime": "1s"}, control=False, **OPTIONS)
    sign_in(site, {}, {})
    documents = site.idp.count("discovery")
    time.sleep(2)
    first, second = trace(), trace()
    sign_in(site, of(first), of(second))
    assert sent(site, "par")[-1] == [first]
    assert sent(site, "token")[-1] == [second] and sent(site, "userinfo")[-1] == [second]
    site.wait(lambda: site.idp.count("discovery") > documents, "documents of this sign-in")
    for endpoint in ("discovery", "jwks"):
        assert sent(site, endpoint) and not any(sent(site, endpoint)), endpoint


BAD = {"absent": None, "empty": "", "version": "01" + GOOD[2:], "version-ff": "ff" + GOOD[2:], "upper": GOOD.upper(),
       "short": GOOD[:-1], "long": GOOD + "0", "zero-trace": f"00-{'0' * 32}-b7ad6b7169203331-01",
       "zero-parent": f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
       "two": GOOD + ", " + GOOD, "text": "x" * 4000}


@pytest.mark.parametrize("value", rows("X-48", BAD))
def test_what_is_none_is_not_sent(site, value):
    more = {} if value is None else of(value)
    sign_in(site, more, more)
    for endpoint in ("par", "token", "userinfo"):
        assert sent(site, endpoint)[-1] == [], endpoint


@case("X-48")
def test_without_the_directive(make_site):
    site = make_site(directives={k: v for k, v in DIRECTIVES.items() if k != "traceparent"}, control=False, **OPTIONS)
    sign_in(site, of(GOOD), of(GOOD))
    for endpoint in ("par", "token", "userinfo"):
        assert sent(site, endpoint) == [[]], endpoint


@case("X-48")
def test_made_of_variables(make_site):
    """As with the variables of nginx-otel: text and variables in one value."""
    site = make_site(directives={**DIRECTIVES, "traceparent": '"00-$request_id-$trace_span-0$trace_sampled"'},
                     http="map $uri $trace_span { default b7ad6b7169203331; } map $uri $trace_sampled { default 1; }",
                     control=False, **OPTIONS)
    sign_in(site, {}, {})
    (par,), (token,), (userinfo,) = (sent(site, endpoint)[0] for endpoint in ("par", "token", "userinfo"))
    assert re.fullmatch("00-[0-9a-f]{32}-b7ad6b7169203331-01", par) and token == userinfo
    assert re.fullmatch("00-[0-9a-f]{32}-b7ad6b7169203331-01", token) and token != par


@case("X-48")
def test_requests_at_one_time_do_not_mix(site):
    """Eight sign-ins whose codes are all at the provider before one of them is answered."""
    count = 8
    barrier = threading.Barrier(count)
    seen, wrong = {}, []

    def exchange(x):
        barrier.wait(20)
        seen[form(x.request)["code"]] = x.request.headers.all("traceparent")
        return x.default()
    site.idp.on["token"] = exchange
    started = []
    for _ in range(count):
        browser = site.browser()
        value = trace()
        target = browser.callback_url(browser.start("/x", **of(value)))
        started.append((browser, target, trace()))

    def finish(browser, target, value):
        answer = browser.callback(target, **of(value))
        if answer.status != 303:
            wrong.append(answer)
    threads = [threading.Thread(target=finish, args=args) for args in started]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong
    assert len(seen) == count
    for _, target, value in started:
        code = urllib.parse.parse_qs(target.partition("?")[2])["code"][0]
        assert seen[code] == [value]
    # UserInfo by the access token that the code brought: each trace once, none twice.
    assert sorted(v for (v,) in sent(site, "userinfo")[-count:]) == sorted(value for _, _, value in started)


def due(site, life):
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": life}
    browser = sign_in(site, {}, {})
    site.idp.token_body = None
    return browser


@case("X-48")
def test_a_refresh(site):
    """Of the request that brings it about, whether that waits for it or not."""
    browser = due(site, 10)
    time.sleep(6)
    value = trace()
    passes(site, browser.get("/x", **of(value)))
    site.wait(lambda: site.idp.refreshes, "refresh behind the request")
    assert sent(site, "token")[-1] == [value]
    site.wait(lambda: sent(site, "userinfo")[-1] == [value], "UserInfo of the refresh")

    browser = due(site, 2)
    count = len(site.idp.refreshes)
    time.sleep(2.5)
    value = trace()
    passes(site, browser.get("/token/x", **of(value)))
    assert len(site.idp.refreshes) == count + 1
    assert sent(site, "token")[-1] == [value] and sent(site, "userinfo")[-1] == [value]


@case("X-48")
def test_a_logout_gives_tokens_back(site):
    site.idp.refresh_tokens = True
    browser = sign_in(site, {}, {})
    value = trace()
    count = site.idp.count("revoke")
    assert browser.get("/logout", **of(value)).status in (302, 303)
    site.wait(lambda: site.idp.count("revoke") > count, "revocation")
    assert sent(site, "revoke")[-1] == [value]


@case("X-48")
def test_introspection(site):
    site.state.check_hits = False  # which know sessions alone
    token = site.idp.opaque_token(preferred_username="robbie", aud=["robot-client"])
    for value in (trace(), None, "nonsense", trace()):
        headers = {"Authorization": f"Bearer {token}", **({} if value is None else {"traceparent": value})}
        answer = site.browser().request("GET", "/api/x", kind="none", headers=headers)
        hit = passes(site, answer, Remote_User="robbie")
        assert sent(site, "introspect")[-1] == ([value] if value and value != "nonsense" else [])
        assert hit.headers.all("traceparent") == ([] if value is None else [value])


@pytest.mark.parametrize("value", rows("X-48", {"good": GOOD, "none": "nonsense", "later": "cc" + GOOD[2:] + "-more"}))
def test_the_backend_has_it_as_it_came(site, value):
    with site.signed_in() as browser:
        headers = {"traceparent": value, "tracestate": "vendor=1"}
        hit = passes(site, browser.get("/x", headers=headers))
        assert hit.headers.all("traceparent") == [value] and hit.headers.all("tracestate") == ["vendor=1"]
    assert not any(request.headers.all("tracestate") for _, request in site.idp.requests)


@case("X-48")
def test_the_source_of_claims_has_none(lab, make_site):
    """It is somebody else's, and is told nothing of our traces."""
    idp, registry = Idp(lab.keys), Idp(lab.keys, client_id="nobody")
    try:
        site = make_site(control=False, providers={
            "idp": (idp, {"userinfo": "on", "traceparent": "$http_traceparent",
                          "claim_source": f"registry endpoint_host=127.0.0.1:{registry.port}"}),
            "registry": (registry, {"traceparent": "$http_traceparent"})})
        asked = []
        registry.on["facts"] = lambda x: (asked.append(x.request), x.default())[1]
        idp.userinfo_body = lambda body: {**body, "_claim_names": {"dept": "src1"}, "_claim_sources": {
            "src1": {"endpoint": registry.base + "/facts", "access_token": "t"}}}
        sign_in(site, of(GOOD), of(GOOD))
        assert sent(site, "userinfo") == [[GOOD]]
        assert asked and not any(request.headers.all("traceparent") for request in asked)
    finally:
        idp.stop()
        registry.stop()


@case("X-48")
def test_the_debug_log_says_why_none_is_sent(make_site):
    site = make_site(directives={"traceparent": "$http_traceparent"}, level="debug", control=False)
    site.state.only_our_lines = True
    line = 'oidc trace: "traceparent" of provider "idp" gives none, nothing is sent'
    sign_in(site, {}, of(GOOD))
    assert line not in site.nginx.log()
    sign_in(site, {}, of("00-secret-looking"))
    site.wait(lambda: line in site.nginx.log(), "the line", timeout=5 * SLOW)
    assert "00-secret-looking" not in "\n".join(text for text in site.nginx.log().split("\n") if " oidc" in text)
