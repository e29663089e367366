#!/bin/bash
# The chat example against a real server. Argument: the program. NSWS_ECHO_URL and others: where to connect.
set -euo pipefail
chat=$1
output=$(mktemp)
trap 'rm "$output"' EXIT

lines() { # input that ends when both echoes, or the end, have been printed
  printf 'one\ntwo\n'
  until grep -qE ': (two|74 77 6f)$|^(error|close|chat|usage):' "$output"; do sleep 0.05; done
}

expect() { # STATUS PATTERN ARGUMENTS...
  local status=0
  : >"$output"
  lines | "$chat" "${@:3}" >"$output" 2>&1 || status=$?
  if [ $status != "$1" ] || ! grep -q "$2" "$output"; then
    printf 'chat %s: exit %s instead of %s, or no "%s" in\n' "${*:3}" $status "$1" "$2"
    cat "$output"
    exit 1
  fi
}
expect 0 'message: text, 3 bytes: one' "$NSWS_ECHO_URL" -H 'X-Test: 1' --ping-interval 1000
expect 0 'stats: sent 2 messages, 6 bytes; received 2 messages, 6 bytes' "$NSWS_ECHO_URL" --stats
expect 0 'rtt unknown (no ping yet)' "$NSWS_ECHO_URL" --stats
expect 0 'message: binary, 3 bytes: 74 77 6f' "$NSWS_ECHO_URL" --binary
expect 0 'protocol "chat.v2"' "$NSWS_ECHO_URL" --protocol chat.v2
expect 0 'close: code 1000 "", clean' "$NSWS_ECHO_WSS_URL" --ca "$NSWS_CERT_DIR/ca.pem"
expect 0 'close: code 1000 "", clean' "$NSWS_ECHO_WSS_URL" --insecure --tls13
expect 0 'close: code 4000 "enough", clean' "${NSWS_ECHO_URL}close/4000/enough"
expect 1 'NSWS_DETAIL_CERT_ISSUER' "$NSWS_ECHO_WSS_URL"
expect 1 'NSWS_DETAIL_REFUSED' ws://127.0.0.1:1/
expect 2 'http' http://127.0.0.1/
expect 2 'usage' "$NSWS_ECHO_URL" --no-such-option x
