# SPDX-License-Identifier: Apache-2.0
"""What surrounds the binary in the Debian packages: manual pages, SBOM, dependencies. The packages
themselves are made by ./build.sh package."""

import collections
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.cases import case

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "ops/packages/debian"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True,
                          timeout=120, **options).stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    run(ROOT / "tools/man-pages", folder, env=environment)
    run(ROOT / "tools/man-pages", folder / "again", env=environment)
    for path in folder.glob("*.[78]"):
        assert (folder / "again" / path.name).read_bytes() == path.read_bytes()
    return {path.name: path.read_text() for path in folder.glob("*.[78]")}


def without_escapes(page):
    return page.replace("\\-", "-").replace("\\(aq", "'").replace("\\(ga", "`").replace("\\&", "")


@case("F-46")
def test_the_modules_manual_page_names_every_directive(pages):
    page = without_escapes(pages["ngx_http_auth_oidc_module.7"])
    headings = re.findall(r"^### ([a-z_]+)$", (ROOT / "docs/directives.md").read_text(), re.M)
    assert len(headings) > 70
    for name in headings:
        entry = page.partition(f"\n.B {name}\n")[2].partition("\n.TP\n")[0]
        assert f"Syntax: {name}" in entry and "Context:" in entry, name
        assert len(entry.partition("Context:")[2].split()) > 4, f"{name}: no text\n{entry}"
    assert "2023-11-14" in page


@pytest.mark.parametrize("command, program", [
    pytest.param("auth-oidc-check", "ops/auth-oidc-check", marks=case("F-46")),
    pytest.param("auth-oidc-check-vhost", "ops/check-vhost", marks=case("F-46"))])
def test_a_programs_manual_page_names_every_option(pages, command, program):
    page = without_escapes(pages[command + ".8"])
    options = set(re.findall(r"^  (?:-\w,? ?\S*, )?(--[a-z-]+)", run(sys.executable, ROOT / program, "--help"), re.M))
    assert len(options) > 8
    for option in options:
        assert re.search(rf"^\.B .*{option}\b", page, re.M), option
    assert f".TH {command.upper()} 8" in page and "Exit status:" in page


@case("F-46")
@pytest.mark.skipif(shutil.which("man") is None, reason="no man-db")
def test_manual_pages_are_well_formed(pages, tmp_path):
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
        shown = subprocess.run(["man", "--warnings", "-l", tmp_path / name], capture_output=True, text=True,
                               check=True, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"})
        assert shown.stderr == "" and "SYNOPSIS" in shown.stdout


@case("F-46")
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg")
def test_the_bill_of_materials(tmp_path):
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True, mode=0o755)
    (tree / "DEBIAN/control").write_text(
        "Package: some-module\nVersion: 1.2-3\nArchitecture: all\nMaintainer: a <a@b.c>\n"
        "Depends: no-such-library (>= 1) | libc6 (>= 2.3), nginx-abi-9, python3:any\nDescription: x\n")
    deb = tmp_path / "some.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, deb)
    texts = []
    for name in ("one.json", "two.json"):
        run(ROOT / "tools/sbom", deb, tmp_path / name, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    document = json.loads(texts[0])
    assert document["spdxVersion"] == "SPDX-2.3" and document["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    packages = {p["name"]: p for p in document["packages"]}
    assert set(packages) == {"some-module", "libc6", "nginx-abi-9", "python3"}
    assert packages["some-module"]["versionInfo"] == "1.2-3"
    assert packages["libc6"]["versionInfo"] == run("dpkg-query", "-W", "-f", "${Version}", "libc6")
    assert "versionInfo" not in packages["nginx-abi-9"]
    ids = {p["SPDXID"] for p in packages.values()}
    for relation in document["relationships"][1:]:
        assert relation["relatedSpdxElement"] in ids
    assert len(document["relationships"]) == 4


@case("F-46")
def test_what_the_package_asks_for():
    control = (DEBIAN / "control").read_text()
    # Below it libcurl has no CURLOPT_PROTOCOLS_STR.
    assert re.search(r"^Depends: libcurl4 \(>= 7\.85\) \| libcurl4t64 \(>= 7\.85\),", control, re.M)
    for line in (DEBIAN / "libnginx-mod-http-auth-oidc.install").read_text().splitlines():
        assert (ROOT / line.split()[0]).exists(), line
    for name in ("docs", "examples"):
        for line in (DEBIAN / f"libnginx-mod-http-auth-oidc.{name}").read_text().splitlines():
            assert (ROOT / line).exists(), line


@case("F-46")
def test_the_package_has_what_the_guides_name():
    examples = (DEBIAN / "libnginx-mod-http-auth-oidc.examples").read_text().split()
    commands = (DEBIAN / "libnginx-mod-http-auth-oidc.links").read_text()
    for page in (ROOT / "docs" / "guides").glob("*.md"):
        for name in set(re.findall(r"`(?:cp -r )?ops/([\w-]+)", page.read_text(encoding="utf-8"))):
            packaged = f"ops/{name}" in examples or f"/{name} usr/sbin/" in commands
            assert packaged or name == "compose", f"{page.name}: ops/{name}"
    vhost = (ROOT / "docs" / "guides" / "vhost.md").read_text(encoding="utf-8")
    told = re.search(r"The Debian package has (.*?) in `(/usr/share/doc/[\w-]+/examples)`", vhost)
    assert sorted(examples) == sorted(re.findall(r"`(ops/\w+)`", told[1]))
    assert "usr/sbin/auth-oidc-check-vhost" in commands and "`auth-oidc-check-vhost`" in vhost


@case("F-46")
def test_the_recipe_for_alpine_asks_for_what_the_module_needs():
    text = (ROOT / "ops/packages/alpine/APKBUILD").read_text()
    release = "ID=alpine\n"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(release)
        file.flush()
        names = run(ROOT / "tools/packages", "names", "g++", "make", "pkg-config", "libssl-dev", "libjansson-dev", "libcjose-dev",
                    "libcurl4-openssl-dev", "libhiredis-dev", "libpcre2-dev", "zlib1g-dev", "python3",
                    env={**os.environ, "OS_RELEASE": file.name}).split()
    assert set(names) == set(re.search(r'^makedepends="(.*)"$', text, re.M)[1].split())
    assert "Untried" in text
    run("sh", "-n", ROOT / "ops/packages/alpine/APKBUILD")


@case("F-46")
def test_the_rpm_spec_has_what_the_debian_package_has(tmp_path):
    spec = ROOT / "ops/packages/rpm/nginx-mod-http-auth-oidc.spec"
    text = spec.read_text()
    documents = {line for name in ("docs", "examples") for line in
                 (DEBIAN / f"libnginx-mod-http-auth-oidc.{name}").read_text().split()}
    named = {word for line in re.findall(r"^%doc (.*)$", text, re.M) for word in line.split()}
    assert named == documents | {"CHANGELOG.md"}
    for line in (DEBIAN / "libnginx-mod-http-auth-oidc.install").read_text().splitlines():
        assert line.split()[0] in text, line
    for library in ("openssl) >= 3", "libcurl) >= 7.85", "jansson) >= 2.11", "hiredis) >= 0.14", "cjose)"):
        assert f"pkgconfig({library}" in text
    if shutil.which("rpmspec"):
        for define in ((), ("--define", "nginx_src /nowhere")):
            shown = run("rpmspec", "-P", *define, spec)
            assert ("NGINX_SRC=/nowhere" in shown) == bool(define) == ("nginx-mod-devel" not in shown)


@case("F-46")
@pytest.mark.parametrize("name", ["compose/Dockerfile", "packages/nginx-org/Dockerfile"])
def test_a_dockerfile_is_given_no_more_than_it_needs(name):
    ignored = (ROOT / "ops" / f"{name}.dockerignore").read_text()
    assert ignored == (ROOT / "ops/compose/Dockerfile.dockerignore").read_text()


# ---- the check of a package in a fresh system

def load(name):
    """A program of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checker():
    return load("check-package")


@case("F-47")
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg")
def test_the_package_to_upgrade_from(checker, tmp_path):
    """A lower version, of which the module says so itself."""
    module = tmp_path / "tree/usr/lib/nginx/modules" / checker.MODULE
    module.parent.mkdir(parents=True)
    module.write_bytes(b"\x7fELF 11.2.3\0version 1.2.34\0in 1.2.3\0..")
    (tmp_path / "tree/DEBIAN").mkdir(mode=0o755)
    (tmp_path / "tree/DEBIAN/control").write_text(
        f"Package: {checker.PACKAGE}\nVersion: 1.2.3-1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n")
    run("dpkg-deb", "--root-owner-group", "-b", tmp_path / "tree", tmp_path / "new.deb")
    (tmp_path / "work").mkdir()
    older, version = checker.lower(tmp_path / "new.deb", tmp_path / "work")
    assert version == "1.2.3" and run("dpkg-deb", "-f", older, "Version").strip() == f"{checker.LOWER}-1"
    run("dpkg-deb", "-x", older, tmp_path / "out")
    data = (tmp_path / "out/usr/lib/nginx/modules" / checker.MODULE).read_bytes()
    assert data == b"\x7fELF 11.2.3\0version 1.2.34\0in " + checker.LOWER.encode() + b"\0.."
    module.write_bytes(b"no version")
    run("dpkg-deb", "--root-owner-group", "-b", tmp_path / "tree", tmp_path / "new.deb")
    shutil.rmtree(tmp_path / "work/lower")
    with pytest.raises(RuntimeError):
        checker.lower(tmp_path / "new.deb", tmp_path / "work")


@case("F-47")
def test_what_counts_as_failed(checker):
    answers = collections.Counter({200: 990, 302: 3, 502: 2, "RemoteDisconnected": 4, "ConnectionRefusedError": 1})
    assert checker.refused(answers) == 7


@case("F-47")
def test_a_file_that_is_left_is_found(checker, tmp_path):
    system = checker.System.__new__(checker.System)
    system.folder = tmp_path
    for name in ("etc/nginx/nginx.conf", "usr/lib/x86/there.so", "var/lib/dpkg/info/other.list", "var/cache/apt/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("/lib/x86/there.so\n/usr/share\n/usr/share/doc\n" if name.endswith(".list") else "")
    before = system.files()
    assert "etc/nginx/nginx.conf" in before and not any(name.startswith("var/cache") for name in before)
    for name in ("etc/nginx/modules-enabled/50-mod-http-auth-oidc.conf", "usr/share/doc/__pycache__/x.pyc",
                 "usr/share/doc/__pycache__/auth_oidc_check.pyc", "var/log/nginx/access.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "etc/dangling").symlink_to("nowhere")
    assert system.left_since(before) == {
        "etc/nginx/modules-enabled", "etc/nginx/modules-enabled/50-mod-http-auth-oidc.conf", "etc/dangling",
        "usr/share/doc/__pycache__/auth_oidc_check.pyc"}


@case("F-47")
def test_a_new_binary_takes_over_after_an_upgrade():
    """What the upgrade under load is there to try: a reload would go on with the former module."""
    script = (DEBIAN / "libnginx-mod-http-auth-oidc.postinst").read_text()
    assert "invoke-rc.d nginx upgrade" in script and "#DEBHELPER#" in script
    run("sh", "-n", DEBIAN / "libnginx-mod-http-auth-oidc.postinst")


def build_sh(*arguments):
    done = subprocess.run([ROOT / "build.sh", *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@case("F-47")
@pytest.mark.parametrize("arguments, words", [
    (("package", "--chekc"), "takes no argument but --check"), (("integration", "x"), "there is no t/integration/test_x.py"),
    (("matrix",), "needs source trees"), (("matrix", "/nowhere"), "there is no /nowhere"), (("matrix", "/tmp"), "no source tree")])
def test_what_build_sh_does_not_know_is_said(arguments, words):
    status, said = build_sh(*arguments)
    assert status == 1 and words in said, said


@case("F-47")
@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
@pytest.mark.parametrize("arguments, words", [
    (("try", "14"), "no system 14: 12, 13, sid, i386 or arm64"), (("package", "i386"), "12, 13 and sid"),
    (("mend", "12"), "Usage:"), (("try",), "Usage:")])
def test_a_system_that_is_not_known_is_said(arguments, words):
    done = subprocess.run([ROOT / "tools/systems", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2) and words in done.stderr, done.stderr


@case("F-47")
def test_a_step_that_fails_before_its_end(tmp_path):
    """bash does not stop at errors below a condition, which no step must be called in."""
    said = run("bash", "-c", f"""set -eu; place={tmp_path}; . tools/steps.sh
        good() {{ echo '3 passed, 0 failed'; }}
        bad() {{ echo before; false; echo after; }}
        step one good good; echo "is $result"; step one bad bad; echo "is $result"
        ONLY=good; step one bad bad; echo "is $result"; skip one more 'no reason'; table tree; echo "in all $failed" """, cwd=ROOT)
    assert re.findall(r"^is (.*)$", said, re.M) == ["ok", "FAILED", "left out"] and "in all 1" in said, said
    assert (tmp_path / "one.bad.log").read_text() == "before\n" and "---- the end of" in said
    assert re.search(r"^one +good +ok +\d+ s +3 passed, 0 failed$", said, re.M), said
    for name in ("systems", "matrix"):
        text = (ROOT / "tools" / name).read_text()
        assert not re.search(r"(if|&&|\|\|) step |^ *step .*(&&|\|\|)", text, re.M), name


@case("F-47")
def test_which_tests_run_on_which_store():
    def runs(store):
        return run("bash", "-c", f". tools/checks.sh; only_store={store}; integration_runs", cwd=ROOT).split()
    files = {path.stem.removeprefix("test_") for path in (ROOT / "t/integration").glob("test_*.py")}
    alone, everything = runs("cookie"), runs("''")
    assert runs("memory only_tests='logout jwks'") == ["memory-jwks", "memory-logout"]
    assert sorted(alone) == sorted(f"cookie-{name}" for name in files)
    assert {f"memory-{name}" for name in files} < set(everything) and "redis-sessions" in everything
