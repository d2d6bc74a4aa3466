# SPDX-License-Identifier: Apache-2.0
"""What surrounds the binary in the Debian packages: manual pages, SBOM, dependencies. The packages
themselves are made by ./build.sh package."""

import json
import os
import re
import shutil
import subprocess
import sys
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
