#!/usr/bin/env bash
# The libraries that the engine needs, for 64-bit ARM, from Debian into build/aarch64-libraries: cmake/aarch64.cmake finds
# them there. Nothing is installed, and no root is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/build/aarch64-libraries
packages=(libfmt-dev libfmt9 libicu-dev libicu72 libsimdjson-dev libsimdjson14 libssl-dev libssl3)

if [[ -f $root/complete && "$(<"$root/complete")" == "${packages[*]}" ]]; then
  echo "aarch64_libraries: all ${#packages[@]} packages are there"
  exit 0
fi
rm -rf "$root"
mkdir -p "$root"/apt/{state,cache}/{lists,archives}/partial "$root/packages"
apt=(apt-get -q -o "APT::Architecture=arm64" -o "APT::Architectures=arm64" -o "APT::Sandbox::User=$(id -un)"
  -o "Dir::State=$root/apt/state" -o "Dir::Cache=$root/apt/cache")
"${apt[@]}" update
(cd "$root/packages" && "${apt[@]}" download "${packages[@]}")
for package in "$root"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
rm -rf "$root/apt" "$root/packages"
echo "${packages[*]}" >"$root/complete"
echo "aarch64_libraries: ${#packages[@]} packages are in $root"
