#!/bin/bash
# Each library is hardened: relocations that are read-only from the start, a stack that is not executable, stack protectors in
# C and C++ code; and it holds no path of the machine that built it.
# Arguments: the folders whose paths may not be inside, separated by ;, and the libraries.
set -euo pipefail
folders=$1
shift
[ $# -gt 0 ]
status=0
for library; do
  fail() { echo "$library: $1"; status=1; }
  dynamic=$(readelf -dW "$library") segments=$(readelf -lW "$library")
  grep -q 'FLAGS.*NOW' <<<"$dynamic" || fail "no BIND_NOW"
  grep -q GNU_RELRO <<<"$segments" || fail "no RELRO"
  ! grep -q 'GNU_STACK.*E ' <<<"$segments" || fail "an executable stack"
  grep -q '__stack_chk_fail' <<<"$(nm -D --undefined-only "$library")" || fail "no stack protector"
  # A build for debugging has the code of rustls for it, whether it is used or not.
  [ -z "${OPTIMIZED:-}" ] || ! grep -q SSLKEYLOGFILE "$library" || fail "the feature keylog, which is for debugging alone"
  # Where the build tree's libraries look for each other is rewritten when they are installed.
  runpath=$(sed -n 's/.*(RUNPATH).*\[\(.*\)\]/\1/p' <<<"$dynamic")
  found=$(while IFS= read -r -d ';' folder; do
    [ -z "$folder" ] || strings -n 4 "$library" | grep -F "$folder/" | { grep -vxF "${runpath:-/}" || true; } | head -n 3
  done <<<"$folders;" || true)
  [ -z "$found" ] || fail "paths of this machine: $found"
done
exit $status
