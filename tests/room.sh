#!/bin/bash
# The C++ example: two guests in a room hear each other. Argument: the program.
set -euo pipefail
program=$1

heard() { # FD TEXT: reads lines until one holds the text
  local line
  while read -r -t 60 line <&"$1"; do
    case $line in *"$2"*) return ;; esac
  done
  echo "room: \"$2\" was not heard"
  exit 1
}

coproc room { exec "$program" serve; }
# Bash forgets a coproc's descriptors when it ends.
room_in=${room[1]} room_out=${room[0]} room_pid=$room_PID
read -r -t 60 line <&"$room_out"
url=${line##* }

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkfifo "$work/says" "$work/hears"
"$program" join "$url" ann <"$work/says" >"$work/hears" &
ann=$!
exec {ann_says}>"$work/says" {ann_hears}<"$work/hears"
echo "anybody here?" >&"$ann_says"
heard "$ann_hears" "ann: anybody here?"

echo "hello ann" | "$program" join "$url" ben | grep '^\* ben has left' >/dev/null
heard "$ann_hears" "somebody comes in from 127.0.0.1"
heard "$ann_hears" "ben: hello ann"
heard "$ann_hears" "somebody leaves"

echo "closing time" >&"$room_in"
heard "$ann_hears" "* closing time"
exec {ann_says}>&-
wait $ann
eval "exec $room_in>&-"
wait "$room_pid"

fails() { # TEXT ARGUMENTS...: it says so, and ends with 1
  local status=0 said
  said=$("$program" "${@:2}" </dev/null 2>&1) || status=$?
  [[ $status = 1 && $said == *"$1"* ]] || { echo "room ${*:2}: exit $status, $said"; exit 1; }
}
fails "127.0.0.1:1" join ws://127.0.0.1:1/ carl
fails "scheme" join http://x carl
fails "room serve [PORT]" what
