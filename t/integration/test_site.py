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
    pages = {address for address in SITE.pages if address.startswith(f"{kind}/")} - {f"{kind}/index.md"}
    assert pages == {f"{kind}/{name}.md" for name in names}
    assert len(names) > 10


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


def test_what_is_named_is_linked():
    assert "[`session_timeout`](session_timeout.md)" in SITE.pages["directives/session_refresh.md"].body
    assert "[section 6](../operations/several-machines.md)" in SITE.pages["reasons/store_unavailable.md"].body


# ---- what is demanded of the documents

DOCUMENTS = [d.source for d in site_pages.DOCUMENTS
             if d.source not in ("README.md", "SECURITY.md", "CHANGELOG.md", "t/cases.md")]


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
    "a long page": lambda: (broken("docs/start/try.md", "Try what people do", "word " * 2600), "2500 are ten minutes"),
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
