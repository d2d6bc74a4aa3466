# SPDX-License-Identifier: Apache-2.0
"""What the documents say, held against the sources. Each check gives a list of what is wrong.

Nothing here depends on which file a thing is in: declarations are looked for in all of them.
"""

import ast
import functools
import pathlib
import re

from .cpp import ANY, Source, literal, tidy
from .log_texts import FORMAT, collect
from .nginx import ROOT

SOURCE_FOLDERS = ("include", "src", "ngx_module")
KEPT = "yes, unless it is given here"
MERGED = "yes, name by name"
NOT_INHERITED = "no"


class Tree:
    """The documents and sources, as texts by their paths; and the names of all files and folders."""

    def __init__(self, texts, paths):
        self.texts = texts
        self.paths = paths
        self.joined = {}

    @classmethod
    def read(cls, root=ROOT):
        texts = {}
        for folder in SOURCE_FOLDERS:
            for path in sorted((root / folder).rglob("*.[ch]pp")):
                texts[str(path.relative_to(root))] = path.read_text()
        for path in sorted((root / "docs").glob("*.md")):
            texts[str(path.relative_to(root))] = path.read_text()
        return cls(texts, paths_below(root))

    def changed(self, old, new):
        """A copy in which `old` is `new`: in the sources and paths, or in the documents when these alone have it."""
        documents = not any(old in text for path, text in self.texts.items() if not path.startswith("docs/"))
        copy = Tree({path: text.replace(old, new) if path.startswith("docs/") == documents else text
                     for path, text in self.texts.items()}, {path.replace(old, new) for path in self.paths})
        assert copy.texts != self.texts or copy.paths != self.paths, f"there is no {old}"
        return copy

    def with_file(self, path, text=""):
        return Tree({**self.texts, path: text}, self.paths | {path})

    def doc(self, name):
        return self.texts[f"docs/{name}.md"]

    def source(self, *folders):
        """All sources (of these folders) as one text."""
        folders = folders or SOURCE_FOLDERS
        if folders not in self.joined:
            self.joined[folders] = "\n".join(text for path, text in self.texts.items()
                                             if path.startswith(tuple(f"{f}/" for f in folders)))
        return self.joined[folders]


def paths_below(root):
    """Files and folders of the repository; what is built or downloaded is none of it."""
    skipped = {"build", "out", "node_modules", "__pycache__"}
    out = set()

    def walk(folder):
        for path in folder.iterdir():
            if path.name.startswith(".") or path.name in skipped or path.suffix in {".o", ".so", ".pyc"}:
                continue
            out.add(str(path.relative_to(root)) + ("/" if path.is_dir() else ""))
            if path.is_dir():
                walk(path)
    walk(root)
    return out


# ---- reading documents

def section(text, heading):
    """What stands below a heading, up to the next of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    match = re.search(rf"^{re.escape(heading)}\s*$(.*?)(?=^#{{1,{level}}} |\Z)", text, re.M | re.S)
    assert match, f"there is no heading {heading}"
    return match[1]


def rows(text, first):
    """The rows, as lists of cells, of all tables whose first column is called `first`."""
    out = []
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.M):
        lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
                 for line in table.splitlines()]
        if lines[0][0] == first:
            out += lines[2:]
    assert out, f"there is no table of {first}"
    return out


def code(cell):
    """The texts between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def differences(what, documented, real):
    """Two dicts, compared in words."""
    out = [f"{what} {key} is not documented" for key in real if key not in documented]
    out += [f"{what} {key} is documented, but there is none" for key in documented if key not in real]
    out += [f"{what} {key}: documented is {documented[key]}, true is {real[key]}"
            for key in real if key in documented and documented[key] != real[key]]
    return out


def once(what, pairs):
    """A dict of (key, value) pairs, and what is there twice."""
    pairs = list(pairs)
    keys = [key for key, _ in pairs]
    return dict(pairs), [f"{what} {key} is documented twice" for key in sorted({k for k in keys if keys.count(k) > 1})]


# ---- reason codes

def reasons(tree):
    found = re.findall(r'\{Reason::(\w+),\s*\{"(\w+)",\s*(\d+),\s*(\w+),', tree.source("src"))
    assert len(found) > 60, "the table of reasons has another form"
    real = {code_: (int(status), level) for _, code_, status, level in found}
    table = rows(section(tree.doc("operations"), "### Reason codes"), "code")
    documented, twice = once("reason", ((code(row[0])[0], (int(row[1]), row[2])) for row in table))
    return twice + differences("reason", documented, real)


def outsiders(tree):
    """The rule for refused sign-ins leaves out what anybody can bring about, and nothing else."""
    found = re.findall(r'\{Reason::\w+,\s*\{"(\w+)",[^{}]*?(,\s*true)?\}\}', tree.source("src"))
    wanted = {code_ for code_, outsider in found if outsider or code_ == "not_permitted"
              or code_.startswith("logout_")}
    rule = re.search(r'oidc_refusals_total\{reason!~"([^"]+)"\}', tree.doc("operations"))
    left_out = {code_ for code_, _ in found if rule and re.fullmatch(rule[1], code_)}
    return [f"the rule of OidcLoginsRefused {'leaves out' if name in left_out else 'counts'} {name}"
            for name in sorted(wanted ^ left_out)]


# ---- log lines

def log_lines(tree):
    texts = {path: text for path, text in tree.texts.items() if not path.startswith("docs/")}
    real = collect(texts)
    assert len(real["run"]) > 60 and len(real["test"]) > 60, "log lines are written in another way"
    out = []
    for kind, heading in (("run", "### Other lines"), ("test", "### Lines of `nginx -t`")):
        pairs = [(text, set(row[1].split(", "))) for row in rows(section(tree.doc("operations"), heading), "line")
                 for text in code(row[0])]
        documented, twice = once("line", pairs)
        out += twice + differences("line", documented, real[kind])
    return out


# ---- debugging

def debug_formats(tree):
    """What debug_log() is given, gaps as ANY."""
    out = set()
    for path, text in tree.texts.items():
        if not path.startswith("docs/"):
            source = Source(text)
            for at, name, arguments in source.calls():
                if name == "debug_log" and len(arguments) > 1:
                    out.update(tidy(FORMAT.sub(ANY, said)) for said in source.line(arguments[1], at))
    return out


def gaps_of(line, texts):
    """What stands in the gaps of the text that fits a line best; None: no text does."""
    found = [(len(text), match.groups()) for text in texts
             if (match := re.fullmatch(re.escape(text).replace(ANY, "(.*)"), line))]
    return max(found)[1] if found else None


def as_quoted(line):
    """A line with libcurl's words for a refused certificate as the documents quote them; newer versions have others."""
    return re.sub(r"SSL certificate OpenSSL verify result: (.*?) \(\d+\)", r"SSL certificate problem: \1", line)


def transcript(text):
    """The module's lines in the blocks of a document."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    return [line for language, block in blocks if not language for line in block.splitlines()
            if re.match(r"(?:\*\d+ )?oidc[ :]", line)]


def pages(tree):
    """{reason: (status, the first sentence of its page)}"""
    found = re.findall(r'\{Reason::\w+,\s*\{"(\w+)",\s*(\d+),[^"{}]*("[^{}]*?")(?:,\s*true)?\}\}', tree.source("src"))
    assert len(found) > 60, "the table of reasons has another form"
    texts = {name: "".join(map(literal, re.findall(r'"(?:\\.|[^"\\])*"', text))) for name, _, text in found}
    return {name: (status, re.match(r"[^.]*\.", texts[name])[0]) for name, status, _ in found}


def transcripts(tree):
    """Every line that is shown is one that the sources can write."""
    sources = {path: text for path, text in tree.texts.items() if not path.startswith("docs/")}
    debug, run = debug_formats(tree), [text + ANY for text in collect(sources)["run"]]
    said = "\n".join(literal(m) for m in re.findall(r'"(?:\\.|[^"\\\n])*"', "\n".join(sources.values())))
    steps_, reasons_ = variant(tree, "Step"), pages(tree)
    shown, out = transcript(tree.doc("debugging")), []
    assert len(debug) > 20 and len(shown) > 30, "the page or the sources have another form"
    for whole in shown:
        line = re.sub(r"^\*\d+ ", "", whole)
        refused = re.match(r'oidc: login at provider "\w+" refused: (\w+): .*, reference [0-9a-f]{16}$', line)
        step = re.match(r'oidc flow: \w+ at provider "\w+": (\w+)(?:: (\w+))?$', line)
        if refused:
            fits = refused[1] in reasons_
        elif line.startswith("oidc: "):
            fits = gaps_of(line.removeprefix("oidc: "), run) is not None
        elif step:
            fits = gaps_of(line, debug) is not None and step[1] in steps_ and step[2] in {None, *reasons_}
        else:
            gaps = gaps_of(line, debug)
            # Single words are names, numbers and addresses; what is more stands in the sources.
            fits = gaps is not None and all(part in said for gap in gaps for part in gap.split(", ") if " " in part)
        if not fits:
            out.append(f"nothing writes this line: {whole}")
    return out


def quoted_pages(tree):
    """Every page that is quoted is the one of its reason."""
    page, real = tree.doc("debugging"), pages(tree)
    quoted = re.findall(r'^### `(\w+)`\n\nPage, (\d+): "([^"]+)"$', page, re.M)
    assert len(quoted) == len(re.findall(r"^Page, ", page, re.M)) > 5, "pages are quoted in another form"
    return [f"page of {name}: quoted is {status} {sentence}, true is {real.get(name)}"
            for name, status, sentence in quoted if real.get(name) != (status, sentence)]


# ---- metrics

def function_bodies(text):
    """{name: body} of the functions that begin at the start of a line; of one name all bodies."""
    out = {}
    for match in re.finditer(r"^[\w:].*?\b(\w+)\([^;{}]*\)[\w\s]*\{\n(.*?)^\}", text, re.M | re.S):
        out[match[1]] = out.get(match[1], "") + match[2]
    return out


def metrics(tree):
    text = tree.source("src")
    bodies = function_bodies(text)
    values = {kind: re.findall(r'"(\w+)"', names) for kind, names in re.findall(
        r"label_of\((\w+) \w+\) noexcept \{\s*constexpr std::string_view kNames\[\] = \{(.*?)\}", text, re.S)}
    real = {}
    for body in bodies.values():
        for name, rest in re.findall(r'\.family\("(\w+)"(.*?)(?=\.family\(|\Z)', body, re.S):
            real[name] = labels(rest, bodies, values)
    build = re.search(r'"# HELP (oidc_build_info).*', text)
    own = re.search(r'"oidc_build_info\{(\w+)=', text)
    more = re.search(r"\bcomponents\(\) \{(.*?)\n\}", tree.source("ngx_module"), re.S)
    assert build and own and more and len(real) > 15, "metrics are written in another way"
    real["oidc_build_info"] = {name: set() for name in [own[1]] + re.findall(r'\{"(\w+)",', more[1])}

    table = rows(section(tree.doc("operations"), "### Metrics"), "metric")
    documented, twice = once("metric", ((name, documented_labels(row[1])) for row in table for name in code(row[0])))
    # The values of `reason` are the codes, which have their own table.
    real["oidc_refusals_total"] = {"reason": set()}
    return twice + differences("metric", documented, real)


def documented_labels(cell):
    """"`result`: `success`, `refused`; `store`" -> {"result": {"success", "refused"}, "store": set()}"""
    out = {}
    for part in cell.split(";"):
        names, _, values = part.partition(":")
        for name in code(names):
            out[name] = set(code(values))
    return out


def labels(text, bodies, values):
    """The labels of the samples in a piece of source, with their values where these are a closed list. `le` is
    part of every histogram."""
    out = {}
    for helper in re.findall(r"\b(write_\w+)(?:<\w+>)?\(", text):
        if helper in bodies:
            out.update(labels(bodies[helper], bodies, values))
    for kind, label in re.findall(r'write_enum<(\w+)>\(\w+, "(\w+)"', text):
        out[label] = set(values[kind])
    for label in re.findall(r'write_each\([^;]*?, "(\w+)"', text):
        out[label] = set()
    for label, value in re.findall(r'\{"(\w+)", ([^{}]*?)\}', text):
        known = out.setdefault(label, set())
        kind = re.search(r"label_of\(static_cast<(\w+)>", value)
        if kind:
            known.update(values[kind[1]])
        elif value.startswith('"'):
            known.add(value.strip('"'))
    # A label whose value the helper is given: it is a variable of the caller's loop.
    kind = re.search(r"write_histogram\([^;]*label_of\(static_cast<(\w+)>", text)
    if kind and "endpoint" in out:
        out["endpoint"] = set(values[kind[1]])
    out.pop("le", None)
    return out


# ---- steps and events

def variant(tree, name):
    match = re.search(rf"using {name} =\s+std::variant<(.*?)>;", tree.source("include"), re.S)
    assert match, f"there is no variant {name}"
    return dict.fromkeys(re.findall(r"\w+", match[1]), "")


def steps(tree):
    table = rows(section(tree.doc("architecture"), "### The core is sans-IO"), "step")
    documented, twice = once("step", ((name, "") for row in table for name in code(row[0])))
    answers = {name: "" for row in table for name in code(row[2])}
    kinds = variant(tree, "Step")
    del kinds["TokenHolds"]  # two of them, in one alternative
    kinds |= variant(tree, "TokenHolds")
    return (twice + differences("step", documented, kinds)
            + differences("event", answers, variant(tree, "Event")))


# ---- the house

def folder_map(tree):
    """Every folder at the top, and those of t/, has a line in the map; every path of the map exists."""
    text = section(tree.doc("architecture"), "## 1. The house")
    block = re.search(r"```\n(.*?)```", text, re.S)[1]
    named = [path for line in block.splitlines() for path in re.split(r"\s{2,}", line)[0:-1]
             for path in path.split()]
    out = [f"{path} is in the map, but not there" for path in named if path not in tree.paths]
    wanted = {path for path in tree.paths if re.fullmatch(r"[^/]+/|t/[^/]+/", path)} - {"t/"}
    covered = set(named) | {path.partition("/")[0] + "/" for path in named}
    return out + [f"{path} is not in the map" for path in sorted(wanted - covered)]


def stem(path):
    name = pathlib.PurePosixPath(path).name
    return name.rpartition(".")[0] if name.endswith((".cpp", ".hpp")) else name


def house(tree):
    """Every file of the core and of the adapter has its place in the tables, and no other."""
    text = section(tree.doc("architecture"), "## 1. The house")
    core, twice = once("file", ((name, "") for row in rows(text, "part of the core") for name in code(row[0])))
    files = {stem(p): "" for p in tree.paths if p.startswith(("include/oidc/", "src/")) and not p.endswith("/")}
    out = twice + differences("file of the core", core, files)
    real = {}
    for path in tree.paths:
        if path.startswith("ngx_module/") and not path.endswith("/"):
            real.setdefault(path.rpartition("/")[0] + "/", set()).add(stem(path))
    table = rows(text, "part of the adapter")
    documented, twice = once("folder", ((code(row[0])[0], set(code(row[1]))) for row in table))
    return out + twice + differences("folder", documented, real)


# ---- directives

def entries(tree):
    """{name: text} of the reference."""
    return entries_of(tree.doc("directives"))


@functools.lru_cache(maxsize=4)
def entries_of(text):
    parts = re.split(r"^### +(\S+)\s*$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def field(text, name):
    match = re.search(rf"\*\*{name}:\*\* *(.*)", text)
    return match[1].strip() if match else ""


def commands(tree):
    """{name: (flags, setter, last arguments)} of nginx's own table."""
    found = re.findall(r'\{ngx_string\("(\w+)"\),\s*([^,]*),\s*([\w<>:]+),\s*([^{}]*)\}', tree.source("ngx_module"))
    assert len(found) > 14, "the command table has another form"
    return {name: (flags, setter, rest) for name, flags, setter, rest in found}


def block_directives(tree):
    """{block: {name: setter}}: the setter's name, or the text of a lambda."""
    text = tree.source("ngx_module")
    blocks = dict((table, block) for block, table in re.findall(r'\bBlock \w+\("(\w+)", (\w+),', text))
    out = {}
    for table, body in re.findall(r"\bBlockDirective (\w+)\[\] = \{\n(.*?)^\};", text, re.M | re.S):
        names = dict(re.findall(r'constexpr char (\w+)\[\] = "(\w+)"', text))
        found = re.findall(r"^    \{(\"\w+\"|k\w+),(.*?)(?=^    \{(?:\"|k)|\Z)", body, re.M | re.S)
        out[blocks[table]] = {names.get(name, name.strip('"')): setter for name, setter in found}
    assert len(out) >= 3 and len(out["oidc_provider"]) >= 45, "the tables of blocks have another form"
    return out


def contexts(tree):
    out = []
    for name, (flags, _, _) in commands(tree).items():
        levels = "http, server, location" if "kAnyLevel" in flags else \
            "http" if "NGX_HTTP_MAIN_CONF" in flags else "location"
        said = field(entries(tree).get(name, ""), "Context")
        if said != levels:
            out.append(f"{name} is allowed in {levels}, documented is {said}")
    for name in block_directives(tree)["oidc_provider"]:
        said = field(entries(tree).get(name, ""), "Context")
        if said != "oidc_provider":
            out.append(f"{name} belongs into oidc_provider, documented is {said}")
    return out


def setter_body(text, name, first):
    """`first`: the type of the setter's first parameter. nginx's own table and the blocks have theirs."""
    return setters(text).get((name, first), "")


@functools.lru_cache(maxsize=4)
def setters(text):
    return {(name, first): body for name, first, body in
            re.findall(r"^char\* (\w+)\((\w+)[^;{]*\{\n(.*?)^\}", text, re.M | re.S)}


def location_fields(tree):
    """{directive: member of a location's configuration}, empty: it has none."""
    text = tree.source("ngx_module")
    out = {}
    for name, (flags, setter, rest) in commands(tree).items():
        if "kAnyLevel" not in flags and "NGX_HTTP_LOC_CONF" not in flags:
            continue
        slot = re.search(r"offsetof\(\w+, (\w+)\)", rest)
        if slot:
            out[name] = slot[1]
            continue
        found = re.findall(r"\bloc\.((?:demand\.)?\w+)(?:\.push_back\(|\.emplace_back\(| = )",
                           setter_body(text, setter, "ngx_conf_t"))
        found = [f for f in found if not re.search(r"(?:_set|_off|file|line)$", f)]
        out[name] = found[0] if found else ""
    return out


def inheritance(tree):
    """How a location gets what outer levels say, read from the functions that merge."""
    text = tree.source("ngx_module")
    out = []
    for name, member in location_fields(tree).items():
        if member and re.search(rf":\s*prev\.{re.escape(member)}\)", text):
            real = MERGED
        elif member and re.search(rf"\bprev\.{re.escape(member)}\b", text):
            real = KEPT
        else:
            real = NOT_INHERITED
        said = field(entries(tree).get(name, ""), "Inherited")
        if said != real:
            out.append(f"{name} is inherited: {real}, documented is: {said}")
    return out


def struct_body(text, name):
    body = structs(text).get(name)
    assert body, f"there is no struct {name}"
    return body


@functools.lru_cache(maxsize=4)
def structs(text):
    return dict(re.findall(r"^struct (\w+)\b[^;{]*\{\n(.*?)^\};", text, re.M | re.S))


def initialiser(body, member):
    """The text of a member's initial value; empty: it has none."""
    match = re.search(rf"^ +(\S.*)\b{member}(?:\{{(.*?)\}}| = ([^;]+))?;", body, re.M)
    assert match, f"there is no member {member}"
    return (match[2] or match[3] or "").strip(), match[1].split()[0]


def value_in_words(text, kind):
    """`8 * 3600` -> 28800, `true` -> on, `Toggle::automatic` -> auto; None: nothing is set."""
    if not text or text in {"nullptr", "std::nullopt"}:
        return None
    if text in {"true", "false"}:
        return "on" if text == "true" else "off"
    if text.startswith('"'):
        return " ".join(re.findall(r'"([^"]*)"', text))
    if "::" in text:
        last = text.rpartition("::")[2]
        return "auto" if last == "automatic" else last
    number = eval_number(text)
    return number / 1000 if kind == "ngx_msec_t" else number


def eval_number(text):
    total = 1
    for factor in text.replace("'", "").split("*"):
        total *= ast.literal_eval(factor.strip())
    return total


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
SIZES = {"k": 1024, "m": 1024 * 1024}


def same_value(said, real, size=False):
    if isinstance(real, str):
        return said == real
    if real == 0 and said in {"off", "0", "0s"}:
        return True
    match = re.fullmatch(r"(\d+)([a-z]?)", said)
    unit = (SIZES if size else UNITS).get(match[2], 1) if match else 0
    return bool(match) and int(match[1]) * unit == real


# A word of the directive for a truth value of the source.
WORDS = {("callback", "off"): "redirect"}


def provider_defaults(tree):
    """{directive: value} of the directives inside oidc_provider; None: nothing is set."""
    text = tree.source()
    given = dict(re.findall(r'\bp\.(\w+) = ("[^"]*");', text))
    out = {}
    for name, setter in block_directives(tree)["oidc_provider"].items():
        plain = re.search(r"(\w+)\},\s*$", setter)
        body = setter_body(text, plain[1], "Block") if "[](" not in setter and plain else setter
        match = re.search(r"\b(config|provider)\(b\)\.(transport\.)?(\w+)", body)
        if not match:
            out[name] = None
            continue
        owner = "Transport" if match[2] else "ProviderConfig" if match[1] == "config" else "Provider"
        value, kind = initialiser(struct_body(text, owner), match[3])
        out[name] = value_in_words(value or given.get(match[3], ""), kind)
        out[name] = WORDS.get((name, out[name]), out[name])
    return out


def location_defaults(tree):
    """{directive: value} of those that a location inherits."""
    text = tree.source("ngx_module")
    words = {value: word for word, value in
             re.findall(r'\{ngx_string\("([\w+]+)"\), static_cast<ngx_uint_t>\((\w+::\w+)\)\}', text)}
    merged = {member: value for member, value in
              re.findall(r"ngx_conf_merge_\w*value\(conf\.(\w+), prev\.\1,\s*([^;]*)\);", text)}
    out = {}
    for name, member in location_fields(tree).items():
        if member in merged:
            value = re.sub(r"static_cast<\w+>\((.*)\)", r"\1", merged[member])
            out[name] = words.get(value, {"1": "on", "0": "off"}.get(value, value))
        else:
            out[name] = None
    return out


def defaults(tree):
    out = []
    real = {**location_defaults(tree), **provider_defaults(tree)}
    assert sum(value is not None for value in real.values()) > 20, "defaults are given in another way"
    for name, value in real.items():
        said = field(entries(tree).get(name, ""), "Default")
        word = re.fullmatch(rf"`{name} (.*)`", said)
        if value is None:
            fine = not said.startswith("`") or word and word[1] == "off"
        else:
            fine = bool(word) and same_value(word[1], value) or value == "auto" and not said.startswith("`")
        if not fine or not said:
            out.append(f"{name}: documented is the default {said}, true is {value}")
    return out + required(tree) + default_headers(tree) + block_defaults(tree)


def required(tree):
    match = re.search(r"for \(const std::string_view name : \{([^}]*)\}\) \{\s*if \(!block\.given",
                      tree.source("ngx_module"))
    real = dict.fromkeys(re.findall(r'"(\w+)"', match[1]), "required")
    documented = {name: "required" for name, text in entries(tree).items() if field(text, "Default") == "required"}
    return differences("directive", documented, real)


def default_headers(tree):
    table = re.search(r"kDefaultHeaders\{\{(.*?)\}\};", tree.source("ngx_module"), re.S)[1]
    real = {f"{name} {value}": "" for name, value in re.findall(r'\{"([\w-]+)", "([$\w]+)"\}', table)}
    text = re.search(r"Without any entry the set is(.*?)\.\n", entries(tree)["auth_oidc_header"], re.S)[1]
    return differences("header", dict.fromkeys(code(text), ""), real)


def block_defaults(tree):
    """`default 1s` in the lists of oidc_session_store and oidc_assertion."""
    text = tree.source("ngx_module")
    out = []
    # directive: (struct, member), where the two differ in name
    other = {"ssl_trusted_certificate": "ca_file", "server": "servers", "key_file": "keys", "alg": "alg"}
    for block, owners in (("oidc_session_store", ("Store", "RedisSettings")),
                          ("oidc_assertion", ("Assertion", "AssertionBlock"))):
        bullets = re.findall(r"^\* (.*(?:\n  .*)*)", entries(tree)[block], re.M)
        for name in block_directives(tree)[block]:
            bullet = next((b for b in bullets if re.search(rf"`{name}\b[^`]*;`", b)), None)
            if bullet is None:
                continue  # of no effect, or named in the text of another
            said = re.search(r"[Dd]efault(?: and maximum)? (?:`([^`]+)`|(\w+))", bullet)
            said = said and (said[1] or said[2])
            for owner in owners:
                try:
                    value, kind = initialiser(struct_body(text, owner), other.get(name, name))
                except AssertionError:
                    continue
                real = value_in_words(value, kind)
                if bullet.startswith(f"`{name}") and real is not None and not (
                        said and same_value(said, real, size=name == "size")):
                    out.append(f"{name} in {block}: documented is the default {said}, true is {real}")
                break
    return out
