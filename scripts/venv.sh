#!/usr/bin/env bash
# Makes .venv with what scripts/requirements-NAME.txt pins, for tests, benches and demo only; gpqa itself needs no Python.
#   scripts/venv.sh demo | peers | bench
# GPQA_VENV names another folder. One that is complete is used as it is.
set -euo pipefail

name=${1:?which requirements: demo, peers or bench}
root=$(cd "$(dirname "$0")/.." && pwd)
requirements=$root/scripts/requirements-$name.txt
venv=${GPQA_VENV:-$root/.venv}
stamp=$venv/complete-$name

pins=$(cat "$root"/scripts/requirements-*.txt)
if [[ -x $venv/bin/python && -f $stamp && "$(cat "$stamp")" == "$pins" ]]; then
  echo "venv: $venv is complete ($name)"
  exit 0
fi
for python in python3.11 python3 python3.13 python3.12; do
  "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
  python=
done
if [[ -z $python ]]; then
  echo "venv: no Python of 3.11 or later that can make a venv; scripts/setup.sh installs one" >&2
  exit 1
fi
echo "venv: installing the packages of $(basename "$requirements") into $venv"
[[ -x $venv/bin/python ]] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
printf '%s\n' "$pins" >"$stamp"
