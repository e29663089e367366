#!/bin/bash
# CMake and the scripts say which Rust is needed, which there is, and how to get another. Arguments: cmake, the C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
printf '#!/bin/sh\necho "cargo 1.65.0"\n' >"$work/cargo"
chmod +x "$work/cargo"
export PATH=$work:$PATH

says() { # COMMAND...: it fails, and says so
  local said
  if said=$("$@" 2>&1); then
    echo "${*} has ended well"
    exit 1
  fi
  grep -q 'Rust 1.85 needed, found 1.65' <<<"$said" && grep -q 'apt-get install rustc' <<<"$said" ||
    { echo "$* says:"; echo "$said"; exit 1; }
}
says "$1" -S . -B "$work/build" -DCMAKE_C_COMPILER="$2" -DCARGO="$work/cargo"
says bash -c '. scripts/common; check_rust' scripts/common
