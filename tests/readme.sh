#!/bin/bash
# The README's C example compiles as printed, and talks to a real server.
# Arguments: C compiler, include directory, library directory. NSWS_ECHO_URL: where to connect.
set -euo pipefail
cc=$1 include=$2 library_dir=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
sed -n '/^```c$/,/^```$/{/^```/d;p};/^```$/q' "$(dirname "$0")/../README.md" >"$work/example.c"
"$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$include" "$work/example.c" -o "$work/example" \
  -L "$library_dir" -Wl,-rpath,"$library_dir" -lnetstack_websocket -pthread
"$work/example" "$NSWS_ECHO_URL" | tee "$work/output"
grep -q 'message: hello' "$work/output"
grep -q 'closed: 1000' "$work/output"
