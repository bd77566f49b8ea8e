#!/usr/bin/env bash
# Builds and passes the tests: what CI runs.
#   scripts/test.sh         about 45 minutes on 2 processors, from nothing
#   scripts/test.sh --all   also a debug build, the engine on an emulated ARM, more seeds of the peers, the bench's bounds, 200
#                           kills of each kind and many more random cases, and ten minutes of hostile input for each fuzz
#                           target, not 20 seconds
# The last line adds everything up; the exit code is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
all=
case ${1:-} in
  '') ;;
  --all) all=1 ;;
  *) echo "usage: scripts/test.sh [--all]" >&2; exit 2 ;;
esac

passed=0 failed=0 failures=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2)) failed=$((failed + $3))
  (($3 == 0)) || failures+=("$1: $3")
}

# step NAME COMMAND...: one check. Its output is shown.
step() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    count "$name" 1 0
    echo "== $name: passed ($((SECONDS - start)) s)"
  else
    count "$name" 0 1
    echo "== $name: FAILED ($((SECONDS - start)) s)"
    return 1
  fi
}

# counted NAME COMMAND...: as many checks as its last "N passed, N failed" says.
counted() {
  local name=$1 start=$SECONDS log=$logs/out status
  shift
  echo "== $name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  if [[ "$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1)" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    local bad=${BASH_REMATCH[2]}
    # Ended badly, and no check says so.
    ((status == 0 || bad > 0)) || bad=1
    count "$name" "${BASH_REMATCH[1]}" "$bad"
  else
    count "$name" 0 1
  fi
  echo "== $name: ended with $status ($((SECONDS - start)) s)"
}

# ctest's summary, as counted() reads it.
run_ctest() {
  local log=$logs/ctest status
  ctest --preset "$1" -j "$(nproc)" | tee "$log"
  status=${PIPESTATUS[0]}
  sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests failed out of ([0-9]+)$/\1 \2/p' "$log" |
    while read -r bad total; do echo "$((total - bad)) passed, $bad failed"; done
  return "$status"
}

# The same, with as many random cases as are to be seen before a release.
run_ctest_long() {
  GPQA_KILLS=200 GPQA_SEEDS=20 run_ctest release
}

# Another clone of the same sources finds its objects in the cache.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

build() {
  cmake --preset "$1" >/dev/null && cmake --build --preset "$1"
}

step "packages" scripts/setup.sh || { echo "0 passed, 1 failed"; exit 1; }
step "format" scripts/format.sh --check

if step "build release" build release; then
  if [[ -n $all ]]; then
    counted "tests" run_ctest_long
    step "a million texts there and back" build/release/tests/runners/model_files/model_files_tests '[million]'
  else
    counted "tests" run_ctest release
  fi
  if step "Python peers" scripts/venv.sh peers; then
    python=${GPQA_VENV:-.venv}/bin/python
    counted "lm-eval" "$python" tests/peers/lm_eval_peer.py --build build/release ${all:+--long}
    counted "llama.cpp server" "$python" tests/peers/real_server_peer.py --build build/release ${all:+--long}
    counted "llama.cpp tokenizer" "$python" tests/peers/tokenizer_peer.py --build build/release ${all:+--long}
    counted "engine against llama.cpp" "$python" tests/peers/engine_peer.py --build build/release ${all:+--long}
    counted "engine on random shapes" "$python" tests/peers/shapes_peer.py --build build/release ${all:+--cases 100}
    counted "dropped experts" "$python" tests/peers/experts_peer.py --build build/release ${all:+--long}
    [[ -z $all ]] || counted "bench" "$python" bench/client_cost.py --build build/release --check
  fi
fi
for sanitizer in asan tsan; do
  if step "build $sanitizer" build "$sanitizer"; then
    counted "tests, $sanitizer" run_ctest "$sanitizer"
  fi
done
# On an ARM that is emulated: the kernels alone, or all of the engine, which is some twenty minutes more.
if step "build aarch64-kernels" build aarch64-kernels; then
  counted "tests, aarch64-kernels" run_ctest aarch64-kernels
fi
if [[ -n $all ]] && step "libraries for aarch64" scripts/aarch64_libraries.sh && step "build aarch64" build aarch64; then
  counted "tests, aarch64" run_ctest aarch64
fi
counted "fuzz" scripts/fuzz.sh ${all:+--seconds 600}
# With --all the tests too, half of the files, and the slowest check.
if [[ -f build/release/compile_commands.json ]]; then
  if [[ -n $all ]]; then
    tidied=()
  else
    mapfile -t tidied < <(printf '%s\n' --quick build/release && git ls-files "*.cpp" | grep -v "^tests/")
  fi
  step "clang-tidy" scripts/tidy.sh "${tidied[@]}"
fi
if [[ -n $all ]] && step "build dev" build dev; then
  counted "tests, dev" run_ctest dev
fi

echo
echo "$((SECONDS / 60)) min $((SECONDS % 60)) s"
for failure in "${failures[@]}"; do echo "failed in $failure"; done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
