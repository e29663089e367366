#!/bin/bash
# The ticker's example: its client survives the death of its server. Arguments: the server, the client.
set -euo pipefail
server=$1 client=$2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkfifo "$work/hears"

serve() { # PORT
  coproc ticker { exec "$server" --port "$1" --every 20; }
  # Bash forgets a coproc's descriptors when it ends.
  ticker_in=${ticker[1]} ticker_out=${ticker[0]} ticker_pid=${ticker_PID?}
  read -r -t 60 url <&"$ticker_out"
}

hears() { # TEXT: reads the client's lines until one begins with it
  local line
  while read -r -t 60 line <&"$client_out"; do
    [[ $line != BOLT* ]] || { echo "ticker: a price that nobody asked for: $line"; exit 1; }
    case $line in "$1"*) return ;; esac
  done
  echo "ticker: the client does not say \"$1\""
  exit 1
}

end_server() {
  eval "exec $ticker_in>&-"
  wait "$ticker_pid"
  eval "exec $ticker_out<&-"
}

serve 0
port=${url##*:} port=${port%/}
"$client" "$url" ACME DUNE >"$work/hears" 2>&1 &
client_pid=$!
exec {client_out}<"$work/hears"
hears "open: permessage-deflate"
hears "ACME "
hears "DUNE "

{ kill -KILL "$ticker_pid" && wait "$ticker_pid"; } 2>/dev/null || true
hears "closed: 1006"
hears "attempt 1 in "
eval "exec $ticker_in>&- $ticker_out<&-"
hears "attempt 2 in " # there was no server
serve "$port"
hears "open: permessage-deflate"
hears "ACME "
hears "DUNE "

end_server
hears "closed: 1001"
serve "$port"
hears "open: permessage-deflate"
for _ in {1..100}; do hears "DUNE "; done

# Unlike the prices of others, those of this connection are few bytes.
kill -TERM "$client_pid"
said=$(grep 'came in as' <&"$client_out")
wait "$client_pid"
read -r _ _ _ bytes _ _ _ _ wire _ <<<"$said"
((bytes > 10000 && wire * 2 < bytes)) || { echo "ticker: $said"; exit 1; }

fails() { # STATUS TEXT ARGUMENTS...: the client says so
  local status=0 said
  said=$("$client" "${@:3}" 2>&1) || status=$?
  [[ $status = "$1" && $said == *"$2"* ]] || { echo "ticker_client ${*:3}: exit $status, $said"; exit 1; }
}
fails 1 "closed: 1008 there is no such symbol" "$url" NONE
fails 1 "scheme" http://x ACME
fails 2 "usage" "$url"
end_server
