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
declare -A longest=([csv]=16384 [extract]=4096 [gguf]=8192 [journal]=16384 [plan]=4096 [reasoning]=4096
  [safetensors]=8192 [server_json]=16384 [sse]=4096 [tokenizer]=8192)
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(printf '%s\n' "${!longest[@]}" | sort)
for target in "${targets[@]}"; do
  [[ -n ${longest[$target]:-} ]] || { echo "fuzz: no target '$target': there are ${!longest[*]}" >&2; exit 2; }
done

cmake --preset fuzz >/dev/null && cmake --build build/fuzz --target "${targets[@]/#/fuzz_}" || exit 1

crashes=build/fuzz/crashes
mkdir -p "$crashes"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
for target in "${targets[@]}"; do
  corpus=${FUZZ_CORPUS:-$work}/$target
  log=$work/$target.log
  found=$(mktemp -d "$work/found.XXXXXX")
  known=("tests/fuzz/seeds/$target")
  [[ ! -d tests/fuzz/crashes/$target ]] || known+=("tests/fuzz/crashes/$target")
  mkdir -p "$corpus"
  if "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len="${longest[$target]}" -dict="tests/fuzz/dictionaries/$target.dict" -print_final_stats=1 \
    -artifact_prefix="$found/$target-" "$corpus" "${known[@]}" >"$log" 2>&1; then
    passed=$((passed + 1)) result=passed
  else
    failed=$((failed + 1)) result=FAILED
  fi
  executions=$(sed -nE 's/^stat::number_of_executed_units: +//p' "$log")
  echo "$target: ${executions:-?} executions, $result"
  [[ $result == passed ]] && continue
  grep -E '^broken:|ERROR:|runtime error|SUMMARY|what\(\)' "$log" | head -5
  for input in "$found"/*; do
    [[ -f $input ]] || continue
    mv "$input" "$crashes/"
    echo "  $crashes/${input##*/}"
  done
done
echo "$passed passed, $failed failed"
((failed == 0))
