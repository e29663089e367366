#!/bin/bash
# The README's C programs compile as printed, and talk to a real server and to each other.
# Arguments: C compiler, include directory, library directory. NSWS_ECHO_URL: where to connect.
set -euo pipefail
cc=$1 include=$2 library_dir=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

build() { # NAME NUMBER: the program in the README's block of that number
  awk -v wanted="$2" '/^```c$/ { number++; inside = 1; next } /^```/ { inside = 0 } inside && number == wanted' \
    "$(dirname "$0")/../README.md" >"$work/$1.c"
  "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$include" "$work/$1.c" -o "$work/$1" \
    -L "$library_dir" -Wl,-rpath,"$library_dir" -lnetstack_websocket -pthread
}
build client 1
build server 2

hears_hello() { # URL
  "$work/client" "$1" | tee "$work/output"
  grep -q 'message: hello' "$work/output"
  grep -q 'closed: 1000' "$work/output"
}
hears_hello "$NSWS_ECHO_URL"

coproc server { exec "$work/server" 0; }
pid=$server_PID
read -r -t 20 url <&"${server[0]}"
hears_hello "$url"
echo >&"${server[1]}"
wait "$pid"
