#!/usr/bin/env bash
# clang-tidy over our C++ files (.clang-tidy says which checks), as BUILD's compile commands compile them.
#   scripts/tidy.sh [--quick] [BUILD] [FILE...]     BUILD: build/release
# --quick leaves out the one check that takes half of the time.
set -euo pipefail
cd "$(dirname "$0")/.."
checks=()
if [[ ${1:-} == --quick ]]; then
  checks=(--checks=-performance-unnecessary-value-param)
  shift
fi
build=${1:-build/release}
shift || true
clang_tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
if [[ ! -f $build/compile_commands.json ]]; then
  echo "tidy: $build has no compile_commands.json; configure it first: cmake --preset release" >&2
  exit 2
fi
# The longest files first, so that no processor waits for the last one.
mapfile -t files < <(grep -oP '"file": "\K[^"]+' "$build/compile_commands.json" | grep -v "/_deps/" | sort -u | xargs ls -S)
if (($#)); then
  # What this build doesn't compile is for another processor.
  mapfile -t files < <(realpath -- "$@" | grep -xFf <(printf '%s\n' "${files[@]}"))
fi
# clang doesn't know every warning that the compile commands switch off for GCC.
output=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$clang_tidy" --quiet "${checks[@]}" --extra-arg=-Wno-unknown-warning-option -p "$build" 2>/dev/null) &&
  failed=0 || failed=$?
[[ -z $output ]] || printf '%s\n' "$output"
echo "tidy: ${#files[@]} files"
exit "$failed"
