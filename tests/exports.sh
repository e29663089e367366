#!/bin/bash
# A shared library exports what a list has and nothing else, under its SONAME, hardened. A line of the list is a symbol and
# the version that brought it. Arguments: the library, its SONAME, the list.
set -euo pipefail
library=$1 soname=$2 list=$3
dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")

diff -u <(sed 's/ [0-9.]*$//' "$list") <(nm -DC --defined-only "$library" | cut -d" " -f3- | LC_ALL=C sort) ||
  { echo "Exports changed (-: missing, +: new)."; exit 1; }
has() { grep -q "$2" <<<"$1" || { echo "$library: no $3"; exit 1; }; }
has "$dynamic" "SONAME.*\[$soname\]" "SONAME $soname"
has "$dynamic" 'BIND_NOW\|FLAGS_1.*NOW' BIND_NOW
has "$segments" GNU_RELRO RELRO
has "$segments" 'GNU_STACK.* RW ' "stack that is not executable"
if grep -q TEXTREL <<<"$dynamic"; then echo "$library: text relocations"; exit 1; fi
