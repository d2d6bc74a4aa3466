# SPDX-License-Identifier: Apache-2.0
"""The documentation site: what its pages are made of, and what its own checks notice. The site itself is built,
and checked, by `./build.sh site`, which is part of `./build.sh test`."""

import re
import sys

import pytest

from harness import docs
from harness.nginx import ROOT

sys.path.insert(0, str(ROOT / "tools" / "site"))

import site_check  # noqa: E402
import site_pages  # noqa: E402
import site_source  # noqa: E402

TREE = docs.Tree.read()
REPOSITORY = site_pages.Repository.below(ROOT)
SITE = site_pages.Site(REPOSITORY)


def test_the_documents_make_a_site():
    assert SITE.problems == []


# ---- a page for each

def reasons():
    return sorted(set(re.findall(r'\{Reason::\w+,\s*\{"(\w+)",', TREE.source("src"))))


def metrics():
    return sorted(set(re.findall(r'\.family\("(\w+)"', TREE.source("src"))) | {"oidc_build_info"})


@pytest.mark.parametrize("kind, names", [
    ("directives", sorted(docs.commands(TREE)) + sorted(docs.block_directives(TREE)["oidc_provider"])),
    ("reasons", reasons()), ("metrics", metrics()),
    ("variables", sorted(set(re.findall(r'^\s*\{"(oidc_\w+)", get_', TREE.source("ngx_module"), re.M))
                         | {"oidc_claim_name"}))])
def test_each_has_a_page(kind, names):
    pages = {address for address in SITE.pages if re.fullmatch(rf"{kind}/[^/]+", address)} - {f"{kind}/index.md"}
    assert pages == {f"{kind}/{name}.md" for name in names}
    assert len(names) > 10


@pytest.mark.parametrize("block", ["oidc_session_store", "oidc_assertion"])
def test_each_directive_of_a_block_has_a_page(block):
    names = set(docs.block_directives(TREE)[block])
    assert {address for address in SITE.pages if address.startswith(f"directives/{block}/")} == {
        f"directives/{block}/{name}.md" for name in names} and len(names) > 5
    outer, index = SITE.pages[f"directives/{block}.md"].body, SITE.pages["directives/index.md"].body
    for name in names:
        body = SITE.pages[f"directives/{block}/{name}.md"].body
        assert re.search(rf"\*\*Syntax:\*\* `{name}( [^`]+)?`", body) and "**Default:** " in body, body
        assert f"]({block}/{name}.md)" in outer and f"]({block}/{name}.md)" in index, name
        assert len(body.partition("\n\n")[2].partition("\n\nThe block:")[0].split()) > 3, body
        # A default is a fact of its own, and no explanation.
        row = re.search(rf"\]\({block}/{name}\.md\) \| (.*?) \|", index)[1]
        assert not re.match(r"Default\b|Required[.,]", row), row


def test_the_default_of_a_directive_of_a_block():
    def told(name):
        return re.search(r"\*\*Default:\*\* (.*?) *$", SITE.pages[f"directives/{name}.md"].body, re.M)[1]
    assert told("oidc_session_store/size") == "`size 8m`" and told("oidc_session_store/prefix") == "`prefix oidc:`"
    assert told("oidc_session_store/server") == "required" == told("oidc_assertion/key_file")
    assert told("oidc_session_store/key_file").startswith("required for `redis` and `cookie`, and with ")
    assert told("oidc_session_store/state_file") == "—" == told("oidc_session_store/ttl")
    assert told("oidc_assertion/lifetime") == "`lifetime 60s`" and told("oidc_assertion/audience") == "—"


def test_a_page_of_a_reason_says_what_happened_and_what_to_do():
    for name in reasons():
        body = SITE.pages[f"reasons/{name}.md"].body
        happened = re.search(r"## What happened\n\n(.+)\n\n## What to do\n\n(.+)", body)
        assert happened and len(happened[1]) > 5 and len(happened[2]) > 5, body
        assert re.search(rf"\]\({name}\.md\)", SITE.pages["reasons/index.md"].body), name
    assert "no cookie of this login" in SITE.pages["reasons/state_unknown.md"].body.lower()
    assert "browser sent no cookie" in SITE.pages["reasons/state_unknown.md"].body


def test_where_the_page_of_a_reason_is_stands_in_the_documents():
    told = docs.section(TREE.doc("operations"), "### Reason codes")
    assert "`reasons/`*code*`/`" in told


def test_a_line_of_the_log_leads_to_its_page():
    """By the rule of the documents, in a line that the module writes: one word after `refused:`."""
    told = docs.section(TREE.doc("operations"), "### Reason codes")
    assert "by the one word after `refused:`" in told
    lines = [line for text in (told, TREE.doc("debugging")) for line in docs.transcript(text) if " refused: " in line]
    assert len(lines) > 5
    for line in lines:
        word = re.search(r" refused: (\w+)", line)[1]
        assert SITE.pages[f"reasons/{word}.md"].searched, line
    # Other lines are on one page.
    assert "no memory for a state file" in SITE.pages["log-lines.md"].body


def test_what_is_named_is_linked():
    assert "[`session_timeout`](session_timeout.md)" in SITE.pages["directives/session_refresh.md"].body
    assert "[section 6](../operations/several-machines.md)" in SITE.pages["reasons/store_unavailable.md"].body


# ---- what is demanded of the documents

DOCUMENTS = [d.source for d in site_pages.DOCUMENTS
             if d.source not in ("README.md", "SECURITY.md", "CHANGELOG.md", "t/cases.md")]


LISTED = sorted(page.address for page in SITE.pages.values() if page.listed)


@pytest.mark.parametrize("address", LISTED)
def test_a_page_says_for_whom_it_is_and_what_comes_next(address):
    body = SITE.pages[address].body
    assert len(re.findall(r"^\*\*For:\*\* \S", body, re.M)) == 1, body[:300]
    told = re.search(r"\*\*Next:\*\* (.*(?:\n.+)*)", body)
    assert told and re.search(r"\]\([^)]+\)|the page of your program", told[1]), f"{address} does not lead on: {body[-300:]}"


def test_parts_of_a_document_lead_on_in_its_order():
    assert len(LISTED) > 70
    assert "**Next:** [Workers and what they share](workers-and-what-they-share.md)." in \
        SITE.pages["operations/size-of-a-session-store.md"].body
    assert "**Next:** [Debugging](" in SITE.pages["look-up/index.md"].body


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_says_for_whom_it_is_and_what_comes_next(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "**For:** " in text.split("\n\n")[1], text[:200]
    assert re.search(r"\*\*Next:\*\* .*\S", text), f"{name} does not say what comes next"


def test_every_document_is_on_the_site():
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    assert there <= {d.source for d in site_pages.DOCUMENTS}


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120


# ---- what is forgotten is noticed

def broken(name, old, new):
    text = REPOSITORY.read(name)
    assert old in text, old
    return REPOSITORY.with_text(name, text.replace(old, new, 1))


FORGOTTEN = {
    "a link": lambda: (broken("docs/operations.md", "](directives.md)", "](directive.md)"), "there is no directive.md"),
    "an anchor": lambda: (broken("docs/directives.md", "operations.md#metrics", "operations.md#metric"), "no anchor"),
    "an anchor of the same document": lambda: (broken("docs/directives.md", "(#max_age)", "(#maximum)"), "no anchor"),
    "a section that goes": lambda: (broken("docs/operations.md", "## 10. Refresh", "## 10. Refreshing"), "no anchor"),
    "a picture": lambda: (broken("docs/start/try.md", "images/demo.png", "images/none.png"), "no picture"),
    "a long page": lambda: (broken("docs/start/try.md", "Try what people do", "word " * 2600), "2200 are ten minutes"),
    "a long table": lambda: (broken("docs/start/try.md", "Try what people do", "| word | word |\n" * 1300 + "\nTry what people do"),
                     "2200 are ten minutes"),
    "a lot of code": lambda: (broken("docs/start/try.md", "Try what people do", "```\n" + "word " * 5200 + "\n```\nTry what people do"),
                      "2200 are ten minutes"),
    "for whom it is": lambda: (broken("docs/debugging.md", "**For:**", "For"), "does not say for whom it is"),
    "a sentence of a reason": lambda: (broken("src/result.cpp", '{"idp_tls", 502', '{"idp_tls2", 502'), "idp_tls"),
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_what_is_forgotten_is_noticed(what):
    repository, text = FORGOTTEN[what]()
    problems = site_pages.Site(repository).problems
    assert any(text in problem for problem in problems), problems


def test_a_page_that_is_in_no_navigation_is_noticed():
    navigation = [(title, [item for item in items if item != "security.md"])
                  for title, items in site_pages.NAVIGATION]
    assert "security.md stands in no navigation" in site_pages.Site(REPOSITORY, navigation=navigation).problems


POLICY = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'self'\">"
GOOD = f"<html><head>{POLICY}<link rel='stylesheet' href='a.css'></head><body><h2 id='x'>x</h2>" \
       "<a href='b/#y'>b</a><a href='https://example.com/'>out</a></body></html>"


@pytest.fixture(name="folder")
def folder_of_pages(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "b" / "index.html").write_text(f"{POLICY}<p id='y'><a href='../#x'>up</a>")
    (tmp_path / "a.css").write_text("a { background: url(data:x) }")
    return tmp_path


def test_a_good_site_is_good(folder):
    wrong, followed = site_check.check(folder)
    assert wrong == [] and followed == 3


def test_a_page_that_is_not_there_leads_on():
    """What MkDocs makes of it is followed with all other links; tools/site/look.mjs looks at it."""
    text = (ROOT / "tools/site/theme/404.html").read_text()
    for place in re.findall(r"href=\"\{\{ '([^']+)'\|url \}\}\"", text):
        assert place == "." or f"{place}index.md" in SITE.pages, place
    assert "'look-up/'|url" in text
    assert re.search(r"^const NOWHERE = ", (ROOT / "tools/site/look.mjs").read_text(), re.M)


@pytest.mark.parametrize("name, old, new, text", [
    ("index.html", "b/#y", "c/#y", "leads to c/#y, which is not there"),
    ("index.html", "b/#y", "b/#z", "where there is no such place"),
    ("b/index.html", "../#x", "../../#x", "which is not there"),
    ("index.html", "'a.css'", "'https://fonts.example/a.css'", "loads https://fonts.example/a.css"),
    ("index.html", "<h2", "<script src='//cdn.example/x.js'></script><h2", "loads //cdn.example/x.js"),
    ("index.html", "<h2", "<p style='background: url(https://x.example/y.png)'><h2", "loads https://x.example/y.png"),
    ("index.html", "'self'", "*", "Content-Security-Policy"),
    ("a.css", "data:x", "https://x.example/y.woff", "a.css: loads https://x.example/y.woff"),
    ("a.css", "a {", '@import "//x.example/b.css"; a {', "a.css: loads //x.example/b.css"),
])
def test_what_is_wrong_in_a_page_is_noticed(folder, name, old, new, text):
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    wrong, _ = site_check.check(folder)
    assert any(text in line for line in wrong), wrong


# ---- the reader of Markdown

@pytest.mark.parametrize("heading, anchor", [
    ("Lines of `nginx -t`", "lines-of-nginx--t"),
    ("3. Reload, crash, restart, upgrade", "3-reload-crash-restart-upgrade"),
    ("The [core](x.md) is sans-IO", "the-core-is-sans-io"), ("… a directive", "-a-directive"),
    ("7. One test under gdb, under AddressSanitizer", "7-one-test-under-gdb-under-addresssanitizer"),
])
def test_anchors_are_those_of_forges(heading, anchor):
    assert site_source.slug(heading) == anchor


def test_code_is_not_looked_into():
    text = "# a\n```sh\n# no heading\n```\n## b\n````\n```\n## no\n````\n## b\n"
    assert [(p.level, p.anchor) for p in site_source.pieces(text)] == [(1, "a"), (2, "b"), (2, "b-1")]
    assert site_source.prose(text, str.upper).startswith("# A\n```sh\n# no heading\n```\n## B\n")


def test_comments_are_not_on_the_site():
    """The marks of blocks that are not run; what a block holds, or what stands in backticks, is none."""
    assert site_source.without_comments("a\n<!-- not run:\nwhy -->\n```html\n<!-- x -->\n```\n`<!-- y -->` b\n") == \
        "a\n\n```html\n<!-- x -->\n```\n`<!-- y -->` b\n"
    assert any("<!-- not run:" in REPOSITORY.read(name) for name in DOCUMENTS)
    assert not [page.address for page in SITE.pages.values() if site_source.without_comments(page.body) != page.body]
