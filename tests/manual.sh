#!/bin/bash
# The programs in the header's overview compile as they stand there, and talk with each other.
# Arguments: C compiler, include directory, the shared library.
set -euo pipefail
cc=$1 include=$2 library=$3
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
# shellcheck source=tests/programs.sh
. "$(dirname "$0")/programs.sh"

# Below "This is NAME.c", what is indented by four.
program() { # NAME
  awk -v begin="^ \\\\* This is $1\\\\.c\\\\." '
    $0 ~ begin { within = 1; next }
    within && /^ \*     / { sub(/^ \*     /, ""); print; lines++; next }
    within && lines && /^ \*$/ { print ""; next }
    within && lines { exit }' "$include/netstack_websocket.h" >"$work/$1.c"
  compile "$1" -std=c99
}
program client
program server

start_server server
said=$(timeout 60 "$work/client" "$url")
[ "$said" = $'message: hello\nclosed: 1000' ] || { echo "The client says: $said"; exit 1; }
end_server

said=$(timeout 60 "$work/client" ws://127.0.0.1:1/)
[[ $said = "error: "*127.0.0.1:1* ]] || { echo "Without a server, the client says: $said"; exit 1; }
