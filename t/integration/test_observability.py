# SPDX-License-Identifier: Apache-2.0
"""ops/observability: the board, the rules and the scrape of a running module know the same metrics, labels and
types; each alert says what to do, and where that is written; objectives are what the page says."""

import json
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
import yaml

from harness import docs, promql
from harness.backends import Unavailable, packages
from harness.cases import case, rows
from harness.nginx import ROOT
from harness.outcome import passes
from harness.site import Site
from harness.wire import Reply

from test_status import parse as parse_scrape

FOLDER = ROOT / "ops" / "observability"
PAGE = (ROOT / "docs" / "observability.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
TREE = docs.Tree.read()
BOARD = json.loads((FOLDER / "grafana.json").read_text())
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
SCRAPES = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
PANELS = BOARD["panels"]
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
RECORDED = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
# What Prometheus itself adds to a scrape.
OF_PROMETHEUS = {"up": {"job", "instance"}}
ADDED = {"job", "instance"}
# Metrics that no panel shows: {name: why}.
NOT_ON_THE_BOARD = {}

LOCATIONS = """
    location /staff/ { auth_oidc_require $oidc_claim_staff; proxy_pass http://@BACKEND@; }
    location /api/ { auth_oidc_bearer on; auth_oidc_bearer_audience https://api.app.test; proxy_pass http://@BACKEND@; }
"""


# ---- the running module

@pytest.fixture(scope="module")
def site(lab):
    """Its numbers are read by status.conf, as it is, at another port."""
    status = (FOLDER / "status.conf").read_text()
    assert status.count("127.0.0.1:8081") == 1
    with Site(lab, locations=LOCATIONS, servers=status.replace("127.0.0.1:8081", "127.0.0.1:@PORT2@"),
              directives={"userinfo": "on", "logout_uri": "/logout", "session_refresh": "on before=60s"},
              own_paths=("/oidc_callback", "/logout"), public=("/public/", "/api/")) as site:
        yield site


def ask(site, path, query=""):
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port2}{path}{query}", timeout=10) as answer:
        return answer.read().decode()


def scrape(site):
    (job,) = SCRAPES["scrape_configs"]
    query = "&".join(f"{name}={value}" for name, (value,) in job["params"].items())
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8081"]}]
    return parse_scrape(ask(site, job["metrics_path"], "?" + query))


@pytest.fixture(scope="module")
def scraped(site):
    """The samples after a sign-in, refusals of many kinds, a failed exchange, a refresh and a logout."""
    site.begin()
    site.idp.refresh_tokens = True
    site.idp.token_body = lambda body: {**body, "expires_in": 10}
    browser = site.browser()
    browser.login("/x")
    assert browser.get("/staff/x").status == 403
    stranger = site.browser()
    assert stranger.get("/oidc_callback?code=x&state=y").status == 400
    assert stranger.request("GET", "/api/x", kind="none", headers={"Authorization": "Bearer x"}).status == 401
    site.idp.on["token"] = lambda x: Reply({"error": "server_error"}, status=500)
    assert site.browser().try_login("/x").status == 502
    site.idp.on.clear()
    time.sleep(6)
    passes(site, browser.get("/x"))
    site.wait(lambda: site.idp.refreshes, "refresh")
    time.sleep(0.3)
    assert browser.get("/logout").status in (302, 303)
    samples = scrape(site)
    families = samples.pop("families")

    def value(name, **labels):
        return samples.get((name, tuple(sorted(labels.items()))), 0)
    assert value("oidc_logins_total", result="success") >= 1 and value("oidc_logins_total", result="refused") >= 1
    assert value("oidc_refreshes_total", result="refreshed") == 1
    assert sum(v for (name, _), v in samples.items() if name == "oidc_logouts_total") == 1
    assert value("oidc_idp_errors_total", endpoint="token", error="status_5xx") == 1
    reasons = {dict(labels)["reason"] for name, labels in samples if name == "oidc_refusals_total"}
    assert "not_permitted" in reasons and {r[:6] for r in reasons} >= {"state_", "token_", "access"}, reasons
    labels = {}
    for name, pairs in samples:
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    return families, labels


# ---- expressions

def variables_filled(text):
    """What Grafana makes of its variables."""
    text = text.replace("$__rate_interval", "5m").replace("$__range", "6h")
    text = re.sub(r'=~"\$(?:job|instance)"', '=~".*"', text)
    assert "$" not in text, text
    return text


def of_board():
    out = []
    for panel in PANELS:
        for target in panel.get("targets", ()):
            out.append((f"panel {panel['title']!r} {target['refId']}", variables_filled(target["expr"])))
    return out


def of_rules():
    return [(f"rule {rule.get('alert') or rule['record']}", rule["expr"])
            for group in RULES["groups"] for rule in group["rules"]]


EXPRESSIONS = of_board() + of_rules()
NAMES = [where for where, _ in EXPRESSIONS]


def read(expression):
    try:
        return promql.parse(expression)
    except promql.Wrong as error:
        raise AssertionError(str(error)) from None


def labels_of(name, labels):
    """Those that a series of this name has."""
    if name in RECORDED:
        return {"job"}
    return labels.get(name, set()) | ADDED if name in labels else OF_PROMETHEUS[name]


@case("F-50")
def test_there_are_enough():
    assert len(of_board()) > 30 and len(ALERTS) > 15 and len(RECORDED) > 15


@pytest.mark.parametrize("where, expression", EXPRESSIONS, ids=NAMES)
def test_metrics_labels_and_types_are_those_of_the_scrape(scraped, where, expression):
    families, labels = scraped
    parsed = read(expression)
    kinds = {**families, **dict.fromkeys(RECORDED | set(OF_PROMETHEUS), "gauge")}
    assert parsed.selectors, where
    named = set()
    for selector in parsed.selectors:
        assert selector.name in labels or selector.name in RECORDED or selector.name in OF_PROMETHEUS, selector.name
        own = labels_of(selector.name, labels)
        named |= own
        for label, _, _ in selector.matchers:
            assert label in own, f"{selector.name} has no label {label}, only {own}"
    assert parsed.grouped <= named, f"grouped by {parsed.grouped - named}"
    assert promql.misuses(parsed, kinds) == []


@case("F-50")
def test_recorded_ones_are_read_after_they_are_written():
    known = set()
    for group in RULES["groups"]:
        for rule in group["rules"]:
            wanted = {s.name for s in read(rule["expr"]).selectors} & RECORDED
            assert wanted <= known, rule
            known.add(rule.get("record"))
    used = {s.name for _, e in of_board() + of_rules() for s in read(e).selectors}
    assert RECORDED <= used, RECORDED - used


@case("F-50")
def test_every_metric_is_on_the_board(scraped):
    families, _ = scraped
    shown = {re.sub(r"_(bucket|sum|count)$", "", s.name) if s.name not in families else s.name
             for _, e in of_board() for s in read(e).selectors}
    assert set(families) - shown == set(NOT_ON_THE_BOARD) and all(NOT_ON_THE_BOARD.values())


def closed_lists():
    """{(metric, label): values} as documented; test_docs.py holds them against the sources."""
    out = {}
    for row in docs.rows(docs.section(OPERATIONS, "### Metrics"), "metric"):
        for name in docs.code(row[0]):
            for label, values in docs.documented_labels(row[1]).items():
                if values:
                    out[name, label] = values
    reasons = set(re.findall(r'\{Reason::\w+,\s*\{"(\w+)",', TREE.source("src")))
    assert len(reasons) > 80 and len(out) > 5
    return {**out, ("oidc_refusals_total", "reason"): reasons}


@pytest.mark.parametrize("where, expression", EXPRESSIONS, ids=NAMES)
def test_values_of_labels_exist(where, expression):
    lists = closed_lists()
    for selector in read(expression).selectors:
        base = re.sub(r"_(bucket|sum|count)$", "", selector.name)
        for label, operator, value in selector.matchers:
            values = lists.get((selector.name, label)) or lists.get((base, label))
            if value == ".*":
                continue
            if label == "le":
                header = (ROOT / "include/oidc/metrics.hpp").read_text()
                bounds = re.findall(r"k(?:Latency|Store)Bounds\{([^}]*)\}", header)
                bounds = {int(b.replace("'", "")) / 1e6 for text in bounds for b in text.split(",")}
                assert float(value) in bounds, f"{where}: no bucket ends at {value}"
                continue
            assert values, f"{where}: {label} of {selector.name} has no list of values"
            for part in value.split("|") if operator.endswith("~") else [value]:
                pattern = part if operator.endswith("~") else re.escape(part)
                assert any(re.fullmatch(pattern, v) for v in values), f"{where}: {label} is never {part}"


@pytest.fixture(scope="module")
def promtool():
    """Prometheus' own reader of rules, out of Debian's package where it is not installed."""
    if path := shutil.which("promtool"):
        return path
    try:
        return packages("prometheus", "prometheus") / "usr/bin/promtool"
    except Unavailable as e:
        pytest.skip(f"promtool: {e}")


@case("F-50")
def test_promtool_takes_them_all(promtool, tmp_path):
    """Our parser has read all of them in any case."""
    board = {"groups": [{"name": "board", "rules": [
        {"record": f"panel:{place}", "expr": expression} for place, (_, expression) in enumerate(of_board())]}]}
    (tmp_path / "board.yml").write_text(yaml.safe_dump(board))
    shutil.copy(FOLDER / "prometheus.yml", tmp_path)
    for command in (("rules", FOLDER / "rules.yml"), ("rules", tmp_path / "board.yml"),
                    ("config", "--syntax-only", tmp_path / "prometheus.yml")):
        done = subprocess.run([promtool, "check", *command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


# ---- what fires, and what does not

def firing(promtool, tmp_path, series, at):
    """The alerts that fire after so long, by promtool; `series`: {selector: values in its notation, one a minute}."""
    names = {rule["alert"] for rule in ALERTS}
    tests = {"rule_files": [str(FOLDER / "rules.yml")], "evaluation_interval": "5m", "tests": [{
        "interval": "1m", "input_series": [{"series": s, "values": v} for s, v in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": []} for name in sorted(names)]}]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    command = [promtool, "test", "rules", tmp_path / "test.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    found = set(re.findall(r"alertname: ?(\w+), time: ", said))
    assert found <= names and bool(found) == bool(done.returncode), said
    return found


def metric(name, **labels):
    pairs = {"job": "oidc", "instance": "a", **labels}
    return name + "{" + ",".join(f'{k}="{v}"' for k, v in pairs.items()) + "}"


QUIET = {metric("oidc_build_info"): "1x420", metric("up"): "1x420",
         metric("oidc_logins_total", result="success"): "0+10x420", metric("oidc_login_redirects_total"): "0+12x420",
         metric("oidc_refusals_total", reason="state_unknown"): "0+20x420",
         metric("oidc_refusals_total", reason="not_permitted"): "0+5x420",
         metric("oidc_refreshes_total", result="refreshed"): "0+5x420",
         metric("oidc_refreshes_total", result="postponed"): "0x420",
         metric("oidc_logouts_total", kind="local"): "0x420",
         metric("oidc_logouts_total", kind="rp_initiated"): "0+1x420",
         metric("oidc_shared_signals_total", result="ended"): "0+1x420",
         metric("oidc_shared_signals_total", result="unmatched"): "0x420",
         metric("oidc_store_sessions", store="s"): "100x420", metric("oidc_store_used_bytes", store="s"): "10x420",
         metric("oidc_store_size_bytes", store="s"): "100x420",
         metric("oidc_store_request_duration_seconds_count"): "0+100x420",
         metric("oidc_store_request_duration_seconds_bucket", le="0.05"): "0+100x420",
         metric("oidc_idp_request_duration_seconds_count", endpoint="token"): "0+10x420",
         metric("oidc_idp_request_duration_seconds_bucket", endpoint="token", le="2.5"): "0+10x420",
         metric("oidc_store_errors_total", error="timeout"): "0x420",
         metric("oidc_store_failovers_total"): "0x420", metric("oidc_store_recoveries_total", store="s"): "0x420",
         metric("oidc_provider_fetch_failures_total", provider="p"): "0x420"}
# {name: (what is different, the alerts that fire then)}
FIRES = {
    "quiet": ({}, set()),
    "one-failure-at-night": ({metric("oidc_logins_total", result="success"): "0x420",
                              metric("oidc_login_redirects_total"): "0x420",
                              metric("oidc_refusals_total", reason="token_status"): "0x380 1x40"}, set()),
    "provider-refuses-the-client": ({metric("oidc_refusals_total", reason="token_client_auth"): "0+10x420"},
                                    {"OidcSignInsBurnFast", "OidcSignInsBurnSlow", "OidcLoginsRefused", "OidcReason"}),
    "a-few-fail-for-hours": ({metric("oidc_refusals_total", reason="username_missing"): "0+0.4x420"},
                             {"OidcSignInsBurnSlow"}),
    "over": ({metric("oidc_refusals_total", reason="username_missing"): "0+10x300 3000x120"}, set()),
    "first-of-a-reason": ({metric("oidc_refusals_total", reason="userinfo_sub"): "_x415 1x5"}, {"OidcReason"}),
    "nobody-comes-back": ({metric("oidc_logins_total", result="success"): "0x420"}, {"OidcNoSignIns"}),
    "redis-away": ({metric("oidc_store_errors_total", error="timeout"): "0+5x420"},
                   {"OidcStoreBurnFast", "OidcStoreBurnSlow", "OidcStoreErrors"}),
    "redis-slow": ({metric("oidc_store_request_duration_seconds_bucket", le="0.05"): "0+90x420"}, {"OidcStoreSlow"}),
    "provider-slow": ({metric("oidc_idp_request_duration_seconds_bucket", endpoint="token", le="2.5"): "0+6x420"},
                      {"OidcSignInsSlow"}),
    "full": ({metric("oidc_store_used_bytes", store="s"): "90x420",
              metric("oidc_refusals_total", reason="store_full"): "_x415 1x5"},
             {"OidcStoreFull", "OidcStoreNearlyFull"}),
    "restarted": ({metric("oidc_store_sessions", store="s"): "100x415 3x5"}, {"OidcSessionsLost"}),
    "down": ({metric("up"): "1x400 0x20", metric("oidc_build_info"): "1x400 _x20"}, {"OidcDown"}),
    "never-there": ({metric("oidc_build_info"): "_x420"}, {"OidcDown"}),
    "provider-unreachable": ({metric("oidc_idp_errors_total", endpoint="token", error="connect"): "0+1x420",
                              metric("oidc_provider_fetch_failures_total", provider="p"): "0+1x420"},
                             {"OidcProviderUnreachable", "OidcProviderDocumentsFail"}),
    "provider-certificate": ({metric("oidc_idp_errors_total", endpoint="token", error="tls"): "_x415 1x5"},
                             {"OidcProviderConnections"}),
    "refreshes": ({metric("oidc_refreshes_total", result="postponed"): "0+6x420"}, {"OidcRefreshesPostponed"}),
    "logouts": ({metric("oidc_logouts_total", kind="local"): "0+1x420"}, {"OidcLogoutsLocal"}),
    "signals": ({metric("oidc_shared_signals_total", result="unmatched"): "0x415 1x5"}, {"OidcSignalsUnmatched"}),
    "worker-died": ({metric("oidc_store_recoveries_total", store="s"): "0x415 1x5",
                     metric("oidc_store_failovers_total"): "0x415 1x5"}, {"OidcStoreRecovered", "OidcStoreFailedOver"}),
}


@pytest.mark.parametrize("name", rows("F-50", {name: name for name in FIRES}))
def test_what_fires(promtool, tmp_path, name):
    change, wanted = FIRES[name]
    assert firing(promtool, tmp_path, {**QUIET, **change}, "7h") == wanted


@case("F-50")
def test_each_alert_is_tried():
    assert {name for _, names in FIRES.values() for name in names} == {rule["alert"] for rule in ALERTS}


# ---- alerts and the page

def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_an_alert_says_what_to_do(scraped, rule):
    _, labels = scraped
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description", "runbook"} and rule["labels"]["severity"] in ("critical", "warning",
                                                                                                 "info")
    assert len(texts["summary"].split()) > 3 and len(texts["description"].split()) > 12, texts
    path, _, anchor = texts["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.M)
    assert anchor in {slug(h) for h in headings} and anchor == slug(rule["alert"])
    section = docs.section(PAGE, "### " + rule["alert"])
    assert len(section.split()) > 10, section
    parsed = read(rule["expr"])
    offered = set().union(*(labels_of(s.name, labels) for s in parsed.selectors))
    aggregated = [s for s in parsed.selectors if any(n in promql.AGGREGATIONS for n, _ in s.around)]
    if len(aggregated) == len(parsed.selectors):
        offered = parsed.grouped
    for label in re.findall(r"\$labels\.(\w+)", "".join(texts.values())):
        assert label in offered, f"{label} is gone from the result"
    assert re.fullmatch(r"(?:[^{]|\{\{ \$(?:labels\.\w+|value(?: \| humanizePercentage)?) \}\})*", texts["summary"])


@case("F-50")
def test_each_alert_has_its_heading_and_no_other():
    part = PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.+)$", part, re.M) == [rule["alert"] for rule in ALERTS]


def squeezed(text):
    return " ".join(text.split())


@case("F-50")
def test_the_rules_of_the_documents_are_among_them():
    (block,) = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(groups:\n.*?)```", OPERATIONS, re.S)]
    shown = block["groups"][0]["rules"]
    by_name = {rule["alert"]: rule for rule in ALERTS}
    assert len(shown) == 4
    for rule in shown:
        assert squeezed(by_name[rule["alert"]]["expr"]) == squeezed(rule["expr"])
        assert by_name[rule["alert"]].get("for") == rule.get("for")


@case("F-50")
def test_reasons_that_deserve_a_look_raise_an_alert():
    marked = {docs.code(row[0])[0] for row in docs.rows(docs.section(OPERATIONS, "### Reason codes"), "code")
              if row[3].startswith("**alert**")}
    by_name = {rule["alert"]: rule["expr"] for rule in ALERTS}
    seen = set()
    for name in ("OidcReason", "OidcStoreFull"):
        for selector in read(by_name[name]).selectors:
            seen |= {part for label, _, value in selector.matchers for part in value.split("|") if label == "reason"}
    assert len(marked) > 10 and seen == marked


@case("F-50")
def test_failures_are_those_of_the_documented_rule():
    """What counts against the objective is what the rule for refused sign-ins counts."""
    rule = re.search(r'reason!~"([^"]+)"', OPERATIONS)[1]
    recorded = [rule_["expr"] for group in RULES["groups"] for rule_ in group["rules"]
                if "signin_failures" in rule_.get("record", "")]
    assert len(recorded) == 4 and all(f'reason!~"{rule}"' in text for text in recorded)


@case("F-50")
def test_objectives_are_those_of_the_page():
    table = docs.rows(docs.section(PAGE, "## Objectives"), "promise")
    by_name = {rule["alert"]: rule["expr"] for rule in ALERTS}
    factors = {"Fast": "14.4", "Slow": "6"}
    tried = 0
    for _, objective, measured, alerts in table:
        budget = round(1 - float(re.match(r"([\d.]+) %", objective)[1]) / 100, 6)
        for name in re.findall(r"\[(Oidc\w+)\]", alerts):
            found = set(re.findall(r"> ([\d.]+) \* ([\d.]+)", by_name[name]))
            assert found == {(factors[name[-4:]], str(budget))}, (name, found, budget)
            tried += 1
        within = re.search(r"within ([\d.]+) (m?s)", objective)
        if within:
            bound = float(within[1]) / (1000 if within[2] == "ms" else 1)
            metric_ = docs.code(measured)[0].partition("{")[0]
            slow = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]
                    if "record" in rule and metric_ in rule["expr"] and "le=" in rule["expr"]]
            assert len(slow) == 2 and all(f'le="{bound:g}"' in text for text in slow), metric_
    assert tried == 6
    burns = docs.rows(docs.section(PAGE, "## Objectives"), "alert")
    for (_, windows, spends, *shares), (long, short) in zip(burns, (("1h", "5m"), ("6h", "30m"))):
        factor = float(re.match(r"([\d.]+) times", spends)[1])
        assert windows == f"{long} and {short}"
        assert [f"{factor * b:.2f}".rstrip("0").rstrip(".") + " % fail" for b in (0.5, 0.1)] == shares
        kind = "Fast" if long == "1h" else "Slow"
        for alert in ("OidcSignInsBurn", "OidcStoreBurn"):
            assert set(re.findall(r":rate(\w+)", by_name[alert + kind])) == {long, short}


# ---- the board

@case("F-50")
def test_the_board_is_one():
    assert BOARD["schemaVersion"] >= 39 and BOARD["uid"] and BOARD["id"] is None and len(BOARD["title"]) > 5
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids) and all(isinstance(i, int) for i in ids)
    titles = [panel["title"] for panel in PANELS if panel["type"] != "row"]
    assert len(set(titles)) == len(titles) and all(titles)
    assert [p["title"] for p in PANELS if p["type"] == "row"] == [
        "Sign-ins", "Refusals by reason", "Provider", "Sessions and zones", "Refresh", "Logouts", "Bearer tokens"]


@case("F-50")
def test_no_panel_covers_another():
    taken = {}
    for panel in PANELS:
        at = panel["gridPos"]
        assert at["w"] > 0 and at["h"] > 0 and at["x"] >= 0 and at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} covers {taken[x, y]}"
                taken[x, y] = panel["title"]
    lowest = max(y for _, y in taken)
    assert len(taken) == 24 * (lowest + 1), "there is a hole"
    rows_at = [p["gridPos"]["y"] for p in PANELS if p["type"] == "row"]
    assert rows_at == sorted(rows_at) and rows_at[0] == 0


@case("F-50")
def test_the_data_source_is_chosen_by_whoever_looks():
    (source,) = [v for v in BOARD["templating"]["list"] if v["type"] == "datasource"]
    assert source["query"] == "prometheus"
    wanted = {"type": "prometheus", "uid": "${" + source["name"] + "}"}
    for panel in PANELS:
        assert panel["datasource"] == wanted, panel["title"]
        targets = panel.get("targets", [])
        assert bool(targets) == (panel["type"] != "row")
        assert all(target["datasource"] == wanted for target in targets), panel["title"]
        assert len({target["refId"] for target in targets}) == len(targets)
    queries = [v for v in BOARD["templating"]["list"] if v["type"] == "query"]
    assert [v["name"] for v in queries] == ["job", "instance"]
    for variable in queries:
        assert variable["datasource"] == wanted and variable["query"]["query"] == variable["definition"]
        asked = variable["definition"]
        assert re.fullmatch(r'label_values\(oidc_build_info(\{job=~"\$job"\})?, (job|instance)\)', asked)


@case("F-50")
def test_legends_name_labels_that_are_there(scraped):
    _, labels = scraped
    for panel in PANELS:
        for target in panel.get("targets", ()):
            parsed = read(variables_filled(target["expr"]))
            (first, *_) = parsed.selectors
            groupings = [grouping for name, grouping in first.around if name in promql.AGGREGATIONS]
            offered = set(groupings[-1][1:]) if groupings and groupings[-1] else (
                set() if groupings else labels_of(first.name, labels))
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= offered, f"{panel['title']}: {used - offered}"


# ---- status.conf, and the reader of expressions itself

@case("F-50")
def test_the_status_server_tells_this_machine_alone(site):
    status = (FOLDER / "status.conf").read_text()
    assert re.findall(r"^ *listen +(.*);", status, re.M) == ["127.0.0.1:8081"]
    assert json.loads(ask(site, "/oidc-status"))["providers"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(site, "/")
    assert not re.search(r"\[warn\].*oidc_status", site.nginx.log())  # that it is open to everybody


@pytest.mark.parametrize("text", rows("F-50", {
    "empty": "", "open": "sum(rate(x_total[5m])", "no-range": "rate(x_total)", "range": "x_total[5m]",
    "range-in-sum": "sum(x_total[5m])", "two": "x_total x_total", "operator": "x_total >", "quote": 'x{a="b}',
    "matcher": 'x{a~"b"}', "bracket": "rate(x_total[5])", "function": "rats(x_total[5m])", "by": "sum by x (y)",
    "and-number": "x and 1", "pattern": 'x{a=~"("}', "semicolon": "x;", "arguments": "histogram_quantile(x_bucket)",
    "offset": "x offset", "variable": "rate(x[$__rate_interval])", "comment": "x # y"}))
def test_what_is_no_expression(text):
    with pytest.raises((promql.Wrong, re.error)):
        promql.parse(text)


@pytest.mark.parametrize("text, wrong", rows("F-50", {
    "rate-of-a-gauge": ("rate(g[5m])", "rate of g"), "counter-alone": ("c_total > 1", "as it is"),
    "delta-of-a-counter": ("delta(c_total[5m])", "delta of c_total"),
    "quantile-of-a-count": ("histogram_quantile(0.9, sum by (le) (rate(h_count[5m])))", "no buckets"),
    "quantile-without-le": ("histogram_quantile(0.9, sum by (x) (rate(h_bucket[5m])))", "without le"),
    "good": ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) / g + increase(c_total[1h] offset 1d)", "")}))
def test_what_is_of_no_use(text, wrong):
    found = promql.misuses(promql.parse(text), {"g": "gauge", "c_total": "counter", "h": "histogram"})
    assert bool(found) == bool(wrong) and wrong in "".join(found), found
