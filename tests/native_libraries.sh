#!/bin/bash
# The packages list the libraries that a program needs to link the static library, as rustc lists them.
# Arguments: cargo, its target directory, the list (separated by ;), cargo's flags.
set -euo pipefail
cargo=$1 target_dir=$2 listed=$3
shift 3
cd "$(dirname "$0")/.."
needed=$("$cargo" rustc --lib --crate-type staticlib --target-dir "$target_dir" "$@" -- --print native-static-libs 2>&1 |
  sed -n 's/.*native-static-libs: //p' | tr ' ' '\n' | sed 's/^-l//' | sort -u)
diff -u <(tr ';' '\n' <<<"$listed" | sort -u) <(echo "$needed") ||
  { echo "Change NSWS_NATIVE_LIBRARIES in cmake/NetStackWebSocketTargets.cmake."; exit 1; }
