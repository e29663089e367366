#!/bin/bash
# The README's programs in C and C++ compile as printed, and talk to a real server and to each other.
# Arguments: C compiler, C++ compiler, include directory, library directory. NSWS_ECHO_URL: where to connect.
set -euo pipefail
cc=$1 cxx=$2 include=$3 library_dir=$4
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

build() { # NAME LANGUAGE NUMBER COMPILER...: the program in the README's block of that language and number
  awk -v fence="\`\`\`$2" -v wanted="$3" '$0 == fence { number++; inside = 1; next } /^```/ { inside = 0 } inside && number == wanted' \
    "$(dirname "$0")/../README.md" >"$work/$1.$2"
  "${@:4}" -Wall -Wextra -Wpedantic -Werror -I "$include" "$work/$1.$2" -o "$work/$1" \
    -L "$library_dir" -Wl,-rpath,"$library_dir" -lnetstack_websocket -pthread
}
build client c 1 "$cc" -std=c99
build server c 2 "$cc" -std=c99
build client_cpp cpp 1 "$cxx" -std=c++17

hears_hello() { # CLIENT URL
  "$work/$1" "$2" | tee "$work/output"
  grep -q 'message: hello' "$work/output"
  grep -q 'closed: 1000' "$work/output"
}
hears_hello client "$NSWS_ECHO_URL"
hears_hello client_cpp "$NSWS_ECHO_URL"

coproc server { exec "$work/server" 0; }
pid=$server_PID
read -r -t 20 url <&"${server[0]}"
hears_hello client "$url"
hears_hello client_cpp "$url"
echo >&"${server[1]}"
wait "$pid"
