#!/usr/bin/env bash
# Formats our C++ files in place; with --check only says which ones differ.
set -euo pipefail
cd "$(dirname "$0")/.."
clang_format=$(command -v clang-format-14 || command -v clang-format)
mode=(-i)
[[ ${1:-} == --check ]] && mode=(--dry-run -Werror)
find prompts runners experts scoring results harness tests bench \( -name '*.cpp' -o -name '*.h' \) -print0 |
  xargs -0 -n 16 -P "$(nproc)" "$clang_format" "${mode[@]}"
