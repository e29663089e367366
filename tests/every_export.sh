#!/bin/bash
# A source file calls each function that the library exports. Argument: the file.
set -euo pipefail
missing=$(LC_ALL=C comm -23 <(cut -d" " -f1 "$(dirname "$0")/symbols.txt") <(grep -o '\bnsws_[a-z_]*(' "$1" | tr -d '(' | LC_ALL=C sort -u))
[ -z "$missing" ] || { echo "$1 doesn't call: $missing"; exit 1; }
