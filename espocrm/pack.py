#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs the EspoCRM extension: the same sources always give the same bytes.

Usage: pack.py [OUTPUT_DIRECTORY]     (default: build/ beside this directory)
Prints the path of the package.
"""
import json
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
PARTS = ("files", "scripts")


def sources():
    yield ROOT / "manifest.json"
    for part in PARTS:
        yield from (path for path in (ROOT / part).rglob("*") if path.is_file())


def check(manifest):
    if not re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"]):
        sys.exit("pack.py: manifest.json: version must be three numbers")
    for path in (ROOT / "files").rglob("*.json"):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            sys.exit(f"pack.py: {path.relative_to(ROOT)}: {error}")


def main():
    manifest = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    check(manifest)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "build"
    target.mkdir(parents=True, exist_ok=True)
    package = target / f"oidc-proxy-{manifest['version']}.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for path in sorted(sources(), key=lambda p: p.relative_to(ROOT).as_posix()):
            info = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), TIME)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            # Stored, not deflated: compressors differ from one version to the next.
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_STORED)
    print(package)


if __name__ == "__main__":
    main()
