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


@case("F-46")
def test_the_modules_manual_page_has_every_reason(pages):
    """Where a line of the log leads on a machine without the site."""
    page = without_escapes(pages["ngx_http_auth_oidc_module.7"]).partition("\n.SH REASONS\n")[2].partition("\n.SH ")[0]
    sources = "".join(path.read_text() for path in (ROOT / "src").glob("result*.cpp"))
    codes = re.findall(r'\{Reason::\w+,\s*\{"(\w+)",\s*(\d+),\s*(\w+),', sources)
    assert len(codes) > 60
    for name, status, level in codes:
        entry = page.partition(f"\n.B {name}\n")[2].partition("\n.TP\n")[0]
        happened, _, remedy = entry.partition("\n.br\n")
        assert happened.endswith(f". ({status}, {level})") and len(remedy) > 5, f"{name}: {entry}"


@pytest.mark.parametrize("command, program", [
    pytest.param("auth-oidc-check", "ops/auth-oidc-check", marks=case("F-46")),
    pytest.param("auth-oidc-check-vhost", "ops/check-vhost", marks=case("F-46")),
    pytest.param("auth-oidc-signals", "ops/auth-oidc-signals", marks=case("F-46")),
    pytest.param("auth-oidc-migrate", "tools/migrate", marks=case("F-46"))])
def test_a_programs_manual_page_names_every_option(pages, command, program):
    page = without_escapes(pages[command + ".8"])
    options = set(re.findall(r"^  (?:-\w,? ?\S*, )?(--[a-z-]+)", run(sys.executable, ROOT / program, "--help"), re.M))
    assert "--help" in options and (len(options) > 8 or program == "tools/migrate")
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
def test_every_package_has_the_commands_that_the_documents_name():
    """Each with its manual page, and what it reads beside it."""
    told = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    commands = set(re.findall(r"`(auth-oidc-[a-z-]+)[` ]", told))
    assert {"auth-oidc-check", "auth-oidc-check-vhost", "auth-oidc-migrate", "auth-oidc-signals"} == commands
    links = (DEBIAN / "libnginx-mod-http-auth-oidc.links").read_text()
    pages = (DEBIAN / "libnginx-mod-http-auth-oidc.manpages").read_text().split()
    spec = (ROOT / "ops/packages/rpm/nginx-mod-http-auth-oidc.spec").read_text()
    alpine = (ROOT / "ops/packages/alpine/APKBUILD").read_text()
    for command in commands:
        assert re.search(rf" usr/sbin/{command}$", links, re.M) and f"debian/man-pages/{command}.8" in pages
        assert f"\n%{{_sbindir}}/{command}\n" in spec and f"/man8/{command}.8*" in spec
        assert f'"$pkgdir/usr/sbin/{command}"' in alpine
    for line in (DEBIAN / "libnginx-mod-http-auth-oidc.install").read_text().splitlines():
        source = line.split()[0]
        assert source in alpine and source in spec, source


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
@pytest.mark.skipif(not (shutil.which("rpmbuild") and shutil.which("cpio")), reason="no rpmbuild, or no cpio")
def test_the_rpm_package_has_what_its_spec_says(tmp_path):
    """All but the compiling, which `./build.sh rpm` does as well: here the module is the one that is tested."""
    sources = tmp_path / "SOURCES"
    name, version = run(ROOT / "tools/source-archive", sources, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}).split()
    tree = sources / f"{name}-{version}"
    (tree / "build.sh").write_text('#!/bin/sh -e\necho "$@" >build.said\nmkdir build\ncp "$OIDC_MODULE" build/\n')
    (tree / "build.sh").chmod(0o755)
    run("tar", "-C", sources, "-cJf", sources / f"{name}_{version}.orig.tar.xz", tree.name, env={**os.environ, "XZ_OPT": "-0"})
    run("rpmbuild", "-bb", "--noclean", "--nodeps", "--define", f"_topdir {tmp_path}", "--define", "nginx_src /some/tree",
        ROOT / "ops/packages/rpm/nginx-mod-http-auth-oidc.spec")
    package = next(path for path in tmp_path.glob("RPMS/*/*.rpm") if "debug" not in path.name)
    assert next(tmp_path.glob("BUILD/**/build.said")).read_text() == "--no-install NGINX_SRC=/some/tree\n"
    assert "libcurl >= 7.85" in run("rpm", "-qp", "--requires", package).splitlines()
    files = set(run("rpm", "-qpl", package).split())
    share = "/usr/share/nginx-mod-http-auth-oidc"
    module = next(name for name in files if name.endswith("/nginx/modules/ngx_http_auth_oidc_module.so"))
    for name in ("/usr/sbin/auth-oidc-check", "/usr/sbin/auth-oidc-check-vhost", f"{share}/auth-oidc-check",
                 f"{share}/auth_oidc_check/report.py", "/usr/share/nginx/modules/mod-http-auth-oidc.conf"):
        assert name in files, name
    (tmp_path / "out").mkdir()
    run("sh", "-c", 'rpm2cpio "$0" | cpio -id --quiet', package, cwd=tmp_path / "out")
    out = tmp_path / "out"
    assert (out / "usr/share/nginx/modules/mod-http-auth-oidc.conf").read_text() == f'load_module "{module}";\n'
    run(ROOT / "tools/install-module", "--check", os.environ["NGINX_BIN"], out / module[1:])
    assert "usage" in run(out / "usr/sbin/auth-oidc-check", "--help")


# Programs that stand for those that tools/rpm calls, but for the shell's own.
RPMBUILD = '''for part; do case $part in "_topdir "*) top=${part#_topdir };; esac; done
mkdir -p "$top/RPMS/x" "$top/BUILD/a/build/nginx-src-1"
touch "$top/RPMS/x/nginx-mod-http-auth-oidc-1.rpm"
for name in nginx angie; do
    printf '#!/bin/sh\\n[ "$1" != -v ] || cat %s/said-%s\\n' "$SAID" "$name" >"$top/BUILD/a/build/nginx-src-1/$name"
    chmod 755 "$top/BUILD/a/build/nginx-src-1/$name"
done'''
CPIO = ('mkdir -p usr/sbin && touch ngx_http_auth_oidc_module.so && printf "#!/bin/sh\\n" >usr/sbin/auth-oidc-check && '
        'chmod 755 usr/sbin/auth-oidc-check')


@case("F-46")
@pytest.mark.parametrize("fork, said, told", [
    (False, "nginx version: nginx/1.29.3", "nginx/1.29.3"),
    (False, "freenginx version: freenginx/1.27.4", "freenginx/1.27.4"),
    (True, "Angie version: Angie/1.12.1\nnginx version: nginx/1.29.3", "Angie/1.12.1")])
def test_an_rpm_package_is_tried_with_the_nginx_of_its_source(tmp_path, fork, said, told):
    """There may be both names in what was built: the source tells which one it is."""
    for name in ("nginx", "angie"):
        (tmp_path / f"said-{name}").write_text("other version: wrong/1\n" if fork != (name == "angie") else said + "\n")
    (tmp_path / "source/src/core").mkdir(parents=True)
    if fork:
        (tmp_path / "source/src/core/angie.h").write_text("")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/rpm", tmp_path / "tools/rpm")
    for name, text in {"tools/source-archive": "", "tools/packages": "echo debian", "tools/install-module": "",
                       "bin/rpmbuild": RPMBUILD, "bin/rpm": 'echo "libcurl >= 7.85"', "bin/rpm2cpio": "",
                       "bin/cpio": CPIO}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SAID": str(tmp_path),
                   "SOURCE_DATE_EPOCH": "1"}
    out = run(tmp_path / "tools/rpm", tmp_path / "source", tmp_path / "out", env=environment)
    assert out.endswith(f" files; {told} loads its module\n"), out


@case("F-46")
@pytest.mark.parametrize("name", ["compose/Dockerfile", "packages/nginx-org/Dockerfile"])
def test_a_dockerfile_is_given_no_more_than_it_needs(name):
    ignored = (ROOT / "ops" / f"{name}.dockerignore").read_text()
    assert ignored == (ROOT / "ops/compose/Dockerfile.dockerignore").read_text()


# ---- the signature of a release

@pytest.fixture(name="gnupg")
def gnupg_folder(tmp_path):
    """A folder of gpg that asks nobody: no passphrase, no questions."""
    folder = tmp_path / "g"     # its socket's path has to be short
    folder.mkdir(mode=0o700)
    (folder / "gpg.conf").write_text('batch\npinentry-mode loopback\npassphrase ""\n')
    yield {**os.environ, "GNUPGHOME": str(folder), "LC_ALL": "C.UTF-8"}
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False, timeout=60)


def lines_of(document, first):
    """The block of a document that begins so."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (found,) = [code for code in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) if code.startswith(first)]
    return found


@case("F-46")
@pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg")
def test_a_release_is_signed_and_checked_as_the_documents_say(gnupg, tmp_path):
    release = tmp_path / "release"
    release.mkdir()
    for name in ("one_1.deb", "two.zip"):
        (release / name).write_text(name)
    (release / "SHA256SUMS").write_text(run("sha256sum", "one_1.deb", "two.zip", cwd=release))
    made = run("bash", "-ec", lines_of("docs/releasing.md", "gpg --quick-generate-key") + "echo $key", cwd=tmp_path, env=gnupg)
    key = made.split()[-1]
    assert re.fullmatch("[0-9A-F]{40}", key)
    listed = run("gpg", "--with-colons", "--list-keys", key, env=gnupg)
    assert re.search(r"^pub:(?:[^:]*:){10}cS?C?S?:", listed, re.M) and re.search(r"^sub:(?:[^:]*:){10}s:", listed, re.M), listed
    assert (tmp_path / "g" / "openpgp-revocs.d" / f"{key}.rev").exists()

    def sign(**environment):
        return subprocess.run([ROOT / "tools/sign-release", release], capture_output=True, text=True, check=False, timeout=120,
                              env={**gnupg, **environment})
    assert "GPG_KEY must name" in sign(GPG_KEY="").stderr
    done = sign(GPG_KEY=key)
    assert done.returncode == 0 and (release / "SHA256SUMS.asc").exists(), done.stderr

    # Another machine, where nobody has the key, and one of the files is enough.
    other = tmp_path / "o"
    other.mkdir(mode=0o700)
    shutil.copy(tmp_path / "auth-oidc-release-key.asc", release)
    (release / "two.zip").unlink()
    user = {**gnupg, "GNUPGHOME": str(other)}
    check = lines_of("docs/start/install.md", "gpg --import")

    def checked():
        return subprocess.run(["bash", "-ec", check], cwd=release, env=user, capture_output=True, text=True, check=False, timeout=120)
    done = checked()
    assert done.returncode == 0 and "Good signature" in done.stderr and "one_1.deb: OK" in done.stdout, done
    assert key in re.sub(" ", "", done.stderr)
    (release / "one_1.deb").write_text("another")
    assert "one_1.deb: FAILED" in checked().stdout and checked().returncode != 0
    sums = (release / "SHA256SUMS").read_text()
    (release / "SHA256SUMS").write_text(run("sha256sum", "one_1.deb", cwd=release))
    assert "BAD signature" in checked().stderr and checked().returncode != 0
    subprocess.run(["gpgconf", "--homedir", other, "--kill", "all"], check=False, timeout=60)

    # What is not what its sum says, or has none, is not signed.
    (release / "SHA256SUMS.asc").unlink()
    (release / "SHA256SUMS").write_text(sums)
    assert "is not what its SHA256SUMS says" in sign(GPG_KEY=key).stderr and not (release / "SHA256SUMS.asc").exists()
    (release / "auth-oidc-release-key.asc").unlink()
    (release / "SHA256SUMS").write_text(run("sha256sum", "one_1.deb", cwd=release))
    (release / "two.zip").write_text("new")
    assert "two.zip has no line" in sign(GPG_KEY=key).stderr and not (release / "SHA256SUMS.asc").exists()


@case("F-46")
def test_the_package_is_signed_only_when_a_key_is_named():
    text = (ROOT / "tools/package").read_text()
    assert re.search(r'^\[ -z "\$\{GPG_KEY:-\}" \] \|\| tools/sign-release "\$out"$', text, re.M)
    assert text.index("SHA256SUMS") < text.index('tools/sign-release "$out"')


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
    (("package", "--chekc"), "takes no argument but --check and an architecture"), (("integration", "x"), "there is no t/integration/test_x.py"),
    (("matrix",), "needs source trees"), (("matrix", "/nowhere"), "there is no /nowhere"), (("matrix", "/tmp"), "no source tree")])
def test_what_build_sh_does_not_know_is_said(arguments, words):
    status, said = build_sh(*arguments)
    assert status == 1 and words in said, said


@case("F-47")
@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
@pytest.mark.parametrize("arguments, words", [
    (("try", "14"), "no system 14: 12, 13, sid, i386, arm64 or 24.04"), (("package", "i386"), "12, 13, sid and 24.04"),
    (("mend", "12"), "Usage:"), (("try",), "Usage:")])
def test_a_system_that_is_not_known_is_said(arguments, words):
    done = subprocess.run([ROOT / "tools/systems", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2) and words in done.stderr, done.stderr


@case("F-47")
@pytest.mark.parametrize("who, folder, words", [
    (1000, "exit 0", "that needs root"), (0, "echo no archive; exit 1", "no archive"), (0, "exit 0", None)])
def test_where_no_other_system_can_be_made_that_is_said(tmp_path, who, folder, words):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/debian-folder").write_text(f"#!/bin/sh\n{folder}\n")
    (tmp_path / "tools/debian-folder").chmod(0o755)
    said = run("bash", "-c", f"""set -eu; . {ROOT}/tools/checks.sh; say() {{ echo "$@"; }}; id() {{ echo {who}; }}
        need_other_system; echo "step: $other"; finish""", cwd=tmp_path)
    text = "in a fresh folder of Debian 13: build units demo"
    assert (f"skipped: {text}: {words}\n0 passed, 0 failed, 1 skipped" in said) == bool(words), said
    assert f"step: {'' if words else text}\n" in said


@case("F-47")
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="not root, or no debootstrap")
def test_an_archive_that_does_not_answer_is_said():
    done = subprocess.run([ROOT / "tools/debian-folder", "possible", "13"], capture_output=True, text=True, check=False,
                          timeout=60,
                          env={**os.environ, "MIRROR": "http://127.0.0.1:9/debian", "no_proxy": "127.0.0.1"})
    assert done.returncode == 1
    assert re.search("127.0.0.1:9/debian does not answer with trixie|nothing can be mounted", done.stderr), done.stderr


@case("F-47")
@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_whether_ubuntu_is_possible_its_own_archive_says(tmp_path):
    for name in ("debootstrap", "unshare"):
        (tmp_path / name).symlink_to("/bin/true")
    (tmp_path / "wget").write_text('#!/bin/sh\nfor last; do :; done\n'
                                   'case $last in */noble/*) echo "$last" >>"$ASKED";; *) exit 8;; esac\n')
    (tmp_path / "wget").chmod(0o755)
    keys, asked = tmp_path / "keys.gpg", tmp_path / "asked"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "ASKED": str(asked), "KEYRING": str(keys)}
    environment.pop("MIRROR", None)

    def possible(release):
        done = subprocess.run([ROOT / "tools/debian-folder", "possible", release], check=False, capture_output=True,
                              text=True, timeout=60, env=environment)
        return done.returncode, done.stderr
    status, said = possible("24.04")
    assert status == 1 and "KEYRING must name the keys of Ubuntu's archive" in said
    keys.write_text("")
    assert possible("24.04") == (0, "")
    assert asked.read_text() == "http://archive.ubuntu.com/ubuntu/dists/noble/InRelease\n"
    status, said = possible("13")
    assert status == 1 and "http://deb.debian.org/debian does not answer with trixie" in said


@case("F-47")
@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_a_folder_of_ubuntu_has_its_archive_and_its_keys(tmp_path):
    """debootstrap is another program here, which writes down what it was asked."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "debootstrap"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$ASKED"\nfor part; do case $part in *.part) '
                    'mkdir -p "$part/etc/apt/apt.conf.d" "$part/etc/dpkg/dpkg.cfg.d" "$part/usr/sbin" "$part/bin"; '
                    'cp /bin/true "$part/bin/sh";; esac; done\n')
    fake.chmod(0o755)
    # What enters the folder, to see whether apt finds packages.
    (tmp_path / "bin" / "unshare").symlink_to("/bin/true")
    keys = tmp_path / "keys.gpg"
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "ASKED": str(tmp_path / "asked"),
                   "KEYRING": str(keys)}
    environment.pop("MIRROR", None)

    def make(release):
        done = subprocess.run([ROOT / "tools/debian-folder", "make", release, "amd64", tmp_path / release], check=False,
                              capture_output=True, text=True, timeout=60, env=environment)
        return done.returncode, done.stderr
    status, said = make("24.04")
    assert status == 1 and "KEYRING must name the keys of Ubuntu's archive" in said
    keys.write_text("")
    assert make("24.04") == (0, "")
    asked = (tmp_path / "asked").read_text().split()
    assert {"noble", "http://archive.ubuntu.com/ubuntu", f"--keyring={keys}"} <= set(asked)
    assert [line.split()[2:] for line in (tmp_path / "24.04/etc/apt/sources.list").read_text().splitlines()] == [
        [f"noble{part}", "main", "universe"] for part in ("", "-updates", "-security")]
    environment.pop("KEYRING")
    assert make("13") == (0, "")
    assert not any("keyring" in word or "scripts" in word for word in (tmp_path / "asked").read_text().split())
    assert "universe" not in (tmp_path / "13/etc/apt/sources.list").read_text()


@case("F-47")
def test_a_step_that_fails_before_its_end(tmp_path):
    """bash does not stop at errors below a condition, which no step must be called in."""
    said = run("bash", "-c", f"""set -eu; place={tmp_path}; . tools/steps.sh
        good() {{ echo 'SKIPPED [2] t/test_a.py:7: no b: c'; echo '3 passed, 0 failed'; }}
        bad() {{ echo before; false; echo after; }}
        step one good good; echo "is $result"; step one bad bad; echo "is $result"
        ONLY=good; step one bad bad; echo "is $result"; skip one more 'no reason'; table tree; echo "in all $failed" """, cwd=ROOT)
    assert re.findall(r"^is (.*)$", said, re.M) == ["ok", "FAILED", "left out"] and "in all 1" in said, said
    assert (tmp_path / "one.bad.log").read_text() == "before\n" and "---- the end of" in said
    assert re.search(r"^one +good +ok +\d+ s +3 passed, 0 failed$", said, re.M), said
    assert said.endswith("\none good: 2 skipped, t/test_a.py: no b: c\nin all 1\n"), said
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
