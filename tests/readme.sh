#!/bin/bash
# Each block of README.md, and each block of docs/ that is marked "typed", works as it stands there: see readme.py. It runs with a
# file system and a network of its own, so that nothing is installed on this machine, no port is taken, and build/release stays
# as it is. Argument: where cargo builds.
set -euo pipefail
export CARGO_TARGET_DIR=$1 CARGO_NET_OFFLINE=true
cd "$(dirname "$0")/.."
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$PWD/build/wheels
mkdir -p build/release build/try

# shellcheck disable=SC2016
inside='
  mount -t tmpfs readme /mnt
  cp -a /etc /mnt/etc 2>/dev/null || true # for ldconfig; less what this user may not read
  mount --bind /mnt/etc /etc
  for folder in /usr/local/lib /usr/local/include build/release build/try; do
    mount -t tmpfs readme "$folder"
  done
  python3 -c "$1"
  exec python3 tests/readme.py'
loopback='import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any: fcntl.ioctl(any, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))'
user=()
[ "$(id -u)" = 0 ] || user=(--map-root-user)
isolated=(unshare "${user[@]}" --mount --net --pid --fork --kill-child)
if ! "${isolated[@]}" true; then
  echo "SKIPPED: this machine gives no namespaces to a test"
  exit 77
fi
exec "${isolated[@]}" bash -ec "$inside" - "$loopback"
