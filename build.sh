#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds, tests and shows ngx_http_auth_oidc_module; `./build.sh help` says how.
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")
cd "$root"

usage() {
    cat <<'END'
Usage: ./build.sh [COMMAND] [--no-install] [NAME=VALUE]...

  build             the module alone (default): build/ngx_http_auth_oidc_module.so
  demo [--check]    a whole sign-in on this machine; --check does it by itself and exits 0 or 1
  quick             after a small change: format of what changed, the module, unit tests; a minute
  test [ARGS]       everything that is checked; with ARGS (for pytest) the integration tests only
  units             the unit tests alone
  integration [NAME...]
                    the integration tests alone, side by side, on one store (STORE), or test_NAME.py of them
  systems [SYSTEM...]
                    in a fresh folder of each (12, 13, sid, i386, arm64, 24.04): module, units, integration tests,
                    demo, package, what the documents have people paste, and a table of what passed; as root
  matrix TREE...    with the nginx, freenginx or Angie of each source tree (or debian-12, debian-13, debian-sid):
                    module, static build, HTTP/3, some integration tests, and a table of what passed
  providers [ARGS]  sign-ins, refreshes, logouts and changes of key at real providers, which are downloaded
                    into build/providers first; ARGS are pytest's
  conformance [PLAN...]
                    the OpenID Foundation's conformance suite, which runs at SUITE_URL already, drives the module;
                    --write puts what came of it into docs/conformance.md
  kubernetes [ARGS] ops/kubernetes rendered by kustomize, by helm's packages and by the templates of F5's
                    open ingress controller, which are downloaded into build/providers and built with Go first;
                    ARGS are pytest's
  browser [NAME]    with ESPOCRM_DIR: the tests in a real EspoCRM and Chromium, or one of them
  extension         the EspoCRM extension as a zip in build/
  package [ARCHITECTURE]
                    Debian packages for the nginx of this Debian, their source, the extension, an SBOM and
                    checksums in build/package; for another architecture (arm64) by a cross compiler
  package --check [SYSTEM...]
                    in fresh folders of these systems (12 and 13): built twice, installed, signed in through,
                    upgraded, purged; as root
  rpm               the rpm package for the nginx of NGINX_SRC, in build/package
  site [--check]    the documentation site in build/site/html, each link in it checked; --check: looked at in
                    Chromium as well, wide and narrow, light and dark
  lint              clang-format, clang-tidy with its analyzer, layers and callbacks of the adapter
  editor            compile_commands.json, by which clangd understands every file
  coverage          unit tests with line and branch coverage of src/
  fuzz SECONDS      every fuzz target for so long
  memcheck          sign-ins, logout and the hot path in an nginx under valgrind
  chaos MINUTES [STORE...]
                    sessions and sign-ins under load while workers are killed, nginx is reloaded and
                    upgraded, provider, clock and Redis fail; --quick: a minute, with its self-test
  install           copies the module to the folder of the installed nginx, if it fits; DESTDIR=dir before it
  clean             removes what was built

  --no-install      never install packages; say what is missing and stop
  NGINX_SRC=dir     build for this nginx source tree instead of Debian's nginx
  ESPOCRM_DIR=dir   an unpacked EspoCRM release (test, browser): tests in it, in Chromium as well
  NGINX_BIN=file    the nginx to test with, or to install for
  STORE=redis       session store of the tests (test ARGS, integration, providers): memory, cookie or redis
  SANITIZE=1        AddressSanitizer and UndefinedBehaviorSanitizer (build, test, chaos)
  SUITE_URL=url     where the conformance suite runs (conformance)
  CC=clang          another compiler
  GPG_KEY=key       the release key, by its fingerprint: the package's checksums are signed with it
END
}

BUILD_PACKAGES="g++ make pkg-config libssl-dev libjansson-dev libcjose-dev libcurl4-openssl-dev
    libhiredis-dev"
DEMO_PACKAGES="ca-certificates openssl python3"
UNIT_PACKAGES="cmake check python3"
# Other versions format and judge differently, so these are the ones of the pinned version or none.
LINT_PACKAGES="clang-format-14:maybe clang-tidy-14:maybe"
INTEGRATION_PACKAGES="curl glewlwyd:maybe libfaketime python3-cryptography python3-pytest
    python3-kubernetes:maybe python3-yaml redis-server"
PROVIDERS_PACKAGES="ca-certificates openssl python3-cryptography python3-pytest python3-yaml"
TEST_PACKAGES="$UNIT_PACKAGES $LINT_PACKAGES $INTEGRATION_PACKAGES clang libclang-rt-dev php-cli php-codesniffer:maybe
    php-phpseclib3 phpunit python3-pip cpio debugedit elfutils file rpm:maybe"
CHAOS_PACKAGES="libfaketime python3-cryptography redis-server"
ESPOCRM_PACKAGES="openssl php-cli php-fpm php-bcmath php-curl php-gd php-mbstring php-mysql php-xml
    php-zip mariadb-server mariadb-client chromium fonts-dejavu-core python3-cryptography
    python3-pytest"
SYSTEMS_PACKAGES="debootstrap dpkg-dev util-linux"
PACKAGE_PACKAGES="build-essential debhelper dh-python dpkg-dev lintian xz-utils"
RPM_PACKAGES="cpio debugedit elfutils file python3 rpm xz-utils"
SITE_PACKAGES="python3 python3-pip"
LOOK_PACKAGES="chromium fonts-dejavu-core"
MODULE=ngx_http_auth_oidc_module.so
OP=t/integration/op
BROWSER=t/browser
ESLINT=tools/eslint
SITE=tools/site

say() { printf '\n[%4d s] %s\n' "$SECONDS" "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

# ---- packages --------------------------------------------------------------------------------

# missing_packages PACKAGE...: those that are not installed. NAME:maybe counts only where apt knows
# the package: not every release has it.
missing_packages() {
    local package name
    for package; do
        name=${package%:maybe}
        if dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed; then
            continue
        fi
        if [ "$name" = "$package" ] || [ -n "$(apt-cache show "$name" 2>/dev/null)" ]; then
            printf '%s ' "$name"
        fi
    done
}

# need PACKAGE...: installs the Debian packages of the list that are not there. Elsewhere it says how
# they are called, and stops when one is not installed.
need() {
    local missing as_root=()
    case $(tools/packages family) in
        debian) ;;
        other) need_libraries; return ;;
        *) need_elsewhere "$@"; return ;;
    esac
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    [ -z "$no_install" ] || die "missing Debian packages (and --no-install was given): $missing"
    say "Debian packages to install: $missing"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "not root, and there is no sudo; install them yourself"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get -q update
    # Now apt knows the whole archive.
    missing=$(missing_packages "$@")
    # shellcheck disable=SC2086 # a list of words
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends $missing
}

NGINX_SRC_HINT="NGINX_SRC=dir must name the source of the nginx that you run (nginx -v says which;
https://nginx.org/en/download.html): only Debian and Ubuntu have it as a package"

need_elsewhere() {
    local missing unknown
    unknown=$(tools/packages unknown "$@")
    [ -z "$unknown" ] || echo "also used, by the names of Debian's packages: $unknown"
    missing=$(tools/packages missing "$@")
    [ -n "$missing" ] || return 0
    tools/packages advice "$@" >&2
    [ -n "$NGINX_SRC" ] || echo "$NGINX_SRC_HINT." >&2
    die "not installed: $missing; build.sh installs on Debian and Ubuntu only"
}

# Whether they are there is left to nginx's configure, which names what is not.
need_libraries() {
    tools/packages libraries
    if [ -z "$NGINX_SRC" ] && [ ! -e "$nginx_source/src/core/nginx.h" ]; then die "$NGINX_SRC_HINT"; fi
}

build_packages() {
    echo "$BUILD_PACKAGES"
    [ -z "${OIDC_UNITY:-}" ] || echo python3
    [ "$cc" != clang ] || echo clang
    if [ -n "$NGINX_SRC" ] || [ "$(tools/packages family)" != debian ]; then
        echo libpcre2-dev zlib1g-dev
    else
        echo nginx nginx-dev
    fi
}

# What gets and runs the providers of `providers`; those that want for something are skipped.
provider_packages() {
    echo python3-pip
    command -v mvn >/dev/null || echo maven
    command -v javac >/dev/null || echo default-jdk-headless
    command -v go >/dev/null || echo golang-go
}

# Node, which may well come from elsewhere than Debian.
node_packages() {
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then echo nodejs npm; fi
}

# need_npm FOLDER: what its package.json names, at the versions of its lock file.
need_npm() {
    local folder=$1 names
    [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] || return 0
    names=$(sed -n '/"dependencies"/,/}/s/^ *"\(.*\)": "\([0-9.]*\)".*/\1 \2,/p' \
        "$folder/package.json" | paste -sd' ')
    [ -z "$no_install" ] ||
        die "missing npm packages in $folder (and --no-install was given): $names"
    say "npm packages to install in $folder: $names with what they need"
    [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || die "node 18 or later is needed"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
    touch "$folder/node_modules/.package-lock.json"
}

# The OpenID provider that the demo and the tests use.
need_provider() { need_npm $OP; }

# ---- the module ------------------------------------------------------------------------------

# logged FILE COMMAND...: the output, in English, goes to the file; what went wrong first is shown
# when it fails, and where the rest is.
logged() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    ( export LC_ALL=C; "$@" ) >"$log" 2>&1 || { show_errors "$log" >&2; die "failed; the whole log is $log"; }
}

# What compilers, linkers, configure and make say when they give up; not `-Werror` or "0 errors".
ERRORS='(^|[ :])(fatal )?error:|CMake Error|undefined (reference|symbol)|multiple definition'
ERRORS+='|cannot find -l|relocation .* (against|out of range)|file (format )?not recognized'
ERRORS+='|: (not found|command not found|Permission denied|No space left on device)$|No rule to make'

# The first errors with the lines around them: what follows is often their echo. Else the end.
show_errors() { grep -m 3 -B 2 -A 6 -E "$ERRORS" "$1" || tail -n 40 "$1"; }

configure_nginx() {
    local obj=$1 cc=$2 script=./configure
    local flags="-g -O2 -fPIC -fstack-protector-strong -Wformat -Werror=format-security"
    local ldflags="-Wl,-z,relro -Wl,-z,now"
    local NGX_CONF_FLAGS=(--with-compat --with-debug --with-threads --with-pcre-jit
        --with-http_ssl_module --with-http_v2_module --with-http_realip_module
        --with-http_auth_request_module --with-http_stub_status_module --with-http_addition_module
        --with-http_slice_module)
    if [ -n "$SANITIZE" ]; then
        # A thread-local variable of a module that is loaded late has memory that GCC 12's LeakSanitizer, one
        # time in 256, takes for that of an old glibc: its search then ends with signal 11.
        flags="-g -O1 -fPIC -fno-omit-frame-pointer -fsanitize=address,undefined -ftls-model=initial-exec"
        ldflags=-fsanitize=address,undefined
    else
        flags="$flags -D_FORTIFY_SOURCE=2"
    fi
    if [ -n "$NGINX_SRC" ]; then
        [ -x "$nginx_source/configure" ] || script=auto/configure
        [ -x "$nginx_source/$script" ] || die "NGINX_SRC=$nginx_source is no nginx source tree"
    else
        # shellcheck disable=SC1091 # sets NGX_CONF_FLAGS
        . "$nginx_source/conf_flags"
    fi
    cd "$nginx_source"
    $script --with-cc="$cc" --builddir="$obj" --add-dynamic-module="$root" \
        "${NGX_CONF_FLAGS[@]}" --with-cc-opt="$flags" --with-ld-opt="$ldflags" && return
    # nginx's own errors do not say where the compiler's words are.
    echo "What the compiler said is in $obj/autoconf.err."
    return 1
}

# objects_folder OUT: where nginx's Makefile and its objects lie.
objects_folder() {
    if [ -n "$NGINX_SRC" ]; then
        echo "$root/$1/nginx-src-$(printf %s "$NGINX_SRC" | cksum | cut -d' ' -f1)"
    else
        echo "$root/$1/nginx"
    fi
}

# configure_module OBJECTS CC: nginx's Makefile with the module in it.
configure_module() {
    local obj=$1 cc=$2 stamp
    [ -e "$nginx_source/src/core/nginx.h" ] || die "$nginx_source is no nginx source tree. $NGINX_SRC_HINT"
    mkdir -p "${obj%/*}"
    # Configured again only when something changed that the Makefile does not follow.
    stamp=$({ cat config config.make sources.mk "$nginx_source/src/core/nginx.h"
              declare -f configure_nginx
              echo "$root" "${OIDC_UNITY:-}" include/oidc/*.hpp src/*.hpp ngx_module/*.hpp ngx_module/*/*.hpp; $cc --version; } | cksum)
    if [ "$(cat "$obj/.stamp" 2>/dev/null)" != "$stamp" ]; then
        say "configuring nginx for the module ($cc${SANITIZE:+, sanitizers})"
        rm -rf "$obj"
        ( logged "$obj.configure.log" configure_nginx "$obj" "$cc" )
        echo "$stamp" >"$obj/.stamp"
    fi
}

# strictness COMPILER: the flag that makes warnings errors. Only where we test, and with what each run tests with:
# what another compiler warns of stops nobody's build.
strictness() {
    [ -n "$testing" ] || return 0
    case ${1##*/}-$("$1" -dumpversion) in gcc-12 | gcc-14 | clang-14.* | clang++-14.*) echo -Werror ;; esac
}

# build_module OUT CC: the module, in OUT.
build_module() {
    local out=$root/$1 cc=$2 obj targets=modules
    obj=$(objects_folder "$1")
    [ -z "$NGINX_SRC" ] || targets="binary modules"
    configure_module "$obj" "$cc"
    say "compiling the module ($cc${SANITIZE:+, sanitizers})"
    # shellcheck disable=SC2086
    logged "$obj.make.log" make -s -j"$(nproc)" -f "$obj/Makefile" -C "$nginx_source" $targets \
        OIDC_CXXFLAGS="${OIDC_CXXFLAGS:-${SANITIZE:+-O1}} $(strictness "$cc")"
    cmp -s "$obj/$MODULE" "$out/$MODULE" || cp "$obj/$MODULE" "$out/$MODULE"
    load_test "$out/$MODULE"
    echo "$out/$MODULE"
}

sanitizer_libraries() { "$cc" -print-file-name=libasan.so; "$cc" -print-file-name=libubsan.so; }

# What links without a word and fails only when nginx loads it is found here.
load_test() {
    local dir status=0 preload=
    tools/install-module --check "$NGINX_BIN" "$1"
    dir=$(mktemp -d)
    [ -z "$SANITIZE" ] || preload=$(sanitizer_libraries | paste -sd:)
    cat >"$dir/nginx.conf" <<END
load_module $1;
pid $dir/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    server { listen unix:$dir/socket; auth_oidc off; }
}
END
    LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0 \
        "$NGINX_BIN" -t -q -e stderr -p "$dir" -c "$dir/nginx.conf" || status=1
    rm -rf "$dir"
    [ $status = 0 ] || die "nginx does not load $1"
}

# shellcheck disable=SC2046,SC2086 # lists of words
build_default() {
    need $(build_packages)
    build_module "$out" "$cc"
}

# ---- commands --------------------------------------------------------------------------------

# shellcheck disable=SC2046,SC2086
run_demo() {
    need $(build_packages) $DEMO_PACKAGES $(node_packages)
    need_provider
    build_default
    say "demo"
    exec /usr/bin/python3 demo/run.py --nginx "$NGINX_BIN" --module "$root/$out/$MODULE" "$@"
}

# shellcheck disable=SC2046,SC2086
run_chaos() {
    need $(build_packages) $CHAOS_PACKAGES
    build_default
    NGINX_BIN=$NGINX_BIN OIDC_MODULE=$root/$out/$MODULE SANITIZE=${SANITIZE:-0} \
        PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/t /usr/bin/python3 -m chaos "$@"
}

# The nginx of the system: not the one that NGINX_SRC made.
installed_nginx() {
    local name=nginx file
    if [ -n "$nginx_given" ]; then echo "$nginx_given"; return; fi
    [ ! -e "$nginx_source/src/core/angie.h" ] || name=angie
    for file in /usr/sbin/$name "$(command -v $name)" /usr/local/sbin/$name /usr/local/$name/sbin/$name; do
        if [ -x "$file" ]; then echo "$file"; return; fi
    done
    die "there is no $name on this system; NGINX_BIN=file names the one to install for"
}

# shellcheck disable=SC2046 # a list of words
run_install() {
    local nginx
    need $(build_packages)    # Debian's nginx is one of them
    nginx=$(installed_nginx)
    build_default
    [ "$nginx" = "$NGINX_BIN" ] || NGINX_BIN=$nginx load_test "$root/$out/$MODULE"
    tools/install-module "$nginx" "$out/$MODULE"
}

# What cross-compiles the module: compiler, libraries, and qemu for what nginx's configure runs.
cross_packages() {
    local package
    echo "crossbuild-essential-$1 qemu-user"
    for package in pkgconf libc6 $BUILD_PACKAGES libpcre2-dev zlib1g-dev; do
        case $package in g++ | make | pkg-config) ;; *) echo "$package:$1" ;; esac
    done
}

# shellcheck disable=SC2046,SC2086
run_package() {
    if [ "${1:-}" = --check ]; then
        shift
        [ $# -gt 0 ] || set -- 12 13
        run_in_systems package "$@"
        return
    fi
    case ${1:-} in
        "" | amd64 | arm64 | armhf | i386 | ppc64el | riscv64 | s390x) ;;
        *) die "package takes no argument but --check and an architecture of Debian" ;;
    esac
    [ "$(tools/packages family)" = debian ] || die "these packages are built on Debian and what derives from it"
    [ -z "$NGINX_SRC" ] || die "these packages are for the nginx of this Debian: without NGINX_SRC"
    if [ $# = 1 ] && [ "$1" != "$(dpkg --print-architecture)" ]; then
        dpkg --print-foreign-architectures | grep -qx "$1" ||
            die "apt knows nothing of $1 yet: dpkg --add-architecture $1 && apt-get update"
        need nginx nginx-dev $PACKAGE_PACKAGES $(cross_packages "$1")
    else
        need $BUILD_PACKAGES nginx nginx-dev $PACKAGE_PACKAGES
    fi
    tools/package build/package "$@"
}

# shellcheck disable=SC2046,SC2086
run_rpm() {
    [ -n "$NGINX_SRC" ] || die "rpm needs NGINX_SRC=dir, the sources of the nginx that the package is for"
    need $(build_packages) $RPM_PACKAGES
    tools/rpm "$NGINX_SRC" build/package
}

# get_site_packages: MkDocs and what it needs, at the versions of the list, in build/site/packages.
get_site_packages() {
    local list=$SITE/requirements.txt folder=build/site/packages
    ! cmp -s $list $folder/.list || return 0
    if [ -n "$no_install" ]; then
        echo "missing Python packages (and --no-install was given): those of $list" >&2
        return 1
    fi
    rm -rf $folder
    /usr/bin/python3 -m pip install --quiet --no-compile --disable-pip-version-check --root-user-action=ignore \
        --target $folder -r $list && cp $list $folder/.list
}

make_site() { /usr/bin/python3 $SITE/build --packages build/site/packages build/site; }

# shellcheck disable=SC2046,SC2086
run_site() {
    need $SITE_PACKAGES
    say "the documentation site"
    get_site_packages || die "the packages of $SITE/requirements.txt cannot be had"
    make_site
    [ "${1:-}" = --check ] || return 0
    need $LOOK_PACKAGES $(node_packages)
    need_npm $SITE
    node $SITE/look.mjs build/site/html build/site/pictures
}

# run_in_systems COMMAND SYSTEM...: of tools/systems. The provider of the sign-ins runs here.
# shellcheck disable=SC2046,SC2086
run_in_systems() {
    [ "$(tools/packages family)" = debian ] || die "$1 needs debootstrap, on Debian and what derives from it"
    need $SYSTEMS_PACKAGES $DEMO_PACKAGES $(node_packages)
    need_provider
    exec tools/systems "$@"
}

# What the trees of nginx need is what NGINX_SRC needs.
# shellcheck disable=SC2046,SC2086
run_matrix() {
    [ $# -gt 0 ] || die "matrix needs source trees of nginx, or debian-12, debian-13, debian-sid"
    need $BUILD_PACKAGES libpcre2-dev zlib1g-dev $INTEGRATION_PACKAGES $DEMO_PACKAGES $(node_packages)
    case " $* " in *" debian-"*) need debootstrap util-linux ;; esac
    need_provider
    exec tools/matrix "$@"
}

no_install='' command='' testing='' args=()
for argument; do
    case $argument in
        --no-install) no_install=1 ;;
        NGINX_SRC=* | NGINX_BIN=* | ESPOCRM_DIR=* | STORE=* | SANITIZE=* | SUITE_URL=* | CC=* | DESTDIR=* | GPG_KEY=*)
            export "${argument?}" ;;
        *) if [ -z "$command" ]; then command=$argument; else args+=("$argument"); fi ;;
    esac
done
NGINX_SRC=${NGINX_SRC:+$(readlink -f "$NGINX_SRC")}
ESPOCRM_DIR=${ESPOCRM_DIR:+$(readlink -m "$ESPOCRM_DIR")}
[ "${SANITIZE:-0}" != 0 ] || SANITIZE=
cc=${CC:-gcc}
out=build${SANITIZE:+/sanitize}
nginx_source=${NGINX_SRC:-/usr/share/nginx/src}
default_nginx=/usr/sbin/nginx
if [ -n "$NGINX_SRC" ]; then
    default_nginx=$(objects_folder "$out")/nginx
    [ ! -e "$nginx_source/src/core/angie.h" ] || default_nginx=${default_nginx%/nginx}/angie
fi
nginx_given=${NGINX_BIN:-}
NGINX_BIN=${NGINX_BIN:-$default_nginx}

case ${command:-build} in
    build) build_default ;;
    demo) run_demo "${args[@]}" ;;
    chaos) run_chaos "${args[@]}" ;;
    test | quick | integration | providers | conformance | kubernetes | browser | lint | editor | coverage | fuzz | memcheck)
        testing=1
        # shellcheck source=tools/checks.sh
        . tools/checks.sh
        "run_$command" "${args[@]}"
        ;;
    units)
        testing=1
        # shellcheck source=tools/checks.sh
        . tools/checks.sh
        run_units_alone
        ;;
    extension) need python3 && mkdir -p build && /usr/bin/python3 espocrm/pack.py build ;;
    package) run_package "${args[@]}" ;;
    rpm) run_rpm ;;
    site) run_site "${args[@]}" ;;
    matrix) run_matrix "${args[@]}" ;;
    systems) if [ ${#args[@]} = 0 ]; then args=(12 13 sid i386 arm64); fi; run_in_systems try "${args[@]}" ;;
    install) run_install ;;
    clean) rm -rf build compile_commands.json {$OP,$BROWSER,$ESLINT,$SITE}/node_modules ;;
    help | -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
