# SPDX-License-Identifier: Apache-2.0
"""What the documents say is so: every directive and variable is documented, has a default, and is tested;
reasons, log lines, metrics, steps, files, contexts, defaults and inheritance are those of the sources."""

import json
import pathlib
import re

import pytest

from harness import docs
from harness.cpp import Source
from harness.forge import b64u
from harness.log_texts import collect
from harness.nginx import ROOT, Nginx

TREE = docs.Tree.read()
DOCS = ROOT / "docs" / "directives.md"
TESTS = [p for p in pathlib.Path(__file__).parent.glob("test_*.py") if p.name != "test_docs.py"]


def top_level():
    """The names of the directives that nginx itself knows."""
    return set(docs.commands(TREE))


def in_provider():
    return set(docs.block_directives(TREE)["oidc_provider"])


def in_other_blocks():
    blocks = docs.block_directives(TREE)
    return {name for block in blocks if block != "oidc_provider" for name in blocks[block]}


def variables():
    return sorted(set(re.findall(r'^\s*\{"(oidc_\w+)", get_', TREE.source("ngx_module"), re.M)))


def sections():
    """{heading: text} of the reference."""
    return docs.entries(TREE)


def names():
    return sorted(top_level()) + sorted(in_provider())


# ---- directives and variables

def test_the_tables_are_found():
    """The patterns still fit the sources."""
    assert len(top_level()) >= 14 and len(in_provider()) >= 45, (top_level(), in_provider())
    assert {"type", "size", "server", "ttl", "alg", "audience", "lifetime"} <= in_other_blocks()
    assert len(variables()) >= 10
    assert {"issuer", "frontchannel_logout_uri", "jwks_refetch_interval"} <= in_provider()


@pytest.mark.parametrize("name", names())
def test_directive_is_documented(name):
    text = sections().get(name)
    assert text is not None, f"docs/directives.md has no entry {name}"
    for field in ("Syntax", "Default", "Context"):
        assert docs.field(text, field), f"{name} has no {field}"
    syntax = docs.field(text, "Syntax")
    assert f"`{name}`" in syntax or syntax.startswith(f"`{name} "), syntax
    assert "```nginx" in text, f"{name} has no example"
    body = re.sub(r"\*\*\w+:\*\*.*|```(.|\n)*?```", "", text)
    assert len(body.split()) >= 3, f"{name} is not explained"


@pytest.mark.parametrize("name", names() + sorted({f"{n}@block" for n in in_other_blocks()}) + variables())
def test_directive_has_a_test(name):
    pattern = re.compile(r"(?<![\w])" + re.escape(name.partition("@")[0]) + r"(?![\w])")
    assert any(pattern.search(p.read_text()) for p in TESTS), f"no test uses {name}"


@pytest.mark.parametrize("name", sorted(in_other_blocks()))
def test_directive_of_other_blocks_is_documented(name):
    text = sections()["oidc_session_store"] + sections()["oidc_assertion"]
    assert re.search(rf"`{name}\b", text), name


@pytest.mark.parametrize("name", variables() + ["oidc_claim_<name>"])
def test_variable_is_documented(name):
    assert f"`${name}`" in DOCS.read_text().partition("## Variables")[2], name


def test_nothing_is_documented_that_does_not_exist():
    known = top_level() | in_provider()
    assert [n for n in sections() if n not in known] == []
    mentioned = set(re.findall(r"`\$(oidc_\w+)`", DOCS.read_text()))
    assert {m for m in mentioned if not m.startswith("oidc_claim_")} <= set(variables())


# ---- documents against sources

CHECKS = {check.__name__: check for check in (
    docs.reasons, docs.outsiders, docs.log_lines, docs.transcripts, docs.quoted_pages, docs.metrics,
    docs.steps, docs.folder_map, docs.house, docs.contexts, docs.inheritance, docs.defaults)}


@pytest.mark.parametrize("check", CHECKS)
def test_the_documents_are_true(check):
    wrong = CHECKS[check](TREE)
    assert not wrong, "\n" + "\n".join(wrong)


def source(path, text):
    return lambda tree: tree.with_file(path, text)


def change(old, new):
    return lambda tree: tree.changed(old, new)


# What somebody does to the sources, or to the documents, and forgets the other.
FORGOTTEN = {
    "reason-status": ("reasons", change('{"idp_timeout", 504, error', '{"idp_timeout", 502, error')),
    "reason-level": ("reasons", change('{"logout_token_alg", 400, warn', '{"logout_token_alg", 400, error')),
    "reason-new": ("reasons", source("src/x.cpp", '{Reason::x, {"x_new", 400, warn, Blame::idp, "X"}},')),
    "reason-gone": ("reasons", change('{Reason::token_type,\n     {"token_type", 502', '{{"token_type", 502')),
    "alarm-of-an-outsider": ("outsiders", change("code_refused|cross_origin_request", "cross_origin_request")),
    "alarm-left-out": ("outsiders", change("|too_large", "|too_large|token_.*")),
    "reason-invented": ("reasons", change("| `idp_tls` |", "| `idp_tls2` |")),
    "log-level": ("log_lines", change("ngx_log_error(NGX_LOG_ALERT, log, ngx_errno",
                                      "ngx_log_error(NGX_LOG_NOTICE, log, ngx_errno")),
    "log-text": ("log_lines", change("a refresh ended in an exception", "a refresh ended in an error")),
    "log-text-split": ("log_lines", change('"no longer in key_file', '"not any more in key_file')),
    "log-text-in-a-helper": ("log_lines", change('"refresh of a session at', '"renewal of a session at')),
    "log-text-in-a-variable": ("log_lines", change('\\" is unavailable: "', '\\" is away: "')),
    "log-new": ("log_lines", source("ngx_module/signin/x.cpp",
                                    'void f() { ngx_log_error(NGX_LOG_WARN, log, 0, "oidc: new %V", &x); }')),
    "log-new-by-port": ("log_lines", source("src/x.cpp", 'void f() { log.write(LogLevel::warn, "new " + x); }')),
    "log-new-function": ("log_lines", source("ngx_module/x.cpp", 'void f() { tell(r, NGX_LOG_CRIT, "new"); }')),
    "log-documented-twice": ("log_lines", change("| `no memory for a state file` |",
                                                 "| `no memory for a state file`, `libcurl failed: …` |")),
    "log-invented": ("log_lines", change("| `no memory for a state file` |", "| `no memory for a file` |")),
    "test-new": ("log_lines", source("ngx_module/x.cpp", 'void f() { conf_warn(cf, place, "new"); }')),
    "test-new-in-a-block": ("log_lines", source("ngx_module/x.cpp", 'char* f(Block& b) { return b.error("new"); }')),
    "test-level": ("log_lines", change('conf_warn(b.cf(), ', 'conf_error(b.cf(), ')),
    "debug-line": ("transcripts", change('"oidc decision: a login begins"', '"oidc decision: a sign-in begins"')),
    "debug-line-with-gaps": ("transcripts", change('"oidc store: look-up: %s"', '"oidc store: look-up was: %s"')),
    "debug-word": ("transcripts", change("nobody, no such cookie came", "nobody, no cookie of that name came")),
    "debug-step": ("transcripts", change(': StartLogin\n', ': BeginLogin\n')),
    "transcript-of-a-line": ("transcripts", change("documents of provider \\\"", "metadata of provider \\\"")),
    "page-sentence": ("quoted_pages", change("This sign-in was not started in this browser.",
                                          "This sign-in was started in another browser.")),
    "page-status": ("quoted_pages", change('{"store_unavailable", 503', '{"store_unavailable", 502')),
    "metric-name": ("metrics", change('"oidc_challenges_total"', '"oidc_asked_total"')),
    "metric-label": ("metrics", change('w, "kind", counters.logouts', 'w, "sort", counters.logouts')),
    "metric-value": ("metrics", change('"frontchannel", "backchannel",', '"frontchannel", "backchannel", "new",')),
    "metric-direct-value": ("metrics", change('{{"result", "refused"}}', '{{"result", "denied"}}')),
    "metric-endpoint": ("metrics", change('"userinfo", "revocation", "other"}', '"userinfo", "other"}')),
    "metric-build": ("metrics", change('{"openssl", OpenSSL_version', '{"tls", OpenSSL_version')),
    "metric-undocumented": ("metrics", change("| `oidc_provider_keys` |", "| `oidc_provider_key_count` |")),
    "step-new": ("steps", change("using Step = std::variant<", "using Step = std::variant<NewStep, ")),
    "step-gone": ("steps", change("EndSessions, Introspected, HeardSignals>", "EndSessions, HeardSignals>")),
    "event-new": ("steps", change("using Event = std::variant<", "using Event = std::variant<NewEvent, ")),
    "folder-new": ("folder_map", lambda tree: docs.Tree(tree.texts, tree.paths | {"new/"})),
    "test-folder-new": ("folder_map", lambda tree: docs.Tree(tree.texts, tree.paths | {"t/new/"})),
    "folder-gone": ("folder_map", lambda tree: docs.Tree(tree.texts, tree.paths - {"espocrm/"})),
    "file-new": ("house", source("src/new.cpp", "")),
    "file-new-in-the-adapter": ("house", source("ngx_module/http/new.hpp", "")),
    "wing-new": ("house", source("ngx_module/new/new.cpp", "")),
    "file-moved": ("house", change("ngx_module/base/worker_event.hpp", "ngx_module/http/worker_event.hpp")),
    "file-invented": ("house", change("`ports_ngx`", "`ports_ngx`, `invented`")),
    "context": ("contexts", change('{ngx_string("auth_oidc_mode"), kAnyLevel',
                                   '{ngx_string("auth_oidc_mode"), NGX_HTTP_LOC_CONF')),
    "merged": ("inheritance", change("conf.base_url = prev.base_url;", "")),
    "merged-by-name": ("inheritance", change("inherited : prev.header_rules)", "inherited : rules_of(prev))")),
    "inherited-new": ("inheritance", source("ngx_module/x.cpp", "conf.session_info = prev.session_info;")),
    "inherited-documented": ("inheritance", change("**Inherited:** yes, name by name", "**Inherited:** no")),
    "default": ("defaults", change("Seconds clock_skew = 60;", "Seconds clock_skew = 90;")),
    "default-of-milliseconds": ("defaults", change("read_timeout = 10000;", "read_timeout = 15000;")),
    "default-of-a-list": ("defaults", change('username_claim{"preferred_username", "sub"}', 'username_claim{"sub"}')),
    "default-of-a-flag": ("defaults", change("bool userinfo = false;", "bool userinfo = true;")),
    "default-of-a-location": ("defaults", change("static_cast<ngx_uint_t>(Mode::require));",
                                                 "static_cast<ngx_uint_t>(Mode::verify));")),
    "default-of-a-text": ("defaults", change('cookie_name{"NGX_OIDC_SESSION"}', 'cookie_name{"OIDC"}')),
    "default-of-a-word": ("defaults", change("callback_forward = false", "callback_forward = true")),
    "default-where-there-was-none": ("defaults", change("std::string post_logout_uri;",
                                                        'std::string post_logout_uri{"/bye"};')),
    "default-documented": ("defaults", change("`session_timeout 8h`", "`session_timeout 9h`")),
    "default-of-a-store": ("defaults", change("Seconds local_copy = 2;", "Seconds local_copy = 3;")),
    "default-of-an-assertion": ("defaults", change("Alg alg = Alg::HS256;", "Alg alg = Alg::ES256;")),
    "default-header": ("defaults", change('{"Remote-Name", ', '{"Remote-Full-Name", ')),
    "required": ("defaults", change('name : {"issuer", "client_id"})', 'name : {"issuer"})')),
}


@pytest.mark.parametrize("case", FORGOTTEN)
def test_what_is_forgotten_is_noticed(case):
    check, forget = FORGOTTEN[case]
    assert CHECKS[check](forget(TREE)), f"{check} does not notice it"


# The reader of log lines by itself: a text in C++, and what is found in it.
READ = {
    "format": ('ngx_log_error(NGX_LOG_ERR, log, 0, "oidc: %V of %uz, %s and %*s", &a, b, c, d, e);',
               {"… of …, … and …": {"error"}}),
    "joined": ('ngx_log_error(NGX_LOG_INFO, log, 0, "oidc: one "\n   "two");', {"one two": {"info"}}),
    "comment": ('// ngx_log_error(NGX_LOG_ERR, log, 0, "oidc: old");\nf("x"); /* write(LogLevel::warn, "x") */', {}),
    "choice": ('ngx_log_error(NGX_LOG_WARN, log, 0, a == b ? "oidc: this" : "oidc: that");',
               {"this": {"warn"}, "that": {"warn"}}),
    "two-levels": ('log(down ? NGX_LOG_INFO : NGX_LOG_ERR, "both");', {"both": {"info", "error"}}),
    "sum": ('NgxLog(log).write(LogLevel::notice, "a \\"" + name + "\\" b: " + error.detail);',
            {'a "…" b: …': {"notice"}}),
    "quoted": ('port.log.write(LogLevel::notice, "claim " + quoted(name) + " is out");',
               {'claim "…" is out': {"notice"}}),
    "in-quotes": ('port.log.write(LogLevel::notice, "claim " + in_quotes(name) + " is out");',
                  {'claim "…" is out': {"notice"}}),
    "variable": ('std::string text = "a " + b; text += " c"; if (d) { text.append(" d"); } log(NGX_LOG_ERR, text);',
                 {"a … c": {"error"}}),
    "helper": ('std::string line_of(int a, const char* what) {\n std::string line = "it ";\n'
               ' line.append(what).append(": ");\n return line;\n}\n'
               'void f() { log.write(LogLevel::warn, line_of(1, "fell")); }', {"it fell: ": {"warn"}}),
    "debug": ('ngx_log_error(NGX_LOG_DEBUG, log, 0, "oidc: x"); ngx_log_debug1(NGX_LOG_DEBUG_HTTP, log, 0, "x");',
              {}),
    "declaration": ("void log(ngx_uint_t level, std::string_view text) const noexcept;", {}),
    "by-code": ('log.write(info.level, "cannot be: " + code);', {"cannot be: …": {"of the code"}}),
}


@pytest.mark.parametrize("case", READ)
def test_log_lines_are_read(case):
    text, expected = READ[case]
    assert collect({"x.cpp": text}) == {"run": expected, "test": {}}


@pytest.mark.parametrize("text", [
    "log(NGX_LOG_ERR, text_of(error));",
    'ngx_log_error(NGX_LOG_ERR, log, 0, "%s", what);',
    'ngx_log_error(NGX_LOG_ERR, log, 0, "not ours");',
])
def test_what_cannot_be_read_is_an_error(text):
    with pytest.raises(AssertionError):
        collect({"x.cpp": text})


def test_calls_are_found():
    found = [(name, len(arguments)) for _, name, arguments in
             Source('int f(int x);\nvoid g() { a.b(1, c(2, "x,)"), {3, 4}); return d(); }').calls()]
    assert found == [("b", 3), ("c", 2), ("d", 0)]


def test_fields_of_the_status_are_documented(make_site):
    """Every member of the JSON of a running nginx; those of its labels have their own table."""
    site = make_site(locations="location = /status { auth_oidc off; oidc_status; }\n",
                     own_paths=("/oidc_callback", "/status"))
    site.browser().login("/d")
    told = docs.section(TREE.doc("operations"), "### Fields of the JSON")
    documented = {word for cell in docs.code(told) for word in re.findall(r"\w+", cell)}
    metrics = set(docs.code(docs.section(TREE.doc("operations"), "### Metrics")))

    def members(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield name
                yield from members(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from members(inner)
    found = set(members(site.browser().get("/status").json()))
    assert {"stores", "providers", "worker", "generation"} <= found
    assert sorted(found - documented - metrics) == []


def test_the_versions_of_providers_are_those_that_are_run():
    """docs/compatibility.md names the major version of each program of t/providers."""
    row = re.search(r"^\| Keycloak .*$", (ROOT / "docs" / "compatibility.md").read_text(), re.M)[0]
    folder = ROOT / "t" / "providers"
    found = {"Spring Security": re.search("<spring-security.version>(.*)</", (folder / "spring_op" / "pom.xml").read_text())[1],
             "oidc-provider": json.loads((ROOT / "t/integration/op/package.json").read_text())["dependencies"]["oidc-provider"]}
    for name, file in (("Keycloak", "keycloak"), ("Ory Hydra", "hydra"), ("Zitadel's library", "zitadel"),
                       ("Django OAuth Toolkit", "django_oauth_toolkit")):
        found[name] = re.search(r'^    version = "(.*)"$', (folder / f"{file}.py").read_text(), re.M)[1]
    for name, version in found.items():
        assert re.search(rf"\b{name} {version.partition('.')[0]}\b(?!\.)", row), (name, version, row)


def test_the_readme_names_what_was_tried():
    """As the tables of docs/compatibility.md have it, which are what systems and matrix printed."""
    said = re.search(r"^\*\*Tried with\*\* (.*?)\n\n", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    text = (ROOT / "docs/compatibility.md").read_text()
    tried = docs.rows(text, "system") + docs.rows(text, "source tree")
    worked = "; ".join(cells[0] for cells in tried if cells[1] in ("ok", "in each run"))
    versions = " ".join(re.findall(r"(?:nginx|Angie)((?: \d+\.\d+\.\d+,?)+)", worked))
    assert set(re.findall(r"\d+\.\d+\.\d+", said)) == set(re.findall(r"\d+\.\d+\.\d+", versions)), versions
    assert all(name in worked for name in ("Debian 12", "Debian 13", "Debian sid", "i386", "arm64", "freenginx", "Angie")), worked


# ---- examples

def examples():
    out = []
    for name, text in sections().items():
        for i, code in enumerate(re.findall(r"```nginx\n((?:.|\n)*?)```", text)):
            out.append(pytest.param(name, code, id=f"{name}-{i}"))
    text = DOCS.read_text()
    head = text.partition("### ")[0]
    for i, code in enumerate(re.findall(r"```nginx\n((?:.|\n)*?)```", head)):
        out.append(pytest.param("", code, id=f"intro-{i}"))
    return out


@pytest.mark.parametrize("name, code", examples())
def test_example_loads(lab, tmp_path, name, code):
    """Each example passes nginx -t in the context that its entry names."""
    folder = lab.folder / "doc-files"
    folder.mkdir(exist_ok=True)
    for file, data in (("secret", "s" * 40), ("keys", json.dumps({"keys": [lab.keys.rsa.jwk()]})),
                       ("ca", lab.pki.ca.file.read_text()), ("crl", lab.pki.crl.read_text()),
                       ("key", lab.keys.rsa.private_pem()), ("jwt", ".".join(map(b64u, (b'{"alg":"RS256"}', b"{}", b"x"))))):
        (folder / file).write_text(data)
        (folder / file).chmod(0o600)

    leaf = lab.pki.ca.issue("of-the-key", key=lab.keys.rsa.private)

    def path(match):
        text = match[0]
        if text.endswith("/client.pem"):
            return str(leaf.cert_file)
        kind = "keys" if text.endswith(".json") else "crl" if text.endswith(".crl") \
            else "ca" if text.endswith(".pem") else "key" if text.endswith(".key") \
            else "jwt" if text.endswith(".jwt") else "secret"
        return str(folder / kind)
    code = re.sub(r"/etc/nginx/[\w./-]+", path, code).replace("...", "")
    tls = (f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key "
           f"{lab.pki.site.key_file};")
    code = re.sub(r"listen +443 ssl;", f"listen 127.0.0.1:1 ssl; {tls}", code)
    context = docs.field(sections().get(name, ""), "Context")
    store = "oidc_session_store big { type memory; size 1m; }\n"
    base = {"issuer": "issuer https://idp.example;", "client_id": "client_id x;",
            "client_secret": "client_secret s;"}
    if name in ("client_assertion_audience", "oidc_jwks", "request_object"):
        base["client_key"] = f"client_key {folder / 'key'};"
    if name == "claim_source":
        store += "oidc_provider registry { issuer https://claims.example; client_id x; }\n"
    if name.startswith("client_secret"):
        base.pop("client_secret")
    if name == "issuer_template":
        base.pop("issuer")
    site = f"server {{ listen 127.0.0.1:1 ssl; {tls} server_name crm.example; auth_oidc main; %s }}\n"
    if not name:
        inner = code.partition("http {")[2].rpartition("}")[0] if "http {" in code else code
        http = inner
    elif context == "oidc_provider" and not code.startswith("location "):
        base.pop(name, None)
        http = store + f"oidc_provider main {{ {' '.join(base.values())} {code} }}\n" + site % ""
    elif context == "http":
        provider = "" if name == "oidc_provider" else f"oidc_provider main {{ {' '.join(base.values())} }}\n"
        http = provider + code + site % ""
    else:
        assertion = f"oidc_assertion {{ key_file {folder / 'secret'}; }}\n"
        maps = "".join(re.findall(r"^map (?:.|\n)*?^}\n", code, re.M))
        rest = code.replace(maps, "") if maps else code
        http = assertion + f"oidc_provider main {{ {' '.join(base.values())} }}\n" + maps
        http += (f"server {{ listen 127.0.0.1:1 ssl; {tls} server_name crm.example;"
                 f" {'' if name == 'auth_oidc' else 'auth_oidc main;'} {rest} }}\n")
    nginx = Nginx(tmp_path, http, status_port=2)
    status, out = nginx.test()
    assert status == 0, f"{http}\n{out}"
