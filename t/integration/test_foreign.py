# SPDX-License-Identifier: Apache-2.0
"""Systems, libraries and nginxes that the module cannot be built for end in a sentence."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness.nginx import BINARY, MODULE, ROOT

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
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
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


@pytest.mark.parametrize("code,header", [
    ("#include <vector>\nstd::vector<int> x; auto y = std::back_inserter(x);", "iterator"),
    ("int x = std::min(1, 2);", "algorithm"),
    ("#include <string>\nstd::string_view x; std::optional<int> y;", "optional"),
    ('#include "oidc/text.hpp"\nstd::unordered_map<int, int> x;', "unordered_map"),
    ("#include <map>\nauto x = std::exchange(y, 1);", None),
    ("#include <string.h>\nauto x = std::strlen(y);", None),
    ('// std::tuple\nconst char* x = "std::tuple";', None),
], ids=lambda value: None)
def test_what_is_used_is_included(tmp_path, code, header):
    """Libraries of tomorrow include less of each other: the check finds what came along by luck."""
    file = tmp_path / "x.cpp"
    file.write_text(code + "\n")
    status, said = run([ROOT / "tools" / "check-includes", file])
    assert status == (header is not None) and (header is None or f"needs #include <{header}>" in said), said


# ---- warnings --------------------------------------------------------------------------------

@pytest.mark.parametrize("more, stops", [((), False), (("-Werror",), True)], ids=["by itself", "where it is asked for"])
def test_what_a_compiler_warns_of_stops_no_build(tmp_path, more, stops):
    """nginx's own flags make warnings errors; a newer compiler warns of what is no fault."""
    flags = re.search(r"CFLAGS \+= (.*?) \\", (ROOT / "config.make").read_text())[1].split()
    source = tmp_path / "warned.cpp"
    source.write_text("static int unused;\n")
    status, said = run(["c++", "-Werror", *flags, *more, "-c", source, "-o", tmp_path / "warned.o"])
    assert "unused" in said and (status != 0) == stops, said


# ---- install ---------------------------------------------------------------------------------

INSTALL = ROOT / "tools" / "install-module"
SIGNATURE = "8,4,8," + "0000111111010111001110101111000110"
NAME = "ngx_http_auth_oidc_module.so"


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """modules(version, signature): a library like the module, with debugging symbols."""
    folder = tmp_path_factory.mktemp("modules")

    def make(version="nginx/1.22.1", signature=SIGNATURE):
        path = folder / f"{abs(hash((version, signature)))}" / NAME
        if not path.exists():
            path.parent.mkdir()
            path.with_suffix(".c").write_text(f'const char *const a = "built for {version}", *const b = "{signature}";\n'
                                              "static int hidden(int x) { return x + 1; }\n"
                                              "int ngx_modules(int x) { return hidden(x); }\n")
            subprocess.run(["gcc", "-g", "-O0", "-shared", "-fPIC", "-o", path, path.with_suffix(".c")], check=True)
        return path
    return make


@pytest.fixture
def nginx(tmp_path):
    """nginx(...): something that says the same with -V, and holds the same signature, as such an nginx."""
    def make(versions=("nginx version: nginx/1.22.1",), tls="built with OpenSSL 3.0.22 25 Aug 2026",
             signature=SIGNATURE, arguments=None):
        if arguments is None:
            arguments = f"--with-cc-opt='-g -O2' --prefix={tmp_path}/prefix --modules-path={tmp_path}/modules " \
                        f"--conf-path={tmp_path}/etc/nginx.conf --pid-path={tmp_path}/nginx.pid --with-compat"
        said = "\n".join([*versions, tls, f"configure arguments: {arguments}"]).replace("\n\n", "\n")
        (tmp_path / "V").write_text(said + "\n")
        return script(tmp_path / "bin" / "nginx", f"# {signature}\ncat {tmp_path}/V >&2\n")
    return make


@pytest.fixture
def install(tmp_path):
    """install(nginx, module): (status, what it said); packages own `owned`."""
    def call(binary, module, owned=(), tool="dpkg", **environment):
        tools = tmp_path / "owners"
        for name in ("dpkg", "rpm", "pacman", "apk", "sudo"):
            script(tools / name, 'echo "this file is not owned by any package"\nexit 1\n')
        for file in owned:
            text = "some-package: $last" if tool == "dpkg" else "some-package"
            script(tools / tool, f'for last; do :; done\n[ "$last" = {file} ] && echo "{text}"\n')
        return run([INSTALL, binary, module], PATH=f"{tools}:{os.environ['PATH']}", **environment)
    return call


def test_a_module_that_fits_is_installed(install, nginx, modules, tmp_path):
    status, said = install(nginx(), modules())
    target = tmp_path / "modules" / NAME
    assert status == 0 and f"load_module {target};" in said and f"top of {tmp_path}/etc/nginx.conf" in said, said
    # docs/packages.md: two lines to add, and what to do then.
    told = (ROOT / "docs" / "packages.md").read_text()
    assert "says which two lines to add, and what to do then" in told
    assert said.count("    auth_oidc NAME;") == 1, said
    assert said.count("load_module ") == 1 and len(re.findall(r"^Then ", said, re.M)) == 1, said
    assert sorted(p.name for p in target.parent.iterdir()) == [NAME, NAME + ".debug"]
    assert target.stat().st_mode & 0o777 == 0o644
    sections = {p.name: run(["readelf", "-SW", p])[1] for p in target.parent.iterdir()}
    assert ".debug_info" not in sections[NAME] and ".gnu_debuglink" in sections[NAME]
    assert ".debug_info" in sections[NAME + ".debug"]
    link = run(["readelf", "--string-dump=.gnu_debuglink", target])[1]
    assert NAME + ".debug" in link
    assert " hidden" not in run(["readelf", "-sW", target])[1]
    assert " ngx_modules" in run(["readelf", "--dyn-syms", "-W", target])[1]


def test_a_running_module_keeps_its_file(install, nginx, modules, tmp_path):
    install(nginx(), modules())
    target = tmp_path / "modules" / NAME
    with open(target, "rb") as running:
        before = running.read()
        assert install(nginx(), modules())[0] == 0
        assert os.fstat(running.fileno()).st_ino != target.stat().st_ino
        running.seek(0)
        assert running.read() == before


OTHERS = {
    "older nginx": ({"versions": ["nginx version: nginx/1.20.2"]}, ("built for nginx/1.22.1", "nginx/1.20.2")),
    "newer nginx": ({"versions": ["nginx version: nginx/1.28.0 (Ubuntu)"]}, ("built for nginx/1.22.1", "nginx/1.28.0")),
    "longer number": ({"versions": ["nginx version: nginx/1.22.10"]}, ("nginx/1.22.10",)),
    "Angie": ({"versions": ["Angie version: Angie/1.12.1", "nginx version: nginx/1.29.3"]}, ("nginx/1.29.3",)),
    "without compat": ({"signature": SIGNATURE[:9] + "1" + SIGNATURE[10:]}, ("--with-compat", "NGX_MODULE_SIGNATURE_4;")),
    "other sizes": ({"signature": "4" + SIGNATURE[1:]}, ("sizes (4,4,8 and 8,4,8)",)),
    "LibreSSL": ({"tls": "built with LibreSSL 4.0.0"}, ("built with LibreSSL 4.0.0", "OpenSSL 3.0 or later")),
    "BoringSSL": ({"tls": "built with OpenSSL 1.1.1 (compatible; BoringSSL) (running with BoringSSL)"}, ("BoringSSL",)),
    "OpenSSL 1.1.1": ({"tls": "built with OpenSSL 1.1.1w  11 Sep 2023"}, ("OpenSSL 1.1.1w",)),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_module_for_another_nginx_is_refused(install, nginx, modules, tmp_path, other):
    arguments, words = OTHERS[other]
    status, said = install(nginx(**arguments), modules())
    assert status == 1 and all(word in said for word in words), said
    assert not (tmp_path / "modules").exists()


def test_no_tls_and_no_known_name_are_no_reason(install, nginx, modules):
    assert install(nginx(tls=""), modules())[0] == 0
    assert install(nginx(versions=["nginx version: openresty/1.27.1.1"]), modules())[0] == 0
    assert install(nginx(tls="built with OpenSSL 4.0.0 1 Apr 2026"), modules())[0] == 0


def test_an_nginx_without_folders_has_the_default(install, nginx, modules, tmp_path):
    status, said = install(nginx(arguments="--with-compat"), modules(), DESTDIR=tmp_path / "dest")
    assert status == 0 and "load_module /usr/local/nginx/modules/" in said, said
    assert "/usr/local/nginx/conf/nginx.conf" in said
    assert (tmp_path / "dest/usr/local/nginx/modules" / NAME).exists()


@pytest.mark.parametrize("tool", ("dpkg", "rpm", "pacman", "apk"))
@pytest.mark.parametrize("suffix", ("", ".debug"))
def test_a_file_of_a_package_is_left_alone(install, nginx, modules, tmp_path, tool, suffix):
    target = tmp_path / "modules" / (NAME + suffix)
    target.parent.mkdir()
    target.write_text("theirs")
    status, said = install(nginx(), modules(), owned=[target], tool=tool)
    assert status == 1 and "belongs to the package some-package" in said, said
    assert target.read_text() == "theirs" and len(list(target.parent.iterdir())) == 1
    dest = tmp_path / "dest"
    assert install(nginx(), modules(), owned=[target], tool=tool, DESTDIR=dest)[0] == 0
    assert (dest / str(target)[1:]).read_bytes() and target.read_text() == "theirs"


def test_a_restart_is_asked_for_where_a_reload_does_not_do(install, nginx, modules, tmp_path):
    target = tmp_path / "modules" / NAME
    status, said = install(nginx(), modules())
    assert status == 0 and "start or reload" in said, said
    held = "import mmap, sys; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); " \
           "print(flush=True); sys.stdin.read()"
    for file, words in ((target, "reload does not replace it"), (tmp_path / "V", "and a reload")):
        with subprocess.Popen(["/usr/bin/python3", "-c", held, str(file)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as running:
            running.stdout.readline()
            (tmp_path / "nginx.pid").write_text(f"{running.pid}\n")
            said = install(nginx(), modules())[1]
            running.stdin.close()
        assert words in said and f"({running.pid})" in said, said
        assert ("restart nginx" in said) == (file == target), said


def test_the_real_module_fits_the_real_nginx():
    assert run([INSTALL, "--check", BINARY, MODULE]) == (0, "")


def test_the_log_says_which_module_it_is(make_site):
    """At a start and a reload, not of nginx -t; with the version of the header, and that of nginx -v."""
    site = make_site()
    version = (ROOT / "include" / "oidc" / "version.hpp").read_text().partition('kVersion = "')[2].partition('"')[0]
    built = run([BINARY, "-v"])[1].rpartition("nginx/")[2].split()[0]
    line = f"oidc: version {version}, built for nginx/{built}"
    assert site.nginx.log().count(line) == 1, line
    status, said = site.nginx.test()
    assert status == 0 and "built for" not in said, said
    assert site.reload() and site.nginx.log().count(line) == 2, line
