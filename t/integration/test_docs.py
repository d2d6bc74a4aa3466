"""Every directive and variable of the module is documented, has a default, and is tested."""

import json
import pathlib
import re

import pytest

from harness.cpp import Source
from harness.log_texts import collect
from harness.nginx import ROOT, Nginx

DOCS = ROOT / "docs" / "directives.md"
SOURCES = ROOT / "ngx_module"
TESTS = [p for p in pathlib.Path(__file__).parent.glob("test_*.py") if p.name != "test_docs.py"]


def read(name):
    """The source file of that name, in whichever folder; file names are unique."""
    (path,) = SOURCES.rglob(name)
    return path.read_text()


def top_level():
    """{name: context} of the directives that nginx itself knows."""
    text = read("directives.cpp")
    found = re.findall(r'\{ngx_string\("(\w+)"\),\s*((?:NGX_|kAny)[^,]*),', text)
    out = {}
    for name, flags in found:
        if "kAnyLevel" in flags:
            out[name] = "http, server, location"
        elif "NGX_HTTP_MAIN_CONF" in flags:
            out[name] = "http"
        else:
            out[name] = "location"
    return out


def in_provider():
    """The names of the directives inside oidc_provider."""
    return re.findall(r'^    \{"(\w+)",', read("provider_directives.cpp"), re.M)


def in_other_blocks():
    return [name for file in ("assertion_directives.cpp", "store_directives.cpp")
            for name in re.findall(r'^    \{"(\w+)",\s*\{\}', read(file), re.M)]


def variables():
    return re.findall(r'^\s*\{"(oidc_\w+)", get_', read("variables.cpp"), re.M)


def sections():
    """{heading: text} of the reference."""
    parts = re.split(r"^### +(\S+)\s*$", DOCS.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def names():
    return sorted(top_level()) + sorted(in_provider())


def test_the_tables_are_found():
    """The patterns above still fit the sources."""
    assert len(top_level()) >= 14 and len(in_provider()) >= 45, (top_level(), in_provider())
    assert {"type", "size", "server", "alg", "audience", "lifetime"} <= set(in_other_blocks())
    assert len(variables()) >= 10
    assert {"issuer", "frontchannel_logout_uri", "jwks_refetch_interval"} <= set(in_provider())


@pytest.mark.parametrize("name", names())
def test_directive_is_documented(name):
    text = sections().get(name)
    assert text is not None, f"docs/directives.md has no entry {name}"
    for field in ("Syntax", "Default", "Context"):
        assert re.search(rf"\*\*{field}:\*\* *\S", text), f"{name} has no {field}"
    syntax = re.search(r"\*\*Syntax:\*\* *(.*)", text)[1]
    assert f"`{name}`" in syntax or syntax.startswith(f"`{name} "), syntax
    context = re.search(r"\*\*Context:\*\* *(.*)", text)[1].strip()
    assert context == top_level().get(name, "oidc_provider"), context
    assert "```nginx" in text, f"{name} has no example"
    body = re.sub(r"\*\*\w+:\*\*.*|```(.|\n)*?```", "", text)
    assert len(body.split()) >= 3, f"{name} is not explained"


@pytest.mark.parametrize("name", names() + sorted({f"{n}@block" for n in in_other_blocks()}) + variables())
def test_directive_has_a_test(name):
    pattern = re.compile(r"(?<![\w])" + re.escape(name.partition("@")[0]) + r"(?![\w])")
    assert any(pattern.search(p.read_text()) for p in TESTS), f"no test uses {name}"


@pytest.mark.parametrize("name", sorted(set(in_other_blocks())))
def test_directive_of_other_blocks_is_documented(name):
    text = sections()["oidc_session_store"] + sections()["oidc_assertion"]
    assert re.search(rf"`{name}\b", text), name


@pytest.mark.parametrize("name", variables() + ["oidc_claim_<name>"])
def test_variable_is_documented(name):
    assert f"`${name}`" in DOCS.read_text().partition("## Variables")[2], name


def test_nothing_is_documented_that_does_not_exist():
    known = set(top_level()) | set(in_provider())
    assert [n for n in sections() if n not in known] == []
    mentioned = set(re.findall(r"`\$(oidc_\w+)`", DOCS.read_text()))
    assert {m for m in mentioned if not m.startswith("oidc_claim_")} <= set(variables())


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
                       ("ca", lab.pki.ca.file.read_text()), ("crl", lab.pki.crl.read_text())):
        (folder / file).write_text(data)
        (folder / file).chmod(0o600)

    def path(match):
        text = match[0]
        kind = "keys" if text.endswith(".json") else "crl" if text.endswith(".crl") \
            else "ca" if text.endswith(".pem") else "secret"
        return str(folder / kind)
    code = re.sub(r"/etc/nginx/[\w./-]+", path, code).replace("...", "")
    tls = (f"ssl_certificate {lab.pki.site.cert_file}; ssl_certificate_key "
           f"{lab.pki.site.key_file};")
    code = re.sub(r"listen +443 ssl;", f"listen 127.0.0.1:1 ssl; {tls}", code)
    context = top_level().get(name, "oidc_provider")
    store = "oidc_session_store big { type memory; size 1m; }\n"
    base = {"issuer": "issuer https://idp.example;", "client_id": "client_id x;",
            "client_secret": "client_secret s;"}
    if name.startswith("client_secret"):
        base.pop("client_secret")
    site = f"server {{ listen 127.0.0.1:1 ssl; {tls} server_name crm.example; auth_oidc main; %s }}\n"
    if not name:
        inner = code.partition("http {")[2].rpartition("}")[0] if "http {" in code else code
        http = inner
    elif context == "oidc_provider":
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
