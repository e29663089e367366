#!/bin/bash
# The programs in the header's overview compile as they stand there, and talk with each other.
# Arguments: C compiler, include directory, the shared library.
set -euo pipefail
cc=$1 include=$2 library=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# Below "This is NAME.c", what is indented by four.
program() { # NAME
  awk -v begin="^ \\\\* This is $1\\\\.c\\\\." '
    $0 ~ begin { within = 1; next }
    within && /^ \*     / { sub(/^ \*     /, ""); print; lines++; next }
    within && lines && /^ \*$/ { print ""; next }
    within && lines { exit }' "$include/netstack_websocket.h" >"$work/$1.c"
  "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$include" "$work/$1.c" "$library" -pthread -o "$work/$1"
}
program client
program server
LD_LIBRARY_PATH=$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

coproc server { exec "$work/server"; }
# Bash forgets what it knows of a coproc that ends.
server_in=${server[1]} server_out=${server[0]} server_pid=${server_PID?}
read -r -t 60 url <&"$server_out"

said=$(timeout 60 "$work/client" "$url")
[ "$said" = $'message: hello\nclosed: 1000' ] || { echo "The client says: $said"; exit 1; }
eval "exec $server_in>&-"
wait "$server_pid"

said=$(timeout 60 "$work/client" ws://127.0.0.1:1/)
[[ $said = "error: "*127.0.0.1:1* ]] || { echo "Without a server, the client says: $said"; exit 1; }
