# SPDX-License-Identifier: Apache-2.0
"""Systems, libraries and nginxes that the module cannot be built for end in a sentence."""

import os
import pathlib
import shutil
import subprocess

import pytest

from harness.nginx import ROOT

NGINX_SOURCE = pathlib.Path(os.environ.get("NGINX_SRC") or "/usr/share/nginx/src")
SYSTEMS = {
    "debian": 'ID=debian\n', "mint": 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    "fedora": 'NAME="Fedora Linux"\nID=fedora\n', "alma": 'ID="almalinux"\nID_LIKE="rhel centos fedora"\n',
    "arch": 'ID=arch\n', "alpine": "ID='alpine'\n",
    "suse": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "other": 'ID=plan9\nID_LIKE="unix"\n',
}


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def run(command, **environment):
    """(exit status, what it said), in the C locale and with these variables."""
    done = subprocess.run([str(c) for c in command], cwd=environment.pop("cwd", None), timeout=60, check=False,
                          env={**os.environ, "LC_ALL": "C", **{k: str(v) for k, v in environment.items()}},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@pytest.fixture
def system(tmp_path):
    """system(NAME): a file that says that this is such a system."""
    def make(name):
        path = tmp_path / f"os-release-{name}"
        path.write_text(SYSTEMS[name])
        return path
    return make


# ---- config, as nginx's configure reads it ---------------------------------------------------

CONFIGURE = """\
NGX_AUTOTEST=$OBJS/autotest NGX_AUTOCONF_ERR=$OBJS/autoconf.err
NGX_INCLUDE_UNISTD_H='#include <unistd.h>'
HTTP=YES HTTP_AUX_FILTER_MODULES= ngx_module_link=DYNAMIC ngx_n=-n ngx_c=
. "$ngx_addon_dir/config"
echo configured
"""


@pytest.fixture
def configure(tmp_path, system):
    """configure(headers={name: text}, hidden=[header], ...): headers in front of the system's, others gone."""
    def call(headers=(), hidden=(), name="debian", **environment):
        front = tmp_path / "front"
        for path, text in dict(headers).items():
            (front / path).parent.mkdir(parents=True, exist_ok=True)
            (front / path).write_text(text)
        # A compiler to which the hidden headers do not exist.
        gone = "".join(f'for f; do case $f in *.c) grep -q "<{h}>" "$f" && '
                       f'{{ echo "{h}: No such file or directory" >&2; exit 1; }};; esac; done\n' for h in hidden)
        cc = script(tmp_path / "cc", f'{gone}exec gcc "$@"\n')
        return run(["sh", "-c", CONFIGURE], cwd=NGINX_SOURCE, CC=cc, CC_TEST_FLAGS=f"-I{front}", CC_AUX_FLAGS="",
                   OBJS=tmp_path, ngx_addon_dir=ROOT, OS_RELEASE=system(name), **environment)
    assert (NGINX_SOURCE / "auto" / "feature").exists(), "no source of nginx to configure"
    return call


def test_what_is_needed_is_found(configure):
    status, said = configure()
    assert status == 0 and said.endswith("configured\n"), said


TLS = {
    "AWS-LC": ('#define OPENSSL_IS_AWSLC\n#define OPENSSL_VERSION_NUMBER 0x1010107f\n'
               '#define AWSLC_TEXT "1.30.1"\n'
               '#define OPENSSL_VERSION_TEXT "OpenSSL 1.1.1 (compatible; AWS-LC " AWSLC_TEXT ")"\n',
               "found AWS-LC, which calls itself OpenSSL 1.1.1 (compatible; AWS-LC"),
    "AWS-LC-3": ('#define OPENSSL_IS_AWSLC\n#define OPENSSL_VERSION_NUMBER 0x30000000L\n', "found AWS-LC"),
    "BoringSSL": ('#define OPENSSL_IS_BORINGSSL\n#define OPENSSL_VERSION_NUMBER 0x1010107f\n'
                  '#define OPENSSL_VERSION_TEXT "OpenSSL 1.1.1 (compatible; BoringSSL)"\n', "found BoringSSL"),
    "LibreSSL": ('#define LIBRESSL_VERSION_NUMBER 0x4000000fL\n#define LIBRESSL_VERSION_TEXT "LibreSSL 4.0.0"\n'
                 '#define OPENSSL_VERSION_NUMBER 0x20000000L\n', "LibreSSL 4.0.0"),
    "OpenSSL-1.1.1": ('#define OPENSSL_VERSION_NUMBER 0x1010117fL\n'
                      '#define OPENSSL_VERSION_TEXT "OpenSSL 1.1.1w  11 Sep 2023"\n', "found OpenSSL 1.1.1w"),
    "OpenSSL-1.0.2": ('#define OPENSSL_VERSION_NUMBER 0x1000215fL\n'
                      '#define OPENSSL_VERSION_TEXT "OpenSSL 1.0.2u"\n', "found OpenSSL 1.0.2u."),
}


@pytest.mark.parametrize("library", TLS)
@pytest.mark.parametrize("where", ("system", "with-openssl"))
def test_another_tls_library_is_refused(configure, tmp_path, library, where):
    text, found = TLS[library]
    if where == "system":
        status, said = configure({"openssl/opensslv.h": text, "openssl/crypto.h": "#include <openssl/opensslv.h>\n"})
    else:
        folder = tmp_path / "tls" / "include" / "openssl"
        folder.mkdir(parents=True)
        (folder / "opensslv.h").write_text(text)
        (folder / "crypto.h").write_text("#include <openssl/opensslv.h>\n")
        status, said = configure(OPENSSL=tmp_path / "tls")
    assert status == 1 and "configured" not in said, said
    assert "needs OpenSSL 3.0 or later" in said and found in said and "libssl-dev" in said, said


OLD = {
    "libcurl": ("curl/curl.h", '#define LIBCURL_VERSION "7.84.0"\n#define LIBCURL_VERSION_NUM 0x075400\n',
                "needs libcurl 7.85 or later with its headers, found libcurl 7.84.0.", "libcurl4-openssl-dev"),
    "jansson": ("jansson.h", '#define JANSSON_VERSION "2.10"\n#define JANSSON_VERSION_HEX 0x020a00\n',
                "needs jansson 2.11 or later with its headers, found jansson 2.10.", "libjansson-dev"),
    "hiredis": ("hiredis/hiredis.h", "#define HIREDIS_MAJOR 0\n#define HIREDIS_MINOR 13\n#define HIREDIS_PATCH 3\n",
                "needs hiredis 0.14 or later with its headers, found hiredis 0.13.3.", "libhiredis-dev"),
}


@pytest.mark.parametrize("library", OLD)
def test_an_older_library_is_refused(configure, library):
    header, text, words, package = OLD[library]
    status, said = configure({header: text})
    assert status == 1 and words in said and package in said, said


@pytest.mark.parametrize("header, name, packages", [
    ("openssl/evp.h", "OpenSSL", ("libssl-dev", "openssl-devel", "libopenssl-3-devel")),
    ("jansson.h", "jansson", ("libjansson-dev", "jansson-devel", "libjansson-devel")),
    ("cjose/cjose.h", "cjose", ("libcjose-dev", "cjose-devel", "libcjose-devel")),
    ("curl/curl.h", "libcurl", ("libcurl4-openssl-dev", "libcurl-devel", "libcurl-devel")),
    ("hiredis/hiredis.h", "hiredis", ("libhiredis-dev", "hiredis-devel", "hiredis-devel")),
])
def test_a_missing_library_is_named(configure, header, name, packages):
    for system_name, package in zip(("debian", "alma", "suse"), packages):
        status, said = configure(hidden=[header], name=system_name)
        assert status == 1 and f"needs {name}" in said and f" {package}\n" in said, said


def test_a_library_that_does_not_link_is_told_from_an_old_one(configure):
    status, said = configure({"jansson.h": '#define JANSSON_VERSION "2.14"\n#define JANSSON_VERSION_HEX 0x020e00\n'})
    assert status == 1 and "found jansson 2.14, with which a program does not compile and link." in said, said


# ---- packages --------------------------------------------------------------------------------

PACKAGES = {
    "fedora": ("dnf install", "gcc-c++ make pkgconf-pkg-config openssl-devel jansson-devel cjose-devel libcurl-devel "
               "hiredis-devel pcre2-devel zlib-devel"),
    "alma": ("dnf install", "gcc-c++ openssl-devel jansson-devel cjose-devel libcurl-devel hiredis-devel"),
    "arch": ("pacman -S", "gcc pkgconf openssl jansson cjose curl hiredis pcre2"),
    "alpine": ("apk add", "g++ pkgconf openssl-dev jansson-dev cjose-dev curl-dev hiredis-dev pcre2-dev zlib-dev"),
    "suse": ("zypper install", "gcc-c++ libopenssl-3-devel libjansson-devel libcjose-devel libcurl-devel hiredis-devel"),
}
QUERIES = {"fedora": "rpm", "alma": "rpm", "suse": "rpm", "arch": "pacman", "alpine": "apk"}
INSTALLERS = ("apt-get", "dnf", "yum", "pacman", "apk", "zypper", "sudo", "rpm")


@pytest.fixture
def build(tmp_path, system):
    """build(system, *arguments): build.sh there; whatever could change the system leaves a mark."""
    def call(name, *arguments, installed="", source=None):
        tools = tmp_path / "tools-of-the-system"
        for tool in INSTALLERS:
            script(tools / tool, f'touch {tmp_path}/changed\nexit 1\n')
        if name in QUERIES:  # knows what is installed; asked for the last of its arguments
            script(tools / QUERIES[name], f'case $1 in -q | -T | info) ;; *) touch {tmp_path}/changed; exit 1;; esac\n'
                   f'for last; do :; done\ncase " {installed} " in *" $last "*) exit 0;; esac\nexit 1\n')
        status, said = run(["bash", ROOT / "build.sh", *arguments], OS_RELEASE=system(name),
                           PATH=f"{tools}:{os.environ['PATH']}", NGINX_SRC=source or "", NGINX_BIN="", CC="", SANITIZE="")
        assert not (tmp_path / "changed").exists(), f"something was to be installed: {said}"
        return status, said
    return call


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_have_the_names_of_the_system(build, name):
    status, said = build(name)
    command, packages = PACKAGES[name]
    assert status == 1 and "NGINX_SRC=" in said and "configuring" not in said, said
    line = next(text for text in said.splitlines() if command in text)
    assert set(packages.split()) <= set(line.split()), line
    assert "libssl-dev" not in said, said


def test_only_what_is_missing_stops(build, tmp_path):
    wanted = PACKAGES["fedora"][1]
    status, said = build("fedora", installed=wanted.replace("cjose-devel ", ""), source=tmp_path)
    assert status == 1 and "not installed: cjose-devel;" in said, said
    status, said = build("fedora", installed=wanted, source=tmp_path)
    assert status == 1 and "not installed" not in said and f"{tmp_path} is no nginx source tree" in said, said


def test_a_system_that_nobody_knows_gets_the_list(build, tmp_path):
    status, said = build("other", source=tmp_path)
    for library in ("OpenSSL 3.0", "jansson 2.11", "cjose", "libcurl 7.85", "hiredis 0.14", "C++20", "PCRE2", "zlib"):
        assert library in said, said
    assert status == 1 and f"{tmp_path} is no nginx source tree" in said, said


def test_debian_is_known_by_its_kin(system):
    for name in SYSTEMS:
        family = {"mint": "debian", "alma": "fedora"}.get(name, name)
        assert run([ROOT / "tools" / "packages", "family"], OS_RELEASE=system(name)) == (0, family + "\n")


def test_every_package_of_the_build_has_a_name_everywhere(system):
    text = (ROOT / "build.sh").read_text()
    names = {n for group in ("BUILD", "DEMO") for n in text.partition(f'{group}_PACKAGES="')[2].partition('"')[0].split()}
    assert len(names) >= 10
    assert run([ROOT / "tools" / "packages", "unknown", *sorted(names)]) == (0, "\n")


# ---- what went wrong is on the screen --------------------------------------------------------

@pytest.fixture
def failing(tmp_path, build):
    """failing(configure=text, make=text): what build.sh says where nginx's configure or make fails with this text."""
    source = tmp_path / "nginx"
    made = []

    def call(configure=None, make=None):
        (source / "src" / "core").mkdir(parents=True, exist_ok=True)
        (source / "src" / "core" / "nginx.h").write_text("")
        (tmp_path / "said").write_text(configure or make)
        end = f"cat {tmp_path}/said; exit 1"
        makefile = f"binary modules:\\n\\t@{end}\\n"
        script(source / "configure", end if configure else
               'for a; do case $a in --builddir=*) obj=${a#*=};; esac; done\n'
               f'mkdir -p $obj; printf "{makefile}" >$obj/Makefile\n')
        status, said = build("other", source=source)
        log = said.rpartition("the whole log is ")[2].strip()
        assert status == 1 and os.path.exists(log), said
        made.append(pathlib.Path(log))
        return said, log
    yield call
    for log in made:
        objects = log.with_name(log.name.partition(".")[0])
        shutil.rmtree(objects, ignore_errors=True)
        for path in objects.parent.glob(objects.name + ".*"):
            path.unlink()


NOISE = "".join(f"x.cpp:{n}:1: warning: nothing [-Wunused]\n" for n in range(200))
MAKE = "make: *** [Makefile:2: x.o] Error 1\n"


@pytest.mark.parametrize("text, first", [
    ("In file included from a.cpp:1:\na.hpp:3:9: error: 'x' was not declared\n    3 | x\n      | ^\n" + NOISE + MAKE,
     "a.hpp:3:9: error: 'x' was not declared"),
    ("a.cpp:1:10: fatal error: jansson.h: No such file or directory\n" + NOISE + MAKE, "fatal error: jansson.h"),
    ("/usr/bin/ld: cannot find -lcjose: No such file or directory\n" + NOISE + "collect2: error: ld returned 1\n" + MAKE,
     "cannot find -lcjose"),
    ("/usr/bin/ld: a.o: in function `f':\na.cpp:(.text+0x1): undefined reference to `g'\n" + NOISE +
     "collect2: error: ld returned 1 exit status\n" + MAKE, "undefined reference to `g'"),
    ("/usr/bin/ld: a.o: relocation R_X86_64_32 against `.rodata' can not be used; recompile with -fPIC\n" + NOISE +
     "collect2: error: ld returned 1 exit status\n" + MAKE, "recompile with -fPIC"),
    ("/usr/bin/ld: b.o:(.bss+0): multiple definition of `x'; a.o:(.bss+0): first defined here\n" + NOISE + MAKE,
     "multiple definition of `x'"),
    ("ld.lld: error: undefined symbol: f\n" + NOISE + MAKE, "undefined symbol: f"),
    ("sh: 1: ccache: not found\n" + NOISE + MAKE, "ccache: not found"),
    (NOISE + "something that nobody foresaw\n" + MAKE.replace("***", "--"), "something that nobody foresaw"),
])
def test_the_first_error_is_shown_and_the_log_below(failing, text, first):
    said, log = failing(make=text)
    assert first in said and said.index(first) < said.index(log), said
    assert said.count("warning: nothing") <= 40, said


@pytest.mark.parametrize("text, first", [
    ("checking for OS\n\n./configure: error: the HTTP rewrite module requires the PCRE library.\nYou can either\n",
     "requires the PCRE library"),
    ("checking for C compiler ... not found\n\n./configure: error: C compiler gcc-99 is not found\n\n", "gcc-99 is not found"),
    ("checking for hiredis ... not found\n\n./configure: error: ngx_http_auth_oidc_module needs hiredis 0.14\n"
     "On Fedora and RHEL: dnf install hiredis-devel\n", "dnf install hiredis-devel"),
])
def test_an_error_of_configure_is_shown(failing, text, first):
    said, log = failing(configure=text)
    assert first in said and said.index(first) < said.index("autoconf.err") < said.index(log), said
