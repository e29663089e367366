#!/bin/bash
# A list of exports gives each function the version that the header gives it with @since. Arguments: the header, the list.
set -euo pipefail
header=$1 list=$2
versions() {
  awk '/^ *\/\*\*/ { version = "" }
    match($0, /@since [0-9.]+/) { version = substr($0, RSTART + 7, RLENGTH - 7) }
    /^[a-z].*[ *]nsws_[a-z0-9_]+\(/ && !/^typedef/ {
      match($0, /nsws_[a-z0-9_]+\(/)
      print substr($0, RSTART, RLENGTH - 1), version
    }' "$header" | LC_ALL=C sort
}
diff -u "$list" <(versions) || { echo "$list and $header differ (-: the list, +: the header)."; exit 1; }
