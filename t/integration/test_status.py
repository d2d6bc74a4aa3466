# SPDX-License-Identifier: Apache-2.0
"""What the module tells of itself: oidc_status for people and for Prometheus, oidc_session_info for
front ends."""

import re
import time

import pytest

from harness.cases import case
from harness.idp import Idp
from harness.nginx import ROOT
from harness.outcome import passes, reject, unauthorized
from harness.stores import NAME, STORE, own_clock

STATUS = "location = /status { auth_oidc off; oidc_status; }\n"
INFO = "location = /session { oidc_session_info; }\n"
OWN = ("/oidc_callback", "/status", "/session")
PROMETHEUS = ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
              "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
              "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})?'
                    r' ([0-9]+(?:\.[0-9]+)?)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"')
HISTOGRAM = ("_bucket", "_sum", "_count")


def parse(text):
    """{(name, labels): value} of a text whose every line must be right."""
    assert text.endswith("\n") and "\r" not in text
    families, samples, current = {}, {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current, _, words = line[7:].partition(" ")
            assert current not in families and words.strip(), line
            families[current] = None
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name == current and families[name] is None, line
            assert kind in ("counter", "gauge", "histogram"), line
            families[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            name, labels, value = match.groups()
            kind = families[current]
            assert name == current or kind == "histogram" and name in [current + s for s in HISTOGRAM]
            assert (kind == "counter") == name.endswith("_total"), line
            key = (name, tuple(sorted(LABEL.findall(labels or ""))))
            assert key not in samples, f"twice: {line}"
            samples[key] = float(value)
    assert None not in families.values() and len(families) >= 19, families
    check_histograms(samples)
    samples["families"] = families
    return samples


def check_histograms(samples):
    series = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            rest = tuple(p for p in labels if p[0] != "le")
            bound = float(dict(labels)["le"].replace("+Inf", "inf"))
            series.setdefault((name[:-7], rest), []).append((bound, value))
    assert series
    for (name, labels), buckets in series.items():
        counts = [v for _, v in sorted(buckets)]
        assert counts == sorted(counts) and sorted(buckets)[-1][0] == float("inf")
        assert samples[(name + "_count", labels)] == counts[-1]
        assert (samples[(name + "_sum", labels)] > 0) == (counts[-1] > 0)


def get(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))), 0)


def scrape(site, path="/status?format=prometheus", **kw):
    answer = site.browser().get(path, kind="plain", **kw)
    assert answer.status == 200 and not answer.from_backend, answer
    assert answer.headers.get("content-type") == "text/plain; version=0.0.4; charset=utf-8", answer
    assert "no-store" in answer.headers.get("cache-control", ""), answer
    assert not answer.set_cookies()
    check_secrets(site, answer.text)
    return parse(answer.text)


def settled(site):
    """scrape(), once nothing is on its way: Redis answers some of a logout's requests after the browser has its own."""
    last = scrape(site)
    for _ in range(100):
        time.sleep(0.05)
        now = scrape(site)
        if now == last:
            return now
        last = now
    raise AssertionError("something is counted without end")


def check_secrets(site, text):
    for idp, _ in site.providers.values():
        for secret, what in {**idp.canaries, **site.state.canaries}.items():
            assert secret not in text, what


def grown(before, after):
    """Counters that differ; none may have become less."""
    out = {}
    for key, value in after.items():
        if key == "families":
            continue
        kind = after["families"].get(key[0]) or "histogram"
        if kind != "gauge":
            assert value >= before.get(key, 0), key
            if value > before.get(key, 0):
                out[key] = value - before.get(key, 0)
    assert not {k for k in before if k not in after and k[0].endswith("_total")}
    return out


@pytest.fixture
def site(make_site):
    return make_site(control=False, locations=STATUS + INFO, own_paths=OWN,
                     directives={"userinfo": "on", "logout_uri": "/logout"},
                     public=("/public/", "/status"))


# ---- oidc_status for Prometheus --------------------------------------------------------------

@case("S-03")
def test_counters_over_a_login_and_a_refusal(site):
    start = scrape(site)
    browser = site.browser()
    browser.login("/x")
    unauthorized(site.browser().get("/x", kind="xhr"))
    signed = scrape(site)
    up = grown(start, signed)
    assert up[("oidc_logins_total", (("result", "success"),))] == 1
    assert up[("oidc_login_redirects_total", ())] == 1
    assert up[("oidc_challenges_total", ())] == 2
    assert up[("oidc_idp_connections_total", ())] >= 1
    for endpoint in ("token", "userinfo"):
        key = ("oidc_idp_request_duration_seconds_count", (("endpoint", endpoint),))
        assert up[key] == 1, up
    for endpoint in ("metadata", "jwks"):
        assert get(signed, "oidc_idp_request_duration_seconds_count", endpoint=endpoint) >= 1
    assert not [k for k in up if k[0] in ("oidc_refusals_total", "oidc_idp_errors_total")], up
    assert get(signed, "oidc_logins_total", result="refused") == 0
    store = NAME if STORE != "memory" else "oidc_default_store_idp"
    if STORE != "cookie":
        assert get(signed, "oidc_store_sessions", store=store) == 1
        assert get(signed, "oidc_store_used_bytes", store=store) > 0
    used = get(signed, "oidc_store_used_bytes", store=store)
    size = get(signed, "oidc_store_size_bytes", store=store)
    assert used < size <= 8 * 1024 * 1024
    assert get(signed, "oidc_provider_keys", provider="idp") == 5
    assert ("oidc_provider_metadata_age_seconds", (("provider", "idp"),)) in signed

    site.idp.claims = lambda c: {**c, "nonce": "wrong"}
    reject(site, site.browser().try_login("/x"), "id_token_nonce")
    refused = settled(site)
    up = grown(signed, refused)
    assert up[("oidc_refusals_total", (("reason", "id_token_nonce"),))] == 1
    assert up[("oidc_logins_total", (("result", "refused"),))] == 1
    assert ("oidc_logins_total", (("result", "success"),)) not in up
    # The hot path counts nothing.
    for _ in range(3):
        passes(site, browser.get("/x"), remote_user="jdoe")
    assert grown(refused, scrape(site)) == {}


@case("S-03")
def test_logouts_and_errors_of_the_provider(site):
    browser = site.browser()
    browser.login("/x")
    before = scrape(site)
    assert browser.get("/logout", fetch_site="same-origin").status == 302
    after = settled(site)
    up = {k: v for k, v in grown(before, after).items() if k[0].startswith("oidc_logouts")}
    assert up == {("oidc_logouts_total", (("kind", "rp_initiated"),)): 1}
    assert browser.get("/logout", fetch_site="cross-site").status == 403
    up = grown(after, scrape(site))
    assert up == {("oidc_refusals_total", (("reason", "logout_cross_site"),)): 1}, \
        "a refused logout is no login"

    before = scrape(site)
    site.idp.on["token"] = lambda e: b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"
    reject(site, site.browser().try_login("/x"), "token_status")
    key = ("oidc_idp_errors_total", (("endpoint", "token"), ("error", "status_5xx")))
    after = scrape(site)
    assert grown(before, after)[key] == 1
    site.idp.on["token"] = lambda e: b"no http at all\r\n\r\n"
    reject(site, site.browser().try_login("/x"), "idp_[a-z]+", refusals=2)
    up = grown(after, scrape(site))
    assert [k for k in up if k[0] == "oidc_idp_errors_total" and k != key], up


@case("S-03")
def test_slow_provider_falls_into_its_bucket(site):
    site.browser().login("/x")
    before = scrape(site)

    def slow(exchange):
        time.sleep(0.3)
        return exchange.default()
    site.idp.on["token"] = slow
    site.browser().login("/x")
    up = grown(before, scrape(site))
    name = "oidc_idp_request_duration_seconds"
    assert (name + "_bucket", (("endpoint", "token"), ("le", "0.25"))) not in up
    assert up[(name + "_bucket", (("endpoint", "token"), ("le", "10")))] == 1
    assert 0.3 <= up[(name + "_sum", (("endpoint", "token"),))] < 10


@case("S-03")
def test_stalled_provider_counts_with_its_time(make_site):
    site = make_site(control=False, locations=STATUS, own_paths=OWN,
                     public=("/public/", "/status"), directives={"read_timeout": "1s"})
    site.browser().login("/x")
    before = scrape(site)
    site.idp.on["token"] = lambda e: e.stall()
    reject(site, site.browser().try_login("/x"), "idp_timeout")
    up = grown(before, scrape(site))
    assert up[("oidc_idp_errors_total", (("endpoint", "token"), ("error", "timeout")))] == 1
    assert up[("oidc_idp_request_duration_seconds_sum", (("endpoint", "token"),))] >= 0.9


@case("S-03", "F-04")
def test_counters_survive_a_reload(site, lab):
    site.browser().login("/x")
    site.browser().get("/oidc_callback?code=x&state=ngxoidc1.unknown")
    before = scrape(site)
    assert site.reload()
    after = scrape(site)
    # New workers, new connections to Redis.
    assert {k[0] for k in grown(before, after)} <= {"oidc_challenges_total",
                                                    "oidc_store_connections_total"}
    assert get(after, "oidc_logins_total", result="success") == 1
    assert get(after, "oidc_refusals_total", reason="state_unknown") == 1
    # With another number of providers the zone is another.
    more = Idp(lab.keys)
    try:
        assert site.reload(providers={**site.providers, "more": (more, {})})
        last = scrape(site)
        grown(after, last)
        assert get(last, "oidc_logins_total", result="success") == 1
        assert get(last, "oidc_provider_fetches_total", provider="more") >= 0
        assert ("oidc_provider_keys", (("provider", "more"),)) in last
        assert get(last, "oidc_idp_request_duration_seconds_count", endpoint="token") == 1
    finally:
        more.stop()


@case("S-03")
def test_build_info_is_the_changelog_s_version(site):
    (key,) = [k for k in scrape(site) if k[0] == "oidc_build_info"]
    labels = dict(key[1])
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert labels["version"] == newest
    assert re.fullmatch(r"1\.\d+\.\d+", labels["nginx"]), labels
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", labels["openssl"]), labels
    assert site.browser().get("/status", kind="plain").json()["version"] == newest


@case("S-03")
def test_format_is_negotiated(site):
    for accept, text in (("text/plain", True), (PROMETHEUS, True), ("*/*", False),
                         ("application/json, text/plain", False), (None, False),
                         ("text/html,*/*;q=0.8", False),
                         ("application/openmetrics-text", True)):
        answer = site.browser().get("/status", kind="none", headers={"Accept": accept})
        assert answer.status == 200, answer
        assert answer.headers.get("content-type").startswith(
            "text/plain; version=0.0.4" if text else "application/json"), (accept, answer)
        parse(answer.text) if text else answer.json()
    answer = site.browser().get("/status?format=json", kind="none", headers={"Accept": PROMETHEUS})
    assert answer.json()["logouts_by_kind"]["backchannel"] == 0
    assert site.browser().get("/status?format=xml", kind="plain").status == 400
    head = site.browser().request("HEAD", "/status?format=prometheus", kind="plain")
    assert head.status == 200 and head.body == b"" and "0.0.4" in head.headers.get("content-type")
    assert site.browser().post("/status?format=prometheus", kind="plain").status == 405


@case("S-03")
def test_json_has_the_new_counters(site):
    with site.signed_in():
        pass
    status = site.browser().get("/status", kind="plain").json()
    assert status["logins"] == 1 and status["redirects"] == 1 and status["refused_logins"] == 0
    assert status["logouts"] == sum(status["logouts_by_kind"].values()) == 0
    assert set(status["refreshes"]) == {"refreshed", "postponed", "ended"}
    assert status["idp"]["token"]["requests"] == 1
    assert not any(status["idp"]["token"]["errors"].values())
    assert {"sessions", "bytes_used", "recoveries"} <= set(status["stores"][0])


# ---- oidc_session_info -----------------------------------------------------------------------

def info(browser, path="/session", status=200, **kw):
    kw.setdefault("kind", "xhr")
    answer = browser.get(path, **kw)
    assert answer.status == status and not answer.from_backend, answer
    assert answer.headers.get("content-type") == "application/json", answer
    assert answer.headers.get("cache-control") == "no-store", answer
    assert answer.headers.get("access-control-allow-origin") is None, answer
    assert answer.headers.get("cross-origin-resource-policy") == "same-origin", answer
    assert not answer.set_cookies(), answer
    check_secrets(browser.site, answer.text)
    return answer.json()


@case("S-03")
def test_session_info_without_a_session(site):
    for kind in ("xhr", "navigate", "plain", "prefetch"):
        before = time.time()
        body = info(site.browser(), kind=kind)
        assert before - 2 <= body.pop("now") <= time.time() + 1
        assert body == {"authenticated": False, "provider": "idp",
                        "login_url": site.origin_text + "/",
                        "logout_url": site.origin_text + "/logout"}
    stranger = site.browser()
    stranger.jar.set(site.session_cookie_name, "A" * 43)
    assert info(stranger)["authenticated"] is False
    assert site.delta("discovery") == 0 and site.hits() == []


@case("S-03")
def test_session_info_with_a_session(site):
    site.idp.claims = lambda c: {**c, "secret_claim": "not for scripts", "email_verified": True}
    with site.signed_in(name="Zo\u00eb \"Q\" <b>", groups=["staff", "a,b"]) as browser:
        body = info(browser)
        assert body["authenticated"] is True and body["provider"] == "idp"
        assert body["user"] == "jdoe" and body["sub"] == "u-1001"
        assert body["claims"] == {"name": "Zo\u00eb \"Q\" <b>", "email": "jdoe@example.org",
                                  "groups": ["staff", "a,b"]}
        assert abs(body["created"] - time.time()) < 10
        assert body["expires"] == body["created"] + 8 * 3600 and body["idle_expires"] is None
        assert body["login_url"] == site.origin_text + "/"
        assert body["logout_url"] == site.origin_text + "/logout"
        assert "token" not in str(body) and "sid" not in body
        assert browser.request("HEAD", "/session", kind="xhr").body == b""
        assert browser.post("/session", kind="xhr").status == 405
        browser.get("/logout", fetch_site="same-origin")
        assert info(browser)["authenticated"] is False


@case("S-03")
def test_session_info_is_for_the_own_site(site):
    with site.signed_in() as browser:
        for fetch_site in ("cross-site", "same-site", "evil"):
            body = info(browser, status=403, fetch_site=fetch_site,
                        headers={"Origin": "https://evil.example"})
            assert body == {"error": "cross_site"}
        old = {"Sec-Fetch-Site": None}
        assert info(browser, kind="plain")["authenticated"] is True
        info(browser, status=403, headers={**old, "Origin": "https://evil.example"})
        info(browser, status=403, headers={**old, "Origin": "null"})
        info(browser, status=403, headers={**old, "Referer": site.origin_text + ".evil.example/"})
        assert info(browser, headers={**old, "Origin": site.origin_text})["authenticated"] is True
        assert info(browser, kind="navigate")["authenticated"] is True  # the address bar


@case("S-03")
def test_session_info_with_chosen_claims_and_modes(make_site):
    site = make_site(control=False, own_paths=OWN, locations="""
        location = /session { oidc_session_info email nosuch picture; }
        location = /verify-session { auth_oidc_mode verify; oidc_session_info; }
        location = /dyn { auth_oidc $chosen; oidc_session_info; }
        location = /staff { auth_oidc_require $oidc_claim_nosuch; oidc_session_info; }
        location /nested/ { oidc_session_info;
            location /nested/app/ { proxy_pass http://@BACKEND@; } }
        """, directives={"userinfo": "on"}, http="map $arg_p $chosen { idp idp; off off; nosuch nosuch; }")
    site.allow_log("names the unknown provider")
    assert info(site.browser(), "/verify-session")["authenticated"] is False
    assert info(site.browser(), "/staff")["authenticated"] is False
    unauthorized(site.browser().get("/nested/app/x", kind="xhr"))
    with site.signed_in(picture="https://x.example/p.png") as browser:
        body = info(browser)
        assert body["claims"] == {"email": "jdoe@example.org",
                                  "picture": "https://x.example/p.png"}
        assert body["logout_url"] is None
        assert info(browser, "/verify-session")["user"] == "jdoe"
        assert info(browser, "/staff")["authenticated"] is True
        assert info(browser, "/dyn?p=idp")["user"] == "jdoe"
        body = info(browser, "/dyn?p=off")
        del body["now"]
        assert body == {"authenticated": False}
        for path in ("/dyn?p=nosuch", "/dyn"):
            assert browser.get(path, kind="xhr").status == 500
        info(browser, "/nested/")
        passes(site, browser.get("/nested/app/x"), remote_user="jdoe")


@own_clock
@case("S-03", "C-13")
def test_session_info_does_not_keep_a_session_alive(make_site):
    site = make_site(control=False, locations=INFO, own_paths=OWN, clock="wall",
                     directives={"session_idle_timeout": "10m", "session_timeout": "1h"})
    browser = site.browser()
    browser.login("/x")
    first = info(browser)
    assert first["idle_expires"] == first["expires"]
    assert abs(first["expires"] - first["created"] - 600) <= 2
    site.set_clock(300)
    polled = info(browser)
    assert polled["expires"] == first["expires"], "asking is not using"
    assert polled["now"] - first["now"] >= 299
    site.set_clock(590)
    assert info(browser)["authenticated"] is True
    passes(site, browser.get("/x"), remote_user="jdoe")
    used = info(browser)
    assert used["idle_expires"] - first["idle_expires"] >= 580, "using is"
    for at in (700, 900, 1100):
        site.set_clock(at)
        assert info(browser)["idle_expires"] == used["idle_expires"]
    site.set_clock(1200)
    assert info(browser)["authenticated"] is False
    assert browser.get("/x").status == 302


@pytest.mark.parametrize("locations, message", [
    ("location = /session { auth_oidc off; oidc_session_info; }",
     '"oidc_session_info" needs "auth_oidc" here or at an outer level'),
    ("location = /session { auth_oidc_mode off; oidc_session_info; }",
     '"oidc_session_info" needs "auth_oidc" here or at an outer level'),
    ("location = /session { oidc_session_info email email; }",
     'duplicate claim name "email" in "oidc_session_info" directive'),
    ('location = /session { oidc_session_info ""; }',
     'empty claim name "" in "oidc_session_info" directive'),
    ("location = /session { oidc_session_info; oidc_session_info; }",
     '"oidc_session_info" directive is duplicate'),
], ids=["off", "mode-off", "duplicate-claim", "empty-claim", "twice"])
def test_session_info_configuration(make_site, locations, message):
    site = make_site(control=False, locations=locations, start=False)
    status, out = site.nginx.test()
    assert status != 0 and message in out, out
