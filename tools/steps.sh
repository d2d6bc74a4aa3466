# SPDX-License-Identifier: Apache-2.0
# Steps with a log and a row of a table each; read by tools/systems and tools/matrix, which set `place`.
# shellcheck shell=bash disable=SC2034,SC2154

rows=() left=() failed=0 running='' result=ok

say() { printf '[%5d s] %s\n' "$SECONDS" "$*"; }

# step OF NAME COMMAND...: its output goes to $place/OF.NAME.log, its outcome to `rows`. ONLY names the
# steps that are taken when not all are. `result` is ok, FAILED, or "left out". Never call it in a
# condition: bash switches `set -e` off below one.
step() {
    local of=$1 name=$2 log=$place/$1.$2.log began=$SECONDS counts
    shift 2
    result="left out"
    if [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" $name "* ]]; then return; fi
    say "$of: $name"
    ( set -e; "$@" ) >"$log" 2>&1 &
    running=$!
    result=ok
    wait $running || result=FAILED
    running=
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed|^[0-9]+%: Checks:|^The (package|pages|sign-in) |^[0-9]+ facts are|^two builds|rpm: [0-9]+ files|^arm64: ' "$log" |
        tail -n 1) || true
    rows+=("$of"$'\t'"$name"$'\t'"$result"$'\t'"$((SECONDS - began)) s"$'\t'"$counts")
    mapfile -t -O ${#left[@]} left < <(sed -n "s/^SKIPPED \[\([0-9]*\)\] \([^:]*\):[0-9: ]*/$of $name: \1 skipped, \2: /p" "$log" | sort)
    if [ $result = ok ]; then return; fi
    failed=1
    printf -- '---- the end of %s\n' "$log"
    tail -n 15 "$log"
    printf -- '----\n'
}

# skip OF NAME REASON: a row for what is not there.
skip() { rows+=("$1"$'\t'"$2"$'\t'"-"$'\t'$'\t'"$3"); }

table() {
    { printf '%s\tstep\tresult\ttime\tcounts\n' "$1"; printf '%s\n' "${rows[@]}"; } | column -t -s $'\t'
    [ ${#left[@]} = 0 ] || printf '%s\n' "${left[@]}"
}

# kill_tree PID...: with all that they started.
kill_tree() {
    local pid
    for pid; do
        # shellcheck disable=SC2046 # a list of pids
        kill_tree $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
        kill -KILL "$pid" 2>/dev/null || true
    done
}
