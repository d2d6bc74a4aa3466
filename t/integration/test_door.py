# SPDX-License-Identifier: Apache-2.0
"""What a newcomer meets first is true: one version, files that exist, commands that work."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from harness.files import repository_files
from harness.nginx import ROOT

CHECK_VERSION = ROOT / "tools" / "check-version"


# ---- one version -----------------------------------------------------------------------------

def check_version(*arguments):
    done = subprocess.run([sys.executable, "-B", str(CHECK_VERSION), *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_all_places_name_one_version():
    status, said = check_version()
    assert status == 0, said


# What the check reads, one file of each kind.
PLACES = ("CHANGELOG.md", "include/oidc/version.hpp", "espocrm/manifest.json", "ops/packages/alpine/APKBUILD",
          "ops/packages/rpm/nginx-mod-http-auth-oidc.spec", "ops/kubernetes/example/kustomization.yaml",
          "ops/kubernetes/README.md", "docs/guides/keycloak.md", ".github/ISSUE_TEMPLATE/bug.yml")


@pytest.fixture
def copy(tmp_path):
    """What the check reads, to be spoilt."""
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", PLACES)
def test_the_place_that_differs_is_named(copy, name):
    status, version = check_version(copy)
    assert status == 0, version
    path = copy / name
    path.write_text(path.read_text().replace(version.strip(), "99.0.1", 1))
    status, said = check_version(copy)
    assert status == 1 and said.count("check-version: ") == 1, said
    assert said.startswith(f"check-version: {name}:") and "99.0.1" in said, said


def test_a_place_without_a_version_is_named(copy):
    path = copy / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## ", "## Version "))
    status, said = check_version(copy)
    assert status == 1 and "CHANGELOG.md names none" in said, said


def test_a_release_has_a_date(copy):
    path, manifest = copy / "CHANGELOG.md", copy / "espocrm" / "manifest.json"
    path.write_text(re.sub(r"^(## \S+) \(.*\)$", r"\1 (unreleased)", path.read_text(), count=1, flags=re.M))
    status, said = check_version("--release", copy)
    assert status == 1 and "has no date" in said, said
    path.write_text(path.read_text().replace("(unreleased)", "(2031-02-03)", 1))
    status, said = check_version("--release", copy)
    assert status == 1 and "releaseDate" in said, said
    manifest.write_text(re.sub(r'("releaseDate": ")[^"]*', r"\g<1>2031-02-03", manifest.read_text()))
    status, said = check_version("--release", copy)
    assert status == 0, said


def test_a_version_is_written_everywhere(copy):
    before = {name: (copy / name).read_text() for name in PLACES}
    old = check_version(copy)[1].strip()
    status, said = check_version("--write", "12.0.34", "--date", "2031-02-03", copy)
    assert (status, said.strip()) == (0, "12.0.34")
    assert check_version("--release", copy) == (0, "12.0.34\n")
    for name, text in before.items():
        now = (copy / name).read_text()
        assert now != text and old not in now.replace(f"## {old}", ""), name
        # Nothing else has changed.
        assert re.sub(r"12\.0\.34|2031-02-03", "", now) == re.sub(
            rf"{re.escape(old)}|(?<=\()unreleased(?=\)$)|(?<=releaseDate\": \")[\d-]+", "", text, flags=re.M), name


def test_what_was_released_is_not_renamed(copy):
    check_version("--write", "1.0.0", "--date", "2031-02-03", copy)
    assert check_version("--write", "1.1.0", copy) == (0, "1.1.0\n")
    assert re.findall(r"^## (.*)$", (copy / "CHANGELOG.md").read_text(), re.M)[:2] == [
        "1.1.0 (unreleased)", "1.0.0 (2031-02-03)"]
    assert check_version("--release", copy)[0] == 1


@pytest.mark.parametrize("arguments, words", [
    (["--write", "1.2"], "no version of three numbers"), (["--write"], "Usage:"), (["--date", "2031-02-03"], "Usage:"),
    (["--wirte", "1.2.3"], "Usage:"), (["--write", "1.2.3", "--date", "tomorrow"], "is no day")])
def test_what_is_no_version_is_not_written(copy, arguments, words):
    before = {name: (copy / name).read_text() for name in PLACES}
    status, said = check_version(*arguments, *([copy] if len(arguments) in (2, 4) else []))
    assert status == 1 and words in said and before == {name: (copy / name).read_text() for name in PLACES}


def test_nothing_is_written_when_a_place_is_missing(copy):
    (copy / "ops/packages/alpine/APKBUILD").write_text("pkgname=x\n")
    before = (copy / "include/oidc/version.hpp").read_text()
    status, said = check_version("--write", "9.9.9", copy)
    assert status == 1 and "APKBUILD names no version" in said
    assert (copy / "include/oidc/version.hpp").read_text() == before


@pytest.mark.parametrize("page, heading", [("README.md", "Fifteen lines"), ("docs/start/any-site.md", "2. The configuration")])
def test_fifteen_lines_are_fifteen(page, heading):
    text = (ROOT / page).read_text().partition(f"\n## {heading}\n")[2]
    code = re.search(r"^```nginx\n(.*?)^```", text, re.M | re.S)[1]
    assert len(code.splitlines()) == 15, code


# ---- documents name what exists --------------------------------------------------------------

FOLDERS = sorted(p.name for p in ROOT.iterdir()
                 if p.is_dir() and not p.name.startswith(".") and p.name not in ("build", "out"))
DOCUMENTS = [name for name in repository_files() if name.endswith(".md")]
PATH = re.compile(rf"`(?:\./)?((?:{'|'.join(map(re.escape, FOLDERS))})/[^\s`]*|[A-Z][\w-]+\.md)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def named_paths(text):
    """Paths of the repository in backticks, as globs: NAME and <name> stand for any."""
    return [re.sub(r"NAME|<[^>]*>|…", "*", path).rstrip("/") for path in PATH.findall(text)]


def exists(base, path):
    return bool(path) and any(True for _ in base.glob(path))


def test_paths_are_told_from_other_words():
    text = ("`src/uri.cpp` `t/fuzz/fuzz_NAME.cpp` `./tools/check-version` `docs/` "
            "`etc/nginx` `SECURITY.md` `a/b`")
    assert named_paths(text) == ["src/uri.cpp", "t/fuzz/fuzz_*.cpp", "tools/check-version", "docs",
                                 "SECURITY.md"]
    assert exists(ROOT, "t/fuzz/fuzz_*.cpp") and not exists(ROOT, "src/no_such.cpp")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_and_links_exist(document):
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    missing = [p for p in named_paths(text) if not exists(ROOT, p) and not exists(path.parent, p)]
    missing += [link for link in LINK.findall(text) if not (path.parent / link).exists()]
    assert not missing, missing


def test_the_documents_are_found():
    assert {"CONTRIBUTING.md", "README.md", "docs/releasing.md", "docs/architecture.md", "t/cases.md"} <= set(
        DOCUMENTS)
    assert len(named_paths((ROOT / "CONTRIBUTING.md").read_text())) > 40


# ---- commands --------------------------------------------------------------------------------

def test_commands_exist():
    usage = subprocess.run([str(ROOT / "build.sh"), "help"], capture_output=True, text=True, timeout=60,
                           check=True).stdout
    commands = set(re.findall(r"^  ([a-z]+)\b", usage, re.M)) | {"help"}
    assert {"build", "test", "lint", "fuzz"} <= commands, usage
    unknown = {f"{name}: ./build.sh {word}" for name in DOCUMENTS
               for word in re.findall(r"\./build\.sh ([a-z]+)", (ROOT / name).read_text(encoding="utf-8"))
               if word not in commands}
    assert not unknown, sorted(unknown)


# ---- templates -------------------------------------------------------------------------------

GITHUB = ROOT / ".github"
FORMS = sorted(p.name for p in GITHUB.glob("ISSUE_TEMPLATE/*.yml") if p.name != "config.yml")


@pytest.mark.parametrize("name", FORMS)
def test_issue_forms_are_forms(name):
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / name).read_text(encoding="utf-8"))
    assert form["name"] and form["description"] and form["body"]
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) and all(part["attributes"] for part in form["body"])
    assert "secret" in str(form["body"]), "nobody is warned"


def test_a_bug_is_asked_about():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8"))
    required = {part["id"] for part in form["body"] if part.get("validations", {}).get("required")}
    assert {"log", "versions", "provider"} <= required
    for word in ("nginx -V", "module", "EspoCRM", "reference"):
        assert word in str(form["body"])


def test_pull_requests_are_asked_about():
    text = (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    for word in ("nginx -V", "provider", "EspoCRM", "log line", "reference", "secrets"):
        assert word in text


# ---- licence ---------------------------------------------------------------------------------

SPDX = "SPDX-License-Identifier: Apache-2.0"
SLASHES = (".cpp", ".hpp", ".php", ".js", ".mjs")
HASHES = (".py", ".sh")
SCRIPTS = ("config", "config.make", "sources.mk", "CMakeLists.txt")


def licence_line(name, text):
    """(index of the line where the licence is named, that line); None of what is no source file."""
    lines = text.split("\n")
    starts_later = lines[0].startswith("#!") or lines[0] == "<?php"
    if name.endswith(SLASHES):
        return int(starts_later), f"// {SPDX}"
    if name.endswith(HASHES) or name.rpartition("/")[2] in SCRIPTS or lines[0].startswith("#!"):
        return int(starts_later), f"# {SPDX}"
    return None


def test_where_the_licence_is_named():
    assert licence_line("a.php", "<?php\nx") == (1, f"// {SPDX}")
    assert licence_line("a.hpp", "#pragma once") == (0, f"// {SPDX}")
    assert licence_line("bench/run", "#!/usr/bin/python3\nx") == (1, f"# {SPDX}")
    assert licence_line("t/unit/CMakeLists.txt", "x") == (0, f"# {SPDX}")
    assert licence_line("README.md", "# x") is None


def test_sources_name_their_licence():
    missing, seen = [], 0
    for name in repository_files():
        path = ROOT / name
        if name.startswith("t/fuzz/corpus/") or path.is_symlink():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = licence_line(name, text) if text.strip() else None
        if found is not None:
            seen += 1
            if text.split("\n")[found[0]:found[0] + 1] != [found[1]]:
                missing.append(name)
    assert seen > 300
    assert not missing, f"{len(missing)} without {SPDX!r} as first line: {missing[:20]}"
