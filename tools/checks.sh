# SPDX-License-Identifier: Apache-2.0
# What `./build.sh test`, `quick`, `lint`, `editor` and the like do; read by build.sh.
# shellcheck shell=bash disable=SC2154,SC2046,SC2086,SC2016,SC2206

passed=0 failed=0 skipped=0 failures=() notes=() status=0

# attempt TEXT COMMAND...: runs it in a shell of its own, so that its failure does not hide what
# comes later, and leaves the outcome in `status`. Never call it in a condition: bash switches
# `set -e` off below one.
attempt() {
    local text=$1
    shift
    say "$text"
    set +e
    ( set -e; "$@" )
    status=$?
    set -e
    [ $status = 0 ] || { failures+=("$text"); echo "FAILED: $text"; }
}

count() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0})); }

# step TEXT COMMAND...: an attempt that counts as one.
step() {
    attempt "$@"
    if [ $status = 0 ]; then count 1 0; else count 0 1; fi
}

# have TOOL TEXT: whether the tool is there; if not, what it would do is noted as skipped.
have() {
    if command -v "$1" >/dev/null; then return; fi
    notes+=("$2: there is no $1 on this system")
    count 0 0 1
    return 1
}

# ---- steps beside others -----------------------------------------------------------------------

later_texts=() later_commands=()

# later TEXT FUNCTION: a step that run_later takes and settle_later counts.
later() { later_texts+=("$1") later_commands+=("$2"); }

# What later named, one after the other, with less right to the processor than what keeps time.
run_later() {
    local i code
    mkdir -p build/later
    rm -f build/later/*
    renice -n 10 $BASHPID >/dev/null
    for i in "${!later_texts[@]}"; do
        set +e
        ( set -e; "${later_commands[i]}" ) >build/later/$i.log 2>&1
        code=$?
        set -e
        outcome "${later_texts[i]}" $code build/later/$i.log ""
        echo $code >build/later/$i.status
    done
}

# outcome TEXT STATUS LOG SUMMARY: in one piece, since others speak as well; a failure with its log.
outcome() {
    local text="$1: passed"
    [ -z "$4" ] || text+=$'\n'$4
    [ "$2" = 0 ] || text="$1: FAILED, its log:"$'\n'$(cat "$3")
    say "$text"
}

settle_later() {
    local i
    for i in "${!later_texts[@]}"; do
        if [ "$(cat build/later/$i.status)" = 0 ]; then
            count 1 0
        else
            failures+=("${later_texts[i]}")
            count 0 1
        fi
    done
}

# ---- another system ----------------------------------------------------------------------------

# Debian 13 is as good as the release that the tests run on: what newcomers do there first, in a fresh folder.
other_system=13 other_steps="build units demo" other=

# need_other_system: `other` becomes the text of the step, or empty, with the reason among the notes.
need_other_system() {
    local why text="in a fresh folder of Debian $other_system: $other_steps"
    other=
    if [ "$(id -u)" != 0 ]; then
        why="that needs root"
    elif why=$(tools/debian-folder possible $other_system 2>&1); then
        other=$text
        return
    fi
    notes+=("$text: $why")
    count 0 0 1
}

# run_other_system PORTS: in the background, with less right to the processor than what keeps time.
run_other_system() {
    local code=0
    renice -n 10 $BASHPID >/dev/null
    mkdir -p build/other
    rm -f build/other/*
    # Compiled faster; with -O2 this system does it. Its compiler is one that we know.
    OIDC_CXXFLAGS='-O1 -g0 -Werror' OIDC_UNITY=1 OIDC_PORTS=$1 ONLY=$other_steps \
        tools/systems try $other_system >build/other/log 2>&1 || code=$?
    outcome "$other" $code build/other/log "$(sed -n '/^system /,$p' build/other/log)"
    echo $code >build/other/status
}

settle_other_system() {
    if [ "$(cat build/other/status)" = 0 ]; then
        count 1 0
    else
        failures+=("$other")
        count 0 1
    fi
}

# kill_tree PID...: with all that they started.
kill_tree() {
    local pid
    for pid; do
        kill_tree $(cat /proc/$pid/task/$pid/children 2>/dev/null)
        kill $pid 2>/dev/null || true
    done
}

finish() {
    say "done"
    [ ${#notes[@]} = 0 ] || printf 'skipped: %s\n' "${notes[@]}"
    [ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
    printf '%d passed, %d failed' $passed $failed
    if [ $skipped -gt 0 ]; then printf ', %d skipped\n' $skipped; else echo; fi
    [ $failed = 0 ] && [ ${#failures[@]} = 0 ]
}

# ---- lint ------------------------------------------------------------------------------------

check_format() {
    find include src ngx_module t -name '*.[ch]pp' -not -path '*/node_modules/*' -print0 |
        xargs -0 clang-format-14 --dry-run -Werror
}

# put_together FOLDER [adapter]: files that include many sources each, of the core and the adapter by themselves.
put_together() {
    local part=${2:-core}
    /usr/bin/python3 -B tools/unity "$1/$part" $(sed -n "s/^OIDC_${part^^} *+= *//p" sources.mk)
    if [ $part = core ]; then put_together "$1" adapter; fi
}

# unchanged FILE MARK: whether neither the file, nor a source that it puts together, nor a header or one of OTHER... is
# newer than the mark.
unchanged() {
    [ -e "$2" ] && [ -z "$(find "$1" $(sed -n 's/^#include "\(\/.*\)"$/\1/p' "$1") "${@:3}" -newer "$2")" ] &&
        [ -z "$(find include src ngx_module -name '*.hpp' -newer "$2")" ]
}

# tidy_one FILE: skipped while nothing has changed since the last clean run.
tidy_one() {
    local file=$1 mark=$lint_marks/${1//\//_}.clean flags=(-std=c++20 -Wall -Wextra -Iinclude -Ingx_module)
    if unchanged "$file" "$mark" .clang-tidy; then return 0; fi
    if [[ $file == ngx_module/* || $file == */adapter/* ]]; then flags+=($lint_includes); fi
    if clang-tidy-14 --quiet --checks="$lint_checks" --header-filter='/(include/oidc|src|ngx_module)/' "$file" \
        -- "${flags[@]}" >"$mark.out" 2>&1; then
        touch "$mark"
    else
        cat "$mark.out"
        return 1
    fi
}

# Where the adapter's files find nginx's headers: the folders that nginx's own Makefile names, which
# differ by version and by what it is configured with. After build_module.
nginx_includes() {
    local folder
    sed -n '/^ALL_INCS =/,/^$/s/.*-I \([^ ]*\).*/\1/p' "$(objects_folder "$out")/Makefile" |
        while read -r folder; do
            case $folder in
                "$root"/include | "$root"/ngx_module) ;;
                /*) echo "-isystem $folder" ;;
                *) echo "-isystem $nginx_source/$folder" ;;
            esac
        done
}

# tidy MARKS CHECKS FILE...: CHECKS are added to those of .clang-tidy. After build_module.
tidy() {
    local lint_includes lint_marks=build/lint/$1 lint_checks=$2
    lint_includes=$(nginx_includes)
    mkdir -p $lint_marks
    export lint_includes lint_marks lint_checks
    export -f tidy_one unchanged
    printf '%s\0' "${@:3}" |
        xargs -0 -n 1 -P "$(nproc)" bash -c 'set -euo pipefail; tidy_one "$1"' tidy_one
}

check_tidy() { tidy whole "" $(find src ngx_module -name '*.cpp'); }

# `lint` has all. Here without the analyzer, which takes most of the time and looks at no file but the one that is
# named, and without two checks that take a quarter of the rest and find what a reader sees.
check_tidy_fast() {
    local less=-bugprone-suspicious-include,-bugprone-reserved-identifier,-bugprone-stringview-nullptr
    tidy fast "-clang-analyzer-*,$less" $(put_together build/together)
}

# After build_module.
check_layers() {
    tools/test-check-layers
    tools/check-layers "$(objects_folder "$out")/addon"
}

# llvm_one FILE: its LLVM code beside it, unless nothing has changed.
llvm_one() {
    local code=${1%.cpp}.ll
    if unchanged "$1" "$code" tools/check-callbacks; then return 0; fi
    rm -f "$code"
    clang++ $(tools/check-callbacks --flags) -Iinclude -Ingx_module $llvm_includes -o "$code.part" "$1"
    mv "$code.part" "$code"
}

# After build_module.
check_callbacks() {
    local llvm_includes sources
    tools/test-check-callbacks
    llvm_includes=$(nginx_includes)
    export llvm_includes
    export -f llvm_one unchanged
    mapfile -t sources < <(put_together build/callbacks adapter)
    printf '%s\0' "${sources[@]}" |
        xargs -0 -n 1 -P "$(nproc)" bash -c 'set -euo pipefail; llvm_one "$1"' llvm_one
    tools/check-callbacks "${sources[@]/%.cpp/.ll}"
}

run_lint() {
    need $(build_packages) $LINT_PACKAGES clang python3
    build_module "$out" "$cc"
    step "layers of the adapter" check_layers
    if have clang-format-14 "clang-format"; then step "clang-format" check_format; fi
    step "includes of the standard library" /usr/bin/python3 -B tools/check-includes
    step "what C calls throws nothing" check_callbacks
    if have clang-tidy-14 "clang-tidy"; then step "clang-tidy" check_tidy; fi
    step "the module with clang, warnings are errors" build_with_clang
    finish
}

# ---- the core --------------------------------------------------------------------------------

# compile_core FOLDER TARGET OPTION...: the options are cmake's.
compile_core() {
    local folder=$1 target=$2 strict
    strict=$(strictness "${CXX:-$cc}")
    logged "$folder.configure.log" cmake -S t/unit -B "$folder" -DWARNINGS_ARE_ERRORS=${strict:+ON} "${@:3}"
    logged "$folder.make.log" cmake --build "$folder" --target "$target" -j"$(nproc)"
}

# run_units FOLDER: those that stop a process after each instruction take as long as all others together.
run_units() {
    local names stepped others first code=0
    names=$("$1/unit_tests" --list)
    # Without a name it would run all.
    mapfile -t stepped < <(grep '_crash$' <<<"$names")
    mapfile -t others < <(grep -v '_crash$' <<<"$names")
    [ ${#stepped[@]} != 0 ] && [ ${#others[@]} != 0 ] || die "$1/unit_tests names no suites"
    "$1/unit_tests" "${stepped[@]}" >"$1/result.stepped" 2>&1 &
    first=$!
    "$1/unit_tests" "${others[@]}" 2>&1 | tee "$1/result.others" || code=$?
    wait $first || code=$?
    cat "$1/result.stepped"
    cat "$1/result.stepped" "$1/result.others" >"$1/result"
    return $code
}

# Check prints "100%: Checks: 812, Failures: 0, Errors: 0", once for each of the two.
count_units() {
    local checks failures errors runs=0
    while read -r checks failures errors; do
        count $((checks - failures - errors)) $((failures + errors))
        runs=$((runs + 1))
    done < <(sed -n 's/.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$1/result")
    [ $runs = 2 ] || count 0 1
}

# check_units FOLDER TEXT OPTION...: compiled and run.
check_units() {
    rm -f "$1/result"
    step "compiling the unit tests$2" compile_core "$1" unit_tests "${@:3}"
    # An older build says nothing about these sources.
    [ $status = 0 ] || return 0
    attempt "unit tests" run_units "$1"
    count_units "$1"
}

# After check_units in the same folder.
check_corpora() {
    compile_core build/unit all
    ctest --test-dir build/unit -E '^unit$' --output-on-failure --no-tests=error
}

# Its parts that need no EspoCRM, and the syntax of all others.
check_extension() {
    find espocrm t/espocrm -name '*.php' -print0 | xargs -0 -n 1 php -l >/dev/null
    phpunit -c t/espocrm
    /usr/bin/python3 espocrm/pack.py build
}

check_php() { phpcs --standard=t/espocrm/phpcs.xml; }

check_scripts() {
    $ESLINT/node_modules/.bin/eslint -c $ESLINT/eslint.config.mjs --max-warnings 0 espocrm/files/client
}

run_coverage() {
    need $BUILD_PACKAGES $UNIT_PACKAGES gcovr
    say "compiling the unit tests with coverage"
    compile_core build/coverage unit_tests -DCOVERAGE=ON
    find build/coverage -name '*.gcda' -delete
    say "unit tests"
    build/coverage/unit_tests
    gcovr --root . --object-directory build/coverage --filter 'src/' \
        --exclude-throw-branches --exclude-unreachable-branches \
        --txt --print-summary --fail-under-line 95 --fail-under-branch 85
}

run_fuzz() {
    local seconds=${1:-60} target name
    [[ $seconds =~ ^[0-9]+$ ]] || die "fuzz wants a number of seconds"
    need $BUILD_PACKAGES cmake clang libclang-rt-dev
    say "compiling the fuzz targets"
    CXX=clang++ compile_core build/fuzz all -DFUZZ=ON
    for target in build/fuzz/fuzz_*; do
        if [ ! -f "$target" ] || [ ! -x "$target" ]; then continue; fi
        name=${target##*/fuzz_}
        # Inputs that reach new code stay in build/; t/fuzz/corpus is what the repository keeps.
        mkdir -p "build/fuzz/corpus/$name"
        step "fuzzing $name for $seconds s" "$target" -max_total_time="$seconds" -timeout=10 \
            -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
            "build/fuzz/corpus/$name" "t/fuzz/corpus/$name"
    done
    finish
}

# ---- EspoCRM itself ----------------------------------------------------------------------------

need_espocrm() {
    [ -n "$ESPOCRM_DIR" ] || return 0
    [ -f "$ESPOCRM_DIR/install/cli.php" ] || die "ESPOCRM_DIR=$ESPOCRM_DIR is no EspoCRM release"
    need $ESPOCRM_PACKAGES
    need_npm $BROWSER
}

# with_espocrm COMMAND...: gives the command a new EspoCRM, and takes it away afterwards. Runs in a
# shell of its own, see attempt.
with_espocrm() {
    LAB=$(mktemp -d "${TMPDIR:-/tmp}/espocrm.XXXXXX")
    trap 't/espocrm/lab.sh stop || true; rm -rf "$LAB"' EXIT
    read -r PORT DBPORT < <(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=t/integration /usr/bin/python3 -c \
        'from harness.ports import free_port as port; print(port(), port())')
    export LAB PORT DBPORT ESPOCRM_DIR NGINX_BIN ESPOCRM_LAB=$LAB ESPOCRM_PORT=$PORT
    t/espocrm/lab.sh start
    "$@"
}

run_extension_tests() {
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider \
        --junitxml="$root/build/pytest-espocrm.xml" t/espocrm
}

run_browser_tests() {
    local package
    package=$(/usr/bin/python3 espocrm/pack.py build)
    t/espocrm/lab.sh extension "$package"
    BROWSER_RESULTS=$root/build/browser OIDC_MODULE=$root/$out/$MODULE node "$@" \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination=build/browser/result.tap $BROWSER/main.mjs
}

# The summary at the end of TAP: "# pass 12".
count_browser() {
    local name counts=()
    for name in pass fail cancelled skipped; do
        counts+=("$(sed -n "s/^# $name \([0-9]*\)$/\1/p" build/browser/result.tap 2>/dev/null |
            tail -n 1)")
    done
    if [ -n "${counts[0]}" ]; then
        count "${counts[0]}" $((counts[1] + counts[2])) "${counts[3]}"
    else
        count 0 1
    fi
}

check_espocrm() {
    local how="./build.sh test ESPOCRM_DIR=/path/to/unpacked/release"
    if [ -z "$ESPOCRM_DIR" ] || [ -n "$SANITIZE" ]; then
        notes+=("t/espocrm and t/browser, a real EspoCRM in a real browser; to run them: $how")
        count 0 0 1
        return
    fi
    rm -rf build/pytest-espocrm.xml build/browser
    mkdir -p build/browser
    attempt "the extension in EspoCRM" with_espocrm run_extension_tests
    count_pytest build/pytest-espocrm.xml
    attempt "EspoCRM behind the module, in Chromium" with_espocrm run_browser_tests
    count_browser
}

run_browser() {
    [ -n "$ESPOCRM_DIR" ] || die "browser needs ESPOCRM_DIR=/path/to/unpacked/release"
    [ -z "$SANITIZE" ] || die "browser does not run with SANITIZE"
    need $(build_packages) $DEMO_PACKAGES $(node_packages)
    need_provider
    need_espocrm
    build_module "$out" "$cc"
    if [ $# -gt 0 ]; then
        mkdir -p build/browser
        step "EspoCRM behind the module, in Chromium: $1" \
            with_espocrm run_browser_tests --test-name-pattern="$1"
    else
        check_espocrm
    fi
    finish
}

# ---- everything ------------------------------------------------------------------------------

# run_pytest ARGS...: all integration tests unless the arguments name files.
run_pytest() {
    local arg files=t/integration
    for arg; do
        case $arg in t/integration/*) files= ;; esac
    done
    NGINX_BIN=$NGINX_BIN OIDC_MODULE=$root/$out/$MODULE SANITIZE=${SANITIZE:-0} \
        OIDC_STORE=${STORE:-memory} PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest $files "$@"
}

# The tests that the session store has a part in; STORE=redis and the like run all others as well.
STORE_TESTS="sessions logout provider_logout callback_forward refresh processes status
    identity_headers nginx_requests nginx_locations features providers"

# Those that take longest, longest first: they begin first, so that no run waits for the last of them.
LONG_TESTS="provider_guides refresh ops_nginx tokens cookie_store redis providers discovery jwks upgraded ops_idps transport"

# How many runs are side by side: most of their time is waiting.
WORKERS=4

# STORE-NAME of each run: every file on the memory store, those of STORE_TESTS on the others as well;
# with `only_store` every file on that one, with `only_tests` those of these names.
only_store='' only_tests=
integration_runs() {
    local name
    { printf '%s\n' $LONG_TESTS
      find t/integration -maxdepth 1 -name 'test_*.py' | sed 's|.*/test_\(.*\)\.py|\1|' | sort
    } | awk '!seen[$0]++' | while read -r name; do
        if [ -n "$only_tests" ] && [[ " $only_tests " != *" $name "* ]]; then continue; fi
        if [ -n "$only_store" ]; then echo "$only_store-$name"; continue; fi
        echo "memory-$name"
        [[ " ${STORE_TESTS//$'\n'/ } " != *" $name "* ]] || printf '%s\n' "redis-$name" "cookie-$name"
    done
}

# integration RUN: its outcome is in build/integration/RUN.
integration() {
    local folder=build/integration/$1 code=0
    STORE=${1%%-*} run_pytest -p no:cacheprovider --junitxml="$root/$folder/result.xml" \
        "t/integration/test_${1#*-}.py" >"$folder/log" 2>&1 || code=$?
    outcome "integration tests, $1" $code "$folder/log" \
        "$(sed -n '/short test summary info/,$p' "$folder/log" | grep . || tail -n 1 "$folder/log")"
    echo $code >"$folder/status"
}

# ports_of NUMBER: a part of our ports for each worker, and one for what is beside them.
ports_of() {
    local part parts
    IFS=/ read -r part parts <<<"${OIDC_PORTS:-1/1}"
    echo $((part + $1 * parts))/$(((WORKERS + 1) * parts))
}

# integration_worker NUMBER RUN...: takes what no other worker has taken yet.
integration_worker() {
    local run
    export OIDC_PORTS
    OIDC_PORTS=$(ports_of $1)
    shift
    for run; do
        if mkdir "build/integration/$run" 2>/dev/null; then integration "$run"; fi
    done
}

# All runs, and what later and need_other_system named beside them.
check_integration() {
    local number run runs workers=() beside stores
    stores="all on the memory store, those of sessions on redis and cookie as well"
    [ -z "$only_store" ] || stores="${only_tests:-all} on the store $only_store"
    beside=$(printf ', %s' "${later_texts[@]}")
    beside=${beside#, }${other:+, $other}
    rm -rf build/integration
    mkdir -p build/integration
    mapfile -t runs < <(integration_runs)
    say "integration tests, $WORKERS runs side by side: $stores${beside:+; beside them $beside}"
    run_later &
    workers+=($!)
    if [ -n "$other" ]; then
        run_other_system "$(ports_of $WORKERS)" &
        workers+=($!)
    fi
    for ((number = 0; number < WORKERS; number++)); do
        integration_worker $number "${runs[@]}" &
        workers+=($!)
    done
    # shellcheck disable=SC2064 # their pids as they are now
    trap "kill_tree ${workers[*]}" EXIT
    # A worker that was killed has left runs without an outcome: they count as failed.
    wait "${workers[@]}" || true
    trap - EXIT
    settle_later
    [ -z "$other" ] || settle_other_system
    for run in "${runs[@]}"; do
        count_pytest "build/integration/$run/result.xml"
        [ "$(cat "build/integration/$run/status")" = 0 ] || failures+=("integration tests, $run")
    done
}

# Sign-ins at every kind of provider, logout and the hot path in an nginx under valgrind.
run_memcheck() {
    need $(build_packages) $INTEGRATION_PACKAGES $DEMO_PACKAGES $(node_packages) valgrind
    need_provider
    build_module "$out" "$cc"
    say "integration tests under valgrind"
    # Not those that reload: old and new workers look alike there.
    VALGRIND=1 run_pytest -k "(test_providers or test_logout or test_callback_forward or signed \
        or worker or groups or no_cross_talk or in_parallel) and not reload" \
        --deselect=t/integration/test_processes.py "$@"
}

count_pytest() {
    local counts
    counts=$(/usr/bin/python3 - "$1" <<'END'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
total, failures, errors, skipped = (
    int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
print(total - failures - errors - skipped, failures + errors, skipped)
END
    ) || counts="0 1"
    count $counts
}

# run_some_tests ARGS...: arguments of pytest.
run_some_tests() {
    need $(build_packages) $INTEGRATION_PACKAGES $DEMO_PACKAGES $(node_packages)
    need_provider
    build_module "$out" "$cc"
    say "integration tests: $*"
    run_pytest "$@"
}

# Not part of `test`: half a gigabyte to download, and Keycloak takes a minute to start.
run_providers() {
    local files=t/providers arg
    need $(build_packages) $PROVIDERS_PACKAGES $(node_packages)
    # Without these some are skipped, each with its reason in the table.
    [ -n "$no_install" ] || need $(provider_packages)
    need_provider
    build_module "$out" "$cc"
    for arg; do
        case $arg in t/providers/*) files= ;; esac
    done
    say "real providers"
    NGINX_BIN=$NGINX_BIN OIDC_MODULE=$root/$out/$MODULE SANITIZE=${SANITIZE:-0} \
        OIDC_STORE=${STORE:-memory} PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest $files "$@"
}

# Not part of `test`: the suite is no part of this repository, and somebody has to have started it.
# shellcheck disable=SC2046,SC2086
run_conformance() {
    [ -n "${SUITE_URL:-}" ] || die "SUITE_URL=url must say where a conformance suite runs; docs/conformance.md says how"
    need $(build_packages) $PROVIDERS_PACKAGES
    build_module "$out" "$cc"
    say "the conformance suite at $SUITE_URL"
    NGINX_BIN=$NGINX_BIN OIDC_MODULE=$root/$out/$MODULE SANITIZE=${SANITIZE:-0} PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 t/conformance/run "$@"
}

# Not part of `test`: what renders is built with Go, which takes minutes, and the controller's source is
# downloaded. `test` has the same files and skips what is rendered.
run_kubernetes() {
    need $(build_packages) $INTEGRATION_PACKAGES $(node_packages)
    [ -n "$no_install" ] || need git $(command -v go >/dev/null || echo golang-go)
    need_provider
    build_module "$out" "$cc"
    say "ops/kubernetes, rendered"
    OIDC_KUBERNETES=1 run_pytest -rs t/integration/test_kubernetes.py t/integration/test_ingress_controller.py "$@"
}

# Only root makes and enters whole systems.
test_systems_packages() {
    if [ "$(id -u)" = 0 ] && [ "$(tools/packages family)" = debian ]; then echo $SYSTEMS_PACKAGES; fi
}

run_test() {
    if [ $# -gt 0 ]; then
        run_some_tests "$@"
        return
    fi
    need $(build_packages) $TEST_PACKAGES $DEMO_PACKAGES $(node_packages) $(test_systems_packages)
    need_provider
    need_espocrm
    need_npm $ESLINT
    if [ -z "$SANITIZE" ] && have clang-format-14 "clang-format"; then
        step "clang-format" check_format
    fi
    step "includes of the standard library" /usr/bin/python3 -B tools/check-includes
    # By clang, whose sanitizers take half the time to compile; gcc has these sources on the other system.
    CXX=clang++ check_units build/unit ", with sanitizers" -DSANITIZE=ON -DUNITY=ON
    step "the module" build_module "$out" "$cc"
    if [ $status != 0 ]; then
        finish
        return
    fi
    step "layers of the adapter" check_layers
    if [ -z "$SANITIZE" ]; then
        step "demo: the whole sign-in" /usr/bin/python3 demo/run.py --check --nginx "$NGINX_BIN" \
            --module "$root/$out/$MODULE"
        if have clang-tidy-14 "clang-tidy, with clang's warnings"; then
            later "clang-tidy, with clang's warnings" check_tidy_fast
        else
            later "the module with clang, warnings are errors" build_with_clang
        fi
        later "what C calls throws nothing" check_callbacks
        later "the EspoCRM extension" check_extension
        if have phpcs "PHP_CodeSniffer"; then later "PHP_CodeSniffer, the extension" check_php; fi
        later "eslint, the extension's scripts" check_scripts
        if get_site_packages >build/site-packages.log 2>&1; then
            later "the documentation site" make_site
        else
            notes+=("the documentation site: $(tail -n 1 build/site-packages.log)")
            count 0 0 1
        fi
    fi
    later "stored fuzz inputs" check_corpora
    [ -n "$SANITIZE" ] || need_other_system
    check_integration
    check_espocrm
    finish
}

# The parts of `test` by themselves, for systems where only they are asked for.
run_units_alone() {
    need $BUILD_PACKAGES $UNIT_PACKAGES
    # The module is what is compiled with -O2; here it would take four times as long.
    check_units build/unit "${SANITIZE:+, with sanitizers}" -DSANITIZE=${SANITIZE:+ON} -DUNITY=ON \
        -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O0 -g1"
    finish
}

# run_integration NAME...: t/integration/test_NAME.py, or all.
run_integration() {
    local name
    for name; do
        [ -e "t/integration/test_$name.py" ] || die "there is no t/integration/test_$name.py"
    done
    only_tests=$*
    need $(build_packages) $INTEGRATION_PACKAGES $DEMO_PACKAGES $(node_packages)
    need_provider
    step "the module" build_module "$out" "$cc"
    only_store=${STORE:-memory}
    [ $status != 0 ] || check_integration
    finish
}

# What clang warns of, and whether it links and loads: the same without its optimizer, in half the time.
build_with_clang() { OIDC_UNITY=1 OIDC_CXXFLAGS=-O0 build_module build/clang clang; }

# ---- while working -----------------------------------------------------------------------------

# Of files that are not committed as they are.
check_changed_format() {
    { git diff --name-only --diff-filter=d HEAD -- '*.[ch]pp'
      git ls-files --others --exclude-standard -- '*.[ch]pp'; } |
        xargs -r -d '\n' clang-format-14 --dry-run -Werror
}

run_quick() {
    need $(build_packages) $UNIT_PACKAGES clang-format-14:maybe
    if command -v ccache >/dev/null; then
        export PATH=/usr/lib/ccache:$PATH CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
    fi
    if have clang-format-14 "clang-format"; then
        step "clang-format, changed files" check_changed_format
    fi
    step "the module" build_module "$out" "$cc"
    check_units build/quick "" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O0 -g1"
    finish
}

run_editor() {
    need $(build_packages) $UNIT_PACKAGES python3
    configure_module "$(objects_folder "$out")" "$cc"
    logged build/editor.configure.log cmake -S t/unit -B build/editor \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
    make -n -B -f "$(objects_folder "$out")/Makefile" -C "$nginx_source" modules |
        /usr/bin/python3 tools/compile-commands "$nginx_source" build/editor/compile_commands.json \
            >compile_commands.json
}
