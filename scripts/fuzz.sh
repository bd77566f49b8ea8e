#!/usr/bin/env bash
# Feeds hostile input to what reads files and servers: libFuzzer over tests/fuzz, each target from its seeds.
#   scripts/fuzz.sh [--seconds N] [TARGET...]     N: 20 for each target; TARGET: csv, sse, ... (all)
# An input that breaks a target is left in build/fuzz/crashes and named. Once it is understood, it belongs into
# tests/fuzz/crashes/TARGET, where every build replays it.
# FUZZ_CORPUS=DIR keeps what a run found to be new, in DIR/TARGET.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=20
if [[ ${1:-} == --seconds ]]; then
  seconds=${2:-}
  shift 2 || true
fi
if [[ ! $seconds =~ ^[1-9][0-9]*$ || ${1:-} == -* ]]; then
  echo "usage: scripts/fuzz.sh [--seconds N] [TARGET...]" >&2
  exit 2
fi
# Bytes of an input: as many as a target needs, since longer ones are slower.
declare -A longest=([csv]=16384 [experts]=4096 [extract]=4096 [gguf]=8192 [journal]=16384 [plan]=4096 [reasoning]=4096
  [safetensors]=8192 [server_json]=16384 [sse]=4096 [tokenizer]=8192)
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(printf '%s\n' "${!longest[@]}" | sort)
for target in "${targets[@]}"; do
  [[ -n ${longest[$target]:-} ]] || { echo "fuzz: no target '$target': there are ${!longest[*]}" >&2; exit 2; }
done

# The sanitizers' build has them.
cmake --preset asan >/dev/null && cmake --build build/asan --target "${targets[@]/#/fuzz_}" || exit 1

crashes=build/fuzz/crashes
mkdir -p "$crashes"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fuzz TARGET: its log and what broke it, in $work/TARGET; ends as libFuzzer does.
fuzz() {
  local target=$1 corpus=${FUZZ_CORPUS:-$work/corpus}/$1 known=("tests/fuzz/seeds/$1")
  [[ ! -d tests/fuzz/crashes/$target ]] || known+=("tests/fuzz/crashes/$target")
  mkdir -p "$corpus" "$work/$target"
  "build/asan/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len="${longest[$target]}" -dict="tests/fuzz/dictionaries/$target.dict" -print_final_stats=1 \
    -artifact_prefix="$work/$target/$target-" "$corpus" "${known[@]}" >"$work/$target/log" 2>&1
}

# As many at once as there are processors, each waited for in its turn.
passed=0 failed=0
declare -A pids
started=0
start_next() {
  ((started < ${#targets[@]})) || return 0
  fuzz "${targets[started]}" &
  pids[${targets[started]}]=$!
  started=$((started + 1))
}
for ((i = 0; i < $(nproc); ++i)); do start_next; done
for target in "${targets[@]}"; do
  if wait "${pids[$target]}"; then
    passed=$((passed + 1)) result=passed
  else
    failed=$((failed + 1)) result=FAILED
  fi
  start_next
  executions=$(sed -nE 's/^stat::number_of_executed_units: +//p' "$work/$target/log")
  echo "$target: ${executions:-?} executions, $result"
  [[ $result == passed ]] && continue
  grep -E '^broken:|ERROR:|runtime error|SUMMARY|what\(\)' "$work/$target/log" | head -5
  for input in "$work/$target/$target"-*; do
    [[ -f $input ]] || continue
    mv "$input" "$crashes/"
    echo "  $crashes/${input##*/}"
  done
done
echo "$passed passed, $failed failed"
((failed == 0))
