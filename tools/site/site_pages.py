# SPDX-License-Identifier: Apache-2.0
"""The pages of the site, made of the documents of the repository.

A document becomes one page, or one page for each of its sections; each directive, variable, reason and
metric gets a page of its own. What they say stands in the documents alone.
"""
import dataclasses
import json
import os
import posixpath
import re

from site_source import (ANCHOR, LINK, cells, code, field, first_sentence, lines_of, pieces, plain, prose, slug,
                         tables, without_comments, words)

DIRECTIVES = "docs/directives.md"
OPERATIONS = "docs/operations.md"
DEBUGGING = "docs/debugging.md"
REASONS = "src/result.cpp"

# Words that somebody reads in ten minutes, a word of code counted as half of one.
LONGEST = 2200

# What is looked up and not read from one end to the other.
LOOKED_UP = {"reasons/index.md", "metrics/index.md", "log-lines.md", "nginx-test.md", "directives/index.md",
             "changelog.md", "cases.md"}


@dataclasses.dataclass
class Document:
    """A source and where it goes. `sections`: each section is a page in the folder of the address.
    `apart`: anchors of further headings that begin a page, with its address. `audience` and `following`: for whom
    it is and what comes next, where forges show the document and it does not say so itself."""
    source: str
    address: str
    sections: bool = False
    apart: dict = dataclasses.field(default_factory=dict)
    audience: str = ""
    following: str = ""


DOCUMENTS = [
    Document("README.md", "index.md", audience="whoever has a site that only people with an account may see.",
             following="[try it](docs/start/try.md) on your machine, or [install](docs/start/install.md)."),
    Document("docs/start/try.md", "start/try.md"),
    Document("docs/start/install.md", "start/install.md"),
    Document("docs/packages.md", "start/packages.md"),
    Document("ops/kubernetes/README.md", "start/kubernetes.md"),
    Document("docs/start/any-site.md", "start/any-site.md"),
    Document("docs/start/several-nodes.md", "start/several-nodes.md"),
    Document("docs/guides/api.md", "start/api.md"),
    Document("docs/guides/README.md", "providers/index.md"),
    *(Document(f"docs/guides/{name}.md", f"providers/{name}.md")
      for name in ("entra", "google", "okta", "auth0", "gitlab", "zitadel", "pocket-id", "kanidm", "adfs", "cognito")),
    Document("docs/guides/several-providers.md", "providers/several.md"),
    Document("docs/guides/espocrm.md", "espocrm/index.md"),
    Document("docs/guides/vhost.md", "espocrm/vhost.md", apart={
        "switches": "espocrm/switches.md", "check-it": "espocrm/check.md"}),
    Document("docs/guides/authelia.md", "espocrm/authelia.md", apart={"what-goes-wrong": "espocrm/authelia-trouble.md"}),
    Document("docs/guides/authentik.md", "espocrm/authentik.md", apart={"what-goes-wrong": "espocrm/authentik-trouble.md"}),
    Document("docs/guides/keycloak.md", "espocrm/keycloak.md"),
    Document("docs/guides/espocrm-extension.md", "espocrm/extension/index.md", sections=True),
    Document(OPERATIONS, "operations/index.md", sections=True, apart={
        "metrics": "metrics/index.md", "fields-of-the-json": "status-fields.md",
        "reason-codes": "reasons/index.md", "other-lines": "log-lines.md", "lines-of-nginx--t": "nginx-test.md"}),
    Document("docs/observability.md", "operations/observability.md"),
    Document(DEBUGGING, "debugging/index.md", sections=True),
    *(Document(f"docs/migration/{name}.md", f"migration/{'index' if name == 'README' else name}.md")
      for name in ("README", "oauth2-proxy", "forward-auth", "lua-resty-openidc", "mod-auth-openidc", "nginx-plus",
                   "nginx-oidc", "proxy-managers")),
    *(Document(f"docs/backends/{name}.md", f"backends/{'index' if name == 'README' else name}.md")
      for name in ("README", "static", "dokuwiki", "mediawiki", "radicale", "node", "python", "php", "spa", "grafana",
                   "gitea", "jenkins")),
    Document("docs/security.md", "security.md", apart={"limits": "security-limits.md"}),
    Document("docs/compatibility.md", "compatibility.md"),
    Document("docs/conformance.md", "conformance.md"),
    Document(DIRECTIVES, "directives/index.md", sections=True, apart={"variables": "variables/index.md"}),
    Document("CONTRIBUTING.md", "develop/contributing.md"),
    Document("docs/architecture.md", "develop/architecture/index.md", sections=True),
    Document("docs/releasing.md", "develop/releasing.md"),
    Document("bench/README.md", "develop/cost.md"),
    Document("t/cases.md", "cases.md", audience="developers who look for the test of a promise, or bring another case.",
             following="[Contributing](../CONTRIBUTING.md)."),
    Document("ops/README.md", "operations/files.md"),
    Document("SECURITY.md", "security-policy.md", audience="whoever has found a weakness.",
             following="[Security](docs/security.md): what the module keeps off, and what it does not."),
    Document("CHANGELOG.md", "changelog.md", audience="whoever upgrades.",
             following="[Reload, crash, restart, upgrade](docs/operations.md#3-reload-crash-restart-upgrade)."),
]

# Names of pages whose headings say enough only where they stand in the document.
TITLES = {"log-lines.md": "Log lines", "status-fields.md": "Fields of oidc_status", "espocrm/switches.md": "Switches of the vhost",
          "espocrm/check.md": "Check the vhost",
          "espocrm/authelia-trouble.md": "Authelia: what goes wrong",
          "espocrm/authentik-trouble.md": "authentik: what goes wrong", "security-limits.md": "Limits"}

# What the reader climbs, and what is looked up. A folder's name stands for its pages.
NAVIGATION = [
    ("Start", ["index.md", "start/"]),
    ("Providers", ["providers/"]),
    ("Before EspoCRM", ["espocrm/index.md", "espocrm/vhost.md", "espocrm/switches.md", "espocrm/check.md", "espocrm/authelia.md",
                        "espocrm/authelia-trouble.md", "espocrm/authentik.md", "espocrm/authentik-trouble.md",
                        "espocrm/keycloak.md", "espocrm/extension/"]),
    ("Backends", ["backends/"]),
    ("Moving in", ["migration/"]),
    ("Operate", ["operations/", "security.md", "security-limits.md", "compatibility.md", "conformance.md"]),
    ("Debug", ["debugging/"]),
    ("Look up", ["look-up/index.md", "directives/index.md", "variables/index.md", "reasons/index.md", "metrics/index.md",
                 "log-lines.md", "nginx-test.md", "status-fields.md", "changelog.md"]),
    ("Develop", ["develop/contributing.md", "develop/architecture/", "develop/releasing.md", "develop/cost.md",
                 "cases.md", "security-policy.md"]),
]


@dataclasses.dataclass
class Page:
    address: str
    title: str
    body: str
    source: str
    listed: bool = True
    searched: bool = True
    about: str = ""
    leads_to: set = dataclasses.field(default_factory=set)


class Repository:
    """Texts by their paths. `files`: all there are; `read`: gives a text."""

    def __init__(self, files, read):
        self.files = set(files)
        self.folders = {posixpath.dirname(path) for path in self.files}
        for folder in list(self.folders):
            while folder:
                self.folders.add(folder)
                folder = posixpath.dirname(folder)
        self.read = read

    @classmethod
    def below(cls, root):
        skipped = {"build", "out", "node_modules", "__pycache__"}
        files = []
        for folder, inside, names in os.walk(root):
            # What is built is not even looked into: whole systems may lie there.
            inside[:] = sorted(name for name in inside if name not in skipped and not name.startswith(".git"))
            files += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(names)
                      if not name.startswith(".git")]
        return cls(files, lambda name: (root / name).read_text(encoding="utf-8"))

    def with_text(self, name, text):
        """The same, with another text in one file."""
        return Repository(self.files | {name}, lambda asked: text if asked == name else self.read(asked))


class Site:
    def __init__(self, repository, documents=None, navigation=None):
        self.repository = repository
        self.documents = DOCUMENTS if documents is None else documents
        self.navigation = NAVIGATION if navigation is None else navigation
        self.pages = {}
        self.anchors = {}      # (source, anchor) -> (address, anchor)
        self.numbers = {}      # (source, number of a section) -> anchor
        self.inner = {}        # directive of a block -> addresses
        self.names = {}        # what is linked wherever it stands in backticks -> address
        self.images = set()
        self.problems = []
        for document in self.documents:
            self.place(document)
        self.make_directives()
        self.make_variables()
        self.make_reasons()
        self.make_metrics()
        self.make_index()
        self.guide()
        for page in list(self.pages.values()):
            self.link(page)
        self.backlinks()
        self.check_length()
        self.check_navigation()

    # ---- documents

    def place(self, document):
        """Puts the pieces of a document on their pages."""
        found = pieces(without_comments(self.repository.read(document.source)))
        folder = posixpath.dirname(document.address)
        title = plain(found[0].title)
        top = self.add(document.address, title, "", document.source)
        page, section = top, top
        shift = 0
        for piece in found:
            number = re.match(r"(\d+)\. ", piece.title)
            if number and piece.level == 2:
                self.numbers[document.source, number[1]] = piece.anchor
            own = document.apart.get(piece.anchor)
            if piece.level == 1:
                self.take_anchors(document, piece, top)
                self.anchors[document.source, piece.anchor] = self.anchors[document.source, ""] = (
                    document.address, "")
                top.body += piece.text
                continue
            if own or document.sections and piece.level == 2:
                name = re.sub(r"^\d+-", "", piece.anchor)
                page = self.add(own or posixpath.join(folder, f"{name}.md"),
                                re.sub(r"^\d+\. ", "", plain(piece.title)), piece.text, document.source)
                self.anchors[document.source, piece.anchor] = (page.address, "")
                self.take_anchors(document, piece, page)
                shift = piece.level - 1
                if piece.level == 2:
                    section = page
                else:
                    section.body += f"\n* [{page.title}](#{piece.anchor})"
                continue
            if shift and piece.level <= shift + 1:
                page, shift = section, 1
            self.anchors[document.source, piece.anchor] = (page.address, piece.anchor)
            self.take_anchors(document, piece, page)
            heading = "#" * (piece.level - shift)
            page.body += f"\n{heading} {piece.title} {{#{piece.anchor}}}\n{piece.text}"
        if document.sections and document.source != DIRECTIVES:
            self.list_sections(top)

    def guide(self):
        """Every page says for whom it is and what comes next: a part of a document is for those whom the document is
        for, and after it comes the next part."""
        for document in self.documents:
            top = self.pages[document.address]
            said = re.search(r"^\*\*For:\*\* (.*?)(?: \*\*Next:\*\* .*)?$", top.body, re.M)
            last = re.search(r"\*\*Next:\*\* (.*)", top.body)
            audience, following = said[1] if said else document.audience, last[1] if last else document.following
            if not audience or not following:
                self.problems.append(f"{document.source} does not say for whom it is, or what comes next")
                continue
            if not said:
                top.body = f"\n**For:** {audience}\n" + top.body
            if not last:
                top.body += f"\n**Next:** {following}\n"
            parts = [page for page in self.pages.values() if page.source == document.source and page.listed
                     and page is not top and page.address != "look-up/index.md"]
            for page, after in zip(parts, [*parts[1:], None]):
                if "**For:**" not in page.body:
                    page.body = f"\n**For:** {audience}\n{page.body}"
                if "**Next:**" not in page.body:
                    page.body += "\n**Next:** " + (f"[{after.title}](site:{after.address}).\n" if after else f"{following}\n")

    def take_anchors(self, document, piece, page):
        """Anchors that a document sets by itself."""
        for anchor in ANCHOR.findall(piece.text):
            self.anchors[document.source, anchor] = (page.address, anchor)

    def list_sections(self, top):
        """The first page of a document names the others, unless it does so itself."""
        if not re.search(r"^1\. \[", top.body, re.M):
            top.body += "\n" + "\n".join(f"* [{page.title}](site:{page.address})" for page in self.pages.values()
                                         if page.source == top.source and page is not top) + "\n"

    def add(self, address, title, body, source, **more):
        assert address not in self.pages, address
        page = Page(address, TITLES.get(address, title), body, source, **more)
        self.pages[address] = page
        return page

    # ---- pages of their own

    def make_directives(self):
        """A page for each entry of the reference; the first page lists them."""
        index = self.pages["directives/index.md"]
        for page in [p for p in self.pages.values() if p.source == DIRECTIVES and p.address.startswith("directives/")]:
            if page is index:
                continue
            entries = [piece for piece in pieces("# x\n" + page.body) if piece.level == 2]
            if not entries:
                index.body += f"\n\n## {page.title} {{#{slug(page.title)}}}\n{page.body}"
                self.anchors[DIRECTIVES, slug(page.title)] = (index.address, slug(page.title))
                del self.pages[page.address]
                continue
            anchor = slug(page.title)
            lead = page.body.partition("\n## ")[0].strip()
            index.body += (f"\n\n## {page.title} {{#{anchor}}}\n\n{lead}\n\n"
                           "| directive | what it does | default |\n| --- | --- | --- |\n")
            self.anchors[DIRECTIVES, anchor] = (index.address, anchor)
            for piece in entries:
                name = re.sub(r" *\{#.*\}$", "", piece.title)
                address = f"directives/{name}.md"
                default = field(piece.text, "Default").replace(f"`{name} ", "`")
                does = first_sentence(piece.text).replace("|", "\\|")
                index.body += f"| [`{name}`](site:{address}) | {does} | {default} |\n"
                self.anchors[DIRECTIVES, name] = (address, "")
                self.add(address, name, piece.text, DIRECTIVES, listed=False,
                         about=f"Directive of the section [{page.title}](site:directives/index.md#{anchor}).")
                if "_" in name:
                    self.names[name] = address
                if "{ ... }" in field(piece.text, "Syntax"):
                    index.body += self.make_inner(name, piece.text)
            del self.pages[page.address]
        for name, addresses in self.inner.items():
            # A name of two blocks, or of the provider's as well, is not linked: it depends on where it stands.
            if "_" in name and len(addresses) == 1:
                self.names.setdefault(name, addresses[0])

    def make_inner(self, block, text):
        """A page for each directive that the list of a block names, and their rows of the table."""
        outer = self.pages[f"directives/{block}.md"]
        example = re.search(r"^```nginx\n.*?^```", text, re.M | re.S)[0]
        rows = []
        for bullet in re.findall(r"^\* (.*(?:\n  .*)*)", text, re.M):
            flat = " ".join(bullet.split())
            for syntax in re.findall(r"`(\w+(?: [^`;]+)?);`", flat):
                name = syntax.split(" ")[0]
                own = flat.removeprefix(f"`{syntax};` ")
                if own == flat:
                    self.problems.append(f"{DIRECTIVES}: {name} in {block} has no line of its own")
                default = re.search(r"[Dd]efault(?: and maximum)? (?:`([^`]+)`|(\w+))", flat)
                default = f"`{name} {default[1] or default[2]}`" if default and default[2] != "none" else \
                    required[1] if (required := re.match(r"(required(?: for [^.]*)?)[.,]", own)) else "—"
                address = f"directives/{block}/{name}.md"
                self.add(address, name, f"\n**Syntax:** `{syntax}`  \n**Default:** {default}  \n**Context:** "
                         f"[`{block}`](site:{outer.address})\n\n{sentence(own)}\n\nThe block:\n\n{example}\n", DIRECTIVES,
                         listed=False, about=f"Directive of the block [{block}](site:{outer.address}).")
                self.inner.setdefault(name, []).append(address)
                outer.body = outer.body.replace(f"`{syntax};`", f"[`{syntax};`](site:{address})")
                does = first_sentence(sentence(re.sub(r"^required(?:\. |, )", "", own))).replace("|", "\\|")
                rows.append(f"| `{block}`: [`{name}`](site:{address}) | {does} | {default.replace(f'`{name} ', '`')} |\n")
        return "".join(rows)

    def make_variables(self):
        index = self.pages["variables/index.md"]
        rows = [row for head, rows in tables(index.body) if head[0] == "variable" for row in rows]
        rest = index.body.rpartition("|\n")[2].strip()
        for row in rows:
            for name in code(row[0]):
                address = f"variables/{re.sub('[$<>]', '', name)}.md"
                body = f"{sentence(row[1])}\n\n{rest}\n"
                self.add(address, name, body, DIRECTIVES, listed=False,
                         about="One of the [variables](site:variables/index.md).")
                self.names[name] = address
        self.link_first_cells(index, "variable")

    def make_reasons(self):
        index = self.pages["reasons/index.md"]
        told = {code_: re.sub(r'"\s*"', "", text) for code_, text in re.findall(
            r'\{Reason::\w+,\s*\{"(\w+)", \d+, \w+, [\w:]+,\s*"((?:[^"]|"\s*")*)"', self.repository.read(REASONS))}
        seen = {code_: piece.text for piece in pieces(self.repository.read(DEBUGGING)) if piece.level == 3
                for code_ in code(piece.title)}
        for head, rows in tables(index.body):
            if head[0] != "code":
                continue
            for row in rows:
                name = code(row[0])[0]
                address = f"reasons/{name}.md"
                alert = "**alert**" in row[3]
                meaning = row[3].replace("**alert** ", "")
                body = [f"| status | level | on the page |\n| --- | --- | --- |\n| {row[1]} | `{row[2]}` | "
                        f"{told.get(name, '')} |",
                        "## What happened", sentence(meaning), "## What to do", sentence(row[4])]
                if alert:
                    body += ["Any increase of the counter deserves a look:",
                             f'```\nincrease(oidc_refusals_total{{reason="{name}"}}[10m]) > 0\n```']
                if name in seen:
                    body += ["## Seen in a log", re.sub(r"\A\s*Page, \d+: .*\n", "", seen[name]).strip()]
                if name not in told:
                    self.problems.append(f"{REASONS}: the sentence of {name} is not found")
                self.add(address, name, "\n\n".join(body), OPERATIONS, listed=False,
                         about="One of the [reasons](site:reasons/index.md) that a page, a line of the log, "
                               "`$oidc_error` and `oidc_refusals_total` name.")
                # `too_large` is a value of a label as well.
                if "_" in name and name != "too_large":
                    self.names.setdefault(name, address)
        self.link_first_cells(index, "code")

    def make_metrics(self):
        index = self.pages["metrics/index.md"]
        rules = re.split(r"(?=^      - alert: )", "\n".join(
            line for line, is_code in lines_of(index.body) if is_code and not line.startswith("```")), flags=re.M)[1:]
        for head, rows in tables(index.body):
            if head[0] != "metric":
                continue
            for row in rows:
                for name in code(row[0]):
                    address = f"metrics/{name}.md"
                    body = [sentence(row[2])]
                    others = [other for other in code(row[0]) if other != name]
                    if others:
                        body += ["The same row is about " + ", ".join(f"`{other}`" for other in others) + "."]
                    if row[1]:
                        body += ["## Labels", "\n".join(f"* {part.strip()}" for part in row[1].split(";"))]
                    body += ["## When to be told", sentence(row[3])]
                    body += ["```yaml\n" + re.sub(r"^      ", "", rule, flags=re.M).rstrip() + "\n```"
                             for rule in rules if re.search(rf"\b{name}\b", rule)]
                    self.add(address, name, "\n\n".join(body), OPERATIONS, listed=False,
                             about="One of the [metrics](site:metrics/index.md).")
                    self.names[name] = address
        self.link_first_cells(index, "metric")

    def make_index(self):
        """Where everything is that is looked up, with how much of it there is."""
        def many(folder):
            return sum(address.startswith(folder) for address in self.pages) - 1
        self.add("look-up/index.md", "Look up", f"""
**For:** whoever has a name in front of them and wants to know what it means.

* [Directives](site:directives/index.md): {many("directives/")}, a page for each
* [Variables](site:variables/index.md): {many("variables/")}, for logs, headers and `map`
* [Reasons](site:reasons/index.md): {many("reasons/")}; what a page, `$oidc_error` and the log name when something is refused
* [Metrics](site:metrics/index.md): {many("metrics/")}, with what to be told of
* [Log lines](site:log-lines.md) and [lines of `nginx -t`](site:nginx-test.md): what they mean, and what to do
* [Fields of `oidc_status`](site:status-fields.md): its JSON
* [Compatibility](site:compatibility.md): what has been tried, and what stays; [Changelog](site:changelog.md): what is new

The search, at the top of each page, knows every name.

**Next:** [Debugging](site:debugging/index.md), when a sign-in fails.
""", "README.md")

    def link_first_cells(self, index, first):
        """In the tables whose first column is called so, each name leads to its page."""
        folder = posixpath.dirname(index.address)
        out, inside = [], False
        for line in index.body.split("\n"):
            inside = line.startswith("|") and (inside or cells(line)[0] == first)
            if inside and line.startswith("| `"):
                head, bar, rest = line[2:].partition(" |")
                head = re.sub(r"`([^`]+)`", lambda m: f"[`{m[1]}`](site:{folder}/{re.sub('[$<>]', '', m[1])}.md)", head)
                line = f"| {head}{bar}{rest}"
            out.append(line)
        index.body = "\n".join(out)

    # ---- links

    def link(self, page):
        """Links that lead to pages of the site, in the place of those between files."""
        page.body = prose(page.body, lambda text: self.link_text(page, text))

    def link_text(self, page, text):
        text = self.link_sections(page, text)
        used = set()

        def change(match):
            if match.group("code"):
                return self.link_name(page, match.group("code"), used)
            inner = match.group("text")
            bang, target = match.group("bang"), match.group("target")
            if "![" in inner:
                inner = LINK.sub(lambda m: f"![{m[2]}]({self.target(page, m[3], True)[0]})", inner)
            new, title = self.target(page, target, bool(bang))
            if title and re.fullmatch(r"`?[\w./-]+\.md`?", inner):
                inner = title
            return f"{bang}[{inner}]({new})"
        token = (r"(?P<bang>!?)\[(?P<text>(?:[^\[\]`]|`[^`]*`|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^)\s]+)\)"
                 r"|(?<!`)(?P<code>`[^`\n]+`)(?!`)")
        out = []
        for line in self.paragraphs(text):
            out.append(line if line.startswith("#") else re.sub(token, change, line))
        return "\n".join(out)

    @staticmethod
    def paragraphs(text):
        """Headings alone, all else together: a link may go over the end of a line."""
        out, run = [], []
        for line in text.split("\n"):
            if line.startswith("#"):
                if run:
                    out.append("\n".join(run))
                    run = []
                out.append(line)
            else:
                run.append(line)
        return out + (["\n".join(run)] if run else [])

    def link_sections(self, page, text):
        """`section 6` of a document whose sections are pages."""
        def other(match):
            source = self.resolve(page.source, match[2].partition("#")[0])
            anchor = self.numbers.get((source, match[4]))
            if not anchor:
                return match[0]
            return f"[{match[1]}]({match[2]}){match[3]}[section {match[4]}]({match[2]}#{anchor})"
        text = re.sub(r"\[([^\]]+)\]\(([^)#]*\.md)\)(, )section (\d+)", other, text)

        def own(match):
            anchor = self.numbers.get((page.source, match[2]))
            return f"[{match[1]} {match[2]}](#{anchor})" if anchor else match[0]
        return re.sub(r"(?<![\[\w])([Ss]ection) (\d+)\b(?!\])", own, text)

    def link_name(self, page, span, used):
        text = span.strip("`")
        name = text if text in self.names else text.split(" ")[0]
        address = self.names.get(name)
        if not address or name == page.title or name in used or re.search('["…]', text):
            return span   # the last: lines of logs, which may begin with a name
        used.add(name)
        return f"[{span}]({self.path_to(page, address)})"

    @staticmethod
    def resolve(source, target):
        return posixpath.normpath(posixpath.join(posixpath.dirname(source), target)) if target else source

    @staticmethod
    def path_to(page, address, anchor=""):
        page.leads_to.add(address)
        path = posixpath.relpath(address, posixpath.dirname(page.address) or ".")
        return f"{path}#{anchor}" if anchor else path

    def target(self, page, target, is_image):
        """(where a link of the source leads on the site, the title of that page)."""
        if re.match(r"https?:|mailto:", target):
            return target, ""
        if target.startswith("site:"):
            address, _, anchor = target[5:].partition("#")
            return self.path_to(page, address, anchor), ""
        path, _, anchor = target.partition("#")
        name = self.resolve(page.source, path).rstrip("/")
        if is_image:
            if name not in self.repository.files:
                self.problems.append(f"{page.source}: there is no picture {target}")
            if any(posixpath.basename(other) == posixpath.basename(name) for other in self.images - {name}):
                self.problems.append(f"{page.source}: another picture is called {posixpath.basename(name)} as well")
            self.images.add(name)
            return self.path_to(page, f"images/{posixpath.basename(name)}"), ""
        if (name, "") in self.anchors:
            found = self.anchors.get((name, anchor))
            if not found:
                self.problems.append(f"{page.source}: there is no anchor {target}")
                return target, ""
            return self.path_to(page, *found), self.pages[found[0]].title
        if name in self.repository.files or name in self.repository.folders:
            return self.path_to(page, self.file_page(name)), ""
        self.problems.append(f"{page.source}: there is no {target}")
        return target, ""

    def file_page(self, name):
        """A file of the repository that a document links to, as a page to read; a folder as a list."""
        address = f"files/{name}/index.md" if name in self.repository.folders else f"files/{name}.md"
        if address in self.pages:
            return address
        if name in self.repository.folders:
            inside = sorted(path for path in self.repository.files if path.startswith(name + "/"))
            page = self.add(address, name, "", name, listed=False, searched=False)
            page.body = "\n".join(f"* [`{path}`]({self.path_to(page, self.file_page(path))})" for path in inside) + "\n"
        else:
            text = self.repository.read(name)
            fence = "`" * max([3] + [len(run) + 1 for run in re.findall(r"`{3,}", text)])
            kind = {"yml": "yaml", "yaml": "yaml", "json": "json", "conf": "nginx", "example": "nginx",
                    "": "python" if text.startswith("#!/usr/bin/env python3") else ""}.get(
                        posixpath.splitext(name)[1].lstrip("."), "")
            self.add(address, name, f"{fence}{kind}\n{text.rstrip()}\n{fence}\n", name, listed=False, searched=False,
                     about="A file of the repository.")
        return address

    def backlinks(self):
        """What has a page of its own says at its end who speaks of it."""
        speakers = [page for page in self.pages.values() if page.searched and page.address not in LOOKED_UP]
        of = {address: [page for page in speakers if address in page.leads_to and page.address != address]
              for address in self.names.values()}
        for address, by in of.items():
            page = self.pages[address]
            if by:
                page.body += "\n\n## Spoken of in {#spoken-of-in}\n\n" + "\n".join(
                    f"* [{other.title}]({self.path_to(page, other.address)})"
                    for other in sorted(by, key=lambda p: (not p.listed, p.address))[:20]) + "\n"

    # ---- what is demanded

    def check_length(self):
        for page in self.pages.values():
            count = words(page.body)
            if count > LONGEST and page.address not in LOOKED_UP and page.searched:
                self.problems.append(f"{page.source}: {page.address} has {count} words, {LONGEST} are ten minutes")

    def check_navigation(self):
        named = {address for _, items in self.navigation for item in items for address in self.expand(item)}
        for page in self.pages.values():
            if page.listed and page.address not in named:
                self.problems.append(f"{page.address} stands in no navigation")

    def expand(self, item):
        if not item.endswith("/"):
            return [item]
        return [page.address for page in self.pages.values() if page.listed and page.address.startswith(item)]

    # ---- what is written

    def navigation_tree(self):
        out = []
        for title, items in self.navigation:
            entries = []
            for item in items:
                inside = self.expand(item)
                if item.endswith("/") and item != items[0] and inside[0].endswith("/index.md"):
                    entries.append({self.pages[inside[0]].title: inside})
                else:
                    entries += inside
            out.append({title: entries})
        return out

    def texts(self):
        """{address: text} of all pages, as the program that renders them wants them."""
        return {page.address: self.render(page) for page in self.pages.values()}

    def render(self, page):
        head = {"title": page.title}
        if not page.searched:
            head["search"] = {"exclude": True}
        elif not page.listed:
            head["search"] = {"boost": 2}
        if page.address in LOOKED_UP and "\n##" not in page.body:
            head["hide"] = ["toc"]   # nothing would stand in it, and the tables are wide
        title = f"`{page.title}`" if not page.listed else page.title
        about = ""
        if page.about:
            about = LINK.sub(lambda m: f"[{m[2]}]({self.target(page, m[3], False)[0]})", page.about)
            about += "\n{: .about }\n\n"
        return f"---\n{json.dumps(head)}\n---\n\n# {title}\n\n{about}{explicit(page.body)}\n"


def explicit(body):
    """Every heading with the anchor that links to it use."""
    out = []
    seen = {}
    for line, is_code in lines_of(body):
        if not is_code and re.match(r"#{2,6} ", line) and "{#" not in line:
            anchor = slug(line.lstrip("# "))
            seen[anchor] = seen.get(anchor, -1) + 1
            line = f"{line} {{#{anchor}{'-' + str(seen[anchor]) if seen[anchor] else ''}}}"
        out.append(line)
    return "\n".join(out)


def sentence(text):
    text = text.strip().replace("\\|", "|")
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".?!" else text + "."
