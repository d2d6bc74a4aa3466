# SPDX-License-Identifier: Apache-2.0
"""Providers from the package registries, kept in build/providers. What cannot be had is Unavailable,
and its tests are skipped with the reason."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

from harness.nginx import ROOT

CACHE = ROOT / "build" / "providers"
PATIENCE = 1800


class Unavailable(Exception):
    """The provider cannot be had on this machine; the message says why."""


def program(*names):
    """The first of these programs that is installed."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise Unavailable(f"{' or '.join(names)} is not installed")


def run(command, **options):
    """A step of getting a provider; when it fails, the reason is what it said."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{words[0]} took more than {PATIENCE} s") from None
    if done.returncode != 0:
        plain = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
        said = [line.strip() for line in plain.splitlines() if line.strip()]
        # The first that is called an error; others end with advice.
        found = [line for line in said if re.match(r"\W*error\W+\w", line, re.I)] or said[-1:]
        reason = found[0][:300] if found else f"exit status {done.returncode}"
        raise Unavailable(f"{pathlib.Path(words[0]).name}: {reason}")
    return done.stdout


def once(name, make):
    """The folder `name` of the cache; make(folder) fills it, and half of it is never found later."""
    folder = CACHE / name
    if not folder.is_dir():
        part = folder.with_name(f"{name}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            make(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def maven_archive(group, artifact, version):
    """A tar.gz of Maven Central, unpacked; the folder that it holds."""
    def make(folder):
        run([program("mvn"), "-q", "-B", "-Dstyle.color=never", "dependency:copy", "-DoutputDirectory=" + str(folder),
             f"-Dartifact={group}:{artifact}:{version}:tar.gz"], cwd=folder)
        archive, = folder.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        archive.unlink()
    folder = once(f"{artifact}-{version}", make)
    inside, = [path for path in folder.iterdir() if path.is_dir()]
    return inside


def go_program(name, module, version, source=None, tags="", replace=()):
    """A Go module that is a program, built; or the program `source`, a file, that uses the module.
    `replace`: lines of the module's own go.mod that count only in the main module."""
    def make(folder):
        go = program("go")
        environment = {**os.environ, "GOFLAGS": "-mod=mod"}
        (folder / "go.mod").write_text("".join(
            ["module providers\n", *(f"replace {line}\n" for line in replace)]))
        if source:
            shutil.copy(source, folder)
        run([go, "get", *([] if source else ["-tool"]), f"{module}@{version}"], cwd=folder,
            env=environment)
        run([go, "build", "-tags", tags, "-ldflags", "-s -w", "-o", folder / name,
             "." if source else module], cwd=folder, env=environment)
    written = hashlib.sha256(source.read_bytes()).hexdigest()[:8] if source else ""
    return once("-".join(filter(None, (name, version.lstrip("v"), written))), make) / name


def maven_program(name, version, source):
    """The jar NAME.jar that Maven makes of the project in the folder `source`."""
    def make(folder):
        shutil.copy(source / "pom.xml", folder)
        shutil.copytree(source / "src", folder / "src")
        run([program("mvn"), "-q", "-B", "-Dstyle.color=never", "package"], cwd=folder)
    written = hashlib.sha256((source / "pom.xml").read_bytes())
    for file in sorted((source / "src").rglob("*.java")):
        written.update(file.read_bytes())
    return once(f"{name}-{version}-{written.hexdigest()[:8]}", make) / "target" / f"{name}.jar"


def python_packages(name, requirements):
    """Packages of PyPI in a folder for PYTHONPATH."""
    def make(folder):
        run(["/usr/bin/python3", "-m", "pip", "install", "-q", "--no-compile", "--target", folder,
             *requirements])
    return once(name, make)


def java():
    """A JRE of 17 or later."""
    home = os.environ.get("JAVA_HOME")
    candidates = [pathlib.Path(home, "bin", "java")] if home else []
    found = shutil.which("java")
    if found:
        candidates.append(pathlib.Path(found))
    for path in candidates:
        if path.is_file():
            said = run([path, "-version"])
            number = re.search(r'version "(\d+)', said)
            if number and int(number[1]) >= 17:
                return path
    raise Unavailable("no java of version 17 or later is installed")
