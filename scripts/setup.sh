#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need: only those that are missing.
# As root, or with sudo.
set -euo pipefail

packages=(
  build-essential cmake ninja-build pkg-config ccache
  libcurl4-openssl-dev libssl-dev nlohmann-json3-dev libfmt-dev libcli11-dev libtomlplusplus-dev libpcre2-dev libicu-dev libsimdjson-dev
  catch2 libcpp-httplib-dev clang-format clang-tidy # tests
  libbenchmark-dev                                  # bench/
  clang libclang-rt-14-dev                          # sanitizers, fuzz targets
  g++-aarch64-linux-gnu qemu-user                   # the kernels for ARM, tested without one
  python3 python3-venv ca-certificates libgomp1     # the demo's server, and the tests' peers
)

missing=()
for package in "${packages[@]}"; do
  [[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" == "ii " ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: neither root nor sudo; as root, run: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
