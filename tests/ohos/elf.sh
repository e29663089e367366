#!/bin/bash
# What OpenHarmony requires of a shared library: it needs the listed libraries and no others, uses only symbols that they have,
# and can be mapped with pages of 4 and of 16 KiB; its code isn't writable, nor its stack executable.
# Arguments: the library, the libraries that it needs (separated by ;), and their files.
set -euo pipefail
library=$1 listed=$2
shift 2
fail() { echo "$library: $1"; exit 1; }
dynamic=$(readelf -dW "$library")

# The C++ library comes with the SDK.
needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | grep -v '^libc++_shared.so$' | sort | paste -sd ';')
[ "$needed" = "$listed" ] || fail "needs $needed, not $listed"

# A weak symbol may be missing.
missing=$(comm -23 <(nm -D --undefined-only "$library" | awk '$1 == "U" { print $2 }' | sed 's/@.*//' | sort -u) \
  <(for file; do nm -D --defined-only "$file"; done | awk '{ print $3 }' | sed 's/@.*//' | sort -u))
[ -z "$missing" ] || fail "takes what $listed lacks: $missing"

grep -q 'FLAGS.*NOW' <<<"$dynamic" || fail "no BIND_NOW"
! grep -q TEXTREL <<<"$dynamic" || fail "text relocations"
loads=0 relro=
while read -r kind flags align; do
  case $kind in
    LOAD)
      loads=$((loads + 1))
      [ $((align % 0x4000)) = 0 ] || fail "a segment is aligned to $align"
      [[ $flags != *W*E* ]] || fail "a segment is both writable and executable"
      ;;
    GNU_RELRO) relro=1 ;;
    GNU_STACK) [[ $flags != *E* ]] || fail "an executable stack" ;;
  esac
done < <(readelf -lW "$library" | awk '/^  [A-Z_]+ +0x/ { flags = ""; for (i = 7; i < NF; i++) flags = flags $i; print $1, flags, $NF }')
[ $loads -gt 0 ] || fail "no segments"
[ -n "$relro" ] || fail "no RELRO"
