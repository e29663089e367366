#!/bin/bash
# Each test that docs/reliability.md names is there.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
for name in $(grep '^|' docs/reliability.md | grep -oE '`[a-z0-9]+(_[a-z0-9]+){3,}_?`' | tr -d '`' | sort -u); do
  ! grep -qw "$name" include/netstack_websocket.h || continue
  grep -rqE "(fn|def|RUN\(|void) *$name\b" src tests || { echo "docs/reliability.md names $name, which is no test"; status=1; }
done
exit $status
