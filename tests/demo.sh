#!/bin/bash
# The demo shows every event that a client can have, in a few lines, and in colour only on a terminal. Argument: the program.
# NSWS_CERT_DIR: the certificates, from run.py.
set -euo pipefail
demo=("$1" "$NSWS_CERT_DIR/good.pem" "$NSWS_CERT_DIR/good.key" "$NSWS_CERT_DIR/ca.pem")
here=$(dirname "$0") escape=$'\e'
plain=$(TERM=xterm "${demo[@]}")
echo "$plain"
[ "$(wc -l <<<"$plain")" -le 40 ] || { echo "That is too long."; exit 1; }
[[ $plain != *"$escape"* ]] || { echo "It is coloured where there is no terminal."; exit 1; }
for event in $(sed -n 's/^int32_t nsws_client_on_\([a-z_]*\)(.*/\1/p' "$here/../include/netstack_websocket.h"); do
  [ "$event" != message_part ] || continue # instead of message, for those who ask
  grep -q "<- $event " <<<"$plain" || { echo "It does not show $event."; exit 1; }
done
printf -v command '%q ' "${demo[@]}"
coloured=$(TERM=xterm script -qec "$command" /dev/null </dev/null)
[[ $coloured == *"$escape"* ]] || { echo "It is not coloured on a terminal."; exit 1; }
