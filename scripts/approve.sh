#!/usr/bin/env bash
# Writes the approved tables under tests/data/tables anew. Look at the diff before committing it.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset dev >/dev/null
cmake --build --preset dev --target results_tests >/dev/null
GPQA_APPROVE=1 build/dev/tests/results/results_tests "[approval]"
git --no-pager diff --stat -- tests/data/tables
